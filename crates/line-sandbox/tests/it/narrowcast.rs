//! Narrowcast: whom it reaches, how far it is, why it fails (PLATFORM 7.1, 7.2).

use serde_json::{Value, json};

use crate::crowd::{DAY_MS, Friend, text};
use crate::stage::{Answer, Stage, eventually};

const NARROWCAST: &str = "/v2/bot/message/narrowcast";

async fn narrowcast(stage: &Stage, mut body: Value) -> Answer {
    body["messages"] = text("news");
    stage.line("POST", NARROWCAST, body).await
}

/// Sends, lets LINE finish, and gives the request ID and the progress.
async fn finished(stage: &Stage, body: Value) -> (String, Value) {
    let answer = narrowcast(stage, body).await;
    assert_eq!(answer.status, 202, "{:?}", answer.json());
    assert_eq!(answer.json(), json!({}));
    let id = answer.header("x-line-request-id").to_owned();
    stage.advance(1_000).await;
    let progress = progress(stage, &id).await.ok();
    (id, progress)
}

async fn progress(stage: &Stage, id: &str) -> Answer {
    stage.get(&format!("/v2/bot/message/progress/narrowcast?requestId={id}")).await
}

async fn reached(stage: &Stage, friends: &[Friend]) -> usize {
    let mut count = 0;
    for friend in friends {
        count += usize::from(!stage.phone(friend).await.is_empty());
    }
    count
}

/// Uploads an audience of these persons and waits until it is ready.
async fn audience(stage: &Stage, name: &str, members: &[Friend]) -> Value {
    let ids: Vec<_> = members.iter().map(|friend| json!({"id": friend.user_id})).collect();
    let body = json!({"description": name, "audiences": ids});
    let answer = stage.line("POST", "/v2/bot/audienceGroup/upload", body).await;
    assert_eq!(answer.status, 202);
    stage.advance(500).await;
    answer.json()["audienceGroupId"].clone()
}

/// PLATFORM 7.2: waiting, sending, succeeded; counts are absent while it waits.
#[tokio::test]
async fn a_narrowcast_goes_through_its_phases() {
    let stage = Stage::lasting().await;
    stage.set(json!({"processingMs": 60_000})).await;
    let answer = narrowcast(&stage, json!({})).await;
    let id = answer.header("x-line-request-id").to_owned();
    let waiting = progress(&stage, &id).await.ok();
    assert_eq!(waiting["phase"], "waiting");
    assert!(waiting.get("targetCount").is_none() && waiting.get("completedTime").is_none());
    stage.advance(60_000).await;
    let sending = progress(&stage, &id).await.ok();
    assert_eq!((&sending["phase"], &sending["targetCount"]), (&json!("sending"), &json!(1)));
    assert!(stage.timeline().await.is_empty());
    stage.advance(60_000).await;
    let done = progress(&stage, &id).await.ok();
    assert_eq!(done["phase"], "succeeded");
    assert_eq!((&done["successCount"], &done["failureCount"]), (&json!(1), &json!(0)));
    assert!(done["completedTime"].as_str() > done["acceptedTime"].as_str());
    let shown = stage.timeline().await;
    assert_eq!((shown.len(), &shown[0]["via"]), (1, &json!("narrowcast")));
    // 14 days, and only what is a narrowcast.
    progress(&stage, "nonsense").await.refused(400, "The value for the 'requestId' parameter is invalid");
    let push = stage.push(&stage.user_id, "x").await;
    progress(&stage, push.header("x-line-request-id")).await.refused(404, "Not found");
    stage.advance(14 * DAY_MS).await;
    progress(&stage, &id).await.refused(404, "Not found");
}

/// Without any call the messages arrive all the same.
#[tokio::test]
async fn a_narrowcast_runs_by_itself() {
    let stage = Stage::new().await;
    stage.set(json!({"processingMs": 10})).await;
    narrowcast(&stage, json!({})).await;
    eventually("the message", async || stage.timeline().await.pop()).await;
}

