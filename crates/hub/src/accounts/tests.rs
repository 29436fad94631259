//! Accounts through the API, with the sandbox as LINE.

use std::time::Duration;

use line_sandbox::{Config, Sandbox};
use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::repo::{self, SecretKind};
use super::{service, testing};
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::ids::TenantId;
use crate::scope::Scope;
use crate::team::{self, Actor, KeyScope};

/// A hub and a LINE that reach each other on loopback, and somebody with an API key.
struct Scene {
    test: TestHub,
    line: String,
    hub: String,
    key: String,
    tenant: TenantId,
    http: reqwest::Client,
    stop: CancellationToken,
}

impl Scene {
    async fn new(engine: Engine) -> Option<Self> {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(Sandbox::new(Config::default()).serve(listener, stop.clone().cancelled_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = format!("http://{}", listener.local_addr().unwrap());
        let test = TestHub::served(engine, &line, &hub).await?;
        let routes = crate::wiring::router(&test.hub);
        let ended = stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, routes).with_graceful_shutdown(ended).await });
        let tenant = tenant(&test, "三杯茶").await;
        let key = key(&test, &tenant, &[]).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Some(Self { test, line, hub, key, tenant, http, stop })
    }

    async fn call(
        &self,
        method: Method,
        address: &str,
        key: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.http.request(method, address).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// Calls the hub's API.
    async fn api(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.call(method, &format!("{}/api/v1{path}", self.hub), &self.key, body).await
    }

    /// Does something in LINE's console.
    async fn console(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) =
            self.call(method, &format!("{}/sandbox/v1{path}", self.line), "", Some(body)).await;
        assert!(status.is_success(), "{status} {answer}");
        answer
    }

    async fn channel(&self, kind: &str) -> Channel {
        let provider = self.console(Method::POST, "/providers", json!({ "name": "三杯茶有限公司" })).await;
        let new = json!({ "providerId": provider["providerId"], "type": kind, "name": "三杯茶" });
        let made = self.console(Method::POST, "/channels", new).await;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        Channel { id: text("channelId"), secret: text("channelSecret"), basic_id: text("basicId") }
    }

    async fn connect(&self, body: Value) -> (StatusCode, Value) {
        self.api(Method::POST, "/accounts", Some(body)).await
    }

    async fn fault(&self, fault: Value) {
        self.console(Method::POST, "/faults", fault).await;
    }

    /// The webhook address that stands at LINE.
    async fn endpoint_at_line(&self, channel: &Channel) -> Value {
        let address = format!("{}/sandbox/v1/channels/{}", self.line, channel.id);
        self.call(Method::GET, &address, "", None).await.1["webhookEndpoint"].clone()
    }

    async fn close(self) {
        self.stop.cancel();
        self.test.close().await;
    }
}

struct Channel {
    id: String,
    secret: String,
    basic_id: String,
}

impl Channel {
    fn body(&self) -> Value {
        json!({ "channel_id": self.id, "channel_secret": self.secret })
    }

    fn with(&self, mut more: Value) -> Value {
        let Value::Object(mut body) = self.body() else { unreachable!() };
        body.append(more.as_object_mut().unwrap());
        Value::Object(body)
    }
}

async fn tenant(test: &TestHub, name: &str) -> TenantId {
    team::service::create_tenant(&test.hub, name, None, &Actor::System("test")).await.unwrap().id
}

async fn key(test: &TestHub, tenant: &TenantId, scopes: &[KeyScope]) -> String {
    let actor = Actor::System("test");
    team::service::create_api_key(&test.hub, tenant, "test", scopes, &actor).await.unwrap().1
}

/// The one field that a 422 names, and its code.
fn field(answer: &Value) -> (&str, &str) {
    let error = &answer["errors"][0];
    (error["field"].as_str().unwrap_or_default(), error["code"].as_str().unwrap_or_default())
}

// S0-22, S0-26, S3-16, S4-09, S4-13
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn id_and_secret_suffice_to_connect(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let channel = scene.channel("messaging").await;
    let (status, account) = scene.connect(channel.body()).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    let url = account["webhook_url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/webhooks/line/", scene.hub)), "{url}");
    assert_eq!(account["webhook"]["endpoint"], url);
    assert_eq!(scene.endpoint_at_line(&channel).await, url);
    assert_eq!(account["display_name"], "三杯茶");
    assert_eq!(account["basic_id"], channel.basic_id);
    assert_eq!(account["environment"], "test");
    // "Use webhook" is off in a new channel, and no API can change that (GOTCHAS A8, S1-34).
    assert_eq!((&account["status"], &account["attention"]), (&json!("attention"), &json!("webhook_off")));
    // No answer holds a secret (S0-23).
    assert!(!account.to_string().contains(&channel.secret));
    scene.console(Method::PATCH, &format!("/channels/{}", channel.id), json!({ "useWebhook": true })).await;
    service::check_all(&scene.test.hub).await;
    let id = account["id"].as_str().unwrap();
    let (_, account) = scene.api(Method::GET, &format!("/accounts/{id}"), None).await;
    assert_eq!((&account["status"], &account["webhook"]["active"]), (&json!("connected"), &json!(true)));
    let (_, list) = scene.api(Method::GET, "/accounts", None).await;
    assert_eq!((&list["items"][0]["id"], &list["next_cursor"]), (&json!(id), &Value::Null));
    scene.close().await;
}

