//! States, reasons and figures in the reader's words.

use std::borrow::Borrow;

use super::Seen;
use crate::accounts::replies::Lack;
use crate::journal;
use crate::relay::attempt::{FILTERED, TAKEN_BACK};
use crate::relay::expire::REPLACED;
use crate::relay::model::{Answer, Destination, Halt, Last, Signing, State, Verdict, judge};
use crate::relay::told::Told;
use crate::relay::{Attempt, Parked};
use crate::web::Ui;

/// How a destination fares, for a person: as [`State`], but told apart where the way out differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Healthy,
    /// Its last answer was good; much of its last day was not.
    Unsteady,
    /// No event was ever sent to it.
    Untried,
    /// What waits has not failed: a person wants it again.
    Sending,
    Retrying,
    /// What it answered last was a refusal.
    Refusing,
    /// The last call did not get through, and nothing waits that would tell whether the next one does.
    Unreached,
    /// A person switched it off.
    Off,
    Failing,
    Gone,
    Loop,
    Journal,
    Secret,
}

/// Reads how a destination fares, with whether any of what waits has failed, and whether much of its last day did.
pub(super) fn condition(of: &Destination, has_failed: bool, is_failing_much: bool) -> Condition {
    match (of.state(), of.halt) {
        (_, Some(Halt::Gone)) => Condition::Gone,
        (_, Some(Halt::Loop)) => Condition::Loop,
        (_, Some(Halt::Journal)) => Condition::Journal,
        (_, Some(Halt::Secret)) => Condition::Secret,
        _ if !of.active => Condition::Off,
        (_, Some(Halt::Failing)) => Condition::Failing,
        (State::Healthy, None) => match &of.last {
            None => Condition::Untried,
            Some(last) if is_refusal(last) => Condition::Refusing,
            Some(last) if last.error.is_some() => Condition::Unreached,
            Some(_) if is_failing_much => Condition::Unsteady,
            Some(_) => Condition::Healthy,
        },
        (State::Retrying, None) if !has_failed => Condition::Sending,
        (State::Retrying | State::Paused | State::Stopped, None) => Condition::Retrying,
    }
}

/// Whether a call was answered by a refusal: one after which the same request is not sent again.
fn is_refusal(last: &Last) -> bool {
    let status = last.status.and_then(|status| u16::try_from(status).ok());
    let answer = status.map(|status| Answer::Status { status, retry_after: None, is_us: false });
    last.error.is_some() && answer.is_some_and(|answer| judge(&answer) == Verdict::Refused)
}

impl Condition {
    const fn key(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unsteady => "unsteady",
            Self::Untried => "untried",
            Self::Sending => "sending",
            Self::Retrying => "retrying",
            Self::Refusing => "refusing",
            Self::Unreached => "unreached",
            Self::Off => "off",
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Loop => "loop",
            Self::Journal => "journal",
            Self::Secret => "secret",
        }
    }

    /// The key of its name.
    pub(super) fn words(self) -> String {
        format!("relay-state-{}", self.key())
    }

    /// The key of what it means and what to do; none where all is well.
    pub(super) fn advice(self) -> Option<String> {
        let is_well = matches!(self, Self::Healthy | Self::Unsteady | Self::Untried);
        (!is_well).then(|| format!("relay-advice-{}", self.key()))
    }

    /// The kind of its badge, and of what is said about it.
    pub(super) const fn badge(self) -> &'static str {
        match self {
            Self::Healthy | Self::Unsteady => "ok",
            Self::Retrying | Self::Refusing | Self::Unreached => "warning",
            Self::Off | Self::Untried | Self::Sending => "neutral",
            Self::Failing | Self::Gone | Self::Loop | Self::Journal | Self::Secret => "danger",
        }
    }

    /// Whether something waits for another try that a person may ask for at once.
    pub(super) const fn may_hurry(self) -> bool {
        matches!(self, Self::Retrying | Self::Failing)
    }

    /// Whether what waits only waits to be sent.
    pub(super) const fn is_sending(self) -> bool {
        matches!(self, Self::Sending)
    }

    /// Whether it waits for a person.
    pub(super) const fn is_stopped(self) -> bool {
        matches!(self, Self::Off | Self::Gone | Self::Loop | Self::Journal | Self::Secret)
    }
}

