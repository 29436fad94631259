//! Connected accounts for the tests of this crate's other parts, without a LINE.

use std::sync::Arc;

use line_client::{BotInfo, ChatMode, MarkAsReadMode, Secret};

use super::memory::Connected;
use super::model::{Environment, Reading};
use super::repo::{self, NewRow, SecretKind};
use super::service;
use crate::app::Hub;
use crate::ids::{AccountId, TenantId};

/// The channel secret of [`connected`] accounts (PLATFORM 15, test vectors).
pub(crate) const SECRET: &str = "8c570fa6dd201bb328f1c1eac23a96d8";

/// The bot's user id of the account of a channel.
pub(crate) fn bot_user_id(channel: &str) -> String {
    format!("U{channel:0>32}")
}

/// What LINE tells of the bot of a channel.
pub(crate) fn bot(channel: &str) -> BotInfo {
    BotInfo {
        user_id: bot_user_id(channel),
        basic_id: format!("@{channel}"),
        premium_id: None,
        display_name: "三杯茶".to_owned(),
        picture_url: None,
        chat_mode: ChatMode::Bot,
        mark_as_read_mode: MarkAsReadMode::Auto,
    }
}

/// An account that is connected, with [`SECRET`].
pub(crate) async fn connected(hub: &Hub, tenant: &TenantId, channel: &str) -> Arc<Connected> {
    let id: AccountId = hub.id();
    let (key, bot, now) = (hub.entropy.token(), bot(channel), hub.now());
    let row = NewRow {
        id: &id,
        tenant,
        channel_id: channel,
        webhook_key: &key,
        bot: &bot,
        environment: Environment::Test,
        found_endpoint: None,
        now,
        by: "test",
    };
    let mut tx = hub.db.begin().await.unwrap();
    repo::insert(&mut tx, &row).await.unwrap();
    let owner = (&id, tenant);
    service::add_secret(&mut tx, hub, owner, SecretKind::ChannelSecret, &Secret::from(SECRET)).await.unwrap();
    let reading = Reading { bot: bot.clone(), endpoint: None, at: now };
    repo::set_reading(&mut tx, &id, &reading, None).await.unwrap();
    repo::set_registered(&mut tx, &id, &hub.config.origin()).await.unwrap();
    tx.commit().await.unwrap();
    service::remember(hub, &id).await.unwrap();
    hub.accounts.by_id(&id).unwrap()
}

/// Gives an account a new secret, as `PATCH` does after LINE accepted it, without telling this node's memory.
pub(crate) async fn change_secret(hub: &Hub, account: &Connected, secret: &str) {
    let mut tx = hub.db.begin().await.unwrap();
    let (id, tenant) = (&account.id, &account.tenant);
    let until = hub.now().plus(service::OVERLAP);
    repo::retire_secret(&mut tx, id, SecretKind::ChannelSecret, until).await.unwrap();
    let secret = Secret::from(secret);
    service::add_secret(&mut tx, hub, (id, tenant), SecretKind::ChannelSecret, &secret).await.unwrap();
    tx.commit().await.unwrap();
}

/// Ends an account.
pub(crate) async fn disconnect(hub: &Hub, account: &Connected) {
    let mut tx = hub.db.begin().await.unwrap();
    assert!(repo::disconnect(&mut tx, &account.id, hub.now(), "test").await.unwrap());
    repo::drop_secrets(&mut tx, &account.id).await.unwrap();
    tx.commit().await.unwrap();
    service::remember(hub, &account.id).await.unwrap();
}
