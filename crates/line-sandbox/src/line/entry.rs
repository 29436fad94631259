//! The door of LINE's API: request ids, size limits, faults, the log, access tokens, JSON bodies (PLATFORM 5).

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, OptionalFromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::Inner;
use crate::faults::{Fault, Kind as FaultKind, On};
use crate::line::error::LineError;
use crate::line::gate::RETRYABLE;
use crate::line::module::BOT_HEADER;
use crate::log::{Answer, Entry, Headers};
use crate::world::{Kind, World};

/// The largest body LINE takes.
const BODY_LIMIT: usize = 2 * 1024 * 1024;
/// The largest file of user IDs: 1,500,000 lines (PLATFORM 11), of which the log keeps the beginning.
pub(crate) const UPLOAD_LIMIT: usize = 64 * 1024 * 1024;
const LOGGED: usize = 64 * 1024;

/// The `x-line-request-id` of this request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// What the door decided about a connection.
enum Passage {
    Answer(Response),
    /// No answer: the connection breaks.
    Break,
}

/// Passes a call through the door: faults first, then the work, then headers and the log.
pub(crate) async fn enter(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    let at = inner.clock.now();
    let started = Instant::now();
    let request_id = inner.ids.uuid();
    let (mut parts, body) = request.into_parts();
    let method = parts.method.clone();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().map(str::to_owned));
    let headers = Headers::of(&parts.headers);
    parts.extensions.insert(RequestId(request_id.clone()));
    let announced = headers.get("content-length").and_then(|length| length.parse::<usize>().ok());
    let limit = if path == "/v2/bot/audienceGroup/upload/byFile" { UPLOAD_LIMIT } else { BODY_LIMIT };
    let (bytes, passage) = if announced.is_some_and(|length| length > limit) {
        if headers.get("expect").is_none() {
            drain(body).await;
        }
        (Bytes::new(), Passage::Answer(too_large()))
    } else if is_elsewhere(headers.get("host").unwrap_or_default(), &path) {
        (Bytes::new(), Passage::Answer(LineError::not_found().into_response()))
    } else if method == Method::POST && announced.is_none() && headers.get("transfer-encoding").is_none() {
        // LINE's edge wants a length also for an empty body (PLATFORM 5).
        (Bytes::new(), Passage::Answer(StatusCode::LENGTH_REQUIRED.into_response()))
    } else {
        match to_bytes(body, limit).await {
            Err(_) => (Bytes::new(), Passage::Answer(too_large())),
            Ok(bytes) => {
                let fault = inner.strike(On::Api, method.as_str(), &path);
                let request = Request::from_parts(parts, Body::from(bytes.clone()));
                (bytes, pass(&inner, fault, request, next).await)
            }
        }
    };
    let (response, status, answer) = match passage {
        Passage::Break => (broken(), None, Answer::Text(Bytes::new())),
        Passage::Answer(response) => {
            let (parts, body) = response.into_parts();
            let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
            let text = parts.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind == "application/json");
            let answer = if text { Answer::Text(bytes.clone()) } else { Answer::Binary(bytes.len()) };
            let mut response = Response::from_parts(parts, Body::from(bytes));
            finish(response.headers_mut(), &request_id);
            let status = response.status().as_u16();
            (response, Some(status), answer)
        }
    };
    let picture = headers.get("content-type").is_some_and(|kind| kind.starts_with("image/"));
    inner.record(Entry {
        id: 0,
        at,
        method,
        path,
        query,
        headers,
        body: if picture {
            // As for answers, only the length: ten thousand pictures would be gigabytes.
            serde_json::json!({ "bytes": bytes.len() }).to_string().into()
        } else {
            let kept = if bytes.len() > BODY_LIMIT { LOGGED } else { bytes.len() };
            Bytes::copy_from_slice(bytes.get(..kept).unwrap_or_default())
        },
        status,
        answer,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    response
}

/// Tells whether a call by one of LINE's two names asks for a path of the other (PLATFORM 2, GOTCHAS G3): content lives on the data host alone.
/// Who points a client at `api.localhost` and `api-data.localhost` is held to it; every other name serves all paths. What LINE answers is
/// UNCONFIRMED, 404 expected.
fn is_elsewhere(host: &str, path: &str) -> bool {
    let on_data = match host.split(':').next() {
        Some("api.localhost" | "api.line.me") => false,
        Some("api-data.localhost" | "api-data.line.me") => true,
        _ => return false,
    };
    let content = (path.starts_with("/v2/bot/message/") || path.starts_with("/v2/bot/richmenu/"))
        && path.split('/').nth(5) == Some("content");
    on_data != (content || path == "/v2/bot/audienceGroup/upload/byFile")
}

/// Runs the call under the fault that strikes it, if any.
async fn pass(inner: &Inner, fault: Option<Fault>, request: Request, next: Next) -> Passage {
    let Some(fault) = fault else { return Passage::Answer(run(next, request).await) };
    match fault.kind {
        FaultKind::Status => Passage::Answer(made_up(&fault)),
        FaultKind::Delay => {
            tokio::select! {
                () = tokio::time::sleep(fault.delay()) => {}
                () = fault.released.cancelled() => {}
            }
            Passage::Answer(run(next, request).await)
        }
        FaultKind::Hang => {
            tokio::select! {
                () = fault.released.cancelled() => {}
                () = inner.stop.cancelled() => {}
            }
            Passage::Break
        }
        FaultKind::Reset => Passage::Break,
        FaultKind::LoseAnswer => {
            // On a task of its own, so that the work is done even if the client leaves first.
            let work = tokio::spawn(async move { run(next, request).await });
            if let Err(error) = work.await {
                tracing::warn!(%error, "failed to do the work of a call whose answer is lost");
            }
            Passage::Break
        }
        // Not made for the API; the control refuses them.
        FaultKind::Duplicate | FaultKind::Reorder | FaultKind::Batch => {
            Passage::Answer(run(next, request).await)
        }
    }
}

/// Does the work. What the server itself refuses in plain text (a form of another type, a path that is no UTF-8) gets LINE's form: LINE's Java
/// SDK cannot read anything else (PLATFORM 27).
async fn run(next: Next, request: Request) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let plain = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/plain");
    if status.is_client_error() && response.headers().get(header::CONTENT_TYPE).is_some_and(plain) {
        return LineError::new(status, status.canonical_reason().unwrap_or("Error")).into_response();
    }
    response
}

