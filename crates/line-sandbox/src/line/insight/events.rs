//! What people did with the messages of a broadcast or narrowcast, or of an aggregation unit (PLATFORM 12).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::{Answer, blurred, missing};
use crate::Inner;
use crate::clock::{day, parse_day};
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::line::gate::is_unit;
use crate::line::query::Query;
use crate::sends::{Act, Campaign, Kind, Reaction, Tally};

/// A period is at most so many days long after its first (PLATFORM 12).
const PERIOD_DAYS: i64 = 30;

pub(super) async fn of_request(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let request_id =
        query.get("requestId").filter(|id| !id.is_empty()).ok_or_else(|| missing("requestId"))?;
    let mut world = inner.world();
    inner.settle_narrowcasts(&mut world);
    // What LINE answers to another call's ID is not published.
    let campaign = world
        .sends
        .by_request(&caller.channel, request_id)
        .filter(|campaign| matches!(campaign.kind, Kind::Broadcast | Kind::Narrowcast))
        .ok_or_else(LineError::not_found)?;
    let (mut overview, messages, clicks) = figures(&[campaign], |_| true, false);
    overview.insert("requestId".into(), request_id.into());
    overview.insert("timestamp".into(), (campaign.at / 1_000).into());
    if campaign.is_done() {
        overview.insert("delivered".into(), campaign.delivered().into());
    }
    Ok(Json(json!({ "overview": overview, "messages": messages, "clicks": clicks })))
}

pub(super) async fn of_unit(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let unit = query.get("customAggregationUnit").ok_or_else(|| missing("customAggregationUnit"))?;
    if !is_unit(unit) {
        return Err(LineError::invalid_parameter("customAggregationUnit"));
    }
    let date = |name: &str| {
        let date = query.get(name).ok_or_else(|| missing(name))?;
        parse_day(date).ok_or_else(|| LineError::invalid_parameter(name))
    };
    let (from, to) = (date("from")?, date("to")?);
    if to < from || to > from + PERIOD_DAYS {
        return Err(LineError::invalid_parameter("to"));
    }
    let world = inner.world();
    let campaigns: Vec<&Campaign> =
        world.sends.of(&caller.channel).filter(|campaign| campaign.unit.as_deref() == Some(unit)).collect();
    let within = |reaction: &Reaction| (from..=to).contains(&day(reaction.at));
    let (overview, messages, clicks) = figures(&campaigns, within, true);
    Ok(Json(json!({ "overview": overview, "messages": messages, "clicks": clicks })))
}

/// The figures of some campaigns together: overview, each message, each link.
fn figures(
    campaigns: &[&Campaign],
    within: impl Fn(&Reaction) -> bool,
    unique: bool,
) -> (Map<String, Value>, Vec<Value>, Vec<Value>) {
    let reactions: Vec<&Reaction> = campaigns
        .iter()
        .flat_map(|campaign| &campaign.reactions)
        .filter(|reaction| within(reaction))
        .collect();
    let tally = |wanted: &dyn Fn(&Reaction) -> bool| Tally::of(reactions.iter().copied(), wanted);
    let played = |percent: u8| move |act: &Act| matches!(act, Act::Played(so_far) if *so_far >= percent);
    let mut overview = Map::new();
    let mut put = |name: &str, count: u64| overview.insert(name.to_owned(), blurred(count));
    put("uniqueImpression", tally(&|reaction| reaction.act == Act::Seen).persons);
    put("uniqueClick", tally(&|reaction| matches!(reaction.act, Act::Clicked(_))).persons);
    put("uniqueMediaPlayed", tally(&|reaction| played(0)(&reaction.act)).persons);
    put("uniqueMediaPlayed100Percent", tally(&|reaction| played(100)(&reaction.act)).persons);
    let count = campaigns.iter().map(|campaign| campaign.messages.len()).max().unwrap_or(0);
    let messages = (1..=count).map(|seq| {
        let mut fields = Map::new();
        fields.insert("seq".into(), seq.into());
        let seen = tally(&|reaction| reaction.seq == seq && reaction.act == Act::Seen);
        fields.insert("impression".into(), blurred(seen.times));
        if unique {
            fields.insert("uniqueImpression".into(), blurred(seen.persons));
        }
        for (percent, ending) in
            [(0, ""), (25, "25Percent"), (50, "50Percent"), (75, "75Percent"), (100, "100Percent")]
        {
            let plays = tally(&|reaction| reaction.seq == seq && played(percent)(&reaction.act));
            fields.insert(format!("mediaPlayed{ending}"), blurred(plays.times));
            fields.insert(format!("uniqueMediaPlayed{ending}"), blurred(plays.persons));
        }
        Value::Object(fields)
    });
    let messages = messages.collect();
    let clicks = links(campaigns, &reactions).into_iter().map(|(seq, url)| {
        let on = |act: &Act| matches!(act, Act::Clicked(clicked) if *clicked == url);
        let here = tally(&|reaction| reaction.seq == seq && on(&reaction.act));
        json!({
            "seq": seq,
            "url": url,
            "click": blurred(here.times),
            "uniqueClick": blurred(here.persons),
            "uniqueClickOfRequest": blurred(tally(&|reaction| on(&reaction.act)).persons),
        })
    });
    (overview, messages, clicks.collect())
}

/// The links that messages carry, and those in texts that were followed, by message.
fn links(campaigns: &[&Campaign], reactions: &[&Reaction]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for campaign in campaigns {
        for (index, message) in campaign.messages.iter().enumerate() {
            collect(message, index + 1, &mut found);
        }
    }
    for reaction in reactions {
        if let Act::Clicked(url) = &reaction.act {
            found.push((reaction.seq, url.clone()));
        }
    }
    // The first of each, in order.
    let mut seen = std::collections::HashSet::new();
    found.retain(|link| seen.insert(link.clone()));
    found.sort_by_key(|(seq, _)| *seq);
    found
}

fn collect(value: &Value, seq: usize, found: &mut Vec<(usize, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, inside) in fields {
                match inside.as_str() {
                    Some(url) if matches!(name.as_str(), "uri" | "linkUri") => {
                        found.push((seq, url.to_owned()));
                    }
                    _ => collect(inside, seq, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, seq, found)),
        _ => {}
    }
}
