//! The rows of accounts, and "Connecting".

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use testkit::{Engine, Receiver};

use super::*;

// "`GET /accounts`, `GET /accounts/{id}`: id, messenger, display_name, basic_id, picture_url, chat_mode, webhook_url,
// webhook {endpoint, active, checked_at}, status, environment"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn connecting_answers_201_with_the_account_and_sets_the_webhook(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let shown = &account.connected;
    for member in [
        "id",
        "messenger",
        "display_name",
        "basic_id",
        "picture_url",
        "chat_mode",
        "webhook_url",
        "webhook",
        "status",
        "environment",
    ] {
        assert!(shown.get(member).is_some(), "{member}: {shown}");
    }
    assert_eq!((&shown["messenger"], &shown["status"]), (&json!("line"), &json!("connected")));
    assert_eq!(shown["environment"], "test", "a local LINE is no live one");
    assert_eq!(shown["display_name"], "Test OA");
    assert_eq!(
        (&shown["webhook"]["endpoint"], &shown["webhook"]["active"]),
        (&shown["webhook_url"], &json!(true))
    );
    is_time(&shown["webhook"]["checked_at"]);
    // Secrets are write-only.
    assert!(!shown.to_string().contains(&account.channel_secret), "{shown}");
    let path = format!("/accounts/{}", account.id);
    assert_eq!(hub.api().get(&path).await.expect(200), *shown);
    assert_eq!(hub.api().get("/accounts").await.expect(200)["items"], json!([shown]));
    let console = hub.control.get(&format!("/channels/{}", account.channel_id)).await;
    assert_eq!(console["webhookEndpoint"], shown["webhook_url"], "{console}");
    // "`POST /accounts/{id}/webhook-test` runs LINE's own test: `success, status_code, reason, detail, checked_at`"
    let tested = hub.api().post(&format!("{path}/webhook-test"), json!({})).await.expect(200);
    assert_eq!(names(&tested), ["checked_at", "detail", "reason", "status_code", "success"]);
    assert_eq!(
        (&tested["success"], &tested["status_code"], &tested["reason"]),
        (&json!(true), &json!(200), &json!("OK"))
    );
    is_time(&tested["checked_at"]);
    // What LINE sees when the hub answers badly is told as it is.
    let fault = json!({ "on": "webhook", "kind": "status", "status": 503 });
    hub.control.post("/faults", fault).await;
    let tested = hub.api().post(&format!("{path}/webhook-test"), json!({})).await.expect(200);
    assert_eq!((&tested["success"], &tested["status_code"]), (&json!(false), &json!(503)), "{tested}");
    hub.close().await;
}

// "422 names the bad value with LINE's own reason"; "after a refused stateless token, `/v2/oauth/accessToken` tells a wrong
// ID from a wrong secret; a token that works but has no bot behind it means a Login channel's ID (field `channel_id`)."
#[tokio::test]
async fn a_refusal_tells_which_value_is_wrong_and_changes_nothing() {
    let Some(hub) = TestHub::new().start().await else { return };
    let channel = hub.channel("Test OA").await;
    let (id, secret) = (text(&channel["channelId"]), text(&channel["channelSecret"]));
    let login = json!({ "providerId": channel["providerId"], "type": "login", "name": "Login" });
    let login = hub.control.post("/channels", login).await;
    let wrong_secret = "0123456789abcdef0123456789abcdef";
    let cases = [
        (json!({ "channel_id": id, "channel_secret": wrong_secret }), "channel_secret"),
        (json!({ "channel_id": "1999999999", "channel_secret": secret }), "channel_id"),
        (json!({ "channel_id": login["channelId"], "channel_secret": login["channelSecret"] }), "channel_id"),
        (json!({ "channel_id": id, "channel_secret": secret, "access_token": "wrong" }), "access_token"),
    ];
    for (body, field) in cases {
        let answer = hub.api().post("/accounts", body).await;
        names_field(&answer, field);
        assert!(answer.json()["errors"][0]["detail"].as_str().unwrap().contains("LINE"), "{}", answer.body);
    }
    assert_eq!(hub.api().get("/accounts").await.expect(200)["items"], json!([]));
    let console = hub.control.get(&format!("/channels/{id}")).await;
    assert!(console["webhookEndpoint"].is_null(), "{console}");
    // The hub cannot be reached: LINE's test says so, nothing is set, nothing is left.
    hub.control.post("/faults", json!({ "on": "webhook", "kind": "status", "status": 502 })).await;
    let unreachable =
        hub.api().post("/accounts", json!({ "channel_id": id, "channel_secret": secret })).await;
    let body = problem(&unreachable, 422, "webhook_unreachable");
    assert_eq!(body["reason"], "ERROR_STATUS_CODE");
    assert_eq!(hub.api().get("/accounts").await.expect(200)["items"], json!([]));
    let console = hub.control.get(&format!("/channels/{id}")).await;
    assert!(console["webhookEndpoint"].is_null(), "{console}");
    hub.close().await;
}