// S1-24, S4-13
#[tokio::test]
async fn each_wrong_value_is_named_with_lines_own_reason() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let (channel, other, login) =
        (scene.channel("messaging").await, scene.channel("messaging").await, scene.channel("login").await);
    let cases = [
        (json!({ "channel_id": "1999999999", "channel_secret": channel.secret }), "channel_id", "wrong_id"),
        (
            json!({ "channel_id": channel.id, "channel_secret": "0".repeat(32) }),
            "channel_secret",
            "wrong_secret",
        ),
        (login.body(), "channel_id", "not_messaging"),
        (channel.with(json!({ "access_token": "nonsense" })), "access_token", "invalid_token"),
        (channel.with(json!({ "line_id": other.basic_id })), "line_id", "other_account"),
        (json!({ "channel_id": "@shop", "channel_secret": "x" }), "channel_id", "looks_like_line_id"),
        (json!({ "channel_id": "shop", "channel_secret": "x" }), "channel_id", "invalid"),
        (json!({ "channel_id": channel.id, "channel_secret": "" }), "channel_secret", "required"),
        (json!({ "channel_id": channel.id }), "channel_secret", "required"),
        (json!({ "channel_id": 1, "channel_secret": "x" }), "channel_id", "wrong_type"),
        (channel.with(json!({ "messenger": "fax" })), "messenger", "unknown"),
    ];
    for (body, name, code) in cases {
        let (status, answer) = scene.connect(body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert_eq!(field(&answer), (name, code), "{answer}");
    }
    // A token of another channel.
    let path = format!("/channels/{}/access-token", other.id);
    let token = scene.console(Method::POST, &path, json!({})).await["accessToken"].clone();
    let (_, answer) = scene.connect(channel.with(json!({ "access_token": token }))).await;
    assert_eq!(field(&answer), ("access_token", "other_channel"));
    // Nothing was made by any of them.
    assert_eq!(scene.api(Method::GET, "/accounts", None).await.1["items"], json!([]));
    scene.close().await;
}

// S0-24, S1-22, S4-03
#[tokio::test]
async fn a_pasted_token_and_an_expected_line_id_are_taken() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let channel = scene.channel("messaging").await;
    let path = format!("/channels/{}/access-token", channel.id);
    let token = scene.console(Method::POST, &path, json!({})).await["accessToken"].clone();
    let line_id = channel.basic_id.trim_start_matches('@');
    let body = channel.with(json!({ "access_token": token, "line_id": line_id }));
    let (status, account) = scene.connect(body).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    assert!(!account.to_string().contains(token.as_str().unwrap()));
    let live = scene.test.hub.accounts.all();
    assert_eq!(live[0].line.token().await.unwrap().expose(), token);
    scene.close().await;
}

// S1-09, S1-41
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_held_account_is_told_only_to_those_who_have_its_credentials(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let channel = scene.channel("messaging").await;
    let (_, account) = scene.connect(channel.body()).await;
    let rival = tenant(&scene.test, "四杯茶").await;
    let rival_key = key(&scene.test, &rival, &[]).await;
    let address = format!("{}/api/v1/accounts", scene.hub);
    let guess = json!({ "channel_id": channel.id, "channel_secret": "0".repeat(32) });
    let (status, answer) = scene.call(Method::POST, &address, &rival_key, Some(guess)).await;
    assert_eq!((status.as_u16(), field(&answer)), (422, ("channel_secret", "wrong_secret")));
    for key in [&rival_key, &scene.key] {
        let (status, answer) = scene.call(Method::POST, &address, key, Some(channel.body())).await;
        assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("account_held")));
        assert!(!answer.to_string().contains("三杯茶"));
    }
    // Another tenant neither sees nor changes it.
    let one = format!("{address}/{}", account["id"].as_str().unwrap());
    assert_eq!(scene.call(Method::GET, &address, &rival_key, None).await.1["items"], json!([]));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(scene.call(method, &one, &rival_key, None).await.0, StatusCode::NOT_FOUND);
    }
    let change = Some(json!({ "environment": "live" }));
    assert_eq!(scene.call(Method::PATCH, &one, &rival_key, change).await.0, StatusCode::NOT_FOUND);
    assert_eq!(scene.endpoint_at_line(&channel).await, account["webhook_url"]);
    scene.close().await;
}

