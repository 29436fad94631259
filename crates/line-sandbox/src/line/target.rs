//! Whom a push reaches, what it costs, and putting messages into chats (PLATFORM 7, 22).

use serde_json::{Value, json};

use crate::Inner;
use crate::clock::month;
use crate::ids::{is_line_id, quote_token};
use crate::line::error::LineError;
use crate::messages::{NewMessage, Via, compact};
use crate::sends::Campaign;
use crate::world::{Channel, Chat, World};

/// A person who is no friend is reached for this long after writing (PLATFORM 7).
const WROTE_RECENTLY_MS: i64 = 7 * 24 * 3_600_000;

/// Where a push goes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) chat: Chat,
    /// Paid messages: one per recipient (PLATFORM 22).
    pub(crate) cost: u64,
    /// False when LINE accepts the push but nobody sees it.
    pub(crate) delivered: bool,
}

impl World {
    /// Finds whom `to` means to this channel.
    pub(crate) fn target(&self, channel_id: &str, to: &str, now: i64) -> Result<Target, LineError> {
        let failed = || LineError::bad_request("Failed to send messages");
        let channel = self.channels.get(channel_id).ok_or_else(failed)?;
        if is_line_id(to, 'U') {
            let person = self.person_by_id(&channel.provider, to).ok_or_else(failed)?;
            let delivered = self.is_reached(channel, person, now);
            return Ok(Target {
                chat: Chat::single(channel_id, person),
                cost: u64::from(delivered),
                delivered,
            });
        }
        if is_line_id(to, 'C') || is_line_id(to, 'R') {
            let group = self
                .groups
                .get(to)
                .filter(|group| group.channel == channel_id && group.bot_inside)
                .ok_or_else(failed)?;
            let chat = Chat::Group(group.id.clone());
            return Ok(Target { chat, cost: group.members.len() as u64, delivered: true });
        }
        Err(LineError::invalid_property("to"))
    }

    /// Tells whether what the account sends to a person is shown: to friends, and for seven days to who wrote (PLATFORM 7).
    pub(crate) fn is_reached(&self, channel: &Channel, person: u64, now: i64) -> bool {
        channel.bonds.get(&person).is_some_and(|bond| {
            let wrote_recently = bond.wrote_at.is_some_and(|at| at + WROTE_RECENTLY_MS > now);
            !bond.blocked && (bond.following || wrote_recently)
        })
    }

    /// The friends who do not block the account, in the order of their numbers.
    pub(crate) fn friends(&self, channel_id: &str) -> Vec<u64> {
        let bonds = self.channels.get(channel_id).into_iter().flat_map(|channel| &channel.bonds);
        let mut friends: Vec<u64> =
            bonds.filter(|(_, bond)| bond.following).map(|(person, _)| *person).collect();
        friends.sort_unstable();
        friends
    }

    /// The loading animation ends at the account's next message (PLATFORM 9).
    fn end_loading(&mut self, chat: &Chat) {
        if let Chat::Single { channel, person } = chat
            && let Some(channel) = self.channels.get_mut(channel)
            && let Some(bond) = channel.bonds.get_mut(person)
        {
            bond.loading_until = None;
        }
    }

    /// Keeps a campaign, under its unit when that still counts this month (PLATFORM 8). Gives its number.
    pub(crate) fn record(&mut self, mut campaign: Campaign, unit: Option<&str>, now: i64) -> u64 {
        let country = self.channels.get(&campaign.channel).map_or("", |channel| &channel.country);
        if let Some(unit) = unit
            && self.sends.add_unit(&campaign.channel, &month(now, country), unit)
        {
            campaign.unit = Some(unit.to_owned());
        }
        self.sends.add(campaign)
    }

    /// What is left of the month's quota beside what running narrowcasts hold; `None` without a limit.
    pub(crate) fn left(&self, channel_id: &str, now: i64) -> Option<u64> {
        let quota = self.channels.get(channel_id)?.settings.monthly_quota?;
        Some(quota.saturating_sub(self.used(channel_id, now) + self.sends.reserved(channel_id)))
    }

    /// Paid messages of this month.
    pub(crate) fn used(&self, channel_id: &str, now: i64) -> u64 {
        let channel = self.channels.get(channel_id);
        channel.and_then(|channel| channel.used.get(&month(now, &channel.country))).copied().unwrap_or(0)
    }

    /// Takes `cost` from the month's quota, or refuses the whole call (PLATFORM 22), also when only a reservation stands in the way.
    pub(crate) fn spend(&mut self, channel_id: &str, cost: u64, now: i64) -> Result<(), LineError> {
        if cost > 0 && self.left(channel_id, now).is_some_and(|left| cost > left) {
            return Err(LineError::month_used_up());
        }
        self.use_quota(channel_id, cost, now);
        Ok(())
    }

    /// Counts paid messages.
    pub(crate) fn use_quota(&mut self, channel_id: &str, cost: u64, now: i64) {
        if let Some(channel) = self.channels.get_mut(channel_id) {
            *channel.used.entry(month(now, &channel.country)).or_default() += cost;
        }
    }
}

impl Inner {
    /// Puts a campaign's messages into the chats of many and notes that in the campaign. All copies share one stored text.
    pub(crate) fn post_to_many(
        &self,
        world: &mut World,
        campaign: &mut Campaign,
        people: Vec<u64>,
        via: Via,
    ) {
        let now = self.clock.now();
        let texts: Vec<_> = campaign.messages.iter().map(compact).collect();
        let mut id = self.ids.message_ids(now, (people.len() * texts.len()) as u64);
        campaign.first_message = (!people.is_empty()).then_some(id);
        campaign.copies = people.len() as u64;
        for person in &people {
            let chat = Chat::single(&campaign.channel, *person);
            for text in &texts {
                world.messages.add(NewMessage {
                    id,
                    channel: &campaign.channel,
                    chat: &chat,
                    author: None,
                    text: text.clone(),
                    at: now,
                    via,
                    read: false,
                    content: None,
                });
                id += 1;
            }
            world.end_loading(&chat);
        }
        campaign.recipients = people;
    }

    /// Wakes the phones of the given people, of all when they are many; nobody's when there are none.
    pub(crate) fn changed_many(&self, people: Vec<u64>) {
        match people.len() {
            0 => {}
            1..=1_000 => self.changed(people),
            _ => self.changed(Vec::new()),
        }
    }

    /// Puts the account's messages into the chat (when they are delivered) and gives LINE's `sentMessages`.
    pub(crate) fn post_messages(
        &self,
        world: &mut World,
        channel_id: &str,
        target: &Target,
        messages: &[Value],
        via: Via,
    ) -> Vec<Value> {
        let now = self.clock.now();
        let mut sent = Vec::with_capacity(messages.len());
        for value in messages {
            let id = self.ids.message_id(now);
            let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
            let quotable =
                matches!(kind, "text" | "textV2" | "sticker" | "image" | "video" | "template" | "flex");
            sent.push(if quotable {
                json!({ "id": id.to_string(), "quoteToken": quote_token(id) })
            } else {
                json!({ "id": id.to_string() })
            });
            if target.delivered {
                world.messages.add(NewMessage {
                    id,
                    channel: channel_id,
                    chat: &target.chat,
                    author: None,
                    text: compact(value),
                    at: now,
                    via,
                    read: false,
                    content: None,
                });
            }
        }
        world.end_loading(&target.chat);
        sent
    }
}
