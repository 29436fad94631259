//! Alerts over HTTP: opened once, told once, shown to those who may see them, over when they are over.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub::alerts::{self, Condition, Severity};
use hub::ids::{AccountId, Id as _, JobId};
use hub::jobs;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, MailServer, Mailed, Manner, Received, Receiver, TestHub};

const MINUTE: Duration = Duration::from_secs(60);

struct Shop {
    hub: TestHub,
    account: Account,
    mail: MailServer,
    receiver: Receiver,
    secret: String,
}

impl Shop {
    /// A connected account, a mail server, and a webhook that is told.
    async fn open(engine: Engine) -> Option<Self> {
        let mail = MailServer::start().await;
        let url = format!("smtp://hub:hunter2hunter2@{}", mail.address);
        let hub = TestHub::new().engine(engine).mail(url).start().await?;
        let account = hub.connect_account().await;
        hub.settle().await;
        let receiver = Receiver::start().await;
        let body = json!({ "webhook_on": true, "webhook_url": receiver.url, "language": "en" });
        let settings = hub.api().put("/alert-settings", body).await.expect(200);
        let secret = settings["webhook_secret"].as_str().unwrap().to_owned();
        Some(Self { hub, account, mail, receiver, secret })
    }

    /// What a check says, and everything that this sets off.
    async fn says(&self, code: &'static str, is_on: bool) {
        let account = AccountId::parse(&self.account.id).unwrap();
        let condition = Condition {
            tenant: &self.hub.tenant,
            account: Some(&account),
            code,
            severity: Severity::Failed,
            level: 2,
            node: None,
            args: json!({}),
        };
        alerts::service::report(self.hub.hub(), &condition, is_on).await.unwrap();
        self.hub.settle().await;
    }

    async fn after(&self, by: Duration) {
        self.hub.advance(by);
        self.hub.settle().await;
    }

    /// How many letters and posts came so far.
    fn told(&self) -> (usize, usize) {
        (self.mail.taken().len(), self.receiver.received().len())
    }
}

