//! `GET /events`, `GET /usage`, and "Journal".

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use testkit::Engine;

use super::*;

// "`GET /events`: the journal: `id (evt_…), account_id, received_at, webhook_event_id, type, redelivered, consumers: {name:
// pending|done|…}`"; "lists oldest first; filters `account_id, webhook_event_id, type, since, until`"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_journal_is_listed_oldest_first_and_filtered(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let second = shop.hub.connect_account().await;
    shop.hub.advance(Duration::from_secs(60));
    shop.friend.says(&second, "elsewhere").await;
    let items =
        async |query: &str| shop.get(&format!("/events?{query}")).await["items"].as_array().unwrap().clone();
    let all = items("").await;
    let kinds: Vec<String> = all.iter().map(|event| text(&event["type"])).collect();
    assert_eq!(kinds, ["follow", "message", "message"]);
    for event in &all {
        let members =
            ["account_id", "consumers", "id", "received_at", "redelivered", "type", "webhook_event_id"];
        assert_eq!(names(event), members);
        assert!(text(&event["id"]).starts_with("evt_"));
        is_time(&event["received_at"]);
        assert_eq!(event["redelivered"], false);
    }
    assert_eq!(
        (&all[1]["consumers"]["inbox"], &all[2]["consumers"]["inbox"]),
        (&json!("done"), &json!("pending"))
    );
    shop.hub.settle().await;
    assert_eq!(items("").await[2]["consumers"]["inbox"], "done");
    let only = |event: &Value| vec![text(&event["id"])];
    let ids =
        async |query: String| items(&query).await.iter().map(|event| text(&event["id"])).collect::<Vec<_>>();
    assert_eq!(ids(format!("account_id={}", second.id)).await, only(&all[2]));
    assert_eq!(ids(format!("webhook_event_id={}", text(&all[0]["webhook_event_id"]))).await, only(&all[0]));
    assert_eq!(ids("type=follow".to_owned()).await, only(&all[0]));
    let received = text(&all[2]["received_at"]);
    assert_eq!(ids(format!("since={received}")).await, only(&all[2]), "at or after");
    assert_eq!(ids(format!("until={received}")).await.len(), 2, "before");
    assert_eq!(ids(format!("type=message&account_id={}", shop.account.id)).await, only(&all[1]));
    assert!(ids("type=nothing".to_owned()).await.is_empty());
    // LINE says when it sends an event again; such a one that is new is listed so.
    let channel = format!("/channels/{}", second.channel_id);
    shop.hub.control.patch(&channel, json!({ "redelivery": true })).await;
    shop.hub
        .control
        .post("/faults", json!({ "on": "webhook", "kind": "status", "status": 503, "times": 1 }))
        .await;
    shop.friend.says(&second, "again").await;
    for _ in 0..200 {
        shop.hub.advance(Duration::from_secs(1));
        if items("").await.len() == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(items("").await[3]["redelivered"], true);
    shop.hub.settle().await;
    shop.hub.close().await;
}

// "`GET /usage`: month's quota, used by kind (reply, push, multicast, broadcast) and origin, LINE's figure beside ours"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn usage_tells_ours_beside_lines(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let channel = format!("/channels/{}", shop.account.channel_id);
    shop.hub.control.patch(&channel, json!({ "monthlyQuota": 200 })).await;
    let _ = shop.sends(json!({ "messages": [says("free"), says("as one")] })).await.expect(202);
    shop.hub.settle().await;
    shop.hub.advance(Duration::from_secs(60));
    let _ = shop.sends(json!({ "messages": [says("paid")] })).await.expect(202);
    shop.hub.settle().await;
    // Past the minute for which LINE's last word is good.
    shop.hub.advance(Duration::from_secs(61));
    let usage = shop.get("/usage").await;
    let month = &usage["items"][0];
    assert_eq!(month["account_id"], shop.account.id);
    assert_eq!((&month["line"]["quota"], &month["line"]["used"]), (&json!(200), &json!(1)));
    is_time(&month["line"]["read_at"]);
    assert_eq!(month["used"]["reply"], json!({ "calls": 1, "messages": 2, "cost": 0 }));
    assert_eq!(month["used"]["push"], json!({ "calls": 1, "messages": 1, "cost": 1 }));
    for kind in ["multicast", "broadcast"] {
        assert_eq!(month["used"][kind], json!({ "calls": 0, "messages": 0, "cost": 0 }));
    }
    assert_eq!(month["by_origin"]["api"]["push"]["cost"], 1);
    let filtered = shop.get(&format!("/usage?account_id={}", shop.account.id)).await;
    assert_eq!(filtered["items"].as_array().unwrap().len(), 1);
    let past = shop.get("/usage?month=2020-01").await;
    assert_eq!(past["items"][0]["used"]["push"]["calls"].as_i64().unwrap_or(0), 0, "{past}");
    shop.hub.close().await;
}
