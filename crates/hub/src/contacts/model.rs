//! What a contact is, and what an act says about following.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::ids::{AccountId, ContactId, TenantId};

/// The same person as another account of the tenant knows them.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Also {
    /// That contact.
    pub id: ContactId,
    /// That account.
    pub account_id: AccountId,
    /// Its name.
    pub account_name: String,
    /// A friend of it now; `None` when not known.
    pub following: Option<bool>,
}

/// A person known to an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    /// The hub's id.
    pub id: ContactId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The account that knows them.
    pub account_id: AccountId,
    /// `line`.
    pub messenger: String,
    /// The messenger's id of the person (LINE: `U…`, one per Provider).
    pub external_id: String,
    /// The name they chose; `None` until the profile was fetched.
    pub display_name: Option<String>,
    /// Their picture at LINE.
    pub picture_url: Option<String>,
    /// BCP 47, as LINE tells it.
    pub language: Option<String>,
    /// Their status line.
    pub status_message: Option<String>,
    /// A friend now; `None` when not known.
    pub following: Option<bool>,
    /// When they blocked the account.
    pub blocked_at: Option<Timestamp>,
    /// When the profile was last asked for.
    pub profile_at: Option<Timestamp>,
    /// Labels, sorted.
    pub tags: Vec<String>,
    /// Custom fields.
    pub attributes: BTreeMap<String, String>,
    /// When the hub first saw them.
    pub created_at: Timestamp,
}

/// What agents and programs note on a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Tags.
    pub tags: Vec<String>,
    /// Custom fields.
    pub attributes: BTreeMap<String, String>,
}

/// What an event tells about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Added the account as a friend, or lifted a block.
    Follow,
    /// Blocked the account.
    Unfollow,
    /// Wrote or tapped in the chat with the account; only possible while not blocking.
    Chat,
    /// Was seen in a group or room, which says nothing about following.
    Group,
}

/// The relation that an act at `at` would leave: following, blocked since, and the time that decides which act is newer.
#[must_use]
pub const fn relation(act: Act, at: Timestamp) -> (Option<bool>, Option<Timestamp>, Timestamp) {
    match act {
        Act::Follow | Act::Chat => (Some(true), None, at),
        Act::Unfollow => (Some(false), Some(at), at),
        // Time zero is newer than nothing: it never changes what is known.
        Act::Group => (None, None, Timestamp(0)),
    }
}
