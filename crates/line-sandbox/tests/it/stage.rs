//! A running sandbox with one connected account, a friend, and a server that receives its webhooks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use line_api::schema::Schema;
use line_sandbox::{Config, Sandbox};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Waits for something that another task does.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = probe().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen within 5 s");
}

/// What a call answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {:?}", self.bytes))
    }

    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// Success without a body.
    /// 200 with an empty object.
    pub(crate) fn nothing(self) {
        assert_eq!(self.ok(), json!({}));
    }

    pub(crate) fn refused(&self, status: u16, message: &str) {
        assert_eq!((self.status, self.json()["message"].as_str()), (status, Some(message)));
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The account's server: keeps what it receives and answers as told.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Mutex<VecDeque<(StatusCode, Duration)>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self { url, got: Arc::default(), answers: Arc::default() };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    /// The next webhooks are answered so, then again by 200 at once.
    pub(crate) fn will_answer(&self, answers: &[(u16, u64)]) {
        let answers = answers
            .iter()
            .map(|(status, ms)| (StatusCode::from_u16(*status).unwrap(), Duration::from_millis(*ms)));
        self.answers.lock().unwrap().extend(answers);
    }

    /// Holds every webhook received so far against LINE's schema.
    pub(crate) fn check(&self, schema: Option<&Schema>) {
        let Some(schema) = schema else { return };
        for (_, body) in self.got.lock().unwrap().iter() {
            schema.check_webhook(&serde_json::from_slice(body).unwrap()).unwrap();
        }
    }

    /// All events received so far, in order of arrival.
    pub(crate) fn events(&self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        got.iter()
            .flat_map(|(_, body)| {
                let body: Value = serde_json::from_slice(body).unwrap();
                body["events"].as_array().unwrap().clone()
            })
            .collect()
    }

    /// Waits for the `count`th event and gives it.
    pub(crate) async fn event(&self, count: usize) -> Value {
        eventually("the webhook", async || self.events().get(count - 1).cloned()).await
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.got.lock().unwrap().push((headers, body));
    let answer = receiver.answers.lock().unwrap().pop_front();
    let (status, wait) = answer.unwrap_or((StatusCode::OK, Duration::ZERO));
    tokio::time::sleep(wait).await;
    status
}

/// A sandbox, one account, one friend.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) receiver: Receiver,
    pub(crate) provider: String,
    pub(crate) channel: String,
    pub(crate) secret: String,
    pub(crate) bot: String,
    pub(crate) token: String,
    pub(crate) user: String,
    pub(crate) user_id: String,
    /// LINE's own schema, against which every answer is held.
    pub(crate) schema: Option<Schema>,
}

