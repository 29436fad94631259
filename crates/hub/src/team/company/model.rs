//! A company, and the rules of its values.

use std::collections::BTreeMap;

use url::Url;

use crate::clock::Timestamp;
use crate::config::Config;
use crate::error::FieldError;
use crate::text::storable;

/// The stages of set-up that may have a video of the operator's, in order.
pub const STAGES: [&str; 4] = ["account", "messaging", "login", "done"];
/// The longest name, in characters: LINE's limit for a provider's name is 100.
const NAME_MAX: usize = 100;
/// The longest address, in bytes.
const URL_MAX: usize = 1000;
/// The longest hosted text, in characters.
const TEXT_MAX: usize = 50_000;

/// The market, which decides what LINE's forms want as country or region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub enum Country {
    /// Taiwan.
    #[serde(rename = "TW")]
    Taiwan,
    /// Japan.
    #[serde(rename = "JP")]
    Japan,
    /// Thailand.
    #[serde(rename = "TH")]
    Thailand,
    /// Another one.
    #[serde(rename = "other")]
    Other,
}

impl Country {
    /// All, in the order of the form.
    pub const ALL: [Self; 4] = [Self::Taiwan, Self::Japan, Self::Thailand, Self::Other];

    /// `TW`, `JP`, `TH` or `other`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Taiwan => "TW",
            Self::Japan => "JP",
            Self::Thailand => "TH",
            Self::Other => "other",
        }
    }

    /// Reads what [`Country::code`] writes.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|country| country.code() == code)
    }

    /// The market of a time zone's name, as the first guess for a new tenant.
    #[must_use]
    pub fn of_zone(zone: &str) -> Option<Self> {
        match zone {
            "Asia/Taipei" => Some(Self::Taiwan),
            "Asia/Tokyo" | "Japan" => Some(Self::Japan),
            "Asia/Bangkok" => Some(Self::Thailand),
            _ => None,
        }
    }
}

/// One of the two texts that LINE asks a channel for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The privacy policy.
    Privacy,
    /// The terms of use.
    Terms,
}

impl Document {
    /// `privacy` or `terms`, as in the address.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Privacy => "privacy",
            Self::Terms => "terms",
        }
    }

    /// Reads what [`Document::word`] writes.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Privacy, Self::Terms].into_iter().find(|document| document.word() == word)
    }
}

/// What a tenant says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Its public name, suggested as the name of LINE's provider; the tenant's name until one is given.
    pub name: String,
    /// Whether somebody chose that name; else it is the one of the tenant that was made on an empty hub.
    pub is_named: bool,
    /// Its market; guessed by the tenant's time zone until one is given.
    pub country: Option<Country>,
    /// The zone in which its people see times: `Asia/Taipei`.
    pub time_zone: String,
    /// Its public site.
    pub site_url: Option<String>,
    /// Its own privacy policy.
    pub privacy_url: Option<String>,
    /// Its own terms of use.
    pub terms_url: Option<String>,
    /// The privacy policy that the hub shows for it.
    pub privacy_text: Option<String>,
    /// The terms of use that the hub shows for it.
    pub terms_text: Option<String>,
    /// Where its people find help: an https address or `mailto:`.
    pub support_url: Option<String>,
    /// Addresses of the operator's videos, by the words of [`STAGES`].
    pub videos: BTreeMap<String, String>,
    /// When the service ends, where the operator set that.
    pub expires_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// By whom.
    pub updated_by: Option<String>,
    pub(super) legal_key: String,
}

impl Company {
    /// The address of a document for LINE's forms: the tenant's own, else the hub's page where a text was written.
    #[must_use]
    pub fn address(&self, config: &Config, document: Document) -> Option<String> {
        let (own, text) = match document {
            Document::Privacy => (&self.privacy_url, &self.privacy_text),
            Document::Terms => (&self.terms_url, &self.terms_text),
        };
        own.clone().or_else(|| text.as_ref().map(|_| self.hosted_address(config, document)))
    }

