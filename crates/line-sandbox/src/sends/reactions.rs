//! What people do with the messages they got: see them, follow their links, play their videos.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::sends::State;

/// One act of one person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reaction {
    pub(crate) person: u64,
    /// Which of the call's messages, from 1.
    pub(crate) seq: usize,
    /// In ms.
    pub(crate) at: i64,
    pub(crate) act: Act,
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    /// The chat with the message was opened.
    Seen,
    /// A link was followed; which one.
    Clicked(String),
    /// A video or sound was played so far, in percent.
    Played(u8),
}

/// How often something was done, and by how many persons.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) times: u64,
    pub(crate) persons: u64,
}

impl Tally {
    /// Counts the reactions that `wanted` chooses.
    pub(crate) fn of<'r>(
        reactions: impl Iterator<Item = &'r Reaction>,
        wanted: impl Fn(&Reaction) -> bool,
    ) -> Self {
        let mut persons = BTreeSet::new();
        let mut times = 0;
        for reaction in reactions.filter(|reaction| wanted(reaction)) {
            times += 1;
            persons.insert(reaction.person);
        }
        Self { times, persons: persons.len() as u64 }
    }
}

impl State {
    /// Notes what a person did with a message, when it is part of a campaign.
    pub(crate) fn react(&mut self, person: u64, message: u64, act: Act, at: i64) {
        let number = self.by_message.range(..=message).next_back().map(|(_, number)| *number);
        if let Some(campaign) = number.and_then(|number| self.campaigns.get_mut(&number)) {
            campaign.react(person, message, act, at);
        }
    }
}
