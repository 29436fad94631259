//! The doctor over HTTP: each trouble provoked at LINE, told by the API in English and on the page in Chinese, and over again.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Browser, Engine, TestHub};

struct Shop {
    hub: TestHub,
    account: Account,
    owner: Browser,
}

impl Shop {
    async fn open(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).start().await?;
        let account = hub.connect_account().await;
        let owner = hub.owner().await;
        Some(Self { hub, account, owner })
    }

    fn console(&self) -> String {
        format!("/channels/{}", self.account.channel_id)
    }

    /// Every check as the API tells it.
    async fn checks(&self) -> Value {
        let path = format!("/accounts/{}/doctor", self.account.id);
        self.hub.api().get(&path).await.expect(200)["checks"].clone()
    }

    async fn check(&self, code: &str) -> Value {
        let checks = self.checks().await;
        let found = checks.as_array().unwrap().iter().find(|check| check["code"] == code).cloned();
        found.unwrap_or_else(|| panic!("there is no {code}: {checks}"))
    }

    /// The status and title of a check.
    async fn found(&self, code: &str) -> (String, String) {
        let check = self.check(code).await;
        (text(&check["status"]), text(&check["title"]))
    }

    /// The page as a reader of Chinese sees it, with a reading of now.
    async fn page(&self) -> String {
        let path = format!("/settings/accounts/{}/doctor?now=1", self.account.id);
        zh(&self.owner, &path).await
    }
}

async fn zh(browser: &Browser, path: &str) -> String {
    let request = browser.request(Method::GET, path).header("accept-language", "zh-TW");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn is(status: &str, title: &str) -> (String, String) {
    (status.to_owned(), title.to_owned())
}

// CONTRACT "Doctor": all codes, in order, with their members; what cannot be judged is unknown.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn every_check_is_answered(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let checks = shop.checks().await;
    let checks = checks.as_array().unwrap();
    let codes: Vec<String> = checks.iter().map(|check| text(&check["code"])).collect();
    let all = "use_webhook, endpoint, webhook_test, token, chat_mode, redelivery, signature, quota, last_event, \
        public_url, certificate, login_channel, liff, provider_match, group_chats, greeting_owner, clock, storage";
    assert_eq!(codes.join(", "), all);
    for check in checks {
        assert!(["ok", "warning", "failed", "unknown"].contains(&&*text(&check["status"])), "{check}");
        assert!(!text(&check["title"]).is_empty() && !text(&check["detail"]).is_empty(), "{check}");
        let has_fix = check["fix"].as_str().is_some_and(|fix| !fix.is_empty());
        assert!(has_fix || !["failed", "warning"].contains(&&*text(&check["status"])), "{check}");
        assert!(text(&check["checked_at"]).ends_with('Z'), "{check}");
    }
    // On loopback there is nothing to judge (CONTRACT).
    assert_eq!(shop.found("certificate").await.0, "unknown");
    assert_eq!(shop.found("public_url").await.0, "unknown");
    // No answer holds a secret.
    assert!(!shop.checks().await.to_string().contains(&shop.account.channel_secret));
    // Another tenant, and an agent to whom the account was not granted, see nothing of it.
    let path = format!("/accounts/{}/doctor", shop.account.id);
    let stranger = shop.hub.stranger("Another tenant").await;
    stranger.get(&path).await.expect(404);
    stranger.post(&format!("/accounts/{}/webhook", shop.account.id), json!({})).await.expect(404);
    let agent = shop.hub.agent("agent@shop.example", &[]).await;
    assert_eq!(agent.get(&format!("/settings/accounts/{}/doctor", shop.account.id)).await.status, 404);
    shop.hub.close().await;
}

