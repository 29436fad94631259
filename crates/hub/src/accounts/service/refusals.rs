//! What is said where connecting fails.

use axum::http::StatusCode;
use line_client::LineError;

use super::unavailable;
use crate::accounts::doctor::Test;
use crate::error::{AppError, FieldError};

/// Credentials that work, but no official account behind them: most likely a LINE Login channel's (GOTCHAS F4).
pub(super) fn no_bot(error: &LineError) -> AppError {
    match error {
        LineError::Refused { body, .. } | LineError::Credentials { body, .. } => {
            let detail = format!(
                "there is no official account behind this channel (LINE says: {}); it may be a LINE Login channel; \
                 copy the ID and secret of the Messaging API channel",
                body.message
            );
            AppError::invalid_field("channel_id", "not_messaging", detail)
        }
        _ => unavailable(error),
    }
}

/// A Messaging API channel whose account LINE suspended or closed: 403 on everything (GOTCHAS F8).
pub(super) fn suspended(words: &str) -> AppError {
    let detail = format!(
        "LINE keeps this channel from its official account (LINE says: {words}), as it does when the account is suspended; \
         look at the account's state in LINE Official Account Manager, or copy the ID and secret of another Messaging API \
         channel"
    );
    AppError::invalid_field("channel_id", "suspended", detail)
}

pub(super) fn held() -> AppError {
    AppError::conflict(
        "account_held",
        "this account is already connected on this hub; disconnect it there first",
    )
}

pub(super) fn unreachable_hub(ours: &str, test: &Test) -> AppError {
    let advice = match test.reason.as_str() {
        "COULD_NOT_CONNECT" => {
            "make sure that the address is reachable from the internet with a complete certificate chain"
        }
        "REQUEST_TIMEOUT" => "make sure that nothing between LINE and the hub holds requests back",
        "ERROR_STATUS_CODE" => {
            "make sure that the address leads to this hub, and that no firewall answers for it"
        }
        _ => "look at what stands between LINE and the hub",
    };
    let detail = format!("LINE could not reach {ours}: {} ({}); {advice}", test.reason, test.detail);
    let field = FieldError::new("set_webhook", "webhook_unreachable", detail.clone());
    let mut error = AppError::new(StatusCode::UNPROCESSABLE_ENTITY, "webhook_unreachable", detail);
    error.fields = vec![field];
    error
        .with("reason", test.reason.clone())
        .with("reason_detail", test.detail.clone())
        .with("webhook_url", ours)
}
