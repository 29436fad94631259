//! The connected accounts as the webhook door and the outbox need them: in memory, looked up without SQL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use line_client::Secret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::pending::Pending;
use super::{doctor, guide};
use crate::clock::Timestamp;
use crate::ids::{AccountId, TenantId};

/// The database is asked about one thing at most this often, however many requests ask.
const REREAD_PAUSE: Duration = Duration::from_secs(1);

/// The connected accounts of all tenants. Disconnected ones are not here: nothing comes in, nothing goes out.
#[derive(Debug, Default)]
pub struct Accounts {
    maps: RwLock<Maps>,
    /// Limits how often unknown webhook addresses lead to the database.
    pub(super) unknown: Rereads,
    /// Connectings that wait for a person's word.
    pub(super) pending: Pending,
    /// What somebody waits for in front of the set-up.
    pub(super) watch: guide::service::Watch,
    /// Examinations under way, and what was found about the machine.
    pub(super) doctor: doctor::Memory,
}

#[derive(Debug, Default)]
struct Maps {
    by_key: HashMap<String, Arc<Connected>>,
    by_id: HashMap<AccountId, Arc<Connected>>,
}

/// One connected account.
#[derive(Debug)]
pub struct Connected {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The unguessable end of its webhook address.
    pub webhook_key: String,
    /// The bot's user id, `destination` of its webhooks (PLATFORM 15).
    pub bot_user_id: String,
    /// Its calls to LINE; clones share the token.
    pub line: line_client::Account,
    /// What the webhook door counts.
    pub seen: Arc<Seen>,
    /// The secrets by which signatures are checked: the present one, and for 24 hours the one before.
    pub(super) secrets: Vec<SigningSecret>,
    /// Tells two states of the credentials apart; the client is kept while it stays the same.
    pub(super) credentials: Credentials,
}

/// Which stored secrets an account's client was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) channel_id: String,
    pub(super) secret_serial: i64,
    pub(super) token_serial: Option<i64>,
    /// The active signing key: its id here and LINE's name of it.
    pub(super) key: Option<(String, String)>,
}

/// A channel secret and how long it is good for checking signatures.
#[derive(Debug, Clone)]
pub(super) struct SigningSecret {
    pub(super) secret: Secret,
    pub(super) valid_until: Option<Timestamp>,
}

impl Connected {
    /// The channel secret as the hub knows it now.
    pub(super) fn present_secret(&self) -> Secret {
        self.secrets.first().map_or_else(|| Secret::from(""), |present| present.secret.clone())
    }

    /// `x-line-signature` of a body, as LINE would make it.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> String {
        line_api::signature::sign(self.present_secret().expose(), body)
    }

    /// Whether its token is one that a person pasted.
    pub(super) fn has_pasted_token(&self) -> bool {
        self.credentials.token_serial.is_some()
    }

    /// Whether `signature` belongs to `body` under a secret that is valid at `now`. Every secret is tried in constant
    /// time, so the answer's time tells nothing.
    #[must_use]
    pub fn verify(&self, body: &[u8], signature: &str, now: Timestamp) -> bool {
        self.secrets
            .iter()
            .filter(|secret| secret.valid_until.is_none_or(|until| now < until))
            .fold(false, |ok, secret| {
                ok | line_api::signature::verify(secret.secret.expose(), body, signature)
            })
    }
}

/// What the webhook door counts of one account, in memory; the job writes it to the database now and then.
#[derive(Debug, Default)]
pub struct Seen {
    verified_at: AtomicI64,
    event_at: AtomicI64,
    /// As `event_at`, and stays when that is written.
    last_event_at: AtomicI64,
    oversized: AtomicU64,
    bad_signatures: AtomicI64,
    pub(super) rereads: Rereads,
}

/// What was counted since the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// When LINE last checked the line with an empty batch.
    pub verified_at: Option<Timestamp>,
    /// When the last events were stored.
    pub event_at: Option<Timestamp>,
    /// Bodies over the limit.
    pub oversized: u64,
    /// Bodies whose signature fits no valid secret, less those that a later secret was found to sign.
    pub bad_signatures: i64,
}

impl Seen {
    /// LINE checked the line (an empty batch, PLATFORM 15).
    pub fn verified(&self, at: Timestamp) {
        self.verified_at.fetch_max(at.millis(), Ordering::Relaxed);
    }

