//! The guided set-up: from "what do you have?" to "your first message arrived", in stages that keep their state, and the help
//! pages beside it.
//!
//! Owns `setups` and `setup_ticks`. It promises that leaving and coming back, with another browser or as another owner,
//! loses nothing but typed secrets, which are never stored here; that clicks at LINE which cannot be taken back are
//! announced before the link to them is given; and that what an API can tell is read at LINE, not asked of the person.

pub mod api;
pub(super) mod model;
pub(super) mod pages;
pub(super) mod repo;
pub mod service;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;

use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::web::SettingsEntry;

pub use model::Has;
pub(super) use pages::Open;
pub use pages::routes;
pub(crate) use repo::STATEMENTS;

/// The help pages, in the list of the settings.
pub const HELP: SettingsEntry = SettingsEntry {
    href: "/settings/help",
    icon: "circle-question-mark",
    label_key: "guide-help-title",
    owners_only: false,
};

/// What came in from an account's friends, as the last stage of the set-up shows it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Where it can be read: an address within the hub.
    pub href: String,
    /// Who wrote, where LINE tells.
    pub who: Option<String>,
    /// What was written, of a text.
    pub text: Option<String>,
    /// Whether it was a message, and not a friend-add or another act.
    pub is_message: bool,
    /// When.
    pub at: Timestamp,
}

/// Tells what came in. The slice that keeps conversations comes after this one; `wiring.rs` names it.
pub trait Arrivals: Send + Sync + std::fmt::Debug {
    /// The newest message that friends sent an account since a moment by our clock, within the scope; where none came, the
    /// newest act of a friend. What the account itself sent does not count.
    fn newest<'a>(
        &'a self,
        hub: &'a Hub,
        scope: &'a Scope,
        account: &'a AccountId,
        since: Timestamp,
    ) -> BoxFuture<'a, AppResult<Option<Arrival>>>;
}
