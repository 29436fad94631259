//! Values for `data-lv-css`: parsed from the message, checked, and written anew. Only this module can make a [`Safe`].

use crate::read;
use serde_json::Value;
use std::fmt::Write as _;

/// The properties that may stand in `data-lv-css`; the script applies no other.
#[cfg(test)]
pub(crate) const PROPERTIES: &[&str] = &[
    "--lv-fs",
    "--lv-line-gap",
    "--lv-width-em",
    "-webkit-line-clamp",
    "aspect-ratio",
    "background-color",
    "background-image",
    "border-color",
    "border-radius",
    "border-width",
    "bottom",
    "color",
    "flex-grow",
    "height",
    "inset-inline-end",
    "inset-inline-start",
    "left",
    "margin-inline-start",
    "margin-top",
    "max-height",
    "max-width",
    "padding",
    "padding-bottom",
    "padding-inline-end",
    "padding-inline-start",
    "padding-top",
    "top",
    "width",
];

/// Keywords of margin, spacing, padding, offset and corner radius (PLATFORM 21).
const SPACES: &[&str] = &["none", "xs", "sm", "md", "lg", "xl", "xxl"];
/// Keywords of text, span and icon sizes; pictures know `full` besides (PLATFORM 21).
const SIZES: &[&str] = &["xxs", "xs", "sm", "md", "lg", "xl", "xxl", "3xl", "4xl", "5xl", "full"];
/// Keywords of border widths (PLATFORM 21).
const BORDERS: &[&str] = &["none", "light", "normal", "medium", "semi-bold", "bold"];

/// Largest number of pixels or percent taken.
const LARGEST: f64 = 5_000.0;

/// A CSS value that we wrote.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Safe(String);

impl Safe {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A size as LINE gives it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Size {
    /// One of LINE's keywords; the stylesheet has a class for each.
    Keyword(&'static str),
    /// Pixels or percent.
    Exact(Safe),
}

impl Size {
    /// A keyword of spaces as its pixels: for a side of a box whose `padding` is exact, and so stronger than a class.
    fn exact(self) -> Self {
        match self {
            Self::Keyword("xs") => Self::Exact(Safe("2px".into())),
            Self::Keyword("sm") => Self::Exact(Safe("4px".into())),
            Self::Keyword("md") => Self::Exact(Safe("8px".into())),
            Self::Keyword("lg") => Self::Exact(Safe("12px".into())),
            Self::Keyword("xl") => Self::Exact(Safe("16px".into())),
            Self::Keyword("xxl") => Self::Exact(Safe("20px".into())),
            Self::Keyword(_) => Self::Exact(Safe("0".into())),
            exact @ Self::Exact(_) => exact,
        }
    }

