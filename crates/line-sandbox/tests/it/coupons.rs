//! Coupons: creation, states, lists, and what people do with them (PLATFORM 13, 19).

use serde_json::{Value, json};

use crate::stage::Stage;

const COUPON: &str = "/v2/bot/coupon";

async fn seconds(stage: &Stage) -> i64 {
    stage.control("GET", "/clock", Value::Null).await.ok()["now"].as_i64().unwrap() / 1_000
}

/// A coupon that is valid for an hour.
async fn body(stage: &Stage) -> Value {
    let now = seconds(stage).await;
    json!({
        "title": "紅茶半價",
        "reward": {"type": "discount", "priceInfo": {"type": "fixed", "fixedAmount": 50}},
        "acquisitionCondition": {"type": "normal"},
        "startTimestamp": now - 60,
        "endTimestamp": now + 3_600,
        "timezone": "ASIA_TAIPEI",
        "visibility": "UNLISTED",
        "maxUseCountPerTicket": 1,
        "imageUrl": "https://shop.example/tea.png"
    })
}

async fn create(stage: &Stage, body: Value) -> String {
    stage.line("POST", COUPON, body).await.ok()["couponId"].as_str().unwrap().to_owned()
}

async fn push(stage: &Stage, id: &str) -> u16 {
    let body = json!({"to": stage.user_id, "messages": [{"type": "coupon", "couponId": id}]});
    stage.line("POST", "/v2/bot/message/push", body).await.status
}

fn detail(message: &str, property: &str) -> Value {
    json!({"message": "The request body has 1 error(s)", "details": [{"message": message, "property": property}]})
}

/// PLATFORM 13: a coupon is made, shown with what LINE adds, and closed once.
#[tokio::test]
async fn a_coupon_lives_and_ends() {
    let stage = Stage::new().await;
    let sent = body(&stage).await;
    let id = create(&stage, sent.clone()).await;
    assert_eq!(id.len(), 26);
    let path = format!("{COUPON}/{id}");
    let shown = stage.get(&path).await.ok();
    assert_eq!(
        (&shown["couponId"], &shown["title"], &shown["timezone"]),
        (&json!(id), &sent["title"], &sent["timezone"])
    );
    assert_eq!((&shown["status"], &shown["maxTicketPerUser"]), (&json!("RUNNING"), &json!(1)));
    // The currency follows the account's country.
    assert_eq!(shown["reward"]["priceInfo"], json!({"type": "fixed", "fixedAmount": 50, "currency": "TWD"}));
    assert_eq!(push(&stage, &id).await, 200);
    assert_eq!(push(&stage, "01K0B456W5Y6SBD3YH74YM6QE6").await, 400);
    stage.line("PUT", &format!("{path}/close"), Value::Null).await.ok();
    assert_eq!(stage.get(&path).await.ok()["status"], "CLOSED");
    assert_eq!(push(&stage, &id).await, 400);
    let again = stage.line("PUT", &format!("{path}/close"), Value::Null).await;
    assert_eq!((again.status, again.json()), (410, detail("The coupon has already been closed.", "")));
    for (method, path) in [("GET", format!("{COUPON}/x")), ("PUT", format!("{COUPON}/x/close"))] {
        let answer = stage.line(method, &path, Value::Null).await;
        assert_eq!((answer.status, answer.json()), (404, detail("coupon not found", "")));
    }
}

/// PLATFORM 13: limits and texts of a creation.
#[tokio::test]
async fn bad_coupons_are_refused() {
    let stage = Stage::new().await;
    let good = body(&stage).await;
    let with = |path: &str, value: Value| {
        let mut body = good.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        body
    };
    let past = json!(seconds(&stage).await - 1);
    let reward = |kind: &str, info: Value| with("/reward", json!({"type": kind, "priceInfo": info}));
    let cases = [
        (with("/title", json!("x".repeat(61))), "Size must be between 1 and 60", "title"),
        (with("/title", json!("")), "Size must be between 1 and 60", "title"),
        (
            with("/reward/type", json!("dance")),
            "Must be one of the following values: [discount,free,gift,cashBack,others]",
            "reward.type",
        ),
        (with("/timezone", json!("Asia/Taipei")), "", "timezone"),
        (
            with("/visibility", json!("PRIVATE")),
            "Must be one of the following values: [PUBLIC,UNLISTED]",
            "visibility",
        ),
        (
            with("/maxUseCountPerTicket", json!(2)),
            "Must be one of the following values: [1,-1]",
            "maxUseCountPerTicket",
        ),
        (with("/endTimestamp", past), "", "endTimestamp"),
        // Beyond it milliseconds would overflow.
        (
            with("/endTimestamp", json!(i64::MAX)),
            "Must be less than or equal to 253402300799",
            "endTimestamp",
        ),
        (with("/imageUrl", json!("http://shop.example/tea.png")), "invalid uri scheme", "imageUrl"),
        (with("/couponCode", json!("x".repeat(17))), "Size must be between 0 and 16", "couponCode"),
        (
            with("/acquisitionCondition", json!({"type": "referral"})),
            "Must be one of the following values: [normal,lottery]",
            "acquisitionCondition.type",
        ),
        (
            with(
                "/acquisitionCondition",
                json!({"type": "lottery", "lotteryProbability": 100, "maxAcquireCount": -1}),
            ),
            "Must be between 1 and 99",
            "acquisitionCondition.lotteryProbability",
        ),
        (
            reward("discount", json!({"type": "percentage", "percentage": 10, "fixedAmount": 1})),
            "Must not be specified",
            "reward.priceInfo.fixedAmount",
        ),
        (
            reward("cashBack", json!({"type": "explicit", "originalPrice": 2, "priceAfterDiscount": 1})),
            "Must be one of the following values: [fixed,percentage]",
            "reward.priceInfo.type",
        ),
        (
            reward("free", json!({"type": "fixed", "fixedAmount": 1})),
            "Must not be specified",
            "reward.priceInfo",
        ),
    ];
    for (body, message, property) in cases {
        let answer = stage.line("POST", COUPON, body).await;
        let found = answer.json()["details"].clone();
        assert_eq!(
            (answer.status, found.as_array().map(Vec::len), &found[0]["property"]),
            (400, Some(1), &json!(property)),
            "{found}"
        );
        assert!(message.is_empty() || found[0]["message"] == message, "{found}");
    }
    let message = "The property, 'title', in the request body is invalid (line: -, column: -)";
    stage.line("POST", COUPON, with("/title", json!(5))).await.refused(400, message);
    assert_eq!(
        stage.line("POST", COUPON, json!({})).await.json()["message"],
        "The request body has 8 error(s)"
    );
    for kind in ["free", "gift", "others"] {
        create(&stage, with("/reward", json!({"type": kind}))).await;
    }
}

