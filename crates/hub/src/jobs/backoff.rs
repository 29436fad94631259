//! How long a failed job waits.

use std::time::Duration;

use crate::clock::Entropy;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(2);
/// No wait is longer, but one that the other side asked for.
const LONGEST: Duration = Duration::from_secs(3600);

/// The wait after attempt number `attempt` (from 1): doubling from 2 s to 1 h, 20 % less or more, so that what failed
/// together does not come back together.
pub(super) fn after(attempt: i64, entropy: &Entropy) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1).clamp(0, 20)).unwrap_or(0);
    let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let fifth = wait / 5;
    wait - fifth + jitter(fifth * 2, entropy)
}

/// A wait that the other side asked for: never shorter, up to 20 % longer.
pub(super) fn asked(wait: Duration, entropy: &Entropy) -> Duration {
    wait.saturating_add(jitter(wait / 5, entropy))
}

fn jitter(upto: Duration, entropy: &Entropy) -> Duration {
    Duration::from_millis(
        entropy.below(u64::try_from(upto.as_millis()).unwrap_or(u64::MAX).saturating_add(1)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_jitter() {
        let entropy = Entropy::seeded(1);
        for (attempt, seconds) in [(0, 2), (1, 2), (2, 4), (3, 8), (10, 1024), (12, 3600), (i64::MAX, 3600)] {
            let middle = Duration::from_secs(seconds);
            let waits: Vec<_> = (0..50).map(|_| after(attempt, &entropy)).collect();
            assert!(waits.iter().all(|wait| *wait >= middle * 4 / 5 && *wait <= middle * 6 / 5), "{attempt}");
            assert!(waits.iter().any(|wait| *wait != waits[0]));
        }
        let asked: Vec<_> = (0..50).map(|_| asked(Duration::from_secs(10), &entropy)).collect();
        assert!(
            asked.iter().all(|wait| *wait >= Duration::from_secs(10) && *wait <= Duration::from_secs(12))
        );
    }
}
