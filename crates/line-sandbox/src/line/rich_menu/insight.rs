//! What people did with a menu, counted from their views and taps (PLATFORM 12, rich menus).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jiff::Span;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::Days;
use crate::Inner;
use crate::clock::{day, parse_day};
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::line::query::Query;

type Answer = Result<Json<Value>, LineError>;

/// With fewer people who tapped in the whole period, only the menu's ID is told (PLATFORM 12).
const PRIVACY_FLOOR: usize = 20;
/// The longest periods, in days from the first day to the last (PLATFORM 12).
const SUMMARY_DAYS: i64 = 396;
const DAILY_DAYS: i64 = 99;

/// Totals of a period.
pub(super) async fn summary(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    show(&inner, &caller, &id, &query, SUMMARY_DAYS, |days, _| {
        let (count, people) = total(days.values());
        json!({ "count": count, "uniqueUsers": people.len() })
    })
}

/// The same, day by day.
pub(super) async fn daily(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    show(&inner, &caller, &id, &query, DAILY_DAYS, |days, period| {
        let metrics = |day: i64| {
            let (count, people) = total(days.get(&day).into_iter());
            json!({ "date": written(day), "count": count, "uniqueUsers": people.len() })
        };
        period.map(metrics).collect()
    })
}

/// The statistics of a menu over a period, whose metrics `measure` writes. Days count once they are over, as LINE's
/// aggregation is ready on the next day.
fn show(
    inner: &Inner,
    caller: &Caller,
    id: &str,
    query: &Query,
    longest: i64,
    measure: impl Fn(&Days, RangeInclusive<i64>) -> Value,
) -> Answer {
    let now = inner.clock.now();
    let (from, to) = period(query, now, longest)?;
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    let menu = menus.get(id).ok_or_else(LineError::not_found)?;
    let (first, last) = (from.max(day(menu.created_at)), to.min(day(now) - 1));
    let within = |days: &Days| -> Days {
        let inside = days.iter().filter(|(day, _)| (first..=last).contains(*day));
        inside.map(|(day, people)| (*day, people.clone())).collect()
    };
    let taps: Vec<Days> = menu.taps.iter().map(within).collect();
    if total(taps.iter().flat_map(Days::values)).1.len() < PRIVACY_FLOOR {
        return Ok(Json(json!({ "richMenuId": id })));
    }
    let areas = menu.object.get("areas").and_then(Value::as_array).into_iter().flatten();
    let clicks: Vec<Value> = areas
        .zip(&taps)
        .map(|(area, days)| json!({ "bounds": area.get("bounds"), "metrics": measure(days, first..=last) }))
        .collect();
    Ok(Json(json!({
        "richMenuId": id,
        "metricsFrom": written(first),
        "metricsTo": written(last),
        "impression": { "metrics": measure(&within(&menu.views), first..=last) },
        "clicks": clicks,
    })))
}

/// How often, and by whom.
fn total<'a>(days: impl Iterator<Item = &'a BTreeMap<u64, u64>>) -> (u64, BTreeSet<u64>) {
    days.fold((0, BTreeSet::new()), |(count, mut people), of_day| {
        people.extend(of_day.keys().copied());
        (count + of_day.values().sum::<u64>(), people)
    })
}

/// `from` and `to` of a query, in LINE's order of refusals.
fn period(query: &Query, now: i64, longest: i64) -> Result<(i64, i64), LineError> {
    let bad = || LineError::bad_request("Bad Request");
    let read = |name| query.get(name).and_then(parse_day).ok_or_else(bad);
    let (from, to) = (read("from")?, read("to")?);
    if to < from {
        return Err(LineError::bad_request(
            "Parameter to must be the same date as, or after parameter from.",
        ));
    }
    if to - from > longest {
        let message = format!("Date range exceeds. Max range is {longest} days.");
        return Err(LineError::bad_request(&message));
    }
    let earliest = date(day(now)).saturating_sub(Span::new().years(3));
    if date(from) < earliest {
        let message = format!("Parameter from must be the same date as, or after {earliest}.");
        return Err(LineError::bad_request(&message));
    }
    Ok((from, to))
}

/// A day as LINE writes it: `yyyyMMdd`.
fn written(day: i64) -> String {
    date(day).strftime("%Y%m%d").to_string()
}

fn date(day: i64) -> Date {
    Date::constant(1970, 1, 1).saturating_add(Span::new().days(day.clamp(-700_000, 2_900_000)))
}
