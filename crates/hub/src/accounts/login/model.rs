//! The Login channel of an account, its LIFF app, and what a test found; the rules that need neither LINE nor a database.

use aws_lc_rs::digest;
use line_client::{LiffApp, LiffFeatures, LiffView, NewLiffApp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::accounts::model::Account;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::ids::{AccountId, LoginTestId, TenantId};
use crate::words::words;

words! {
    /// Whether the Login channel and the Messaging API channel belong to one provider (GOTCHAS D1).
    ProviderMatch {
        /// Proven: a person who logged in is known to the official account by the same user ID.
        Same = "same" / "same",
        /// Shown: who logged in wrote a test's code to the official account under another user ID. Not as strong as "same",
        /// because the code may have been sent from somebody else's LINE.
        Other = "other" / "other",
        /// No login has shown it yet.
        Unknown = "unknown" / "unknown",
    }

    /// What is wrong with the LIFF app.
    LiffFault {
        /// There is none, or LINE no longer knows it.
        Missing = "missing" / "missing",
        /// It opens another address than this hub's.
        Endpoint = "endpoint" / "endpoint",
        /// Its size is not "full".
        View = "view" / "view",
        /// The add friend option is not "On (aggressive)".
        BotPrompt = "bot_prompt" / "bot-prompt",
        /// It does not ask for what the pages need.
        Scopes = "scopes" / "scopes",
        /// There are more of them for this account.
        Twins = "twins" / "twins",
        /// The channel holds 30 LIFF apps, so no other can be made.
        Full = "full" / "full",
        /// LINE does not take what the hub wants to set.
        Refused = "refused" / "refused",
        /// LINE no longer takes the Login channel's ID and secret.
        Credentials = "credentials" / "credentials",
    }

    /// What is tested.
    Kind {
        /// LINE Login in a browser.
        Login = "login" / "login",
        /// The LIFF app in LINE.
        Liff = "liff" / "liff",
    }

    /// How a finding is to be taken. The order is that of urgency, the most urgent first.
    State {
        /// It does not work.
        Failed = "failed" / "failed",
        /// It works, and something should be done.
        Warning = "warning" / "warning",
        /// It cannot be told.
        Unknown = "unknown" / "unknown",
        /// It is as it should be.
        Ok = "ok" / "ok",
    }

    /// What a test found, in the order in which it shows. Each has its words: what it is, and, where something is to be
    /// done, what.
    Found {
        /// LINE takes the callback address.
        CallbackOk = "callback_ok" / "callback-ok",
        /// The callback address is not registered at LINE.
        CallbackMismatch = "callback_mismatch" / "callback-mismatch",
        /// LINE did not say whether it takes the callback address.
        CallbackUnclear = "callback_unclear" / "callback-unclear",
        /// The person came back from LINE and had agreed.
        Consented = "consented" / "consented",
        /// The person did not agree.
        ConsentRefused = "consent_refused" / "consent-refused",
        /// LINE sent the person back with an error of its own.
        LineRefused = "line_refused" / "line-refused",
        /// Said before anybody goes to LINE: only admins and testers can log in at a channel that is not published, which no
        /// API tells.
        PublishedUnknown = "published_unknown" / "published-unknown",
        /// Nobody came back: a channel that is not published lets only its own admins and testers log in.
        NotBack = "not_back" / "not-back",
        /// What came back does not belong to a login of ours, twice.
        StateMismatch = "state_mismatch" / "state-mismatch",
        /// LINE takes the secret.
        SecretOk = "secret_ok" / "secret-ok",
        /// The secret is not the channel's any more.
        WrongSecret = "wrong_secret" / "wrong-secret",
        /// The code was used or is too old.
        CodeUsed = "code_used" / "code-used",
        /// LINE did not answer.
        LineSilent = "line_silent" / "line-silent",
        /// The identity token is genuine.
        IdentityOk = "identity_ok" / "identity-ok",
        /// The identity token is not to be believed.
        IdentityWrong = "identity_wrong" / "identity-wrong",
        /// Both channels belong to one provider.
        ProviderSame = "provider_same" / "provider-same",
        /// Who logged in wrote the code under another user ID.
        ProviderOther = "provider_other" / "provider-other",
        /// This login could not show it.
        ProviderUnknown = "provider_unknown" / "provider-unknown",
        /// The person is a friend of the linked official account, and of this one.
        LinkedOk = "linked_ok" / "linked-ok",
        /// Another account is linked: a friend of this one is none of the linked one, or the other way round.
        LinkedOther = "linked_other" / "linked-other",
        /// No official account is linked.
        LinkedNone = "linked_none" / "linked-none",
        /// The person is no friend, so it shows nothing.
        LinkedUnknown = "linked_unknown" / "linked-unknown",
        /// The LIFF app is as it should be.
        LiffOk = "liff_ok" / "liff-ok",
        /// There is no LIFF app.
        LiffMissing = "liff_missing" / "liff-missing",
        /// It opens another address.
        LiffEndpoint = "liff_endpoint" / "liff-endpoint",
        /// Size, scopes or add friend option differ.
        LiffSettings = "liff_settings" / "liff-settings",
        /// There are several for this account.
        LiffTwins = "liff_twins" / "liff-twins",
        /// The LIFF app opened and LINE's program started in it.
        LiffOpened = "liff_opened" / "liff-opened",
        /// It has not been opened, or did not reach this hub.
        LiffNotOpened = "liff_not_opened" / "liff-not-opened",
        /// LINE's program did not start in it.
        LiffInit = "liff_init" / "liff-init",
        /// Sharing works.
        ShareOk = "share_ok" / "share-ok",
        /// LINE's program refuses sharing there.
        ShareRefused = "share_refused" / "share-refused",
    }
}

impl Found {
    /// How it is to be taken.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::CallbackOk
            | Self::Consented
            | Self::SecretOk
            | Self::IdentityOk
            | Self::ProviderSame
            | Self::LinkedOk
            | Self::LiffOk
            | Self::LiffOpened
            | Self::ShareOk => State::Ok,
            Self::ProviderUnknown | Self::LinkedUnknown | Self::CallbackUnclear | Self::PublishedUnknown => {
                State::Unknown
            }
            Self::LinkedOther
            | Self::LinkedNone
            | Self::LiffSettings
            | Self::LiffTwins
            | Self::ShareRefused
            | Self::NotBack
            | Self::LiffNotOpened => State::Warning,
            Self::CallbackMismatch
            | Self::ConsentRefused
            | Self::LineRefused
            | Self::StateMismatch
            | Self::WrongSecret
            | Self::CodeUsed
            | Self::LineSilent
            | Self::IdentityWrong
            | Self::ProviderOther
            | Self::LiffMissing
            | Self::LiffEndpoint
            | Self::LiffInit => State::Failed,
        }
    }

    /// Where in LINE Developers it is to be put right, below the Login channel.
    #[must_use]
    pub const fn console(self) -> Option<&'static str> {
        match self {
            Self::CallbackMismatch => Some("line-login"),
            Self::WrongSecret
            | Self::NotBack
            | Self::PublishedUnknown
            | Self::LinkedOther
            | Self::LinkedNone
            | Self::ProviderOther => Some("basics"),
            Self::LiffTwins | Self::ShareRefused => Some("liff"),
            _ => None,
        }
    }
}

