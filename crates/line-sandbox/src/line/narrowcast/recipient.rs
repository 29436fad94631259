//! `recipient`: audiences and earlier narrowcasts, joined by operators (PLATFORM 7.1).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::line::error::LineError;
use crate::line::narrowcast::REMEMBERED_MS;
use crate::sends::{Kind, Phase};
use crate::world::World;

/// A set of persons.
#[derive(Debug)]
pub(super) enum Recipient {
    /// The members of an audience, by its ID.
    Audience(u64),
    /// Who got an earlier narrowcast, by its request ID.
    Redelivery(String),
    And(Vec<Recipient>),
    Or(Vec<Recipient>),
    Not(Box<Recipient>),
}

/// An operator: exactly one of `and`, `or`, `not`, no empty list (PLATFORM 7.1). `read` reads what stands inside.
pub(super) fn operator<T>(
    value: &Value,
    at: &str,
    mut read: impl FnMut(&Value, &str) -> Result<T, LineError>,
) -> Result<(&'static str, Vec<T>), LineError> {
    let given: Vec<_> = ["and", "or", "not"]
        .into_iter()
        .filter_map(|name| Some((name, value.get(name).filter(|value| !value.is_null())?)))
        .collect();
    let [(name, inside)] = given.as_slice() else { return Err(LineError::invalid_property(at)) };
    let at = format!("{at}.{name}");
    let items = match inside {
        Value::Array(items) if *name != "not" && !items.is_empty() => items
            .iter()
            .enumerate()
            .map(|(index, item)| read(item, &format!("{at}[{index}]")))
            .collect::<Result<_, _>>()?,
        Value::Object(_) if *name == "not" => vec![read(inside, &at)?],
        _ => return Err(LineError::invalid_property(&at)),
    };
    Ok((name, items))
}

impl Recipient {
    /// Reads a recipient; `named` counts audiences and redeliveries.
    pub(super) fn read(value: &Value, at: &str, named: &mut usize) -> Result<Self, LineError> {
        match value.get("type").and_then(Value::as_str) {
            Some("audience") => {
                *named += 1;
                let id = value.get("audienceGroupId").and_then(Value::as_u64);
                id.map(Self::Audience)
                    .ok_or_else(|| LineError::invalid_property(&format!("{at}.audienceGroupId")))
            }
            Some("redelivery") => {
                *named += 1;
                let id = value.get("requestId").and_then(Value::as_str);
                id.map(|id| Self::Redelivery(id.to_owned()))
                    .ok_or_else(|| LineError::invalid_property(&format!("{at}.requestId")))
            }
            Some("operator") => {
                let (name, mut items) = operator(value, at, |item, at| Self::read(item, at, named))?;
                Ok(match name {
                    "and" => Self::And(items),
                    "or" => Self::Or(items),
                    _ => items
                        .pop()
                        .map(|item| Self::Not(Box::new(item)))
                        .ok_or_else(|| LineError::invalid_property(at))?,
                })
            }
            Some(_) => Err(LineError::property(
                &format!("{at}.type"),
                "Must be one of the following values: [operator, audience, redelivery]",
            )),
            None => Err(LineError::invalid_property(at)),
        }
    }

    /// Every audience must be ready, every redelivery a narrowcast that succeeded within 14 days.
    pub(super) fn check(&self, world: &World, channel: &str, now: i64) -> Result<(), LineError> {
        match self {
            Self::Audience(id) => match world.audiences.ready(channel, *id) {
                Some(_) => Ok(()),
                None => Err(LineError::bad_request(&format!("Invalid audience group id: {id}"))),
            },
            Self::Redelivery(id) => {
                let campaign = world.sends.by_request(channel, id).filter(|campaign| {
                    campaign.kind == Kind::Narrowcast
                        && campaign.phase == Phase::Succeeded
                        && now < campaign.at + REMEMBERED_MS
                });
                match campaign {
                    Some(_) => Ok(()),
                    None => Err(LineError::bad_request(&format!("Invalid request id: {id}"))),
                }
            }
            Self::And(items) | Self::Or(items) => {
                items.iter().try_for_each(|item| item.check(world, channel, now))
            }
            Self::Not(item) => item.check(world, channel, now),
        }
    }

    /// The friends that are meant.
    pub(super) fn people(&self, world: &World, channel: &str, friends: &BTreeSet<u64>) -> BTreeSet<u64> {
        match self {
            Self::Audience(id) => {
                let members = world.audiences.ready(channel, *id).map(|audience| &audience.members);
                members.into_iter().flatten().filter(|person| friends.contains(person)).copied().collect()
            }
            Self::Redelivery(id) => {
                let got = world.sends.by_request(channel, id).map(|campaign| &campaign.recipients);
                got.into_iter().flatten().filter(|person| friends.contains(person)).copied().collect()
            }
            Self::And(items) => {
                let mut sets = items.iter().map(|item| item.people(world, channel, friends));
                let first = sets.next().unwrap_or_default();
                sets.fold(first, |all, set| all.intersection(&set).copied().collect())
            }
            Self::Or(items) => items.iter().flat_map(|item| item.people(world, channel, friends)).collect(),
            Self::Not(item) => {
                let not = item.people(world, channel, friends);
                friends.difference(&not).copied().collect()
            }
        }
    }

    /// The sizes of the audiences that are under LINE's floors: those of uploaded user IDs are not (PLATFORM 7.1).
    pub(super) fn floored(&self, world: &World) -> Vec<usize> {
        match self {
            Self::Audience(id) => {
                let audience = world.audiences.get(*id).filter(|audience| !audience.is_uploaded());
                audience.map(|audience| audience.members.len()).into_iter().collect()
            }
            Self::Redelivery(_) => Vec::new(),
            Self::And(items) | Self::Or(items) => items.iter().flat_map(|item| item.floored(world)).collect(),
            Self::Not(item) => item.floored(world),
        }
    }
}
