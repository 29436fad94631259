//! Keys: made and shown once, what each may do, and whose they are.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::Engine;

use super::Shop;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_key_is_shown_once_and_works_for_a_day_beside_the_next_and_ends_with_its_destination(
    #[case] engine: Engine,
) {
    let Some(shop) = Shop::open(engine).await else { return };
    let api = shop.hub.api();
    let path = format!("/destinations/{}/proxy-key", shop.id);
    api.get(&path).await.expect(404);
    let made = api.post(&path, json!({})).await.expect(201);
    assert_eq!((&made["scopes"], &made["monthly_paid_limit"]), (&json!(["reply", "read"]), &json!(0)));
    let first = shop.line_by(made["key"].as_str().unwrap());
    let shown = api.get(&path).await.expect(200);
    assert!(shown["key"].is_null() && first.key.ends_with(shown["hint"].as_str().unwrap()), "{shown}");
    first.get("/v2/bot/info").await.expect(200);
    let second = shop.line(json!({ "scopes": ["read"] })).await;
    first.get("/v2/bot/info").await.expect(200);
    second.get("/v2/bot/info").await.expect(200);
    let shown = api.get(&path).await.expect(200);
    assert!(first.key.ends_with(shown["before"]["hint"].as_str().unwrap()), "{shown}");
    assert!(shown["before"]["works_until"].is_string() && shown["before"]["last_used_at"].is_string());
    shop.hub.advance(Duration::from_secs(24 * 3600 + 1));
    first.get("/v2/bot/info").await.expect(401);
    second.get("/v2/bot/info").await.expect(200);
    assert!(api.get(&path).await.expect(200)["before"].is_null());
    // Of three the oldest ends at once, and the one before by a word.
    let third = shop.line(json!({ "scopes": ["read"] })).await;
    let fourth = shop.line(json!({ "scopes": ["read"] })).await;
    second.get("/v2/bot/info").await.expect(401);
    third.get("/v2/bot/info").await.expect(200);
    let ended = api.patch(&path, json!({ "end_before": true })).await.expect(200);
    assert!(ended["before"].is_null(), "{ended}");
    third.get("/v2/bot/info").await.expect(401);
    let second = fourth;
    second.get("/v2/bot/info").await.expect(200);
    // A pause is of events; the destination still may answer.
    let destination = format!("/destinations/{}", shop.id);
    api.patch(&destination, json!({ "active": false })).await.expect(200);
    second.get("/v2/bot/info").await.expect(200);
    api.delete(&path).await.expect(204);
    api.delete(&path).await.expect(404);
    second.get("/v2/bot/info").await.expect(401);
    let third = shop.line(json!({ "scopes": ["read"] })).await;
    api.delete(&destination).await.expect(204);
    assert!(
        third.get("/v2/bot/info").await.expect(401)["message"].as_str().unwrap().contains("invalid token")
    );
    let log = shop.hub.hub();
    let lines = hub::team::service::list_audit(log, &shop.hub.scope(), None, 50).await.unwrap();
    let actions: Vec<&str> = lines.iter().map(|line| line.action.as_str()).collect();
    for action in ["proxy_key.created", "proxy_key.ended", "proxy_key.revoked"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    shop.hub.close().await;
}

#[tokio::test]
async fn a_key_that_makes_no_sense_is_refused_by_its_field() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let path = format!("/destinations/{}/proxy-key", shop.id);
    for (body, field) in [
        (json!({ "scopes": [] }), "scopes"),
        (json!({ "scopes": ["all"] }), "scopes[0]"),
        (json!({ "monthly_paid_limit": -1 }), "monthly_paid_limit"),
        (json!({ "reply_as_push": true }), "reply_as_push"),
        (json!({ "limit": 1 }), "limit"),
    ] {
        let refused = shop.hub.api().post(&path, body).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    shop.hub.api().get(&path).await.expect(404);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_a_key_may_do_and_spend_is_changed_without_a_new_one(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let api = shop.hub.api();
    let path = format!("/destinations/{}/proxy-key", shop.id);
    api.patch(&path, json!({ "scopes": ["read"] })).await.expect(404);
    let before = shop.line(json!({ "scopes": ["read"] })).await;
    let line = shop.line(json!({ "scopes": ["read"] })).await;
    let friend = shop.friend_id().await;
    assert_eq!(line.push(&friend, "no").await.status, 403);
    let changed = api.patch(&path, json!({ "scopes": ["push"], "monthly_paid_limit": 1 })).await.expect(200);
    assert_eq!((&changed["scopes"], &changed["monthly_paid_limit"]), (&json!(["push"]), &json!(1)));
    assert!(changed["key"].is_null() && changed["before"].is_object(), "{changed}");
    // Both keys may do the same, and spend from one purse.
    line.get("/v2/bot/info").await.expect(403);
    assert_eq!(before.push(&friend, "one").await.status, 200);
    assert_eq!(line.push(&friend, "two").await.status, 429);
    let changed = api.patch(&path, json!({ "monthly_paid_limit": null })).await.expect(200);
    assert_eq!((&changed["scopes"], &changed["monthly_paid_limit"]), (&json!(["push"]), &Value::Null));
    assert_eq!(line.push(&friend, "two").await.status, 200);
    let refused = api.patch(&path, json!({ "scopes": [] })).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "scopes");
    let lines = hub::team::service::list_audit(shop.hub.hub(), &shop.hub.scope(), None, 50).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "proxy_key.changed").count(), 2);
    shop.hub.close().await;
}

