//! The contacts' SQL.

use super::model::{Also, Contact, Labels};
use crate::clock::Timestamp;
use crate::db::{Arg, Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, ContactId, TenantId};
use crate::scope::Scope;
use crate::text::like;
use crate::{args, in_scope, statements};

macro_rules! columns {
    () => {
        "c.id, c.tenant_id, c.account_id, c.messenger, c.external_id, c.display_name, c.picture_url, c.language, \
         c.status_message, c.following, c.blocked_at, c.profile_at, c.tags, c.attributes, c.created_at"
    };
}

macro_rules! labels {
    () => {
        concat!(
            "SELECT c.tags, c.attributes FROM contacts AS c WHERE c.id = $3 AND",
            in_scope!("c", "$1", "$2")
        )
    };
}

statements! {
    KNOWS = { "SELECT id FROM contacts WHERE tenant_id = $1 AND account_id = $2 AND external_id = $3" };
    // Only a newer act changes the relation; everything else of a known contact stays.
    SEE = { "INSERT INTO contacts AS c (id, tenant_id, account_id, messenger, external_id, name_search, following,
            blocked_at, relation_at, tags, attributes, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, '[]', '{}', $9, $9)
        ON CONFLICT (account_id, external_id) DO UPDATE SET
            following = CASE WHEN excluded.relation_at > c.relation_at THEN excluded.following ELSE c.following END,
            blocked_at = CASE WHEN excluded.relation_at > c.relation_at THEN excluded.blocked_at ELSE c.blocked_at END,
            relation_at = CASE WHEN excluded.relation_at > c.relation_at THEN excluded.relation_at ELSE c.relation_at END
        RETURNING id, tenant_id, account_id, messenger, external_id, display_name, picture_url, language, status_message,
            following, blocked_at, profile_at, tags, attributes, created_at" };
    FIND = { concat!("SELECT ", columns!(), " FROM contacts AS c WHERE c.id = $3 AND", in_scope!("c", "$1", "$2")) };
    // reads: accounts (their names; and by the tenant's accounts the index on account and id serves)
    ALSO = { concat!("SELECT c.id, c.account_id, o.display_name AS account_name, c.following FROM contacts AS c
        JOIN accounts AS o ON o.id = c.account_id
        WHERE c.account_id IN (SELECT a.id FROM accounts AS a WHERE a.tenant_id = $1) AND c.external_id = $3
        AND c.messenger = $4 AND c.id <> $5 AND", in_scope!("c", "$1", "$2"), " ORDER BY o.display_name, c.id") };
    FIND_ANY = { concat!("SELECT ", columns!(), " FROM contacts AS c WHERE c.id = $1") };
    SET_PROFILE = { "UPDATE contacts SET display_name = $2, name_search = $3, picture_url = $4,
        language = COALESCE($5, language), status_message = $6, profile_at = $7, updated_at = $7 WHERE id = $1" };
    SET_PROFILE_AT = { "UPDATE contacts SET profile_at = $2 WHERE id = $1" };
    // Holds the row until the transaction ends, so that of two changes at once the second sees the first.
    LABELS = { sqlite: labels!(), postgres: concat!(labels!(), " FOR UPDATE OF c") };
    TAGS = { "SELECT external_id, tags FROM contacts WHERE tenant_id = $1 AND account_id = $2 AND external_id = $3" };
    SET_LABELS = { "UPDATE contacts SET tags = $2, attributes = $3, updated_at = $4 WHERE id = $1 AND tenant_id = $5" };
}

#[derive(sqlx::FromRow)]
struct ContactRow {
    id: ContactId,
    tenant_id: TenantId,
    account_id: AccountId,
    messenger: String,
    external_id: String,
    display_name: Option<String>,
    picture_url: Option<String>,
    language: Option<String>,
    status_message: Option<String>,
    following: Option<bool>,
    blocked_at: Option<Timestamp>,
    profile_at: Option<Timestamp>,
    tags: String,
    attributes: String,
    created_at: Timestamp,
}

fn read_labels(id: &ContactId, tags: &str, attributes: &str) -> DbResult<Labels> {
    let wrong = |column| DbError::Inconsistent { table: "contacts", column, id: id.as_str().to_owned() };
    Ok(Labels {
        tags: serde_json::from_str(tags).map_err(|_| wrong("tags"))?,
        attributes: serde_json::from_str(attributes).map_err(|_| wrong("attributes"))?,
    })
}

impl TryFrom<ContactRow> for Contact {
    type Error = DbError;

    fn try_from(row: ContactRow) -> DbResult<Self> {
        let Labels { tags, attributes } = read_labels(&row.id, &row.tags, &row.attributes)?;
        Ok(Self {
            id: row.id,
            tenant_id: row.tenant_id,
            account_id: row.account_id,
            messenger: row.messenger,
            external_id: row.external_id,
            display_name: row.display_name,
            picture_url: row.picture_url,
            language: row.language,
            status_message: row.status_message,
            following: row.following,
            blocked_at: row.blocked_at,
            profile_at: row.profile_at,
            tags,
            attributes,
            created_at: row.created_at,
        })
    }
}

/// A person to be noted, new or known.
pub(super) struct Sighting<'a> {
    pub(super) fresh: &'a ContactId,
    pub(super) tenant: &'a TenantId,
    pub(super) account: &'a AccountId,
    pub(super) external_id: &'a str,
    pub(super) relation: (Option<bool>, Option<Timestamp>, Timestamp),
    pub(super) now: Timestamp,
}

/// Whether an account has met the person with this id of LINE's.
pub(super) async fn knows(
    db: &Db,
    tenant: &TenantId,
    account: &AccountId,
    external_id: &str,
) -> DbResult<bool> {
    Ok(db.opt::<(String,)>(&KNOWS, args![tenant, account, external_id]).await?.is_some())
}

/// The tags of the person with this id of LINE's; none where the account has not met them.
pub(super) async fn tags(
    db: &Db,
    tenant: &TenantId,
    account: &AccountId,
    external_id: &str,
) -> DbResult<Vec<String>> {
    let row: Option<(String, String)> = db.opt(&TAGS, args![tenant, account, external_id]).await?;
    let Some((id, tags)) = row else { return Ok(Vec::new()) };
    serde_json::from_str(&tags).map_err(|_| DbError::Inconsistent { table: "contacts", column: "tags", id })
}

pub(super) async fn see(tx: &mut Tx, seen: &Sighting<'_>) -> DbResult<Contact> {
    let (following, blocked_at, relation_at) = seen.relation;
    let args = args![
        seen.fresh,
        seen.tenant,
        seen.account,
        "line",
        seen.external_id,
        following,
        blocked_at,
        relation_at,
        seen.now
    ];
    let row: Option<ContactRow> = tx.opt(&SEE, args).await?;
    row.ok_or(DbError::Conflict { table: "contacts" })?.try_into()
}

pub(super) async fn find(db: &Db, scope: &Scope, id: &ContactId) -> DbResult<Option<Contact>> {
    let row: Option<ContactRow> = db.opt(&FIND, args![scope.tenant(), scope.viewer(), id]).await?;
    row.map(Contact::try_from).transpose()
}

/// The same person's contacts with other accounts.
pub(super) async fn also(db: &Db, scope: &Scope, contact: &Contact) -> DbResult<Vec<Also>> {
    let args = args![scope.tenant(), scope.viewer(), &contact.external_id, &contact.messenger, &contact.id];
    db.all(&ALSO, args).await
}

/// For the hub's own jobs, which name a contact that they were given by the hub.
pub(super) async fn find_any(db: &Db, id: &ContactId) -> DbResult<Option<Contact>> {
    let row: Option<ContactRow> = db.opt(&FIND_ANY, args![id]).await?;
    row.map(Contact::try_from).transpose()
}

/// What a profile call answered.
pub(super) struct Profile<'a> {
    pub(super) display_name: &'a str,
    pub(super) name_search: &'a str,
    pub(super) picture_url: Option<&'a str>,
    pub(super) language: Option<&'a str>,
    pub(super) status_message: Option<&'a str>,
}

pub(super) async fn set_profile(
    tx: &mut Tx,
    id: &ContactId,
    p: &Profile<'_>,
    now: Timestamp,
) -> DbResult<u64> {
    let args = args![id, p.display_name, p.name_search, p.picture_url, p.language, p.status_message, now];
    tx.run(&SET_PROFILE, args).await
}

pub(super) async fn set_profile_at(tx: &mut Tx, id: &ContactId, now: Timestamp) -> DbResult<u64> {
    tx.run(&SET_PROFILE_AT, args![id, now]).await
}

/// A contact's labels, which nobody else can change until the transaction ends.
pub(super) async fn labels(tx: &mut Tx, scope: &Scope, id: &ContactId) -> DbResult<Option<Labels>> {
    let row: Option<(String, String)> = tx.opt(&LABELS, args![scope.tenant(), scope.viewer(), id]).await?;
    row.map(|(tags, attributes)| read_labels(id, &tags, &attributes)).transpose()
}

pub(super) async fn set_labels(
    tx: &mut Tx,
    scope: &Scope,
    id: &ContactId,
    tags: &str,
    attributes: &str,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&SET_LABELS, args![id, tags, attributes, now, scope.tenant()]).await
}

