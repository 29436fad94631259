//! Figures (PLATFORM 12).

use serde_json::json;

use super::{Calls, Check, calls, text};
use crate::stage::Stage;

const DAY_MS: u64 = 24 * 3_600_000;

pub(super) async fn run() -> Calls {
    let stage = Stage::lasting().await;
    let sent = stage.line("POST", "/v2/bot/message/broadcast", json!({"messages": text("look")})).await;
    let unit = json!({"to": stage.user_id, "messages": text("x"), "customAggregationUnits": ["spring"]});
    stage.line("POST", "/v2/bot/message/push", unit).await.is(200);
    let day = stage.date(0).await;
    let get = async |path: &str| stage.get(&format!("/v2/bot/insight/{path}")).await;
    assert_eq!(get(&format!("followers?date={day}")).await.is(200), json!({"status": "unready"}));
    stage.advance(DAY_MS).await;
    let followers = get(&format!("followers?date={day}")).await.is(200);
    assert_eq!(
        (&followers["status"], &followers["followers"], &followers["blocks"]),
        (&json!("ready"), &json!(1), &json!(0))
    );
    get("followers").await.says(400, "date is required");
    let delivered = json!({"status": "ready", "apiBroadcast": 1, "apiPush": 1});
    assert_eq!(get(&format!("message/delivery?date={day}")).await.is(200), delivered);
    get("message/delivery?date=x").await.says(400, "Bad Request");
    assert_eq!(get("demographic").await.is(200), json!({"available": false}));
    let event = get(&format!("message/event?requestId={}", sent.header("x-line-request-id"))).await.is(200);
    assert_eq!(event["overview"]["delivered"], 1);
    get("message/event").await.is(400);
    get("message/event?requestId=123e4567-e89b-12d3-a456-426614174000").await.is(404);
    let unit = |from: &str, to: &str| {
        format!("message/event/aggregation?customAggregationUnit=spring&from={from}&to={to}")
    };
    assert_eq!(get(&unit(&day, &day)).await.is(200)["messages"][0]["seq"], 1);
    let past = stage.date(-40).await;
    get(&unit(&past, &day)).await.is(400);
    calls(&stage).await
}
