//! Time and randomness as inputs: nothing in the hub asks the operating system directly, so tests decide both.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// A moment in UTC, in milliseconds since 1970; RFC 3339 with milliseconds and `Z` in JSON, an integer in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This moment moved by `by` (saturating).
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment moved back by `by` (saturating).
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment as a zoned value for rendering; the year 1970 where the number is beyond what a calendar holds.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// Reads RFC 3339.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// Where the hub reads the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where the hub reads the machine's clock"
        )]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is told to move; for tests.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that shows `start`.
    #[must_use]
    pub const fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Where the hub takes randomness and the growing part of its ids: the operating system, or a seeded sequence in tests.
#[derive(Debug)]
pub struct Entropy {
    source: Source,
    last: Mutex<Ulid>,
}

#[derive(Debug)]
enum Source {
    System(SystemRandom),
    Seeded(Mutex<u64>),
}

impl Entropy {
    /// The operating system's generator.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System(SystemRandom::new()), last: Mutex::new(Ulid::nil()) }
    }

    /// A repeatable sequence that starts at `seed`; not secret, for tests.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { source: Source::Seeded(Mutex::new(seed)), last: Mutex::new(Ulid::nil()) }
    }

    /// A ULID that is greater than all before it: within one millisecond it counts up, so that what was made later
    /// also stands later in a list ordered by id.
    #[must_use]
    pub fn ulid(&self, at: Timestamp) -> Ulid {
        let ms = u64::try_from(at.millis()).unwrap_or(0);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match last.increment() {
            Some(next) if ms <= last.timestamp_ms() => next,
            _ => Ulid::from_parts(ms, u128::from_le_bytes(self.bytes::<16>())),
        };
        *last
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// Ends the request when the operating system has no randomness: nothing safe can be done without it.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        match &self.source {
            #[expect(clippy::expect_used, reason = "without randomness no token, key or id is safe")]
            Source::System(random) => random.fill(&mut out).expect("the operating system gives random bytes"),
            Source::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in out.chunks_mut(8) {
                    // SplitMix64.
                    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                    let mut z = *state;
                    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                    let word = (z ^ (z >> 31)).to_le_bytes();
                    for (to, from) in chunk.iter_mut().zip(word) {
                        *to = from;
                    }
                }
            }
        }
        out
    }

    /// An unguessable text of 256 bits, URL-safe, 43 characters.
    #[must_use]
    pub fn token(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// A random number in `0..below` (0 when `below` is 0); for jitter, not for secrets.
    #[must_use]
    pub fn below(&self, below: u64) -> u64 {
        if below == 0 { 0 } else { u64::from_le_bytes(self.bytes::<8>()) % below }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_rfc_3339_with_milliseconds() {
        let t = Timestamp(1_767_225_600_120);
        assert_eq!(serde_json::to_string(&t).unwrap(), "\"2026-01-01T00:00:00.120Z\"");
        assert_eq!(Timestamp::parse("2026-01-01T00:00:00.120Z"), Some(t));
    }

    #[test]
    fn ids_grow_also_within_a_millisecond_and_when_the_clock_goes_back() {
        let entropy = Entropy::seeded(3);
        let made: Vec<Ulid> = [5, 5, 5, 4, 9, 9].map(|ms| entropy.ulid(Timestamp(ms))).to_vec();
        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
    }
}
