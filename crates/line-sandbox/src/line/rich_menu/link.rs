//! Who sees which menu: the default, single persons, and many at once (PLATFORM 10).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use line_api::ids::is_rich_menu_id;
use line_api::limits;
use serde_json::{Value, json};

use super::{Job, Menus, Work};
use crate::Inner;
use crate::ids::is_line_id;
use crate::line::entry::{Caller, JsonBody, RequestId};
use crate::line::error::LineError;
use crate::world::World;

type Answer = Result<Json<Value>, LineError>;
type Accepted = Result<(StatusCode, Json<Value>), LineError>;

/// How long a bulk call takes after its 202; at LINE "a few seconds".
const BULK_MS: i64 = 1_000;

pub(super) async fn set_default(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    check_menu(menus, &id, LineError::not_found)?;
    menus.default = Some(id);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(json!({})))
}

/// The default that the API set; OA Manager's belongs to "another channel".
pub(super) async fn show_default(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    match (&menus.default, &menus.manager_default) {
        (Some(id), _) => Ok(Json(json!({ "richMenuId": id }))),
        (None, Some(_)) => {
            let message = "the richmenu is owned by another channel";
            Err(LineError::new(StatusCode::FORBIDDEN, message).with_empty_details())
        }
        (None, None) => {
            Err(LineError::new(StatusCode::NOT_FOUND, "no default richmenu").with_empty_details())
        }
    }
}

pub(super) async fn clear_default(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let now = inner.clock.now();
    inner.world().rich_menus.settled(&caller.channel, now).default = None;
    inner.changed(Vec::new());
    Ok(Json(json!({})))
}

/// Links a friend. For strangers, people who block the account and IDs of nobody the answer is the same, but nothing is linked
/// (LINE's reference, "Conditions for linking rich menu").
pub(super) async fn link_user(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path((user_id, id)): Path<(String, String)>,
) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let friend = friend(&world, &caller.channel, &user_id)?;
    let menus = world.rich_menus.settled(&caller.channel, now);
    check_menu(menus, &id, LineError::not_found)?;
    if let Some(person) = friend {
        menus.link(person, &id);
        drop(world);
        inner.changed(vec![person]);
    }
    Ok(Json(json!({})))
}

pub(super) async fn show_of_user(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(user_id): Path<String>,
) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let person = friend(&world, &caller.channel, &user_id)?;
    let menus = world.rich_menus.settled(&caller.channel, now);
    match person.and_then(|person| menus.links.get(&person)) {
        Some(id) => Ok(Json(json!({ "richMenuId": id }))),
        None => Err(LineError::new(StatusCode::NOT_FOUND, "the user has no richmenu").with_empty_details()),
    }
}

pub(super) async fn unlink_user(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(user_id): Path<String>,
) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    if let Some(person) = friend(&world, &caller.channel, &user_id)? {
        world.rich_menus.settled(&caller.channel, now).forget(person);
        drop(world);
        inner.changed(vec![person]);
    }
    Ok(Json(json!({})))
}

pub(super) async fn bulk_link(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    JsonBody(body): JsonBody,
) -> Accepted {
    let id = body.get("richMenuId").and_then(Value::as_str).unwrap_or_default();
    if !is_rich_menu_id(id) {
        return Err(LineError::property("richMenuId", "invalid richMenuId"));
    }
    let missing = || LineError::new(StatusCode::NOT_FOUND, "richmenu not found").with_empty_details();
    let now = inner.clock.now();
    let mut world = inner.world();
    let people = people(&world, &caller.channel, &body)?;
    let menus = world.rich_menus.settled(&caller.channel, now);
    check_menu(menus, id, missing)?;
    menus.accept(request_id, now, Work::Link { menu: id.to_owned(), people });
    drop(world);
    inner.wake_phones_at(now + BULK_MS);
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

pub(super) async fn bulk_unlink(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    JsonBody(body): JsonBody,
) -> Accepted {
    let now = inner.clock.now();
    let mut world = inner.world();
    let people = people(&world, &caller.channel, &body)?;
    world.rich_menus.settled(&caller.channel, now).accept(request_id, now, Work::Unlink { people });
    drop(world);
    inner.wake_phones_at(now + BULK_MS);
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

impl Menus {
    fn accept(&mut self, request_id: String, now: i64, work: Work) {
        self.jobs.push(Job { request_id, accepted_at: now, due: now + BULK_MS, work, result: None });
    }
}

/// Only a menu with an image can be shown (GOTCHAS H2).
fn check_menu(menus: &Menus, id: &str, missing: impl Fn() -> LineError) -> Result<(), LineError> {
    if menus.get(id).ok_or_else(missing)?.image.is_none() {
        let message = "must upload richmenu image before applying it to user";
        return Err(LineError::bad_request(message).with_empty_details());
    }
    Ok(())
}

/// The friend behind a user ID; a malformed ID is refused.
fn friend(world: &World, channel: &str, user_id: &str) -> Result<Option<u64>, LineError> {
    if !is_line_id(user_id, 'U') {
        return Err(LineError::invalid_parameter("userId"));
    }
    let provider = &world.channels.get(channel).ok_or_else(LineError::forbidden)?.provider;
    let person = world.person_by_id(provider, user_id);
    Ok(person.filter(|person| world.bond(channel, *person).following))
}

/// The friends among the 1-500 people of a bulk call. One malformed ID refuses the whole.
fn people(world: &World, channel: &str, body: &Value) -> Result<BTreeSet<u64>, LineError> {
    let ids = match body.get("userIds") {
        Some(Value::Array(ids)) => ids.as_slice(),
        None | Some(Value::Null) => &[],
        Some(_) => return Err(LineError::invalid_property("userIds")),
    };
    if !(1..=limits::RICH_MENU_BULK).contains(&ids.len()) {
        let message = format!("Size must be between 1 and {}", limits::RICH_MENU_BULK);
        return Err(LineError::property("userIds", &message));
    }
    let mut people = BTreeSet::new();
    for (index, id) in ids.iter().enumerate() {
        let invalid = |_| LineError::invalid_property(&format!("userIds[{index}]"));
        people.extend(friend(world, channel, id.as_str().unwrap_or_default()).map_err(invalid)?);
    }
    Ok(people)
}
