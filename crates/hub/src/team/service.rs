//! What pages, the command line and other slices do with tenants, users, keys, links and the audit log.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::access::hash;
use super::model::{
    self, Actor, AuditEntry, Invitation, KeyInfo, KeyScope, KeyScopes, Link, LinkKind, Member, NAME_MAX,
    NewUser, PASSWORD_MAX, PASSWORD_MIN, Role, Tenant,
};
use super::repo::{self, NewKey, UserRow};
use super::{Viewer, password};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbError, DbResult, Tx};
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{ApiKeyId, TenantId, UserId};
use crate::live::{GRANTS, Notice};
use crate::scope::Scope;
use crate::web::i18n::Language;

pub use super::company::company;

/// How every API key begins.
pub(super) const KEY_PREFIX: &str = "tlk_";

/// How long an invitation and the first owner's link work.
const LINK_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An invitation ended before it was taken, in the audit log.
const WITHDRAWN: &str = "user.invitation_withdrawn";

/// The name of the tenant that is made on an empty hub.
pub(crate) const DEFAULT_TENANT: &str = "default";

/// Writes a line to the audit log, in the transaction of the change it tells of. `action` is `thing.done`
/// (`account.connected`), `subject` an id or a name, `detail` what changed; never a secret.
///
/// # Errors
/// Those of the database.
pub async fn audit(
    tx: &mut Tx,
    hub: &Hub,
    tenant: &TenantId,
    actor: &Actor,
    (action, subject): (&str, &str),
    detail: &Value,
) -> DbResult<()> {
    repo::insert_audit(tx, tenant, &hub.id(), hub.now(), actor, (action, subject, detail)).await
}

/// One page of the audit log, the newest first, below the place of `cursor` (`None`: from the newest).
///
/// # Errors
/// Those of the database.
pub async fn list_audit(
    hub: &Hub,
    scope: &Scope,
    below: Option<(Timestamp, &str)>,
    limit: i64,
) -> AppResult<Vec<AuditEntry>> {
    let below = below.unwrap_or((Timestamp(i64::MAX), ""));
    Ok(repo::audit(&hub.db, scope, below, limit).await?)
}

/// The newest line of the audit log of an action and a subject.
///
/// # Errors
/// Those of the database.
pub async fn last_audit(hub: &Hub, scope: &Scope, about: (&str, &str)) -> AppResult<Option<AuditEntry>> {
    Ok(repo::last_audit(&hub.db, scope, about).await?)
}

/// Makes a tenant. Its times are shown in `time_zone`, by default that of the machine.
///
/// # Errors
/// 422 for a name that is empty, too long or taken, and for an unknown zone.
pub async fn create_tenant(
    hub: &Hub,
    name: &str,
    time_zone: Option<&str>,
    actor: &Actor,
) -> AppResult<Tenant> {
    let tenant = new_tenant(hub, name, time_zone)?;
    let mut tx = hub.db.begin().await?;
    add_tenant(&mut tx, hub, &tenant, actor).await?;
    tx.commit().await?;
    Ok(tenant)
}

fn new_tenant(hub: &Hub, name: &str, time_zone: Option<&str>) -> AppResult<Tenant> {
    let name = checked_name(name)?;
    let time_zone = match time_zone {
        Some(zone) if jiff::tz::TimeZone::get(zone).is_err() => {
            let detail = "there is no such time zone; write it as Asia/Taipei";
            return Err(AppError::invalid_field("time_zone", "unknown", detail));
        }
        Some(zone) => zone.to_owned(),
        None => jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned(),
    };
    Ok(Tenant { id: hub.id(), name, time_zone })
}

async fn add_tenant(tx: &mut Tx, hub: &Hub, tenant: &Tenant, actor: &Actor) -> AppResult<()> {
    repo::insert_tenant(tx, tenant, hub.now()).await.map_err(|error| taken(error, "name", "tenant"))?;
    audit(tx, hub, &tenant.id, actor, ("tenant.created", &tenant.name), &json!({})).await?;
    Ok(())
}

/// The tenant of a name (but for case and spaces) or an id.
///
/// # Errors
/// 404 when there is none; those of the database.
pub async fn find_tenant(hub: &Hub, name_or_id: &str) -> AppResult<Tenant> {
    repo::tenant(&hub.db, name_or_id).await?.ok_or_else(|| AppError::not_found("tenant"))
}