fn body(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

/// The letter's text, decoded as far as these tests read it.
fn text(letter: &Mailed) -> String {
    letter.raw.replace("=\r\n", "").replace("=3D", "=")
}

// S1-34: "alerts when the flag turns false": at once, once, and again only when it is over.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_alert_is_told_once_when_it_opens_and_once_when_it_is_over(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    for _ in 0..3 {
        shop.says("webhook_off", true).await;
        shop.hub.advance(2 * MINUTE);
    }
    assert_eq!(shop.told(), (1, 1));
    let letter = shop.mail.taken().remove(0);
    assert_eq!(letter.to, ["owner@test.example"]);
    assert_eq!(
        letter.header("Subject").unwrap(),
        "Failed: Test OA: \"Use webhook\" is off, no messages arrive"
    );
    assert_eq!(letter.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    let doctor = format!("{}settings/accounts/{}/doctor", shop.hub.url, shop.account.id);
    assert!(text(&letter).contains(&doctor), "{}", text(&letter));
    let post = shop.receiver.received().remove(0);
    let sent = body(&post);
    assert_eq!((&sent["type"], &sent["data"]["code"]), (&json!("alert.opened"), &json!("webhook_off")));
    assert_eq!(sent["data"]["account"], json!({ "id": shop.account.id, "name": "Test OA" }));
    let header = |name: &str| post.headers[name].to_str().unwrap().to_owned();
    let signed = format!(
        "{}.{}.{}",
        header("webhook-id"),
        header("webhook-timestamp"),
        String::from_utf8(post.body.to_vec()).unwrap()
    );
    let key = STANDARD.decode(shop.secret.strip_prefix("whsec_").unwrap()).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));

    shop.says("webhook_off", false).await;
    shop.after(4 * MINUTE).await;
    assert_eq!(shop.told(), (1, 1), "it is not believed yet");
    shop.after(2 * MINUTE).await;
    assert_eq!(shop.told(), (2, 2));
    assert!(shop.mail.taken()[1].header("Subject").unwrap().starts_with("Over: "));
    assert_eq!(body(&shop.receiver.received()[1])["type"], "alert.closed");
    shop.after(24 * 60 * MINUTE).await;
    assert_eq!(shop.told(), (2, 2));
    let listed = shop.hub.api().get("/alerts?state=closed").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(shop.hub.api().get("/alerts?state=open").await.expect(200)["items"], json!([]));
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_comes_and_goes_does_not_flood(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    // On for a minute, off for three, for two hours.
    for _ in 0..30 {
        shop.says("webhook_unreachable", true).await;
        shop.after(MINUTE).await;
        shop.says("webhook_unreachable", false).await;
        shop.after(3 * MINUTE).await;
    }
    assert_eq!(shop.told(), (1, 1), "for people it was on all the time");
    let listed = shop.hub.api().get("/alerts").await.expect(200);
    let all = listed["items"].as_array().unwrap();
    assert_eq!((all.len(), &all[0]["returns"]), (1, &json!(29)));
    shop.after(4 * 60 * MINUTE).await;
    assert_eq!(shop.told(), (2, 2), "over for good is told");
    // The next day it is a new one.
    shop.after(25 * 60 * MINUTE).await;
    shop.says("webhook_unreachable", true).await;
    assert_eq!(shop.told(), (3, 3));
    assert_eq!(shop.hub.api().get("/alerts").await.expect(200)["items"].as_array().unwrap().len(), 2);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_notice_that_does_not_leave_is_tried_again_under_the_same_id(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    shop.mail.behaves(Manner::Refuses("450 4.2.0 greylisted, try later".to_owned()));
    shop.receiver.answers(reqwest::StatusCode::BAD_GATEWAY, "");
    shop.says("credentials", true).await;
    assert_eq!(shop.told(), (0, 1));
    let page = shop.hub.owner().await.get("/settings/alerts").await.body;
    assert!(page.contains("greylisted"), "the page tells why somebody was not told");
    shop.mail.behaves(Manner::Takes);
    shop.receiver.answers(reqwest::StatusCode::OK, "");
    shop.after(MINUTE).await;
    assert_eq!(shop.told(), (1, 2));
    let ids: Vec<_> = shop.receiver.received().iter().map(|r| r.headers["webhook-id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
    shop.after(60 * MINUTE).await;
    assert_eq!(shop.told(), (1, 2));

    // What is refused for good waits, visibly, for a person.
    shop.mail.behaves(Manner::Refuses("550 5.1.1 no such user".to_owned()));
    shop.says("quota_used", true).await;
    let (db, scope) = (&shop.hub.hub().db, shop.hub.scope());
    let dead = jobs::list(db, &scope, jobs::State::Dead, None, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].last_error.as_deref().unwrap().contains("no such user"), "{dead:?}");
    shop.mail.behaves(Manner::Takes);
    let id: JobId = dead[0].id.clone();
    let mut tx = db.begin().await.unwrap();
    assert!(jobs::retry(&mut tx, &scope, &id, shop.hub.hub().now()).await.unwrap());
    tx.commit().await.unwrap();
    shop.hub.settle().await;
    assert_eq!(shop.told(), (2, 3));
    shop.hub.close().await;
}

#[tokio::test]
async fn a_channel_that_was_turned_off_is_told_nothing_more() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    shop.receiver.answers(reqwest::StatusCode::BAD_GATEWAY, "");
    shop.mail.behaves(Manner::Refuses("450 4.2.0 later".to_owned()));
    shop.says("credentials", true).await;
    let off = json!({ "webhook_on": false, "email_on": false });
    shop.hub.api().put("/alert-settings", off).await.expect(200);
    shop.mail.behaves(Manner::Takes);
    shop.after(10 * MINUTE).await;
    shop.says("credentials", false).await;
    shop.after(10 * MINUTE).await;
    assert_eq!(shop.told(), (0, 1));
    shop.hub.close().await;
}

// LOOK "Shell": health speaks up once, at the top of every page, with the fix one click away.
#[tokio::test]
async fn the_banner_shows_the_worst_to_those_who_may_see_the_account() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let owner = shop.hub.owner().await;
    let banner = async |browser: &testkit::Browser| browser.get("/alerts/banner").await.body;
    assert!(owner.get("/settings/profile").await.body.contains("hx-get=\"/alerts/banner\""));
    assert_eq!(banner(&owner).await, "");
    shop.says("webhook_off", true).await;
    let hub = shop.hub.hub();
    let clock = Condition {
        tenant: &shop.hub.tenant,
        account: None,
        code: "clock",
        severity: Severity::Warning,
        level: 1,
        node: None,
        args: json!({ "seconds": 90 }),
    };
    alerts::service::report(hub, &clock, true).await.unwrap();
    let shown = banner(&owner).await;
    assert!(shown.contains("Use webhook") && shown.contains("danger"), "{shown}");
    assert!(shown.contains(&format!("/settings/accounts/{}/doctor", shop.account.id)), "{shown}");
    assert!(shown.contains("and 1 more"), "{shown}");
    let page = owner.get("/settings/alerts").await.body;
    assert!(page.contains("90 s off"), "{page}");

    let sees = shop.hub.agent("sees@test.example", &[&shop.account.id]).await;
    let shown = banner(&sees).await;
    assert!(shown.contains("Use webhook") && !shown.contains("more"), "{shown}");
    let blind = shop.hub.agent("blind@test.example", &[]).await;
    assert_eq!(banner(&blind).await, "");
    let page = blind.get("/settings/alerts").await.body;
    assert!(!page.contains("Test OA") && !page.contains("webhook_url"), "{page}");
    assert_eq!(blind.submit("/settings/alerts", "/settings/alerts", &[]).await.status, 403);
    let stranger = shop.hub.stranger("other").await;
    assert_eq!(stranger.get("/alerts").await.expect(200)["items"], json!([]));

    let account = AccountId::parse(&shop.account.id).unwrap();
    alerts::service::end(hub, &shop.hub.tenant, Some(&account), None).await.unwrap();
    shop.after(60 * MINUTE).await;
    assert_eq!(
        shop.told(),
        (2, 2),
        "a disconnected account goes without a word; only the two openings were told"
    );
    assert!(banner(&shop.hub.owner().await).await.contains("clock"));
    shop.hub.close().await;
}

