//! What a proxy key is.

use crate::clock::Timestamp;
use crate::ids::{AccountId, DestinationId, TenantId};
use crate::relay::Filter;
use crate::words::words;

/// How every proxy key begins, so that one that leaked is recognised.
pub(super) const PREFIX: &str = "tlp_";
/// The highest monthly limit that can be set.
pub(super) const LIMIT_MAX: i64 = 1_000_000_000;

words! {
    /// What a proxy key may be used for.
    ProxyScope {
        /// Answering with reply tokens, marking as read, the loading dots.
        Reply = "reply",
        /// Reading profiles, contents, menus and figures.
        Read = "read",
        /// Messages to one chat, which are paid for.
        Push = "push",
        /// Messages to many friends.
        Bulk = "bulk",
        /// Changing menus, audiences and coupons; leaving groups; the list of all friends.
        Manage = "manage",
    }
}

/// A destination's key, without the key itself.
#[derive(Debug, Clone)]
pub struct Key {
    /// The destination.
    pub destination: DestinationId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// What it gets, and so may ask about.
    pub filter: Filter,
    /// SHA-256 of the key, or of the one before it where that was used: a key in its place is another one.
    pub(super) hash: Vec<u8>,
    /// The key's last four characters.
    pub hint: String,
    /// What it may do.
    pub scopes: Vec<ProxyScope>,
    /// What its paid sends may cost in LINE's month, in messages of the quota; `None` without a limit of the hub's.
    pub monthly_paid_limit: Option<i64>,
    /// Whether a reply that cannot be one may go out as a push, where `push` and the limit allow it.
    pub reply_as_push: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The one that it took the place of, while that still works.
    pub before: Option<Before>,
}

/// A key that was replaced, and works beside the new one for a while, with the same scopes and limit.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its last four characters.
    pub hint: String,
    /// When it ends.
    pub until: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl Key {
    /// Whether it may do this.
    #[must_use]
    pub fn may(&self, scope: ProxyScope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// How scopes are stored.
pub(super) fn write_scopes(scopes: &[ProxyScope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",")
}

/// Reads [`write_scopes`].
pub(super) fn read_scopes(text: &str) -> Option<Vec<ProxyScope>> {
    text.split(',').filter(|word| !word.is_empty()).map(ProxyScope::parse).collect()
}
