//! A LINE for the measurements: the sandbox in this process, an account connected through the hub's API, and friends.

use anyhow::Context as _;
use line_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::http::{Client, text};
use crate::{lifecycle, settings};

/// The sandbox; it ends with the process.
#[derive(Debug)]
pub(super) struct Stage {
    /// Its origin.
    pub(super) line: Url,
    /// Its controls.
    pub(super) control: Client,
    provider: String,
    _stop: tokio_util::sync::DropGuard,
}

/// A channel at the sandbox.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    /// `channelId`.
    pub(super) id: String,
    /// `channelSecret`.
    pub(super) secret: String,
    /// The bot's user id.
    pub(super) bot_user_id: String,
}

/// A friend.
#[derive(Debug, Clone)]
pub(super) struct Friend {
    /// The sandbox's name.
    pub(super) user: String,
    /// LINE's user id.
    pub(super) id: String,
}

impl Stage {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let listener = lifecycle::bind(([127, 0, 0, 1], 0).into()).await?;
        let line = settings::origin(listener.local_addr()?)?;
        let stop = CancellationToken::new();
        let sandbox = Sandbox::new(line_sandbox::Config::default());
        tokio::spawn(sandbox.serve(listener, stop.clone().cancelled_owned()));
        let control = Client::sandbox(&line)?;
        let provider = text(&control.post("/providers", json!({ "name": "bench" })).await?, "/providerId")?;
        Ok(Self { line, control, provider, _stop: stop.drop_guard() })
    }

    /// A channel with webhooks and redelivery on, and no month's limit.
    pub(super) async fn channel(&self) -> anyhow::Result<Channel> {
        let body = json!({ "providerId": self.provider, "type": "messaging", "name": "bench" });
        let made = self.control.post("/channels", body).await?;
        let id = text(&made, "/channelId")?;
        let console = json!({ "useWebhook": true, "redelivery": true, "greeting": false, "autoReply": false,
            "chatMode": "bot", "monthlyQuota": null });
        self.control.patch(&format!("/channels/{id}"), console).await?;
        Ok(Channel { id, secret: text(&made, "/channelSecret")?, bot_user_id: text(&made, "/botUserId")? })
    }

    pub(super) async fn friends(&self, channel: &Channel, count: usize) -> anyhow::Result<Vec<Friend>> {
        let mut friends = Vec::with_capacity(count);
        for number in 0..count {
            let name = format!("friend {number}");
            let made = self.control.post("/users", json!({ "displayName": name })).await?;
            let friend = Friend {
                user: text(&made, "/user")?,
                id: text(&made, &format!("/userId/{}", self.provider))?,
            };
            self.control
                .post(&format!("/users/{}/follow", friend.user), json!({ "channelId": channel.id }))
                .await?;
            friends.push(friend);
        }
        Ok(friends)
    }

    /// What the friend's phone shows.
    pub(super) async fn timeline(&self, channel: &Channel, friend: &Friend) -> anyhow::Result<Value> {
        self.control.get(&format!("/users/{}/timeline?channelId={}", friend.user, channel.id)).await
    }
}

/// Connects the channel; gives the account.
pub(super) async fn connect(api: &Client, channel: &Channel, set_webhook: bool) -> anyhow::Result<Value> {
    let body = json!({ "messenger": "line", "channel_id": channel.id, "channel_secret": channel.secret,
        "set_webhook": set_webhook, "take_over": true });
    api.post("/accounts", body).await.context("the account cannot be connected")
}
