//! Module channels: a channel that is attached to other companies' accounts, acts on them with their consent, and may hold single
//! chats (PLATFORM 14; LINE's reference and guides for corporate customers).
//!
//! LINE tells some things only to participants. Here a call of a module names the account's bot in the header `X-Line-Bot-Id`, and
//! modules see the user IDs that the account itself sees, not the 68-character `L…` kind.

mod attach;
mod control;
mod page;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Inner;
use crate::events::{Kind, Origin};
use crate::line::error::LineError;
use crate::world::{Channel, Chat, Kind as ChannelKind, World};

/// The header by which a module names the account it acts on.
pub(super) const BOT_HEADER: &str = "x-line-bot-id";

/// What an account's admin may allow (LINE's guide, "Scopes").
const SCOPES: [&str; 8] = [
    "message:send",
    "message:receive",
    "account:manage",
    "profile:read",
    "coupon:manage",
    "message:mark_as_read",
    "message:templated_pnp",
    "crm:manage",
];

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/module/auth/v1/token", post(attach::attach))
        .route("/v2/bot/channel/detach", post(attach::detach))
        .route("/v2/bot/list", get(attach::list))
        .route("/v2/bot/chat/{chat_id}/control/acquire", post(control::acquire))
        .route("/v2/bot/chat/{chat_id}/control/release", post(control::release))
}

pub(crate) use page::routes as pages;

/// Attachments, codes of the attach flow, and who holds which chat.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// By the account's channel ID.
    attached: BTreeMap<String, Vec<Attachment>>,
    /// Authorization codes not yet used.
    codes: BTreeMap<String, Code>,
    /// By the account's channel ID and chat; a chat without an entry is with its default holder.
    held: HashMap<(String, Chat), Hold>,
    /// Module channels with the feature "Default Active", by channel ID.
    default_active: BTreeSet<String>,
}

/// A module on an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Attachment {
    module: String,
    scopes: Vec<String>,
    at: i64,
}

/// What an account's admin agreed to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Code {
    account: String,
    module: String,
    scopes: Vec<String>,
    /// The query of the authorization address, some of which the token call must repeat.
    asked: BTreeMap<String, String>,
    at: i64,
}

/// Who holds a chat.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hold {
    /// A module, or the account's own channel.
    channel: String,
    since: i64,
    /// When the chat returns to the account's own channel; `None` is never.
    until: Option<i64>,
}

impl State {
    /// Gives a module channel the feature "Default Active": where it is attached it holds all chats.
    pub(crate) fn set_default_active(&mut self, module: &str) {
        self.default_active.insert(module.to_owned());
    }

    pub(crate) fn is_default_active(&self, module: &str) -> bool {
        self.default_active.contains(module)
    }

    /// The modules on an account that hear of what happens there.
    pub(crate) fn listeners(&self, account: &str) -> Vec<String> {
        let attached = self.attached.get(account).into_iter().flatten();
        let listening = attached.filter(|attachment| attachment.allows("message:receive"));
        listening.map(|attachment| attachment.module.clone()).collect()
    }

    /// The channel that holds a chat at `now` (ms): a module, or the account's own.
    pub(crate) fn holder(&self, account: &str, chat: &Chat, now: i64) -> String {
        let attached = self.attached.get(account).map(Vec::as_slice).unwrap_or_default();
        // The usual case costs no look-up.
        if attached.is_empty() {
            return account.to_owned();
        }
        let on = |module: &str| attached.iter().any(|attachment| attachment.module == module);
        let hold = self.held.get(&(account.to_owned(), chat.clone()));
        match hold.filter(|hold| hold.channel == account || on(&hold.channel)) {
            Some(hold) if hold.until.is_none_or(|until| until > now) => hold.channel.clone(),
            Some(_) => account.to_owned(),
            None => {
                let default = attached.iter().find(|attachment| self.is_default_active(&attachment.module));
                default.map_or(account, |attachment| &attachment.module).to_owned()
            }
        }
    }

    fn attachment(&self, account: &str, module: &str) -> Option<&Attachment> {
        self.attached.get(account)?.iter().find(|attachment| attachment.module == module)
    }

    /// Takes a module off an account with everything it held there; false when it was not on it.
    fn remove(&mut self, account: &str, module: &str) -> bool {
        let Some(attached) = self.attached.get_mut(account) else { return false };
        let before = attached.len();
        attached.retain(|attachment| attachment.module != module);
        let removed = attached.len() < before;
        self.held.retain(|(of, _), hold| of != account || hold.channel != module);
        removed
    }