#[tokio::test]
async fn an_address_of_another_system_is_shown_before_it_is_replaced() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let channel = scene.channel("messaging").await;
    let set = json!({ "webhookEndpoint": "https://other.example/hook", "useWebhook": true });
    scene.console(Method::PATCH, &format!("/channels/{}", channel.id), set).await;
    let (status, answer) = scene.connect(channel.body()).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("webhook_elsewhere")));
    assert_eq!(answer["current_endpoint"], "https://other.example/hook");
    assert_eq!(answer["active"], true);
    assert_eq!(scene.endpoint_at_line(&channel).await, "https://other.example/hook");
    // Without setting the webhook nothing is changed at LINE, and nothing is compared.
    let (status, account) = scene.connect(channel.with(json!({ "set_webhook": false }))).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    assert_eq!(scene.endpoint_at_line(&channel).await, "https://other.example/hook");
    let one = format!("/accounts/{}", account["id"].as_str().unwrap());
    assert_eq!(scene.api(Method::DELETE, &one, None).await.0, StatusCode::NO_CONTENT);
    // Taken over, and put back at the end.
    let (status, account) = scene.connect(channel.with(json!({ "take_over": true }))).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    assert_eq!(scene.endpoint_at_line(&channel).await, account["webhook_url"]);
    let (status, answer) = scene.api(Method::DELETE, &format!("{one}?clean_up=webhook"), None).await;
    assert_eq!((status.as_u16(), &answer["items"][0]["status"]), (200, &json!("done")), "{answer}");
    assert_eq!(scene.endpoint_at_line(&channel).await, "https://other.example/hook");
    scene.close().await;
}

#[tokio::test]
async fn a_hub_that_line_cannot_reach_is_told_with_lines_reason_and_nothing_is_left() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let channel = scene.channel("messaging").await;
    scene.fault(json!({ "on": "webhook", "kind": "status", "status": 500, "times": 1 })).await;
    let (status, answer) = scene.connect(channel.body()).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("webhook_unreachable")), "{answer}");
    assert_eq!(answer["reason"], "ERROR_STATUS_CODE");
    assert_eq!(field(&answer), ("set_webhook", "webhook_unreachable"));
    assert_eq!(scene.endpoint_at_line(&channel).await, Value::Null);
    assert_eq!(scene.api(Method::GET, "/accounts", None).await.1["items"], json!([]));
    assert!(scene.test.hub.accounts.all().is_empty());
    // And then it works.
    assert_eq!(scene.connect(channel.body()).await.0, StatusCode::CREATED);
    scene.close().await;
}

#[tokio::test]
async fn a_failure_after_the_address_was_set_puts_the_old_one_back() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let channel = scene.channel("messaging").await;
    let set = json!({ "webhookEndpoint": "https://other.example/hook" });
    scene.console(Method::PATCH, &format!("/channels/{}", channel.id), set).await;
    // The address is set, but LINE's answer is lost.
    let endpoint = "/v2/bot/channel/webhook/endpoint";
    scene
        .fault(json!({ "on": "api", "method": "PUT", "path": endpoint, "kind": "lose_answer", "times": 1 }))
        .await;
    let (status, answer) = scene.connect(channel.with(json!({ "take_over": true }))).await;
    assert_eq!((status.as_u16(), &answer["code"]), (502, &json!("line_unavailable")), "{answer}");
    assert_eq!(scene.endpoint_at_line(&channel).await, "https://other.example/hook");
    assert_eq!(scene.api(Method::GET, "/accounts", None).await.1["items"], json!([]));
    scene.close().await;
}

#[tokio::test]
async fn a_silent_line_is_502_within_ten_seconds() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let channel = scene.channel("messaging").await;
    scene.fault(json!({ "on": "api", "path": "/v2/bot/info", "kind": "hang" })).await;
    let began = tokio::time::Instant::now();
    let (status, answer) = scene.connect(channel.body()).await;
    assert_eq!((status.as_u16(), &answer["code"]), (502, &json!("line_unavailable")), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(scene.api(Method::GET, "/accounts", None).await.1["items"], json!([]));
    scene.close().await;
}

