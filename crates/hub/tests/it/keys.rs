//! Signing keys and new credentials, over HTTP against the sandbox.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Answer, Engine, TestHub};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The one field that a 422 names, its code, and its words.
#[track_caller]
fn wrong(answer: &Answer) -> (String, String, String) {
    assert_eq!(answer.status.as_u16(), 422, "{}", answer.body);
    let error = answer.json()["errors"][0].clone();
    (text(&error["field"]), text(&error["code"]), text(&error["detail"]))
}

/// Registers a public key in LINE's console and gives its `kid`.
async fn register(hub: &TestHub, channel: &str, key: &Value) -> String {
    let path = format!("/channels/{channel}/public-keys");
    text(&hub.control.post(&path, json!({ "jwk": key["public_jwk"] })).await["kid"])
}

async fn make(hub: &TestHub, channel: &str) -> Value {
    hub.api().post("/signing-keys", json!({ "channel_id": channel })).await.expect(201)
}

/// By what LINE was asked for tokens, oldest first.
async fn tokens(hub: &TestHub) -> Vec<&'static str> {
    let log = hub.control.get("/requests").await;
    let calls = log["items"].as_array().unwrap_or_else(|| panic!("{log}"));
    calls
        .iter()
        .filter(|call| text(&call["path"]).starts_with("/oauth2/v"))
        .map(|call| if call["body"].to_string().contains("client_assertion") { "key" } else { "secret" })
        .collect()
}

/// A friend writes and gets an answer: the account receives and sends.
async fn works(hub: &TestHub, account: &Account) {
    let friend = hub.line_user("林小晴").await;
    friend.follows(account).await;
    friend.says(account, "在嗎").await;
    hub.settle().await;
    let listed = hub.api().get("/conversations").await.expect(200);
    let conversation = text(&listed["items"][0]["id"]);
    let body = json!({ "messages": [{ "type": "text", "text": "在的" }] });
    let _ = hub.api().post(&format!("/conversations/{conversation}/messages"), body).await.expect(202);
    hub.settle().await;
    assert_eq!(friend.texts_received(account).await, ["在的"]);
}

// S3-21, S3-22, S3-24; CONTRACT "Connecting": "`POST /signing-keys {"channel_id"}` makes a pair and answers `id, public_jwk,
// state (waiting|active|retired)`, before or after connecting; `POST /accounts` takes `signing_key_id` and `kid` in place of
// the secret's use for tokens"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_account_is_connected_by_a_signing_key(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let channel = hub.channel("三杯茶").await;
    let id = text(&channel["channelId"]);
    let key = make(&hub, &id).await;
    assert!(text(&key["id"]).starts_with("sgk_"), "{key}");
    assert_eq!((&key["state"], &key["kid"]), (&json!("waiting"), &Value::Null));
    let members: Vec<&str> = key["public_jwk"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "e", "kty", "n", "use"], "no private part, and no kid, which LINE gives");
    // It can be shown again.
    let path = format!("/signing-keys/{}", text(&key["id"]));
    assert_eq!(hub.api().get(&path).await.expect(200), key);
    assert_eq!(hub.api().get("/signing-keys").await.expect(200)["items"], json!([key]));
    assert_eq!(hub.api().get("/signing-keys?channel_id=1").await.expect(200)["items"], json!([]));
    let kid = register(&hub, &id, &key).await;
    let body = json!({
        "channel_id": id, "channel_secret": channel["channelSecret"], "signing_key_id": key["id"],
        // As it comes out of a mail.
        "kid": format!("\u{3000}{kid}\u{200b}\n"),
    });
    let connected = hub.api().post("/accounts", body).await.expect(201);
    let active = hub.api().get(&path).await.expect(200);
    assert_eq!((&active["state"], &active["kid"]), (&json!("active"), &json!(kid)), "{active}");
    let account = account(&channel, connected);
    let before = tokens(&hub).await.len();
    works(&hub, &account).await;
    hub.advance(Duration::from_secs(20 * 60));
    hub.hub().accounts.all()[0].line.token().await.unwrap();
    // The secret is not used for tokens any more, neither here nor after a restart.
    hub::accounts::service::load(hub.hub()).await.unwrap();
    hub.hub().accounts.all()[0].line.consumption().await.unwrap();
    let asked = tokens(&hub).await.split_off(before);
    assert!(!asked.is_empty() && asked.iter().all(|by| *by == "key"), "{asked:?}");
    // Nothing shows the private part.
    let shown = format!("{:?} {:?}", hub.hub().accounts.all()[0], active);
    assert!(!shown.contains("PRIVATE") && !shown.contains("MII"), "{shown}");
    hub.close().await;
}