/// The tenant that the command line means: the named one; without a name the only one. On an empty hub it is made,
/// with the name `default`, when `make` says so.
///
/// # Errors
/// 404 when there is none; 409 `which_tenant` when there are several and none was named.
pub async fn tenant_for(hub: &Hub, name_or_id: Option<&str>, make: bool, actor: &Actor) -> AppResult<Tenant> {
    if let Some(name_or_id) = name_or_id {
        return find_tenant(hub, name_or_id).await;
    }
    let mut tenants = repo::tenants(&hub.db).await?;
    match (tenants.pop(), tenants.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => {
            Err(AppError::conflict("which_tenant", "there are several tenants; name one with --tenant"))
        }
        (None, _) if make => create_tenant(hub, DEFAULT_TENANT, None, actor).await,
        (None, _) => Err(AppError::not_found("tenant")),
    }
}

/// Makes a user who signs in with a password.
///
/// # Errors
/// 422 for an address that is wrong or taken, a name that is too long, a password that is too short.
pub async fn create_user(
    hub: &Hub,
    tenant: &TenantId,
    user: &NewUser<'_>,
    actor: &Actor,
) -> AppResult<UserId> {
    let prepared = prepare(hub, user).await?;
    let mut tx = hub.db.begin().await?;
    add_user(&mut tx, hub, tenant, &prepared, actor).await?;
    tx.commit().await?;
    Ok(prepared.id)
}

/// A user whose values are checked and whose password is hashed, which must not happen while a transaction is open.
struct Prepared {
    id: UserId,
    email: String,
    name: String,
    role: Role,
    password_hash: String,
}

async fn prepare(hub: &Hub, user: &NewUser<'_>) -> AppResult<Prepared> {
    let mut errors = Vec::new();
    let email = model::email(user.email);
    if email.is_none() {
        errors.push(FieldError::new("email", "wrong", "this is not an e-mail address"));
    }
    let email = email.unwrap_or_default();
    let name = if user.name.trim().is_empty() {
        email.split('@').next().unwrap_or_default().chars().take(NAME_MAX).collect()
    } else {
        collect(&mut errors, checked_name(user.name))
    };
    collect(&mut errors, checked_password(user.password));
    if !errors.is_empty() {
        return Err(AppError::invalid(errors));
    }
    let password_hash = password::hash(&hub.entropy, user.password).await?;
    Ok(Prepared { id: hub.id(), email, name, role: user.role, password_hash })
}

fn collect<T: Default>(errors: &mut Vec<FieldError>, checked: AppResult<T>) -> T {
    checked.unwrap_or_else(|error| {
        errors.extend(error.fields);
        T::default()
    })
}

async fn add_user(
    tx: &mut Tx,
    hub: &Hub,
    tenant: &TenantId,
    user: &Prepared,
    actor: &Actor,
) -> AppResult<()> {
    let Prepared { id, email, name, role, password_hash } = user;
    let row = UserRow { id, email, name, role: *role, password_hash };
    let inserted = repo::insert_user(tx, tenant, &row, hub.now()).await;
    inserted.map_err(|error| taken(error, "email", "user"))?;
    audit(tx, hub, tenant, actor, ("user.created", email), &json!({ "role": role.name() })).await?;
    Ok(())
}

/// A name as it is kept: without U+0000, trimmed.
fn checked_name(name: &str) -> AppResult<String> {
    let name = crate::text::storable(name.trim());
    if name.is_empty() {
        return Err(AppError::invalid_field("name", "required", "a name is needed"));
    }
    if name.chars().count() > NAME_MAX {
        let detail = format!("a name has at most {NAME_MAX} characters");
        return Err(AppError::invalid_field("name", "too_long", detail));
    }
    Ok(name)
}

fn checked_password(password: &str) -> AppResult<()> {
    let length = password.chars().count();
    if length < PASSWORD_MIN {
        let detail = format!("a password has at least {PASSWORD_MIN} characters");
        return Err(AppError::invalid_field("password", "too_short", detail));
    }
    if length > PASSWORD_MAX {
        let detail = format!("a password has at most {PASSWORD_MAX} characters");
        return Err(AppError::invalid_field("password", "too_long", detail));
    }
    Ok(())
}

fn taken(error: DbError, field: &str, thing: &str) -> AppError {
    if error.is_unique() {
        AppError::invalid_field(field, "taken", format!("there is a {thing} of this {field} already"))
    } else {
        error.into()
    }
}

