//! What LINE knows or guesses of a person beside the profile: narrowcasts choose by it, insight sums it up, notification messages find the
//! person by phone number. All of it is optional, and what is unknown never matches.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::control::input::{Fields, Problem};

/// Fields of `POST /users` and `PATCH /users/{user}`.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Traits {
    /// `male` or `female`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gender: Option<String>,
    /// In years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age: Option<u64>,
    /// LINE's code, e.g. `tw_01` (PLATFORM 7.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) area: Option<String>,
    /// `ios` or `android`; anything else is neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_type: Option<String>,
    /// Since when the person counts as a friend of every account that she added, in ms; else since she added it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) friend_since: Option<i64>,
    /// E.164, e.g. `+886912345678`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<String>,
}

impl Traits {
    /// Takes over the fields that are in the body; null makes one unknown again.
    pub(crate) fn read(&mut self, body: &Fields) -> Result<(), Problem> {
        if body.has("gender") {
            self.gender = body.word("gender", &["male", "female"])?;
        }
        if body.has("age") {
            self.age = body.whole("age")?.filter(|age| *age < 150);
        }
        if body.has("area") {
            self.area = body.optional_text("area")?;
            if self.area.as_ref().is_some_and(|area| !is_area(area)) {
                return Err(Problem::field(
                    "area",
                    "must be one of LINE's codes, such as jp_13, tw_01, th_01",
                ));
            }
        }
        if body.has("appType") {
            self.app_type = body.word("appType", &["ios", "android", "others"])?;
        }
        if body.has("friendSince") {
            self.friend_since = body.whole("friendSince")?.and_then(|ms| i64::try_from(ms).ok());
        }
        if body.has("phone") {
            self.phone = body.optional_text("phone")?;
            if self.phone.as_ref().is_some_and(|phone| !is_e164(phone)) {
                return Err(Problem::field("phone", "must be in E.164 form, such as +886912345678"));
            }
        }
        Ok(())
    }

    /// LINE can aim at the person by attributes (PLATFORM 12, `targetedReaches`).
    pub(crate) fn is_reached(&self) -> bool {
        self.gender.is_some() || self.age.is_some() || self.area.is_some()
    }

    /// The fields that are known.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }
}

/// `jp_01`–`jp_47`, `tw_01`–`tw_22`, `th_01`–`th_08`, `id_01`–`id_12` (PLATFORM 7.1).
pub(crate) fn is_area(code: &str) -> bool {
    let Some((country, number)) = code.split_once('_') else { return false };
    let last = match country {
        "jp" => 47,
        "tw" => 22,
        "th" => 8,
        "id" => 12,
        _ => return false,
    };
    number.len() == 2
        && number.bytes().all(|b| b.is_ascii_digit())
        && number.parse::<u8>().is_ok_and(|number| (1..=last).contains(&number))
}

fn is_e164(phone: &str) -> bool {
    phone
        .strip_prefix('+')
        .is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 7.1.
    #[test]
    fn areas_are_those_of_line() {
        for code in ["jp_01", "jp_47", "tw_22", "th_08", "id_12"] {
            assert!(is_area(code), "{code}");
        }
        for code in ["jp_48", "tw_00", "tw_1", "us_01", "jp", "tw_+1"] {
            assert!(!is_area(code), "{code}");
        }
    }
}
