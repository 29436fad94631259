//! Contacts, conversations, messages and their content, and "Messages".

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use testkit::Engine;

use super::*;

// "`GET /contacts`: filters `account_id, tag, following, q`; `id, account_id, messenger, external_id, display_name,
// picture_url, language, following, blocked_at, tags, attributes`"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn contacts_are_listed_filtered_and_labelled(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let other = shop.hub.line_user("陳柏宇 Bob").await;
    other.follows(&shop.account).await;
    shop.hub.settle().await;
    shop.hub.advance(Duration::from_secs(1));
    other.blocks(&shop.account).await;
    shop.hub.settle().await;
    let all = shop.get("/contacts").await["items"].as_array().unwrap().clone();
    let of = |id: &str| all.iter().find(|contact| contact["external_id"] == id).unwrap().clone();
    let (first, second) = (of(&shop.friend.id), of(&other.id));
    let members = [
        "account_id",
        "attributes",
        "blocked_at",
        "display_name",
        "external_id",
        "following",
        "id",
        "language",
        "messenger",
        "picture_url",
        "tags",
    ];
    assert_eq!(names(&first), members);
    assert_eq!((&first["display_name"], &first["following"]), (&json!("林小晴"), &json!(true)));
    assert_eq!((&first["account_id"], &first["messenger"]), (&json!(shop.account.id), &json!("line")));
    assert_eq!((&first["blocked_at"], &second["following"]), (&Value::Null, &json!(false)));
    is_time(&second["blocked_at"]);

    // "`PATCH /contacts/{id}` takes `tags` and `attributes` (whole new values)."
    let path = format!("/contacts/{}", text(&first["id"]));
    let api = shop.hub.api();
    let labels = json!({ "tags": ["vip", "tea", "vip"], "attributes": { "size": "L", "茶": "烏龍" } });
    let labelled = api.patch(&path, labels).await.expect(200);
    assert_eq!(
        (&labelled["tags"], &labelled["attributes"]),
        (&json!(["tea", "vip"]), &json!({ "size": "L", "茶": "烏龍" }))
    );
    let labelled = api.patch(&path, json!({ "tags": ["vip"] })).await.expect(200);
    assert_eq!(
        (&labelled["tags"], &labelled["attributes"]["size"]),
        (&json!(["vip"]), &json!("L")),
        "what is absent stays"
    );
    assert_eq!(api.get(&path).await.expect(200), labelled);

    let account = &shop.account.id;
    for (query, expected) in [
        (format!("account_id={account}"), 2),
        ("tag=vip".to_owned(), 1),
        ("tag=tea".to_owned(), 0),
        ("following=true".to_owned(), 1),
        ("following=false".to_owned(), 1),
        ("q=%E5%B0%8F%E6%99%B4".to_owned(), 1),
        ("q=bOB".to_owned(), 1),
        ("q=%25".to_owned(), 0),
        (format!("account_id={account}&following=true&tag=vip&q=%E6%9E%97"), 1),
    ] {
        let found = shop.get(&format!("/contacts?{query}")).await;
        assert_eq!(found["items"].as_array().unwrap().len(), expected, "{query}: {found}");
    }
    shop.hub.close().await;
}

