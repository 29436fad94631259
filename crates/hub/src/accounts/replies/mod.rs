//! Who may use the reply tokens of an account's events: the hub, or one of the systems to which the relay passes them on.
//!
//! Owns `reply_owners`. A token is good for one answer, so it has one owner: the hub spends only its own, everything else
//! that it sends is a push. Whose a token is, is fixed by the place of its event in the journal: a change holds for events
//! that come in after it, however late they are processed.

mod repo;

use std::collections::{BTreeMap, HashMap};

use futures_util::future::BoxFuture;
use serde_json::json;

use super::model::Block;
use super::service::{audit, author, hold};
use super::settings;
use crate::app::Hub;
use crate::db::{DbResult, Tx};
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{AccountId, DestinationId, Id as _, TenantId};
use crate::scope::Scope;
use crate::team::Actor;

pub(crate) use repo::STATEMENTS;

/// The word for the hub among owners.
pub const HUB: &str = "hub";

/// The types of events that carry a reply token (PLATFORM 16).
pub const TYPES: [&str; 10] = [
    "message",
    "messageEdited",
    "postback",
    "follow",
    "join",
    "memberJoined",
    "beacon",
    "videoPlayComplete",
    "accountLink",
    "membership",
];

/// Another system that gets an account's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Its id, that of a destination.
    pub id: DestinationId,
    /// Its name among people.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Whether it holds the channel secret, and so may call LINE directly.
    pub holds_secret: bool,
    /// What keeps it from answering through this hub.
    pub lack: Option<Lack>,
}

/// Why a system cannot use a free reply through this hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It gets no events: a person paused it, or it was stopped.
    Events,
    /// It has no key to LINE.
    Key,
}

/// Knows the systems to which an account's events are passed on; a later slice does, `wiring` says which.
pub trait Systems: Send + Sync + std::fmt::Debug {
    /// Those of an account in the scope, the oldest first.
    fn of<'a>(
        &'a self,
        hub: &'a Hub,
        scope: &'a Scope,
        account: &'a AccountId,
    ) -> BoxFuture<'a, DbResult<Vec<System>>>;

    /// Why events could not be passed on to an address; `None` when they could.
    fn refusal(&self, hub: &Hub, url: &str) -> Option<FieldError>;

    /// Passes an account's events on to an address from now on, exactly as LINE sends them, and makes it the owner of reply
    /// tokens where that is asked for. A system that is there already at this address is made such a one.
    fn pass_on<'a>(
        &'a self,
        hub: &'a Hub,
        who: (&'a Scope, &'a Actor),
        account: &'a AccountId,
        url: &'a str,
        keeps_replies: bool,
    ) -> BoxFuture<'a, AppResult<()>>;

    /// Ends all of an account that is taken back.
    fn forget<'a>(
        &'a self,
        tx: &'a mut Tx,
        hub: &'a Hub,
        tenant: &'a TenantId,
        account: &'a AccountId,
    ) -> BoxFuture<'a, DbResult<()>>;
}

/// An owner of reply tokens; `None` is the hub.
pub type Owner = Option<DestinationId>;

/// Who owns the reply tokens of which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Of all events but those below.
    pub all: Owner,
    /// By type of event.
    pub by_type: BTreeMap<String, Owner>,
}

impl Owners {
    /// Who owns the token of an event of a type.
    #[must_use]
    pub fn of(&self, event_type: &str) -> Option<&DestinationId> {
        self.by_type.get(event_type).unwrap_or(&self.all).as_ref()
    }

    /// Whether one system owns any.
    #[must_use]
    pub fn names(&self, system: &DestinationId) -> bool {
        self.all.iter().chain(self.by_type.values().flatten()).any(|owner| owner == system)
    }

    /// Without what says the same as the rule for all.
    fn tidy(mut self) -> Self {
        self.by_type.retain(|_, owner| *owner != self.all);
        self
    }
}

/// An owner's word to programs: `hub`, or the destination's id.
#[must_use]
pub fn word(owner: Option<&DestinationId>) -> &str {
    owner.map_or(HUB, DestinationId::as_str)
}

/// What is to be changed; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The owner of all events' tokens, as its word.
    pub owner: Option<String>,
    /// The exceptions by type of event, as their words; those that are not named end.
    pub by_type: Option<BTreeMap<String, String>>,
}