// S1-29, S1-34, S1-37, S4-22: the switch is read live, told with its fix, and history stays.
#[tokio::test]
async fn the_switch_that_is_off_is_told_with_its_fix() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    assert_eq!(shop.found("use_webhook").await, is("ok", "On"));
    shop.hub.control.patch(&shop.console(), json!({ "useWebhook": false })).await;
    let check = shop.check("use_webhook").await;
    assert_eq!(
        (&check["status"], &check["title"]),
        (&json!("failed"), &json!("\"Use webhook\" is off at LINE"))
    );
    assert!(text(&check["fix"]).contains("Response settings"), "S1-30: {check}");
    assert_eq!(check["since"], check["checked_at"]);
    let page = shop.page().await;
    for words in
        ["LINE 的「啟用 Webhook（Use webhook）」已關閉", "回應設定", "1 項異常", "manager.line.biz/account/"]
    {
        assert!(page.contains(words), "{words}");
    }
    // The account's status follows from the findings, and the alert is open.
    let shown = shop.hub.api().get(&format!("/accounts/{}", shop.account.id)).await.expect(200);
    assert_eq!((&shown["status"], &shown["attention"]), (&json!("attention"), &json!("webhook_off")));
    let open = hub::alerts::service::open_alerts(shop.hub.hub(), &shop.hub.scope()).await.unwrap();
    assert!(open.iter().any(|alert| alert.code == "webhook_off"), "{open:?}");
    // On again: over, with the gap to be seen (GOTCHAS A12).
    shop.hub.advance(Duration::from_secs(1800));
    shop.hub.control.patch(&shop.console(), json!({ "useWebhook": true })).await;
    let check = shop.check("use_webhook").await;
    assert_eq!(check["status"], "ok");
    assert!(
        check["last_failure"]["from"].is_string() && check["last_failure"]["until"] == check["since"],
        "{check}"
    );
    assert!(shop.page().await.contains("這段期間的訊息，LINE 沒有送達"));
    let open = hub::alerts::service::open_alerts(shop.hub.hub(), &shop.hub.scope()).await.unwrap();
    assert!(!open.iter().any(|alert| alert.code == "webhook_off"), "{open:?}");
    shop.hub.close().await;
}

// The address changed behind our back is shown and put back with one press, by page and by API.
#[tokio::test]
async fn a_foreign_address_is_shown_and_put_back() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let foreign = json!({ "webhookEndpoint": "https://other.example/hook" });
    shop.hub.control.patch(&shop.console(), foreign.clone()).await;
    let check = shop.check("endpoint").await;
    assert_eq!(check["status"], "failed");
    assert!(text(&check["detail"]).contains("https://other.example/hook"), "{check}");
    let page = shop.page().await;
    assert!(page.contains("改回本系統的網址") && page.contains("https://other.example/hook"));
    let doctor = format!("/settings/accounts/{}/doctor", shop.account.id);
    let answer = shop.owner.submit(&doctor, &format!("{doctor}/webhook"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(shop.found("endpoint").await, is("ok", "LINE sends to this hub"));
    shop.hub.control.patch(&shop.console(), foreign).await;
    let put =
        shop.hub.api().post(&format!("/accounts/{}/webhook", shop.account.id), json!({})).await.expect(200);
    assert!(
        put["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["code"] == "endpoint" && check["status"] == "ok")
    );
    // LINE cannot reach the hub: nothing is changed, and it says why.
    shop.hub.control.patch(&shop.console(), json!({ "webhookEndpoint": "https://third.example/" })).await;
    shop.hub.control.post("/faults", json!({ "on": "webhook", "kind": "status", "status": 502 })).await;
    let refused = shop.hub.api().post(&format!("/accounts/{}/webhook", shop.account.id), json!({})).await;
    assert_eq!(refused.expect(409)["code"], "webhook_unreachable");
    let at_line = shop.hub.control.get(&shop.console()).await;
    assert_eq!(at_line["webhookEndpoint"], "https://third.example/");
    let agent = shop.hub.agent("agent@shop.example", &[&shop.account.id]).await;
    assert!(
        !agent.get(&format!("{doctor}?now=1")).await.body.contains("/doctor/webhook"),
        "agents change nothing"
    );
    assert_eq!(agent.submit(&doctor, &format!("{doctor}/webhook"), &[]).await.status, 403);
    shop.hub.close().await;
}

// S1-28: LINE's own test, its last run with status, reason and time; bounded.
#[tokio::test]
async fn lines_test_is_shown_with_its_last_run_and_bounded() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    // Connecting had LINE test it: one of the twenty of this hour.
    assert_eq!(shop.found("webhook_test").await, is("ok", "LINE reached this hub"));
    let path = format!("/accounts/{}/webhook-test", shop.account.id);
    shop.hub.api().post(&path, json!({})).await.expect(200);
    let passed = shop.check("webhook_test").await;
    assert_eq!(passed["status"], "ok", "{passed}");
    shop.hub.advance(Duration::from_secs(600));
    let later = shop.check("webhook_test").await;
    assert_eq!(later["checked_at"], passed["checked_at"], "it shows its last run");
    shop.hub.control.post("/faults", json!({ "on": "webhook", "kind": "status", "status": 404 })).await;
    shop.hub.api().post(&path, json!({})).await.expect(200);
    let failed = shop.check("webhook_test").await;
    assert_eq!(failed["title"], "Something else answers in the hub's place");
    assert!(text(&failed["detail"]).contains("404"), "{failed}");
    assert!(shop.page().await.contains("有別的程式代本系統回應"));
    // Twenty an hour by hand: LINE allows 60.
    for _ in 0..17 {
        shop.hub.api().post(&path, json!({})).await.expect(200);
    }
    let refused = shop.hub.api().post(&path, json!({})).await.expect(429);
    assert_eq!(refused["code"], "webhook_tests_used_up");
    shop.hub.advance(Duration::from_secs(3601));
    shop.hub.api().post(&path, json!({})).await.expect(200);
    shop.hub.close().await;
}

// A test counts when LINE is asked, whether it answers or not, and those at the same moment count each other.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn tests_that_line_does_not_answer_count(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let fault =
        json!({ "on": "api", "path": "/v2/bot/channel/webhook/test", "kind": "status", "status": 400 });
    shop.hub.control.post("/faults", fault).await;
    let path = format!("/accounts/{}/webhook-test", shop.account.id);
    let asked = (0..22).map(|_| async { shop.hub.api().post(&path, json!({})).await.status });
    let answers = futures_util::future::join_all(asked).await;
    // Connecting had LINE test it: one of the twenty of this hour.
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 3, "{answers:?}");
    assert_eq!(
        shop.found("webhook_test").await,
        is("ok", "LINE reached this hub"),
        "the last that has an outcome"
    );
    shop.hub.close().await;
}

