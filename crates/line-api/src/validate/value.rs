//! The forms of single values.

use serde_json::{Map, Value};
use unicode_segmentation::UnicodeSegmentation as _;
use url::{Host, Url};

use super::Rules;
use crate::limits;

/// What is wrong with an address.
pub(super) enum UrlFault {
    /// `invalid uri`.
    Form,
    /// `invalid uri scheme`.
    Scheme,
}

/// The length of a text as LINE counts almost everywhere: in UTF-16 code units (PLATFORM 5, "Character
/// counting").
#[must_use]
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The length of a text as LINE counts labels, templates and what actions say: in grapheme clusters.
#[must_use]
pub fn graphemes(text: &str) -> usize {
    text.graphemes(true).count()
}

/// The address of a file that LINE fetches: HTTPS, percent-encoded (PLATFORM 19).
pub(super) fn media_url(text: &str, rules: Rules) -> Result<(), UrlFault> {
    let url = absolute(text)?;
    match url.scheme() {
        "https" => {}
        "http" if rules.loopback_http && is_loopback(&url) => {}
        _ => return Err(UrlFault::Scheme),
    }
    if url.has_host() { Ok(()) } else { Err(UrlFault::Form) }
}

/// The address that a link opens (PLATFORM 20).
pub(super) fn link(text: &str) -> Result<(), UrlFault> {
    match absolute(text)?.scheme() {
        "http" | "https" | "line" | "tel" => Ok(()),
        _ => Err(UrlFault::Scheme),
    }
}

/// Parses an address that is percent-encoded, so that it has neither spaces nor letters beyond ASCII.
fn absolute(text: &str) -> Result<Url, UrlFault> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(UrlFault::Form);
    }
    Url::parse(text).map_err(|_| UrlFault::Form)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Decimal digits, as ids of sticker packages and stickers have.
pub(super) fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A key of `substitution`: `[a-zA-Z0-9_]{1,20}`.
pub(super) fn substitution_key(text: &str) -> bool {
    (1..=limits::SUBSTITUTION_KEY).contains(&text.len()) && word(text)
}

/// A coupon's delivery tag: `[a-zA-Z0-9_]{1,30}`.
pub(super) fn delivery_tag(text: &str) -> bool {
    (1..=limits::DELIVERY_TAG).contains(&text.len()) && word(text)
}

fn word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A video's tracking id (PLATFORM 19).
pub(super) fn tracking_id(text: &str) -> bool {
    (1..=limits::TRACKING_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.=,+*()%$&;:@{}!?<>[]".contains(&b))
}

/// A sender's name that does not pose as LINE (PLATFORM 19). LINE's list of such words is not published.
pub(super) fn poses_as_line(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case("line"))
}

/// `#RRGGBB` or `#RRGGBBAA`.
pub(super) fn colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| (hex.len() == 6 || hex.len() == 8) && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Margin, spacing, corner radius: a keyword or `Npx`.
pub(super) fn space(text: &str) -> bool {
    matches!(text, "none" | "xs" | "sm" | "md" | "lg" | "xl" | "xxl") || pixels(text)
}

/// Padding: as [`space`], or `N%`.
pub(super) fn space_or_share(text: &str) -> bool {
    space(text) || percent(text)
}

/// Offset: as [`space_or_share`]; unlike the others it may be negative, as in LINE's own apparel sample (`-2px`).
pub(super) fn offset(text: &str) -> bool {
    space_or_share(text) || text.strip_prefix('-').is_some_and(extent)
}

/// Width, height: `Npx` or `N%`.
pub(super) fn extent(text: &str) -> bool {
    pixels(text) || percent(text)
}

/// Size of text, icons and spans: a keyword or `Npx`.
pub(super) fn font_size(text: &str) -> bool {
    matches!(text, "xxs" | "xs" | "sm" | "md" | "lg" | "xl" | "xxl" | "3xl" | "4xl" | "5xl") || pixels(text)
}

