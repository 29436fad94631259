//! Making, changing, testing, stopping and watching destinations.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::attempt::{Signer, headers};
use super::deliver::{self, Call, Made};
use super::expire::{LOST, REPLACED};
use super::model::{
    CONCURRENCY, Destination, Filter, Halt, NewSecrets, Signing, Standing, TIMEOUT, TIMEOUT_BOUNDS,
};
use super::proxy;
use super::repo::{self, Attempt, Count, Parked, UnitRow};
use super::told::Outcome;
use super::wishes::{Wishes, fulfil, is_same, refusal};
use crate::accounts;
use crate::accounts::replies::{self, Lack, System, Systems};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbError, DbResult, Tx};
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{AccountId, AttemptId, DeliveryId, DestinationId, TenantId};
use crate::ingress;
use crate::journal;
use crate::live::Notice;
use crate::scope::Scope;
use crate::secrets::Secret;
use crate::team::Actor;
use crate::team::service as team;
use crate::text::cut;

/// Tells accounts which systems get their events.
#[derive(Debug)]
pub struct Passed;

impl Systems for Passed {
    fn of<'a>(
        &'a self,
        hub: &'a Hub,
        scope: &'a Scope,
        account: &'a AccountId,
    ) -> BoxFuture<'a, DbResult<Vec<System>>> {
        Box::pin(async move {
            let all = repo::of_account(&hub.db, scope, account).await?;
            let keyed = proxy::service::keyed(hub, scope, account).await?;
            let system = |one: Destination| System {
                lack: lack(&one, keyed.contains(&one.id)),
                holds_secret: one.signing == Signing::Line,
                id: one.id,
                name: one.name,
                url: one.url,
            };
            Ok(all.into_iter().map(system).collect())
        })
    }

    fn refusal(&self, hub: &Hub, url: &str) -> Option<FieldError> {
        refusal(hub, url)
    }

    fn pass_on<'a>(
        &'a self,
        hub: &'a Hub,
        who: (&'a Scope, &'a Actor),
        account: &'a AccountId,
        url: &'a str,
        keeps_replies: bool,
    ) -> BoxFuture<'a, AppResult<()>> {
        Box::pin(async move {
            let all = list(hub, who.0, account).await?;
            if let Some(found) = all.iter().find(|one| is_same(&one.url, url)) {
                // As a new one would be: whatever it was before, it is now the system that LINE called until today.
                let wishes = Wishes {
                    filter: Some(Filter::default()),
                    signing: Some(Signing::Line),
                    active: Some(true),
                    ..Wishes::default()
                };
                return change_to(hub, who, &found.id, wishes, Some(keeps_replies)).await.map(|_| ());
            }
            let wishes =
                Wishes { name: Some(cut(&host(url), 60)), url: Some(url.to_owned()), ..Wishes::default() };
            make(hub, who, account, wishes, keeps_replies).await.map(|_| ())
        })
    }

    fn forget<'a>(
        &'a self,
        tx: &'a mut Tx,
        hub: &'a Hub,
        tenant: &'a TenantId,
        account: &'a AccountId,
    ) -> BoxFuture<'a, DbResult<()>> {
        Box::pin(repo::delete_of(tx, tenant, account, hub.now()))
    }
}

/// What keeps a destination from answering for free through this hub.
pub(super) const fn lack(of: &Destination, has_key: bool) -> Option<Lack> {
    match (of.may_run(), has_key) {
        (false, _) => Some(Lack::Events),
        (true, false) => Some(Lack::Key),
        (true, true) => None,
    }
}

/// The account's destinations, the oldest first.
///
/// # Errors
/// 404 when there is no such account in the scope.
pub async fn list(hub: &Hub, scope: &Scope, account: &AccountId) -> AppResult<Vec<Destination>> {
    accounts::service::get(hub, scope, account).await?;
    Ok(repo::of_account(&hub.db, scope, account).await?)
}

/// One destination.
///
/// # Errors
/// 404 when there is none in the scope.
pub async fn get(hub: &Hub, scope: &Scope, id: &DestinationId) -> AppResult<Destination> {
    repo::find(&hub.db, scope, id).await?.ok_or_else(|| AppError::not_found("destination"))
}

/// Makes a destination, which gets what comes in from now on; with the secrets that were made, which are told this once.
///
/// # Errors
/// 404 without such an account; 422 naming what is wrong; 409 `destination_limit` when the account has as many as it may.
pub async fn create(
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &AccountId,
    wishes: Wishes,
) -> AppResult<(Destination, NewSecrets)> {
    make(hub, who, account, wishes, false).await
}

