//! From what is wrong at LINE or at the door to the alert about it, and from there to its end. Those about the machine itself
//! are in the doctor's own tests, because a test cannot fill a disk or let a certificate end.

use std::collections::BTreeSet;
use std::time::Duration;

use hub::accounts::doctor;
use hub::alerts::{self, Condition, Severity};
use hub::args;
use hub::db::Sql;
use hub::ids::{AccountId, Id as _};
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, Receiver, TestHub};

const MINUTE: Duration = Duration::from_secs(60);
const OTHER: &str = "https://other.example/hook";

/// Every alert that an account can raise.
const ALL: [&str; 12] = [
    "webhook_off",
    "webhook_elsewhere",
    "webhook_missing",
    "webhook_unreachable",
    "quota_near",
    "quota_used",
    "login_channel",
    "login_secret",
    "liff",
    "silent",
    "bad_signatures",
    "credentials",
];

struct Shop {
    hub: TestHub,
    account: Account,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Shop {
    async fn open(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).start().await?;
        let account = hub.connect_account().await;
        Some(Self { hub, account })
    }

    /// An account at connecting of which LINE's address was left as it is.
    async fn left(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).start().await?;
        let channel = hub.channel("Test OA").await;
        let (id, secret) = (text(&channel["channelId"]), text(&channel["channelSecret"]));
        hub.control.patch(&format!("/channels/{id}"), json!({ "webhookEndpoint": OTHER })).await;
        let body =
            json!({ "messenger": "line", "channel_id": id, "channel_secret": secret, "set_webhook": false });
        let connected = hub.api().post("/accounts", body).await.expect(201);
        let account = Account {
            id: text(&connected["id"]),
            webhook_url: text(&connected["webhook_url"]).parse().unwrap(),
            channel_id: id,
            channel_secret: secret,
            bot_user_id: text(&channel["botUserId"]),
            connected,
        };
        Some(Self { hub, account })
    }

    async fn sql(&self, sqlite: &'static str, postgres: &'static str) {
        let mut tx = self.hub.hub().db.begin().await.unwrap();
        tx.run(&Sql { sqlite, postgres }, args![]).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn path(&self, rest: &str) -> String {
        format!("/accounts/{}{rest}", self.account.id)
    }

    async fn console(&self, set: Value) {
        self.hub.control.patch(&format!("/channels/{}", self.account.channel_id), set).await;
    }

    async fn at_line(&self) -> String {
        let path = format!("/channels/{}", self.account.channel_id);
        text(&self.hub.control.get(&path).await["webhookEndpoint"])
    }

    async fn check(&self, code: &str) -> Value {
        let checks = self.hub.api().get(&self.path("/doctor")).await.expect(200)["checks"].clone();
        checks.as_array().unwrap().iter().find(|check| check["code"] == code).unwrap().clone()
    }

    /// Examines, and gives the open alerts of the account.
    async fn open_alerts(&self) -> Vec<String> {
        self.check("token").await;
        let open = self.hub.api().get("/alerts?state=open").await.expect(200)["items"].clone();
        // The tests' clock is moved ahead, and the hub notices.
        let all = open.as_array().unwrap().iter().map(|alert| text(&alert["code"]));
        all.filter(|code| code != "clock").collect()
    }

    async fn post_to_the_door(&self, body: String, signature: &str) -> StatusCode {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = self.account.webhook_url.clone();
        http.post(url).header("x-line-signature", signature).body(body).send().await.unwrap().status()
    }

    /// A Login channel of the same provider, saved here, with its LIFF app.
    async fn login_channel(&self) -> String {
        let own = self.hub.control.get(&format!("/channels/{}", self.account.channel_id)).await;
        let made = json!({ "providerId": own["providerId"], "type": "login", "name": "Login" });
        let made = self.hub.control.post("/channels", made).await;
        let id = text(&made["channelId"]);
        let set = json!({ "published": true, "linkedBotChannelId": self.account.channel_id });
        self.hub.control.patch(&format!("/channels/{id}"), set).await;
        let body = json!({ "login_channel_id": id, "login_channel_secret": made["channelSecret"] });
        self.hub.api().patch(&self.path(""), body).await.expect(200);
        id
    }

    /// Makes a condition true, or ends it.
    async fn turn(&self, code: &str, is_on: bool) {
        let (api, control) = (self.hub.api(), &self.hub.control);
        match code {
            "webhook_off" => self.console(json!({ "useWebhook": !is_on })).await,
            "webhook_elsewhere" | "webhook_missing" => {
                let wrong = if code == "webhook_missing" { Value::Null } else { json!(OTHER) };
                let right = json!(self.account.webhook_url.as_str());
                self.console(json!({ "webhookEndpoint": if is_on { wrong } else { right } })).await;
            }
            "webhook_unreachable" => {
                if is_on {
                    control
                        .post("/faults", json!({ "on": "webhook", "kind": "status", "status": 502 }))
                        .await;
                } else {
                    control.delete("/faults").await;
                }
                api.post(&self.path("/webhook-test"), json!({})).await.expect(200);
            }
            "quota_near" => {
                self.console(json!({ "monthlyQuota": 100 })).await;
                self.used(if is_on { 85 } else { 10 }).await;
            }
            "quota_used" => self.console(json!({ "monthlyQuota": if is_on { 5 } else { 1000 } })).await,
            "login_channel" | "login_secret" | "liff" if !is_on => {
                // What is removed has no trouble any more.
                api.patch(&self.path(""), json!({ "login_channel_id": null })).await.expect(200);
            }
            "login_channel" => {
                let login = self.login_channel().await;
                control.post(&format!("/channels/{login}/secret"), json!({})).await;
            }
            "login_secret" => {
                self.login_channel().await;
                // As disconnecting leaves it.
                const GONE: &str = "UPDATE login_channels SET sealed = NULL";
                self.sql(GONE, GONE).await;
            }
            "liff" => {
                let login = self.login_channel().await;
                let path = format!("/channels/{login}/liff-apps");
                let apps = control.get(&path).await;
                let apps = apps["items"].as_array().or(apps["apps"].as_array()).unwrap();
                control.delete(&format!("{path}/{}", text(&apps[0]["liffId"]))).await;
            }
            "silent" if is_on => {
                let status = self.post_to_the_door("x".repeat((1 << 20) + 1), "any").await;
                assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
            }
            "bad_signatures" if is_on => {
                let event =
                    json!({ "destination": self.account.bot_user_id, "events": [{ "type": "follow" }] });
                assert_eq!(self.post_to_the_door(event.to_string(), "wrong").await, StatusCode::UNAUTHORIZED);
            }
            "silent" | "bad_signatures" => self.hub.advance(25 * 60 * MINUTE),
            "credentials" => {
                let reissued = format!("/channels/{}/secret", self.account.channel_id);
                let new = control.post(&reissued, json!({})).await;
                if is_on {
                    // Until the token that the hub holds is over.
                    self.hub.advance(16 * MINUTE);
                } else {
                    let new = json!({ "channel_secret": new["channelSecret"] });
                    api.patch(&self.path(""), new).await.expect(200);
                }
            }
            _ => panic!("{code} has no way"),
        }
    }

    /// What LINE says was used of the month's messages.
    async fn used(&self, total: u32) {
        let path = "/v2/bot/message/quota/consumption";
        let fault = json!({ "on": "api", "path": path, "kind": "status", "status": 200, "body": { "totalUsage": total } });
        self.hub.control.delete("/faults").await;
        self.hub.control.post("/faults", fault).await;
    }
}

