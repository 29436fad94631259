//! What OA Manager answers by itself (PLATFORM 22, 26; GOTCHAS F5).

use serde_json::{Value, json};

use crate::stage::Stage;

/// The texts that the account wrote on the friend's phone, each with how it came.
async fn answers(stage: &Stage) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = stage.timeline().await;
    let own = items.iter().filter(|item| item["from"] == "account");
    own.map(|item| (text(&item["via"]), text(&item["message"]["text"]))).collect()
}

async fn respond(stage: &Stage, settings: Value) {
    stage.control("PATCH", &format!("/channels/{}/responses", stage.channel), settings).await.ok();
}

/// GOTCHAS F5: greeting and auto-response are on by default and answer next to the hub.
#[tokio::test]
async fn a_new_account_greets_and_answers_by_itself() {
    let stage = Stage::new().await;
    let new = json!({"providerId": stage.provider, "type": "messaging", "name": "茶行"});
    let new = stage.control("POST", "/channels", new).await.ok();
    assert_eq!((&new["greeting"], &new["autoReply"]), (&json!(true), &json!(true)));
    let channel = new["channelId"].as_str().unwrap();
    stage.act("follow", json!({"channelId": channel})).await;
    let text = json!({"type": "text", "text": "在嗎"});
    stage.act("messages", json!({"channelId": channel, "message": text})).await;
    let items = stage.items(&format!("/users/{}/timeline?channelId={channel}", stage.user)).await;
    let via: Vec<_> = items.iter().map(|item| item["via"].as_str()).collect();
    assert_eq!(via, [Some("manager"), None, Some("manager")]);
    let greeting = items[0]["message"]["text"].as_str().unwrap();
    assert!(greeting.contains("小明") && greeting.contains("茶行"), "{greeting}");
    let japanese = json!({"providerId": stage.provider, "type": "messaging", "name": "茶", "country": "JP"});
    let japanese = stage.control("POST", "/channels", japanese).await.ok();
    let path = format!("/channels/{}/responses", japanese["channelId"].as_str().unwrap());
    let shown = stage.control("GET", &path, Value::Null).await.ok();
    assert!(shown["greetingText"].as_str().unwrap().contains("友だち追加"), "{shown}");
}

/// PLATFORM 22: greeting, auto-response and manual chat do not count.
#[tokio::test]
async fn its_answers_are_free_and_unseen_by_the_api() {
    let stage = Stage::new().await;
    stage.set(json!({"greeting": true, "autoReply": true})).await;
    stage.write("hi").await;
    assert_eq!(answers(&stage).await.len(), 1);
    assert_eq!(stage.get("/v2/bot/message/quota/consumption").await.ok()["totalUsage"], 0);
    let event = stage.receiver.event(2).await;
    stage.reply(event["replyToken"].as_str().unwrap(), "from the bot").await.ok();
    assert_eq!(stage.receiver.events().len(), 2, "its own answers make no event");
    stage.act("unfollow", json!({})).await;
    stage.act("follow", json!({})).await;
    let via: Vec<_> = answers(&stage).await.into_iter().map(|(via, _)| via).collect();
    assert_eq!(via, ["manager", "reply", "manager"], "an unblocked account greets again");
}

#[tokio::test]
async fn keywords_go_before_the_answer_to_everything() {
    let stage = Stage::new().await;
    stage.set(json!({"autoReply": true})).await;
    let replies = json!([{"keywords": [], "text": "any"}, {"keywords": ["hours", " open "], "text": "9 to 18, {Nickname}"}]);
    respond(&stage, json!({"autoReplies": replies})).await;
    for text in ["open", "are you open", "hours"] {
        stage.write(text).await;
    }
    let texts: Vec<_> = answers(&stage).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["9 to 18, 小明", "any", "9 to 18, 小明"]);
    respond(&stage, json!({"autoReplies": []})).await;
    stage.write("open").await;
    assert_eq!(answers(&stage).await.len(), 3);
}

#[tokio::test]
async fn hours_decide_and_groups_are_left_alone() {
    let stage = Stage::new().await;
    stage.set(json!({"autoReply": true})).await;
    let always = json!({"days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00"});
    respond(&stage, json!({"responseHours": always, "autoReplyWhen": "outside"})).await;
    stage.write("inside").await;
    assert!(answers(&stage).await.is_empty());
    respond(&stage, json!({"autoReplyWhen": "inside"})).await;
    stage.write("inside").await;
    assert_eq!(answers(&stage).await.len(), 1);
    let group = json!({"name": "g", "channelId": stage.channel, "members": [stage.user]});
    let group = stage.control("POST", "/groups", group).await.ok()["groupId"].clone();
    stage.act("messages", json!({"group": group, "message": {"type": "text", "text": "hi"}})).await;
    assert_eq!(answers(&stage).await.len(), 1);
}

#[tokio::test]
async fn wrong_response_settings_are_refused_whole() {
    let stage = Stage::new().await;
    let path = format!("/channels/{}/responses", stage.channel);
    let before = stage.control("GET", &path, Value::Null).await.ok();
    for (body, field) in [
        (json!({"greeting": true}), "greeting"),
        (json!({"greetingText": ""}), "greetingText"),
        (json!({"greetingText": "x".repeat(501)}), "greetingText"),
        (json!({"greetingText": "x", "autoReplies": [{"keywords": []}]}), "autoReplies[0].text"),
        (json!({"responseHours": {"days": [8], "from": "09:00", "to": "18:00"}}), "responseHours.days"),
        (json!({"responseHours": {"days": [1], "from": "18:00", "to": "09:00"}}), "responseHours.to"),
        (json!({"responseHours": {"days": [1], "from": "9", "to": "18:00"}}), "responseHours.from"),
        (
            json!({"responseHours": {"days": [1], "from": "9000000000000000000:00", "to": "18:00"}}),
            "responseHours.from",
        ),
        (json!({"autoReplyWhen": "never"}), "autoReplyWhen"),
    ] {
        let answer = stage.control("PATCH", &path, body.clone()).await;
        assert_eq!((answer.status, &answer.json()["field"]), (422, &json!(field)), "{body}");
    }
    assert_eq!(stage.control("GET", &path, Value::Null).await.ok(), before);
    assert_eq!(stage.control("GET", "/channels/1/responses", Value::Null).await.status, 404);
}