/// Everyone of the tenant.
///
/// # Errors
/// Those of the database.
pub async fn members(hub: &Hub, scope: &Scope) -> AppResult<Vec<Member>> {
    Ok(repo::members(&hub.db, scope).await?)
}

/// Id and name of the accounts that can be granted to an agent.
///
/// # Errors
/// Those of the database.
pub async fn grantable_accounts(hub: &Hub, scope: &Scope) -> AppResult<Vec<(String, String)>> {
    Ok(repo::accounts(&hub.db, scope).await?)
}

/// Sets a user's role, and for an agent the accounts they may see; invitations that an agent made as an owner end.
///
/// # Errors
/// 404 for a user of another tenant; 409 `last_owner` when no owner would be left.
pub async fn change_member(
    hub: &Hub,
    scope: &Scope,
    user: &UserId,
    role: Role,
    account_ids: &[String],
    actor: &Actor,
) -> AppResult<()> {
    let mut tx = hub.db.begin().await?;
    if role != Role::Owner {
        keep_an_owner(&mut tx, scope, user).await?;
    }
    let email =
        repo::set_role(&mut tx, scope, user, role).await?.ok_or_else(|| AppError::not_found("user"))?;
    let granted = if role == Role::Agent { account_ids } else { &[] };
    repo::set_grants(&mut tx, scope, user, granted).await?;
    let detail = json!({ "role": role.name(), "accounts": granted });
    audit(&mut tx, hub, scope.tenant(), actor, ("user.changed", &email), &detail).await?;
    if role != Role::Owner {
        end_links(&mut tx, hub, scope, user, actor).await?;
    }
    tx.commit().await?;
    announce_grants(hub, scope, user);
    Ok(())
}

/// Lets a user sign in no longer (their sessions, and the invitations they made, end at once), or again.
///
/// # Errors
/// 404 for a user of another tenant; 409 `last_owner` when no owner would be left.
pub async fn set_disabled(
    hub: &Hub,
    scope: &Scope,
    user: &UserId,
    disabled: bool,
    actor: &Actor,
) -> AppResult<()> {
    let mut tx = hub.db.begin().await?;
    if disabled {
        keep_an_owner(&mut tx, scope, user).await?;
    }
    let changed = repo::set_disabled(&mut tx, scope, user, disabled.then(|| hub.now())).await?;
    let email = changed.ok_or_else(|| AppError::not_found("user"))?;
    if disabled {
        repo::delete_sessions(&mut tx, scope, user, &[]).await?;
    }
    let action = if disabled { "user.disabled" } else { "user.enabled" };
    audit(&mut tx, hub, scope.tenant(), actor, (action, &email), &json!({})).await?;
    if disabled {
        end_links(&mut tx, hub, scope, user, actor).await?;
    }
    tx.commit().await?;
    announce_grants(hub, scope, user);
    Ok(())
}

/// Ends the links of a user who may no longer invite, each invitation with its line in the audit log.
async fn end_links(tx: &mut Tx, hub: &Hub, scope: &Scope, user: &UserId, actor: &Actor) -> DbResult<()> {
    for email in repo::end_links(tx, scope, user).await? {
        audit(tx, hub, scope.tenant(), actor, (WITHDRAWN, &email), &json!({})).await?;
    }
    Ok(())
}

/// What a user may see has changed: their open pages ask again at once.
fn announce_grants(hub: &Hub, scope: &Scope, user: &UserId) {
    let (tenant, id) = (scope.tenant().clone(), user.to_string());
    hub.live.publish(Notice { tenant, account: None, kind: GRANTS, id, conversation: None });
}

async fn keep_an_owner(tx: &mut Tx, scope: &Scope, user: &UserId) -> AppResult<()> {
    if repo::other_owners(tx, scope, user).await? == 0 {
        return Err(AppError::conflict(
            "last_owner",
            "a tenant needs an owner; make someone else an owner first",
        ));
    }
    Ok(())
}

/// Sets a user's own name and language (`None`: as the browser asks).
///
/// # Errors
/// 422 for a name that is empty or too long.
pub async fn change_profile(
    hub: &Hub,
    viewer: &Viewer,
    name: &str,
    language: Option<Language>,
) -> AppResult<()> {
    let name = checked_name(name)?;
    let mut tx = hub.db.begin().await?;
    repo::set_profile(&mut tx, &viewer.scope(), &viewer.id, &name, language).await?;
    let detail = json!({ "name": name, "language": language.map(Language::tag) });
    let subject = ("profile.changed", viewer.email.as_str());
    audit(&mut tx, hub, &viewer.tenant.id, &viewer.actor(), subject, &detail).await?;
    Ok(tx.commit().await?)
}

