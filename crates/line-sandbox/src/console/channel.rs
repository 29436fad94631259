//! One channel: what LINE Developers Console and OA Manager hold of it, in tabs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::Value;

use crate::Inner;
use crate::clock::month;
use crate::console::bridge::call;
use crate::console::figures::{self, Statistic};
use crate::console::{Frame, Place, Visit, kind_name, missing};
use crate::manager::{Responses, clock_text};
use crate::phone::{Face, page};
use crate::world::{Channel, Kind, Settings, World};

/// How many friends a page lists.
const FRIENDS_SHOWN: usize = 100;
/// How many sends a page lists.
const SENDS_SHOWN: usize = 50;

/// The tabs of each kind of channel, by their names in the address.
const MESSAGING: [&str; 6] = ["basics", "messaging", "keys", "responses", "plan", "friends"];
const LOGIN: [&str; 4] = ["basics", "login", "liff", "keys"];
const MODULE: [&str; 3] = ["basics", "messaging", "keys"];

#[derive(Template)]
#[template(path = "console_channel.html")]
struct ChannelPage {
    frame: Frame,
    tab: &'static str,
    tabs: Vec<TabLink>,
    channel: Shown,
    settings: Settings,
    hook: Hook,
    responses: ResponseForm,
    plan: Plan,
    friends: Vec<FriendRow>,
    followers: usize,
    credentials: Credentials,
    links: Vec<Choice>,
    callback_urls: String,
    testers: Vec<Choice>,
    apps: Vec<App>,
}

#[derive(Debug)]
struct TabLink {
    name: &'static str,
    label: String,
    here: bool,
}

/// What is on top of every tab.
#[derive(Debug)]
struct Shown {
    id: String,
    kind: &'static str,
    messaging: bool,
    name: String,
    face: Face,
    secret: String,
    provider: String,
    provider_name: String,
    picture_url: String,
    country: String,
    /// A country that the list of choices lacks.
    odd_country: bool,
    basic_id: String,
    bot_user_id: String,
}

/// The webhook's address and how it fares.
#[derive(Debug)]
struct Hook {
    url: String,
    sent: usize,
    statistics: Vec<StatisticRow>,
    verified: Option<Verified>,
}

#[derive(Debug)]
struct StatisticRow {
    one: Statistic,
    words: String,
}

/// The outcome of the Verify button.
#[derive(Debug)]
struct Verified {
    ok: bool,
    reason: &'static str,
    detail: String,
    words: String,
    duration_ms: u64,
}

#[derive(Debug)]
struct ResponseForm {
    greeting: String,
    replies: Vec<ReplyRow>,
    days: Vec<Day>,
    has_hours: bool,
    from: String,
    to: String,
    when: &'static str,
}

#[derive(Debug)]
struct ReplyRow {
    index: usize,
    keywords: String,
    text: String,
}

#[derive(Debug)]
struct Day {
    number: u64,
    label: String,
    on: bool,
}

/// The month's messages, and what went to many.
#[derive(Debug)]
struct Plan {
    month: String,
    used: u64,
    quota: Option<u64>,
    sends: Vec<SendRow>,
}

/// A send to many.
#[derive(Debug)]
struct SendRow {
    request_id: String,
    /// LINE's name of the call.
    kind: String,
    unit: String,
    at: i64,
    state: String,
    failed: bool,
    recipients: usize,
    seen: usize,
    clicked: usize,
}

#[derive(Debug)]
struct FriendRow {
    user: String,
    face: Face,
    user_id: String,
    following: bool,
}

