//! What a check found, and how that is said.

use std::borrow::Cow;

use serde_json::json;

use crate::clock::Timestamp;
use crate::web::i18n::{Language, Word, maybe_words_with, words};
use crate::web::moment_text;
use crate::words::words as enums;

enums! {
    /// What is checked (CONTRACT "Doctor").
    Code {
        /// LINE's switch "Use webhook" (GOTCHAS A8).
        UseWebhook = "use_webhook" / "use-webhook",
        /// The webhook address that stands at LINE.
        Endpoint = "endpoint" / "endpoint",
        /// LINE's own test of the webhook: its last run.
        WebhookTest = "webhook_test" / "webhook-test",
        /// Whether LINE takes the credentials.
        Token = "token" / "token",
        /// LINE's response mode against the plan of who answers.
        ChatMode = "chat_mode" / "chat-mode",
        /// Webhook redelivery, which LINE does not report: a dated tick (GOTCHAS A5).
        Redelivery = "redelivery" / "redelivery",
        /// Signatures that fitted no secret.
        Signature = "signature" / "signature",
        /// The month's messages.
        Quota = "quota" / "quota",
        /// When something last came in, against this account's own rhythm.
        LastEvent = "last_event" / "last-event",
        /// Whether the public address leads to this hub.
        PublicUrl = "public_url" / "public-url",
        /// The certificate at the public address: chain and days left (GOTCHAS A10).
        Certificate = "certificate" / "certificate",
        /// The LINE Login channel's credentials.
        LoginChannel = "login_channel" / "login-channel",
        /// The LIFF app.
        Liff = "liff" / "liff",
        /// Whether both channels belong to one provider (GOTCHAS D1).
        ProviderMatch = "provider_match" / "provider-match",
        /// LINE's switch for group chats: a dated tick.
        GroupChats = "group_chats" / "group-chats",
        /// Who greets new friends (GOTCHAS F5).
        GreetingOwner = "greeting_owner" / "greeting-owner",
        /// The machine's clock against LINE's.
        Clock = "clock" / "clock",
        /// The database's durability, and room on the disk.
        Storage = "storage" / "storage",
        /// Name, TLS and speed of LINE's host for calls (S3-02).
        LineApi = "line_api" / "line-host",
        /// The same of its host for contents.
        LineData = "line_data" / "line-host",
        /// The same of its host for sign-in.
        LineAccess = "line_access" / "line-host",
        /// Whether the data folder can be written.
        DataDir = "data_dir" / "data-dir",
        /// Whether the master key is kept from others.
        MasterKey = "master_key" / "master-key",
    }

    /// How a check ended. The order is that of urgency, the most urgent first.
    State {
        /// Something does not work.
        Failed = "failed" / "failed",
        /// Something will not work, or may lose something.
        Warning = "warning" / "warning",
        /// It cannot be judged.
        Unknown = "unknown" / "unknown",
        /// All is well.
        Ok = "ok" / "ok",
    }
}

impl Code {
    /// The checks of an account, in the order of the contract.
    pub const ACCOUNT: &[Self] = &[
        Self::UseWebhook,
        Self::Endpoint,
        Self::WebhookTest,
        Self::Token,
        Self::ChatMode,
        Self::Redelivery,
        Self::Signature,
        Self::Quota,
        Self::LastEvent,
        Self::PublicUrl,
        Self::Certificate,
        Self::LoginChannel,
        Self::Liff,
        Self::ProviderMatch,
        Self::GroupChats,
        Self::GreetingOwner,
        Self::Clock,
        Self::Storage,
    ];
    /// The checks of the machine, which need no account.
    pub const SYSTEM: &[Self] = &[
        Self::LineApi,
        Self::LineData,
        Self::LineAccess,
        Self::PublicUrl,
        Self::Certificate,
        Self::Clock,
        Self::Storage,
        Self::DataDir,
        Self::MasterKey,
    ];
}

/// A value that stands in the words of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// As it is: an address, LINE's own words. Never a secret.
    Text(String),
    /// A number; it also chooses the plural.
    Number(i64),
    /// A moment, written in the reader's language and zone.
    Time(Timestamp),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

/// The beginning of variants whose words are the same for every code: `any-silent`.
const ANY: &str = "any-";

/// Who reads: the language and the zone in which words and moments are written.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The language.
    pub language: Language,
    /// An IANA zone; `None` for UTC.
    pub zone: Option<&'a str>,
    /// The present, by which a date goes without its year.
    pub now: Timestamp,
}

