//! Destinations that want nothing any more, lead back, refuse, ask for patience, or fail for long.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse as _;
use rstest::rstest;
use serde_json::json;
use testkit::{Engine, Receiver};

use super::{Shop, come, come_with, texts};

const MINUTE: Duration = Duration::from_secs(60);

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_that_is_gone_is_stopped_until_a_person_resumes_it(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::GONE, "");
    let one = shop.destination("gone", &receiver, json!({})).await;
    shop.friend.says(&shop.account, "1").await;
    let stopped = shop.until(&one, |now| now["state"] == "stopped").await;
    assert_eq!((&stopped["halt"], &stopped["retrying"]), (&json!("gone"), &json!(1)));
    receiver.answers(StatusCode::OK, "");
    // It is left alone, however long.
    let other = Receiver::start().await;
    shop.destination("other", &other, json!({})).await;
    shop.hub.advance(60 * MINUTE);
    shop.friend.says(&shop.account, "2").await;
    come(&other, 1).await;
    assert_eq!(receiver.received().len(), 1);
    let resumed = shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    assert_eq!(resumed["halt"], json!(null));
    assert_eq!(texts(&come(&receiver, 3).await), ["1", "1", "2"]);
    shop.hub.close().await;
}

/// A server that passes everything on to `to`, and the answer back.
async fn passing_on(to: url::Url) -> url::Url {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let pass = async move |headers: HeaderMap, _: Uri, body: axum::body::Bytes| {
        let mut request = http.post(to).body(body);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap()).into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(pass)).await });
    format!("http://{address}/").parse().unwrap()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_that_leads_back_to_this_hub_is_stopped(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let url = passing_on(shop.account.webhook_url.clone()).await;
    let receiver = Receiver::start().await;
    let one = shop.destination("loop", &receiver, json!({ "url": url })).await;
    shop.friend.says(&shop.account, "round and round").await;
    let stopped = shop.until(&one, |now| now["state"] == "stopped").await;
    assert_eq!(stopped["halt"], "loop");
    assert_eq!(stopped["last_delivery"]["error"], "the address leads back to this hub");
    let events = shop.hub.api().get(&format!("/events?account_id={}", shop.account.id)).await.expect(200);
    assert_eq!(events["items"].as_array().unwrap().len(), 2, "the follow and the message: {events}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_that_asks_for_patience_gets_it(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (busy, other) = (Receiver::start().await, Receiver::start().await);
    busy.answers_with(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "600")], "");
    let one = shop.destination("busy", &busy, json!({})).await;
    shop.destination("other", &other, json!({})).await;
    shop.friend.says(&shop.account, "1").await;
    shop.until(&one, |now| now["retrying"] == 1).await;
    busy.answers(StatusCode::OK, "");
    let stranger = shop.other_friend("Ann").await;
    shop.hub.advance(9 * MINUTE);
    stranger.says(&shop.account, "2").await;
    // Not only the one that failed: nothing at all is sent before.
    come(&other, 3).await;
    shop.until(&one, |now| now["lag"]["events"] == 0 || now["retrying"] == 1).await;
    assert_eq!(texts(&busy.received()), ["1"]);
    shop.hub.advance(MINUTE);
    let all = texts(&come(&busy, 4).await);
    assert!(all[1..].contains(&"1".to_owned()) && all.contains(&"2".to_owned()), "{all:?}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_is_refused_is_put_aside_and_can_be_tried_again(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::BAD_REQUEST, "no such thing");
    let one = shop.destination("picky", &receiver, json!({})).await;
    shop.friend.says(&shop.account, "1").await;
    let parked = shop.until(&one, |now| now["parked"] == 1).await;
    assert_eq!((&parked["state"], &parked["retrying"]), (&json!("healthy"), &json!(0)));
    assert_eq!(shop.parked(&one).await, [("refused".to_owned(), "answered 400".to_owned())]);
    receiver.answers(StatusCode::OK, "");
    shop.friend.says(&shop.account, "2").await;
    assert_eq!(texts(&come(&receiver, 2).await), ["1", "2"], "what is put aside holds back nothing");
    let path = format!("{}/retry", Shop::path(&one));
    assert_eq!(shop.hub.api().post(&path, json!({})).await.expect(202)["count"], 1);
    assert_eq!(texts(&come(&receiver, 3).await), ["1", "2", "1"]);
    shop.until(&one, |now| now["parked"] == 0 && now["retrying"] == 0).await;
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_tried_for_a_day_expires_and_is_listed(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.fails_for("poison");
    let one = shop.destination("CRM", &receiver, json!({})).await;
    let other = shop.other_friend("Ann").await;
    shop.friend.says(&shop.account, "poison").await;
    shop.friend.says(&shop.account, "behind it").await;
    shop.until(&one, |now| now["retrying"] == 2).await;
    other.says(&shop.account, "another chat").await;
    come_with(&receiver, "another chat").await;
    shop.hub.advance(25 * 60 * MINUTE);
    shop.until(&one, |now| now["parked"] == 1 && now["retrying"] == 0).await;
    assert_eq!(shop.parked(&one).await, [("expired".to_owned(), "answered 500".to_owned())]);
    assert_eq!(texts(&receiver.received()).last().unwrap(), "behind it");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_that_fails_for_long_is_paused_and_comes_back_by_one_trial(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("away", &receiver, json!({})).await;
    receiver.answers(StatusCode::BAD_GATEWAY, "");
    let others = [shop.other_friend("Ann").await, shop.other_friend("Bob").await];
    shop.friend.says(&shop.account, "1").await;
    for friend in &others {
        friend.says(&shop.account, "2").await;
    }
    let mut tries = 0;
    while shop.look(&one).await["halt"] != "failing" {
        tries += 1;
        assert!(tries < 60, "{}", shop.look(&one).await);
        let before = receiver.received().len();
        shop.hub.advance(MINUTE);
        for _ in 0..40 {
            if receiver.received().len() > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let paused = shop.look(&one).await;
    assert_eq!(paused["state"], "paused");
    // One call at a time is all that it sees while it fails.
    let before = receiver.received().len();
    shop.hub.advance(2 * MINUTE);
    come(&receiver, before + 1).await;
    receiver.answers(StatusCode::OK, "");
    // The trial may have begun before the clock was turned, and set the next one by the new time.
    while shop.look(&one).await["halt"] != json!(null) {
        shop.hub.advance(2 * MINUTE);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let well = shop.until(&one, |now| now["state"] == "healthy" && now["lag"]["events"] == 0).await;
    assert_eq!((&well["halt"], &well["parked"]), (&json!(null), &json!(0)), "nothing was given up");
    let all = texts(&receiver.received()[before + 1..]);
    assert_eq!(all.iter().filter(|text| *text == "2").count(), 2, "{all:?}");
    assert_eq!(all.iter().filter(|text| *text == "1").count(), 1, "{all:?}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_whose_secret_does_not_open_is_stopped_until_it_has_a_new_one(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let also = json!({ "signing": "own", "standard_webhooks": true });
    let one = shop.destination("CRM", &receiver, also).await;
    let spoil = async |text| {
        let hub = shop.hub.hub();
        let mut tx = hub.db.begin().await.unwrap();
        let sql = hub::db::Sql { sqlite: text, postgres: text };
        assert_eq!(tx.run(&sql, hub::args![]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let stopped = shop.until(&one, |now| now["halt"] == "secret").await;
        assert_eq!(stopped["state"], "stopped");
    };
    let path = Shop::path(&one);
    spoil("UPDATE destinations SET secret = 'x', serial = serial + 1").await;
    shop.post_one(1).await;
    let page = format!("/settings/accounts/{}/relay/{}", shop.account.id, one["id"].as_str().unwrap());
    assert!(shop.hub.owner().await.get(&page).await.body.contains("Stopped: secret does not open"));
    assert_eq!(shop.hub.api().post(&format!("{path}/test"), json!({})).await.expect(409)["code"], "secret");
    // Resuming alone finds it again.
    shop.hub.api().patch(&path, json!({ "active": true })).await.expect(200);
    shop.until(&one, |now| now["halt"] == "secret").await;
    let new = shop.hub.api().patch(&path, json!({ "new_secret": true })).await.expect(200);
    let got = come(&receiver, 1).await.remove(0);
    let signature = got.headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(new["secret"].as_str().unwrap(), &got.body, signature));
    // The same with the second signature; the one before it does not sign.
    spoil("UPDATE destinations SET standard_secret = 'x', serial = serial + 1").await;
    shop.post_one(2).await;
    shop.hub.api().patch(&path, json!({ "new_standard_secret": true })).await.expect(200);
    let got = come(&receiver, 2).await.remove(1);
    assert_eq!(got.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 1);
    shop.until(&one, |now| now["state"] == "healthy" && now["lag"]["events"] == 0).await;
    shop.hub.close().await;
}
