//! Webhooks: bytes, signature, order, switches, redelivery (PLATFORM 15, 16, 17).

use serde_json::{Value, json};

use crate::stage::{Stage, eventually};

/// PLATFORM 15: headers, escapes, and a signature over exactly the bytes sent.
#[tokio::test]
async fn a_text_becomes_a_signed_webhook() {
    let stage = Stage::new().await;
    let sent = stage.write("hello \u{1F600}").await;
    assert_eq!(sent["delivered"], true);
    let event = stage.receiver.event(2).await;
    assert_eq!(event["webhookEventId"], sent["webhookEventId"]);
    assert_eq!(event["message"]["id"], sent["messageId"]);
    assert_eq!(event["message"]["text"], "hello \u{1F600}");
    assert_eq!(event["source"], json!({"type": "user", "userId": stage.user_id}));
    let (headers, body) = stage.receiver.got.lock().unwrap().last().unwrap().clone();
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["user-agent"], "LineBotWebhook/2.0");
    let signature = headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(&stage.secret, &body, signature));
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains(r"\uD83D\uDE00"), "{text}");
    let body: Value = serde_json::from_str(text).unwrap();
    assert_eq!(body["destination"], stage.bot);
    let deliveries = eventually("the record", async || {
        let items = stage.items(&format!("/deliveries?channelId={}", stage.channel)).await;
        (items.len() == 2).then_some(items)
    })
    .await;
    assert_eq!(deliveries[1]["body"], text);
    assert_eq!(deliveries[1]["signature"], signature);
    assert_eq!((&deliveries[1]["status"], &deliveries[1]["reason"]), (&json!(200), &json!("OK")));
    assert_eq!(deliveries[1]["attempt"], 1);
}
