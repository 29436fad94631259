//! What holds for every call of `/api/v1`.

use hub::team::KeyScope;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use std::time::Duration;
use testkit::Engine;

use super::*;

// "`Authorization: Bearer tlk_…` (made by `trunkline api-key add` or on the API-keys page; scopes `read`, `send`, `manage`)."
#[tokio::test]
async fn a_key_is_needed_and_its_scopes_bind() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let me = shop.hub.url.join("/api/v1/me").unwrap();
    for header in [None, Some("Bearer tlk_wrong"), Some("Bearer "), Some("Basic dGxrOg=="), Some("tlk_x")] {
        let mut request = http.get(me.clone());
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{header:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "unauthorized");
    }
    let [read, send, manage] = [KeyScope::Read, KeyScope::Send, KeyScope::Manage];
    let readers = shop.hub.api_with(&[read]).await;
    let senders = shop.hub.api_with(&[send]).await;
    let managers = shop.hub.api_with(&[manage]).await;
    let account = format!("/accounts/{}", shop.account.id);
    let conversation = format!("/conversations/{}", shop.conversation);
    for path in [
        "/accounts",
        &account,
        "/contacts",
        "/conversations",
        &conversation,
        &shop.messages(),
        "/events",
        "/usage",
    ] {
        assert_eq!(readers.get(path).await.status, 200, "{path}");
        problem(&senders.get(path).await, 403, "missing_scope");
        problem(&managers.get(path).await, 403, "missing_scope");
    }
    problem(&readers.post(&shop.messages(), json!({ "messages": [says("x")] })).await, 403, "missing_scope");
    problem(&managers.post(&shop.messages(), json!({ "messages": [says("x")] })).await, 403, "missing_scope");
    problem(&readers.patch(&conversation, json!({ "read": true })).await, 403, "missing_scope");
    for api in [&readers, &senders] {
        problem(&api.post("/accounts", json!({})).await, 403, "missing_scope");
        problem(&api.patch(&account, json!({})).await, 403, "missing_scope");
        problem(&api.delete(&account).await, 403, "missing_scope");
        problem(&api.post(&format!("{account}/webhook-test"), json!({})).await, 403, "missing_scope");
    }
    assert_eq!(senders.patch(&conversation, json!({ "read": true })).await.status, 200);
    assert_eq!(managers.patch(&account, json!({})).await.status, 200);
    // "`GET /me`: the key's tenant, name, scopes": any key may ask who it is.
    for (api, scopes) in [(&readers, ["read"]), (&senders, ["send"]), (&managers, ["manage"])] {
        assert_eq!(api.get("/me").await.expect(200)["scopes"], json!(scopes));
    }
    let me = shop.get("/me").await;
    assert_eq!(names(&me), ["name", "scopes", "tenant"]);
    assert_eq!(me["name"], "test");
    assert_eq!(me["scopes"], json!(["read", "send", "manage"]));
    assert_eq!(me["tenant"]["id"], shop.hub.tenant.to_string());
    shop.hub.close().await;
}

