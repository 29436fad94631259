//! What a send is, and the pure rules of sending: what to do next, and what an answer means.
//!
//! [`plan`] and [`after`] are the whole state machine. Both look only at what is stored, so whatever node asks, and
//! after whatever crash, the answer is the same.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::ids::{AccountId, ConversationId, DestinationId, MessageId, SendId, TenantId};
use crate::words::words;

/// LINE takes a reply token for one minute after the webhook (PLATFORM 17), by our clock from our receipt.
pub const TOKEN_LIFE: Duration = Duration::from_secs(60);
/// What of that minute is left to the network: an attempt is started only before `TOKEN_LIFE - TOKEN_MARGIN`.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(10);
/// The token of a redelivered event is dead 20 minutes after the event (PLATFORM 17).
pub const REDELIVERED_TOKEN_LIFE: Duration = Duration::from_secs(20 * 60);
/// How long a push is repeated. LINE forgets a retry key after 24 hours and would then send again (PLATFORM 18).
pub const PUSH_REPEATED_FOR: Duration = Duration::from_secs(23 * 3600);
/// How old a reading of quota or member count may be to be relied on.
pub const READING_LIFE: Duration = Duration::from_secs(60);
/// Message objects in one call (PLATFORM 7).
pub const MESSAGES_PER_CALL: usize = 5;

words! {
    /// Where a send stands.
    State {
        /// Waits for its turn or for its next attempt.
        Queued = "queued",
        /// An attempt is under way.
        Sending = "sending",
        /// LINE accepted it.
        Sent = "sent",
        /// It certainly did not go out.
        Failed = "failed",
        /// It may have gone out; a person decides.
        Unknown = "unknown",
    }
    /// How a send reaches LINE.
    Via {
        /// Free, with a reply token.
        Reply = "reply",
        /// Paid per recipient.
        Push = "push",
        /// Paid, to up to 500 friends.
        Multicast = "multicast",
        /// Paid, to every friend.
        Broadcast = "broadcast",
        /// Paid, to friends by attributes.
        Narrowcast = "narrowcast",
    }
    /// Who wanted a send.
    Origin {
        /// A person in the inbox.
        Agent = "agent",
        /// A rule.
        Automation = "automation",
        /// A campaign.
        Campaign = "campaign",
        /// A program, by the API.
        Api = "api",
        /// Another system, by the LINE-compatible proxy.
        Proxy = "proxy",
        /// The hub itself.
        System = "system",
    }
    /// What kind of chat a send goes to.
    TargetKind {
        /// One person.
        User = "user",
        /// A group.
        Group = "group",
        /// A room.
        Room = "room",
    }
    /// Why a send did not go out, or is not known to have.
    Fault {
        /// It could no longer be free, and paying (that much) was not allowed.
        PaidSendRefused = "paid_send_refused",
        /// The month's quota is used up, or reserved by a running broadcast.
        QuotaExhausted = "quota_exhausted",
        /// LINE refused it for good; the detail has LINE's words.
        LineRefused = "line_refused",
        /// LINE does not take the account's credentials.
        Credentials = "credentials",
        /// LINE could not be reached for as long as it makes sense to try.
        LineUnavailable = "line_unavailable",
        /// The account is not connected any more.
        Disconnected = "disconnected",
        /// LINE's answer never arrived.
        NoAnswer = "no_answer",
    }
}

impl State {
    /// Whether it stays as it is.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Unknown)
    }
}

impl Fault {
    /// What happened, for a person, where LINE gave no words of its own.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::PaidSendRefused => {
                "it can no longer be sent free of charge, and a paid send was not allowed"
            }
            Self::QuotaExhausted => "the month's quota is used up, or reserved by a running broadcast",
            Self::LineRefused => "LINE refused the message",
            Self::Credentials => "LINE does not accept the account's credentials",
            Self::LineUnavailable => "LINE could not be reached",
            Self::Disconnected => "the account is not connected",
            Self::NoAnswer => {
                "LINE's answer did not arrive, so the message may or may not have been delivered"
            }
        }
    }
}

/// The chat a send goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Person, group or room.
    pub kind: TargetKind,
    /// LINE's ID of it.
    pub id: String,
}

