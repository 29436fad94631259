//! Showing audiences (PLATFORM 11). The sandbox has no Business Manager, so that an account is shared nothing but what is its own.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::create::created;
use super::{Answer, enter, own, refused};
use crate::Inner;
use crate::audiences::{Audience, Status};
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::line::query::Query;

/// Audiences on a page: usually, at most (PLATFORM 11).
const PAGE: (u64, u64) = (20, 40);
const STATUSES: [&str; 6] = ["IN_PROGRESS", "READY", "FAILED", "EXPIRED", "INACTIVE", "ACTIVATING"];
const ROUTES: [&str; 5] = ["OA_MANAGER", "MESSAGING_API", "POINT_AD", "AD_MANAGER", "BUSINESS_MANAGER"];

pub(super) async fn show(State(inner): State<Arc<Inner>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let now = inner.clock.now();
    let audience = own(&mut world, &caller, &id)?;
    Ok(Json(json!({ "audienceGroup": describe(audience), "jobs": jobs(audience, now) })))
}

pub(super) async fn show_shared(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let now = inner.clock.now();
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    let owner = json!({ "serviceType": "MESSAGING_API", "id": channel.basic_id, "name": channel.name });
    let audience = own(&mut world, &caller, &id)?;
    Ok(Json(json!({ "audienceGroup": describe(audience), "jobs": jobs(audience, now), "owner": owner })))
}

pub(super) async fn list(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    flag(&query, "includesExternalPublicGroups")?;
    pages(&inner, &caller, &query, true)
}

/// What other accounts share, which is nothing; own audiences when they are asked for.
pub(super) async fn list_shared(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let owned = flag(&query, "includesOwnedAudienceGroups")?;
    pages(&inner, &caller, &query, owned)
}

fn pages(inner: &Inner, caller: &Caller, query: &Query, owned: bool) -> Answer {
    let mut world = inner.world();
    enter(inner, &mut world, caller)?;
    let number = |name: &str, usual: Option<u64>| match query.get(name) {
        None => usual.ok_or_else(|| refused(&format!("{name}: must not be null"), "NOT_NULL")),
        Some(text) => {
            text.parse::<i64>().map_err(|_| LineError::invalid_parameter(name)).and_then(|number| {
                u64::try_from(number)
                    .ok()
                    .filter(|number| *number > 0)
                    .ok_or_else(|| refused(&format!("{name}: must be greater than or equal to 1"), "TOO_LOW"))
            })
        }
    };
    let page = number("page", None)?;
    let size = number("size", Some(PAGE.0))?;
    if size > PAGE.1 {
        return Err(refused(&format!("size: must be less than or equal to {}", PAGE.1), "TOO_HIGH"));
    }
    let word = |name: &str, words: &[&str]| match query.get(name) {
        Some(word) if !words.contains(&word) => Err(LineError::invalid_parameter(name)),
        word => Ok(word),
    };
    let status = word("status", &STATUSES)?;
    let route = word("createRoute", &ROUTES)?;
    let part = query.get("description").map(str::to_lowercase).unwrap_or_default();
    let found: Vec<&Audience> = world
        .audiences
        .of(&caller.channel)
        .filter(|_| owned && route.is_none_or(|route| route == "MESSAGING_API"))
        .filter(|audience| status.is_none_or(|status| json!(audience.status) == status))
        .filter(|audience| audience.description.to_lowercase().contains(&part))
        .collect();
    let before = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
    let size = usize::try_from(size).unwrap_or_default();
    let shown: Vec<Value> = found.iter().skip(before).take(size).map(|audience| describe(audience)).collect();
    Ok(Json(json!({
        "audienceGroups": shown,
        "hasNextPage": before.saturating_add(size) < found.len(),
        "totalCount": found.len(),
        "readWriteAudienceGroupTotalCount": found.len(),
        "page": page,
        "size": size,
    })))
}

/// A switch of the query, in any case: LINE's Python SDK writes `True`.
fn flag(query: &Query, name: &str) -> Result<bool, LineError> {
    match query.get(name).map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(LineError::invalid_parameter(name)),
    }
}

/// An audience as the reading calls show it.
fn describe(audience: &Audience) -> Value {
    let mut shown = created(audience);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("status".into(), json!(audience.status));
        shown.insert("audienceCount".into(), audience.shown_count().into());
        if audience.status == Status::Failed {
            shown.insert("failedType".into(), "AUDIENCE_GROUP_AUDIENCE_INSUFFICIENT".into());
        }
    }
    shown
}

fn jobs(audience: &Audience, now: i64) -> Vec<Value> {
    let shown = audience.jobs.iter().map(|job| {
        let mut fields = Map::new();
        fields.insert("audienceGroupJobId".into(), job.id.into());
        fields.insert("audienceGroupId".into(), audience.id.into());
        fields.insert("description".into(), job.description.clone().into());
        fields.insert("type".into(), "DIFF_ADD".into());
        fields.insert("jobStatus".into(), job.status(now).into());
        fields.insert("audienceCount".into(), job.count.into());
        fields.insert("created".into(), (job.created / 1_000).into());
        Value::Object(fields)
    });
    shown.collect()
}