// "A body that is not JSON: 400 `bad_json`; a missing, wrongly typed or malformed value: 422 naming the field."
#[tokio::test]
async fn bad_bodies_and_values_are_refused_by_name() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let api = shop.hub.api();
    let raw = async |method: Method, path: &str, body: &'static str| {
        let answer = api.request(method, path).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let calls = [
        (Method::POST, "/accounts".to_owned()),
        (Method::PATCH, format!("/accounts/{}", shop.account.id)),
        (Method::PATCH, format!("/conversations/{}", shop.conversation)),
        (Method::POST, shop.messages()),
    ];
    for (method, path) in &calls {
        for body in ["", "{", "not json", "{\"a\":1,}", "\u{feff}{}"] {
            let (status, answer) = raw(method.clone(), path, body).await;
            assert_eq!((status, &answer["code"]), (400, &json!("bad_json")), "{method} {path} {body:?}");
        }
        let (status, answer) = raw(method.clone(), path, "7").await;
        assert_eq!((status, &answer["code"]), (422, &json!("invalid")), "{method} {path}");
    }
    for (body, field) in [
        (json!({}), "channel_id"),
        (json!({ "channel_id": 7, "channel_secret": "s" }), "channel_id"),
        (json!({ "channel_id": "1656000000" }), "channel_secret"),
        (json!({ "channel_id": "x", "channel_secret": "0123456789abcdef0123456789abcdef" }), "channel_id"),
        (json!({ "messenger": "pigeon", "channel_id": "1", "channel_secret": "s" }), "messenger"),
        (json!({ "channel_id": "1656000000", "channel_secret": "s", "take_over": "yes" }), "take_over"),
    ] {
        names_field(&api.post("/accounts", body).await, field);
    }
    let contact = format!("/contacts/{}", text(&shop.get("/contacts").await["items"][0]["id"]));
    let conversation = format!("/conversations/{}", shop.conversation);
    for (path, body, field) in [
        (&contact, json!({ "tags": "vip" }), "tags"),
        (&contact, json!({ "tags": ["ok", 7] }), "tags[1]"),
        (&contact, json!({ "tags": ["ok", ""] }), "tags[1]"),
        (&contact, json!({ "attributes": { "size": 7 } }), "attributes.size"),
        (&conversation, json!({ "state": "sleeping" }), "state"),
        (&conversation, json!({ "state": "snoozed", "snoozed_until": "tomorrow" }), "snoozed_until"),
        (&conversation, json!({ "snoozed_until": "2026-01-01T00:00:00.000Z" }), "snoozed_until"),
        (
            &conversation,
            json!({ "state": "closed", "snoozed_until": "2026-01-01T00:00:00.000Z" }),
            "snoozed_until",
        ),
        (&conversation, json!({ "assignee_id": "usr_nobody" }), "assignee_id"),
        (&conversation, json!({ "read": 1 }), "read"),
    ] {
        names_field(&api.patch(path, body).await, field);
    }
    for (query, field) in [
        ("/contacts?following=maybe", "following"),
        ("/contacts?account_id=7", "account_id"),
        ("/conversations?state=sleeping", "state"),
        ("/conversations?unanswered=1", "unanswered"),
        ("/events?since=yesterday", "since"),
        ("/events?until=2026-13-01T00:00:00.000Z", "until"),
        ("/usage?month=2026-13", "month"),
        ("/usage?account_id=7", "account_id"),
    ] {
        names_field(&api.get(query).await, field);
    }
    shop.hub.close().await;
}