impl Seen {
    /// The key of what is said of it as the owner of the free replies.
    pub(super) fn answers_words(&self) -> &'static str {
        match self.lack() {
            Some(Lack::Key) => "relay-replies-keyless",
            Some(Lack::Events) => "relay-replies-halted",
            None => "relay-replies-theirs",
        }
    }

    /// How bad that is: without a key, one that holds the channel secret may call LINE directly.
    pub(super) fn lack_kind(&self) -> &'static str {
        let may_call = self.lacks_key() && self.destination.signing == Signing::Line;
        if may_call { "neutral" } else { "warning" }
    }

    /// The key of why it cannot answer for free, in short, where it is to.
    pub(super) fn lack_words(&self) -> Option<&'static str> {
        self.lack().map(|lack| match lack {
            Lack::Key => "relay-row-keyless",
            Lack::Events => "relay-row-halted",
        })
    }
}

/// Why something was not delivered; with the exact words of the network, where there are some.
pub(super) struct Why {
    pub(super) words: String,
    pub(super) exact: Option<String>,
}

/// What `runner` and `deliver` write as an attempt's error, in words.
pub(super) fn why(ui: &Ui, error: &str) -> Why {
    let plain = |key: &str| Why { words: ui.t(key), exact: None };
    // As `Answer::words` puts it: the status, and after a comma what it means.
    let answered = error.strip_prefix("answered ").and_then(|text| text.split(',').next());
    if let Some(status) = answered.and_then(|status| status.parse::<u16>().ok()) {
        let key = match status {
            300..=399 => "relay-why-redirect",
            401 | 403 => "relay-why-denied",
            404 | 405 => "relay-why-missing",
            408 | 425 | 429 => "relay-why-busy",
            410 => "relay-why-gone",
            500..=599 => "relay-why-broken",
            _ => "relay-why-refused",
        };
        return Why { words: ui.t1(key, "status", status.to_string()), exact: None };
    }
    if let Some(ms) = error.strip_prefix("no answer within ") {
        let ms: i64 = ms.trim_end_matches(" ms").parse().unwrap_or(0);
        return Why { words: ui.t1("relay-why-slow", "seconds", seconds(ms)), exact: None };
    }
    match error {
        "" => plain("relay-why-behind"),
        "the address leads back to this hub" => plain("relay-why-loop"),
        REPLACED => plain("relay-why-replaced"),
        FILTERED => plain("relay-why-filtered"),
        TAKEN_BACK => plain("relay-why-taken-back"),
        other if other.starts_with("the journal no longer has") => plain("relay-why-expired"),
        other => Why { words: ui.t(network(other)), exact: Some(other.to_owned()) },
    }
}

/// The key of what a network's error means; its own words come from the system and the TLS library.
fn network(error: &str) -> &'static str {
    let tells = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if tells(&["lookup address", "Name or service", "nodename nor servname", "No address associated"]) {
        "relay-why-name"
    } else if tells(&["onnection refused"]) {
        "relay-why-closed"
    } else if tells(&["InvalidContentType", "corrupt message"]) {
        "relay-why-plain"
    } else if tells(&["ertificate", "UnknownIssuer", "HandshakeFailure", "handshake"]) {
        "relay-why-certificate"
    } else if tells(&["reset by peer", "roken pipe", "closed before", "incomplete", "end of file"]) {
        "relay-why-cut"
    } else {
        "relay-why-unreachable"
    }
}

/// Milliseconds as seconds, with a decimal where it says something.
pub(super) fn seconds(ms: i64) -> String {
    if ms % 1000 == 0 { (ms / 1000).to_string() } else { format!("{}.{}", ms / 1000, ms % 1000 / 100) }
}

/// What a call took; what is less than a millisecond took some time nevertheless.
pub(super) fn took(ui: &Ui, ms: impl Borrow<i64>) -> String {
    if *ms.borrow() == 0 { "<1 ms".to_owned() } else { format!("{} ms", ui.count(ms)) }
}

