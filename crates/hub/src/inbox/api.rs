//! `/api/v1/conversations` and `/api/v1/messages`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::content;
use super::model::{Conversation, Kind, Message, State as ConversationState};
use super::service::{self, Answer, Change, Filter};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::ids::{ConversationId, MessageId};
use crate::outbox::model::{Origin, Terms};
use crate::team::Actor;
use crate::web::api::{
    ApiResult, AsksLine, Caller, CanRead, CanSend, Ident, Input, Items, MayCost, Media, PageParams, Paged,
    Params, Problems,
};

/// The calls of the inbox.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list_conversations))
        .routes(routes!(get_conversation, change_conversation))
        .routes(routes!(list_messages, send_messages))
        .routes(routes!(get_message))
        .routes(routes!(get_content))
        .routes(routes!(send_again))
}

/// All messages with one person, group or room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationView {
    /// `cnv_…`
    id: String,
    /// The account.
    account_id: String,
    /// `user`, `group` or `room`.
    kind: &'static str,
    /// The person's or group's name; null until it is known.
    title: Option<String>,
    /// The person's or group's picture.
    picture_url: Option<String>,
    /// Null for groups and rooms.
    contact: Option<ContactRef>,
    /// `open`, `snoozed` or `closed`.
    state: &'static str,
    /// When a snooze ends; null for "with the next message".
    #[schema(value_type = Option<String>, format = DateTime)]
    snoozed_until: Option<Timestamp>,
    /// The last word is the other side's.
    unanswered: bool,
    /// Messages that nobody has looked at.
    unread_count: i64,
    /// The newest message.
    last_message: Option<LastMessageView>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_message_at: Option<Timestamp>,
    /// Who is responsible.
    assignee_id: Option<String>,
    /// Held by another channel at LINE.
    standby: bool,
    /// Until when an answer is free.
    reply_window: ReplyWindow,
}

/// Of a contact, what a list shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContactRef {
    id: String,
    display_name: Option<String>,
    picture_url: Option<String>,
    following: Option<bool>,
    #[schema(value_type = Option<String>, format = DateTime)]
    blocked_at: Option<Timestamp>,
}

/// Of the newest message, what a list shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastMessageView {
    id: String,
    /// `in` or `out`.
    direction: &'static str,
    /// LINE's message object; null when unsent.
    #[schema(value_type = Option<Object>)]
    content: Option<Value>,
}

/// Until when an answer is free.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplyWindow {
    /// Null when an answer would be a paid push.
    #[schema(value_type = Option<String>, format = DateTime)]
    free_until: Option<Timestamp>,
}

const fn direction(inbound: bool) -> &'static str {
    if inbound { "in" } else { "out" }
}

impl From<Conversation> for ConversationView {
    fn from(c: Conversation) -> Self {
        let last_message_at = c.last_message.as_ref().map(|last| last.at);
        let (name, picture) = match &c.contact {
            Some(contact) => (contact.display_name.clone(), contact.picture_url.clone()),
            None => (c.title, c.picture_url),
        };
        Self {
            id: c.id.to_string(),
            account_id: c.account_id.to_string(),
            kind: c.kind.as_str(),
            title: name,
            picture_url: picture,
            contact: c.contact.filter(|_| c.kind == Kind::User).map(|contact| ContactRef {
                id: contact.id.to_string(),
                display_name: contact.display_name,
                picture_url: contact.picture_url,
                following: contact.following,
                blocked_at: contact.blocked_at,
            }),
            state: c.state.as_str(),
            snoozed_until: c.snoozed_until,
            unanswered: c.unanswered_since.is_some(),
            unread_count: c.unread_count,
            last_message: c.last_message.map(|last| LastMessageView {
                id: last.id.to_string(),
                direction: direction(last.inbound),
                content: last.content,
            }),
            last_message_at,
            assignee_id: c.assignee.map(|(id, _)| id),
            standby: c.standby,
            reply_window: ReplyWindow { free_until: c.free_until },
        }
    }
}

