//! What the proxy has in memory: how fast each key goes, and answers of LINE's that hold for a moment.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::ids::{AccountId, DestinationId};

/// Calls that a key may make at once …
const BURST: i64 = 200;
/// … and so many more each second. LINE's own limit is 2,000 for the whole channel (PLATFORM 5).
const A_SECOND: i64 = 100;
/// Answers kept at most; then all are forgotten.
const ANSWERS: usize = 2_000;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::relay) struct Memory {
    buckets: Mutex<HashMap<DestinationId, (Timestamp, i64)>>,
    answers: Mutex<HashMap<(AccountId, String), Kept>>,
}

/// An answer of LINE's.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) until: Timestamp,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Memory {
    /// Counts a call; `false` when it is one too many.
    pub(super) fn admit(&self, key: &DestinationId, now: Timestamp) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // In thousandths of a call.
        let (at, left) = buckets.entry(key.clone()).or_insert((now, BURST * 1_000));
        let since = i64::try_from(now.since(*at).min(Duration::from_secs(60)).as_millis()).unwrap_or(0);
        *left = left.saturating_add(since * A_SECOND).min(BURST * 1_000);
        *at = now;
        if *left < 1_000 {
            return false;
        }
        *left -= 1_000;
        true
    }

    /// An answer that still holds.
    pub(super) fn recall(&self, account: &AccountId, path: &str, now: Timestamp) -> Option<Kept> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&(account.clone(), path.to_owned())).filter(|kept| now < kept.until).cloned()
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, account: &AccountId, path: &str, kept: Kept) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS {
            answers.clear();
        }
        answers.insert((account.clone(), path.to_owned()), kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Entropy;
    use crate::ids::Id as _;

    #[test]
    fn a_key_has_a_burst_and_then_its_rate() {
        let entropy = Entropy::seeded(1);
        let (memory, at) = (Memory::default(), Timestamp(1_000_000));
        let (one, other) = (DestinationId::new(at, &entropy), DestinationId::new(at, &entropy));
        assert!((0..BURST).all(|_| memory.admit(&one, at)) && !memory.admit(&one, at));
        assert!(memory.admit(&other, at), "each key has its own");
        let later = at.plus(Duration::from_secs(1));
        assert!((0..A_SECOND).all(|_| memory.admit(&one, later)) && !memory.admit(&one, later));
    }
}
