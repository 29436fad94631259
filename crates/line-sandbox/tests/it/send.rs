//! Reply and push (PLATFORM 7, 17, 18, 22).

use serde_json::json;

use crate::stage::Stage;

/// PLATFORM 17: one use, within a minute of receipt.
#[tokio::test]
async fn a_reply_is_free_and_single_use() {
    let stage = Stage::new().await;
    stage.write("hi").await;
    let token = stage.receiver.event(2).await["replyToken"].as_str().unwrap().to_owned();
    let sent = stage.reply(&token, "welcome").await.ok();
    assert_eq!(sent["sentMessages"].as_array().unwrap().len(), 1);
    stage.reply(&token, "again").await.refused(400, "Invalid reply token");
    let timeline = stage.timeline().await;
    assert_eq!(timeline.len(), 2);
    assert_eq!(timeline[1]["from"], "account");
    assert_eq!(timeline[1]["via"], "reply");
    assert_eq!(timeline[1]["message"], json!({"type": "text", "text": "welcome"}));
    assert_eq!(stage.get("/v2/bot/message/quota/consumption").await.ok()["totalUsage"], 0);
}

#[tokio::test]
async fn a_push_reaches_a_friend_and_counts() {
    let stage = Stage::new().await;
    let answer = stage.push(&stage.user_id, "news").await;
    assert_eq!(answer.header("x-line-request-id").len(), 36);
    answer.ok();
    assert_eq!(stage.timeline().await[0]["via"], "push");
    assert_eq!(stage.get("/v2/bot/message/quota/consumption").await.ok()["totalUsage"], 1);
    assert_eq!(stage.get("/v2/bot/info").await.ok()["displayName"], "茶店");
    assert_eq!(stage.get(&format!("/v2/bot/profile/{}", stage.user_id)).await.ok()["displayName"], "小明");
    let test = stage.line("POST", "/v2/bot/channel/webhook/test", json!({})).await.ok();
    assert_eq!((&test["success"], &test["detail"]), (&json!(true), &json!("200")));
}
