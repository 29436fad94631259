//! What the console shows of a channel's keys and tokens: public keys for assertions, the long-lived token, the secret.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::Inner;
use crate::control::input::{Fields, Problem, channel_mut, items};
use crate::line::error::LineError;
use crate::line::tokens::Kind as TokenKind;
use crate::world::{Kind, PublicKey};

/// The console lets an old long-lived token live this many hours more at most (PLATFORM 4).
const LONGEST_GRACE_HOURS: u64 = 24;

type Answer = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/channels/{channel}/access-token", post(issue_long_lived_token))
        .route("/channels/{channel}/access-tokens", get(list_tokens))
        .route("/channels/{channel}/public-keys", get(list_keys).post(register_key))
        .route("/channels/{channel}/public-keys/{kid}", delete(delete_key))
        .route("/channels/{channel}/secret", post(reissue_secret))
        .route("/channels/{channel}/liff-apps", get(list_liff_apps).post(add_liff_app))
        .route("/channels/{channel}/liff-apps/{liff_id}", patch(switch_liff_app).delete(remove_liff_app))
}

/// The console's button: a token without an end. The one before it dies, at once or after `graceHours` (PLATFORM 4).
async fn issue_long_lived_token(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let grace = body.whole("graceHours")?.unwrap_or(0);
    if grace > LONGEST_GRACE_HOURS {
        return Err(Problem::field("graceHours", "must lie between 0 and 24"));
    }
    let now = inner.clock.now();
    let mut world = inner.world();
    if channel_mut(&mut world, &id)?.kind != Kind::Messaging {
        return Err(Problem::conflict("only a messaging channel has a long-lived token"));
    }
    world.tokens.end_long_lived(&id, i64::try_from(grace).unwrap_or_default() * 3_600_000, now);
    let (text, _) = world.tokens.issue(&inner.ids, &id, TokenKind::LongLived, None, now);
    Ok(Json(json!({ "accessToken": text })))
}

/// The channel's live tokens, oldest first, without their texts.
async fn list_tokens(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let mut world = inner.world();
    channel_mut(&mut world, &id)?;
    let live = world.tokens.live(&id, inner.clock.now());
    Ok(items(
        live.into_iter()
            .map(|(_, token)| {
                json!({
                    "kind": token.kind,
                    "issuedAt": token.issued_at,
                    "expiresAt": token.expires_at,
                    "keyId": token.key_id,
                })
            })
            .collect(),
    ))
}

async fn list_keys(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let mut world = inner.world();
    Ok(items(channel_mut(&mut world, &id)?.public_keys.iter().map(|key| json!(key)).collect()))
}

/// Registers a public key as the console's "Assertion Signing Key" does (PLATFORM 4.2) and gives its `kid`.
async fn register_key(State(inner): State<Arc<Inner>>, Path(id): Path<String>, body: Fields) -> Answer {
    let jwk = body.nested("jwk", |jwk| {
        if jwk.has("d") {
            return Err(Problem::field("d", "belongs to the private key; paste the public one"));
        }
        if jwk.has("kid") {
            return Err(Problem::field("kid", "must not be there; the console gives it"));
        }
        for (field, wanted) in [("kty", "RSA"), ("alg", "RS256")] {
            if jwk.text(field)? != wanted {
                return Err(Problem::field(field, format!("must be {wanted}")));
            }
        }
        let signs = jwk.optional_text("use")?.as_deref() == Some("sig");
        if !signs && jwk.value("key_ops") != Some(&json!(["verify"])) {
            return Err(Problem::field("use", "must be sig, or key_ops must be [\"verify\"]"));
        }
        let length = |field: &str| -> Result<usize, Problem> {
            let bytes = URL_SAFE_NO_PAD.decode(jwk.text(field)?);
            bytes.map(|bytes| bytes.len()).map_err(|_| Problem::field(field, "is not base64url"))
        };
        if length("n")? != 256 {
            return Err(Problem::field("n", "must be of an RSA key of 2048 bits"));
        }
        length("e")?;
        Ok(jwk.clone().into_map())
    })?;
    let mut world = inner.world();
    let channel = channel_mut(&mut world, &id)?;
    let jwk = Value::Object(jwk);
    if channel.public_keys.iter().any(|key| key.jwk.get("n") == jwk.get("n")) {
        return Err(Problem::conflict("this key is registered already"));
    }
    let kid = inner.ids.uuid();
    let added_at = inner.clock.now();
    channel.public_keys.push(PublicKey { kid: kid.clone(), jwk, added_at });
    Ok(Json(json!({ "kid": kid })))
}

/// Takes a key back; tokens issued by it keep working.
async fn delete_key(State(inner): State<Arc<Inner>>, Path((id, kid)): Path<(String, String)>) -> Answer {
    let mut world = inner.world();
    let keys = &mut channel_mut(&mut world, &id)?.public_keys;
    let before = keys.len();
    keys.retain(|key| key.kid != kid);
    if keys.len() == before {
        return Err(Problem::not_found(format!("there is no key {kid}")));
    }
    Ok(Json(json!({})))
}

/// The console's button: the old secret is dead at once, tokens keep working (PLATFORM 4.3).
async fn reissue_secret(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let mut world = inner.world();
    let channel = channel_mut(&mut world, &id)?;
    channel.secret = inner.ids.hex32();
    Ok(Json(json!({ "channelSecret": channel.secret })))
}

/// The LIFF apps of a Login channel, with the console's switches.
async fn list_liff_apps(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let mut world = inner.world();
    channel_mut(&mut world, &id)?;
    Ok(items(crate::liff::list_for_console(&world, &id)))
}

/// Makes a LIFF app from LINE's own body (PLATFORM 24.1); `shareTargetPicker` may stand in it.
async fn add_liff_app(State(inner): State<Arc<Inner>>, Path(id): Path<String>, body: Fields) -> Answer {
    let picker = body.boolean("shareTargetPicker")?.unwrap_or(false);
    let mut world = inner.world();
    if channel_mut(&mut world, &id)?.kind != Kind::Login {
        return Err(Problem::conflict("only a Login channel has LIFF apps"));
    }
    let body = Value::Object(body.into_map());
    let refused = |error: LineError| {
        let (field, message) = error.finding();
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, field, message)
    };
    let liff_id = crate::liff::create(&inner.ids, &mut world, &id, &body).map_err(refused)?;
    if let Some(app) = world.liff.own_mut(&id, &liff_id) {
        app.share_target_picker = picker;
    }
    Ok(Json(json!({ "liffId": liff_id })))
}

async fn remove_liff_app(
    State(inner): State<Arc<Inner>>,
    Path((id, liff_id)): Path<(String, String)>,
) -> Answer {
    if inner.world().liff.remove(&id, &liff_id) {
        return Ok(Json(json!({})));
    }
    Err(Problem::not_found(format!("there is no LIFF app {liff_id}")))
}

/// Sets what the console holds of a LIFF app and no API does: `shareTargetPicker` (PLATFORM 24.1).
async fn switch_liff_app(
    State(inner): State<Arc<Inner>>,
    Path((id, liff_id)): Path<(String, String)>,
    body: Fields,
) -> Answer {
    let picker = body
        .boolean("shareTargetPicker")?
        .ok_or_else(|| Problem::field("shareTargetPicker", "is missing"))?;
    let mut world = inner.world();
    let app = world.liff.own_mut(&id, &liff_id);
    app.ok_or_else(|| Problem::not_found(format!("there is no LIFF app {liff_id}")))?.share_target_picker =
        picker;
    Ok(Json(json!({})))
}