/// What may be paid for a send. It binds until LINE's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whether it may be a push when it cannot be a reply.
    pub allow_paid: bool,
    /// The most that push may cost, in messages of the quota.
    pub max_cost: i64,
}

impl Terms {
    /// Free or not at all.
    pub const FREE: Self = Self { allow_paid: false, max_cost: 0 };
    /// A push to one person is allowed (CONTRACT "Messages": `max_cost` is 1 unless said otherwise).
    pub const ONE: Self = Self { allow_paid: true, max_cost: 1 };
}

/// A reply token of an event, to be remembered with the event's message.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The account.
    pub account: &'a AccountId,
    /// The conversation that the event belongs to.
    pub conversation: &'a ConversationId,
    /// `replyToken`.
    pub token: &'a str,
    /// The event's place in the journal.
    pub position: i64,
    /// LINE's time of the event.
    pub event_at: Timestamp,
    /// When the hub received it.
    pub received_at: Timestamp,
    /// `deliveryContext.isRedelivery`.
    pub redelivered: bool,
    /// The system whose it is; `None` for the hub.
    pub owner: Option<&'a DestinationId>,
}

impl NewToken<'_> {
    /// Until when an attempt with it may start.
    #[must_use]
    pub fn usable_until(&self) -> Timestamp {
        let until = self.received_at.plus(TOKEN_LIFE);
        let until =
            if self.redelivered { until.min(self.event_at.plus(REDELIVERED_TOKEN_LIFE)) } else { until };
        until.minus(TOKEN_MARGIN)
    }

    /// Whether LINE's console made it up for a test: all `0` or all `f` (GOTCHAS A7).
    #[must_use]
    pub fn is_dummy(&self) -> bool {
        ["0", "f"].iter().any(|c| !self.token.is_empty() && self.token.replace(c, "").is_empty())
    }
}

/// What a send asks for beside its messages, as another system may do through the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extras {
    /// `notificationDisabled`: the phone makes no sound.
    #[serde(default)]
    pub silent: bool,
    /// `customAggregationUnits`, of a push only (PLATFORM 7).
    #[serde(default)]
    pub units: Vec<String>,
}

/// A call that sends to many at once and belongs to no conversation.
#[derive(Debug, Clone)]
pub struct NewBulk {
    /// The tenant.
    pub tenant: TenantId,
    /// The account that sends.
    pub account: AccountId,
    /// Multicast, broadcast or narrowcast.
    pub kind: Via,
    /// Who wanted it.
    pub origin: Origin,
    /// The id of who is behind it.
    pub actor: String,
    /// The request's exact bytes.
    pub body: Vec<u8>,
    /// Message objects in it.
    pub messages: usize,
    /// What it costs at most; `None` where LINE alone knows.
    pub cost: Option<i64>,
}

/// A reply token as the hub knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownToken {
    /// The conversation of its event.
    pub conversation: ConversationId,
    /// Until when an attempt with it may start.
    pub usable_until: Timestamp,
    /// Whether a send has it.
    pub is_claimed: bool,
    /// Whose it is: empty for the hub, else the id of a destination.
    pub owner: String,
}

/// How a send came to its end, with LINE's own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Sent, failed or unknown.
    pub state: State,
    /// How it went.
    pub via: Option<Via>,
    /// Why it did not.
    pub fault: Option<Fault>,
    /// LINE's words, or ours.
    pub detail: Option<String>,
    /// Sent as far as can be told; LINE's answer was lost.
    pub presumed: bool,
    /// LINE's ID of the request.
    pub request_id: Option<String>,
    /// LINE's refusal: the status, and the body as JSON.
    pub refusal: Option<(u16, Value)>,
    /// What LINE calls each message: its ID and its quote token, in order.
    pub messages: Vec<(Option<String>, Option<String>)>,
}

