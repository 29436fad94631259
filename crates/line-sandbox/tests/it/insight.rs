//! Insight: figures of what really happened (PLATFORM 12).

use serde_json::{Value, json};

use crate::crowd::{DAY_MS, text};
use crate::stage::Stage;

/// PLATFORM 12: who ever added the account stays counted; days are Japan's; figures come the next day.
#[tokio::test]
async fn followers_are_counted_by_day() {
    let stage = Stage::lasting().await;
    let friends = stage.friends(2, |_| json!({"gender": "female"})).await;
    let first = stage.date(0).await;
    let followers = async |date: &str| stage.get(&format!("/v2/bot/insight/followers?date={date}")).await;
    assert_eq!(followers(&first).await.ok(), json!({"status": "unready"}));
    assert_eq!(followers("20200101").await.ok(), json!({"status": "out_of_service"}));
    stage.advance(DAY_MS).await;
    let second = stage.date(0).await;
    stage.by(&friends[0], "unfollow", json!({})).await;
    stage.advance(DAY_MS).await;
    let third = stage.date(0).await;
    stage.by(&friends[0], "follow", json!({})).await;
    let change = json!({"age": 30, "displayName": "New"});
    stage.control("PATCH", &format!("/users/{}", stage.user), change).await.ok();
    stage.advance(DAY_MS).await;
    for (date, followers_, reaches, blocks) in [(&first, 3, 2, 0), (&second, 3, 1, 1), (&third, 3, 3, 0)] {
        let expected =
            json!({"status": "ready", "followers": followers_, "targetedReaches": reaches, "blocks": blocks});
        assert_eq!(followers(date).await.ok(), expected);
    }
    stage.get("/v2/bot/insight/followers").await.refused(400, "date is required");
    stage.get("/v2/bot/insight/message/delivery?date=x").await.refused(400, "Bad Request");
}

/// PLATFORM 12: by way, without those that sent nothing.
#[tokio::test]
async fn deliveries_are_shown_by_way() {
    let stage = Stage::lasting().await;
    stage.push(&stage.user_id, "x").await.ok();
    stage.line("POST", "/v2/bot/message/narrowcast", json!({"messages": text("x")})).await;
    stage.advance(1_000).await;
    let date = stage.date(0).await;
    let path = format!("/v2/bot/insight/message/delivery?date={date}");
    assert_eq!(stage.get(&path).await.ok(), json!({"status": "unready"}));
    stage.advance(DAY_MS).await;
    assert_eq!(stage.get(&path).await.ok(), json!({"status": "ready", "apiPush": 1, "apiNarrowcast": 1}));
}

/// PLATFORM 12: shares of the friends, from 20 on.
#[tokio::test]
async fn demographics_are_shares() {
    let stage = Stage::lasting().await;
    assert_eq!(stage.get("/v2/bot/insight/demographic").await.ok(), json!({"available": false}));
    let since = 1_700_000_000_000_i64;
    stage
        .friends(29, |number| match number {
            0..15 => json!({"gender": "female", "age": 22, "area": "tw_01", "appType": "ios"}),
            _ => json!({"gender": "male", "age": 71, "area": "jp_36", "appType": "android", "friendSince": since}),
        })
        .await;
    let shown = stage.get("/v2/bot/insight/demographic").await.ok();
    assert_eq!(shown["available"], true);
    assert_eq!(shown["genders"][0], json!({"gender": "female", "percentage": 50.0}));
    assert_eq!(shown["ages"][1], json!({"age": "from70", "percentage": 46.7}));
    assert_eq!(shown["areas"][1], json!({"area": "徳島", "percentage": 46.7}));
    assert_eq!(shown["areas"][2], json!({"area": "unknown", "percentage": 3.3}));
    assert_eq!(shown["appTypes"][2], json!({"appType": "others", "percentage": 3.3}));
    assert_eq!(
        shown["subscriptionPeriods"][1],
        json!({"subscriptionPeriod": "over365days", "percentage": 46.7})
    );
}

fn card() -> Value {
    json!([{"type": "text", "text": "look"}, {"type": "template", "altText": "a", "template": {"type": "buttons", "text": "t",
        "actions": [{"type": "uri", "label": "Go", "uri": "https://a.example/"}]}},
        {"type": "video", "originalContentUrl": "https://a.example/v.mp4", "previewImageUrl": "https://a.example/p.png"}])
}