/// The answer of a `status` fault; LINE's own text where LINE has one.
fn made_up(fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &fault.body {
        Some(Value::String(text)) => (status, text.clone()).into_response(),
        Some(body) => (status, axum::Json(body.clone())).into_response(),
        None if status == StatusCode::TOO_MANY_REQUESTS => LineError::too_fast().into_response(),
        None => LineError::new(status, status.canonical_reason().unwrap_or("Error")).into_response(),
    };
    for (name, value) in &fault.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(value.as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A response whose body fails before its first byte: the server then closes the connection without an answer.
fn broken() -> Response {
    let failure = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::new(
            std::io::ErrorKind::ConnectionReset,
            "a fault breaks the connection",
        ))
    });
    Response::new(Body::from_stream(failure))
}

/// Reads a body away, so that a client that writes all of it first gets to see the refusal; closing on it would break its connection.
async fn drain(body: Body) {
    let mut left = UPLOAD_LIMIT;
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}

fn too_large() -> Response {
    LineError::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body is too large").into_response()
}

/// The headers LINE puts on every answer (PLATFORM 5).
fn finish(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-line-request-id", id);
    }
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("x-xss-protection", HeaderValue::from_static("1; mode=block"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, max-age=0, must-revalidate"),
    );
}

/// A call with a valid access token of a channel that has an account, within its rate.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The account's channel, also where a module acts on it.
    pub(crate) channel: String,
    /// The module channel that acts on the account, if any.
    pub(crate) module: Option<String>,
}

impl FromRequestParts<Arc<Inner>> for Caller {
    type Rejection = LineError;

    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Self, LineError> {
        let template = template(parts);
        let now = inner.clock.now();
        let mut world = inner.world();
        let channel = channel_of_token(&world, parts, now)?;
        let bot = parts.headers.get(BOT_HEADER).and_then(|bot| bot.to_str().ok());
        let (channel, module) = match world.channels.get(&channel).map(|channel| channel.kind) {
            Some(Kind::Messaging) => (channel, None),
            Some(Kind::Module) => (world.account_of_module(&channel, bot, template)?, Some(channel)),
            _ => return Err(LineError::forbidden()),
        };
        if parts.headers.contains_key("x-line-retry-key") && !RETRYABLE.contains(&template) {
            // Only sends that cost take a retry key (PLATFORM 18).
            return Err(LineError::bad_request("The retry key is not supported by this API"));
        }
        // A module has buckets of its own on each account (PLATFORM 5).
        let bucket = module.as_ref().map(|module| format!("{module}/{channel}"));
        if !world.take_turn(bucket.as_ref().unwrap_or(&channel), parts.method.as_str(), template, now) {
            return Err(LineError::too_fast());
        }
        Ok(Self { channel, module })
    }
}

