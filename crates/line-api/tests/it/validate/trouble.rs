//! Deep, large and arbitrary JSON.

use super::*;

/// A Flex Message with boxes in boxes. Made by moving, since `json!` copies what it takes, level by level.
fn nested(depth: usize) -> Value {
    let boxes = (0..depth).fold(json!({"type": "filler"}), |inner, _| {
        let mut outer = body_box(json!([null]));
        outer["contents"][0] = inner;
        outer
    });
    let mut message = component(Value::Null);
    message["contents"]["body"]["contents"][0] = boxes;
    message
}

#[test]
fn a_large_bad_body_has_a_small_answer() {
    let message =
        component(json!({"type": "box", "layout": "vertical", "contents": vec![json!({}); 10_000]}));
    assert_eq!(refusal(&message).details.len(), 100);
}

#[test]
fn deep_flex_is_refused_and_does_not_overflow() {
    assert_eq!(validate::message(&nested(40)), Ok(()));
    assert!(validate::message(&nested(2_000)).is_err());
    let mut message = component(json!({"type": "filler"}));
    message["contents"]["unknown"] = (0..2_000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    assert_eq!(validate::message(&message), Ok(()), "unknown properties are ignored, however deep");
}

/// Samples that are accepted, to be damaged below.
fn fine() -> Vec<Value> {
    vec![
        quick_reply(tap("x")),
        json!({"type": "textV2", "text": "{e}", "substitution": {"e": {"type": "emoji", "productId": "p",
            "emojiId": "1"}}}),
        json!({"type": "image", "originalContentUrl": PICTURE, "previewImageUrl": PICTURE}),
        template(json!({"type": "carousel", "columns": [{"text": "x", "actions": taps(2)}, {"text": "x",
                "actions": taps(2)}]})),
        flex(json!({"type": "carousel", "contents": [{"type": "bubble", "body": body_box(json!([
            {"type": "text", "text": "x"}, {"type": "button", "action": tap("x")}]))}]})),
    ]
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| pointers(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

/// The value without `null` members, which count as absent.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        scalar => scalar,
    }
}

fn texts_within_limits(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(name, value)| match (name.as_str(), value) {
            ("text", Value::String(text)) => text.encode_utf16().count() <= limits::TEXT,
            ("items", Value::Array(items)) => items.len() <= limits::QUICK_REPLY_ITEMS,
            ("columns" | "actions", Value::Array(items)) => items.len() <= limits::CAROUSEL_COLUMNS,
            ("uri" | "originalContentUrl" | "previewImageUrl", Value::String(url)) => {
                url.starts_with("http") && url.encode_utf16().count() <= limits::URL
            }
            (_, value) => texts_within_limits(value),
        }),
        Value::Array(items) => items.iter().all(texts_within_limits),
        _ => true,
    }
}

proptest! {
    #[test]
    fn any_json_is_checked_without_panic(value in samples::any_json()) {
        let _ = validate::messages(&value);
        let _ = validate::message(&value);
        let _ = validate::action_in_rich_menu(&value, "areas[0].action");
        let _ = validate::rich_menu(&value);
        let _ = validate::rich_menu(&json!({"size": value, "areas": [{"bounds": value, "action": value}]}));
    }

    /// One value of a good message replaced by anything: if it is accepted, it is within LINE's limits and
    /// schema.
    #[test]
    fn accepted_means_within_limits(
        message in proptest::sample::select(fine()), place in any::<proptest::sample::Index>(),
            odd in samples::any_json(),
    ) {
        prop_assert_eq!(validate::message(&message), Ok(()));
        let mut found = Vec::new();
        pointers(&message, "", &mut found);
        let mut damaged = message;
        let pointer: &String = place.get(&found);
        *damaged.pointer_mut(pointer).unwrap() = odd;
        match validate::message(&damaged) {
            Ok(()) => {
                prop_assert!(texts_within_limits(&damaged), "{}", damaged);
                if let Some(schema) = Schema::load() {
                    prop_assert_eq!(schema.check_component("Message", &without_nulls(damaged)), Ok(()));
                }
            }
            Err(refusal) => prop_assert!(!refusal.message.is_empty()),
        }
    }
}
