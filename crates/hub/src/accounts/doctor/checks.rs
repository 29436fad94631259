//! The checks of an account: from what was read to what is found. Nothing here asks anybody.

use line_client::{BotInfo, Consumption, LineError, Quota, QuotaKind, WebhookEndpoint};

use super::model::{Code, Finding, State};
use super::repo::{Counters, Test};
use super::rhythm::{self, Rhythm};
use crate::accounts::model::{Attention, public_url_of};
use crate::clock::Timestamp;

/// In hundredths of the month's messages: from here on the end is near, and from here on it is at hand.
const NEAR: i64 = 80;
const AT_HAND: i64 = 95;
/// What was refused at the door longer ago than this is history.
const LATELY_MS: i64 = 24 * 3600 * 1000;

/// Why a value of LINE's could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// LINE takes the credentials no more; its words.
    Refused(String),
    /// LINE did not answer, or asks to slow down.
    Silent,
}

impl From<LineError> for Unread {
    fn from(error: LineError) -> Self {
        match &error {
            // An account that LINE suspended or unlinked answers 401 or 403 on everything (GOTCHAS F8).
            LineError::Credentials { .. } | LineError::Refused { status: 401 | 403, .. } => {
                let words = error.body().map(|body| body.message.clone()).filter(|words| !words.is_empty());
                Self::Refused(words.unwrap_or_else(|| error.to_string()))
            }
            _ => Self::Silent,
        }
    }
}

/// Everything that was read of an account.
#[derive(Debug, Clone)]
pub(super) struct Readings {
    /// When.
    pub(super) at: Timestamp,
    /// The webhook address that should stand at LINE.
    pub(super) ours: String,
    /// The end of this account's webhook addresses, under whatever public address of the hub.
    pub(super) key: String,
    /// Whether LINE ever had one of them.
    pub(super) is_registered: bool,
    /// Whether the token is a pasted one.
    pub(super) pasted: bool,
    /// The bot behind the channel.
    pub(super) bot: Result<BotInfo, Unread>,
    /// The address and switch at LINE; `None` within when none was ever set.
    pub(super) endpoint: Result<Option<WebhookEndpoint>, Unread>,
    /// The month's limit and what of it is used.
    pub(super) quota: Result<(Quota, Consumption), Unread>,
    /// The last run of LINE's own test.
    pub(super) test: Option<Test>,
    /// What the webhook door refused.
    pub(super) counters: Counters,
    /// Requests in quarantine, and when the last came.
    pub(super) waiting: (i64, Timestamp),
    /// When events last came in.
    pub(super) last_event_at: Option<Timestamp>,
    /// The hours in which events came in.
    pub(super) hours: Vec<i64>,
}

impl Readings {
    fn found(&self, code: Code, state: State, variant: &'static str) -> Finding {
        Finding::new(code, state, variant, self.at)
    }

    /// What is said of a check whose value could not be read.
    fn unread(&self, code: Code, why: &Unread) -> Finding {
        self.found(
            code,
            State::Unknown,
            match why {
                Unread::Refused(_) => "any-refused",
                Unread::Silent => "any-silent",
            },
        )
    }

    /// The address at LINE; `None` when it could not be read.
    fn address(&self) -> Option<&str> {
        let endpoint = self.endpoint.as_ref().ok()?;
        Some(endpoint.as_ref().map_or("", |endpoint| endpoint.endpoint.as_str()))
    }

    /// The public address of the hub that LINE has: of this account's address, were it an old one.
    pub(super) fn public_url(&self) -> Option<&str> {
        public_url_of(self.address()?, &self.key)
    }

    /// Whether LINE has another system's address, or none, that whoever connected the account wanted left as it is.
    pub(super) fn is_left(&self) -> bool {
        !self.is_registered && self.address().is_some() && self.public_url().is_none()
    }

