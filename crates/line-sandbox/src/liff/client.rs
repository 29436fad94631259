//! What the LIFF client calls: the app's context, messages of the person, and the dialogs that ask the person (PLATFORM 24.3).

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use line_api::validate::Rules;
use serde_json::{Value, json};
use url::Url;

use crate::Inner;
use crate::acts::Draft;
use crate::control::input::Fields;
use crate::liff::{DIALOG_MS, is_liff_id};
use crate::line::entry::JsonBody;
use crate::line::error::LineError;
use crate::login::{Friendship, Shell, UserCaller, UserToken, draw, trouble};
use crate::phone::Face;
use crate::world::{Channel, Chat, Kind, World};

/// PLATFORM 24.3: at most five at once.
const MESSAGES: usize = 5;
/// What a page may send in a person's name (PLATFORM 24.3); the picker takes no stickers.
const KINDS: [&str; 8] = ["text", "sticker", "image", "video", "audio", "location", "template", "flex"];

/// So many of each kind are listed as targets; one can still be named.
const LISTED: usize = 100;

type Answer = Result<Json<Value>, LineError>;

/// A page of the sandbox over an app's, waiting for the person.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    at: i64,
    token: UserToken,
    asks: Asks,
}

/// What a dialog asks.
#[derive(Debug, Clone)]
enum Asks {
    /// Whom to send these messages to.
    Targets { messages: Vec<Value>, several: bool },
    /// Whether to add this account.
    Friend { bot: String },
}

/// Facts about an app and, with a token, about the visit: what `liff.init` and `liff.getContext` need.
pub(super) async fn context(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    caller: Option<UserCaller>,
) -> Answer {
    let world = inner.world();
    let app = world.liff.find(&id).filter(|_| is_liff_id(&id)).ok_or_else(LineError::not_found)?;
    let channel = world.channels.get(&app.channel).ok_or_else(LineError::not_found)?;
    let mut facts = json!({
        "liffId": app.id,
        "channelId": app.channel,
        "endpointUrl": app.view.url,
        "viewType": app.view.size,
        "scope": app.scopes,
        "shareTargetPicker": app.share_target_picker,
        "scanCode": app.qr_code,
        "permanentLinkPattern": "concat",
    });
    let Some(caller) = caller else { return Ok(Json(facts)) };
    let visit = caller.token.visit.as_ref().filter(|visit| visit.app == id);
    let visit = visit
        .ok_or_else(|| LineError::new(StatusCode::FORBIDDEN, "the access token belongs to another app"))?;
    let person = world.people.get(&caller.token.person);
    // As OpenID Connect makes `at_hash`: the left half of the hash.
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, caller.text.as_bytes());
    let of_visit = json!({
        "userId": person.and_then(|person| person.user_ids.get(&channel.provider)),
        "language": person.and_then(|person| person.language.as_ref()),
        "granted": caller.token.scopes,
        // No chat ID: LINE has given none since 2023-02.
        "type": match &visit.chat {
            _ if !visit.inside => "external",
            None => "none",
            Some(Chat::Group(id)) if id.starts_with('R') => "room",
            Some(Chat::Group(_)) => "group",
            Some(Chat::Single { .. } | Chat::Pair(..)) => "utou",
        },
        "accessTokenHash": URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16).unwrap_or_default()),
    });
    if let (Some(facts), Value::Object(of_visit)) = (facts.as_object_mut(), of_visit) {
        facts.extend(of_visit);
    }
    Ok(Json(facts))
}

/// `liff.sendMessages`: into the chat from which the app was opened.
pub(super) async fn send(
    State(inner): State<Arc<Inner>>,
    caller: UserCaller,
    JsonBody(body): JsonBody,
) -> Answer {
    let chat = caller.token.visit.as_ref().filter(|visit| visit.inside).and_then(|visit| visit.chat.clone());
    // Without a chat LINE says the same as without the scope.
    caller.needs("chat_message.write")?;
    let chat = chat.ok_or_else(|| {
        LineError::new(StatusCode::FORBIDDEN, "user doesn't grant required permissions yet")
    })?;
    let messages = checked(&body, &KINDS)?;
    deliver(&inner, caller.token.person, &chat, &messages)?;
    Ok(Json(json!({})))
}

/// Closing the app ends its token, unless it could be resumed: only a full one can (PLATFORM 24.3).
pub(super) async fn close(State(inner): State<Arc<Inner>>, caller: UserCaller) -> StatusCode {
    let mut world = inner.world();
    let app = caller.token.visit.as_ref().and_then(|visit| world.liff.find(&visit.app));
    if app.is_none_or(|app| app.view.size != "full") {
        world.login.revoke(&caller.token.channel, &caller.text);
    }
    StatusCode::NO_CONTENT
}

