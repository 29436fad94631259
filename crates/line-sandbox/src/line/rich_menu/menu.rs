//! Making, listing and deleting menus (PLATFORM 10).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use line_api::limits;
use serde_json::{Map, Value, json};

use super::Menu;
use crate::Inner;
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;

type Answer = Result<Json<Value>, LineError>;

/// The parts of a menu object; whatever else a body holds is ignored.
const PARTS: [&str; 5] = ["size", "selected", "name", "chatBarText", "areas"];

/// Makes a menu, at most 1,000 for one account. LINE's text beyond that is not published.
pub(super) async fn create(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Answer {
    line_api::validate::rich_menu(&body)?;
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    if menus.menus.iter().filter(|menu| !menu.by_manager).count() >= limits::RICH_MENUS {
        return Err(LineError::bad_request("The maximum number of rich menus has been reached"));
    }
    let menu = Menu::new(&inner.ids.hex32(), &body, now, false, None);
    let answer = json!({ "richMenuId": menu.id });
    menus.menus.push(menu);
    Ok(Json(answer))
}

pub(super) async fn validate(_caller: Caller, JsonBody(body): JsonBody) -> Answer {
    line_api::validate::rich_menu(&body)?;
    Ok(Json(json!({})))
}

/// The menus that the API made, oldest first.
pub(super) async fn list(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    let shown: Vec<Value> = menus.menus.iter().filter(|menu| !menu.by_manager).map(describe).collect();
    Ok(Json(json!({ "richmenus": shown })))
}

pub(super) async fn show(State(inner): State<Arc<Inner>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    menus.get(&id).map(describe).map(Json).ok_or_else(LineError::not_found)
}

/// Deletes a menu: links to it and the default go with it; aliases stay and lead nowhere (PLATFORM 10, timing not published).
pub(super) async fn delete(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    menus.get(&id).ok_or_else(LineError::not_found)?;
    menus.menus.retain(|menu| menu.id != id);
    menus.links.retain(|_, link| *link != id);
    menus.default.take_if(|default| *default == id);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(json!({})))
}

/// The object's own parts without nulls, as LINE gives it back.
pub(super) fn plain(object: &Value) -> Value {
    let parts = PARTS.iter().filter_map(|name| Some(((*name).to_owned(), without_nulls(object.get(name)?))));
    Value::Object(Map::from_iter(parts))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn describe(menu: &Menu) -> Value {
    let mut shown = json!({ "richMenuId": menu.id });
    if let (Some(shown), Some(parts)) = (shown.as_object_mut(), menu.object.as_object()) {
        shown.extend(parts.clone());
    }
    shown
}