/// PLATFORM 12: impressions, clicks and plays of a broadcast; below 20 null; after 14 days nothing is added.
#[tokio::test]
async fn reactions_to_a_broadcast_are_counted() {
    let stage = Stage::lasting().await;
    let friends = stage.friends(25, |_| json!({})).await;
    let sent = stage.line("POST", "/v2/bot/message/broadcast", json!({"messages": card()})).await;
    let id = sent.header("x-line-request-id").to_owned();
    let figures = async || stage.get(&format!("/v2/bot/insight/message/event?requestId={id}")).await.ok();
    let none = figures().await;
    assert_eq!((&none["overview"]["requestId"], &none["overview"]["delivered"]), (&json!(id), &json!(26)));
    assert_eq!(none["overview"]["uniqueImpression"], Value::Null);
    assert_eq!(
        none["clicks"],
        json!([{"seq": 2, "url": "https://a.example/", "click": null,
        "uniqueClick": null, "uniqueClickOfRequest": null}])
    );
    for (number, friend) in friends.iter().enumerate() {
        stage.by(friend, "read", json!({})).await;
        let shown = stage.phone(friend).await;
        if number < 20 {
            for _ in 0..2 {
                stage
                    .by(
                        friend,
                        "clicks",
                        json!({"messageId": shown[1]["messageId"], "uri": "https://a.example/"}),
                    )
                    .await;
            }
        }
        let percent = if number < 21 { 100 } else { 60 };
        stage
            .by(friend, "video-plays", json!({"messageId": shown[2]["messageId"], "percent": percent}))
            .await;
    }
    let all = figures().await;
    assert_eq!(
        (&all["overview"]["uniqueImpression"], &all["overview"]["uniqueClick"]),
        (&json!(25), &json!(20))
    );
    assert_eq!(
        (&all["overview"]["uniqueMediaPlayed"], &all["overview"]["uniqueMediaPlayed100Percent"]),
        (&json!(25), &json!(21))
    );
    assert_eq!((&all["messages"][0]["seq"], &all["messages"][0]["impression"]), (&json!(1), &json!(25)));
    assert_eq!(all["messages"][0]["mediaPlayed"], Value::Null);
    assert_eq!(
        (&all["messages"][2]["mediaPlayed50Percent"], &all["messages"][2]["mediaPlayed75Percent"]),
        (&json!(25), &json!(21))
    );
    assert_eq!((&all["clicks"][0]["click"], &all["clicks"][0]["uniqueClick"]), (&json!(40), &json!(20)));
    let sends = stage.items(&format!("/sends?channelId={}", stage.channel)).await;
    assert_eq!(
        (&sends[0]["requestId"], &sends[0]["kind"], &sends[0]["phase"]),
        (&json!(id), &json!("broadcast"), &json!("succeeded"))
    );
    assert_eq!(
        (&sends[0]["recipients"], &sends[0]["seen"], &sends[0]["clicked"]),
        (&json!(26), &json!(25), &json!(20))
    );
    stage.advance(14 * DAY_MS).await;
    stage.act("read", json!({})).await;
    assert_eq!(figures().await["overview"]["uniqueImpression"], 25);
    let push = stage.push(&stage.user_id, "x").await;
    let path = format!("/v2/bot/insight/message/event?requestId={}", push.header("x-line-request-id"));
    assert_eq!(stage.get(&path).await.status, 404);
    assert_eq!(stage.get("/v2/bot/insight/message/event").await.status, 400);
}

/// PLATFORM 12: pushes and multicasts under one unit are counted together.
#[tokio::test]
async fn units_are_counted_together() {
    let stage = Stage::lasting().await;
    let friends = stage.friends(21, |_| json!({})).await;
    let ids: Vec<_> = friends[..11].iter().map(|friend| &friend.user_id).collect();
    let body = json!({"to": ids, "messages": text("x"), "customAggregationUnits": ["sale"]});
    stage.line("POST", "/v2/bot/message/multicast", body).await.ok();
    for friend in &friends[11..] {
        let body = json!({"to": friend.user_id, "messages": text("x"), "customAggregationUnits": ["sale"]});
        stage.line("POST", "/v2/bot/message/push", body).await.ok();
    }
    for friend in &friends {
        stage.by(friend, "read", json!({})).await;
    }
    let (today, tomorrow) = (stage.date(0).await, stage.date(1).await);
    let figures = async |query: &str| {
        stage.get(&format!("/v2/bot/insight/message/event/aggregation?customAggregationUnit={query}")).await
    };
    let shown = figures(&format!("sale&from={today}&to={tomorrow}")).await.ok();
    assert_eq!(shown["overview"]["uniqueImpression"], 21);
    assert_eq!(
        (&shown["messages"][0]["impression"], &shown["messages"][0]["uniqueImpression"]),
        (&json!(21), &json!(21))
    );
    assert_eq!(
        figures(&format!("sale&from={tomorrow}&to={tomorrow}")).await.ok()["overview"]["uniqueImpression"],
        Value::Null
    );
    assert_eq!(figures(&format!("other&from={today}&to={today}")).await.ok()["messages"], json!([]));
    for query in [
        "sale",
        "sale&from=x&to=y",
        "a-b&from=20260101&to=20260102",
        "sale&from=20260101&to=20260201",
        "sale&from=20260102&to=20260101",
    ] {
        assert_eq!(figures(query).await.status, 400, "{query}");
    }
}

/// PLATFORM 16: a tracked video that is played to the end tells the account, every time; another does not.
#[tokio::test]
async fn a_video_played_to_the_end_is_told() {
    let stage = Stage::new().await;
    let video = |tracking_id: Value| {
        json!({"to": stage.user_id, "messages": [{"type": "video", "originalContentUrl": "https://a.example/v.mp4",
            "previewImageUrl": "https://a.example/p.png", "trackingId": tracking_id}]})
    };
    stage.line("POST", "/v2/bot/message/push", video(json!("clip-1"))).await.ok();
    stage.line("POST", "/v2/bot/message/push", video(Value::Null)).await.ok();
    let shown = stage.timeline().await;
    let play = async |index: usize, percent: u64| {
        stage.act("video-plays", json!({"messageId": shown[index]["messageId"], "percent": percent})).await
    };
    assert_eq!(play(0, 99).await["delivered"], false);
    assert_eq!(play(1, 100).await["delivered"], false);
    assert_eq!(play(0, 100).await["delivered"], true);
    let event = stage.receiver.event(2).await;
    assert_eq!(
        (&event["type"], &event["videoPlayComplete"]["trackingId"]),
        (&json!("videoPlayComplete"), &json!("clip-1"))
    );
    assert!(event["replyToken"].is_string());
    stage.receiver.check(stage.schema.as_ref());
    let stranger = stage.person(json!({})).await;
    let body =
        json!({"channelId": stage.channel, "messageId": shown[0]["messageId"], "uri": "https://a.example/"});
    let answer = stage.control("POST", &format!("/users/{}/clicks", stranger.user), body).await;
    assert_eq!((answer.status, &answer.json()["field"]), (422, &json!("messageId")));
}
