//! Findings as pages show them: trouble first, the rest in groups, each with what a person can do about it.

use std::collections::BTreeMap;

use super::model::{Code, Finding, Reader, State};
use super::repo::Kept;
use crate::accounts::model::Account;
use crate::clock::Timestamp;
use crate::web::i18n::words;
use crate::web::{Ui, moment_text};

/// The beginning of variants of an address that was left as it is.
pub(super) const LEFT: &str = "left";

/// What somebody can press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// A page of this hub.
    Page(String, &'static str),
    /// A page of LINE's.
    Line(String, &'static str),
    /// Something the hub does, by a form that posts.
    Do(String, &'static str),
}

/// One check.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) state: State,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) fix: Option<String>,
    pub(super) checked_at: Timestamp,
    pub(super) since: Option<String>,
    pub(super) gap: Option<String>,
    pub(super) acts: Vec<Act>,
}

/// All checks of a page.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// What failed, then what warns.
    pub(super) troubles: Vec<Item>,
    /// The rest: the key of the group's name, its checks.
    pub(super) groups: Vec<(&'static str, Vec<Item>)>,
    /// How many failed, and how many warn.
    pub(super) failed: usize,
    pub(super) warnings: usize,
    /// When the youngest was read.
    pub(super) read_at: Option<Timestamp>,
}

/// Who looks, and at whose account.
#[derive(Debug)]
pub(super) struct Looker<'a> {
    pub(super) ui: &'a Ui,
    pub(super) now: Timestamp,
    pub(super) is_owner: bool,
    pub(super) account: Option<&'a Account>,
}

impl Looker<'_> {
    /// As whom words are written.
    pub(super) fn reader(&self) -> Reader<'_> {
        let zone = self.ui.person().map(|person| person.time_zone.as_str());
        Reader { language: self.ui.language(), zone, now: self.now }
    }

    fn moment(&self, at: Timestamp) -> String {
        let reader = self.reader();
        moment_text(reader.language, reader.zone, reader.now, at)
    }

    /// A check as the page shows it.
    pub(super) fn item(&self, kept: &Kept) -> Item {
        let (finding, reader) = (&kept.finding, self.reader());
        let is_bad = matches!(finding.state, State::Failed | State::Warning);
        let since = (is_bad && finding.state == kept.judged)
            .then(|| self.ui.t1("doctor-since", "since", self.moment(kept.since)));
        // What was lost while LINE had no way here stays lost; other gaps are only history.
        let deaf = matches!(finding.code, Code::UseWebhook | Code::Endpoint | Code::WebhookTest);
        let key = if deaf { "doctor-gap-lost" } else { "doctor-gap" };
        let gap = kept.gap.map(|(from, until)| {
            let arguments = [("from", self.moment(from).into()), ("until", self.moment(until).into())];
            words(reader.language, key, &arguments)
        });
        Item {
            state: finding.state,
            name: finding.name(reader.language),
            title: finding.title(reader),
            detail: finding.detail(reader),
            fix: finding.fix(reader),
            checked_at: finding.checked_at,
            since,
            gap,
            acts: self.acts(finding),
        }
    }

    /// What can be pressed about a finding.
    fn acts(&self, finding: &Finding) -> Vec<Act> {
        let Some(account) = self.account else { return Vec::new() };
        let page = format!("/settings/accounts/{}", account.id);
        let here = |path: &str, key| Act::Page(format!("{page}{path}"), key);
        let post = |path: &str, key| Act::Do(format!("{page}/doctor/{path}"), key);
        let developers = || Act::Line(account.console("messaging-api"), "doctor-open-developers");
        let manager = || Act::Line(account.manager("setting"), "doctor-open-manager");
        let is_well = finding.state == State::Ok;
        let mut acts = match finding.code {
            Code::WebhookTest => vec![post("test", "doctor-test-now")],
            Code::Endpoint if finding.variant.starts_with(LEFT) => vec![post("webhook", "doctor-take-over")],
            _ if is_well => Vec::new(),
            Code::Endpoint => vec![post("webhook", "doctor-put-back"), developers()],
            Code::UseWebhook => vec![developers(), manager()],
            Code::Token | Code::Signature => {
                vec![
                    here("/credentials", "doctor-open-credentials"),
                    Act::Line(account.console("basics"), "doctor-open-developers"),
                ]
            }
            Code::ChatMode | Code::GreetingOwner => vec![manager(), here("/answers", "doctor-open-answers")],
            Code::Redelivery | Code::GroupChats => {
                vec![developers(), here("/answers", "doctor-open-answers")]
            }
            Code::Quota => vec![manager()],
            Code::LastEvent => vec![here("/help/message", "doctor-open-help")],
            Code::PublicUrl | Code::Certificate | Code::Clock | Code::Storage => {
                vec![Act::Page("/settings/system/check".to_owned(), "doctor-system-title")]
            }
            _ => Vec::new(),
        };
        let is_system =
            |act: &Act| matches!(act, Act::Page(address, _) if address.starts_with("/settings/system"));
        acts.retain(|act| self.is_owner || !(matches!(act, Act::Do(..)) || is_system(act)));
        acts
    }

    /// All checks of a page.
    pub(super) fn view(&self, checks: &[Kept]) -> View {
        let is_bad = |kept: &&Kept| matches!(kept.finding.state, State::Failed | State::Warning);
        let mut troubles: Vec<&Kept> = checks.iter().filter(is_bad).collect();
        troubles.sort_by_key(|kept| kept.finding.state);
        let mut groups: BTreeMap<usize, (&'static str, Vec<Item>)> = BTreeMap::new();
        for kept in checks.iter().filter(|kept| !is_bad(kept)) {
            let (place, key) = group(kept.finding.code);
            groups.entry(place).or_insert_with(|| (key, Vec::new())).1.push(self.item(kept));
        }
        let count = |state| checks.iter().filter(|kept| kept.finding.state == state).count();
        View {
            troubles: troubles.into_iter().map(|kept| self.item(kept)).collect(),
            groups: groups.into_values().collect(),
            failed: count(State::Failed),
            warnings: count(State::Warning),
            read_at: checks.iter().map(|kept| kept.finding.checked_at).max(),
        }
    }
}

/// Where a check stands on the page.
fn group(code: Code) -> (usize, &'static str) {
    match code {
        Code::UseWebhook
        | Code::Endpoint
        | Code::WebhookTest
        | Code::Redelivery
        | Code::Signature
        | Code::LastEvent => (0, "doctor-group-line"),
        Code::Token | Code::Quota => (1, "doctor-group-credentials"),
        Code::ChatMode | Code::GreetingOwner | Code::GroupChats => (2, "doctor-group-answers"),
        Code::LoginChannel | Code::Liff | Code::ProviderMatch => (3, "doctor-group-login"),
        Code::LineApi | Code::LineData | Code::LineAccess => (4, "doctor-group-hosts"),
        Code::PublicUrl
        | Code::Certificate
        | Code::Clock
        | Code::Storage
        | Code::DataDir
        | Code::MasterKey => (5, "doctor-group-system"),
    }
}

impl Item {
    /// The key of its state's name.
    pub(super) fn state_words(&self) -> &'static str {
        match self.state {
            State::Failed => "doctor-state-failed",
            State::Warning => "doctor-state-warning",
            State::Unknown => "doctor-state-unknown",
            State::Ok => "doctor-state-ok",
        }
    }
}
