//! Faults on LINE's API and on the webhook (CONTRACT 2).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::{Stage, eventually};

async fn fault(stage: &Stage, fault: Value) -> String {
    stage.control("POST", "/faults", fault).await.ok()["id"].as_str().unwrap().to_owned()
}

async fn outcome(stage: &Stage) -> (Value, Value) {
    let count = stage.items("/deliveries").await.len();
    stage.write("x").await;
    eventually("the record", async || {
        let items = stage.items("/deliveries").await;
        items.get(count).map(|item| (item["reason"].clone(), item["status"].clone()))
    })
    .await
}

#[tokio::test]
async fn a_status_is_answered_instead_of_the_work() {
    let stage = Stage::new().await;
    let push = "/v2/bot/message/push";
    fault(
        &stage,
        json!({"on": "api", "method": "POST", "path": push, "kind": "status", "status": 500, "times": 1,
        "body": {"message": "boom"}, "headers": {"x-why": "test"}}),
    )
    .await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    let answer = stage.push(&stage.user_id, "x").await;
    answer.refused(500, "boom");
    assert_eq!(answer.header("x-why"), "test");
    assert!(stage.timeline().await.is_empty());
    stage.push(&stage.user_id, "x").await.ok();
    assert_eq!(stage.items("/faults").await[0]["matched"], 1);
    fault(&stage, json!({"on": "api", "kind": "status", "status": 429})).await;
    stage.get("/v2/bot/info").await.refused(429, "The API rate limit has been exceeded. Try again later.");
    assert_eq!(stage.control("DELETE", "/faults", Value::Null).await.ok(), json!({"deleted": 2}));
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let stage = Stage::new().await;
    fault(&stage, json!({"on": "api", "kind": "delay", "ms": 150, "times": 1})).await;
    let started = Instant::now();
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(150));
}

/// The work is done once, though the client sees a broken connection (GOTCHAS B3).
#[tokio::test]
async fn an_answer_can_be_lost_after_the_work() {
    let stage = Stage::new().await;
    fault(&stage, json!({"on": "api", "path": "/v2/bot/message", "kind": "lose_answer", "times": 1})).await;
    let body = json!({"to": stage.user_id, "messages": [{"type": "text", "text": "once"}]});
    let request = stage.request("POST", "/v2/bot/message/push").bearer_auth(&stage.token).json(&body);
    let error = stage.send(request).await.unwrap_err();
    assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
    assert_eq!(stage.timeline().await.len(), 1);
    let log = stage.items("/requests").await;
    let lost = log.iter().find(|entry| entry["path"] == "/v2/bot/message/push").unwrap();
    assert_eq!((&lost["status"], &lost["body"]), (&Value::Null, &body));
}

#[tokio::test]
async fn a_reset_does_nothing_and_breaks_the_line() {
    let stage = Stage::new().await;
    fault(&stage, json!({"on": "api", "kind": "reset", "times": 1})).await;
    let request = stage.request("GET", "/v2/bot/info").bearer_auth(&stage.token);
    assert!(stage.send(request).await.is_err());
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
}

/// CONTRACT 2: `hang` never works and never answers; deleting it releases with a reset.
#[tokio::test]
async fn a_hang_ends_with_its_fault() {
    let stage = Stage::new().await;
    let id = fault(&stage, json!({"on": "api", "path": "/v2/bot/message/push", "kind": "hang"})).await;
    let body = json!({"to": stage.user_id, "messages": [{"type": "text", "text": "never"}]});
    let request = stage.request("POST", "/v2/bot/message/push").bearer_auth(&stage.token).json(&body);
    let hanging = tokio::spawn(request.send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!hanging.is_finished());
    stage.control("DELETE", &format!("/faults/{id}"), Value::Null).await.ok();
    assert!(hanging.await.unwrap().is_err());
    assert!(stage.timeline().await.is_empty());
    assert_eq!(stage.control("DELETE", &format!("/faults/{id}"), Value::Null).await.status, 404);
}