// "`GET /conversations`: filters `account_id, state (open|snoozed|closed), unanswered, assignee_id, q`; newest activity first"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn conversations_are_listed_filtered_and_kept_in_order(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let api = shop.hub.api();
    shop.hub.advance(Duration::from_secs(5));
    let other = shop.hub.line_user("陳柏宇").await;
    other.follows(&shop.account).await;
    other.says(&shop.account, "第二個").await;
    shop.hub.settle().await;
    let listed = shop.get("/conversations").await;
    let titles: Vec<String> =
        listed["items"].as_array().unwrap().iter().map(|item| text(&item["title"])).collect();
    assert_eq!(titles, ["陳柏宇", "林小晴"]);
    let first = &listed["items"][1];
    for member in [
        "id",
        "account_id",
        "kind",
        "title",
        "picture_url",
        "contact",
        "state",
        "unanswered",
        "unread_count",
        "last_message",
        "last_message_at",
        "assignee_id",
        "reply_window",
    ] {
        assert!(first.get(member).is_some(), "{member}: {first}");
    }
    assert_eq!((&first["kind"], &first["state"]), (&json!("user"), &json!("open")));
    assert_eq!((&first["unanswered"], &first["unread_count"]), (&json!(true), &json!(1)));
    assert_eq!(first["last_message"]["content"]["text"], "hello");
    is_time(&first["last_message_at"]);
    is_time(&first["reply_window"]["free_until"]);

    // "`PATCH /conversations/{id}`: `state`, `assignee_id`, `read: true`"
    let path = format!("/conversations/{}", shop.conversation);
    let read = api.patch(&path, json!({ "read": true })).await.expect(200);
    assert_eq!((&read["unread_count"], &read["unanswered"]), (&json!(0), &json!(true)));
    let closed = api.patch(&path, json!({ "state": "closed" })).await.expect(200);
    assert_eq!(closed["state"], "closed");
    let found = async |query: &str| {
        let page = shop.get(&format!("/conversations?{query}")).await;
        page["items"].as_array().unwrap().iter().map(|item| text(&item["title"])).collect::<Vec<_>>()
    };
    assert_eq!(found("state=closed").await, ["林小晴"]);
    assert_eq!(found("state=open").await, ["陳柏宇"]);
    assert_eq!(found("q=%E6%9F%8F").await, ["陳柏宇"]);
    assert_eq!(found("unanswered=true&state=open").await, ["陳柏宇"]);
    assert!(found("state=snoozed").await.is_empty());
    assert_eq!(found(&format!("account_id={}", shop.account.id)).await.len(), 2);

    // "`PATCH` of a conversation to `snoozed` takes `snoozed_until`, or none for "until the next message""
    let snoozed = api.patch(&path, json!({ "state": "snoozed" })).await.expect(200);
    assert_eq!((&snoozed["state"], &snoozed["snoozed_until"]), (&json!("snoozed"), &Value::Null));
    shop.friend.says(&shop.account, "one more thing").await;
    shop.hub.settle().await;
    assert_eq!(shop.get(&path).await["state"], "open");
    let until = "2099-01-01T00:00:00.000Z";
    let snoozed = api.patch(&path, json!({ "state": "snoozed", "snoozed_until": until })).await.expect(200);
    assert_eq!(snoozed["snoozed_until"], until);

    // Whom it is assigned to.
    let members = hub::team::service::members(shop.hub.hub(), &shop.hub.scope()).await.unwrap();
    let owner = members[0].id.to_string();
    let assigned = api.patch(&path, json!({ "assignee_id": owner })).await.expect(200);
    assert_eq!(assigned["assignee_id"], owner);
    assert_eq!(found(&format!("assignee_id={owner}")).await, ["林小晴"]);
    let nobody = api.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    assert_eq!(nobody["assignee_id"], Value::Null);
    shop.hub.close().await;
}

