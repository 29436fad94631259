//! `filter.demographic`: attributes of persons, joined by operators (PLATFORM 7.1). What is unknown of a person never matches, also not
//! inside a `not`. LINE's data are about three days old; the sandbox's are of this moment.

use serde_json::Value;

use crate::clock::DAY_MS;
use crate::line::error::LineError;
use crate::line::narrowcast::recipient::operator;
use crate::traits::is_area;
use crate::world::World;

const AGES: [&str; 12] = [
    "age_15", "age_20", "age_25", "age_30", "age_35", "age_40", "age_45", "age_50", "age_55", "age_60",
    "age_65", "age_70",
];
const PERIODS: [&str; 5] = ["day_7", "day_30", "day_90", "day_180", "day_365"];

/// A condition on a person.
#[derive(Debug)]
pub(super) enum Filter {
    Gender(Vec<String>),
    /// Years: at least, below.
    Age(Option<u64>, Option<u64>),
    AppType(Vec<String>),
    Area(Vec<String>),
    /// Days since the friendship began: at least, below.
    Period(Option<u64>, Option<u64>),
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
}

impl Filter {
    /// Reads a filter; `named` counts the attributes.
    pub(super) fn read(value: &Value, at: &str, named: &mut usize) -> Result<Self, LineError> {
        let kind = value.get("type").and_then(Value::as_str);
        if kind != Some("operator") {
            *named += 1;
        }
        match kind {
            Some("gender") => one_of(value, at, |word| matches!(word, "male" | "female")).map(Self::Gender),
            Some("appType") => one_of(value, at, |word| matches!(word, "ios" | "android")).map(Self::AppType),
            Some("area") => one_of(value, at, is_area).map(Self::Area),
            Some("age") => range(value, at, &AGES).map(|(from, below)| Self::Age(from, below)),
            Some("subscriptionPeriod") => {
                range(value, at, &PERIODS).map(|(from, below)| Self::Period(from, below))
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
                "Must be one of the following values: [operator, gender, age, appType, area, subscriptionPeriod]",
            )),
            None => Err(LineError::invalid_property(at)),
        }
    }

    pub(super) fn matches(&self, world: &World, channel: &str, person: u64, now: i64) -> bool {
        self.verdict(world, channel, person, now).unwrap_or(false)
    }

    /// Whether the person matches; `None` when LINE does not know.
    fn verdict(&self, world: &World, channel: &str, person: u64, now: i64) -> Option<bool> {
        let traits = &world.people.get(&person)?.traits;
        let channel_of = world.channels.get(channel)?;
        // Users under 20 in Thailand are dropped (PLATFORM 7.1).
        if channel_of.country == "TH" && traits.age.is_some_and(|age| age < 20) {
            return None;
        }
        let within = |value: u64, from: &Option<u64>, below: &Option<u64>| {
            from.is_none_or(|from| value >= from) && below.is_none_or(|below| value < below)
        };
        match self {
            Self::Gender(words) => traits.gender.as_ref().map(|gender| words.contains(gender)),
            Self::AppType(words) => traits.app_type.as_ref().map(|app| words.contains(app)),
            Self::Area(codes) => traits.area.as_ref().map(|area| codes.contains(area)),
            Self::Age(from, below) => traits.age.map(|age| within(age, from, below)),
            Self::Period(from, below) => {
                let since = channel_of.bonds.get(&person)?.since(traits)?;
                let days = u64::try_from((now - since) / DAY_MS).unwrap_or_default();
                Some(within(days, from, below))
            }
            Self::And(items) => items
                .iter()
                .try_fold(true, |all, item| Some(all & item.verdict(world, channel, person, now)?)),
            Self::Or(items) => {
                let verdicts: Vec<_> =
                    items.iter().filter_map(|item| item.verdict(world, channel, person, now)).collect();
                (!verdicts.is_empty()).then(|| verdicts.contains(&true))
            }
            Self::Not(item) => item.verdict(world, channel, person, now).map(|matches| !matches),
        }
    }
}

/// `oneOf`: at least one word, all of them known.
fn one_of(value: &Value, at: &str, known: impl Fn(&str) -> bool) -> Result<Vec<String>, LineError> {
    let at = format!("{at}.oneOf");
    let words = value.get("oneOf").and_then(Value::as_array).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| LineError::invalid_property(&at))?;
    words
        .iter()
        .enumerate()
        .map(|(index, word)| {
            let word = word.as_str().filter(|word| known(word));
            word.map(str::to_owned).ok_or_else(|| LineError::invalid_property(&format!("{at}[{index}]")))
        })
        .collect()
}

/// `gte` and `lt`: at least one of them, the first below the second.
fn range(value: &Value, at: &str, words: &[&str]) -> Result<(Option<u64>, Option<u64>), LineError> {
    let bound = |name: &str| match value.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(word) => word
            .as_str()
            .filter(|word| words.contains(word))
            .and_then(|word| word.split_once('_')?.1.parse::<u64>().ok())
            .map(Some)
            .ok_or_else(|| LineError::invalid_property(&format!("{at}.{name}"))),
    };
    match (bound("gte")?, bound("lt")?) {
        (None, None) => Err(LineError::invalid_property(at)),
        (Some(from), Some(below)) if from >= below => Err(LineError::invalid_property(at)),
        range => Ok(range),
    }
}
