//! The channel access tokens that exist, and how long each kind lives (PLATFORM 4).

use serde::{Deserialize, Serialize};

use crate::fading::Fading;
use crate::ids::Ids;

/// PLATFORM 4: short-lived and v2.1 tokens, at most so many valid ones of each kind per channel.
pub(super) const KEPT: usize = 30;
/// An expired or revoked token is remembered so long, so that a verification can say what became of it.
const REMEMBERED_MS: i64 = 3_600_000;

/// The four kinds of channel access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// By a JWT, with a life of the channel's choice.
    V21,
    Stateless,
    ShortLived,
    LongLived,
}

/// A channel access token and how it ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub(crate) channel: String,
    pub(crate) kind: Kind,
    pub(crate) issued_at: i64,
    /// `None` for the long-lived token.
    pub(crate) expires_at: Option<i64>,
    pub(crate) revoked: bool,
    /// Names a v2.1 token to its owner; not the `kid` of the signing key.
    pub(crate) key_id: Option<String>,
}

impl AccessToken {
    /// Neither expired nor revoked.
    pub(crate) fn is_live(&self, now: i64) -> bool {
        !self.revoked && self.expires_at.is_none_or(|end| end > now)
    }
}

/// All channel access tokens, by their text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    by_text: Fading<String, AccessToken>,
}

impl State {
    /// Makes a token that lives for `seconds`, or without end.
    pub(crate) fn issue(
        &mut self,
        ids: &Ids,
        channel: &str,
        kind: Kind,
        seconds: Option<i64>,
        now: i64,
    ) -> (String, AccessToken) {
        let text = match kind {
            Kind::V21 | Kind::Stateless => ids.jws(),
            Kind::ShortLived | Kind::LongLived => ids.token(16),
        };
        let token = AccessToken {
            channel: channel.to_owned(),
            kind,
            issued_at: now,
            expires_at: seconds.map(|seconds| now + seconds * 1_000),
            revoked: false,
            key_id: (kind == Kind::V21).then(|| ids.token(2)),
        };
        let lives = |token: &AccessToken| token.expires_at.is_none_or(|end| end + REMEMBERED_MS > now);
        self.by_text.keep(text.clone(), token.clone(), lives);
        (text, token)
    }

    /// A token by its text, live or not.
    pub(crate) fn get(&self, text: &str) -> Option<&AccessToken> {
        self.by_text.get(text)
    }

    /// The channel of a live token.
    pub(crate) fn channel_of(&self, text: &str, now: i64) -> Option<&str> {
        self.get(text).filter(|token| token.is_live(now)).map(|token| token.channel.as_str())
    }

    /// The live tokens of a channel, oldest first, with their texts.
    pub(crate) fn live(&self, channel: &str, now: i64) -> Vec<(&str, &AccessToken)> {
        let own = self.by_text.iter().filter(|(_, token)| token.channel == channel && token.is_live(now));
        let mut live: Vec<_> = own.map(|(text, token)| (text.as_str(), token)).collect();
        live.sort_by_key(|(text, token)| (token.issued_at, *text));
        live
    }

    /// Ends a token at once. One that is unknown or stateless is left alone (PLATFORM 4).
    pub(crate) fn revoke(&mut self, text: &str) {
        if let Some(token) = self.by_text.get_mut(text).filter(|token| token.kind != Kind::Stateless) {
            token.revoked = true;
        }
    }

    /// Lets the short-lived tokens beyond 30 die, oldest first, except the newest one (PLATFORM 4).
    pub(super) fn revoke_surplus(&mut self, channel: &str, newest: &str, now: i64) {
        let live = self.live(channel, now);
        let short: Vec<&str> = live
            .into_iter()
            .filter(|(text, token)| token.kind == Kind::ShortLived && *text != newest)
            .map(|(text, _)| text)
            .collect();
        let surplus = (short.len() + 1).saturating_sub(KEPT);
        let dead: Vec<String> = short.into_iter().take(surplus).map(str::to_owned).collect();
        for text in dead {
            self.revoke(&text);
        }
    }

    /// The long-lived tokens of a channel end `grace_ms` from now (PLATFORM 4: at most 24 h, on reissue).
    pub(crate) fn end_long_lived(&mut self, channel: &str, grace_ms: i64, now: i64) {
        let end = now + grace_ms;
        for token in self.by_text.values_mut() {
            if token.channel == channel && token.kind == Kind::LongLived {
                token.expires_at = Some(token.expires_at.map_or(end, |before| before.min(end)));
            }
        }
    }
}
