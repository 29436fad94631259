//! The way through the house: a friend's message becomes a conversation, and the answer reaches the friend's phone.

use rstest::rstest;
use serde_json::json;
use testkit::{Engine, TestHub};

// S0-01, S1-01: an inbound LINE message appears in the hub and the hub can answer it.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_friend_writes_and_is_answered(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("林小晴").await;
    friend.follows(&account).await;
    friend.says(&account, "你好，請問今天還有嗎？😀").await;
    hub.settle().await;

    let listed = hub.api().get("/conversations").await.expect(200);
    let conversation = &listed["items"][0];
    assert_eq!(conversation["title"], "林小晴", "the profile was fetched by a job");
    assert_eq!(conversation["unanswered"], true);
    assert_eq!(conversation["unread_count"], 1);
    let path = format!("/conversations/{}/messages", conversation["id"].as_str().unwrap());
    let messages = hub.api().get(&path).await.expect(200);
    let written: Vec<_> =
        messages["items"].as_array().unwrap().iter().filter(|m| m["content"]["type"] == "text").collect();
    assert_eq!(written.len(), 1);
    assert_eq!(
        (&written[0]["direction"], &written[0]["content"]["text"]),
        (&json!("in"), &json!("你好，請問今天還有嗎？😀"))
    );

    let answer = json!({ "messages": [{ "type": "text", "text": "有的，還有 12 瓶" }], "allow_paid": false });
    let queued = hub.api().post(&path, answer).await.expect(202);
    assert_eq!(queued["items"][0]["delivery"]["state"], "queued");
    hub.settle().await;

    assert_eq!(friend.texts_received(&account).await, ["有的，還有 12 瓶"]);
    let messages = hub.api().get(&path).await.expect(200);
    let answer =
        messages["items"].as_array().unwrap().iter().find(|message| message["direction"] == "out").unwrap();
    assert_eq!(answer["delivery"]["state"], "sent");
    assert_eq!(answer["delivery"]["via"], "reply", "the young reply token makes it free");
    let listed = hub.api().get("/conversations").await.expect(200);
    assert_eq!(listed["items"][0]["unanswered"], false);
    hub.close().await;
}

// The loops do by themselves what `settle` does in the other tests.
#[tokio::test(flavor = "multi_thread")]
async fn the_loops_carry_a_message_both_ways() {
    let Some(hub) = TestHub::new().with_loops().start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("陳柏宇").await;
    friend.says(&account, "在嗎").await;
    let id = eventually(async || {
        let listed = hub.api().get("/conversations").await.expect(200);
        listed["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let answer = json!({ "messages": [{ "type": "text", "text": "在的" }] });
    let _ = hub.api().post(&format!("/conversations/{id}/messages"), answer).await.expect(202);
    let shown = eventually(async || friend.texts_received(&account).await.pop()).await;
    assert_eq!(shown, "在的");
    assert_eq!(hub.running().failure(), None);
    hub.close().await;
}

// A second process on the same folder would send everything twice.
#[tokio::test]
async fn a_folder_is_served_once() {
    let Some(hub) = TestHub::new().start().await else { return };
    let parts = hub::start::Parts::system(hub.hub().config.clone());
    let refused = hub::start::start(parts).await.unwrap_err().to_string();
    assert!(refused.contains("another trunkline already serves"), "{refused}");
    hub.close().await;
}

async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("what was expected did not happen within 10 s")
}
