//! Reply and push (PLATFORM 7, 18).

use bytes::Bytes;
use line_client::{LineError, SentMessage, push_body, reply_body};
use serde_json::json;

use crate::fake::*;

const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";

#[tokio::test]
async fn a_reply_is_sent_without_a_retry_key() {
    // PLATFORM 18: a key on reply is refused.
    let fake = Fake::line(|_| sent()).await;
    let out = fake.account().reply("nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", &[text("你好")], false).await.unwrap();
    assert_eq!(out.request_id.as_deref(), Some("req-1"));
    assert!(!out.already_accepted);
    assert_eq!(
        out.messages,
        [SentMessage { id: "461230966842064897".into(), quote_token: Some("IStG5h1Tz7b".into()) }]
    );
    let [call] = &fake.calls()[..] else { panic!("one call") };
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/v2/bot/message/reply"));
    assert_eq!(call.header("x-line-retry-key"), None);
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(
        call.json(),
        json!({"replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", "messages": [{"type": "text", "text": "你好"}]})
    );
}

#[tokio::test]
async fn a_push_carries_its_key() {
    let fake = Fake::line(|_| sent()).await;
    fake.account().push("U1", &[text("hi")], KEY, true).await.unwrap();
    let [call] = &fake.calls()[..] else { panic!("one call") };
    assert_eq!(call.path, "/v2/bot/message/push");
    assert_eq!(call.header("x-line-retry-key"), Some(KEY));
    assert_eq!(call.json(), json!({"to": "U1", "messages": [text("hi")], "notificationDisabled": true}));
}

#[tokio::test]
async fn stored_bytes_go_out_as_they_are() {
    // PLATFORM 18: a repeated request must have the same body. Spaces and order show that nothing is written anew.
    let fake = Fake::line(|_| sent()).await;
    let account = fake.account();
    let stored = Bytes::from_static(br#"{ "to":"U1",  "messages":[{"text":"\u4f60","type":"text"}] }"#);
    account.push_raw(stored.clone(), KEY).await.unwrap();
    account.push_raw(stored.clone(), KEY).await.unwrap();
    account.reply_raw(stored.clone()).await.unwrap();
    assert!(fake.calls().iter().all(|call| call.body == stored));
}

#[test]
fn bodies_are_stable() {
    let one = json!({"type": "text", "text": "a", "quickReply": {"items": []}});
    let same = json!({"quickReply": {"items": []}, "text": "a", "type": "text"});
    assert_eq!(
        push_body("U1", std::slice::from_ref(&one), false, &[]),
        push_body("U1", std::slice::from_ref(&same), false, &[])
    );
    assert_eq!(reply_body("t", std::slice::from_ref(&one), true), reply_body("t", &[same], true));
    assert_ne!(push_body("U1", std::slice::from_ref(&one), false, &[]), push_body("U1", &[one], true, &[]));
}

#[tokio::test]
async fn a_key_accepted_before_is_success() {
    // PLATFORM 18: 409 with the first request's ID and its messages.
    let fake = Fake::line(|_| {
        let mut response = answer(
            409,
            &json!({"message": "The retry key is already accepted", "sentMessages": [{"id": "1"}, {"id": "2"}]}),
        );
        response.headers_mut().insert("x-line-accepted-request-id", "req-0".parse().unwrap());
        response
    })
    .await;
    let out = fake.account().push("U1", &[text("a"), text("b")], KEY, false).await.unwrap();
    assert!(out.already_accepted);
    assert_eq!(out.request_id.as_deref(), Some("req-0"));
    assert_eq!(out.messages.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn a_409_that_says_no_more_is_success_too() {
    // Status first (GOTCHAS I4).
    for body in ["", "{}", "<html>", r#"{"message":"The retry key is already accepted"}"#] {
        let fake = Fake::line(move |_| raw(409, "text/plain", body)).await;
        let out = fake.account().push("U1", &[text("a")], KEY, false).await.unwrap();
        assert!(out.already_accepted && out.messages.is_empty() && out.request_id.is_none(), "{body}");
    }
}

#[tokio::test]
async fn a_409_to_a_reply_is_a_refusal() {
    let fake = Fake::line(|_| answer(409, &json!({"message": "?"}))).await;
    let error = fake.account().reply("t", &[text("a")], false).await.unwrap_err();
    assert!(matches!(error, LineError::Refused { status: 409, .. }));
}

#[tokio::test]
async fn a_dead_reply_token_is_told_from_other_refusals() {
    // PLATFORM 5, 7: used, expired and unknown tokens share one text; a malformed one has another.
    for (status, message, dead) in [
        (400, "Invalid reply token", true),
        (400, "invalid reply token", true),
        (400, "The property, 'replyToken', in the request body is invalid (line: 1, column: 15)", false),
        (400, "The request body has 1 error(s)", false),
        (404, "Invalid reply token", false),
    ] {
        let fake = Fake::line(move |_| answer(status, &json!({"message": message}))).await;
        let error = fake.account().reply("t", &[text("a")], false).await.unwrap_err();
        assert_eq!(error.is_invalid_reply_token(), dead, "{status} {message}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_not_sent_and_never_will_be() {
    let fake = Fake::line(|_| sent()).await;
    let error = fake.account().push("U1", &[text("a")], "a\r\nb", false).await.unwrap_err();
    assert!(matches!(error, LineError::NotSent { .. }) && !error.is_transient());
    assert!(fake.calls().is_empty());
}
