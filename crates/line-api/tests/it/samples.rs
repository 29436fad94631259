//! Events of PLATFORM 16, one of every kind, and arbitrary JSON.

#![expect(clippy::needless_pass_by_value, reason = "values are passed as `json!` makes them")]

use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const USER: &str = "Ucccccccccccccccccccccccccccccccc";
pub(crate) const GROUP: &str = "Cbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// The sample request of PLATFORM 16.
pub(crate) const PUBLISHED: &str = r#"{"destination":"Uaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","events":[
 {"type":"message","mode":"active","timestamp":1767225600000,
  "source":{"type":"group","groupId":"Cbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","userId":"Ucccccccccccccccccccccccccccccccc"},
  "webhookEventId":"01KDV0Z0000000000000000000","deliveryContext":{"isRedelivery":false},
  "replyToken":"0123456789abcdef0123456789abcdef",
  "message":{"type":"text","id":"590000000000000001","quoteToken":"qt-opaque","markAsReadToken":"rt-opaque",
   "text":"@Shop hi (love)","mention":{"mentionees":[{"index":0,"length":5,"type":"user","userId":"Uaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","isSelf":true}]},
   "emojis":[{"index":9,"length":6,"productId":"5ac1bfd5040ab15980c9b435","emojiId":"001"}]}},
 {"type":"follow","mode":"active","timestamp":1767225600100,"source":{"type":"user","userId":"Udddddddddddddddddddddddddddddddd"},
  "webhookEventId":"01KDV0Z0340000000000000000","deliveryContext":{"isRedelivery":false},
  "replyToken":"fedcba9876543210fedcba9876543210","follow":{"isUnblocked":false}}]}"#;

/// An event of `kind` from [`USER`] with the fields `own` beside the common ones.
pub(crate) fn event(kind: &str, own: Value) -> Value {
    let mut event = json!({
        "type": kind, "mode": "active", "timestamp": 1_767_225_600_000_i64,
        "source": {"type": "user", "userId": USER},
        "webhookEventId": "01KDV0Z0000000000000000000", "deliveryContext": {"isRedelivery": false},
    });
    let Value::Object(own) = own else { panic!("fields") };
    event.as_object_mut().unwrap().extend(own);
    event
}

/// A `message` event.
pub(crate) fn message_event(message: Value) -> Value {
    event("message", json!({"replyToken": "rt", "message": message}))
}

/// A `message` event with a text.
pub(crate) fn text_event(text: &str) -> Value {
    message_event(json!({"type": "text", "id": "590000000000000001", "quoteToken": "q", "text": text}))
}