/// The messages of a body, within LINE's limits for what a page may send.
fn checked(body: &Value, kinds: &[&str]) -> Result<Vec<Value>, LineError> {
    let messages = body.get("messages").unwrap_or(&Value::Null);
    line_api::validate::messages_with(messages, Rules { loopback_http: true })?;
    let messages = messages.as_array().cloned().unwrap_or_default();
    if messages.len() > MESSAGES {
        return Err(LineError::property("messages", "Size must be between 1 and 5"));
    }
    for (index, message) in messages.iter().enumerate() {
        let kind = message.get("type").and_then(Value::as_str).unwrap_or_default();
        let at = |field: &str| format!("messages[{index}].{field}");
        if !kinds.contains(&kind) {
            let all = kinds.join(", ");
            return Err(LineError::property(
                &at("type"),
                &format!("Must be one of the following values: [{all}]"),
            ));
        }
        for field in ["emojis", "quoteToken", "trackingId", "quickReply", "sender"] {
            if message.get(field).is_some() {
                return Err(LineError::property(&at(field), "invalid property"));
            }
        }
        if matches!(kind, "template" | "flex") && has_other_actions(message) {
            return Err(LineError::property(&at(kind), "only URI actions can be set"));
        }
    }
    Ok(messages)
}

/// Tells whether a message has an action that is not a link (PLATFORM 24.3).
fn has_other_actions(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().any(|(name, inside)| {
            let actions = match inside {
                Value::Array(actions) if name == "actions" => actions.iter().collect(),
                action if name == "action" || name == "defaultAction" => vec![action],
                _ => Vec::new(),
            };
            actions.iter().any(|action| action.get("type").and_then(Value::as_str) != Some("uri"))
                || has_other_actions(inside)
        }),
        Value::Array(items) => items.iter().any(has_other_actions),
        _ => false,
    }
}

/// Puts a person's messages into a chat. An account there hears of them, but not of templates and Flex (GOTCHAS A22).
fn deliver(inner: &Inner, person: u64, chat: &Chat, messages: &[Value]) -> Result<(), LineError> {
    let (channel, group) = {
        let world = inner.world();
        match chat {
            Chat::Single { channel, .. } => (channel.clone(), None),
            Chat::Group(id) => {
                let group = world.groups.get(id).filter(|group| group.members.contains(&person));
                let group = group.ok_or_else(|| LineError::bad_request("Failed to send messages"))?;
                // Where the account has left, nobody is told.
                (if group.bot_inside { group.channel.clone() } else { String::new() }, Some(id.clone()))
            }
            Chat::Pair(..) => (String::new(), None),
        }
    };
    for message in messages {
        let kind = message.get("type").and_then(Value::as_str).unwrap_or_default();
        if channel.is_empty() || matches!(kind, "template" | "flex") {
            inner.keep(person, &channel, chat, message, None);
            continue;
        }
        let refused = |_| LineError::bad_request("Failed to send messages");
        let fields = Fields::of(message).unwrap_or_default();
        let draft = Draft::read(&fields, inner.clock.now()).map_err(refused)?;
        inner.write(person, &channel, group.clone(), draft, false).map_err(refused)?;
    }
    Ok(())
}

/// Opens a dialog: `{"messages", "isMultiple"}` for the share target picker, `{"friendship": true}` for adding the linked account. Gives the
/// address of its page.
pub(super) async fn open_dialog(
    State(inner): State<Arc<Inner>>,
    caller: UserCaller,
    JsonBody(body): JsonBody,
) -> Answer {
    let forbidden = |why| LineError::new(StatusCode::FORBIDDEN, why);
    let mut world = inner.world();
    let app = caller.token.visit.as_ref().and_then(|visit| world.liff.find(&visit.app));
    let app = app.ok_or_else(|| forbidden("the access token belongs to no LIFF app"))?;
    let asks = if body.get("friendship").is_some() {
        if app.view.size != "full" {
            return Err(forbidden("the app must be of full size"));
        }
        let friendship = Friendship::of(&world, &caller.token)
            .ok_or_else(|| forbidden("there is no login bot linked to this channel."))?;
        Asks::Friend { bot: friendship.bot }
    } else {
        if !app.share_target_picker {
            return Err(forbidden(
                "need access_token for usage from external browser, or shareTargetPicker is not enabled",
            ));
        }
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| *kind != "sticker").collect();
        let several = body.get("isMultiple").and_then(Value::as_bool).unwrap_or(true);
        Asks::Targets { messages: checked(&body, &kinds)?, several }
    };
    let (id, at) = (inner.ids.hex32(), inner.clock.now());
    world.liff.dialogs.retain(|_, dialog| dialog.at + DIALOG_MS > at);
    world.liff.dialogs.insert(id.clone(), Dialog { at, token: caller.token, asks });
    Ok(Json(json!({ "path": format!("/liff/dialog/{id}"), "expiresInMs": DIALOG_MS })))
}

/// Someone or something messages can be shared with.
#[derive(Debug)]
struct Target {
    id: String,
    face: Face,
    kind: String,
}

#[derive(Template)]
#[template(path = "liff_share.html")]
struct SharePage<'a> {
    frame: &'a Shell,
    targets: Vec<Target>,
    several: bool,
    count: usize,
    /// There are more people than are listed.
    more: bool,
}

