//! What a person does about it: a test call, skipping, sending again.

use std::time::Duration;

use axum::http::StatusCode;
use hub::relay::cleanup::{self, Forget};
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Engine, Receiver};

use super::{Shop, come, come_with, texts};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_test_call_is_an_empty_signed_batch(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    let path = format!("{}/test", Shop::path(&one));
    let ok = shop.hub.api().post(&path, json!({})).await.expect(200);
    assert_eq!((&ok["ok"], &ok["status"]), (&json!(true), &json!(200)));
    let got = come(&receiver, 1).await.remove(0);
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(body, json!({ "destination": shop.account.bot_user_id, "events": [] }));
    let signature = got.headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(&shop.account.channel_secret, &got.body, signature));
    receiver.answers(StatusCode::FORBIDDEN, "go away");
    let refused = shop.hub.api().post(&path, json!({})).await.expect(200);
    assert_eq!((&refused["ok"], &refused["answer"]), (&json!(false), &json!("go away")));
    let after = shop.look(&one).await;
    assert_eq!((&after["parked"], &after["last_delivery"]), (&json!(0), &json!(null)), "nothing is stored");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_waits_can_be_left_out(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.fails_for("poison");
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.friend.says(&shop.account, "poison").await;
    shop.friend.says(&shop.account, "behind it").await;
    shop.until(&one, |now| now["retrying"] == 2).await;
    let path = format!("{}/skip", Shop::path(&one));
    assert_eq!(shop.hub.api().post(&path, json!({})).await.expect(200)["count"], 2);
    shop.friend.says(&shop.account, "new").await;
    let mut all = texts(&come_with(&receiver, "new").await);
    all.dedup();
    assert_eq!(all, ["poison", "new"], "it may have been tried again before");
    shop.hub.advance(Duration::from_secs(3600));
    let after = shop.until(&one, |now| now["lag"]["events"] == 0 && now["retrying"] == 0).await;
    assert_eq!(after["parked"], 0);
    let standings: Vec<_> = shop.parked(&one).await.into_iter().map(|(standing, _)| standing).collect();
    assert_eq!(standings, ["skipped", "skipped"], "they stay listed");
    shop.hub.close().await;
}

/// The ids of the account's events, the oldest first.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_answer_that_repeats_the_request_is_kept_without_its_keys(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::INTERNAL_SERVER_ERROR, "");
    let one = shop.destination("echo", &receiver, json!({})).await;
    shop.friend.says(&shop.account, "1").await;
    let sent = come(&receiver, 1).await.remove(0);
    let body = std::str::from_utf8(&sent.body).unwrap();
    let signature = sent.headers["x-line-signature"].to_str().unwrap();
    let read: Value = serde_json::from_str(body).unwrap();
    let token = read["events"][0]["replyToken"].as_str().unwrap();
    let echo = format!("no such table: token='{token}' signature='{signature}' body={body:?}");
    receiver.answers(StatusCode::INTERNAL_SERVER_ERROR, echo);
    shop.hub.advance(Duration::from_secs(60));
    let path = format!("{}/deliveries", Shop::path(&one));
    let answered = async || {
        let attempts = shop.hub.api().get(&path).await.expect(200);
        let items = attempts["items"].as_array().unwrap().clone();
        items.into_iter().find(|one| one["answer"].as_str().unwrap().contains("no such table"))
    };
    let mut found = answered().await;
    while found.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        found = answered().await;
    }
    let found = found.unwrap().to_string();
    assert!(!found.contains(token) && !found.contains(signature), "{found}");
    assert!(found.contains("••••••••"));
    shop.hub.close().await;
}

