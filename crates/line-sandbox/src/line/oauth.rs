//! Channel access tokens (PLATFORM 4): stateless and short-lived by ID and secret, verification, revocation.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, FromRequest, MatchedPath, Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Inner;
use crate::line::error::LineError;
use crate::world::{AccessToken, TokenKind};

/// PLATFORM 4: 15 minutes.
const STATELESS_SECONDS: i64 = 900;
/// PLATFORM 4: 30 days.
const SHORT_LIVED_SECONDS: i64 = 2_592_000;
/// PLATFORM 4: the 31st revokes the oldest.
const SHORT_LIVED_KEPT: usize = 30;
/// What the verification shows for a token without an end (PLATFORM 4.1).
const ENDLESS_SECONDS: i64 = 3_138_007_490;

/// A form body; the first value of each name counts.
#[derive(Debug, Clone)]
pub(super) struct FormBody(Vec<(String, String)>);

impl FromRequest<Arc<Inner>> for FormBody {
    type Rejection = LineError;

    async fn from_request(request: Request, state: &Arc<Inner>) -> Result<Self, LineError> {
        Form::from_request(request, state)
            .await
            .map(|Form(pairs)| Self(pairs))
            .map_err(|_| LineError::oauth("invalid_request", None))
    }
}

impl FormBody {
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

pub(super) async fn issue_stateless(
    State(inner): State<Arc<Inner>>,
    form: FormBody,
) -> Result<Json<Value>, LineError> {
    if form.get("grant_type") != "client_credentials" {
        return Err(LineError::oauth("invalid_request", Some("Invalid 'grant_type'.")));
    }
    let id = form.get("client_id");
    let known =
        inner.world().channels.get(id).is_some_and(|channel| channel.secret == form.get("client_secret"));
    if !known {
        // Both a wrong ID and a wrong secret read so (PLATFORM 4.1).
        return Err(LineError::oauth("invalid_request", Some("Invalid 'client_credentials'.")));
    }
    let token = issue(&inner, id, TokenKind::Stateless, STATELESS_SECONDS);
    Ok(Json(json!({ "token_type": "Bearer", "access_token": token, "expires_in": STATELESS_SECONDS })))
}

pub(super) async fn issue_short_lived(
    State(inner): State<Arc<Inner>>,
    path: MatchedPath,
    form: FormBody,
) -> Result<Json<Value>, LineError> {
    if form.get("grant_type") != "client_credentials" {
        return Err(LineError::oauth("unsupported_grant_type", Some("unsupported grant_type")));
    }
    let id = form.get("client_id");
    let refusal = {
        let now = inner.clock.now();
        let mut world = inner.world();
        match world.channels.get(id).map(|channel| channel.secret == form.get("client_secret")) {
            None => Some(LineError::oauth("invalid_client", Some("invalid client_id"))),
            Some(false) => Some(LineError::oauth("invalid_client", Some("invalid client_secret"))),
            Some(true) => (!world.take_turn(id, "POST", path.as_str(), now)).then(LineError::too_fast),
        }
    };
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    let token = issue(&inner, id, TokenKind::ShortLived, SHORT_LIVED_SECONDS);
    Ok(Json(json!({ "access_token": token, "expires_in": SHORT_LIVED_SECONDS, "token_type": "Bearer" })))
}

/// Makes a token; among short-lived ones the oldest beyond 30 dies.
fn issue(inner: &Inner, channel: &str, kind: TokenKind, seconds: i64) -> String {
    let now = inner.clock.now();
    let text = match kind {
        // Stateless tokens look like a signed JWT; their content means nothing to clients.
        TokenKind::Stateless => {
            format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", inner.ids.token(12), inner.ids.token(4))
        }
        TokenKind::ShortLived | TokenKind::LongLived => inner.ids.token(16),
    };
    let mut world = inner.world();
    // Expired tokens need not be remembered: an unknown token and an expired one read the same.
    if world.tokens.len() > 1_000 {
        world.tokens.retain(|_, token| token.expires_at.is_none_or(|end| end > now));
    }
    let token = AccessToken {
        channel: channel.to_owned(),
        kind,
        issued_at: now,
        expires_at: Some(now + seconds * 1_000),
    };
    world.tokens.insert(text.clone(), token);
    if kind == TokenKind::ShortLived {
        let mut live: Vec<(i64, String)> = world
            .tokens
            .iter()
            .filter(|(_, token)| {
                token.channel == channel
                    && token.kind == kind
                    && token.expires_at.is_some_and(|end| end > now)
            })
            .map(|(text, token)| (token.issued_at, text.clone()))
            .collect();
        live.sort();
        let surplus = live.len().saturating_sub(SHORT_LIVED_KEPT);
        for (_, oldest) in live.iter().filter(|(_, other)| *other != text).take(surplus) {
            world.tokens.remove(oldest);
        }
    }
    text
}

pub(super) async fn verify(
    State(inner): State<Arc<Inner>>,
    form: FormBody,
) -> Result<Json<Value>, LineError> {
    let text = form.get("access_token");
    let well_formed = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if !well_formed {
        return Err(LineError::oauth("invalid_request", Some("access_token in invalid format")));
    }
    let now = inner.clock.now();
    let world = inner.world();
    let token = world
        .tokens
        .get(text)
        .filter(|token| token.expires_at.is_none_or(|end| end > now))
        .ok_or_else(|| LineError::oauth("invalid_request", Some("access_token invalid")))?;
    let expires_in = token.expires_at.map_or(ENDLESS_SECONDS, |end| (end - now) / 1_000);
    Ok(Json(json!({ "client_id": token.channel, "expires_in": expires_in, "scope": "P CM" })))
}

/// Revokes a short- or long-lived token. An unknown token is no error; a stateless one cannot be revoked.
pub(super) async fn revoke(State(inner): State<Arc<Inner>>, form: FormBody) -> Result<StatusCode, LineError> {
    let text = form.get("access_token");
    if text.is_empty() {
        return Err(LineError::oauth("invalid_request", None));
    }
    let mut world = inner.world();
    if world.tokens.get(text).is_some_and(|token| token.kind != TokenKind::Stateless) {
        world.tokens.remove(text);
    }
    Ok(StatusCode::OK)
}