/// Messages to be sent to one conversation.
#[derive(Debug, Clone)]
pub struct NewSend {
    /// The tenant.
    pub tenant: TenantId,
    /// The account that sends.
    pub account: AccountId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation's chat at LINE.
    pub target: Target,
    /// One to five valid message objects with the ids of their message rows, in order.
    pub messages: Vec<(MessageId, Value)>,
    /// Who wanted it.
    pub origin: Origin,
    /// The id of the person, key or rule behind it; empty for the hub itself.
    pub actor: String,
    /// What may be paid.
    pub terms: Terms,
    /// What it asks for beside its messages.
    pub extras: Extras,
}

/// Where messages were put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The send that carries them.
    pub send: SendId,
    /// Whether it was there before: they share its call.
    pub joined: bool,
}

/// What a send to a conversation would cost now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Until when it is free; `None` when it would be a push.
    pub free_until: Option<Timestamp>,
    /// The cost in messages of the quota: 0 while free, else 1 or the members of a group or room; `None` when LINE
    /// did not tell the number of members.
    pub cost: Option<i64>,
    /// The system that may answer for free in the hub's stead, where it is one.
    pub owned_by: Option<DestinationId>,
    /// What of the month's quota is left after all sends under way; `None` when the account has no limit or no
    /// reading of the last minute exists.
    pub quota_left: Option<i64>,
}

/// The way of one outgoing message, as the inbox and the API show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: MessageId,
    /// The call that carries it.
    pub send: SendId,
    /// Its place in the call, 0–4.
    pub place: i64,
    /// Where the call stands.
    pub state: State,
    /// How it goes; `None` before the first attempt.
    pub via: Option<Via>,
    /// What it cost, in messages of the quota: the whole call's cost at its first message, 0 at the others. `None`
    /// before the first attempt and after a failure.
    pub cost: Option<i64>,
    /// Why it failed or is unknown.
    pub fault: Option<Fault>,
    /// LINE's words, or ours.
    pub detail: Option<String>,
    /// Sent as far as can be told: the answer was lost, and LINE then called the reply token used.
    pub presumed: bool,
    /// LINE's ID of the message.
    pub line_message_id: Option<String>,
    /// By which the message can be quoted.
    pub quote_token: Option<String>,
}

/// A message whose send has come to its end; see [`SendListener`](super::SendListener).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledMessage {
    /// The tenant.
    pub tenant: TenantId,
    /// The account.
    pub account: AccountId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Who wanted it.
    pub origin: Origin,
    /// How it ended.
    pub delivery: Delivery,
    /// When.
    pub at: Timestamp,
}

/// Calls, messages and cost of some sends of a month that went out or may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Used {
    /// Calls that LINE accepted or may have accepted.
    pub calls: i64,
    /// The messages in them.
    pub messages: i64,
    /// What they cost, in messages of the quota.
    pub cost: i64,
}

impl Used {
    /// Adds another count.
    pub const fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.messages += other.messages;
        self.cost += other.cost;
    }
}

/// An account's month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The account.
    pub account: AccountId,
    /// What LINE last said.
    pub line: Option<Reading>,
    /// What the hub sent, by kind and origin.
    pub ours: Vec<(Via, Origin, Used)>,
}

/// LINE's word on an account's quota (PLATFORM 8: approximate, late, OA Manager's sends among them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What the month may cost; `None` without a limit.
    pub quota: Option<i64>,
    /// What it has cost.
    pub used: i64,
    /// When LINE said so.
    pub read_at: Timestamp,
}

/// A calendar month. LINE counts days in Japan's time (GOTCHAS C13); where its month begins is not published, so it is
/// taken to begin there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    const ZONE: jiff::tz::Offset = jiff::tz::Offset::constant(9);

    /// The month of a moment.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let date = Self::ZONE.to_datetime(at.to_jiff()).date();
        Self { year: date.year(), month: date.month() }
    }

    /// Reads `2026-11`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) =
            text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
        let month = Self { year: year.parse().ok()?, month: month.parse().ok()? };
        month.first().map(|_| month)
    }

    fn first(self) -> Option<jiff::civil::Date> {
        jiff::civil::Date::new(self.year, self.month, 1).ok()
    }

    /// Its first moment, and that of the next month.
    #[must_use]
    pub fn bounds(self) -> (Timestamp, Timestamp) {
        let start = |year, month| {
            let first = Self { year, month }.first().map(|date| date.at(0, 0, 0, 0));
            let at = first.and_then(|at| Self::ZONE.to_timestamp(at).ok()).unwrap_or_default();
            Timestamp(at.as_millisecond())
        };
        let next = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        (start(self.year, self.month), start(next.0, next.1))
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// A reply token that a send may use or uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// `replyToken`.
    pub token: String,
    /// Until when an attempt with it may start.
    pub usable_until: Timestamp,
}

