//! Connected accounts (a LINE Official Account first): connect, credentials, tokens, webhook, disconnect.
//!
//! Owns `accounts`, `account_secrets`, `account_ticks` and `account_blocks`; the folder `keys` owns `signing_keys`,
//! the folder `guide` the set-ups,
//! `replies` `reply_owners`. Promises: a channel is held by one tenant of a hub at a time; credentials are taken only
//! after LINE accepted them, are sealed at rest and never shown again; a connecting that fails leaves nothing half made; a
//! disconnected account receives and sends nothing, and keeps its history and id for the same channel.
//! What the webhook door and the outbox need is in memory ([`Accounts`]), so that they look nothing up in SQL.

pub mod api;
pub mod doctor;
pub mod guide;
pub mod keys;
pub mod login;
mod memory;
mod model;
pub(in crate::accounts) mod pages;
pub mod pasted;
mod pending;
pub mod plan;
pub mod replies;
pub(crate) mod repo;
pub mod service;
pub mod settings;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore};
use crate::ids::AccountId;
use crate::web::SettingsEntry;

pub use memory::{Accounts, Connected, Counted, Seen};
pub(crate) use repo::STATEMENTS;
pub(crate) use settings::repo::STATEMENTS as SETTINGS_STATEMENTS;

pub(crate) use pages::{AccountHead, Tab};
pub use pages::{SWITCHER, chosen, routes};

pub use model::{
    Account, AnswerKind, Attention, Block, Environment, GroupChats, Market, OaKind, Owner, Plan, Reading,
    SenderName, Status, Tick, normal_line_id,
};

/// The pages of the settings.
pub const SETTINGS: [SettingsEntry; 2] = [
    SettingsEntry {
        href: "/settings/accounts",
        icon: "plug",
        label_key: "accounts-title",
        owners_only: false,
    },
    SettingsEntry {
        href: "/settings/public-url",
        icon: "globe",
        label_key: "accounts-public",
        owners_only: true,
    },
];

/// How often secrets are looked for whose time is over.
const TIDY_EVERY: Duration = Duration::from_secs(300);
/// How often the webhook door's counters are written.
const FLUSH_EVERY: Duration = Duration::from_secs(30);

/// Hears of what happens to accounts, after it was committed. `wiring.rs` lists those who do, in order.
pub trait AccountListener: Send + Sync + std::fmt::Debug {
    /// An account was connected, for the first time or again.
    fn connected<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, ()> {
        let _ = (hub, id);
        Box::pin(async {})
    }

    /// Checks again what came in while no known secret fitted, and takes in what fits now; gives how many requests that
    /// were. Told before [`credentials_changed`](Self::credentials_changed).
    fn verify_waiting<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, u64> {
        let _ = (hub, id);
        Box::pin(async { 0 })
    }

    /// How many requests wait for a secret that fits them.
    fn waiting<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, u64> {
        let _ = (hub, id);
        Box::pin(async { 0 })
    }

    /// An account has new credentials.
    fn credentials_changed<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, ()> {
        let _ = (hub, id);
        Box::pin(async {})
    }

    /// An account was disconnected. Told at least once, also when the process ended meanwhile; after an error again.
    fn disconnected<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, DbResult<()>> {
        let _ = (hub, id);
        Box::pin(async { Ok(()) })
    }
}

/// Writes the webhook door's counters and removes secrets whose time is over, until the hub stops.
///
/// # Errors
/// None: trouble is logged and passes.
pub async fn watch(hub: Hub) -> anyhow::Result<()> {
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    loop {
        tokio::select! {
            _ = tidy.tick() => {
                service::expire_secrets(&hub).await.log_and_ignore("removing secrets that were replaced");
                if let Err(error) = service::tell_of_public_url(&hub).await {
                    tracing::warn!(detail = error.detail, "the public address was not compared");
                }
                service::reread_all(&hub).await.log_and_ignore("reading the accounts again");
                keys::service::expire(&hub).await.log_and_ignore("removing keys that were retired");
            }
            _ = flush.tick() => service::flush(&hub).await,
            () = hub.stop.cancelled() => break,
        }
    }
    service::flush(&hub).await;
    Ok(())
}