impl Stage {
    /// Everything connected, the friend has followed; the follow event is event 1.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let sandbox = Sandbox::new(Config { seed: 7, ..Config::default() });
        tokio::spawn(sandbox.serve(listener, std::future::pending()));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut stage = Self {
            base,
            http,
            receiver: Receiver::start().await,
            provider: String::new(),
            channel: String::new(),
            secret: String::new(),
            bot: String::new(),
            token: String::new(),
            user: String::new(),
            user_id: String::new(),
            schema: Schema::load(),
        };
        stage.connect().await;
        stage
    }

    async fn connect(&mut self) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.provider =
            text(&self.control("POST", "/providers", json!({"name": "Tea"})).await.ok()["providerId"]);
        let channel = json!({"providerId": self.provider, "type": "messaging", "name": "茶店"});
        let channel = self.control("POST", "/channels", channel).await.ok();
        self.channel = text(&channel["channelId"]);
        self.secret = text(&channel["channelSecret"]);
        self.bot = text(&channel["botUserId"]);
        let answer = self.stateless_token(&self.channel, &self.secret).await.ok();
        self.token = text(&answer["access_token"]);
        let endpoint = json!({"endpoint": self.receiver.url});
        self.line("PUT", "/v2/bot/channel/webhook/endpoint", endpoint).await.ok();
        // As owners are told to: the account's own answers would stand beside the bot's.
        let settings = json!({"useWebhook": true, "groupChats": true, "greeting": false, "autoReply": false});
        self.set(settings).await;
        let user =
            self.control("POST", "/users", json!({"displayName": "小明", "language": "zh-TW"})).await.ok();
        self.user = text(&user["user"]);
        self.user_id = text(&user["userId"][&self.provider]);
        self.act("follow", json!({})).await;
        self.receiver.event(1).await;
    }

    /// Sends a request and reads its whole answer; `Err` when the connection broke.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = request.build()?;
        let (method, url) = (request.method().to_string(), request.url().clone());
        let response = self.http.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = Answer { status, headers, bytes: response.bytes().await? };
        if url.path().starts_with("/v2/") || url.path().starts_with("/oauth2/") {
            self.check(&method, url.path(), &answer);
        }
        Ok(answer)
    }

    /// Holds an answer of LINE's paths against LINE's schema (PLATFORM 5: the request id is on every answer).
    fn check(&self, method: &str, path: &str, answer: &Answer) {
        assert_eq!(answer.header("x-line-request-id").len(), 36, "{method} {path}");
        let json = answer.header("content-type") == "application/json";
        let Some(schema) = self.schema.as_ref().filter(|_| json || answer.bytes.is_empty()) else { return };
        let body = if json { answer.json() } else { Value::Null };
        // The door's own refusals and unknown paths belong to no operation; the 202 of content that is not ready stands
        // in the documentation only (PLATFORM 6, 28).
        let unready = answer.status == 202 && path.ends_with("/content");
        // LINE Login's answers on the paths that it shares with channel tokens stand in no file (PLATFORM 2).
        if path.starts_with("/oauth2/v2.1/")
            && (body.get("refresh_token").is_some() || body.get("scope").is_some())
        {
            return;
        }
        // The file says 200 here, the documentation 202 (PLATFORM 28).
        let deleted =
            method == "DELETE" && path.starts_with("/v2/bot/audienceGroup/") && answer.status == 202;
        if !unready && !deleted && !matches!(answer.status, 404 | 411 | 413 | 415) {
            let fits = schema.check_response(method, path, answer.status, &body);
            // What LINE documents and no file has: LINE Login, templated notification messages.
            assert!(
                fits.as_ref().err().is_none_or(|why| why.starts_with("LINE has no operation")),
                "{method} {path}: {fits:?}"
            );
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.base))
    }

    /// A call to `/sandbox/v1`.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = self.request(method, &format!("/sandbox/v1{path}"));
        let request = if method == "GET" || method == "DELETE" { request } else { request.json(&body) };
        self.send(request).await.unwrap()
    }

    /// The items of a control list.
    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        self.control("GET", path, Value::Null).await.ok()["items"].as_array().unwrap().clone()
    }

    /// A call to LINE's API with the channel's token.
    pub(crate) async fn line(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = self.request(method, path).bearer_auth(&self.token);
        let request = match (method, body) {
            ("GET", _) => request,
            (_, Value::Null) => request.body("").header("content-length", "0"),
            (_, body) => request.json(&body),
        };
        self.send(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.line("GET", path, Value::Null).await
    }

    pub(crate) async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send(self.request("POST", path).form(pairs)).await.unwrap()
    }

    pub(crate) async fn stateless_token(&self, id: &str, secret: &str) -> Answer {
        let pairs = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        self.form("/oauth2/v3/token", &pairs).await
    }

    /// Changes the channel's settings.
    pub(crate) async fn set(&self, settings: Value) {
        self.control("PATCH", &format!("/channels/{}", self.channel), settings).await.ok();
    }

    /// The friend does something with the account.
    pub(crate) async fn act(&self, act: &str, body: Value) -> Value {
        self.try_act(act, body).await.ok()
    }

    pub(crate) async fn try_act(&self, act: &str, mut body: Value) -> Answer {
        if body.get("channelId").is_none() {
            body["channelId"] = self.channel.clone().into();
        }
        self.control("POST", &format!("/users/{}/{act}", self.user), body).await
    }

    /// The friend writes a text.
    pub(crate) async fn write(&self, text: &str) -> Value {
        self.act("messages", json!({"message": {"type": "text", "text": text}})).await
    }

    pub(crate) async fn advance(&self, ms: u64) {
        self.control("POST", "/clock", json!({"advanceMs": ms})).await.ok();
    }

    pub(crate) async fn timeline(&self) -> Vec<Value> {
        self.items(&format!("/users/{}/timeline?channelId={}", self.user, self.channel)).await
    }

    pub(crate) async fn push(&self, to: &str, text: &str) -> Answer {
        self.line(
            "POST",
            "/v2/bot/message/push",
            json!({"to": to, "messages": [{"type": "text", "text": text}]}),
        )
        .await
    }

    pub(crate) async fn reply(&self, token: &str, text: &str) -> Answer {
        let body = json!({"replyToken": token, "messages": [{"type": "text", "text": text}]});
        self.line("POST", "/v2/bot/message/reply", body).await
    }
}
