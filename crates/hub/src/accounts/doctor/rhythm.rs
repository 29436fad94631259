//! An account's own rhythm: whether a silence is longer than its past explains.
//!
//! The past is the list of hours in which events came in. For every hour of the week one counts in how many of the
//! observed weeks it was alive; the hours of a silence then say how many of them should have been alive. A silence is
//! strange when that is at least [`EXPECTED`] hours and it is clearly longer than any that came before. A shop that
//! sleeps on Mondays is thus not woken by its own Monday.

use std::collections::BTreeSet;

use crate::clock::Timestamp;

const HOUR_MS: i64 = 3_600_000;
/// Hours of a week.
const WEEK: i64 = 168;
/// So many weeks count; older ones say little of today.
pub(super) const WEEKS: i64 = 8;
/// Less than a week has shown no week's rhythm.
const LEAST_HOURS: i64 = WEEK;
/// Fewer hours with events than these are no rhythm.
const LEAST_ALIVE: usize = 12;
/// So many hours with events are missing before a silence is strange. With hours that come and go independently this is
/// less than one false alarm in a hundred silences (e^-5).
const EXPECTED: f64 = 5.0;
/// And it has to be longer than the longest silence before by a quarter.
const LONGER: (i64, i64) = (5, 4);

/// What a silence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Too little is known of this account.
    Learning,
    /// The past has such silences.
    Explained,
    /// The past has none.
    Strange {
        /// Full hours without an event.
        hours: i64,
        /// In so many of them events used to come.
        expected: i64,
    },
}

/// The hour of a moment, counted since 1970.
#[must_use]
pub(in crate::accounts) fn hour(at: Timestamp) -> i64 {
    at.millis().div_euclid(HOUR_MS)
}

/// Judges the silence from the last of `alive` (hours with events, in order) until the hour `now`. The hour `now` itself is
/// not over and does not count.
#[must_use]
pub(super) fn judge(alive: &[i64], now: i64) -> Rhythm {
    let known: BTreeSet<i64> =
        alive.iter().copied().filter(|hour| *hour > now - WEEKS * WEEK && *hour <= now).collect();
    let (Some(&first), Some(&last)) = (known.first(), known.last()) else { return Rhythm::Learning };
    if last - first < LEAST_HOURS || known.len() < LEAST_ALIVE {
        return Rhythm::Learning;
    }
    let hours = now - last - 1;
    if hours <= 0 {
        return Rhythm::Explained;
    }
    let longest = known.iter().zip(known.iter().skip(1)).map(|(one, next)| next - one - 1).max().unwrap_or(0);
    let expected: f64 = (last + 1..now)
        .take(usize::try_from(WEEKS * WEEK).unwrap_or(0))
        .map(|hour| share(&known, first, last, hour))
        .sum();
    if expected >= EXPECTED && hours * LONGER.1 > longest * LONGER.0 {
        #[expect(clippy::cast_possible_truncation, reason = "at most the hours of eight weeks")]
        let expected = expected.round() as i64;
        return Rhythm::Strange { hours, expected };
    }
    Rhythm::Explained
}

/// In which part of the observed weeks an hour of the week was alive.
fn share(known: &BTreeSet<i64>, first: i64, last: i64, hour: i64) -> f64 {
    let mut seen = 0_u32;
    let mut alive = 0_u32;
    let mut before = hour - WEEK;
    while before >= first {
        if before <= last {
            seen += 1;
            alive += u32::from(known.contains(&before));
        }
        before -= WEEK;
    }
    if seen == 0 { 0.0 } else { f64::from(alive) / f64::from(seen) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A shop that is written to from 10 to 21 o'clock, every day but the first of the week, for some weeks.
    fn shop(weeks: i64) -> Vec<i64> {
        (0..weeks * WEEK).filter(|hour| hour % WEEK >= 24 && (10..=21).contains(&(hour % 24))).collect()
    }

    #[test]
    fn a_silence_is_judged_by_the_accounts_own_past() {
        let past = shop(4);
        let last = *past.last().unwrap();
        assert_eq!(last % 24, 21);
        // The night and the whole day off explain it.
        assert_eq!(judge(&past, last + 12), Rhythm::Explained);
        assert_eq!(judge(&past, last + 1 + 12 + 24), Rhythm::Explained);
        // The morning after, five missing hours are strange.
        assert_eq!(judge(&past, last + 37 + 2), Rhythm::Explained);
        let Rhythm::Strange { hours, expected } = judge(&past, last + 37 + 12) else { panic!() };
        assert_eq!((hours, expected), (48, 12));
    }

    #[test]
    fn what_is_new_or_rarely_written_to_gives_no_alarm() {
        assert_eq!(judge(&[], 1000), Rhythm::Learning);
        assert_eq!(judge(&[5, 6, 7], 1000), Rhythm::Learning);
        assert_eq!(judge(&shop(1), 400), Rhythm::Learning, "one week is no rhythm");
        // Once a week or less: nothing can be said within days.
        let rare: Vec<i64> = (0..20).map(|n| n * 60).collect();
        assert_eq!(judge(&rare, 19 * 60 + 70), Rhythm::Explained);
    }

    #[test]
    fn a_busy_account_is_missed_within_hours() {
        let busy: Vec<i64> = (0..3 * WEEK).collect();
        assert_eq!(judge(&busy, 3 * WEEK + 3), Rhythm::Explained);
        assert_eq!(judge(&busy, 3 * WEEK + 5), Rhythm::Strange { hours: 5, expected: 5 });
    }

    proptest! {
        // Whatever the past: an event in this hour or the last is no silence, the verdict never names more hours than there
        // are, and what is strange stays strange as it goes on.
        #[test]
        fn a_verdict_keeps_to_what_happened(
            mut alive in prop::collection::vec(0_i64..1500, 0..400), ahead in 0_i64..400,
        ) {
            alive.sort_unstable();
            alive.dedup();
            let last = alive.last().copied().unwrap_or(0);
            let fresh = judge(&alive, last + 1);
            prop_assert!(fresh == Rhythm::Learning || fresh == Rhythm::Explained);
            if let Rhythm::Strange { hours, expected } = judge(&alive, last + ahead) {
                prop_assert_eq!(hours, ahead - 1);
                prop_assert!(expected <= hours);
                let all_within = alive.first().is_some_and(|first| *first > last + ahead + 1 - WEEKS * WEEK);
                let next = judge(&alive, last + ahead + 1);
                let goes_on = matches!(next, Rhythm::Strange { .. });
                prop_assert!(goes_on || !all_within);
            }
        }
    }
}
