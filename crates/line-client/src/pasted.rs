//! Pasted values: which of ID and secret is wrong, and whose a token is.

use line_api::api::IssuedToken;
use serde::Deserialize;

use crate::error::LineError;
use crate::secret::Secret;
use crate::token::client_credentials;
use crate::transport::{Body, Call, LineClient};

/// What is wrong with a pair of pasted values, in LINE's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialFault {
    /// No channel has this ID.
    WrongId(String),
    /// The channel has another secret.
    WrongSecret(String),
    /// LINE refused and named neither.
    Unnamed(String),
    /// LINE takes both: whatever the refusal before was about, it is gone or lies elsewhere.
    NoFault,
}

/// Finds out, after a refused stateless token, which of the two values is wrong: `/oauth2/v3/token` says the same of
/// both, the older `/v2/oauth/accessToken` names one (PLATFORM 4.1, CONTRACT "Connecting").
///
/// A token that the older call issues after all is revoked at once, because a channel has room for 30 of them and the
/// 31st would silently end somebody else's (GOTCHAS F1).
///
/// # Errors
/// LINE could not be asked, or did not answer.
pub async fn diagnose_credentials(
    client: &LineClient,
    channel_id: &str,
    channel_secret: &Secret,
) -> Result<CredentialFault, LineError> {
    let form = client_credentials(channel_id, channel_secret);
    let call = Call::post("/v2/oauth/accessToken", Body::Form(&form));
    match client.exchange(&call, channel_secret).await?.json::<IssuedToken>().await {
        Ok(issued) => {
            let form = [("access_token", issued.access_token.as_str())];
            let revoke = Call::post("/v2/oauth/revoke", Body::Form(&form));
            client.exchange(&revoke, &Secret::from(issued.access_token.as_str())).await?.done().await?;
            Ok(CredentialFault::NoFault)
        }
        Err(LineError::Refused { body, .. } | LineError::Credentials { body, .. }) => {
            Ok(match body.message.to_ascii_lowercase() {
                words if words.contains("client_id") => CredentialFault::WrongId(body.message),
                words if words.contains("client_secret") => CredentialFault::WrongSecret(body.message),
                _ => CredentialFault::Unnamed(body.message),
            })
        }
        Err(error) => Err(error),
    }
}

/// What LINE says of a pasted token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastedToken {
    /// It works.
    Good {
        /// The channel that it belongs to, of whatever kind.
        channel_id: String,
        /// Seconds until it ends; a number of decades for one without an end.
        expires_in: u64,
    },
    /// Its life is over, in LINE's words.
    Expired(String),
    /// It was taken back, in LINE's words.
    Revoked(String),
    /// LINE does not know it, in LINE's words. A reissued long-lived token looks so.
    Invalid(String),
}

#[derive(Deserialize)]
struct Verified {
    client_id: String,
    expires_in: u64,
}

/// Asks LINE whose a token is: `/v2/oauth/verify` knows long- and short-lived ones, `/oauth2/v2.1/verify` the others, and
/// each refuses what it does not know (PLATFORM 4.1). The token is not used otherwise.
///
/// # Errors
/// LINE could not be asked, or did not answer.
pub async fn inspect_token(client: &LineClient, token: &Secret) -> Result<PastedToken, LineError> {
    let form = [("access_token", token.expose())];
    let old = Call::post("/v2/oauth/verify", Body::Form(&form));
    let first = match verify(client, &old, token).await? {
        Ok(good) => return Ok(good),
        Err(words) => words,
    };
    let new = Call { body: Body::Query(&form), ..Call::get("/oauth2/v2.1/verify", &[]) };
    Ok(match verify(client, &new, token).await? {
        Ok(good) => good,
        Err(words) => match words.to_ascii_lowercase() {
            lower if lower.contains("expired") => PastedToken::Expired(words),
            lower if lower.contains("revoked") => PastedToken::Revoked(words),
            // The other path says only that it is not its kind.
            lower if lower.contains("not jws") => PastedToken::Invalid(first),
            _ => PastedToken::Invalid(words),
        },
    })
}

/// The inner error is LINE's refusal of the token.
async fn verify(
    client: &LineClient,
    call: &Call<'_>,
    token: &Secret,
) -> Result<Result<PastedToken, String>, LineError> {
    match client.exchange(call, token).await?.json::<Verified>().await {
        Ok(Verified { client_id, expires_in }) => {
            Ok(Ok(PastedToken::Good { channel_id: client_id, expires_in }))
        }
        Err(LineError::Refused { body, .. } | LineError::Credentials { body, .. }) => Ok(Err(body.message)),
        Err(error) => Err(error),
    }
}
