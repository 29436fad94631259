//! LINE's refusals, with LINE's texts (PLATFORM 4.1, 5).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use line_api::validate::Refusal;
use serde_json::{Value, json};

/// A refusal as LINE words it.
#[derive(Debug, Clone)]
pub(crate) struct LineError {
    status: StatusCode,
    body: Value,
}

impl LineError {
    pub(crate) fn new(status: StatusCode, message: &str) -> Self {
        Self { status, body: json!({ "message": message }) }
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The body is no JSON.
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        Self::unreadable_at(error.line(), error.column())
    }

    pub(crate) fn unreadable_at(line: usize, column: usize) -> Self {
        Self::bad_request(&format!(
            "The request body could not be parsed as JSON (line: {line}, column: {column})"
        ))
    }

    /// One finding about one property of the body.
    pub(crate) fn property(property: &str, message: &str) -> Self {
        let details = json!([{ "message": message, "property": property }]);
        let body = json!({ "message": "The request body has 1 error(s)", "details": details });
        Self { status: StatusCode::BAD_REQUEST, body }
    }

    /// A text with details of its own.
    pub(crate) fn details(message: &str, details: &Value) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: json!({ "message": message, "details": details }) }
    }

    /// Several findings: `{"message", "property"}` each.
    pub(crate) fn findings(details: Vec<Value>) -> Self {
        let message = format!("The request body has {} error(s)", details.len());
        let body = json!({ "message": message, "details": Value::Array(details) });
        Self { status: StatusCode::BAD_REQUEST, body }
    }

    /// The value of a property cannot be what it says it is.
    pub(crate) fn invalid_property(property: &str) -> Self {
        Self::bad_request(&format!(
            "The property, '{property}', in the request body is invalid (line: -, column: -)"
        ))
    }

    /// A path or query value of the wrong form.
    pub(crate) fn invalid_parameter(name: &str) -> Self {
        Self::bad_request(&format!("The value for the '{name}' parameter is invalid"))
    }

    /// The refusal in one line, for the control paths: its details, else its message.
    pub(crate) fn text(&self) -> String {
        let details = self.body.get("details").and_then(Value::as_array).into_iter().flatten();
        let text = |detail: &Value, name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let lines: Vec<String> = details
            .filter_map(|detail| Some(format!("{}: {}", text(detail, "property")?, text(detail, "message")?)))
            .collect();
        if lines.is_empty() { text(&self.body, "message").unwrap_or_default() } else { lines.join("; ") }
    }

    /// The same refusal under another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same refusal with `"details":[]`, which LINE shows in several rich menu errors (PLATFORM 5).
    pub(crate) fn with_empty_details(mut self) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.insert("details".into(), json!([]));
        }
        self
    }

    /// 404 with a text of its own.
    pub(crate) fn missing(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }

    /// The API needs what this channel does not have, such as an account.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Access to this API is not available for your account")
    }

    pub(crate) fn too_fast() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "The API rate limit has been exceeded. Try again later.")
    }

    pub(crate) fn month_used_up() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "You have reached your monthly limit.")
    }

    /// The form of the OAuth endpoints.
    pub(crate) fn oauth(error: &str, description: Option<&str>) -> Self {
        let mut body = json!({ "error": error });
        if let (Some(description), Some(body)) = (description, body.as_object_mut()) {
            body.insert("error_description".into(), description.into());
        }
        Self { status: StatusCode::BAD_REQUEST, body }
    }
}

impl LineError {
    /// The refusal in two parts for who words it anew: the property of the first finding, if one is named, and the text.
    pub(crate) fn finding(&self) -> (Option<&str>, &str) {
        let first = self.body.get("details").and_then(|details| details.get(0));
        let of = |name| first.and_then(|detail| detail.get(name)).and_then(Value::as_str);
        let message = of("message").or_else(|| self.body.get("message").and_then(Value::as_str));
        (of("property"), message.unwrap_or_default())
    }
}

impl From<Refusal> for LineError {
    fn from(refusal: Refusal) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: json!(refusal) }
    }
}

impl IntoResponse for LineError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
