//! Tenants, users, roles, sessions, API keys, one-time links and the audit log.
//!
//! Owns the tables `tenants`, `users`, `account_grants`, `sessions`, `api_keys`, `one_time_links`, `sign_in_attempts`,
//! `audit_log` and `companies`. It promises: a password is kept only as an argon2id hash; tokens and keys only as SHA-256; whoever guesses
//! passwords is slowed down and learns not even which addresses exist; a tenant never sees another tenant's people or keys;
//! every change of any slice can be found in the audit log ([`service::audit`], in the transaction of the change).
//!
//! A page's handler takes [`Viewer`], an API handler takes [`Key`]; both give the [`Scope`](crate::scope::Scope) for repos.

mod access;
pub mod company;
mod model;
mod pages;
mod password;
mod repo;
pub mod service;
mod sign_in;
#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::Router;

pub use access::{Key, Viewer, attach_session};
pub use model::{
    Actor, AuditEntry, Invitation, KeyInfo, KeyScope, KeyScopes, Link, LinkKind, Member, NewUser, Role,
    Tenant,
};
pub(crate) use repo::STATEMENTS;

use crate::app::Hub;
use crate::db::LogAndIgnore as _;
use crate::web::{NavEntry, SettingsEntry};

/// Where profile, people, keys and the audit log are.
pub const NAV: NavEntry =
    NavEntry { href: "/settings", icon: "settings", label_key: "team-nav-settings", count: None };

/// The team's pages of the settings.
pub const SETTINGS: [SettingsEntry; 6] = [
    company::pages::SETTINGS,
    SettingsEntry {
        href: "/settings/profile",
        icon: "user",
        label_key: "team-profile-title",
        owners_only: false,
    },
    SettingsEntry {
        href: "/settings/people",
        icon: "users",
        label_key: "team-people-title",
        owners_only: true,
    },
    SettingsEntry {
        href: "/settings/api-keys",
        icon: "key-round",
        label_key: "team-keys-title",
        owners_only: true,
    },
    SettingsEntry {
        href: "/settings/audit-log",
        icon: "history",
        label_key: "team-audit-title",
        owners_only: true,
    },
    SettingsEntry {
        href: "/settings/system",
        icon: "server",
        label_key: "team-system-title",
        owners_only: true,
    },
];

/// How often what is over is removed.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Removes ended sessions and old counts of attempts, until the hub stops.
///
/// # Errors
/// Never: a failed round is logged and tried again.
pub async fn watch(hub: Hub) -> anyhow::Result<()> {
    loop {
        service::prune(&hub).await.log_and_ignore("removing ended sessions");
        tokio::select! {
            () = hub.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PRUNE_EVERY) => {}
        }
    }
}

/// Sign-in, one-time links, profile, people, API keys, audit log, the operator's settings.
pub fn routes() -> Router<Hub> {
    pages::routes()
}
