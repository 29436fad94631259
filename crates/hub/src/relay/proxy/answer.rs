//! Answers in LINE's own shape (PLATFORM 5).

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use line_api::validate::Refusal;
use serde_json::{Value, json};

use crate::app::Hub;
use crate::db::DbError;
use crate::error::AppError;

/// On every answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-line-request-id");
/// On a 409: that of the call that was accepted (PLATFORM 18).
pub(super) const ACCEPTED_REQUEST_ID: HeaderName = HeaderName::from_static("x-line-accepted-request-id");

/// An answer that is not what was asked for. `Err` of what the proxy does.
#[derive(Debug)]
pub(super) struct No {
    status: StatusCode,
    body: Value,
    request_id: Option<String>,
}

pub(super) type Result<T> = std::result::Result<T, No>;

impl No {
    /// With LINE's text, and the hub's reason as a detail.
    pub(super) fn new(status: u16, message: &str, reason: Option<&str>) -> Self {
        let mut body = json!({ "message": message });
        if let (Some(reason), Some(body)) = (reason, body.as_object_mut()) {
            body.insert("details".to_owned(), json!([{ "message": reason }]));
        }
        Self { status: StatusCode::from_u16(status).unwrap_or_default(), body, request_id: None }
    }

    /// LINE's refusal as it came.
    pub(super) fn of_line(status: u16, body: Value, request_id: Option<String>) -> Self {
        Self { status: StatusCode::from_u16(status).unwrap_or_default(), body, request_id }
    }

    /// The account may not: here, the key may not.
    pub(super) fn forbidden(reason: &str) -> Self {
        Self::new(403, "Access to this API is not available for your account", Some(reason))
    }

    /// A value of the wrong type or form.
    pub(super) fn property(name: &str) -> Self {
        let message = format!("The property, '{name}', in the request body is invalid (line: -, column: -)");
        Self::new(400, &message, None)
    }

    /// One finding about one property.
    pub(super) fn finding(name: &str, finding: &str) -> Self {
        let details = json!([{ "message": finding, "property": name }]);
        let body = json!({ "message": "The request body has 1 error(s)", "details": details });
        Self { status: StatusCode::BAD_REQUEST, body, request_id: None }
    }

    /// A reply token that cannot be used.
    pub(super) fn reply_token(reason: &str) -> Self {
        Self::new(400, "Invalid reply token", Some(reason))
    }

    /// The month's quota, LINE's or the key's own.
    pub(super) fn monthly_limit(reason: &str) -> Self {
        Self::new(429, "You have reached your monthly limit.", Some(reason))
    }

    /// It may or may not have happened.
    pub(super) fn broken(reason: &str) -> Self {
        Self::new(500, "Internal Server Error", Some(reason))
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        let body = serde_json::to_value(refusal).unwrap_or_default();
        Self { status: StatusCode::BAD_REQUEST, body, request_id: None }
    }
}

impl From<DbError> for No {
    fn from(error: DbError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the proxy could not work");
        Self::broken("the hub's database does not answer")
    }
}

impl From<AppError> for No {
    fn from(error: AppError) -> Self {
        tracing::warn!(code = error.code, detail = error.detail, "the proxy could not work");
        Self::broken(&error.detail)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        json_answer(self.status, &self.body, self.request_id.as_deref())
    }
}

/// JSON, with LINE's ID of the request where LINE gave one.
pub(super) fn json_answer(status: StatusCode, body: &Value, request_id: Option<&str>) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(id) = request_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// What every answer of LINE's has.
pub(super) fn finish(hub: &Hub, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if !headers.contains_key(REQUEST_ID) {
        let id = uuid::Builder::from_random_bytes(hub.entropy.bytes()).into_uuid().hyphenated().to_string();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    response
}