// "Lists answer `{"items": […], "next_cursor": "…"|null}` and take `limit` (1–200, default 50) and `cursor`."
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn lists_have_limits_and_cursors(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let api = shop.hub.api();
    for n in 0..55 {
        shop.friend.says(&shop.account, &format!("{n}")).await;
    }
    for name in ["陳柏宇", "王美麗"] {
        shop.hub.line_user(name).await.says(&shop.account, "hi").await;
    }
    shop.hub.settle().await;
    for list in ["/accounts", "/contacts", "/conversations", "/events", &shop.messages()] {
        let page = shop.get(list).await;
        assert_eq!(names(&page), ["items", "next_cursor"], "{list}");
        let whole = shop.get(&format!("{list}?limit=200")).await["items"].as_array().unwrap().clone();
        assert_eq!(page["items"].as_array().unwrap().len(), whole.len().min(50), "{list}");
        assert_eq!(page["next_cursor"].is_string(), whole.len() > 50, "{list}");
        // Page by page everything comes once.
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop.get(&format!("{list}?limit=7{cursor}")).await;
            let mut part: Vec<String> =
                page["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect();
            if list.ends_with("/messages") {
                // "oldest first within a page, `next_cursor` leads to older pages"
                part.append(&mut ids);
                ids = part;
            } else {
                ids.append(&mut part);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let expected: Vec<String> = whole.iter().map(|item| text(&item["id"])).collect();
        assert_eq!(ids, expected, "{list}");
        for wrong in ["0", "201", "-1", "x", "1.5"] {
            names_field(&api.get(&format!("{list}?limit={wrong}")).await, "limit");
        }
        for wrong in ["x", "%00", "W10", "bnVsbA"] {
            let answer = api.get(&format!("{list}?cursor={wrong}")).await;
            names_field(&answer, "cursor");
        }
    }
    shop.hub.close().await;
}

// "404 across tenants": another tenant's things are not there, for reading and for writing alike.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_stranger_finds_nothing(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let stranger = shop.hub.stranger("Another tenant").await;
    let contact = text(&shop.get("/contacts").await["items"][0]["id"]);
    let message = text(&shop.line("hello").await["id"]);
    let account = format!("/accounts/{}", shop.account.id);
    let conversation = format!("/conversations/{}", shop.conversation);
    for path in [
        &account,
        &format!("/contacts/{contact}"),
        &conversation,
        &shop.messages(),
        &format!("/messages/{message}"),
        &format!("/messages/{message}/content"),
    ] {
        problem(&stranger.get(path).await, 404, "not_found");
    }
    problem(&stranger.patch(&account, json!({ "environment": "live" })).await, 404, "not_found");
    problem(&stranger.delete(&account).await, 404, "not_found");
    problem(&stranger.post(&format!("{account}/webhook-test"), json!({})).await, 404, "not_found");
    problem(
        &stranger.patch(&format!("/contacts/{contact}"), json!({ "tags": ["x"] })).await,
        404,
        "not_found",
    );
    problem(&stranger.patch(&conversation, json!({ "state": "closed" })).await, 404, "not_found");
    problem(&stranger.post(&shop.messages(), json!({ "messages": [says("x")] })).await, 404, "not_found");
    let again = format!("/messages/{message}/send-again");
    problem(&stranger.post(&again, json!({})).await, 404, "not_found");
    for list in ["/accounts", "/contacts", "/conversations", "/events", "/usage"] {
        assert_eq!(stranger.get(list).await.expect(200)["items"], json!([]), "{list}");
        let named = stranger.get(&format!("{list}?account_id={}", shop.account.id)).await.expect(200);
        assert_eq!(named["items"], json!([]), "{list}");
    }
    // Nothing was changed by trying.
    assert_eq!(shop.get(&conversation).await["state"], "open");
    assert_eq!(shop.get(&account).await["status"], "connected");
    // What cannot be an id at all is not there either.
    for path in
        ["/accounts/x", "/contacts/%00", "/conversations/cnv_", "/messages/msg_1/content", "/nothing", "/"]
    {
        problem(&shop.hub.api().get(path).await, 404, "not_found");
    }
    problem(&shop.hub.api().delete("/me").await, 405, "method_not_allowed");
    shop.hub.close().await;
}

// "Unsafe methods take `Idempotency-Key` (any string up to 64 characters, kept 24 h, counted per API key, method and path:
// the same key and body answers the first result, waiting for it if it is still running; the same key with another body
// answers 409 `idempotency_key_reused`)."
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_idempotency_key_makes_a_call_once(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let api = shop.hub.api();
    let call = async |api: &testkit::Api, key: &str, words: &str| {
        let body = json!({ "messages": [says(words)] });
        let request = api.request(Method::POST, &shop.messages()).header("idempotency-key", key).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    // At once from several connections, and again later: one result.
    let at_once = futures_util::future::join_all((0..6).map(|_| call(api, "order 1", "one"))).await;
    assert!(at_once.iter().all(|answer| *answer == at_once[0]), "{at_once:?}");
    assert_eq!(at_once[0].0, 202);
    shop.hub.settle().await;
    assert_eq!(call(api, "order 1", "one").await, at_once[0], "the first result, not how it stands now");
    let (status, other) = call(api, "order 1", "another").await;
    assert_eq!((status, &other["code"]), (409, &json!("idempotency_key_reused")));
    assert_eq!(other["errors"][0]["field"], "Idempotency-Key");
    // Another key, another path and another method are other calls.
    let other_api = shop.hub.api_with(&[KeyScope::Send]).await;
    assert_eq!(call(&other_api, "order 1", "two").await.0, 202);
    let path = format!("/conversations/{}", shop.conversation);
    let patch =
        api.request(Method::PATCH, &path).header("idempotency-key", "order 1").json(&json!({ "read": true }));
    assert_eq!(patch.send().await.unwrap().status(), 200);
    // A refusal is a result as well.
    let refuse = async || {
        let body = json!({ "messages": [] });
        let call = api.request(Method::POST, &shop.messages()).header("idempotency-key", "empty").json(&body);
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), text(&json!(answer.headers()["content-type"].to_str().unwrap())))
    };
    assert_eq!(refuse().await, (422, "application/problem+json".to_owned()));
    assert_eq!(refuse().await, (422, "application/problem+json".to_owned()));
    let too_long = "x".repeat(65);
    assert_eq!(call(api, &too_long, "long").await.0, 422);
    assert_eq!(call(api, &"x".repeat(64), "three").await.0, 202);
    shop.hub.settle().await;
    // After 24 hours the key is free again.
    shop.hub.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(call(api, "order 1", "next day").await.0, 202);
    shop.hub.settle().await;
    let shown = shop.friend.texts_received(&shop.account).await;
    assert_eq!(shown, ["one", "two", "three", "next day"]);
    shop.hub.close().await;
}