// S1-42
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_disconnected_account_comes_back_with_its_id(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let channel = scene.channel("messaging").await;
    let (_, first) = scene.connect(channel.body()).await;
    let id = first["id"].as_str().unwrap();
    assert_eq!(scene.api(Method::DELETE, &format!("/accounts/{id}"), None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(scene.api(Method::DELETE, &format!("/accounts/{id}"), None).await.0, StatusCode::NO_CONTENT);
    let (_, gone) = scene.api(Method::GET, &format!("/accounts/{id}"), None).await;
    assert_eq!((&gone["status"], &gone["webhook_url"]), (&json!("disconnected"), &Value::Null));
    let old = first["webhook_url"].as_str().unwrap();
    assert_eq!(scene.http.post(old).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let test = format!("/accounts/{id}/webhook-test");
    let (status, answer) = scene.api(Method::POST, &test, None).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("disconnected")));
    assert!(repo::sealed(&scene.test.hub.db).await.unwrap().is_empty(), "no secret outlives its account");
    // The address of the earlier connecting is still at LINE; it is this hub's own and in nobody's way.
    let (status, again) = scene.connect(channel.body()).await;
    assert_eq!((status, &again["id"]), (StatusCode::CREATED, &first["id"]), "{again}");
    assert_ne!(again["webhook_url"], first["webhook_url"]);
    assert_eq!(scene.http.post(old).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    // A second attempt that fails leaves the account as it was: disconnected, not gone.
    scene.api(Method::DELETE, &format!("/accounts/{id}"), None).await;
    scene.fault(json!({ "on": "webhook", "kind": "status", "status": 500, "times": 1 })).await;
    assert_eq!(scene.connect(channel.body()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, gone) = scene.api(Method::GET, &format!("/accounts/{id}"), None).await;
    assert_eq!(gone["status"], "disconnected");
    scene.close().await;
}

// S1-28
#[tokio::test]
async fn lines_own_test_is_run_and_told() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let channel = scene.channel("messaging").await;
    let (_, account) = scene.connect(channel.body()).await;
    let path = format!("/accounts/{}/webhook-test", account["id"].as_str().unwrap());
    let (status, answer) = scene.api(Method::POST, &path, None).await;
    assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
    assert_eq!((&answer["status_code"], &answer["reason"]), (&json!(200), &json!("OK")));
    assert_eq!(answer["checked_at"], "2026-01-01T00:00:00.000Z");
    scene.fault(json!({ "on": "webhook", "kind": "status", "status": 503, "times": 1 })).await;
    let (_, answer) = scene.api(Method::POST, &path, None).await;
    assert_eq!((&answer["success"], &answer["status_code"]), (&json!(false), &json!(503)), "{answer}");
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn new_credentials_are_tried_before_they_are_kept(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let (channel, other) = (scene.channel("messaging").await, scene.channel("messaging").await);
    let (_, account) = scene.connect(channel.body()).await;
    let id = account["id"].as_str().unwrap();
    let path = format!("/accounts/{id}");
    let wrong = json!({ "channel_secret": "0".repeat(32) });
    let (status, answer) = scene.api(Method::PATCH, &path, Some(wrong)).await;
    assert_eq!((status.as_u16(), field(&answer)), (422, ("channel_secret", "wrong_secret")));
    let (status, _) = scene.api(Method::PATCH, &path, Some(json!({ "channel_secret": other.secret }))).await;
    assert_eq!(status.as_u16(), 422);
    let issue = format!("/channels/{}/access-token", channel.id);
    let token = scene.console(Method::POST, &issue, json!({})).await["accessToken"].clone();
    let body = json!({ "channel_secret": channel.secret, "access_token": token, "environment": "live" });
    let (status, answer) = scene.api(Method::PATCH, &path, Some(body)).await;
    assert_eq!((status, &answer["environment"]), (StatusCode::OK, &json!("live")), "{answer}");
    let live = scene.test.hub.accounts.all();
    assert_eq!(live[0].line.token().await.unwrap().expose(), token);
    let secrets = repo::secrets(&scene.test.hub.db, &live[0].id).await.unwrap();
    let of = |kind: SecretKind| secrets.iter().filter(|s| s.kind == kind.as_str()).count();
    assert_eq!((of(SecretKind::ChannelSecret), of(SecretKind::AccessToken)), (2, 1));
    // Null takes the token away: the hub issues its own again.
    let (status, _) = scene.api(Method::PATCH, &path, Some(json!({ "access_token": null }))).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(scene.test.hub.accounts.all()[0].line.token().await.unwrap().expose(), token);
    scene.test.clock.advance(Duration::from_secs(24 * 3600));
    service::expire_secrets(&scene.test.hub).await.unwrap();
    assert_eq!(repo::sealed(&scene.test.hub.db).await.unwrap().len(), 1);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_line_says_later_is_kept(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let channel = scene.channel("messaging").await;
    let (_, account) = scene.connect(channel.body()).await;
    let path = format!("/accounts/{}", account["id"].as_str().unwrap());
    let console = format!("/channels/{}", channel.id);
    let cases = [
        (json!({ "useWebhook": true }), json!(null)),
        (json!({ "webhookEndpoint": "https://other.example/hook" }), json!("webhook_elsewhere")),
        (json!({ "useWebhook": false, "webhookEndpoint": account["webhook_url"] }), json!("webhook_off")),
        (json!({ "useWebhook": true, "chatMode": "chat" }), json!(null)),
    ];
    for (set, attention) in cases {
        scene.console(Method::PATCH, &console, set).await;
        service::check_all(&scene.test.hub).await;
        assert_eq!(scene.api(Method::GET, &path, None).await.1["attention"], attention);
    }
    assert_eq!(scene.api(Method::GET, &path, None).await.1["chat_mode"], "chat");
    // LINE no longer takes the credentials; a silent LINE says nothing.
    scene
        .fault(json!({ "on": "api", "path": "/v2/bot/info", "kind": "status", "status": 500, "times": 1 }))
        .await;
    service::check_all(&scene.test.hub).await;
    assert_eq!(scene.api(Method::GET, &path, None).await.1["status"], "connected");
    scene
        .fault(json!({ "on": "api", "path": "/v2/bot/info", "kind": "status", "status": 403, "times": 1 }))
        .await;
    service::check_all(&scene.test.hub).await;
    assert_eq!(scene.api(Method::GET, &path, None).await.1["attention"], "credentials");
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn counters_of_the_door_are_written(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let tenant = tenant(&test, "三杯茶").await;
    let account = testing::connected(&test.hub, &tenant, "1656000000").await;
    let scope = Scope::tenant_wide(tenant);
    account.seen.oversized();
    account.seen.bad_signature();
    account.seen.bad_signature();
    account.seen.verified(test.hub.now());
    service::flush(&test.hub).await;
    account.seen.bad_signature();
    service::flush(&test.hub).await;
    service::flush(&test.hub).await;
    let row = service::get(&test.hub, &scope, &account.id).await.unwrap();
    assert_eq!((row.oversized, row.bad_signatures), (1, 3));
    assert_eq!((row.last_verified_at, row.last_event_at), (Some(test.hub.now()), None));
    // An event is seen at once, before and after it is written.
    account.seen.events(test.hub.now());
    for _ in 0..2 {
        let row = service::get(&test.hub, &scope, &account.id).await.unwrap();
        let listed = service::list(&test.hub, &scope, None, 10).await.unwrap().remove(0);
        assert_eq!([row.last_event_at, listed.last_event_at], [Some(test.hub.now()); 2]);
        service::flush(&test.hub).await;
    }
    // Writing that is cut off loses nothing.
    account.seen.oversized();
    // Another transaction holds the account, so that the cut surely comes before the commit.
    let mut held = test.hub.db.begin().await.unwrap();
    assert!(service::hold(&mut held, scope.tenant(), &account.id).await.unwrap());
    let mut flush = Box::pin(service::flush(&test.hub));
    assert!(futures_util::poll!(&mut flush).is_pending());
    drop(flush);
    drop(held);
    assert_eq!(account.seen.peek().unwrap().oversized, 1);
    // What was counted last is written before the account leaves memory.
    let actor = Actor::System("test");
    service::disconnect(&test.hub, (&scope, &actor), &account.id, &[]).await.unwrap();
    assert_eq!(service::get(&test.hub, &scope, &account.id).await.unwrap().oversized, 2);
    test.close().await;
}

#[tokio::test]
async fn every_change_is_in_the_audit_log() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let channel = scene.channel("messaging").await;
    let (_, account) = scene.connect(channel.body()).await;
    let path = format!("/accounts/{}", account["id"].as_str().unwrap());
    scene.api(Method::PATCH, &path, Some(json!({ "channel_secret": channel.secret }))).await;
    scene.api(Method::DELETE, &path, None).await;
    let scope = Scope::tenant_wide(scene.tenant.clone());
    let log = team::service::list_audit(&scene.test.hub, &scope, None, 10).await.unwrap();
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).take(3).collect();
    assert_eq!(actions, ["account.disconnected", "account.changed", "account.connected"]);
    assert!(log.iter().all(|entry| !entry.detail.to_string().contains(&channel.secret)));
    scene.close().await;
}

#[tokio::test]
async fn an_agent_sees_only_the_accounts_granted() {
    let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
    let tenant = tenant(&test, "三杯茶").await;
    let account = testing::connected(&test.hub, &tenant, "1656000000").await;
    let agent = Scope::agent(tenant, test.hub.id());
    assert!(service::get(&test.hub, &agent, &account.id).await.is_err());
    assert!(service::list(&test.hub, &agent, None, 10).await.unwrap().is_empty());
    assert!(service::ids(&test.hub, &agent).await.unwrap().is_empty());
    test.close().await;
}

#[tokio::test]
async fn a_read_key_reads_and_changes_nothing() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let reader = key(&scene.test, &scene.tenant, &[KeyScope::Read]).await;
    let address = format!("{}/api/v1/accounts", scene.hub);
    assert_eq!(scene.call(Method::GET, &address, &reader, None).await.0, StatusCode::OK);
    let (status, answer) = scene.call(Method::POST, &address, &reader, Some(json!({}))).await;
    assert_eq!((status.as_u16(), &answer["code"]), (403, &json!("missing_scope")));
    for wrong in ["", "tlk_nobody"] {
        let (status, answer) = scene.call(Method::GET, &address, wrong, None).await;
        assert_eq!((status.as_u16(), &answer["code"]), (401, &json!("unauthorized")));
    }
    let (_, me) = scene.api(Method::GET, "/me", None).await;
    assert_eq!(me["tenant"]["name"], "三杯茶");
    assert_eq!(me["scopes"], json!(["read", "send", "manage"]));
    for (method, path, status) in [
        (Method::GET, "/nothing", 404),
        (Method::GET, "/accounts/acc_x", 404),
        (Method::GET, "/accounts/acc_01ARZ3NDEKTSV4RRFFQ69G5FAV", 404),
        (Method::PUT, "/accounts", 405),
        (Method::GET, "/accounts?limit=0", 422),
        (Method::GET, "/accounts?cursor=x", 422),
    ] {
        let (got, answer) = scene.api(method, path, None).await;
        assert_eq!((got.as_u16(), &answer["status"]), (status, &json!(status)), "{path} {answer}");
    }
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_idempotency_key_answers_the_first_result(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let channel = scene.channel("messaging").await;
    let post = async |key: &str, body: &Value| {
        let request = scene.http.post(format!("{}/api/v1/accounts", scene.hub)).bearer_auth(&scene.key);
        let response = request.header("Idempotency-Key", key).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    // Two at once: the second waits for the first and answers the same.
    let body = channel.body();
    let (first, second) = tokio::join!(post("one", &body), post("one", &body));
    assert_eq!((first.0, &first), (201, &second));
    assert_eq!(post("one", &body).await, first);
    let (status, answer) = post("one", &channel.with(json!({ "take_over": true }))).await;
    assert_eq!((status, &answer["code"]), (409, &json!("idempotency_key_reused")));
    // Another key is another call.
    assert_eq!(post("two", &body).await.1["code"], "account_held");
    assert_eq!(post(&"x".repeat(65), &body).await.1["errors"][0]["field"], "Idempotency-Key");
    // A failure of LINE's is no result: the same key tries again.
    let other = scene.channel("messaging").await;
    scene
        .fault(
            json!({ "on": "api", "path": "/oauth2/v3/token", "kind": "status", "status": 500, "times": 1 }),
        )
        .await;
    assert_eq!(post("three", &other.body()).await.0, 502);
    assert_eq!(post("three", &other.body()).await.0, 201);
    // After 24 hours the key is free again.
    scene.test.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(post("one", &body).await.1["code"], "account_held");
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_journal_is_listed_with_how_far_each_consumer_is(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let channel = scene.channel("messaging").await;
    let (_, account) = scene.connect(channel.body()).await;
    let (id, url) = (account["id"].as_str().unwrap(), account["webhook_url"].as_str().unwrap());
    let deliver = async |events: Value| {
        let body = json!({ "destination": "U1", "events": events }).to_string();
        let signature = line_api::signature::sign(&channel.secret, body.as_bytes());
        let post = scene.http.post(url).header("x-line-signature", signature).body(body);
        assert_eq!(post.send().await.unwrap().status(), StatusCode::OK);
    };
    deliver(json!([
        { "type": "message", "webhookEventId": "01A" },
        { "type": "follow", "webhookEventId": "01B", "deliveryContext": { "isRedelivery": true } },
    ]))
    .await;
    scene.test.clock.advance(Duration::from_secs(60));
    deliver(json!([{ "type": "tomorrow" }, 7])).await;
    let list = async |query: &str| scene.api(Method::GET, &format!("/events?{query}"), None).await.1;
    let all = list("").await;
    let kinds: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "follow", "tomorrow", "unknown"]);
    let first = &all["items"][0];
    assert!(first["id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!((&first["webhook_event_id"], &first["redelivered"]), (&json!("01A"), &json!(false)));
    assert_eq!(first["received_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(all["items"][1]["redelivered"], true);
    assert_eq!(all["items"][2]["webhook_event_id"], Value::Null);
    for (query, count) in [
        (format!("account_id={id}"), 4),
        ("account_id=acc_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), 0),
        ("webhook_event_id=01B".to_owned(), 1),
        ("type=tomorrow".to_owned(), 1),
        ("since=2026-01-01T00:01:00Z".to_owned(), 2),
        ("until=2026-01-01T00:01:00Z".to_owned(), 2),
    ] {
        assert_eq!(list(&query).await["items"].as_array().unwrap().len(), count, "{query}");
    }
    let page = list("limit=3").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = list(&format!("limit=3&cursor={cursor}")).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
    assert_eq!(field(&list("since=yesterday").await), ("since", "invalid"));
    // Another tenant's journal is empty.
    let rival = tenant(&scene.test, "四杯茶").await;
    let rival_key = key(&scene.test, &rival, &[]).await;
    let address = format!("{}/api/v1/events?account_id={id}", scene.hub);
    assert_eq!(scene.call(Method::GET, &address, &rival_key, None).await.1["items"], json!([]));
    scene.close().await;
}

#[tokio::test]
async fn the_api_describes_itself() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let address = format!("{}/api/v1/openapi.json", scene.hub);
    let openapi: Value = scene.http.get(address).send().await.unwrap().json().await.unwrap();
    assert_eq!(openapi["openapi"], "3.1.0");
    for (path, method) in [
        ("/me", "get"),
        ("/accounts", "get"),
        ("/accounts", "post"),
        ("/accounts/{id}", "get"),
        ("/accounts/{id}", "patch"),
        ("/accounts/{id}", "delete"),
        ("/accounts/{id}/webhook-test", "post"),
        ("/events", "get"),
    ] {
        let call = &openapi["paths"][format!("/api/v1{path}")][method];
        assert!(call["responses"]["default"].is_object(), "{method} {path}");
        assert!(call["summary"].is_string(), "{method} {path}");
    }
    let page = scene.http.get(format!("{}/api/v1/docs", scene.hub)).send().await.unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("POST /api/v1/accounts") && html.contains("channel_secret"), "{html}");
    // Nothing of it comes from another host, and it runs no script.
    assert!(!html.contains("<script") && !html.contains("src=\"http"));
    scene.close().await;
}

/// A person with a browser, without its script.
struct Browser<'a> {
    scene: &'a Scene,
    http: reqwest::Client,
    cookies: std::sync::Mutex<Vec<(String, String)>>,
}

impl Browser<'_> {
    async fn send(&self, method: Method, path: &str, form: &[(&str, &str)]) -> (StatusCode, String, String) {
        let cookies =
            self.cookies.lock().unwrap().iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>();
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.scene.hub));
        request = request.header("cookie", cookies.join("; ")).header("accept-language", "en");
        if method == Method::POST {
            request = request.header("origin", &self.scene.hub).form(form);
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            cookies.retain(|(before, _)| before != name);
            cookies.push((name.to_owned(), value.to_owned()));
        }
        let to = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (response.status(), to.unwrap_or_default(), response.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> String {
        let (status, to, html) = self.send(Method::GET, path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path} {to}");
        html
    }

    /// Sends a form of a page, with the proof that the page holds.
    async fn post(&self, page: &str, path: &str, form: &[(&str, &str)]) -> (StatusCode, String, String) {
        let html = self.get(page).await;
        let csrf =
            html.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let form: Vec<(&str, &str)> = form.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        self.send(Method::POST, path, &form).await
    }
}

impl Scene {
    /// The owner, signed in.
    async fn owner(&self) -> Browser<'_> {
        let new = team::NewUser {
            email: "mei@example.tw",
            name: "林美玲",
            role: team::Role::Owner,
            password: "a long enough password",
        };
        let actor = Actor::System("test");
        let user = team::service::create_user(&self.test.hub, &self.tenant, &new, &actor).await.unwrap();
        let link = team::service::entry_link(&self.test.hub, &self.tenant, &user).await.unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let browser = Browser { scene: self, http, cookies: std::sync::Mutex::default() };
        let path = link.strip_prefix(&self.hub).unwrap();
        let (status, _, _) = browser.send(Method::GET, path, &[]).await;
        assert!(status.is_redirection() || status.is_success(), "{status}");
        browser
    }
}

const LIST: &str = "/settings/accounts";
const NEW: &str = "/settings/accounts/new";

// S0-25, S0-28, S1-23..26, S3-05, S1-42, S2-11, S3-17, S3-18, S4-09, S4-10, S4-13
#[tokio::test]
async fn a_person_connects_looks_and_disconnects() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let browser = scene.owner().await;
    let channel = scene.channel("messaging").await;
    assert!(browser.get(LIST).await.contains("Add LINE Official Account"));
    let form =
        [("channel_id", channel.id.as_str()), ("channel_secret", &channel.secret), ("set_webhook", "1")];
    let (status, to, html) = browser.post(NEW, NEW, &form).await;
    assert!(status.is_redirection() && to.ends_with("/webhook"), "{html}");
    let html = browser.get(&to).await;
    for line in ["LINE accepts the credentials", "LINE&#39;s test reached this hub", "set at LINE"] {
        assert!(html.contains(line), "{line} in {html}");
    }
    let account = scene.test.hub.accounts.all()[0].id.to_string();
    let url = scene.test.hub.config.webhook_url(&scene.test.hub.accounts.all()[0].webhook_key);
    assert!(html.contains(&url) && html.contains("三杯茶"));
    let list = browser.get(LIST).await;
    assert!(list.contains("三杯茶") && list.contains("Copy webhook link") && list.contains(&url));
    let page = format!("{LIST}/{account}");
    let html = browser.get(&page).await;
    assert!(html.contains("LINE Developers") && html.contains("林美玲") && html.contains(&channel.basic_id));
    assert!(!html.contains(&channel.secret));
    let (status, _, html) = browser.post(&page, &format!("{page}/webhook-test"), &[]).await;
    assert!(status.is_success() && html.contains("Success: LINE reached this hub"), "{html}");
    let (status, _, html) =
        browser.post(&page, &format!("{page}/credentials"), &[("channel_secret", "0000")]).await;
    assert!(status.as_u16() == 422 && html.contains("does not belong to the channel"), "{html}");
    let secret = [("channel_secret", channel.secret.as_str())];
    let (status, to, _) = browser.post(&page, &format!("{page}/credentials"), &secret).await;
    assert!(status.is_redirection() && to == format!("{page}/credentials"));
    assert!(browser.post(&page, &format!("{page}/check"), &[]).await.0.is_redirection());
    // S1-20, S4-10: a label of our own, and who changed it to the second.
    let settings = [
        ("display_label", "本店"),
        ("environment", "live"),
        ("kind", "verified"),
        ("market", "tw"),
        ("group_chats", "hidden"),
        ("sender_name", "agent"),
    ];
    assert!(browser.post(&page, &format!("{page}/settings"), &settings).await.0.is_redirection());
    let html = browser.get(&page).await;
    assert!(html.contains("<h1>本店</h1>") && html.contains("三杯茶"), "{html}");
    assert!(html.contains("Modified by") && html.contains("Chosen by 林美玲"), "{html}");
    let end = format!("{page}/disconnect");
    // Each step has an address of its own, so that "back" finds it again.
    let (status, to, _) = browser.post(&end, &end, &[("clean_up", "webhook")]).await;
    assert!(status.is_redirection());
    let html = browser.get(&to).await;
    assert!(
        html.contains("Step 2 of 2") && html.contains("value=\"webhook\"") && !html.contains("rich_menus"),
        "{html}"
    );
    let (status, to, _) = browser.post(&to, &end, &[("clean_up", "webhook"), ("confirmed", "1")]).await;
    assert!(status.is_redirection());
    for _ in 0..2 {
        let html = browser.get(&to).await;
        assert!(
            html.contains("The account is disconnected") && html.contains("There was no address before"),
            "{html}"
        );
    }
    assert!(browser.get(&page).await.contains("Disconnected"));
    scene.close().await;
}

#[tokio::test]
async fn a_refusal_stands_at_its_field_in_the_readers_language() {
    let Some(scene) = Scene::new(Engine::Sqlite).await else { return };
    let browser = scene.owner().await;
    let channel = scene.channel("messaging").await;
    let wrong = [("channel_id", channel.id.as_str()), ("channel_secret", "0000"), ("set_webhook", "1")];
    let (status, _, html) = browser.post(NEW, NEW, &wrong).await;
    assert_eq!(status.as_u16(), 422);
    assert!(html.contains("aria-invalid") && html.contains("does not belong to the channel"), "{html}");
    // What was typed stays, but not the secret; LINE's own words are there.
    assert!(
        html.contains(&channel.id) && !html.contains("\"0000\"") && html.contains("invalid client_secret")
    );
    // An address of another system is shown first; one word more, and the secret need not be typed again.
    let set = json!({ "webhookEndpoint": "https://other.example/hook", "useWebhook": true });
    scene.console(Method::PATCH, &format!("/channels/{}", channel.id), set).await;
    let form =
        [("channel_id", channel.id.as_str()), ("channel_secret", &channel.secret), ("set_webhook", "1")];
    let (status, asked, html) = browser.post(NEW, NEW, &form).await;
    assert!(status.is_redirection(), "{html}");
    let _ = browser.get(&asked).await;
    // Looked at twice, as by "back": the question is still there.
    let html = browser.get(&asked).await;
    assert!(html.contains("https://other.example/hook") && !html.contains(&channel.secret));
    let token =
        html.split("name=\"take_over\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (status, to, html) = browser.post(NEW, NEW, &[("take_over", &token)]).await;
    assert!(status.is_redirection(), "{html}");
    assert_eq!(
        browser.send(Method::GET, &asked, &[]).await.0,
        StatusCode::SEE_OTHER,
        "decided: on to the next stage"
    );
    let html = browser.get(&to).await;
    assert!(html.contains("other.example no longer gets events"), "what was replaced is kept: {html}");
    assert_ne!(scene.endpoint_at_line(&channel).await, "https://other.example/hook");
    let (status, _, html) = browser.post(NEW, NEW, &form).await;
    assert!(status.as_u16() == 409 && html.contains("already connected"), "{html}");
    scene.close().await;
}
