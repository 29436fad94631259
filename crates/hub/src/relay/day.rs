//! A destination's last day in numbers.

use std::time::Duration;

use super::model::Destination;
use super::repo::Count;
use super::service;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;

/// The length of the time that is looked at.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// The time over which the rate is taken.
const RECENT: Duration = Duration::from_secs(600);

/// The attempts of the last day.
#[derive(Debug, Clone, Default)]
pub struct Day {
    /// Requests that were delivered.
    pub delivered: i64,
    /// Attempts that failed.
    pub failed: i64,
    /// Deliveries a minute, over the last ten minutes, in tenths.
    pub tenths_a_minute: i64,
    /// Five minutes each; those without an attempt are left out.
    pub steps: Vec<Count>,
}

impl Day {
    /// Reads a destination's counts.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn load(hub: &Hub, destination: &Destination) -> DbResult<Self> {
        Ok(Self::of(service::last_day(hub, destination).await?, hub.now()))
    }

    fn of(steps: Vec<Count>, now: Timestamp) -> Self {
        let since = now.minus(RECENT);
        let recent: i64 = steps.iter().filter(|step| step.begins_at >= since).map(|step| step.ok).sum();
        let minutes = i64::try_from(RECENT.as_secs() / 60).unwrap_or(1);
        Self {
            delivered: steps.iter().map(|step| step.ok).sum(),
            failed: steps.iter().map(|step| step.failed).sum(),
            tenths_a_minute: recent * 10 / minutes,
            steps,
        }
    }

    /// How many of a thousand attempts failed; `None` without an attempt.
    #[must_use]
    pub fn failed_per_mille(&self) -> Option<i64> {
        let all = self.delivered + self.failed;
        (all > 0).then(|| self.failed * 1000 / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_added_up() {
        let now = Timestamp(100 * 3_600_000);
        let step = |minutes_ago: i64, ok, failed| Count {
            begins_at: Timestamp(now.millis() - minutes_ago * 60_000),
            ok,
            failed,
            ms: 10,
        };
        let day = Day::of(vec![step(600, 40, 3), step(8, 20, 0), step(3, 5, 1)], now);
        assert_eq!((day.delivered, day.failed, day.tenths_a_minute), (65, 4, 25));
        assert_eq!(day.failed_per_mille(), Some(57));
        assert_eq!(Day::default().failed_per_mille(), None);
    }
}
