//! Every path, body and answer of this client against LINE's own OpenAPI files.

use std::time::Duration;

use axum::response::Response;
use line_api::api::*;
use line_api::schema::Schema;
use line_api::validate::Detail;
use line_client::{Endpoints, LineClient, Secret, SendKind, diagnose_credentials, inspect_token};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::fake::*;
use crate::keys::by_key;

/// A token that the older of the two verifications does not know.
const OTHER_KIND: &str = "of-the-other-kind";

/// The sources that name paths.
const SOURCES: [&str; 6] = [
    include_str!("../../src/account.rs"),
    include_str!("../../src/content.rs"),
    include_str!("../../src/pasted.rs"),
    include_str!("../../src/richmenu.rs"),
    include_str!("../../src/send.rs"),
    include_str!("../../src/token.rs"),
];

/// A full answer of LINE's, written by the types that the client reads.
fn full(path: &str) -> Value {
    let written = match path {
        TOKEN => serde_json::to_value(IssuedToken {
            token_type: "Bearer".into(),
            access_token: "eyJhbGciOiJIUz".into(),
            expires_in: 900,
        }),
        "/v2/oauth/accessToken" => serde_json::to_value(IssuedToken {
            token_type: "Bearer".into(),
            access_token: "W1TeHCgfH2Liwa".into(),
            expires_in: 2_592_000,
        }),
        "/oauth2/v2.1/token" => Ok(json!({
            "token_type": "Bearer", "access_token": "eyJhbGciOiJIUz", "expires_in": 3600, "key_id": "sDTOzw5wIfxxxxPEzcmeQA",
        })),
        "/v2/oauth/verify" => {
            Ok(json!({ "client_id": "1656000000", "expires_in": 2_591_659, "scope": "P CM" }))
        }
        "/oauth2/v2.1/verify" => Ok(json!({ "client_id": "1656000000", "expires_in": 889 })),
        "/v2/bot/info" => serde_json::to_value(BotInfo {
            user_id: "Ub9952f8c".into(),
            basic_id: "@216ru".into(),
            premium_id: Some("@tea".into()),
            display_name: "Tea".into(),
            picture_url: Some("https://p.example/1".into()),
            chat_mode: ChatMode::Chat,
            mark_as_read_mode: MarkAsReadMode::Manual,
        }),
        "/v2/bot/channel/webhook/endpoint" => serde_json::to_value(WebhookEndpoint {
            endpoint: "https://hub.example/line/1".into(),
            active: true,
        }),
        "/v2/bot/channel/webhook/test" => serde_json::to_value(WebhookTest {
            success: true,
            timestamp: "2020-09-30T05:38:20.031Z".into(),
            status_code: 200,
            reason: "OK".into(),
            detail: "200".into(),
        }),
        "/v2/bot/profile/U1" => serde_json::to_value(Profile {
            display_name: "小明".into(),
            user_id: "U1".into(),
            language: Some("zh-Hant".into()),
            picture_url: Some("https://p.example/1".into()),
            status_message: Some("tea".into()),
        }),
        "/v2/bot/group/C1/member/U1" | "/v2/bot/room/R1/member/U1" => serde_json::to_value(MemberProfile {
            display_name: "小明".into(),
            user_id: "U1".into(),
            picture_url: Some("https://p.example/1".into()),
        }),
        "/v2/bot/group/C1/summary" => serde_json::to_value(GroupSummary {
            group_id: "C1".into(),
            group_name: "Tea lovers".into(),
            picture_url: Some("https://p.example/1".into()),
        }),
        "/v2/bot/group/C1/members/count" | "/v2/bot/room/R1/members/count" => {
            serde_json::to_value(MemberCount { count: 3 })
        }
        "/v2/bot/message/reply" | "/v2/bot/message/push" => serde_json::to_value(SentMessages {
            sent_messages: vec![SentMessage {
                id: "461230966842064897".into(),
                quote_token: Some("q".into()),
            }],
        }),
        "/v2/bot/message/1/content/transcoding" => {
            serde_json::to_value(Transcoding { status: TranscodingStatus::Succeeded })
        }
        "/v2/bot/message/quota" => {
            serde_json::to_value(Quota { kind: QuotaKind::Limited, value: Some(1000) })
        }
        "/v2/bot/richmenu/list" => Ok(json!({ "richmenus": [{
            "richMenuId": "richmenu-1", "size": { "width": 2500, "height": 843 }, "selected": false,
            "name": "Main", "chatBarText": "Menu", "areas": [],
        }] })),
        "/v2/bot/user/all/richmenu" => {
            serde_json::to_value(DefaultRichMenu { rich_menu_id: "richmenu-1".into() })
        }
        "/v2/bot/richmenu/alias/list" => serde_json::to_value(RichMenuAliases {
            aliases: vec![RichMenuAlias {
                rich_menu_alias_id: "main".into(),
                rich_menu_id: "richmenu-1".into(),
            }],
        }),
        "/v2/bot/followers/ids" => Ok(json!({ "userIds": ["U1"] })),
        "/v2/bot/message/quota/consumption" => serde_json::to_value(Consumption { total_usage: 500 }),
        _ => Ok(json!({})),
    };
    written.unwrap()
}