// "409 `account_held` (only after LINE accepted the credentials) when any tenant of this hub holds it"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_channel_is_held_once_on_a_hub(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let stranger = hub.stranger("Another tenant").await;
    let right = json!({ "channel_id": account.channel_id, "channel_secret": account.channel_secret });
    let wrong =
        json!({ "channel_id": account.channel_id, "channel_secret": "0123456789abcdef0123456789abcdef" });
    for api in [hub.api(), &stranger] {
        names_field(&api.post("/accounts", wrong.clone()).await, "channel_secret");
        problem(&api.post("/accounts", right.clone()).await, 409, "account_held");
    }
    assert_eq!(stranger.get("/accounts").await.expect(200)["items"], json!([]));
    hub.close().await;
}

// "409 `webhook_elsewhere` with `current_endpoint` and its `active` when another address is set and `take_over` is false";
// "With `set_webhook` false nothing is changed at LINE and nothing is compared."; "`clean_up`: `webhook` puts back the address
// found at connecting"
#[tokio::test]
async fn another_systems_webhook_is_never_replaced_unasked() {
    let Some(hub) = TestHub::new().start().await else { return };
    let other = Receiver::start().await;
    let elsewhere = other.url.join("/hook").unwrap().to_string();
    let channel = hub.channel("Test OA").await;
    let (id, secret) = (text(&channel["channelId"]), text(&channel["channelSecret"]));
    let console = format!("/channels/{id}");
    hub.control.patch(&console, json!({ "webhookEndpoint": elsewhere })).await;
    let endpoint = async || text(&hub.control.get(&console).await["webhookEndpoint"]);
    let body = json!({ "messenger": "line", "channel_id": id, "channel_secret": secret });
    let refused = problem(&hub.api().post("/accounts", body.clone()).await, 409, "webhook_elsewhere");
    assert_eq!((&refused["current_endpoint"], &refused["active"]), (&json!(elsewhere), &json!(true)));
    assert_eq!(endpoint().await, elsewhere);

    let with = |name: &str, value: bool| {
        let mut body = body.clone();
        body[name] = json!(value);
        body
    };
    let unset = hub.api().post("/accounts", with("set_webhook", false)).await.expect(201);
    assert_eq!(endpoint().await, elsewhere);
    let path = format!("/accounts/{}", text(&unset["id"]));
    assert_eq!(hub.api().delete(&path).await.status, 204);

    let taken = hub.api().post("/accounts", with("take_over", true)).await.expect(201);
    // "connecting the same channel again in the same tenant revives the same account id with its history"
    assert_eq!(taken["id"], unset["id"]);
    assert_eq!(endpoint().await, text(&taken["webhook_url"]));
    assert!(other.received().is_empty(), "nobody tested the other system's address");

    // "`DELETE` with `clean_up` answers 200 `{"items": [{"step","status","detail"}]}`"
    names_field(&hub.api().delete(&format!("{path}?clean_up=webhook,nonsense")).await, "clean_up");
    // A body is not overheard: it is refused, and nothing has happened.
    let asked = json!({ "clean_up": ["foo"] });
    let answer = hub.api().request(reqwest::Method::DELETE, &path).json(&asked).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 422);
    assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["field"], "clean_up");
    assert_eq!(hub.api().get(&path).await.expect(200)["status"], "connected");
    let cleaned = hub.api().delete(&format!("{path}?clean_up=webhook")).await.expect(200);
    assert_eq!(names(&cleaned["items"][0]), ["detail", "status", "step"]);
    assert_eq!(
        (&cleaned["items"][0]["step"], &cleaned["items"][0]["status"]),
        (&json!("webhook"), &json!("done"))
    );
    assert_eq!(endpoint().await, elsewhere);
    hub.close().await;
}

