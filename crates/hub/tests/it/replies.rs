//! Who may use the free reply, over HTTP: what another system owns the hub never spends.

use std::time::Duration;

use hub::accounts::replies;
use hub::ids::{AccountId, DestinationId, Id as _};
use hub::team::Actor;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, LineUser, Receiver, TestHub};

struct Shop {
    hub: TestHub,
    account: Account,
    friend: LineUser,
    system: String,
    _receiver: Receiver,
}

impl Shop {
    async fn open(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).start().await?;
        let (account, friend) = hub.account_with_friend().await;
        // The reply token of the first event is dead by then.
        hub.settle().await;
        hub.advance(Duration::from_secs(61));
        let receiver = Receiver::start().await;
        let path = format!("/accounts/{}/destinations", account.id);
        let body = json!({ "name": "Old bot", "url": receiver.url });
        let made = hub.api().post(&path, body).await.expect(201);
        let system = made["id"].as_str().unwrap().to_owned();
        Some(Self { hub, account, friend, system, _receiver: receiver })
    }

    async fn set(&self, body: Value) -> Value {
        self.hub.api().patch(&format!("/accounts/{}", self.account.id), body).await.expect(200)
    }

    /// The conversation after the friend wrote.
    async fn writes(&self, text: &str) -> Value {
        self.friend.says(&self.account, text).await;
        self.hub.settle().await;
        self.hub.api().get("/conversations").await.expect(200)["items"][0].clone()
    }

    async fn answer(&self, conversation: &Value, body: Value) -> testkit::Answer {
        let path = format!("/conversations/{}/messages", conversation["id"].as_str().unwrap());
        self.hub.api().post(&path, body).await
    }
}

fn text(text: &str, allow_paid: bool) -> Value {
    json!({ "messages": [{ "type": "text", "text": text }], "allow_paid": allow_paid })
}

// S0-35, S1-33
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_hub_never_spends_what_another_system_owns(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let before = shop.writes("before").await;
    assert!(before["reply_window"]["free_until"].is_string());
    let set = shop.set(json!({ "reply_owner": shop.system })).await;
    assert_eq!((&set["reply_owner"], &set["reply_owners"]), (&json!(shop.system), &json!({})));
    // What came in before stays the hub's, however late it is answered.
    let still = shop.hub.api().get("/conversations").await.expect(200)["items"][0].clone();
    assert!(still["reply_window"]["free_until"].is_string(), "{still}");
    shop.answer(&before, text("free", false)).await.expect(202);
    shop.hub.settle().await;
    let after = shop.writes("after").await;
    assert_eq!(after["reply_window"]["free_until"], Value::Null);
    let refused = shop.answer(&after, text("not free", false)).await.expect(402);
    assert_eq!(refused["code"], "paid_send_refused");
    shop.answer(&after, text("paid", true)).await.expect(202);
    shop.hub.settle().await;
    let path = format!("/conversations/{}/messages", after["id"].as_str().unwrap());
    let messages = shop.hub.api().get(&path).await.expect(200);
    let ways: Vec<_> =
        messages["items"].as_array().unwrap().iter().filter(|one| one["direction"] == "out").collect();
    let ways: Vec<_> = ways.iter().map(|one| (&one["delivery"]["via"], &one["delivery"]["cost"])).collect();
    assert_eq!(ways, [(&json!("reply"), &json!(0)), (&json!("push"), &json!(1))]);
    // The inbox says who answers for free, and what it costs from here.
    let owner = shop.hub.owner().await;
    shop.writes("again").await;
    let path = format!("/inbox/{}/price", after["id"].as_str().unwrap());
    let price = owner.request(reqwest::Method::GET, &path).header("hx-request", "true").send().await.unwrap();
    let price = price.text().await.unwrap();
    assert!(price.contains("Old bot answers for free"), "{price}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn owners_differ_by_type_and_a_deleted_system_owns_nothing(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let both =
        json!({ "reply_owner": shop.system, "reply_owners": { "message": "hub", "follow": shop.system } });
    let set = shop.set(both).await;
    // What says the same as the rule for all is no exception.
    assert_eq!(set["reply_owners"], json!({ "message": "hub" }));
    assert_eq!(shop.hub.api().get("/accounts").await.expect(200)["items"][0], set);
    let mine = shop.writes("mine").await;
    assert!(mine["reply_window"]["free_until"].is_string());
    shop.answer(&mine, text("free", false)).await.expect(202);
    shop.hub.settle().await;
    let postback = json!({ "channelId": shop.account.channel_id, "data": "buy" });
    shop.friend.acts("postbacks", postback).await;
    shop.hub.settle().await;
    let theirs = shop.hub.api().get("/conversations").await.expect(200)["items"][0].clone();
    assert_eq!(theirs["reply_window"]["free_until"], Value::Null);
    shop.hub.api().delete(&format!("/destinations/{}", shop.system)).await.expect(204);
    let path = format!("/accounts/{}", shop.account.id);
    let shown = shop.hub.api().get(&path).await.expect(200);
    assert_eq!((&shown["reply_owner"], &shown["reply_owners"]), (&json!("hub"), &json!({})));
    let postback = json!({ "channelId": shop.account.channel_id, "data": "buy" });
    shop.friend.acts("postbacks", postback).await;
    shop.hub.settle().await;
    let again = shop.hub.api().get("/conversations").await.expect(200)["items"][0].clone();
    assert!(again["reply_window"]["free_until"].is_string(), "{again}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_unknown_owner_is_refused_by_field_and_changes_nothing(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let path = format!("/accounts/{}", shop.account.id);
    // Another account's destination is no owner here.
    let other = shop.hub.connect_account().await;
    let theirs = format!("/accounts/{}/destinations", other.id);
    let made = shop.hub.api().post(&theirs, json!({ "name": "x", "url": "https://bot.example/hook" })).await;
    let foreign = made.expect(201)["id"].as_str().unwrap().to_owned();
    for (body, field) in [
        (json!({ "reply_owner": "the bot", "display_label": "kept out" }), "reply_owner"),
        (json!({ "reply_owner": foreign }), "reply_owner"),
        (json!({ "reply_owners": { "message": "nobody" } }), "reply_owners.message"),
        (json!({ "reply_owners": { "unsend": "hub" } }), "reply_owners.unsend"),
    ] {
        let refused = shop.hub.api().patch(&path, body).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], field);
    }
    let shown = shop.hub.api().get(&path).await.expect(200);
    assert_eq!((&shown["reply_owner"], &shown["display_label"]), (&json!("hub"), &Value::Null));
    shop.hub.close().await;
}

