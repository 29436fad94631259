//! Changing an account in one request: all of it or nothing.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, TestHub};

use super::{Login, apps, login_channel, save, shown, text, walked};

/// What a request may change, as it is now.
async fn state(hub: &TestHub, account: &Account) -> Value {
    let seen = hub.api().get(&format!("/accounts/{}", account.id)).await.expect(200);
    json!([seen["login"], seen["display_label"], seen["plan"], seen["owners"], seen["ticks"]])
}

// S0-24, S4-04, S4-05, CONTRACT 1: after a refusal nothing has changed, whichever part it is about.
#[tokio::test]
async fn a_change_that_is_refused_in_one_part_changes_nothing() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let login = login_channel(&hub, &account, None).await;
    let other = hub.channel("another").await;
    let issue = format!("/channels/{}/access-token", text(&other["channelId"]));
    let foreign = hub.control.post(&issue, json!({})).await["accessToken"].clone();
    let before = state(&hub, &account).await;
    let path = format!("/accounts/{}", account.id);
    let good = json!({ "login_channel_id": login.id, "login_channel_secret": login.secret, "plan": "b" });
    for (bad, field, code) in [
        (json!({ "access_token": foreign }), "access_token", "other_channel"),
        (json!({ "channel_secret": "0123456789abcdef0123456789abcdef" }), "channel_secret", "wrong_secret"),
        (json!({ "display_label": "茶".repeat(61) }), "display_label", "too_long"),
        (json!({ "login_share": true, "login_share_ready": true }), "login_share", "missing_liff"),
        (json!({ "signing_key_id": "sgk_1" }), "signing_key_id", "only_null"),
        // Not known here: a slip must not look like success.
        (json!({ "enviroment": "test" }), "enviroment", "unknown"),
        (json!({ "owners": { "greetings": "hub" } }), "owners.greetings", "unknown"),
    ] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        let refused = hub.api().patch(&path, body).await;
        assert_eq!(refused.status.as_u16(), 422, "{bad} {}", refused.body);
        let error = refused.json()["errors"][0].clone();
        assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!(code)), "{bad}");
        assert_eq!(state(&hub, &account).await, before, "{bad}");
    }
    assert!(apps(&hub, &login).await.is_empty(), "nothing was made at LINE either");
    // The other way round: what LINE refuses of the login leaves the credentials and the settings alone.
    let own = hub.control.post(&format!("/channels/{}/access-token", account.channel_id), json!({})).await;
    let mut body = good.clone();
    body["login_channel_secret"] = json!("0123456789abcdef0123456789abcdef");
    body["access_token"] = own["accessToken"].clone();
    let refused = hub.api().patch(&path, body).await;
    assert_eq!(refused.json()["errors"][0]["field"], "login_channel_secret", "{}", refused.body);
    assert_eq!(state(&hub, &account).await, before);
    assert_ne!(hub.hub().accounts.all()[0].line.token().await.unwrap().expose(), own["accessToken"]);
    // A contradiction, and what needs a channel together with taking it away.
    save(&hub, &account, &login).await;
    for (body, field) in [
        (json!({ "login_channel_id": null, "login_channel_secret": login.secret }), "login_channel_secret"),
        (json!({ "login_channel_id": login.id, "login_channel_secret": null }), "login_channel_id"),
        (json!({ "login_channel_id": null, "login_linked": true }), "login_channel_id"),
    ] {
        let refused = hub.api().patch(&path, body.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["errors"][0]["field"]),
            (422, &json!(field)),
            "{body}"
        );
    }
    assert_eq!(shown(&hub, &account).await["channel_id"], json!(login.id));
    // All of it at once.
    let mut body = good;
    body["login_linked"] = json!(true);
    body["access_token"] = own["accessToken"].clone();
    let changed = hub.api().patch(&path, body).await.expect(200);
    assert!(changed["plan"] == "b" && changed["login"]["linked_at"].is_string(), "{changed}");
    assert_eq!(hub.hub().accounts.all()[0].line.token().await.unwrap().expose(), own["accessToken"]);
    hub.close().await;
}