fn respond(seen: &Seen) -> Response {
    let body = String::from_utf8_lossy(&seen.body);
    let refused = (seen.path == TOKEN && body.contains("client_assertion"))
        || (seen.path == "/v2/oauth/verify" && body.contains(OTHER_KIND));
    if refused {
        return answer(400, &json!({"error": "invalid_request", "error_description": "not this way"}));
    }
    match (seen.method.as_str(), path_of(seen)) {
        ("GET", "/v2/bot/message/1/content" | "/v2/bot/message/1/content/preview") => {
            raw(200, "image/jpeg", "…")
        }
        (_, "/v2/bot/chat/loading/start" | "/v2/bot/message/narrowcast") => answer(202, &json!({})),
        ("PUT" | "DELETE", _) => answer(200, &json!({})),
        (_, path) => answer(200, &full(path)),
    }
}

/// Makes each call once, in every shape it has.
async fn call_everything(fake: &Fake) {
    let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
    diagnose_credentials(&client, "1656000000", &Secret::from("secret")).await.unwrap();
    inspect_token(&client, &Secret::from("pasted")).await.unwrap();
    // The second path is asked where the first does not know the token.
    inspect_token(&client, &Secret::from(OTHER_KIND)).await.unwrap();
    // A stateless token by assertion is refused: a v2.1 token takes its place and is revoked when the next one is there.
    let hand = Hand::default();
    let key = by_key(&fake.url, &hand);
    key.token().await.unwrap();
    hand.set(3600);
    key.token().await.unwrap();
    while !fake.everything().iter().any(|seen| seen.path == "/oauth2/v2.1/revoke") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let account = client.account(credentials());
    account.bot_info().await.unwrap();
    account.webhook_endpoint().await.unwrap().unwrap();
    account.set_webhook_endpoint("https://hub.example/line/1").await.unwrap();
    account.test_webhook(Some("https://hub.example/line/1")).await.unwrap();
    account.test_webhook(None).await.unwrap();
    account.profile("U1").await.unwrap().unwrap();
    account.group_summary("C1").await.unwrap().unwrap();
    account.group_member_profile("C1", "U1").await.unwrap().unwrap();
    account.room_member_profile("R1", "U1").await.unwrap().unwrap();
    account.group_member_count("C1").await.unwrap().unwrap();
    account.room_member_count("R1").await.unwrap().unwrap();
    account.reply("nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", &[text("hi")], false).await.unwrap();
    account.reply("nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", &[text("hi")], true).await.unwrap();
    let key = "123e4567-e89b-12d3-a456-426614174000";
    account.push("U1", &[text("hi"), text("there")], key, false).await.unwrap();
    account.push("U1", &[text("hi")], key, true).await.unwrap();
    for (kind, to) in [
        (SendKind::Multicast, json!({ "to": ["U1"] })),
        (SendKind::Narrowcast, json!({})),
        (SendKind::Broadcast, json!({})),
    ] {
        let mut body = json!({ "messages": [text("hi")] });
        body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
        account.bulk_raw(kind, body.to_string().into(), key).await.unwrap();
    }
    account.content("1").await.unwrap();
    account.content_preview("1").await.unwrap();
    account.content_transcoding("1").await.unwrap();
    account.quota().await.unwrap();
    account.rich_menus().await.unwrap();
    account.default_rich_menu().await.unwrap();
    account.cancel_default_rich_menu().await.unwrap();
    account.delete_rich_menu("richmenu-1").await.unwrap();
    account.rich_menu_aliases().await.unwrap();
    account.delete_rich_menu_alias("main").await.unwrap();
    account.gives_followers().await.unwrap();
    account.consumption().await.unwrap();
    account.mark_as_read("read-token").await.unwrap();
    account.show_loading("U1", Some(10)).await.unwrap();
    account.show_loading("U1", None).await.unwrap();
    for kind in
        [SendKind::Reply, SendKind::Push, SendKind::Multicast, SendKind::Narrowcast, SendKind::Broadcast]
    {
        account.validate(kind, &[text("hi")]).await.unwrap();
    }
}

