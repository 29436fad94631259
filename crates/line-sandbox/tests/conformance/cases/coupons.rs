//! Coupons, membership, mission stickers (PLATFORM 9, 13, 14).

use serde_json::{Value, json};

use super::{Calls, Check, NOBODY, calls};
use crate::stage::{Answer, Stage};

pub(super) async fn run() -> Calls {
    let stage = Stage::new().await;
    coupons(&stage).await;
    memberships(&stage).await;
    stickers(&stage).await;
    calls(&stage).await
}

fn found(answer: &Answer, status: u16, message: &str) {
    let detail = json!([{"message": message, "property": ""}]);
    assert_eq!(answer.is(status)["details"], detail);
}

async fn coupons(stage: &Stage) {
    const COUPON: &str = "/v2/bot/coupon";
    let now = stage.control("GET", "/clock", Value::Null).await.ok()["now"].as_i64().unwrap() / 1_000;
    let coupon = |title: &str| {
        json!({
            "title": title,
            "reward": {"type": "discount", "priceInfo": {"type": "fixed", "fixedAmount": 50}},
            "acquisitionCondition": {"type": "normal"},
            "startTimestamp": now - 60,
            "endTimestamp": now + 3_600,
            "timezone": "ASIA_TAIPEI",
            "visibility": "UNLISTED",
            "maxUseCountPerTicket": 1
        })
    };
    let made = stage.line("POST", COUPON, coupon("紅茶半價")).await.is(200);
    let id = made["couponId"].as_str().unwrap();
    stage.line("POST", COUPON, coupon("")).await.finds("title", "Size must be between 1 and 60");
    for query in ["", "?status=RUNNING&status=DRAFT", "?status=RUNNING%2CDRAFT"] {
        let listed = stage.get(&format!("{COUPON}{query}")).await.is(200);
        assert_eq!(listed["items"], json!([{"couponId": id, "title": "紅茶半價"}]));
    }
    stage.get(&format!("{COUPON}?limit=101")).await.is(400);
    let path = format!("{COUPON}/{id}");
    assert_eq!(stage.get(&path).await.is(200)["status"], "RUNNING");
    found(&stage.get(&format!("{COUPON}/x")).await, 404, "coupon not found");
    let close = async |path: &str| stage.line("PUT", &format!("{path}/close"), Value::Null).await;
    assert_eq!(close(&path).await.is(200), json!({}));
    found(&close(&path).await, 410, "The coupon has already been closed.");
    found(&close(&format!("{COUPON}/x")).await, 404, "coupon not found");
}

async fn memberships(stage: &Stage) {
    let get = async |path: &str| stage.get(&format!("/v2/bot/membership/{path}")).await;
    get("list").await.says(404, "Membership plan not found");
    let plan = json!({"title": "Basic", "price": 500, "benefits": ["photos"]});
    let plan = stage.control("POST", &format!("/channels/{}/memberships", stage.channel), plan).await.ok();
    let id = plan["membershipId"].as_u64().unwrap();
    let mine = format!("subscription/{}", stage.user_id);
    get(&mine).await.says(404, "Not found");
    get("subscription/me").await.says(400, "The value for the 'userId' parameter is invalid");
    stage.act("memberships", json!({"membershipId": id, "type": "joined"})).await;
    assert_eq!(get(&mine).await.is(200)["subscriptions"][0]["membership"]["title"], "Basic");
    assert_eq!(get("list").await.is(200)["memberships"][0]["memberCount"], 1);
    assert_eq!(get(&format!("{id}/users/ids")).await.is(200), json!({"userIds": [stage.user_id]}));
    get("1/users/ids").await.says(404, "Membership ID is not found");
    get(&format!("{id}/users/ids?start=x")).await.says(400, "Invalid start param");
}

async fn stickers(stage: &Stage) {
    let give = async |to: &str, product: &str| {
        let body =
            json!({"to": to, "productType": "STICKER", "productId": product, "sendPresentMessage": false});
        stage.line("POST", "/shop/v3/mission", body).await
    };
    give(&stage.user_id, "1234").await.says(403, "not allowed to use the API");
    stage.set(json!({"missionStickers": ["1234"]})).await;
    give(NOBODY, "1234").await.says(400, "invalid request");
    give(&stage.user_id, "1235").await.says(404, "not found");
    assert_eq!(give(&stage.user_id, "1234").await.is(200), json!({}));
}
