//! Providers and channels, as LINE's consoles make and set them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use url::Url;

use crate::Inner;
use crate::control::input::{Fields, Problem, channel_mut, items};
use crate::ids::is_line_id;
use crate::webhook;
use crate::world::{Channel, Kind, Settings};

pub(super) async fn create_provider(
    State(inner): State<Arc<Inner>>,
    body: Fields,
) -> Result<Json<Value>, Problem> {
    let name = body.text("name")?;
    let id = inner.ids.provider_id();
    let mut world = inner.world();
    let mut known = HashMap::new();
    for person in world.people.values_mut() {
        let user_id = inner.ids.user_id(&id, &person.user());
        known.insert(user_id.clone(), person.number);
        person.user_ids.insert(id.clone(), user_id);
    }
    world.user_ids.insert(id.clone(), known);
    world.providers.insert(id.clone(), name);
    Ok(Json(json!({ "providerId": id })))
}

pub(super) async fn list_providers(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let world = inner.world();
    items(world.providers.iter().map(|(id, name)| json!({ "providerId": id, "name": name })).collect())
}

pub(super) async fn create_channel(
    State(inner): State<Arc<Inner>>,
    body: Fields,
) -> Result<Json<Value>, Problem> {
    let provider = body.text("providerId")?;
    let kind = match body.word("type", &["messaging", "login", "module"])?.as_deref() {
        Some("messaging") => Kind::Messaging,
        Some("module") => Kind::Module,
        Some(_) => Kind::Login,
        None => return Err(Problem::field("type", "is missing")),
    };
    let name = body.text("name")?;
    let basic_id = match body.optional_text("basicId")? {
        Some(id) if id.starts_with('@') && id.len() > 1 => id,
        Some(_) => return Err(Problem::field("basicId", "must start with @")),
        None => inner.ids.basic_id(),
    };
    let country = body.optional_text("country")?.unwrap_or_else(|| "TW".into());
    if country.len() != 2 {
        return Err(Problem::field("country", "must be a country code of two letters"));
    }
    let picture_url = body.optional_text("pictureUrl")?;
    // LINE gives both; a scenario may fix them, so that a bot's settings outlive it.
    let digits = |id: &String| id.len() == 10 && id.bytes().all(|b| b.is_ascii_digit());
    let given_id = body.optional_text("channelId")?;
    if given_id.as_ref().is_some_and(|id| !digits(id)) {
        return Err(Problem::field("channelId", "must be ten digits"));
    }
    let given_secret = body.optional_text("channelSecret")?;
    if given_secret.as_ref().is_some_and(|secret| !is_line_id(&format!("S{secret}"), 'S')) {
        return Err(Problem::field("channelSecret", "must be 32 hexadecimal digits"));
    }
    let mut world = inner.world();
    if !world.providers.contains_key(&provider) {
        return Err(Problem::field("providerId", format!("there is no provider {provider}")));
    }
    if kind == Kind::Messaging && world.channels.values().any(|channel| channel.basic_id == basic_id) {
        return Err(Problem::field("basicId", "is taken by another account"));
    }
    let id = given_id.unwrap_or_else(|| inner.ids.channel_id());
    if world.channels.contains_key(&id) {
        return Err(Problem::field("channelId", "is taken by another channel"));
    }
    // A module's webhook cannot be switched off (LINE's guide to modules).
    let settings = Settings { use_webhook: kind == Kind::Module, ..Settings::default() };
    if kind == Kind::Module && body.boolean("defaultActive")?.unwrap_or(false) {
        world.modules.set_default_active(&id);
    }
    let channel = Channel {
        outgoing: webhook::queue(&inner, &id),
        id,
        kind,
        provider,
        name,
        secret: given_secret.unwrap_or_else(|| inner.ids.hex32()),
        bot_user_id: inner.ids.line_id('U'),
        basic_id,
        picture_url,
        country,
        endpoint: None,
        settings,
        public_keys: Vec::new(),
        bonds: Default::default(),
        used: Default::default(),
        created_at: inner.clock.now(),
    };
    let answer = describe(&channel);
    world.channels.insert(channel.id.clone(), channel);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(answer))
}

