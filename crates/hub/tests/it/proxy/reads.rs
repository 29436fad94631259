//! What is read passes through, of what the destination may know.

use rstest::rstest;
use serde_json::json;
use testkit::Engine;

use super::Shop;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn reads_are_lines_own_answers(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({})).await;
    let friend = shop.friend_id().await;
    let profile = line.get(&format!("/v2/bot/profile/{friend}")).await;
    assert_eq!(profile.headers["content-type"], "application/json");
    assert_eq!(profile.expect(200)["displayName"], "Mei");
    let info = line.get("/v2/bot/info").await.expect(200);
    assert_eq!(info["userId"], shop.account.bot_user_id);
    line.get("/v2/bot/message/quota").await.expect(200);
    line.get("/v2/bot/message/quota/consumption").await.expect(200);
    assert_eq!(line.get("/v2/bot/richmenu/list").await.expect(200)["richmenus"], json!([]));
    // A refusal of LINE's is LINE's, and a query goes as it came.
    line.get("/v2/bot/richmenu/richmenu-none").await.expect(404);
    let odd = line.get("/v2/bot/message/delivery/reply?date=yesterday").await.expect(400);
    assert!(odd["message"].is_string(), "{odd}");
    line.get("/v2/bot/message/delivery/reply?date=20260101").await.expect(200);
    // An answer that holds for a moment is not asked for again.
    line.get(&format!("/v2/bot/profile/{friend}")).await.expect(200);
    let calls = shop.hub.control.get("/requests").await;
    let of_proxy = calls["items"].as_array().unwrap().iter().filter(|call| {
        call["path"].as_str().unwrap().starts_with("/v2/bot/profile/") && call["status"] == 200
    });
    assert!(of_proxy.count() <= 2, "one of the inbox, one of the proxy");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn people_and_contents_are_those_of_the_destinations_events(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({})).await;
    let friend = shop.friend_id().await;
    let picture = json!({ "type": "image", "contentBase64": "iVBORw0KGgo=" });
    let message = shop.friend.sends(&shop.account, picture).await;
    let path = format!("/v2/bot/message/{message}/content");
    let content = line.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(content.status(), 200);
    assert_eq!(content.bytes().await.unwrap(), &b"\x89PNG\r\n\x1a\n"[..]);
    // Nobody whom the account has not met, and no message that did not come in.
    let unknown = format!("U{}", "0".repeat(32));
    let refused = line.get(&format!("/v2/bot/profile/{unknown}")).await;
    assert!(refused.reason().contains("event of this destination"), "{refused:?}");
    assert_eq!(refused.status, 404);
    line.get("/v2/bot/message/1/content").await.expect(404);
    // A destination that gets the events of some only.
    let vip = shop.another(json!({ "filter": { "tags": ["vip"] } })).await;
    let vip = shop.line_of(&vip, json!({})).await;
    vip.get(&format!("/v2/bot/profile/{friend}")).await.expect(404);
    vip.get(&path).await.expect(404);
    let contacts = shop.hub.api().get(&format!("/contacts?account_id={}", shop.account.id)).await.expect(200);
    let contact = contacts["items"][0]["id"].as_str().unwrap();
    shop.hub.api().patch(&format!("/contacts/{contact}"), json!({ "tags": ["vip"] })).await.expect(200);
    vip.get(&format!("/v2/bot/profile/{friend}")).await.expect(200);
    // Whoever gets groups alone asks for people as members there.
    let groups = shop.another(json!({ "filter": { "sources": ["group"] } })).await;
    let groups = shop.line_of(&groups, json!({})).await;
    groups.get(&format!("/v2/bot/profile/{friend}")).await.expect(404);
    let follows = shop.another(json!({ "filter": { "events": ["follow"] } })).await;
    let follows = shop.line_of(&follows, json!({})).await;
    follows.get(&path).await.expect(404);
    follows.get(&format!("/v2/bot/profile/{friend}")).await.expect(200);
    shop.hub.close().await;
}

// A gesture is seen by the friend: it is for the chats of the destination's events.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn gestures_are_for_people_whom_the_filter_passes(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let friend = shop.friend_id().await;
    let vip = shop.another(json!({ "filter": { "tags": ["vip"] } })).await;
    let (all, vip) = (shop.line(json!({})).await, shop.line_of(&vip, json!({})).await);
    let dots = json!({ "chatId": friend, "loadingSeconds": 5 });
    let read = json!({ "chat": { "userId": friend } });
    let (start, mark) = ("/v2/bot/chat/loading/start", "/v2/bot/message/markAsRead");
    all.post(start, dots.clone()).await.expect(202);
    let asked = async |path: &str| {
        let calls = shop.hub.control.get("/requests").await;
        calls["items"].as_array().unwrap().iter().filter(|call| call["path"] == path).count()
    };
    assert_eq!((asked(start).await, asked(mark).await), (1, 0));
    let refused = vip.post(start, dots.clone()).await;
    assert!(refused.status == 404 && refused.reason().contains("event of this destination"), "{refused:?}");
    vip.post(mark, read.clone()).await.expect(404);
    for (path, body, name) in [
        (start, json!({ "loadingSeconds": 5 }), "'chatId'"),
        (start, json!([friend]), "'chatId'"),
        (mark, json!({ "chat": friend }), "'chat.userId'"),
    ] {
        let refused = vip.post(path, body).await.expect(400);
        assert!(refused["message"].as_str().unwrap().contains(name), "{refused}");
    }
    // Whom a body names twice is one person.
    let twice = format!(r#"{{"chatId":"{friend}","loadingSeconds":5,"chatId":"U{}"}}"#, "0".repeat(32));
    let request = vip.request(reqwest::Method::POST, start).header("content-type", "application/json");
    assert_eq!(vip.call(request.body(twice)).await.status, 404);
    assert_eq!((asked(start).await, asked(mark).await), (1, 0), "LINE heard of none of them");
    let contacts = shop.hub.api().get(&format!("/contacts?account_id={}", shop.account.id)).await.expect(200);
    let contact = contacts["items"][0]["id"].as_str().unwrap();
    shop.hub.api().patch(&format!("/contacts/{contact}"), json!({ "tags": ["vip"] })).await.expect(200);
    vip.post(start, dots).await.expect(202);
    assert_ne!(vip.post(mark, read).await.status, 404);
    shop.hub.close().await;
}

// What changes things for everybody is written down.
#[tokio::test]
async fn changes_pass_with_their_scope_and_stand_in_the_audit_log() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let line = shop.line(json!({ "scopes": ["manage", "read"] })).await;
    let menu = json!({ "size": { "width": 2500, "height": 843 }, "selected": true, "name": "main",
        "chatBarText": "menu", "areas": [] });
    let made = line.post("/v2/bot/richmenu", menu).await.expect(200);
    let id = made["richMenuId"].as_str().unwrap().to_owned();
    assert_eq!(line.get(&format!("/v2/bot/richmenu/{id}")).await.expect(200)["name"], "main");
    let gone = line.request(reqwest::Method::DELETE, &format!("/v2/bot/richmenu/{id}"));
    line.call(gone).await.expect(200);
    let lines = hub::team::service::list_audit(shop.hub.hub(), &shop.hub.scope(), None, 50).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "proxy.changed").count(), 2);
    shop.hub.close().await;
}