impl Token {
    /// From when LINE takes it no more, by our clock.
    #[must_use]
    pub fn dead_at(&self) -> Timestamp {
        self.usable_until.plus(TOKEN_MARGIN)
    }
}

/// The request that a send has on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A reply with this token.
    Reply(Token),
    /// A push.
    Push,
}

/// A send on its way, as it is stored.
#[derive(Debug, Clone)]
pub struct OnItsWay {
    /// Its id.
    pub id: SendId,
    /// The account that sends.
    pub account: AccountId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The chat at LINE.
    pub target: Target,
    /// Who wanted it.
    pub origin: Origin,
    /// What it asks for beside its messages.
    pub extras: Extras,
    /// What decides the next step.
    pub progress: Progress,
    /// The members of the group or room, and when they were counted.
    pub members: Option<(i64, Timestamp)>,
    /// The bytes of the request on disk.
    pub body: Option<Vec<u8>>,
    /// The retry key of the push on disk.
    pub retry_key: Option<String>,
}

impl OnItsWay {
    /// What a push costs now; `None` when the members have to be counted (again).
    #[must_use]
    pub fn push_cost(&self, now: Timestamp) -> Option<i64> {
        match self.target.kind {
            TargetKind::User => Some(1),
            TargetKind::Group | TargetKind::Room => {
                self.members.filter(|(_, at)| now < at.plus(READING_LIFE)).map(|(members, _)| members)
            }
        }
    }
}

/// What is known of a send when the next step is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What may be paid.
    pub terms: Terms,
    /// The request on disk, from the first attempt on.
    pub request: Option<Request>,
    /// Whether an attempt with this request may have gone out although no answer said so. Never cleared.
    pub open: bool,
    /// Attempts begun, of all its requests.
    pub attempts: i64,
    /// When the first attempt with this request began.
    pub first_attempt_at: Option<Timestamp>,
    /// When it was queued.
    pub created_at: Timestamp,
}

/// What the conversation has to offer to a send that is not bound yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The newest usable reply token that nobody has claimed.
    pub token: Option<Token>,
    /// What a push costs; `None` when the members of the group have to be counted first.
    pub cost: Option<i64>,
}

/// The next step of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Send the request on disk, the same bytes and key.
    Repeat,
    /// Write a reply with this token, then send it.
    Reply(Token),
    /// Write a push that costs this much, or keep the one on disk when nothing of it changes, then send it.
    Push(i64),
    /// Ask LINE what a push would cost, then plan again.
    Count,
    /// Nothing went out and nothing will.
    Fail(Fault),
    /// It may have gone out, and trying again could send it twice.
    GiveUp,
}

/// Finds the next step.
#[must_use]
pub fn plan(progress: &Progress, offer: Offer, now: Timestamp) -> Plan {
    if progress.open {
        // Whatever else would be possible: a request that may have gone out is repeated as it is, or left alone.
        let may_repeat = match &progress.request {
            Some(Request::Reply(token)) => now < token.usable_until,
            Some(Request::Push) => may_push(progress.first_attempt_at, now),
            None => false,
        };
        return if may_repeat { Plan::Repeat } else { Plan::GiveUp };
    }
    if let Some(Request::Reply(token)) = &progress.request
        && now < token.usable_until
    {
        return Plan::Repeat;
    }
    if let Some(token) = offer.token {
        return Plan::Reply(token);
    }
    if !may_push(Some(progress.created_at), now) {
        return Plan::Fail(Fault::LineUnavailable);
    }
    if !progress.terms.allow_paid {
        return Plan::Fail(Fault::PaidSendRefused);
    }
    match offer.cost {
        None => Plan::Count,
        Some(cost) if cost > progress.terms.max_cost => Plan::Fail(Fault::PaidSendRefused),
        Some(cost) => Plan::Push(cost),
    }
}

