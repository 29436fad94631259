//! Forms of the pages, turned into calls of `/sandbox/v1`: whatever a button does, a program can do.
//!
//! A field's name is a path into the JSON body (`responseHours.from`, `autoReplies.0.text`), with the kind of its value after a
//! colon: nothing for text, `opt` (empty means null), `bool`, `int` (empty means null), `ints` and `each` (one of several boxes), `num`,
//! `lines` (one text per line), `words` (separated by commas), `json`. Fields that begin with `_` are for the bridge.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::Inner;
use crate::console::{Frame, Place, Visit};
use crate::control;
use crate::phone::page;

/// A value that is shown once.
#[derive(Template)]
#[template(path = "console_once.html")]
struct OncePage {
    frame: Frame,
    value: String,
    back: String,
}

/// Calls the control API from within.
pub(super) async fn call(inner: &Arc<Inner>, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/sandbox/v1{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    let Ok(request) = request else {
        return (StatusCode::BAD_REQUEST, json!({ "message": "this is not a control path" }));
    };
    let Ok(response) = control::routes(inner).oneshot(request).await;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Does what a form asks for, then shows `_to`, in which `{name}` stands for a field of the answer. Scripts, which accept JSON,
/// get the answer and where to go instead.
pub(super) async fn act(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    visit: Visit,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let own = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let method = if own("_method").is_empty() { "POST" } else { own("_method") };
    let (status, answer) = call(&inner, method, own("_path"), &body(&pairs)).await;
    let to = fill(own("_to"), &answer);
    let by_script = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    if !status.is_success() {
        if by_script {
            return (status, Json(answer)).into_response();
        }
        let word = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let problem = format!("{} {}", word("field"), word("message"));
        let problem = url::form_urlencoded::byte_serialize(problem.trim().as_bytes()).collect::<String>();
        let back = own("_to");
        let joint = if back.contains('?') { '&' } else { '?' };
        // Where the answer was to fill in a part, there is nothing to show.
        let back = if back.contains('{') { "/" } else { back };
        return Redirect::to(&local(&format!("{back}{joint}problem={problem}"))).into_response();
    }
    if by_script {
        return Json(json!({ "to": local(&to), "answer": answer })).into_response();
    }
    match answer.get(own("_show")).and_then(Value::as_str) {
        Some(value) => {
            let frame = visit.frame(&inner, &inner.world(), Place::Overview);
            page(StatusCode::OK, &OncePage { frame, value: value.to_owned(), back: local(&to) })
        }
        None => Redirect::to(&local(&to)).into_response(),
    }
}

/// Only to a page of ours: `//host` would lead elsewhere.
fn local(to: &str) -> String {
    let ours = to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n']);
    if ours { to.to_owned() } else { "/".to_owned() }
}

/// Puts the answer's fields where `{name}` stands.
fn fill(to: &str, answer: &Value) -> String {
    let fields = answer.as_object().into_iter().flatten();
    fields.fold(to.to_owned(), |to, (name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        to.replace(&format!("{{{name}}}"), &text)
    })
}

/// The JSON body that a form means.
fn body(pairs: &[(String, String)]) -> Value {
    let mut body = Value::Object(Map::new());
    for (name, text) in pairs.iter().filter(|(name, _)| !name.starts_with('_')) {
        let (path, kind) = name.split_once(':').unwrap_or((name, ""));
        let several = matches!(kind, "ints" | "each");
        place(&mut body, &path.split('.').collect::<Vec<_>>(), several, value(kind, text));
    }
    settle(body)
}

/// A field's text as a value of its kind; what is not of that kind stays text, which the control API then refuses by name.
fn value(kind: &str, text: &str) -> Value {
    let plain = || Value::from(text);
    let parts = |text: &str, by: fn(char) -> bool| -> Value {
        text.split(by).map(str::trim).filter(|part| !part.is_empty()).collect()
    };
    match kind {
        "opt" | "int" | "num" | "json" if text.trim().is_empty() => Value::Null,
        "bool" => (text == "true").into(),
        "int" | "ints" => text.trim().parse::<u64>().map_or_else(|_| plain(), Value::from),
        "num" => text.trim().parse::<f64>().map_or_else(|_| plain(), Value::from),
        "json" => serde_json::from_str(text).unwrap_or_else(|_| plain()),
        "lines" => parts(text, |c| c == '\n'),
        "words" => parts(text, |c| matches!(c, ',' | '，' | '、' | '\n')),
        _ => plain(),
    }
}

/// Puts a value at its path; a later value of the same name wins, or joins when there may be several.
fn place(into: &mut Value, path: &[&str], several: bool, value: Value) {
    let (Some((first, rest)), Some(object)) = (path.split_first(), into.as_object_mut()) else { return };
    let slot = object.entry((*first).to_owned()).or_insert(Value::Null);
    if rest.is_empty() {
        match slot {
            Value::Array(items) if several => items.push(value),
            slot if several => *slot = json!([value]),
            slot => *slot = value,
        }
        return;
    }
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    place(slot, rest, several, value);
}

/// Objects whose names are all numbers become arrays, in which rows without a text are left out.
fn settle(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let row = |name: &str| name.parse::<u32>().ok();
    if fields.is_empty() || !fields.keys().all(|name| row(name).is_some()) {
        return fields.into_iter().map(|(name, value)| (name, settle(value))).collect();
    }
    let mut rows: Vec<_> = fields.into_iter().collect();
    rows.sort_by_key(|(name, _)| row(name));
    let empty =
        |value: &Value| value.get("text").and_then(Value::as_str).is_some_and(|text| text.trim().is_empty());
    rows.into_iter().map(|(_, value)| settle(value)).filter(|value| !empty(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Value {
        body(&pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn forms_become_json() {
        let body = of(&[
            ("_path", "/x"),
            ("name", "茶"),
            ("useWebhook:bool", "false"),
            ("useWebhook:bool", "true"),
            ("monthlyQuota:int", ""),
            ("callbackUrls:lines", "https://a.example/\r\n\r\nhttps://b.example/"),
            ("responseHours.days:ints", "1"),
            ("responseHours.days:ints", "5"),
            ("responseHours.from", "09:00"),
            ("autoReplies.10.text", "last"),
            ("autoReplies.2.keywords:words", "a, b、c"),
            ("autoReplies.2.text", "first"),
            ("autoReplies.3.text", " "),
            ("jwk:json", "{\"kty\":\"RSA\"}"),
        ]);
        let expected = json!({
            "name": "茶", "useWebhook": true, "monthlyQuota": null,
            "callbackUrls": ["https://a.example/", "https://b.example/"],
            "responseHours": {"days": [1, 5], "from": "09:00"},
            "autoReplies": [{"keywords": ["a", "b", "c"], "text": "first"}, {"text": "last"}],
            "jwk": {"kty": "RSA"},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn forms_lead_to_our_own_pages_only() {
        assert_eq!(local("/console/people?q=x"), "/console/people?q=x");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\r\nb"] {
            assert_eq!(local(elsewhere), "/");
        }
        assert_eq!(
            fill("/console/providers/{providerId}", &json!({"providerId": "12"})),
            "/console/providers/12"
        );
    }
}
