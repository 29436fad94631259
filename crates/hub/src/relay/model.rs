//! What a destination is, and the rules that need neither database nor network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AccountId, DestinationId, TenantId};
use crate::secrets::Secret;
use crate::words::words;

/// Units with rows of their own that a destination may have before its cursor stops: what one chat may pile up behind
/// a request that fails, before the other chats wait too.
pub(super) const ROWS_MAX: usize = 4_000;
/// Units with rows of their own that are in memory at once: more than the bound only where a person wants many again.
pub(super) const ROWS_LOADED: usize = 20_000;
/// How long a call may take, unless the destination says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest and longest time that a destination may set, in ms.
pub(super) const TIMEOUT_BOUNDS: (i64, i64) = (500, 30_000);
/// Calls under way at once, unless the destination says otherwise, and the most that it may say.
pub(super) const CONCURRENCY: (i64, i64) = (16, 64);
/// The highest rate that can be set, in calls a second.
pub(super) const RATE_MAX: i64 = 10_000;
/// How much of an answer is read, in bytes; the rest is left and its connection closed.
pub(super) const ANSWER_MAX: usize = 64 << 10;
/// How much of an answer is kept in the log of attempts, in characters.
pub(super) const ANSWER_KEPT: usize = 500;

/// The first wait after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer, but one that the destination asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// The longest `Retry-After` that is honoured.
const ASKED_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long all units wait because one was answered with `Retry-After`; that one waits for as long as was asked.
pub(super) const HOLD_MAX: Duration = Duration::from_secs(3600);
/// How long one unit is tried while others get through.
pub(super) const TRIED_FOR: Duration = Duration::from_secs(24 * 3600);
/// So many failures without a success between them, and only one unit is tried at a time.
pub(super) const SUSPECT_AFTER: u32 = 8;
/// So many refusals without a success between them, and what is refused is no longer put aside but tried again.
pub(super) const REFUSALS_MAX: u32 = 5;
/// How long a secret of the second signature, or a key to LINE, that was replaced works beside the new one.
pub(super) const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// A destination that has failed for so long is paused, and said to be so.
pub(super) const PAUSED_AFTER: Duration = Duration::from_secs(5 * 60);

words! {
    /// Who signs what a destination gets.
    Signing {
        /// LINE's bytes with LINE's signature: the destination holds the channel secret.
        Line = "line",
        /// LINE's bytes, signed with a secret of the destination's own.
        Own = "own",
    }
    /// Why a destination gets nothing although it is switched on.
    Halt {
        /// It answered 410: it wants nothing any more, until a person resumes it.
        Gone = "gone",
        /// It leads back to this hub.
        Loop = "loop",
        /// It has failed for long; it is tried now and then, and goes on by itself.
        Failing = "failing",
        /// Its cursor belongs to another journal: the hub's was replaced, or an older one put back.
        Journal = "journal",
        /// A secret that its calls are signed with does not open: it was sealed by a master key that is not here.
        Secret = "secret",
    }
    /// How a destination fares.
    State {
        /// Nothing waits for another try.
        Healthy = "healthy",
        /// Something does.
        Retrying = "retrying",
        /// A person switched it off, or it has failed for long.
        Paused = "paused",
        /// It must not be called again before a person looks at it.
        Stopped = "stopped",
    }
    /// Where a unit stands that has a row of its own.
    Standing {
        /// It goes when its time has come.
        Retrying = "retrying",
        /// The destination refused it for good.
        Refused = "refused",
        /// It was tried for as long as it makes sense, or the journal no longer has it.
        Expired = "expired",
        /// A person left it out, or nothing in it is for the destination any more.
        Skipped = "skipped",
    }
}

/// Which events a destination wants. Nothing set means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Types of events (`message`, `follow`, …); all when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// `user`, `group`, `room`; all when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
    /// Only events of contacts that have one of these tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Only events of so many of 100 contacts, always the same ones (1–100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<u8>,
}

impl Filter {
    /// Whether everything passes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// A destination.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Its id.
    pub id: DestinationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The account whose events it gets.
    pub account: AccountId,
    /// Its name among people.
    pub name: String,
    /// Its address.
    pub url: String,
    /// What it wants.
    pub filter: Filter,
    /// Who signs.
    pub signing: Signing,
    /// Its own secret, sealed.
    pub secret: Option<String>,
    /// The secret of the second signature, sealed, where it has one.
    pub standard: Option<Standard>,
    /// Whether a person has it switched on.
    pub active: bool,
    /// Why it gets nothing all the same.
    pub halt: Option<Halt>,
    /// Since when it fails without a success.
    pub failing_since: Option<Timestamp>,
    /// Calls at once.
    pub concurrency: i64,
    /// Calls a second; no limit when left out.
    pub rate: Option<i64>,
    /// How long a call may take, in ms.
    pub timeout_ms: i64,
    /// The journal's place up to which everything is settled or has a row.
    pub position: i64,
    /// The journal to which that place belongs.
    pub epoch: i64,
    /// Its last call.
    pub last: Option<Last>,
    /// Units that wait for another try.
    pub retrying: i64,
    /// Units that were refused or expired, and that nobody has looked after.
    pub parked: i64,
    /// Grows with every change by a person.
    pub serial: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a person changed it last.
    pub updated_at: Timestamp,
}

/// The second signature, in the form of Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standard {
    /// Its secret, sealed.
    pub secret: String,
    /// The secret before it, sealed, and until when it signs as well.
    pub before: Option<(String, Timestamp)>,
}