#[derive(Debug, Default)]
struct Credentials {
    keys: Vec<Key>,
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct Key {
    kid: String,
    added_at: Option<i64>,
}

#[derive(Debug)]
struct Token {
    kind: String,
    issued_at: Option<i64>,
    expires_at: Option<i64>,
}

/// Something that can be chosen from a list.
#[derive(Debug)]
struct Choice {
    id: String,
    name: String,
    chosen: bool,
}

/// A LIFF app.
#[derive(Debug)]
struct App {
    id: String,
    url: String,
    size: String,
    description: String,
    share_target_picker: bool,
}

pub(super) async fn first(Path(id): Path<String>) -> Response {
    Redirect::to(&format!("/console/channels/{id}/basics")).into_response()
}

pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    Path((id, tab)): Path<(String, String)>,
    visit: Visit,
) -> Response {
    let credentials =
        if tab == "keys" { credentials(&inner, &id, &visit).await } else { Credentials::default() };
    let sends = if tab == "plan" { sends(&inner, &id, &visit).await } else { Vec::new() };
    let apps = if tab == "liff" { apps(&inner, &id).await } else { Vec::new() };
    let world = inner.world();
    let found = world.channels.get(&id).and_then(|channel| {
        let tabs: &[&'static str] = match channel.kind {
            Kind::Messaging => &MESSAGING,
            Kind::Login => &LOGIN,
            Kind::Module => &MODULE,
        };
        Some((channel, tabs, tabs.iter().find(|known| **known == tab)?))
    });
    let Some((channel, tabs, tab)) = found else { return missing(visit) };
    let words = visit.words.clone();
    let label = |name: &str| match name {
        "basics" => words.say("console-tab-basics"),
        "messaging" => words.say("console-tab-messaging"),
        "keys" => words.say("console-tab-keys"),
        "responses" => words.say("console-tab-responses"),
        "plan" => words.say("console-tab-plan"),
        "friends" => words.say("console-tab-friends"),
        "login" => words.say("console-tab-login"),
        _ => words.say("console-tab-liff"),
    };
    let link = |name: &&'static str| TabLink { name, label: label(name), here: name == tab };
    let now = inner.clock.now();
    let drawn = ChannelPage {
        tab,
        tabs: tabs.iter().map(link).collect(),
        channel: shown(&world, channel),
        settings: channel.settings.clone(),
        hook: hook(&world, channel, &visit),
        responses: response_form(&world.manager.of(&id), channel, &visit),
        plan: Plan {
            month: month(now, &channel.country),
            used: world.used(&id, now),
            quota: channel.settings.monthly_quota,
            sends,
        },
        friends: friends(&world, channel),
        followers: channel.bonds.values().filter(|bond| bond.following).count(),
        credentials,
        links: links(&world, channel),
        callback_urls: channel.settings.callback_urls.join("\n"),
        testers: testers(&world, channel),
        apps,
        frame: visit.frame(&inner, &world, Place::Channel),
    };
    page(StatusCode::OK, &drawn)
}

fn shown(world: &World, channel: &Channel) -> Shown {
    Shown {
        id: channel.id.clone(),
        kind: kind_name(channel.kind),
        messaging: channel.kind == Kind::Messaging,
        name: channel.name.clone(),
        face: Face::of_channel(channel),
        secret: channel.secret.clone(),
        provider: channel.provider.clone(),
        provider_name: world.providers.get(&channel.provider).cloned().unwrap_or_default(),
        picture_url: channel.picture_url.clone().unwrap_or_default(),
        country: channel.country.clone(),
        odd_country: !["TW", "JP", "TH", "US"].contains(&channel.country.as_str()),
        basic_id: channel.basic_id.clone(),
        bot_user_id: channel.bot_user_id.clone(),
    }
}

fn hook(world: &World, channel: &Channel, visit: &Visit) -> Hook {
    let statistics = figures::statistics(world, &channel.id).into_iter().map(|one| {
        let words = figures::in_words(&visit.words, one.reason, &one.detail);
        StatisticRow { one, words }
    });
    let wanted = visit.asked("delivery").and_then(|id| id.parse::<u64>().ok());
    let tested = world.deliveries.iter().rev().find(|delivery| Some(delivery.id) == wanted);
    let verified = tested.filter(|delivery| delivery.channel == channel.id).map(|delivery| Verified {
        ok: figures::is_ok(delivery),
        reason: delivery.reason,
        detail: delivery.detail.clone(),
        words: figures::in_words(&visit.words, delivery.reason, &delivery.detail),
        duration_ms: delivery.duration_ms,
    });
    Hook {
        url: channel.endpoint.clone().unwrap_or_default(),
        sent: figures::sent_lately(world, &channel.id),
        statistics: statistics.collect(),
        verified,
    }
}

fn response_form(responses: &Responses, channel: &Channel, visit: &Visit) -> ResponseForm {
    let words = &visit.words;
    let mut rows: Vec<ReplyRow> = responses
        .replies(&channel.country)
        .into_iter()
        .enumerate()
        .map(|(index, reply)| ReplyRow { index, keywords: reply.keywords.join(", "), text: reply.text })
        .collect();
    // An empty row for one more; the form leaves it out while it is empty.
    rows.push(ReplyRow { index: rows.len(), keywords: String::new(), text: String::new() });
    let labels = [
        words.say("console-monday"),
        words.say("console-tuesday"),
        words.say("console-wednesday"),
        words.say("console-thursday"),
        words.say("console-friday"),
        words.say("console-saturday"),
        words.say("console-sunday"),
    ];
    let chosen = responses.hours.as_ref().map_or_else(|| vec![1, 2, 3, 4, 5], |hours| hours.days.clone());
    let days = (1..).zip(labels).map(|(number, label)| Day { number, label, on: chosen.contains(&number) });
    let (from, to) = responses.hours.as_ref().map_or((9 * 60, 18 * 60), |hours| (hours.from, hours.to));
    ResponseForm {
        greeting: responses.greeting(&channel.country),
        replies: rows,
        days: days.collect(),
        has_hours: responses.hours.is_some(),
        from: clock_text(from),
        to: clock_text(to),
        when: responses.when.name(),
    }
}

