//! Messages as a person reads them: grouped by who wrote them, with days between, pictures of one set in one turn.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use askama::Template;
use askama::filters::Safe;
use line_view::{Labels, Place, View};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::inbox::model::{Delivery, Kind, Message};
use crate::web::Ui;

/// Turns of one side within this time stand together under one name.
const TOGETHER: Duration = Duration::from_secs(5 * 60);
/// Messages in one page of a transcript.
pub(super) const PAGE: usize = 40;

/// What drawing a transcript needs to know beyond the messages.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) ui: &'a Ui,
    pub(super) labels: &'a Labels,
    /// `{public_url}` without a trailing slash: the hub's own pictures are loaded from where the page is.
    pub(super) public_url: &'a str,
    /// Whether pages may load LINE's pictures of stickers.
    pub(super) line_pictures: bool,
    pub(super) kind: Kind,
    /// The name of the person or group.
    pub(super) title: &'a str,
    /// Names of members that events speak of, by contact id.
    pub(super) names: &'a HashMap<String, String>,
}

/// A page of a transcript, oldest first.
pub(super) struct Transcript {
    /// Each turn as an `<li>`.
    pub(super) turns: Vec<Safe<String>>,
    /// The place before which older messages lie; `None` at the beginning.
    pub(super) older: Option<String>,
}

/// How the sending of a bubble stands, in words.
pub(super) struct Sending {
    /// queued, sent, failed or unknown.
    pub(super) state: String,
    pub(super) icon: Safe<String>,
    pub(super) text: String,
    /// Whether it was or would be paid, for the colour.
    pub(super) paid: bool,
    /// "Try again" or "Send again".
    pub(super) again: Option<String>,
}

/// A former version of an edited message.
#[derive(Debug)]
struct Version {
    at: Timestamp,
    text: String,
}

/// One `<li>` of the transcript: a message, or the pictures of one set.
#[derive(Template)]
#[template(path = "inbox_turn.html")]
struct Turn<'a> {
    ui: &'a Ui,
    /// The first message's.
    id: &'a str,
    /// All of its messages, by spaces.
    members: String,
    /// The words of a new day, above.
    day: Option<String>,
    /// Anything but a bubble: what happened, in words.
    event: Option<String>,
    inbound: bool,
    /// The first of several by the same side.
    first: bool,
    name: String,
    show_name: bool,
    picture: Option<&'a str>,
    /// In the order of the set; `None` for what was unsent.
    bubbles: Vec<Option<Safe<String>>>,
    at: Timestamp,
    edited: bool,
    versions: Vec<Version>,
    standby: bool,
    media_note: Option<String>,
    sending: Option<Sending>,
    /// What a screen reader hears when it has just come.
    say: String,
}

/// Draws a page: `rows` are newest first, one more than fits when there are older ones.
pub(super) fn draw(setting: &Setting<'_>, mut rows: Vec<Message>, fits: usize) -> AppResult<Transcript> {
    let mut before = None;
    if rows.len() > fits {
        before = rows.pop();
        rows.truncate(fits);
    }
    rows.reverse();
    if let Some(cut) = before.as_ref().and_then(|m| m.image_set_id.clone()) {
        // A set of pictures is never torn: its rest comes with the older page, unless it fills this one.
        let rest = rows.iter().take_while(|m| m.image_set_id.as_deref() == Some(cut.as_str())).count();
        if rest < rows.len() {
            before = rows.drain(..rest).next_back().or(before);
        }
    }
    let older =
        before.as_ref().and(rows.first()).map(|m| super::choice::write_place(m.sort_at, m.id.as_str()));
    let mut turns = Vec::with_capacity(rows.len());
    let mut last = before.as_ref();
    let mut rest = rows.as_slice();
    while let Some(first) = rest.first() {
        let size = 1 + rest.iter().skip(1).take_while(|next| is_same_set(first, next)).count();
        let (turn, after) = rest.split_at(size);
        turns.push(one(setting, last, turn)?);
        last = turn.last();
        rest = after;
    }
    Ok(Transcript { turns, older })
}

/// One turn alone, as if it stood in the middle of others; the page keeps its place. `turn` is oldest first.
pub(super) fn single(setting: &Setting<'_>, turn: &[Message]) -> AppResult<Safe<String>> {
    one(setting, turn.first(), turn)
}

fn is_same_set(a: &Message, b: &Message) -> bool {
    a.image_set_id.is_some() && a.image_set_id == b.image_set_id && author(a) == author(b)
}