impl Reader<'_> {
    /// A program, which reads English in UTC.
    #[must_use]
    pub const fn program(now: Timestamp) -> Self {
        Self { language: Language::En, zone: None, now }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub code: Code,
    /// How it ended.
    pub state: State,
    /// Which of the code's findings it is, as in the keys of words: `off`, `other-provider`.
    pub variant: Cow<'static, str>,
    /// What the words name.
    pub args: Vec<(Cow<'static, str>, Value)>,
    /// When it was looked at.
    pub checked_at: Timestamp,
}

impl Finding {
    /// A finding of a code; `variant` has its words under `doctor-<code>-<variant>-…` in all languages.
    #[must_use]
    pub const fn new(code: Code, state: State, variant: &'static str, checked_at: Timestamp) -> Self {
        Self { code, state, variant: Cow::Borrowed(variant), args: Vec::new(), checked_at }
    }

    /// Adds a value that the words name.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.args.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// The text under this name, where there is one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.args.iter().find_map(|(key, value)| match value {
            Value::Text(text) if key == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn title(&self, reader: Reader<'_>) -> String {
        self.said("title", reader)
    }

    /// What was seen, and what that means.
    #[must_use]
    pub fn detail(&self, reader: Reader<'_>) -> String {
        self.said("detail", reader)
    }

    /// What to do; `None` where nothing is to be done.
    #[must_use]
    pub fn fix(&self, reader: Reader<'_>) -> Option<String> {
        maybe_words_with(reader.language, &self.key("fix"), self.words(reader))
    }

    fn said(&self, part: &str, reader: Reader<'_>) -> String {
        let key = self.key(part);
        maybe_words_with(reader.language, &key, self.words(reader)).unwrap_or_else(|| {
            tracing::error!(key, "a finding has no words");
            String::new()
        })
    }

    /// The check's name.
    #[must_use]
    pub fn name(&self, language: Language) -> String {
        words(language, &format!("doctor-name-{}", self.code.as_str().replace('_', "-")), &[])
    }

    /// The values for the words of an alert: texts and numbers.
    #[must_use]
    pub fn alert_args(&self) -> serde_json::Value {
        let value = |value: &Value| match value {
            Value::Text(text) => Some(json!(text)),
            Value::Number(number) => Some(json!(number)),
            Value::Time(_) => None,
        };
        let named = self.args.iter().filter_map(|(name, arg)| {
            // The alerts' word for the month's limit.
            let name = if name == "limit" { "total" } else { &**name };
            Some((name.to_owned(), value(arg)?))
        });
        serde_json::Value::Object(named.collect())
    }

    fn key(&self, part: &str) -> String {
        // That LINE was silent or took no credentials is said the same of every check.
        let code = if self.variant.starts_with(ANY) { "" } else { self.code.key() };
        format!("doctor-{code}{}{}-{part}", if code.is_empty() { "" } else { "-" }, self.variant)
    }

    fn words(&self, reader: Reader<'_>) -> Vec<(Cow<'static, str>, Word)> {
        let word = |value: &Value| match value {
            Value::Text(text) => Word::from(text),
            Value::Number(number) => Word::from(number),
            Value::Time(at) => Word::from(moment_text(reader.language, reader.zone, reader.now, *at)),
        };
        self.args.iter().map(|(name, value)| (name.clone(), word(value))).collect()
    }

    /// The values as JSON, for the database.
    #[must_use]
    pub fn args_json(&self) -> String {
        let value = |value: &Value| match value {
            Value::Text(text) => json!({ "text": text }),
            Value::Number(number) => json!({ "number": number }),
            Value::Time(at) => json!({ "time": at.millis() }),
        };
        let map: serde_json::Map<_, _> =
            self.args.iter().map(|(name, arg)| (name.to_string(), value(arg))).collect();
        serde_json::Value::Object(map).to_string()
    }

    /// Reads [`Self::args_json`]; what is not understood is left out.
    #[must_use]
    pub fn read_args(json: &str) -> Vec<(Cow<'static, str>, Value)> {
        let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
        let value = |value: &serde_json::Value| {
            let (kind, value) = value.as_object()?.iter().next()?;
            match kind.as_str() {
                "text" => Some(Value::Text(value.as_str()?.to_owned())),
                "number" => Some(Value::Number(value.as_i64()?)),
                "time" => Some(Value::Time(Timestamp(value.as_i64()?))),
                _ => None,
            }
        };
        map.iter().filter_map(|(name, arg)| Some((Cow::Owned(name.clone()), value(arg)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_findings_values_come_back_from_the_database() {
        let finding = Finding::new(Code::Endpoint, State::Failed, "elsewhere", Timestamp(1))
            .with("address", "https://other.example/hook")
            .with("count", 3)
            .with("since", Timestamp(5));
        let mut back = Finding::read_args(&finding.args_json());
        back.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(back, finding.args);
        assert_eq!(Finding::read_args("odd"), []);
    }

    #[test]
    fn the_codes_are_those_of_the_contract() {
        // CONTRACT "Doctor"
        let codes = "use_webhook, endpoint, webhook_test, token, chat_mode, redelivery, signature, quota, last_event, \
            public_url, certificate, login_channel, liff, provider_match, group_chats, greeting_owner, clock, storage";
        // What only the check of the system asks, beside what it shares with the accounts'.
        let system = "line_api, line_data, line_access, data_dir, master_key";
        let ours: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(ours.join(", "), format!("{codes}, {system}"));
        assert!(Code::ALL.iter().all(|code| Code::parse(code.as_str()) == Some(*code)));
    }
}
