//! The error of a request: its kind, the words for the outside, and the private cause for the log.

use std::error::Error;

use axum::http::StatusCode;

use crate::db::DbError;

/// What was wrong with one field, for a form or for the `errors` of a 422.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's name as in the request: `channel_secret`, `messages[0].text`.
    pub field: String,
    /// A short word for programs: `required`, `too_long`, `wrong_secret`.
    pub code: &'static str,
    /// What happened and what to do, in English for the API; pages translate by `code` where they can.
    pub detail: String,
}

impl FieldError {
    /// An error of one field.
    pub fn new(field: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }

    /// The same error of another field.
    #[must_use]
    pub fn at(self, field: &str) -> Self {
        Self { field: field.to_owned(), ..self }
    }
}

/// A refused or failed request. Made by the named constructors; each edge (page, fragment, JSON) draws it its own way.
#[derive(Debug)]
pub struct AppError {
    /// The HTTP status.
    pub status: StatusCode,
    /// CONTRACT's word: `bad_json`, `account_held`, `paid_send_refused`, …
    pub code: &'static str,
    /// What happened and what to do, a lower-case fragment; never a cause from inside.
    pub detail: String,
    /// The fields that are wrong (422, and 409 where one is meant).
    pub fields: Vec<FieldError>,
    /// Further members of the problem body, e.g. `current_endpoint`.
    pub extra: serde_json::Map<String, serde_json::Value>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// A request's result.
pub type AppResult<T> = Result<T, AppError>;

impl AppError {
    /// An error with a status, a code and words.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let extra = serde_json::Map::new();
        Self { status, code, detail: detail.into(), fields: Vec::new(), extra, source: None }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: nobody is signed in, or the key is unknown.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in, or send a valid key")
    }

    /// 403: signed in, but not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: there is no such thing within the caller's scope.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// 409: the state of things is against it.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: values are missing or wrong; each is named.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let detail = fields.first().map_or_else(String::new, |f| format!("{}: {}", f.field, f.detail));
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
    }

    /// 422 with one field.
    pub fn invalid_field(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, code, detail)])
    }

    /// 502: LINE does not answer.
    #[must_use]
    pub fn line_unavailable() -> Self {
        let detail = "LINE did not answer; try again in a moment";
        Self::new(StatusCode::BAD_GATEWAY, "line_unavailable", detail)
    }

    /// 500: a fault of the hub; the cause goes to the log only.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "something went wrong inside the hub; its log tells more";
        let base = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        Self { source: Some(source.into()), ..base }
    }

    /// Adds a member to the problem body.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Says where its page leads instead of the start; a part of a page that fails so loads the whole page, which says it.
    #[must_use]
    pub fn leading(self, address: String) -> Self {
        self.with("back", address)
    }

    /// The private cause, for the log.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        if error.is_transient() {
            let detail = "the database does not answer; try again in a moment";
            let base = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
            return Self { source: Some(Box::new(error)), ..base };
        }
        Self::internal(error)
    }
}
