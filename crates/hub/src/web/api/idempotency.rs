//! `Idempotency-Key`: the same key and body answers the first result, waiting for it while it is still running.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::repo::{self, Before, Call};
use super::{Caller, MAX_BODY};
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore};
use crate::error::{AppError, AppResult, FieldError};
use crate::secrets::SecretError;

/// The longest key.
const KEY_LENGTH: usize = 64;
/// A call that runs longer has died with its process.
const LEASE: Duration = Duration::from_secs(60);
/// How often a waiting call looks whether the first is done.
const POLL: Duration = Duration::from_millis(50);
/// How long a call waits for the first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a call, or answers what it answered before.
pub(super) async fn run(hub: &Hub, caller: &Caller, request: Request, next: Next) -> AppResult<Response> {
    let key = request.headers().get("idempotency-key");
    let Some(key) = key.filter(|_| !request.method().is_safe()) else { return Ok(next.run(request).await) };
    let key = key.to_str().ok().filter(|key| (1..=KEY_LENGTH).contains(&key.len())).ok_or_else(|| {
        AppError::invalid_field("Idempotency-Key", "invalid", "expected up to 64 visible characters")
    })?;
    let key = key.to_owned();
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
        AppError::new(StatusCode::PAYLOAD_TOO_LARGE, "bad_body", "the body cannot be read, or is too large")
    })?;
    let mut call = Call {
        key: caller.key.clone(),
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        idempotency_key: key,
        body_hash: digest(&SHA256, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        lease_until: hub.now(),
    };
    let once = format!("{} {} {} {}", call.key.as_str(), call.method, call.path, call.idempotency_key);
    parts.extensions.insert(Caller { once: Some(once), ..caller.clone() });
    if let Some(before) = begin(hub, &mut call).await? {
        return Ok(before);
    }
    let hub = hub.clone();
    // A task of its own: a caller who hangs up must not leave the call half known.
    let work = tokio::spawn(async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        keep(&hub, &call, response).await
    });
    work.await.unwrap_or_else(|error| Err(AppError::internal(error)))
}

/// Begins the call, or waits for the result of the first.
async fn begin(hub: &Hub, call: &mut Call) -> AppResult<Option<Response>> {
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = hub.now();
        call.lease_until = now.plus(LEASE);
        let mut tx = hub.db.begin().await?;
        let begun = repo::begin(&mut tx, call, now).await?;
        tx.commit().await?;
        if begun {
            return Ok(None);
        }
        match repo::find(&hub.db, call).await? {
            Some(before) if before.body_hash != call.body_hash => {
                let detail = "this Idempotency-Key was used with another body";
                let mut refusal = AppError::conflict("idempotency_key_reused", detail);
                refusal.fields.push(FieldError::new("Idempotency-Key", "reused", detail));
                return Err(refusal);
            }
            Some(Before { status: Some(status), content_type, body, .. }) => {
                let body = opened(hub, call, body)?;
                return Ok(Some(replay(status, content_type, body)));
            }
            // Still running, or released just now.
            _ if tokio::time::Instant::now() < patience => tokio::time::sleep(POLL).await,
            _ => {
                let detail = "the first call with this Idempotency-Key is still running";
                return Err(AppError::conflict("idempotency_key_running", detail));
            }
        }
    }
}

/// An answer may hold a secret that is shown once, so it is sealed like one.
fn identity(call: &Call) -> String {
    let Call { key, method, path, idempotency_key, .. } = call;
    format!("idempotency_keys/{key}/{method}/{path}/{idempotency_key}")
}

fn opened(hub: &Hub, call: &Call, body: Option<Vec<u8>>) -> AppResult<Option<Vec<u8>>> {
    let Some(body) = body else { return Ok(None) };
    match hub.keyring.open(&identity(call), &String::from_utf8_lossy(&body)) {
        Ok(plain) => Ok(Some(plain.expose().as_bytes().to_vec())),
        // Kept before answers were sealed.
        Err(SecretError::Malformed) => Ok(Some(body)),
        Err(error) => Err(AppError::internal(error)),
    }
}

fn replay(status: i64, content_type: Option<String>, body: Option<Vec<u8>>) -> Response {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = (status.unwrap_or(StatusCode::OK), body.unwrap_or_default()).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    if let Some(value) = content_type.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// Keeps the result; a failure of the hub or of LINE is no result, so the key is free to try again. Where that must do
/// nothing twice although this is lost or too late, the call itself sees to it by [`Caller::once`].
async fn keep(hub: &Hub, call: &Call, response: Response) -> AppResult<Response> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(AppError::internal)?;
    let stored: DbResult<()> = async {
        let mut tx = hub.db.begin().await?;
        let was_ours = if parts.status.is_server_error() {
            repo::release(&mut tx, call).await?
        } else {
            let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            // JSON is text.
            let sealed = hub.keyring.seal(&hub.entropy, &identity(call), &String::from_utf8_lossy(&body));
            repo::finish(&mut tx, call, parts.status.as_u16(), content_type, sealed.as_bytes()).await?
        };
        tx.commit().await?;
        if !was_ours {
            tracing::warn!(
                "a call with an idempotency key took so long that a repeat of it has run meanwhile"
            );
        }
        Ok(())
    }
    .await;
    stored.log_and_ignore("keeping the result of an idempotent call");
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Removes results that were kept long enough.
pub(super) async fn expire(hub: &Hub) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::expire(&mut tx, hub.now()).await?;
    tx.commit().await
}
