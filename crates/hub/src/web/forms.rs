//! Forms that keep what was typed and show each error at its field.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;

use super::shell::Ui;
use crate::error::{AppError, FieldError};

/// The fields of a submitted form, in order; one name may stand several times. U+0000 in values is replaced.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a name, or nothing.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// All values of a name.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AppError> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|_| AppError::bad_request("bad_form", "the form was cut off"))?;
        let fields = url::form_urlencoded::parse(&body);
        Ok(Self(fields.map(|(name, value)| (name.into_owned(), crate::text::storable(&value))).collect()))
    }
}

/// What a form shows: the typed values, and what is wrong with them, as keys of words.
#[derive(Debug, Clone, Default)]
pub struct FormState {
    values: BTreeMap<&'static str, String>,
    errors: Vec<(String, String)>,
}

impl FormState {
    /// An empty form.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a value. Passwords and secrets are never kept.
    #[must_use]
    pub fn with(mut self, field: &'static str, value: impl Into<String>) -> Self {
        self.values.insert(field, value.into());
        self
    }

    /// Marks a field; `key` names the words.
    #[must_use]
    pub fn wrong(mut self, field: &str, key: &str) -> Self {
        self.errors.push((field.to_owned(), key.to_owned()));
        self
    }

    /// Marks every field of a refused request; the words are `<prefix>-<field>-<code>`, all with `-` for `_`.
    #[must_use]
    pub fn refused(mut self, prefix: &str, errors: &[FieldError]) -> Self {
        for error in errors {
            let key = format!("{prefix}-{}-{}", error.field, error.code).replace('_', "-");
            self.errors.push((error.field.clone(), key));
        }
        self
    }

    /// The value of a field, or nothing.
    #[must_use]
    pub fn value(&self, field: &str) -> &str {
        self.values.get(field).map_or("", String::as_str)
    }

    /// The words of a field's error; empty when it is right.
    #[must_use]
    pub fn error(&self, ui: &Ui, field: &str) -> String {
        let wrong = self.errors.iter().find(|(name, _)| name == field);
        wrong.map_or_else(String::new, |(_, key)| ui.maybe(key).unwrap_or_else(|| ui.t("web-field-wrong")))
    }

    /// Whether this is the first field that is wrong, which gets the focus.
    #[must_use]
    pub fn is_first_wrong(&self, field: &str) -> bool {
        self.errors.first().is_some_and(|(name, _)| name == field)
    }

    /// Whether anything is wrong.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        !self.errors.is_empty()
    }
}
