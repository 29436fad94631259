//! Well-signed events that are odd, doubled, late or early (GOTCHAS A).

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Engine, TestHub};

use super::*;

fn said(texts: &[&str]) -> Vec<(String, String)> {
    texts.iter().map(|text| ("in".to_owned(), (*text).to_owned())).collect()
}

// GOTCHAS A14: LINE adds kinds without notice. They are kept, shown by their name, and hold up nobody.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_unknown_event_is_kept_and_its_neighbours_are_processed(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let mut tomorrow = text_event(&hub, STRANGER, 2, "", 1);
    tomorrow["type"] = json!("tomorrow");
    tomorrow["tomorrow"] = json!({ "what": ["ever"] });
    let mut kind = text_event(&hub, STRANGER, 4, "", 3);
    kind["message"] = json!({ "type": "hologram", "id": message_id(4), "depth": 3 });
    let nowhere =
        json!({ "type": "planned", "webhookEventId": event_id(5), "timestamp": 1, "mode": "active" });
    let events = [
        text_event(&hub, STRANGER, 1, "one", 0),
        tomorrow,
        text_event(&hub, STRANGER, 3, "two", 2),
        kind,
        nowhere,
        json!(7),
        json!({}),
    ];
    assert_eq!(post_signed(&account, letter(&account, &events)).await, 200);
    hub.settle().await;
    let journal = all(hub.api(), "/events").await;
    let kinds: Vec<String> = journal.iter().map(|event| text(&event["type"])).collect();
    assert_eq!(kinds, ["message", "tomorrow", "message", "message", "planned", "unknown", "unknown"]);
    // CONTRACT "Journal": an event without `webhookEventId` is listed with null.
    assert_eq!(journal[6]["webhook_event_id"], Value::Null);
    assert_eq!(journal[1]["webhook_event_id"], event_id(2));
    let waits = journal.iter().filter(|event| event["consumers"]["inbox"] == "pending").count();
    assert_eq!(waits, 0, "{journal:?}");
    let shown = lines(&hub).await;
    assert_eq!(shown.len(), 4, "{shown:?}");
    assert_eq!(shown[1]["content"], json!({ "type": "event", "event": "tomorrow" }));
    assert_eq!(
        (&shown[3]["content"]["type"], &shown[3]["content"]["depth"]),
        (&json!("hologram"), &json!(3))
    );
    hub.close().await;
}

