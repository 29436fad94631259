//! A login from the first address to the verified person (PLATFORM 23, GOTCHAS E7, E8).
//!
//! The state that travels through LINE is sealed and holds everything that its answer needs: which test it is, nonce and
//! PKCE verifier, when it ends. So it works when LINE brings the person back into another browser, where our cookie is
//! not; the cookie helps only where LINE brings back a state that is not ours.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use line_client::{Authorize, LineError, Probed, Wanted};
use serde::{Deserialize, Serialize};
use url::Url;

use super::model::{Finding, Found, LoginChannel, ProviderMatch, callback_url};
use crate::accounts::model::Account;
use crate::accounts::service::Deadline;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::ids::{AccountId, LoginTestId};
use crate::web::i18n::Language;

/// Whoever needs longer at LINE begins again.
pub(super) const LIFE: Duration = Duration::from_secs(3600);
/// What a login asks of people.
const SCOPES: [&str; 2] = ["openid", "profile"];

/// What the state holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) run: LoginTestId,
    nonce: String,
    verifier: String,
    ends_at: i64,
    /// Whether it was begun again after LINE brought back a state that is not ours.
    pub(super) is_second: bool,
}

impl Ticket {
    pub(super) fn new(hub: &Hub, run: LoginTestId, is_second: bool) -> Self {
        Self {
            run,
            nonce: hub.entropy.token(),
            // 43 characters of base64url, as PLATFORM 23.1 asks.
            verifier: URL_SAFE_NO_PAD.encode(hub.entropy.bytes::<32>()),
            ends_at: hub.now().plus(LIFE).millis(),
            is_second,
        }
    }

    /// The state's text: sealed, so nobody reads the verifier in it or makes one.
    pub(super) fn seal(&self, hub: &Hub, account: &AccountId) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(hub.keyring.seal(&hub.entropy, &identity(account), &text))
    }

    /// Reads a state; `None` when it is not one of this account's, or over.
    pub(super) fn open(hub: &Hub, account: &AccountId, text: &str) -> Option<Self> {
        let sealed = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let text = hub.keyring.open(&identity(account), &sealed).ok()?;
        let ticket: Self = serde_json::from_str(text.expose()).ok()?;
        (hub.now() < Timestamp(ticket.ends_at)).then_some(ticket)
    }
}

fn identity(account: &AccountId) -> String {
    format!("login_state/{account}")
}

/// LINE's tag of a language.
const fn locale(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::ZhHant => "zh-TW",
        Language::Ja => "ja",
        Language::Th => "th",
    }
}

/// Where the browser is sent to.
pub(super) fn authorize_url(
    hub: &Hub,
    channel: &line_client::LoginChannel,
    row: &LoginChannel,
    ticket: &Ticket,
    language: Language,
) -> Url {
    let challenge = digest::digest(&digest::SHA256, ticket.verifier.as_bytes());
    channel.authorize_url(&Authorize {
        redirect_uri: &callback_url(&hub.config, &row.account_id),
        state: &ticket.seal(hub, &row.account_id),
        nonce: &ticket.nonce,
        code_challenge: &URL_SAFE_NO_PAD.encode(challenge),
        scopes: &SCOPES,
        bot_prompt: row.add_friend.then_some("aggressive"),
        language: Some(locale(language)),
        ask_consent: false,
        no_auto_login: ticket.is_second,
    })
}

/// Finds out before anybody is sent there whether LINE takes the callback address.
pub(super) async fn probe(
    hub: &Hub,
    channel: &line_client::LoginChannel,
    row: &LoginChannel,
    run: &LoginTestId,
    deadline: Deadline,
) -> Finding {
    let ticket = Ticket::new(hub, run.clone(), false);
    let url = authorize_url(hub, channel, row, &ticket, Language::En);
    match deadline.wait(channel.probe(&url)).await {
        Ok(Probed::Accepted) => Found::CallbackOk.into(),
        Ok(Probed::Refused) => Found::CallbackMismatch.into(),
        Ok(Probed::Unclear(status)) => Finding::said(Found::CallbackUnclear, &status.to_string()),
        Err(_) => Found::CallbackUnclear.into(),
    }
}

/// A code's hash, by which the same one that comes twice is known (GOTCHAS E8).
pub(super) fn code_hash(code: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, code.as_bytes()))
}

/// What a code that came back shows, step by step up to the first that fails.
pub(super) async fn follow(
    hub: &Hub,
    channel: &line_client::LoginChannel,
    row: &LoginChannel,
    account: &Account,
    (ticket, code): (&Ticket, &str),
) -> Walked {
    let deadline = Deadline::start();
    let mut walked = Walked { findings: vec![Found::Consented.into()], ..Walked::default() };
    let callback = callback_url(&hub.config, &row.account_id);
    let tokens = match deadline.wait(channel.exchange_code(code, &callback, &ticket.verifier)).await {
        Ok(tokens) => tokens,
        Err(error) => {
            walked.findings.push(refused_code(channel, &error, deadline).await);
            return walked;
        }
    };
    walked.findings.push(Found::SecretOk.into());
    let wanted =
        Wanted { channel_id: &row.channel_id, nonce: Some(&ticket.nonce), now: hub.now().millis() / 1000 };
    let token = tokens.id_token.as_ref().map_or("", |token| token.expose());
    match line_client::verify_web(token, channel.secret(), wanted) {
        Err(fault) => walked.findings.push(Finding::said(Found::IdentityWrong, &fault.to_string())),
        Ok(claims) => {
            walked.findings.push(Found::IdentityOk.into());
            let friend = deadline.wait(channel.friendship(&tokens.access_token)).await;
            let who = (&ticket.run, claims.sub.as_str());
            walked = walked.and(standing(hub, (row, account), who, friend, deadline).await);
        }
    }
    // The test needs the person's token no more; that LINE ends it is a courtesy.
    let _ = deadline.wait(channel.revoke(&tokens.access_token)).await;
    walked
}