/// The same, with the account's reply tokens from now on, where it is to own them.
async fn make(
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    account: &AccountId,
    wishes: Wishes,
    owns_replies: bool,
) -> AppResult<(Destination, NewSecrets)> {
    accounts::service::get(hub, scope, account).await?;
    let now = hub.now();
    let missing = |field: &str, what| FieldError::new(field, "required", format!("give {what}"));
    let mut absent = Vec::new();
    absent.extend(wishes.name.is_none().then(|| missing("name", "the destination a name")));
    absent.extend(wishes.url.is_none().then(|| missing("url", "the address that the events are sent to")));
    let blank = Destination {
        id: hub.id(),
        tenant: scope.tenant().clone(),
        account: account.clone(),
        name: String::new(),
        url: String::new(),
        filter: Filter::default(),
        signing: Signing::Line,
        secret: None,
        standard: None,
        active: true,
        halt: None,
        failing_since: None,
        concurrency: CONCURRENCY.0,
        rate: None,
        timeout_ms: i64::try_from(TIMEOUT.as_millis()).unwrap_or(TIMEOUT_BOUNDS.1),
        position: hub.journal.head().await?,
        epoch: hub.journal.epoch(),
        last: None,
        retrying: 0,
        parked: 0,
        serial: 0,
        created_at: now,
        updated_at: now,
    };
    let (new, secrets) = fulfil(hub, blank, wishes, absent)?;
    let most = hub.config.destinations_max;
    let mut tx = hub.db.begin().await?;
    // Held until the commit: of two at once the second counts the first.
    if !accounts::service::hold(&mut tx, &new.tenant, account).await? {
        return Err(AppError::not_found("account"));
    }
    if repo::count(&mut tx, &new.tenant, account).await? >= i64::try_from(most).unwrap_or(i64::MAX) {
        let detail = format!(
            "this account has {most} destinations, which is as many as this hub allows; delete one, or ask the operator \
             to raise TRUNKLINE_DESTINATIONS_MAX"
        );
        return Err(AppError::conflict("destination_limit", detail).with("limit", most));
    }
    repo::insert(&mut tx, &new, actor.name()).await?;
    let detail = json!({ "name": new.name, "host": host(&new.url), "account": account.as_str() });
    team::audit(&mut tx, hub, &new.tenant, actor, ("destination.created", new.id.as_str()), &detail).await?;
    if owns_replies {
        replies::hand_over(&mut tx, hub, (scope, actor), account, &new.id).await?;
    }
    tx.commit().await?;
    hub.relay.wake();
    Ok((new, secrets))
}

/// Changes a destination. Switching one on again, or giving it another address, lets it go on where it stopped, and what
/// waits for another try goes at once; one whose cursor belongs to another journal begins with what comes in from now on, and
/// that it does is listed.
///
/// # Errors
/// 404 when there is none; 422 naming what is wrong; 409 when somebody else changed it at the same moment.
pub async fn change(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &DestinationId,
    wishes: Wishes,
) -> AppResult<(Destination, NewSecrets)> {
    change_to(hub, who, id, wishes, None).await
}