/// One line of a transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageView {
    /// `msg_…`
    id: String,
    /// The conversation.
    conversation_id: String,
    /// `in` or `out`.
    direction: &'static str,
    /// contact, agent, automation, campaign, api, proxy or system.
    origin: String,
    /// Who wrote it: a contact, a user or an API key. Null for a group member whom LINE does not name.
    sender: Option<SenderView>,
    /// LINE's message object, or `{"type": "event", "event": …}`; null when unsent.
    #[schema(value_type = Option<Object>)]
    content: Option<Value>,
    /// Its place in the transcript.
    #[schema(value_type = String, format = DateTime)]
    sent_at: Timestamp,
    /// When it was last edited.
    #[schema(value_type = Option<String>, format = DateTime)]
    edited_at: Option<Timestamp>,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    unsent_at: Option<Timestamp>,
    /// What it said before it was edited, oldest first.
    versions: Vec<VersionView>,
    /// Pictures that were sent at once share this.
    image_set_id: Option<String>,
    /// Seen only: another channel answers here.
    standby: bool,
    /// The media, for the kinds that have any.
    media: Option<MediaView>,
    /// How the sending stands; null for what the other side wrote.
    delivery: Option<DeliveryView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SenderView {
    id: String,
    /// With origin `proxy`: the destination that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_id: Option<String>,
    name: Option<String>,
    picture_url: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(value_type = Object)]
    content: Value,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MediaView {
    /// waiting, kept, gone or failed.
    state: String,
    content_type: Option<String>,
    /// Bytes.
    size: Option<i64>,
    file_name: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// queued, sent, failed or unknown.
    state: String,
    /// reply (free) or push (paid).
    via: Option<String>,
    /// Messages of the month's quota.
    cost: i64,
    error: Option<DeliveryErrorView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryErrorView {
    code: String,
    detail: String,
}

impl From<Message> for MessageView {
    fn from(m: Message) -> Self {
        let sender = match (m.contact, m.sender_id) {
            (Some((id, name, picture_url)), _) => {
                Some(SenderView { id, destination_id: None, name, picture_url })
            }
            (None, Some(id)) => {
                let destination_id = (m.origin == "proxy").then(|| id.clone());
                Some(SenderView { id, destination_id, name: m.sender_name, picture_url: None })
            }
            (None, None) => None,
        };
        Self {
            id: m.id.to_string(),
            conversation_id: m.conversation_id.to_string(),
            direction: direction(m.inbound),
            origin: m.origin,
            sender,
            content: m.content,
            sent_at: m.sort_at,
            edited_at: m.edited_at,
            unsent_at: m.unsent_at,
            versions: m.versions.into_iter().map(|(at, content)| VersionView { at, content }).collect(),
            image_set_id: m.image_set_id,
            standby: m.standby,
            media: m.media.map(|media| MediaView {
                state: media.state,
                content_type: media.content_type,
                size: media.size,
                file_name: media.file_name,
            }),
            delivery: m.delivery.map(|delivery| DeliveryView {
                state: delivery.state,
                via: delivery.via,
                cost: delivery.cost,
                error: delivery.error.map(|(code, detail)| DeliveryErrorView { code, detail }),
            }),
        }
    }
}

/// The conversations of the tenant, newest activity first.
#[utoipa::path(get, path = "/conversations", tag = "Inbox", params(PageParams,
    ("account_id" = Option<String>, Query, description = "only of this account"),
    ("state" = Option<String>, Query, description = "open, snoozed or closed"),
    ("unanswered" = Option<bool>, Query, description = "only those that wait for an answer, or that do not"),
    ("assignee_id" = Option<String>, Query, description = "only those of this user"),
    ("q" = Option<String>, Query, description = "part of the person's or group's name")),
    responses((status = 200, body = Paged<ConversationView>), Problems))]
async fn list_conversations(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<Paged<ConversationView>>> {
    let page = params.page()?;
    let filter = Filter {
        account: params.id("account_id")?,
        state: params.read_as("state", "one of open, snoozed, closed", ConversationState::parse)?,
        unanswered: params.flag("unanswered")?,
        assignee: params.text("assignee_id").map(str::to_owned),
        q: params.text("q").map(str::to_owned),
        after: page.after()?,
        limit: page.fetch(),
        ..Filter::default()
    };
    let rows = service::list(&hub, &caller.scope, &filter).await?;
    Ok(Json(page.wrap(rows, |last| (last.activity_at, last.id.to_string())).map(ConversationView::from)))
}

/// One conversation.
#[utoipa::path(get, path = "/conversations/{id}", tag = "Inbox", params(("id" = String, Path)),
    responses((status = 200, body = ConversationView), Problems))]
async fn get_conversation(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<ConversationId>,
) -> ApiResult<Json<ConversationView>> {
    Ok(Json(service::get(&hub, &caller.scope, &id).await?.into()))
}

/// What is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationChange {
    /// open, snoozed or closed.
    state: Option<String>,
    /// Only with `state` `snoozed`: until when; absent means until the next message.
    #[schema(value_type = Option<String>, format = DateTime)]
    snoozed_until: Option<Timestamp>,
    /// A user's id, or null for nobody.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    assignee_id: Option<Option<String>>,
    /// `true`: everything is read.
    #[serde(default)]
    read: bool,
}

/// Tells a null that was given from a value that was not.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

/// Changes state or assignee, or marks everything as read.
#[utoipa::path(patch, path = "/conversations/{id}", tag = "Inbox", params(("id" = String, Path)),
    request_body = ConversationChange, responses((status = 200, body = ConversationView), Problems))]