// PostgreSQL takes no U+0000, and no database takes a lone surrogate. The event's bytes keep both.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn nul_and_lone_surrogates_in_texts_names_and_answers_harm_nothing(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("小晴").await;
    // LINE's answer about the person, byte for byte.
    let profile = format!(
        r#"{{"userId":"{}","displayName":"小\u0000晴\ud83d","statusMessage":"\udc00\u0000"}}"#,
        friend.id
    );
    let fault =
        json!({ "on": "api", "path": "/v2/bot/profile/", "kind": "status", "status": 200, "body": profile });
    hub.control.post("/faults", fault).await;
    let events = [
        text_event(&hub, &friend.id, 1, "MARK", 0),
        text_event(&hub, &friend.id, 2, "plain", 1),
        json!({
            "type": "postback", "webhookEventId": event_id(3), "timestamp": hub.clock.now().millis() + 2, "mode": "active",
            "deliveryContext": { "isRedelivery": false }, "source": { "type": "user", "userId": friend.id },
            "postback": { "data": "MARK", "params": { "MARK": "MARK" } },
        }),
    ];
    let body = letter(&account, &events).replace("MARK", r"a\u0000b\ud83dc\udc00");
    assert_eq!(post_signed(&account, body.as_str()).await, 200);
    hub.settle().await;
    let shown = transcript(&hub).await;
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].1.starts_with('a') && shown[0].1.ends_with('\u{fffd}'), "{:?}", shown[0].1);
    assert!(
        !shown[0].1.contains('\0') && shown[0].1.contains('b') && shown[0].1.contains('c'),
        "{:?}",
        shown[0].1
    );
    assert_eq!(shown[1].1, "plain");
    let states: Vec<Value> =
        all(hub.api(), "/events").await.iter().map(|event| event["consumers"]["inbox"].clone()).collect();
    assert_eq!(states, [json!("done"), json!("done"), json!("done")]);
    // The journal has LINE's exact bytes.
    let entry = hub.hub().journal.read(0, 1).await.unwrap().remove(0);
    let raw = String::from_utf8(entry.raw.unwrap()).unwrap();
    assert!(raw.contains(r"a\u0000b\ud83dc\udc00") && body.contains(&raw), "{raw}");
    let name = text(&conversation(&hub).await["title"]);
    assert!(name.starts_with('小') && name.contains('晴') && !name.contains('\0'), "{name:?}");

    // The same from a program: what cannot be stored is refused or replaced, never a fault of the hub.
    let conversation = text(&conversation(&hub).await["id"]);
    let path = format!("/conversations/{conversation}/messages");
    let contact = format!("/contacts/{}", text(&all(hub.api(), "/contacts").await[0]["id"]));
    let odd: [(reqwest::Method, &str, &str); 4] = [
        (reqwest::Method::POST, &path, r#"{"messages":[{"type":"text","text":"a\u0000b"}]}"#),
        (reqwest::Method::POST, &path, r#"{"messages":[{"type":"text","text":"a\ud83db"}]}"#),
        (reqwest::Method::PATCH, &contact, r#"{"tags":["a\u0000b"],"attributes":{"a\u0000":"\u0000"}}"#),
        (reqwest::Method::PATCH, &contact, r#"{"tags":["a\ud83d"]}"#),
    ];
    for (method, path, body) in odd {
        let answer = hub.api().request(method, path).body(body).send().await.unwrap();
        let (status, words) = (answer.status(), answer.text().await.unwrap());
        assert!(!status.is_server_error(), "{status} {body}: {words}");
    }
    for query in ["q=%00", "q=a%00b", "tag=%00", "q=%ff%fe", "account_id=%00", "cursor=%00"] {
        for list in ["/contacts", "/conversations", "/events"] {
            let status = hub.api().get(&format!("{list}?{query}")).await.status;
            assert!(!status.is_server_error(), "{list}?{query}: {status}");
        }
    }
    for query in ["webhook_event_id=%00", "type=%00"] {
        let status = hub.api().get(&format!("/events?{query}")).await.status;
        assert!(!status.is_server_error(), "{query}: {status}");
    }
    hub.settle().await;
    hub.close().await;
}

// GOTCHAS A3: LINE delivers at least once.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_same_event_in_one_body_and_in_others_is_one_message(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let event = |n: u32, words: &str| text_event(&hub, STRANGER, n, words, i64::from(n));
    let (one, two, three) = (event(1, "one"), event(2, "two"), event(3, "three"));
    let mut again = two.clone();
    again["deliveryContext"]["isRedelivery"] = json!(true);
    let bodies =
        [vec![one.clone(), one.clone()], vec![one, two.clone()], vec![again, three.clone()], vec![three]];
    for (n, events) in bodies.iter().enumerate() {
        assert_eq!(post_signed(&account, letter(&account, events)).await, 200);
        // Whether it was processed meanwhile makes no difference.
        if n % 2 == 0 {
            hub.settle().await;
        }
    }
    // The same bytes at once from several connections.
    let body = letter(&account, &[text_event(&hub, STRANGER, 4, "four", 4)]);
    let posts = (0..8).map(|_| post_signed(&account, body.as_str()));
    assert_eq!(futures_util::future::join_all(posts).await, [200; 8]);
    hub.settle().await;
    assert_eq!(transcript(&hub).await, said(&["one", "two", "three", "four"]));
    assert_eq!(all(hub.api(), "/events").await.len(), 4);
    assert_eq!(conversation(&hub).await["unread_count"], 4);
    hub.close().await;
}

// GOTCHAS A4: events come in any order; LINE's timestamp puts them in place.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn events_out_of_order_end_up_in_lines_order(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    for n in [3_u32, 1, 4, 2] {
        let event = text_event(&hub, STRANGER, n, &n.to_string(), i64::from(n) * 1000 - 60_000);
        assert_eq!(post_signed(&account, letter(&account, &[event])).await, 200);
        hub.settle().await;
    }
    assert_eq!(transcript(&hub).await, said(&["1", "2", "3", "4"]));
    assert_eq!(conversation(&hub).await["last_message"]["content"]["text"], "4");

    // Only newer events change whether a friend has blocked the account, and any newer act lifts a block (GOTCHAS A19).
    let act = |n: u32, kind: &str, offset: i64| {
        let mut event = text_event(&hub, STRANGER, n, "", offset);
        event["type"] = json!(kind);
        event.as_object_mut().unwrap().remove("message");
        if kind == "follow" {
            event["follow"] = json!({ "isUnblocked": false });
        }
        event
    };
    let contact = async || all(hub.api(), "/contacts").await.remove(0);
    let steps = [
        (act(11, "unfollow", -10_000), true),
        (act(12, "follow", -20_000), true),
        (text_event(&hub, STRANGER, 13, "older than the block", -15_000), true),
        (text_event(&hub, STRANGER, 14, "newer than the block", -5_000), false),
        (act(15, "unfollow", -8_000), false),
    ];
    for (event, blocked) in steps {
        assert_eq!(post_signed(&account, letter(&account, std::slice::from_ref(&event))).await, 200);
        hub.settle().await;
        assert_eq!(contact().await["blocked_at"].is_string(), blocked, "after {event}");
    }
    hub.close().await;
}

