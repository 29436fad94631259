//! Whom a push reaches, what it costs, and putting messages into chats (PLATFORM 7, 22).

use serde_json::{Value, json};

use crate::Inner;
use crate::clock::month;
use crate::ids::{is_line_id, quote_token};
use crate::line::error::LineError;
use crate::messages::{NewMessage, Via, compact};
use crate::world::{Chat, World};

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
            let bond = self.bond(channel_id, person);
            let wrote_recently = bond.wrote_at.is_some_and(|at| at + WROTE_RECENTLY_MS > now);
            let delivered = !bond.blocked && (bond.following || wrote_recently);
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

    /// Paid messages of this month.
    pub(crate) fn used(&self, channel_id: &str, now: i64) -> u64 {
        let channel = self.channels.get(channel_id);
        channel.and_then(|channel| channel.used.get(&month(now, &channel.country))).copied().unwrap_or(0)
    }

    /// Takes `cost` from the month's quota, or refuses the whole call (PLATFORM 22).
    pub(crate) fn spend(&mut self, channel_id: &str, cost: u64, now: i64) -> Result<(), LineError> {
        let used = self.used(channel_id, now);
        let Some(channel) = self.channels.get_mut(channel_id) else { return Ok(()) };
        if cost > 0 && channel.settings.monthly_quota.is_some_and(|quota| used + cost > quota) {
            return Err(LineError::month_used_up());
        }
        *channel.used.entry(month(now, &channel.country)).or_default() += cost;
        Ok(())
    }
}

impl Inner {
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
        if let Chat::Single { person, .. } = &target.chat
            && let Some(channel) = world.channels.get_mut(channel_id)
            && let Some(bond) = channel.bonds.get_mut(person)
        {
            // The loading animation ends at the next message (PLATFORM 9).
            bond.loading_until = None;
        }
        sent
    }
}
