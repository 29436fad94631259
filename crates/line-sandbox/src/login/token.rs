//! Codes and refresh tokens into access tokens, and id tokens made and verified (PLATFORM 23.2, 23.3).

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::Inner;
use crate::jwt::{self, Jwt, LineKey};
use crate::line::error::LineError;
use crate::line::tokens::{FormBody, client};
use crate::login::state::{Code, UserToken, Visit, shown};
use crate::world::{Kind, World};

/// Who issues id tokens.
pub(super) const ISSUER: &str = "https://access.line.me";
/// 30 days (PLATFORM 23.2).
const TOKEN_SECONDS: i64 = 2_592_000;
/// 12 hours for LIFF (PLATFORM 24.3).
pub(crate) const LIFF_TOKEN_SECONDS: i64 = 43_200;
/// 1 hour; for the web UNCONFIRMED (PLATFORM 23.3).
const ID_TOKEN_SECONDS: i64 = 3_600;

type Answer = Result<Json<Value>, LineError>;

/// `POST /oauth2/v2.1/token` for `authorization_code` and `refresh_token`.
pub(crate) fn token(inner: &Inner, form: &FormBody) -> Answer {
    match form.get("grant_type") {
        "authorization_code" => exchange(inner, form),
        "refresh_token" => refresh(inner, form),
        _ => Err(LineError::oauth("unsupported_grant_type", Some("unsupported grant_type"))),
    }
}

/// A code for tokens. The code is used up even if this fails; the texts of `invalid_grant` are UNCONFIRMED.
fn exchange(inner: &Inner, form: &FormBody) -> Answer {
    let refuse = |why| Err(LineError::oauth("invalid_grant", Some(why)));
    let now = inner.clock.now();
    let mut world = inner.world();
    let code = world.login.use_code(form.get("code"), now);
    // An app proves itself by its code challenge, a web server by the secret (PLATFORM 24.4).
    let by_liff = code.as_ref().is_some_and(|code| code.app.is_some() && code.challenge.is_some());
    if form.find("client_secret").is_some() || !by_liff {
        login_client(&world, form)?;
    }
    let Some(code) = code.filter(|code| code.channel == form.get("client_id")) else {
        return refuse("invalid authorization code");
    };
    if code.redirect_uri != form.get("redirect_uri") {
        return refuse("redirect_uri does not match");
    }
    if let Some(challenge) = &code.challenge {
        let verifier = form.get("code_verifier");
        let sound = (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
        if !sound || URL_SAFE_NO_PAD.encode(hash) != *challenge {
            return refuse("code_verifier does not match");
        }
    }
    let is_liff = code.app.is_some();
    let seconds = if is_liff { LIFF_TOKEN_SECONDS } else { TOKEN_SECONDS };
    let text = inner.ids.jws();
    let made = UserToken {
        channel: code.channel.clone(),
        person: code.person,
        scopes: code.scopes.clone(),
        expires_at: now + seconds * 1_000,
        revoked: false,
        visit: code.app.clone().map(|app| Visit { app, chat: None, inside: false }),
    };
    world.login.keep_token(text.clone(), made, now);
    let by_key = is_liff || form.get("id_token_key_type") == "JWK";
    let id_token = id_token(inner, &world, &code, by_key, now);
    let mut answer = json!({
        "access_token": text,
        "expires_in": seconds,
        "scope": shown(&code.scopes),
        "token_type": "Bearer",
    });
    if let Some(answer) = answer.as_object_mut() {
        if !is_liff {
            let refresh = inner.ids.token(2);
            world.login.keep_refresh(refresh.clone(), &code.channel, code.person, &code.scopes, now);
            answer.insert("refresh_token".into(), refresh.into());
        }
        if let Some(id_token) = id_token {
            answer.insert("id_token".into(), id_token.into());
        }
    }
    Ok(Json(answer))
}

/// A new access token; the refresh token stays the same and is never extended (PLATFORM 23.2).
fn refresh(inner: &Inner, form: &FormBody) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let channel = login_client(&world, form)?;
    let text = form.get("refresh_token");
    let known = world.login.refresh(text, now).filter(|refresh| refresh.channel == channel).cloned();
    let refresh = known.ok_or_else(|| LineError::oauth("invalid_grant", Some("invalid refresh token")))?;
    let token = UserToken {
        channel,
        person: refresh.person,
        scopes: refresh.scopes,
        expires_at: now + TOKEN_SECONDS * 1_000,
        revoked: false,
        visit: None,
    };
    let scope = token.scope();
    let access = inner.ids.jws();
    world.login.keep_token(access.clone(), token, now);
    Ok(Json(json!({
        "token_type": "Bearer",
        "scope": scope,
        "access_token": access,
        "expires_in": TOKEN_SECONDS,
        "refresh_token": text,
    })))
}