/// One thing that a test found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub found: Found,
    /// LINE's own words, an error's code; never a secret or a user ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl From<Found> for Finding {
    fn from(found: Found) -> Self {
        Self { found, said: None }
    }
}

impl Finding {
    /// A finding with what LINE said of it, cut to a line.
    #[must_use]
    pub fn said(found: Found, words: &str) -> Self {
        let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
        Self { found, said: Some(words).filter(|words| !words.is_empty()) }
    }
}

/// The Login channel's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LoginChannel {
    /// Whose it is.
    pub account_id: AccountId,
    /// The account's tenant.
    pub tenant_id: TenantId,
    /// The Login channel's ID.
    pub channel_id: String,
    pub(super) serial: i64,
    pub(super) sealed: Option<String>,
    /// The hub's public address when it was saved last.
    pub public_url: String,
    /// The LIFF app's ID.
    pub liff_id: Option<String>,
    /// The Endpoint URL at LINE, when LINE was asked last.
    pub liff_endpoint: Option<String>,
    /// Its size at LINE.
    pub liff_view: Option<String>,
    /// Its add friend option at LINE.
    pub liff_bot_prompt: Option<String>,
    pub(super) liff_scopes: Option<String>,
    /// How many of 30 LIFF apps the channel holds.
    pub liff_count: i64,
    pub(super) liff_twins: String,
    pub(super) liff_fault: Option<String>,
    /// When LINE was asked last.
    pub liff_checked_at: Option<Timestamp>,
    pub(super) provider_match: String,
    /// When a login showed it.
    pub provider_checked_at: Option<Timestamp>,
    /// When a person confirmed that the account is linked at LINE.
    pub linked_at: Option<Timestamp>,
    /// Who did.
    pub linked_by: Option<String>,
    /// When a person confirmed that the share target picker is on at LINE.
    pub share_ready_at: Option<Timestamp>,
    /// Who did.
    pub share_ready_by: Option<String>,
    /// Whether members may share cards.
    pub share: bool,
    /// Whether logging in offers to add the account as a friend.
    pub add_friend: bool,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Who changed it.
    pub updated_by: Option<String>,
}