#[tokio::test]
async fn the_webhooks_line_can_fail_in_every_way() {
    let stage = Stage::new().await;
    let once = async |mut kind: Value| {
        kind["on"] = "webhook".into();
        kind["times"] = 1.into();
        fault(&stage, kind).await;
        outcome(&stage).await
    };
    assert_eq!(
        once(json!({"kind": "status", "status": 503})).await,
        (json!("ERROR_STATUS_CODE"), json!(503))
    );
    assert_eq!(once(json!({"kind": "reset"})).await, (json!("UNCLASSIFIED"), json!(0)));
    assert_eq!(stage.receiver.events().len(), 1, "neither reached the server");
    assert_eq!(once(json!({"kind": "lose_answer"})).await, (json!("UNCLASSIFIED"), json!(0)));
    assert_eq!(stage.receiver.events().len(), 2, "this one did");
    assert_eq!(once(json!({"kind": "delay", "ms": 20})).await, (json!("OK"), json!(200)));
    assert_eq!(once(json!({"kind": "hang"})).await, (json!("REQUEST_TIMEOUT"), json!(0)));
}

/// PLATFORM 15: duplicates without redelivery are possible (GOTCHAS A3); order is not given (A4).
#[tokio::test]
async fn webhooks_can_come_twice_or_out_of_order() {
    let stage = Stage::new().await;
    fault(&stage, json!({"on": "webhook", "kind": "duplicate", "times": 1})).await;
    stage.write("twice").await;
    stage.receiver.event(3).await;
    let events = stage.receiver.events();
    assert_eq!(events[1], events[2]);
    assert_eq!(events[1]["deliveryContext"]["isRedelivery"], false);
    fault(&stage, json!({"on": "webhook", "kind": "reorder", "times": 1})).await;
    stage.write("first").await;
    stage.write("second").await;
    stage.receiver.event(5).await;
    let texts: Vec<_> =
        stage.receiver.events().iter().skip(3).map(|event| event["message"]["text"].clone()).collect();
    assert_eq!(texts, ["second", "first"]);
    fault(&stage, json!({"on": "webhook", "kind": "reorder", "times": 1, "ms": 10})).await;
    stage.write("alone").await;
    assert_eq!(stage.receiver.event(6).await["message"]["text"], "alone");
}

/// A share of the calls; `times` counts matching calls.
#[tokio::test]
async fn a_rate_strikes_some() {
    let stage = Stage::new().await;
    fault(&stage, json!({"on": "api", "kind": "status", "status": 500, "rate": 0.5, "times": 100})).await;
    let mut struck = 0;
    for _ in 0..110 {
        struck += u32::from(stage.get("/v2/bot/info").await.status == 500);
    }
    assert!((25..75).contains(&struck), "{struck} of 100");
    assert_eq!(stage.items("/faults").await[0]["matched"], 100);
}

/// PLATFORM 15: several events of several users may share one request.
#[tokio::test]
async fn events_can_share_a_request() {
    let stage = Stage::new().await;
    fault(&stage, json!({"on": "webhook", "kind": "batch", "times": 1, "ms": 300})).await;
    for text in ["one", "two", "three"] {
        stage.write(text).await;
    }
    stage.receiver.event(4).await;
    let last = stage.receiver.got.lock().unwrap().last().unwrap().1.clone();
    let body: Value = serde_json::from_slice(&last).unwrap();
    let texts: Vec<_> =
        body["events"].as_array().unwrap().iter().map(|event| event["message"]["text"].clone()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_slow_answer_holds_up_its_own_chat_only() {
    let stage = Stage::new().await;
    let other = stage.control("POST", "/users", json!({"displayName": "Mei"})).await.ok()["user"].clone();
    stage.receiver.will_answer(&[(200, 900)]);
    stage.write("slow").await;
    stage.write("behind it").await;
    let message = json!({"channelId": stage.channel, "message": {"type": "text", "text": "beside it"}});
    let path = format!("/users/{}/messages", other.as_str().unwrap());
    stage.control("POST", &path, message).await.ok();
    stage.receiver.event(4).await;
    let texts: Vec<_> =
        stage.receiver.events().iter().skip(1).map(|event| event["message"]["text"].clone()).collect();
    assert_eq!(texts, ["slow", "beside it", "behind it"]);
}

/// A time without a bound would stop the queue for good.
#[tokio::test]
async fn faults_last_a_day_at_most() {
    let stage = Stage::new().await;
    let body = json!({"on": "webhook", "kind": "batch", "ms": u64::MAX});
    let answer = stage.control("POST", "/faults", body).await;
    assert_eq!((answer.status, &answer.json()["field"]), (422, &json!("ms")));
}
