//! What exists in the sandbox: providers, channels, people, groups, messages and tokens. Plain data behind one lock.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::fading::Fading;
use crate::faults::Fault;
use crate::line::{coupon, membership, module, rich_menu, shop, tokens};
use crate::messages::Messages;
use crate::traits::Traits;
use crate::webhook::Parcel;
use crate::{liff, login};

/// Everything that a reset forgets. What is skipped here is not kept on disk (`disk`); messages are kept there apart.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct World {
    /// How often the sandbox was emptied.
    pub(crate) resets: u64,
    pub(crate) providers: BTreeMap<String, String>,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) people: BTreeMap<u64, Person>,
    /// From provider and user ID to the person's number.
    pub(crate) user_ids: HashMap<String, HashMap<String, u64>>,
    pub(crate) groups: BTreeMap<String, Group>,
    #[serde(skip)]
    pub(crate) messages: Messages,
    pub(crate) tokens: tokens::State,
    pub(crate) login: login::State,
    pub(crate) liff: liff::State,
    pub(crate) reply_tokens: Fading<String, ReplyToken>,
    /// Accepted pushes by (channel, retry key).
    pub(crate) retry_keys: Fading<(String, String), Accepted>,
    #[serde(skip)]
    /// By a hash of channel, method and path template.
    pub(crate) buckets: HashMap<u64, Bucket>,
    #[serde(skip)]
    pub(crate) faults: Vec<Fault>,
    #[serde(skip)]
    pub(crate) deliveries: VecDeque<Delivery>,
    pub(crate) rich_menus: rich_menu::State,
    pub(crate) manager: crate::manager::State,
    /// Campaigns, counts by day, units.
    pub(crate) sends: crate::sends::State,
    pub(crate) audiences: crate::audiences::State,
    pub(crate) coupons: coupon::State,
    pub(crate) memberships: membership::State,
    pub(crate) shop: shop::State,
    pub(crate) modules: module::State,
}

/// Which kind of LINE channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Messaging,
    Login,
    /// Attached to accounts of others, on which it acts (PLATFORM 14).
    Module,
}

/// A LINE channel with its account and the settings that LINE's consoles hold (PLATFORM 26).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) bot_user_id: String,
    pub(crate) basic_id: String,
    pub(crate) picture_url: Option<String>,
    pub(crate) country: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) settings: Settings,
    /// The keys with which the channel may sign assertions (PLATFORM 4.2).
    pub(crate) public_keys: Vec<PublicKey>,
    /// Friendships by person.
    pub(crate) bonds: HashMap<u64, Bond>,
    /// Paid messages by month (`2026-11`, in the account's region).
    pub(crate) used: HashMap<String, u64>,
    /// The queue of webhooks, sent in order.
    #[serde(skip, default = "no_queue")]
    pub(crate) outgoing: mpsc::UnboundedSender<Parcel>,
    /// In ms.
    pub(crate) created_at: i64,
}

/// A queue that takes nothing: that of a channel read from disk, until its own is made.
fn no_queue() -> mpsc::UnboundedSender<Parcel> {
    mpsc::unbounded_channel().0
}

/// A public key as it was registered, and when (ms).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicKey {
    pub(crate) kid: String,
    pub(crate) jwk: Value,
    pub(crate) added_at: i64,
}

/// What the consoles hold and no API sets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) use_webhook: bool,
    pub(crate) redelivery: bool,
    pub(crate) chat_mode: String,
    pub(crate) mark_as_read_mode: String,
    pub(crate) monthly_quota: Option<u64>,
    pub(crate) plan: String,
    pub(crate) group_chats: bool,
    pub(crate) greeting: bool,
    pub(crate) auto_reply: bool,
    pub(crate) account_type: String,
    pub(crate) standby: bool,
    pub(crate) published: bool,
    /// Under a corporate contract with LINE: notification messages, and marking as read by user (PLATFORM 9, 14).
    pub(crate) partner: bool,
    /// How long LINE's background work takes, in ms: a phase of a narrowcast, the making of an audience.
    pub(crate) processing_ms: i64,
    pub(crate) linked_bot_channel_id: Option<String>,
    pub(crate) callback_urls: Vec<String>,
    /// The mission stickers the account may give, by product ID.
    pub(crate) mission_stickers: Vec<String>,
    /// People who may log in while a Login channel is not published (PLATFORM 23.5), as `u…`.
    pub(crate) testers: Vec<String>,
    /// The Login channel may ask for e-mail addresses (PLATFORM 23.1).
    pub(crate) email_permission: bool,
}

