//! What a set-up is, which stages and steps it shows, and what state each is in.

use crate::accounts::model::{Account, Attention, Status};
use crate::clock::Timestamp;
use crate::ids::{AccountId, SetupId};
use crate::words::words;

words! {
    /// What the owner has at LINE when the set-up begins (S0-12, S1-02).
    Has {
        /// No Official Account.
        Nothing = "nothing",
        /// An Official Account whose Messaging API is not enabled.
        Account = "account",
        /// An Official Account with a Messaging API channel.
        Api = "api",
        /// That, and a LINE Login channel.
        Login = "login",
    }

    /// A stage of the set-up (S0-04), and the first message as its end.
    Stage {
        /// Create the Official Account.
        Create = "create",
        /// Enable the Messaging API, which makes the channel.
        Enable = "enable",
        /// Connect the channel to this hub.
        Connect = "connect",
        /// Turn on the webhook at LINE.
        Webhook = "webhook",
        /// The first message arrives.
        Message = "message",
        /// The LINE Login channel that the owner has is taken.
        Login = "login",
    }

    /// How far a stage is.
    StageState {
        /// An earlier one comes first (S4-18).
        Locked = "locked",
        /// It is its turn.
        Now = "now",
        /// Done.
        Done = "done",
        /// Tried, and something is wrong.
        Failed = "failed",
    }

    /// A step at LINE that no API reports; the person ticks it.
    Step {
        /// Sign in at LINE's business pages (S1-03, S1-04).
        SignIn = "sign-in",
        /// Fill in the form of the new account (S0-13, S0-14).
        Form = "form",
        /// Verify later, go to the manager (S0-15, S0-16).
        Later = "later",
        /// Know what cannot be taken back (S0-07, S1-09, S1-10).
        Agree = "agree",
        /// Press "Enable Messaging API" (S0-17).
        Enable = "enable",
        /// Choose or make the Provider (S0-19, S1-12).
        Provider = "provider",
        /// Addresses of privacy policy and terms (S0-20, S1-14).
        Policy = "policy",
        /// Check the names; the state becomes "in use" (S1-15).
        InUse = "in-use",
    }

    /// Which Provider the channel is to be bound to (S0-19).
    ProviderKind {
        /// One is made.
        New = "new",
        /// One that the company has already.
        Existing = "existing",
        /// The one under which the company's LINE Login channel is (S0-06, S4-26).
        Login = "login",
    }

    /// How the hub is to obtain tokens.
    Path {
        /// Channel ID and secret, nothing else (S3-16).
        Secret = "secret",
        /// A signing key, whose public half is registered at LINE (S3-21).
        Key = "key",
        /// A long-lived token that was issued in LINE's console (S0-24).
        Token = "token",
    }
}

impl Stage {
    /// Its steps that a person ticks.
    #[must_use]
    pub const fn steps(self) -> &'static [Step] {
        match self {
            Self::Create => &[Step::SignIn, Step::Form, Step::Later],
            Self::Enable => &[Step::Agree, Step::Enable, Step::Provider, Step::Policy, Step::InUse],
            Self::Connect | Self::Webhook | Self::Message | Self::Login => &[],
        }
    }
}

/// A set-up's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Setup {
    /// Its id.
    pub id: SetupId,
    /// What the owner has.
    #[sqlx(try_from = "String")]
    pub has: Has,
    /// The Provider's name that the channel is bound to.
    pub provider: Option<String>,
    provider_kind: Option<String>,
    /// The channel's ID as typed last.
    pub channel_id: Option<String>,
    /// The word for what was wrong with the last try to connect.
    pub failure: Option<String>,
    /// The account, once it is connected.
    pub account_id: Option<AccountId>,
    /// Since when.
    pub connected_at: Option<Timestamp>,
    /// When its first message had arrived.
    pub done_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Who began it.
    pub created_by: String,
    /// When it was last worked on.
    pub updated_at: Timestamp,
    /// Who worked on it last.
    pub updated_by: String,
}

impl Setup {
    /// Which Provider was chosen; a new one when nothing was said.
    #[must_use]
    pub fn provider_kind(&self) -> ProviderKind {
        self.provider_kind.as_deref().and_then(ProviderKind::parse).unwrap_or(ProviderKind::New)
    }
}

/// A ticked step.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Tick {
    /// Which.
    #[sqlx(try_from = "String")]
    pub step: Step,
    /// When it was ticked.
    pub ticked_at: Timestamp,
    /// Who ticked it.
    pub ticked_by: String,
}