/// Who owns the reply tokens of events that come in now.
///
/// # Errors
/// The database does not answer.
pub async fn current(hub: &Hub, scope: &Scope, account: &AccountId) -> DbResult<Owners> {
    Ok(repo::current(&hub.db, scope, account, hub.journal.epoch()).await?.unwrap_or_default())
}

/// The same for all accounts in the scope of which somebody ever said.
///
/// # Errors
/// The database does not answer.
pub async fn all_current(hub: &Hub, scope: &Scope) -> DbResult<HashMap<AccountId, Owners>> {
    repo::all_current(&hub.db, scope, hub.journal.epoch()).await
}

/// Who owns the token of an event at a place of the journal.
///
/// # Errors
/// The database does not answer.
pub async fn at(
    tx: &mut Tx,
    hub: &Hub,
    account: &AccountId,
    position: i64,
    event_type: &str,
) -> DbResult<Owner> {
    let owners = repo::at(tx, account, (hub.journal.epoch(), position)).await?;
    Ok(owners.and_then(|owners| owners.of(event_type).cloned()))
}

/// The systems to which an account's events are passed on.
///
/// # Errors
/// The database does not answer.
pub async fn systems(hub: &Hub, scope: &Scope, account: &AccountId) -> DbResult<Vec<System>> {
    crate::wiring::SYSTEMS.of(hub, scope, account).await
}

/// What is to hold from now on; `None` when nothing changes.
///
/// # Errors
/// 422 at `reply_owner` or `reply_owners` naming what is wrong; the database.
pub(in crate::accounts) async fn prove(
    hub: &Hub,
    scope: &Scope,
    account: &AccountId,
    change: &Change,
) -> AppResult<Option<Owners>> {
    if change.owner.is_none() && change.by_type.is_none() {
        return Ok(None);
    }
    let systems = systems(hub, scope, account).await?;
    let mut wrong = Vec::new();
    let mut owner = |field: &str, word: &str| -> Owner {
        let id = DestinationId::parse(word).filter(|id| systems.iter().any(|system| system.id == *id));
        if id.is_none() && word != HUB {
            let detail = "an owner is `hub` or the id of one of this account's destinations";
            wrong.push(FieldError::new(field, "unknown", detail));
        }
        id
    };
    let before = current(hub, scope, account).await?;
    let mut after = before.clone();
    if let Some(word) = &change.owner {
        after.all = owner("reply_owner", word);
    }
    let mut unknown_types = Vec::new();
    if let Some(by_type) = &change.by_type {
        after.by_type.clear();
        for (event_type, word) in by_type {
            let field = format!("reply_owners.{event_type}");
            after.by_type.insert(event_type.clone(), owner(&field, word));
            if !TYPES.contains(&event_type.as_str()) {
                let detail = format!("events with a reply token are {}", TYPES.join(", "));
                unknown_types.push(FieldError::new(field, "unknown", detail));
            }
        }
    }
    wrong.extend(unknown_types);
    if !wrong.is_empty() {
        return Err(AppError::invalid(wrong));
    }
    let after = after.tidy();
    Ok((after != before).then_some(after))
}

/// Writes who owns the tokens of events that come in from now on, and notes who said so.
pub(in crate::accounts) async fn write(
    tx: &mut Tx,
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &AccountId,
    owners: &Owners,
) -> DbResult<()> {
    let (now, by, owner) = (hub.now(), author(who.1), (account, who.0.tenant()));
    // Read while the account is held: of two at once the second holds for later events, and what was processed before came
    // before.
    hold(tx, owner.1, account).await?;
    let after = hub.journal.head().await?;
    repo::set(tx, owner, (hub.journal.epoch(), after), owners, (now, by)).await?;
    settings::repo::touch(tx, owner, Block::Answers, now, by).await?;
    let by_type: BTreeMap<_, _> =
        owners.by_type.iter().map(|(kind, owner)| (kind, word(owner.as_ref()))).collect();
    let detail = json!({ "reply_owner": word(owners.all.as_ref()), "reply_owners": by_type });
    audit(tx, hub, who, "account.reply_owner", account, detail).await
}