// Each condition opens its alert and no other, and ends it.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn every_condition_opens_its_alert_and_no_other(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (all, known): (BTreeSet<_>, BTreeSet<_>) = (ALL.into(), doctor::account_alerts().collect());
    assert_eq!(all, known, "each that there is");
    assert_eq!(shop.open_alerts().await, [""; 0]);
    for code in ALL {
        shop.turn(code, true).await;
        assert_eq!(shop.open_alerts().await, [code], "it is on");
        shop.turn(code, false).await;
        assert_eq!(shop.open_alerts().await, [""; 0], "{code} is over");
    }
    shop.hub.close().await;
}

// S1-34: the switch that was never on is being set up; the one that goes off is told.
#[tokio::test]
async fn a_switch_that_was_never_on_raises_no_alert() {
    let Some(hub) = TestHub::new().start().await else { return };
    let channel = hub.channel("Test OA").await;
    let (id, secret) = (text(&channel["channelId"]), text(&channel["channelSecret"]));
    let console = format!("/channels/{id}");
    hub.control.patch(&console, json!({ "useWebhook": false })).await;
    let body = json!({ "messenger": "line", "channel_id": id, "channel_secret": secret });
    let account = text(&hub.api().post("/accounts", body).await.expect(201)["id"]);
    let open = async || {
        let checks = hub.api().get(&format!("/accounts/{account}/doctor")).await.expect(200);
        let open = hub.api().get("/alerts?state=open").await.expect(200)["items"].clone();
        (checks["checks"][0]["status"].clone(), open.as_array().unwrap().len())
    };
    assert_eq!(open().await, (json!("failed"), 0), "the doctor says it, nobody is alarmed");
    hub.control.patch(&console, json!({ "useWebhook": true })).await;
    assert_eq!(open().await, (json!("ok"), 0));
    hub.control.patch(&console, json!({ "useWebhook": false })).await;
    assert_eq!(open().await, (json!("failed"), 1));
    hub.close().await;
}

