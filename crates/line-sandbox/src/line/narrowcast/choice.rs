//! `recipient`, `filter` and `limit` of a narrowcast, read and checked (PLATFORM 7.1).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::Inner;
use crate::line::error::LineError;
use crate::line::narrowcast::filter::Filter;
use crate::line::narrowcast::recipient::Recipient;
use crate::world::World;

/// Recipients and filters that one call may name (PLATFORM 7.1).
pub(super) const NAMED: usize = 10;
/// Recipients below which a choice fails (PLATFORM 7.1, floors 2 and 3).
const FLOOR: usize = 50;

/// Whom a narrowcast is for.
#[derive(Debug)]
pub(super) struct Choice {
    recipient: Option<Recipient>,
    filter: Option<Filter>,
    pub(super) limit: Limit,
    raw: Value,
}

/// How many at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    max: Option<u64>,
    up_to_remaining_quota: bool,
    pub(super) forbid_partial_delivery: bool,
}

impl Limit {
    fn read(limit: Option<&Value>) -> Result<Self, LineError> {
        let empty = Map::new();
        let limit = match limit {
            None => &empty,
            Some(Value::Object(limit)) => limit,
            Some(_) => return Err(LineError::invalid_property("limit")),
        };
        let flag = |name: &str| match limit.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(value) => {
                value.as_bool().ok_or_else(|| LineError::invalid_property(&format!("limit.{name}")))
            }
        };
        let max =
            match limit.get("max") {
                None | Some(Value::Null) => None,
                Some(value) => {
                    let max = value.as_i64().filter(|max| i32::try_from(*max).is_ok());
                    let max = max.ok_or_else(|| LineError::invalid_property("limit.max"))?;
                    let max = u64::try_from(max).ok().filter(|max| *max > 0);
                    Some(max.ok_or_else(|| {
                        LineError::property("limit.max", "Must be greater than or equal to 1")
                    })?)
                }
            };
        let up_to_remaining_quota = flag("upToRemainingQuota")?;
        let forbid_partial_delivery = flag("forbidPartialDelivery")?;
        if forbid_partial_delivery && !up_to_remaining_quota {
            return Err(LineError::bad_request(
                "The option forbidPartialDelivery must be used with upToRemainingQuota.",
            ));
        }
        Ok(Self { max, up_to_remaining_quota, forbid_partial_delivery })
    }

    /// What is reserved of the quota until the real number is known (PLATFORM 7.1): the target reach, under the caps.
    pub(super) fn reserved(&self, reach: u64, left: Option<u64>) -> u64 {
        let reserved = self.max.map_or(reach, |max| reach.min(max));
        left.filter(|_| self.up_to_remaining_quota).map_or(reserved, |left| reserved.min(left))
    }
}

impl Choice {
    /// Reads the body; everything is optional.
    pub(super) fn read(body: &Value) -> Result<Self, LineError> {
        let given = |name: &str| body.get(name).filter(|value| !value.is_null());
        let mut named = 0;
        let recipient =
            given("recipient").map(|value| Recipient::read(value, "recipient", &mut named)).transpose()?;
        if named > NAMED {
            return Err(LineError::property("recipient", &format!("Size must be between 0 and {NAMED}")));
        }
        let filter = match given("filter") {
            None => None,
            Some(Value::Object(filter)) => {
                let mut named = 0;
                let demographic = filter.get("demographic").filter(|value| !value.is_null());
                let filter = demographic
                    .map(|value| Filter::read(value, "filter.demographic", &mut named))
                    .transpose()?;
                if named > NAMED {
                    return Err(LineError::property(
                        "filter.demographic",
                        &format!("Size must be between 0 and {NAMED}"),
                    ));
                }
                filter
            }
            Some(_) => return Err(LineError::invalid_property("filter")),
        };
        let limit = Limit::read(given("limit"))?;
        let raw =
            json!({ "recipient": given("recipient"), "filter": given("filter"), "limit": given("limit") });
        Ok(Self { recipient, filter, limit, raw })
    }

    /// As it was asked for.
    pub(super) fn to_json(&self) -> Value {
        self.raw.clone()
    }

    /// Audiences and narrowcasts that are named must exist and be ready.
    pub(super) fn check(&self, world: &World, channel: &str, now: i64) -> Result<(), LineError> {
        self.recipient.as_ref().map_or(Ok(()), |recipient| recipient.check(world, channel, now))
    }

    pub(super) fn by_attributes(&self) -> bool {
        self.filter.is_some()
    }

    /// The persons who get it, or LINE's error code (PLATFORM 7.2). Under a cap they are drawn at random.
    pub(super) fn people(
        &self,
        inner: &Inner,
        world: &World,
        channel: &str,
        left: Option<u64>,
    ) -> Result<Vec<u64>, u8> {
        let now = inner.clock.now();
        let friends: BTreeSet<u64> = world.friends(channel).into_iter().collect();
        let floored = self.recipient.as_ref().map(|recipient| recipient.floored(world)).unwrap_or_default();
        if floored.len() > 1 && floored.iter().any(|size| *size < FLOOR) {
            return Err(4);
        }
        let mut people: Vec<u64> = match &self.recipient {
            Some(recipient) => recipient.people(world, channel, &friends).into_iter().collect(),
            None => friends.into_iter().collect(),
        };
        if let Some(filter) = &self.filter {
            people.retain(|person| filter.matches(world, channel, *person, now));
        }
        if (self.filter.is_some() || !floored.is_empty()) && people.len() < FLOOR {
            return Err(2);
        }
        let quota = left.filter(|_| self.limit.up_to_remaining_quota);
        if self.limit.forbid_partial_delivery && quota.is_some_and(|quota| quota < people.len() as u64) {
            return Err(5);
        }
        let cap = [self.limit.max, quota].into_iter().flatten().min();
        let cap = cap.and_then(|cap| usize::try_from(cap).ok()).filter(|cap| *cap < people.len());
        if let Some(cap) = cap {
            // The first places of a shuffle.
            for place in 0..cap {
                let rest = (people.len() - place) as u64;
                let other = place + usize::try_from(inner.ids.next() % rest).unwrap_or_default();
                people.swap(place, other);
            }
            people.truncate(cap);
            people.sort_unstable();
        }
        Ok(people)
    }
}