// "`DELETE` answers 204; the old webhook address answers 404 from then on; connecting the same channel again in the same
// tenant revives the same account id with its history."
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn disconnecting_keeps_the_history_and_connecting_again_revives_it(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let path = format!("/accounts/{}", shop.account.id);
    assert_eq!(shop.hub.api().delete(&path).await.status, 204);
    let gone = shop.get(&path).await;
    assert_eq!((&gone["status"], &gone["webhook_url"]), (&json!("disconnected"), &Value::Null));
    shop.friend.says(&shop.account, "is anybody there?").await;
    shop.hub.settle().await;
    assert_eq!(text(&shop.line("hello").await["direction"]), "in", "history stays");
    let page = shop.get(&shop.messages()).await;
    assert!(!page.to_string().contains("is anybody there?"), "{page}");
    let body =
        json!({ "channel_id": shop.account.channel_id, "channel_secret": shop.account.channel_secret });
    let again = shop.hub.api().post("/accounts", body).await.expect(201);
    assert_eq!(again["id"], shop.account.id);
    assert_ne!(again["webhook_url"], shop.account.webhook_url.as_str(), "the old address stays dead");
    shop.friend.says(&shop.account, "back again").await;
    shop.hub.settle().await;
    assert_eq!(shop.line("back again").await["conversation_id"], shop.conversation);
    shop.hub.close().await;
}

// "`PATCH /accounts/{id}`: settings, among them new credentials"; "A call that makes or changes one thing answers that thing bare"
#[tokio::test]
async fn settings_change_one_by_one() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let path = format!("/accounts/{}", shop.account.id);
    let live = shop.hub.api().patch(&path, json!({ "environment": "live" })).await.expect(200);
    assert_eq!((&live["id"], &live["environment"]), (&json!(shop.account.id), &json!("live")));
    let list = shop.hub.api().patch(&path, json!([])).await;
    names_field(&list, "body");
    assert!(list.body.contains("the body is a JSON object"), "{}", list.body);
    names_field(&shop.hub.api().patch(&path, json!({ "environment": "moon" })).await, "environment");
    names_field(&shop.hub.api().patch(&path, json!({ "access_token": "wrong" })).await, "access_token");
    let token = hub_token(&shop).await;
    let kept = shop.hub.api().patch(&path, json!({ "access_token": token })).await.expect(200);
    assert!(!kept.to_string().contains(&token), "secrets are write-only");
    let _ = shop.hub.api().patch(&path, json!({ "access_token": null })).await.expect(200);
    shop.hub.advance(Duration::from_secs(1));
    let _ = shop.sends(json!({ "messages": [says("with which token?")] })).await.expect(202);
    shop.hub.settle().await;
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["with which token?"]);
    shop.hub.close().await;
}

async fn hub_token(shop: &Shop) -> String {
    let path = format!("/channels/{}/access-token", shop.account.channel_id);
    text(&shop.hub.control.post(&path, json!({})).await["accessToken"])
}