    /// Whether LINE sends the events here.
    pub(super) fn is_switched_on(&self) -> bool {
        let Ok(Some(endpoint)) = &self.endpoint else { return false };
        endpoint.active && endpoint.endpoint == self.ours
    }

    /// The findings that need nothing but these readings.
    pub(super) fn findings(&self) -> Vec<Finding> {
        vec![
            self.use_webhook(),
            self.endpoint(),
            self.webhook_test(),
            self.token(),
            self.signature(),
            self.quota(),
            self.last_event(),
        ]
    }

    fn use_webhook(&self) -> Finding {
        const CODE: Code = Code::UseWebhook;
        match &self.endpoint {
            Err(why) => self.unread(CODE, why),
            Ok(_) if self.is_left() => self.found(CODE, State::Ok, "left"),
            Ok(Some(endpoint)) if endpoint.active => self.found(CODE, State::Ok, "on"),
            Ok(Some(endpoint)) if !endpoint.endpoint.is_empty() => self.found(CODE, State::Failed, "off"),
            Ok(_) => self.found(CODE, State::Failed, "no-address"),
        }
    }

    fn endpoint(&self) -> Finding {
        const CODE: Code = Code::Endpoint;
        let address = match &self.endpoint {
            Err(why) => return self.unread(CODE, why),
            Ok(endpoint) => endpoint.as_ref().map_or("", |endpoint| endpoint.endpoint.as_str()),
        };
        match address {
            "" if self.is_left() => self.found(CODE, State::Ok, "left-empty"),
            address if self.is_left() => self.found(CODE, State::Ok, "left").with("address", address),
            "" => self.found(CODE, State::Failed, "missing"),
            address if address == self.ours => self.found(CODE, State::Ok, "ours"),
            address => self.found(CODE, State::Failed, "elsewhere").with("address", address),
        }
    }

    fn webhook_test(&self) -> Finding {
        const CODE: Code = Code::WebhookTest;
        let Some(test) = &self.test else { return self.found(CODE, State::Unknown, "never") };
        let found = |state, variant| {
            let seen = if test.detail.is_empty() { test.reason.as_str() } else { test.detail.as_str() };
            Finding::new(CODE, state, variant, test.at).with("detail", seen).with("status", test.status_code)
        };
        // PLATFORM 6 and 15 name the reasons and details.
        match test.reason.as_str() {
            _ if test.success => found(State::Ok, "passed"),
            "COULD_NOT_CONNECT" if test.detail.to_ascii_lowercase().contains("tls") => {
                found(State::Failed, "tls")
            }
            "COULD_NOT_CONNECT" => found(State::Failed, "connect"),
            "REQUEST_TIMEOUT" => found(State::Failed, "timeout"),
            "ERROR_STATUS_CODE" => found(State::Failed, "status"),
            _ => found(State::Failed, "other"),
        }
    }

    fn token(&self) -> Finding {
        const CODE: Code = Code::Token;
        match &self.bot {
            Ok(_) if self.pasted => self.found(CODE, State::Ok, "pasted"),
            Ok(_) => self.found(CODE, State::Ok, "issued"),
            Err(Unread::Silent) => self.found(CODE, State::Unknown, "any-silent"),
            Err(Unread::Refused(reason)) => {
                let variant = if self.pasted { "pasted-refused" } else { "refused" };
                self.found(CODE, State::Failed, variant).with("reason", reason.as_str())
            }
        }
    }

    fn signature(&self) -> Finding {
        const CODE: Code = Code::Signature;
        let (count, last) = self.waiting;
        if count > 0 {
            return self.found(CODE, State::Failed, "waiting").with("count", count).with("at", last);
        }
        match self.counters.bad_signature_at {
            Some(at) if self.is_lately(at) => self.found(CODE, State::Warning, "lately").with("at", at),
            _ => self.found(CODE, State::Ok, "fine"),
        }
    }