/// Size of pictures: as [`font_size`], or `full`, or `N%`.
pub(super) fn image_size(text: &str) -> bool {
    text == "full" || font_size(text) || percent(text)
}

/// A border's width.
pub(super) fn border_width(text: &str) -> bool {
    matches!(text, "none" | "light" | "normal" | "medium" | "semi-bold" | "bold") || pixels(text)
}

/// `Npx`.
pub(super) fn pixels(text: &str) -> bool {
    text.strip_suffix("px").and_then(decimal).is_some()
}

/// `N%`.
pub(super) fn percent(text: &str) -> bool {
    text.strip_suffix('%').and_then(decimal).is_some()
}

/// A gradient's angle: `Ndeg`, 0 ≤ N < 360.
pub(super) fn angle(text: &str) -> bool {
    text.strip_suffix("deg").and_then(decimal).is_some_and(|angle| angle < 360.0)
}

/// `w:h`, each 1–100000, h at most 3w.
pub(super) fn aspect_ratio(text: &str) -> bool {
    let side = |text| decimal(text).filter(|side| (1.0..=100_000.0).contains(side));
    text.split_once(':')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .is_some_and(|(width, height)| height <= 3.0 * width)
}

/// A decimal number without sign and exponent.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { text.parse().ok() } else { None }
}

/// A date picker's value in its mode, `T` for `t`; none if it is no such value or out of LINE's bounds
/// (PLATFORM 20). Values of one mode compare as texts.
#[must_use]
pub fn picker_value(mode: &str, text: &str) -> Option<String> {
    let text = text.replace('t', "T");
    let valid = match mode {
        "date" => date(&text),
        "time" => time(&text),
        "datetime" => text.split_once('T').is_some_and(|(day, hour)| date(day) && time(hour)),
        _ => false,
    };
    valid.then_some(text)
}

/// `YYYY-MM-DD`, 1900-01-01 to 2100-12-31.
fn date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1900..=2100).contains(&year) && (1..=days).contains(&day)
}

/// `HH:mm`, 00:00 to 23:59.
fn time(text: &str) -> bool {
    text.split_once(':')
        .and_then(|(hour, minute)| Some((number(hour, 2)?, number(minute, 2)?)))
        .is_some_and(|(hour, minute)| hour < 24 && minute < 60)
}

fn number(text: &str, length: usize) -> Option<u32> {
    if text.len() == length && digits(text) { text.parse().ok() } else { None }
}

/// The length in bytes of an object as compact JSON. Walks with a list instead of the stack, since parts of
/// the object that no table knows may be nested to any depth.
pub(super) fn json_len(members: &Map<String, Value>) -> usize {
    let mut open = Vec::new();
    let mut bytes = object_len(members, &mut open);
    while let Some(value) = open.pop() {
        bytes += match value {
            Value::Object(members) => object_len(members, &mut open),
            Value::Array(items) => {
                open.extend(items);
                2 + items.len().saturating_sub(1)
            }
            Value::String(text) => string_len(text),
            scalar => scalar.to_string().len(),
        };
    }
    bytes
}

fn object_len<'a>(members: &'a Map<String, Value>, open: &mut Vec<&'a Value>) -> usize {
    open.extend(members.values());
    let names: usize = members.keys().map(|name| string_len(name) + 1).sum();
    2 + names + members.len().saturating_sub(1)
}