// "`GET /conversations/{id}/messages`: id, direction, origin, sender, content (LINE message object), sent_at, delivery {state,
// via, cost, error}"; "202 `{"items": [message…]}`"
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn messages_go_out_in_order_and_say_how_they_stand(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let two =
        json!({ "messages": [says("one"), { "type": "sticker", "packageId": "446", "stickerId": "1988" }] });
    let queued = shop.sends(two).await.expect(202);
    assert_eq!(names(&queued), ["items"]);
    assert_eq!(queued["items"].as_array().unwrap().len(), 2);
    for item in queued["items"].as_array().unwrap() {
        for member in ["id", "direction", "origin", "sender", "content", "sent_at", "delivery"] {
            assert!(item.get(member).is_some(), "{member}: {item}");
        }
        assert_eq!(
            (&item["direction"], &item["origin"], &item["delivery"]["state"]),
            (&json!("out"), &json!("api"), &json!("queued"))
        );
        assert_eq!(item["sender"]["name"], "test", "the key's name");
        is_time(&item["sent_at"]);
    }
    shop.hub.settle().await;
    let sent = shop.line("one").await;
    assert_eq!(sent["delivery"], json!({ "state": "sent", "via": "reply", "cost": 0, "error": null }));
    assert_eq!(sent["id"], queued["items"][0]["id"]);
    let hello = shop.line("hello").await;
    assert_eq!((&hello["direction"], &hello["origin"]), (&json!("in"), &json!("contact")));
    assert_eq!((&hello["sender"]["name"], &hello["delivery"]), (&json!("林小晴"), &Value::Null));
    let order: Vec<String> = shop.get(&shop.messages()).await["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["content"]["type"] != "event")
        .map(|line| text(&line["content"]["type"]))
        .collect();
    assert_eq!(order, ["text", "text", "sticker"]);
    // Where no reply token is left, an answer is paid.
    shop.hub.advance(Duration::from_secs(60));
    let _ = shop.sends(json!({ "messages": [says("two")] })).await.expect(202);
    shop.hub.settle().await;
    assert_eq!(
        shop.line("two").await["delivery"],
        json!({ "state": "sent", "via": "push", "cost": 1, "error": null })
    );
    assert_eq!(shop.get(&format!("/conversations/{}", shop.conversation)).await["unanswered"], false);
    shop.hub.close().await;
}

// LINE's limits, refused before anything is queued, with LINE's words; `{"messages":[LINE message object, 1–5]…}`
#[tokio::test]
async fn what_line_would_refuse_is_refused_at_once() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let long = "x".repeat(5001);
    for (messages, field) in [
        (json!([]), "messages"),
        (json!([says("1"), says("2"), says("3"), says("4"), says("5"), says("6")]), "messages"),
        (json!([says("")]), "messages[0].text"),
        (json!([says("ok"), says(&long)]), "messages[1].text"),
        (json!([{ "type": "hologram" }]), "messages[0].type"),
        (
            json!([{ "type": "image", "originalContentUrl": "http://example.com/a.jpg", "previewImageUrl": "https://example.com/a.jpg" }]),
            "messages[0].originalContentUrl",
        ),
        (json!([{ "type": "sticker", "packageId": "446" }]), "messages[0].stickerId"),
    ] {
        names_field(&shop.sends(json!({ "messages": messages })).await, field);
    }
    for (body, field) in [
        (json!({}), "messages"),
        (json!({ "messages": says("x") }), "messages"),
        (json!({ "messages": [says("x")], "allow_paid": "yes" }), "allow_paid"),
        (json!({ "messages": [says("x")], "max_cost": -1 }), "max_cost"),
        (json!({ "messages": [says("x")], "max_cost": "1" }), "max_cost"),
    ] {
        names_field(&shop.sends(body).await, field);
    }
    // UTF-16 counting: 2,500 astral characters are 5,000 units, the most (PLATFORM 19).
    names_field(&shop.sends(json!({ "messages": [says(&"😀".repeat(2501))] })).await, "messages[0].text");
    let _ = shop.sends(json!({ "messages": [says(&"😀".repeat(2500))] })).await.expect(202);
    shop.hub.settle().await;
    assert_eq!(shop.friend.texts_received(&shop.account).await.len(), 1, "nothing of the refused went out");
    shop.hub.close().await;
}

// "402 `paid_send_refused` when it would cost and `allow_paid` is false"; "`max_cost` (default 1) refuses above it with the same
// code"; "`allow_paid` binds until LINE's answer: what can no longer be free ends `failed` with `paid_send_refused`."
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn nothing_is_paid_without_leave(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let free = json!({ "messages": [says("late")], "allow_paid": false });
    let _ = shop.sends(free.clone()).await.expect(202);
    // The token dies before the hub gets to it ("A reply token's age counts from receipt").
    shop.hub.advance(Duration::from_secs(120));
    shop.hub.settle().await;
    let late = shop.line("late").await;
    assert_eq!(
        (&late["delivery"]["state"], &late["delivery"]["error"]["code"]),
        (&json!("failed"), &json!("paid_send_refused"))
    );
    problem(&shop.sends(free).await, 402, "paid_send_refused");
    problem(&shop.sends(json!({ "messages": [says("x")], "max_cost": 0 })).await, 402, "paid_send_refused");
    assert_eq!(
        shop.get(&format!("/conversations/{}", shop.conversation)).await["reply_window"]["free_until"],
        Value::Null
    );

    // "In groups and rooms it defaults to false and the cost is the member count read just before"
    let other = shop.hub.line_user("陳柏宇").await;
    let group = json!({ "name": "茶友", "channelId": shop.account.channel_id, "members": [shop.friend.user, other.user] });
    let group = text(&shop.hub.control.post("/groups", group).await["groupId"]);
    let message = json!({ "channelId": shop.account.channel_id, "group": group, "message": says("大家好") });
    shop.friend.acts("messages", message).await;
    shop.hub.advance(Duration::from_secs(120));
    shop.hub.settle().await;
    let listed = shop.get("/conversations").await;
    let chat = listed["items"].as_array().unwrap().iter().find(|item| item["kind"] == "group").unwrap();
    assert_eq!((&chat["title"], &chat["contact"]), (&json!("茶友"), &Value::Null));
    let path = format!("/conversations/{}/messages", text(&chat["id"]));
    let send = async |terms: Value| {
        let mut body = json!({ "messages": [says("給大家")] });
        body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        shop.hub.api().post(&path, body).await
    };
    problem(&send(json!({})).await, 402, "paid_send_refused");
    problem(&send(json!({ "allow_paid": true })).await, 402, "paid_send_refused");
    let _ = send(json!({ "allow_paid": true, "max_cost": 2 })).await.expect(202);
    shop.hub.settle().await;
    let page = shop.get(&path).await;
    let sent = page["items"].as_array().unwrap().iter().find(|line| line["direction"] == "out").unwrap();
    assert_eq!((&sent["delivery"]["state"], &sent["delivery"]["cost"]), (&json!("sent"), &json!(2)));
    let inbound =
        page["items"].as_array().unwrap().iter().find(|line| line["content"]["text"] == "大家好").unwrap();
    assert_eq!(inbound["sender"]["name"], "林小晴", "the member's name");
    shop.hub.close().await;
}

