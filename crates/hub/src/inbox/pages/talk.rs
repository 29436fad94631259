//! One conversation: transcript, composer, and the person behind it.

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query as FromQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::choice::read_place;
use super::send::{is_told, refused};
use super::transcript::{self, PAGE, Setting, Transcript};
use super::{id, words};
use crate::accounts::{Account, Status};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::contacts::{
    self,
    model::{Contact, Labels},
};
use crate::error::{AppError, AppResult};
use crate::ids::{ContactId, ConversationId, Id as _};
use crate::inbox::content as media;
use crate::inbox::model::{Conversation, Kind, Message, State as ConversationState};
use crate::inbox::service::{self, Change};
use crate::scope::Scope;
use crate::team::Viewer;
use crate::web::{Page, Ui, loads_line_pictures};

/// LINE's longest text, in UTF-16 units (PLATFORM 19).
const TEXT_MAX: usize = 5000;

/// The middle and the right pane.
pub(super) struct Talk {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) picture: Option<String>,
    pub(super) is_group: bool,
    pub(super) account: String,
    pub(super) state: ConversationState,
    pub(super) snoozed_until: Option<Timestamp>,
    pub(super) assignee: Option<String>,
    pub(super) mine: bool,
    pub(super) unread: i64,
    /// Why nothing can be written: the key of the words.
    pub(super) closed_to_us: Option<&'static str>,
    /// The account is answered in LINE's own console too, whose messages do not come here (S1-48).
    pub(super) plan_b: bool,
    pub(super) contact: Option<Contact>,
    /// The same person with other accounts.
    pub(super) also: Vec<contacts::model::Also>,
    pub(super) language: Option<String>,
    pub(super) transcript: Transcript,
    /// The query that keeps the list as it is.
    pub(super) query: String,
}

impl Talk {
    pub(super) fn is_closed(&self) -> bool {
        self.state == ConversationState::Closed
    }

    pub(super) fn is_snoozed(&self) -> bool {
        self.state == ConversationState::Snoozed
    }

    pub(super) fn emoji(&self) -> &'static [&'static str] {
        &words::EMOJI
    }

    pub(super) fn text_max(&self) -> usize {
        TEXT_MAX
    }
}

#[derive(Template)]
#[template(path = "inbox_talk_partial.html")]
struct TalkPartial {
    ui: Ui,
    talk: Talk,
}

#[derive(Template)]
#[template(path = "inbox_around_partial.html")]
struct AroundPartial {
    ui: Ui,
    talk: Talk,
}

#[derive(Template)]
#[template(path = "inbox_turns_partial.html")]
pub(super) struct TurnsPartial {
    pub(super) transcript: Transcript,
}

/// Everything of a conversation that the page shows.
pub(super) async fn load(
    hub: &Hub,
    ui: &Ui,
    viewer: &Viewer,
    id: &ConversationId,
    query: &str,
) -> AppResult<Talk> {
    let scope = viewer.scope();
    let c = service::get(hub, &scope, id).await?;
    let account = crate::accounts::service::get(hub, &scope, &c.account_id).await?;
    let contact = match &c.contact {
        Some(contact) => Some(contacts::service::get(hub, &scope, &contact.id).await?),
        None => None,
    };
    let transcript = page_of(hub, ui, &scope, &c, None).await?;
    let also = match &contact {
        Some(contact) => contacts::service::also(hub, &scope, contact).await?,
        None => Vec::new(),
    };
    Ok(Talk {
        id: c.id.to_string(),
        title: words::title(ui, &c),
        picture: words::picture(&c).map(str::to_owned),
        is_group: c.kind != Kind::User,
        state: c.state,
        snoozed_until: c.snoozed_until,
        mine: c.assignee.as_ref().is_some_and(|(id, _)| id == viewer.id.as_str()),
        assignee: c.assignee.as_ref().map(|(_, name)| name.clone()),
        unread: c.unread_count,
        closed_to_us: closed_to_us(&c, &account),
        plan_b: account.chat_mode == "chat",
        account: account.display_name,
        language: contact
            .as_ref()
            .and_then(|contact| contact.language.as_deref())
            .map(|tag| words::language(ui, tag)),
        also,
        contact,
        transcript,
        query: query.to_owned(),
    })
}

/// Why nothing can be sent into a conversation, as the key of the words.
fn closed_to_us(c: &Conversation, account: &Account) -> Option<&'static str> {
    if account.status == Status::Disconnected {
        Some("inbox-closed-disconnected")
    } else if c.contact.as_ref().is_some_and(|contact| contact.blocked_at.is_some()) {
        Some("inbox-closed-blocked")
    } else if c.standby {
        Some("inbox-closed-standby")
    } else if c.hidden {
        Some("inbox-closed-hidden")
    } else if c.left_at.is_some() {
        Some("inbox-closed-left")
    } else {
        None
    }
}

