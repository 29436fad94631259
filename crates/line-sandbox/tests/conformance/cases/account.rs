//! Webhook settings, content, profile, groups, chat state (PLATFORM 6, 9).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Calls, Check, NO_GROUP, NO_ROOM, NOBODY, calls};
use crate::stage::Stage;

pub(super) async fn run() -> Calls {
    let stage = Stage::new().await;
    webhook(&stage).await;
    content(&stage).await;
    people(&stage).await;
    groups(&stage).await;
    chat(&stage).await;
    calls(&stage).await
}

async fn webhook(stage: &Stage) {
    const PATH: &str = "/v2/bot/channel/webhook/endpoint";
    const TEST: &str = "/v2/bot/channel/webhook/test";
    assert_eq!(stage.get(PATH).await.is(200), json!({"endpoint": stage.receiver.url, "active": true}));
    for address in ["http://shop.example/hook", "nonsense"] {
        stage.line("PUT", PATH, json!({"endpoint": address})).await.says(400, "Invalid webhook endpoint URL");
    }
    stage.line("PUT", PATH, json!({"endpoint": stage.receiver.url})).await.is(200);
    let tested = stage.line("POST", TEST, json!({})).await.is(200);
    assert_eq!(
        (&tested["success"], &tested["reason"], &tested["detail"]),
        (&json!(true), &json!("OK"), &json!("200"))
    );
    stage.line("POST", TEST, json!({"endpoint": "nonsense"})).await.is(400);
    let body = json!({"providerId": stage.provider, "type": "messaging", "name": "No address"});
    let other = stage.control("POST", "/channels", body).await.ok();
    let secret = stage
        .stateless_token(other["channelId"].as_str().unwrap(), other["channelSecret"].as_str().unwrap())
        .await;
    let token = secret.is(200)["access_token"].as_str().unwrap().to_owned();
    let get = stage.send(stage.request("GET", PATH).bearer_auth(&token)).await.unwrap();
    get.says(404, "Webhook endpoint not found");
    let test = stage.request("POST", TEST).bearer_auth(&token).json(&json!({}));
    stage.send(test).await.unwrap().is(404);
}

async fn content(stage: &Stage) {
    let send = async |message: Value| {
        let mut message = message;
        message["contentBase64"] = STANDARD.encode(b"\x89PNG\r\n\x1a\n.").into();
        stage.act("messages", json!({"message": message})).await["messageId"].as_str().unwrap().to_owned()
    };
    let at = |id: &str, part: &str| format!("/v2/bot/message/{id}/content{part}");
    let image = send(json!({"type": "image"})).await;
    for part in ["", "/preview"] {
        let answer = stage.get(&at(&image, part)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "image/png"));
    }
    let transcoding = "Transcoding status doesn't support this type of content";
    stage.get(&at(&image, "/transcoding")).await.says(400, transcoding);
    let video = send(json!({"type": "video", "duration": 900, "preparingMs": 30_000})).await;
    stage.get(&at(&video, "")).await.is(202);
    assert_eq!(stage.get(&at(&video, "/transcoding")).await.is(200), json!({"status": "processing"}));
    let file = send(json!({"type": "file", "fileName": "menu.pdf"})).await;
    stage.get(&at(&file, "/preview")).await.says(400, "The content can not be previewed");
    for id in [&image, &video] {
        stage.act("unsend", json!({"messageId": id})).await;
    }
    for part in ["", "/preview", "/transcoding"] {
        stage.get(&at("1", part)).await.says(404, "not found");
    }
    stage.get(&at(&image, "")).await.says(410, "The content is gone");
    stage.get(&at(&image, "/preview")).await.says(410, "The content is gone");
    stage.get(&at(&video, "/transcoding")).await.says(410, "The content is gone");
}

async fn people(stage: &Stage) {
    let profile = stage.get(&format!("/v2/bot/profile/{}", stage.user_id)).await.is(200);
    assert_eq!(profile, json!({"displayName": "小明", "userId": stage.user_id, "language": "zh-TW"}));
    stage.get("/v2/bot/profile/me").await.says(400, "The value for the 'userId' parameter is invalid");
    stage.get(&format!("/v2/bot/profile/{NOBODY}")).await.says(404, "Not found");
    let info = stage.get("/v2/bot/info").await.is(200);
    assert_eq!((&info["userId"], &info["chatMode"]), (&json!(stage.bot), &json!("bot")));
}

