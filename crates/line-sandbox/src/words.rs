//! The pages' words in four languages (`locales/{lang}/*.ftl`), chosen by a cookie or the browser.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::http::{HeaderMap, header};
use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, langid, static_loader};
use line_view::Labels;

static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        // The isolating marks would show up in titles and copied text.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The cookie that remembers the choice.
pub(crate) const COOKIE: &str = "sandbox_lang";

/// A language of the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    code: &'static str,
    id: LanguageIdentifier,
}

/// Codes with the names by which their readers know them.
const LANGUAGES: [(&str, &str, LanguageIdentifier); 4] = [
    ("zh-Hant", "繁體中文", langid!("zh-Hant")),
    ("en", "English", langid!("en")),
    ("ja", "日本語", langid!("ja")),
    ("th", "ไทย", langid!("th")),
];

/// One choice of the language switch.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) chosen: bool,
}

impl Words {
    /// The language of a code; `None` when it is not one of the four.
    pub(crate) fn of(code: &str) -> Option<Self> {
        let (code, _, id) = LANGUAGES.into_iter().find(|(known, ..)| *known == code)?;
        Some(Self { code, id })
    }

    /// The chosen language, else the browser's first that is one of ours, else English.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookie = text(header::COOKIE).split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE).then_some(value)
        });
        let wanted = || accepted(text(header::ACCEPT_LANGUAGE)).find_map(Self::of);
        cookie.and_then(Self::of).or_else(wanted).unwrap_or(Self { code: "en", id: langid!("en") })
    }

    /// The first of ours in a list of BCP 47 tags, separated by spaces as in `ui_locales`.
    pub(crate) fn from_locales(locales: &str) -> Option<Self> {
        accepted(&locales.replace(' ', ",")).find_map(Self::of)
    }

    /// The code for `lang` attributes.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn choices(&self) -> Vec<Choice> {
        LANGUAGES
            .into_iter()
            .map(|(code, name, _)| Choice { code, name, chosen: code == self.code })
            .collect()
    }

    /// The text of a key.
    pub(crate) fn say(&self, key: &str) -> String {
        LOCALES.lookup(&self.id, key)
    }

    /// The text of a key with a name in it.
    pub(crate) fn say_name(&self, key: &str, name: &str) -> String {
        self.with(key, "name", FluentValue::from(name))
    }

    /// The text of a key with a number in it.
    pub(crate) fn say_count(&self, key: &str, count: &usize) -> String {
        self.with(key, "count", FluentValue::from(*count))
    }

    /// The text of a key whose `reason` the browser fills in where `%` stands.
    pub(crate) fn say_reason(&self, key: &str) -> String {
        self.with(key, "reason", FluentValue::from("%"))
    }

    fn with(&self, key: &str, name: &'static str, value: FluentValue<'_>) -> String {
        LOCALES.lookup_with_args(&self.id, key, &HashMap::from([(Cow::Borrowed(name), value)]))
    }

    /// The words of `line-view`.
    pub(crate) fn labels(&self) -> Labels {
        Labels {
            unsupported: self.say("lv-unsupported"),
            message: self.say("lv-message"),
            sticker: self.say("lv-sticker"),
            emoji: self.say("lv-emoji"),
            image: self.say("lv-image"),
            video: self.say("lv-video"),
            audio: self.say("lv-audio"),
            file: self.say("lv-file"),
            location: self.say("lv-location"),
            coupon: self.say("lv-coupon"),
            open_link: self.say("lv-open-link"),
            open_map: self.say("lv-open-map"),
            unavailable: self.say("lv-unavailable"),
            quick_replies: self.say("lv-quick-replies"),
            quote: self.say("lv-quote"),
            everyone: self.say("lv-everyone"),
            member: self.say("lv-member"),
        }
    }
}

/// Our codes for an `Accept-Language` header, in its order; every Chinese reader gets the one Chinese we have.
fn accepted(header: &str) -> impl Iterator<Item = &'static str> {
    header.split(',').filter_map(|range| {
        let tag = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match tag.split('-').next().unwrap_or_default() {
            "zh" => Some("zh-Hant"),
            "en" => Some("en"),
            "ja" => Some("ja"),
            "th" => Some("th"),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn with(name: header::HeaderName, value: &str) -> Words {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Words::from_headers(&headers)
    }

    #[test]
    fn the_browser_decides_until_someone_chooses() {
        assert_eq!(with(header::ACCEPT_LANGUAGE, "fr, th;q=0.9, en;q=0.8").code(), "th");
        assert_eq!(with(header::ACCEPT_LANGUAGE, "zh-TW").code(), "zh-Hant");
        assert_eq!(with(header::ACCEPT_LANGUAGE, "fr").code(), "en");
        assert_eq!(with(header::COOKIE, "a=b; sandbox_lang=ja").code(), "ja");
    }

    #[test]
    fn names_and_numbers_are_put_in() {
        let english = Words::of("en").unwrap();
        assert_eq!(english.say_count("friends-count", &1), "1 friend");
        assert_eq!(english.say_name("typing", "Tea"), "Tea is preparing an answer");
        assert_eq!(english.say_reason("not-sent"), "This was not sent: %");
    }

    /// Every file below a folder.
    fn files(folder: &Path) -> Vec<String> {
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => texts.extend(files(&path)),
                false => texts.extend(std::fs::read_to_string(path).ok()),
            }
        }
        texts
    }

    /// The keys of a language.
    fn keys(code: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        files(&root.join("locales").join(code))
            .iter()
            .flat_map(|text| text.lines())
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .filter_map(|line| Some(line.split_once(" =")?.0.to_owned()))
            .collect()
    }

    /// The keys that pages use: `say("…")` and its kin, in templates and in the code.
    fn used() -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut used = BTreeSet::new();
        for text in ["templates", "src"].iter().flat_map(|folder| files(&root.join(folder))) {
            let production = text.split("#[cfg(test)]").next().unwrap_or_default();
            for call in production.split(".say").skip(1) {
                let Some(argument) = call.split_once('(').map(|(_, rest)| rest.trim_start()) else {
                    continue;
                };
                let Some(key) = argument.strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                    continue;
                };
                used.insert(key.to_owned());
            }
        }
        used
    }

    /// Every key is there in every language, and none is there for nothing.
    #[test]
    fn no_key_is_missing_or_unused() {
        let used = used();
        for (code, ..) in LANGUAGES {
            let keys = keys(code);
            let missing: Vec<_> = used.difference(&keys).collect();
            let unused: Vec<_> = keys.difference(&used).collect();
            assert!(missing.is_empty(), "{code} lacks {missing:?}");
            assert!(unused.is_empty(), "{code} has unused {unused:?}");
        }
    }
}