async fn events(shop: &Shop) -> Vec<String> {
    let found = shop.hub.api().get(&format!("/events?account_id={}", shop.account.id)).await.expect(200);
    let mut ids: Vec<String> =
        found["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_sent_is_sent_again_as_line_sent_it(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let since = hub::clock::Clock::now(&*shop.hub.clock).to_jiff().to_string();
    let (early, late) = (Receiver::start().await, Receiver::start().await);
    let first = shop.destination("early", &early, json!({})).await;
    for text in ["1", "2", "3"] {
        shop.friend.says(&shop.account, text).await;
    }
    let sent = come(&early, 3).await;
    let one = shop.destination("late", &late, json!({})).await;
    let path = format!("{}/replay", Shop::path(&one));
    let ids = events(&shop).await;
    // By ids, whatever order they are given in; the first event is the follow.
    let body = json!({ "event_ids": [&ids[3], &ids[2], &ids[3]] });
    assert_eq!(shop.hub.api().post(&path, body).await.expect(202)["count"], 2);
    let again = come(&late, 2).await;
    for (again, sent) in again.iter().zip(&sent[1..]) {
        assert_eq!(again.body, sent.body);
        assert_eq!(again.headers["x-line-signature"], sent.headers["x-line-signature"]);
        assert_ne!(again.headers["x-trunkline-delivery"], sent.headers["x-trunkline-delivery"]);
        assert_eq!(again.headers["x-trunkline-received-at"], sent.headers["x-trunkline-received-at"]);
    }
    // By time.
    shop.hub.advance(Duration::from_secs(1));
    let until = hub::clock::Clock::now(&*shop.hub.clock).to_jiff().to_string();
    let body = json!({ "since": since, "until": until });
    assert_eq!(shop.hub.api().post(&path, body.clone()).await.expect(202)["count"], 3);
    assert_eq!(texts(&come(&late, 5).await)[2..], ["1", "2", "3"]);
    shop.until(&one, |now| now["retrying"] == 0).await;
    assert_eq!(early.received().len(), 3, "the other destination gets nothing of it");
    assert_eq!(shop.look(&first).await["retrying"], 0);

    // After the channel secret was changed, what is sent again is signed by the new one: by the old one it would fit nothing.
    let channel = format!("/channels/{}/secret", shop.account.channel_id);
    let new = shop.hub.control.post(&channel, json!({})).await["channelSecret"].as_str().unwrap().to_owned();
    let account = format!("/accounts/{}", shop.account.id);
    shop.hub.api().patch(&account, json!({ "channel_secret": new })).await.expect(200);
    assert_eq!(shop.hub.api().post(&path, body).await.expect(202)["count"], 3);
    for (again, sent) in come(&late, 8).await[5..].iter().zip(&sent) {
        assert_eq!(again.body, sent.body);
        let signature = again.headers["x-line-signature"].to_str().unwrap();
        assert!(line_api::signature::verify(&new, &again.body, signature));
        assert_ne!(again.headers["x-line-signature"], sent.headers["x-line-signature"]);
    }

    // What nobody can send again.
    for (body, code) in [
        (json!({ "event_ids": ["evt_01ARZ3NDEKTSV4RRFFQ69G5FAV"] }), "unknown"),
        (json!({ "event_ids": ["nonsense"] }), "unknown"),
        (json!({ "since": until, "until": since }), "before_since"),
        (json!({}), "required"),
    ] {
        let refused = shop.hub.api().post(&path, body.clone()).await.expect(422);
        assert_eq!(refused["errors"][0]["code"], code, "{body}: {refused}");
    }
    shop.hub.close().await;
}

/// An event of a batch is sent again with its whole request, once; where its neighbour was taken back, without that.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_event_of_a_batch_is_sent_again_with_the_others(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.post_batch(&["1", "2", "3"]).await;
    let sent = come(&receiver, 1).await.remove(0);
    let path = format!("{}/replay", Shop::path(&one));
    let ids = events(&shop).await;
    let body = json!({ "event_ids": [&ids[2], &ids[3]] });
    assert_eq!(shop.hub.api().post(&path, body).await.expect(202)["count"], 1, "one request");
    assert_eq!(come(&receiver, 2).await[1].body, sent.body);
    let blanked = hub::journal::event_position(&ids[1]).unwrap();
    shop.hub.hub().journal.blank(blanked).await.unwrap();
    let body = json!({ "event_ids": [&ids[3]] });
    assert_eq!(shop.hub.api().post(&path, body).await.expect(202)["count"], 1);
    let again = come(&receiver, 3).await.remove(2);
    assert_eq!(texts(std::slice::from_ref(&again)), ["2", "3"]);
    let signature = again.headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(&shop.account.channel_secret, &again.body, signature));
    let refused = shop.hub.api().post(&path, json!({ "event_ids": [&ids[1]] })).await.expect(422);
    assert_eq!(refused["errors"][0]["code"], "expired");
    shop.hub.close().await;
}

