//! A hub, a local LINE, and friends who chat with one account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use futures_util::future::{BoxFuture, FutureExt as _};
use line_client::{Credentials, Endpoints, LineClient, Secret, Timeouts};
use line_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::db::{DbResult, Tx};
use crate::error::AppResult;
use crate::ids::{AccountId, ConversationId, MessageId, TenantId};
use crate::outbox::SendListener;
use crate::outbox::dispatch::Dispatcher;
use crate::outbox::line::{Line, Lines};
use crate::outbox::model::*;
use crate::outbox::service;
use crate::scope::Scope;

/// A friend, and the conversation with them.
#[derive(Debug, Clone)]
pub(super) struct Friend {
    user: String,
    pub(super) target: Target,
    pub(super) conversation: ConversationId,
}

/// The scene of a test.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) test: TestHub,
    pub(super) sandbox: Sandbox,
    pub(super) tenant: TenantId,
    pub(super) account: AccountId,
    pub(super) friend: Friend,
    pub(super) lines: Arc<Connection>,
    pub(super) settled: Arc<Heard>,
    channel: String,
    provider: String,
    base: String,
    http: reqwest::Client,
    webhooks: Arc<Mutex<Vec<Value>>>,
    stop: CancellationToken,
}

/// The account's calls to the local LINE.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) line: Mutex<Option<line_client::Account>>,
    /// Other accounts' calls, to wherever their LINE is.
    pub(super) others: Mutex<HashMap<AccountId, line_client::Account>>,
    pub(super) refused: Mutex<u32>,
    tenant: TenantId,
}

impl Lines for Connection {
    fn line<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, AppResult<Option<Arc<dyn Line>>>> {
        async {
            let other = self.others.lock().unwrap().get(account).cloned();
            let line = other.or_else(|| self.line.lock().unwrap().clone());
            Ok(line.map(|line| Arc::new(line) as Arc<dyn Line>))
        }
        .boxed()
    }

    fn tenant(&self, _: &AccountId) -> Option<TenantId> {
        Some(self.tenant.clone())
    }

    fn credentials_refused(&self, _: &AccountId) {
        *self.refused.lock().unwrap() += 1;
    }
}

/// A listener that remembers.
#[derive(Debug, Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<SettledMessage>>);

impl SendListener for Heard {
    fn settled<'a>(&'a self, _: &'a mut Tx, messages: &'a [SettledMessage]) -> BoxFuture<'a, DbResult<()>> {
        self.0.lock().unwrap().extend_from_slice(messages);
        async { Ok(()) }.boxed()
    }
}

async fn serve(router: Router, stop: &CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = stop.clone().cancelled_owned();
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stop).await });
    format!("http://{address}")
}

pub(super) fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

