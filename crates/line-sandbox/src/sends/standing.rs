//! How many friends an account has at the end of each day (PLATFORM 12).

use serde::{Deserialize, Serialize};

use crate::clock::day;
use crate::sends::State;

/// The figures of one day.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Persons who ever added the account; never falls.
    pub(crate) followers: u64,
    /// Friends whose gender, age or area LINE knows.
    pub(crate) reaches: u64,
    /// Persons who block it.
    pub(crate) blocks: u64,
}

impl State {
    /// Changes the figures of the day of `now`; a new day begins with those of the last.
    pub(crate) fn stand(&mut self, channel: &str, now: i64, change: impl FnOnce(&mut Standing)) {
        let days = self.friends.entry(channel.to_owned()).or_default();
        let last = days.last_key_value().map(|(_, last)| *last).unwrap_or_default();
        change(days.entry(day(now)).or_insert(last));
    }

    /// The figures at the end of a day.
    pub(crate) fn standing(&self, channel: &str, on: i64) -> Standing {
        let days = self.friends.get(channel);
        days.and_then(|days| days.range(..=on).next_back()).map(|(_, last)| *last).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY_MS;

    #[test]
    fn a_day_begins_with_the_figures_of_the_last() {
        let mut state = State::default();
        state.stand("1", 0, |day| day.followers += 2);
        state.stand("1", 3 * DAY_MS, |day| day.blocks += 1);
        assert_eq!(state.standing("1", day(0) - 1), Standing::default());
        assert_eq!(state.standing("1", day(2 * DAY_MS)).followers, 2);
        assert_eq!(state.standing("1", day(2 * DAY_MS)).blocks, 0);
        assert_eq!(state.standing("1", day(9 * DAY_MS)), Standing { followers: 2, reaches: 0, blocks: 1 });
    }
}