// GOTCHAS D2: LINE tells nothing about this person; the conversation is there all the same.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_event_of_a_person_never_seen_opens_a_conversation_without_a_name(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let mut tap = text_event(&hub, STRANGER, 1, "", 0);
    tap["type"] = json!("postback");
    tap["postback"] = json!({ "data": "order=1" });
    assert_eq!(
        post_signed(&account, letter(&account, &[tap, text_event(&hub, STRANGER, 2, "hi", 1)])).await,
        200
    );
    hub.settle().await;
    let shown = conversation(&hub).await;
    assert_eq!((&shown["title"], &shown["contact"]["display_name"]), (&Value::Null, &Value::Null));
    let contacts = all(hub.api(), "/contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["external_id"]), (1, &json!(STRANGER)));
    assert_eq!(transcript(&hub).await, said(&["hi"]));
    hub.close().await;
}

// GOTCHAS A16: the unsend may overtake its message; the text must never be seen, and goes from the journal too.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_unsend_before_its_message_leaves_a_tombstone_and_no_text(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let mut unsend = text_event(&hub, STRANGER, 2, "", 1);
    unsend["type"] = json!("unsend");
    unsend["unsend"] = json!({ "messageId": message_id(1) });
    unsend.as_object_mut().unwrap().remove("message");
    assert_eq!(post_signed(&account, letter(&account, &[unsend.clone()])).await, 200);
    hub.settle().await;
    let late = letter(&account, &[text_event(&hub, STRANGER, 1, "a secret", 0)]);
    assert_eq!(post_signed(&account, late.as_str()).await, 200);
    hub.settle().await;
    // Both once more, as LINE may: still one tombstone.
    assert_eq!(post_signed(&account, letter(&account, &[unsend])).await, 200);
    assert_eq!(post_signed(&account, late).await, 200);
    hub.settle().await;
    let shown = lines(&hub).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    // CONTRACT "Messages": an unsent message stays in the list with `content: null` and `unsent_at`.
    assert!(shown[0]["content"].is_null() && shown[0]["unsent_at"].is_string(), "{}", shown[0]);
    let whole = hub.api().get("/conversations").await.body + &serde_json::to_string(&shown).unwrap();
    assert!(!whole.contains("a secret"), "{whole}");
    for entry in hub.hub().journal.read(0, 10).await.unwrap() {
        let raw = String::from_utf8(entry.raw.unwrap_or_default()).unwrap();
        assert!(!raw.contains("a secret"), "{raw}");
    }
    hub.close().await;
}