/// One event of every kind and of every message kind, with its name.
pub(crate) fn events() -> Vec<(&'static str, Value)> {
    let group = json!({"type": "group", "groupId": GROUP, "userId": USER});
    let room = json!({"type": "room", "roomId": "Rbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"});
    let line = json!({"type": "line"});
    let mut failed_link = event("accountLink", json!({"link": {"result": "failed", "nonce": "0123456789"}}));
    failed_link.as_object_mut().unwrap().remove("source");
    let mut delivery = event("delivery", json!({"delivery": {"data": "15034552939884E28681A7D668CEA94C"}}));
    delivery.as_object_mut().unwrap().remove("source");
    vec![
        ("text", text_event("hello")),
        (
            "image",
            message_event(json!({"type": "image", "id": "1", "quoteToken": "q", "contentProvider": line,
                "imageSet": {"id": "S1", "index": 1, "total": 2}})),
        ),
        (
            "image from elsewhere",
            message_event(json!({"type": "image", "id": "1", "quoteToken": "q", "contentProvider":
                {"type": "external", "originalContentUrl": "https://a.example/1",
                    "previewImageUrl": "https://a.example/2"}})),
        ),
        (
            "video",
            message_event(json!({"type": "video", "id": "1", "quoteToken": "q", "duration": 60_000,
                    "contentProvider": line})),
        ),
        (
            "audio",
            message_event(json!({"type": "audio", "id": "1", "duration": 1_000, "contentProvider": line})),
        ),
        ("file", message_event(json!({"type": "file", "id": "1", "fileName": "file.txt", "fileSize": 2138}))),
        (
            "location",
            message_event(
                json!({"type": "location", "id": "1", "address": "1-3 Kioicho", "latitude": 35.67966,
                    "longitude": 139.73669}),
            ),
        ),
        (
            "sticker",
            message_event(json!({"type": "sticker", "id": "1", "quoteToken": "q", "packageId": "446",
                    "stickerId": "1988",
                "stickerResourceType": "ANIMATION", "keywords": ["hi", "hello"]})),
        ),
        (
            "messageEdited",
            event(
                "messageEdited",
                json!({"replyToken": "rt", "source": group,
                "message": {"type": "text", "id": "590000000000000001", "quoteToken": "q2",
                    "text": "hallo"}}),
            ),
        ),
        ("unsend", event("unsend", json!({"unsend": {"messageId": "590000000000000001"}}))),
        ("follow", event("follow", json!({"replyToken": "rt", "follow": {"isUnblocked": true}}))),
        ("unfollow", event("unfollow", json!({}))),
        ("join", event("join", json!({"replyToken": "rt", "source": room}))),
        ("leave", event("leave", json!({"source": {"type": "group", "groupId": GROUP}}))),
        (
            "memberJoined",
            event(
                "memberJoined",
                json!({"replyToken": "rt", "source": group,
                "joined": {"members": [{"type": "user", "userId": USER}, {"type": "user", "userId": USER}]}}),
            ),
        ),
        (
            "memberLeft",
            event(
                "memberLeft",
                json!({"source": group, "left": {"members": [{"type": "user", "userId": USER}]}}),
            ),
        ),
        ("postback", event("postback", json!({"replyToken": "rt", "postback": {"data": "buy=1"}}))),
        (
            "postback of a date picker",
            event(
                "postback",
                json!({"replyToken": "rt", "postback": {"data": "book",
                    "params": {"datetime": "2017-12-25T01:00"}}}),
            ),
        ),
        (
            "postback of a menu switch",
            event(
                "postback",
                json!({"replyToken": "rt",
                "postback": {"data": "b", "params": {"newRichMenuAliasId": "b", "status": "SUCCESS"}}}),
            ),
        ),
        (
            "videoPlayComplete",
            event("videoPlayComplete", json!({"replyToken": "rt", "videoPlayComplete": {"trackingId": "t"}})),
        ),
        (
            "beacon",
            event(
                "beacon",
                json!({"replyToken": "rt", "beacon": {"hwid": "d41d8cd98f", "type": "enter", "dm": "00"}}),
            ),
        ),
        (
            "accountLink",
            event(
                "accountLink",
                json!({"replyToken": "rt", "link": {"result": "ok", "nonce": "0123456789"}}),
            ),
        ),
        ("accountLink failed", failed_link),
        (
            "membership",
            event(
                "membership",
                json!({"replyToken": "rt", "membership": {"type": "renewed", "membershipId": 3189}}),
            ),
        ),
        ("delivery", delivery),
        (
            "module attached",
            event(
                "module",
                json!({"module": {"type": "attached", "botId": USER, "scopes": ["message:send"]}}),
            ),
        ),
        (
            "module detached",
            event("module", json!({"module": {"type": "detached", "botId": USER, "reason": "bot_deleted"}})),
        ),
        ("activated", event("activated", json!({"chatControl": {"expireAt": 1_767_225_700_000_i64}}))),
        ("deactivated", event("deactivated", json!({"mode": "standby"}))),
        ("botSuspended", event("botSuspended", json!({}))),
        ("botResumed", event("botResumed", json!({}))),
    ]
}

/// Any JSON that survives printing and reading, a few levels deep.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::from),
        proptest::sample::select(vec![
            "text",
            "image",
            "box",
            "user",
            "type",
            "message",
            "https://a.example/x"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let name = prop_oneof![
            "[^\\x00]{0,8}",
            proptest::sample::select(vec![
                "type", "id", "text", "action", "contents", "actions", "columns", "template"
            ])
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..6)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}