impl LoginChannel {
    /// What is wrong with the LIFF app.
    #[must_use]
    pub fn fault(&self) -> Option<LiffFault> {
        LiffFault::parse(self.liff_fault.as_deref()?)
    }

    /// Whether both channels belong to one provider.
    #[must_use]
    pub fn provider(&self) -> ProviderMatch {
        ProviderMatch::parse(&self.provider_match).unwrap_or(ProviderMatch::Unknown)
    }

    /// What the LIFF app asks of people, at LINE.
    #[must_use]
    pub fn scopes(&self) -> Vec<&str> {
        self.liff_scopes.as_deref().unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect()
    }

    /// Other LIFF apps that stand for this account too.
    #[must_use]
    pub fn twins(&self) -> Vec<&str> {
        self.liff_twins.split(' ').filter(|id| !id.is_empty()).collect()
    }

    /// LINE's address of the LIFF app.
    #[must_use]
    pub fn liff_url(&self, config: &Config) -> Option<String> {
        let liff = config.line.liff.as_str().trim_end_matches('/');
        self.liff_id.as_ref().map(|id| format!("{liff}/{id}"))
    }

    /// The callback address that was registered before the hub's public address changed.
    #[must_use]
    pub fn callback_before(&self, config: &Config) -> Option<String> {
        let before = Url::parse(&self.public_url).ok()?;
        (before != config.public_url).then(|| callback_at(&before, &self.account_id))
    }

    /// The LIFF app's Endpoint URL at LINE and the one it is to have, where the hub's public address changed since.
    #[must_use]
    pub fn liff_move(&self, config: &Config) -> Option<(String, String)> {
        let (from, to) = (self.liff_endpoint.clone()?, liff_endpoint(config, &self.account_id));
        let is_ours = from.ends_with(&liff_path(&self.account_id));
        (self.has_secret() && is_ours && from != to).then_some((from, to))
    }

    /// The callback address before the hub's public address changed and the one that is to be pasted at LINE.
    #[must_use]
    pub fn callback_move(&self, config: &Config) -> Option<(String, String)> {
        let from = self.callback_before(config)?;
        self.has_secret().then(|| (from, callback_url(config, &self.account_id)))
    }

    /// LINE Developers' page of the channel.
    #[must_use]
    pub fn console(&self, page: &str) -> String {
        format!("https://developers.line.biz/console/channel/{}/{page}", self.channel_id)
    }

    /// Whether LINE could be asked in the channel's name.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.sealed.is_some()
    }
}

/// A test's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Run {
    /// Its id.
    pub id: LoginTestId,
    /// The account's.
    pub account_id: AccountId,
    /// The account's tenant.
    pub tenant_id: TenantId,
    pub(super) kind: String,
    /// When it was begun.
    pub started_at: Timestamp,
    /// Who began it.
    pub started_by: String,
    /// When somebody went to LINE with it.
    pub opened_at: Option<Timestamp>,
    pub(super) code_hash: Option<String>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    pub(super) findings: String,
    pub(super) subject: Option<String>,
}