/// A time that has passed, in the largest unit that fits.
pub(super) fn span(ui: &Ui, seconds: u64) -> String {
    match seconds {
        0..60 => ui.t1("relay-span-seconds", "count", seconds),
        60..3600 => ui.t1("relay-span-minutes", "count", seconds / 60),
        3600..172_800 => ui.t1("relay-span-hours", "count", seconds / 3600),
        _ => ui.t1("relay-span-days", "count", seconds / 86_400),
    }
}

/// So many of a thousand as a percentage.
pub(super) fn percent(per_mille: i64) -> String {
    match per_mille {
        0 => "0%".to_owned(),
        1..100 => format!("{}.{}%", per_mille / 10, per_mille % 10),
        _ => format!("{}%", per_mille / 10),
    }
}

/// An event's type: in words where there are some, else as LINE names it.
pub(super) fn kind(ui: &Ui, kind: &str) -> String {
    journal::pages::kind_words(ui, kind)
}

impl Told {
    /// What it is, in words: the kind of message where it is one.
    pub(super) fn what(&self, ui: &Ui) -> String {
        let message = self.message.as_deref().filter(|word| self.kind == "message" && *word != "text");
        let words = message.and_then(|word| ui.maybe(&format!("line-view-{word}")));
        words.unwrap_or_else(|| kind(ui, &self.kind))
    }

    /// The name of whom it is about, or what that is; none where the reader may not know.
    pub(super) fn who(&self, ui: &Ui) -> Option<String> {
        let chat = self.chat.as_ref()?;
        Some(chat.name.clone().unwrap_or_else(|| self.source_key().map_or_else(String::new, |key| ui.t(key))))
    }

    /// The conversation's page, where the reader may see it.
    pub(super) fn conversation(&self) -> Option<String> {
        self.chat.as_ref().map(|chat| format!("/inbox/{}", chat.id))
    }

    /// The key of the chat's kind.
    pub(super) fn source_key(&self) -> Option<&'static str> {
        source_key(self.source.as_deref()?)
    }
}

/// The key of a chat's kind.
pub(super) fn source_key(source: &str) -> Option<&'static str> {
    match source {
        "user" => Some("relay-source-user"),
        "group" => Some("relay-source-group"),
        "room" => Some("relay-source-room"),
        _ => None,
    }
}

impl Attempt {
    /// How many of the request's events were new.
    pub(super) fn count(&self) -> usize {
        serde_json::from_str::<Vec<&str>>(&self.event_ids).map_or(1, |ids| ids.len())
    }
}

impl Parked {
    /// How many it has of what, in words; `None` when the journal no longer knows.
    pub(super) fn count(&self, ui: &Ui) -> Option<String> {
        if let Some(gone) = self.requests_gone() {
            return Some(ui.t1("relay-requests", "count", gone));
        }
        (!self.event_ids.is_empty()).then(|| ui.t1("relay-events", "count", self.event_ids.len()))
    }

    /// Whether it may be tried again: what the journal no longer has cannot be.
    pub(super) fn is_here(&self) -> bool {
        !self.last_error.as_deref().unwrap_or_default().starts_with("the journal no longer has")
    }

    /// Why it was put aside, in words; none where a person did it.
    pub(super) fn why(&self, ui: &Ui) -> Option<Why> {
        let error = self.last_error.as_deref()?;
        let is_by_person = self.standing == "skipped" && ![FILTERED, TAKEN_BACK].contains(&error);
        (!is_by_person).then(|| why(ui, error))
    }