impl Scene {
    /// A fresh scene; `None` without PostgreSQL.
    pub(super) async fn new(engine: Engine) -> Option<Self> {
        let stop = CancellationToken::new();
        let sandbox = Sandbox::new(line_sandbox::Config { seed: 1, public_url: None });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(sandbox.clone().serve(listener, stop.clone().cancelled_owned()));
        let test = TestHub::with_line(engine, &base).await?;
        let webhooks = Arc::new(Mutex::new(Vec::new()));
        let hear = async |axum::extract::State(webhooks): axum::extract::State<Arc<Mutex<Vec<Value>>>>,
                          body: String| {
            webhooks.lock().unwrap().push(serde_json::from_str(&body).unwrap());
        };
        let hook = serve(Router::new().route("/hook", post(hear)).with_state(webhooks.clone()), &stop).await;
        let (tenant, account) = (test.hub.id(), test.hub.id());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let target = Target { kind: TargetKind::User, id: String::new() };
        let nobody = Friend { user: String::new(), target, conversation: test.hub.id() };
        let lines = Connection {
            line: Mutex::new(None),
            others: Mutex::default(),
            refused: Mutex::new(0),
            tenant: TenantId::clone(&tenant),
        };
        let mut scene = Self {
            test,
            sandbox,
            tenant,
            account,
            friend: nobody,
            lines: Arc::new(lines),
            settled: Arc::default(),
            channel: String::new(),
            provider: String::new(),
            base,
            http,
            webhooks,
            stop,
        };
        scene.provider =
            scene.control("/providers", json!({ "name": "Tea" })).await["providerId"].to_string();
        scene.provider = scene.provider.trim_matches('"').to_owned();
        let new = json!({ "providerId": scene.provider, "type": "messaging", "name": "Tea" });
        let channel = scene.control("/channels", new).await;
        scene.channel = channel["channelId"].as_str().unwrap().to_owned();
        let hook = format!("{hook}/hook");
        let console =
            json!({ "webhookEndpoint": hook, "useWebhook": true, "greeting": false, "autoReply": false });
        scene.settings(console).await;
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            call: Duration::from_millis(1500),
            content: Duration::from_secs(5),
        };
        let start = std::time::Instant::now();
        let endpoints = Endpoints::all_at(&scene.base.parse().unwrap());
        let client = LineClient::with(endpoints, timeouts, Arc::new(move || start.elapsed())).unwrap();
        *scene.lines.line.lock().unwrap() = Some(client.account(Credentials {
            channel_id: scene.channel.clone(),
            channel_secret: Secret::from(channel["channelSecret"].as_str().unwrap()),
            access_token: None,
            signing_key: None,
        }));
        scene.friend = scene.befriend("Anna").await;
        Some(scene)
    }

    /// Another friend.
    pub(super) async fn befriend(&self, name: &str) -> Friend {
        let user = self.control("/users", json!({ "displayName": name })).await;
        let id = user["userId"][&self.provider].as_str().unwrap().to_owned();
        let user = user["user"].as_str().unwrap().to_owned();
        self.control(&format!("/users/{user}/follow"), json!({ "channelId": self.channel })).await;
        let target = Target { kind: TargetKind::User, id };
        Friend { user, target, conversation: self.test.hub.id() }
    }

    /// A group of the friend and others, with its conversation.
    pub(super) async fn group(&self, others: &[Friend]) -> Friend {
        self.settings(json!({ "groupChats": true })).await;
        let members: Vec<&str> =
            std::iter::once(&self.friend).chain(others).map(|friend| friend.user.as_str()).collect();
        let new = json!({ "channelId": self.channel, "members": members, "name": "Tea lovers" });
        let group = self.control("/groups", new).await;
        let id = group["groupId"].as_str().unwrap().to_owned();
        let target = Target { kind: TargetKind::Group, id };
        Friend { user: self.friend.user.clone(), target, conversation: self.test.hub.id() }
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status} {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(super) async fn control(&self, path: &str, body: Value) -> Value {
        self.call(self.http.post(format!("{}/sandbox/v1{path}", self.base)).json(&body)).await
    }

    async fn look(&self, path: &str) -> Vec<Value> {
        let seen = self.call(self.http.get(format!("{}/sandbox/v1{path}", self.base))).await;
        seen["items"].as_array().unwrap().clone()
    }

    pub(super) async fn settings(&self, settings: Value) {
        let url = format!("{}/sandbox/v1/channels/{}", self.base, self.channel);
        self.call(self.http.patch(url).json(&settings)).await;
    }

    /// A fault of LINE's API from now on.
    pub(super) async fn fault(&self, mut fault: Value) {
        fault["on"] = "api".into();
        self.control("/faults", fault).await;
    }

    pub(super) async fn heal(&self) {
        self.call(self.http.delete(format!("{}/sandbox/v1/faults", self.base))).await;
    }

    /// The friend writes; the hub hears it and remembers the reply token.
    pub(super) async fn hears(&self, friend: &Friend) {
        let before = self.webhooks.lock().unwrap().len();
        let mut said = json!({ "channelId": self.channel, "message": text("hello") });
        if friend.target.kind == TargetKind::Group {
            said["group"] = friend.target.id.as_str().into();
        }
        self.control(&format!("/users/{}/messages", friend.user), said).await;
        let token = loop {
            let heard = self.webhooks.lock().unwrap()[before..].to_vec();
            let events = heard.iter().flat_map(|body| body["events"].as_array().unwrap().clone());
            let said = events
                .filter(|event| event["type"] == "message")
                .find_map(|e| Some(e["replyToken"].as_str()?.to_owned()));
            match said {
                Some(token) => break token,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        self.remember(friend, &token).await;
    }

    pub(super) async fn remember(&self, friend: &Friend, token: &str) {
        let now = self.test.hub.now();
        let new = NewToken {
            tenant: &self.tenant,
            account: &self.account,
            conversation: &friend.conversation,
            token,
            position: 1,
            event_at: now,
            received_at: now,
            redelivered: false,
            owner: None,
        };
        let mut tx = self.test.hub.db.begin().await.unwrap();
        service::remember_token(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Queues one line of an agent.
    pub(super) async fn writes(&self, friend: &Friend, line: &str, terms: Terms) -> MessageId {
        self.queue(friend, vec![text(line)], Origin::Agent, terms).await.remove(0)
    }

    pub(super) async fn queue(
        &self,
        friend: &Friend,
        messages: Vec<Value>,
        origin: Origin,
        terms: Terms,
    ) -> Vec<MessageId> {
        self.queue_of(&self.account, friend, messages, origin, terms).await
    }

    pub(super) async fn queue_of(
        &self,
        account: &AccountId,
        friend: &Friend,
        messages: Vec<Value>,
        origin: Origin,
        terms: Terms,
    ) -> Vec<MessageId> {
        let hub = &self.test.hub;
        let messages: Vec<(MessageId, Value)> = messages.into_iter().map(|m| (hub.id(), m)).collect();
        let ids = messages.iter().map(|(id, _)| id.clone()).collect();
        let new = NewSend {
            tenant: self.tenant.clone(),
            account: account.clone(),
            conversation: friend.conversation.clone(),
            target: friend.target.clone(),
            messages,
            origin,
            actor: "usr_1".to_owned(),
            terms,
            extras: Extras::default(),
        };
        let mut tx = hub.db.begin().await.unwrap();
        service::enqueue(&mut tx, hub, &new).await.unwrap();
        tx.commit().await.unwrap();
        ids
    }

    pub(super) fn dispatcher(&self) -> Dispatcher {
        self.dispatcher_of(&self.test.hub)
    }

    pub(super) fn dispatcher_of(&self, hub: &crate::app::Hub) -> Dispatcher {
        Dispatcher::new(hub, vec![self.settled.clone()]).with_lines(self.lines.clone())
    }

    /// Sends what is due.
    pub(super) async fn send(&self) {
        self.dispatcher().run_pending().await.unwrap();
    }

    /// Lets time pass at the hub.
    pub(super) fn pass(&self, seconds: u64) {
        self.test.clock.advance(Duration::from_secs(seconds));
    }

    /// Passes so many seconds one by one, sending what is due.
    pub(super) async fn live(&self, seconds: u64) {
        for _ in 0..seconds {
            self.pass(1);
            self.send().await;
        }
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::tenant_wide(self.tenant.clone())
    }

    pub(super) async fn delivery(&self, message: &MessageId) -> Delivery {
        let ids = [message.clone()];
        service::deliveries(&self.test.hub.db, &self.scope(), &ids).await.unwrap().remove(0)
    }

    /// What the friend's phone shows of the account: text and way.
    pub(super) async fn shown(&self, friend: &Friend) -> Vec<(String, String)> {
        let mut path = format!("/users/{}/timeline?channelId={}", friend.user, self.channel);
        if friend.target.kind == TargetKind::Group {
            path.push_str(&format!("&group={}", friend.target.id));
        }
        let items = self.look(&path).await;
        let ours = items.iter().filter(|item| item["from"] == "account");
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        ours.map(|item| (word(&item["message"]["text"]), word(&item["via"]))).collect()
    }

    /// What LINE was asked of one path: body and retry key of each call.
    pub(super) async fn asked(&self, path: &str) -> Vec<(String, String)> {
        let items = self.look("/requests?since=0").await;
        let calls = items.iter().filter(|item| item["path"] == path);
        calls
            .map(|item| (item["body"].to_string(), item["retryKey"].as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    /// The ends that the listener heard, by message.
    pub(super) fn heard(&self) -> HashMap<MessageId, Vec<State>> {
        let mut heard: HashMap<MessageId, Vec<State>> = HashMap::new();
        for settled in self.settled.0.lock().unwrap().iter() {
            heard.entry(settled.delivery.message.clone()).or_default().push(settled.delivery.state);
        }
        heard
    }

    pub(super) async fn close(self) {
        self.stop.cancel();
        self.test.close().await;
    }
}