/// A connected account as the people of tests know it.
fn account(channel: &Value, connected: Value) -> Account {
    Account {
        id: text(&connected["id"]),
        webhook_url: text(&connected["webhook_url"]).parse().unwrap(),
        channel_id: text(&channel["channelId"]),
        channel_secret: text(&channel["channelSecret"]),
        bot_user_id: text(&channel["botUserId"]),
        connected,
    }
}

// S3-26: "New pair can be made while the old stays active; old is retired after the new one has worked"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn keys_are_rotated_without_a_gap(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let connected = hub.connect_account().await;
    let channel = connected.channel_id.as_str();
    let state = async |key: &Value| {
        let path = format!("/signing-keys/{}", text(&key["id"]));
        text(&hub.api().get(&path).await.expect(200)["state"])
    };
    let prove = async |key: &Value, kid: &str| {
        hub.api().patch(&format!("/signing-keys/{}", text(&key["id"])), json!({ "kid": kid })).await
    };
    let first = make(&hub, channel).await;
    let first_kid = register(&hub, channel, &first).await;
    let _ = prove(&first, &first_kid).await.expect(200);
    let second = make(&hub, channel).await;
    // The new one is not registered yet: it is refused by name, and the old one stays.
    let (field, code, detail) = wrong(&prove(&second, "536e453c-aa93-4449-8e90-add2608783c6").await);
    assert_eq!((field.as_str(), code.as_str()), ("kid", "unknown_kid"));
    assert!(detail.contains("Cannot find channel key") && detail.contains("register"), "{detail}");
    // The kid of the other key is told apart.
    assert_eq!(wrong(&prove(&second, &first_kid).await).1, "other_key");
    assert_eq!((state(&first).await, state(&second).await), ("active".to_owned(), "waiting".to_owned()));
    works(&hub, &connected).await;
    let second_kid = register(&hub, channel, &second).await;
    let _ = prove(&second, &second_kid).await.expect(200);
    assert_eq!((state(&first).await, state(&second).await), ("retired".to_owned(), "active".to_owned()));
    // LINE forgets the old key; the hub goes on.
    hub.control.delete(&format!("/channels/{channel}/public-keys/{first_kid}")).await;
    hub.advance(Duration::from_secs(20 * 60));
    hub.hub().accounts.all()[0].line.consumption().await.unwrap();
    // Only keys that wait can be deleted.
    let delete = async |key: &Value| hub.api().delete(&format!("/signing-keys/{}", text(&key["id"]))).await;
    assert_eq!(delete(&second).await.json()["code"], "key_not_waiting");
    assert_eq!(delete(&first).await.json()["code"], "key_not_waiting");
    let third = make(&hub, channel).await;
    assert_eq!(delete(&third).await.status, 204);
    assert_eq!(delete(&third).await.status, 404);
    // Within a day there is a way back, and after it the private part is gone.
    let again = register(&hub, channel, &first).await;
    let _ = prove(&first, &again).await.expect(200);
    assert_eq!((state(&first).await, state(&second).await), ("active".to_owned(), "retired".to_owned()));
    // Null: by ID and secret again. A pasted token takes the place of a key as well.
    let path = format!("/accounts/{}", connected.id);
    let before = tokens(&hub).await.len();
    let _ = hub.api().patch(&path, json!({ "signing_key_id": null })).await.expect(200);
    assert_eq!(state(&first).await, "retired");
    hub.hub().accounts.all()[0].line.consumption().await.unwrap();
    let asked = tokens(&hub).await.split_off(before);
    assert!(!asked.is_empty() && asked.iter().all(|by| *by == "secret"), "{asked:?}");
    assert_eq!(wrong(&hub.api().patch(&path, json!({ "signing_key_id": first["id"] })).await).1, "only_null");
    let _ = prove(&first, &again).await.expect(200);
    let issued = hub.control.post(&format!("/channels/{channel}/access-token"), json!({})).await;
    let _ = hub.api().patch(&path, json!({ "access_token": issued["accessToken"] })).await.expect(200);
    assert_eq!(state(&first).await, "retired");
    assert_eq!(hub.hub().accounts.all()[0].line.token().await.unwrap().expose(), issued["accessToken"]);
    let _ = prove(&first, &again).await.expect(200);
    assert_ne!(hub.hub().accounts.all()[0].line.token().await.unwrap().expose(), issued["accessToken"]);
    // Disconnected, nothing is kept that could sign.
    assert_eq!(hub.api().delete(&path).await.status, 204);
    assert_eq!(prove(&first, &again).await.json()["code"], "key_gone");
    hub.close().await;
}