#[tokio::test]
async fn a_revoked_token_the_quotas_end_and_wrong_signatures_are_told() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let (api, id) = (shop.hub.api(), &shop.account.id);
    // A pasted token that is then revoked at LINE.
    let token = shop.hub.control.post(&format!("{}/access-token", shop.console()), json!({})).await;
    let token = text(&token["accessToken"]);
    api.patch(&format!("/accounts/{id}"), json!({ "access_token": token })).await.expect(200);
    assert_eq!(shop.found("token").await, is("ok", "LINE accepts the pasted token"));
    let line = shop.hub.hub().config.line.api.join("/v2/oauth/revoke").unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let revoked = http.post(line).form(&[("access_token", &token)]).send().await.unwrap();
    assert!(revoked.status().is_success());
    assert_eq!(shop.found("token").await, is("failed", "LINE does not accept the pasted token"));
    assert_eq!(shop.found("use_webhook").await.0, "unknown", "what LINE does not tell is not judged");
    assert!(shop.page().await.contains("LINE 不接受貼上的權杖"));
    let shown = api.get(&format!("/accounts/{id}")).await.expect(200);
    assert_eq!(shown["attention"], "credentials");
    api.patch(&format!("/accounts/{id}"), json!({ "access_token": null })).await.expect(200);
    assert_eq!(shop.found("token").await.0, "ok");

    // The month's messages.
    shop.hub.control.patch(&shop.console(), json!({ "monthlyQuota": 0 })).await;
    assert_eq!(shop.found("quota").await, is("failed", "The month's messages are used up"));
    assert!(shop.page().await.contains("本月則數已用完"));
    shop.hub.control.patch(&shop.console(), json!({ "monthlyQuota": null })).await;
    assert_eq!(shop.found("quota").await, is("ok", "No limit"));

    // Requests for this account that the secret does not sign: they wait for the new one (GOTCHAS F2).
    let bot = text(&shop.hub.control.get(&shop.console()).await["botUserId"]);
    let body = json!({ "destination": bot, "events": [{ "type": "follow" }] }).to_string();
    let url = text(&shop.account.connected["webhook_url"]);
    let refused = http.post(url).header("x-line-signature", "wrong").body(body).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let check = shop.check("signature").await;
    assert_eq!(
        (&check["status"], &check["title"]),
        (&json!("failed"), &json!("Messages wait for a new channel secret"))
    );
    shop.hub.close().await;
}

// CONTRACT section 1: within 10 s also when LINE is silent; and GOTCHAS I3: an outage is no fault of the account.
#[tokio::test]
async fn a_silent_line_is_unknown_and_changes_nothing() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    shop.hub
        .control
        .post("/faults", json!({ "on": "api", "path": "/v2/bot", "kind": "status", "status": 500 }))
        .await;
    for code in ["use_webhook", "endpoint", "token", "quota", "chat_mode"] {
        assert_eq!(shop.found(code).await, is("unknown", "LINE did not answer"), "{code}");
    }
    let shown = shop.hub.api().get(&format!("/accounts/{}", shop.account.id)).await.expect(200);
    assert_eq!(shown["status"], "connected");
    shop.hub.close().await;
}

// S1-31, S1-33, GOTCHAS A5: what LINE reports against the plan, and dated ticks.
#[tokio::test]
async fn the_plan_and_the_ticks_are_held_against_line() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    shop.hub.control.patch(&shop.console(), json!({ "chatMode": "chat" })).await;
    assert_eq!(shop.found("chat_mode").await, is("warning", "Plan A, but chat is on at LINE"));
    shop.hub.control.patch(&shop.console(), json!({ "chatMode": "bot" })).await;
    assert_eq!(shop.found("chat_mode").await.0, "ok");
    assert_eq!(shop.found("redelivery").await, is("warning", "Not confirmed"));
    shop.hub.close().await;
}

