//! The webhook door through its route, on both databases.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use line_api::signature::sign;
use rstest::rstest;
use tower::ServiceExt as _;

use crate::accounts::testing::{self, SECRET, bot_user_id};
use crate::accounts::{AccountListener, Connected};
use crate::app::Hub;
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::ids::TenantId;
use crate::journal::Entry;

const CHANNEL: &str = "1656000000";

struct Door {
    test: TestHub,
    account: Arc<Connected>,
}

impl Door {
    async fn new(engine: Engine) -> Option<Self> {
        let test = TestHub::new(engine).await?;
        let tenant: TenantId = test.hub.id();
        let account = testing::connected(&test.hub, &tenant, CHANNEL).await;
        Some(Self { test, account })
    }

    fn hub(&self) -> &Hub {
        &self.test.hub
    }

    /// Posts a body that is signed with the account's secret.
    async fn post(&self, body: impl Into<Vec<u8>>) -> StatusCode {
        let body = body.into();
        let signature = sign(SECRET, &body);
        self.post_signed(body, Some(&signature)).await
    }

    async fn post_signed(&self, body: impl Into<Vec<u8>>, signature: Option<&str>) -> StatusCode {
        post(self.hub(), &self.account.webhook_key, body.into(), signature).await
    }

    async fn entries(&self) -> Vec<Entry> {
        self.hub().journal.read(0, 1000).await.unwrap()
    }

    async fn kinds(&self) -> Vec<String> {
        self.entries().await.into_iter().map(|entry| entry.kind).collect()
    }
}

async fn post(hub: &Hub, key: &str, body: Vec<u8>, signature: Option<&str>) -> StatusCode {
    let mut request = Request::post(format!("/webhooks/line/{key}"));
    if let Some(signature) = signature {
        request = request.header("X-Line-Signature", signature);
    }
    let routes = super::routes().with_state(hub.clone());
    let response = routes.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let answer = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(answer, "{}");
    status
}

fn event(id: &str) -> String {
    format!(
        r#"{{"type":"message","webhookEventId":"{id}","timestamp":1767225600000,"mode":"active","deliveryContext":{{"isRedelivery":false}},"source":{{"type":"user","userId":"U1"}},"message":{{"type":"text","id":"1","text":"\ud83d\ude00"}}}}"#
    )
}

