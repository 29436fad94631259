//! The JWT by which a channel proves itself without its secret (PLATFORM 4.2).

use axum::http::StatusCode;
use serde_json::Value;

use crate::Inner;
use crate::jwt::Jwt;
use crate::line::error::LineError;
use crate::line::tokens::FormBody;
use crate::world::World;

/// The only `client_assertion_type`.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An assertion's `exp` lies at most this many seconds ahead.
const ASSERTION_SECONDS: i64 = 1_800;
/// What `aud` says at LINE.
const AUDIENCE: &str = "https://api.line.me/";

/// A proven assertion.
#[derive(Debug)]
pub(super) struct Assertion {
    pub(super) channel: String,
    /// The wanted life of a v2.1 token in seconds, as given.
    pub(super) token_exp: Option<i64>,
}

impl Assertion {
    /// Reads and proves `client_assertion`. Texts of wrong `sub`, `aud` and signature are UNCONFIRMED; they follow `Invalid exp`.
    pub(super) fn read(inner: &Inner, world: &World, form: &FormBody) -> Result<Self, LineError> {
        let invalid = |what: &str| LineError::oauth("invalid_client", Some(&format!("Invalid {what}")));
        if form.get("client_assertion_type") != JWT_BEARER {
            return Err(LineError::oauth("invalid_request", Some("Invalid 'client_assertion_type'.")));
        }
        let jwt = Jwt::read(form.get("client_assertion")).ok_or_else(|| invalid("client_assertion"))?;
        let kid = jwt.header("kid");
        let found = world
            .channels
            .values()
            .find_map(|channel| Some((channel, channel.public_keys.iter().find(|key| key.kid == kid)?)));
        let (channel, key) = found.ok_or_else(|| {
            LineError::new(StatusCode::NOT_FOUND, "Cannot find channel key that satisfies the conditions")
        })?;
        if jwt.claim("iss") != channel.id {
            return Err(LineError::oauth("invalid_client", Some("iss and clientId of key do not match")));
        }
        if jwt.claim("sub") != channel.id {
            return Err(invalid("sub"));
        }
        if !jwt.signed_by_rsa(&key.jwk) {
            return Err(invalid("signature"));
        }
        let own = inner.base_url();
        let ours = |aud: &str| {
            aud == AUDIENCE
                || own
                    .as_ref()
                    .is_some_and(|own| aud.trim_end_matches('/') == own.as_str().trim_end_matches('/'))
        };
        let meant = match jwt.claims.get("aud") {
            Some(Value::String(aud)) => ours(aud),
            Some(Value::Array(auds)) => auds.iter().filter_map(Value::as_str).any(ours),
            _ => false,
        };
        if !meant {
            return Err(invalid("aud"));
        }
        let now = inner.clock.now() / 1_000;
        if !jwt.number("exp").is_some_and(|exp| exp > now && exp <= now + ASSERTION_SECONDS) {
            return Err(invalid("exp"));
        }
        Ok(Self { channel: channel.id.clone(), token_exp: jwt.number("token_exp") })
    }
}