async fn change_conversation(
    State(hub): State<Hub>,
    CanSend(caller): CanSend,
    Ident(id): Ident<ConversationId>,
    Input(wanted): Input<ConversationChange>,
) -> ApiResult<Json<ConversationView>> {
    let wrong = || AppError::invalid_field("state", "invalid", "expected one of open, snoozed, closed");
    let state = wanted.state.as_deref().map(|text| ConversationState::parse(text).ok_or_else(wrong));
    let state = state.transpose()?;
    if wanted.snoozed_until.is_some() && state != Some(ConversationState::Snoozed) {
        let detail = "goes only with the state snoozed";
        return Err(AppError::invalid_field("snoozed_until", "invalid", detail));
    }
    let state = state.map(|state| (state, wanted.snoozed_until));
    let change = Change { state, assignee: wanted.assignee_id, read: wanted.read.then_some(true) };
    let conversation = service::change(&hub, &caller.scope, &actor(&caller), &id, change).await?;
    Ok(Json(conversation.into()))
}

/// The messages of a conversation: oldest first within a page, `next_cursor` leads to older ones.
#[utoipa::path(get, path = "/conversations/{id}/messages", tag = "Inbox", params(PageParams, ("id" = String, Path)),
    responses((status = 200, body = Paged<MessageView>), Problems))]
async fn list_messages(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<ConversationId>,
    params: Params,
) -> ApiResult<Json<Paged<MessageView>>> {
    let page = params.page()?;
    let rows = service::messages_before(&hub, &caller.scope, &id, page.after()?, page.fetch()).await?;
    let mut page = page.wrap(rows, |oldest| (oldest.sort_at, oldest.id.to_string()));
    page.items.reverse();
    Ok(Json(page.map(MessageView::from)))
}

/// Messages to be sent in one call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessages {
    /// One to five LINE message objects.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Value>,
    /// Whether it may cost messages of the month's quota; true for people, false for groups and rooms.
    allow_paid: Option<bool>,
    /// The most it may cost.
    max_cost: Option<i64>,
}

/// Queues an answer: a free reply while the conversation's reply window is open, else a paid push where that is allowed.
#[utoipa::path(post, path = "/conversations/{id}/messages", tag = "Inbox", params(("id" = String, Path)),
    request_body = NewMessages, responses((status = 202, body = Items<MessageView>), MayCost, AsksLine, Problems))]
async fn send_messages(
    State(hub): State<Hub>,
    CanSend(caller): CanSend,
    Ident(id): Ident<ConversationId>,
    Input(new): Input<NewMessages>,
) -> ApiResult<(StatusCode, Json<Items<MessageView>>)> {
    if new.max_cost.is_some_and(|cost| cost < 0) {
        return Err(AppError::invalid_field("max_cost", "invalid", "expected a number from 0"));
    }
    let conversation = service::get(&hub, &caller.scope, &id).await?;
    let terms = Terms {
        allow_paid: new.allow_paid.unwrap_or(conversation.kind == Kind::User),
        max_cost: new.max_cost.unwrap_or(1),
    };
    let answer = Answer { messages: new.messages, terms, origin: Origin::Api, once: caller.once.clone() };
    let queued = service::send(&hub, &caller.scope, &actor(&caller), &id, answer).await?;
    let items = queued.into_iter().map(MessageView::from).collect();
    Ok((StatusCode::ACCEPTED, Json(Items { items })))
}

/// One message.
#[utoipa::path(get, path = "/messages/{id}", tag = "Inbox", params(("id" = String, Path)),
    responses((status = 200, body = MessageView), Problems))]
async fn get_message(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<MessageId>,
) -> ApiResult<Json<MessageView>> {
    Ok(Json(service::message(&hub, &caller.scope, &id).await?.into()))
}

/// The media of a message, whole or in part (`Range`).
#[utoipa::path(get, path = "/messages/{id}/content", tag = "Inbox", params(("id" = String, Path)),
    responses((status = 200, description = "the bytes"), (status = 206, description = "the part asked for"),
        Media, Problems))]
async fn get_content(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<MessageId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    content::serve(&hub, &caller.scope, &id, &headers).await
}

/// Terms of a repeated send.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgainTerms {
    /// Whether it may cost messages of the month's quota; false when absent.
    #[serde(default)]
    allow_paid: bool,
    /// The most it may cost.
    max_cost: Option<i64>,
}

/// Sends a message that failed, or whose outcome is unknown, once more. What shared its call goes with it.
#[utoipa::path(post, path = "/messages/{id}/send-again", tag = "Inbox", params(("id" = String, Path)),
    request_body = AgainTerms, responses((status = 202, body = MessageView), MayCost, AsksLine, Problems))]
async fn send_again(
    State(hub): State<Hub>,
    CanSend(caller): CanSend,
    Ident(id): Ident<MessageId>,
    Input(terms): Input<AgainTerms>,
) -> ApiResult<(StatusCode, Json<MessageView>)> {
    let terms = Terms { allow_paid: terms.allow_paid, max_cost: terms.max_cost.unwrap_or(1) };
    let once = caller.once.as_deref();
    let message = service::send_again(&hub, &caller.scope, &actor(&caller), &id, terms, once).await?;
    Ok((StatusCode::ACCEPTED, Json(message.into())))
}

fn actor(caller: &Caller) -> Actor {
    Actor::Key { id: caller.key.clone(), name: caller.name.clone() }
}
