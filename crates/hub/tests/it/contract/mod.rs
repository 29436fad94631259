//! CONTRACT section 1 through HTTP with an API key. Each test's name or comments quote the rule it holds the hub to.
//!
//! `general` is what holds for every call, `accounts`, `inbox` and `journal` the rows of the table and their details,
//! `openapi` that the description says what is served.

mod accounts;
mod general;
mod inbox;
mod journal;
mod openapi;

use serde_json::{Value, json};
use testkit::{Account, Answer, Engine, LineUser, TestHub};

/// A hub with an account, a friend who wrote "hello", and the conversation with them.
struct Shop {
    hub: TestHub,
    account: Account,
    friend: LineUser,
    conversation: String,
}

impl Shop {
    async fn open(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).start().await?;
        let (account, friend) = hub.account_with_friend().await;
        let listed = hub.api().get("/conversations").await.expect(200);
        let conversation = text(&listed["items"][0]["id"]);
        Some(Self { hub, account, friend, conversation })
    }

    fn messages(&self) -> String {
        format!("/conversations/{}/messages", self.conversation)
    }

    async fn sends(&self, body: Value) -> Answer {
        self.hub.api().post(&self.messages(), body).await
    }

    async fn get(&self, path: &str) -> Value {
        self.hub.api().get(path).await.expect(200)
    }

    /// The first message with this text.
    async fn line(&self, words: &str) -> Value {
        let page = self.get(&self.messages()).await;
        let found = page["items"].as_array().unwrap().iter().find(|line| line["content"]["text"] == words);
        found.unwrap_or_else(|| panic!("there is no line {words}: {page}")).clone()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn says(words: &str) -> Value {
    json!({ "type": "text", "text": words })
}

/// The names of an object's members, sorted.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// "Errors are `application/problem+json` with `type`, `title`, `status`, `detail`, a top-level `code`, and for 422
/// `errors: [{"field", "code", "detail"}]`."
#[track_caller]
fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let body = answer.json();
    assert_eq!((&body["status"], &body["code"]), (&json!(status), &json!(code)), "{body}");
    for member in ["type", "title", "detail"] {
        assert!(body[member].is_string(), "{member}: {body}");
    }
    if status == 422 {
        let errors = body["errors"].as_array().unwrap();
        assert!(!errors.is_empty());
        for error in errors {
            assert_eq!(names(error), ["code", "detail", "field"], "{body}");
        }
    }
    body
}

/// A 422 that names this field.
#[track_caller]
fn names_field(answer: &Answer, field: &str) {
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    let body = problem(answer, 422, &code);
    let fields: Vec<&str> =
        body["errors"].as_array().unwrap().iter().filter_map(|e| e["field"].as_str()).collect();
    assert!(fields.contains(&field), "{field}: {body}");
}

/// "Times RFC 3339 UTC with milliseconds."
#[track_caller]
fn is_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
}