fn body(events: &[&str]) -> String {
    format!(r#"{{"destination":"{}","events":[{}]}}"#, bot_user_id(CHANNEL), events.join(","))
}

// S2-23
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_signed_body_is_on_disk_before_200(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let sent = body(&[&event("01A"), &event("01B")]);
    assert_eq!(door.post(sent.as_str()).await, StatusCode::OK);
    let entries = door.entries().await;
    assert_eq!(entries.iter().map(|entry| entry.dedupe_key.as_str()).collect::<Vec<_>>(), ["01A", "01B"]);
    // The exact bytes, with the astral character still escaped (PLATFORM 15, GOTCHAS A2).
    assert_eq!(entries[0].raw.as_deref(), Some(event("01A").as_bytes()));
    assert_eq!(entries[0].event_at.millis(), 1_767_225_600_000);
    assert!(entries[0].account_id == door.account.id.as_str() && entries[0].has_event_id);
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn wrong_and_missing_signatures_are_401(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let sent = body(&[&event("01A")]);
    let other = sign("another secret", sent.as_bytes());
    for signature in [None, Some(""), Some("no base64!"), Some(other.as_str())] {
        assert_eq!(door.post_signed(sent.as_str(), signature).await, StatusCode::UNAUTHORIZED);
    }
    // The signature is over the raw bytes: one blank more is another body.
    let signature = sign(SECRET, sent.as_bytes());
    assert_eq!(door.post_signed(format!("{sent} "), Some(&signature)).await, StatusCode::UNAUTHORIZED);
    assert!(door.entries().await.is_empty());
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_unknown_address_is_404_and_one_of_another_node_is_found(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let (key, signature) = (&door.account.webhook_key, sign(SECRET, b"{\"events\":[]}"));
    assert_eq!(post(door.hub(), "nobody", b"{}".to_vec(), Some(&signature)).await, StatusCode::NOT_FOUND);
    let node = door.test.node("other").await;
    let sent = || b"{\"events\":[]}".to_vec();
    assert_eq!(post(&node, key, sent(), Some(&signature)).await, StatusCode::OK);
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_signed_body_that_is_no_webhook_is_400(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let bodies: [&[u8]; 9] = [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"{\"events\":{}}",
        b"{\"events\":null}",
        b"{\"events\":[]}x",
        // U+0000 as a byte is no JSON, and neither is a byte that is no UTF-8.
        b"{\"events\":[{\"type\":\"a\0b\"}]}",
        b"{\"events\":[\"\xff\"]}",
    ];
    for sent in bodies {
        assert_eq!(door.post(sent).await, StatusCode::BAD_REQUEST, "{}", String::from_utf8_lossy(sent));
    }
    assert!(door.entries().await.is_empty());
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn odd_elements_are_journaled_as_unknown(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(1000));
    let events = ["1", "null", "[]", "\"x\"", "{}", r#"{"type":7}"#, r#"{"type":"tomorrow"}"#, long.as_str()];
    assert_eq!(door.post(body(&events)).await, StatusCode::OK);
    let kinds = door.kinds().await;
    assert_eq!(kinds[..6], ["unknown"; 6].map(str::to_owned));
    assert_eq!(kinds[6], "tomorrow");
    assert_eq!(kinds[7].chars().count(), 64);
    assert!(door.entries().await.iter().all(|entry| !entry.has_event_id));
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn characters_that_databases_refuse_are_kept_in_the_bytes(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let nul = r#"{"type":"a\u0000b","webhookEventId":"01\u0000","message":{"text":"\u0000"}}"#;
    let lone = r#"{"type":"c\ud800","webhookEventId":"02\udc00","x\udfff":"\ud83d"}"#;
    assert_eq!(door.post(body(&[nul, lone])).await, StatusCode::OK);
    let entries = door.entries().await;
    assert_eq!(entries[0].raw.as_deref(), Some(nul.as_bytes()));
    assert_eq!(entries[1].raw.as_deref(), Some(lone.as_bytes()));
    assert_eq!([&*entries[0].kind, &*entries[1].kind], ["a\u{fffd}b", "c\u{fffd}"]);
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_empty_batch_is_200_and_noted(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    assert_eq!(door.post(body(&[])).await, StatusCode::OK);
    assert!(door.entries().await.is_empty());
    let counted = door.account.seen.peek().unwrap();
    assert_eq!(counted.verified_at, Some(door.hub().now()));
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_same_event_twice_is_one_entry(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    // Twice in one body, and again in another (GOTCHAS A3).
    let (first, second) = (event("01A"), event("01B"));
    assert_eq!(door.post(body(&[&first, &first])).await, StatusCode::OK);
    assert_eq!(door.entries().await.len(), 1);
    assert_eq!(door.post(body(&[&first, &second])).await, StatusCode::OK);
    assert_eq!(door.post(body(&[&second])).await, StatusCode::OK);
    assert_eq!(door.entries().await.len(), 2);
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[tokio::test]
async fn a_body_over_the_limit_is_413_and_counted(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let max = door.hub().config.webhook_max;
    let mut fits = body(&[&event("01A")]).into_bytes();
    fits.resize(max, b' ');
    assert_eq!(door.post(fits.clone()).await, StatusCode::OK);
    fits.push(b' ');
    assert_eq!(door.post(fits).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(door.account.seen.peek().unwrap().oversized, 1);
    door.test.close().await;
}

#[tokio::test]
async fn a_body_in_pieces_is_read_whole_and_limited() {
    let Some(door) = Door::new(Engine::Sqlite).await else { return };
    let send = async |pieces: Vec<Vec<u8>>, signed: &[u8]| {
        let stream = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        let request = Request::post(format!("/webhooks/line/{}", door.account.webhook_key))
            .header("x-line-signature", sign(SECRET, signed))
            .body(Body::from_stream(stream))
            .unwrap();
        super::routes().with_state(door.hub().clone()).oneshot(request).await.unwrap().status()
    };
    let sent = body(&[&event("01A")]).into_bytes();
    let pieces: Vec<Vec<u8>> = sent.chunks(7).map(<[u8]>::to_vec).collect();
    assert_eq!(send(pieces, &sent).await, StatusCode::OK);
    assert_eq!(door.entries().await.len(), 1);
    let endless = vec![vec![b' '; 1 << 20]; 64];
    assert_eq!(send(endless, b"").await, StatusCode::PAYLOAD_TOO_LARGE);
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn two_secrets_hold_for_24_hours(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    testing::change_secret(door.hub(), &door.account, "the new secret").await;
    // This node has not heard of the change: it reads the database again before it refuses.
    let (first, second) = (body(&[&event("01A")]), body(&[&event("01B")]));
    let by_new = sign("the new secret", first.as_bytes());
    assert_eq!(door.post_signed(first, Some(&by_new)).await, StatusCode::OK);
    assert_eq!(door.post(second.as_str()).await, StatusCode::OK);
    door.test.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(door.post(second.as_str()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(door.entries().await.len(), 2);
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_a_reissued_secret_signs_waits_and_is_journaled_later(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let by_new = |text: &str| sign("reissued at line", text.as_bytes());
    let (first, second) = (body(&[&event("01A")]), body(&[&event("01B")]));
    let foreign = r#"{"destination":"U9","events":[{"type":"follow"}]}"#;
    for sent in [first.as_str(), second.as_str(), foreign] {
        assert_eq!(door.post_signed(sent, Some(&by_new(sent))).await, StatusCode::UNAUTHORIZED);
    }
    let forged = body(&[&event("01C")]);
    assert_eq!(door.post_signed(forged, Some(&sign("a guess", b""))).await, StatusCode::UNAUTHORIZED);
    assert!(door.entries().await.is_empty());
    let received_at = door.hub().now();
    door.test.clock.advance(Duration::from_secs(3600));
    testing::change_secret(door.hub(), &door.account, "reissued at line").await;
    crate::accounts::service::load(door.hub()).await.unwrap();
    assert_eq!(super::Quarantine.waiting(door.hub(), &door.account.id).await, 3);
    assert_eq!(super::Quarantine.verify_waiting(door.hub(), &door.account.id).await, 2);
    assert_eq!(super::Quarantine.waiting(door.hub(), &door.account.id).await, 1);
    let entries = door.entries().await;
    assert_eq!(entries.iter().map(|entry| entry.dedupe_key.as_str()).collect::<Vec<_>>(), ["01A", "01B"]);
    assert!(entries.iter().all(|entry| entry.received_at == received_at));
    // Going through it again adds nothing; the forged body is gone after a day.
    super::quarantine::tidy(door.hub()).await.unwrap();
    assert_eq!(door.entries().await.len(), 2);
    assert_eq!(super::repo::waiting(&door.hub().db, door.hub().now()).await.unwrap().len(), 1);
    door.test.clock.advance(super::repo::KEPT);
    super::quarantine::tidy(door.hub()).await.unwrap();
    assert!(super::repo::waiting(&door.hub().db, received_at).await.unwrap().is_empty());
    door.test.close().await;
}

// Two processes that hear of a new secret: what one took the other does not count.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_body_is_taken_once(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let row = super::repo::Row {
        id: "q1".to_owned(),
        body: b"{}".to_vec(),
        signature: "s".to_owned(),
        received_at: door.hub().now(),
    };
    let mut tx = door.hub().db.begin().await.unwrap();
    super::repo::keep(&mut tx, &door.account, &row).await.unwrap();
    assert!(super::repo::take(&mut tx, "q1").await.unwrap());
    assert!(!super::repo::take(&mut tx, "q1").await.unwrap());
    tx.commit().await.unwrap();
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_quarantine_has_an_end(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    let now = door.hub().now();
    let mut tx = door.hub().db.begin().await.unwrap();
    let row = |id: String, size: usize| super::repo::Row {
        id,
        body: vec![b' '; size],
        signature: "s".to_owned(),
        received_at: now,
    };
    for n in 0..super::repo::ROOM {
        assert!(super::repo::keep(&mut tx, &door.account, &row(format!("q{n:04}"), 1)).await.unwrap());
    }
    assert!(!super::repo::keep(&mut tx, &door.account, &row("one more".to_owned(), 1)).await.unwrap());
    super::repo::empty(&mut tx, &door.account.id).await.unwrap();
    let big = usize::try_from(super::repo::ROOM_BYTES).unwrap();
    assert!(super::repo::keep(&mut tx, &door.account, &row("big".to_owned(), big / 2)).await.unwrap());
    assert!(
        !super::repo::keep(&mut tx, &door.account, &row("too big".to_owned(), big / 2 + 1)).await.unwrap()
    );
    tx.commit().await.unwrap();
    door.test.close().await;
}

#[tokio::test]
async fn a_journal_that_is_slow_or_full_is_503() {
    let Some(door) = Door::new(Engine::Sqlite).await else { return };
    // Another hand on the journal's file: nothing can be appended while it holds the write lock.
    let blocker = crate::db::open_journal(&door.hub().config.database).await.unwrap();
    let lock = blocker.begin().await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(door.post(body(&[&event("01A")])).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!((1400..2500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    // More than the queue and the batch in the writer's hands can hold: the last ones hear it at once.
    let mut posts = tokio::task::JoinSet::new();
    for n in 0..5000 {
        let (hub, key) = (door.hub().clone(), door.account.webhook_key.clone());
        let sent = body(&[&event(&format!("02{n}"))]);
        let signature = sign(SECRET, sent.as_bytes());
        posts.spawn(async move { post(&hub, &key, sent.into_bytes(), Some(&signature)).await });
    }
    while let Some(status) = posts.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    }
    drop(lock);
    blocker.close().await;
    // What was refused may or may not be there; what comes now is.
    let again = body(&[&event("03")]);
    let mut status = door.post(again.as_str()).await;
    for _ in 0..200 {
        if status == StatusCode::OK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        status = door.post(again.as_str()).await;
    }
    assert_eq!(status, StatusCode::OK);
    assert!(door.entries().await.iter().any(|entry| entry.dedupe_key == "03"));
    door.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_disconnected_account_is_404(#[case] engine: Engine) {
    let Some(door) = Door::new(engine).await else { return };
    // S1-42
    testing::disconnect(door.hub(), &door.account).await;
    assert_eq!(door.post(body(&[&event("01A")])).await, StatusCode::NOT_FOUND);
    assert!(door.entries().await.is_empty());
    door.test.close().await;
}