/// Why LINE does not exchange a code. Where its words do not say, the secret is tried by itself.
async fn refused_code(channel: &line_client::LoginChannel, error: &LineError, deadline: Deadline) -> Finding {
    let words = error.words().to_ascii_lowercase();
    match error {
        LineError::Refused { .. } | LineError::Credentials { .. } => {}
        _ => return Finding::said(Found::LineSilent, &error.to_string()),
    }
    if words.contains("redirect_uri") {
        return Finding::said(Found::CallbackMismatch, error.words());
    }
    // A token that was issued before may still be held, and says nothing of the secret now.
    let anew = channel.fresh();
    let is_wrong = words.contains("client_secret")
        || words.contains("client_id")
        || matches!(deadline.wait(anew.account().token()).await, Err(LineError::Credentials { .. }));
    let found = if is_wrong { Found::WrongSecret } else { Found::CodeUsed };
    Finding::said(found, error.words())
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) findings: Vec<Finding>,
    /// Whether the person proved that both channels belong to one provider.
    pub(super) is_same: bool,
    /// Who logged in, as [`subject`], where the person's code is to show the provider.
    pub(super) subject: Option<String>,
}

impl Walked {
    /// With what came after.
    pub(super) fn and(mut self, next: Self) -> Self {
        self.findings.extend(next.findings);
        Self { findings: self.findings, ..next }
    }
}

/// Who logged in at a test, to be compared with who writes its code: bound to the test and the channel, and no user ID.
pub(super) fn subject(run: &LoginTestId, channel: &str, user_id: &str) -> String {
    let hash = digest::digest(&digest::SHA256, format!("{run}/{channel}/{user_id}").as_bytes());
    format!("{channel}/{}", URL_SAFE_NO_PAD.encode(hash))
}

/// What the official account knows of a person that the Login channel knows (GOTCHAS D1): whether both channels belong to
/// one provider, and whether the linked account is this one, which LINE never says by name.
///
/// User IDs are the provider's. So "same" is proven where the account's channel knows this very ID: LINE gives the profile,
/// or an event of this person came in. The reverse is no proof: LINE answers 404 for IDs of another provider and for
/// people who are no friends or blocked the account alike (PLATFORM 9). And a friend of the linked account whom this one
/// does not know shows only that another account is linked. Then the person is asked to write a code to the account:
/// who writes it has an ID to be compared ([`super::run::settle`]).
pub(super) async fn standing(
    hub: &Hub,
    (row, account): (&LoginChannel, &Account),
    (run, user_id): (&LoginTestId, &str),
    friend: Result<Option<bool>, LineError>,
    deadline: Deadline,
) -> Walked {
    let known = match crate::accounts::service::line(hub, &account.id).await {
        Ok(line) => deadline.wait(line.profile(user_id)).await.ok().map(|profile| profile.is_some()),
        Err(_) => None,
    };
    let met = crate::wiring::KNOWS_PEOPLE.knows(hub, &account.tenant_id, &account.id, user_id).await;
    let is_same = known == Some(true) || met.unwrap_or(false);
    // No channel moves to another provider: what an earlier login proved holds for this one.
    let is_proven = is_same || row.provider() == ProviderMatch::Same;
    let found = if is_proven { Found::ProviderSame } else { Found::ProviderUnknown };
    let linked = match (known, friend.ok()) {
        (_, None) => None,
        (_, Some(None)) => Some(Found::LinkedNone),
        (Some(true), Some(Some(true))) => Some(Found::LinkedOk),
        (Some(true), Some(Some(false))) | (Some(false), Some(Some(true))) => Some(Found::LinkedOther),
        (_, Some(Some(_))) => Some(Found::LinkedUnknown),
    };
    Walked {
        findings: std::iter::once(found).chain(linked).map(Finding::from).collect(),
        is_same,
        subject: (!is_proven).then(|| subject(run, &row.channel_id, user_id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::TestHub;
    use crate::db::testing::Engine;
    use crate::ids::Id as _;

    #[tokio::test]
    async fn a_state_opens_for_its_account_until_it_ends_and_cannot_be_made() {
        let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
        let hub = &test.hub;
        let (account, other): (AccountId, AccountId) = (hub.id(), hub.id());
        let ticket = Ticket::new(hub, hub.id(), false);
        let state = ticket.seal(hub, &account);
        assert!(state.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{state}");
        let opened = Ticket::open(hub, &account, &state).unwrap();
        assert_eq!(
            (&opened.run, &opened.nonce, &opened.verifier),
            (&ticket.run, &ticket.nonce, &ticket.verifier)
        );
        assert_eq!(ticket.verifier.len(), 43);
        // Neither another account's nor altered nor made up.
        assert!(Ticket::open(hub, &other, &state).is_none());
        let mut altered = state.clone().into_bytes();
        altered[40] ^= 1;
        assert!(Ticket::open(hub, &account, &String::from_utf8(altered).unwrap()).is_none());
        for made_up in ["", "xyz", "0123456789abcdef"] {
            assert!(Ticket::open(hub, &account, made_up).is_none());
        }
        assert!(!state.contains(&ticket.verifier) && LoginTestId::parse(&state).is_none());
        test.clock.advance(LIFE);
        assert!(Ticket::open(hub, &account, &state).is_none());
        test.close().await;
    }
}