    /// Where the hub shows a text, once there is one.
    #[must_use]
    pub fn hosted_address(&self, config: &Config, document: Document) -> String {
        let base = config.public_url.as_str().trim_end_matches('/');
        format!("{base}/legal/{}/{}", self.legal_key, document.word())
    }

    /// The video of a stage, one of [`STAGES`].
    #[must_use]
    pub fn video(&self, stage: &str) -> Option<&str> {
        self.videos.get(stage).map(String::as_str)
    }
}

/// What is changed: `None` leaves a value as it is, an empty text removes it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// See [`Company::name`].
    pub name: Option<String>,
    /// A country's code, or the empty text.
    pub country: Option<String>,
    /// See [`Company::time_zone`]; cannot be removed.
    pub time_zone: Option<String>,
    /// See [`Company::site_url`].
    pub site_url: Option<String>,
    /// See [`Company::privacy_url`].
    pub privacy_url: Option<String>,
    /// See [`Company::terms_url`].
    pub terms_url: Option<String>,
    /// See [`Company::privacy_text`].
    pub privacy_text: Option<String>,
    /// See [`Company::terms_text`].
    pub terms_text: Option<String>,
    /// See [`Company::support_url`].
    pub support_url: Option<String>,
    /// See [`Company::videos`]; only the stages named are changed.
    pub videos: Option<BTreeMap<String, String>>,
}

/// The values as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) name: Option<String>,
    pub(super) country: Option<String>,
    pub(super) time_zone: Option<String>,
    pub(super) site_url: Option<String>,
    pub(super) privacy_url: Option<String>,
    pub(super) terms_url: Option<String>,
    pub(super) privacy_text: Option<String>,
    pub(super) terms_text: Option<String>,
    pub(super) support_url: Option<String>,
    pub(super) videos: BTreeMap<String, String>,
}

impl Values {
    /// Puts changes in; gives the names of the fields that are different now.
    pub(super) fn apply(&mut self, changes: Changes) -> Result<Vec<&'static str>, Vec<FieldError>> {
        let (mut errors, mut changed) = (Vec::new(), Vec::new());
        let fields: [(&'static str, Option<String>, &mut Option<String>, Rule); 9] = [
            ("name", changes.name, &mut self.name, Rule::Name),
            ("country", changes.country, &mut self.country, Rule::Country),
            ("time_zone", changes.time_zone, &mut self.time_zone, Rule::Zone),
            ("site_url", changes.site_url, &mut self.site_url, Rule::Https),
            ("privacy_url", changes.privacy_url, &mut self.privacy_url, Rule::Https),
            ("terms_url", changes.terms_url, &mut self.terms_url, Rule::Https),
            ("privacy_text", changes.privacy_text, &mut self.privacy_text, Rule::Text),
            ("terms_text", changes.terms_text, &mut self.terms_text, Rule::Text),
            ("support_url", changes.support_url, &mut self.support_url, Rule::HttpsOrMail),
        ];
        for (field, new, place, rule) in fields {
            let Some(new) = new else { continue };
            match rule.check(&new) {
                Ok(new) if new != *place => {
                    *place = new;
                    changed.push(field);
                }
                Ok(_) => {}
                Err((code, detail)) => errors.push(FieldError::new(field, code, detail)),
            }
        }
        let before = self.videos.clone();
        for (stage, address) in changes.videos.unwrap_or_default() {
            let field = format!("videos.{stage}");
            if !STAGES.contains(&stage.as_str()) {
                errors.push(FieldError::new(field, "unknown", "there is no such stage"));
                continue;
            }
            match Rule::Https.check(&address) {
                Ok(Some(address)) => drop(self.videos.insert(stage, address)),
                Ok(None) => drop(self.videos.remove(&stage)),
                Err((code, detail)) => errors.push(FieldError::new(field, code, detail)),
            }
        }
        if before != self.videos {
            changed.push("videos");
        }
        if errors.is_empty() { Ok(changed) } else { Err(errors) }
    }
}

