//! Tolerant reading of message JSON: a wrong type reads as "not given".

use serde_json::Value;

/// The string at `key`, empty if there is none.
pub(crate) fn text<'m>(object: &'m Value, key: &str) -> &'m str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of the array at `key`, empty if there is none.
pub(crate) fn items<'m>(object: &'m Value, key: &str) -> &'m [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The number at `key`.
pub(crate) fn number(object: &Value, key: &str) -> Option<f64> {
    object.get(key).and_then(Value::as_f64).filter(|number| number.is_finite())
}

/// Whether `key` is `true`.
pub(crate) fn flag(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// The entry of `allowed` that equals the string at `key`: from here on a value of ours, no longer the message's.
pub(crate) fn keyword(object: &Value, key: &str, allowed: &[&'static str]) -> Option<&'static str> {
    let given = text(object, key);
    allowed.iter().copied().find(|word| *word == given)
}

/// The string at `key` if it looks like one of LINE's ids (letters, digits, `-`, `_`; at most 64).
pub(crate) fn id<'m>(object: &'m Value, key: &str) -> Option<&'m str> {
    let id = text(object, key);
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (!id.is_empty() && id.len() <= 64 && plain).then_some(id)
}

/// `text` on one line (whitespace runs become one space), at most `limit` characters, cut with an ellipsis.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    for (number, word) in text.split_whitespace().enumerate() {
        for character in (number > 0).then_some(' ').into_iter().chain(word.chars()) {
            if length + 1 == limit {
                line.push('…');
                return line;
            }
            line.push(character);
            length += 1;
        }
    }
    line
}
