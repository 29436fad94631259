//! Four equal languages: which one a reader gets, and the words from `locales/<language>/<slice>.ftl`.

use std::borrow::Cow;
use std::collections::HashMap;

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, langid, static_loader};

static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        customise: |bundle| {
            // Isolation marks would stand in titles, attributes and copied texts.
            bundle.set_use_isolating(false);
            bundle.set_formatter(Some(|value, _| match value {
                FluentValue::Number(number) => Some(group(&number.as_string())),
                _ => None,
            }));
        },
    };
}

/// A language of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English, where nothing says otherwise.
    #[default]
    En,
    /// Traditional Chinese.
    ZhHant,
    /// Japanese.
    Ja,
    /// Thai.
    Th,
}

impl Language {
    /// All, in the order of the language menu.
    pub const ALL: [Self; 4] = [Self::ZhHant, Self::En, Self::Ja, Self::Th];

    /// The BCP 47 tag, as in the `lang` attribute, the database and the folder of words.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhHant => "zh-Hant",
            Self::Ja => "ja",
            Self::Th => "th",
        }
    }

    /// The language's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::ZhHant => "繁體中文",
            Self::Ja => "日本語",
            Self::Th => "ไทย",
        }
    }

    /// Reads a tag as [`Language::tag`] writes it.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The best language for an `Accept-Language` header; every Chinese reads Traditional Chinese rather than English.
    #[must_use]
    pub fn negotiate(header: &str) -> Option<Self> {
        let mut wanted: Vec<(f32, Self)> = header
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';');
                let tag = parts.next()?.trim().to_ascii_lowercase();
                let quality =
                    parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
                let language = match tag.split('-').next()? {
                    "en" => Self::En,
                    "zh" => Self::ZhHant,
                    "ja" => Self::Ja,
                    "th" => Self::Th,
                    _ => return None,
                };
                (quality > 0.0).then_some((quality, language))
            })
            .collect();
        // A stable sort keeps the reader's own order among equals.
        wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
        wanted.first().map(|(_, language)| *language)
    }

    fn id(self) -> &'static LanguageIdentifier {
        static EN: LanguageIdentifier = langid!("en");
        static ZH_HANT: LanguageIdentifier = langid!("zh-Hant");
        static JA: LanguageIdentifier = langid!("ja");
        static TH: LanguageIdentifier = langid!("th");
        match self {
            Self::En => &EN,
            Self::ZhHant => &ZH_HANT,
            Self::Ja => &JA,
            Self::Th => &TH,
        }
    }
}

/// A value that stands in a sentence: a text, or a number that also chooses the plural.
#[derive(Debug, Clone)]
pub struct Word(FluentValue<'static>);

macro_rules! words {
    ($($from:ty => $convert:expr;)*) => {$(
        impl From<$from> for Word {
            fn from(value: $from) -> Self {
                Self(($convert)(value))
            }
        }
    )*};
}

words! {
    &str => |v: &str| FluentValue::from(v.to_owned());
    &&str => |v: &&str| FluentValue::from((*v).to_owned());
    &String => |v: &String| FluentValue::from(v.clone());
    &&String => |v: &&String| FluentValue::from((*v).clone());
    String => FluentValue::from;
    i64 => FluentValue::from;
    &i64 => |v: &i64| FluentValue::from(*v);
    &&i64 => |v: &&i64| FluentValue::from(**v);
    u64 => FluentValue::from;
    &u64 => |v: &u64| FluentValue::from(*v);
    i32 => FluentValue::from;
    &i32 => |v: &i32| FluentValue::from(*v);
    u32 => FluentValue::from;
    &u32 => |v: &u32| FluentValue::from(*v);
    usize => FluentValue::from;
    &usize => |v: &usize| FluentValue::from(*v);
    &&usize => |v: &&usize| FluentValue::from(**v);
}

/// The words of `key` in a language, with `arguments` put in. A key that does not exist (a test looks for those) is
/// logged and shows as nothing rather than as itself.
#[must_use]
pub fn words(language: Language, key: &str, arguments: &[(&'static str, Word)]) -> String {
    let named = arguments.iter().map(|(name, word)| (Cow::Borrowed(*name), word.clone()));
    maybe_words_with(language, key, named).unwrap_or_else(|| {
        tracing::error!(key, language = language.tag(), "there are no words for this key");
        String::new()
    })
}

/// The words of a key that need not exist, with arguments whose names are known only at run time, because they were
/// stored; `None` also where the words name an argument that is not given.
#[must_use]
pub fn maybe_words_with(
    language: Language,
    key: &str,
    arguments: impl IntoIterator<Item = (Cow<'static, str>, Word)>,
) -> Option<String> {
    let arguments: HashMap<Cow<'static, str>, FluentValue<'static>> =
        arguments.into_iter().map(|(name, word)| (name, word.0)).collect();
    LOCALES.try_lookup_complete(language.id(), key, Some(&arguments))
}

/// The words of a key that need not exist (one made from an error's code or an action's name).
#[must_use]
pub fn maybe_words(language: Language, key: &str) -> Option<String> {
    LOCALES.try_lookup_complete(language.id(), key, None)
}

/// A number with its thousands set apart by commas, as all four languages write it.
#[must_use]
pub fn number(value: i64) -> String {
    group(&value.to_string())
}

fn group(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let mut out = String::from(sign);
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readers_first_known_language_is_chosen() {
        let cases = [
            ("zh-TW,zh;q=0.9,en;q=0.8", Some(Language::ZhHant)),
            ("zh-HK", Some(Language::ZhHant)),
            ("zh-Hant-TW", Some(Language::ZhHant)),
            ("de-DE,de;q=0.9,ja;q=0.5,en;q=0.3", Some(Language::Ja)),
            ("en;q=0.4, th;q=0.9", Some(Language::Th)),
            ("EN-us", Some(Language::En)),
            ("ja;q=0, en;q=0.1", Some(Language::En)),
            ("fr", None),
            ("", None),
            (";;q=,,", None),
        ];
        for (header, language) in cases {
            assert_eq!(Language::negotiate(header), language, "{header}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(-999), "-999");
        assert_eq!(number(100), "100");
        assert_eq!(group("-1234.5"), "-1,234.5");
    }
}
