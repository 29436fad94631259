//! The team's SQL.

use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{ApiKeyId, AuditId, TenantId, UserId};
use crate::scope::Scope;
use crate::web::i18n::Language;
use crate::{args, statements};

pub(super) use super::company::repo::Links;
use super::model::{Actor, AuditEntry, Invitation, KeyInfo, KeyScopes, Link, LinkKind, Member, Role, Tenant};

statements! {
    INSERT_TENANT = { "INSERT INTO tenants (id, name, name_key, time_zone, created_at) VALUES ($1, $2, $3, $4, $5)" };
    TENANT = { "SELECT id, name, time_zone FROM tenants WHERE id = $1 OR name_key = $2 ORDER BY id LIMIT 1" };
    TENANTS = { "SELECT id, name, time_zone FROM tenants ORDER BY created_at, id" };
    INSERT_USER = { "INSERT INTO users (id, tenant_id, email, name, role, password_hash, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)" };
    ANY_USER = { "SELECT id FROM users LIMIT 1" };
    CREDENTIALS = { "SELECT id, tenant_id, password_hash FROM users WHERE email = $1 AND disabled_at IS NULL" };
    PASSWORD_HASH = { "SELECT password_hash FROM users WHERE tenant_id = $1 AND id = $2" };
    MEMBERS = { "SELECT id, email, name, role, last_seen_at, disabled_at FROM users
        WHERE tenant_id = $1 ORDER BY created_at, id" };
    GRANTS = { "SELECT user_id, account_id FROM account_grants WHERE tenant_id = $1 ORDER BY user_id, account_id" };
    // reads: accounts (for the names beside the grants)
    ACCOUNTS = { "SELECT id, display_name FROM accounts WHERE tenant_id = $1 AND status <> 'disconnected'
        ORDER BY display_name, id" };
    CLEAR_GRANTS = { "DELETE FROM account_grants WHERE tenant_id = $1 AND user_id = $2" };
    // reads: accounts (only the tenant's own can be granted)
    INSERT_GRANT = { "INSERT INTO account_grants (tenant_id, user_id, account_id)
        SELECT u.tenant_id, u.id, a.id FROM users AS u JOIN accounts AS a ON a.tenant_id = u.tenant_id
        WHERE u.tenant_id = $1 AND u.id = $2 AND a.id = $3
        ON CONFLICT (user_id, account_id) DO NOTHING" };
    SET_ROLE = { "UPDATE users SET role = $3 WHERE tenant_id = $1 AND id = $2 RETURNING email" };
    SET_PROFILE = { "UPDATE users SET name = $3, language = $4 WHERE tenant_id = $1 AND id = $2" };
    SET_PASSWORD = { "UPDATE users SET password_hash = $3 WHERE tenant_id = $1 AND id = $2" };
    SET_DISABLED = { "UPDATE users SET disabled_at = $3 WHERE tenant_id = $1 AND id = $2 RETURNING email" };
    SEEN = { "UPDATE users SET last_seen_at = $3 WHERE tenant_id = $1 AND id = $2" };
    OTHER_OWNERS = { "SELECT COUNT(*) FROM users
        WHERE tenant_id = $1 AND id <> $2 AND role = 'owner' AND disabled_at IS NULL" };
    IS_OWNER = { "SELECT id FROM users WHERE tenant_id = $1 AND id = $2 AND role = 'owner' AND disabled_at IS NULL" };
    // Takes the row until the transaction ends, so that two changes of owners cannot pass each other.
    LOCK_TENANT = { "UPDATE tenants SET name = name WHERE id = $1" };
    INSERT_SESSION = { "INSERT INTO sessions (token_hash, tenant_id, user_id, created_at, last_used_at, expires_at)
        VALUES ($1, $2, $3, $4, $4, $5)" };
    SESSION = { "SELECT u.id AS user_id, u.email, u.name, u.role, u.language, t.id AS tenant_id, t.name AS tenant_name,
        t.time_zone, s.last_used_at, c.site_url, c.support_url, c.expires_at
        FROM sessions AS s JOIN users AS u ON u.id = s.user_id JOIN tenants AS t ON t.id = u.tenant_id
        LEFT JOIN companies AS c ON c.tenant_id = t.id
        WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL" };
    TOUCH_SESSION = { "UPDATE sessions SET last_used_at = $2, expires_at = $3 WHERE token_hash = $1" };
    DELETE_SESSION = { "DELETE FROM sessions WHERE token_hash = $1" };
    DELETE_SESSIONS = { "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND token_hash <> $3" };
    PRUNE_LINKS = { "DELETE FROM one_time_links WHERE expires_at <= $1" };
    PRUNE_SESSIONS = { "DELETE FROM sessions WHERE expires_at <= $1" };
    INSERT_KEY = { "INSERT INTO api_keys (id, tenant_id, name, key_hash, hint, scopes, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)" };
    KEY = { "SELECT k.id, k.name, k.scopes, k.last_used_at, t.id AS tenant_id, t.name AS tenant_name, t.time_zone
        FROM api_keys AS k JOIN tenants AS t ON t.id = k.tenant_id WHERE k.key_hash = $1 AND k.revoked_at IS NULL" };
    TOUCH_KEY = { "UPDATE api_keys SET last_used_at = $2 WHERE id = $1" };
    KEYS = { "SELECT id, name, hint, scopes, created_at, last_used_at FROM api_keys
        WHERE tenant_id = $1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC" };
    REVOKE_KEY = { "UPDATE api_keys SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
        RETURNING name" };
    INSERT_LINK = { "INSERT INTO one_time_links
        (token_hash, kind, tenant_id, user_id, email, role, account_ids, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)" };
    LINK = { "SELECT kind, tenant_id, user_id, email, role, account_ids FROM one_time_links
        WHERE token_hash = $1 AND expires_at > $2" };
    TAKE_LINK = { "DELETE FROM one_time_links WHERE token_hash = $1 AND expires_at > $2
        RETURNING kind, tenant_id, user_id, email, role, account_ids" };
    CLEAR_OWNER_LINKS = { "DELETE FROM one_time_links WHERE kind = 'owner'" };
    CLEAR_INVITATIONS = { "DELETE FROM one_time_links WHERE kind = 'invitation' AND tenant_id = $1 AND email = $2" };
    WITHDRAW_INVITATION = { "DELETE FROM one_time_links
        WHERE kind = 'invitation' AND tenant_id = $1 AND email = $2 AND expires_at > $3 RETURNING email" };
    WITHDRAW_INVITATIONS_BY = { "DELETE FROM one_time_links
        WHERE kind = 'invitation' AND tenant_id = $1 AND created_by = $2 RETURNING email" };
    CLEAR_ENTRY_LINKS = { "DELETE FROM one_time_links WHERE kind = 'entry' AND tenant_id = $1 AND user_id = $2" };
    INVITATIONS = { "SELECT email, role, expires_at FROM one_time_links
        WHERE kind = 'invitation' AND tenant_id = $1 AND expires_at > $2 ORDER BY created_at DESC, email" };
    // A window that is over begins again.
    COUNT_ATTEMPT = { "INSERT INTO sign_in_attempts (subject, attempts, first_at) VALUES ($1, 1, $2)
        ON CONFLICT (subject) DO UPDATE SET
        attempts = CASE WHEN sign_in_attempts.first_at <= $3 THEN 1 ELSE sign_in_attempts.attempts + 1 END,
        first_at = CASE WHEN sign_in_attempts.first_at <= $3 THEN excluded.first_at ELSE sign_in_attempts.first_at END
        RETURNING attempts" };
    FORGET_ATTEMPTS = { "DELETE FROM sign_in_attempts WHERE subject = $1" };
    FORGET_ATTEMPT = { "UPDATE sign_in_attempts SET attempts = attempts - 1 WHERE subject = $1 AND attempts > 0" };
    PRUNE_ATTEMPTS = { "DELETE FROM sign_in_attempts WHERE first_at <= $1" };
    INSERT_AUDIT = { "INSERT INTO audit_log (id, tenant_id, at, actor_kind, actor_id, actor_name, action, subject, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)" };
    AUDIT = { "SELECT id, at, actor_kind, actor_name, action, subject, detail FROM audit_log
        WHERE tenant_id = $1 AND (at < $2 OR (at = $2 AND id < $3)) ORDER BY at DESC, id DESC LIMIT $4" };
    LAST_AUDIT = { "SELECT id, at, actor_kind, actor_name, action, subject, detail FROM audit_log
        WHERE tenant_id = $1 AND subject = $2 AND action = $3 ORDER BY at DESC, id DESC LIMIT 1" };
}

#[derive(sqlx::FromRow)]
struct TenantRow {
    id: TenantId,
    name: String,
    time_zone: String,
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        Self { id: row.id, name: row.name, time_zone: row.time_zone }
    }
}

fn role(name: &str, user: &str) -> DbResult<Role> {
    Role::parse(name).ok_or_else(|| DbError::Inconsistent {
        table: "users",
        column: "role",
        id: user.to_owned(),
    })
}

/// Adds a tenant; `Unique` when its name is taken.
pub(super) async fn insert_tenant(tx: &mut Tx, tenant: &Tenant, now: Timestamp) -> DbResult<()> {
    let key = crate::text::searchable(&tenant.name);
    tx.run(&INSERT_TENANT, args![&tenant.id, &tenant.name, key, &tenant.time_zone, now]).await.map(|_| ())
}

/// The tenant of a name (but for case and spaces) or an id.
pub(super) async fn tenant(db: &Db, name_or_id: &str) -> DbResult<Option<Tenant>> {
    let row: Option<TenantRow> =
        db.opt(&TENANT, args![name_or_id, crate::text::searchable(name_or_id)]).await?;
    Ok(row.map(Tenant::from))
}

/// All tenants, the oldest first.
pub(super) async fn tenants(db: &Db) -> DbResult<Vec<Tenant>> {
    let rows: Vec<TenantRow> = db.all(&TENANTS, args![]).await?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

/// A user with the password already hashed.
pub(super) struct UserRow<'a> {
    pub(super) id: &'a UserId,
    pub(super) email: &'a str,
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) password_hash: &'a str,
}

/// Adds a user; `Unique` when the address is taken.
pub(super) async fn insert_user(
    tx: &mut Tx,
    tenant: &TenantId,
    user: &UserRow<'_>,
    now: Timestamp,
) -> DbResult<()> {
    let role = user.role.name();
    tx.run(&INSERT_USER, args![user.id, tenant, user.email, user.name, role, user.password_hash, now])
        .await
        .map(|_| ())
}

/// Whether anybody works in the hub yet.
pub(super) async fn has_users(tx: &mut Tx) -> DbResult<bool> {
    Ok(tx.opt::<(UserId,)>(&ANY_USER, args![]).await?.is_some())
}

/// What is needed to check a password.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Credentials {
    pub(super) id: UserId,
    pub(super) tenant_id: TenantId,
    pub(super) password_hash: String,
}

/// The credentials of an address (in lower case) that may sign in.
pub(super) async fn credentials(db: &Db, email: &str) -> DbResult<Option<Credentials>> {
    db.opt(&CREDENTIALS, args![email]).await
}

/// The stored hash of a user's password.
pub(super) async fn password_hash(db: &Db, scope: &Scope, user: &UserId) -> DbResult<Option<String>> {
    Ok(db.opt::<(String,)>(&PASSWORD_HASH, args![scope.tenant(), user]).await?.map(|(hash,)| hash))
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    id: UserId,
    email: String,
    name: String,
    role: String,
    last_seen_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
}

/// Everyone of the tenant, with an agent's accounts.
pub(super) async fn members(db: &Db, scope: &Scope) -> DbResult<Vec<Member>> {
    let rows: Vec<MemberRow> = db.all(&MEMBERS, args![scope.tenant()]).await?;
    let grants: Vec<(UserId, String)> = db.all(&GRANTS, args![scope.tenant()]).await?;
    let mut members = Vec::with_capacity(rows.len());
    for row in rows {
        let account_ids =
            grants.iter().filter(|(user, _)| *user == row.id).map(|(_, account)| account.clone());
        members.push(Member {
            role: role(&row.role, row.id.as_str())?,
            account_ids: account_ids.collect(),
            id: row.id,
            email: row.email,
            name: row.name,
            last_seen_at: row.last_seen_at,
            is_disabled: row.disabled_at.is_some(),
        });
    }
    Ok(members)
}

/// Id and name of the tenant's accounts.
pub(super) async fn accounts(db: &Db, scope: &Scope) -> DbResult<Vec<(String, String)>> {
    db.all(&ACCOUNTS, args![scope.tenant()]).await
}

/// Sets which accounts an agent may see; of another tenant's user or account nothing is kept.
pub(super) async fn set_grants(
    tx: &mut Tx,
    scope: &Scope,
    user: &UserId,
    account_ids: &[String],
) -> DbResult<()> {
    tx.run(&CLEAR_GRANTS, args![scope.tenant(), user]).await?;
    for account in account_ids {
        tx.run(&INSERT_GRANT, args![scope.tenant(), user, account]).await?;
    }
    Ok(())
}

/// Sets a user's role; gives their address, or nothing when the tenant has no such user.
pub(super) async fn set_role(
    tx: &mut Tx,
    scope: &Scope,
    user: &UserId,
    role: Role,
) -> DbResult<Option<String>> {
    let changed: Option<(String,)> = tx.opt(&SET_ROLE, args![scope.tenant(), user, role.name()]).await?;
    Ok(changed.map(|(email,)| email))
}

/// Sets a user's name and language.
pub(super) async fn set_profile(
    tx: &mut Tx,
    scope: &Scope,
    user: &UserId,
    name: &str,
    language: Option<Language>,
) -> DbResult<bool> {
    let language = language.map(Language::tag);
    Ok(tx.run(&SET_PROFILE, args![scope.tenant(), user, name, language]).await? == 1)
}

/// Sets a user's password.
pub(super) async fn set_password(tx: &mut Tx, scope: &Scope, user: &UserId, hash: &str) -> DbResult<bool> {
    Ok(tx.run(&SET_PASSWORD, args![scope.tenant(), user, hash]).await? == 1)
}

/// Lets a user sign in no longer, or again; gives their address, or nothing when the tenant has no such user.
pub(super) async fn set_disabled(
    tx: &mut Tx,
    scope: &Scope,
    user: &UserId,
    at: Option<Timestamp>,
) -> DbResult<Option<String>> {
    let changed: Option<(String,)> = tx.opt(&SET_DISABLED, args![scope.tenant(), user, at]).await?;
    Ok(changed.map(|(email,)| email))
}

/// How many other owners the tenant would have without this one; holds the tenant's row until the transaction ends.
pub(super) async fn other_owners(tx: &mut Tx, scope: &Scope, user: &UserId) -> DbResult<i64> {
    tx.run(&LOCK_TENANT, args![scope.tenant()]).await?;
    Ok(tx.opt::<(i64,)>(&OTHER_OWNERS, args![scope.tenant(), user]).await?.map_or(0, |(count,)| count))
}

/// Whether a user is an owner who may sign in; holds the tenant's row until the transaction ends, so that it stays so.
pub(super) async fn is_owner(tx: &mut Tx, scope: &Scope, user: &UserId) -> DbResult<bool> {
    tx.run(&LOCK_TENANT, args![scope.tenant()]).await?;
    Ok(tx.opt::<(UserId,)>(&IS_OWNER, args![scope.tenant(), user]).await?.is_some())
}

/// Signs a browser in.
pub(super) async fn insert_session(
    tx: &mut Tx,
    token_hash: &[u8],
    tenant: &TenantId,
    user: &UserId,
    now: Timestamp,
    expires_at: Timestamp,
) -> DbResult<()> {
    tx.run(&INSERT_SESSION, args![token_hash, tenant, user, now, expires_at]).await?;
    tx.run(&SEEN, args![tenant, user, now]).await.map(|_| ())
}

/// A live session with its user and tenant.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SessionRow {
    pub(super) user_id: UserId,
    pub(super) email: String,
    pub(super) name: String,
    role: String,
    language: Option<String>,
    pub(super) tenant_id: TenantId,
    pub(super) tenant_name: String,
    pub(super) time_zone: String,
    pub(super) last_used_at: Timestamp,
    #[sqlx(flatten)]
    pub(super) links: Links,
}

impl SessionRow {
    pub(super) fn role(&self) -> DbResult<Role> {
        role(&self.role, self.user_id.as_str())
    }

    pub(super) fn language(&self) -> Option<Language> {
        Language::parse(self.language.as_deref()?)
    }
}

/// The session of a token's hash that has not ended, of a user who may sign in.
pub(super) async fn session(db: &Db, token_hash: &[u8], now: Timestamp) -> DbResult<Option<SessionRow>> {
    db.opt(&SESSION, args![token_hash, now]).await
}

/// Lets a session live on.
pub(super) async fn touch_session(
    tx: &mut Tx,
    token_hash: &[u8],
    tenant: &TenantId,
    user: &UserId,
    now: Timestamp,
    expires_at: Timestamp,
) -> DbResult<()> {
    tx.run(&TOUCH_SESSION, args![token_hash, now, expires_at]).await?;
    tx.run(&SEEN, args![tenant, user, now]).await.map(|_| ())
}

/// Signs one browser out.
pub(super) async fn delete_session(tx: &mut Tx, token_hash: &[u8]) -> DbResult<()> {
    tx.run(&DELETE_SESSION, args![token_hash]).await.map(|_| ())
}

/// Signs a user's browsers out, but for the one of `except` (empty: all); gives how many.
pub(super) async fn delete_sessions(
    tx: &mut Tx,
    scope: &Scope,
    user: &UserId,
    except: &[u8],
) -> DbResult<u64> {
    tx.run(&DELETE_SESSIONS, args![scope.tenant(), user, except]).await
}

/// Removes sessions and counts of attempts that are over.
pub(super) async fn prune(tx: &mut Tx, now: Timestamp, attempts_before: Timestamp) -> DbResult<()> {
    tx.run(&PRUNE_SESSIONS, args![now]).await?;
    tx.run(&PRUNE_LINKS, args![now]).await?;
    tx.run(&PRUNE_ATTEMPTS, args![attempts_before]).await.map(|_| ())
}

/// A key to be kept.
pub(super) struct NewKey<'a> {
    pub(super) id: &'a ApiKeyId,
    pub(super) name: &'a str,
    pub(super) hash: &'a [u8],
    pub(super) hint: &'a str,
    pub(super) scopes: &'a KeyScopes,
}

/// Adds an API key.
pub(super) async fn insert_key(
    tx: &mut Tx,
    tenant: &TenantId,
    key: &NewKey<'_>,
    now: Timestamp,
) -> DbResult<()> {
    let scopes = key.scopes.names().join(" ");
    tx.run(&INSERT_KEY, args![key.id, tenant, key.name, key.hash, key.hint, scopes, now]).await.map(|_| ())
}

/// A key that may be used, with its tenant.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct KeyRow {
    pub(super) id: ApiKeyId,
    pub(super) name: String,
    scopes: String,
    pub(super) last_used_at: Option<Timestamp>,
    pub(super) tenant_id: TenantId,
    pub(super) tenant_name: String,
    pub(super) time_zone: String,
}

impl KeyRow {
    pub(super) fn scopes(&self) -> KeyScopes {
        KeyScopes::parse(&self.scopes)
    }
}

/// The key of a hash.
pub(super) async fn key(db: &Db, hash: &[u8]) -> DbResult<Option<KeyRow>> {
    db.opt(&KEY, args![hash]).await
}

/// Notes that a key was used.
pub(super) async fn touch_key(tx: &mut Tx, id: &ApiKeyId, now: Timestamp) -> DbResult<()> {
    tx.run(&TOUCH_KEY, args![id, now]).await.map(|_| ())
}

#[derive(sqlx::FromRow)]
struct KeyInfoRow {
    id: ApiKeyId,
    name: String,
    hint: String,
    scopes: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

/// The tenant's keys that may be used, the newest first.
pub(super) async fn keys(db: &Db, scope: &Scope) -> DbResult<Vec<KeyInfo>> {
    let rows: Vec<KeyInfoRow> = db.all(&KEYS, args![scope.tenant()]).await?;
    let info = |row: KeyInfoRow| KeyInfo {
        scopes: KeyScopes::parse(&row.scopes),
        id: row.id,
        name: row.name,
        hint: row.hint,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
    };
    Ok(rows.into_iter().map(info).collect())
}

/// Ends a key; gives its name, or nothing when the tenant has no such key in use.
pub(super) async fn revoke_key(
    tx: &mut Tx,
    scope: &Scope,
    id: &ApiKeyId,
    now: Timestamp,
) -> DbResult<Option<String>> {
    let ended: Option<(String,)> = tx.opt(&REVOKE_KEY, args![scope.tenant(), id, now]).await?;
    Ok(ended.map(|(name,)| name))
}

#[derive(sqlx::FromRow)]
struct LinkRow {
    kind: String,
    tenant_id: Option<TenantId>,
    user_id: Option<UserId>,
    email: Option<String>,
    role: Option<String>,
    account_ids: String,
}

impl LinkRow {
    fn into_link(self) -> DbResult<Link> {
        let inconsistent =
            |column| DbError::Inconsistent { table: "one_time_links", column, id: "(by hash)".to_owned() };
        Ok(Link {
            kind: LinkKind::parse(&self.kind).ok_or_else(|| inconsistent("kind"))?,
            tenant: self.tenant_id,
            user: self.user_id,
            email: self.email,
            role: self.role.as_deref().and_then(Role::parse),
            account_ids: serde_json::from_str(&self.account_ids).map_err(|_| inconsistent("account_ids"))?,
        })
    }
}

/// Adds a one-time link. A new first-owner link, or a new invitation of the same address, ends the old one.
pub(super) async fn insert_link(
    tx: &mut Tx,
    token_hash: &[u8],
    link: &Link,
    by: Option<&UserId>,
    now: Timestamp,
    expires_at: Timestamp,
) -> DbResult<()> {
    match link.kind {
        LinkKind::Owner => tx.run(&CLEAR_OWNER_LINKS, args![]).await?,
        LinkKind::Invitation => {
            tx.run(&CLEAR_INVITATIONS, args![link.tenant.as_ref(), link.email.as_deref()]).await?
        }
        LinkKind::Entry => 0,
    };
    let accounts = serde_json::Value::from(link.account_ids.clone()).to_string();
    let (tenant, user) = (link.tenant.as_ref(), link.user.as_ref());
    let (email, role) = (link.email.as_deref(), link.role.map(Role::name));
    let kind = link.kind.name();
    let values = args![token_hash, kind, tenant, user, email, role, accounts, by, now, expires_at];
    tx.run(&INSERT_LINK, values).await.map(|_| ())
}

/// Looks at a link without using it up.
pub(super) async fn link(db: &Db, token_hash: &[u8], now: Timestamp) -> DbResult<Option<Link>> {
    db.opt::<LinkRow>(&LINK, args![token_hash, now]).await?.map(LinkRow::into_link).transpose()
}

/// Uses a link up; only one caller ever gets it.
pub(super) async fn take_link(tx: &mut Tx, token_hash: &[u8], now: Timestamp) -> DbResult<Option<Link>> {
    tx.opt::<LinkRow>(&TAKE_LINK, args![token_hash, now]).await?.map(LinkRow::into_link).transpose()
}

/// Invitations of the tenant that still work, the newest first.
pub(super) async fn invitations(db: &Db, scope: &Scope, now: Timestamp) -> DbResult<Vec<Invitation>> {
    let rows: Vec<(String, String, Timestamp)> = db.all(&INVITATIONS, args![scope.tenant(), now]).await?;
    rows.into_iter()
        .map(|(email, name, expires_at)| Ok(Invitation { role: role(&name, &email)?, email, expires_at }))
        .collect()
}

/// Ends the invitation of an address; false when there was none that still worked.
pub(super) async fn withdraw_invitation(
    tx: &mut Tx,
    scope: &Scope,
    email: &str,
    now: Timestamp,
) -> DbResult<bool> {
    let ended: Option<(String,)> = tx.opt(&WITHDRAW_INVITATION, args![scope.tenant(), email, now]).await?;
    Ok(ended.is_some())
}

/// Ends the links of a user who is no owner any more or may not sign in: the invitations they made, whose addresses it
/// gives, and their own ways in.
pub(super) async fn end_links(tx: &mut Tx, scope: &Scope, user: &UserId) -> DbResult<Vec<String>> {
    tx.run(&CLEAR_ENTRY_LINKS, args![scope.tenant(), user]).await?;
    let mut ended: Vec<(String,)> = tx.all(&WITHDRAW_INVITATIONS_BY, args![scope.tenant(), user]).await?;
    ended.sort();
    Ok(ended.into_iter().map(|(email,)| email).collect())
}

/// Counts one more attempt to sign in; a count that began before `window_start` begins again. Gives the count.
pub(super) async fn count_attempt(
    tx: &mut Tx,
    subject: &[u8],
    now: Timestamp,
    window_start: Timestamp,
) -> DbResult<i64> {
    let counted: Option<(i64,)> = tx.opt(&COUNT_ATTEMPT, args![subject, now, window_start]).await?;
    Ok(counted.map_or(0, |(attempts,)| attempts))
}

/// Forgets all attempts of a subject, after it got in.
pub(super) async fn forget_attempts(tx: &mut Tx, subject: &[u8]) -> DbResult<()> {
    tx.run(&FORGET_ATTEMPTS, args![subject]).await.map(|_| ())
}

/// Forgets one attempt of a subject: it was no failure.
pub(super) async fn forget_attempt(tx: &mut Tx, subject: &[u8]) -> DbResult<()> {
    tx.run(&FORGET_ATTEMPT, args![subject]).await.map(|_| ())
}

/// Adds a line to the audit log.
pub(super) async fn insert_audit(
    tx: &mut Tx,
    tenant: &TenantId,
    id: &AuditId,
    now: Timestamp,
    actor: &Actor,
    (action, subject, detail): (&str, &str, &serde_json::Value),
) -> DbResult<()> {
    let (kind, actor_id, name) = actor.parts();
    let detail = detail.to_string();
    tx.run(&INSERT_AUDIT, args![id, tenant, now, kind, actor_id, name, action, subject, detail])
        .await
        .map(|_| ())
}

#[derive(sqlx::FromRow)]
struct AuditRow {
    id: String,
    at: Timestamp,
    actor_kind: String,
    actor_name: String,
    action: String,
    subject: String,
    detail: String,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
            id: row.id,
            at: row.at,
            actor_kind: row.actor_kind,
            actor: row.actor_name,
            action: row.action,
            subject: row.subject,
        }
    }
}

/// The tenant's audit log, the newest first, from below (time, id) on.
pub(super) async fn audit(
    db: &Db,
    scope: &Scope,
    below: (Timestamp, &str),
    limit: i64,
) -> DbResult<Vec<AuditEntry>> {
    let rows: Vec<AuditRow> = db.all(&AUDIT, args![scope.tenant(), below.0, below.1, limit]).await?;
    Ok(rows.into_iter().map(AuditEntry::from).collect())
}

/// The tenant's newest line of an action and a subject.
pub(super) async fn last_audit(
    db: &Db,
    scope: &Scope,
    (action, subject): (&str, &str),
) -> DbResult<Option<AuditEntry>> {
    let row: Option<AuditRow> = db.opt(&LAST_AUDIT, args![scope.tenant(), subject, action]).await?;
    Ok(row.map(AuditEntry::from))
}
