//! Those who use the hub, each by HTTP: a browser, a program with a key, a friend with a phone.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::world::Account;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body's text.
    pub body: String,
}

impl Answer {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.text().await.expect("the answer's body") }
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    /// Checks the status and gives the JSON, null for an empty body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
}

/// A program with an API key.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    root: String,
    key: String,
}

impl Api {
    pub(crate) fn new(origin: &Url, key: String) -> Self {
        Self { http: client(), root: format!("{origin}api/v1"), key }
    }

    /// A request to be completed, below `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.root)).bearer_auth(&self.key)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(&body)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }
}

/// A browser, with its cookies; it follows no redirect by itself.
#[derive(Debug, Clone)]
pub struct Browser {
    http: reqwest::Client,
    origin: Url,
}

impl Browser {
    pub(crate) fn new(origin: &Url) -> Self {
        let http = builder().cookie_store(true).build().expect("a browser");
        Self { http, origin: origin.clone() }
    }

    /// A request to be completed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.origin.join(path).expect("a path")).header("accept", "text/html")
    }

    /// Opens a page.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// Sends a form as the page at `page` would: with the CSRF token found there.
    pub async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let shown = self.get(page).await;
        let token = csrf(&shown.body).unwrap_or_default();
        let mut form: Vec<(&str, &str)> = fields.to_vec();
        form.push(("csrf", &token));
        let origin = self.origin.origin().ascii_serialization();
        Answer::of(self.request(Method::POST, action).header("origin", origin).form(&form)).await
    }
}

/// The token in a page's forms.
fn csrf(page: &str) -> Option<String> {
    let at = page.find("name=\"csrf\"")?;
    let rest = page.get(at..)?.split_once("value=\"")?.1;
    rest.split('"').next().map(str::to_owned)
}

/// A person with a phone, who acts through the sandbox's controls.
#[derive(Debug, Clone)]
pub struct LineUser {
    pub(crate) control: Control,
    /// The sandbox's name for the person.
    pub user: String,
    /// LINE's user id, as the hub's account sees it.
    pub id: String,
    /// The name shown to others.
    pub name: String,
}

impl LineUser {
    /// Adds the account as a friend.
    pub async fn follows(&self, account: &Account) {
        self.acts("follow", json!({ "channelId": account.channel_id })).await;
    }

    /// Blocks the account.
    pub async fn blocks(&self, account: &Account) {
        self.acts("unfollow", json!({ "channelId": account.channel_id })).await;
    }

    /// Writes a text; gives LINE's message id.
    pub async fn says(&self, account: &Account, text: &str) -> String {
        self.sends(account, json!({ "type": "text", "text": text })).await
    }

    /// Sends a message; gives LINE's message id.
    pub async fn sends(&self, account: &Account, message: Value) -> String {
        let body = json!({ "channelId": account.channel_id, "message": message });
        let done = self.acts("messages", body).await;
        done["messageId"].as_str().expect("a message id").to_owned()
    }

    /// Takes a message back.
    pub async fn unsends(&self, account: &Account, message_id: &str) {
        self.acts("unsend", json!({ "channelId": account.channel_id, "messageId": message_id })).await;
    }

    /// Any act of the person, below `/sandbox/v1/users/{user}/`; returns once LINE has tried to deliver its webhook.
    pub async fn acts(&self, what: &str, body: Value) -> Value {
        let done = self.control.post(&format!("/users/{}/{what}", self.user), body).await;
        if let (Some(id), Some(true)) = (done["webhookEventId"].as_str(), done["delivered"].as_bool()) {
            self.control.delivered(id).await;
        }
        done
    }

    /// What the phone shows of the account, both directions, in order.
    pub async fn timeline(&self, account: &Account) -> Vec<Value> {
        let path = format!("/users/{}/timeline?channelId={}", self.user, account.channel_id);
        self.control.get(&path).await["items"].as_array().cloned().unwrap_or_default()
    }

    /// The texts that the account sent to this phone, in order.
    pub async fn texts_received(&self, account: &Account) -> Vec<String> {
        let shown = self.timeline(account).await;
        let received = shown.iter().filter(|item| item["from"] == "account");
        received.filter_map(|item| item["message"]["text"].as_str().map(str::to_owned)).collect()
    }
}

/// The sandbox's controls.
#[derive(Debug, Clone)]
pub struct Control {
    http: reqwest::Client,
    root: String,
}

impl Control {
    pub(crate) fn new(line: &Url) -> Self {
        Self { http: client(), root: format!("{line}sandbox/v1") }
    }

    /// GET below `/sandbox/v1`.
    pub async fn get(&self, path: &str) -> Value {
        Answer::of(self.http.get(format!("{}{path}", self.root))).await.expect(200)
    }

    /// POST below `/sandbox/v1`.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        Answer::of(self.http.post(format!("{}{path}", self.root)).json(&body)).await.expect(200)
    }

    /// PATCH below `/sandbox/v1`.
    pub async fn patch(&self, path: &str, body: Value) -> Value {
        Answer::of(self.http.patch(format!("{}{path}", self.root)).json(&body)).await.expect(200)
    }

    /// DELETE below `/sandbox/v1`.
    pub async fn delete(&self, path: &str) -> Value {
        Answer::of(self.http.delete(format!("{}{path}", self.root))).await.expect(200)
    }

    /// Waits until the webhook of an event was tried once.
    async fn delivered(&self, event: &str) {
        for _ in 0..1000 {
            let deliveries = self.get("/deliveries").await;
            let items = deliveries["items"].as_array().cloned().unwrap_or_default();
            if items.iter().any(|item| item["body"].as_str().is_some_and(|body| body.contains(event))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the sandbox did not deliver {event}");
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
}

fn client() -> reqwest::Client {
    builder().build().expect("an HTTP client")
}