fn may_push(since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_none_or(|since| now < since.plus(PUSH_REPEATED_FOR))
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// LINE took it, now or (409) at an earlier attempt.
    Accepted,
    /// LINE calls the reply token used, expired or unknown, which it does not tell apart (PLATFORM 7).
    InvalidToken,
    /// LINE cannot read the reply token, so it is none of LINE's (PLATFORM 5).
    MalformedToken,
    /// LINE refused it for good; `None` where the request could not even be written.
    Refused(Option<u16>),
    /// 429 for speed: not sent.
    Wait(Option<Duration>),
    /// 429 for the quota: not sent.
    QuotaUsedUp,
    /// It may have gone out.
    Open,
    /// It never left.
    NotSent,
    /// 401: not sent.
    Credentials,
    /// The account is not connected any more: not sent.
    Disconnected,
}

/// What an outcome makes of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It went out; `presumed` when LINE's answer was lost but its words leave no other reading.
    Sent {
        /// See [`Delivery::presumed`].
        presumed: bool,
    },
    /// Plan again at that time; `open` when this or an earlier attempt may have gone out.
    Retry {
        /// Not before.
        at: Timestamp,
        /// The new value of [`Progress::open`].
        open: bool,
    },
    /// The token is of no use and nothing went out: plan again at once, without it.
    Replan,
    /// It certainly did not go out.
    Failed(Fault),
    /// It may have gone out, and no repetition will tell.
    Unknown(Fault),
}

/// Reads an outcome. `progress` is that of the attempt: its count includes it, its `open` is from before. `luck` is
/// any number, for the jitter.
#[must_use]
pub fn after(progress: &Progress, outcome: &Outcome, now: Timestamp, luck: u64) -> Next {
    let settle = |fault| if progress.open { Next::Unknown(fault) } else { Next::Failed(fault) };
    let retry = |asked: Option<Duration>, open| {
        let wait = backoff(progress, luck).max(asked.unwrap_or_default().min(Duration::from_secs(3600)));
        Next::Retry { at: now.plus(wait), open }
    };
    match outcome {
        Outcome::Accepted => Next::Sent { presumed: false },
        Outcome::InvalidToken => match &progress.request {
            Some(Request::Reply(_)) if !progress.open => Next::Replan,
            // While the token lives, only its use by the first attempt explains these words (GOTCHAS B3); later they
            // say nothing.
            Some(Request::Reply(token)) if now < token.dead_at() => Next::Sent { presumed: true },
            Some(Request::Reply(_)) => Next::Unknown(Fault::NoAnswer),
            Some(Request::Push) | None => Next::Failed(Fault::LineRefused),
        },
        Outcome::MalformedToken if !progress.open => Next::Replan,
        // A 400 judges the bytes, and an earlier attempt had the same ones; a push that was accepted before is
        // answered 409 (PLATFORM 18).
        Outcome::MalformedToken | Outcome::Refused(Some(400)) => Next::Failed(Fault::LineRefused),
        // Other refusals are about the moment and tell nothing of an earlier attempt.
        Outcome::Refused(_) => settle(Fault::LineRefused),
        Outcome::QuotaUsedUp => settle(Fault::QuotaExhausted),
        Outcome::Credentials => settle(Fault::Credentials),
        Outcome::Disconnected => settle(Fault::Disconnected),
        Outcome::Wait(asked) => retry(*asked, progress.open),
        Outcome::NotSent => retry(None, progress.open),
        Outcome::Open => retry(None, true),
    }
}

/// 1, 2, 4 … seconds, at most 5 minutes; for a reply at most 8 seconds, because its token dies. Half of it is jitter.
fn backoff(progress: &Progress, luck: u64) -> Duration {
    let most = if matches!(progress.request, Some(Request::Reply(_))) { 8_000 } else { 300_000 };
    let doublings = u32::try_from(progress.attempts.saturating_sub(1).clamp(0, 20)).unwrap_or(20);
    let full = 1_000_u64.saturating_mul(1 << doublings).min(most);
    Duration::from_millis(full / 2 + luck % (full / 2 + 1))
}