// "409 `blocked` when the friend has blocked the OA"; "A conversation held by a module channel (`standby`) refuses sends with
// 409 `standby`."
#[tokio::test]
async fn a_friend_who_blocked_and_a_conversation_held_elsewhere_get_nothing() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    shop.hub.advance(Duration::from_secs(1));
    shop.friend.blocks(&shop.account).await;
    shop.hub.settle().await;
    problem(&shop.sends(json!({ "messages": [says("x")] })).await, 409, "blocked");
    shop.hub.advance(Duration::from_secs(1));
    shop.friend.follows(&shop.account).await;
    shop.hub.settle().await;
    let _ = shop.sends(json!({ "messages": [says("welcome back")] })).await.expect(202);
    shop.hub.settle().await;
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["welcome back"]);

    let channel = format!("/channels/{}", shop.account.channel_id);
    shop.hub.control.patch(&channel, json!({ "standby": true })).await;
    shop.hub.advance(Duration::from_secs(1));
    shop.friend.says(&shop.account, "to the other").await;
    shop.hub.settle().await;
    assert_eq!(shop.line("to the other").await["standby"], true);
    problem(&shop.sends(json!({ "messages": [says("x")] })).await, 409, "standby");
    shop.hub.close().await;
}

// "A send that the month's quota cannot hold is refused at once with 402 `quota_exhausted` when the hub knows (LINE's reading
// under 60 s old, plus our own unsettled sends), else ends as `failed` with `error.code` `quota_exhausted`."
#[tokio::test]
async fn a_used_up_quota_is_told_at_once_or_at_the_end() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let channel = format!("/channels/{}", shop.account.channel_id);
    shop.hub.control.patch(&channel, json!({ "monthlyQuota": 2 })).await;
    shop.hub.advance(Duration::from_secs(120));
    for words in ["one", "two"] {
        let _ = shop.sends(json!({ "messages": [says(words)] })).await.expect(202);
    }
    // Unsent as they are, they count.
    problem(&shop.sends(json!({ "messages": [says("three")] })).await, 402, "quota_exhausted");
    shop.hub.settle().await;
    problem(&shop.sends(json!({ "messages": [says("three")] })).await, 402, "quota_exhausted");
    // LINE does not say how much is left: it is tried, and LINE refuses.
    shop.hub.advance(Duration::from_secs(120));
    let fault = json!({ "on": "api", "path": "/v2/bot/message/quota", "kind": "status", "status": 500 });
    shop.hub.control.post("/faults", fault).await;
    let _ = shop.sends(json!({ "messages": [says("four")] })).await.expect(202);
    shop.hub.settle().await;
    let four = shop.line("four").await;
    assert_eq!(
        (&four["delivery"]["state"], &four["delivery"]["error"]["code"]),
        (&json!("failed"), &json!("quota_exhausted"))
    );
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["one", "two"]);
    shop.hub.close().await;
}

