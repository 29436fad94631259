//! Making audiences, and adding user IDs in JSON (PLATFORM 11).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Accepted, enter, not_found, refused};
use crate::Inner;
use crate::audiences::{Audience, Job, Kind, LIFE_MS, PER_CHANNEL, Status};
use crate::clock::DAY_MS;
use crate::ids::{is_line_id, is_uuid};
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;
use crate::sends::Kind as Sent;
use crate::world::World;

/// IDs in one JSON body (PLATFORM 11).
const IDS_IN_JSON: usize = 10_000;
/// Units of an audience's name, and of an upload's description (PLATFORM 11).
const NAME_UNITS: usize = 120;
const UPLOAD_UNITS: usize = 300;
/// Unfinished uploads of one audience (PLATFORM 11).
const OPEN_JOBS: usize = 10;
/// How long a send can be made an audience of (PLATFORM 11).
const MESSAGE_AGE_MS: i64 = 60 * DAY_MS;

pub(super) async fn create_upload(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Accepted {
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let name = name(&world, &caller, text(&body, "description")?)?;
    let is_ifa = flag(&body, "isIfaAudience")?;
    let ids = ids_in_json(&body)?;
    let description = upload_description(text(&body, "uploadDescription")?)?;
    let audience = upload(&inner, &mut world, &caller, &name, is_ifa, &ids, description)?;
    Ok((StatusCode::ACCEPTED, Json(created(&audience))))
}

pub(super) async fn add_upload(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Accepted {
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let id = body.get("audienceGroupId").and_then(Value::as_u64);
    let id = id.ok_or_else(|| LineError::invalid_property("audienceGroupId"))?;
    let ids = ids_in_json(&body)?;
    let description = upload_description(text(&body, "uploadDescription")?)?;
    add(&inner, &mut world, &caller, id, &ids, description)?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

pub(super) async fn create_click(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Accepted {
    let url = text(&body, "clickUrl")?;
    if url.is_some_and(|url| {
        url.encode_utf16().count() > line_api::limits::URL || url::Url::parse(url).is_err()
    }) {
        return Err(LineError::property("clickUrl", "invalid uri"));
    }
    by_reaction(&inner, &caller, &body, Kind::Click, url)
}

pub(super) async fn create_imp(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Accepted {
    by_reaction(&inner, &caller, &body, Kind::Imp, None)
}

/// An audience of those who reacted to a broadcast or narrowcast of the last 60 days.
fn by_reaction(inner: &Inner, caller: &Caller, body: &Value, kind: Kind, url: Option<&str>) -> Accepted {
    let mut world = inner.world();
    enter(inner, &mut world, caller)?;
    let name = name(&world, caller, text(body, "description")?)?;
    let request_id = text(body, "requestId")?.unwrap_or_default();
    let now = inner.clock.now();
    let sent = world
        .sends
        .by_request(&caller.channel, request_id)
        .filter(|campaign| matches!(campaign.kind, Sent::Broadcast | Sent::Narrowcast))
        .ok_or_else(|| refused("request not found", "REQUEST_NOT_FOUND"))?;
    if now > sent.at + MESSAGE_AGE_MS {
        return Err(refused("too old messages", "TOO_OLD_MESSAGES"));
    }
    let same = |audience: &Audience| {
        audience.kind == kind
            && audience.request_id.as_deref() == Some(request_id)
            && audience.click_url.as_deref() == url
    };
    if world.audiences.of(&caller.channel).any(same) {
        return Err(refused("request id is duplicated", "AUDIENCE_GROUP_REQUESTID_DUPLICATE"));
    }
    let mut audience = new(inner, &world, caller, kind, name);
    audience.request_id = Some(request_id.to_owned());
    audience.click_url = url.map(str::to_owned);
    let answer = created(&audience);
    world.audiences.add(audience);
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Makes an audience of uploaded IDs. With no ID at all it stays in progress.
pub(super) fn upload(
    inner: &Inner,
    world: &mut World,
    caller: &Caller,
    name: &str,
    is_ifa: bool,
    ids: &[&str],
    description: String,
) -> Result<Audience, LineError> {
    let mut audience = new(inner, world, caller, Kind::Upload, name.to_owned());
    audience.is_ifa = is_ifa;
    if !ids.is_empty() {
        let job = job(inner, world, caller, is_ifa, ids, description)?;
        audience.upload(job);
    }
    world.audiences.add(audience.clone());
    Ok(audience)
}

/// Adds IDs to an audience of uploaded IDs; nothing ever takes one out.
pub(super) fn add(
    inner: &Inner,
    world: &mut World,
    caller: &Caller,
    id: u64,
    ids: &[&str],
    description: String,
) -> Result<(), LineError> {
    let known = world.audiences.own(&caller.channel, id).ok_or_else(not_found)?;
    let is_ifa = known.is_ifa;
    if !known.is_uploaded() {
        return Err(not_found());
    }
    if known.status == Status::Expired {
        return Err(refused("the audience is expired", "AUDIENCE_GROUP_CAN_NOT_UPLOAD_STATUS_EXPIRED"));
    }
    if known.open_jobs() >= OPEN_JOBS {
        return Err(LineError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "The number of concurrent operations has been exceeded. Try again later.",
        ));
    }
    let job = job(inner, world, caller, is_ifa, ids, description)?;
    if let Some(audience) = world.audiences.own(&caller.channel, id) {
        audience.upload(job);
    }
    Ok(())
}

/// Reads the IDs: one of a wrong form refuses the call, one that is nobody's of this provider is left out, and at least one must be
/// somebody's.
fn job(
    inner: &Inner,
    world: &World,
    caller: &Caller,
    is_ifa: bool,
    ids: &[&str],
    description: String,
) -> Result<Job, LineError> {
    let well_formed = |id: &str| if is_ifa { is_uuid(id) } else { is_line_id(id, 'U') };
    if !ids.iter().all(|id| well_formed(id)) {
        return Err(LineError::details(
            "Invalid audience id format",
            &json!([{ "message": "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT", "property": "audiences" }]),
        ));
    }
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    let members: BTreeSet<u64> =
        ids.iter().filter_map(|id| world.person_by_id(&channel.provider, id)).collect();
    let ifas: BTreeSet<String> = ids.iter().filter(|_| is_ifa).map(|id| id.to_ascii_lowercase()).collect();
    let count = members.len() + ifas.len();
    if count == 0 {
        return Err(refused("no valid audience ids", "UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS"));
    }
    let now = inner.clock.now();
    let done_at = now + channel.settings.processing_ms;
    // Eight digits are enough to tell one job from another.
    let id = inner.ids.next() % 90_000_000 + 10_000_000;
    Ok(Job { id, description, created: now, done_at, members, ifas, count, finished: false })
}

fn new(inner: &Inner, world: &World, caller: &Caller, kind: Kind, description: String) -> Audience {
    let now = inner.clock.now();
    let channel = world.channels.get(&caller.channel);
    Audience {
        id: world.audiences.next_id(now),
        channel: caller.channel.clone(),
        kind,
        description,
        is_ifa: false,
        created: now,
        status: Status::InProgress,
        ready_at: now + channel.map_or(0, |channel| channel.settings.processing_ms),
        members: BTreeSet::new(),
        ifas: BTreeSet::new(),
        request_id: None,
        click_url: None,
        jobs: Vec::new(),
    }
}

/// The answer to a creation; times are in seconds.
pub(super) fn created(audience: &Audience) -> Value {
    let mut answer = json!({
        "audienceGroupId": audience.id,
        "createRoute": "MESSAGING_API",
        "type": audience.kind,
        "description": audience.description,
        "created": audience.created / 1_000,
        "permission": "READ_WRITE",
        "expireTimestamp": (audience.created + LIFE_MS) / 1_000,
        "isIfaAudience": audience.is_ifa,
    });
    if let Some(answer) = answer.as_object_mut() {
        for (name, value) in [("requestId", &audience.request_id), ("clickUrl", &audience.click_url)] {
            if let Some(value) = value {
                answer.insert(name.into(), value.clone().into());
            }
        }
    }
    answer
}

/// Checks a new audience's name and that there is room for it. Names are unique without regard to case; which code a second one of the
/// same name gets is not published.
pub(super) fn name(world: &World, caller: &Caller, name: Option<&str>) -> Result<String, LineError> {
    if world.audiences.of(&caller.channel).count() >= PER_CHANNEL {
        return Err(refused("too many audience groups", "AUDIENCE_GROUP_COUNT_MAX_OVER"));
    }
    checked_name(world, caller, name, None)
}

/// The name of a new audience, or of the one with the ID `own`.
pub(super) fn checked_name(
    world: &World,
    caller: &Caller,
    name: Option<&str>,
    own: Option<u64>,
) -> Result<String, LineError> {
    let name = name.unwrap_or_default();
    if name.is_empty() {
        return Err(refused("audienceGroupName is empty", "AUDIENCE_GROUP_NAME_EMPTY"));
    }
    if name.encode_utf16().count() > NAME_UNITS {
        return Err(refused("size over audienceGroupName", "AUDIENCE_GROUP_NAME_SIZE_OVER"));
    }
    let same = |audience: &Audience| {
        audience.description.to_lowercase() == name.to_lowercase() && Some(audience.id) != own
    };
    if name.chars().any(char::is_control) || world.audiences.of(&caller.channel).any(same) {
        return Err(refused("wrong audienceGroupName", "AUDIENCE_GROUP_NAME_WRONG"));
    }
    Ok(name.to_owned())
}

pub(super) fn upload_description(description: Option<&str>) -> Result<String, LineError> {
    let description = description.unwrap_or_default();
    if description.encode_utf16().count() > UPLOAD_UNITS {
        return Err(refused("size over uploadDescription", "AUDIENCE_GROUP_UPLOAD_DESCRIPTION_SIZE_OVER"));
    }
    Ok(description.to_owned())
}

fn ids_in_json(body: &Value) -> Result<Vec<&str>, LineError> {
    let items = match body.get("audiences") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(LineError::invalid_property("audiences")),
    };
    if items.len() > IDS_IN_JSON {
        return Err(refused("too many audience ids", "UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS"));
    }
    let wrong = |index: usize| LineError::invalid_property(&format!("audiences[{index}].id"));
    items
        .iter()
        .enumerate()
        .map(|(index, item)| item.get("id").and_then(Value::as_str).ok_or_else(|| wrong(index)))
        .collect()
}

/// A text of the body, when there is one.
pub(super) fn text<'b>(body: &'b Value, name: &str) -> Result<Option<&'b str>, LineError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| LineError::invalid_property(name)),
    }
}

fn flag(body: &Value, name: &str) -> Result<bool, LineError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| LineError::invalid_property(name)),
    }
}