#[tokio::test]
async fn the_page_of_answers_says_who_owns_the_free_reply() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let owner = shop.hub.owner().await;
    let page = format!("/settings/accounts/{}/answers", shop.account.id);
    assert!(owner.get(&page).await.body.contains("cannot be seen or held back here"));
    let form = [("all", shop.system.as_str()), ("follow", "hub"), ("message", "")];
    let done = owner.submit(&page, &format!("{page}/replies"), &form).await;
    assert!(done.status.is_redirection());
    let shown = shop.hub.api().get(&format!("/accounts/{}", shop.account.id)).await.expect(200);
    assert_eq!(
        (&shown["reply_owner"], &shown["reply_owners"]),
        (&json!(shop.system), &json!({ "follow": "hub" }))
    );
    let html = owner.get(&page).await.body;
    assert!(html.contains(&format!(r#"<option value="{}" selected>Old bot"#, shop.system)), "{html}");
    // Agents look, and change nothing.
    let agent = shop.hub.agent("agent@shop.example", &[&shop.account.id]).await;
    assert_eq!(agent.submit(&page, &format!("{page}/replies"), &form).await.status, 403);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_change_is_for_what_comes_in_after_it_was_written(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let hub = shop.hub.hub();
    let (account, system) = (AccountId::parse(&shop.account.id), DestinationId::parse(&shop.system));
    let (account, system) = (account.unwrap(), system.unwrap());
    let (scope, actor) = (shop.hub.scope(), Actor::System("test"));
    let mut tx = hub.db.begin().await.unwrap();
    // Journaled while the change is being made.
    shop.friend.says(&shop.account, "meanwhile").await;
    replies::hand_over(&mut tx, hub, (&scope, &actor), &account, &system).await.unwrap();
    tx.commit().await.unwrap();
    shop.hub.settle().await;
    let meanwhile = shop.hub.api().get("/conversations").await.expect(200)["items"][0].clone();
    assert!(meanwhile["reply_window"]["free_until"].is_string(), "{meanwhile}");
    let after = shop.writes("after").await;
    shop.answer(&after, text("free", false)).await.expect(202);
    let second = shop.answer(&after, text("not free", false)).await;
    assert_eq!(second.expect(402)["code"], "paid_send_refused");
    shop.hub.close().await;
}

// S0-31: what LINE calls today goes on getting everything, from the first event on.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_system_of_before_goes_on_getting_everything(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).with_loops().start().await else { return };
    let old = Receiver::start().await;
    let channel = hub.channel("Shop").await;
    let id = channel["channelId"].as_str().unwrap();
    let set = json!({ "webhookEndpoint": old.url, "useWebhook": true });
    hub.control.patch(&format!("/channels/{id}"), set).await;
    let mut body = json!({ "channel_id": id, "channel_secret": channel["channelSecret"], "take_over": true });
    body.as_object_mut()
        .unwrap()
        .extend([("pass_on".to_owned(), json!(true)), ("keeps_replies".to_owned(), json!(true))]);
    let made = hub.api().post("/accounts", body).await.expect(201);
    let path = format!("/accounts/{}/destinations", made["id"].as_str().unwrap());
    let first = hub.api().get(&path).await.expect(200)["items"][0].clone();
    assert_eq!(
        (&first["url"], &first["signing"], &first["active"]),
        (&json!(old.url), &json!("line"), &json!(true))
    );
    assert_eq!(made["reply_owner"], first["id"]);
    let friend = hub.line_user("Mei").await;
    let body = json!({ "channelId": id });
    friend.acts("follow", body).await;
    for _ in 0..300 {
        if !old.received().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let came = old.received();
    let log = hub.control.get(&format!("/deliveries?channelId={id}")).await;
    let sent = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|sent| sent["body"].as_str().unwrap().contains("follow"));
    let sent = sent.unwrap();
    assert_eq!(std::str::from_utf8(&came[0].body).unwrap(), sent["body"].as_str().unwrap());
    assert_eq!(came[0].headers["x-line-signature"], sent["signature"].as_str().unwrap());
    hub.close().await;
}

// The old system is a destination from an earlier time, and was changed since.
#[rstest]
#[case::sqlite(Engine::Sqlite, true)]
#[case::postgres(Engine::Postgres, true)]
#[case::without_replies(Engine::Sqlite, false)]
#[tokio::test]
async fn the_system_of_before_gets_everything_also_when_it_is_a_destination_already(
    #[case] engine: Engine,
    #[case] keeps: bool,
) {
    let Some(hub) = TestHub::new().engine(engine).with_loops().start().await else { return };
    let old = Receiver::start().await;
    let channel = hub.channel("Shop").await;
    let id = channel["channelId"].as_str().unwrap();
    let elsewhere = json!({ "webhookEndpoint": old.url, "useWebhook": true });
    hub.control.patch(&format!("/channels/{id}"), elsewhere.clone()).await;
    let take_over = json!({ "channel_id": id, "channel_secret": channel["channelSecret"], "take_over": true,
        "pass_on": true, "keeps_replies": keeps });
    let made = hub.api().post("/accounts", take_over.clone()).await.expect(201);
    let account = made["id"].as_str().unwrap();
    let path = format!("/accounts/{account}/destinations");
    let first = hub.api().get(&path).await.expect(200)["items"][0].clone();
    let change = json!({ "active": false, "signing": "own", "filter": { "events": ["postback"] } });
    let system = format!("/destinations/{}", first["id"].as_str().unwrap());
    hub.api().patch(&system, change).await.expect(200);
    let owner = if keeps { json!("hub") } else { first["id"].clone() };
    hub.api().patch(&format!("/accounts/{account}"), json!({ "reply_owner": owner })).await.expect(200);
    hub.api().delete(&format!("/accounts/{account}")).await;
    hub.control.patch(&format!("/channels/{id}"), elsewhere).await;
    let again = hub.api().post("/accounts", take_over).await.expect(201);
    assert_eq!(again["id"], made["id"]);
    let all = hub.api().get(&path).await.expect(200)["items"].clone();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!(
        (&all[0]["id"], &all[0]["active"], &all[0]["signing"], &all[0]["filter"]),
        (&first["id"], &json!(true), &json!("line"), &first["filter"])
    );
    assert_eq!(again["reply_owner"], if keeps { first["id"].clone() } else { json!("hub") });
    let friend = hub.line_user("Mei").await;
    friend.acts("follow", json!({ "channelId": id })).await;
    for _ in 0..300 {
        if !old.received().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = hub.control.get(&format!("/deliveries?channelId={id}")).await;
    let items = log["items"].as_array().unwrap();
    let sent = items.iter().find(|sent| sent["body"].as_str().unwrap().contains("follow")).unwrap();
    let came = old.received();
    assert_eq!(std::str::from_utf8(&came[0].body).unwrap(), sent["body"].as_str().unwrap());
    assert_eq!(came[0].headers["x-line-signature"], sent["signature"].as_str().unwrap());
    hub.close().await;
}

#[tokio::test]
async fn an_address_that_cannot_be_called_is_refused_before_anything_changes() {
    let Some(hub) = TestHub::new().start().await else { return };
    let channel = hub.channel("Shop").await;
    let id = channel["channelId"].as_str().unwrap();
    let set = json!({ "webhookEndpoint": "https://169.254.169.254/hook", "useWebhook": true });
    hub.control.patch(&format!("/channels/{id}"), set).await;
    let body = json!({
        "channel_id": id, "channel_secret": channel["channelSecret"], "take_over": true, "pass_on": true,
    });
    let refused = hub.api().post("/accounts", body).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "pass_on");
    assert!(hub.api().get("/accounts").await.expect(200)["items"].as_array().unwrap().is_empty());
    let at_line = hub.control.get(&format!("/channels/{id}")).await;
    assert_eq!(at_line["webhookEndpoint"], "https://169.254.169.254/hook");
    hub.close().await;
}