fn string_len(text: &str) -> usize {
    let escaped = |b: u8| match b {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// PLATFORM 5, "Character counting".
    #[test]
    fn units_and_graphemes() {
        assert_eq!((units("a\u{1f600}"), graphemes("a\u{1f600}")), (3, 2));
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!((units(family), graphemes(family)), (8, 1));
    }

    /// PLATFORM 21, "Value kind".
    #[test]
    fn forms_of_flex_values() {
        assert!(["none", "xxl", "5px", "5.5px"].iter().all(|text| space(text)));
        assert!(!["3xl", "5%", "px", "-1px", "5 px", "1e3px", ".5px", "5.px"].iter().any(|text| space(text)));
        assert!(space_or_share("5%") && !space_or_share("-5%") && extent("50%") && !extent("md"));
        assert!(["-2px", "-5%", "xl", "2px"].iter().all(|text| offset(text)) && !offset("-xl"));
        assert!(font_size("5xl") && !font_size("full") && !font_size("5%"));
        assert!(image_size("full") && image_size("60%") && image_size("40px"));
        assert!(border_width("semi-bold") && !border_width("xs"));
        assert!(colour("#a0B1c2") && colour("#a0B1c2ff") && !colour("#abc") && !colour("red"));
        assert!(angle("0deg") && angle("359.9deg") && !angle("360deg") && !angle("90"));
        assert!(aspect_ratio("20:13") && aspect_ratio("1.51:1") && aspect_ratio("1:3"));
        assert!(
            !aspect_ratio("1:4") && !aspect_ratio("0:1") && !aspect_ratio("100001:1") && !aspect_ratio("1")
        );
    }

    /// PLATFORM 20, `datetimepicker`.
    #[test]
    fn forms_of_date_picker_values() {
        for (mode, valid) in [
            ("date", vec!["1900-01-01", "2100-12-31", "2024-02-29"]),
            ("time", vec!["00:00", "23:59"]),
            ("datetime", vec!["2017-12-25t00:00", "2017-12-25T23:59"]),
        ] {
            assert!(valid.iter().all(|text| picker_value(mode, text).is_some()), "{mode}");
        }
        for (mode, odd) in [
            (
                "date",
                vec![
                    "1899-12-31",
                    "2101-01-01",
                    "2023-02-29",
                    "2023-13-01",
                    "2023-1-1",
                    "2023-01-01T00:00",
                    "+023-01-01",
                ],
            ),
            ("time", vec!["24:00", "12:60", "1:00", "12"]),
            ("datetime", vec!["2017-12-25", "2017-12-25 00:00", "2017-12-25T00:00:00", "2017-12-25TT00:00"]),
            ("epoch", vec!["0"]),
        ] {
            assert!(!odd.iter().any(|text| picker_value(mode, text).is_some()), "{mode}");
        }
    }

    #[test]
    fn names_that_pose_as_line() {
        assert!(["LINE", "line team", "公式LINE"].iter().all(|name| poses_as_line(name)));
        assert!(!["Airline", "Tea shop", ""].iter().any(|name| poses_as_line(name)));
    }

    #[test]
    fn addresses() {
        let local = Rules { loopback_http: true };
        assert!(media_url("https://a.example/%E8%8C%B6.png", Rules::default()).is_ok());
        for here in ["http://localhost:1/x", "http://127.0.0.1/x", "http://[::1]/x"] {
            assert!(media_url(here, local).is_ok());
            assert!(matches!(media_url(here, Rules::default()), Err(UrlFault::Scheme)));
        }
        assert!(matches!(media_url("http://a.example/x", local), Err(UrlFault::Scheme)));
        for odd in ["x", "https://a.example/茶.png", "https://a.example/a b", "https://"] {
            assert!(matches!(media_url(odd, Rules::default()), Err(UrlFault::Form)), "{odd}");
        }
        for fine in ["http://a.example", "https://a.example", "line://app/1-a", "tel:09001234567"] {
            assert!(link(fine).is_ok(), "{fine}");
        }
        assert!(matches!(link("mailto:a@a.example"), Err(UrlFault::Scheme)));
        assert!(matches!(link("javascript:alert(1)"), Err(UrlFault::Scheme)));
    }

    proptest! {
        #[test]
        fn length_is_that_of_compact_json(
            text in ".*",
            number in any::<f64>(),
            list in proptest::collection::vec(".*", 0..4),
        ) {
            let value = json!({"text": text, "n": number, "list": list, "empty": {}, "none": null, "flag": true});
            prop_assert_eq!(json_len(value.as_object().unwrap()), value.to_string().len());
        }
    }
}