pub(super) async fn list_channels(State(inner): State<Arc<Inner>>) -> Json<Value> {
    items(inner.world().channels.values().map(describe).collect())
}

pub(super) async fn show_channel(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let mut world = inner.world();
    Ok(Json(describe(channel_mut(&mut world, &id)?)))
}

/// How many callback URLs a Login channel takes (PLATFORM 23.1).
const CALLBACK_URLS: usize = 400;

/// The settings that may be changed, so that a typing error does not pass unseen.
const SETTINGS: [&str; 23] = [
    "name",
    "pictureUrl",
    "useWebhook",
    "redelivery",
    "chatMode",
    "markAsReadMode",
    "monthlyQuota",
    "plan",
    "groupChats",
    "greeting",
    "autoReply",
    "published",
    "linkedBotChannelId",
    "callbackUrls",
    "missionStickers",
    "testers",
    "emailPermission",
    "accountType",
    "standby",
    "country",
    "webhookEndpoint",
    "partner",
    "processingMs",
];

/// Longer than LINE ever takes.
const PROCESSING_LIMIT_MS: i64 = crate::clock::DAY_MS;

pub(super) async fn change_channel(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    body: Fields,
) -> Result<Json<Value>, Problem> {
    if let Some(unknown) = body.names().find(|name| !SETTINGS.contains(name)) {
        return Err(Problem::field(
            unknown,
            format!("is not a setting; settings are: {}", SETTINGS.join(", ")),
        ));
    }
    let mut world = inner.world();
    let linked = body.optional_text("linkedBotChannelId")?;
    if let Some(linked) = &linked {
        let provider = channel_mut(&mut world, &id)?.provider.clone();
        match world.channels.get(linked) {
            Some(bot) if bot.kind == Kind::Messaging && bot.provider == provider => {}
            _ => {
                return Err(Problem::field(
                    "linkedBotChannelId",
                    "must be a messaging channel of the same provider",
                ));
            }
        }
    }
    let channel = channel_mut(&mut world, &id)?;
    let mut settings = channel.settings.clone();
    let switch = |field: &str, target: &mut bool| -> Result<(), Problem> {
        if let Some(value) = body.boolean(field)? {
            *target = value;
        }
        Ok(())
    };
    switch("useWebhook", &mut settings.use_webhook)?;
    switch("redelivery", &mut settings.redelivery)?;
    switch("groupChats", &mut settings.group_chats)?;
    switch("greeting", &mut settings.greeting)?;
    switch("autoReply", &mut settings.auto_reply)?;
    switch("published", &mut settings.published)?;
    switch("standby", &mut settings.standby)?;
    switch("emailPermission", &mut settings.email_permission)?;
    switch("partner", &mut settings.partner)?;
    if let Some(ms) = body.whole("processingMs")? {
        settings.processing_ms = i64::try_from(ms)
            .ok()
            .filter(|ms| *ms <= PROCESSING_LIMIT_MS)
            .ok_or_else(|| Problem::field("processingMs", "must not be longer than a day"))?;
    }
    if let Some(mode) = body.word("chatMode", &["chat", "bot"])? {
        settings.chat_mode = mode;
    }
    if let Some(mode) = body.word("markAsReadMode", &["auto", "manual"])? {
        settings.mark_as_read_mode = mode;
    }
    if let Some(kind) = body.word("accountType", &["unverified", "verified", "premium"])? {
        settings.account_type = kind;
    }
    if let Some(plan) = body.optional_text("plan")? {
        settings.plan = plan;
    }
    if body.has("monthlyQuota") {
        settings.monthly_quota = body.whole("monthlyQuota")?;
    }
    if body.has("linkedBotChannelId") {
        settings.linked_bot_channel_id = linked;
    }
    if body.has("callbackUrls") {
        settings.callback_urls = body.texts("callbackUrls")?;
        if settings.callback_urls.len() > CALLBACK_URLS {
            return Err(Problem::field("callbackUrls", "must not be more than 400"));
        }
        if settings.callback_urls.iter().any(|url| Url::parse(url).is_err()) {
            return Err(Problem::field("callbackUrls", "must be URLs"));
        }
    }
    if body.has("missionStickers") {
        settings.mission_stickers = body.texts("missionStickers")?;
    }
    if body.has("testers") {
        settings.testers = body.texts("testers")?;
    }
    let endpoint = body.optional_text("webhookEndpoint")?;
    if let Some(url) = &endpoint
        && !crate::line::is_webhook_url(url)
    {
        return Err(Problem::field(
            "webhookEndpoint",
            "must be https (or http on loopback), at most 500 characters",
        ));
    }
    // Everything is read before anything is set: a refused call changes nothing.
    let name = body.optional_text("name")?;
    let picture_url = body.optional_text("pictureUrl")?;
    let country = body.optional_text("country")?;
    channel.settings = settings;
    channel.name = name.unwrap_or_else(|| channel.name.clone());
    channel.country = country.unwrap_or_else(|| channel.country.clone());
    if body.has("pictureUrl") {
        channel.picture_url = picture_url;
    }
    if body.has("webhookEndpoint") {
        channel.endpoint = endpoint;
    }
    let answer = describe(channel);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(answer))
}