#[tokio::test]
async fn nobody_comes_in_without_a_key_and_no_key_goes_beyond_its_scopes() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let stranger = shop.line_by("tlp_nobody");
    stranger.get("/v2/bot/info").await.expect(401);
    stranger.get("/v2/bot/nothing").await.expect(401);
    let bare = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = bare.get(format!("{}v2/bot/info", shop.hub.url)).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert!(body["message"].as_str().unwrap().starts_with("Authorization header required."));
    let friend = shop.friend_id().await;
    // Each operation of each way, with a key that has all scopes but the one it needs.
    let all = ["reply", "read", "push", "bulk", "manage"];
    for (operation, scope) in hub::relay::proxy::table::OPERATIONS
        .iter()
        .filter_map(|operation| Some((operation, operation.scope()?)))
    {
        let rest: Vec<&str> = all.iter().filter(|word| **word != scope.as_str()).copied().collect();
        let line = shop.line(json!({ "scopes": rest, "monthly_paid_limit": null })).await;
        let path = filled(operation.path, &friend);
        let said = line.call(line.request(operation.method.parse().unwrap(), &path).json(&json!({}))).await;
        assert_eq!(
            (said.status, said.reason().contains(scope.as_str())),
            (403, true),
            "{} {said:?}",
            operation.id
        );
    }
    let line = shop.line(json!({ "scopes": all, "monthly_paid_limit": null })).await;
    for operation in
        hub::relay::proxy::table::OPERATIONS.iter().filter(|operation| operation.scope().is_none())
    {
        let path = filled(operation.path, &friend);
        let said = line.call(line.request(operation.method.parse().unwrap(), &path).json(&json!({}))).await;
        assert_eq!((said.status, said.reason()), (403, operation.why), "{}", operation.id);
    }
    line.get("/v2/bot/nothing").await.expect(404);
    line.call(line.request(Method::PATCH, "/v2/bot/info")).await.expect(404);
    // Nothing of this reached LINE.
    let calls = shop.hub.control.get("/requests").await;
    let made: Vec<&Value> = calls["items"].as_array().unwrap().iter().collect();
    assert!(made.iter().all(|call| call["path"] != "/v2/bot/message/push"));
    shop.hub.close().await;
}