/// A set-up with all that decides where it stands.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The set-up.
    pub setup: Setup,
    /// What was ticked.
    pub ticks: Vec<Tick>,
    /// The account, once there is one.
    pub account: Option<Account>,
    /// Whether it has a LINE Login channel.
    pub has_login: bool,
}

impl Progress {
    /// The tick of a step.
    #[must_use]
    pub fn tick(&self, step: Step) -> Option<&Tick> {
        self.ticks.iter().find(|tick| tick.step == step)
    }

    /// The stages that are shown: only those that are needed.
    #[must_use]
    pub fn stages(&self) -> &'static [Stage] {
        stages(self.setup.has)
    }

    /// Every stage with its state.
    #[must_use]
    pub fn states(&self) -> Vec<(Stage, StageState)> {
        let mut is_open = true;
        let state = |stage: &Stage| {
            let state = match (self.is_done(*stage), is_open) {
                (true, _) => StageState::Done,
                (false, false) => StageState::Locked,
                (false, true) if self.has_failed(*stage) => StageState::Failed,
                (false, true) => StageState::Now,
            };
            is_open &= state == StageState::Done;
            (*stage, state)
        };
        self.stages().iter().map(state).collect()
    }

    /// The stage whose turn it is: the first that is not done, or the last.
    #[must_use]
    pub fn current(&self) -> Stage {
        let open = self.states().into_iter().find(|(_, state)| *state != StageState::Done);
        let last = self.stages().last().copied().unwrap_or(Stage::Message);
        open.map_or(last, |(stage, _)| stage)
    }

    /// How a stage is.
    #[must_use]
    pub fn state(&self, stage: Stage) -> StageState {
        let found = self.states().into_iter().find(|(one, _)| *one == stage);
        found.map_or(StageState::Done, |(_, state)| state)
    }

    /// The account, as long as it is connected.
    fn connected(&self) -> Option<&Account> {
        self.account.as_ref().filter(|account| account.status != Status::Disconnected)
    }

    fn is_done(&self, stage: Stage) -> bool {
        match stage {
            // What comes later cannot be without what comes before.
            Stage::Create | Stage::Enable if self.connected().is_some() => true,
            Stage::Create | Stage::Enable => stage.steps().iter().all(|step| self.tick(*step).is_some()),
            Stage::Connect => self.connected().is_some(),
            Stage::Webhook => self.connected().is_some_and(|account| webhook(account) == Webhook::On),
            Stage::Message => self.connected().is_some() && self.setup.done_at.is_some(),
            Stage::Login => self.has_login,
        }
    }

    fn has_failed(&self, stage: Stage) -> bool {
        match stage {
            // Another system's address is a question to the person, not a fault.
            Stage::Connect => self.setup.failure.as_ref().is_some_and(|why| why != "webhook_elsewhere"),
            Stage::Webhook => self.connected().is_some_and(|account| webhook(account) == Webhook::Elsewhere),
            _ => false,
        }
    }
}

/// The stages for somebody who has so much (S1-02: owners of an OA skip the first part).
#[must_use]
pub(super) fn stages(has: Has) -> &'static [Stage] {
    let (from, to) = match has {
        Has::Nothing => (0, 5),
        Has::Account => (1, 5),
        Has::Api => (2, 5),
        Has::Login => (2, 6),
    };
    Stage::ALL.get(from..to).unwrap_or_default()
}

/// How the webhook of an account is at LINE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// LINE sends the events here.
    On,
    /// The address is right, the switch is off (GOTCHAS A8).
    Off,
    /// LINE has no address, or another one.
    Elsewhere,
    /// LINE does not take the credentials any more.
    Refused,
}

/// Reads it from what LINE said last.
#[must_use]
pub(super) fn webhook(account: &Account) -> Webhook {
    match account.attention() {
        None if account.is_left_alone() => Webhook::Elsewhere,
        None => Webhook::On,
        Some(Attention::WebhookOff | Attention::Connecting) => Webhook::Off,
        Some(Attention::WebhookElsewhere | Attention::WebhookMissing) => Webhook::Elsewhere,
        Some(Attention::Credentials) => Webhook::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_has_decides_what_is_shown() {
        // S0-12, S1-02
        use Stage::{Connect, Create, Enable, Login, Message, Webhook};
        assert_eq!(stages(Has::Nothing), [Create, Enable, Connect, Webhook, Message]);
        assert_eq!(stages(Has::Account), [Enable, Connect, Webhook, Message]);
        assert_eq!(stages(Has::Api), [Connect, Webhook, Message]);
        assert_eq!(stages(Has::Login), [Connect, Webhook, Message, Login]);
    }
}
