//! The last API calls received, as `/sandbox/v1/requests` shows them, with secrets and tokens masked.

use axum::http::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use crate::Inner;

/// How many calls are kept (CONTRACT 2).
const KEPT: usize = 10_000;

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Text(bytes::Bytes),
    /// Media: only its length is kept.
    Binary(usize),
}

/// The headers of a call in one text, a line each. A copy: the connection's buffer, in which they came, is free for the next call.
#[derive(Debug, Clone)]
pub(crate) struct Headers(String);

impl Headers {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut text = String::with_capacity(256);
        for (name, value) in headers {
            text.push_str(name.as_str());
            text.push(':');
            text.push_str(&String::from_utf8_lossy(value.as_bytes()));
            text.push('\n');
        }
        Self(text)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.split_once(':'))
    }

    /// The first value of a header, named in small letters.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// One API call with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Counts up from 1.
    pub(crate) id: u64,
    pub(crate) at: i64,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) body: bytes::Bytes,
    /// `None` when the connection was broken instead of an answer.
    pub(crate) status: Option<u16>,
    pub(crate) answer: Answer,
    pub(crate) duration_ms: u64,
}

impl Inner {
    /// Keeps a call, dropping the oldest beyond 10,000.
    pub(crate) fn record(&self, mut entry: Entry) {
        let mut log = self.log();
        entry.id = log.back().map_or(1, |last| last.id + 1);
        let oldest = if log.len() >= KEPT { log.pop_front() } else { None };
        log.push_back(entry);
        drop(log);
        // Freed without holding up the others.
        drop(oldest);
    }
}

impl Entry {
    /// The item shown by `/sandbox/v1/requests`.
    pub(crate) fn to_json(&self) -> Value {
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, text)| {
                let text = match name {
                    "authorization" => mask_authorization(text),
                    "cookie" => MASK.to_owned(),
                    _ => text.to_owned(),
                };
                (name.to_owned(), Value::String(text))
            })
            .collect();
        let answer = match &self.answer {
            Answer::Text(bytes) => readable(bytes),
            Answer::Binary(length) => json!({ "bytes": length }),
        };
        json!({
            "id": self.id,
            "at": self.at,
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query.as_deref().map(mask_form),
            "headers": headers,
            "body": readable(&self.body),
            "retryKey": self.headers.get("x-line-retry-key"),
            "status": self.status,
            "answer": answer,
            "durationMs": self.duration_ms,
        })
    }
}

/// JSON as a value, a form as masked text, anything else as text; `null` when empty.
fn readable(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    match serde_json::from_slice(bytes) {
        Ok(value) => mask_json(value),
        Err(_) => Value::String(mask_form(&String::from_utf8_lossy(bytes))),
    }
}

const MASK: &str = "***";
/// Names of secrets, in JSON at any depth and in forms.
const SECRETS: [&str; 8] = [
    "access_token",
    "client_secret",
    "client_assertion",
    "refresh_token",
    "id_token",
    "code_verifier",
    "userAccessToken",
    "linkToken",
];
/// Only in forms and queries: in JSON it is a code of anything.
const CODE: &str = "code";

fn mask_authorization(text: &str) -> String {
    match text.split_once(' ') {
        Some((scheme, _)) => format!("{scheme} {MASK}"),
        None => MASK.to_owned(),
    }
}

fn mask_json(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(name, value)| {
                    let secret = SECRETS.contains(&name.as_str()) && !value.is_null();
                    let value = if secret { Value::from(MASK) } else { mask_json(value) };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(mask_json).collect()),
        other => other,
    }
}

fn mask_form(text: &str) -> String {
    let masked = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRETS.contains(&name) || name == CODE => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    text.split('&').map(masked).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_tokens_are_masked() {
        assert_eq!(mask_authorization("Bearer abc"), "Bearer ***");
        assert_eq!(mask_form("client_id=1&client_secret=x"), "client_id=1&client_secret=***");
        assert_eq!(
            readable(br#"{"access_token":"x","expires_in":1}"#),
            json!({"access_token": "***", "expires_in": 1})
        );
        assert_eq!(readable(b""), Value::Null);
        // A code gives whoever has it the person's tokens (PLATFORM 23.2).
        assert_eq!(
            mask_form("grant_type=authorization_code&code=x"),
            "grant_type=authorization_code&code=***"
        );
        let nested = br#"{"code":null,"items":[{"linkToken":"x","a":1}]}"#;
        assert_eq!(readable(nested), json!({"code": null, "items": [{"linkToken": "***", "a": 1}]}));
    }
}