/// Which contacts to list.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only with exactly this tag.
    pub tag: Option<String>,
    /// Only friends, or only those who are not.
    pub following: Option<bool>,
    /// Part of the name.
    pub q: Option<String>,
    /// After this one, in the order of the list (newest first): its time and id.
    pub after: Option<(Timestamp, String)>,
    /// At most this many.
    pub limit: i64,
}

pub(super) async fn list(db: &Db, scope: &Scope, filter: &Filter) -> DbResult<Vec<Contact>> {
    let mut args = args![scope.tenant(), scope.viewer()];
    let mut text =
        String::from(concat!("SELECT ", columns!(), " FROM contacts AS c WHERE", in_scope!("c", "$1", "$2")));
    let mut also = |clause: &str, values: Vec<Arg>| {
        let mut clause = clause.to_owned();
        for value in values {
            args.push(value);
            clause = clause.replacen('?', &format!("${}", args.len()), 1);
        }
        text.push_str(&clause);
    };
    if let Some(account) = &filter.account {
        also(" AND c.account_id = ?", args![account]);
    }
    if let Some(following) = filter.following {
        also(" AND c.following = ?", args![following]);
    }
    if let Some(tag) = &filter.tag {
        let clause = if db.is_postgres() {
            " AND EXISTS (SELECT 1 FROM json_array_elements_text(CAST(c.tags AS JSON)) AS t(tag) WHERE t.tag = ?)"
        } else {
            " AND EXISTS (SELECT 1 FROM json_each(c.tags) AS t WHERE t.value = ?)"
        };
        also(clause, args![crate::text::storable(tag.trim())]);
    }
    if let Some(q) = filter.q.as_deref().filter(|q| !q.trim().is_empty()) {
        also(" AND c.name_search LIKE ? ESCAPE '\\'", args![like(q)]);
    }
    if let Some((at, id)) = &filter.after {
        also(" AND (c.created_at, c.id) < (?, ?)", args![*at, id]);
    }
    also(" ORDER BY c.created_at DESC, c.id DESC LIMIT ?", args![filter.limit]);
    let rows: Vec<ContactRow> = db.all_built(text, args).await?;
    rows.into_iter().map(Contact::try_from).collect()
}
