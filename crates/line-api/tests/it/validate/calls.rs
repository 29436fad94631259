//! What is common to all messages of a call: number, order of findings, quick replies, sender.

use super::*;

/// PLATFORM 1 and 5.
#[test]
fn one_to_five_messages() {
    let call = |count| validate::messages(&Value::from(vec![text("x"); count]));
    assert_eq!(call(1), Ok(()));
    assert_eq!(call(limits::MESSAGES_PER_CALL), Ok(()));
    for count in [0, 6] {
        let refusal = call(count).unwrap_err();
        assert_eq!(
            serde_json::to_value(refusal).unwrap(),
            json!({"message": "The request body has 1 error(s)",
                "details": [{"message": "Size must be between 1 and 5", "property": "messages"}]})
        );
    }
    let missing = validate::messages(&Value::Null).unwrap_err();
    assert_eq!(missing.details[0].message.as_deref(), Some("May not be empty"));
}

/// The error body shown in PLATFORM 5.
#[test]
fn the_published_refusal() {
    let refusal = validate::messages(&json!([text(""), {"type": "hologram"}])).unwrap_err();
    assert_eq!(
        serde_json::to_value(refusal).unwrap(),
        json!({"message": "The request body has 2 error(s)", "details": [
            {"message": "May not be empty", "property": "messages[0].text"},
            {"message": "Must be one of the following values: [text, textV2, sticker, image, video, audio, location, \
                imagemap, template, flex, coupon]", "property": "messages[1].type"}]})
    );
}

#[test]
fn a_value_of_the_wrong_type_is_told_first_and_without_details() {
    let refusal = validate::messages(&json!([{"type": "text"}, {"type": "text", "text": 7}])).unwrap_err();
    assert_eq!(
        serde_json::to_value(refusal).unwrap(),
        json!({"message": "The property, 'messages[1].text', in the request body is invalid (line: -, column: -)"})
    );
    for odd in [json!({}), json!("x"), json!([7]), json!([[]])] {
        assert!(validate::messages(&odd).unwrap_err().message.starts_with("The property, 'messages"));
    }
}

/// Content is looked at after the body, and the first bad message is named.
#[test]
fn content_comes_after_the_body() {
    let content = flex_action(json!({"type": "uri", "uri": "ftp://a.example"}));
    let refusal = validate::messages(&json!([text("x"), content, content])).unwrap_err();
    assert_eq!(refusal.message, "A message (messages[1]) in the request body is invalid");
    assert_eq!(refusal.details.len(), 1);
    let refusal = validate::messages(&json!([content, text("")])).unwrap_err();
    assert_eq!(refusal.message, "The request body has 1 error(s)");
    assert_eq!(refusal.details[0].property.as_deref(), Some("messages[1].text"));
}

/// PLATFORM 27: SDKs send explicit nulls and defaults.
#[test]
fn nulls_and_unknown_properties_are_ignored() {
    accepted(&json!({"type": "text", "text": "x", "new": {"deep": [1]}}));
    let nulls = json!({"type": "text", "text": "x", "quickReply": null, "sender": null, "emojis": null,
        "quoteToken": null});
    assert_eq!(validate::message(&nulls), Ok(()));
    in_body(&json!({"type": "text", "text": null}), "messages[0].text", "May not be empty");
}

/// PLATFORM 19: at most 13 buttons; the wording of their actions was seen in line-bot-sdk-python issue 728.
#[test]
fn quick_replies() {
    let with_items = |count| {
        let item = json!({"type": "action", "action": tap("tap")});
        json!({"type": "text", "text": "x", "quickReply": {"items": vec![item; count]}})
    };
    accepted(&with_items(13));
    in_body(&with_items(14), "messages[0].quickReply.items", "Size must be between 0 and 13");
    in_body(
        &quick_reply(json!({"type": "message", "label": "Accept"})),
        "messages[0].quickReply.items[0].action.text",
        "must be specified",
    );
    let icon = |icon: String| {
        json!({"type": "text", "text": "x", "quickReply":
        {"items": [{"type": "action", "imageUrl": icon, "action": tap("tap")}]}})
    };
    accepted(&icon(url(2000)));
    in_body(
        &icon(url(2001)),
        "messages[0].quickReply.items[0].imageUrl",
        "Length must be between 0 and 2000",
    );
}

/// PLATFORM 19: a name of at most 20, not posing as LINE.
#[test]
fn senders() {
    let sender =
        |name: &str| json!({"type": "text", "text": "x", "sender": {"name": name, "iconUrl": PICTURE}});
    accepted(&sender(&x(20)));
    in_body(&sender(&x(21)), "messages[0].sender.name", "Length must be between 0 and 20");
    in_body(&sender("LINE team"), "messages[0].sender.name", "invalid property");
    in_body(
        &json!({"type": "text", "text": "x", "sender": {"iconUrl": "http://a.example/1.png"}}),
        "messages[0].sender.iconUrl",
        "invalid uri scheme",
    );
}

/// The few limits that LINE's schema states are ours.
#[test]
fn limits_of_the_schema() {
    let Some(schema) = Schema::load() else { return };
    let item = json!({"type": "action", "action": tap("x")});
    let quick_reply_of = |count: usize| {
        json!({"type": "text", "text": "x",
        "quickReply": {"items": vec![item.clone(); count]}})
    };
    let named = |length| json!({"type": "text", "text": "x", "sender": {"name": x(length)}});
    let coupon = |length| json!({"type": "coupon", "couponId": "c", "deliveryTag": x(length)});
    let postback = |length| buttons_action(json!({"type": "postback", "label": "x", "data": x(length)}));
    let copy =
        |length| buttons_action(json!({"type": "clipboard", "label": "x", "clipboardText": x(length)}));
    for (limit, message) in [
        (limits::QUICK_REPLY_ITEMS, &quick_reply_of as &dyn Fn(usize) -> Value),
        (limits::SENDER_NAME, &named),
        (limits::DELIVERY_TAG, &coupon),
        (limits::ACTION_DATA, &postback),
        (limits::CLIPBOARD_TEXT, &copy),
    ] {
        accepted(&message(limit));
        let over = message(limit + 1);
        assert!(
            validate::message(&over).is_err() && schema.check_component("Message", &over).is_err(),
            "{over}"
        );
    }
    let multicast = |count| json!({"to": vec![samples::USER; count], "messages": [text("x")]});
    assert_eq!(schema.check_component("MulticastRequest", &multicast(limits::MULTICAST_RECIPIENTS)), Ok(()));
    assert!(
        schema.check_component("MulticastRequest", &multicast(limits::MULTICAST_RECIPIENTS + 1)).is_err()
    );
    let push = |count| json!({"to": samples::USER, "messages": vec![text("x"); count]});
    assert_eq!(schema.check_component("PushMessageRequest", &push(limits::MESSAGES_PER_CALL)), Ok(()));
    assert!(schema.check_component("PushMessageRequest", &push(limits::MESSAGES_PER_CALL + 1)).is_err());
}