    /// The modules of an account with what they may do, for the console.
    pub(crate) fn describe(&self, account: &str) -> Vec<Value> {
        let attached = self.attached.get(account).into_iter().flatten();
        attached
            .map(|one| json!({ "channelId": one.module, "scopes": one.scopes, "attachedAt": one.at }))
            .collect()
    }
}

impl Attachment {
    fn allows(&self, scope: &str) -> bool {
        self.scopes.iter().any(|allowed| allowed == scope)
    }
}

impl World {
    /// The account on which a module acts in a call to the path `template`: the one whose bot the call names, if the module is on it
    /// and was allowed what the path needs.
    pub(super) fn account_of_module(
        &self,
        module: &str,
        bot: Option<&str>,
        template: &str,
    ) -> Result<String, LineError> {
        let account = bot.and_then(|bot| self.account_of_bot(bot)).ok_or_else(LineError::forbidden)?;
        let attachment = self.modules.attachment(&account.id, module).ok_or_else(LineError::forbidden)?;
        match scope_of(template) {
            Some(scope) if !attachment.allows(scope) => Err(LineError::forbidden()),
            _ => Ok(account.id.clone()),
        }
    }

    fn account_of_bot(&self, bot: &str) -> Option<&Channel> {
        self.channels
            .values()
            .find(|channel| channel.kind == ChannelKind::Messaging && channel.bot_user_id == bot)
    }

    /// The bot's user ID of an account.
    pub(crate) fn bot(&self, account: &str) -> String {
        self.channels.get(account).map(|channel| channel.bot_user_id.clone()).unwrap_or_default()
    }
}

impl Inner {
    /// Tells a module of something that concerns it alone; such events are always `active` and never answered.
    fn tell_module(
        &self,
        world: &mut World,
        (account, module): (&str, &str),
        origin: Option<Origin>,
        name: &'static str,
        fields: Value,
    ) {
        let to = crate::events::Recipient {
            channel: module.to_owned(),
            account: account.to_owned(),
            standby: false,
        };
        self.send_event(world, &to, origin, Kind { name, replyable: false, fields });
    }

    /// The account is deleted for good, so that the module is off it, and is told (PLATFORM 16). False when it was not on it.
    pub(crate) fn lose_module(&self, account: &str, module: &str) -> bool {
        let mut world = self.world();
        let bot = world.bot(account);
        if !world.modules.remove(account, module) {
            return false;
        }
        let fields = json!({ "module": { "type": "detached", "botId": bot, "reason": "bot_deleted" } });
        self.tell_module(&mut world, (account, module), None, "module", fields);
        true
    }

    /// The account is suspended or resumed: its modules are told, it is not (PLATFORM 16).
    pub(crate) fn suspend_account(&self, account: &str, suspended: bool) {
        let mut world = self.world();
        let name = if suspended { "botSuspended" } else { "botResumed" };
        for module in world.modules.listeners(account) {
            self.tell_module(&mut world, (account, &module), None, name, json!({}));
        }
    }
}

/// What a call needs to be allowed (LINE's guide, "Scopes"). What the guide does not name needs nothing.
fn scope_of(template: &str) -> Option<&'static str> {
    let path = template.strip_prefix("/v2/bot/")?;
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    if path.ends_with("arkAsRead") {
        Some("message:mark_as_read")
    } else if begins(&["message/pnp", "message/delivery/pnp"]) {
        Some("message:templated_pnp")
    } else if begins(&["message/{message_id}/", "chat/{chat_id}/control"]) {
        Some("message:receive")
    } else if begins(&["message/", "audienceGroup", "chat/loading"]) {
        Some("message:send")
    } else if begins(&["richmenu", "user/all/richmenu", "user/{user_id}/richmenu", "insight"]) {
        Some("account:manage")
    } else if begins(&["profile", "group", "room", "followers"]) {
        Some("profile:read")
    } else if begins(&["coupon"]) {
        Some("coupon:manage")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LINE's guide, "Scopes".
    #[test]
    fn calls_need_scopes() {
        assert_eq!(scope_of("/v2/bot/message/push"), Some("message:send"));
        assert_eq!(scope_of("/v2/bot/message/{message_id}/content"), Some("message:receive"));
        assert_eq!(scope_of("/v2/bot/chat/markAsRead"), Some("message:mark_as_read"));
        assert_eq!(scope_of("/v2/bot/chat/{chat_id}/control/acquire"), Some("message:receive"));
        assert_eq!(scope_of("/v2/bot/user/all/richmenu/{rich_menu_id}"), Some("account:manage"));
        assert_eq!(scope_of("/v2/bot/user/{user_id}/linkToken"), None);
        assert_eq!(scope_of("/v2/bot/profile/{user_id}"), Some("profile:read"));
    }
}
