//! The LIFF server API (PLATFORM 24.1), with the token of a Login channel. The texts of its refusals are UNCONFIRMED.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::Inner;
use crate::ids::Ids;
use crate::liff::{APPS, App, View};
use crate::line::entry::{JsonBody, LoginCaller};
use crate::line::error::LineError;
use crate::line::is_webhook_url;
use crate::login::BotPrompt;
use crate::world::World;

const SIZES: [&str; 3] = ["compact", "tall", "full"];
const SCOPES: [&str; 4] = ["openid", "email", "profile", "chat_message.write"];

type Answer = Result<Json<Value>, LineError>;

pub(super) async fn add(
    State(inner): State<Arc<Inner>>,
    caller: LoginCaller,
    JsonBody(body): JsonBody,
) -> Answer {
    let id = create(&inner.ids, &mut inner.world(), &caller.channel, &body)?;
    Ok(Json(json!({ "liffId": id })))
}

/// Makes an app of a Login channel from LINE's body and gives its ID.
pub(crate) fn create(ids: &Ids, world: &mut World, channel: &str, body: &Value) -> Result<String, LineError> {
    let mut app = App {
        id: liff_id(ids, channel),
        channel: channel.to_owned(),
        view: View { size: String::new(), url: String::new(), module_mode: None },
        description: None,
        qr_code: false,
        scopes: vec!["profile".into(), "chat_message.write".into()],
        bot_prompt: BotPrompt::None,
        share_target_picker: false,
    };
    read(world, &mut app, body)?;
    for (property, missing) in
        [("view.type", app.view.size.is_empty()), ("view.url", app.view.url.is_empty())]
    {
        if missing {
            return Err(LineError::property(property, "must be specified"));
        }
    }
    if world.liff.of(channel).count() >= APPS {
        return Err(LineError::bad_request("The maximum number of LIFF apps has been reached"));
    }
    let id = app.id.clone();
    world.liff.apps.push(app);
    Ok(id)
}

/// All apps of the channel; 404 when there is none.
pub(super) async fn list(State(inner): State<Arc<Inner>>, caller: LoginCaller) -> Answer {
    let world = inner.world();
    let apps: Vec<Value> = world.liff.of(&caller.channel).map(|app| Value::Object(app.to_map())).collect();
    if apps.is_empty() {
        return Err(LineError::not_found());
    }
    Ok(Json(json!({ "apps": apps })))
}

/// Changes what the body names; 200 with an empty body.
pub(super) async fn change(
    State(inner): State<Arc<Inner>>,
    caller: LoginCaller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, LineError> {
    let mut world = inner.world();
    let known = world.liff.find(&id).filter(|app| app.channel == caller.channel);
    let mut app = known.cloned().ok_or_else(LineError::not_found)?;
    read(&world, &mut app, &body)?;
    if let Some(known) = world.liff.own_mut(&caller.channel, &id) {
        *known = app;
    }
    Ok(StatusCode::OK)
}

pub(super) async fn remove(
    State(inner): State<Arc<Inner>>,
    caller: LoginCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, LineError> {
    if inner.world().liff.remove(&caller.channel, &id) {
        Ok(StatusCode::OK)
    } else {
        Err(LineError::not_found())
    }
}

/// Reads what a body says of an app into it.
fn read(world: &World, app: &mut App, body: &Value) -> Result<(), LineError> {
    if let Some(view) = given(body, "view") {
        if !view.is_object() {
            return Err(LineError::invalid_property("view"));
        }
        if let Some(size) = word(view, "type", "view.type", &SIZES)? {
            app.view.size = size;
        }
        if let Some(url) = given(view, "url") {
            app.view.url = endpoint(url)?;
        }
        if let Some(mode) = given(view, "moduleMode") {
            app.view.module_mode =
                Some(mode.as_bool().ok_or_else(|| LineError::invalid_property("view.moduleMode"))?);
        }
    }
    if let Some(text) = given(body, "description") {
        let text = text.as_str().ok_or_else(|| LineError::invalid_property("description"))?;
        // LINE's own name may not stand in an app's name.
        if text.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("line")) {
            return Err(LineError::property("description", "must not include LINE"));
        }
        app.description = Some(text.to_owned());
    }
    if let Some(features) = given(body, "features") {
        let switch = given(features, "qrCode")
            .map(|value| value.as_bool().ok_or_else(|| LineError::invalid_property("features.qrCode")));
        app.qr_code = switch.transpose()?.unwrap_or(app.qr_code);
    }
    word(body, "permanentLinkPattern", "permanentLinkPattern", &["concat"])?;
    if let Some(scopes) = given(body, "scope") {
        app.scopes = self::scopes(world, app, scopes)?;
    }
    if let Some(prompt) = word(body, "botPrompt", "botPrompt", &["normal", "aggressive", "none"])? {
        app.bot_prompt = BotPrompt::of(&prompt);
    }
    Ok(())
}

fn scopes(world: &World, app: &App, given: &Value) -> Result<Vec<String>, LineError> {
    let items = given.as_array().ok_or_else(|| LineError::invalid_property("scope"))?;
    let mut scopes: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let known = item.as_str().filter(|scope| SCOPES.contains(scope)).ok_or_else(|| {
            let all = SCOPES.join(", ");
            LineError::property(
                &format!("scope[{index}]"),
                &format!("Must be one of the following values: [{all}]"),
            )
        })?;
        if !scopes.iter().any(|scope| scope == known) {
            scopes.push(known.to_owned());
        }
    }
    let may_email = world.channels.get(&app.channel).is_some_and(|channel| channel.settings.email_permission);
    if scopes.iter().any(|scope| scope == "email") && !may_email {
        return Err(LineError::property("scope", "email is not permitted for this channel"));
    }
    Ok(scopes)
}

/// https without a fragment; plain http on loopback is the sandbox's own (CONTRACT 2).
fn endpoint(url: &Value) -> Result<String, LineError> {
    let invalid = || LineError::property("view.url", "invalid uri");
    let text = url.as_str().filter(|url| is_webhook_url(url)).ok_or_else(invalid)?;
    if Url::parse(text).ok().is_none_or(|url| url.fragment().is_some()) {
        return Err(invalid());
    }
    Ok(text.to_owned())
}

/// A value that is there and not null.
fn given<'b>(body: &'b Value, name: &str) -> Option<&'b Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn word(body: &Value, name: &str, property: &str, words: &[&str]) -> Result<Option<String>, LineError> {
    let Some(value) = given(body, name) else { return Ok(None) };
    match value.as_str().filter(|word| words.contains(word)) {
        Some(word) => Ok(Some(word.to_owned())),
        None => {
            let all = words.join(", ");
            Err(LineError::property(property, &format!("Must be one of the following values: [{all}]")))
        }
    }
}

fn liff_id(ids: &Ids, channel: &str) -> String {
    let letters: String = ids.token(4).chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("{channel}-{letters:0<8}")
}

/// The apps of a channel as the console shows them, with its switches.
pub(crate) fn list_for_console(world: &World, channel: &str) -> Vec<Value> {
    let shown = |app: &App| {
        let mut shown = app.to_map();
        shown.insert("shareTargetPicker".into(), app.share_target_picker.into());
        Value::Object(shown)
    };
    world.liff.of(channel).map(shown).collect()
}
