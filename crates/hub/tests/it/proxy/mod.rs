//! The way back: programs written for LINE call the hub in LINE's place.

mod bots;
mod bulk;
mod keys;
mod reads;
mod sends;
mod table;

use std::time::Duration;

use line_api::schema::Schema;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::{Account, Engine, LineUser, Received, Receiver, TestHub};

/// A hub with an account, a friend, and a destination that owns the replies.
pub(crate) struct Shop {
    pub(crate) hub: TestHub,
    pub(crate) account: Account,
    pub(crate) friend: LineUser,
    pub(crate) receiver: Receiver,
    /// The destination's id.
    pub(crate) id: String,
}

/// LINE as a program sees it that was given this hub's address and a key.
#[derive(Clone)]
pub(crate) struct Line {
    http: reqwest::Client,
    origin: String,
    pub(crate) key: String,
}

/// What was answered: status, headers, body.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Said {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The first reason of the hub's.
    pub(crate) fn reason(&self) -> &str {
        self.body["details"][0]["message"].as_str().unwrap_or_default()
    }
}

/// An answer has the shape that LINE's own schema gives it.
fn fits(method: &str, path: &str, said: &Said) {
    let Some(schema) = Schema::load() else { return };
    let is_known = !schema.statuses(method, path).is_empty();
    if let Err(odd) = schema.check_response(method, path, said.status, &said.body) {
        assert!(!is_known, "{method} {path} {}: {odd}", said.status);
    }
}

impl Line {
    pub(crate) fn new(hub: &TestHub, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, origin: hub.url.as_str().trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.origin)).bearer_auth(&self.key)
    }

    pub(crate) async fn call(&self, request: RequestBuilder) -> Said {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        assert_eq!(headers["x-line-request-id"].len(), 36, "on every answer");
        let body = answer.bytes().await.unwrap();
        Said { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        let said = self.call(self.request(Method::GET, path)).await;
        fits("GET", path, &said);
        said
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Said {
        let said = self.call(self.request(Method::POST, path).json(&body)).await;
        fits("POST", path, &said);
        said
    }

    pub(crate) async fn reply(&self, token: &str, text: &str) -> Said {
        let body = json!({ "replyToken": token, "messages": [{ "type": "text", "text": text }] });
        self.post("/v2/bot/message/reply", body).await
    }

    pub(crate) async fn push(&self, to: &str, text: &str) -> Said {
        let body = json!({ "to": to, "messages": [{ "type": "text", "text": text }] });
        self.post("/v2/bot/message/push", body).await
    }
}

impl Shop {
    pub(crate) async fn open(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).with_loops().start().await?;
        let account = hub.connect_account().await;
        let friend = hub.line_user("Mei").await;
        friend.follows(&account).await;
        let path = format!("/events?account_id={}", account.id);
        while hub.api().get(&path).await.expect(200)["items"].as_array().is_none_or(Vec::is_empty) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let receiver = Receiver::start().await;
        let body = json!({ "name": "CRM", "url": receiver.url });
        let made = hub.api().post(&format!("/accounts/{}/destinations", account.id), body).await.expect(201);
        let id = made["id"].as_str().unwrap().to_owned();
        let shop = Self { hub, account, friend, receiver, id };
        shop.owns_replies(&shop.id).await;
        Some(shop)
    }

    /// Replies belong to a destination from now on.
    pub(crate) async fn owns_replies(&self, id: &str) {
        let path = format!("/accounts/{}", self.account.id);
        self.hub.api().patch(&path, json!({ "reply_owner": id })).await.expect(200);
    }

    /// Another destination of the account.
    pub(crate) async fn another(&self, also: Value) -> String {
        let mut body = json!({ "name": "Shop", "url": self.receiver.url });
        body.as_object_mut().unwrap().extend(also.as_object().cloned().unwrap_or_default());
        let path = format!("/accounts/{}/destinations", self.account.id);
        let made = self.hub.api().post(&path, body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// LINE by a key of the destination.
    pub(crate) async fn line(&self, key: Value) -> Line {
        self.line_of(&self.id, key).await
    }

    pub(crate) async fn line_of(&self, id: &str, key: Value) -> Line {
        let made = self.hub.api().post(&format!("/destinations/{id}/proxy-key"), key).await.expect(201);
        self.line_by(made["key"].as_str().unwrap())
    }

    pub(crate) fn line_by(&self, key: &str) -> Line {
        Line::new(&self.hub, key)
    }

    /// The friend writes, and the destination gets the event's reply token.
    pub(crate) async fn token(&self, text: &str) -> String {
        self.friend.says(&self.account, text).await;
        for _ in 0..600 {
            if let Some(token) = self.receiver.received().iter().find_map(|got| token_of(got, text)) {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the destination got no event with {text}");
    }

    /// LINE's ID of the friend, once their first event is processed.
    pub(crate) async fn friend_id(&self) -> String {
        let path = format!("/contacts?account_id={}", self.account.id);
        for _ in 0..300 {
            let contacts = self.hub.api().get(&path).await.expect(200);
            if let Some(id) = contacts["items"][0]["external_id"].as_str() {
                return id.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the friend never became a contact");
    }

    /// The messages of the friend's conversation that went out.
    pub(crate) async fn transcript(&self) -> Vec<Value> {
        let path = format!("/conversations?account_id={}", self.account.id);
        let all = self.hub.api().get(&path).await.expect(200);
        let id = all["items"][0]["id"].as_str().unwrap().to_owned();
        let messages = self.hub.api().get(&format!("/conversations/{id}/messages")).await.expect(200);
        let items = messages["items"].as_array().unwrap();
        items.iter().filter(|message| message["direction"] == "out").cloned().collect()
    }
}

fn token_of(got: &Received, text: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(&got.body).ok()?;
    let event = body["events"].as_array()?.iter().find(|event| event["message"]["text"] == text)?;
    Some(event["replyToken"].as_str()?.to_owned())
}