/// A call with a valid access token of a module channel that speaks for itself.
#[derive(Debug, Clone)]
pub(crate) struct ModuleCaller {
    pub(crate) channel: String,
}

impl FromRequestParts<Arc<Inner>> for ModuleCaller {
    type Rejection = LineError;

    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Self, LineError> {
        // LINE's reference names this a bad request, without its text.
        let other = || LineError::bad_request("Specified channel is not detachable");
        let channel = channel_of_kind(inner, parts, Kind::Module, other)?;
        Ok(Self { channel })
    }
}

/// A call with a valid access token of a Login channel (PLATFORM 24.1).
#[derive(Debug, Clone)]
pub(crate) struct LoginCaller {
    pub(crate) channel: String,
}

impl FromRequestParts<Arc<Inner>> for LoginCaller {
    type Rejection = LineError;

    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Self, LineError> {
        // UNCONFIRMED; of the statuses in LINE's schema only 401 fits.
        let other = || invalid_token(template(parts));
        let channel = channel_of_kind(inner, parts, Kind::Login, other)?;
        Ok(Self { channel })
    }
}

/// The token of `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, LineError> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            unauthorized(
                "Authorization header required. Must follow the scheme, 'Authorization: Bearer <ACCESS TOKEN>'",
            )
        })
}

/// The path that serves the call, with names in place of its ids.
fn template(parts: &Parts) -> &str {
    parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str)
}

/// The channel of one kind whose live access token a call carries, within its rate; `other` refuses one of another kind.
fn channel_of_kind(
    inner: &Inner,
    parts: &Parts,
    kind: Kind,
    other: impl FnOnce() -> LineError,
) -> Result<String, LineError> {
    let now = inner.clock.now();
    let mut world = inner.world();
    let channel = channel_of_token(&world, parts, now)?;
    if world.channels.get(&channel).is_none_or(|channel| channel.kind != kind) {
        return Err(other());
    }
    if !world.take_turn(&channel, parts.method.as_str(), template(parts), now) {
        return Err(LineError::too_fast());
    }
    Ok(channel)
}

/// The channel whose live access token a call carries.
fn channel_of_token(world: &World, parts: &Parts, now: i64) -> Result<String, LineError> {
    let channel = world.tokens.channel_of(bearer(&parts.headers)?, now);
    channel.map(str::to_owned).ok_or_else(|| invalid_token(template(parts)))
}

fn invalid_token(template: &str) -> LineError {
    unauthorized(if template.contains("/content") {
        // The data host words it without a reason.
        "Authentication failed. Confirm that the access token in the authorization header is valid."
    } else {
        "Authentication failed due to the following reason: invalid token. \
         Confirm that the access token in the authorization header is valid."
    })
}

pub(crate) fn unauthorized(message: &str) -> LineError {
    LineError::new(StatusCode::UNAUTHORIZED, message)
}

/// A JSON body, refused as LINE refuses it (PLATFORM 5).
#[derive(Debug, Clone)]
pub(crate) struct JsonBody(pub(crate) Value);

impl OptionalFromRequest<Arc<Inner>> for JsonBody {
    type Rejection = LineError;

    /// `None` without a body.
    async fn from_request(request: Request, state: &Arc<Inner>) -> Result<Option<Self>, LineError> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<_>>::from_request(request, state).await.map(Some)
    }
}

impl FromRequest<Arc<Inner>> for JsonBody {
    type Rejection = LineError;

    async fn from_request(request: Request, state: &Arc<Inner>) -> Result<Self, LineError> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|kind| kind.to_str().unwrap_or_default().to_owned());
        let bytes =
            Bytes::from_request(request, state).await.map_err(|_| LineError::bad_request("Bad request"))?;
        let kind = kind.unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("application/json") {
            let message = format!("The content type, {kind}, is not supported");
            return Err(LineError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message));
        }
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) if value.is_object() => Ok(Self(value)),
            Ok(_) => Err(LineError::unreadable_at(1, 1)),
            Err(error) => Err(LineError::unreadable(&error)),
        }
    }
}