/// What a value must be.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Name,
    Country,
    Zone,
    Https,
    HttpsOrMail,
    Text,
}

impl Rule {
    fn check(self, value: &str) -> Result<Option<String>, (&'static str, String)> {
        let value = storable(value.trim());
        if value.is_empty() && !matches!(self, Self::Zone) {
            return Ok(None);
        }
        let length = value.chars().count();
        match self {
            Self::Name if length > NAME_MAX => {
                Err(("too_long", format!("a name has at most {NAME_MAX} characters")))
            }
            Self::Text if length > TEXT_MAX => {
                Err(("too_long", format!("a text has at most {TEXT_MAX} characters")))
            }
            Self::Country if Country::parse(&value).is_none() => {
                Err(("unknown", "the country is TW, JP, TH or other".to_owned()))
            }
            Self::Zone if jiff::tz::TimeZone::get(&value).is_err() => {
                Err(("unknown", "there is no such time zone; write it as Asia/Taipei".to_owned()))
            }
            Self::Name | Self::Text | Self::Country | Self::Zone => Ok(Some(value)),
            Self::Https | Self::HttpsOrMail => {
                let url = Url::parse(&value).ok().filter(|_| value.len() <= URL_MAX);
                let is_fine = url.is_some_and(|url| match url.scheme() {
                    "https" => {
                        url.host_str().is_some() && url.username().is_empty() && url.password().is_none()
                    }
                    "mailto" => matches!(self, Self::HttpsOrMail) && url.path().contains('@'),
                    _ => false,
                });
                if is_fine {
                    return Ok(Some(value));
                }
                Err(match self {
                    Self::HttpsOrMail => {
                        ("not_https", "give an address that begins with https:// or mailto:".to_owned())
                    }
                    _ => ("not_https", "give an address that begins with https://".to_owned()),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn values_are_checked_and_only_differences_count() {
        let mut values = Values::default();
        let changes = Changes {
            name: text(" 小森茶行 "),
            country: text("TW"),
            site_url: text("https://tea.example/"),
            support_url: text("mailto:help@tea.example"),
            videos: Some(BTreeMap::from([("login".to_owned(), "https://v.example/1".to_owned())])),
            ..Changes::default()
        };
        let changed = values.apply(changes.clone()).unwrap();
        assert_eq!(changed, ["name", "country", "site_url", "support_url", "videos"]);
        assert_eq!(values.name.as_deref(), Some("小森茶行"));
        assert!(values.apply(changes).unwrap().is_empty());
        let removed = Changes { site_url: text(" "), ..Changes::default() };
        assert_eq!(values.apply(removed).unwrap(), ["site_url"]);
        assert_eq!(values.site_url, None);
    }

    #[test]
    fn an_address_that_a_browser_must_not_open_is_refused() {
        for wrong in [
            "http://tea.example",
            "javascript:alert(1)",
            "tea.example",
            "https://a:b@tea.example",
            "mailto:a@b",
        ] {
            let changes = Changes { privacy_url: text(wrong), ..Changes::default() };
            let errors = Values::default().apply(changes).unwrap_err();
            assert_eq!((errors[0].field.as_str(), errors[0].code), ("privacy_url", "not_https"), "{wrong}");
        }
        let changes = Changes {
            name: Some("a".repeat(101)),
            country: text("CN"),
            time_zone: text("Mars/Base"),
            support_url: text("data:text/html,x"),
            videos: Some(BTreeMap::from([("nowhere".to_owned(), "https://v.example".to_owned())])),
            ..Changes::default()
        };
        let errors = Values::default().apply(changes).unwrap_err();
        let errors: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.code)).collect();
        let expected = [
            ("name", "too_long"),
            ("country", "unknown"),
            ("time_zone", "unknown"),
            ("support_url", "not_https"),
            ("videos.nowhere", "unknown"),
        ];
        assert_eq!(errors, expected);
    }
}