/// The path without its query.
fn path_of(seen: &Seen) -> &str {
    seen.path.split('?').next().unwrap()
}

/// The body as the schema sees it: JSON, a form as an object, or nothing.
fn body_of(seen: &Seen) -> Value {
    if seen.body.is_empty() {
        Value::Null
    } else if seen.header("content-type") == Some("application/x-www-form-urlencoded") {
        form_urlencoded::parse(&seen.body).map(|(name, value)| (name.into_owned(), json!(value))).collect()
    } else {
        seen.json()
    }
}

/// Whether a path is one of a template's.
fn fits(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path.iter().zip(template).all(|(have, want)| want.starts_with('{') || *have == want)
}

#[tokio::test]
async fn every_request_and_answer_fits_lines_schema() {
    let Some(schema) = Schema::load() else { return };
    let fake = Fake::scripted(|seen| async move { respond(&seen) }).await;
    call_everything(&fake).await;
    for seen in fake.everything() {
        let (method, path) = (seen.method.as_str(), path_of(&seen));
        schema.check_request(method, path, &body_of(&seen)).unwrap();
        let (status, body) = match path {
            "/v2/bot/chat/loading/start" | "/v2/bot/message/narrowcast" => (202, json!({})),
            // Bytes, or nothing.
            "/v2/bot/message/1/content"
            | "/v2/bot/message/1/content/preview"
            | "/v2/oauth/revoke"
            | "/oauth2/v2.1/revoke" => {
                continue;
            }
            _ if method == "PUT" || method == "DELETE" => (200, json!({})),
            path => (200, full(path)),
        };
        schema.check_response(method, path, status, &body).unwrap();
    }
}

#[tokio::test]
async fn refusals_fit_lines_schema() {
    let Some(schema) = Schema::load() else { return };
    let detail =
        Detail { message: Some("May not be empty".into()), property: Some("messages[0].text".into()) };
    let refusal = serde_json::to_value(ErrorBody { message: "x".into(), details: vec![detail] }).unwrap();
    for status in [400, 403, 409, 429] {
        schema.check_response("POST", "/v2/bot/message/push", status, &refusal).unwrap();
    }
    for status in [400, 429] {
        schema.check_response("POST", "/v2/bot/message/reply", status, &refusal).unwrap();
    }
    let oauth =
        OAuthError { error: "invalid_client".into(), error_description: Some("invalid client_id".into()) };
    let oauth = serde_json::to_value(oauth).unwrap();
    schema.check_response("POST", "/v2/oauth/accessToken", 400, &oauth).unwrap();
}

/// The path templates that the sources name.
fn templates() -> Vec<&'static str> {
    let templates: Vec<_> = SOURCES
        .iter()
        .flat_map(|source| source.split('"'))
        .filter(|text| text.starts_with("/v2/") || text.starts_with("/oauth2/"))
        .collect();
    assert!(templates.len() > 20, "the sources no longer name their paths as they did");
    templates
}

#[tokio::test]
async fn no_path_of_this_client_is_left_out_above() {
    let fake = Fake::scripted(|seen| async move { respond(&seen) }).await;
    call_everything(&fake).await;
    let seen: Vec<_> = fake.everything().iter().map(|seen| path_of(seen).to_owned()).collect();
    for template in templates() {
        assert!(seen.iter().any(|path| fits(path, template)), "{template} is never called");
    }
}

#[test]
fn templates_are_written_as_line_writes_them() {
    let Some(schema) = Schema::load() else { return };
    let known: Vec<_> = schema.operations().into_iter().map(|operation| operation.path_template).collect();
    for template in templates() {
        assert!(known.iter().any(|path| path == template), "{template}");
    }
}
