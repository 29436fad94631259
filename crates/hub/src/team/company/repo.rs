//! The SQL of companies.

use super::model::Values;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::TenantId;
use crate::{args, statements};

macro_rules! columns {
    () => {
        "t.name AS tenant_name, t.time_zone, c.legal_key, c.name, c.country, c.site_url, c.privacy_url, c.terms_url,
        c.privacy_text, c.terms_text, c.support_url, c.videos, c.expires_at, c.updated_at, c.updated_by
        FROM tenants AS t LEFT JOIN companies AS c ON c.tenant_id = t.id WHERE"
    };
}

statements! {
    COMPANY = { concat!("SELECT ", columns!(), " t.id = $1") };
    HOSTED = { concat!("SELECT ", columns!(), " c.legal_key = $1") };
    // The first change makes the row; the key stays for good, because LINE's forms hold it.
    MAKE = { "INSERT INTO companies (tenant_id, legal_key, videos, updated_at, updated_by) VALUES ($1, $2, '{}', $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE SET updated_at = excluded.updated_at" };
    SET = { "UPDATE companies SET name = $2, country = $3, site_url = $4, privacy_url = $5, terms_url = $6, privacy_text = $7,
        terms_text = $8, support_url = $9, videos = $10, updated_at = $11, updated_by = $12 WHERE tenant_id = $1" };
    // writes: tenants (the zone in which its people see times)
    SET_ZONE = { "UPDATE tenants SET time_zone = $2 WHERE id = $1" };
    SET_EXPIRY = { "UPDATE companies SET expires_at = $2 WHERE tenant_id = $1" };
}

/// A tenant with its company, where something was said.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct CompanyRow {
    pub(super) tenant_name: String,
    pub(super) time_zone: String,
    pub(super) legal_key: Option<String>,
    name: Option<String>,
    country: Option<String>,
    site_url: Option<String>,
    privacy_url: Option<String>,
    terms_url: Option<String>,
    privacy_text: Option<String>,
    terms_text: Option<String>,
    support_url: Option<String>,
    videos: Option<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    pub(super) updated_by: Option<String>,
}

impl CompanyRow {
    pub(super) fn values(&self) -> Values {
        let videos = self.videos.as_deref().and_then(|videos| serde_json::from_str(videos).ok());
        Values {
            name: self.name.clone(),
            country: self.country.clone(),
            time_zone: Some(self.time_zone.clone()),
            site_url: self.site_url.clone(),
            privacy_url: self.privacy_url.clone(),
            terms_url: self.terms_url.clone(),
            privacy_text: self.privacy_text.clone(),
            terms_text: self.terms_text.clone(),
            support_url: self.support_url.clone(),
            videos: videos.unwrap_or_default(),
        }
    }
}

/// What every page shows of a company.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Links {
    pub(crate) site_url: Option<String>,
    pub(crate) support_url: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
}

pub(super) async fn company(db: &Db, tenant: &TenantId) -> DbResult<Option<CompanyRow>> {
    db.opt(&COMPANY, args![tenant]).await
}

/// The same, once the row is taken by [`make`].
pub(super) async fn taken(tx: &mut Tx, tenant: &TenantId) -> DbResult<Option<CompanyRow>> {
    tx.opt(&COMPANY, args![tenant]).await
}

/// The company of a public key.
pub(super) async fn hosted(db: &Db, key: &str) -> DbResult<Option<CompanyRow>> {
    db.opt(&HOSTED, args![key]).await
}

/// Makes the row where there is none, and takes it until the transaction ends.
pub(super) async fn make(tx: &mut Tx, tenant: &TenantId, key: &str, at: Timestamp, by: &str) -> DbResult<()> {
    tx.run(&MAKE, args![tenant, key, at, by]).await.map(|_| ())
}

pub(super) async fn set(
    tx: &mut Tx,
    tenant: &TenantId,
    values: &Values,
    at: Timestamp,
    by: &str,
) -> DbResult<()> {
    let videos = serde_json::to_string(&values.videos).unwrap_or_else(|_| "{}".to_owned());
    let Values {
        name, country, site_url, privacy_url, terms_url, privacy_text, terms_text, support_url, ..
    } = values;
    let args = args![
        tenant,
        name.clone(),
        country.clone(),
        site_url.clone(),
        privacy_url.clone(),
        terms_url.clone(),
        privacy_text.clone(),
        terms_text.clone(),
        support_url.clone(),
        videos,
        at,
        by
    ];
    tx.run(&SET, args).await?;
    tx.run(&SET_ZONE, args![tenant, values.time_zone.clone()]).await.map(|_| ())
}

pub(super) async fn set_expiry(tx: &mut Tx, tenant: &TenantId, at: Option<Timestamp>) -> DbResult<()> {
    tx.run(&SET_EXPIRY, args![tenant, at]).await.map(|_| ())
}
