//! Destinations that fail for one request only, whose answers are odd, or that are changed while they are called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::{Json, Router};
use futures_util::StreamExt as _;
use rstest::rstest;
use serde_json::json;
use testkit::{Engine, Receiver};

use super::{Shop, come_with, texts};

const MINUTE: Duration = Duration::from_secs(60);

/// A server of this answer.
async fn serve<F, R>(answer: F) -> String
where
    F: Fn(String) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = axum::response::Response> + Send,
{
    let reply = async move |body: String| answer(body).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(reply)).await });
    url
}

/// A bot that has trouble with one request is not away: the other chats go on, however little they say.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_request_that_fails_again_and_again_keeps_no_other_chat_waiting(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.fails_for("poison");
    let one = shop.destination("CRM", &receiver, json!({})).await;
    let ann = shop.other_friend("Ann").await;
    come_with(&receiver, "").await;
    shop.friend.says(&shop.account, "poison").await;
    shop.until(&one, |now| now["retrying"] == 1).await;
    // Nobody says anything until it looks as if the destination were away.
    let poisons = || texts(&receiver.received()).iter().filter(|text| *text == "poison").count();
    while poisons() < 12 {
        shop.hub.advance(MINUTE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shop.until(&one, |now| now["state"] == "paused").await;
    ann.says(&shop.account, "is anybody there?").await;
    shop.hub.advance(MINUTE);
    assert!(
        texts(&come_with(&receiver, "is anybody there?").await).contains(&"is anybody there?".to_owned())
    );
    shop.until(&one, |now| now["state"] == "retrying" && now["retrying"] == 1).await;
    // Others have got through: after a day it is given up, and listed.
    shop.friend.says(&shop.account, "behind it").await;
    shop.hub.advance(25 * 60 * MINUTE);
    come_with(&receiver, "behind it").await;
    shop.until(&one, |now| now["state"] == "healthy" && now["parked"] == 1).await;
    assert_eq!(shop.parked(&one).await, [("expired".to_owned(), "answered 500".to_owned())]);
    shop.hub.close().await;
}

/// PostgreSQL takes no U+0000 in a text.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_answer_that_is_no_text_stops_nothing(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::OK, Bytes::from_static(b"GIF89a\x01\x00\x01\x00\xff"));
    let one = shop.destination("pixel", &receiver, json!({})).await;
    for text in ["1", "2"] {
        shop.friend.says(&shop.account, text).await;
        shop.until(&one, |now| now["lag"]["events"] == 0 && now["last_delivery"]["status"] == 200).await;
    }
    shop.hub.advance(MINUTE);
    let log = shop.hub.api().get(&format!("{}/deliveries", Shop::path(&one))).await.expect(200);
    assert!(log["items"][0]["answer"].as_str().unwrap().starts_with("GIF89a\u{1}\u{fffd}"), "{log}");
    assert_eq!(texts(&receiver.received()), ["1", "2"]);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_status_counts_though_the_answer_never_ends(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    let url = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let first = futures_util::stream::once(async { Ok::<_, std::io::Error>("one moment") });
        let body = Body::from_stream(first.chain(futures_util::stream::pending()));
        std::future::ready(body.into_response())
    })
    .await;
    let receiver = Receiver::start().await;
    let one = shop.destination("slow", &receiver, json!({ "url": url, "timeout_ms": 500 })).await;
    shop.friend.says(&shop.account, "once").await;
    let now =
        shop.until(&one, |now| now["lag"]["events"] == 0 && now["last_delivery"]["at"].is_string()).await;
    assert_eq!((&now["last_delivery"]["status"], &now["state"]), (&json!(200), &json!("healthy")));
    shop.hub.advance(MINUTE);
    shop.friend.says(&shop.account, "twice").await;
    shop.until(&one, |now| now["lag"]["events"] == 0).await;
    assert_eq!(came.load(Ordering::SeqCst), 2);
    shop.hub.close().await;
}

/// One call is answered 410 while another is under way, which is then answered 200.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_that_is_gone_stays_so_though_a_call_before_succeeds(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let ann = shop.other_friend("Ann").await;
    let url = serve(async |body: String| {
        if body.contains("slowly") {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return StatusCode::OK.into_response();
        }
        let is_said = body.contains("for the last time");
        if is_said { StatusCode::GONE } else { StatusCode::OK }.into_response()
    })
    .await;
    let receiver = Receiver::start().await;
    let one = shop.destination("gone", &receiver, json!({ "url": url })).await;
    ann.says(&shop.account, "slowly").await;
    shop.friend.says(&shop.account, "for the last time").await;
    shop.until(&one, |now| now["state"] == "stopped").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let now = shop.until(&one, |now| now["lag"]["events"] == 0).await;
    assert_eq!((&now["state"], &now["halt"]), (&json!("stopped"), &json!("gone")), "{now}");
    shop.hub.close().await;
}

/// Longer than calls may take when the hub itself stops.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_call_under_way_is_not_made_again_because_the_destination_was_changed(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    let url = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            Json(json!({})).into_response()
        }
    })
    .await;
    let receiver = Receiver::start().await;
    let one = shop.destination("slow", &receiver, json!({ "url": url, "timeout_ms": 20_000 })).await;
    shop.friend.says(&shop.account, "once").await;
    while came.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shop.hub.api().patch(&Shop::path(&one), json!({ "name": "slower" })).await.expect(200);
    shop.until(&one, |now| now["lag"]["events"] == 0 && now["last_delivery"]["status"] == 200).await;
    assert_eq!(came.load(Ordering::SeqCst), 1);
    shop.hub.close().await;
}

/// Who asks for a day of patience is left alone, but called again after an hour for other chats, and said to get nothing.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_long_patience_is_said_and_is_not_for_all(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let ann = shop.other_friend("Ann").await;
    let receiver = Receiver::start().await;
    let one = shop.destination("busy", &receiver, json!({})).await;
    receiver.answers_with(StatusCode::SERVICE_UNAVAILABLE, &[("retry-after", "86400")], "");
    shop.friend.says(&shop.account, "tomorrow").await;
    shop.until(&one, |now| now["state"] == "paused" && now["halt"] == "failing").await;
    receiver.answers(StatusCode::OK, "");
    ann.says(&shop.account, "today").await;
    shop.until(&one, |now| now["lag"]["events"] == 1 || now["lag"]["events"] == 0).await;
    shop.hub.advance(59 * MINUTE);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(texts(&receiver.received()), ["tomorrow"]);
    shop.hub.advance(2 * MINUTE);
    come_with(&receiver, "today").await;
    shop.until(&one, |now| now["state"] == "retrying").await;
    assert_eq!(texts(&receiver.received()), ["tomorrow", "today"]);
    shop.hub.advance(24 * 60 * MINUTE);
    shop.until(&one, |now| now["state"] == "healthy").await;
    shop.hub.close().await;
}

/// Somebody has mended the other system and does not want to wait for the next try.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_waits_is_tried_at_once_when_a_person_asks(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::INTERNAL_SERVER_ERROR, "");
    let one = shop.destination("CRM", &receiver, json!({})).await;
    for text in ["1", "2"] {
        shop.friend.says(&shop.account, text).await;
    }
    shop.until(&one, |now| now["retrying"] == 2).await;
    receiver.answers(StatusCode::OK, "");
    // Time stands still here, so that the next try never comes by itself.
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    shop.until(&one, |now| now["retrying"] == 0 && now["state"] == "healthy").await;
    assert_eq!(texts(&receiver.received()), ["1", "1", "2"]);
    shop.hub.close().await;
}