/// Sets a user's own password and signs all their other browsers out.
///
/// # Errors
/// 422 for a wrong present password or a new one that is too short or too long.
pub async fn change_password(hub: &Hub, viewer: &Viewer, present: &str, new: &str) -> AppResult<()> {
    let stored = repo::password_hash(&hub.db, &viewer.scope(), &viewer.id).await?;
    if !password::verify(stored, present).await? {
        return Err(AppError::invalid_field(
            "present_password",
            "wrong",
            "this is not your present password",
        ));
    }
    checked_password(new)?;
    let hash = password::hash(&hub.entropy, new).await?;
    let mut tx = hub.db.begin().await?;
    repo::set_password(&mut tx, &viewer.scope(), &viewer.id, &hash).await?;
    repo::delete_sessions(&mut tx, &viewer.scope(), &viewer.id, &viewer.session).await?;
    let subject = ("password.changed", viewer.email.as_str());
    audit(&mut tx, hub, &viewer.tenant.id, &viewer.actor(), subject, &json!({})).await?;
    Ok(tx.commit().await?)
}

/// Opens a session; gives the cookie's token, which is kept nowhere.
///
/// # Errors
/// Those of the database.
pub async fn open_session(hub: &Hub, tenant: &TenantId, user: &UserId) -> AppResult<String> {
    let mut tx = hub.db.begin().await?;
    let token = add_session(&mut tx, hub, tenant, user).await?;
    tx.commit().await?;
    Ok(token)
}

pub(super) async fn add_session(
    tx: &mut Tx,
    hub: &Hub,
    tenant: &TenantId,
    user: &UserId,
) -> DbResult<String> {
    let (token, now) = (hub.entropy.token(), hub.now());
    let expires_at = now.plus(hub.config.session_life);
    repo::insert_session(tx, &hash(&token), tenant, user, now, expires_at).await?;
    Ok(token)
}

/// Ends the session of this browser, or all of the user's.
///
/// # Errors
/// Those of the database.
pub async fn close_sessions(hub: &Hub, viewer: &Viewer, everywhere: bool) -> AppResult<()> {
    let mut tx = hub.db.begin().await?;
    if everywhere {
        repo::delete_sessions(&mut tx, &viewer.scope(), &viewer.id, &[]).await?;
        let subject = ("sessions.ended", viewer.email.as_str());
        audit(&mut tx, hub, &viewer.tenant.id, &viewer.actor(), subject, &json!({})).await?;
    } else {
        repo::delete_session(&mut tx, &viewer.session).await?;
    }
    Ok(tx.commit().await?)
}

/// Makes an API key; all scopes when none is given. The second value is the key itself, told only this once.
///
/// # Errors
/// 422 for a name that is empty or too long.
pub async fn create_api_key(
    hub: &Hub,
    tenant: &TenantId,
    name: &str,
    scopes: &[KeyScope],
    actor: &Actor,
) -> AppResult<(ApiKeyId, String)> {
    let name = checked_name(name)?;
    let scopes = KeyScopes::new(scopes);
    let plain = format!("{KEY_PREFIX}{}", hub.entropy.token());
    let hint: String = plain.chars().skip(plain.len().saturating_sub(4)).collect();
    let id: ApiKeyId = hub.id();
    let mut tx = hub.db.begin().await?;
    let key = NewKey { id: &id, name: &name, hash: &hash(&plain), hint: &hint, scopes: &scopes };
    repo::insert_key(&mut tx, tenant, &key, hub.now()).await?;
    let detail = json!({ "id": id.as_str(), "scopes": scopes.names() });
    audit(&mut tx, hub, tenant, actor, ("api_key.created", &name), &detail).await?;
    tx.commit().await?;
    Ok((id, plain))
}

/// The tenant's API keys.
///
/// # Errors
/// Those of the database.
pub async fn api_keys(hub: &Hub, scope: &Scope) -> AppResult<Vec<KeyInfo>> {
    Ok(repo::keys(&hub.db, scope).await?)
}