// S1-27, S1-41: what the owner wanted left as it is, is a fact and no trouble; it can be taken over later, and what stood there is
// kept.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_address_that_was_left_raises_no_alert_and_can_be_taken_over(#[case] engine: Engine) {
    let Some(shop) = Shop::left(engine).await else { return };
    let endpoint = shop.check("endpoint").await;
    assert_eq!(
        (&endpoint["status"], &endpoint["title"]),
        (&json!("ok"), &json!("LINE sends the events to another system"))
    );
    assert!(text(&endpoint["detail"]).contains(OTHER) && !text(&endpoint["detail"]).contains("Somebody"));
    assert_eq!(shop.open_alerts().await, [""; 0]);
    let shown = shop.hub.api().get(&shop.path("")).await.expect(200);
    assert_eq!(shown["status"], "connected");
    assert_eq!(shop.hub.api().get("/public-url").await.expect(200)["changes"], json!([]));
    let owner = shop.hub.owner().await;
    let page = format!("/settings/accounts/{}", shop.account.id);
    for path in [format!("{page}/doctor?now=1"), page.clone(), format!("{page}/help/message")] {
        let html = owner.get(&path).await.body;
        assert!(html.contains(&format!("action=\"{page}/doctor/webhook\"")), "{path} offers to take over");
    }
    // Off or on: the switch is the other system's.
    shop.console(json!({ "useWebhook": false })).await;
    assert_eq!(shop.open_alerts().await, [""; 0]);
    shop.console(json!({ "useWebhook": true })).await;

    // LINE takes it and shows the old one: said, not hidden.
    let fault = json!({ "on": "api", "method": "PUT", "path": "/v2/bot/channel/webhook/endpoint",
        "kind": "status", "status": 200, "body": {} });
    shop.hub.control.post("/faults", fault).await;
    let refused = shop.hub.api().post(&shop.path("/webhook"), json!({})).await;
    assert_eq!(refused.expect(409)["code"], "webhook_not_set");
    shop.hub.control.delete("/faults").await;
    let taken = owner.submit(&page, &format!("{page}/doctor/webhook"), &[]).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert_eq!(shop.at_line().await, shop.account.webhook_url.as_str());
    assert_eq!(shop.check("endpoint").await["title"], "LINE sends to this hub");
    // S0-29, S1-27, S2-18, S4-23: the hub sets the one address by API; by hand there are two places for one setting.
    shop.console(json!({ "webhookEndpoint": null })).await;
    assert!(text(&shop.check("endpoint").await["fix"]).contains("both places are one setting"));
    assert!(text(&shop.check("use_webhook").await["fix"]).contains("turn on \"Use webhook\""));
    // From now on another address is trouble; the one that was left is what is put back in the end.
    shop.console(json!({ "webhookEndpoint": "https://third.example/" })).await;
    assert_eq!(shop.open_alerts().await, ["webhook_elsewhere"]);
    shop.hub.api().post(&shop.path("/webhook"), json!({})).await.expect(200);
    assert_eq!(shop.open_alerts().await, [""; 0]);
    let ended = shop.hub.api().delete(&shop.path("?clean_up=webhook")).await.expect(200);
    assert_eq!(ended["items"][0]["status"], "done", "{ended}");
    assert_eq!(shop.at_line().await, OTHER);
    shop.hub.close().await;
}

