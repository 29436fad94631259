//! Changing what people decide about an account.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

use super::{Changed, Changes, LABEL_MAX, repo};
use crate::accounts::model::{Account, Block};
use crate::accounts::plan::Ticked;
use crate::accounts::repo as accounts;
use crate::accounts::service::{audit, author, get, line};
use crate::app::Hub;
use crate::db::{DbResult, Tx};
use crate::error::{AppError, AppResult};
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::team::Actor;

/// How long LINE may take to tell an account's kind.
const PATIENCE: Duration = Duration::from_secs(3);

impl Changes {
    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    /// The names of what changes, for the audit log.
    fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = [
            (self.environment.is_some(), "environment"),
            (self.display_label.is_some(), "display_label"),
            (self.kind.is_some(), "kind"),
            (self.market.is_some(), "market"),
            (self.group_chats.is_some(), "group_chats"),
            (self.sender_name.is_some(), "sender_name"),
            (self.plan.is_some(), "plan"),
            (!self.owners.is_empty(), "owners"),
        ]
        .into_iter()
        .filter_map(|(changes, name)| changes.then_some(name))
        .collect();
        names.extend(self.ticks.iter().map(|(tick, _)| tick.as_str()));
        names
    }

    /// The blocks of the page that the changes belong to.
    fn blocks(&self) -> impl Iterator<Item = Block> {
        let account = self.environment.is_some()
            || self.display_label.is_some()
            || self.kind.is_some()
            || self.market.is_some()
            || self.group_chats.is_some()
            || self.sender_name.is_some();
        let answers = self.plan.is_some() || !self.owners.is_empty() || !self.ticks.is_empty();
        account.then_some(Block::Account).into_iter().chain(answers.then_some(Block::Answers))
    }

    /// The changes in the form in which they are kept.
    ///
    /// # Errors
    /// 422 at `display_label` when it is too long.
    pub fn checked(&self) -> AppResult<Self> {
        let label = |label: &Option<String>| {
            let label = label.as_deref().map(|text| crate::text::storable(text.trim()));
            label.filter(|text| !text.is_empty())
        };
        let display_label = self.display_label.as_ref().map(label);
        if display_label.iter().flatten().any(|label| label.chars().count() > LABEL_MAX) {
            let detail = format!("a label has at most {LABEL_MAX} characters; shorten it");
            return Err(AppError::invalid_field("display_label", "too_long", detail));
        }
        Ok(Self { display_label, ..self.clone() })
    }
}

/// Changes what people decide about an account, and notes who did.
///
/// # Errors
/// 404 when there is none in the scope, 422 naming the wrong value, the database; then nothing has changed.
pub async fn change(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    changes: &Changes,
) -> AppResult<Account> {
    let changes = changes.checked()?;
    get(hub, who.0, id).await?;
    let mut tx = hub.db.begin().await?;
    write(&mut tx, hub, who, id, &changes).await?;
    tx.commit().await?;
    get(hub, who.0, id).await
}

/// Writes changes that were checked.
pub(in crate::accounts) async fn write(
    tx: &mut Tx,
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    changes: &Changes,
) -> DbResult<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let (now, by, owner) = (hub.now(), author(who.1), (id, who.0.tenant()));
    repo::change(tx, owner, changes, (now, by)).await?;
    for tick in &changes.ticks {
        repo::set_tick(tx, owner, *tick, (now, by)).await?;
    }
    for block in changes.blocks() {
        repo::touch(tx, owner, block, now, by).await?;
    }
    accounts::touch(tx, id, now, by).await?;
    audit(tx, hub, who, "account.changed", id, json!({ "changed": changes.names() })).await
}

/// Who changed which block of an account last; blocks that nobody changed since connecting are missing.
///
/// # Errors
/// The database does not answer.
pub async fn blocks(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Vec<Changed>> {
    Ok(repo::blocks(&hub.db, scope, id).await?)
}

/// The ticks of all accounts in the scope, by account.
///
/// # Errors
/// The database does not answer.
pub async fn all_ticks(hub: &Hub, scope: &Scope) -> AppResult<HashMap<AccountId, Vec<Ticked>>> {
    let mut by_account: HashMap<AccountId, Vec<Ticked>> = HashMap::new();
    for (id, ticked) in repo::all_ticks(&hub.db, scope).await? {
        by_account.entry(id).or_default().push(ticked);
    }
    Ok(by_account)
}

/// Whether groups and rooms of an account are shown, as it stands within a transaction: what is hidden leads to no
/// contact, no conversation, no answer and no question to LINE.
///
/// # Errors
/// The database does not answer.
pub async fn shows_groups(tx: &mut Tx, id: &AccountId) -> DbResult<bool> {
    repo::shows_groups(tx, id).await
}

/// Asks LINE as much of an account's kind as it tells: whether it gives the list of followers (PLATFORM 9, S0-15). Where
/// LINE does not answer, what was known stays.
///
/// # Errors
/// 404 when there is none in the scope, 409 `disconnected`; the database.
pub async fn ask_kind(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<()> {
    get(hub, scope, id).await?;
    let line = line(hub, id).await?;
    let Ok(Ok(gives)) = tokio::time::timeout(PATIENCE, line.gives_followers()).await else { return Ok(()) };
    let mut tx = hub.db.begin().await?;
    repo::set_lists_followers(&mut tx, id, gives, hub.now()).await?;
    tx.commit().await?;
    Ok(())
}
