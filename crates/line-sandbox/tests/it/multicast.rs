//! Multicast and broadcast (PLATFORM 7, 18, 22).

use serde_json::{Value, json};

use crate::crowd::text;
use crate::stage::{Answer, Stage};

const MULTICAST: &str = "/v2/bot/message/multicast";
const BROADCAST: &str = "/v2/bot/message/broadcast";
const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";

async fn multicast(stage: &Stage, to: &[&str]) -> Answer {
    stage.line("POST", MULTICAST, json!({"to": to, "messages": text("news")})).await
}

async fn with_key(stage: &Stage, path: &str, body: &Value) -> Answer {
    let request = stage.request("POST", path).bearer_auth(&stage.token).json(body);
    stage.send(request.header("X-Line-Retry-Key", KEY)).await.unwrap()
}

/// PLATFORM 7: who blocks the account or is a stranger is accepted, not reached and not counted.
#[tokio::test]
async fn a_multicast_reaches_friends_and_counts_them() {
    let stage = Stage::new().await;
    let friends = stage.friends(2, |_| json!({})).await;
    let blocker = stage.friends(1, |_| json!({})).await.remove(0);
    stage.by(&blocker, "unfollow", json!({})).await;
    let stranger = stage.person(json!({})).await;
    let ids =
        [&friends[0], &friends[1], &blocker, &stranger, &friends[0]].map(|friend| friend.user_id.as_str());
    assert_eq!(multicast(&stage, &ids).await.ok(), json!({}));
    for friend in &friends {
        let shown = stage.phone(friend).await;
        assert_eq!((shown.len(), &shown[0]["via"]), (1, &json!("multicast")));
        assert_eq!(shown[0]["message"], text("news")[0]);
    }
    assert!(stage.phone(&blocker).await.is_empty());
    assert!(stage.phone(&stranger).await.is_empty());
    assert_eq!(stage.used().await, 2);
}

/// PLATFORM 7: one malformed or foreign ID refuses the whole call and is named, without quotes; 1 to 500 IDs, no groups.
#[tokio::test]
async fn one_bad_id_refuses_a_multicast() {
    let stage = Stage::new().await;
    let foreign = format!("U{}", "0".repeat(32));
    let group = format!("C{}", "0".repeat(32));
    for bad in ["someone", &foreign, &group] {
        let answer = multicast(&stage, &[&stage.user_id, bad]).await;
        answer.refused(400, "The property, to[1], in the request body is invalid (line: -, column: -)");
    }
    assert!(stage.timeline().await.is_empty());
    let many = vec![stage.user_id.as_str(); 501];
    for to in [&many[..], &[]] {
        let answer = multicast(&stage, to).await;
        answer.refused(400, "The request body has 1 error(s)");
        assert_eq!(answer.json()["details"][0]["message"], "Size must be between 1 and 500");
    }
    multicast(&stage, &many[..500]).await.ok();
    assert_eq!((stage.timeline().await.len(), stage.used().await), (1, json!(1)));
    let body = json!({"messages": text("x")});
    let answer = stage.line("POST", MULTICAST, body).await;
    assert_eq!(answer.json()["details"][0]["property"], "to");
}

/// PLATFORM 22: what does not fit the quota goes to nobody.
#[tokio::test]
async fn a_send_beyond_the_quota_goes_to_nobody() {
    let stage = Stage::new().await;
    let friends = stage.friends(2, |_| json!({})).await;
    stage.set(json!({"monthlyQuota": 2})).await;
    let ids: Vec<&str> = friends.iter().map(|friend| friend.user_id.as_str()).collect();
    let three = [ids[0], ids[1], &stage.user_id];
    multicast(&stage, &three).await.refused(429, "You have reached your monthly limit.");
    let body = json!({"messages": text("all")});
    stage.line("POST", BROADCAST, body).await.refused(429, "You have reached your monthly limit.");
    assert!(stage.phone(&friends[0]).await.is_empty());
    multicast(&stage, &ids).await.ok();
    assert_eq!(stage.used().await, 2);
}

/// PLATFORM 7: a broadcast goes to all friends.
#[tokio::test]
async fn a_broadcast_reaches_all_friends() {
    let stage = Stage::new().await;
    let friends = stage.friends(3, |_| json!({})).await;
    stage.by(&friends[2], "unfollow", json!({})).await;
    let stranger = stage.person(json!({})).await;
    let messages = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    assert_eq!(stage.line("POST", BROADCAST, json!({"messages": messages})).await.ok(), json!({}));
    for friend in &friends[..2] {
        let shown = stage.phone(friend).await;
        let texts: Vec<_> = shown.iter().map(|item| &item["message"]["text"]).collect();
        assert_eq!(texts, ["a", "b"]);
        assert_eq!(shown[1]["via"], "broadcast");
    }
    assert!(stage.phone(&friends[2]).await.is_empty());
    assert!(stage.phone(&stranger).await.is_empty());
    // The friend of the stage and two others.
    assert_eq!(stage.used().await, 3);
}