    fn quota(&self) -> Finding {
        const CODE: Code = Code::Quota;
        let (quota, used) = match &self.quota {
            Err(why) => return self.unread(CODE, why),
            Ok((quota, consumption)) => (quota, i64::try_from(consumption.total_usage).unwrap_or(i64::MAX)),
        };
        let limit = quota.value.filter(|_| quota.kind != QuotaKind::None);
        let Some(limit) = limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)) else {
            return self.found(CODE, State::Ok, "unlimited").with("used", used);
        };
        let percent = if limit == 0 { 100 } else { used.saturating_mul(100) / limit };
        let (state, variant) = match percent {
            percent if percent >= 100 => (State::Failed, "used-up"),
            percent if percent >= AT_HAND => (State::Warning, "at-hand"),
            percent if percent >= NEAR => (State::Warning, "near"),
            _ => (State::Ok, "fine"),
        };
        self.found(CODE, state, variant)
            .with("used", used)
            .with("limit", limit)
            .with("left", (limit - used).max(0))
            .with("percent", percent)
    }

    fn last_event(&self) -> Finding {
        const CODE: Code = Code::LastEvent;
        if let Some(at) = self.counters.oversized_at.filter(|at| self.is_lately(*at)) {
            return self.found(CODE, State::Failed, "oversized").with("at", at);
        }
        if self.is_left() {
            return self.found(CODE, State::Ok, "left");
        }
        let Some(last) = self.last_event_at else { return self.found(CODE, State::Unknown, "never") };
        let found = |state, variant| self.found(CODE, state, variant).with("at", last);
        match rhythm::judge(&self.hours, rhythm::hour(self.at)) {
            Rhythm::Learning => found(State::Ok, "learning"),
            Rhythm::Explained => found(State::Ok, "explained"),
            Rhythm::Strange { hours, expected } => {
                found(State::Warning, "strange").with("hours", hours).with("expected", expected)
            }
        }
    }

    fn is_lately(&self, at: Timestamp) -> bool {
        is_lately(self.at, at)
    }
}

/// Whether something at the door is not yet history.
pub(super) fn is_lately(now: Timestamp, at: Timestamp) -> bool {
    now.millis() - at.millis() < LATELY_MS
}

