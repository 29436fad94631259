//! Reading and changing what a tenant says about itself.

use serde_json::json;

use super::model::{Changes, Company, Country, Document};
use super::repo::{self, CompanyRow};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::ids::TenantId;
use crate::team::Actor;
use crate::team::service::{DEFAULT_TENANT, audit};

/// A name of the hosted pages that nobody has yet: 16 letters and digits.
fn new_key(hub: &Hub) -> String {
    hub.entropy.token().chars().filter(char::is_ascii_alphanumeric).take(16).collect()
}

fn of(row: CompanyRow) -> Company {
    let values = row.values();
    let country = values.country.as_deref().and_then(Country::parse);
    let name = values.name.unwrap_or(row.tenant_name);
    Company {
        is_named: name != DEFAULT_TENANT,
        name,
        country: country.or_else(|| Country::of_zone(&row.time_zone)),
        time_zone: row.time_zone,
        site_url: values.site_url,
        privacy_url: values.privacy_url,
        terms_url: values.terms_url,
        privacy_text: values.privacy_text,
        terms_text: values.terms_text,
        support_url: values.support_url,
        videos: values.videos,
        expires_at: row.expires_at,
        updated_at: row.updated_at,
        updated_by: row.updated_by.filter(|by| !by.is_empty()),
        legal_key: row.legal_key.unwrap_or_default(),
    }
}

/// What a tenant says about itself. Before anything was said: the tenant's name, and the market of its time zone.
///
/// # Errors
/// 404 when there is no such tenant; those of the database.
pub async fn company(hub: &Hub, tenant: &TenantId) -> AppResult<Company> {
    let row = repo::company(&hub.db, tenant).await?;
    row.map(of).ok_or_else(|| AppError::not_found("tenant"))
}

/// Changes it; gives it as it is then.
///
/// # Errors
/// 422 with every field that is wrong.
pub async fn change(hub: &Hub, tenant: &TenantId, changes: Changes, actor: &Actor) -> AppResult<Company> {
    let (now, by) = (hub.now(), actor.name());
    let mut tx = hub.db.begin().await?;
    repo::make(&mut tx, tenant, &new_key(hub), now, by).await?;
    let row = repo::taken(&mut tx, tenant).await?.ok_or_else(|| AppError::not_found("tenant"))?;
    let mut values = row.values();
    let changed = values.apply(changes).map_err(AppError::invalid)?;
    if !changed.is_empty() {
        repo::set(&mut tx, tenant, &values, now, by).await?;
        let subject = ("company.changed", row.tenant_name.as_str());
        audit(&mut tx, hub, tenant, actor, subject, &json!({ "changed": changed })).await?;
    }
    tx.commit().await?;
    company(hub, tenant).await
}

/// Sets when the service ends, as people of the tenant see it; `None` for never. For the operator.
///
/// # Errors
/// Those of the database.
pub async fn set_expiry(
    hub: &Hub,
    tenant: &TenantId,
    expires_at: Option<Timestamp>,
    actor: &Actor,
) -> AppResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::make(&mut tx, tenant, &new_key(hub), hub.now(), actor.name()).await?;
    repo::set_expiry(&mut tx, tenant, expires_at).await?;
    let subject = ("tenant.expiry_set", tenant.as_str());
    audit(&mut tx, hub, tenant, actor, subject, &json!({ "expires_at": expires_at })).await?;
    Ok(tx.commit().await?)
}

/// The company's name and the text of a hosted page; for everybody.
///
/// # Errors
/// 404 when there is no such page or no text; those of the database.
pub async fn hosted(hub: &Hub, key: &str, document: Document) -> AppResult<(String, String)> {
    let row = repo::hosted(&hub.db, key).await?;
    let company = row.map(of).ok_or_else(|| AppError::not_found("page"))?;
    let text = match document {
        Document::Privacy => company.privacy_text,
        Document::Terms => company.terms_text,
    };
    text.map(|text| (company.name, text)).ok_or_else(|| AppError::not_found("page"))
}