/// The same, with whether the account's reply tokens are its own from now on, where that is said.
async fn change_to(
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    id: &DestinationId,
    wishes: Wishes,
    owns_replies: Option<bool>,
) -> AppResult<(Destination, NewSecrets)> {
    let before = get(hub, scope, id).await?;
    let meanwhile = || {
        let detail = "the destination was changed by somebody else meanwhile; look at it and try again";
        AppError::conflict("changed_meanwhile", detail)
    };
    if wishes.of.is_some_and(|of| of != before.updated_at) {
        return Err(meanwhile());
    }
    let is_resumed = wishes.active == Some(true) || wishes.url.as_ref().is_some_and(|url| *url != before.url);
    let (mut after, secrets) = fulfil(hub, before.clone(), wishes, Vec::new())?;
    let has_new_secret = (&before.secret, &before.standard) != (&after.secret, &after.standard);
    if is_resumed || before.halt == Some(Halt::Secret) && has_new_secret {
        (after.halt, after.failing_since) = (None, None);
    }
    let begins_anew = before.halt == Some(Halt::Journal) && after.halt.is_none();
    let place = (hub.journal.epoch(), hub.journal.head().await?);
    after.updated_at = hub.now();
    let parts = [
        ("name", before.name != after.name),
        ("url", before.url != after.url),
        ("filter", before.filter != after.filter),
        ("signing", before.signing != after.signing || secrets.own.is_some()),
        ("standard_webhooks", before.standard != after.standard),
        ("active", before.active != after.active),
        (
            "limits",
            (before.concurrency, before.rate, before.timeout_ms)
                != (after.concurrency, after.rate, after.timeout_ms),
        ),
    ];
    let changed: Vec<_> = parts.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    let detail = json!({ "name": after.name, "changed": changed, "active": after.active });
    let mut tx = hub.db.begin().await?;
    // First, because it holds the account, as whoever adds one does first.
    match owns_replies {
        Some(true) => replies::hand_over(&mut tx, hub, (scope, actor), &after.account, id).await?,
        Some(false) => replies::release(&mut tx, hub, (scope, actor), &after.account, id).await?,
        None => {}
    }
    if !repo::change(&mut tx, &after, actor.name()).await? {
        return Err(meanwhile());
    }
    if is_resumed {
        repo::hurry(&mut tx, &after.tenant, id, after.updated_at).await?;
    }
    if begins_anew {
        let now = after.updated_at;
        repo::begin_anew(&mut tx, (&after.tenant, id), place, LOST, now).await?;
        // In the place of what nobody knows of.
        let row = UnitRow {
            id: hub.id(),
            first: 0,
            last: 0,
            chats: Vec::new(),
            is_replay: false,
            attempts: 0,
            due_at: now,
            failed_at: Some(now),
        };
        let (whose, times) = ((&after.tenant, id), (now, now));
        repo::put_unit(&mut tx, whose, &row, Standing::Expired, Some(REPLACED), times).await?;
    }
    team::audit(&mut tx, hub, &after.tenant, actor, ("destination.changed", id.as_str()), &detail).await?;
    tx.commit().await?;
    hub.relay.wake();
    Ok((get(hub, scope, id).await?, secrets))
}

/// Deletes a destination; what waits for it is dropped, and reply tokens that it owned are the hub's from now on.
///
/// # Errors
/// 404 when there is none.
pub async fn delete(hub: &Hub, (scope, actor): (&Scope, &Actor), id: &DestinationId) -> AppResult<()> {
    let before = get(hub, scope, id).await?;
    let mut tx = hub.db.begin().await?;
    // Before the rest, because it holds the account, as whoever adds one does first.
    replies::release(&mut tx, hub, (scope, actor), &before.account, id).await?;
    if !repo::delete(&mut tx, &before.tenant, id, hub.now()).await? {
        return Err(AppError::not_found("destination"));
    }
    let detail = json!({ "name": before.name, "host": host(&before.url) });
    team::audit(&mut tx, hub, &before.tenant, actor, ("destination.deleted", id.as_str()), &detail).await?;
    tx.commit().await?;
    hub.relay.wake();
    Ok(())
}

/// Sends a signed empty batch, as LINE's "Verify" does (PLATFORM 15), and tells what came of it; nothing is stored.
///
/// # Errors
/// 404 when there is no such destination; 409 when its account is not connected, or its secret does not open.
pub async fn test(hub: &Hub, scope: &Scope, id: &DestinationId) -> AppResult<Made> {
    let destination = get(hub, scope, id).await?;
    let account = hub.accounts.by_id(&destination.account).ok_or_else(|| {
        AppError::conflict("disconnected", "the account is not connected; connect it again first")
    })?;
    let body = json!({ "destination": account.bot_user_id, "events": [] }).to_string();
    let signer = Signer::open(hub, &destination).map_err(|_| {
        AppError::conflict("secret", "its secret was sealed by another master key; make a new one first")
    })?;
    let delivery = hub.id::<DeliveryId>();
    let mut headers = headers([
        (deliver::SIGNATURE, signer.sign(&account, body.as_bytes())),
        (deliver::DELIVERY, delivery.to_string()),
        (ingress::VIA, ingress::own_name(hub)),
    ]);
    headers.extend(signer.standard(delivery.as_str(), hub.now(), body.as_bytes()));
    let timeout = destination.timeout();
    let call = Call { url: destination.url, headers, body: Bytes::from(body), timeout };
    Ok(deliver::call(hub, call).await)
}

/// Lets everything go again that was refused or has expired, or the named units, also skipped ones, where the journal still
/// has them; gives how many that are.
///
/// # Errors
/// 404 when there is no such destination; 422 naming a unit that was not put aside.
pub async fn retry_parked(
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    id: &DestinationId,
    only: Option<&[DeliveryId]>,
) -> AppResult<u64> {
    let destination = get(hub, scope, id).await?;
    let (whose, now) = ((&destination.tenant, id), hub.now());
    let mut tx = hub.db.begin().await?;
    let mut count = 0;
    match only {
        None => count = repo::revive(&mut tx, whose, None, now).await?,
        Some(units) => {
            for (place, unit) in units.iter().enumerate() {
                if repo::revive(&mut tx, whose, Some(unit), now).await? == 0 {
                    let field = format!("delivery_ids[{place}]");
                    let detail = "nothing of this name can be tried again: it was already, or the journal no longer has it";
                    return Err(AppError::invalid_field(&field, "unknown", detail));
                }
                count += 1;
            }
        }
    }
    finish(hub, tx, &destination, actor, "destination.retried", count).await
}