impl Default for Settings {
    /// A new account as at LINE (CONTRACT 2).
    fn default() -> Self {
        Self {
            use_webhook: false,
            redelivery: false,
            chat_mode: "bot".into(),
            mark_as_read_mode: "auto".into(),
            monthly_quota: None,
            plan: "free".into(),
            group_chats: false,
            greeting: true,
            auto_reply: true,
            account_type: "unverified".into(),
            standby: false,
            published: false,
            partner: false,
            processing_ms: 500,
            linked_bot_channel_id: None,
            callback_urls: Vec::new(),
            mission_stickers: Vec::new(),
            testers: Vec::new(),
            email_permission: false,
        }
    }
}

/// A person with a phone; `number` is shown as `u{number}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) picture_url: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) status_message: Option<String>,
    pub(crate) email: Option<String>,
    /// The user ID under each provider (PLATFORM 3).
    pub(crate) user_ids: HashMap<String, String>,
    pub(crate) traits: Traits,
}

/// What is between a person and an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Bond {
    pub(crate) following: bool,
    pub(crate) blocked: bool,
    /// When the friendship began, in ms; `None` for who never added the account.
    pub(crate) followed_at: Option<i64>,
    pub(crate) wrote_at: Option<i64>,
    /// The account shows that it is preparing an answer until then (or until its next message).
    pub(crate) loading_until: Option<i64>,
}

/// A group chat (`C…`) or a room (`R…`) with one account in it (PLATFORM 3).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) picture_url: Option<String>,
    pub(crate) channel: String,
    /// False once the account left or was removed.
    pub(crate) bot_inside: bool,
    pub(crate) members: Vec<u64>,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Chat {
    /// A person's chat with a channel's account.
    Single { channel: String, person: u64 },
    /// A group or room, by its ID.
    Group(String),
    /// Two people, the one with the smaller number first; no account is in it. Only LIFF's share target picker writes here.
    Pair(u64, u64),
}

/// The right to one free answer (PLATFORM 17).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReplyToken {
    pub(crate) channel: String,
    pub(crate) chat: Chat,
    pub(crate) event_at: i64,
    pub(crate) valid_until: i64,
    pub(crate) used: bool,
}

/// A push that was accepted under a retry key (PLATFORM 18).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) at: i64,
    pub(crate) request_id: String,
    pub(crate) sent: Vec<Value>,
}

/// A token bucket of one channel and endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) tokens: f64,
    pub(crate) at: i64,
}

/// One webhook attempt.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// Counts up from 1.
    pub(crate) id: u64,
    pub(crate) channel: String,
    pub(crate) at: i64,
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) signature: String,
    pub(crate) attempt: u32,
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
    pub(crate) duration_ms: u64,
}

impl Bond {
    /// Since when the person counts as a friend, in ms.
    pub(crate) fn since(&self, traits: &Traits) -> Option<i64> {
        traits.friend_since.filter(|_| self.followed_at.is_some()).or(self.followed_at)
    }
}

impl Chat {
    /// The chat of a person with a channel.
    pub(crate) fn single(channel: &str, person: u64) -> Self {
        Self::Single { channel: channel.to_owned(), person }
    }

    /// The chat of two people.
    pub(crate) fn pair(one: u64, other: u64) -> Self {
        Self::Pair(one.min(other), one.max(other))
    }
}

impl Person {
    /// The name under which the control API and the pages know the person.
    pub(crate) fn user(&self) -> String {
        format!("u{}", self.number)
    }
}

impl World {
    /// The person behind `u…`.
    pub(crate) fn person(&self, user: &str) -> Option<&Person> {
        let number = user.strip_prefix('u')?.parse().ok()?;
        self.people.get(&number)
    }

    /// Notes under which user IDs a person is known.
    pub(crate) fn know(&mut self, person: &Person) {
        for (provider, id) in &person.user_ids {
            self.user_ids.entry(provider.clone()).or_default().insert(id.clone(), person.number);
        }
    }

    /// The person behind a user ID as a provider's channels see it.
    pub(crate) fn person_by_id(&self, provider: &str, user_id: &str) -> Option<u64> {
        self.user_ids.get(provider)?.get(user_id).copied()
    }

    /// The bond between a channel and a person; a stranger's when none is stored.
    pub(crate) fn bond(&self, channel: &str, person: u64) -> Bond {
        self.channels.get(channel).and_then(|channel| channel.bonds.get(&person)).cloned().unwrap_or_default()
    }

    /// The persons who see a chat.
    pub(crate) fn viewers(&self, chat: &Chat) -> Vec<u64> {
        match chat {
            Chat::Single { person, .. } => vec![*person],
            Chat::Pair(one, other) => vec![*one, *other],
            Chat::Group(id) => self.groups.get(id).map(|group| group.members.clone()).unwrap_or_default(),
        }
    }
}