/// A page of the transcript, before a place.
pub(super) async fn page_of(
    hub: &Hub,
    ui: &Ui,
    scope: &Scope,
    c: &Conversation,
    before: Option<(Timestamp, String)>,
) -> AppResult<Transcript> {
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let rows = service::messages_before(hub, scope, &c.id, before, limit).await?;
    let names = names(hub, scope, &rows).await?;
    with_setting(hub, ui, c, &names, |setting| transcript::draw(setting, rows, PAGE))
}

fn with_setting<T>(
    hub: &Hub,
    ui: &Ui,
    c: &Conversation,
    names: &HashMap<String, String>,
    draw: impl FnOnce(&Setting<'_>) -> AppResult<T>,
) -> AppResult<T> {
    let (labels, title) = (words::labels(ui), words::title(ui, c));
    let public_url = hub.config.public_url.as_str().trim_end_matches('/');
    let line_pictures = loads_line_pictures(&hub.config);
    draw(&Setting { ui, labels: &labels, public_url, line_pictures, kind: c.kind, title: &title, names })
}

/// The names of those whom events speak of.
async fn names(hub: &Hub, scope: &Scope, rows: &[Message]) -> AppResult<HashMap<String, String>> {
    let mut names = HashMap::new();
    for text in transcript::spoken_of(rows) {
        let Some(id) = ContactId::parse(text).filter(|_| !names.contains_key(text)) else { continue };
        match contacts::service::get(hub, scope, &id).await {
            Ok(contact) => {
                names.extend(contact.display_name.map(|name| (text.to_owned(), name)));
            }
            Err(error) if error.code == "not_found" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

/// The two panes of a conversation, when another one is opened.
pub(super) async fn talk(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    FromQuery(query): FromQuery<super::choice::Query>,
) -> AppResult<Response> {
    let query = super::choice::Choice::from(&query).query();
    let talk = load(&hub, &ui, &viewer, &id(&text)?, &query).await?;
    Ok(Page(TalkPartial { ui, talk }).into_response())
}

/// Head, notice and person of a conversation, when something around its messages has changed.
pub(super) async fn around(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
) -> AppResult<Response> {
    changed(&hub, ui, &viewer, &id(&text)?).await
}

/// What a change answers: the parts that it may have changed, or for a browser without script the page.
async fn changed(hub: &Hub, ui: Ui, viewer: &Viewer, id: &ConversationId) -> AppResult<Response> {
    if !ui.is_htmx() {
        return Ok(Redirect::to(&format!("/inbox/{id}")).into_response());
    }
    let talk = load(hub, &ui, viewer, id, "").await?;
    Ok(Page(AroundPartial { ui, talk }).into_response())
}

/// Which part of a transcript.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    before: Option<String>,
}

/// The newest page of a transcript, or the one before a place.
pub(super) async fn turns(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    FromQuery(part): FromQuery<Part>,
) -> AppResult<Page<TurnsPartial>> {
    let scope = viewer.scope();
    let c = service::get(&hub, &scope, &id(&text)?).await?;
    let before = part.before.as_deref().and_then(read_place);
    Ok(Page(TurnsPartial { transcript: page_of(&hub, &ui, &scope, &c, before).await? }))
}

/// The turn of a message, when an older one has changed.
pub(super) async fn message(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
) -> AppResult<Page<TurnsPartial>> {
    let scope = viewer.scope();
    let message = service::message(&hub, &scope, &id(&text)?).await?;
    let c = service::get(&hub, &scope, &message.conversation_id).await?;
    let turn = service::turn(&hub, &scope, &message).await?;
    let names = names(&hub, &scope, &turn).await?;
    let turn = with_setting(&hub, &ui, &c, &names, |setting| transcript::single(setting, &turn))?;
    Ok(Page(TurnsPartial { transcript: Transcript { turns: vec![turn], older: None } }))
}

/// The media of a message, harmless and in parts.
pub(super) async fn content(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> AppResult<Response> {
    media::serve(&hub, &viewer.scope(), &id(&text)?, &headers).await
}

/// Everything is read.
pub(super) async fn read(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(text): Path<String>,
) -> AppResult<StatusCode> {
    let change = Change { read: Some(true), ..Change::default() };
    service::change(&hub, &viewer.scope(), &viewer.actor(), &id(&text)?, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody shall look at it once more.
pub(super) async fn unread(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
) -> AppResult<Response> {
    let id: ConversationId = id(&text)?;
    let change = Change { read: Some(false), ..Change::default() };
    service::change(&hub, &viewer.scope(), &viewer.actor(), &id, change).await?;
    changed(&hub, ui, &viewer, &id).await
}

/// A new state.
#[derive(Debug, Deserialize)]
pub(super) struct StateForm {
    state: String,
    /// tomorrow, week or message.
    #[serde(default)]
    until: String,
}

/// Closes, opens or puts off.
pub(super) async fn set_state(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    Form(form): Form<StateForm>,
) -> AppResult<Response> {
    let id: ConversationId = id(&text)?;
    let state = ConversationState::parse(&form.state).ok_or_else(|| {
        AppError::invalid_field("state", "invalid", "expected one of open, snoozed, closed")
    })?;
    let until = match state {
        ConversationState::Snoozed => wake_at(hub.now(), &viewer.tenant.time_zone, &form.until),
        ConversationState::Open | ConversationState::Closed => None,
    };
    let change = Change { state: Some((state, until)), ..Change::default() };
    service::change(&hub, &viewer.scope(), &viewer.actor(), &id, change).await?;
    changed(&hub, ui, &viewer, &id).await
}

/// When a snooze ends, in the tenant's time zone: nine o'clock tomorrow or next Monday; `None`: with the next message.
fn wake_at(now: Timestamp, zone: &str, until: &str) -> Option<Timestamp> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let today = now.to_jiff().to_zoned(zone.clone()).date();
    let day = match until {
        "tomorrow" => today.tomorrow().ok()?,
        "week" => today.nth_weekday(1, Weekday::Monday).ok()?,
        _ => return None,
    };
    let at = day.at(9, 0, 0, 0).to_zoned(zone).ok()?;
    Some(Timestamp(at.timestamp().as_millisecond()))
}

/// Who is responsible from now on.
#[derive(Debug, Deserialize)]
pub(super) struct AssignForm {
    /// `me`, or nobody.
    #[serde(default)]
    to: String,
}

/// Takes a conversation, or gives it back.
pub(super) async fn assign(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    Form(form): Form<AssignForm>,
) -> AppResult<Response> {
    let id: ConversationId = id(&text)?;
    let assignee = (form.to == "me").then(|| viewer.id.to_string());
    let change = Change { assignee: Some(assignee), ..Change::default() };
    service::change(&hub, &viewer.scope(), &viewer.actor(), &id, change).await?;
    changed(&hub, ui, &viewer, &id).await
}

/// A tag to be added, or one to be removed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TagForm {
    #[serde(default)]
    add: String,
    #[serde(default)]
    remove: String,
}

/// Adds or removes a tag of the person.
pub(super) async fn tag(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    Form(form): Form<TagForm>,
) -> AppResult<Response> {
    let id: ConversationId = id(&text)?;
    let contact = person(&hub, &viewer, &id).await?;
    let change = |labels: &mut Labels| {
        labels.tags.retain(|tag| *tag != form.remove);
        if !form.add.trim().is_empty() {
            labels.tags.push(form.add);
        }
    };
    let labelled = contacts::service::label(&hub, &viewer.scope(), &viewer.actor(), &contact, change).await;
    match labelled {
        Err(error) if is_told(&error) => Ok(refused(&ui, &error)),
        Err(error) => Err(error),
        Ok(_) => changed(&hub, ui, &viewer, &id).await,
    }
}

/// A custom field; an empty value removes it.
#[derive(Debug, Deserialize)]
pub(super) struct FieldForm {
    name: String,
    #[serde(default)]
    value: String,
}

/// Sets or removes a custom field of the person.
pub(super) async fn set_field(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    Form(form): Form<FieldForm>,
) -> AppResult<Response> {
    let id: ConversationId = id(&text)?;
    let contact = person(&hub, &viewer, &id).await?;
    let change = |labels: &mut Labels| {
        let (name, value) = (form.name.trim(), form.value.trim());
        if value.is_empty() {
            labels.attributes.remove(name);
        } else {
            labels.attributes.insert(name.to_owned(), value.to_owned());
        }
    };
    let labelled = contacts::service::label(&hub, &viewer.scope(), &viewer.actor(), &contact, change).await;
    match labelled {
        Err(error) if is_told(&error) => Ok(refused(&ui, &error)),
        Err(error) => Err(error),
        Ok(_) => changed(&hub, ui, &viewer, &id).await,
    }
}

async fn person(hub: &Hub, viewer: &Viewer, id: &ConversationId) -> AppResult<ContactId> {
    let c = service::get(hub, &viewer.scope(), id).await?;
    Ok(c.contact.ok_or_else(|| AppError::not_found("contact"))?.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snooze_ends_at_nine_in_the_tenants_time_zone() {
        // Friday 2026-01-02, 23:30 in Taipei.
        let now = Timestamp::parse("2026-01-02T15:30:00.000Z").unwrap();
        let at = |zone, until| wake_at(now, zone, until).map(|at| at.to_string());
        assert_eq!(at("Asia/Taipei", "tomorrow").as_deref(), Some("2026-01-03T01:00:00.000Z"));
        assert_eq!(at("Asia/Taipei", "week").as_deref(), Some("2026-01-05T01:00:00.000Z"));
        assert_eq!(at("UTC", "tomorrow").as_deref(), Some("2026-01-03T09:00:00.000Z"));
        assert_eq!(at("Asia/Taipei", "message"), None);
    }
}