// S1-43: what took the hub's place behind its back is not what stood there before.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_intruders_address_is_not_put_back_in_the_end(#[case] engine: Engine) {
    const BEFORE: &str = "https://crm.example/line";
    let Some(shop) = Shop::left(engine).await else { return };
    assert_eq!(shop.hub.api().delete(&shop.path("")).await.status, 204);
    shop.console(json!({ "webhookEndpoint": BEFORE })).await;
    let (id, secret) = (&shop.account.channel_id, &shop.account.channel_secret);
    let body = json!({ "channel_id": id, "channel_secret": secret, "take_over": true });
    shop.hub.api().post("/accounts", body).await.expect(201);
    shop.console(json!({ "webhookEndpoint": "https://evil.example/x" })).await;
    shop.hub.api().post(&shop.path("/webhook"), json!({})).await.expect(200);
    let page = format!("/settings/accounts/{}/disconnect", shop.account.id);
    let page = shop.hub.owner().await.get(&page).await.body;
    assert!(page.contains(BEFORE) && !page.contains("evil.example"), "{page}");
    const SET: Sql = Sql {
        sqlite: "SELECT detail FROM audit_log WHERE action = 'account.webhook_set'",
        postgres: "SELECT detail FROM audit_log WHERE action = 'account.webhook_set'",
    };
    let log: Option<(String,)> = shop.hub.hub().db.opt(&SET, args![]).await.unwrap();
    assert!(log.unwrap().0.contains("evil.example"), "the audit log keeps it");
    let ended = shop.hub.api().delete(&shop.path("?clean_up=webhook")).await.expect(200);
    assert_eq!(ended["items"][0]["status"], "done", "{ended}");
    assert_eq!(shop.at_line().await, BEFORE);
    shop.hub.close().await;
}

// S1-27: once LINE had the hub's address, whoever put it there, another one is trouble.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_account_whose_events_came_here_never_goes_deaf_unsaid(
    #[case] engine: Engine,
    #[values(false, true)] is_upgraded: bool,
) {
    let Some(shop) = Shop::left(engine).await else { return };
    assert_eq!(shop.open_alerts().await, [""; 0]);
    shop.console(json!({ "webhookEndpoint": shop.account.webhook_url.as_str() })).await;
    assert_eq!(shop.check("endpoint").await["title"], "LINE sends to this hub");
    if is_upgraded {
        // As an older release left it: nothing was noted.
        const BEFORE: &str = "UPDATE accounts SET registered_url = NULL";
        shop.sql(BEFORE, BEFORE).await;
        let update = |migration: &'static str| {
            let at = migration.find("UPDATE accounts SET registered_url").unwrap();
            migration[at..].trim_end().trim_end_matches(';')
        };
        shop.sql(
            update(include_str!("../../migrations/hub/sqlite/0015_alerts_doctor.sql")),
            update(include_str!("../../migrations/hub/postgres/0015_alerts_doctor.sql")),
        )
        .await;
    }
    assert_eq!(shop.hub.api().get("/public-url").await.expect(200)["changes"], json!([]));
    shop.console(json!({ "webhookEndpoint": OTHER })).await;
    assert_eq!(shop.open_alerts().await, ["webhook_elsewhere"]);
    shop.hub.close().await;
}

// S1-43: an address that LINE has from before the hub's public address changed is this account's too.
#[tokio::test]
async fn an_old_address_of_the_account_is_cleaned_up_as_offered() {
    let Some(shop) = Shop::left(Engine::Sqlite).await else { return };
    let new = shop.account.webhook_url.as_str();
    let old = new.replace(shop.hub.url.as_str(), "https://old.example/");
    assert_ne!(old, new);
    shop.hub.api().post(&shop.path("/webhook"), json!({})).await.expect(200);
    shop.console(json!({ "webhookEndpoint": old })).await;
    let ended = shop.hub.api().delete(&shop.path("?clean_up=webhook")).await.expect(200);
    assert_eq!(ended["items"][0]["status"], "done", "{ended}");
    assert_eq!(shop.at_line().await, OTHER);
    shop.hub.close().await;
}

