//! Ids and tokens in LINE's forms (PLATFORM 3), from one seed: the same seed and the same acts give the same ids.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// A lock-free generator (SplitMix64). Its output guards nothing of value, so it need not be unguessable.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: AtomicU64,
    state: AtomicU64,
    last_message: AtomicU64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed: AtomicU64::new(seed), state: AtomicU64::new(seed), last_message: AtomicU64::new(0) }
    }

    /// Seed, generator and last message ID, as [`Ids::restore`] takes them.
    pub(crate) fn state(&self) -> (u64, u64, u64) {
        let (seed, state) = (&self.seed, &self.state);
        let read = |word: &AtomicU64| word.load(Ordering::Acquire);
        (read(seed), read(state), read(&self.last_message))
    }

    /// Goes on where another generator stood.
    pub(crate) fn restore(&self, seed: u64, state: u64, last_message: u64) {
        self.seed.store(seed, Ordering::Release);
        self.state.store(state, Ordering::Release);
        self.last_message.store(last_message, Ordering::Release);
    }

    /// The number that decides every id.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.load(Ordering::Acquire)
    }

    /// The next 64 random bits.
    pub(crate) fn next(&self) -> u64 {
        const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// True with the given probability.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in a double")]
    pub(crate) fn chance(&self, probability: f64) -> bool {
        ((self.next() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    /// 32 hexadecimal digits: a channel secret, a reply token.
    pub(crate) fn hex32(&self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// A channel ID: 10 digits.
    pub(crate) fn channel_id(&self) -> String {
        format!("20{:08}", self.next() % 100_000_000)
    }

    /// A provider ID: a number.
    pub(crate) fn provider_id(&self) -> String {
        format!("{}", 1_000_000_000 + self.next() % 900_000_000)
    }

    /// A group (`C`), room (`R`) or bot (`U`) ID.
    pub(crate) fn line_id(&self, prefix: char) -> String {
        format!("{prefix}{}", self.hex32())
    }

    /// A basic ID as LINE makes it for a new account: `@` and eight characters.
    pub(crate) fn basic_id(&self) -> String {
        let mut rest = self.next();
        let mut id = String::from("@");
        for place in 0..8 {
            let alphabet: &[u8] = if place < 3 { b"0123456789" } else { b"abcdefghijklmnopqrstuvwxyz" };
            let index = usize::try_from(rest % alphabet.len() as u64).unwrap_or_default();
            id.push(alphabet.get(index).copied().map_or('x', char::from));
            rest /= alphabet.len() as u64;
        }
        id
    }

    /// The user ID of a person under a provider, fixed by seed, provider and person (PLATFORM 3: one per provider).
    pub(crate) fn user_id(&self, provider: &str, user: &str) -> String {
        let text = format!("{}:{provider}:{user}", self.seed.load(Ordering::Acquire));
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("U{hex}")
    }

    /// 32 bytes fixed by the seed and their purpose, such as a key that must stay the same.
    pub(crate) fn lasting(&self, purpose: &str) -> [u8; 32] {
        let hash = digest::digest(&digest::SHA256, format!("{}:{purpose}", self.seed()).as_bytes());
        hash.as_ref().try_into().unwrap_or_default()
    }

    /// A `webhookEventId`: a ULID of the given time.
    pub(crate) fn event_id(&self, now: i64) -> String {
        let random = u128::from(self.next()) << 64 | u128::from(self.next());
        ulid::Ulid::from_parts(u64::try_from(now).unwrap_or_default(), random).to_string()
    }

    /// A message ID: 18 digits that grow with time and never repeat.
    pub(crate) fn message_id(&self, now: i64) -> u64 {
        self.message_ids(now, 1)
    }

    /// `count` message IDs in a row, for a send to many: gives the first.
    pub(crate) fn message_ids(&self, now: i64, count: u64) -> u64 {
        let by_time = u64::try_from(now).unwrap_or_default().wrapping_mul(100_000);
        let first = |last: u64| by_time.max(last + 1);
        let last = self.last_message.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| {
            Some(first(last) + count.saturating_sub(1))
        });
        first(last.unwrap_or_default())
    }

    /// A request ID (`x-line-request-id`) or another UUID.
    pub(crate) fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes(
            (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes(),
        )
        .into_uuid()
        .to_string()
    }

    /// An opaque token of `words` times 8 random bytes, in URL-safe base64.
    pub(crate) fn token(&self, words: usize) -> String {
        let bytes: Vec<u8> = (0..words).flat_map(|_| self.next().to_be_bytes()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// An opaque token that looks like a signed JWT, as LINE's newer access tokens do (PLATFORM 4). Its parts mean nothing.
    pub(crate) fn jws(&self) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", self.token(12), self.token(4))
    }
}

/// The `quoteToken` of a message: opaque to clients, readable here.
pub(crate) fn quote_token(message_id: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("quote/{message_id}"))
}

/// The `markAsReadToken` of a message.
pub(crate) fn read_token(message_id: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("read/{message_id}"))
}

/// The message ID inside a quote token.
pub(crate) fn quoted_message(token: &str) -> Option<u64> {
    inside(token, "quote/")
}

/// The message ID inside a mark-as-read token.
pub(crate) fn read_message(token: &str) -> Option<u64> {
    inside(token, "read/")
}

fn inside(token: &str, kind: &str) -> Option<u64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix(kind)?.parse().ok()
}

/// Tells whether `text` has the form of a user (`U`), group (`C`) or room (`R`) ID.
pub(crate) fn is_line_id(text: &str, prefix: char) -> bool {
    text.strip_prefix(prefix).is_some_and(|hex| {
        hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Tells whether `text` is a UUID in hexadecimal with dashes (PLATFORM 18).
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 3: forms of the identifiers.
    #[test]
    fn ids_have_the_forms_of_line() {
        let ids = Ids::new(7);
        assert!(is_line_id(&ids.line_id('C'), 'C'));
        assert!(is_line_id(&ids.user_id("1", "u1"), 'U'));
        assert_eq!(ids.channel_id().len(), 10);
        assert_eq!(ids.message_id(1_767_225_600_000).to_string().len(), 18);
        assert_eq!(ids.event_id(1_767_225_600_000).len(), 26);
        assert!(is_uuid(&ids.uuid()));
        assert_eq!(ids.basic_id().len(), 9);
    }

    #[test]
    fn the_seed_decides() {
        let (a, b) = (Ids::new(7), Ids::new(7));
        assert_eq!((a.channel_id(), a.hex32()), (b.channel_id(), b.hex32()));
        assert_ne!(Ids::new(8).channel_id(), Ids::new(7).channel_id());
    }

    #[test]
    fn message_ids_grow_also_within_one_millisecond() {
        let ids = Ids::new(1);
        let first = ids.message_id(5);
        let second = ids.message_id(5);
        assert!(second > first);
        let many = ids.message_ids(5, 3);
        assert_eq!((many, ids.message_id(5)), (second + 1, second + 4));
    }
}
