//! The sandbox's clock: real time plus what `/sandbox/v1/clock` advanced it by.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

/// Real time plus an offset that only grows (and returns to zero at a reset). Milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
    advanced: Notify,
}

impl Clock {
    /// The present time of the sandbox.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the sandbox's clock, the one place that reads real time"
    )]
    pub(crate) fn now(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(real.as_millis()).unwrap_or(i64::MAX / 2) + self.offset_ms.load(Ordering::Acquire)
    }

    /// By how many milliseconds the clock is ahead of real time.
    pub(crate) fn ahead(&self) -> i64 {
        self.offset_ms.load(Ordering::Acquire)
    }

    /// Moves the clock ahead and wakes everything that waits for a time.
    pub(crate) fn advance(&self, ms: i64) -> i64 {
        self.offset_ms.fetch_add(ms, Ordering::AcqRel);
        self.advanced.notify_waiters();
        self.now()
    }

    /// Sets how far it is ahead, for a sandbox read from disk.
    pub(crate) fn restore(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Release);
    }

    /// Back to real time.
    pub(crate) fn reset(&self) {
        self.offset_ms.store(0, Ordering::Release);
        self.advanced.notify_waiters();
    }

    /// Waits until the sandbox's clock shows `at`, whether time passes or is advanced.
    pub(crate) async fn sleep_until(&self, at: i64) {
        loop {
            // Registered before the time is read, so that an advance in between is not missed.
            let advanced = self.advanced.notified();
            tokio::pin!(advanced);
            advanced.as_mut().enable();
            let left = at - self.now();
            let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                () = advanced => {}
            }
        }
    }
}

/// A time as LINE writes it: ISO 8601 in UTC with three decimals.
pub(crate) fn iso_8601(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// By how many hours the region of an account's country is ahead of UTC.
pub(crate) fn region_hours(country: &str) -> i64 {
    match country {
        "JP" => 9,
        "TH" => 7,
        _ => 8,
    }
}

/// The month of a time (`2026-11`) in an account's region, by which quotas are counted (PLATFORM 22).
pub(crate) fn month(ms: i64, country: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(ms + region_hours(country) * 3_600_000).unwrap_or_default();
    let date = jiff::tz::Offset::UTC.to_datetime(time);
    format!("{:04}-{:02}", date.year(), date.month())
}

/// Length of a day in ms.
pub(crate) const DAY_MS: i64 = 24 * 3_600_000;

/// The day by which LINE counts everywhere: days since 1970 in Japan's time, UTC+9 (PLATFORM 8, 12).
pub(crate) fn day(ms: i64) -> i64 {
    (ms + 9 * 3_600_000).div_euclid(DAY_MS)
}

/// Reads a day as LINE's queries give it, `yyyyMMdd`; `None` when there is no such day.
pub(crate) fn parse_day(text: &str) -> Option<i64> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let date = jiff::civil::Date::strptime("%Y%m%d", text).ok()?;
    let since = date.since(jiff::civil::Date::constant(1970, 1, 1)).ok()?;
    Some(i64::from(since.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 8: days are Japan's.
    #[test]
    fn days_are_counted_in_japan() {
        let new_year = 1_767_225_600_000 - 9 * 3_600_000;
        assert_eq!(parse_day("20260101"), Some(day(new_year)));
        assert_eq!(parse_day("20251231"), Some(day(new_year - 1)));
        assert_eq!(parse_day("20260230"), None);
        assert_eq!(parse_day("2026-1-1"), None);
    }

    #[test]
    fn times_are_iso_8601() {
        assert_eq!(iso_8601(1_767_225_600_123), "2026-01-01T00:00:00.123Z");
    }

    /// PLATFORM 22: the month turns in the account's region.
    #[test]
    fn months_turn_in_the_region() {
        let new_year_in_taipei = 1_767_225_600_000 - 8 * 3_600_000;
        assert_eq!(month(new_year_in_taipei, "TW"), "2026-01");
        assert_eq!(month(new_year_in_taipei, "TH"), "2025-12");
    }
}