/// PLATFORM 7.1: audiences and redelivery under operators; uploaded audiences have no floor.
#[tokio::test]
async fn operators_join_audiences_and_redeliveries() {
    let stage = Stage::lasting().await;
    let friends = stage.friends(4, |_| json!({})).await;
    let ab = audience(&stage, "ab", &friends[..2]).await;
    let bc = audience(&stage, "bc", &friends[1..3]).await;
    let of = |id: &Value| json!({"type": "audience", "audienceGroupId": id});
    let shown = async || {
        let mut counts = Vec::new();
        for friend in &friends {
            counts.push(stage.phone(friend).await.len());
        }
        counts
    };
    let and = json!({"type": "operator", "and": [of(&ab), of(&bc)]});
    let (first, done) = finished(&stage, json!({"recipient": and})).await;
    assert_eq!((&done["phase"], &done["targetCount"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(shown().await, [0, 1, 0, 0]);
    let or = json!({"type": "operator", "or": [of(&ab), of(&bc)]});
    finished(&stage, json!({"recipient": or})).await;
    assert_eq!(shown().await, [1, 2, 1, 0]);
    // Everybody but who got the first.
    let redelivery = json!({"type": "redelivery", "requestId": first});
    let not = json!({"type": "operator", "not": redelivery});
    finished(&stage, json!({"recipient": {"type": "operator", "and": [of(&ab), not]}})).await;
    assert_eq!(shown().await, [2, 2, 1, 0]);
    finished(&stage, json!({"recipient": {"type": "redelivery", "requestId": first}})).await;
    assert_eq!(shown().await, [2, 3, 1, 0]);
    stage.advance(14 * DAY_MS).await;
    let late = narrowcast(&stage, json!({"recipient": {"type": "redelivery", "requestId": first}})).await;
    late.refused(400, &format!("Invalid request id: {first}"));
}

/// PLATFORM 7.1: the rules of the body.
#[tokio::test]
async fn a_choice_that_breaks_a_rule_is_refused() {
    let stage = Stage::new().await;
    let refused = async |body: Value, message: &str| {
        let answer = narrowcast(&stage, body.clone()).await;
        assert_eq!((answer.status, answer.json()["message"].as_str()), (400, Some(message)), "{body}");
    };
    let invalid =
        |at: &str| format!("The property, '{at}', in the request body is invalid (line: -, column: -)");
    let audience = json!({"type": "audience", "audienceGroupId": 4_711});
    refused(json!({"recipient": audience}), "Invalid audience group id: 4711").await;
    let id = "5b59509c-c57b-11e9-aa8c-2a2ae2dbcce4";
    refused(
        json!({"recipient": {"type": "redelivery", "requestId": id}}),
        &format!("Invalid request id: {id}"),
    )
    .await;
    for (recipient, at) in [
        (json!({"type": "operator"}), "recipient"),
        (json!({"type": "operator", "and": []}), "recipient.and"),
        (json!({"type": "operator", "not": [audience]}), "recipient.not"),
        (json!({"type": "operator", "and": [audience], "or": [audience]}), "recipient"),
        (json!({"type": "audience"}), "recipient.audienceGroupId"),
        (json!([]), "recipient"),
    ] {
        refused(json!({"recipient": recipient}), &invalid(at)).await;
    }
    let eleven = json!({"type": "operator", "or": vec![audience; 11]});
    refused(json!({"recipient": eleven}), "The request body has 1 error(s)").await;
    for (filter, at) in [
        (json!({"type": "gender", "oneOf": ["other"]}), "filter.demographic.oneOf[0]"),
        (json!({"type": "gender", "oneOf": []}), "filter.demographic.oneOf"),
        (json!({"type": "area", "oneOf": ["us_01"]}), "filter.demographic.oneOf[0]"),
        (json!({"type": "age"}), "filter.demographic"),
        (json!({"type": "age", "gte": "age_25", "lt": "age_25"}), "filter.demographic"),
        (json!({"type": "age", "gte": "age_16"}), "filter.demographic.gte"),
        (json!({"type": "subscriptionPeriod", "lt": "day_8"}), "filter.demographic.lt"),
        (
            json!({"type": "operator", "or": [{"type": "appType", "oneOf": ["web"]}]}),
            "filter.demographic.or[0].oneOf[0]",
        ),
    ] {
        refused(json!({"filter": {"demographic": filter}}), &invalid(at)).await;
    }
    refused(json!({"limit": {"max": 0}}), "The request body has 1 error(s)").await;
    refused(json!({"limit": {"max": "1"}}), &invalid("limit.max")).await;
    refused(
        json!({"limit": {"forbidPartialDelivery": true}}),
        "The option forbidPartialDelivery must be used with upToRemainingQuota.",
    )
    .await;
    let gender = json!({"demographic": {"type": "gender", "oneOf": ["male"]}});
    narrowcast(&stage, json!({"filter": gender}))
        .await
        .refused(403, "Your account does not have enough friends");
}

/// PLATFORM 7.1: floors of 100 (403) and 50 (errorCode 2); attributes; what is unknown never matches.
#[tokio::test]
async fn attributes_choose_among_enough_friends() {
    let stage = Stage::lasting().await;
    let friends = stage
        .friends(110, |number| match number {
            0..60 => json!({"gender": "female", "age": 22, "area": "tw_01", "appType": "ios"}),
            60..100 => json!({"gender": "male", "age": 47, "area": "tw_06", "appType": "android"}),
            _ => json!({}),
        })
        .await;
    let by = |filter: Value| json!({"filter": {"demographic": filter}});
    let female = json!({"type": "gender", "oneOf": ["female"]});
    let (_, done) = finished(&stage, by(female.clone())).await;
    assert_eq!((&done["phase"], &done["successCount"]), (&json!("succeeded"), &json!(60)));
    assert_eq!(reached(&stage, &friends[..60]).await, 60);
    assert_eq!(reached(&stage, &friends[60..]).await, 0);
    let (_, done) = finished(&stage, by(json!({"type": "gender", "oneOf": ["male"]}))).await;
    assert_eq!((&done["phase"], &done["errorCode"]), (&json!("failed"), &json!(2)));
    assert!(done["failedDescription"].is_string() && done["completedTime"].is_string());
    let young = json!({"type": "age", "gte": "age_20", "lt": "age_25"});
    let north = json!({"type": "area", "oneOf": ["tw_01", "jp_13"]});
    let (_, done) = finished(&stage, by(json!({"type": "operator", "and": [young, north]}))).await;
    assert_eq!(done["successCount"], 60);
    // The ten of whom nothing is known match neither this nor its opposite.
    let old = json!({"type": "operator", "not": {"type": "age", "gte": "age_60"}});
    let (_, done) = finished(&stage, by(old)).await;
    assert_eq!(done["successCount"], 100);
    let fresh = json!({"type": "subscriptionPeriod", "lt": "day_7"});
    let (_, done) = finished(&stage, by(fresh)).await;
    assert_eq!(done["successCount"], 111);
    let late = json!({"type": "subscriptionPeriod", "gte": "day_7"});
    let (_, done) = finished(&stage, by(late.clone())).await;
    assert_eq!(done["errorCode"], 2);
    stage.advance(8 * DAY_MS).await;
    let (_, done) = finished(&stage, by(late)).await;
    assert_eq!(done["successCount"], 111);
    // A cap draws at random, the same way for the same seed.
    let mut capped = by(female);
    capped["limit"] = json!({"max": 50});
    let (_, done) = finished(&stage, capped).await;
    assert_eq!((&done["successCount"], &done["targetCount"]), (&json!(50), &json!(50)));
}

/// PLATFORM 7.1: the target reach is reserved until the real number is known; other sends see 429 with quota left.
#[tokio::test]
async fn a_narrowcast_reserves_quota() {
    let stage = Stage::lasting().await;
    let friends = stage.friends(3, |_| json!({})).await;
    let one = audience(&stage, "one", &friends[..1]).await;
    stage.set(json!({"monthlyQuota": 4, "processingMs": 60_000})).await;
    let recipient = json!({"type": "audience", "audienceGroupId": one});
    let answer = narrowcast(&stage, json!({"recipient": recipient})).await;
    assert_eq!(answer.status, 202);
    assert_eq!(stage.used().await, 0);
    stage.push(&stage.user_id, "x").await.refused(429, "You have reached your monthly limit.");
    stage.advance(60_000).await;
    // One recipient is known now.
    stage.push(&stage.user_id, "x").await.ok();
    stage.advance(60_000).await;
    progress(&stage, answer.header("x-line-request-id")).await.ok();
    assert_eq!(stage.used().await, 2);
    // Four friends, two left: refused, unless it may be cut short.
    narrowcast(&stage, json!({})).await.refused(429, "You have reached your monthly limit.");
    stage.set(json!({"processingMs": 500})).await;
    let limit = json!({"upToRemainingQuota": true, "forbidPartialDelivery": true});
    let (_, done) = finished(&stage, json!({"limit": &limit})).await;
    assert_eq!((&done["phase"], &done["errorCode"]), (&json!("failed"), &json!(5)));
    let (_, done) = finished(&stage, json!({"limit": {"upToRemainingQuota": true}})).await;
    assert_eq!((&done["successCount"], stage.used().await), (&json!(2), json!(4)));
    // Nothing is left at all.
    let (_, done) = finished(&stage, json!({"limit": limit})).await;
    assert_eq!(done["errorCode"], 5);
    let cut = json!({"limit": {"upToRemainingQuota": true}});
    narrowcast(&stage, cut).await.refused(429, "You have reached your monthly limit.");
}