/// Who went to LINE is waited for this long before the page says what it may be that they do not come back.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// A test waits this long for its code.
const CODE_LIFE: std::time::Duration = std::time::Duration::from_secs(3600);

impl Run {
    /// What is tested.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::parse(&self.kind).unwrap_or(Kind::Login)
    }

    /// What was found, and, while somebody is at LINE, what may keep them there.
    #[must_use]
    pub fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let mut findings: Vec<Finding> = serde_json::from_str(&self.findings).unwrap_or_default();
        let since = match self.kind() {
            Kind::Login => self.opened_at,
            // Nobody tells the hub that a LIFF address was opened.
            Kind::Liff => Some(self.started_at),
        };
        if self.finished_at.is_none() {
            let is_late = since.is_some_and(|at| now.since(at) > PATIENCE);
            let found = match self.kind() {
                _ if !is_late => Found::PublishedUnknown,
                Kind::Login => Found::NotBack,
                Kind::Liff => Found::LiffNotOpened,
            };
            findings.push(found.into());
        }
        findings
    }

    /// What the person who logged in is to write to the official account: eight digits of this test alone.
    #[must_use]
    pub fn code(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.id.as_str().as_bytes());
        let number = hash.as_ref().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:08}", number % 100_000_000)
    }

    /// The subject whose code is awaited: that of a login at this channel which did not show the provider, for an hour.
    #[must_use]
    pub(super) fn awaited(&self, channel: &str, now: Timestamp) -> Option<&str> {
        let ended = self.finished_at.filter(|ended| now.since(*ended) < CODE_LIFE);
        let subject = self.subject.as_deref().filter(|_| ended.is_some())?;
        subject.split_once('/').is_some_and(|(of, _)| of == channel).then_some(subject)
    }

    /// The most urgent state of what was found.
    #[must_use]
    pub fn outcome(&self, now: Timestamp) -> State {
        let states: Vec<State> = self.findings(now).iter().map(|finding| finding.found.state()).collect();
        let worst = State::ALL.iter().copied().find(|state| states.contains(state));
        worst.unwrap_or(State::Unknown)
    }
}

/// Where LINE sends people back to after a web login. Public and lasting: the account's id stays when it is connected again.
#[must_use]
pub(super) fn callback_url(config: &Config, account: &AccountId) -> String {
    callback_at(&config.public_url, account)
}

fn callback_at(public_url: &Url, account: &AccountId) -> String {
    format!("{}/login/line/{account}/callback", public_url.as_str().trim_end_matches('/'))
}

/// Where LINE opens the LIFF app; every page of it lies below (GOTCHAS E2).
#[must_use]
pub(super) fn liff_endpoint(config: &Config, account: &AccountId) -> String {
    format!("{}{}", config.public_url.as_str().trim_end_matches('/'), liff_path(account))
}

/// The path of the LIFF app's pages.
pub(super) fn liff_path(account: &AccountId) -> String {
    format!("/liff/{account}")
}

/// What the LIFF app asks of people: who they are, and to write into the chat in their name.
pub(super) const LIFF_SCOPES: [&str; 3] = ["openid", "profile", "chat_message.write"];

/// The LIFF app as it should be (S4-46, S4-47).
pub(super) fn wanted_app(config: &Config, account: &Account) -> NewLiffApp {
    NewLiffApp {
        view: LiffView {
            size: "full".to_owned(),
            url: liff_endpoint(config, &account.id),
            // The button at the top right stays: by it people share and reload.
            module_mode: None,
        },
        description: app_name(&account.display_name),
        features: LiffFeatures { qr_code: false },
        permanent_link_pattern: "concat",
        scope: LIFF_SCOPES.to_vec(),
        bot_prompt: "aggressive",
    }
}

/// The account's name, unless it holds "LINE", which LINE refuses in the name of an app (PLATFORM 24.1). Ours would be
/// refused too: Trunk-line.
fn app_name(display_name: &str) -> String {
    let name: String = display_name.chars().filter(|c| !c.is_control()).take(40).collect();
    let plain: String = name
        .chars()
        .map(|c| match c {
            // Full-width letters.
            '\u{ff21}'..='\u{ff5a}' => {
                char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c).to_ascii_lowercase()
            }
            c => c.to_ascii_lowercase(),
        })
        .collect();
    if name.trim().is_empty() || plain.contains("line") { "Members".to_owned() } else { name }
}