#[tokio::test]
async fn bodies_of_calls_know_their_fields() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let channel = hub.channel("another").await;
    let one = format!("/accounts/{}", account.id);
    for (path, body) in [
        (
            "/accounts".to_owned(),
            json!({ "channel_id": channel["channelId"], "channel_secret": channel["channelSecret"] }),
        ),
        (format!("{one}/copy-settings"), json!({ "from": account.id })),
        (format!("{one}/login-test"), json!({ "kind": "login" })),
        ("/signing-keys".to_owned(), json!({ "channel_id": account.channel_id })),
        ("/setups".to_owned(), json!({ "has": "api" })),
    ] {
        let mut body = body;
        body["oops"] = json!(1);
        let refused = hub.api().post(&path, body).await;
        let error = refused.json()["errors"][0].clone();
        assert_eq!(
            (refused.status.as_u16(), &error["field"], &error["code"]),
            (422, &json!("oops"), &json!("unknown")),
            "{path}"
        );
    }
    for list in ["/signing-keys", "/setups"] {
        assert_eq!(hub.api().get(list).await.expect(200)["items"], json!([]), "{list}");
    }
    let setup = hub.api().post("/setups", json!({ "has": "account" })).await.expect(201);
    let path = format!("/setups/{}", text(&setup["id"]));
    for (body, field) in [
        (json!({ "has": "nothing", "tick": {} }), "tick"),
        (json!({ "provider": { "name": "三杯茶", "kind": "new", "oops": 1 } }), "provider.oops"),
    ] {
        let refused = hub.api().patch(&path, body).await;
        let error = refused.json()["errors"][0].clone();
        assert_eq!(
            (refused.status.as_u16(), &error["field"], &error["code"]),
            (422, &json!(field), &json!("unknown"))
        );
    }
    assert_eq!(hub.api().get(&path).await.expect(200), setup);
    // S2-07: copying from itself is a slip, by program and on the page.
    let refused = hub.api().post(&format!("{one}/copy-settings"), json!({ "from": account.id })).await;
    let error = refused.json()["errors"][0].clone();
    assert_eq!(
        (refused.status.as_u16(), &error["field"], &error["code"]),
        (422, &json!("from"), &json!("same_account"))
    );
    let page = format!("/settings{one}/copy");
    let answer = hub.owner().await.submit(&page, &page, &[("from", &account.id)]).await;
    assert_eq!(answer.status.as_u16(), 422, "{}", answer.body);
    hub.close().await;
}

// S4-45, S4-46: another Login channel leaves no LIFF app behind that opens nothing.
#[tokio::test]
async fn another_login_channel_takes_the_liff_app_of_the_one_before_away() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let channels = [
        login_channel(&hub, &account, None).await,
        login_channel(&hub, &account, None).await,
        login_channel(&hub, &account, None).await,
        login_channel(&hub, &account, None).await,
    ];
    let [first, second, third, full] = &channels;
    let owner = hub.owner().await;
    let page = format!("/settings/accounts/{}", account.id);
    assert!(!owner.get(&page).await.body.contains("links to it open nothing any more"));
    save(&hub, &account, first).await;
    let foreign = json!({ "view": { "type": "full", "url": "https://shop.example/" } });
    hub.control.post(&format!("/channels/{}/liff-apps", first.id), foreign).await;
    let change = async |login: &Login| {
        let fields =
            [("login_channel_id", login.id.as_str()), ("login_channel_secret", login.secret.as_str())];
        owner.submit(&page, &format!("{page}/login"), &fields).await.body
    };
    // It is told before.
    let hint = "links to it open nothing any more";
    assert!(owner.get(&page).await.body.contains(hint));
    // As long as the new one does not stand, the former stays: LINE has no place for another app.
    for place in 0..30 {
        let view = json!({ "view": { "type": "full", "url": format!("https://shop.example/{place}") } });
        hub.control.post(&format!("/channels/{}/liff-apps", full.id), view).await;
    }
    let told = change(full).await;
    assert!(told.contains("No LIFF app was made") && told.contains("is still at LINE"), "{told}");
    assert_eq!(apps(&hub, first).await.len(), 2, "the former app stays");
    save(&hub, &account, first).await;
    let told = change(second).await;
    assert!(told.contains("LIFF app of the former Login channel is removed"), "{told}");
    let left = apps(&hub, first).await;
    assert_eq!((left.len(), apps(&hub, second).await.len()), (1, 1), "another's app stays");
    assert_eq!(left[0]["view"]["url"], "https://shop.example/");
    // Its secret was reissued: the hub cannot remove it, and says so.
    hub.control.post(&format!("/channels/{}/secret", second.id), json!({})).await;
    hub.advance(Duration::from_secs(16 * 60));
    let told = change(third).await;
    assert!(told.contains("is still at LINE"), "{told}");
    assert_eq!((apps(&hub, second).await.len(), apps(&hub, third).await.len()), (1, 1));
    let view = shown(&hub, &account).await;
    assert!(view["liff"]["fault"].is_null() && text(&view["liff"]["id"]).starts_with(&third.id), "{view}");
    hub.close().await;
}

