//! Channel access tokens of all four kinds (PLATFORM 4). Three of the paths serve LINE Login's tokens too: there the grant type or the
//! token decides (PLATFORM 2).

mod assertion;
mod state;

use std::sync::Arc;

use axum::extract::{Form, FromRequest, Query, Request, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) use self::state::{Kind, State};
use crate::Inner;
use crate::jwt::Jwt;
use crate::line::error::LineError;
use crate::line::tokens::assertion::Assertion;
use crate::login;
use crate::world::World;

/// PLATFORM 4: 15 minutes.
const STATELESS_SECONDS: i64 = 900;
/// PLATFORM 4: 30 days, for short-lived tokens and at most for v2.1.
const LONGEST_SECONDS: i64 = 2_592_000;
/// What the verification shows for a token without an end (PLATFORM 4.1).
const ENDLESS_SECONDS: i64 = 3_138_007_490;

type Answer = Result<Json<Value>, LineError>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/oauth2/v2.1/token", login::open_to_pages(post(issue)))
        .route("/oauth2/v2.1/verify", login::open_to_pages(get(verify).post(login::verify_id_token)))
        .route("/oauth2/v2.1/revoke", login::open_to_pages(post(revoke)))
        .route("/oauth2/v2.1/tokens/kid", get(list_key_ids))
        .route("/oauth2/v3/token", post(issue_stateless))
        .route("/v2/oauth/accessToken", post(issue_short_lived))
        .route("/v2/oauth/verify", post(verify_old))
        .route("/v2/oauth/revoke", post(revoke_old))
}

/// A form body, or a query; the first value of each name counts.
#[derive(Debug, Clone)]
pub(crate) struct FormBody(Vec<(String, String)>);

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
    /// A value; empty when it is missing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Checks `client_id` and `client_secret`; the texts tell them apart (PLATFORM 4.1).
pub(crate) fn client(world: &World, form: &FormBody) -> Result<String, LineError> {
    let id = form.get("client_id");
    match world.channels.get(id).map(|channel| channel.secret == form.get("client_secret")) {
        None => Err(LineError::oauth("invalid_client", Some("invalid client_id"))),
        Some(false) => Err(LineError::oauth("invalid_client", Some("invalid client_secret"))),
        Some(true) => Ok(id.to_owned()),
    }
}

/// `POST /oauth2/v2.1/token`: a v2.1 token for `client_credentials`; everything else is Login's.
async fn issue(Shared(inner): Shared<Arc<Inner>>, form: FormBody) -> Answer {
    if form.get("grant_type") != "client_credentials" {
        return login::token(&inner, &form);
    }
    let now = inner.clock.now();
    let mut world = inner.world();
    let assertion = Assertion::read(&inner, &world, &form)?;
    let seconds = assertion
        .token_exp
        .filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds))
        .ok_or_else(|| LineError::oauth("invalid_client", Some("Invalid token_exp")))?;
    turn(&mut world, &assertion.channel, "/oauth2/v2.1/token", now)?;
    let live = world.tokens.live(&assertion.channel, now);
    if live.iter().filter(|(_, token)| token.kind == Kind::V21).count() >= state::KEPT {
        return Err(LineError::bad_request("The maximum number of access tokens has already been issued"));
    }
    let (text, token) = world.tokens.issue(&inner.ids, &assertion.channel, Kind::V21, Some(seconds), now);
    Ok(Json(json!({
        "access_token": text,
        "token_type": "Bearer",
        "expires_in": seconds,
        "key_id": token.key_id,
    })))
}