/// The console's button "Verify": a signed empty batch to the webhook's address, whether or not it is in use (PLATFORM 15).
pub(super) async fn verify_webhook(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (url, secret, destination) = {
        let mut world = inner.world();
        let channel = channel_mut(&mut world, &id)?;
        let url = channel.endpoint.clone();
        let url =
            url.ok_or_else(|| Problem::field("webhookEndpoint", "is not set; there is nothing to verify"))?;
        (url, channel.secret.clone(), channel.bot_user_id.clone())
    };
    let outcome = inner.test_webhook(&id, &url, &secret, &destination).await;
    let world = inner.world();
    let delivery = world.deliveries.iter().rev().find(|delivery| delivery.channel == id);
    Ok(Json(json!({
        "deliveryId": delivery.map(|delivery| delivery.id),
        "success": outcome.is_ok(),
        "statusCode": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail,
    })))
}

/// A channel as the console shows it.
fn describe(channel: &Channel) -> Value {
    let settings = &channel.settings;
    let mut shown = json!({
        "channelId": channel.id,
        "channelSecret": channel.secret,
        "providerId": channel.provider,
        "name": channel.name,
        "country": channel.country,
        "published": settings.published,
        "publicKeys": channel.public_keys,
    });
    let own = match channel.kind {
        Kind::Messaging => json!({
            "type": "messaging",
            "botUserId": channel.bot_user_id,
            "basicId": channel.basic_id,
            "pictureUrl": channel.picture_url,
            "webhookEndpoint": channel.endpoint,
            "useWebhook": settings.use_webhook,
            "redelivery": settings.redelivery,
            "chatMode": settings.chat_mode,
            "markAsReadMode": settings.mark_as_read_mode,
            "monthlyQuota": settings.monthly_quota,
            "plan": settings.plan,
            "groupChats": settings.group_chats,
            "greeting": settings.greeting,
            "autoReply": settings.auto_reply,
            "accountType": settings.account_type,
            "standby": settings.standby,
            "partner": settings.partner,
            "processingMs": settings.processing_ms,
            "missionStickers": settings.mission_stickers,
        }),
        Kind::Login => json!({
            "type": "login",
            "linkedBotChannelId": settings.linked_bot_channel_id,
            "callbackUrls": settings.callback_urls,
            "testers": settings.testers,
            "emailPermission": settings.email_permission,
        }),
        Kind::Module => json!({
            "type": "module",
            "webhookEndpoint": channel.endpoint,
            "useWebhook": settings.use_webhook,
            "redelivery": settings.redelivery,
            "callbackUrls": settings.callback_urls,
        }),
    };
    if let (Some(object), Value::Object(own)) = (shown.as_object_mut(), own) {
        object.extend(own);
    }
    shown
}