#[derive(Template)]
#[template(path = "liff_friend.html")]
struct FriendPage<'a> {
    frame: &'a Shell,
    face: Face,
    basic_id: String,
    following: bool,
}

#[derive(Template)]
#[template(path = "liff_done.html")]
struct DonePage<'a> {
    frame: &'a Shell,
    status: &'a str,
}

/// The page of a dialog.
pub(super) async fn show_dialog(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let shell = Shell::new(&headers, &uri);
    let now = inner.clock.now();
    let world = inner.world();
    let Some(dialog) = world.liff.dialogs.get(&id).filter(|dialog| dialog.at + DIALOG_MS > now) else {
        drop(world);
        return done(&shell, "gone", "*");
    };
    let origin = app_origin(&world, &dialog.token);
    let response = match &dialog.asks {
        Asks::Targets { messages, several } => {
            let targets = targets(&world, &shell, dialog.token.person);
            draw(
                StatusCode::OK,
                &SharePage {
                    frame: &shell,
                    targets,
                    several: *several,
                    count: messages.len(),
                    more: world.people.len() > LISTED,
                },
            )
        }
        Asks::Friend { bot } => match world.channels.get(bot) {
            Some(channel) => draw(
                StatusCode::OK,
                &FriendPage {
                    frame: &shell,
                    face: Face::of_channel(channel),
                    basic_id: channel.basic_id.clone(),
                    following: world.bond(bot, dialog.token.person).following,
                },
            ),
            None => trouble(&shell, "login-gone"),
        },
    };
    framed(response, &origin)
}

/// The person decided; the app's page is told by the page that follows.
pub(super) async fn end_dialog(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let shell = Shell::new(&headers, &uri);
    let now = inner.clock.now();
    let (dialog, origin) = {
        let mut world = inner.world();
        let dialog = world.liff.dialogs.remove(&id).filter(|dialog| dialog.at + DIALOG_MS > now);
        let origin = dialog.as_ref().map(|dialog| app_origin(&world, &dialog.token));
        (dialog, origin.unwrap_or_default())
    };
    let Some(dialog) = dialog else { return done(&shell, "gone", "*") };
    let person = dialog.token.person;
    if !fields.iter().any(|(name, value)| name == "act" && value == "send") {
        return done(&shell, "cancel", &origin);
    }
    match dialog.asks {
        Asks::Friend { bot } => {
            inner.follow(person, &bot);
        }
        Asks::Targets { messages, several } => {
            // The field for somebody who is not listed comes empty otherwise.
            let named = fields.iter().filter(|(name, id)| name == "target" && !id.is_empty());
            let chosen = named.map(|(_, id)| id.as_str());
            let chosen: Vec<&str> = chosen.take(if several { usize::MAX } else { 1 }).collect();
            if chosen.is_empty() {
                return done(&shell, "cancel", &origin);
            }
            for id in chosen {
                let chat = super::host::open_chat(&inner.world(), person, id);
                // A chat that refuses, such as one with a blocked account, does not keep the others from theirs; the app is told nothing of it.
                if let Some(Err(error)) = chat.map(|chat| deliver(&inner, person, &chat, &messages)) {
                    tracing::debug!(?error, "failed to share into a chat");
                }
            }
        }
    }
    done(&shell, "success", &origin)
}

/// Everybody and everything a person can share with: other people, own groups, accounts that are friends; of each the first 100.
fn targets(world: &World, shell: &Shell, person: u64) -> Vec<Target> {
    let words = &shell.words;
    let people = world.people.values().filter(|other| other.number != person).map(|other| Target {
        id: other.user(),
        face: Face::of_person(other),
        kind: words.say("liff-share-friend"),
    });
    let groups = world.groups.values().filter(|group| group.members.contains(&person)).map(|group| Target {
        id: group.id.clone(),
        face: Face::new(&group.name, group.picture_url.clone()),
        kind: words.say("group-chat"),
    });
    let is_friend = |channel: &&Channel| {
        channel.kind == Kind::Messaging && channel.bonds.get(&person).is_some_and(|bond| bond.following)
    };
    let accounts = world.channels.values().filter(is_friend).map(|channel| Target {
        id: channel.id.clone(),
        face: Face::of_channel(channel),
        kind: words.say("liff-share-account"),
    });
    people.take(LISTED).chain(groups.take(LISTED)).chain(accounts.take(LISTED)).collect()
}

/// The origin of the app that a token was made for.
fn app_origin(world: &World, token: &UserToken) -> String {
    let app = token.visit.as_ref().and_then(|visit| world.liff.find(&visit.app));
    let url = app.and_then(|app| Url::parse(&app.view.url).ok());
    url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// The last page of a dialog tells the page around it.
fn done(shell: &Shell, status: &str, origin: &str) -> Response {
    framed(draw(StatusCode::OK, &DonePage { frame: shell, status }), origin)
}

/// Lets the app's pages frame this page.
fn framed(mut response: Response, origin: &str) -> Response {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: http: https:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'self' {origin}"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
