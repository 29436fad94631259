//! Replacing and removing the links of all people at once, with progress (PLATFORM 10).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use line_api::ids::is_rich_menu_id;
use line_api::limits;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Job, Menus, Work};
use crate::Inner;
use crate::clock::iso_8601;
use crate::line::entry::{Caller, JsonBody, RequestId};
use crate::line::error::LineError;
use crate::line::query::Query;

/// How long a batch runs. LINE says nothing about it.
const RUNS_MS: i64 = 3_000;
/// Progress and resume keys are kept for 14 days (PLATFORM 10).
pub(super) const KEPT_MS: i64 = 14 * 24 * 3_600_000;

/// What a batch does with the links to a menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operation {
    Link { from: String, to: String },
    Unlink { from: String },
    UnlinkAll,
}

impl Operation {
    /// Tells whether the operation moves a person who is linked to the menu `id`.
    pub(super) fn concerns(&self, id: &str) -> bool {
        match self {
            Self::Link { from, .. } | Self::Unlink { from } => from == id,
            Self::UnlinkAll => true,
        }
    }

    /// The menu that such a person is linked to then.
    pub(super) fn target(&self) -> Option<&str> {
        match self {
            Self::Link { to, .. } => Some(to),
            Self::Unlink { .. } | Self::UnlinkAll => None,
        }
    }
}

/// Accepts a batch. A resume key used within 14 days continues that batch: what it has already done is not done again.
pub(super) async fn start(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), LineError> {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    let mut operations = read(menus, &body)?;
    let resume_key = resume_key(&body)?;
    let done_before = resume_key.as_ref().is_some_and(|wanted| {
        menus.jobs.iter().any(|job| {
            job.result == Some(true)
                && job.accepted_at + KEPT_MS > now
                && matches!(&job.work, Work::Batch { resume_key: Some(key), .. } if key == wanted)
        })
    });
    if done_before {
        operations.clear();
    }
    let work = Work::Batch { operations, resume_key };
    menus.jobs.push(Job { request_id, accepted_at: now, due: now + RUNS_MS, work, result: None });
    drop(world);
    inner.wake_phones_at(now + RUNS_MS);
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

pub(super) async fn validate(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, LineError> {
    let now = inner.clock.now();
    let mut world = inner.world();
    read(world.rich_menus.settled(&caller.channel, now), &body)?;
    resume_key(&body)?;
    Ok(Json(json!({})))
}

/// How far a batch is, by the request ID of the call that started it. It fails when a target was deleted meanwhile.
pub(super) async fn progress(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, LineError> {
    let wanted = query.get("requestId").filter(|id| !id.is_empty());
    let wanted = wanted.ok_or_else(|| LineError::invalid_parameter("requestId"))?;
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    let job = menus.jobs.iter().find(|job| {
        job.request_id == wanted && matches!(job.work, Work::Batch { .. }) && job.accepted_at + KEPT_MS > now
    });
    let job = job.ok_or_else(LineError::not_found)?;
    let accepted = iso_8601(job.accepted_at);
    Ok(Json(match job.result {
        None => json!({ "phase": "ongoing", "acceptedTime": accepted }),
        Some(success) => json!({
            "phase": if success { "succeeded" } else { "failed" },
            "acceptedTime": accepted,
            "completedTime": iso_8601(job.due),
        }),
    }))
}

/// Reads the operations and checks them against the account's menus.
fn read(menus: &Menus, body: &Value) -> Result<Vec<Operation>, LineError> {
    let items = match body.get("operations") {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => return Err(LineError::property("operations", "must be specified")),
        Some(_) => return Err(LineError::invalid_property("operations")),
    };
    if !(1..=limits::RICH_MENU_BATCH).contains(&items.len()) {
        let message = format!("Size must be between 1 and {}", limits::RICH_MENU_BATCH);
        return Err(LineError::property("operations", &message));
    }
    let operations: Vec<Operation> =
        items.iter().enumerate().map(|(index, item)| operation(item, index)).collect::<Result<_, _>>()?;
    if operations.len() > 1 && operations.contains(&Operation::UnlinkAll) {
        let message = "'unlinkAll' type can't be combined with other type";
        return Err(LineError::property("operations[].type", message));
    }
    let mut seen = BTreeSet::new();
    for (index, operation) in operations.iter().enumerate() {
        let (Operation::Link { from, .. } | Operation::Unlink { from }) = operation else { continue };
        if !seen.insert(from) {
            let message = format!("from richmenu ({from}) is duplicated");
            return Err(LineError::property("operations[].from", &message));
        }
        for (name, id) in [("from", Some(from.as_str())), ("to", operation.target())] {
            let Some(id) = id else { continue };
            let property = format!("operations[{index}].{name}");
            if !is_rich_menu_id(id) {
                return Err(LineError::property(&property, "invalid richMenuId"));
            }
            let Some(menu) = menus.get(id) else {
                let message = format!("Richmenu ({id}) is not found");
                return Err(LineError::property(&property, &message).with_status(StatusCode::NOT_FOUND));
            };
            if name == "to" && menu.image.is_none() {
                let message = format!("'to' richmenu ({id}) must have image but it doesn't");
                return Err(LineError::property(&property, &message));
            }
        }
    }
    Ok(operations)
}

fn operation(item: &Value, index: usize) -> Result<Operation, LineError> {
    let text = |name: &str| {
        let property = format!("operations[{index}].{name}");
        match item.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            None | Some(Value::Null | Value::String(_)) => {
                Err(LineError::property(&property, "must be specified"))
            }
            Some(_) => Err(LineError::invalid_property(&property)),
        }
    };
    match text("type")?.as_str() {
        "link" => Ok(Operation::Link { from: text("from")?, to: text("to")? }),
        "unlink" => Ok(Operation::Unlink { from: text("from")? }),
        "unlinkAll" => Ok(Operation::UnlinkAll),
        _ => {
            let message = "Must be one of the following values: [link, unlink, unlinkAll]";
            Err(LineError::property(&format!("operations[{index}].type"), message))
        }
    }
}

/// 1-100 of `0-9a-zA-Z-_` (PLATFORM 10).
fn resume_key(body: &Value) -> Result<Option<String>, LineError> {
    let sound = |key: &str| {
        (1..=100).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    match body.get("resumeRequestKey") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) if sound(key) => Ok(Some(key.clone())),
        Some(_) => Err(LineError::property("resumeRequestKey", "invalid property")),
    }
}