/// Ends an API key at once.
///
/// # Errors
/// 404 when the tenant has no such key in use.
pub async fn revoke_api_key(hub: &Hub, scope: &Scope, id: &ApiKeyId, actor: &Actor) -> AppResult<()> {
    let mut tx = hub.db.begin().await?;
    let ended = repo::revoke_key(&mut tx, scope, id, hub.now()).await?;
    let name = ended.ok_or_else(|| AppError::not_found("API key"))?;
    audit(&mut tx, hub, scope.tenant(), actor, ("api_key.revoked", &name), &json!({ "id": id.as_str() }))
        .await?;
    Ok(tx.commit().await?)
}

/// The address where the first owner signs up, for a hub in which nobody works yet; an earlier one stops working.
/// `None` when somebody does.
///
/// # Errors
/// Those of the database.
pub async fn first_owner_link(hub: &Hub) -> AppResult<Option<String>> {
    let mut tx = hub.db.begin().await?;
    if repo::has_users(&mut tx).await? {
        return Ok(None);
    }
    let link = Link { role: Some(Role::Owner), ..empty_link(LinkKind::Owner) };
    let address = add_link(&mut tx, hub, &link, None, "welcome").await?;
    tx.commit().await?;
    Ok(Some(address))
}

/// An address that signs a browser in as a user, once; for the demo.
///
/// # Errors
/// Those of the database.
pub async fn entry_link(hub: &Hub, tenant: &TenantId, user: &UserId) -> AppResult<String> {
    let link = Link { tenant: Some(tenant.clone()), user: Some(user.clone()), ..empty_link(LinkKind::Entry) };
    let mut tx = hub.db.begin().await?;
    let address = add_link(&mut tx, hub, &link, None, "enter").await?;
    tx.commit().await?;
    Ok(address)
}

/// The address where a person invited to the tenant chooses a password. A new invitation of the same person ends the old one.
///
/// # Errors
/// 422 for an address that is wrong or belongs to a user; 403 for a user who is no owner (any more).
pub async fn invite(
    hub: &Hub,
    scope: &Scope,
    email: &str,
    role: Role,
    account_ids: &[String],
    actor: &Actor,
) -> AppResult<String> {
    let email = model::email(email)
        .ok_or_else(|| AppError::invalid_field("email", "wrong", "this is not an e-mail address"))?;
    if repo::members(&hub.db, scope).await?.iter().any(|member| member.email == email) {
        return Err(AppError::invalid_field("email", "taken", "this person is a user already"));
    }
    let tenant = scope.tenant();
    let account_ids = if role == Role::Agent { account_ids.to_vec() } else { Vec::new() };
    let detail = json!({ "role": role.name(), "accounts": account_ids });
    let link = Link {
        tenant: Some(tenant.clone()),
        email: Some(email.clone()),
        role: Some(role),
        account_ids,
        ..empty_link(LinkKind::Invitation)
    };
    let by = if let Actor::User { id, .. } = actor { Some(id) } else { None };
    let mut tx = hub.db.begin().await?;
    // Asked again here: whoever takes the rights away at this moment ends the links that exist then.
    if let Some(by) = by
        && !repo::is_owner(&mut tx, scope, by).await?
    {
        return Err(AppError::forbidden("only an owner may do this"));
    }
    let address = add_link(&mut tx, hub, &link, by, "welcome").await?;
    audit(&mut tx, hub, tenant, actor, ("user.invited", &email), &detail).await?;
    tx.commit().await?;
    Ok(address)
}

/// Ends the invitation of an address: its link stops working at once.
///
/// # Errors
/// 404 when there is none (any more).
pub async fn withdraw_invitation(hub: &Hub, scope: &Scope, email: &str, actor: &Actor) -> AppResult<()> {
    let mut tx = hub.db.begin().await?;
    if !repo::withdraw_invitation(&mut tx, scope, email, hub.now()).await? {
        return Err(AppError::not_found("invitation"));
    }
    audit(&mut tx, hub, scope.tenant(), actor, (WITHDRAWN, email), &json!({})).await?;
    Ok(tx.commit().await?)
}

/// Invitations that nobody has taken yet.
///
/// # Errors
/// Those of the database.
pub async fn invitations(hub: &Hub, scope: &Scope) -> AppResult<Vec<Invitation>> {
    Ok(repo::invitations(&hub.db, scope, hub.now()).await?)
}

fn empty_link(kind: LinkKind) -> Link {
    Link { kind, tenant: None, user: None, email: None, role: None, account_ids: Vec::new() }
}