// S2-20: what LINE did not answer in time can be done again at once.
#[tokio::test]
async fn a_liff_app_that_line_was_too_slow_for_is_not_busy_after() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let login = shop.login_channel().await;
    const MOVED: &str = "UPDATE login_channels SET liff_endpoint = 'https://old.example/liff/' || account_id";
    let liff = shop.hub.control.get(&format!("/channels/{login}/liff-apps")).await;
    assert!(liff.to_string().contains("/liff/"), "{liff}");
    shop.sql(MOVED, MOVED).await;
    let fault = json!({ "on": "api", "path": "/liff", "kind": "delay", "ms": 15_000 });
    shop.hub.control.post("/faults", fault).await;
    // Nobody but the deadline ends this, and what was found of login before stays.
    let provider = async || shop.check("provider_match").await["title"].clone();
    let silent = shop.hub.api().post("/public-url/apply", json!({})).await.expect(200);
    assert_eq!(silent["items"][0]["status"], "failed", "{silent}");
    let when_silent = provider().await;
    shop.hub.control.delete("/faults").await;
    assert_eq!(when_silent, provider().await, "it is set up, however silent LINE is");
    shop.sql(MOVED, MOVED).await;
    let again = shop.hub.api().post("/public-url/apply", json!({})).await.expect(200);
    assert_eq!(again["items"][0]["status"], "done", "{again}");
    shop.hub.close().await;
}

// The end of an account ends what it raised, and with the last account what the hub raised; S1-42.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_disconnected_account_leaves_no_alert_and_no_dead_end(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let other = shop.hub.connect_account().await;
    let account = AccountId::parse(&shop.account.id).unwrap();
    let says = async |account: Option<&AccountId>, code: &'static str| {
        let args = json!({ "seconds": 90 });
        let (tenant, severity) = (&shop.hub.tenant, Severity::Failed);
        let condition = Condition { tenant, account, code, severity, level: 2, node: None, args };
        alerts::service::report(shop.hub.hub(), &condition, true).await.unwrap();
    };
    let open = async || {
        let open = alerts::service::open_alerts(shop.hub.hub(), &shop.hub.scope()).await.unwrap();
        open.into_iter().map(|alert| alert.code).collect::<Vec<_>>()
    };
    // S1-43: what exists at LINE is offered to be cleaned up, and nothing else.
    let owner = shop.hub.owner().await;
    let page = owner.get(&format!("/settings/accounts/{account}/disconnect")).await.body;
    assert!(page.contains("value=\"webhook\""), "{page}");
    assert!(!page.contains("value=\"liff\"") && !page.contains("value=\"rich_menus\""), "{page}");

    says(Some(&account), "webhook_off").await;
    says(None, "certificate").await;
    assert_eq!(open().await, ["webhook_off", "certificate"]);
    assert_eq!(shop.hub.api().delete(&shop.path("")).await.status, 204);
    assert_eq!(open().await, ["certificate"], "the other account still needs it");
    // An examination that was under way meanwhile opens nothing.
    says(Some(&account), "webhook_off").await;
    assert_eq!(open().await, ["certificate"]);

    for page in ["", "/doctor", "/login-test", "/help", "/help/message"] {
        let answer = owner.get(&format!("/settings/accounts/{account}{page}")).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.body.contains("/settings/accounts/new?has=api"), "{page} leads to connecting");
    }
    assert_eq!(shop.hub.api().delete(&format!("/accounts/{}", other.id)).await.status, 204);
    assert_eq!(open().await, [""; 0]);
    // Opened by an examination that ended after the account: the job that was queued with the end takes it away.
    says(None, "certificate").await;
    assert_eq!(open().await, ["certificate"]);
    shop.hub.advance(3 * MINUTE);
    shop.hub.settle().await;
    assert_eq!(open().await, [""; 0]);
    shop.hub.close().await;
}

// What is used up is not over: it is said in its own words, and nobody reads that the shortage ended.
#[tokio::test]
async fn messages_that_are_used_up_are_not_told_as_over() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let body = json!({ "webhook_on": true, "webhook_url": receiver.url, "language": "en" });
    shop.hub.api().put("/alert-settings", body).await.expect(200);
    let told = async || {
        shop.open_alerts().await;
        shop.hub.settle().await;
        let kept = receiver.received();
        let body = |at: usize| serde_json::from_slice::<Value>(&kept[at].body).unwrap();
        let told = (0..kept.len()).map(body).filter(|told| told["data"]["code"] != "clock");
        let line = |told: Value| format!("{} {}", text(&told["type"]), text(&told["data"]["code"]));
        told.map(line).collect::<Vec<_>>()
    };
    shop.console(json!({ "monthlyQuota": 100 })).await;
    let mut expected = Vec::new();
    // 80, 95 and 100 %, and nothing for going to and fro.
    for (used, news) in [
        (85, Some("alert.opened quota_near")),
        (86, None),
        (96, Some("alert.opened quota_near")),
        (85, None),
        (97, None),
        (100, Some("alert.opened quota_used")),
    ] {
        shop.used(used).await;
        expected.extend(news);
        assert_eq!(told().await, expected, "{used} %");
    }
    let severity = shop.hub.api().get("/alerts?state=open").await.expect(200)["items"][0].clone();
    assert_eq!((&severity["code"], &severity["severity"]), (&json!("quota_used"), &json!("failed")));
    shop.hub.advance(10 * MINUTE);
    assert_eq!(told().await, expected, "the shortage is not over");
    shop.hub.close().await;
}