/// PLATFORM 18: all four sends take a key; `sentMessages` is a push's alone. No other call takes one.
#[tokio::test]
async fn a_retry_key_holds_for_every_send() {
    for (path, body, status) in [
        (MULTICAST, json!({"to": ["ID"], "messages": text("x")}), 200),
        (BROADCAST, json!({"messages": text("x")}), 200),
        ("/v2/bot/message/narrowcast", json!({"messages": text("x")}), 202),
    ] {
        let stage = Stage::new().await;
        let body: Value =
            serde_json::from_str(&body.to_string().replace("\"ID\"", &format!("\"{}\"", stage.user_id)))
                .unwrap();
        let first = with_key(&stage, path, &body).await;
        assert_eq!(first.status, status, "{path}");
        let again = with_key(&stage, path, &body).await;
        again.refused(409, "The retry key is already accepted");
        assert_eq!(again.header("x-line-accepted-request-id"), first.header("x-line-request-id"));
        assert_eq!(again.json().get("sentMessages"), None);
    }
    let stage = Stage::new().await;
    assert_eq!(
        with_key(&stage, "/v2/bot/message/validate/push", &json!({"messages": text("x")})).await.status,
        400
    );
}

/// PLATFORM 5: 60 broadcasts an hour, 200 multicasts a second.
#[tokio::test]
async fn sends_have_their_own_rates() {
    let stage = Stage::new().await;
    for _ in 0..60 {
        stage.line("POST", BROADCAST, json!({"messages": text("x")})).await.ok();
    }
    let over = stage.line("POST", BROADCAST, json!({"messages": text("x")})).await;
    over.refused(429, "The API rate limit has been exceeded. Try again later.");
    multicast(&stage, &[&stage.user_id]).await.ok();
    stage.advance(60_000).await;
    stage.line("POST", BROADCAST, json!({"messages": text("x")})).await.ok();
}

/// PLATFORM 17, 19: quotes stay in their chat, mentions are for members of a group, a tracking ID is not for groups.
#[tokio::test]
async fn messages_fit_where_they_go() {
    let stage = Stage::new().await;
    stage.write("quote me").await;
    let quote = stage.receiver.event(2).await["message"]["quoteToken"].clone();
    let quoting = json!([{"type": "text", "text": "this", "quoteToken": quote}]);
    let answer = stage.line("POST", MULTICAST, json!({"to": [stage.user_id], "messages": quoting})).await;
    assert_eq!(answer.json()["details"][0]["property"], "messages[0].quoteToken");
    let mate = stage.person(json!({})).await;
    let outsider = stage.person(json!({})).await;
    let body = json!({"name": "Team", "channelId": stage.channel, "members": [mate.user]});
    let group = stage.control("POST", "/groups", body).await.ok()["groupId"].as_str().unwrap().to_owned();
    let mention = |mentionee: Value| {
        json!([{"type": "textV2", "text": "hi {who}", "substitution":
            {"who": {"type": "mention", "mentionee": mentionee}}}])
    };
    let user = |id: &str| json!({"type": "user", "userId": id});
    let push = async |to: &str, messages: Value| {
        stage.line("POST", "/v2/bot/message/push", json!({"to": to, "messages": messages})).await
    };
    push(&group, mention(user(&mate.user_id))).await.ok();
    push(&group, mention(json!({"type": "all"}))).await.ok();
    assert_eq!(push(&group, mention(user(&outsider.user_id))).await.status, 400);
    assert_eq!(push(&group, mention(user(&stage.bot))).await.status, 400);
    assert_eq!(push(&stage.user_id, mention(json!({"type": "all"}))).await.status, 400);
    let sticker = |package: &str| json!([{"type": "sticker", "packageId": package, "stickerId": "1988"}]);
    push(&stage.user_id, sticker("446")).await.ok();
    let answer = push(&stage.user_id, sticker("1")).await;
    assert_eq!(
        (answer.status, &answer.json()["details"][0]["property"]),
        (400, &json!("messages[0].packageId"))
    );
    let video = json!([{"type": "video", "originalContentUrl": "https://a.example/v.mp4",
        "previewImageUrl": "https://a.example/p.png", "trackingId": "t-1"}]);
    push(&stage.user_id, video.clone()).await.ok();
    assert_eq!(push(&group, video).await.status, 400);
}