/// Whether an app stands for this account: it opens this account's path, at whatever address the hub had.
pub(super) fn is_ours(app: &LiffApp, account: &AccountId) -> bool {
    let path = liff_path(account);
    Url::parse(&app.view.url).is_ok_and(|url| url.path().trim_end_matches('/').ends_with(&path))
}

/// What differs between an app at LINE and what it should be.
pub(super) fn difference(app: &LiffApp, wanted: &NewLiffApp) -> Option<LiffFault> {
    if app.view.url.trim_end_matches('/') != wanted.view.url {
        return Some(LiffFault::Endpoint);
    }
    if app.view.size != wanted.view.size {
        return Some(LiffFault::View);
    }
    if app.bot_prompt.as_deref() != Some(wanted.bot_prompt) {
        return Some(LiffFault::BotPrompt);
    }
    // More scopes than needed do no harm: somebody may have added one on purpose.
    let lacks = wanted.scope.iter().any(|scope| !app.scope.iter().any(|given| given == scope));
    lacks.then_some(LiffFault::Scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(url: &str) -> LiffApp {
        LiffApp {
            liff_id: "1657000000-AbcdEfgh".to_owned(),
            view: LiffView { size: "full".to_owned(), url: url.to_owned(), module_mode: None },
            description: None,
            scope: LIFF_SCOPES.map(str::to_owned).to_vec(),
            bot_prompt: Some("aggressive".to_owned()),
        }
    }

    fn wanted() -> NewLiffApp {
        NewLiffApp {
            view: LiffView {
                size: "full".to_owned(),
                url: "https://hub.example/liff/a".to_owned(),
                module_mode: None,
            },
            description: "三杯茶".to_owned(),
            features: LiffFeatures { qr_code: false },
            permanent_link_pattern: "concat",
            scope: LIFF_SCOPES.to_vec(),
            bot_prompt: "aggressive",
        }
    }

    #[test]
    fn every_difference_at_line_is_seen() {
        // S4-46
        let ours = "https://hub.example/liff/a";
        assert_eq!(difference(&app(ours), &wanted()), None);
        assert_eq!(difference(&app("https://old.example/liff/a"), &wanted()), Some(LiffFault::Endpoint));
        let mut other = app(ours);
        other.view.size = "tall".to_owned();
        assert_eq!(difference(&other, &wanted()), Some(LiffFault::View));
        let mut other = app(ours);
        other.bot_prompt = None;
        assert_eq!(difference(&other, &wanted()), Some(LiffFault::BotPrompt));
        let mut other = app(ours);
        other.scope.retain(|scope| scope != "openid");
        assert_eq!(difference(&other, &wanted()), Some(LiffFault::Scopes));
        let mut other = app(ours);
        other.scope.push("email".to_owned());
        assert_eq!(difference(&other, &wanted()), None);
    }

    #[test]
    fn an_app_is_named_after_the_account_unless_line_would_refuse_that() {
        // PLATFORM 24.1
        assert_eq!(app_name("三杯茶"), "三杯茶");
        for refused in ["LINE 茶", "Trunkline", "ＬＩＮＥ茶", "", "  "] {
            assert_eq!(app_name(refused), "Members", "{refused}");
        }
    }

    #[test]
    fn an_app_is_known_by_its_path_at_whatever_address() {
        use crate::ids::Id as _;
        let account = AccountId::parse("acc_01JZZZZZZZZZZZZZZZZZZZZZZZ").unwrap();
        assert!(is_ours(&app(&format!("https://old.example/liff/{account}")), &account));
        assert!(is_ours(&app(&format!("https://old.example/hub/liff/{account}/")), &account));
        assert!(!is_ours(&app("https://old.example/liff/acc_01JZZZZZZZZZZZZZZZZZZZZZZX"), &account));
        assert!(!is_ours(&app("https://shop.example/"), &account));
    }
}