/// Leaves out everything that waits for another try, so that what stands behind it goes on; gives how many units that
/// are. They stay listed, and can be replayed.
///
/// # Errors
/// 404 when there is no such destination.
pub async fn skip(hub: &Hub, (scope, actor): (&Scope, &Actor), id: &DestinationId) -> AppResult<u64> {
    let destination = get(hub, scope, id).await?;
    let mut tx = hub.db.begin().await?;
    let count = repo::skip(&mut tx, &destination.tenant, id, hub.now()).await?;
    finish(hub, tx, &destination, actor, "destination.skipped", count).await
}

/// Has the runner read everything again, and tells the audit log of what was done to so many units.
pub(super) async fn finish(
    hub: &Hub,
    mut tx: Tx,
    destination: &Destination,
    actor: &Actor,
    action: &str,
    count: u64,
) -> AppResult<u64> {
    repo::bump(&mut tx, &destination.tenant, &destination.id).await?;
    let detail = json!({ "name": destination.name, "count": count });
    let subject = (action, destination.id.as_str());
    team::audit(&mut tx, hub, &destination.tenant, actor, subject, &detail).await?;
    tx.commit().await?;
    hub.relay.wake();
    Ok(count)
}

/// How far a destination is behind: events of its account that the cursor has not passed, of at most 10,000 looked at,
/// and the age of the oldest of them.
///
/// # Errors
/// The database does not answer.
pub async fn lag(hub: &Hub, destination: &Destination) -> DbResult<(i64, u64)> {
    if destination.halt == Some(Halt::Journal) {
        return Ok((0, 0));
    }
    let ahead = hub.journal.lag(destination.position).await?;
    let events = ahead.get(destination.account.as_str()).copied().unwrap_or(0);
    if events == 0 {
        return Ok((0, 0));
    }
    let account = [destination.account.as_str().to_owned()];
    let filter = journal::Filter {
        accounts: &account,
        after: destination.position,
        limit: 1,
        ..journal::Filter::default()
    };
    let oldest = hub.journal.list(&filter).await?;
    Ok((events, oldest.first().map_or(0, |entry| hub.now().since(entry.received_at).as_secs())))
}

/// One page of a destination's attempts, the newest first: those that ended so, of the delivery of that name where one is
/// given.
///
/// # Errors
/// 404 when there is no such destination.
pub async fn attempts(
    hub: &Hub,
    scope: &Scope,
    id: &DestinationId,
    (outcome, delivery): (Outcome, &str),
    below: Option<(Timestamp, String)>,
    limit: i64,
) -> AppResult<Vec<Attempt>> {
    let destination = get(hub, scope, id).await?;
    let (at, last) = below.unwrap_or((Timestamp(i64::MAX), String::new()));
    Ok(repo::attempts(&hub.db, (&destination.tenant, id), (at, &last), (outcome.as_str(), delivery), limit)
        .await?)
}

/// One attempt.
///
/// # Errors
/// 404 when there is none.
pub async fn attempt(
    hub: &Hub,
    scope: &Scope,
    id: &DestinationId,
    attempt: &AttemptId,
) -> AppResult<Attempt> {
    let destination = get(hub, scope, id).await?;
    let found = repo::attempt(&hub.db, (&destination.tenant, id), attempt).await?;
    found.ok_or_else(|| AppError::not_found("attempt"))
}

/// One page of what was put aside (refused, expired or skipped), the oldest first, above a place.
///
/// # Errors
/// The database does not answer.
pub async fn parked(
    hub: &Hub,
    destination: &Destination,
    above: Option<(i64, String)>,
    limit: i64,
) -> DbResult<Vec<Parked>> {
    let (position, unit) = above.unwrap_or((-1, String::new()));
    let whose = (&destination.tenant, &destination.id);
    let mut rows = repo::parked(&hub.db, whose, (position, &unit), limit).await?;
    for row in rows.iter_mut().filter(|row| row.requests_gone().is_none()) {
        // Between the first and the last there are numbers that no event has.
        let places = (row.first_position, row.last_position);
        row.event_ids = hub.journal.ids(places, &destination.account, row.received_at).await?;
    }
    Ok(rows)
}

