//! One call that went to many.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sends::{Act, Reaction};

/// What people do with a campaign is recorded for this long (PLATFORM 12).
const RECORDED_MS: i64 = 14 * crate::clock::DAY_MS;

/// By which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Push,
    Multicast,
    Narrowcast,
    Broadcast,
}

/// How far LINE is with it; only a narrowcast is ever anything but succeeded (PLATFORM 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Waiting,
    Sending,
    Succeeded,
    Failed,
}

/// A send with its recipients and what they did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Campaign {
    pub(crate) request_id: String,
    pub(crate) channel: String,
    pub(crate) kind: Kind,
    /// When the call was accepted, in ms.
    pub(crate) at: i64,
    pub(crate) messages: Vec<Value>,
    /// The aggregation unit under which it is counted.
    pub(crate) unit: Option<String>,
    pub(crate) phase: Phase,
    /// When the phase after this one begins; the end of the last for what is done.
    pub(crate) until: i64,
    /// Why it failed (PLATFORM 7.2), 0 otherwise.
    pub(crate) error: u8,
    /// The persons who get it, or got it.
    pub(crate) recipients: Vec<u64>,
    /// What it holds of the quota while it runs.
    pub(crate) reserved: u64,
    /// The narrowcast's `recipient`, `filter` and `limit`.
    pub(crate) wanted: Value,
    /// The ID of the first recipient's first message; the others follow without a gap.
    pub(crate) first_message: Option<u64>,
    /// Into how many chats the messages went: one for a group, however many its members.
    pub(crate) copies: u64,
    pub(crate) reactions: Vec<Reaction>,
}

impl Campaign {
    /// A call that is done at once.
    pub(crate) fn done(request_id: &str, channel: &str, kind: Kind, at: i64, messages: &[Value]) -> Self {
        Self {
            request_id: request_id.to_owned(),
            channel: channel.to_owned(),
            kind,
            at,
            messages: messages.to_vec(),
            unit: None,
            phase: Phase::Succeeded,
            until: at,
            error: 0,
            recipients: Vec::new(),
            reserved: 0,
            wanted: Value::Null,
            first_message: None,
            copies: 0,
            reactions: Vec::new(),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// How many it reached.
    pub(crate) fn delivered(&self) -> usize {
        if self.phase == Phase::Succeeded { self.recipients.len() } else { 0 }
    }

    /// Which of the call's messages (from 1) a message ID is; `None` when it is of another send.
    pub(super) fn seq(&self, message: u64) -> Option<usize> {
        let count = self.messages.len().max(1) as u64;
        let place = message.checked_sub(self.first_message?)?;
        (place < count * self.copies).then(|| usize::try_from(place % count).unwrap_or_default() + 1)
    }

    /// Notes what a person did with a message, as long as LINE counts it.
    pub(super) fn react(&mut self, person: u64, message: u64, act: Act, at: i64) {
        if let Some(seq) = self.seq(message).filter(|_| at < self.at + RECORDED_MS) {
            self.reactions.push(Reaction { person, seq, at, act });
        }
    }

    /// The line of `GET /sandbox/v1/sends`.
    pub(crate) fn to_json(&self) -> Value {
        let persons = |wanted: fn(&Act) -> bool| {
            let persons = self.reactions.iter().filter(|reaction| wanted(&reaction.act));
            persons.map(|reaction| reaction.person).collect::<std::collections::BTreeSet<_>>().len()
        };
        json!({
            "requestId": self.request_id,
            "channelId": self.channel,
            "kind": self.kind,
            "at": self.at,
            "phase": self.phase,
            "errorCode": (self.error > 0).then_some(self.error),
            "recipients": self.recipients.len(),
            "delivered": self.delivered(),
            "reserved": if self.is_done() { 0 } else { self.reserved },
            "seen": persons(|act| *act == Act::Seen),
            "clicked": persons(|act| matches!(act, Act::Clicked(_))),
            "played": persons(|act| matches!(act, Act::Played(_))),
            "customAggregationUnit": self.unit,
            "messages": self.messages,
        })
    }
}