async fn groups(stage: &Stage) {
    stage.set(json!({"accountType": "verified"})).await;
    for (kind, nowhere) in [("group", NO_GROUP), ("room", NO_ROOM)] {
        let body = json!({"name": "Team", "channelId": stage.channel, "members": [stage.user], "kind": kind});
        let made = stage.control("POST", "/groups", body).await.ok();
        let id = made["groupId"].as_str().unwrap();
        assert!(id.starts_with(&nowhere[..1]), "{kind} {id}");
        let base = format!("/v2/bot/{kind}");
        let bad = format!("The value for the '{kind}Id' parameter is invalid");
        if kind == "group" {
            assert_eq!(stage.get(&format!("{base}/{id}/summary")).await.is(200)["groupName"], "Team");
            stage.get(&format!("{base}/{nowhere}/summary")).await.says(404, "Not found");
            stage.get(&format!("{base}/nonsense/summary")).await.says(400, &bad);
        }
        assert_eq!(stage.get(&format!("{base}/{id}/members/count")).await.is(200), json!({"count": 1}));
        stage.get(&format!("{base}/{nowhere}/members/count")).await.says(404, "Not found");
        stage.get(&format!("{base}/nonsense/members/count")).await.says(400, &bad);
        assert_eq!(
            stage.get(&format!("{base}/{id}/members/ids")).await.is(200),
            json!({"memberIds": [stage.user_id]})
        );
        stage.get(&format!("{base}/{nowhere}/members/ids")).await.says(404, "Not found");
        stage.get(&format!("{base}/nonsense/members/ids")).await.says(400, &bad);
        stage.get(&format!("{base}/{id}/members/ids?start=x")).await.says(400, "Invalid start param");
        let member = stage.get(&format!("{base}/{id}/member/{}", stage.user_id)).await.is(200);
        assert_eq!(member, json!({"displayName": "小明", "userId": stage.user_id}));
        stage.get(&format!("{base}/{id}/member/{NOBODY}")).await.says(404, "Not found");
        stage
            .get(&format!("{base}/{id}/member/me"))
            .await
            .says(400, "The value for the 'userId' parameter is invalid");
        let leave = async |id: &str| stage.line("POST", &format!("{base}/{id}/leave"), Value::Null).await;
        leave("nonsense").await.says(400, &bad);
        leave(nowhere).await.says(404, "Not found");
        assert_eq!(leave(id).await.is(200), json!({}));
    }
    stage.set(json!({"accountType": "unverified"})).await;
    for path in [
        "followers/ids".to_owned(),
        format!("group/{NO_GROUP}/members/ids"),
        format!("room/{NO_ROOM}/members/ids"),
    ] {
        stage
            .get(&format!("/v2/bot/{path}"))
            .await
            .says(403, "Access to this API is not available for your account");
    }
}

async fn chat(stage: &Stage) {
    stage.set(json!({"accountType": "premium", "chatMode": "chat", "markAsReadMode": "manual"})).await;
    assert_eq!(stage.get("/v2/bot/followers/ids").await.is(200), json!({"userIds": [stage.user_id]}));
    stage.get("/v2/bot/followers/ids?start=x").await.says(400, "Invalid start param");
    const LOADING: &str = "/v2/bot/chat/loading/start";
    let load = async |body: Value| stage.line("POST", LOADING, body).await;
    assert_eq!(load(json!({"chatId": stage.user_id})).await.is(202), json!({}));
    load(json!({"chatId": stage.user_id, "loadingSeconds": 65}))
        .await
        .finds("loadingSeconds", "Must be between 5 and 60");
    load(json!({"chatId": stage.user_id, "loadingSeconds": 7}))
        .await
        .finds("loadingSeconds", "must be a multiple of five");
    let only = "Only user id is acceptable, please confirm if there are any group/room ids or illegal ids.";
    load(json!({"chatId": NO_GROUP})).await.finds("chatId", only);
    let before = stage.receiver.events().len();
    stage.write("read me").await;
    let event = stage.receiver.event(before + 1).await;
    let read = async |token: Value| {
        stage.line("POST", "/v2/bot/chat/markAsRead", json!({"markAsReadToken": token})).await
    };
    read(event["message"]["markAsReadToken"].clone()).await.is(200);
    let invalid = "Invalid markAsReadToken. Tokens must be used by the bot that received them via Webhook.";
    read(json!("nonsense")).await.says(400, invalid);
    const OLD: &str = "/v2/bot/message/markAsRead";
    let old = json!({"chat": {"userId": stage.user_id}});
    let refused = stage.line("POST", OLD, old.clone()).await;
    refused.says(403, "Access to this API is not available for your account");
    stage.set(json!({"partner": true})).await;
    assert_eq!(stage.line("POST", OLD, old).await.is(200), json!({}));
    stage.line("POST", OLD, json!({"chat": {}})).await.is(400);
    let link = format!("/v2/bot/user/{}/linkToken", stage.user_id);
    assert!(stage.line("POST", &link, Value::Null).await.is(200)["linkToken"].is_string());
    stage.line("POST", "/v2/bot/user/me/linkToken", Value::Null).await.is(400);
}