    /// Events were stored.
    pub fn events(&self, at: Timestamp) {
        self.event_at.fetch_max(at.millis(), Ordering::Relaxed);
        self.last_event_at.fetch_max(at.millis(), Ordering::Relaxed);
    }

    /// When events were stored last since this process began, whether or not the database knows it yet.
    #[must_use]
    pub fn last_event(&self) -> Option<Timestamp> {
        Some(Timestamp(self.last_event_at.load(Ordering::Relaxed))).filter(|at| at.millis() != 0)
    }

    /// A body was over the limit.
    pub fn oversized(&self) {
        self.oversized.fetch_add(1, Ordering::Relaxed);
    }

    /// A signature was wrong.
    pub fn bad_signature(&self) {
        self.bad_signatures.fetch_add(1, Ordering::Relaxed);
    }

    /// So many bodies whose signature was wrong turned out to be LINE's, by a secret that was entered later.
    pub fn verified_later(&self, count: i64) {
        self.bad_signatures.fetch_sub(count, Ordering::Relaxed);
    }

    /// Takes the counters; `None` when nothing happened since the last time.
    pub(super) fn take(&self) -> Option<Counted> {
        let time =
            |cell: &AtomicI64| Some(Timestamp(cell.swap(0, Ordering::Relaxed))).filter(|at| at.millis() != 0);
        let counted = Counted {
            verified_at: time(&self.verified_at),
            event_at: time(&self.event_at),
            oversized: self.oversized.swap(0, Ordering::Relaxed),
            bad_signatures: self.bad_signatures.swap(0, Ordering::Relaxed),
        };
        let nothing = Counted { verified_at: None, event_at: None, oversized: 0, bad_signatures: 0 };
        (counted != nothing).then_some(counted)
    }

    /// The counters, for tests: they stay.
    #[cfg(test)]
    pub(crate) fn peek(&self) -> Option<Counted> {
        self.take().inspect(|counted| self.put_back(*counted))
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, counted: Counted) {
        if let Some(at) = counted.verified_at {
            self.verified(at);
        }
        if let Some(at) = counted.event_at {
            self.events(at);
        }
        self.oversized.fetch_add(counted.oversized, Ordering::Relaxed);
        self.bad_signatures.fetch_add(counted.bad_signatures, Ordering::Relaxed);
    }
}

/// Lets one through per [`REREAD_PAUSE`]; those who come while it works wait for it and share what it found.
#[derive(Debug, Default)]
pub(super) struct Rereads(Mutex<Option<Instant>>);

impl Rereads {
    /// Runs `read` unless it ran just now.
    pub(super) async fn run<E>(&self, read: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        let mut last = self.0.lock().await;
        if last.is_some_and(|last| last.elapsed() < REREAD_PAUSE) {
            return Ok(());
        }
        let result = read.await;
        *last = Some(Instant::now());
        result
    }
}

impl Accounts {
    /// The account whose webhook address ends in `key`.
    #[must_use]
    pub fn by_key(&self, key: &str) -> Option<Arc<Connected>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).by_key.get(key).cloned()
    }

    /// The account with this id.
    #[must_use]
    pub fn by_id(&self, id: &AccountId) -> Option<Arc<Connected>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }

    /// All connected accounts.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Connected>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).by_id.values().cloned().collect()
    }

    /// Takes in an account, keeping the counters it had, and its client where the credentials are still the same.
    pub(super) fn put(&self, mut account: Connected) -> Arc<Connected> {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = maps.by_id.get(&account.id) {
            account.seen = Arc::clone(&before.seen);
            if before.credentials == account.credentials {
                account.line = before.line.clone();
            }
            let key = before.webhook_key.clone();
            maps.by_key.remove(&key);
        }
        let account = Arc::new(account);
        maps.by_key.insert(account.webhook_key.clone(), Arc::clone(&account));
        maps.by_id.insert(account.id.clone(), Arc::clone(&account));
        account
    }

    /// Forgets an account: its address answers 404 and nothing can be sent.
    pub(super) fn remove(&self, id: &AccountId) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = maps.by_id.remove(id) {
            maps.by_key.remove(&account.webhook_key);
        }
    }
}
