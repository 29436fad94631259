//! The control API: what consoles and phones do, refusals that name the field, who may reach it (CONTRACT 2).

use serde_json::{Value, json};

use crate::stage::Stage;

#[tokio::test]
async fn a_new_channel_is_as_at_line() {
    let stage = Stage::new().await;
    let body = json!({"providerId": stage.provider, "type": "messaging", "name": "New", "basicId": "@new", "country": "JP"});
    let channel = stage.control("POST", "/channels", body).await.ok();
    for (setting, value) in [
        ("useWebhook", json!(false)),
        ("redelivery", json!(false)),
        ("greeting", json!(true)),
        ("autoReply", json!(true)),
        ("groupChats", json!(false)),
        ("chatMode", json!("bot")),
        ("accountType", json!("unverified")),
        ("monthlyQuota", Value::Null),
        ("basicId", json!("@new")),
        ("country", json!("JP")),
    ] {
        assert_eq!(channel[setting], value, "{setting}");
    }
    let path = format!("/channels/{}", channel["channelId"].as_str().unwrap());
    let changes = json!({"plan": "light", "monthlyQuota": 200, "accountType": "verified", "greeting": false});
    let changed = stage.control("PATCH", &path, changes).await.ok();
    assert_eq!((&changed["plan"], &changed["monthlyQuota"]), (&json!("light"), &json!(200)));
    assert_eq!(stage.control("GET", &path, Value::Null).await.ok(), changed);
    assert_eq!(stage.items("/channels").await.len(), 2);
}

/// One person has one user ID per provider, also for providers made later.
#[tokio::test]
async fn a_person_has_one_id_per_provider() {
    let stage = Stage::new().await;
    let later = stage.control("POST", "/providers", json!({"name": "Later"})).await.ok();
    let user = &stage.items("/users").await[0];
    assert_eq!(user["user"], stage.user);
    assert_eq!(user["userId"][&stage.provider], stage.user_id);
    assert!(user["userId"][later["providerId"].as_str().unwrap()].as_str().unwrap().starts_with('U'));
}

#[tokio::test]
async fn bad_input_names_the_field() {
    let stage = Stage::new().await;
    let channel = stage.channel.clone();
    let message = |message: Value| json!({"channelId": channel, "message": message});
    let user = |act: &str| format!("/users/{}/{act}", stage.user);
    let cases = [
        ("/providers".to_owned(), json!({}), "name"),
        ("/providers".to_owned(), json!({"name": 7}), "name"),
        ("/channels".to_owned(), json!({"providerId": "1", "type": "messaging", "name": "x"}), "providerId"),
        ("/channels".to_owned(), json!({"providerId": "1", "type": "bot", "name": "x"}), "type"),
        ("/users".to_owned(), json!({"displayName": ""}), "displayName"),
        (user("follow"), json!({"channelId": "1"}), "channelId"),
        (user("messages"), json!({"channelId": channel}), "message"),
        (user("messages"), message(json!({"type": "poem"})), "message.type"),
        (user("messages"), message(json!({"type": "text"})), "message.text"),
        (user("messages"), message(json!({"type": "text", "text": "x".repeat(5001)})), "message.text"),
        (user("messages"), message(json!({"type": "image"})), "message.contentBase64"),
        (user("messages"), message(json!({"type": "image", "contentBase64": "%"})), "message.contentBase64"),
        (
            user("messages"),
            message(json!({"type": "location", "latitude": 91, "longitude": 0})),
            "message.latitude",
        ),
        (user("unsend"), json!({"channelId": channel, "messageId": "1"}), "messageId"),
        (user("postbacks"), json!({"channelId": channel}), "data"),
        ("/groups".to_owned(), json!({"name": "x", "channelId": channel, "members": []}), "members"),
        ("/groups".to_owned(), json!({"name": "x", "channelId": channel, "members": ["u9"]}), "members"),
        ("/faults".to_owned(), json!({"on": "api", "kind": "nap"}), "kind"),
        ("/faults".to_owned(), json!({"on": "api", "kind": "status"}), "status"),
        ("/faults".to_owned(), json!({"on": "api", "kind": "reset", "rate": 2}), "rate"),
        ("/faults".to_owned(), json!({"on": "api", "kind": "reorder"}), "kind"),
        ("/clock".to_owned(), json!({"advanceMs": -1}), "advanceMs"),
    ];
    for (path, body, field) in cases {
        let answer = stage.control("POST", &path, body.clone()).await;
        assert_eq!((answer.status, &answer.json()["field"]), (422, &json!(field)), "{path} {body}");
    }
    let path = format!("/channels/{}", stage.channel);
    let unknown = stage.control("PATCH", &path, json!({"useWebhooks": true})).await;
    assert_eq!((unknown.status, &unknown.json()["field"]), (422, &json!("useWebhooks")));
    let request = stage.request("POST", "/sandbox/v1/providers").body("{oops");
    assert_eq!(stage.send(request).await.unwrap().status, 400);
    assert_eq!(
        stage.control("POST", "/users/u9/follow", json!({"channelId": stage.channel})).await.status,
        404
    );
    assert_eq!(stage.control("GET", "/nothing", Value::Null).await.status, 404);
}

