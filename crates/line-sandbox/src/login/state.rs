//! What Login remembers: codes, people's tokens, what they allowed, and who is logged in in which browser.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::fading::Fading;
use crate::login::flow::Ticket;
use crate::world::Chat;

/// PLATFORM 23.1: a code is good for 10 minutes.
const CODE_MS: i64 = 10 * 60_000;
/// PLATFORM 23.2: 90 days from issue, never extended.
const REFRESH_MS: i64 = 90 * 24 * 3_600_000;
/// PLATFORM 17: a link token is good for 10 minutes.
const LINK_MS: i64 = 10 * 60_000;
/// A login in a browser is forgotten after this; LINE publishes no figure.
const SESSION_MS: i64 = 30 * 24 * 3_600_000;
/// A page that nobody finishes is forgotten after this.
const TICKET_MS: i64 = 3_600_000;

/// All of Login's memory.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// Open pages. They do not outlive the process.
    #[serde(skip)]
    tickets: Fading<String, Ticket>,
    codes: Fading<String, Code>,
    tokens: Fading<String, UserToken>,
    refresh: Fading<String, Refresh>,
    /// The scopes a person allowed, by channel.
    grants: BTreeMap<String, BTreeMap<u64, BTreeSet<String>>>,
    sessions: Fading<String, Session>,
    links: Fading<String, Link>,
}

/// An authorization code: what its exchange gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) channel: String,
    pub(crate) person: u64,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<String>,
    /// When the person logged in (ms), if `max_age` asked for it.
    pub(crate) auth_time: Option<i64>,
    pub(crate) amr: String,
    /// The LIFF app from which `liff.login()` came.
    pub(crate) app: Option<String>,
    pub(crate) at: i64,
}

impl Code {
    /// What stands behind the id token of an app that LINE opens.
    pub(crate) fn for_liff(channel: &str, person: u64, app: &str, scopes: Vec<String>, now: i64) -> Self {
        Self {
            channel: channel.to_owned(),
            person,
            redirect_uri: String::new(),
            scopes,
            nonce: None,
            challenge: None,
            auth_time: None,
            amr: "linesso".into(),
            app: Some(app.to_owned()),
            at: now,
        }
    }
}

/// Where a LIFF app runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) app: String,
    /// The chat it was opened from.
    pub(crate) chat: Option<Chat>,
    /// In LINE's own browser, not outside.
    pub(crate) inside: bool,
}

/// A person's access token for a Login channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UserToken {
    pub(crate) channel: String,
    pub(crate) person: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: i64,
    pub(crate) revoked: bool,
    pub(crate) visit: Option<Visit>,
}

impl UserToken {
    /// Seconds left, or LINE's word for why there are none (PLATFORM 23.2).
    pub(crate) fn check(&self, now: i64) -> Result<i64, &'static str> {
        if self.revoked {
            return Err("The access token revoked");
        }
        if self.expires_at <= now {
            return Err("The access token expired");
        }
        Ok((self.expires_at - now) / 1_000)
    }

    /// The scopes as answers list them: never `email` (PLATFORM 23.2).
    pub(crate) fn scope(&self) -> String {
        shown(&self.scopes)
    }

    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

/// Scopes as answers list them: never `email` (PLATFORM 23.2).
pub(crate) fn shown(scopes: &[String]) -> String {
    scopes.iter().filter(|scope| *scope != "email").map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// What a refresh token renews.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refresh {
    pub(crate) channel: String,
    pub(crate) person: u64,
    pub(crate) scopes: Vec<String>,
    issued_at: i64,
}

/// Who is logged in at LINE in a browser, and since when (ms).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) person: u64,
    pub(crate) since: i64,
}

/// The right to link one person once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) channel: String,
    pub(crate) person: u64,
    at: i64,
}

impl State {
    pub(super) fn keep_ticket(&mut self, id: String, ticket: Ticket, now: i64) {
        self.tickets.keep(id, ticket, |ticket| ticket.at + TICKET_MS > now);
    }