    /// The key of its standing.
    pub(super) fn words(&self) -> &'static str {
        match self.standing.as_str() {
            "expired" => "relay-standing-expired",
            "skipped" => "relay-standing-skipped",
            _ => "relay-standing-refused",
        }
    }

    pub(super) fn badge(&self) -> &'static str {
        if self.standing == "skipped" { "neutral" } else { "danger" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Entropy, Timestamp};
    use crate::ids::Id;
    use crate::relay::Filter;
    use crate::web::i18n::{Language, words};

    /// A destination that answered so last, with so many units waiting.
    fn destination(last: Option<(Option<i64>, Option<&str>)>, retrying: i64) -> Destination {
        let (entropy, at) = (Entropy::seeded(1), Timestamp(0));
        let last =
            last.map(|(status, error)| Last { at, status, duration_ms: 1, error: error.map(str::to_owned) });
        Destination {
            id: Id::new(at, &entropy),
            tenant: Id::new(at, &entropy),
            account: Id::new(at, &entropy),
            name: "CRM".to_owned(),
            url: "https://crm.example/".to_owned(),
            filter: Filter::default(),
            signing: Signing::Line,
            secret: None,
            standard: None,
            active: true,
            halt: None,
            failing_since: None,
            concurrency: 1,
            rate: None,
            timeout_ms: 1_000,
            position: 0,
            epoch: 0,
            last,
            retrying,
            parked: 0,
            serial: 0,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn how_it_fares_follows_what_it_answered_and_what_waits() {
        let (ok, down) = (Some((Some(200), None)), Some((None, Some("Connection refused"))));
        let busy = Some((Some(503), Some("answered 503")));
        let refused = |status| Some((Some(status), Some("answered so")));
        for (last, retrying, has_failed, much, wanted) in [
            (None, 0, false, false, Condition::Untried),
            (ok, 0, false, false, Condition::Healthy),
            (ok, 0, false, true, Condition::Unsteady),
            (refused(400), 0, false, true, Condition::Refusing),
            (refused(302), 0, false, false, Condition::Refusing),
            (down, 0, false, true, Condition::Unreached),
            (busy, 0, false, false, Condition::Unreached),
            (refused(429), 0, false, false, Condition::Unreached),
            (ok, 3, false, false, Condition::Sending),
            (down, 3, false, false, Condition::Sending),
            (down, 3, true, false, Condition::Retrying),
        ] {
            let of = destination(last, retrying);
            assert_eq!(condition(&of, has_failed, much), wanted, "{:?} {retrying}", of.last);
        }
        let paused = Destination { active: false, ..destination(ok, 3) };
        assert_eq!(condition(&paused, false, true), Condition::Off);
        let failing = Destination { halt: Some(Halt::Failing), ..destination(down, 3) };
        assert_eq!(condition(&failing, true, true), Condition::Failing);
    }

    #[test]
    fn what_went_wrong_has_words() {
        let ui = Ui::sample(Language::En, None);
        for (status, key) in [
            (302, "relay-why-redirect"),
            (403, "relay-why-denied"),
            (503, "relay-why-broken"),
            (418, "relay-why-refused"),
        ] {
            let error = Answer::Status { status, retry_after: None, is_us: false }.words();
            let told = words(Language::En, key, &[("status", status.to_string().into())]);
            assert_eq!(why(&ui, &error).words, told, "{error}");
        }
        assert!(why(&ui, "no answer within 2500 ms").words.contains("2.5"));
        for (error, key) in [
            ("Connection refused (os error 111)", "relay-why-closed"),
            ("failed to lookup address information: Name or service not known", "relay-why-name"),
            ("received corrupt message of type InvalidContentType", "relay-why-plain"),
            ("invalid peer certificate: UnknownIssuer", "relay-why-certificate"),
            ("Connection reset by peer (os error 104)", "relay-why-cut"),
            ("connection closed before message completed", "relay-why-cut"),
            ("No route to host (os error 113)", "relay-why-unreachable"),
        ] {
            let told = why(&ui, error);
            assert_eq!((told.words, told.exact.as_deref()), (ui.t(key), Some(error)));
        }
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([percent(0), percent(7), percent(57), percent(1000)], ["0%", "0.7%", "5.7%", "100%"]);
        let ui = Ui::sample(Language::En, None);
        assert_eq!([took(&ui, 0), took(&ui, 1), took(&ui, 1200)], ["<1 ms", "1 ms", "1,200 ms"]);
        assert_eq!([seconds(5000), seconds(500), seconds(1250)], ["5", "0.5", "1.2"]);
    }
}