// CONTRACT 1: "When LINE does not answer: 502, within 10 s", however many parts ask it.
#[tokio::test]
async fn all_parts_of_a_change_share_one_patience() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let login = login_channel(&hub, &account, None).await;
    let own = hub.control.post(&format!("/channels/{}/access-token", account.channel_id), json!({})).await;
    // Each part alone would be in time.
    let slow = json!({ "on": "api", "path": "/v2/bot/info", "kind": "delay", "ms": 5500 });
    hub.control.post("/faults", slow).await;
    let body = json!({
        "login_channel_id": login.id, "login_channel_secret": login.secret, "access_token": own["accessToken"],
    });
    let begun = Instant::now();
    let answer = hub.api().patch(&format!("/accounts/{}", account.id), body).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (502, &json!("line_unavailable")));
    hub.control.delete("/faults").await;
    assert!(shown(&hub, &account).await["channel_id"].is_null());
    hub.close().await;
}

/// The open alerts: code and severity.
async fn open_alerts(hub: &TestHub) -> Vec<(String, String)> {
    let open = hub.api().get("/alerts?state=open").await.expect(200)["items"].clone();
    open.as_array().unwrap().iter().map(|alert| (text(&alert["code"]), text(&alert["severity"]))).collect()
}

// S1-42, S4-45: the secret goes with the connection; after reconnecting it is asked for, and LINE is not blamed.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_login_secret_that_went_with_the_connection_is_asked_for_again(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let login = login_channel(&hub, &account, None).await;
    save(&hub, &account, &login).await;
    walked(&hub, &account, &friend, "").await;
    let (api, owner) = (hub.api(), hub.owner().await);
    let path = format!("/accounts/{}", account.id);
    let page = format!("/settings{path}");
    let tests = format!("{page}/login-test");

    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.post(&format!("{path}/liff-repair"), json!({})).await.expect(409)["code"], "disconnected");
    assert!(!owner.get(&page).await.body.contains(&tests), "no way to a test that cannot be walked");
    let html = owner.get(&tests).await.body;
    assert!(html.contains("/settings/accounts/new?has=api") && !html.contains("login-finding"), "{html}");

    let body = json!({ "channel_id": account.channel_id, "channel_secret": account.channel_secret });
    api.post("/accounts", body).await.expect(201);
    let checks = api.get(&format!("{path}/doctor")).await.expect(200)["checks"].clone();
    let check =
        |code: &str| checks.as_array().unwrap().iter().find(|check| check["code"] == code).unwrap().clone();
    let found = check("login_channel");
    assert_eq!(
        (&found["status"], &found["title"]),
        (&json!("warning"), &json!("The channel secret is missing"))
    );
    assert!(text(&found["detail"]).contains("removed when the account was disconnected"), "{found}");
    assert_eq!(check("liff")["status"], "unknown");
    assert_eq!(open_alerts(&hub).await, [("login_secret".to_owned(), "warning".to_owned())]);
    let seen = shown(&hub, &account).await;
    assert_eq!((&seen["channel_id"], &seen["last_test"]), (&json!(login.id), &json!(null)));
    let html = owner.get(&page).await.body;
    let field = html.split("name=\"login_channel_secret\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(field.contains("required") && html.contains("The channel secret is missing"), "{html}");
    let html = owner.get(&tests).await.body;
    assert!(html.contains("The channel secret is missing") && !html.contains("login-finding"), "{html}");
    assert!(!html.contains("name=\"kind\""), "{html}");
    for call in ["login-test", "liff-repair"] {
        let refused = api.post(&format!("{path}/{call}"), json!({})).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], "login_channel_secret", "{refused}");
    }
    let html = owner.get(&format!("{page}/help/login")).await.body;
    assert!(
        html.contains("removed when the account was disconnected") && !html.contains("reissued"),
        "{html}"
    );

    // Entering it ends the alert at once, as does a new one in place of one that LINE takes no more.
    api.patch(&path, json!({ "login_channel_secret": login.secret })).await.expect(200);
    assert_eq!(open_alerts(&hub).await, []);
    let new = hub.control.post(&format!("/channels/{}/secret", login.id), json!({})).await;
    api.get(&format!("{path}/doctor")).await.expect(200);
    assert_eq!(open_alerts(&hub).await, [("login_channel".to_owned(), "failed".to_owned())]);
    api.patch(&path, json!({ "login_channel_secret": new["channelSecret"] })).await.expect(200);
    assert_eq!(open_alerts(&hub).await, []);
    hub.close().await;
}