/// An event that came before leaves a hole in PostgreSQL's positions.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_put_aside_names_the_events_that_are_there(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.post_batch(&["1"]).await;
    shop.until(&one, |now| now["last_day"]["delivered"] == 1).await;
    receiver.answers(StatusCode::BAD_REQUEST, "");
    shop.post_batch(&["2", "1", "3"]).await;
    shop.until(&one, |now| now["parked"] == 1).await;
    let listed = shop.hub.api().get(&format!("{}/parked", Shop::path(&one))).await.expect(200);
    let named = listed["items"][0]["event_ids"].clone();
    assert_eq!(named, json!(events(&shop).await[2..]));
    receiver.answers(StatusCode::OK, "");
    let path = format!("{}/replay", Shop::path(&one));
    assert_eq!(shop.hub.api().post(&path, json!({ "event_ids": named })).await.expect(202)["count"], 1);
    come(&receiver, 3).await;

    let owner = shop.hub.owner().await;
    let page = format!("/settings/accounts/{}/relay/{}", shop.account.id, one["id"].as_str().unwrap());
    let log = owner.get(&page).await.body;
    let parked = owner.get(&format!("{page}/parked")).await.body;
    assert!(log.contains("2 events") && !log.contains("3 events"), "{log}");
    assert!(parked.contains("2 events"), "{parked}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_put_aside_is_forgotten_with_the_journals_entries(#[case] engine: Engine) {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::BAD_REQUEST, "");
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.post_one(1).await;
    shop.until(&one, |now| now["parked"] == 1).await;
    let forget = async || cleanup::run(shop.hub.hub().clone(), Forget::default()).await;
    shop.hub.advance(60 * DAY);
    // Its age counts from when it was put aside last, however old it is.
    assert_eq!(
        shop.hub.api().post(&format!("{}/retry", Shop::path(&one)), json!({})).await.expect(202)["count"],
        1
    );
    shop.until(&one, |now| now["parked"] == 1 && now["retrying"] == 0).await;
    shop.hub.advance(60 * DAY);
    let _ = forget().await;
    assert_eq!(shop.parked(&one).await.len(), 1);
    shop.hub.advance(31 * DAY);
    let _ = forget().await;
    assert_eq!((shop.parked(&one).await.len(), &shop.look(&one).await["parked"]), (0, &json!(0)));
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn nothing_is_sent_again_while_too_much_waits(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let since = hub::clock::Clock::now(&*shop.hub.clock).to_jiff().to_string();
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.post_one(1).await;
    come(&receiver, 1).await;
    shop.hub.advance(Duration::from_secs(1));
    let until = hub::clock::Clock::now(&*shop.hub.clock).to_jiff().to_string();
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": false })).await.expect(200);
    let waiting = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
        INSERT INTO relay_units (id, tenant_id, destination_id, first_position, last_position, chats, is_replay, standing,
            attempts, due_at, received_at, created_at)
        SELECT 'dlv_' || n, tenant_id, id, 1, 1, '[]', $1, 'retrying', 0, 0, 0, 0 FROM destinations, numbers";
    let hub = shop.hub.hub();
    let mut tx = hub.db.begin().await.unwrap();
    let sql = hub::db::Sql { sqlite: waiting, postgres: waiting };
    assert_eq!(tx.run(&sql, hub::args![true]).await.unwrap(), 10_000);
    tx.commit().await.unwrap();
    let (path, body) = (format!("{}/replay", Shop::path(&one)), json!({ "since": since, "until": until }));
    let refused = shop.hub.api().post(&path, body.clone()).await.expect(409);
    assert_eq!(refused["code"], "too_many_waiting");
    let page = format!("/settings/accounts/{}/relay/{}", shop.account.id, one["id"].as_str().unwrap());
    let attempt = shop.hub.api().get(&format!("{}/deliveries", Shop::path(&one))).await.expect(200);
    let attempt = attempt["items"][0]["id"].as_str().unwrap();
    let again = format!("{page}/again");
    let owner = shop.hub.owner().await;
    let refused = owner.submit(&page, &again, &[("attempt", attempt)]).await;
    let told = owner.get(refused.headers["location"].to_str().unwrap()).await.body;
    assert!(told.contains("Too many requests wait"), "{told}");
    assert_eq!(shop.look(&one).await["retrying"], 10_000);
    shop.hub.api().post(&format!("{}/skip", Shop::path(&one)), json!({})).await.expect(200);
    assert_eq!(shop.hub.api().post(&path, body).await.expect(202)["count"], 1);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn of_many_failures_a_sample_is_logged_and_all_are_counted(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let count = std::sync::atomic::AtomicU32::new(0);
    let answer = async move || match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 {
        0 => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let answer = std::sync::Arc::new(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async move || answer().await);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({ "url": url })).await;
    let began = std::time::Instant::now();
    shop.append(150).await;
    let after = shop.until(&one, |now| now["parked"] == 75 && now["lag"]["events"] == 0).await;
    let most = 20 * (began.elapsed().as_secs() + 2);
    assert_eq!(after["last_day"]["failed"], 75);
    let log = shop
        .hub
        .api()
        .get(&format!("{}/deliveries?failed=true&limit=100", Shop::path(&one)))
        .await
        .expect(200);
    let logged = log["items"].as_array().unwrap().len() as u64;
    assert!((20..=most).contains(&logged), "{logged} of at most {most}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_taken_back_goes_to_nobody_later(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (well, paused) = (Receiver::start().await, Receiver::start().await);
    let one = shop.destination("paused", &paused, json!({})).await;
    shop.destination("well", &well, json!({})).await;
    shop.pause(&one).await;
    shop.post_batch(&["1", "2"]).await;
    come(&well, 1).await;
    let hub = shop.hub.hub();
    hub.journal.blank(hub.journal.head().await.unwrap()).await.unwrap();
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    assert_eq!(texts(&come(&paused, 1).await), ["1"]);
    shop.hub.close().await;
}
