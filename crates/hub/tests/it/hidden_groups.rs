//! Groups of an account whose groups are switched off.

use rstest::rstest;
use serde_json::json;
use testkit::{Engine, TestHub};

// S2-21: groups that were shown are gone from everywhere when they are switched off, cannot be answered, and come back when they
// are switched on; what is taken back meanwhile is gone for good.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn groups_that_are_switched_off_are_hidden_and_lose_what_is_taken_back(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let (api, owner) = (hub.api(), hub.owner().await);
    let settings = format!("/accounts/{}", account.id);
    api.patch(&settings, json!({ "group_chats": "shown" })).await.expect(200);
    let group = json!({ "name": "週末爬山團", "channelId": account.channel_id, "members": [friend.user] });
    let group = hub.control.post("/groups", group).await["groupId"].clone();
    let message = json!({ "type": "text", "text": "集合地點是秘密" });
    let said = json!({ "channelId": account.channel_id, "group": group, "message": message });
    let said = friend.acts("messages", said).await["messageId"].as_str().unwrap().to_owned();
    hub.settle().await;
    let listed = api.get("/conversations").await.expect(200);
    let of_group = listed["items"].as_array().unwrap().iter().find(|one| one["kind"] == "group").unwrap();
    let id = of_group["id"].as_str().unwrap().to_owned();
    let sidebar = async || owner.get("/inbox").await.body;
    let waiting = async || owner.get("/inbox/waiting").await.body;
    assert!(sidebar().await.contains("週末爬山團"));
    let both = waiting().await;

    api.patch(&settings, json!({ "group_chats": "hidden" })).await.expect(200);
    let listed = api.get("/conversations").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(api.get("/conversations?q=%E7%88%AC%E5%B1%B1").await.expect(200)["items"], json!([]));
    let html = sidebar().await;
    assert!(!html.contains("週末爬山團") && !html.contains("集合地點"), "{html}");
    assert_ne!(waiting().await, both, "it is not counted");
    let rows = owner.get(&format!("/inbox/rows?ids={id}")).await.body;
    assert!(!rows.contains("週末爬山團"), "{rows}");
    let answer = json!({ "messages": [{ "type": "text", "text": "好" }], "allow_paid": true, "max_cost": 9 });
    let path = format!("/conversations/{id}/messages");
    assert_eq!(api.post(&path, answer.clone()).await.expect(409)["code"], "groups_hidden");
    let page = owner.get(&format!("/inbox/{id}")).await.body;
    assert!(page.contains("Groups of this account are hidden"), "{page}");
    let sent = owner.submit(&format!("/inbox/{id}"), &format!("/inbox/{id}/send"), &[("text", "好")]).await;
    assert!(sent.status == 409 && sent.body.contains("Groups of this account are hidden"), "{}", sent.body);

    friend.unsends(&account, &said).await;
    let unseen = json!({ "channelId": account.channel_id, "group": group,
        "message": { "type": "text", "text": "關掉之後說的" } });
    friend.acts("messages", unseen).await;
    hub.settle().await;
    api.patch(&settings, json!({ "group_chats": "shown" })).await.expect(200);
    let html = sidebar().await;
    assert!(
        html.contains("週末爬山團") && !html.contains("集合地點") && !html.contains("關掉之後"),
        "{html}"
    );
    let messages = api.get(&path).await.expect(200);
    let back = messages["items"].as_array().unwrap().iter().find(|one| one["unsent_at"].is_string()).unwrap();
    assert_eq!(back["content"], json!(null), "taken back while it was hidden");
    api.post(&path, answer).await.expect(202);
    hub.close().await;
}
