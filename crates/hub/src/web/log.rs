//! An id for every request, and one line in the log when it is answered. No query strings, no bodies: they hold names.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;

use super::errors;
use crate::app::Hub;

/// Under which a request is found in the log, and which an error page shows.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl RequestId {
    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Outermost: gives the request its id, logs and counts the answer.
pub(super) async fn requests(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let id = RequestId(format!("{:016x}", u64::from_le_bytes(hub.entropy.bytes::<8>())));
    let route = Route::default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(route.clone());
    let method = request.method().clone();
    let started = Instant::now();
    let mut response = next.run(request).await;
    let route = route.0.get().map_or("", MatchedPath::as_str).to_owned();
    let (status, taken) = (response.status().as_u16(), started.elapsed());
    let milliseconds = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        request.id = id.as_str(),
        http.route = route,
        http.status = status,
        duration_ms = milliseconds,
        "{method} {route} {status} in {milliseconds} ms",
    );
    let labels = [("method", method.to_string()), ("route", route), ("status", status.to_string())];
    metrics::histogram!("trunkline_http_request_seconds", &labels).record(taken.as_secs_f64());
    errors::log(&response, &id);
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// The matched route's template. [`requests`] keeps a handle on it, so that it is known also when the handler panics or
/// is out of time.
#[derive(Clone, Default)]
struct Route(Arc<OnceLock<MatchedPath>>);

/// Around every route: tells [`requests`] which one it is.
pub(super) async fn note_route(request: Request, next: Next) -> Response {
    let (route, path) = (request.extensions().get::<Route>(), request.extensions().get::<MatchedPath>());
    if let (Some(Route(route)), Some(path)) = (route, path) {
        route.get_or_init(|| path.clone());
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt as _;

    use crate::app::testing::TestHub;
    use crate::db::testing::Engine;
    use crate::web::metrics;

    #[tokio::test]
    async fn a_request_is_known_by_its_route_and_never_by_its_path() {
        metrics::install();
        let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
        let panics = axum::routing::get(async || -> StatusCode { panic!("on purpose") });
        let boom = crate::web::outside(axum::Router::new().route("/boom/{id}", panics), &test.hub);
        let routes = crate::wiring::router(&test.hub).merge(boom.with_state(test.hub.clone()));
        for path in ["/api/v1/contacts/con_secret", "/settings/people?q=secret", "/secret", "/boom/secret"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            routes.clone().oneshot(request).await.unwrap();
        }
        let figures = metrics::render();
        for route in ["/api/v1/contacts/{id}", "/settings/people", "", "/boom/{id}"] {
            assert!(figures.contains(&format!("method=\"GET\",route=\"{route}\"")), "{route}: {figures}");
        }
        assert!(!figures.contains("secret"), "{figures}");
        test.close().await;
    }
}
