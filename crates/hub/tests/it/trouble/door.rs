//! What arrives at the webhook's address (ARCHITECTURE section 1, points 1 and 2).

use std::time::Duration;

use line_api::signature::sign;
use rstest::rstest;
use serde_json::json;
use testkit::{Engine, TestHub};

use super::*;

// S2-23
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_wrong_or_missing_signature_is_401_and_leaves_nothing(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let body = letter(&account, &[text_event(&hub, STRANGER, 1, "forged", 0)]);
    let good = sign(&account.channel_secret, body.as_bytes());
    let other = sign("0123456789abcdef0123456789abcdef", body.as_bytes());
    for signature in [None, Some(""), Some("no base64!"), Some(other.as_str())] {
        assert_eq!(post(&account.webhook_url, body.as_str(), signature).await, 401, "{signature:?}");
    }
    // The signature is over the exact bytes: the same JSON with one blank more is another body.
    assert_eq!(post(&account.webhook_url, format!("{body} "), Some(&good)).await, 401);
    hub.settle().await;
    assert!(all(hub.api(), "/events").await.is_empty());
    assert!(all(hub.api(), "/conversations").await.is_empty());
    assert!(all(hub.api(), "/contacts").await.is_empty());
    // The refusals have not closed the door.
    assert_eq!(post(&account.webhook_url, body, Some(&good)).await, 200);
    hub.settle().await;
    assert_eq!(transcript(&hub).await, [("in".to_owned(), "forged".to_owned())]);
    hub.close().await;
}

// GOTCHAS F2: what the new secret signs waits until a person saves it, and the old one holds for 24 hours.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_secret_reissued_at_line_loses_nothing_once_it_is_saved(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("林小晴").await;
    friend.says(&account, "before").await;
    let channel = format!("/channels/{}", account.channel_id);
    let new = text(&hub.control.post(&format!("{channel}/secret"), json!({})).await["channelSecret"]);
    friend.says(&account, "while LINE's secret is another").await;
    friend.says(&account, "and once more").await;
    hub.settle().await;
    assert_eq!(transcript(&hub).await.len(), 1, "what no secret of ours signs is not shown");

    // A wrong secret is refused by LINE's own word, and changes nothing.
    let path = format!("/accounts/{}", account.id);
    let wrong = json!({ "channel_secret": "0123456789abcdef0123456789abcdef" });
    let refused = hub.api().patch(&path, wrong).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "channel_secret", "{refused}");
    hub.settle().await;
    assert_eq!(transcript(&hub).await.len(), 1);

    let _ = hub.api().patch(&path, json!({ "channel_secret": new })).await.expect(200);
    friend.says(&account, "after").await;
    hub.settle().await;
    let said = ["before", "while LINE's secret is another", "and once more", "after"];
    let said: Vec<_> = said.iter().map(|text| ("in".to_owned(), (*text).to_owned())).collect();
    assert_eq!(transcript(&hub).await, said);

    // What LINE signed before the change and sends again is still taken, and adds nothing.
    let old = letter(&account, &[text_event(&hub, &friend.id, 1, "on its way", 0)]);
    assert_eq!(post_signed(&account, old.as_str()).await, 200);
    assert_eq!(post_signed(&account, old.as_str()).await, 200);
    hub.advance(Duration::from_secs(24 * 3600));
    let late = letter(&account, &[text_event(&hub, &friend.id, 2, "too late", 0)]);
    assert_eq!(post_signed(&account, late).await, 401);
    hub.settle().await;
    let shown = transcript(&hub).await;
    assert_eq!((shown.len(), shown[4].1.as_str()), (5, "on its way"));
    hub.close().await;
}

// CONTRACT "Connecting": after DELETE the old webhook address answers 404 from then on. S1-42
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_unknown_account_is_404_and_so_is_a_disconnected_one(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let body = letter(&account, &[text_event(&hub, STRANGER, 1, "hello", 0)]);
    let signature = sign(&account.channel_secret, body.as_bytes());
    let nobody = hub.url.join("/webhooks/line/nobody").unwrap();
    assert_eq!(post(&nobody, body.as_str(), Some(&signature)).await, 404);
    // A key with characters that PostgreSQL does not take is unknown like any other.
    let odd = hub.url.join("/webhooks/line/%00%ff").unwrap();
    let refused =
        reqwest::Client::builder().no_proxy().build().unwrap().post(odd).body("{}").send().await.unwrap();
    assert!([400, 404].contains(&refused.status().as_u16()), "{}", refused.status());
    assert_eq!(hub.api().delete(&format!("/accounts/{}", account.id)).await.status, 204);
    assert_eq!(post(&account.webhook_url, body, Some(&signature)).await, 404);
    hub.settle().await;
    assert!(all(hub.api(), "/events").await.is_empty());
    hub.close().await;
}

// CONTRACT "Journal": 413 is counted; TRUNKLINE_WEBHOOK_MAX raises the limit, which is 1 MiB.
#[tokio::test]
async fn a_body_over_the_limit_is_413_and_one_at_the_limit_is_taken() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let mut body = letter(&account, &[text_event(&hub, STRANGER, 1, "large", 0)]).into_bytes();
    body.resize((1 << 20) + 1, b' ');
    assert_eq!(post_signed(&account, body.clone()).await, 413);
    body.pop();
    assert_eq!(post_signed(&account, body.clone()).await, 200);
    // Much larger is refused as well, and the sender gets to read why.
    body.resize(6 << 20, b' ');
    assert_eq!(post_signed(&account, body).await, 413);
    hub.settle().await;
    assert_eq!(transcript(&hub).await.len(), 1);
    hub.close().await;

    let Some(hub) = TestHub::new().webhook_max(2 << 20).start().await else { return };
    let account = hub.connect_account().await;
    let mut body = letter(&account, &[text_event(&hub, STRANGER, 1, "large", 0)]).into_bytes();
    body.resize(2 << 20, b' ');
    assert_eq!(post_signed(&account, body.clone()).await, 200);
    body.push(b' ');
    assert_eq!(post_signed(&account, body).await, 413);
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_signed_body_that_is_no_webhook_is_400(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let bodies: [&[u8]; 8] = [
        b"",
        b"not json",
        b"[]",
        b"{\"destination\":\"U1\"}",
        b"{\"events\":{}}",
        b"{\"events\":[]}{}",
        b"{\"events\":[{\"type\":\"message\xff\"}]}",
        b"{\"events\":[{\"type\":\"mess\0age\"}]}",
    ];
    for body in bodies {
        assert_eq!(post_signed(&account, body).await, 400, "{}", String::from_utf8_lossy(body));
    }
    hub.settle().await;
    assert!(all(hub.api(), "/events").await.is_empty());
    hub.close().await;
}

// LINE's own test sends no events (PLATFORM 6): 200, and nothing appears anywhere.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn empty_events_are_200_and_leave_nothing(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    assert_eq!(post_signed(&account, letter(&account, &[])).await, 200);
    let path = format!("/accounts/{}/webhook-test", account.id);
    let tested = hub.api().post(&path, json!({})).await.expect(200);
    assert_eq!((&tested["success"], &tested["status_code"]), (&json!(true), &json!(200)));
    hub.settle().await;
    assert!(all(hub.api(), "/events").await.is_empty());
    assert!(all(hub.api(), "/conversations").await.is_empty());
    hub.close().await;
}
