//! Typed reading of a JSON object's members, where a refusal says which member is missing or odd.

use serde_json::{Map, Value};

use crate::ids::MAX_ID_BYTES;

/// Why an object could not be read, e.g. ``no text `message.id` ``.
pub(super) type Reason = String;

/// A JSON object and the name under which reasons speak of it. An optional member of an odd type counts as
/// absent, as does `null`.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    members: Option<&'a Map<String, Value>>,
    name: &'static str,
}

impl<'a> Fields<'a> {
    /// Reads `value`; one that is no object has no members.
    pub(super) fn of(value: &'a Value, name: &'static str) -> Self {
        Self { members: value.as_object(), name }
    }

    fn get(self, member: &str) -> Option<&'a Value> {
        self.members?.get(member).filter(|value| !value.is_null())
    }

    fn missing(self, kind: &str, member: &str) -> Reason {
        match self.name {
            "" => format!("no {kind} `{member}`"),
            name => format!("no {kind} `{name}.{member}`"),
        }
    }

    /// The member, which must be an object; its own name is used for reasons.
    pub(super) fn object(self, member: &'static str) -> Result<Fields<'a>, Reason> {
        self.maybe_object(member).ok_or_else(|| self.missing("object", member))
    }

    pub(super) fn maybe_object(self, member: &'static str) -> Option<Fields<'a>> {
        let members = self.get(member)?.as_object()?;
        Some(Fields { members: Some(members), name: member })
    }

    /// The elements of an array that are objects; none of them if the member is no array.
    pub(super) fn objects(self, member: &'static str) -> impl Iterator<Item = Fields<'a>> {
        let items = self.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter(|item| item.is_object()).map(move |item| Fields::of(item, member))
    }

    /// The elements of an array that are texts.
    pub(super) fn texts(self, member: &str) -> Vec<String> {
        let items = self.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// All members that are texts.
    pub(super) fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.members.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    pub(super) fn text(self, member: &str) -> Result<String, Reason> {
        self.maybe_text(member).ok_or_else(|| self.missing("text", member))
    }

    pub(super) fn maybe_text(self, member: &str) -> Option<String> {
        self.get(member)?.as_str().map(str::to_owned)
    }

    pub(super) fn id<Id: From<String>>(self, member: &str) -> Result<Id, Reason> {
        self.maybe_id(member).ok_or_else(|| self.missing("id", member))
    }

    /// An id: a text of 1 to [`MAX_ID_BYTES`] bytes. A whole number is taken too, since one old source calls
    /// message ids numbers (PLATFORM 28).
    pub(super) fn maybe_id<Id: From<String>>(self, member: &str) -> Option<Id> {
        let text = match self.get(member)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_u64()?.to_string(),
            _ => return None,
        };
        (!text.is_empty() && text.len() <= MAX_ID_BYTES).then(|| text.into())
    }

    pub(super) fn flag(self, member: &str) -> Option<bool> {
        self.get(member)?.as_bool()
    }

    pub(super) fn integer(self, member: &str) -> Result<i64, Reason> {
        self.maybe_integer(member).ok_or_else(|| self.missing("whole number", member))
    }

    pub(super) fn maybe_integer(self, member: &str) -> Option<i64> {
        self.get(member)?.as_i64()
    }

    pub(super) fn number(self, member: &str) -> Result<f64, Reason> {
        self.get(member).and_then(Value::as_f64).ok_or_else(|| self.missing("number", member))
    }
}
