//! What an alert is, and the rules that need no database.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::ids::{AccountId, AlertId, TenantId};

/// An alert that comes back within this time is the same one.
pub const RETURNS_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// A node that has not said for so long that its machine is in trouble is taken to be gone: three of the doctor's rounds.
pub(super) const SEEN_WITHIN: Duration = Duration::from_secs(15 * 60);
/// That it is over is told after it has been over for so long.
const SETTLES: Duration = Duration::from_secs(5 * 60);
/// And no later than this, however often it has come back.
const SETTLES_MAX: Duration = Duration::from_secs(4 * 3600);

/// How bad it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something will fail if nothing is done.
    Warning,
    /// Something fails now: messages do not arrive or cannot be sent.
    Failed,
}

impl Severity {
    /// `warning` or `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl TryFrom<String> for Severity {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        match word.as_str() {
            "warning" => Ok(Self::Warning),
            "failed" => Ok(Self::Failed),
            _ => Err(word),
        }
    }
}

/// Something that was checked, as whoever checks it says it.
#[derive(Debug, Clone)]
pub struct Condition<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// The account it is about; `None` for the hub as a whole.
    pub account: Option<&'a AccountId>,
    /// What it is, one of the codes with words in `alerts.ftl`: `webhook_off`, `credentials`, `quota_near`, …
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// How far it has gone, in steps of its own: people are told again, once, when it goes further than they know.
    pub level: i64,
    /// The node that says it, where it is about that node's machine: as long as a node was the last to say "on", another
    /// node's "off" ends it only after 15 minutes. Of several with the same trouble only the last to say "on" is known:
    /// its "off" ends the alert, and the next "on" of another opens it again.
    pub node: Option<&'a str>,
    /// What stands in the words, as an object of texts and numbers (`{ "used": 180, "total": 200 }`): no secret, nothing of friends.
    /// Names that the words know: `address`, `count`, `days`, `halt`, `hours`, `names` (several also as `name_list`),
    /// `percent`, `seconds`, `total`, `used`.
    pub args: Value,
}

/// An alert's row, with the name of its account.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The account it is about.
    pub account_id: Option<AccountId>,
    /// That account's name.
    pub account_name: Option<String>,
    /// What it is.
    pub code: String,
    /// How bad it is.
    #[sqlx(try_from = "String")]
    pub severity: Severity,
    /// A JSON object: what stands in the words.
    pub args: String,
    /// When it began, this time.
    pub opened_at: Timestamp,
    /// When it was last seen to be on.
    pub last_seen_at: Timestamp,
    /// When it was over.
    pub closed_at: Option<Timestamp>,
    /// How often it has come back.
    pub returns: i64,
    /// Whether people were told that it is on, and not yet that it is over.
    pub is_told: bool,
    /// How far it had gone when people were told.
    pub told_level: i64,
    /// The node that saw it last, where it is about one node's machine.
    pub seen_by: Option<String>,
}

impl Alert {
    /// The page of its account on which it is explained and mended; `None` for the hub as a whole.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let part = if self.code == "relay_paused" { "relay" } else { "doctor" };
        self.account_id.as_ref().map(|id| format!("/settings/accounts/{id}/{part}"))
    }
}

/// How long a condition must be over before people are told so: 5 minutes, twice as long each time it has come back,
/// at most 4 hours. One that comes back meanwhile was never over for them, so nothing is sent at all.
#[must_use]
pub fn settles(returns: i64) -> Duration {
    let doublings = u32::try_from(returns.clamp(0, 16)).unwrap_or(0);
    SETTLES.saturating_mul(1 << doublings).min(SETTLES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_believed_later_each_time() {
        let minutes: Vec<_> = (0..8).map(|returns| settles(returns).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 240, 240]);
        assert_eq!(settles(i64::MAX), SETTLES_MAX);
        assert_eq!(settles(-1), SETTLES);
    }
}
