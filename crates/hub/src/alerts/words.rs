//! What an alert says, in a reader's language.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::model::Alert;
use crate::web::i18n::{Language, Word, maybe_words_with, words};

/// The names that words of alerts may hold beside `account`; one that a check did not give shows as a dash.
const NAMES: [&str; 10] =
    ["address", "count", "days", "halt", "hours", "names", "percent", "seconds", "total", "used"];

/// A title that says what happened, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What happened, in one line.
    pub title: String,
    /// What to do.
    pub fix: String,
}

/// The words of an alert. A code without words of its own says that something is wrong and where to look.
#[must_use]
pub fn say(language: Language, alert: &Alert) -> Said {
    let part = |part: &str| {
        let key = format!("alerts-code-{}-{part}", alert.code.replace('_', "-"));
        let other = format!("alerts-code-other-{part}");
        let words = |key: &str| maybe_words_with(language, key, arguments(language, alert));
        words(&key).or_else(|| words(&other)).unwrap_or_default()
    };
    Said { title: part("title"), fix: part("fix") }
}

fn arguments(language: Language, alert: &Alert) -> Vec<(Cow<'static, str>, Word)> {
    let given: Map<String, Value> = serde_json::from_str(&alert.args).unwrap_or_default();
    let account = match &alert.account_name {
        Some(name) => name.clone(),
        None => words(language, "alerts-the-hub", &[]),
    };
    let mut arguments = vec![(Cow::Borrowed("account"), Word::from(account))];
    for name in NAMES {
        let word = match given.get(name) {
            Some(Value::Number(number)) => number.as_i64().map_or_else(|| Word::from("–"), Word::from),
            Some(Value::String(text)) => Word::from(text),
            _ => Word::from("–"),
        };
        arguments.push((Cow::Borrowed(name), word));
    }
    arguments
}