/// Who wrote it: the side and the id.
fn author(m: &Message) -> (bool, Option<&str>) {
    let id = m.contact.as_ref().map(|(id, ..)| id.as_str()).or(m.sender_id.as_deref());
    (m.inbound, id)
}

fn is_event(m: &Message) -> bool {
    m.kind == "event"
}

fn one(setting: &Setting<'_>, before: Option<&Message>, turn: &[Message]) -> AppResult<Safe<String>> {
    let ui = setting.ui;
    let head = turn.first().ok_or_else(|| AppError::internal("a turn without a message"))?;
    let day = ui.day(&head.sort_at);
    let is_new_day = before.is_none_or(|before| ui.day(&before.sort_at) != day);
    let follows = before.is_some_and(|before| {
        !is_event(before)
            && author(before) == author(head)
            && head.sort_at.since(before.sort_at) < TOGETHER
            && before.standby == head.standby
    });
    let (name, picture) = face(setting, head);
    let event = is_event(head).then(|| event_words(setting, head, &name));
    let mut ordered: Vec<&Message> = turn.iter().collect();
    ordered.sort_by_key(|m| place_in_set(m));
    let bubbles = ordered
        .iter()
        .filter(|_| event.is_none())
        .map(|m| m.content.as_ref().map(|content| bubble(setting, m, content)))
        .collect();
    let tail = turn.last().unwrap_or(head);
    let words = match (&event, &head.content) {
        (Some(words), _) => words.clone(),
        (None, Some(content)) => line_view::summary(content, setting.labels),
        (None, None) => ui.t("inbox-unsent"),
    };
    let drawn = Turn {
        ui,
        id: head.id.as_str(),
        members: turn.iter().map(|m| m.id.as_str()).collect::<Vec<_>>().join(" "),
        day: is_new_day.then_some(day),
        inbound: head.inbound,
        first: !follows || is_new_day,
        show_name: !head.inbound || setting.kind != Kind::User,
        say: ui.t2("inbox-says", ("name", name.as_str()), ("text", words)),
        name,
        picture,
        bubbles,
        at: tail.sort_at,
        edited: head.edited_at.is_some() && head.content.is_some(),
        versions: head
            .versions
            .iter()
            .map(|(at, content)| Version { at: *at, text: line_view::summary(content, setting.labels) })
            .collect(),
        standby: head.standby,
        media_note: turn.iter().find_map(|m| media_note(ui, m)),
        sending: tail.delivery.as_ref().map(|delivery| sending(ui, delivery)),
        event,
    };
    let html = drawn.render().map_err(AppError::internal)?;
    let mut hasher = DefaultHasher::new();
    html.hash(&mut hasher);
    Ok(Safe(html.replacen("data-v=\"\"", &format!("data-v=\"{:x}\"", hasher.finish()), 1)))
}

/// What was unsent has lost its place, and stands last.
fn place_in_set(m: &Message) -> i64 {
    let Some(content) = &m.content else { return i64::MAX };
    content.pointer("/imageSet/index").and_then(Value::as_i64).unwrap_or(0)
}

/// Name and picture of who wrote it.
fn face<'a>(setting: &Setting<'a>, m: &'a Message) -> (String, Option<&'a str>) {
    match &m.contact {
        Some((_, name, picture)) if m.inbound => {
            let name = name.clone().unwrap_or_else(|| setting.ui.t("inbox-no-name"));
            (name, picture.as_deref())
        }
        _ if m.inbound && setting.kind == Kind::User => (setting.title.to_owned(), None),
        _ if m.inbound => (setting.ui.t("inbox-member-unnamed"), None),
        _ => (m.sender_name.clone().unwrap_or_else(|| setting.ui.t("inbox-sender-hub")), None),
    }
}

fn bubble(setting: &Setting<'_>, m: &Message, content: &Value) -> Safe<String> {
    let state = m.media.as_ref().map(|media| media.state.as_str());
    let kept = (state == Some("kept")).then(|| format!("/inbox/messages/{}/content", m.id));
    let own = |field: &str| {
        let url = content.get(field).and_then(Value::as_str)?;
        let path = url.strip_prefix(setting.public_url)?;
        path.starts_with("/media/").then(|| path.to_owned())
    };
    let content_url = kept.or_else(|| own("originalContentUrl"));
    let preview_url = own("previewImageUrl");
    let view = View {
        content_url: content_url.as_deref(),
        preview_url: preview_url.as_deref(),
        line_pictures: setting.line_pictures,
        ..View::new(setting.labels, Place::Inbox)
    };
    Safe(line_view::message(content, &view))
}

