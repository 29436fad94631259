//! What accounts sent, by campaign and by day, and what people did with it (PLATFORM 7, 8, 12). A campaign is one call that went to
//! many, or a push that names an aggregation unit.

mod campaign;
mod reactions;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(crate) use self::campaign::{Campaign, Kind, Phase};
pub(crate) use self::reactions::{Act, Reaction, Tally};
pub(crate) use self::standing::Standing;
use crate::clock::day;

/// Campaigns beyond this are forgotten, oldest first, but none that is still under way.
const CAMPAIGNS_KEPT: usize = 10_000;
/// Names of aggregation units that count in a month (PLATFORM 8).
const UNITS_A_MONTH: usize = 1_000;

/// Records of all accounts.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// By a number that grows.
    campaigns: BTreeMap<u64, Campaign>,
    /// From the first of a campaign's message IDs to its number.
    by_message: BTreeMap<u64, u64>,
    /// Narrowcasts that are not finished.
    running: BTreeSet<u64>,
    /// How many were reached, by channel, day and way.
    days: BTreeMap<String, BTreeMap<i64, BTreeMap<Counted, u64>>>,
    /// Friends at the end of each day on which something changed, by channel.
    friends: BTreeMap<String, BTreeMap<i64, Standing>>,
    /// Names of aggregation units, by channel and month.
    units: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// The ways to send that LINE counts by day (PLATFORM 8, 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Counted {
    Reply,
    Push,
    Multicast,
    Narrowcast,
    Broadcast,
    Pnp,
    PnpTemplated,
    /// The account's own greeting.
    Welcome,
    /// The account's own automatic answer.
    AutoResponse,
}

impl State {
    /// Keeps a campaign and gives its number.
    pub(crate) fn add(&mut self, campaign: Campaign) -> u64 {
        let number = self.campaigns.last_key_value().map_or(1, |(last, _)| last + 1);
        if !campaign.is_done() {
            self.running.insert(number);
        }
        self.campaigns.insert(number, campaign);
        self.index(number);
        while self.campaigns.len() > CAMPAIGNS_KEPT
            && let Some(oldest) = self.campaigns.keys().find(|number| !self.running.contains(number)).copied()
        {
            let gone = self.campaigns.remove(&oldest).and_then(|gone| gone.first_message);
            self.by_message.remove(&gone.unwrap_or_default());
        }
        number
    }

    /// Notes which messages are the campaign's, once they are on the phones.
    fn index(&mut self, number: u64) {
        if let Some(first) = self.campaigns.get(&number).and_then(|campaign| campaign.first_message) {
            self.by_message.insert(first, number);
        }
    }

    /// Changes a campaign.
    pub(crate) fn change(&mut self, number: u64, change: impl FnOnce(&mut Campaign)) {
        if let Some(campaign) = self.campaigns.get_mut(&number) {
            change(campaign);
            if campaign.is_done() {
                self.running.remove(&number);
            }
        }
        self.index(number);
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Campaign> {
        self.campaigns.get(&number)
    }

    /// The campaigns of a channel, oldest first.
    pub(crate) fn of<'s>(&'s self, channel: &'s str) -> impl DoubleEndedIterator<Item = &'s Campaign> {
        self.campaigns.values().filter(move |campaign| campaign.channel == channel)
    }

    /// The channel's campaign that was made by a request.
    pub(crate) fn by_request(&self, channel: &str, request_id: &str) -> Option<&Campaign> {
        let mut campaigns = self.campaigns.values().rev();
        campaigns.find(|campaign| campaign.channel == channel && campaign.request_id == request_id)
    }

    /// Numbers of the narrowcasts that are not finished.
    pub(crate) fn running(&self) -> Vec<u64> {
        self.running.iter().copied().collect()
    }

    /// What a channel's unfinished narrowcasts hold of its quota (PLATFORM 7.1).
    pub(crate) fn reserved(&self, channel: &str) -> u64 {
        let running = self.running.iter().filter_map(|number| self.campaigns.get(number));
        running.filter(|campaign| campaign.channel == channel).map(|campaign| campaign.reserved).sum()
    }

    /// Counts so many reached persons on the day of `now`.
    pub(crate) fn count(&mut self, channel: &str, way: Counted, reached: u64, now: i64) {
        if reached > 0 {
            if !self.days.contains_key(channel) {
                self.days.insert(channel.to_owned(), BTreeMap::new());
            }
            let Some(days) = self.days.get_mut(channel) else { return };
            *days.entry(day(now)).or_default().entry(way).or_default() += reached;
        }
    }

    /// How many were reached on a day.
    pub(crate) fn counted(&self, channel: &str, on: i64, way: Counted) -> u64 {
        let ways = self.days.get(channel).and_then(|days| days.get(&on));
        ways.and_then(|ways| ways.get(&way)).copied().unwrap_or(0)
    }

    /// Records a unit's name for a month; false when the month has its thousand already (PLATFORM 8).
    pub(crate) fn add_unit(&mut self, channel: &str, month: &str, unit: &str) -> bool {
        let names = self.units.entry(channel.to_owned()).or_default().entry(month.to_owned()).or_default();
        names.contains(unit) || (names.len() < UNITS_A_MONTH && names.insert(unit.to_owned()))
    }

    /// The names of a month, in order.
    pub(crate) fn units(&self, channel: &str, month: &str) -> Vec<String> {
        let names = self.units.get(channel).and_then(|months| months.get(month));
        names.into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrowcast_under_way_outlives_what_is_sent_meanwhile() {
        let mut state = State::default();
        let push = || Campaign::done("r", "1", Kind::Push, 0, &[]);
        let first = state.add(push());
        let running = state.add(Campaign { phase: Phase::Waiting, kind: Kind::Narrowcast, ..push() });
        for _ in 0..CAMPAIGNS_KEPT {
            state.add(push());
        }
        assert!(state.get(first).is_none());
        assert_eq!(state.running(), [running]);
        assert!(state.get(running).is_some());
    }

    /// PLATFORM 8: 1,000 names a month; the 1,001st is not recorded, a known one is.
    #[test]
    fn a_month_has_a_thousand_units() {
        let mut state = State::default();
        for number in 0..1_000 {
            assert!(state.add_unit("1", "2026-11", &format!("unit_{number}")));
        }
        assert!(!state.add_unit("1", "2026-11", "one_more"));
        assert!(state.add_unit("1", "2026-11", "unit_7"));
        assert!(state.add_unit("1", "2026-12", "one_more"));
        assert_eq!(state.units("1", "2026-11").len(), 1_000);
    }
}