/// One unit that was put aside.
///
/// # Errors
/// 404 when there is none of that name.
pub async fn parked_one(hub: &Hub, destination: &Destination, id: &DeliveryId) -> AppResult<Parked> {
    let found = repo::parked_one(&hub.db, (&destination.tenant, &destination.id), id).await?;
    found.ok_or_else(|| AppError::not_found("delivery"))
}

/// How many units were put aside because a person left them out, and whether any of those that wait has failed.
///
/// # Errors
/// The database does not answer.
pub async fn skipped_and_failed(hub: &Hub, destination: &Destination) -> DbResult<(i64, bool)> {
    repo::skipped_and_failed(&hub.db, (&destination.tenant, &destination.id)).await
}

/// Drops units from what was put aside, so that nobody looks after them any more; gives how many. One that the cursor has not
/// passed yet stays.
///
/// # Errors
/// 404 when there is no such destination.
pub async fn dismiss(
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    id: &DestinationId,
    units: &[DeliveryId],
) -> AppResult<u64> {
    let destination = get(hub, scope, id).await?;
    let mut tx = hub.db.begin().await?;
    let mut count = 0;
    for unit in units {
        count += repo::dismiss(&mut tx, (&destination.tenant, id), unit).await?;
    }
    finish(hub, tx, &destination, actor, "destination.dismissed", count).await
}

/// The attempts of the last day, in steps of five minutes; steps without one are left out.
///
/// # Errors
/// The database does not answer.
pub async fn last_day(hub: &Hub, destination: &Destination) -> DbResult<Vec<Count>> {
    let since = hub.now().minus(std::time::Duration::from_secs(24 * 3600));
    repo::counts(&hub.db, &destination.id, since).await
}

/// The place that every destination which gets along has passed; `None` when there is none. One that is paused, stopped or
/// has failed for long, or whose account is not connected, holds nothing back: what is blanked meanwhile is left out for it.
///
/// # Errors
/// The database does not answer.
pub async fn slowest(hub: &Hub) -> DbResult<Option<i64>> {
    let all = repo::slowest(&hub.db, hub.journal.epoch()).await?;
    let running = all.into_iter().filter(|(account, _)| hub.accounts.by_id(account).is_some());
    Ok(running.map(|(_, position)| position).min())
}

/// The place up to which every destination has got, or has listed, what the journal had for it; whether it runs or not.
///
/// # Errors
/// The database does not answer.
pub async fn listed(hub: &Hub) -> DbResult<i64> {
    Ok(repo::listed(&hub.db, hub.journal.epoch()).await?.unwrap_or(i64::MAX))
}

/// Tells those who look that something happened to a destination; at most once in two seconds, because a busy one does
/// something all the time.
pub(super) fn tell(hub: &Hub, destination: &Destination) {
    let notice = Notice {
        tenant: destination.tenant.clone(),
        account: Some(destination.account.clone()),
        kind: "destination",
        id: destination.id.to_string(),
        conversation: None,
    };
    hub.live.publish_seldom(notice, hub.now());
}

/// Opens a secret of a destination: its own, or that of the second signature, as the identity says.
pub(super) fn open_secret(hub: &Hub, id: &DestinationId, identity: &str, sealed: &str) -> DbResult<Secret> {
    let wrong =
        |_| DbError::Inconsistent { table: "destinations", column: "secret", id: id.as_str().to_owned() };
    hub.keyring.open(identity, sealed).map_err(wrong)
}

/// Seals every stored secret that was sealed by an older master key anew; gives how many.
///
/// # Errors
/// The database does not answer, or a secret does not open.
pub async fn reseal(hub: &Hub) -> AppResult<usize> {
    let mut count = 0;
    for (id, is_own, sealed) in repo::sealed(&hub.db).await? {
        if !hub.keyring.needs_reseal(&sealed) {
            continue;
        }
        let identity = if is_own { identity(&id) } else { standard_identity(&id) };
        let secret = open_secret(hub, &id, &identity, &sealed)?;
        let anew = hub.keyring.seal(&hub.entropy, &identity, secret.expose());
        let mut tx = hub.db.begin().await?;
        repo::reseal(&mut tx, &id, &sealed, &anew).await?;
        tx.commit().await?;
        count += 1;
    }
    Ok(count)
}

pub(super) fn identity(id: &DestinationId) -> String {
    format!("destinations/{id}/secret")
}

/// That of the secrets of the second signature, the present one and the one before it.
pub(super) fn standard_identity(id: &DestinationId) -> String {
    format!("destinations/{id}/standard_secret")
}

/// The host of an address, for the audit log: the path may hold a key.
pub(super) fn host(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