fn filled(template: &str, id: &str) -> String {
    let fill = |segment: &str| if segment.starts_with('{') { id.to_owned() } else { segment.to_owned() };
    template.split('/').map(fill).collect::<Vec<_>>().join("/")
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn another_tenant_sees_and_changes_nothing_of_a_key(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({})).await;
    let stranger = shop.hub.stranger("other").await;
    let path = format!("/destinations/{}/proxy-key", shop.id);
    stranger.get(&path).await.expect(404);
    stranger.post(&path, json!({})).await.expect(404);
    stranger.patch(&path, json!({ "scopes": ["manage"], "end_before": true })).await.expect(404);
    stranger.delete(&path).await.expect(404);
    line.get("/v2/bot/info").await.expect(200);
    shop.hub.close().await;
}

#[tokio::test]
async fn an_owner_makes_and_revokes_a_key_on_its_page() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let owner = shop.hub.owner().await;
    let page = format!("/settings/accounts/{}/relay/{}/key", shop.account.id, shop.id);
    let empty = owner.get(&page).await;
    assert!(empty.status == 200 && empty.body.contains("value=\"reply\" checked"), "{}", empty.body);
    let refused = owner.submit(&page, &page, &[("scopes", "read"), ("monthly_paid_limit", "x")]).await;
    assert!(refused.status == 422 && refused.body.contains("aria-invalid"), "{}", refused.body);
    let refused = owner.submit(&page, &page, &[("reply_as_push", "1")]).await;
    assert_eq!(refused.status, 422);
    let made = owner.submit(&page, &page, &[("scopes", "read"), ("monthly_paid_limit", "5")]).await;
    assert_eq!(made.status, 303);
    assert_eq!(made.headers["location"], page.as_str(), "a reload makes no other key");
    let once = owner.get(&page).await;
    assert_eq!(once.headers["cache-control"], "no-store");
    let key_on = |body: &str| {
        let (_, rest) = body.split_once("id=\"proxy-fresh-text\"").unwrap();
        rest.split_once('>').unwrap().1.split('<').next().unwrap().to_owned()
    };
    let plain = key_on(&once.body);
    let line = shop.line_by(&plain);
    line.get("/v2/bot/info").await.expect(200);
    let shown = owner.get(&page).await;
    assert!(!shown.body.contains(&plain) && shown.body.contains("value=\"5\""), "{}", shown.body);
    let agent = shop.hub.agent("agent@test.example", &[&shop.account.id]).await;
    assert_eq!(agent.get(&page).await.status, 403);
    // What it may do is changed; a new one works beside it until that is ended.
    let terms = format!("{page}/terms");
    let refused = owner.submit(&page, &terms, &[("monthly_paid_limit", "x"), ("scopes", "push")]).await;
    assert!(refused.status == 422 && refused.body.contains("value=\"push\" checked"), "{}", refused.body);
    assert_eq!(owner.submit(&page, &terms, &[("scopes", "push"), ("scopes", "read")]).await.status, 303);
    line.get("/v2/bot/info").await.expect(200);
    assert!(owner.get(&page).await.body.contains("value=\"push\" checked"));
    assert_eq!(owner.submit(&page, &format!("{page}/replace"), &[]).await.status, 303);
    let new = shop.line_by(&key_on(&owner.get(&page).await.body));
    new.get("/v2/bot/info").await.expect(200);
    line.get("/v2/bot/info").await.expect(200);
    for act in ["terms", "replace", "end"] {
        let path = format!("{page}/{act}");
        assert_eq!(agent.submit("/settings/profile", &path, &[]).await.status, 403, "{act}");
        assert_eq!(owner.get(&path).await.headers["location"], page.as_str(), "{act}, opened as a page");
    }
    assert_eq!(owner.submit(&page, &format!("{page}/end"), &[]).await.status, 303);
    line.get("/v2/bot/info").await.expect(401);
    let line = new;
    let revoked = owner.submit(&page, &format!("{page}/revoke"), &[]).await;
    assert_eq!(revoked.status, 303);
    line.get("/v2/bot/info").await.expect(401);
    shop.hub.close().await;
}
