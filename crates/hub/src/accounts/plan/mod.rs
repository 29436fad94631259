//! Who answers what: the plan of an account, the owners of its automatic answers, and the switches at LINE that go with
//! them. What LINE reports is compared; what it does not report is a dated tick (PLATFORM 26, S1-31 to S1-35).

use std::time::Duration;

use crate::accounts::model::{Account, AnswerKind, Owner, Plan, Tick};
use crate::accounts::settings::repo;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::ids::AccountId;
use crate::scope::Scope;

/// A tick older than this is to be looked at again: LINE's switches change without a word to the hub.
pub const STALE_AFTER: Duration = Duration::from_secs(90 * 24 * 3600);

/// Who gives answers of a kind. Only where it is [`Owner::Hub`] may the hub answer by itself.
#[must_use]
pub const fn owner(account: &Account, kind: AnswerKind) -> Owner {
    match kind {
        AnswerKind::Greeting => account.greeting_owner,
        AnswerKind::Keyword => account.keyword_owner,
        AnswerKind::Away => account.away_owner,
        AnswerKind::Bot => account.bot_owner,
    }
}

/// Whether the hub may give an answer of a kind by itself: it stays silent where LINE owns, and where nobody does.
#[must_use]
pub const fn hub_answers(account: &Account, kind: AnswerKind) -> bool {
    matches!(owner(account, kind), Owner::Hub)
}

/// All kinds with their owners, in the order of the page.
#[must_use]
pub fn owners(account: &Account) -> [(AnswerKind, Owner); 4] {
    [AnswerKind::Greeting, AnswerKind::Keyword, AnswerKind::Away, AnswerKind::Bot]
        .map(|kind| (kind, owner(account, kind)))
}

/// A tick that somebody set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticked {
    /// Which.
    pub tick: Tick,
    /// When.
    pub at: Timestamp,
    /// By whom: a person's or an API key's name at that time.
    pub by: String,
}

impl Ticked {
    /// Whether it is too old to rely on: [`STALE_AFTER`].
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.at < now.minus(STALE_AFTER)
    }
}

/// The ticks of an account that are set, in the order of their names.
///
/// # Errors
/// The database does not answer.
pub async fn ticks(hub: &Hub, scope: &Scope, id: &AccountId) -> DbResult<Vec<Ticked>> {
    repo::ticks(&hub.db, scope, id).await
}

/// A switch at LINE that the plan asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// "Chat" off: plan A. LINE reports it as `chatMode`.
    ChatOff,
    /// "Chat" on: plan B.
    ChatOn,
    /// "Use webhook" on. LINE reports it.
    WebhookOn,
    /// Messages are marked as read by hand, in plan B; LINE reports it as `markAsReadMode` (GOTCHAS F6).
    ReadByHand,
    /// What a person sees and ticks.
    Declared(Tick),
}

impl Switch {
    /// The word in keys of words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatOff => "chat_off",
            Self::ChatOn => "chat_on",
            Self::WebhookOn => "webhook_on",
            Self::ReadByHand => "read_by_hand",
            Self::Declared(tick) => tick.as_str(),
        }
    }
}

/// How a switch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchState {
    /// LINE reports it as the plan asks.
    Right,
    /// LINE reports it otherwise.
    Wrong,
    /// LINE was not asked yet.
    Unknown,
    /// Ticked, and not long ago.
    Ticked(Ticked),
    /// Ticked too long ago.
    Stale(Ticked),
    /// Not ticked.
    Open,
}

/// The switches that an account's plan and owners ask for, in the order in which a person clicks, with their state.
/// An answer that LINE owns asks for nothing: its switch stays as LINE has it.
#[must_use]
pub fn switches(account: &Account, ticks: &[Ticked], now: Timestamp) -> Vec<(Switch, SwitchState)> {
    let declared = |tick| Switch::Declared(tick);
    let mut wanted = match account.plan {
        Plan::A => vec![Switch::ChatOff, Switch::WebhookOn],
        Plan::B => vec![Switch::ChatOn, Switch::WebhookOn],
    };
    if account.greeting_owner != Owner::Line {
        wanted.push(declared(Tick::GreetingOff));
    }
    if account.plan == Plan::B {
        if account.away_owner != Owner::Line {
            wanted.push(declared(Tick::ResponseHoursOff));
        }
        if account.bot_owner != Owner::Line {
            wanted.push(declared(Tick::ResponseManual));
        }
        wanted.push(Switch::ReadByHand);
    }
    if account.keyword_owner != Owner::Line && account.bot_owner != Owner::Line {
        wanted.push(declared(Tick::AutoReplyOff));
    }
    wanted.extend([Tick::GroupChats, Tick::Redelivery, Tick::ErrorStatistics].map(declared));
    wanted.into_iter().map(|switch| (switch, state(account, switch, ticks, now))).collect()
}

fn state(account: &Account, switch: Switch, ticks: &[Ticked], now: Timestamp) -> SwitchState {
    let reported = |is_right: bool| if is_right { SwitchState::Right } else { SwitchState::Wrong };
    match switch {
        Switch::ChatOff => reported(account.chat_mode == "bot"),
        Switch::ChatOn => reported(account.chat_mode == "chat"),
        Switch::ReadByHand => reported(account.mark_as_read_mode == "manual"),
        Switch::WebhookOn => account.endpoint_active.map_or(SwitchState::Unknown, reported),
        Switch::Declared(tick) => match ticks.iter().find(|ticked| ticked.tick == tick) {
            Some(ticked) if ticked.is_stale(now) => SwitchState::Stale(ticked.clone()),
            Some(ticked) => SwitchState::Ticked(ticked.clone()),
            None => SwitchState::Open,
        },
    }
}
