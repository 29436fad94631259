//! Decoding JSON text that databases and `serde_json` would refuse.

use std::borrow::Cow;

use serde_json::Value;

/// Length of `\uXXXX`.
const ESCAPE: usize = 6;

/// Replaces every escape of an unpaired surrogate by `\ufffd`. The result is as long as the input, so that
/// positions hold for both; it is borrowed when there was nothing to replace. Outside of strings JSON has no
/// backslash, so the escapes can be found without parsing.
#[must_use]
pub fn without_lone_surrogates(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut fixed: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(step) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\\')) {
        at += step;
        at += match (unit(bytes, at), unit(bytes, at + ESCAPE)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE,
            (Some(0xD800..=0xDFFF), _) => {
                let copy = fixed.get_or_insert_with(|| bytes.to_vec());
                if let Some(place) = copy.get_mut(at..at + ESCAPE) {
                    place.copy_from_slice(b"\\ufffd");
                }
                ESCAPE
            }
            (Some(_), _) => ESCAPE,
            // Another escape, such as `\\`, of which the second character must not be taken for a backslash.
            (None, _) => 2,
        };
    }
    match fixed.map(String::from_utf8) {
        Some(Ok(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(json),
    }
}

/// The UTF-16 unit of the escape `\uXXXX` that starts at `at`, if there is one.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// Decodes JSON; unpaired surrogates and U+0000 become U+FFFD.
///
/// # Errors
/// `serde_json`'s words: not JSON, nested deeper than 128 levels, or a number out of range.
pub(super) fn decode(json: &str) -> Result<Value, String> {
    let value = serde_json::from_str(json)
        .or_else(|error| match without_lone_surrogates(json) {
            Cow::Owned(fixed) => serde_json::from_str(&fixed),
            Cow::Borrowed(_) => Err(error),
        })
        .map_err(|error| error.to_string())?;
    Ok(if json.contains("\\u0000") { clean(value) } else { value })
}

/// Decodes one JSON string; gives none if `json` is something else. Borrows when the string has no escapes.
pub(super) fn decode_text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    match decode(json) {
        Ok(Value::String(text)) => Some(Cow::Owned(text)),
        _ => None,
    }
}

/// Replaces U+0000 by U+FFFD in every string and member name, because PostgreSQL refuses it in text and JSON.
/// [`Event::parse`](super::Event::parse) has done this already; use it on JSON from elsewhere.
#[must_use]
pub fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean_text(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (clean_text(name), clean(value))).collect())
        }
        scalar => scalar,
    }
}

fn clean_text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_unpaired_surrogates_are_replaced() {
        for (input, wanted) in [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D\uDE00 \u0041""#, r#""\uD83D\uDE00 \u0041""#),
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud800""#, r#""\\ud800""#),
            (r#""\\\ud800""#, r#""\\\ufffd""#),
            (r#""\ud8""#, r#""\ud8""#),
        ] {
            assert_eq!(without_lone_surrogates(input), wanted);
        }
    }

    #[test]
    fn zero_characters_are_replaced_in_names_and_values() {
        assert_eq!(decode(r#"{"a\u0000":["\u0000b"]}"#).unwrap(), json!({"a\u{fffd}": ["\u{fffd}b"]}));
        assert_eq!(decode_text(r#""x\u0000\ud800""#).unwrap(), "x\u{fffd}\u{fffd}");
        assert_eq!(decode_text("7"), None);
    }

    proptest! {
        /// `char::decode_utf16` is the reference for what a run of escapes means.
        #[test]
        fn agrees_with_utf16_decoding(units in proptest::collection::vec(
            prop_oneof![any::<u16>(), 0xD800u16..0xE000], 0..20)) {
            let json: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let wanted: String =
                char::decode_utf16(units).map(|c| c.ok().filter(|c| *c != '\0').unwrap_or('\u{fffd}')).collect();
            let json = format!("\"{json}\"");
            prop_assert_eq!(decode_text(&json).unwrap(), wanted);
        }
    }
}
