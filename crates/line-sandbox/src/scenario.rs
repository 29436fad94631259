//! Sets a sandbox up from a scenario: one JSON object whose parts are bodies of `/sandbox/v1`, called in order. A refusal is the
//! control's own, with the place in the scenario before it.
//!
//! ```json
//! {
//!   "seed": 7,
//!   "providers": [{ "name": "Tea", "channels": [
//!     { "type": "messaging", "name": "Tea House", "basicId": "@teahouse", "useWebhook": true,
//!       "webhookEndpoint": "http://127.0.0.1:3000/", "accessToken": true }] }],
//!   "people": [{ "displayName": "Lin", "language": "zh-Hant", "follows": ["Tea House"] }],
//!   "groups": [{ "name": "Office", "channel": "Tea House", "members": ["Lin"] }],
//!   "faults": [{ "on": "webhook", "kind": "duplicate", "rate": 0.1 }]
//! }
//! ```

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::Sandbox;

/// What the scenario set up, for those who start a bot against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The channels in the scenario's order.
    pub channels: Vec<MadeChannel>,
    /// The people, as `/sandbox/v1` and the pages name them (`u1`), with their display names.
    pub people: Vec<(String, String)>,
}

/// A channel with what a client needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeChannel {
    /// Its name.
    pub name: String,
    /// The channel ID.
    pub id: String,
    /// The channel secret.
    pub secret: String,
    /// The long-lived token, where the scenario asked for one.
    pub access_token: Option<String>,
}

/// The fields of a channel that making it takes; the others are settings.
const AT_BIRTH: [&str; 7] =
    ["type", "name", "basicId", "country", "pictureUrl", "channelId", "channelSecret"];

impl Sandbox {
    /// Plays a scenario. It adds to what is there; names refer to the scenario's own parts. `seed` is not read here: it belongs
    /// into [`Config`](crate::Config), see [`seed_of`].
    ///
    /// # Errors
    /// The first part that the controls refuse, with its place. What came before it stays.
    pub async fn play(&self, scenario: &Value) -> Result<Made, String> {
        let play = Play { router: self.router() };
        let known = ["seed", "providers", "people", "groups", "faults"];
        let parts = scenario.as_object().ok_or("a scenario is a JSON object")?;
        if let Some(other) = parts.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("{other}: is not a part of a scenario; parts are: {}", known.join(", ")));
        }
        let mut channels: Vec<MadeChannel> = Vec::new();
        for (place, provider) in list(scenario, "providers")? {
            let made = play.post(&place, "/providers", &without(provider, &["channels"])).await?;
            for (at, channel) in list(provider, "channels")? {
                let place = format!("{place}.{at}");
                channels.push(play.channel(&place, channel, &text(&made, "providerId")).await?);
            }
        }
        let mut people: Vec<(String, String)> = Vec::new();
        for (place, person) in list(scenario, "people")? {
            let made = play.post(&place, "/users", &without(person, &["follows"])).await?;
            let user = text(&made, "user");
            for (at, account) in list(person, "follows")? {
                let id = channel(&channels, account).map_err(|why| format!("{place}.{at}: {why}"))?;
                let path = format!("/users/{user}/follow");
                play.post(&format!("{place}.{at}"), &path, &json!({ "channelId": id })).await?;
            }
            people.push((user, text(person, "displayName")));
        }
        for (place, group) in list(scenario, "groups")? {
            let named = |why| format!("{place}: {why}");
            let id = channel(&channels, group.get("channel").unwrap_or(&Value::Null)).map_err(named)?;
            let mut body = without(group, &["channel", "members"]);
            let mut members = Vec::new();
            for (at, name) in list(group, "members")? {
                let person = people.iter().find(|(_, known)| Some(known.as_str()) == name.as_str());
                let (user, _) =
                    person.ok_or_else(|| format!("{place}.{at}: {name} is nobody of the scenario"))?;
                members.push(user.clone());
            }
            body.insert("channelId".into(), id.into());
            body.insert("members".into(), members.into());
            play.post(&place, "/groups", &body).await?;
        }
        for (place, fault) in list(scenario, "faults")? {
            play.post(&place, "/faults", &fault).await?;
        }
        Ok(Made { channels, people })
    }
}

/// The number that decides every generated id, as a scenario gives it; 0 where it gives none.
///
/// # Errors
/// It is not a whole number.
pub fn seed_of(scenario: &Value) -> Result<u64, String> {
    match scenario.get("seed") {
        None => Ok(0),
        Some(seed) => seed.as_u64().ok_or_else(|| "seed: must be a whole number, zero or more".into()),
    }
}

struct Play {
    router: Router,
}

impl Play {
    async fn channel(&self, place: &str, channel: &Value, provider: &str) -> Result<MadeChannel, String> {
        let mut birth = Map::new();
        let mut settings = without(channel, &["accessToken", "publicKeys", "liffApps"]);
        for name in AT_BIRTH {
            if let Some(value) = settings.remove(name) {
                birth.insert(name.to_owned(), value);
            }
        }
        birth.insert("providerId".into(), provider.into());
        let made = self.post(place, "/channels", &birth).await?;
        let (name, id) = (text(channel, "name"), text(&made, "channelId"));
        if !settings.is_empty() {
            self.call(place, Method::PATCH, &format!("/channels/{id}"), &settings).await?;
        }
        for (part, path) in [("publicKeys", "public-keys"), ("liffApps", "liff-apps")] {
            for (at, body) in list(channel, part)? {
                self.post(&format!("{place}.{at}"), &format!("/channels/{id}/{path}"), body).await?;
            }
        }
        let access_token = match channel.get("accessToken").and_then(Value::as_bool) {
            Some(true) => {
                let path = format!("/channels/{id}/access-token");
                Some(text(&self.post(place, &path, &json!({})).await?, "accessToken"))
            }
            _ => None,
        };
        Ok(MadeChannel { name, id, secret: text(&made, "channelSecret"), access_token })
    }

    async fn post(&self, place: &str, path: &str, body: &impl serde::Serialize) -> Result<Value, String> {
        self.call(place, Method::POST, path, body).await
    }

    async fn call(
        &self,
        place: &str,
        method: Method,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<Value, String> {
        let bytes = serde_json::to_vec(body).map_err(|error| format!("{place}: {error}"))?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/sandbox/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(bytes))
            .map_err(|error| format!("{place}: {error}"))?;
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let field = answer.get("field").and_then(Value::as_str).map(|field| format!(".{field}"));
        Err(format!("{place}{}: {}", field.unwrap_or_default(), text(&answer, "message")))
    }
}

/// The items of a part with their places, such as `people[2]`.
fn list<'v>(value: &'v Value, part: &str) -> Result<Vec<(String, &'v Value)>, String> {
    match value.get(part) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            Ok(items.iter().enumerate().map(|(n, item)| (format!("{part}[{n}]"), item)).collect())
        }
        Some(_) => Err(format!("{part}: must be an array")),
    }
}

/// The channel that the scenario calls by its name.
fn channel(channels: &[MadeChannel], name: &Value) -> Result<String, String> {
    let found = channels.iter().find(|channel| Some(channel.name.as_str()) == name.as_str());
    found.map(|channel| channel.id.clone()).ok_or_else(|| format!("{name} is no channel of the scenario"))
}

fn without(value: &Value, names: &[&str]) -> Map<String, Value> {
    let fields = value.as_object().cloned().unwrap_or_default();
    fields.into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