/// ID and secret of a Login channel.
fn login_client(world: &World, form: &FormBody) -> Result<String, LineError> {
    let id = client(world, form)?;
    if world.channels.get(&id).is_none_or(|channel| channel.kind != Kind::Login) {
        return Err(LineError::oauth("invalid_client", Some("invalid client_id")));
    }
    Ok(id)
}

/// The id token of a code, when its scopes hold `openid`. `by_key` signs with the sandbox's key instead of the channel secret.
pub(crate) fn id_token(inner: &Inner, world: &World, code: &Code, by_key: bool, now: i64) -> Option<String> {
    let has = |wanted: &str| code.scopes.iter().any(|scope| scope == wanted);
    if !has("openid") {
        return None;
    }
    let channel = world.channels.get(&code.channel)?;
    let person = world.people.get(&code.person)?;
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("iss", json!(ISSUER));
    put("sub", json!(person.user_ids.get(&channel.provider)?));
    put("aud", json!(channel.id));
    put("exp", json!(now / 1_000 + ID_TOKEN_SECONDS));
    put("iat", json!(now / 1_000));
    if let Some(at) = code.auth_time {
        put("auth_time", json!(at / 1_000));
    }
    if let Some(nonce) = &code.nonce {
        put("nonce", json!(nonce));
    }
    put("amr", json!([code.amr]));
    if has("profile") {
        put("name", json!(person.name));
        if let Some(picture) = &person.picture_url {
            put("picture", json!(picture));
        }
    }
    if let Some(email) = person.email.as_ref().filter(|_| has("email")) {
        put("email", json!(email));
    }
    let claims = Value::Object(claims);
    if by_key {
        LineKey::of(&inner.ids)?.sign(&claims)
    } else {
        Some(jwt::by_secret(&claims, &channel.secret))
    }
}

/// `POST /oauth2/v2.1/verify`: gives the payload of an id token, or says what is wrong with it (PLATFORM 23.2).
pub(crate) async fn verify_id_token(State(inner): State<Arc<Inner>>, form: FormBody) -> Answer {
    let refuse = |why| LineError::oauth("invalid_request", Some(why));
    let jwt = Jwt::read(form.get("id_token")).ok_or_else(|| refuse("Invalid IdToken."))?;
    let world = inner.world();
    let by_secret =
        world.channels.get(jwt.claim("aud")).is_some_and(|channel| jwt.signed_by_secret(&channel.secret));
    if !by_secret && !LineKey::of(&inner.ids).is_some_and(|key| jwt.signed_by_line(&key)) {
        return Err(refuse("Invalid IdToken."));
    }
    let now = inner.clock.now() / 1_000;
    let checks = [
        (jwt.claim("iss") == ISSUER, "Invalid IdToken Issuer."),
        (jwt.number("exp").is_some_and(|exp| exp > now), "IdToken expired."),
        (jwt.claim("aud") == form.get("client_id"), "Invalid IdToken Audience."),
        (form.find("nonce").is_none_or(|nonce| jwt.claim("nonce") == nonce), "Invalid IdToken Nonce."),
        (
            form.find("user_id").is_none_or(|user_id| jwt.claim("sub") == user_id),
            "Invalid IdToken Subject Identifier.",
        ),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, why)) => Err(refuse(why)),
        None => Ok(Json(jwt.claims)),
    }
}
