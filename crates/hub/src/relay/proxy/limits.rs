//! What the proxy has in memory: how fast each key goes, and answers of LINE's that hold for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::ids::{AccountId, DestinationId};

/// Calls that a key may make at once …
const BURST: i64 = 200;
/// … and so many more each second. LINE's own limit is 2,000 for the whole channel (PLATFORM 5).
const A_SECOND: i64 = 100;
/// Answers kept at most, in bytes with their names; then all are forgotten.
const ANSWERS: usize = 16 << 20;
/// What an answer takes beside its body, at least.
const ANSWER: usize = 256;
/// Calls of one key under way at once.
const UNDER_WAY: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::relay) struct Memory {
    buckets: Mutex<HashMap<DestinationId, (Timestamp, i64)>>,
    answers: Mutex<Answers>,
    under_way: Arc<Mutex<HashMap<DestinationId, usize>>>,
}

#[derive(Debug, Default)]
struct Answers {
    kept: HashMap<(AccountId, String), Kept>,
    bytes: usize,
}

/// A call under way, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    all: Arc<Mutex<HashMap<DestinationId, usize>>>,
    key: DestinationId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = all.get_mut(&self.key) {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                all.remove(&self.key);
            }
        }
    }
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

    /// Takes a place for a call; `None` when there are too many under way.
    pub(super) fn begin(&self, key: &DestinationId) -> Option<UnderWay> {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = all.entry(key.clone()).or_default();
        if *calls >= UNDER_WAY {
            return None;
        }
        *calls += 1;
        Some(UnderWay { all: Arc::clone(&self.under_way), key: key.clone() })
    }

    /// An answer that still holds.
    pub(super) fn recall(&self, account: &AccountId, path: &str, now: Timestamp) -> Option<Kept> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.kept.get(&(account.clone(), path.to_owned())).filter(|kept| now < kept.until).cloned()
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, account: &AccountId, path: &str, kept: Kept) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let size = ANSWER + path.len() + kept.body.len();
        if answers.bytes + size > ANSWERS {
            *answers = Answers::default();
        }
        // One in another's place counts twice until all are forgotten.
        answers.bytes += size;
        answers.kept.insert((account.clone(), path.to_owned()), kept);
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

    #[test]
    fn answers_are_bounded_by_their_bytes_and_calls_by_their_number() {
        let entropy = Entropy::seeded(1);
        let (memory, at) = (Memory::default(), Timestamp(1_000_000));
        let account = AccountId::new(at, &entropy);
        let until = at.plus(Duration::from_secs(60));
        let kept = Kept { until, headers: Vec::new(), body: Bytes::from(vec![0; 1 << 20]) };
        for n in 0..40 {
            memory.keep(&account, &format!("/{n}"), kept.clone());
        }
        let held = (0..40).filter(|n| memory.recall(&account, &format!("/{n}"), at).is_some()).count();
        assert!((1..=16).contains(&held), "{held}");
        let key = DestinationId::new(at, &entropy);
        let mut calls: Vec<_> = (0..UNDER_WAY).filter_map(|_| memory.begin(&key)).collect();
        assert!(calls.len() == UNDER_WAY && memory.begin(&key).is_none());
        calls.pop();
        assert!(memory.begin(&key).is_some());
    }
}