/// Secrets that were made just now, to be shown this once.
#[derive(Debug, Default)]
pub struct NewSecrets {
    /// The destination's own, for `x-line-signature`.
    pub own: Option<Secret>,
    /// That of the second signature, `whsec_…`.
    pub standard: Option<Secret>,
}

/// How the last call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Last {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The status of the answer; null when there was none.
    pub status: Option<i64>,
    /// How long it took.
    pub duration_ms: i64,
    /// What went wrong; null when nothing did.
    pub error: Option<String>,
}

impl Destination {
    /// How it fares.
    #[must_use]
    pub const fn state(&self) -> State {
        match (self.halt, self.active) {
            (Some(Halt::Gone | Halt::Loop | Halt::Journal | Halt::Secret), _) => State::Stopped,
            (Some(Halt::Failing), _) | (_, false) => State::Paused,
            (None, true) if self.retrying > 0 => State::Retrying,
            (None, true) => State::Healthy,
        }
    }

    /// Whether calls may be made.
    #[must_use]
    pub const fn may_run(&self) -> bool {
        self.active && matches!(self.halt, None | Some(Halt::Failing))
    }

    /// How long a call may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        u64::try_from(self.timeout_ms).map_or(TIMEOUT, Duration::from_millis)
    }
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status; with the wait that the destination asked for.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<Duration>,
        /// The answer says that it is this hub.
        is_us: bool,
    },
    /// No answer, with why in words.
    None(String),
}

impl Answer {
    /// What went wrong, for a person.
    #[must_use]
    pub(super) fn words(&self) -> String {
        match self {
            Self::Status { status: status @ 300..=399, .. } => {
                format!("answered {status}, a redirect; redirects are not followed")
            }
            Self::Status { status, .. } => format!("answered {status}"),
            Self::None(why) => why.clone(),
        }
    }
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has the unit.
    Delivered,
    /// It may take it later; not before this wait, where it asked for one.
    Again(Option<Duration>),
    /// It will not take this unit.
    Refused,
    /// It wants nothing any more.
    Gone,
    /// It is this hub.
    Loop,
}

/// Reads an answer.
#[must_use]
pub(super) fn judge(answer: &Answer) -> Verdict {
    match answer {
        Answer::Status { is_us: true, .. } => Verdict::Loop,
        Answer::Status { status, retry_after, .. } => match status {
            200..=299 => Verdict::Delivered,
            410 => Verdict::Gone,
            408 | 425 | 429 | 500..=599 => Verdict::Again(retry_after.map(|wait| wait.min(ASKED_MAX))),
            // Redirects are not followed: the new address would be one that nobody judged.
            _ => Verdict::Refused,
        },
        Answer::None(_) => Verdict::Again(None),
    }
}

/// The wait after the failure number `failures` (from 1): 1, 2, 4 … seconds, at most 15 minutes, 25 % less or more by
/// `luck`; never shorter than the destination asked for.
#[must_use]
pub(super) fn wait(failures: i64, asked: Option<Duration>, luck: u64) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 20)).unwrap_or(0);
    let full = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let ms = u64::try_from(full.as_millis()).unwrap_or(u64::MAX);
    let jittered = Duration::from_millis(ms - ms / 4 + luck % (ms / 2 + 1));
    asked.map_or(jittered, |asked| asked.max(jittered))
}

/// Reads `Retry-After`: seconds, or a date.
#[must_use]
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Some(Timestamp(date.timestamp().as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn status(status: u16) -> Answer {
        Answer::Status { status, retry_after: None, is_us: false }
    }

    #[rstest]
    #[case::ok(status(200), Verdict::Delivered)]
    #[case::any_2xx(status(204), Verdict::Delivered)]
    #[case::redirect(status(302), Verdict::Refused)]
    #[case::refused(status(400), Verdict::Refused)]
    #[case::missing(status(404), Verdict::Refused)]
    #[case::gone(status(410), Verdict::Gone)]
    #[case::slow(status(408), Verdict::Again(None))]
    #[case::broken(status(500), Verdict::Again(None))]
    #[case::nothing(Answer::None("reset".to_owned()), Verdict::Again(None))]
    #[case::us(Answer::Status { status: 508, retry_after: None, is_us: true }, Verdict::Loop)]
    fn an_answer_is_read(#[case] answer: Answer, #[case] verdict: Verdict) {
        assert_eq!(judge(&answer), verdict);
    }

    #[test]
    fn what_a_destination_asks_for_is_kept_within_a_day() {
        let asked = |seconds| Answer::Status {
            status: 429,
            retry_after: Some(Duration::from_secs(seconds)),
            is_us: false,
        };
        assert_eq!(judge(&asked(30)), Verdict::Again(Some(Duration::from_secs(30))));
        assert_eq!(judge(&asked(999_999)), Verdict::Again(Some(Duration::from_secs(86_400))));
        assert_eq!(wait(1, Some(Duration::from_secs(30)), 5), Duration::from_secs(30));
    }

    #[test]
    fn waits_double_from_a_second_to_a_quarter_of_an_hour() {
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (10, 512), (11, 900), (40, 900)] {
            for luck in [0, 1, 77_777, u64::MAX] {
                let wait = wait(failures, None, luck).as_secs_f64();
                let middle = f64::from(seconds);
                assert!((0.75 * middle..=1.25 * middle).contains(&wait), "{failures}: {wait}");
            }
        }
        // Ten minutes and more of waits fill a day within a hundred tries.
        let day: f64 = (1..110).map(|failures| wait(failures, None, 0).as_secs_f64()).sum();
        assert!(day > TRIED_FOR.as_secs_f64() * 0.75);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Thu, 01 Jan 2026 00:01:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Wed, 31 Dec 2025 00:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