/// Gives a system's reply tokens back to the hub, in the transaction in which it goes.
///
/// # Errors
/// The database does not answer.
pub async fn release(
    tx: &mut Tx,
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &AccountId,
    system: &DestinationId,
) -> DbResult<()> {
    let latest = (hub.journal.epoch(), i64::MAX);
    let Some(mut owners) = repo::at(tx, account, latest).await? else { return Ok(()) };
    if !owners.names(system) {
        return Ok(());
    }
    for owner in owners.by_type.values_mut().chain(std::iter::once(&mut owners.all)) {
        owner.take_if(|owner| owner == system);
    }
    write(tx, hub, who, account, &owners.tidy()).await
}

/// Makes a system the owner of all reply tokens, in the transaction in which it is made.
///
/// # Errors
/// The database does not answer.
pub async fn hand_over(
    tx: &mut Tx,
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &AccountId,
    system: &DestinationId,
) -> DbResult<()> {
    let owners = Owners { all: Some(system.clone()), by_type: BTreeMap::new() };
    write(tx, hub, who, account, &owners).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::app::testing::TestHub;
    use crate::clock::Timestamp;
    use crate::db::testing::Engine;

    fn system(last: char) -> DestinationId {
        DestinationId::parse(&format!("dst_0000000000000000000000000{last}")).unwrap()
    }

    #[test]
    fn an_exception_counts_before_the_rule() {
        let (one, two) = (system('1'), system('2'));
        let by_type = [("follow".to_owned(), None), ("postback".to_owned(), Some(two.clone()))];
        let owners = Owners { all: Some(one.clone()), by_type: BTreeMap::from(by_type) };
        assert_eq!(owners.of("message"), Some(&one));
        assert_eq!(owners.of("follow"), None);
        assert_eq!(owners.of("postback"), Some(&two));
        assert!(owners.names(&one) && owners.names(&two) && !owners.names(&system('3')));
    }

    #[test]
    fn what_says_the_same_as_the_rule_is_no_exception() {
        let one = system('1');
        let by_type = BTreeMap::from([("follow".to_owned(), Some(one.clone()))]);
        assert!(Owners { all: Some(one), by_type }.tidy().by_type.is_empty());
    }

    // Two nodes' clocks differ, and a journal that was put away has higher places.
    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn what_was_said_at_the_latest_place_counts_whatever_the_clocks_say(#[case] engine: Engine) {
        let Some(test) = TestHub::new(engine).await else { return };
        let (hub, epoch, now) = (&test.hub, test.hub.journal.epoch(), test.hub.now());
        let (tenant, account): (TenantId, AccountId) = (hub.id(), hub.id());
        let scope = Scope::tenant_wide(tenant.clone());
        let owners = |system: Owner| Owners { all: system, ..Owners::default() };
        let set = async |(epoch, after): (i64, i64), last: char, at: Timestamp| {
            let mut tx = hub.db.begin().await.unwrap();
            let owners = owners(Some(system(last)));
            repo::set(&mut tx, (&account, &tenant), (epoch, after), &owners, (at, "")).await.unwrap();
            tx.commit().await.unwrap();
        };
        let current = async || {
            let one = current(hub, &scope, &account).await.unwrap();
            let all = all_current(hub, &scope).await.unwrap();
            assert_eq!(all.get(&account), Some(&one));
            let mut tx = hub.db.begin().await.unwrap();
            assert_eq!(at(&mut tx, hub, &account, i64::MAX, "message").await.unwrap(), one.all);
            one
        };
        let later = now.plus(Duration::from_secs(30));
        set((epoch, 5), '1', later).await;
        set((epoch, 9), '2', now).await;
        set((epoch + 1, 99), '3', later.plus(Duration::from_secs(30))).await;
        assert_eq!(current().await, owners(Some(system('2'))));
        // However many were said by a clock that ran ahead, the last is kept.
        for place in 10..70 {
            set((epoch, place), '1', later).await;
        }
        set((epoch, 70), '2', now).await;
        assert_eq!(current().await, owners(Some(system('2'))));
        test.close().await;
    }

    // PLATFORM 16: which events carry a reply token.
    #[test]
    fn the_types_with_a_token_are_lines() {
        for kind in TYPES {
            let event = format!(r#"{{"type":"{kind}","replyToken":"t"}}"#);
            assert!(line_api::webhook::Event::parse(&event).reply_token.is_some());
        }
        for kind in ["unsend", "unfollow", "leave", "memberLeft", "delivery"] {
            assert!(!TYPES.contains(&kind));
        }
    }
}