#[tokio::test]
async fn keys_belong_to_a_tenant_and_to_those_who_may_manage() {
    let Some(hub) = TestHub::new().start().await else { return };
    let key = make(&hub, "1656000000").await;
    let path = format!("/signing-keys/{}", text(&key["id"]));
    let stranger = hub.stranger("四杯茶").await;
    assert_eq!(stranger.get("/signing-keys").await.expect(200)["items"], json!([]));
    assert_eq!(stranger.get(&path).await.status, 404);
    assert_eq!(stranger.patch(&path, json!({ "kid": "x" })).await.status, 404);
    assert_eq!(stranger.delete(&path).await.status, 404);
    let channel = hub.channel("三杯茶").await;
    let body = json!({
        "channel_id": channel["channelId"], "channel_secret": channel["channelSecret"], "signing_key_id": key["id"], "kid": "x",
    });
    assert_eq!(wrong(&stranger.post("/accounts", body.clone()).await).0, "signing_key_id");
    let (field, code, _) = wrong(&hub.api().post("/accounts", body).await);
    assert_eq!((field.as_str(), code.as_str()), ("signing_key_id", "other_channel"));
    let reader = hub.api_with(&[hub::team::KeyScope::Read]).await;
    assert_eq!(reader.get(&path).await.status, 200);
    assert_eq!(reader.post("/signing-keys", json!({ "channel_id": "1" })).await.status, 403);
    assert_eq!(reader.patch(&path, json!({ "kid": "x" })).await.status, 403);
    let (field, code, _) = wrong(&hub.api().post("/signing-keys", json!({ "channel_id": "@shop" })).await);
    assert_eq!((field.as_str(), code.as_str()), ("channel_id", "looks_like_line_id"));
    let account = hub.connect_account().await;
    let agent = hub.agent("agent@test.example", &[&account.id]).await;
    assert_eq!(agent.get(&format!("/settings/accounts/{}/credentials", account.id)).await.status, 403);
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn private_parts_end_a_day_after_their_key(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).with_loops().start().await else { return };
    let account = hub.connect_account().await;
    let key = make(&hub, &account.channel_id).await;
    let kid = register(&hub, &account.channel_id, &key).await;
    let path = format!("/signing-keys/{}", text(&key["id"]));
    let _ = hub.api().patch(&path, json!({ "kid": kid })).await.expect(200);
    let one = format!("/accounts/{}", account.id);
    let _ = hub.api().patch(&one, json!({ "signing_key_id": null })).await.expect(200);
    hub.advance(Duration::from_secs(24 * 3600 + 1));
    // The loop runs at once and then every five minutes; here it is called by hand.
    hub::accounts::keys::service::expire(hub.hub()).await.unwrap();
    let gone = hub.api().patch(&path, json!({ "kid": kid })).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["code"]), (409, &json!("key_gone")));
    hub.close().await;
}

// "a reissued secret is entered at any time; old and new hold for 24 h, and what came in between is verified from quarantine"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_came_in_before_the_new_secret_was_entered_is_verified_and_told(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let (owner, friend) = (hub.owner().await, hub.line_user("林小晴").await);
    friend.follows(&account).await;
    hub.settle().await;
    let reissued = hub.control.post(&format!("/channels/{}/secret", account.channel_id), json!({})).await;
    friend.says(&account, "有人嗎").await;
    friend.says(&account, "還在嗎").await;
    let page = format!("/settings/accounts/{}/credentials", account.id);
    let waits = || async {
        let english = owner.request(reqwest::Method::GET, &page).header("accept-language", "en");
        english.send().await.unwrap().text().await.unwrap()
    };
    let mut html = String::new();
    for _ in 0..200 {
        html = waits().await;
        if html.contains("2 requests whose signature fits no known channel secret are waiting") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(html.contains("2 requests whose signature"), "{html}");
    let unread =
        async || hub.api().get("/conversations").await.expect(200)["items"][0]["unread_count"].clone();
    assert_eq!(unread().await, 0);
    // With line breaks, as it comes from a chat.
    let pasted = format!(" {}\r\n", text(&reissued["channelSecret"]));
    let saved = owner.submit(&page, &page, &[("channel_secret", &pasted)]).await;
    assert!(saved.status.is_redirection(), "{}", saved.body);
    hub.settle().await;
    assert_eq!(unread().await, 2);
    let html = waits().await;
    assert!(html.contains("Verified 2 requests that had come in between"), "{html}");
    assert!(html.contains("Changed the channel secret") && html.contains("Owner"), "{html}");
    assert!(html.contains("still checks signatures until"), "{html}");
    assert!(!html.contains(&text(&reissued["channelSecret"])) && !html.contains(&account.channel_secret));
    hub.close().await;
}