fn media_note(ui: &Ui, m: &Message) -> Option<String> {
    m.content.as_ref()?;
    match m.media.as_ref()?.state.as_str() {
        "waiting" => Some(ui.t("inbox-media-waiting")),
        "failed" => Some(ui.t("inbox-media-failed")),
        _ => None,
    }
}

fn sending(ui: &Ui, delivery: &Delivery) -> Sending {
    let via_push = delivery.via.as_deref() == Some("push");
    let state = delivery.state.clone();
    let (icon, text, again) = match delivery.state.as_str() {
        "sent" if !via_push => (ui.icon("check"), ui.t("inbox-sent-free"), None),
        "sent" if delivery.cost == 0 => (ui.icon("check"), ui.t("inbox-sent-together"), None),
        "sent" => (ui.icon("check"), ui.t1("inbox-sent-paid", "count", delivery.cost), None),
        "failed" => {
            let code = delivery.error.as_ref().map_or("", |(code, _)| code.as_str());
            let words = delivery.error.as_ref().map_or("", |(_, words)| words.as_str());
            let text = ui.t1(fault_key(code), "detail", words);
            (ui.icon("circle-alert"), text, Some(ui.t("inbox-try-again")))
        }
        "unknown" => (ui.icon("circle-help"), ui.t("inbox-unknown"), Some(ui.t("inbox-send-again"))),
        _ => (ui.icon("clock"), ui.t("inbox-queued"), None),
    };
    Sending { state, icon, text, paid: via_push, again }
}

/// Why a message did not go out.
fn fault_key(code: &str) -> &'static str {
    match code {
        "paid_send_refused" => "inbox-fault-paid-send-refused",
        "quota_exhausted" => "inbox-fault-quota-exhausted",
        "credentials" => "inbox-fault-credentials",
        "line_unavailable" => "inbox-fault-line-unavailable",
        "disconnected" => "inbox-fault-disconnected",
        "line_refused" => "inbox-fault-line-refused",
        _ => "inbox-fault-other",
    }
}

/// What happened, for what is no message.
pub(super) fn event_words(setting: &Setting<'_>, m: &Message, name: &str) -> String {
    let ui = setting.ui;
    let content = m.content.as_ref();
    let text = |field: &str| content.and_then(|c| c.get(field)).and_then(Value::as_str);
    let members = || {
        let ids = content.and_then(|c| c.get("members")).and_then(Value::as_array);
        let names: Vec<String> = ids
            .into_iter()
            .flatten()
            .map(|id| {
                let known = id.as_str().and_then(|id| setting.names.get(id));
                known.cloned().unwrap_or_else(|| ui.t("inbox-member-unnamed"))
            })
            .collect();
        names.join(&ui.t("inbox-list-separator"))
    };
    match text("event").unwrap_or_default() {
        "follow" if content.and_then(|c| c.get("is_unblocked")).and_then(Value::as_bool) == Some(true) => {
            ui.t1("inbox-event-unblocked", "name", name)
        }
        "follow" => ui.t1("inbox-event-follow", "name", name),
        "unfollow" => ui.t1("inbox-event-unfollow", "name", name),
        "join" => ui.t("inbox-event-join"),
        "leave" => ui.t("inbox-event-leave"),
        "memberJoined" => ui.t1("inbox-event-member-joined", "names", members()),
        "memberLeft" => ui.t1("inbox-event-member-left", "names", members()),
        "postback" => {
            let params = content.and_then(|c| c.get("params")).and_then(Value::as_object);
            let chosen = params.and_then(|params| params.values().find_map(Value::as_str));
            match chosen.or_else(|| text("data")).filter(|data| !data.is_empty()) {
                Some(data) => {
                    ui.t2("inbox-event-postback", ("name", name), ("data", crate::text::cut(data, 80)))
                }
                None => ui.t1("inbox-event-postback-bare", "name", name),
            }
        }
        "beacon" => ui.t1("inbox-event-beacon", "name", name),
        "accountLink" => ui.t1("inbox-event-account-link", "name", name),
        "videoPlayComplete" => ui.t1("inbox-event-video-watched", "name", name),
        "membership" => ui.t1("inbox-event-membership", "name", name),
        other => ui.t1("inbox-event-other", "kind", other.to_owned()),
    }
}

/// The contacts that the events of a page speak of.
pub(super) fn spoken_of(rows: &[Message]) -> Vec<&str> {
    rows.iter()
        .filter(|m| is_event(m))
        .filter_map(|m| m.content.as_ref()?.get("members")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