// GOTCHAS F2: what a new secret was found to sign were LINE's requests; others are still told.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn requests_that_a_new_secret_signs_are_counted_no_more(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let friend = shop.hub.line_user("林小晴").await;
    let reissued = format!("/channels/{}/secret", shop.account.channel_id);
    let new = shop.hub.control.post(&reissued, json!({})).await["channelSecret"].clone();
    friend.follows(&shop.account).await;
    friend.says(&shop.account, "hello").await;
    for _ in 0..100 {
        if shop.check("signature").await["status"] == "failed" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(shop.check("signature").await["title"], "Messages wait for a new channel secret");
    shop.hub.api().patch(&shop.path(""), json!({ "channel_secret": new })).await.expect(200);
    assert_eq!(shop.check("signature").await["title"], "All requests are LINE's");
    let odd = json!({ "destination": "Unobody", "events": [{ "type": "follow" }] }).to_string();
    assert_eq!(shop.post_to_the_door(odd, "wrong").await, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.check("signature").await["title"], "Requests that were not LINE's");
    shop.hub.close().await;
}

// CONTRACT section 1: one deadline for the whole call, however many calls to LINE it makes.
#[tokio::test]
async fn putting_the_address_back_ends_in_time_when_line_dawdles() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let fault = json!({ "on": "api", "path": "/v2/bot", "kind": "delay", "ms": 4000 });
    shop.hub.control.post("/faults", fault).await;
    let began = std::time::Instant::now();
    let answer = shop.hub.api().post(&shop.path("/webhook"), json!({})).await;
    assert_eq!(answer.expect(502)["code"], "line_unavailable");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    shop.hub.control.delete("/faults").await;
    shop.hub.close().await;
}

#[tokio::test]
async fn disconnecting_ends_in_time_when_line_dawdles() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    shop.login_channel().await;
    let fault = json!({ "on": "api", "path": "/", "kind": "delay", "ms": 5000 });
    shop.hub.control.post("/faults", fault).await;
    let began = std::time::Instant::now();
    let ended = shop.hub.api().delete(&shop.path("?clean_up=rich_menus,liff,webhook")).await.expect(200);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let status: Vec<_> =
        ended["items"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
    assert_eq!(status, ["failed", "failed", "failed"], "{ended}");
    assert_eq!(shop.hub.api().get(&shop.path("")).await.expect(200)["status"], "disconnected");
    shop.hub.control.delete("/faults").await;
    shop.hub.close().await;
}

/// Waits until the account's open alerts are these.
async fn until_open(hub: &TestHub, wanted: &[&str]) -> Value {
    for _ in 0..300 {
        let open = hub.api().get("/alerts").await.expect(200);
        let open_now = open["items"].as_array().unwrap().iter().filter(|one| one["closed_at"].is_null());
        let codes: Vec<_> = open_now.map(|one| one["code"].as_str().unwrap()).collect();
        if codes == wanted {
            return open;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("still {}", hub.api().get("/alerts").await.expect(200));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_destination_that_gets_nothing_any_more_is_told_of_until_it_does(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).with_loops().start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("Mei").await;
    let receiver = Receiver::start().await;
    let path = format!("/accounts/{}/destinations", account.id);
    let made = hub.api().post(&path, json!({ "name": "CRM", "url": receiver.url })).await.expect(201);
    receiver.answers(StatusCode::GONE, "");
    friend.follows(&account).await;
    let open = until_open(&hub, &["relay_paused"]).await;
    let title = open["items"][0]["title"].as_str().unwrap();
    assert!(title.contains("CRM gets no events any more"), "{title}");
    let fix = open["items"][0]["fix"].as_str().unwrap();
    assert!(fix.contains("resume"), "what answered 410 is resumed by a person: {fix}");
    receiver.answers(StatusCode::OK, "");
    let path = format!("/destinations/{}", made["id"].as_str().unwrap());
    hub.api().patch(&path, json!({ "active": true })).await.expect(200);
    until_open(&hub, &[]).await;
    hub.close().await;
}
