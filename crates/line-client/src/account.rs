//! One connected channel and the calls made in its name.

use std::fmt;
use std::sync::Arc;

use line_api::api::{
    BotInfo, Consumption, GroupSummary, MemberCount, MemberProfile, Profile, Quota, WebhookEndpoint,
    WebhookTest,
};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::assertion::SigningKey;
use crate::error::LineError;
use crate::secret::Secret;
use crate::token::TokenCache;
use crate::transport::{Answer, Body, Call, LineClient};

/// What a person copies from LINE's console.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The channel's ID, digits.
    pub channel_id: String,
    /// The channel's secret, from which tokens are issued where there is neither a pasted one nor a signing key.
    pub channel_secret: Secret,
    /// A long-lived token, used as it is where one was pasted. It is never renewed: LINE's console alone can.
    pub access_token: Option<Secret>,
    /// The key by which tokens are issued in place of the secret.
    pub signing_key: Option<SigningKey>,
}

/// One connected channel: its credentials and its current token. Cheap to clone; clones share the token.
///
/// Every call carries a token by itself. On a 401 the token is dropped and the call made once more with a new one
/// (GOTCHAS F1), which is safe for sends too, because a 401 means that nothing was done.
#[derive(Clone)]
pub struct Account {
    shared: Arc<Shared>,
}

struct Shared {
    client: LineClient,
    credentials: Credentials,
    tokens: TokenCache,
}

impl fmt::Debug for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Account").field("credentials", &self.shared.credentials).finish_non_exhaustive()
    }
}

/// The five ways to send, as the validate call names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendKind {
    /// Answer to an event.
    Reply,
    /// To one chat.
    Push,
    /// To up to 500 friends.
    Multicast,
    /// To friends by attributes.
    Narrowcast,
    /// To every friend.
    Broadcast,
}

impl LineClient {
    /// One channel's calls. Make it once and keep it, for it holds the token.
    #[must_use]
    pub fn account(&self, credentials: Credentials) -> Account {
        Account {
            shared: Arc::new(Shared { client: self.clone(), credentials, tokens: TokenCache::default() }),
        }
    }
}

impl Account {
    pub(crate) fn client(&self) -> &LineClient {
        &self.shared.client
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.shared.credentials
    }

    pub(crate) fn token_cache(&self) -> &TokenCache {
        &self.shared.tokens
    }

