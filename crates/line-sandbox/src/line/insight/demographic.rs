//! Who the friends are, in percent (PLATFORM 12). LINE's figures are about three days old; the sandbox's are of this moment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Answer;
use crate::Inner;
use crate::clock::DAY_MS;
use crate::line::entry::Caller;
use crate::line::error::LineError;

/// Friends that can be aimed at below which LINE shows nothing.
const FLOOR: usize = 20;
/// LINE's names of the areas, in the order of their numbers.
const AREAS: [(&str, &[&str]); 4] = [
    (
        "jp",
        &[
            "北海道",
            "青森",
            "岩手",
            "宮城",
            "秋田",
            "山形",
            "福島",
            "茨城",
            "栃木",
            "群馬",
            "埼玉",
            "千葉",
            "東京",
            "神奈川",
            "新潟",
            "富山",
            "石川",
            "福井",
            "山梨",
            "長野",
            "岐阜",
            "静岡",
            "愛知",
            "三重",
            "滋賀",
            "京都",
            "大阪",
            "兵庫",
            "奈良",
            "和歌山",
            "鳥取",
            "島根",
            "岡山",
            "広島",
            "山口",
            "徳島",
            "香川",
            "愛媛",
            "高知",
            "福岡",
            "佐賀",
            "長崎",
            "熊本",
            "大分",
            "宮崎",
            "鹿児島",
            "沖縄",
        ],
    ),
    (
        "tw",
        &[
            "台北市",
            "新北市",
            "桃園市",
            "台中市",
            "台南市",
            "高雄市",
            "基隆市",
            "新竹市",
            "嘉義市",
            "新竹縣",
            "苗栗縣",
            "彰化縣",
            "南投縣",
            "雲林縣",
            "嘉義縣",
            "屏東縣",
            "宜蘭縣",
            "花蓮縣",
            "台東縣",
            "澎湖縣",
            "金門縣",
            "連江縣",
        ],
    ),
    ("th", &["Bangkok", "Pattaya", "Northern", "Central", "Southern", "Eastern", "NorthEastern", "Western"]),
    (
        "id",
        &[
            "Bali",
            "Bandung",
            "Banjarmasin",
            "Jabodetabek",
            "Lainnya",
            "Makassar",
            "Medan",
            "Palembang",
            "Samarinda",
            "Semarang",
            "Surabaya",
            "Yogyakarta",
        ],
    ),
];

pub(super) async fn show(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let now = inner.clock.now();
    let world = inner.world();
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    let friends: Vec<_> = world
        .friends(&caller.channel)
        .into_iter()
        .filter_map(|person| Some((world.people.get(&person)?, channel.bonds.get(&person)?)))
        .collect();
    let reached = friends.iter().filter(|(person, _)| person.traits.is_reached()).count();
    if reached < FLOOR || !["JP", "TW", "TH", "ID"].contains(&channel.country.as_str()) {
        return Ok(Json(json!({ "available": false })));
    }
    let each = |name: fn(&crate::traits::Traits) -> &'static str| {
        friends.iter().map(|(person, _)| name(&person.traits)).collect::<Vec<_>>()
    };
    let periods = friends.iter().map(|(person, bond)| period(bond.since(&person.traits), now)).collect();
    Ok(Json(json!({
        "available": true,
        "genders": tiles("gender", each(|traits| match traits.gender.as_deref() {
            Some("male") => "male",
            Some("female") => "female",
            _ => "unknown",
        })),
        "ages": tiles("age", each(|traits| traits.age.map_or("unknown", age))),
        "areas": tiles("area", each(|traits| traits.area.as_deref().and_then(area).unwrap_or("unknown"))),
        "appTypes": tiles("appType", each(|traits| match traits.app_type.as_deref() {
            Some("ios") => "ios",
            Some("android") => "android",
            _ => "others",
        })),
        "subscriptionPeriods": tiles("subscriptionPeriod", periods),
    })))
}

fn area(code: &str) -> Option<&'static str> {
    let (country, number) = code.split_once('_')?;
    let (_, names) = AREAS.iter().find(|(known, _)| *known == country)?;
    names.get(number.parse::<usize>().ok()?.checked_sub(1)?).copied()
}

fn age(years: u64) -> &'static str {
    match years {
        0..15 => "from0to14",
        15..20 => "from15to19",
        20..25 => "from20to24",
        25..30 => "from25to29",
        30..35 => "from30to34",
        35..40 => "from35to39",
        40..45 => "from40to44",
        45..50 => "from45to49",
        50..55 => "from50to54",
        55..60 => "from55to59",
        60..65 => "from60to64",
        65..70 => "from65to69",
        _ => "from70",
    }
}

fn period(since: Option<i64>, now: i64) -> &'static str {
    match since.map(|since| (now - since) / DAY_MS) {
        None => "unknown",
        Some(..7) => "within7days",
        Some(7..30) => "within30days",
        Some(30..90) => "within90days",
        Some(90..180) => "within180days",
        Some(180..365) => "within365days",
        Some(_) => "over365days",
    }
}

/// Shares in percent with one decimal, the largest first.
fn tiles(name: &str, mut values: Vec<&'static str>) -> Vec<Value> {
    values.sort_unstable();
    let whole = values.len().max(1);
    let mut counted: Vec<(usize, &str)> =
        values.chunk_by(|a, b| a == b).filter_map(|chunk| Some((chunk.len(), *chunk.first()?))).collect();
    counted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    counted
        .into_iter()
        .map(|(count, value)| {
            let tenths = u32::try_from((count * 1_000 + whole / 2) / whole).unwrap_or_default();
            json!({ name: value, "percentage": f64::from(tenths) / 10.0 })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_area_code_has_a_name() {
        for (country, names) in AREAS {
            for number in 1..=names.len() {
                let code = format!("{country}_{number:02}");
                assert!(crate::traits::is_area(&code), "{code}");
            }
            assert!(!crate::traits::is_area(&format!("{country}_{:02}", names.len() + 1)));
        }
        assert_eq!((area("tw_01"), area("jp_36")), (Some("台北市"), Some("徳島")));
    }

    #[test]
    fn shares_are_of_the_whole() {
        assert_eq!(
            tiles("gender", vec!["male", "female", "male"]),
            [json!({"gender": "male", "percentage": 66.7}), json!({"gender": "female", "percentage": 33.3})]
        );
    }
}
