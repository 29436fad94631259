//! Reading control bodies field by field, so that every refusal names the field.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::Inner;
use crate::world::{Channel, Group, Kind, Person, World};

/// A refusal of a control call: status, the field at fault, and what is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    field: Option<String>,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, field: Option<&str>, message: impl Into<String>) -> Self {
        Self { status, field: field.map(str::to_owned), message: message.into() }
    }

    /// 422: the value of a field cannot be taken.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Some(field), message)
    }

    /// 404: what the path names does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, message)
    }

    /// 409: it cannot be done as things stand.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, None, message)
    }

    /// The same problem with its field named from the body's root.
    fn inside(mut self, parent: &str) -> Self {
        self.field = self.field.map(|field| format!("{parent}.{field}"));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "message": self.message });
        if let (Some(field), Some(object)) = (self.field, body.as_object_mut()) {
            object.insert("field".into(), field.into());
        }
        (self.status, Json(body)).into_response()
    }
}

/// A JSON object of a body, read field by field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl FromRequest<Arc<Inner>> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<Inner>) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::new(error.status(), None, error.body_text()))?;
        let bad = |message: String| Problem::new(StatusCode::BAD_REQUEST, None, message);
        if bytes.is_empty() {
            // Such as a press of the console's button for an access token: nothing has to be said.
            return Ok(Self::default());
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(bad("the body must be a JSON object".into())),
            Err(error) => Err(bad(format!("the body is not JSON: {error}"))),
        }
    }
}

impl Fields {
    /// The fields of an object; `None` when it is none.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        value.as_object().cloned().map(Self)
    }

    /// The value of a field; `None` when it is missing or null.
    pub(crate) fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// A text that must be there and not empty.
    pub(crate) fn text(&self, field: &str) -> Result<String, Problem> {
        match self.optional_text(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(Problem::field(field, "must not be empty")),
            None => Err(Problem::field(field, "is missing")),
        }
    }

    pub(crate) fn optional_text(&self, field: &str) -> Result<Option<String>, Problem> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Problem::field(field, "must be a string")),
        }
    }

    /// One of the given words, when the field is there.
    pub(crate) fn word(&self, field: &str, words: &[&str]) -> Result<Option<String>, Problem> {
        let text = self.optional_text(field)?;
        match text {
            Some(text) if !words.contains(&text.as_str()) => {
                Err(Problem::field(field, format!("must be one of: {}", words.join(", "))))
            }
            other => Ok(other),
        }
    }

    pub(crate) fn boolean(&self, field: &str) -> Result<Option<bool>, Problem> {
        match self.value(field) {
            None => Ok(None),
            Some(value) => {
                value.as_bool().map(Some).ok_or_else(|| Problem::field(field, "must be true or false"))
            }
        }
    }

    pub(crate) fn whole(&self, field: &str) -> Result<Option<u64>, Problem> {
        match self.value(field) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| Problem::field(field, "must be a whole number, zero or more")),
        }
    }

    pub(crate) fn number(&self, field: &str) -> Result<Option<f64>, Problem> {
        match self.value(field) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| Problem::field(field, "must be a number")),
        }
    }

    pub(crate) fn texts(&self, field: &str) -> Result<Vec<String>, Problem> {
        let wrong = || Problem::field(field, "must be an array of strings");
        match self.value(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    pub(crate) fn object(&self, field: &str) -> Result<Self, Problem> {
        match self.value(field) {
            Some(Value::Object(fields)) => Ok(Self(fields.clone())),
            Some(_) => Err(Problem::field(field, "must be an object")),
            None => Err(Problem::field(field, "is missing")),
        }
    }

    /// Reads a nested object; problems name their field from the body's root.
    pub(crate) fn nested<T>(
        &self,
        field: &str,
        read: impl FnOnce(&Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        read(&self.object(field)?).map_err(|problem| problem.inside(field))
    }

    /// Reads an array of objects; problems name their field from the body's root.
    pub(crate) fn objects<T>(
        &self,
        field: &str,
        read: impl Fn(&Self) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let wrong = || Problem::field(field, "must be an array of objects");
        let items = self.value(field).and_then(Value::as_array).ok_or_else(wrong)?;
        let each = |(index, item): (usize, &Value)| match item {
            Value::Object(fields) => {
                read(&Self(fields.clone())).map_err(|problem| problem.inside(&format!("{field}[{index}]")))
            }
            _ => Err(wrong()),
        };
        items.iter().enumerate().map(each).collect()
    }

    /// The messaging channel named by `channelId`.
    pub(crate) fn channel(&self, world: &World) -> Result<String, Problem> {
        messaging_channel(world, &self.text("channelId")?)
    }

    /// The group named by `group`, when there is one; its channel must be `channel` and `person` a member.
    pub(crate) fn group(&self, world: &World, channel: &str, person: u64) -> Result<Option<String>, Problem> {
        let Some(id) = self.optional_text("group")? else { return Ok(None) };
        let group = world
            .groups
            .get(&id)
            .ok_or_else(|| Problem::field("group", format!("there is no group {id}")))?;
        if group.channel != channel || !group.bot_inside {
            return Err(Problem::field("group", "the account is not in this group"));
        }
        if !group.members.contains(&person) {
            return Err(Problem::field("group", "the person is not in this group"));
        }
        Ok(Some(id))
    }
}

/// Checks that `id` names a Messaging API channel.
pub(crate) fn messaging_channel(world: &World, id: &str) -> Result<String, Problem> {
    match world.channels.get(id) {
        Some(channel) if channel.kind == Kind::Messaging => Ok(id.to_owned()),
        Some(_) => {
            Err(Problem::field("channelId", "is no messaging channel, so it has no account to chat with"))
        }
        None => Err(Problem::field("channelId", format!("there is no channel {id}"))),
    }
}

/// The person of a path's `{user}`.
pub(crate) fn person<'w>(world: &'w World, user: &str) -> Result<&'w Person, Problem> {
    world.person(user).ok_or_else(|| Problem::not_found(format!("there is no user {user}")))
}

/// The person of the path and the messaging channel of the body.
pub(crate) fn between(inner: &Inner, user: &str, body: &Fields) -> Result<(u64, String), Problem> {
    let world = inner.world();
    Ok((person(&world, user)?.number, body.channel(&world)?))
}

/// The channel of a path.
pub(crate) fn channel_mut<'w>(world: &'w mut World, id: &str) -> Result<&'w mut Channel, Problem> {
    world.channels.get_mut(id).ok_or_else(|| Problem::not_found(format!("there is no channel {id}")))
}

/// The group of a path.
pub(crate) fn group_mut<'w>(world: &'w mut World, id: &str) -> Result<&'w mut Group, Problem> {
    world.groups.get_mut(id).ok_or_else(|| Problem::not_found(format!("there is no group {id}")))
}

/// The query string as pairs.
#[derive(Debug, Clone)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl FromRequestParts<Arc<Inner>> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Inner>) -> Result<Self, Problem> {
        Query::from_request_parts(parts, state)
            .await
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, None, error.body_text()))
    }
}

impl Pairs {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A time in Unix milliseconds.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        self.get(name)
            .map(|text| text.parse().map_err(|_| Problem::field(name, "must be a time in Unix milliseconds")))
            .transpose()
    }
}

/// A list as every control list answers it.
pub(crate) fn items(items: Vec<Value>) -> Json<Value> {
    Json(Value::Object(Map::from_iter([("items".to_owned(), Value::Array(items))])))
}