async fn add_link(tx: &mut Tx, hub: &Hub, link: &Link, by: Option<&UserId>, path: &str) -> DbResult<String> {
    let (token, now) = (hub.entropy.token(), hub.now());
    repo::insert_link(tx, &hash(&token), link, by, now, now.plus(LINK_LIFE)).await?;
    Ok(format!("{}/{path}/{token}", hub.config.public_url.as_str().trim_end_matches('/')))
}

/// What a link is for, without using it up.
///
/// # Errors
/// 404 when it was used, has ended, or never was.
pub async fn look_at_link(hub: &Hub, token: &str) -> AppResult<Link> {
    repo::link(&hub.db, &hash(token), hub.now()).await?.ok_or_else(link_is_gone)
}

fn link_is_gone() -> AppError {
    let status = StatusCode::NOT_FOUND;
    AppError::new(status, "link_used", "this link was used already or has ended; ask for a new one")
}

/// Uses an entry link up; gives the token of a new session.
///
/// # Errors
/// As [`look_at_link`].
pub async fn enter(hub: &Hub, token: &str) -> AppResult<String> {
    let mut tx = hub.db.begin().await?;
    let link = repo::take_link(&mut tx, &hash(token), hub.now()).await?.ok_or_else(link_is_gone)?;
    let (LinkKind::Entry, Some(tenant), Some(user)) = (link.kind, link.tenant, link.user) else {
        return Err(link_is_gone());
    };
    let session = add_session(&mut tx, hub, &tenant, &user).await?;
    tx.commit().await?;
    Ok(session)
}

/// What a person who opened a welcome link chose.
#[derive(Debug, Clone)]
pub struct Welcome<'a> {
    /// The name of the shop or company; only the first owner is asked.
    pub tenant: &'a str,
    /// The name.
    pub name: &'a str,
    /// The address; only the first owner is asked, an invitation is for its own address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
}

/// Makes the user of a welcome link (and of the first owner's link the tenant) and uses the link up; gives the token of a
/// new session.
///
/// # Errors
/// As [`look_at_link`]; 422 as [`create_user`] and [`create_tenant`], after which the link still works.
pub async fn welcome(hub: &Hub, token: &str, chosen: &Welcome<'_>) -> AppResult<String> {
    let link = look_at_link(hub, token).await?;
    let email = link.email.as_deref().unwrap_or(chosen.email);
    let (name, password, role) = (chosen.name, chosen.password, link.role.unwrap_or(Role::Agent));
    let new_tenant = match link.tenant {
        None => Some(new_tenant(hub, chosen.tenant, None).map_err(|error| rename_field(error, "tenant"))?),
        Some(_) => None,
    };
    if name.trim().is_empty() {
        return Err(AppError::invalid_field("name", "required", "a name is needed"));
    }
    let user = prepare(hub, &NewUser { email, name, role, password }).await?;
    let actor = Actor::User { id: user.id.clone(), name: user.name.clone() };
    let mut tx = hub.db.begin().await?;
    let link = repo::take_link(&mut tx, &hash(token), hub.now()).await?.ok_or_else(link_is_gone)?;
    let tenant = match (link.kind, link.tenant, new_tenant) {
        // An operator may have made a user on the command line after the link was printed.
        (LinkKind::Owner, None, Some(_)) if repo::has_users(&mut tx).await? => return Err(link_is_gone()),
        (LinkKind::Owner, None, Some(tenant)) => {
            let added = add_tenant(&mut tx, hub, &tenant, &actor).await;
            added.map_err(|error| rename_field(error, "tenant"))?;
            tenant.id
        }
        (LinkKind::Invitation, Some(tenant), _) => tenant,
        _ => return Err(link_is_gone()),
    };
    add_user(&mut tx, hub, &tenant, &user, &actor).await?;
    repo::set_grants(&mut tx, &Scope::tenant_wide(tenant.clone()), &user.id, &link.account_ids).await?;
    let session = add_session(&mut tx, hub, &tenant, &user.id).await?;
    tx.commit().await?;
    Ok(session)
}

/// The form calls the tenant's name `tenant`, because a person's name stands beside it.
fn rename_field(mut error: AppError, to: &str) -> AppError {
    for field in &mut error.fields {
        to.clone_into(&mut field.field);
    }
    error
}

/// Removes sessions and counts of failed sign-ins that are over; to be called now and then.
///
/// # Errors
/// Those of the database.
pub async fn prune(hub: &Hub) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::prune(&mut tx, hub.now(), hub.now().minus(super::sign_in::WINDOW)).await?;
    tx.commit().await
}