/// PLATFORM 13: states by time, repeated or comma-joined; pages.
#[tokio::test]
async fn coupons_are_listed_by_state() {
    let stage = Stage::new().await;
    let good = body(&stage).await;
    let mut draft = good.clone();
    draft["draft"] = json!(true);
    stage.control("POST", &format!("/channels/{}/coupons", stage.channel), draft).await.ok();
    let running = create(&stage, good.clone()).await;
    let closed = create(&stage, good).await;
    stage.line("PUT", &format!("{COUPON}/{closed}/close"), Value::Null).await.ok();
    let ids = async |query: &str| -> Vec<Value> {
        let answer = stage.get(&format!("{COUPON}{query}")).await.ok();
        answer["items"].as_array().unwrap().iter().map(|item| item["couponId"].clone()).collect()
    };
    assert_eq!(ids("").await.len(), 3);
    assert_eq!(ids("?status=RUNNING").await, [json!(running)]);
    assert_eq!(ids("?status=RUNNING,CLOSED").await.len(), 2);
    assert_eq!(ids("?status=DRAFT&status=CLOSED").await.len(), 2);
    let first = stage.get(&format!("{COUPON}?limit=2")).await.ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let rest = stage.get(&format!("{COUPON}?limit=2&start={next}")).await.ok();
    assert_eq!((rest["items"].as_array().unwrap().len(), rest.get("next")), (1, None));
    let refusals = [
        ("status=OLD", detail("Must be one of the following values: [DRAFT,RUNNING,CLOSED]", "status")),
        ("limit=101", detail("Must be less than or equal to 100", "limit")),
        ("start=x", json!({"message": "Invalid start param"})),
    ];
    for (query, expected) in refusals {
        let answer = stage.get(&format!("{COUPON}?{query}")).await;
        assert_eq!((answer.status, answer.json()), (400, expected));
    }
    stage.advance(3_600_000).await;
    let fresh = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    let stage = Stage { token: fresh["access_token"].as_str().unwrap().to_owned(), ..stage };
    let ended = stage.get(&format!("{COUPON}?status=CLOSED")).await.ok();
    assert_eq!(ended["items"].as_array().unwrap().len(), 3);
}

/// PLATFORM 13: one ticket for each person, used once; a lottery has an end.
#[tokio::test]
async fn people_get_and_use_coupons() {
    let stage = Stage::new().await;
    let good = body(&stage).await;
    let id = create(&stage, good.clone()).await;
    let of = json!({"couponId": id});
    assert_eq!(stage.try_act("coupons/use", of.clone()).await.status, 409);
    assert_eq!(stage.act("coupons", of.clone()).await["result"], "acquired");
    assert_eq!(stage.try_act("coupons", of.clone()).await.status, 409);
    assert_eq!(stage.act("coupons/use", of.clone()).await["uses"], 1);
    assert_eq!(stage.try_act("coupons/use", of).await.status, 409);
    let held = stage.items(&format!("/users/{}/coupons", stage.user)).await;
    assert_eq!((held.len(), &held[0]["coupon"]["title"], &held[0]["uses"]), (1, &good["title"], &json!(1)));
    assert_eq!(stage.try_act("coupons", json!({"couponId": "x"})).await.status, 422);
    // A lottery with two winners at most.
    let mut lottery = good;
    lottery["acquisitionCondition"] =
        json!({"type": "lottery", "lotteryProbability": 60, "maxAcquireCount": 2});
    let id = create(&stage, lottery).await;
    let mut won = 0;
    for number in 0..12 {
        let user = stage.control("POST", "/users", json!({"displayName": format!("p{number}")})).await.ok();
        let path = format!("/users/{}/coupons", user["user"].as_str().unwrap());
        let answer =
            stage.control("POST", &path, json!({"channelId": stage.channel, "couponId": id})).await.ok();
        won += usize::from(answer["result"] == "acquired");
    }
    assert_eq!(won, 2);
}
