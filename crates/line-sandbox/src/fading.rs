//! A map that forgets what is over, without making any call slow.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

/// No sweep below this many entries.
const FIRST_SWEEP: usize = 1_024;

/// A map whose entries have an end: tokens, codes, keys. It is swept each time it has doubled since the last sweep, so that a burst of
/// entries that all live costs no more than a few sweeps (a sweep at every insertion beyond some size would be quadratic).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent, bound(deserialize = "K: Deserialize<'de> + Eq + Hash, V: Deserialize<'de>"))]
pub(crate) struct Fading<K, V> {
    map: HashMap<K, V>,
    /// The next sweep is due at this many entries.
    #[serde(skip)]
    sweep_at: usize,
}

impl<K, V> Default for Fading<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new(), sweep_at: 0 }
    }
}

impl<K: Eq + Hash, V> Fading<K, V> {
    /// Keeps an entry. `lives` tells of every other one whether it is to be kept, when a sweep is due.
    pub(crate) fn keep(&mut self, key: K, value: V, lives: impl Fn(&V) -> bool) {
        if self.map.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.map.retain(|_, value| lives(value));
            self.sweep_at = self.map.len() * 2;
        }
        self.map.insert(key, value);
    }
}

impl<K, V> Deref for Fading<K, V> {
    type Target = HashMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.map
    }
}

impl<K, V> DerefMut for Fading<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.map
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_over_goes_and_what_lives_is_looked_at_rarely() {
        let mut map = Fading::<usize, usize>::default();
        let looks = Cell::new(0);
        for at in 0..100_000 {
            map.keep(at, at, |_| {
                looks.set(looks.get() + 1);
                true
            });
        }
        assert_eq!(map.len(), 100_000);
        assert!(looks.get() < 200_000, "{} looks", looks.get());
        for at in 100_000..300_000 {
            map.keep(at, at, |kept| kept + 500 > at);
        }
        assert!(map.len() < 3_000, "{} kept", map.len());
    }

    #[test]
    fn it_is_kept_on_disk_as_a_plain_map() {
        let mut map = Fading::<(String, String), u8>::default();
        map.keep(("a".into(), "b".into()), 1, |_| true);
        let bytes = rmp_serde::to_vec_named(&map).unwrap();
        let plain: HashMap<(String, String), u8> = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(plain.len(), 1);
        let back: Fading<(String, String), u8> = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(back.get(&("a".to_owned(), "b".to_owned())), Some(&1));
    }
}
