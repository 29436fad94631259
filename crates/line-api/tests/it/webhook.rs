//! Events as PLATFORM 16 describes them, odd ones, and arbitrary JSON.

use line_api::webhook::{
    BeaconKind, Content, ContentProvider, Event, EventKind, LinkResult, MembershipChange, MentionTarget,
    Mode, ModuleChange, Source, parse,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::samples::{self, GROUP, USER, event, message_event, text_event};

fn read(event: &Value) -> Event {
    Event::parse(&event.to_string())
}

fn reason(event: &Value) -> String {
    match read(event).kind {
        EventKind::Malformed { reason } => reason,
        kind => panic!("not malformed: {kind:?}"),
    }
}

#[test]
fn every_sample_is_understood() {
    for (name, sample) in samples::events() {
        let event = read(&sample);
        assert!(
            !matches!(event.kind, EventKind::Unknown | EventKind::Malformed { .. }),
            "{name}: {:?}",
            event.kind
        );
        if let Some(message) = event.message() {
            assert!(!matches!(message.content, Content::Unknown { .. }), "{name}: {:?}", message.content);
            assert_eq!(message.raw, sample["message"], "{name}");
        }
        assert_eq!(event.value, sample, "{name}");
        assert_eq!(event.event_type.as_deref(), sample["type"].as_str(), "{name}");
        assert_eq!(event.timestamp, Some(1_767_225_600_000), "{name}");
    }
}

/// The sample request of PLATFORM 16, field by field.
#[test]
fn the_published_sample() {
    let body = samples::PUBLISHED;
    let envelope = parse(body.as_bytes()).unwrap();
    assert_eq!(envelope.destination.as_deref(), Some("Uaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    let events: Vec<Event> = envelope.events.iter().map(|event| Event::parse(event.raw)).collect();
    let [message, follow] = events.as_slice() else { panic!("two events") };

    assert_eq!(message.mode, Mode::Active);
    assert_eq!(message.id.as_ref().unwrap().as_str(), "01KDV0Z0000000000000000000");
    assert_eq!(message.reply_token.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert!(!message.is_redelivery);
    let source = message.source.as_ref().unwrap();
    assert!(matches!(source, Source::Group { .. }));
    assert_eq!(source.chat_id(), Some("Cbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
    assert_eq!(message.user_id().unwrap().as_str(), "Ucccccccccccccccccccccccccccccccc");
    let content = message.message().unwrap();
    assert_eq!(content.id.as_str(), "590000000000000001");
    assert_eq!(content.kind(), "text");
    assert_eq!(content.quote_token.as_deref(), Some("qt-opaque"));
    assert_eq!(content.mark_as_read_token.as_deref(), Some("rt-opaque"));
    assert!(content.mentions_bot());
    let Content::Text { text, emojis, mentionees } = &content.content else { panic!("a text") };
    assert_eq!(text, "@Shop hi (love)");
    assert_eq!((emojis[0].index, emojis[0].length, emojis[0].emoji_id.as_str()), (9, 6, "001"));
    assert_eq!((mentionees[0].index, mentionees[0].length), (0, 5));
    assert!(matches!(mentionees[0].target, MentionTarget::User { is_self: true, .. }));

    assert_eq!(follow.kind, EventKind::Follow { is_unblocked: false });
    assert_eq!(follow.timestamp, Some(1_767_225_600_100));
}

#[test]
fn details_of_other_kinds() {
    let kinds: Vec<(&str, EventKind)> =
        samples::events().into_iter().map(|(name, sample)| (name, read(&sample).kind)).collect();
    let kind =
        |name: &str| kinds.iter().find(|(known, _)| *known == name).map(|(_, kind)| kind.clone()).unwrap();
    let content = |name: &str| match kind(name) {
        EventKind::Message(message) => message.content,
        other => panic!("{other:?}"),
    };

    assert!(matches!(kind("messageEdited"), EventKind::MessageEdited(m) if m.mark_as_read_token.is_none()));
    assert!(matches!(kind("unsend"),
            EventKind::Unsend { message_id } if message_id.as_str() == "590000000000000001"));
    assert!(matches!(kind("memberJoined"), EventKind::MemberJoined { user_ids } if user_ids.len() == 2));
    assert!(matches!(kind("memberLeft"), EventKind::MemberLeft { user_ids } if user_ids.len() == 1));
    let EventKind::Postback(postback) = kind("postback of a date picker") else { panic!() };
    assert_eq!((postback.data.as_str(), postback.param("datetime")), ("book", Some("2017-12-25T01:00")));
    let EventKind::Postback(postback) = kind("postback of a menu switch") else { panic!() };
    assert_eq!(postback.param("status"), Some("SUCCESS"));
    assert!(matches!(kind("beacon"), EventKind::Beacon(beacon) if beacon.kind == BeaconKind::Enter));
    assert!(matches!(kind("accountLink"), EventKind::AccountLink { result: LinkResult::Ok, .. }));
    assert!(matches!(kind("accountLink failed"), EventKind::AccountLink { result: LinkResult::Failed, .. }));
    assert!(matches!(
        kind("membership"),
        EventKind::Membership { change: MembershipChange::Renewed, membership_id: 3189 }
    ));
    assert!(matches!(
        kind("module attached"),
        EventKind::Module { change: ModuleChange::Attached { scopes }, .. } if scopes == ["message:send"]
    ));
    assert!(matches!(kind("activated"), EventKind::Activated { expire_at: 1_767_225_700_000 }));

    let Content::Image { provider, image_set } = content("image") else { panic!() };
    assert_eq!(provider, ContentProvider::Line);
    assert_eq!(image_set.map(|set| (set.id, set.index, set.total)), Some(("S1".into(), Some(1), Some(2))));
    assert!(matches!(
        content("image from elsewhere"),
        Content::Image { provider: ContentProvider::External { original_content_url: Some(_), .. }, .. }
    ));
    assert!(matches!(content("video"), Content::Video { duration: Some(60_000), .. }));
    assert!(matches!(content("audio"), Content::Audio { duration: Some(1_000), .. }));
    assert!(matches!(content("file"), Content::File { name, size: Some(2138) } if name == "file.txt"));
    assert!(
        matches!(content("location"), Content::Location { title: None, latitude, .. } if latitude > 35.0)
    );
    assert!(matches!(content("sticker"), Content::Sticker { keywords, .. } if keywords.len() == 2));
}

#[test]
fn unknown_kinds_are_kept() {
    let sample = event("hologram", json!({"hologram": {"depth": 3}}));
    let read_event = read(&sample);
    assert_eq!(read_event.kind, EventKind::Unknown);
    assert_eq!(read_event.value, sample);
    assert_eq!(read_event.user_id().unwrap().as_str(), USER);

    let sample = message_event(json!({"type": "hologram", "id": "1"}));
    let read_event = read(&sample);
    let message = read_event.message().unwrap();
    assert_eq!(message.content, Content::Unknown { kind: Some("hologram".into()), reason: None });
    assert_eq!(message.raw, sample["message"]);
}

#[test]
fn a_message_without_its_fields_is_still_a_message() {
    for (message, wanted) in [
        (json!({"type": "text", "id": "1"}), "no text `message.text`"),
        (json!({"type": "text", "id": "1", "text": 7}), "no text `message.text`"),
        (json!({"type": "file", "id": "1"}), "no text `message.fileName`"),
        (json!({"type": "location", "id": "1", "latitude": "x"}), "no number `message.latitude`"),
        (json!({"type": "sticker", "id": "1", "packageId": ""}), "no id `message.packageId`"),
    ] {
        let event = read(&message_event(message));
        let Content::Unknown { reason, .. } = &event.message().unwrap().content else { panic!("known") };
        assert_eq!(reason.as_deref(), Some(wanted));
    }
    let event = read(&message_event(json!({"type": "image", "id": 590_000_000_000_000_001_u64})));
    assert_eq!(event.message().unwrap().id.as_str(), "590000000000000001");
}

#[test]
fn malformed_events_say_why() {
    assert_eq!(reason(&event("message", json!({}))), "no object `message`");
    assert_eq!(reason(&message_event(json!({"type": "text", "text": "x"}))), "no id `message.id`");
    assert_eq!(reason(&event("unsend", json!({"unsend": {"messageId": {}}}))), "no id `unsend.messageId`");
    assert_eq!(reason(&event("postback", json!({"postback": {}}))), "no text `postback.data`");
    assert_eq!(
        reason(&event("activated", json!({"chatControl": {"expireAt": 1.5}}))),
        "no whole number `chatControl.expireAt`"
    );
    assert_eq!(reason(&json!({"mode": "active"})), "no text `type`");
    assert_eq!(reason(&json!([])), "not an object");
    assert!(matches!(Event::parse("{").kind, EventKind::Malformed { .. }));
}

#[test]
fn sources_of_every_kind() {
    let with = |source: Value| {
        let mut sample = text_event("x");
        sample["source"] = source;
        read(&sample).source
    };
    assert_eq!(with(json!({"type": "user"})), Some(Source::User { user_id: None }));
    assert_eq!(with(json!({"type": "room", "roomId": "R1"})).unwrap().chat_id(), Some("R1"));
    assert_eq!(with(json!({"type": "group", "groupId": GROUP})).unwrap().user_id(), None);
    for odd in [json!({"type": "group"}), json!({"type": "planet"}), json!({"type": "room", "groupId": "C1"})]
    {
        assert_eq!(with(odd), Some(Source::Unknown { user_id: None }));
    }
    for none in [Value::Null, json!(1), json!({"userId": "U1"})] {
        assert_eq!(with(none), None);
    }
}

#[test]
fn unpaired_surrogates_and_zeros_do_not_lose_the_event() {
    let raw = text_event("TEXT").to_string().replace("TEXT", r"a\ud800b\u0000c\ud83d\ude00");
    let event = Event::parse(&raw);
    let Content::Text { text, .. } = &event.message().unwrap().content else { panic!("a text") };
    assert_eq!(text, "a\u{fffd}b\u{fffd}c\u{1f600}");
    assert!(!event.value.to_string().contains("u0000"));
}

#[test]
fn json_that_cannot_be_decoded_keeps_its_head() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (odd, wanted) in [(deep.as_str(), "recursion limit exceeded"), ("1e999", "number out of range")] {
        let raw = text_event("x").to_string().replacen('{', &format!("{{\"odd\":{odd},"), 1);
        let event = Event::parse(&raw);
        assert!(
            matches!(&event.kind, EventKind::Malformed { reason } if reason.contains(wanted)),
            "{:?}",
            event.kind
        );
        assert_eq!(event.user_id().unwrap().as_str(), USER);
        assert!(event.id.is_some() && event.timestamp.is_some());
        assert_eq!(event.value, Value::Null);
    }
}

proptest! {
    #[test]
    fn any_json_in_any_field_keeps_the_event(
        sample in proptest::sample::select(samples::events()),
        member in "[a-zA-Z]{0,12}",
        odd in samples::any_json(),
    ) {
        let (_, mut sample) = sample;
        let own: Vec<String> = sample.as_object().unwrap().keys().cloned().collect();
        for name in own.into_iter().chain([member]) {
            let before = sample[&name].take();
            sample[&name] = odd.clone();
            let event = read(&sample);
            prop_assert_eq!(&event.value, &sample);
            sample[&name] = before;
        }
        if sample["message"].is_object() {
            sample["message"] = odd;
            prop_assert_eq!(&read(&sample).value, &sample);
        }
    }

    #[test]
    fn any_text_is_an_event(raw in ".*") {
        let _ = Event::parse(&raw);
    }
}