// The hub examines by itself, in rounds, and tests the webhook alone where that is due; S1-34.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn rounds_find_trouble_by_themselves(#[case] engine: Engine) {
    use hub::accounts::doctor::jobs::{Rounds, run};
    let Some(shop) = Shop::open(engine).await else { return };
    let hub = shop.hub.hub();
    run(hub.clone(), Rounds::default()).await;
    assert_eq!(shop.found("webhook_test").await.0, "ok", "the hub had LINE test the webhook");
    shop.hub.control.patch(&shop.console(), json!({ "useWebhook": false })).await;
    let status = async || {
        let shown = shop.hub.api().get(&format!("/accounts/{}", shop.account.id)).await.expect(200);
        text(&shown["status"])
    };
    run(hub.clone(), Rounds::default()).await;
    assert_eq!(status().await, "connected", "its time has not come");
    shop.hub.advance(Duration::from_secs(361));
    run(hub.clone(), Rounds::default()).await;
    assert_eq!(status().await, "attention");
    // When the switch is back, LINE tests at once, though the last test is young.
    let before = shop.check("webhook_test").await["checked_at"].clone();
    shop.hub.control.patch(&shop.console(), json!({ "useWebhook": true })).await;
    shop.hub.advance(Duration::from_secs(361));
    run(hub.clone(), Rounds::default()).await;
    assert_eq!(status().await, "connected");
    assert_ne!(shop.check("webhook_test").await["checked_at"], before);
    shop.hub.close().await;
}

// S1-39, S1-19, S4-43, S4-29
#[tokio::test]
async fn the_troubleshooter_walks_to_a_fix_or_a_text_for_a_colleague() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let help = format!("/settings/accounts/{}/help", shop.account.id);
    let page = zh(&shop.owner, &help).await;
    for words in ["收不到訊息", "看不到 Channel", "登入時沒有詢問同意，或出現錯誤"] {
        assert!(page.contains(words), "{words}");
    }
    let walked = zh(&shop.owner, &format!("{help}/message")).await;
    assert!(walked.contains("檢查都沒有發現問題") && walked.contains("LINE 已連到本系統"), "the test ran");
    shop.hub.control.patch(&shop.console(), json!({ "useWebhook": false })).await;
    let walked = zh(&shop.owner, &format!("{help}/message")).await;
    assert!(walked.contains("找到原因了") && walked.contains("回應設定"), "S1-30");
    let letter = walked.split("id=\"doctor-letter\">").nth(1).unwrap().split("</p>").next().unwrap();
    assert!(letter.contains("Use webhook") && !letter.contains(&shop.account.channel_secret), "{letter}");
    let channel = zh(&shop.owner, &format!("{help}/channel")).await;
    for words in ["Messaging API 是誰開的", "最後才聯絡 LINE", &shop.account.channel_id] {
        assert!(channel.contains(words), "S1-19: {words}");
    }
    let login = zh(&shop.owner, &format!("{help}/login")).await;
    assert!(login.contains("Published") && login.contains("/login-test"), "S4-29, S4-43");
    assert_eq!(shop.owner.get(&format!("{help}/nothing")).await.status, 404);
    shop.hub.close().await;
}

// S3-02
#[tokio::test]
async fn the_system_is_checked_before_any_account_is_connected() {
    let Some(hub) = TestHub::new().start().await else { return };
    let checks = hub.api().get("/system/doctor").await.expect(200)["checks"].clone();
    let codes: Vec<String> = checks.as_array().unwrap().iter().map(|check| text(&check["code"])).collect();
    let all =
        "line_api, line_data, line_access, public_url, certificate, clock, storage, data_dir, master_key";
    assert_eq!(codes.join(", "), all);
    for code in ["line_api", "line_data", "line_access", "data_dir"] {
        let check = checks.as_array().unwrap().iter().find(|check| check["code"] == code).unwrap();
        assert_eq!(check["status"], "ok", "{check}");
        let says = check["detail"].as_str().unwrap_or_default();
        assert!(!code.starts_with("line_") || says.contains("neither DNS nor TLS was checked"), "{check}");
    }
    let owner = hub.owner().await;
    let page = zh(&owner, "/settings/system/check").await;
    assert!(page.contains("系統檢查"));
    // Where things lie is the operator's business, not every tenant's.
    let folder = hub.hub().config.data_dir.display().to_string();
    assert!(!page.contains(&folder) && !checks.to_string().contains(&folder));
    let agent = hub.agent("agent@shop.example", &[]).await;
    assert_eq!(agent.get("/settings/system/check").await.status, 403);
    hub.close().await;
}
