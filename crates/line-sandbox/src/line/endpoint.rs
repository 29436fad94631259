//! The webhook's address and LINE's test of it (PLATFORM 6).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Inner;
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;
use crate::line::is_webhook_url;

type Answer = Result<Json<Value>, LineError>;

pub(super) async fn show(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let world = inner.world();
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    let endpoint = channel.endpoint.as_ref().ok_or_else(not_set)?;
    Ok(Json(json!({ "endpoint": endpoint, "active": channel.settings.use_webhook })))
}

/// Sets the address; "Use webhook" stays as it is. In the sandbox a change counts at once.
pub(super) async fn set(State(inner): State<Arc<Inner>>, caller: Caller, JsonBody(body): JsonBody) -> Answer {
    let endpoint = body.get("endpoint").and_then(Value::as_str).filter(|url| is_webhook_url(url));
    let endpoint = endpoint.ok_or_else(bad_url)?;
    if let Some(channel) = inner.world().channels.get_mut(&caller.channel) {
        channel.endpoint = Some(endpoint.to_owned());
    }
    Ok(Json(json!({})))
}

/// Sends a signed empty batch to the given or the stored address; the body may be left out. The call is 200 also when the test failed.
pub(super) async fn test(State(inner): State<Arc<Inner>>, caller: Caller, body: Option<JsonBody>) -> Answer {
    let wanted = match body.as_ref().and_then(|JsonBody(body)| body.get("endpoint")) {
        None | Some(Value::Null) => None,
        Some(url) => Some(url.as_str().filter(|url| is_webhook_url(url)).ok_or_else(bad_url)?.to_owned()),
    };
    let (url, secret, destination) = {
        let world = inner.world();
        let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
        let url = wanted.or_else(|| channel.endpoint.clone()).ok_or_else(not_set)?;
        (url, channel.secret.clone(), channel.bot_user_id.clone())
    };
    let outcome = inner.test_webhook(&caller.channel, &url, &secret, &destination).await;
    Ok(Json(json!({
        "success": outcome.is_ok(),
        "timestamp": crate::clock::iso_8601(inner.clock.now()),
        "statusCode": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail,
    })))
}

fn bad_url() -> LineError {
    LineError::bad_request("Invalid webhook endpoint URL")
}

fn not_set() -> LineError {
    LineError::new(StatusCode::NOT_FOUND, "Webhook endpoint not found")
}