    /// Makes a call with a token, and once more with a new one after a 401.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer, LineError> {
        let token = self.token().await?;
        let answer = self.client().exchange(&call, &token).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || self.credentials().access_token.is_some() {
            return Ok(answer);
        }
        self.token_cache().forget(&token);
        let token = self.token().await?;
        self.client().exchange(&call, &token).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &'static str, values: &[&str]) -> Result<T, LineError> {
        self.call(Call::get(path, values)).await?.json().await
    }

    /// As `get`; `None` for a 404.
    async fn find<T: DeserializeOwned>(
        &self,
        path: &'static str,
        values: &[&str],
    ) -> Result<Option<T>, LineError> {
        let answer = self.call(Call::get(path, values)).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer.json().await.map(Some)
    }

    async fn post(&self, path: &'static str, body: Value) -> Result<(), LineError> {
        self.call(Call::post(path, body.into())).await?.done().await
    }

    /// The bot behind the channel: name, basic ID, picture, chat mode (PLATFORM 9).
    ///
    /// # Errors
    /// Any [`LineError`]. A Login channel has no bot and is refused.
    pub async fn bot_info(&self) -> Result<BotInfo, LineError> {
        self.get("/v2/bot/info", &[]).await
    }

    /// The address that LINE sends events to, and whether it is switched on (PLATFORM 6). `None`: none was ever set.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn webhook_endpoint(&self) -> Result<Option<WebhookEndpoint>, LineError> {
        self.find("/v2/bot/channel/webhook/endpoint", &[]).await
    }

    /// Sets the address that LINE sends events to: https, up to 500 characters. LINE takes up to a minute to follow,
    /// and the "Use webhook" switch stays as it is (PLATFORM 6).
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for an address that LINE does not take.
    pub async fn set_webhook_endpoint(&self, url: &str) -> Result<(), LineError> {
        let call = Call {
            method: Method::PUT,
            ..Call::post("/v2/bot/channel/webhook/endpoint", json!({ "endpoint": url }).into())
        };
        self.call(call).await?.done().await
    }

    /// Has LINE send an empty webhook to `url`, or to the address that is set, and tells how it went. 60 an hour
    /// (PLATFORM 5, 6).
    ///
    /// # Errors
    /// Any [`LineError`]; 404 where no address was given nor set. A test that failed is no error.
    pub async fn test_webhook(&self, url: Option<&str>) -> Result<WebhookTest, LineError> {
        let body = url.map_or(Body::Empty, |url| json!({ "endpoint": url }).into());
        self.call(Call::post("/v2/bot/channel/webhook/test", body)).await?.json().await
    }

    /// A friend's name and picture (PLATFORM 9). `None`: unknown, no friend, blocking, or not consenting.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a malformed ID.
    pub async fn profile(&self, user_id: &str) -> Result<Option<Profile>, LineError> {
        self.find("/v2/bot/profile/{userId}", &[user_id]).await
    }

    /// A group's name and picture (PLATFORM 9). `None`: the bot is not in it.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a malformed ID.
    pub async fn group_summary(&self, group_id: &str) -> Result<Option<GroupSummary>, LineError> {
        self.find("/v2/bot/group/{groupId}/summary", &[group_id]).await
    }

    /// Name and picture of somebody in a group, friend or not (PLATFORM 9). `None`: not in it, or the bot is not.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a malformed ID.
    pub async fn group_member_profile(
        &self,
        group_id: &str,
        user_id: &str,
    ) -> Result<Option<MemberProfile>, LineError> {
        self.find("/v2/bot/group/{groupId}/member/{userId}", &[group_id, user_id]).await
    }

    /// Name and picture of somebody in a room, friend or not (PLATFORM 9). `None`: not in it, or the bot is not.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a malformed ID.
    pub async fn room_member_profile(
        &self,
        room_id: &str,
        user_id: &str,
    ) -> Result<Option<MemberProfile>, LineError> {
        self.find("/v2/bot/room/{roomId}/member/{userId}", &[room_id, user_id]).await
    }

    /// How many people are in a group, the bot not counted: the price of a push to it (PLATFORM 9, 22). `None`: the
    /// bot is not in it.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a malformed ID.
    pub async fn group_member_count(&self, group_id: &str) -> Result<Option<u64>, LineError> {
        self.count("/v2/bot/group/{groupId}/members/count", group_id).await
    }

    /// As [`group_member_count`](Self::group_member_count), for a room.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a malformed ID.
    pub async fn room_member_count(&self, room_id: &str) -> Result<Option<u64>, LineError> {
        self.count("/v2/bot/room/{roomId}/members/count", room_id).await
    }

    async fn count(&self, path: &'static str, id: &str) -> Result<Option<u64>, LineError> {
        Ok(self.find::<MemberCount>(path, &[id]).await?.map(|members| members.count))
    }

    /// How many messages this month may cost (PLATFORM 8, 22).
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn quota(&self) -> Result<Quota, LineError> {
        self.get("/v2/bot/message/quota", &[]).await
    }

    /// How many this month has cost; approximate, late, and OA Manager's sends among them (PLATFORM 8, 22).
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn consumption(&self) -> Result<Consumption, LineError> {
        self.get("/v2/bot/message/quota/consumption", &[]).await
    }

    /// Marks the message that brought `mark_as_read_token`, and all before it, as read (PLATFORM 9, 17).
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a token that is not this bot's.
    pub async fn mark_as_read(&self, mark_as_read_token: &str) -> Result<(), LineError> {
        self.post("/v2/bot/chat/markAsRead", json!({ "markAsReadToken": mark_as_read_token })).await
    }

    /// Shows the loading dots to a friend who has the chat open: 5 to 60 seconds in steps of 5, LINE's 20 for `None`,
    /// or until the next message (PLATFORM 9).
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for other seconds, groups and rooms.
    pub async fn show_loading(&self, user_id: &str, seconds: Option<u32>) -> Result<(), LineError> {
        let mut body = json!({ "chatId": user_id });
        if let (Some(seconds), Value::Object(fields)) = (seconds, &mut body) {
            fields.insert("loadingSeconds".into(), seconds.into());
        }
        self.post("/v2/bot/chat/loading/start", body).await
    }

    /// Has LINE check message objects without sending them (PLATFORM 8).
    ///
    /// # Errors
    /// Any [`LineError`]; [`LineError::Refused`] with status 400 tells in `body.details` what is wrong.
    pub async fn validate(&self, kind: SendKind, messages: &[Value]) -> Result<(), LineError> {
        let path = match kind {
            SendKind::Reply => "/v2/bot/message/validate/reply",
            SendKind::Push => "/v2/bot/message/validate/push",
            SendKind::Multicast => "/v2/bot/message/validate/multicast",
            SendKind::Narrowcast => "/v2/bot/message/validate/narrowcast",
            SendKind::Broadcast => "/v2/bot/message/validate/broadcast",
        };
        self.post(path, json!({ "messages": messages })).await
    }
}
