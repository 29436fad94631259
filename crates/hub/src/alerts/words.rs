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
        // Of several names also the list, which a language joins in its own way.
        let list = given.get("name_list").filter(|_| name == "names");
        let word = match list.or_else(|| given.get(name)) {
            Some(Value::Number(number)) => number.as_i64().map_or_else(|| Word::from("–"), Word::from),
            Some(Value::String(text)) => Word::from(text),
            Some(Value::Array(names)) => Word::from(joined(language, names)),
            _ => Word::from("–"),
        };
        arguments.push((Cow::Borrowed(name), word));
    }
    arguments
}

/// Several names, as the language sets them apart.
fn joined(language: Language, names: &[Value]) -> String {
    let name = |name: &str| words(language, "alerts-name", &[("name", Word::from(name))]);
    let names: Vec<_> = names.iter().filter_map(Value::as_str).map(name).collect();
    names.join(&words(language, "alerts-names-comma", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn several_names_are_set_apart_as_the_language_does() {
        let names = [json!("CRM 會員系統"), json!("點數系統")];
        assert_eq!(joined(Language::ZhHant, &names), "「CRM 會員系統」、「點數系統」");
        assert_eq!(joined(Language::En, &names), "CRM 會員系統, 點數系統");
    }
}
