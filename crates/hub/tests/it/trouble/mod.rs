//! Bad input and trouble: each test shows what the contract says then, and that nothing accepted is lost or done twice.
//!
//! `door` is about what arrives at the webhook's address, `events` about what well-signed events may be like, `line` about
//! a LINE that refuses, dawdles or is silent, `database` about a database that is full or away, `once` about calls that come
//! again because their answer was lost, `restart` about a PostgreSQL server that is restarted.

mod database;
mod door;
mod events;
mod line;
mod once;
mod restart;

use std::sync::LazyLock;
use std::time::Duration;

use hub::clock::Clock as _;
use line_api::signature::sign;
use serde_json::{Value, json};
use testkit::{Account, Answer, Api, TestHub};

/// Posts a webhook body with a signature, or with none, as anybody on the internet can; gives the status.
async fn post(url: &url::Url, body: impl Into<Vec<u8>>, signature: Option<&str>) -> u16 {
    // One client for all tests; each has a runtime of its own, so no connection outlives its request.
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
        let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
        builder.pool_max_idle_per_host(0).build().unwrap()
    });
    let mut request = HTTP.post(url.clone()).header("content-type", "application/json; charset=utf-8");
    if let Some(signature) = signature {
        request = request.header("x-line-signature", signature);
    }
    let answer = request.body(body.into()).send().await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.text().await.unwrap(), "{}", "the door tells nothing but its status");
    status
}

/// Posts a body that the channel's secret signs, as only LINE can.
async fn post_signed(account: &Account, body: impl Into<Vec<u8>>) -> u16 {
    let body = body.into();
    let signature = sign(&account.channel_secret, &body);
    post(&account.webhook_url, body, Some(&signature)).await
}

/// A body with these events, as LINE writes it.
fn letter(account: &Account, events: &[Value]) -> String {
    json!({ "destination": account.bot_user_id, "events": events }).to_string()
}

/// A text message of a user; its ids are made of `n`, its time is the present moved by `offset` ms.
fn text_event(hub: &TestHub, user: &str, n: u32, text: &str, offset: i64) -> Value {
    text_event_at(hub.clock.now().millis() + offset, user, n, text)
}

fn text_event_at(timestamp: i64, user: &str, n: u32, text: &str) -> Value {
    json!({
        "type": "message",
        "webhookEventId": event_id(n),
        "timestamp": timestamp,
        "mode": "active",
        "deliveryContext": { "isRedelivery": false },
        "source": { "type": "user", "userId": user },
        "message": { "type": "text", "id": message_id(n), "text": text, "quoteToken": "q" },
    })
}

/// The `n`th event's id of a test.
fn event_id(n: u32) -> String {
    format!("01HZX0000000000000000{n:05}")
}

/// The `n`th message's id of a test.
fn message_id(n: u32) -> String {
    format!("5400000000000{n:05}")
}

/// A user id of nobody the local LINE knows.
const STRANGER: &str = "U00000000000000000000000000000abc";

/// Every item of a list, by its cursors.
async fn all(api: &Api, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = api.get(&format!("{path}{joint}limit=200{cursor}")).await.expect(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// The one conversation there is.
async fn conversation(hub: &TestHub) -> Value {
    let mut items = all(hub.api(), "/conversations").await;
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

/// The one conversation's messages, events left out, as (direction, text); unsent ones have no text.
async fn transcript(hub: &TestHub) -> Vec<(String, String)> {
    let lines = lines(hub).await;
    let shown = lines.iter().filter(|line| line["content"]["type"] != "event");
    shown.map(|line| (text(&line["direction"]), text(&line["content"]["text"]))).collect()
}

/// Everything in the one conversation, oldest first.
async fn lines(hub: &TestHub) -> Vec<Value> {
    let path = format!("/conversations/{}/messages", text(&conversation(hub).await["id"]));
    hub.api().get(&format!("{path}?limit=200")).await.expect(200)["items"].as_array().unwrap().clone()
}

/// Queues a text in the one conversation.
async fn send(hub: &TestHub, words: &str, allow_paid: bool) -> Answer {
    let path = format!("/conversations/{}/messages", text(&conversation(hub).await["id"]));
    let body = json!({ "messages": [{ "type": "text", "text": words }], "allow_paid": allow_paid });
    hub.api().post(&path, body).await
}

/// How the sending of the line with this text stands.
async fn delivery(hub: &TestHub, words: &str) -> Value {
    let found = lines(hub).await.into_iter().find(|line| line["content"]["text"] == words);
    found.unwrap_or_else(|| panic!("there is no line {words}"))["delivery"].clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Asks until there is an answer, for at most 20 s.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..800 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("did not happen within 20 s: {what}")
}