fn friends(world: &World, channel: &Channel) -> Vec<FriendRow> {
    let mut bonds: Vec<_> = channel.bonds.iter().filter(|(_, bond)| bond.following || bond.blocked).collect();
    bonds.sort_by_key(|(number, _)| **number);
    let row = |(number, bond): (&u64, &crate::world::Bond)| {
        let person = world.people.get(number)?;
        Some(FriendRow {
            user: person.user(),
            face: Face::of_person(person),
            user_id: person.user_ids.get(&channel.provider).cloned().unwrap_or_default(),
            following: bond.following,
        })
    };
    bonds.into_iter().take(FRIENDS_SHOWN).filter_map(row).collect()
}

/// The accounts that a Login channel may be linked to: those of its provider.
fn links(world: &World, channel: &Channel) -> Vec<Choice> {
    let near = world
        .channels
        .values()
        .filter(|other| other.kind == Kind::Messaging && other.provider == channel.provider);
    near.map(|other| Choice {
        id: other.id.clone(),
        name: other.name.clone(),
        chosen: channel.settings.linked_bot_channel_id.as_ref() == Some(&other.id),
    })
    .collect()
}

/// The people who may be testers of a Login channel.
fn testers(world: &World, channel: &Channel) -> Vec<Choice> {
    let people = world.people.values().take(FRIENDS_SHOWN).map(|person| Choice {
        id: person.user(),
        name: person.name.clone(),
        chosen: channel.settings.testers.contains(&person.user()),
    });
    people.collect()
}

/// The items of a control list.
async fn items(inner: &Arc<Inner>, path: &str) -> Vec<Value> {
    let (_, answer) = call(inner, "GET", path, &Value::Null).await;
    answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text(item: &Value, name: &str) -> String {
    item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

async fn credentials(inner: &Arc<Inner>, id: &str, visit: &Visit) -> Credentials {
    let time = |item: &Value, name: &str| item.get(name).and_then(Value::as_i64);
    let keys = items(inner, &format!("/channels/{id}/public-keys")).await;
    let tokens = items(inner, &format!("/channels/{id}/access-tokens")).await;
    let kind = |kind: &str| match kind {
        "long-lived" => visit.words.say("console-token-long-lived"),
        "short-lived" => visit.words.say("console-token-short-lived"),
        "stateless" => visit.words.say("console-token-stateless"),
        _ => visit.words.say("console-token-v21"),
    };
    Credentials {
        keys: keys.iter().map(|key| Key { kid: text(key, "kid"), added_at: time(key, "addedAt") }).collect(),
        tokens: tokens
            .iter()
            .map(|token| Token {
                kind: kind(&text(token, "kind")),
                issued_at: time(token, "issuedAt"),
                expires_at: time(token, "expiresAt"),
            })
            .collect(),
    }
}

async fn sends(inner: &Arc<Inner>, id: &str, visit: &Visit) -> Vec<SendRow> {
    let found = items(inner, &format!("/sends?channelId={id}")).await;
    let count = |item: &Value, name: &str| {
        item.get(name).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    };
    let row = |item: &Value| {
        let phase = text(item, "phase");
        SendRow {
            request_id: text(item, "requestId"),
            kind: text(item, "kind"),
            unit: text(item, "customAggregationUnit"),
            at: item.get("at").and_then(Value::as_i64).unwrap_or_default(),
            state: match phase.as_str() {
                "waiting" => visit.words.say("console-send-waiting"),
                "sending" => visit.words.say("console-send-sending"),
                "succeeded" => visit.words.say("console-send-succeeded"),
                _ => visit.words.say_name("console-send-failed", &count(item, "errorCode").to_string()),
            },
            failed: phase == "failed",
            recipients: count(item, "recipients"),
            seen: count(item, "seen"),
            clicked: count(item, "clicked"),
        }
    };
    found.iter().take(SENDS_SHOWN).map(row).collect()
}

async fn apps(inner: &Arc<Inner>, id: &str) -> Vec<App> {
    let apps = items(inner, &format!("/channels/{id}/liff-apps")).await;
    let view = |app: &Value, name: &str| app.get("view").map(|view| text(view, name)).unwrap_or_default();
    let app = |app: &Value| App {
        id: text(app, "liffId"),
        url: view(app, "url"),
        size: view(app, "type"),
        description: text(app, "description"),
        share_target_picker: app.get("shareTargetPicker").and_then(Value::as_bool).unwrap_or_default(),
    };
    apps.iter().map(app).collect()
}
