//! One request of another system: whose key, which operation, what becomes of it.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;

use super::answer::{No, Result, finish};
use super::limits::UnderWay;
use super::model::{Key, ProxyScope};
use super::table::{self, Operation, Way};
use super::{pass, send, service};
use crate::app::Hub;

/// The largest body in JSON: LINE's own limit (PLATFORM 5).
const MAX_JSON: usize = 2 << 20;
/// The largest body on the host of contents: lists of an audience.
const MAX_DATA: usize = 10 << 20;

/// LINE's paths.
pub fn routes() -> Router<Hub> {
    // Where LINE has anything at all (LINE's OpenAPI files); everything else is the hub's own.
    let roots = [
        "/v2/{*rest}",
        "/v3/{*rest}",
        "/oauth2/{*rest}",
        "/liff/v1/{*rest}",
        "/bot/{*rest}",
        "/shop/{*rest}",
        "/module/{*rest}",
    ];
    roots.into_iter().fold(Router::new(), |router, root| router.route(root, any(answer)))
}

/// A call that was let in.
pub(super) struct Call<'a> {
    pub(super) key: &'a Key,
    pub(super) operation: &'static Operation,
    pub(super) values: table::Values<'a>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Bytes,
    /// The call's place among those of its key, until its answer is read.
    pub(super) under_way: UnderWay,
}

async fn answer(State(hub): State<Hub>, request: Request) -> Response {
    let answered = Box::pin(take(&hub, request)).await;
    let (operation, response) = match answered {
        (operation, Ok(response)) => (operation, response),
        (operation, Err(no)) => (operation, no.into_response()),
    };
    tracing::info!(operation, http.status = response.status().as_u16(), "the proxy answered");
    metrics::counter!("trunkline_proxy_calls_total", "operation" => operation,
        "status" => response.status().as_u16().to_string())
    .increment(1);
    finish(&hub, response)
}

async fn take(hub: &Hub, request: Request) -> (&'static str, Result<Response>) {
    let (parts, body) = request.into_parts();
    let key = match key(hub, &parts.headers).await {
        Ok(key) => key,
        Err(no) => return ("", Err(no)),
    };
    let Some((operation, values)) = table::find(parts.method.as_str(), parts.uri.path()) else {
        return (
            "",
            Err(No::new(404, "Not found", Some("LINE's API has no such operation that the hub knows"))),
        );
    };
    let work = async {
        let under_way = admit(hub, &key, operation)?;
        let body = read(body, operation).await?;
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let call =
            Call { key: &key, operation, values, path, query, headers: &parts.headers, body, under_way };
        match operation.way {
            Way::Mediated(_) => Box::pin(send::send(hub, call)).await,
            Way::Passed { about, kept, .. } => Box::pin(pass::pass(hub, call, about, kept)).await,
            Way::Refused => Err(No::forbidden(operation.why)),
        }
    };
    (operation.id, work.await)
}

/// The key of a request (PLATFORM 5: LINE's two texts of 401).
async fn key(hub: &Hub, headers: &HeaderMap) -> Result<Key> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(plain) = given.and_then(|value| value.strip_prefix("Bearer ")) else {
        let message =
            "Authorization header required. Must follow the scheme, 'Authorization: Bearer <ACCESS TOKEN>'";
        return Err(No::new(401, message, None));
    };
    service::known(hub, plain.trim()).await?.ok_or_else(|| {
        let message = "Authentication failed due to the following reason: invalid token. Confirm that the access \
            token in the authorization header is valid.";
        No::new(401, message, Some("this is no proxy key of this hub; a destination's page makes one"))
    })
}

fn admit(hub: &Hub, key: &Key, operation: &Operation) -> Result<UnderWay> {
    let scope = match operation.way {
        Way::Passed { scope, .. } | Way::Mediated(scope) => scope,
        Way::Refused => return Err(No::forbidden(operation.why)),
    };
    if !key.may(scope) {
        return Err(lacks(scope));
    }
    let too_many = || No::new(429, "The API rate limit has been exceeded. Try again later.", None);
    if !hub.relay.proxy.admit(&key.destination, hub.now()) {
        return Err(too_many());
    }
    hub.relay.proxy.begin(&key.destination).ok_or_else(too_many)
}

/// A key without the scope.
pub(super) fn lacks(scope: ProxyScope) -> No {
    No::forbidden(&format!("the proxy key lacks the scope {}", scope.as_str()))
}

async fn read(body: Body, operation: &Operation) -> Result<Bytes> {
    let most = if operation.data_host { MAX_DATA } else { MAX_JSON };
    to_bytes(body, most).await.map_err(|_| No::new(413, "The request body is too large", None))
}