// "An unsent message stays in the list with `content: null` and `unsent_at`."; "An edited message keeps its id and has
// `edited_at` and `versions`."
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn unsent_and_edited_messages_stay_in_their_place(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let regret = shop.friend.says(&shop.account, "a secret").await;
    shop.hub.settle().await;
    let id = text(&shop.line("a secret").await["id"]);
    shop.friend.unsends(&shop.account, &regret).await;
    shop.hub.settle().await;
    let gone = shop.get(&format!("/messages/{id}")).await;
    assert_eq!(gone["content"], Value::Null);
    is_time(&gone["unsent_at"]);
    let page = shop.get(&shop.messages()).await;
    assert!(
        page["items"].as_array().unwrap().iter().any(|line| line["id"] == id.as_str()),
        "it stays in the list"
    );
    assert!(!page.to_string().contains("a secret"));

    let group =
        json!({ "name": "茶友", "channelId": shop.account.channel_id, "members": [shop.friend.user] });
    let group = text(&shop.hub.control.post("/groups", group).await["groupId"]);
    let message =
        json!({ "channelId": shop.account.channel_id, "group": group, "message": says("first words") });
    let sent = shop.friend.acts("messages", message).await;
    shop.hub.settle().await;
    let listed = shop.get("/conversations").await;
    let chat = listed["items"].as_array().unwrap().iter().find(|item| item["kind"] == "group").unwrap();
    let path = format!("/conversations/{}/messages", text(&chat["id"]));
    let line = async |words: &str| {
        let page = shop.get(&path).await;
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|line| line["content"]["text"] == words)
            .cloned()
            .unwrap()
    };
    let before = line("first words").await;
    shop.hub.advance(Duration::from_secs(1));
    let edit = json!({ "channelId": shop.account.channel_id, "messageId": sent["messageId"], "text": "better words" });
    shop.friend.acts("edits", edit).await;
    shop.hub.settle().await;
    let after = line("better words").await;
    assert_eq!((&after["id"], &after["sent_at"]), (&before["id"], &before["sent_at"]));
    is_time(&after["edited_at"]);
    assert_eq!(after["versions"].as_array().unwrap().len(), 1);
    assert_eq!(after["versions"][0]["content"]["text"], "first words");
    shop.hub.close().await;
}

// "`GET /messages/{id}/content`: media of a message, with range support"
#[tokio::test]
async fn media_is_served_whole_and_in_parts_and_harmless() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let pixel =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    shop.friend.sends(&shop.account, json!({ "type": "image", "contentBase64": pixel })).await;
    let page = "PGh0bWw+PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0PjwvaHRtbD4=";
    let file = json!({ "type": "file", "fileName": "菜單 \"1\".html", "contentBase64": page });
    shop.friend.sends(&shop.account, file).await;
    shop.hub.settle().await;
    let lines = shop.get(&shop.messages()).await["items"].as_array().unwrap().clone();
    let path_of = |kind: &str| {
        let line = lines.iter().find(|line| line["content"]["type"] == kind).unwrap();
        assert_eq!(line["media"]["state"], "kept", "{line}");
        format!("/messages/{}/content", text(&line["id"]))
    };
    let (image, file) = (path_of("image"), path_of("file"));
    let api = shop.hub.api();
    let fetch = async |path: &str, range: Option<&str>| {
        let mut request = api.request(Method::GET, path);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap())
    };
    let (status, headers, whole) = fetch(&image, None).await;
    assert_eq!((status, headers["content-type"].as_bytes()), (200, b"image/png".as_slice()));
    assert!(whole.starts_with(b"\x89PNG"));
    let (status, headers, part) = fetch(&image, Some("bytes=1-3")).await;
    assert_eq!((status, &part[..]), (206, b"PNG".as_slice()));
    assert_eq!(headers["content-range"], format!("bytes 1-3/{}", whole.len()));
    let (status, _, tail) = fetch(&image, Some("bytes=-2")).await;
    assert_eq!((status, &tail[..]), (206, &whole[whole.len() - 2..]));
    assert_eq!(fetch(&image, Some("bytes=100000-")).await.0, 416);
    // ARCHITECTURE 7: what a friend sends cannot run in an agent's browser.
    let (status, headers, _) = fetch(&file, None).await;
    assert_eq!((status, &headers["content-type"]), (200, &"application/octet-stream".parse().unwrap()));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    // A text has no media; a failed or unknown message can be asked for all the same.
    let hello = text(&shop.line("hello").await["id"]);
    problem(&api.get(&format!("/messages/{hello}/content")).await, 404, "not_found");
    // "`409 not_settled`": only what failed or is unknown is sent again.
    problem(&api.post(&format!("/messages/{hello}/send-again"), json!({})).await, 404, "not_found");
    shop.hub.close().await;
}
