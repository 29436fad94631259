//! `GET /live`: the stream of one tab.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::{Sees, TooMany, repo};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;
use crate::web::cookies;

/// Where the browsers' stream is.
pub const PATH: &str = "/live";

pub(super) fn routes() -> Router<Hub> {
    Router::new().route(PATH, get(stream))
}

async fn stream(State(hub): State<Hub>, viewer: Viewer, headers: HeaderMap) -> AppResult<Response> {
    let token = cookies::session(&hub.config, &headers).ok_or_else(AppError::unauthorized)?;
    let resumed = headers.contains_key("last-event-id");
    let session = repo::session_hash(&token);
    let asked = hub.clone();
    let sees = move || sight(asked.clone(), session.clone());
    let events = hub.live.subscribe(&viewer.tenant.id, &viewer.id, resumed, sees)?;
    // A proxy that gathers answers would hold the events back.
    Ok(([("x-accel-buffering", "no")], Sse::new(events)).into_response())
}

/// What the session may see at this moment. While the database does not answer, nothing is said and nothing ends.
async fn sight(hub: Hub, session: Vec<u8>) -> Option<Sees> {
    loop {
        match repo::sight(&hub.db, &session, hub.now()).await {
            Ok(sees) => return sees,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a live stream waits for the database"
                );
                let wait = tokio::time::sleep(std::time::Duration::from_secs(1));
                hub.stop.run_until_cancelled(wait).await?;
            }
        }
    }
}

impl From<TooMany> for AppError {
    fn from(_: TooMany) -> Self {
        let detail = "this person has too many tabs open; close some";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::{CONTENT_TYPE, COOKIE};
    use axum::middleware::from_fn_with_state;
    use futures_util::StreamExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::app::testing::TestHub;
    use crate::db::testing::Engine;
    use crate::live::Notice;
    use crate::scope::Scope;
    use crate::team::{Actor, NewUser, Role, attach_session, service};

    async fn open(hub: &Hub, cookie: &str) -> Response {
        let sessions = from_fn_with_state(hub.clone(), attach_session);
        let request = Request::builder().uri(PATH).header(COOKIE, cookie).body(Body::empty()).unwrap();
        routes().layer(sessions).with_state(hub.clone()).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_signed_in_browser_hears_until_it_is_signed_out() {
        let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
        let hub = &test.hub;
        let actor = Actor::System("test");
        let tenant = service::create_tenant(hub, "Tea", Some("Asia/Taipei"), &actor).await.unwrap().id;
        let user =
            NewUser { email: "a@example.com", name: "", role: Role::Owner, password: "a long password" };
        let user = service::create_user(hub, &tenant, &user, &actor).await.unwrap();
        let token = service::open_session(hub, &tenant, &user).await.unwrap();
        let cookie = cookies::set_session(&hub.config, &token).to_str().unwrap().to_owned();
        assert_eq!(open(hub, "").await.status(), StatusCode::UNAUTHORIZED);
        let response = open(hub, cookie.split(';').next().unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream"));
        let mut body = response.into_body().into_data_stream();
        let mut next = async || String::from_utf8(body.next().await?.ok()?.to_vec()).ok();
        assert!(next().await.unwrap().contains("retry"));
        let notice = Notice {
            tenant: tenant.clone(),
            account: None,
            kind: "contact",
            id: "con_1".to_owned(),
            conversation: None,
        };
        hub.live.publish(notice);
        assert!(next().await.unwrap().contains("event: contact"));
        // Another owner disables this one: the stream ends at once.
        let other =
            NewUser { email: "b@example.com", name: "", role: Role::Owner, password: "a long password" };
        service::create_user(hub, &tenant, &other, &actor).await.unwrap();
        service::set_disabled(hub, &Scope::tenant_wide(tenant), &user, true, &actor).await.unwrap();
        assert_eq!(next().await, None);
        test.close().await;
    }
}