    /// Whether it is a part of the room there is: percent, or all of it.
    pub(crate) fn is_part(&self) -> bool {
        match self {
            Self::Keyword(keyword) => *keyword == "full",
            Self::Exact(value) => value.0.ends_with('%'),
        }
    }
}

/// The margin, spacing or corner radius at `key`: keyword or pixels.
pub(crate) fn space(object: &Value, key: &str) -> Option<Size> {
    keyword_or(object, key, SPACES, |text| units(text, &["px"], 0.0))
}

/// The padding at `key`: keyword, pixels or percent.
pub(crate) fn padding(object: &Value, key: &str) -> Option<Size> {
    let size = keyword_or(object, key, SPACES, |text| units(text, &["px", "%"], 0.0));
    let all = units(read::text(object, "paddingAll"), &["px", "%"], 0.0);
    if all.is_some() { size.map(Size::exact) } else { size }
}

/// The offset at `key`: keyword, pixels or percent; may be negative.
pub(crate) fn offset(object: &Value, key: &str) -> Option<Size> {
    keyword_or(object, key, SPACES, |text| units(text, &["px", "%"], -LARGEST))
}

/// The size of a text, span or icon at `key`: keyword or pixels.
pub(crate) fn font_size(object: &Value, key: &str) -> Option<Size> {
    keyword_or(object, key, SIZES, |text| units(text, &["px"], 0.0))
        .filter(|size| *size != Size::Keyword("full"))
}

/// The width of a picture at `key`: keyword, pixels or percent.
pub(crate) fn image_size(object: &Value, key: &str) -> Option<Size> {
    keyword_or(object, key, SIZES, |text| units(text, &["px", "%"], 0.0))
}

/// The border width at `key`: keyword or pixels.
pub(crate) fn border(object: &Value, key: &str) -> Option<Size> {
    keyword_or(object, key, BORDERS, |text| units(text, &["px"], 0.0))
}

/// The pixels or percent at `key`.
pub(crate) fn length(object: &Value, key: &str) -> Option<Safe> {
    units(read::text(object, key), &["px", "%"], 0.0)
}

/// The pixels at `key`.
pub(crate) fn pixels(object: &Value, key: &str) -> Option<Safe> {
    units(read::text(object, key), &["px"], 0.0)
}

/// The colour at `key`: `#RRGGBB` or `#RRGGBBAA`.
pub(crate) fn colour(object: &Value, key: &str) -> Option<Safe> {
    let text = read::text(object, key);
    let digits = text.strip_prefix('#')?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (matches!(digits.len(), 6 | 8) && hex).then(|| Safe(text.to_ascii_lowercase()))
}

/// The `w:h` at `key`: each 1–100000, and the height at most three times the width (PLATFORM 21).
pub(crate) fn ratio(object: &Value, key: &str) -> Option<Safe> {
    let (width, height) = read::text(object, key).split_once(':')?;
    let (width, height) = (decimal(width)?, decimal(height)?);
    let valid = |side: f64| side > 0.0 && side <= 100_000.0;
    (valid(width) && valid(height))
        .then(|| Safe(format!("{}/{}", show(width), show(height.min(width * 3.0)))))
}

/// The ratio of two sides given as numbers.
pub(crate) fn ratio_of(width: f64, height: f64) -> Option<Safe> {
    (width >= 1.0 && height >= 1.0 && width <= 100_000.0 && height <= 100_000.0)
        .then(|| Safe(format!("{}/{}", show(width), show(height))))
}

/// How many percent `part` is of `whole`, 0–100.
pub(crate) fn share(part: f64, whole: f64) -> Option<Safe> {
    (whole >= 1.0).then(|| Safe(format!("{}%", show((part / whole * 100.0).clamp(0.0, 100.0)))))
}

/// A whole number from 1 to 1,000.
pub(crate) fn count(number: f64) -> Option<Safe> {
    (number >= 1.0).then(|| Safe(show(number.trunc().min(1_000.0))))
}

/// A number of em, from 1.
pub(crate) fn ems(number: f64) -> Safe {
    Safe(show(number.clamp(1.0, LARGEST)))
}

/// The linear gradient of a box's `background` (PLATFORM 21).
pub(crate) fn gradient(object: &Value) -> Option<Safe> {
    let background = object.get("background").filter(|b| read::text(b, "type") == "linearGradient")?;
    let angle =
        decimal(read::text(background, "angle").strip_suffix("deg")?).filter(|angle| *angle < 360.0)?;
    let (start, end) = (colour(background, "startColor")?, colour(background, "endColor")?);
    let mut css = format!("linear-gradient({}deg,{} 0%", show(angle), start.0);
    if let Some(centre) = colour(background, "centerColor") {
        let at = units(read::text(background, "centerPosition"), &["%"], 0.0).unwrap_or(Safe("50%".into()));
        // Writing to a string cannot fail.
        let _ = write!(css, ",{} {}", centre.0, at.0);
    }
    let _ = write!(css, ",{} 100%)", end.0);
    Some(Safe(css))
}

fn keyword_or(
    object: &Value,
    key: &str,
    words: &[&'static str],
    exact: impl Fn(&str) -> Option<Safe>,
) -> Option<Size> {
    read::keyword(object, key, words)
        .map(Size::Keyword)
        .or_else(|| exact(read::text(object, key)).map(Size::Exact))
}

fn units(text: &str, allowed: &[&'static str], least: f64) -> Option<Safe> {
    let (number, unit) = allowed.iter().find_map(|unit| Some((text.strip_suffix(unit)?, *unit)))?;
    let number = match number.strip_prefix('-') {
        Some(positive) => -decimal(positive)?,
        None => decimal(number)?,
    };
    (number >= least).then(|| Safe(format!("{}{unit}", show(number.clamp(-LARGEST, LARGEST)))))
}

/// A decimal number as LINE writes it: digits and at most one point; no sign, exponent, infinity.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (plain && text.len() <= 16 && text.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// The number with at most four decimals.
fn show(number: f64) -> String {
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn exact(text: &str) -> Option<Size> {
        Some(Size::Exact(Safe(text.into())))
    }

    #[test]
    fn sizes_are_keywords_pixels_or_percent() {
        // PLATFORM 21, "Value kind".
        assert_eq!(space(&json!({"margin": "xxl"}), "margin"), Some(Size::Keyword("xxl")));
        assert_eq!(space(&json!({"margin": "12.50px"}), "margin"), exact("12.5px"));
        assert_eq!(space(&json!({"margin": "12%"}), "margin"), None);
        assert_eq!(padding(&json!({"p": "12%"}), "p"), exact("12%"));
        assert_eq!(padding(&json!({"p": "xl", "paddingAll": "md"}), "p"), Some(Size::Keyword("xl")));
        for (word, pixels) in [
            ("none", "0"),
            ("xs", "2px"),
            ("sm", "4px"),
            ("md", "8px"),
            ("lg", "12px"),
            ("xl", "16px"),
            ("xxl", "20px"),
        ] {
            assert_eq!(padding(&json!({"p": word, "paddingAll": "1px"}), "p"), exact(pixels));
            assert!(crate::CSS.contains(&format!(".lv-pt-{word} {{ padding-top: {pixels}; }}")), "{word}");
        }
        assert_eq!(offset(&json!({"o": "-7px"}), "o"), exact("-7px"));
        assert_eq!(offset(&json!({"o": "-0px"}), "o"), exact("0px"));
        assert_eq!(padding(&json!({"p": "-7px"}), "p"), None);
        assert_eq!(padding(&json!({"p": "99999999px"}), "p"), exact("5000px"));
        assert_eq!(font_size(&json!({"size": "5xl"}), "size"), Some(Size::Keyword("5xl")));
        assert_eq!(font_size(&json!({"size": "full"}), "size"), None);
        assert_eq!(image_size(&json!({"size": "full"}), "size"), Some(Size::Keyword("full")));
        assert_eq!(border(&json!({"b": "semi-bold"}), "b"), Some(Size::Keyword("semi-bold")));
        for bad in
            ["", "px", "1e3px", "infpx", "NaNpx", "1 px", "+1px", ".px", "1.1.1px", "1px;color:red", "12"]
        {
            assert_eq!(offset(&json!({"o": bad}), "o"), None, "{bad}");
        }
    }

    #[test]
    fn colours_are_six_or_eight_hex_digits() {
        assert_eq!(colour(&json!({"c": "#AABBCC"}), "c"), Some(Safe("#aabbcc".into())));
        assert_eq!(colour(&json!({"c": "#aabbcc80"}), "c"), Some(Safe("#aabbcc80".into())));
        for bad in ["", "#", "#abc", "aabbcc", "red", "#aabbcg", "url(x)", "#aabbcc;x:y"] {
            assert_eq!(colour(&json!({"c": bad}), "c"), None, "{bad}");
        }
    }

    #[test]
    fn ratios_end_at_three_times_the_width() {
        assert_eq!(ratio(&json!({"r": "20:13"}), "r"), Some(Safe("20/13".into())));
        assert_eq!(ratio(&json!({"r": "1.51:1"}), "r"), Some(Safe("1.51/1".into())));
        assert_eq!(ratio(&json!({"r": "1:9"}), "r"), Some(Safe("1/3".into())));
        for bad in ["", "1", "0:1", "1:0", "a:b", "1:1:1", "-1:1", "100001:1"] {
            assert_eq!(ratio(&json!({"r": bad}), "r"), None, "{bad}");
        }
    }

    #[test]
    fn gradients_have_two_or_three_colours() {
        let two = json!({"background": {"type": "linearGradient", "angle": "90deg", "startColor": "#000000", "endColor": "#FFFFFF"}});
        assert_eq!(gradient(&two), Some(Safe("linear-gradient(90deg,#000000 0%,#ffffff 100%)".into())));
        let three = json!({"background": {"type": "linearGradient", "angle": "0deg", "startColor": "#000000",
            "endColor": "#ffffff", "centerColor": "#ff0000", "centerPosition": "10%"}});
        assert_eq!(
            gradient(&three),
            Some(Safe("linear-gradient(0deg,#000000 0%,#ff0000 10%,#ffffff 100%)".into()))
        );
        let turned = json!({"background": {"type": "linearGradient", "angle": "360deg", "startColor": "#000000", "endColor": "#ffffff"}});
        assert_eq!(gradient(&turned), None);
    }

    #[test]
    fn the_script_knows_every_property() {
        for property in PROPERTIES {
            assert!(crate::JS.contains(&format!("\"{property}\"")), "{property}");
        }
        let quoted = crate::JS.lines().filter(|line| line.trim_start().starts_with('"')).count();
        assert_eq!(quoted, PROPERTIES.len(), "the script's list and ours are the same");
    }
}