#[tokio::test]
async fn a_channel_can_be_tried_and_says_what_went_wrong() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let api = shop.hub.api();
    let tried = async |channel: &str| {
        api.post("/alert-settings/test", json!({ "channel": channel })).await.expect(200)
    };
    assert_eq!(tried("email").await["sent"], true);
    assert_eq!(tried("webhook").await["sent"], true);
    assert_eq!(body(&shop.receiver.received()[0])["type"], "alert.test");
    // A server that repeats the password.
    shop.mail.behaves(Manner::NoLogin("535 5.7.8 hunter2hunter2 is wrong".to_owned()));
    let outcome = tried("email").await;
    assert_eq!((&outcome["sent"], &outcome["code"]), (&json!(false), &json!("login")));
    assert!(!outcome.to_string().contains("hunter2"), "{outcome}");
    shop.receiver.answers(reqwest::StatusCode::FOUND, "");
    assert_eq!(tried("webhook").await["code"], "status");
    let owner = shop.hub.owner().await;
    let page = owner.submit("/settings/alerts", "/settings/alerts/test", &[("channel", "email")]).await.body;
    assert!(page.contains("TRUNKLINE_SMTP_URL") && !page.contains("hunter2"), "{page}");
    shop.hub.close().await;
}

#[tokio::test]
async fn a_channel_can_be_tried_only_so_often() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let test = async || shop.hub.api().post("/alert-settings/test", json!({ "channel": "email" })).await;
    for _ in 0..10 {
        test().await.expect(200);
    }
    assert_eq!(test().await.expect(429)["code"], "alert_tests_used_up");
    let owner = shop.hub.owner().await;
    let page = owner.submit("/settings/alerts", "/settings/alerts/test", &[("channel", "email")]).await.body;
    assert!(page.contains("Ten tries within an hour"), "{page}");
    assert_eq!(shop.told().0, 10);
    shop.hub.advance(61 * MINUTE);
    test().await.expect(200);
    shop.hub.close().await;
}

#[tokio::test]
async fn an_address_that_is_gone_is_told_nothing_more_of_it() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    shop.receiver.answers(reqwest::StatusCode::GONE, "");
    shop.says("credentials", true).await;
    shop.after(60 * MINUTE).await;
    assert_eq!(shop.receiver.received().len(), 1);
    let told = alerts::service::told(shop.hub.hub(), &shop.hub.scope()).await.unwrap();
    let post = told.iter().find(|(_, told)| told.channel == "webhook").unwrap();
    assert_eq!((post.1.state.as_str(), post.1.error.is_some()), ("dropped", true));
    shop.hub.close().await;
}

#[tokio::test]
async fn settings_are_checked_and_the_secret_is_shown_once() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let api = shop.hub.api();
    for (wrong, field, code) in [
        (json!({ "email_to": ["mei@tea.example", "nobody"] }), "email_to", "wrong"),
        (json!({ "webhook_url": "ftp://x.example" }), "webhook_url", "not_https"),
        (json!({ "webhook_url": "" }), "webhook_url", "required"),
        (json!({ "language": "fr" }), "language", "unknown"),
        (json!({ "webhook_secret": "whsec_AAAA" }), "webhook_secret", "invalid"),
    ] {
        let refused = api.put("/alert-settings", wrong.clone()).await.expect(422);
        assert_eq!(
            (&refused["errors"][0]["field"], &refused["errors"][0]["code"]),
            (&json!(field), &json!(code)),
            "{wrong}"
        );
    }
    let seen = api.get("/alert-settings").await.expect(200);
    assert_eq!((&seen["has_webhook_secret"], &seen["webhook_secret"]), (&json!(true), &Value::Null));
    let again =
        api.put("/alert-settings", json!({ "email_to": ["Mei@tea.example", "mei@tea.example"] })).await;
    let again = again.expect(200);
    assert_eq!((&again["webhook_secret"], &again["email_to"]), (&Value::Null, &json!(["Mei@tea.example"])));
    assert_eq!(again["updated_by"], "test");
    let page = shop.hub.owner().await.get("/settings/alerts").await.body;
    assert!(!page.contains(&shop.secret) && page.contains("Mei@tea.example"));
    let log = format!("{:?}", alerts::settings(shop.hub.hub(), &shop.hub.tenant).await.unwrap());
    assert!(!log.contains("whsec"));
    // Nothing is to be sealed anew while the key is the newest.
    assert_eq!(alerts::reseal(shop.hub.hub()).await.unwrap(), 0);
    shop.hub.close().await;
}
