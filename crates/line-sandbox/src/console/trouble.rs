//! Trouble on demand: faults, the clock, the seed, and starting again.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::Inner;
use crate::console::{Frame, Place, Visit};
use crate::faults::{Fault, On};
use crate::phone::page;
use crate::words::Words;

#[derive(Template)]
#[template(path = "console_trouble.html")]
struct TroublePage {
    frame: Frame,
    presets: Vec<Preset>,
    faults: Vec<FaultRow>,
    /// By how many milliseconds the clock's buttons advance it, and their words.
    steps: [(u64, String); 4],
    seed: u64,
    counts: Counts,
}

/// A kind of trouble with a switch.
#[derive(Debug)]
struct Preset {
    title: String,
    text: String,
    /// The body of `POST /faults`, as fields of a form.
    fields: Vec<(String, String)>,
    /// The fault that is this trouble, when it is on.
    fault: Option<String>,
}

#[derive(Debug)]
struct FaultRow {
    id: String,
    webhook: bool,
    kind: &'static str,
    whereto: String,
    rate: String,
    left: Option<u64>,
    matched: u64,
}

/// What a reset deletes.
#[derive(Debug)]
struct Counts {
    providers: String,
    channels: String,
    people: String,
    messages: String,
    requests: String,
    deliveries: String,
}

pub(super) async fn show(State(inner): State<Arc<Inner>>, visit: Visit) -> Response {
    let world = inner.world();
    let requests = inner.log().len();
    let words = visit.words.clone();
    let counts = Counts {
        providers: words.say_count("console-count-providers", &world.providers.len()),
        channels: words.say_count("console-count-channels", &world.channels.len()),
        people: words.say_count("console-count-people", &world.people.len()),
        messages: words.say_count("console-count-messages", &world.messages.len()),
        requests: words.say_count("console-count-requests", &requests),
        deliveries: words.say_count("console-count-deliveries", &world.deliveries.len()),
    };
    let drawn = TroublePage {
        presets: presets(&words, &world.faults),
        faults: world.faults.iter().map(row).collect(),
        steps: [
            (60_000, words.say("console-plus-minute")),
            (3_600_000, words.say("console-plus-hour")),
            (24 * 3_600_000, words.say("console-plus-day")),
            (30 * 24 * 3_600_000, words.say("console-plus-month")),
        ],
        seed: inner.ids.seed(),
        counts,
        frame: visit.frame(&inner, &world, Place::Trouble),
    };
    page(StatusCode::OK, &drawn)
}

fn row(fault: &Fault) -> FaultRow {
    let method = fault.method.clone().unwrap_or_default();
    let path = fault.path.clone().unwrap_or_default();
    let extra = match fault.status {
        0 if fault.ms > 0 => format!("{} ms", fault.ms),
        0 => String::new(),
        status => status.to_string(),
    };
    FaultRow {
        id: fault.id.clone(),
        webhook: fault.on == On::Webhook,
        kind: fault.kind.name(),
        whereto: [method, path, extra].join(" ").trim().to_owned(),
        rate: format!("{} %", (fault.rate * 100.0).round()),
        left: fault.times.map(|times| times.saturating_sub(fault.matched)),
        matched: fault.matched,
    }
}

/// The troubles that bite most (GOTCHAS, the ten that hurt most).
fn presets(words: &Words, faults: &[Fault]) -> Vec<Preset> {
    let limit = json!({ "message": "You have reached your monthly limit." });
    let all = [
        (
            words.say("console-trouble-twice"),
            words.say("console-trouble-twice-text"),
            json!({ "on": "webhook", "kind": "duplicate" }),
        ),
        (
            words.say("console-trouble-order"),
            words.say("console-trouble-order-text"),
            json!({ "on": "webhook", "kind": "reorder" }),
        ),
        (
            words.say("console-trouble-late"),
            words.say("console-trouble-late-text"),
            json!({ "on": "webhook", "kind": "delay", "ms": 5000 }),
        ),
        (
            words.say("console-trouble-lost-hook"),
            words.say("console-trouble-lost-hook-text"),
            json!({ "on": "webhook", "kind": "reset" }),
        ),
        (
            words.say("console-trouble-500"),
            words.say("console-trouble-500-text"),
            json!({ "on": "api", "kind": "status", "status": 500 }),
        ),
        (
            words.say("console-trouble-lost"),
            words.say("console-trouble-lost-text"),
            json!({ "on": "api", "kind": "lose_answer", "path": "/v2/bot/message" }),
        ),
        (
            words.say("console-trouble-quota"),
            words.say("console-trouble-quota-text"),
            json!({ "on": "api", "kind": "status", "status": 429, "path": "/v2/bot/message", "body": limit }),
        ),
        (
            words.say("console-trouble-slow"),
            words.say("console-trouble-slow-text"),
            json!({ "on": "api", "kind": "delay", "ms": 8000 }),
        ),
    ];
    all.into_iter().map(|(title, text, body)| preset(title, text, &body, faults)).collect()
}

fn preset(title: String, text: String, body: &Value, faults: &[Fault]) -> Preset {
    let wanted = body.as_object().into_iter().flatten();
    let fields = wanted.clone().map(|(name, value)| match value {
        Value::String(text) => (name.clone(), text.clone()),
        other => (format!("{name}:json"), other.to_string()),
    });
    let same = |fault: &&Fault| {
        let fault = fault.to_json();
        let whole = fault.get("times").is_none() && fault.get("rate") == Some(&json!(1.0));
        let narrow =
            fault.get("path").is_some() == body.get("path").is_some() && fault.get("method").is_none();
        whole && narrow && wanted.clone().all(|(name, value)| fault.get(name) == Some(value))
    };
    let fault = faults.iter().find(same).map(|fault| fault.id.clone());
    Preset { title, text, fields: fields.collect(), fault }
}
