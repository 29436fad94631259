//! The small calls: path, body, answer (PLATFORM 6, 8, 9).

use line_client::{ChatMode, LineError, MarkAsReadMode, QuotaKind, SendKind};
use serde_json::{Value, json};

use crate::fake::*;

/// Answers everything with `body`.
async fn always(status: u16, body: Value) -> Fake {
    Fake::line(move |_| answer(status, &body)).await
}

#[tokio::test]
async fn bot_info() {
    let fake = always(
        200,
        json!({"userId": "Ub9952f8c", "basicId": "@216ru", "displayName": "Tea", "chatMode": "chat",
               "markAsReadMode": "manual", "new": {"field": 1}}),
    )
    .await;
    let info = fake.account().bot_info().await.unwrap();
    assert_eq!((info.basic_id.as_str(), info.premium_id, info.picture_url), ("@216ru", None, None));
    assert_eq!((info.chat_mode, info.mark_as_read_mode), (ChatMode::Chat, MarkAsReadMode::Manual));
}

#[tokio::test]
async fn webhook_endpoint() {
    let fake = always(200, json!({"endpoint": "https://hub.example/line/1", "active": false})).await;
    let endpoint = fake.account().webhook_endpoint().await.unwrap().unwrap();
    assert_eq!((endpoint.endpoint.as_str(), endpoint.active), ("https://hub.example/line/1", false));

    let fake = always(404, json!({"message": "Webhook endpoint not found"})).await;
    assert_eq!(fake.account().webhook_endpoint().await.unwrap(), None);

    let fake = always(200, json!({})).await;
    fake.account().set_webhook_endpoint("https://hub.example/line/1").await.unwrap();
    let [call] = &fake.calls()[..] else { panic!("one call") };
    assert_eq!((call.method.as_str(), call.path.as_str()), ("PUT", "/v2/bot/channel/webhook/endpoint"));
    assert_eq!(call.json(), json!({"endpoint": "https://hub.example/line/1"}));

    let fake = always(400, json!({"message": "Invalid webhook endpoint URL"})).await;
    let error = fake.account().set_webhook_endpoint("http://x").await.unwrap_err();
    assert_eq!(error.body().unwrap().message, "Invalid webhook endpoint URL");
}

#[tokio::test]
async fn webhook_test() {
    let body = json!({"success": false, "timestamp": "2020-09-30T05:38:20.031Z", "statusCode": -1,
                      "reason": "COULD_NOT_CONNECT", "detail": "TLS handshake failure: https://hub.example"});
    let fake = always(200, body).await;
    let account = fake.account();
    let outcome = account.test_webhook(Some("https://hub.example")).await.unwrap();
    assert_eq!(
        (outcome.success, outcome.status_code, outcome.reason.as_str()),
        (false, -1, "COULD_NOT_CONNECT")
    );
    account.test_webhook(None).await.unwrap();
    let [with, without] = &fake.calls()[..] else { panic!("two calls") };
    assert_eq!(with.json(), json!({"endpoint": "https://hub.example"}));
    // GOTCHAS B10: LINE's edge answers 411 to a POST without a length.
    assert_eq!((without.body.len(), without.header("content-length")), (0, Some("0")));
    assert_eq!(without.header("content-type"), None);
}

#[tokio::test]
async fn people_and_groups() {
    let fake = Fake::line(|seen| match seen.path.as_str() {
        "/v2/bot/profile/U1" => {
            answer(200, &json!({"displayName": "小明", "userId": "U1", "language": "zh-Hant"}))
        }
        "/v2/bot/group/C1/summary" => answer(200, &json!({"groupId": "C1", "groupName": "Tea lovers"})),
        "/v2/bot/group/C1/member/U1" | "/v2/bot/room/R1/member/U1" => {
            answer(200, &json!({"displayName": "小明", "userId": "U1", "pictureUrl": "https://p.example/1"}))
        }
        "/v2/bot/group/C1/members/count" | "/v2/bot/room/R1/members/count" => {
            answer(200, &json!({"count": 3}))
        }
        _ => answer(404, &json!({"message": "Not found"})),
    })
    .await;
    let account = fake.account();
    let profile = account.profile("U1").await.unwrap().unwrap();
    assert_eq!((profile.display_name.as_str(), profile.language.as_deref()), ("小明", Some("zh-Hant")));
    assert_eq!(account.group_summary("C1").await.unwrap().unwrap().group_name, "Tea lovers");
    assert_eq!(account.group_member_profile("C1", "U1").await.unwrap().unwrap().display_name, "小明");
    assert_eq!(account.room_member_profile("R1", "U1").await.unwrap().unwrap().user_id, "U1");
    assert_eq!(account.group_member_count("C1").await.unwrap(), Some(3));
    assert_eq!(account.room_member_count("R1").await.unwrap(), Some(3));

    assert_eq!(account.profile("U2").await.unwrap(), None);
    assert_eq!(account.group_summary("C2").await.unwrap(), None);
    assert_eq!(account.group_member_profile("C1", "U2").await.unwrap(), None);
    assert_eq!(account.room_member_profile("R1", "U2").await.unwrap(), None);
    assert_eq!(account.group_member_count("C2").await.unwrap(), None);
    assert_eq!(account.room_member_count("R2").await.unwrap(), None);
    assert!(fake.calls().iter().all(|call| call.method == "GET"));
}

