//! What a person does with a message of the account: follow a link, play a video. And what became of the account's sends.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::Inner;
use crate::control::input::{Fields, Pairs, Problem, items, messaging_channel, person};
use crate::events::{Kind, Origin};
use crate::sends::{Act, Campaign};
use crate::world::{Chat, World};

type Answer = Result<Json<Value>, Problem>;

/// Follows a link of a message, which is counted when the message is part of a campaign. LINE has no event for it.
pub(super) async fn click(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    let mut world = inner.world();
    let person = person(&world, &user)?.number;
    let (message, _) = message(&world, person, &body)?;
    let uri = body.text("uri")?;
    world.sends.react(person, message, Act::Clicked(uri), inner.clock.now());
    Ok(Json(json!({})))
}

/// Plays a video or sound, to the end or so far. A video with a `trackingId` that is played to the end tells the account so
/// (PLATFORM 16, `videoPlayComplete`), each time.
pub(super) async fn play(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    let mut world = inner.world();
    let person = person(&world, &user)?.number;
    let (message, value) = message(&world, person, &body)?;
    let percent = match body.whole("percent")? {
        None => 100,
        Some(percent) => u8::try_from(percent)
            .ok()
            .filter(|percent| *percent <= 100)
            .ok_or_else(|| Problem::field("percent", "must lie between 0 and 100"))?,
    };
    world.sends.react(person, message, Act::Played(percent), inner.clock.now());
    let tracking_id = value.get("trackingId").filter(|id| id.is_string() && percent == 100);
    let Some(tracking_id) = tracking_id else {
        return Ok(Json(json!({ "webhookEventId": null, "delivered": false })));
    };
    let channel = body.channel(&world)?;
    let origin = Origin { chat: Chat::single(&channel, person), person: Some(person) };
    let fields = json!({ "videoPlayComplete": { "trackingId": tracking_id } });
    let kind = Kind { name: "videoPlayComplete", replyable: true, fields };
    Ok(Json(inner.emit(&mut world, &channel, origin, kind).to_json()))
}

/// A message of the account that the person can see.
fn message(world: &World, person: u64, body: &Fields) -> Result<(u64, Value), Problem> {
    let channel = body.channel(world)?;
    let id = body.text("messageId")?;
    let missing = || Problem::field("messageId", format!("the person has no message {id} of this account"));
    let message = world.messages.find(&id).filter(|message| message.author.is_none()).ok_or_else(missing)?;
    let chat = world.messages.chat_of(message).ok_or_else(missing)?;
    if world.messages.channel_of(message) != channel || !world.viewers(chat).contains(&person) {
        return Err(missing());
    }
    Ok((message.id, message.value()))
}

/// Sends to many, and pushes that name an aggregation unit: newest first.
pub(super) async fn list_sends(State(inner): State<Arc<Inner>>, query: Pairs) -> Answer {
    let mut world = inner.world();
    inner.settle_narrowcasts(&mut world);
    let channel = query.get("channelId").ok_or_else(|| Problem::field("channelId", "is missing"))?;
    let channel = messaging_channel(&world, channel)?;
    Ok(items(world.sends.of(&channel).rev().map(Campaign::to_json).collect()))
}