    pub(super) fn ticket(&mut self, id: &str) -> Option<&mut Ticket> {
        self.tickets.get_mut(id)
    }

    pub(super) fn end_ticket(&mut self, id: &str) -> Option<Ticket> {
        self.tickets.remove(id)
    }

    pub(super) fn keep_code(&mut self, text: String, code: Code) {
        let now = code.at;
        self.codes.keep(text, code, |kept| kept.at + CODE_MS > now);
    }

    /// Uses a code up, also when the exchange fails afterwards; `None` when it is unknown, used or too old.
    pub(super) fn use_code(&mut self, text: &str, now: i64) -> Option<Code> {
        self.codes.remove(text).filter(|code| code.at + CODE_MS > now)
    }

    pub(crate) fn keep_token(&mut self, text: String, token: UserToken, now: i64) {
        self.tokens.keep(text, token, |token| token.expires_at + 24 * 3_600_000 > now);
    }

    /// A token by its text, live or not.
    pub(crate) fn token(&self, text: &str) -> Option<&UserToken> {
        self.tokens.get(text)
    }

    /// Tells whether a token was made for a LIFF app.
    pub(crate) fn is_of_liff(&self, text: &str) -> bool {
        self.token(text).is_some_and(|token| token.visit.is_some())
    }

    /// Ends a channel's token; others are left alone.
    pub(crate) fn revoke(&mut self, channel: &str, text: &str) {
        if let Some(token) = self.tokens.get_mut(text).filter(|token| token.channel == channel) {
            token.revoked = true;
        }
    }

    pub(super) fn keep_refresh(
        &mut self,
        text: String,
        channel: &str,
        person: u64,
        scopes: &[String],
        now: i64,
    ) {
        let refresh =
            Refresh { channel: channel.to_owned(), person, scopes: scopes.to_owned(), issued_at: now };
        self.refresh.keep(text, refresh, |refresh| refresh.issued_at + REFRESH_MS > now);
    }

    pub(super) fn refresh(&self, text: &str, now: i64) -> Option<&Refresh> {
        self.refresh.get(text).filter(|refresh| refresh.issued_at + REFRESH_MS > now)
    }

    /// The person allowed all of these scopes before.
    pub(crate) fn has_allowed(&self, channel: &str, person: u64, scopes: &[String]) -> bool {
        let granted = self.grants.get(channel).and_then(|people| people.get(&person));
        scopes.iter().all(|scope| granted.is_some_and(|granted| granted.contains(scope)))
    }

    pub(crate) fn allow(&mut self, channel: &str, person: u64, scopes: &[String]) {
        let granted = self.grants.entry(channel.to_owned()).or_default().entry(person).or_default();
        granted.extend(scopes.iter().cloned());
    }

    /// Takes back all that a person allowed a channel: every token dies (PLATFORM 23.5).
    pub(crate) fn forget(&mut self, channel: &str, person: u64) {
        if let Some(people) = self.grants.get_mut(channel) {
            people.remove(&person);
        }
        for token in self.tokens.values_mut() {
            token.revoked |= token.channel == channel && token.person == person;
        }
        self.refresh.retain(|_, refresh| refresh.channel != channel || refresh.person != person);
    }

    pub(super) fn keep_session(&mut self, id: String, session: Session) {
        self.sessions.keep(id, session, |kept| kept.since + SESSION_MS > session.since);
    }

    pub(super) fn session(&self, id: &str) -> Option<Session> {
        self.sessions.get(id).copied()
    }

    pub(super) fn keep_link(&mut self, text: String, channel: String, person: u64, now: i64) {
        self.links.keep(text, Link { channel, person, at: now }, |link| link.at + LINK_MS > now);
    }

    pub(super) fn link(&self, text: &str, now: i64) -> Option<&Link> {
        self.links.get(text).filter(|link| link.at + LINK_MS > now)
    }

    pub(super) fn use_link(&mut self, text: &str, now: i64) -> Option<Link> {
        self.links.remove(text).filter(|link| link.at + LINK_MS > now)
    }
}