#[tokio::test]
async fn an_id_cannot_leave_its_place_in_the_path() {
    let fake = always(404, json!({"message": "Not found"})).await;
    fake.account().group_member_profile("../../info", "?x#y").await.unwrap();
    assert_eq!(fake.calls()[0].path, "/v2/bot/group/..%2F..%2Finfo/member/%3Fx%23y");
}

#[tokio::test]
async fn quota() {
    let fake = always(200, json!({"type": "limited", "value": 1000})).await;
    let quota = fake.account().quota().await.unwrap();
    assert_eq!((quota.kind, quota.value), (QuotaKind::Limited, Some(1000)));
    assert_eq!(fake.calls()[0].path, "/v2/bot/message/quota");

    let fake = always(200, json!({"totalUsage": 500})).await;
    assert_eq!(fake.account().consumption().await.unwrap().total_usage, 500);
    assert_eq!(fake.calls()[0].path, "/v2/bot/message/quota/consumption");
}

#[tokio::test]
async fn chat_marks() {
    let fake = always(200, json!({})).await;
    let account = fake.account();
    account.mark_as_read("read-token").await.unwrap();
    account.show_loading("U1", Some(10)).await.unwrap();
    account.show_loading("U1", None).await.unwrap();
    let calls = fake.calls();
    assert_eq!(calls[0].path, "/v2/bot/chat/markAsRead");
    assert_eq!(calls[0].json(), json!({"markAsReadToken": "read-token"}));
    assert_eq!(calls[1].path, "/v2/bot/chat/loading/start");
    assert_eq!(calls[1].json(), json!({"chatId": "U1", "loadingSeconds": 10}));
    assert_eq!(calls[2].json(), json!({"chatId": "U1"}));

    // PLATFORM 9: LINE answers 202 to the loading call.
    always(202, json!({})).await.account().show_loading("U1", None).await.unwrap();
}

#[tokio::test]
async fn messages_can_be_checked_by_line() {
    let fake = Fake::line(|seen| {
        if seen.json()["messages"][0]["text"] == "" {
            return answer(
                400,
                &json!({"message": "The request body has 1 error(s)",
                        "details": [{"message": "May not be empty", "property": "messages[0].text"}]}),
            );
        }
        answer(200, &json!({}))
    })
    .await;
    let account = fake.account();
    for kind in
        [SendKind::Reply, SendKind::Push, SendKind::Multicast, SendKind::Narrowcast, SendKind::Broadcast]
    {
        account.validate(kind, &[text("hi")]).await.unwrap();
    }
    let paths: Vec<_> = fake.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(
        paths,
        ["reply", "push", "multicast", "narrowcast", "broadcast"]
            .map(|kind| format!("/v2/bot/message/validate/{kind}"))
    );
    let error = account.validate(SendKind::Push, &[text("")]).await.unwrap_err();
    let LineError::Refused { status: 400, body, .. } = error else { panic!("{error:?}") };
    assert_eq!(body.details[0].message.as_deref(), Some("May not be empty"));
}

#[tokio::test]
async fn rich_menus_are_found_and_removed() {
    let fake = Fake::line(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", "/v2/bot/richmenu/list") => answer(
            200,
            &json!({"richmenus": [{"richMenuId": "richmenu-1", "name": "Main", "chatBarText": "Menu", "areas": []}]}),
        ),
        // PLATFORM 10: 404 for none, 403 for OA Manager's.
        ("GET", "/v2/bot/user/all/richmenu") => answer(403, &json!({"message": "the richmenu is owned by another channel", "details": []})),
        ("GET", "/v2/bot/richmenu/alias/list") => answer(200, &json!({"aliases": []})),
        ("DELETE", "/v2/bot/richmenu/richmenu-1") => answer(404, &json!({"message": "Not found"})),
        ("GET", "/v2/bot/followers/ids?limit=1") => answer(403, &json!({"message": "Access to this API is not available for your account"})),
        _ => answer(200, &json!({})),
    })
    .await;
    let account = fake.account();
    assert_eq!(account.rich_menus().await.unwrap()[0].name, "Main");
    assert_eq!(account.default_rich_menu().await.unwrap(), line_client::DefaultMenu::Others);
    account.delete_rich_menu("richmenu-1").await.unwrap();
    account.cancel_default_rich_menu().await.unwrap();
    assert!(account.rich_menu_aliases().await.unwrap().is_empty());
    // S0-15: an unverified account is refused the list.
    assert!(!account.gives_followers().await.unwrap());
    let fake = always(404, json!({"message": "no default richmenu", "details": []})).await;
    assert_eq!(fake.account().default_rich_menu().await.unwrap(), line_client::DefaultMenu::None);
}