/// What is to be done about an account by its findings; the one place where its status comes from. `None` within: all
/// is well; `None`: LINE was silent, so that nothing is known.
#[must_use]
pub(super) fn attention(findings: &[Finding]) -> Option<Option<Attention>> {
    let state = |code| {
        findings.iter().find(|finding| finding.code == code).map(|finding| (finding.state, &*finding.variant))
    };
    if state(Code::Token)?.0 == State::Failed {
        return Some(Some(Attention::Credentials));
    }
    match (state(Code::Endpoint)?, state(Code::UseWebhook)?) {
        ((State::Unknown, _), _) | (_, (State::Unknown, _)) => None,
        ((State::Failed, "missing"), _) => Some(Some(Attention::WebhookMissing)),
        ((State::Failed, _), _) => Some(Some(Attention::WebhookElsewhere)),
        (_, (State::Failed, _)) => Some(Some(Attention::WebhookOff)),
        _ => Some(None),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::accounts::testing;
    use crate::app::testing::START;

    /// What is read of an account with which all is well.
    pub(in crate::accounts::doctor) fn good() -> Readings {
        Readings {
            at: START,
            ours: "https://hub.example/webhooks/line/k".to_owned(),
            key: "k".to_owned(),
            is_registered: true,
            pasted: false,
            bot: Ok(testing::bot("1656000000")),
            endpoint: Ok(Some(WebhookEndpoint {
                endpoint: "https://hub.example/webhooks/line/k".to_owned(),
                active: true,
            })),
            quota: Ok((
                Quota { kind: QuotaKind::Limited, value: Some(200) },
                Consumption { total_usage: 20 },
            )),
            test: Some(test(true, 200, "OK", "200")),
            counters: Counters::default(),
            waiting: (0, Timestamp(0)),
            last_event_at: Some(START),
            hours: Vec::new(),
        }
    }

    fn test(success: bool, status_code: i64, reason: &str, detail: &str) -> Test {
        Test { at: START, success, status_code, reason: reason.to_owned(), detail: detail.to_owned() }
    }

    fn found(readings: &Readings, code: Code) -> (State, String) {
        let findings = readings.findings();
        let finding = findings.iter().find(|finding| finding.code == code).unwrap();
        (finding.state, finding.variant.to_string())
    }

    #[test]
    fn all_is_well_when_it_is() {
        let findings = good().findings();
        assert!(findings.iter().all(|finding| finding.state == State::Ok), "{findings:?}");
        assert_eq!(attention(&findings), Some(None));
    }

    // S1-29, S1-34, GOTCHAS A8
    #[test]
    fn the_switch_and_the_address_are_told_apart() {
        let at_line = |address: &str, active| {
            let endpoint = WebhookEndpoint { endpoint: address.to_owned(), active };
            let readings = Readings { endpoint: Ok(Some(endpoint)), ..good() };
            let two = [Code::UseWebhook, Code::Endpoint].map(|code| found(&readings, code).1);
            (two, attention(&readings.findings()))
        };
        let ours = good().ours;
        let is = |a: &str, b: &str, attention| ([a.to_owned(), b.to_owned()], Some(Some(attention)));
        assert_eq!(at_line(&ours, false), is("off", "ours", Attention::WebhookOff));
        assert_eq!(at_line("https://x.example/", true), is("on", "elsewhere", Attention::WebhookElsewhere));
        assert_eq!(at_line("https://x.example/", false), is("off", "elsewhere", Attention::WebhookElsewhere));
        assert_eq!(at_line("", false), is("no-address", "missing", Attention::WebhookMissing));
        let never = Readings { endpoint: Ok(None), ..good() };
        assert_eq!(attention(&never.findings()), Some(Some(Attention::WebhookMissing)));
    }

    #[test]
    fn an_address_that_was_left_alone_is_a_plain_fact() {
        let left = |address: &str, active| {
            let endpoint = WebhookEndpoint { endpoint: address.to_owned(), active };
            Readings { is_registered: false, endpoint: Ok(Some(endpoint)), ..good() }
        };
        for (address, variant) in [("https://x.example/", "left"), ("", "left-empty")] {
            for active in [true, false] {
                let readings = left(address, active);
                assert_eq!(found(&readings, Code::Endpoint), (State::Ok, variant.to_owned()));
                assert_eq!(found(&readings, Code::UseWebhook), (State::Ok, "left".to_owned()));
                assert_eq!(attention(&readings.findings()), Some(None));
            }
        }
        // Somebody pasted the hub's address there: it is as if the hub had.
        let pasted = left(&good().ours, false);
        assert_eq!(attention(&pasted.findings()), Some(Some(Attention::WebhookOff)));
        // Under the address that the hub had before, too: LINE calls nobody there.
        let moved = left("https://old.example/webhooks/line/k", true);
        assert_eq!(found(&moved, Code::Endpoint), (State::Failed, "elsewhere".to_owned()));
        assert_eq!(attention(&moved.findings()), Some(Some(Attention::WebhookElsewhere)));
    }

    // GOTCHAS I3: an outage of LINE is no fault of the account.
    #[test]
    fn a_silent_line_changes_no_judgement() {
        let silent = Readings {
            bot: Err(Unread::Silent),
            endpoint: Err(Unread::Silent),
            quota: Err(Unread::Silent),
            ..good()
        };
        let findings = silent.findings();
        assert!(findings.iter().all(|finding| finding.state != State::Failed), "{findings:?}");
        assert_eq!(attention(&findings), None);
        let refused = Unread::Refused("invalid token".to_owned());
        let refused = Readings { bot: Err(refused.clone()), endpoint: Err(refused), ..good() };
        assert_eq!(found(&refused, Code::Token), (State::Failed, "refused".to_owned()));
        assert_eq!(found(&refused, Code::UseWebhook), (State::Unknown, "any-refused".to_owned()));
        assert_eq!(attention(&refused.findings()), Some(Some(Attention::Credentials)));
        let pasted = Readings { pasted: true, ..refused };
        assert_eq!(found(&pasted, Code::Token).1, "pasted-refused");
    }

    // S1-28, GOTCHAS A10
    #[test]
    fn lines_own_test_is_said_in_words() {
        for (test, variant) in [
            (test(false, 0, "COULD_NOT_CONNECT", "TLS handshake failure: https://x"), "tls"),
            (test(false, 0, "COULD_NOT_CONNECT", "Connection failed"), "connect"),
            (test(false, -1, "REQUEST_TIMEOUT", "Request timeout"), "timeout"),
            (test(false, 404, "ERROR_STATUS_CODE", "404"), "status"),
            (test(false, 0, "UNCLASSIFIED", "Stream closed unexpectedly"), "other"),
            (test(false, 0, "NEW_REASON", ""), "other"),
        ] {
            let readings = Readings { test: Some(test), ..good() };
            assert_eq!(found(&readings, Code::WebhookTest), (State::Failed, variant.to_owned()));
        }
        let never = Readings { test: None, ..good() };
        assert_eq!(found(&never, Code::WebhookTest), (State::Unknown, "never".to_owned()));
    }

    #[test]
    fn the_months_end_is_told_before_it_comes() {
        let used = |used, limit: Option<u64>| {
            let kind = if limit.is_some() { QuotaKind::Limited } else { QuotaKind::None };
            let quota = Ok((Quota { kind, value: limit }, Consumption { total_usage: used }));
            found(&Readings { quota, ..good() }, Code::Quota)
        };
        assert_eq!(used(159, Some(200)), (State::Ok, "fine".to_owned()));
        assert_eq!(used(160, Some(200)), (State::Warning, "near".to_owned()));
        assert_eq!(used(190, Some(200)), (State::Warning, "at-hand".to_owned()));
        assert_eq!(used(200, Some(200)), (State::Failed, "used-up".to_owned()));
        assert_eq!(used(0, Some(0)), (State::Failed, "used-up".to_owned()));
        assert_eq!(used(9_999_999, None), (State::Ok, "unlimited".to_owned()));
    }

    // GOTCHAS F2
    #[test]
    fn signatures_that_fit_no_secret_are_told() {
        let waiting = Readings { waiting: (3, START), ..good() };
        assert_eq!(found(&waiting, Code::Signature), (State::Failed, "waiting".to_owned()));
        let lately = Counters { bad_signatures: 2, bad_signature_at: Some(START), ..Counters::default() };
        let lately = Readings { counters: lately, ..good() };
        assert_eq!(found(&lately, Code::Signature), (State::Warning, "lately".to_owned()));
        let later = Readings { at: Timestamp(START.millis() + LATELY_MS), ..lately };
        assert_eq!(found(&later, Code::Signature).0, State::Ok);
    }

    #[test]
    fn a_silence_longer_than_the_past_explains_is_a_warning() {
        let now = rhythm::hour(START);
        let busy: Vec<i64> = (now - 600..now - 5).collect();
        let readings = Readings { hours: busy, ..good() };
        assert_eq!(found(&readings, Code::LastEvent), (State::Warning, "strange".to_owned()));
        let never = Readings { last_event_at: None, ..good() };
        assert_eq!(found(&never, Code::LastEvent), (State::Unknown, "never".to_owned()));
        let counters = Counters { oversized: 1, oversized_at: Some(START), ..Counters::default() };
        let oversized = Readings { counters, ..good() };
        assert_eq!(found(&oversized, Code::LastEvent), (State::Failed, "oversized".to_owned()));
    }
}
