//! What people decide about an account: label, kind, market, environment, group chats, sender, plan, owners and ticks.
//!
//! Owns `account_ticks` and `account_blocks`, and the columns of `accounts` that LINE does not fill.

pub mod api;
mod copy;
pub(in crate::accounts) mod repo;
mod service;
#[cfg(test)]
mod tests;

use crate::accounts::model::{
    AnswerKind, Block, Environment, GroupChats, Market, OaKind, Owner, Plan, SenderName, Tick,
};
use crate::clock::Timestamp;

pub use copy::{Copied, copied, copy};
pub(in crate::accounts) use service::write;
pub use service::{all_ticks, ask_kind, blocks, change, shows_groups};

/// The longest label, in characters.
pub const LABEL_MAX: usize = 60;

/// What is to be changed; what is `None` or empty stays.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Live or test.
    pub environment: Option<Environment>,
    /// The label; `Some(None)` for none: LINE's name is shown.
    pub display_label: Option<Option<String>>,
    /// The kind of the official account; `Some(None)` for "not said".
    pub kind: Option<Option<OaKind>>,
    /// The country it was opened for.
    pub market: Option<Option<Market>>,
    /// Whether groups are shown.
    pub group_chats: Option<GroupChats>,
    /// Whose name friends read.
    pub sender_name: Option<SenderName>,
    /// Where people answer.
    pub plan: Option<Plan>,
    /// Owners of automatic answers.
    pub owners: Vec<(AnswerKind, Owner)>,
    /// Ticks to set with today's date, or to take away.
    pub ticks: Vec<(Tick, bool)>,
}

/// Who changed a block last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which block.
    pub block: Block,
    /// When.
    pub at: Timestamp,
    /// A person's or an API key's name at that time.
    pub by: String,
}
