//! Forms that keep what was typed and show each error at its field.

use std::collections::BTreeMap;

use super::shell::Ui;
use crate::error::FieldError;

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
        self.errors.iter().find(|(name, _)| name == field).map_or_else(String::new, |(_, key)| ui.t(key))
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
