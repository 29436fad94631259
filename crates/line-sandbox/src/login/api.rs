//! What a person's access token opens, and what a Login channel may do with it (PLATFORM 23.2).

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::Inner;
use crate::jwt::LineKey;
use crate::line::entry::{JsonBody, LoginCaller, bearer, unauthorized};
use crate::line::error::LineError;
use crate::login::state::UserToken;
use crate::login::token::ISSUER;
use crate::world::World;

type Answer = Result<Json<Value>, LineError>;

/// A call with a person's live access token, and its text.
#[derive(Debug, Clone)]
pub(crate) struct UserCaller {
    pub(crate) token: UserToken,
    pub(crate) text: String,
}

impl FromRequestParts<Arc<Inner>> for UserCaller {
    type Rejection = LineError;

    /// The texts follow those of the verification; for calls they are UNCONFIRMED.
    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Self, LineError> {
        let text = bearer(&parts.headers)?;
        let now = inner.clock.now();
        let world = inner.world();
        let token = world.login.token(text).ok_or_else(|| unauthorized("invalid token"))?;
        token.check(now).map_err(unauthorized)?;
        Ok(Self { token: token.clone(), text: text.to_owned() })
    }
}

impl OptionalFromRequestParts<Arc<Inner>> for UserCaller {
    type Rejection = LineError;

    /// `None` without a token; a wrong one is refused.
    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Option<Self>, LineError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<_>>::from_request_parts(parts, inner).await.map(Some)
    }
}

impl UserCaller {
    /// Refuses when the person did not allow `scope`.
    pub(crate) fn needs(&self, scope: &str) -> Result<(), LineError> {
        if self.token.may(scope) {
            return Ok(());
        }
        // The text is that of LIFF (PLATFORM 24.3).
        Err(LineError::new(StatusCode::FORBIDDEN, "user doesn't grant required permissions yet"))
    }
}

/// Name, picture and user ID as the token's channel sees the person.
fn facts(
    world: &World,
    token: &UserToken,
    id: &str,
    name: &str,
    picture: &str,
) -> Result<Map<String, Value>, LineError> {
    let gone = || unauthorized("invalid token");
    let channel = world.channels.get(&token.channel).ok_or_else(gone)?;
    let person = world.people.get(&token.person).ok_or_else(gone)?;
    let mut answer = Map::new();
    answer.insert(id.into(), json!(person.user_ids.get(&channel.provider)));
    if token.may("profile") {
        answer.insert(name.into(), json!(person.name));
        if let Some(url) = &person.picture_url {
            answer.insert(picture.into(), json!(url));
        }
    }
    Ok(answer)
}

pub(super) async fn user_info(State(inner): State<Arc<Inner>>, caller: UserCaller) -> Answer {
    caller.needs("openid")?;
    let world = inner.world();
    Ok(Json(Value::Object(facts(&world, &caller.token, "sub", "name", "picture")?)))
}

pub(super) async fn profile(State(inner): State<Arc<Inner>>, caller: UserCaller) -> Answer {
    caller.needs("profile")?;
    let world = inner.world();
    let mut answer = facts(&world, &caller.token, "userId", "displayName", "pictureUrl")?;
    if let Some(status) =
        world.people.get(&caller.token.person).and_then(|person| person.status_message.as_ref())
    {
        answer.insert("statusMessage".into(), json!(status));
    }
    Ok(Json(Value::Object(answer)))
}

/// How a person stands to the account that is linked to a Login channel.
#[derive(Debug, Clone)]
pub(crate) struct Friendship {
    /// The account's channel.
    pub(crate) bot: String,
    /// Friend, and not blocking.
    pub(crate) is_friend: bool,
}

impl Friendship {
    /// `None` without a linked account.
    pub(crate) fn of(world: &World, token: &UserToken) -> Option<Self> {
        let bot = world.channels.get(&token.channel)?.settings.linked_bot_channel_id.clone()?;
        let is_friend = world.bond(&bot, token.person).following;
        Some(Self { bot, is_friend })
    }
}

pub(super) async fn friendship(State(inner): State<Arc<Inner>>, caller: UserCaller) -> Answer {
    caller.needs("profile")?;
    let world = inner.world();
    // UNCONFIRMED text and status without a linked account (PLATFORM 23.2).
    let friendship = Friendship::of(&world, &caller.token)
        .ok_or_else(|| LineError::bad_request("there is no login bot linked to this channel."))?;
    Ok(Json(json!({ "friendFlag": friendship.is_friend })))
}

/// Takes back all that the person allowed the calling channel.
pub(super) async fn deauthorize(
    State(inner): State<Arc<Inner>>,
    caller: LoginCaller,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, LineError> {
    let text = body.get("userAccessToken").and_then(Value::as_str).unwrap_or_default();
    let now = inner.clock.now();
    let mut world = inner.world();
    let token =
        world.login.token(text).filter(|token| token.channel == caller.channel && token.check(now).is_ok());
    let person = token.map(|token| token.person).ok_or_else(|| LineError::bad_request("invalid token"))?;
    world.login.forget(&caller.channel, person);
    Ok(StatusCode::NO_CONTENT)
}

/// The keys of id tokens for LIFF (PLATFORM 2).
pub(super) async fn certs(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let keys: Vec<Value> = LineKey::of(&inner.ids).iter().map(LineKey::jwk).collect();
    Json(json!({ "keys": keys }))
}

/// The discovery document. The issuer is LINE's, as in id tokens; the addresses are the sandbox's.
pub(super) async fn discovery(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let origin =
        inner.base_url().map_or_else(String::new, |url| url.as_str().trim_end_matches('/').to_owned());
    Json(json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{origin}/oauth2/v2.1/authorize"),
        "token_endpoint": format!("{origin}/oauth2/v2.1/token"),
        "revocation_endpoint": format!("{origin}/oauth2/v2.1/revoke"),
        "userinfo_endpoint": format!("{origin}/oauth2/v2.1/userinfo"),
        "jwks_uri": format!("{origin}/oauth2/v2.1/certs"),
        "scopes_supported": ["openid", "profile", "email"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post", "query.jwt", "form_post.jwt", "jwt"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256"],
        "code_challenge_methods_supported": ["S256"],
    }))
}
