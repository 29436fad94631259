//! What a coupon's creation may say (PLATFORM 13), with LINE's words where they are known.

use line_api::limits;
use line_api::validate::units;
use serde_json::{Map, Value, json};
use url::Url;

use crate::control::is_loopback;
use crate::line::error::LineError;

const REWARDS: [&str; 5] = ["discount", "free", "gift", "cashBack", "others"];
const AMOUNTS: [&str; 4] = ["fixedAmount", "percentage", "originalPrice", "priceAfterDiscount"];
/// LINE's schema, `CouponCreateRequest.timezone`.
const TIMEZONES: [&str; 34] = [
    "ETC_GMT_MINUS_12",
    "ETC_GMT_MINUS_11",
    "PACIFIC_HONOLULU",
    "AMERICA_ANCHORAGE",
    "AMERICA_LOS_ANGELES",
    "AMERICA_PHOENIX",
    "AMERICA_CHICAGO",
    "AMERICA_NEW_YORK",
    "AMERICA_CARACAS",
    "AMERICA_SANTIAGO",
    "AMERICA_ST_JOHNS",
    "AMERICA_SAO_PAULO",
    "ETC_GMT_MINUS_2",
    "ATLANTIC_CAPE_VERDE",
    "EUROPE_LONDON",
    "EUROPE_PARIS",
    "EUROPE_ISTANBUL",
    "EUROPE_MOSCOW",
    "ASIA_TEHRAN",
    "ASIA_TBILISI",
    "ASIA_KABUL",
    "ASIA_TASHKENT",
    "ASIA_COLOMBO",
    "ASIA_KATHMANDU",
    "ASIA_ALMATY",
    "ASIA_RANGOON",
    "ASIA_BANGKOK",
    "ASIA_TAIPEI",
    "ASIA_TOKYO",
    "AUSTRALIA_DARWIN",
    "AUSTRALIA_SYDNEY",
    "ASIA_VLADIVOSTOK",
    "ETC_GMT_PLUS_12",
    "PACIFIC_TONGATAPU",
];

/// The last second of the year 9999; LINE publishes no end.
const LATEST: i64 = 253_402_300_799;

/// Checks the body of a creation at `now` (ms) and names everything that is wrong with it.
pub(crate) fn check(body: &Value, now: i64) -> Result<(), LineError> {
    let mut findings = Findings::default();
    findings.text(body, "title", 1, 60, true);
    findings.text(body, "description", 0, 1_000, false);
    findings.text(body, "couponCode", 0, 16, false);
    findings.text(body, "usageCondition", 0, 100, false);
    findings.picture(body, "imageUrl");
    findings.picture(body, "barcodeImageUrl");
    findings.word(body, "timezone", "timezone", &TIMEZONES);
    findings.word(body, "visibility", "visibility", &["PUBLIC", "UNLISTED"]);
    if let Some(uses) = findings.number(body, "maxUseCountPerTicket", "maxUseCountPerTicket")
        && !matches!(uses, 1 | -1)
    {
        findings.note("maxUseCountPerTicket", "Must be one of the following values: [1,-1]");
    }
    let start = findings.number(body, "startTimestamp", "startTimestamp");
    let end = findings.number(body, "endTimestamp", "endTimestamp");
    if end.is_some_and(|end| end > LATEST) {
        findings.note("endTimestamp", &format!("Must be less than or equal to {LATEST}"));
    } else if end.is_some_and(|end| end.saturating_mul(1_000) <= now) {
        findings.note("endTimestamp", "Must not be in the past");
    } else if start.zip(end).is_some_and(|(start, end)| end <= start) {
        findings.note("endTimestamp", "Must be after startTimestamp");
    }
    if start.is_some_and(|start| start < 0) {
        findings.note("startTimestamp", "Must be greater than or equal to 0");
    }
    check_condition(&mut findings, body);
    check_reward(&mut findings, body);
    findings.refusal()
}

fn check_condition(findings: &mut Findings, body: &Value) {
    let Some(condition) = findings.object(body, "acquisitionCondition") else { return };
    let kind = findings.word(condition, "type", "acquisitionCondition.type", &["normal", "lottery"]);
    if kind != Some("lottery") {
        return;
    }
    let at = "acquisitionCondition.lotteryProbability";
    if findings
        .number(condition, "lotteryProbability", at)
        .is_some_and(|percent| !(1..=99).contains(&percent))
    {
        findings.note(at, "Must be between 1 and 99");
    }
    let at = "acquisitionCondition.maxAcquireCount";
    if findings
        .number(condition, "maxAcquireCount", at)
        .is_some_and(|most| most != -1 && !(1..=999_999).contains(&most))
    {
        findings.note(at, "Must be between 1 and 999999");
    }
}

