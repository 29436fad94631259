//! The life of a channel access token that is issued from the secret or by a signing key (PLATFORM 4).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use line_api::api::IssuedToken;
use tokio::sync::OwnedMutexGuard;

use crate::account::{Account, Credentials};
use crate::assertion::{JWT_BEARER, SigningKey};
use crate::error::{Cause, LineError};
use crate::secret::Secret;
use crate::transport::{Body, Call, LineClient};

/// Pause after a renewal that failed while the old token still holds.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);
/// The life of a v2.1 token in seconds. An hour: a hub that is restarted, or that runs on several nodes, holds several of
/// the channel's 30 places until they end, and nobody but their holder can revoke them.
const V21_LIFE: u64 = 3_600;

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
    /// A v2.1 token that is not used any more and still takes one of the 30 places.
    spent: Option<Secret>,
    /// How the last one was issued, which is tried first the next time.
    way: Way,
    /// Attempts that ended, by which one who waited sees that another's outcome is theirs too.
    attempts: u64,
    failure: Option<LineError>,
}

struct Token {
    secret: Secret,
    way: Way,
    renew_at: Duration,
    ends_at: Duration,
}

/// How a token is issued. Only a signing key knows the second way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Way {
    /// 15 minutes, without number.
    #[default]
    Stateless,
    /// For [`V21_LIFE`]; 30 places in a channel.
    V21,
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

impl Held {
    /// Notes a token that is not used any more, where it takes a place.
    fn retire(&mut self, token: Token) {
        if token.way == Way::V21 {
            self.spent = Some(token.secret);
        }
    }
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
        let mut held = self.held();
        if let Some(token) = held.token.take_if(|token| token.secret == *refused) {
            held.retire(token);
        }
    }

    fn store(
        &self,
        asked_at: Duration,
        now: Duration,
        outcome: Result<(IssuedToken, Way), LineError>,
    ) -> Result<Secret, LineError> {
        let mut held = self.held();
        held.attempts += 1;
        match outcome {
            Ok((issued, way)) => {
                let life = Duration::from_secs(issued.expires_in);
                let secret = Secret::from(issued.access_token);
                // At four fifths of its life, which is minute 12 of 15 (GOTCHAS F1).
                let renew_at = asked_at + life * 4 / 5;
                let token = Token { secret: secret.clone(), way, renew_at, ends_at: asked_at + life };
                if let Some(before) = held.token.replace(token) {
                    held.retire(before);
                }
                held.way = way;
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
    /// The token for the next call: the pasted one where there is one, else one that is issued by the signing key where
    /// there is one, else from the secret.
    ///
    /// A stateless token lives 15 minutes. From minute 12 on the next one is fetched beside the calls, which use the
    /// old one until its end. One request is under way at a time, and all who wait for it share its outcome. Where LINE
    /// issues no stateless token for a signing key, it is asked for a v2.1 token of an hour, which is renewed in the same
    /// manner and revoked once the next one is there.
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

    /// Gives back the place of the token that is held, where it takes one: a v2.1 token takes one of the channel's 30
    /// (PLATFORM 4.1). For a token that was issued only to prove a key. LINE asks for the channel's secret.
    ///
    /// # Errors
    /// Any [`LineError`]; the token then ends by itself.
    pub async fn give_back(&self) -> Result<(), LineError> {
        let token = self.token_cache().held().token.take();
        match token {
            Some(token) if token.way == Way::V21 => {
                revoke(self.client(), self.credentials(), &token.secret).await
            }
            _ => Ok(()),
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

    /// Asks LINE for a token and stores what came of it. A v2.1 token that was replaced is revoked beside the calls.
    async fn renew(&self, _turn: OwnedMutexGuard<()>) -> Result<Secret, LineError> {
        let asked_at = self.client().now();
        let way = self.token_cache().held().way;
        let outcome = issue(self.client(), self.credentials(), way).await;
        let stored = self.token_cache().store(asked_at, self.client().now(), outcome);
        if stored.is_ok()
            && let Some(spent) = self.token_cache().held().spent.take()
        {
            let account = self.clone();
            tokio::spawn(async move {
                if let Err(error) = revoke(account.client(), account.credentials(), &spent).await {
                    tracing::debug!(%error, "a replaced channel access token was not revoked; it ends by itself");
                }
            });
        }
        stored
    }
}

/// Issues a token. Every refusal but "slower" is one of the credentials, and what is unknown about this call leaves the
/// call that needs the token certainly unsent.
async fn issue(
    client: &LineClient,
    credentials: &Credentials,
    way: Way,
) -> Result<(IssuedToken, Way), LineError> {
    let Some(key) = &credentials.signing_key else {
        let form = client_credentials(&credentials.channel_id, &credentials.channel_secret);
        let issued = ask(client, "/oauth2/v3/token", &form, &credentials.channel_secret).await?;
        return Ok((issued, Way::Stateless));
    };
    let other = if way == Way::V21 { Way::Stateless } else { Way::V21 };
    let first = match issue_by_key(client, &credentials.channel_id, key, way).await {
        Err(error @ LineError::Credentials { .. }) => error,
        outcome => return outcome,
    };
    match issue_by_key(client, &credentials.channel_id, key, other).await {
        // What is wrong with the key is wrong both ways; that there is no place left says more.
        Err(error) if !error.is_out_of_token_places() => Err(first),
        outcome => outcome,
    }
}

/// Issues a token by an assertion (PLATFORM 4.1, 4.2).
async fn issue_by_key(
    client: &LineClient,
    channel_id: &str,
    key: &SigningKey,
    way: Way,
) -> Result<(IssuedToken, Way), LineError> {
    let life = (way == Way::V21).then_some(V21_LIFE);
    let assertion = key
        .assert(channel_id, client.unix_seconds(), life)
        .map_err(|_| LineError::NotSent { cause: Cause::Request, request_id: None })?;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.expose()),
    ];
    let path = if way == Way::V21 { "/oauth2/v2.1/token" } else { "/oauth2/v3/token" };
    Ok((ask(client, path, &form, &assertion).await?, way))
}

/// Asks one of the token endpoints; `secret` must not be repeated in a refusal's text.
async fn ask(
    client: &LineClient,
    path: &'static str,
    form: &[(&str, &str)],
    secret: &Secret,
) -> Result<IssuedToken, LineError> {
    let issued = match client.exchange(&Call::post(path, Body::Form(form)), secret).await {
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

/// Gives a v2.1 token's place back.
async fn revoke(client: &LineClient, credentials: &Credentials, token: &Secret) -> Result<(), LineError> {
    let form = [
        ("client_id", credentials.channel_id.as_str()),
        ("client_secret", credentials.channel_secret.expose()),
        ("access_token", token.expose()),
    ];
    client.exchange(&Call::post("/oauth2/v2.1/revoke", Body::Form(&form)), token).await?.done().await
}

/// The form by which ID and secret ask for a token.
pub(crate) fn client_credentials<'a>(
    channel_id: &'a str,
    channel_secret: &'a Secret,
) -> [(&'static str, &'a str); 3] {
    [
        ("grant_type", "client_credentials"),
        ("client_id", channel_id),
        ("client_secret", channel_secret.expose()),
    ]
}
