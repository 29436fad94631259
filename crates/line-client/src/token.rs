//! The life of a stateless channel access token (PLATFORM 4), and which of two pasted values is wrong.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use line_api::api::IssuedToken;
use tokio::sync::OwnedMutexGuard;

use crate::account::{Account, Credentials};
use crate::error::LineError;
use crate::secret::Secret;
use crate::transport::{Body, Call, LineClient};

/// Pause after a renewal that failed while the old token still holds.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// The token of one account, and the turn to fetch the next one.
#[derive(Default)]
pub(crate) struct TokenCache {
    held: Mutex<Held>,
    /// Whoever holds it is the only one asking LINE for a token.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// Attempts that ended, by which one who waited sees that another's outcome is theirs too.
    attempts: u64,
    failure: Option<LineError>,
}

struct Token {
    secret: Secret,
    renew_at: Duration,
    ends_at: Duration,
}

/// What the cache holds at a moment.
enum Found {
    Fresh(Secret),
    /// Good, but it is time for the next one.
    Ageing(Secret),
    Nothing {
        attempts: u64,
    },
}

impl TokenCache {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing in a critical section can leave it half done, so a poisoned lock is as good as any.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, now: Duration) -> Found {
        let held = self.held();
        match &held.token {
            Some(token) if now < token.renew_at => Found::Fresh(token.secret.clone()),
            Some(token) if now < token.ends_at => Found::Ageing(token.secret.clone()),
            _ => Found::Nothing { attempts: held.attempts },
        }
    }

    /// The outcome of an attempt that ended since `attempts` was read.
    fn outcome_since(&self, attempts: u64, now: Duration) -> Option<Result<Secret, LineError>> {
        let held = self.held();
        if held.attempts == attempts {
            return None;
        }
        match (&held.token, &held.failure) {
            (Some(token), _) if now < token.ends_at => Some(Ok(token.secret.clone())),
            (_, failure) => failure.clone().map(Err),
        }
    }

    /// Drops a token that LINE refused, unless it was replaced already.
    pub(crate) fn forget(&self, refused: &Secret) {
        self.held().token.take_if(|token| token.secret == *refused);
    }

    fn store(
        &self,
        asked_at: Duration,
        now: Duration,
        outcome: Result<IssuedToken, LineError>,
    ) -> Result<Secret, LineError> {
        let mut held = self.held();
        held.attempts += 1;
        match outcome {
            Ok(issued) => {
                let life = Duration::from_secs(issued.expires_in);
                let secret = Secret::from(issued.access_token);
                // At four fifths of its life, which is minute 12 of 15 (GOTCHAS F1).
                let renew_at = asked_at + life * 4 / 5;
                held.token = Some(Token { secret: secret.clone(), renew_at, ends_at: asked_at + life });
                held.failure = None;
                Ok(secret)
            }
            Err(error) => {
                if let Some(token) = &mut held.token {
                    token.renew_at = now + RENEWAL_PAUSE;
                }
                held.failure = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl Account {
    /// The token for the next call: the pasted one where there is one, else a stateless one.
    ///
    /// A stateless token lives 15 minutes. From minute 12 on the next one is fetched beside the calls, which use the
    /// old one until its end. One request is under way at a time, and all who wait for it share its outcome.
    ///
    /// # Errors
    /// [`LineError::Credentials`], [`LineError::Wait`], or [`LineError::NotSent`] for anything else that kept LINE
    /// from issuing one, because then the call that needed it was not sent.
    pub async fn token(&self) -> Result<Secret, LineError> {
        if let Some(pasted) = &self.credentials().access_token {
            return Ok(pasted.clone());
        }
        let cache = self.token_cache();
        let attempts = match cache.find(self.client().now()) {
            Found::Fresh(token) => return Ok(token),
            Found::Ageing(token) => {
                self.renew_aside();
                return Ok(token);
            }
            Found::Nothing { attempts } => attempts,
        };
        let turn = Arc::clone(&cache.turn).lock_owned().await;
        match cache.outcome_since(attempts, self.client().now()) {
            Some(outcome) => outcome,
            None => self.renew(turn).await,
        }
    }

    /// Fetches the next token in a task of its own, unless one is under way.
    fn renew_aside(&self) {
        let Ok(turn) = Arc::clone(&self.token_cache().turn).try_lock_owned() else { return };
        if !matches!(self.token_cache().find(self.client().now()), Found::Ageing(_)) {
            return;
        }
        let account = self.clone();
        tokio::spawn(async move {
            if let Err(error) = account.renew(turn).await {
                tracing::warn!(
                    line.channel_id = account.credentials().channel_id,
                    %error,
                    "channel access token not renewed, the old one is kept until its end"
                );
            }
        });
    }

    /// Asks LINE for a token and stores what came of it.
    async fn renew(&self, _turn: OwnedMutexGuard<()>) -> Result<Secret, LineError> {
        let asked_at = self.client().now();
        let outcome = issue(self.client(), self.credentials()).await;
        self.token_cache().store(asked_at, self.client().now(), outcome)
    }
}

/// Issues a stateless token. Every refusal but "slower" is one of the credentials, and what is unknown about this call
/// leaves the call that needs the token certainly unsent.
async fn issue(client: &LineClient, credentials: &Credentials) -> Result<IssuedToken, LineError> {
    let form = client_credentials(&credentials.channel_id, &credentials.channel_secret);
    let call = Call::post("/oauth2/v3/token", Body::Form(&form));
    let issued = match client.exchange(&call, &credentials.channel_secret).await {
        Ok(answer) => answer.json().await,
        Err(error) => Err(error),
    };
    issued.map_err(|error| match error {
        LineError::Refused { status, body, request_id } => {
            LineError::Credentials { status: Some(status), body, request_id }
        }
        LineError::Unknown { cause, request_id } => LineError::NotSent { cause, request_id },
        LineError::QuotaUsedUp { body, request_id } => {
            LineError::Wait { retry_after: None, body, request_id }
        }
        other => other,
    })
}

fn client_credentials<'a>(channel_id: &'a str, channel_secret: &'a Secret) -> [(&'static str, &'a str); 3] {
    [
        ("grant_type", "client_credentials"),
        ("client_id", channel_id),
        ("client_secret", channel_secret.expose()),
    ]
}

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