fn check_reward(findings: &mut Findings, body: &Value) {
    let Some(reward) = findings.object(body, "reward") else { return };
    let kind = findings.word(reward, "type", "reward.type", &REWARDS);
    let kinds: &[&str] = match kind {
        Some("discount") => &["fixed", "percentage", "explicit"],
        Some("cashBack") => &["fixed", "percentage"],
        Some(_) if reward.get("priceInfo").is_some_and(|info| !info.is_null()) => {
            return findings.note("reward.priceInfo", "Must not be specified");
        }
        _ => return,
    };
    let info = match reward.get("priceInfo") {
        Some(info @ Value::Object(_)) => info,
        None | Some(Value::Null) => return findings.note("reward.priceInfo", "May not be empty"),
        Some(_) => return findings.wrong_type("reward.priceInfo"),
    };
    let Some(kind) = findings.word(info, "type", "reward.priceInfo.type", kinds) else { return };
    let wanted = match kind {
        "fixed" => &AMOUNTS[..1],
        "percentage" => &AMOUNTS[1..2],
        _ => &AMOUNTS[2..],
    };
    for name in AMOUNTS {
        let at = format!("reward.priceInfo.{name}");
        if !wanted.contains(&name) {
            if info.get(name).is_some_and(|value| !value.is_null()) {
                findings.note(&at, "Must not be specified");
            }
            continue;
        }
        match (findings.number(info, name, &at), name) {
            (Some(percent), "percentage") if !(1..=99).contains(&percent) => {
                findings.note(&at, "Must be between 1 and 99");
            }
            (Some(amount), _) if amount < 1 => findings.note(&at, "Must be greater than or equal to 1"),
            _ => {}
        }
    }
}

/// A checked body as it is kept: its known parts, without nulls, with the currency of the account's country.
pub(super) fn stored(body: &Value, country: &str) -> Value {
    const PARTS: [&str; 13] = [
        "title",
        "description",
        "acquisitionCondition",
        "maxUseCountPerTicket",
        "startTimestamp",
        "endTimestamp",
        "timezone",
        "visibility",
        "imageUrl",
        "barcodeImageUrl",
        "couponCode",
        "usageCondition",
        "reward",
    ];
    let value = |name: &str| body.get(name).filter(|value| !value.is_null()).cloned();
    let mut kept = Map::from_iter(PARTS.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))));
    let info =
        kept.get_mut("reward").and_then(|reward| reward.get_mut("priceInfo")).and_then(Value::as_object_mut);
    if let Some(info) = info.filter(|info| !info.contains_key("percentage")) {
        let currency = match country {
            "TW" => "TWD",
            "TH" => "THB",
            _ => "JPY",
        };
        info.insert("currency".into(), currency.into());
    }
    Value::Object(kept)
}

/// What is wrong with a body.
#[derive(Debug, Default)]
struct Findings {
    details: Vec<Value>,
    wrong_type: Option<String>,
}

impl Findings {
    fn note(&mut self, property: &str, message: &str) {
        self.details.push(json!({ "message": message, "property": property }));
    }

    fn wrong_type(&mut self, property: &str) {
        self.wrong_type.get_or_insert_with(|| property.to_owned());
    }

    fn refusal(self) -> Result<(), LineError> {
        match (self.wrong_type, self.details.is_empty()) {
            (Some(property), _) => Err(LineError::invalid_property(&property)),
            (None, true) => Ok(()),
            (None, false) => Err(LineError::findings(self.details)),
        }
    }

    /// A text of so many UTF-16 units.
    fn text(&mut self, body: &Value, name: &str, min: usize, max: usize, required: bool) {
        match body.get(name) {
            Some(Value::String(text)) if !(min..=max).contains(&units(text)) => {
                self.note(name, &format!("Size must be between {min} and {max}"));
            }
            None | Some(Value::Null) if required => self.note(name, "May not be empty"),
            None | Some(Value::Null | Value::String(_)) => {}
            Some(_) => self.wrong_type(name),
        }
    }

    /// One of some words, which must be there.
    fn word<'b>(&mut self, body: &'b Value, name: &str, at: &str, words: &[&str]) -> Option<&'b str> {
        match body.get(name) {
            Some(Value::String(word)) if words.contains(&word.as_str()) => return Some(word),
            Some(Value::String(_)) => {
                self.note(at, &format!("Must be one of the following values: [{}]", words.join(",")));
            }
            None | Some(Value::Null) => self.note(at, "May not be empty"),
            Some(_) => self.wrong_type(at),
        }
        None
    }

    /// A whole number, which must be there.
    fn number(&mut self, body: &Value, name: &str, at: &str) -> Option<i64> {
        match body.get(name) {
            Some(Value::Number(number)) if number.is_i64() => return number.as_i64(),
            None | Some(Value::Null) => self.note(at, "May not be empty"),
            Some(_) => self.wrong_type(at),
        }
        None
    }

    fn object<'b>(&mut self, body: &'b Value, name: &str) -> Option<&'b Value> {
        match body.get(name) {
            Some(object @ Value::Object(_)) => return Some(object),
            None | Some(Value::Null) => self.note(name, "May not be empty"),
            Some(_) => self.wrong_type(name),
        }
        None
    }

    /// The address of a picture that LINE fetches: https; plain http on loopback is the sandbox's own (CONTRACT 2).
    fn picture(&mut self, body: &Value, name: &str) {
        let text = match body.get(name) {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => return,
            Some(_) => return self.wrong_type(name),
        };
        if units(text) > limits::URL {
            return self.note(name, &format!("Size must be between 0 and {}", limits::URL));
        }
        let url =
            Url::parse(text).ok().filter(|url| url.has_host() && text.bytes().all(|b| b.is_ascii_graphic()));
        match url {
            Some(url) if url.scheme() == "https" => {}
            Some(url) if url.scheme() == "http" && url.host_str().is_some_and(is_loopback) => {}
            Some(_) => self.note(name, "invalid uri scheme"),
            None => self.note(name, "invalid uri"),
        }
    }
}