#[tokio::test]
async fn friends_follow_block_and_come_back() {
    let stage = Stage::new().await;
    assert_eq!(stage.act("follow", json!({})).await, json!({"webhookEventId": null, "delivered": false}));
    assert_eq!(stage.act("unfollow", json!({})).await["delivered"], true);
    assert_eq!(
        stage.try_act("messages", json!({"message": {"type": "text", "text": "x"}})).await.status,
        409
    );
    stage.act("follow", json!({})).await;
    stage.write("back").await;
    assert_eq!(stage.receiver.event(4).await["message"]["text"], "back");
}

#[tokio::test]
async fn groups_need_the_accounts_consent_and_membership() {
    let stage = Stage::new().await;
    stage.set(json!({"groupChats": false})).await;
    let body = json!({"name": "Team", "channelId": stage.channel, "members": [stage.user]});
    assert_eq!(stage.control("POST", "/groups", body.clone()).await.status, 422);
    stage.set(json!({"groupChats": true})).await;
    let group = stage.control("POST", "/groups", body).await.ok()["groupId"].clone();
    let mate = stage.control("POST", "/users", json!({"displayName": "x"})).await.ok();
    let path = format!("/users/{}/messages", mate["user"].as_str().unwrap());
    let body = json!({"channelId": stage.channel, "group": group, "message": {"type": "text", "text": "x"}});
    let outsider = stage.control("POST", &path, body).await;
    assert_eq!((outsider.status, &outsider.json()["field"]), (422, &json!("group")));
    let said = json!({"message": {"type": "text", "text": "hi"}, "group": group});
    stage.act("messages", said).await;
    let timeline = stage.timeline().await;
    assert_eq!((&timeline[0]["group"], &timeline[0]["user"]), (&group, &json!(stage.user)));
}

/// Secrets never show up in the log of calls.
#[tokio::test]
async fn calls_are_logged_with_tokens_masked() {
    let stage = Stage::new().await;
    stage.push(&stage.user_id, "x").await.ok();
    let log = stage.items("/requests?since=0").await;
    let text = Value::from(log.clone()).to_string();
    assert!(!text.contains(&stage.token) && !text.contains(&stage.secret));
    let push = log.iter().find(|entry| entry["path"] == "/v2/bot/message/push").unwrap();
    assert_eq!((&push["method"], &push["status"]), (&json!("POST"), &json!(200)));
    assert_eq!(push["headers"]["authorization"], "Bearer ***");
    assert_eq!(push["body"]["to"], stage.user_id);
    assert!(push["answer"]["sentMessages"].is_array());
    let late = push["at"].as_i64().unwrap() + 60_000;
    assert!(stage.items(&format!("/requests?since={late}")).await.is_empty());
}

#[tokio::test]
async fn a_reset_empties_everything() {
    let stage = Stage::new().await;
    stage.advance(3_600_000).await;
    stage.control("POST", "/reset", json!({})).await.ok();
    for list in ["/providers", "/channels", "/users", "/groups", "/deliveries", "/requests", "/faults"] {
        assert!(stage.items(list).await.is_empty(), "{list}");
    }
    assert_eq!(stage.get("/v2/bot/info").await.status, 401);
}

/// No web page may reach the sandbox through a browser.
#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let stage = Stage::new().await;
    for path in ["/sandbox/v1/users", "/", "/phone/u1"] {
        let plain = stage.send(stage.request("GET", path)).await;
        assert_eq!(plain.map_or(0, |answer| answer.status), 200, "{path}");
        for (name, value, status) in [
            ("host", "sandbox.example", 403),
            ("host", "localhost:8090", 200),
            ("origin", "https://evil.example", 403),
            ("origin", "null", 403),
            ("origin", "http://127.0.0.1:8090", 200),
        ] {
            let answer =
                stage.http.get(format!("{}{path}", stage.base)).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path} {name}: {value}");
        }
    }
}

/// CONTRACT 2: the console's button for an access token says nothing more; so need a program's call.
#[tokio::test]
async fn an_empty_body_is_an_empty_object() {
    let stage = Stage::new().await;
    let url = format!("{}/sandbox/v1/channels/{}/access-token", stage.base, stage.channel);
    let answer = stage.send(stage.http.post(url)).await.unwrap().ok();
    assert!(answer["accessToken"].is_string());
}