// S3-21, S3-22, S3-24, S3-25, S3-26, S4-10
#[tokio::test]
async fn a_person_makes_registers_proves_and_replaces_keys() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let owner = hub.owner().await;
    let page = format!("/settings/accounts/{}/credentials", account.id);
    let html = owner.get(&format!("/settings/accounts/{}", account.id)).await.body;
    assert!(html.contains(&format!("href=\"{page}\"")), "{html}");
    let html = owner.get(&page).await.body;
    assert!(html.contains("Generate key pair") && html.contains("generate-json-web-token"), "{html}");
    let made = owner.submit(&page, &format!("{page}/keys"), &[]).await;
    assert!(made.status.is_redirection(), "{}", made.body);
    let key = hub.api().get("/signing-keys").await.expect(200)["items"][0].clone();
    let html = owner.get(&page).await.body;
    let modulus = text(&key["public_jwk"]["n"]);
    assert!(html.contains(&modulus) && html.contains("Register a public key"), "{html}");
    let prove = format!("{page}/keys/{}", text(&key["id"]));
    let refused = owner.submit(&page, &prove, &[("kid", "not-registered")]).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(refused.body.contains("LINE knows no public key with this kid"), "{}", refused.body);
    assert!(refused.body.contains("Cannot find channel key") && refused.body.contains("aria-invalid"));
    assert!(refused.body.contains("value=\"not-registered\""), "what was typed stays");
    let kid = register(&hub, &account.channel_id, &key).await;
    let proved = owner.submit(&page, &prove, &[("kid", &kid)]).await;
    assert!(proved.status.is_redirection(), "{}", proved.body);
    let html = owner.get(&page).await.body;
    assert!(
        html.contains(&kid)
            && html.contains("Make a new pair")
            && html.contains("Took a signing key into use")
    );
    // The public key can be shown again, and the kid edited: nonsense is refused at its field, and the key stays.
    assert!(html.contains("Show the public key again") && html.contains(&modulus));
    let refused = owner.submit(&page, &prove, &[("active_kid", "nonsense")]).await;
    assert!(
        refused.status.as_u16() == 422 && refused.body.contains("f-active_kid-error"),
        "{}",
        refused.body
    );
    // A pasted token of another channel is named; one of this channel takes the key's place, and ID and secret take its.
    let other = hub.channel("四杯茶").await;
    let token = async |channel: &str| {
        let path = format!("/channels/{channel}/access-token");
        text(&hub.control.post(&path, json!({})).await["accessToken"])
    };
    let (foreign, own) = (token(&text(&other["channelId"])).await, token(&account.channel_id).await);
    let way = format!("{page}/tokens");
    let refused = owner.submit(&page, &way, &[("way", "token"), ("access_token", &foreign)]).await;
    assert!(refused.body.contains("belongs to another channel") && !refused.body.contains(&foreign));
    let taken = owner.submit(&page, &way, &[("way", "token"), ("access_token", &own)]).await;
    assert!(taken.status.is_redirection(), "{}", taken.body);
    let html = owner.get(&page).await.body;
    assert!(html.contains("Replace the token") && html.contains("Back to this key") && !html.contains(&own));
    let back = owner.submit(&page, &way, &[("way", "secret")]).await;
    assert!(back.status.is_redirection(), "{}", back.body);
    let html = owner.get(&page).await.body;
    assert!(html.contains("Retired the signing key") && html.contains("Changed the pasted token"), "{html}");
    assert!(html.contains("Paste a token"), "{html}");
    hub.close().await;
}

