//! Profiles, groups, content, read marks and the loading animation (PLATFORM 6, 9, 17).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::stage::Stage;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot really a picture";

async fn send_media(stage: &Stage, mut message: Value) -> String {
    message["contentBase64"] = STANDARD.encode(PNG).into();
    stage.act("messages", json!({"message": message})).await["messageId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn content_is_served_until_it_is_taken_back() {
    let stage = Stage::new().await;
    let image = send_media(&stage, json!({"type": "image"})).await;
    let event = stage.receiver.event(2).await;
    assert_eq!(event["message"]["contentProvider"], json!({"type": "line"}));
    for part in ["content", "content/preview"] {
        let answer = stage.get(&format!("/v2/bot/message/{image}/{part}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "image/png"));
        assert_eq!(answer.bytes, PNG);
    }
    stage
        .get(&format!("/v2/bot/message/{image}/content/transcoding"))
        .await
        .refused(400, "Transcoding status doesn't support this type of content");
    stage.act("unsend", json!({"messageId": image})).await;
    stage.get(&format!("/v2/bot/message/{image}/content")).await.refused(410, "The content is gone");
    stage.get("/v2/bot/message/1/content").await.refused(404, "not found");
    let file = send_media(&stage, json!({"type": "file", "fileName": "menu.pdf"})).await;
    let answer = stage.get(&format!("/v2/bot/message/{file}/content")).await;
    assert_eq!(answer.header("content-type"), "application/pdf");
    stage
        .get(&format!("/v2/bot/message/{file}/content/preview"))
        .await
        .refused(400, "The content can not be previewed");
}

/// PLATFORM 6: 202 while LINE prepares a large video.
#[tokio::test]
async fn a_video_can_take_its_time() {
    let stage = Stage::new().await;
    let video = send_media(&stage, json!({"type": "video", "duration": 900, "preparingMs": 30_000})).await;
    let state = format!("/v2/bot/message/{video}/content/transcoding");
    assert_eq!(stage.get(&format!("/v2/bot/message/{video}/content")).await.status, 202);
    assert_eq!(stage.get(&state).await.ok()["status"], "processing");
    stage.advance(30_000).await;
    assert_eq!(stage.get(&state).await.ok()["status"], "succeeded");
    assert_eq!(stage.get(&format!("/v2/bot/message/{video}/content")).await.status, 200);
    send_media(&stage, json!({"type": "video", "preparingMs": i64::MAX})).await;
    let failing = json!({"type": "audio", "preparingMs": 5, "preparingFails": true});
    let audio = send_media(&stage, failing).await;
    stage.advance(5).await;
    assert_eq!(
        stage.get(&format!("/v2/bot/message/{audio}/content/transcoding")).await.ok()["status"],
        "failed"
    );
}

/// PLATFORM 9: a profile is a friend's.
#[tokio::test]
async fn a_profile_needs_a_friend() {
    let stage = Stage::new().await;
    let path = format!("/v2/bot/profile/{}", stage.user_id);
    let profile = json!({"displayName": "小明", "userId": stage.user_id, "language": "zh-TW"});
    assert_eq!(stage.get(&path).await.ok(), profile);
    stage.get("/v2/bot/profile/me").await.refused(400, "The value for the 'userId' parameter is invalid");
    stage.get(&format!("/v2/bot/profile/U{}", "0".repeat(32))).await.refused(404, "Not found");
    stage.act("unfollow", json!({})).await;
    stage.get(&path).await.refused(404, "Not found");
}

#[tokio::test]
async fn the_account_knows_itself() {
    let stage = Stage::new().await;
    stage
        .set(json!({"chatMode": "chat", "markAsReadMode": "manual", "pictureUrl": "https://a.example/p.png"}))
        .await;
    let info = stage.get("/v2/bot/info").await.ok();
    assert_eq!(info["userId"], stage.bot);
    assert_eq!(info["displayName"], "茶店");
    assert_eq!((&info["chatMode"], &info["markAsReadMode"]), (&json!("chat"), &json!("manual")));
    assert_eq!(info["pictureUrl"], "https://a.example/p.png");
}

#[tokio::test]
async fn groups_tell_about_their_members_until_the_account_leaves() {
    for (kind, letter) in [("group", 'C'), ("room", 'R')] {
        let stage = Stage::new().await;
        let body = json!({"kind": kind, "name": "Team", "channelId": stage.channel, "members": [stage.user]});
        let group = stage.control("POST", "/groups", body).await.ok()["groupId"].as_str().unwrap().to_owned();
        assert!(group.starts_with(letter));
        let event = stage.receiver.event(2).await;
        assert_eq!((&event["type"], event.get("replyToken").is_some()), (&json!("join"), true));
        assert_eq!(event["source"].get("userId"), None);
        let base = format!("/v2/bot/{kind}/{group}");
        if kind == "group" {
            let summary = stage.get(&format!("{base}/summary")).await.ok();
            assert_eq!(summary, json!({"groupId": group, "groupName": "Team"}));
        }
        assert_eq!(stage.get(&format!("{base}/members/count")).await.ok(), json!({"count": 1}));
        let parameter = format!("The value for the '{kind}Id' parameter is invalid");
        stage.get(&format!("/v2/bot/{kind}/x/members/count")).await.refused(400, &parameter);
        let member = stage.get(&format!("{base}/member/{}", stage.user_id)).await.ok();
        assert_eq!(member, json!({"displayName": "小明", "userId": stage.user_id}));
        stage.line("POST", &format!("{base}/leave"), Value::Null).await.ok();
        stage.get(&format!("{base}/members/count")).await.refused(404, "Not found");
        stage.push(&group, "hello?").await.refused(400, "Failed to send messages");
    }
}

/// PLATFORM 9, 17: in manual mode a message is read when the bot says so.
#[tokio::test]
async fn the_account_marks_messages_as_read() {
    let stage = Stage::new().await;
    stage.set(json!({"markAsReadMode": "manual"})).await;
    stage.write("one").await;
    stage.write("two").await;
    let token = stage.receiver.event(2).await["message"]["markAsReadToken"].clone();
    let read =
        async || -> Vec<Value> { stage.timeline().await.iter().map(|item| item["read"].clone()).collect() };
    assert_eq!(read().await, [false, false]);
    stage.line("POST", "/v2/bot/chat/markAsRead", json!({"markAsReadToken": token})).await.ok();
    assert_eq!(read().await, [true, false]);
    stage.line("POST", "/v2/bot/chat/markAsRead", json!({"markAsReadToken": "x"})).await.refused(
        400,
        "Invalid markAsReadToken. Tokens must be used by the bot that received them via Webhook.",
    );
    stage.push(&stage.user_id, "seen?").await.ok();
    assert_eq!(stage.act("read", json!({})).await["read"], 1);
    assert_eq!(stage.timeline().await[2]["read"], true);
}

#[tokio::test]
async fn loading_has_limits() {
    let stage = Stage::new().await;
    let start = async |seconds: i64| {
        let body = json!({"chatId": stage.user_id, "loadingSeconds": seconds});
        stage.line("POST", "/v2/bot/chat/loading/start", body).await
    };
    assert_eq!(start(20).await.status, 202);
    assert_eq!(start(61).await.json()["details"][0]["message"], "Must be between 5 and 60");
    assert_eq!(start(7).await.json()["details"][0]["message"], "must be a multiple of five");
    let group = json!({"chatId": format!("C{}", "0".repeat(32))});
    assert_eq!(stage.line("POST", "/v2/bot/chat/loading/start", group).await.status, 400);
}

/// GOTCHAS G3, PLATFORM 2: content is on LINE's data host alone. By the names that tell the two apart the sandbox is as strict.
#[tokio::test]
async fn names_of_hosts_tell_content_from_the_rest() {
    let stage = Stage::new().await;
    let image = send_media(&stage, json!({"type": "image"})).await;
    let content = format!("/v2/bot/message/{image}/content");
    let preview = format!("{content}/preview");
    let status = async |host: &str, path: &str| {
        let request = stage.http.get(format!("{}{path}", stage.base)).bearer_auth(&stage.token);
        stage.send(request.header("host", host)).await.unwrap().status
    };
    for (host, data, other) in [
        ("127.0.0.1", 200, 200),
        ("localhost:8090", 200, 200),
        ("api.localhost:8090", 404, 200),
        ("api-data.localhost:8090", 200, 404),
    ] {
        let got = (status(host, &content).await, status(host, &preview).await);
        assert_eq!((got, status(host, "/v2/bot/info").await), ((data, data), other), "{host}");
    }
}
