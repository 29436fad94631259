//! The relay over HTTP: other systems get what LINE sent, in order, and nothing is lost while they fail.

mod hostile;
mod lost;
mod mending;
mod nodes;
mod odd;
mod reading;
mod stopping;
mod wanting;

use std::time::Duration;

use axum::http::StatusCode;
use hub::args;
use hub::clock::Clock as _;
use hub::db::Sql;
use hub::ids::{AccountId, DestinationId, Id as _};
use hub::journal::{NewEvent, NewRequest};
use hub::relay::service;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, LineUser, Received, Receiver, TestHub};

struct Shop {
    hub: TestHub,
    account: Account,
    friend: LineUser,
    http: reqwest::Client,
}

impl Shop {
    async fn open(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).with_loops().start().await?;
        let account = hub.connect_account().await;
        let friend = hub.line_user("Mei").await;
        friend.follows(&account).await;
        // What comes in from now on is what destinations get.
        let path = format!("/events?account_id={}", account.id);
        while hub.api().get(&path).await.expect(200)["items"].as_array().is_none_or(Vec::is_empty) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Some(Self { hub, account, friend, http })
    }

    async fn destination(&self, name: &str, receiver: &Receiver, also: Value) -> Value {
        let mut body = json!({ "name": name, "url": receiver.url });
        body.as_object_mut().unwrap().extend(also.as_object().cloned().unwrap_or_default());
        let path = format!("/accounts/{}/destinations", self.account.id);
        self.hub.api().post(&path, body).await.expect(201)
    }

    fn path(destination: &Value) -> String {
        format!("/destinations/{}", destination["id"].as_str().unwrap())
    }

    /// What was put aside, as (standing, why).
    async fn parked(&self, destination: &Value) -> Vec<(String, String)> {
        let hub = self.hub.hub();
        let id = DestinationId::parse(destination["id"].as_str().unwrap()).unwrap();
        let destination = service::get(hub, &self.hub.scope(), &id).await.unwrap();
        let parked = service::parked(hub, &destination, None, 100).await.unwrap();
        parked.into_iter().map(|one| (one.standing, one.last_error.unwrap_or_default())).collect()
    }

    /// LINE's request with one text of the friend, `text-{n}`; faster than by phone.
    async fn post_one(&self, n: usize) {
        self.post(&[(format!("01HZX000000000000000{n:06}"), format!("text-{n}"))]).await;
    }

    /// LINE's request with these texts of the friend.
    async fn post_batch(&self, texts: &[&str]) {
        let event = |text: &&str| (format!("01HZXBATCH0000000000{text:0>6}"), (*text).to_owned());
        self.post(&texts.iter().map(event).collect::<Vec<_>>()).await;
    }

    /// The body of LINE's request with texts of the friend, each with its event's id.
    fn letter(&self, events: &[(String, String)]) -> String {
        let number = |id: &str| format!("5{}", id.chars().filter(char::is_ascii_digit).collect::<String>());
        let event = |(id, text): &(String, String)| {
            json!({ "type": "message", "webhookEventId": id, "timestamp": self.hub.clock.now().millis(),
                "mode": "active", "deliveryContext": { "isRedelivery": false },
                "source": { "type": "user", "userId": self.friend.id },
                "message": { "type": "text", "id": number(id), "text": text, "quoteToken": "q" } })
        };
        let events: Vec<Value> = events.iter().map(event).collect();
        json!({ "destination": self.account.bot_user_id, "events": events }).to_string()
    }

    async fn post(&self, events: &[(String, String)]) {
        let body = self.letter(events);
        let signature = line_api::signature::sign(&self.account.channel_secret, body.as_bytes());
        let request = self.http.post(self.account.webhook_url.clone()).header("x-line-signature", signature);
        assert_eq!(request.body(body).send().await.unwrap().status(), 200);
    }

    /// So many texts of the friend, `text-{n}`, each a request, past the door into the journal.
    async fn append(&self, count: usize) {
        let hub = self.hub.hub();
        let appended = (0..count).map(|n| {
            let id = format!("01HZX000000000000000{n:06}");
            let body = self.letter(&[(id.clone(), format!("text-{n}"))]);
            let signature = line_api::signature::sign(&self.account.channel_secret, body.as_bytes());
            let (start, len) = {
                let whole = line_api::webhook::parse(body.as_bytes()).unwrap();
                (whole.events[0].start, whole.events[0].raw.len())
            };
            let event = NewEvent {
                start,
                len,
                webhook_event_id: Some(id),
                kind: "message".to_owned(),
                redelivered: false,
                event_at: hub.now(),
            };
            let account_id = AccountId::parse(&self.account.id).unwrap();
            let (body, received_at) = (body.into(), hub.now());
            NewRequest { account_id, body, signature, received_at, events: vec![event] }
        });
        // They enter the queue in their order, and there is room for so many.
        let mut appended = appended.peekable();
        while appended.peek().is_some() {
            let some = appended.by_ref().take(1_000).map(|request| hub.journal.append(request));
            let all = futures_util::future::join_all(some).await;
            all.into_iter().for_each(|one| one.unwrap());
        }
    }

    /// Another friend.
    async fn other_friend(&self, name: &str) -> LineUser {
        let friend = self.hub.line_user(name).await;
        friend.follows(&self.account).await;
        friend
    }

    async fn look(&self, destination: &Value) -> Value {
        let path = format!("/destinations/{}", destination["id"].as_str().unwrap());
        self.hub.api().get(&path).await.expect(200)
    }

    /// Pauses a destination, and waits until its runner has let go.
    async fn pause(&self, destination: &Value) {
        self.hub.api().patch(&Self::path(destination), json!({ "active": false })).await.expect(200);
        let text = "SELECT lease_until FROM destinations WHERE id = $1";
        let (sql, id) = (Sql { sqlite: text, postgres: text }, destination["id"].as_str().unwrap());
        for _ in 0..600 {
            let lease: Option<(i64,)> = self.hub.hub().db.opt(&sql, args![id]).await.unwrap();
            if lease == Some((0,)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("its runner goes on");
    }

    /// Waits until a destination is as wanted.
    async fn until(&self, destination: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_200 {
            let now = self.look(destination).await;
            if wanted(&now) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("still {}", self.look(destination).await);
    }
}

/// Waits until so many requests have come.
async fn come(receiver: &Receiver, count: usize) -> Vec<Received> {
    for _ in 0..300 {
        if receiver.received().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = receiver.received();
    assert_eq!(all.len(), count, "requests");
    all
}

/// Waits until a body with this text has come.
async fn come_with(receiver: &Receiver, text: &str) -> Vec<Received> {
    for _ in 0..300 {
        if texts(&receiver.received()).iter().any(|one| one == text) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    receiver.received()
}

fn texts(received: &[Received]) -> Vec<String> {
    let mut texts = Vec::new();
    for request in received {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        for event in body["events"].as_array().unwrap() {
            texts.push(event["message"]["text"].as_str().unwrap_or_default().to_owned());
        }
    }
    texts
}

// S0-31
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn each_destination_gets_lines_exact_bytes_and_signature(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let one = shop.destination("CRM", &first, json!({})).await;
    shop.destination("Shop", &second, json!({})).await;
    assert_eq!((&one["state"], &one["signing"]), (&json!("healthy"), &json!("line")));
    shop.friend.says(&shop.account, "你好 😀").await;
    shop.friend.says(&shop.account, "second").await;
    let (at_first, at_second) = (come(&first, 2).await, come(&second, 2).await);
    let log = shop.hub.control.get(&format!("/deliveries?channelId={}", shop.account.channel_id)).await;
    let sent: Vec<&Value> = log["items"].as_array().unwrap().iter().rev().take(2).collect();
    for (got, sent) in [(&at_first, &sent), (&at_second, &sent)] {
        for (got, sent) in got.iter().zip(sent.iter().rev()) {
            assert_eq!(std::str::from_utf8(&got.body).unwrap(), sent["body"].as_str().unwrap());
            assert_eq!(got.headers["x-line-signature"], sent["signature"].as_str().unwrap());
            assert_eq!(got.headers["content-type"], "application/json; charset=utf-8");
            assert_eq!(got.headers["user-agent"], "LineBotWebhook/2.0");
            assert_eq!(got.headers["x-trunkline-attempt"], "1");
            assert!(got.headers["x-trunkline-delivery"].to_str().unwrap().starts_with("dlv_"));
        }
    }
    let after =
        shop.until(&one, |now| now["lag"]["events"] == 0 && now["last_delivery"]["status"] == 200).await;
    assert_eq!((&after["state"], &after["retrying"]), (&json!("healthy"), &json!(0)));
    let path = format!("/destinations/{}/deliveries", one["id"].as_str().unwrap());
    let attempts = shop.hub.api().get(&path).await.expect(200);
    assert_eq!(attempts["items"].as_array().unwrap().len(), 2);
    assert!(attempts["items"][0]["event_ids"][0].as_str().unwrap().starts_with("evt_"));
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_fails_is_tried_again_in_order_and_holds_back_nobody_else(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (broken, healthy) = (Receiver::start().await, Receiver::start().await);
    broken.answers(StatusCode::INTERNAL_SERVER_ERROR, "oh no");
    let one = shop.destination("broken", &broken, json!({})).await;
    shop.destination("healthy", &healthy, json!({})).await;
    for text in ["1", "2", "3"] {
        shop.friend.says(&shop.account, text).await;
    }
    assert_eq!(texts(&come(&healthy, 3).await), ["1", "2", "3"]);
    let failing = shop.until(&one, |now| now["retrying"] == 3).await;
    assert_eq!(
        (&failing["state"], &failing["last_delivery"]["error"]),
        (&json!("retrying"), &json!("answered 500"))
    );
    assert!(texts(&broken.received()).iter().all(|text| text == "1"), "those behind it wait");
    broken.answers(StatusCode::OK, "");
    shop.hub.advance(Duration::from_secs(2));
    let well = shop.until(&one, |now| now["retrying"] == 0).await;
    assert_eq!(well["state"], "healthy");
    let mut came = texts(&broken.received());
    came.dedup();
    assert_eq!(came, ["1", "2", "3"]);
    let first = &broken.received()[0].headers["x-trunkline-delivery"];
    let again = &broken.received()[1];
    assert_eq!(&again.headers["x-trunkline-delivery"], first);
    assert_eq!(again.headers["x-trunkline-attempt"], "2");
    shop.hub.close().await;
}

// S0-32
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_sixth_destination_is_refused_in_words(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    for name in ["1", "2", "3", "4", "5"] {
        shop.destination(name, &receiver, json!({})).await;
    }
    let path = format!("/accounts/{}/destinations", shop.account.id);
    let body = json!({ "name": "6", "url": receiver.url });
    let refused = shop.hub.api().post(&path, body).await.expect(409);
    assert_eq!(refused["code"], "destination_limit");
    assert!(refused["detail"].as_str().unwrap().contains("TRUNKLINE_DESTINATIONS_MAX"), "{refused}");
    assert_eq!(shop.hub.api().get(&path).await.expect(200)["items"].as_array().unwrap().len(), 5);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn of_many_made_at_once_only_five_are(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let path = format!("/accounts/{}/destinations", shop.account.id);
    let made = (0..10).map(|n| {
        let body = json!({ "name": format!("{n}"), "url": receiver.url });
        shop.hub.api().post(&path, body)
    });
    let refused =
        futures_util::future::join_all(made).await.into_iter().filter(|one| one.status == 409).count();
    assert_eq!(refused, 5);
    assert_eq!(shop.hub.api().get(&path).await.expect(200)["items"].as_array().unwrap().len(), 5);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_paused_destination_goes_on_where_it_stopped(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    let path = format!("/destinations/{}", one["id"].as_str().unwrap());
    shop.friend.says(&shop.account, "before").await;
    come(&receiver, 1).await;
    let paused = shop.hub.api().patch(&path, json!({ "active": false })).await.expect(200);
    assert_eq!(paused["state"], "paused");
    shop.friend.says(&shop.account, "meanwhile").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let waiting = shop.until(&one, |now| now["lag"]["events"] == 1).await;
    assert_eq!((receiver.received().len(), &waiting["state"]), (1, &json!("paused")));
    shop.hub.api().patch(&path, json!({ "active": true })).await.expect(200);
    assert_eq!(texts(&come(&receiver, 2).await), ["before", "meanwhile"]);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn its_own_secret_signs_and_a_filter_rebuilds(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (own, filtered) = (Receiver::start().await, Receiver::start().await);
    let one = shop.destination("own", &own, json!({ "signing": "own" })).await;
    let secret = one["secret"].as_str().unwrap();
    assert!(secret.len() == 32 && shop.look(&one).await["secret"].is_null(), "shown once");
    shop.destination("postbacks", &filtered, json!({ "filter": { "events": ["postback"] } })).await;
    shop.friend.says(&shop.account, "hello").await;
    let postback = json!({ "channelId": shop.account.channel_id, "data": "buy=1" });
    shop.friend.acts("postbacks", postback).await;
    for request in come(&own, 2).await {
        let signature = request.headers["x-line-signature"].to_str().unwrap();
        assert!(line_api::signature::verify(secret, &request.body, signature));
    }
    let only = come(&filtered, 1).await;
    let body: Value = serde_json::from_slice(&only[0].body).unwrap();
    assert_eq!(body["events"][0]["postback"]["data"], "buy=1");
    shop.hub.close().await;
}