/// The key IDs of the channel's valid v2.1 tokens.
async fn list_key_ids(
    Shared(inner): Shared<Arc<Inner>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Answer {
    let world = inner.world();
    let assertion = Assertion::read(&inner, &world, &FormBody(query))?;
    let live = world.tokens.live(&assertion.channel, inner.clock.now());
    let kids: Vec<&String> = live.iter().filter_map(|(_, token)| token.key_id.as_ref()).collect();
    Ok(Json(json!({ "kids": kids })))
}

async fn issue_stateless(Shared(inner): Shared<Arc<Inner>>, form: FormBody) -> Answer {
    if form.get("grant_type") != "client_credentials" {
        return Err(LineError::oauth("invalid_request", Some("Invalid 'grant_type'.")));
    }
    let now = inner.clock.now();
    let mut world = inner.world();
    let channel = if form.find("client_assertion").is_some() {
        Assertion::read(&inner, &world, &form)?.channel
    } else {
        // Both a wrong ID and a wrong secret read so (PLATFORM 4.1).
        client(&world, &form)
            .map_err(|_| LineError::oauth("invalid_request", Some("Invalid 'client_credentials'.")))?
    };
    turn(&mut world, &channel, "/oauth2/v3/token", now)?;
    let (text, _) = world.tokens.issue(&inner.ids, &channel, Kind::Stateless, Some(STATELESS_SECONDS), now);
    Ok(Json(json!({ "token_type": "Bearer", "access_token": text, "expires_in": STATELESS_SECONDS })))
}

/// A short-lived token; beyond 30 the oldest dies silently.
async fn issue_short_lived(Shared(inner): Shared<Arc<Inner>>, form: FormBody) -> Answer {
    if form.get("grant_type") != "client_credentials" {
        return Err(LineError::oauth("unsupported_grant_type", Some("unsupported grant_type")));
    }
    let now = inner.clock.now();
    let mut world = inner.world();
    let channel = client(&world, &form)?;
    turn(&mut world, &channel, "/v2/oauth/accessToken", now)?;
    let (text, _) = world.tokens.issue(&inner.ids, &channel, Kind::ShortLived, Some(LONGEST_SECONDS), now);
    world.tokens.revoke_surplus(&channel, &text, now);
    Ok(Json(json!({ "access_token": text, "expires_in": LONGEST_SECONDS, "token_type": "Bearer" })))
}

fn turn(world: &mut World, channel: &str, template: &str, now: i64) -> Result<(), LineError> {
    if world.take_turn(channel, "POST", template, now) { Ok(()) } else { Err(LineError::too_fast()) }
}

/// `GET /oauth2/v2.1/verify`: a v2.1 or stateless token, or one of a person's from Login.
async fn verify(Shared(inner): Shared<Arc<Inner>>, Query(query): Query<Vec<(String, String)>>) -> Answer {
    let refuse = |why| LineError::oauth("invalid_request", Some(why));
    let query = FormBody(query);
    let text = query.get("access_token");
    if !is_jws(text) {
        return Err(refuse("The access token not JWS"));
    }
    let now = inner.clock.now();
    let world = inner.world();
    if let Some(token) = world.login.token(text) {
        let left = token.check(now).map_err(refuse)?;
        return Ok(Json(json!({ "scope": token.scope(), "client_id": token.channel, "expires_in": left })));
    }
    match world.tokens.get(text) {
        // UNCONFIRMED what LINE says of a JWS that it never issued; `malformed` is its word at the revocation.
        None => Err(refuse("The access token malformed")),
        Some(token) if token.revoked => Err(refuse("The access token revoked")),
        Some(token) if !token.is_live(now) => Err(refuse("The access token expired")),
        Some(token) => {
            let left = token.expires_at.map_or(ENDLESS_SECONDS, |end| (end - now) / 1_000);
            Ok(Json(json!({ "client_id": token.channel, "expires_in": left })))
        }
    }
}

/// `POST /oauth2/v2.1/revoke`: a v2.1 token, or one of a person's from Login. An unknown token is no error.
async fn revoke(Shared(inner): Shared<Arc<Inner>>, form: FormBody) -> Result<StatusCode, LineError> {
    let text = form.get("access_token");
    let mut world = inner.world();
    if !is_jws(text) {
        return Err(LineError::oauth("invalid_request", Some("The access token not JWS")));
    }
    let header = text.split('.').next().unwrap_or_default();
    if Jwt::read(&format!("{header}.e30.")).is_none() {
        return Err(LineError::oauth("invalid_request", Some("The access token malformed")));
    }
    let channel = if form.find("client_secret").is_none() && world.login.is_of_liff(text) {
        // A LIFF page has no secret to show (PLATFORM 23.2: `client_secret` for web only).
        form.get("client_id").to_owned()
    } else {
        client(&world, &form)?
    };
    world.login.revoke(&channel, text);
    if world.tokens.get(text).is_some_and(|token| token.channel == channel && token.kind == Kind::V21) {
        world.tokens.revoke(text);
    }
    Ok(StatusCode::OK)
}

/// Three parts of URL-safe base64, as every token that is a JWS has.
fn is_jws(text: &str) -> bool {
    let sound = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.split('.').count() == 3 && text.split('.').all(sound)
}

/// `POST /v2/oauth/verify`: short- and long-lived tokens.
async fn verify_old(Shared(inner): Shared<Arc<Inner>>, form: FormBody) -> Answer {
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
        .filter(|token| token.is_live(now))
        .ok_or_else(|| LineError::oauth("invalid_request", Some("access_token invalid")))?;
    let expires_in = token.expires_at.map_or(ENDLESS_SECONDS, |end| (end - now) / 1_000);
    Ok(Json(json!({ "client_id": token.channel, "expires_in": expires_in, "scope": "P CM" })))
}

/// `POST /v2/oauth/revoke`: a short- or long-lived token. An unknown token is no error; a stateless one cannot be revoked.
async fn revoke_old(Shared(inner): Shared<Arc<Inner>>, form: FormBody) -> Result<StatusCode, LineError> {
    let text = form.get("access_token");
    if text.is_empty() {
        return Err(LineError::oauth("invalid_request", None));
    }
    inner.world().tokens.revoke(text);
    Ok(StatusCode::OK)
}