// S3-26: what was proved before connecting can be taken away again; connecting with another way needs it no more.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_key_of_a_channel_that_is_not_connected_can_be_deleted(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let channel = hub.channel("三杯茶").await;
    let id = text(&channel["channelId"]);
    let key = make(&hub, &id).await;
    let kid = register(&hub, &id, &key).await;
    let path = format!("/signing-keys/{}", text(&key["id"]));
    assert_eq!(hub.api().patch(&path, json!({ "kid": kid })).await.expect(200)["state"], "active");
    // Another tenant's account with this channel is no reason to keep it, and another tenant cannot take it away.
    let stranger = hub.stranger("四杯茶").await;
    let body = json!({ "channel_id": id, "channel_secret": channel["channelSecret"] });
    stranger.post("/accounts", body).await.expect(201);
    assert_eq!(stranger.delete(&path).await.status, 404);
    assert_eq!(hub.api().delete(&path).await.status, 204);
    assert_eq!(hub.api().get(&path).await.status, 404);
    hub.close().await;
}

#[tokio::test]
async fn a_key_is_not_activated_for_an_account_that_is_disconnected_meanwhile() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let key = make(&hub, &account.channel_id).await;
    let kid = register(&hub, &account.channel_id, &key).await;
    let path = format!("/signing-keys/{}", text(&key["id"]));
    let slow = json!({ "on": "api", "path": "/oauth2/v3/token", "kind": "delay", "ms": 1500 });
    hub.control.post("/faults", slow).await;
    let prove = hub.api().patch(&path, json!({ "kid": kid }));
    let disconnect = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        hub.api().delete(&format!("/accounts/{}", account.id)).await
    };
    let (proved, gone) = futures_util::future::join(prove, disconnect).await;
    assert_eq!(gone.status, 204);
    assert_eq!(
        (proved.status.as_u16(), &proved.json()["code"]),
        (409, &json!("disconnected")),
        "{}",
        proved.body
    );
    assert_eq!(hub.api().get(&path).await.expect(200)["state"], "waiting");
    hub.close().await;
}

#[tokio::test]
async fn connecting_fails_when_its_key_is_gone_meanwhile() {
    let Some(hub) = TestHub::new().start().await else { return };
    let channel = hub.channel("三杯茶").await;
    let id = text(&channel["channelId"]);
    let (first, second) = (make(&hub, &id).await, make(&hub, &id).await);
    let path = |key: &Value| format!("/signing-keys/{}", text(&key["id"]));
    let first_kid = register(&hub, &id, &first).await;
    let second_kid = register(&hub, &id, &second).await;
    let _ = hub.api().patch(&path(&first), json!({ "kid": first_kid })).await.expect(200);
    let _ = hub.api().patch(&path(&second), json!({ "kid": second_kid })).await.expect(200);
    // The first one is retired; its private part ends while LINE tests the address.
    let slow = json!({ "on": "api", "path": "/v2/bot/channel/webhook/test", "kind": "delay", "ms": 1500 });
    hub.control.post("/faults", slow).await;
    let body = json!({
        "channel_id": id, "channel_secret": channel["channelSecret"], "signing_key_id": first["id"], "kid": first_kid,
    });
    let connect = hub.api().post("/accounts", body);
    let expire = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        hub.clock.advance(Duration::from_secs(24 * 3600 + 1));
        hub::accounts::keys::service::expire(hub.hub()).await.unwrap();
    };
    let (refused, ()) = futures_util::future::join(connect, expire).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (409, &json!("key_gone")),
        "{}",
        refused.body
    );
    assert_eq!(hub.api().get("/accounts").await.expect(200)["items"], json!([]));
    hub.close().await;
}

// PLATFORM 4.1: a v2.1 token takes one of the channel's 30 places; a proof gives its place back.
#[tokio::test]
async fn proving_a_key_holds_no_place() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let key = make(&hub, &account.channel_id).await;
    let kid = register(&hub, &account.channel_id, &key).await;
    let refused = json!({ "error": "invalid_request" });
    let fault =
        json!({ "on": "api", "path": "/oauth2/v3/token", "kind": "status", "status": 400, "body": refused });
    hub.control.post("/faults", fault).await;
    let path = format!("/signing-keys/{}", text(&key["id"]));
    for n in 0..35 {
        let proved = hub.api().patch(&path, json!({ "kid": kid })).await;
        assert_eq!(proved.status.as_u16(), 200, "proof {n}: {}", proved.body);
    }
    hub.close().await;
}
