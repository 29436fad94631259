//! Aliases: stable names for menus, which `richmenuswitch` actions use (PLATFORM 10).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use line_api::ids::is_rich_menu_alias_id;
use line_api::limits;
use serde_json::{Value, json};

use super::Menus;
use crate::Inner;
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;

type Answer = Result<Json<Value>, LineError>;

/// Makes an alias, at most 1,000 for one account. LINE's text beyond that is not published.
pub(super) async fn create(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Answer {
    let alias = text(&body, "richMenuAliasId")?;
    if !is_rich_menu_alias_id(alias) {
        return Err(LineError::property("richMenuAliasId", "invalid property"));
    }
    let id = text(&body, "richMenuId")?;
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    if menus.aliases.contains_key(alias) {
        return Err(LineError::bad_request("conflict richmenu alias id").with_empty_details());
    }
    check_menu(menus, id)?;
    if menus.aliases.len() >= limits::RICH_MENUS {
        return Err(LineError::bad_request("The maximum number of rich menu aliases has been reached"));
    }
    menus.aliases.insert(alias.to_owned(), id.to_owned());
    Ok(Json(json!({})))
}

pub(super) async fn list(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let aliases = &world.rich_menus.settled(&caller.channel, now).aliases;
    let shown: Vec<Value> = aliases.iter().map(|(alias, id)| describe(alias, id)).collect();
    Ok(Json(json!({ "aliases": shown })))
}

pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(alias): Path<String>,
) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let aliases = &world.rich_menus.settled(&caller.channel, now).aliases;
    aliases.get(&alias).map(|id| Json(describe(&alias, id))).ok_or_else(not_found)
}

pub(super) async fn update(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(alias): Path<String>,
    JsonBody(body): JsonBody,
) -> Answer {
    let id = text(&body, "richMenuId")?;
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    if !menus.aliases.contains_key(&alias) {
        return Err(not_found());
    }
    check_menu(menus, id)?;
    menus.aliases.insert(alias, id.to_owned());
    Ok(Json(json!({})))
}

pub(super) async fn delete(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(alias): Path<String>,
) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    world.rich_menus.settled(&caller.channel, now).aliases.remove(&alias).ok_or_else(not_found)?;
    Ok(Json(json!({})))
}

/// A menu without image reads as no menu (PLATFORM 10).
fn check_menu(menus: &Menus, id: &str) -> Result<(), LineError> {
    match menus.get(id) {
        Some(menu) if menu.image.is_some() => Ok(()),
        _ => Err(LineError::bad_request("richmenu not found").with_empty_details()),
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, LineError> {
    match body.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        None | Some(Value::Null | Value::String(_)) => Err(LineError::property(name, "must be specified")),
        Some(_) => Err(LineError::invalid_property(name)),
    }
}

fn describe(alias: &str, id: &str) -> Value {
    json!({ "richMenuAliasId": alias, "richMenuId": id })
}

fn not_found() -> LineError {
    LineError::new(StatusCode::NOT_FOUND, "richmenu alias not found").with_empty_details()
}
