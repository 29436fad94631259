//! Seeing, finding and labelling people.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::model::{Act, Also, Contact, Labels, relation};
use super::repo::{self, Profile, Sighting};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, Tx};
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{AccountId, ContactId, TenantId};
use crate::scope::Scope;
use crate::text::{searchable, storable};

/// A profile is asked for again on activity after this long; names and pictures change (GOTCHAS D6).
pub const PROFILE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The most tags of one contact.
pub const MAX_TAGS: usize = 100;
/// The longest tag, in characters.
pub const MAX_TAG: usize = 50;
/// The most custom fields of one contact.
pub const MAX_ATTRIBUTES: usize = 100;

/// Notes that an event showed a person, in the consumer's transaction.
///
/// # Errors
/// Those of the database.
pub async fn see(
    tx: &mut Tx,
    hub: &Hub,
    tenant: &TenantId,
    account: &AccountId,
    external_id: &str,
    act: Act,
    at: Timestamp,
) -> DbResult<Contact> {
    let fresh: ContactId = hub.id();
    let relation = relation(act, at);
    repo::see(tx, &Sighting { fresh: &fresh, tenant, account, external_id, relation, now: hub.now() }).await
}

/// Whether the profile should be asked for now.
#[must_use]
pub fn wants_profile(contact: &Contact, now: Timestamp) -> bool {
    contact.profile_at.is_none_or(|at| at.plus(PROFILE_LIFE) < now)
}

/// Whether the account has met the person with this ID of LINE's.
///
/// # Errors
/// Those of the database.
pub async fn knows(
    hub: &Hub,
    (tenant, account): (&TenantId, &AccountId),
    external_id: &str,
) -> DbResult<bool> {
    repo::knows(&hub.db, tenant, account, external_id).await
}

/// The tags of people of an account, by LINE's user ID; for the hub's own work.
///
/// # Errors
/// Those of the database.
pub async fn tags_of(
    hub: &Hub,
    (tenant, account): (&TenantId, &AccountId),
    people: &[String],
) -> DbResult<HashMap<String, Vec<String>>> {
    let mut tags = HashMap::new();
    for person in people {
        tags.insert(person.clone(), repo::tags(&hub.db, tenant, account, person).await?);
    }
    Ok(tags)
}

/// One contact within the scope.
///
/// # Errors
/// 404 when there is none.
pub async fn get(hub: &Hub, scope: &Scope, id: &ContactId) -> AppResult<Contact> {
    repo::find(&hub.db, scope, id).await?.ok_or_else(|| AppError::not_found("contact"))
}

/// The same person with other accounts of the tenant, of an agent only with those granted. LINE gives a person one user ID
/// for all channels of a provider and another for each other provider (PLATFORM 2), so the same id on two accounts of a
/// tenant proves both: one provider, one person. Nothing else joins people, and nothing across tenants does.
///
/// # Errors
/// Those of the database.
pub async fn also(hub: &Hub, scope: &Scope, contact: &Contact) -> AppResult<Vec<Also>> {
    Ok(repo::also(&hub.db, scope, contact).await?)
}

/// Contacts within the scope, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(hub: &Hub, scope: &Scope, filter: &ContactFilter) -> AppResult<Vec<Contact>> {
    Ok(repo::list(&hub.db, scope, filter).await?)
}

/// Stores what LINE told about a person; `None` when LINE knows nothing: then the last known profile is kept (GOTCHAS D2).
///
/// # Errors
/// Those of the database.
pub async fn store_profile(
    hub: &Hub,
    id: &ContactId,
    profile: Option<&line_client::Profile>,
) -> DbResult<()> {
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    match profile {
        Some(profile) => {
            let name = storable(&profile.display_name);
            let status = profile.status_message.as_deref().map(storable);
            let profile = Profile {
                display_name: &name,
                name_search: &searchable(&name),
                picture_url: profile.picture_url.as_deref(),
                language: profile.language.as_deref(),
                status_message: status.as_deref(),
            };
            repo::set_profile(&mut tx, id, &profile, now).await?;
        }
        None => {
            repo::set_profile_at(&mut tx, id, now).await?;
        }
    }
    tx.commit().await
}

/// For the hub's own jobs.
///
/// # Errors
/// Those of the database.
pub async fn find_for_job(hub: &Hub, id: &ContactId) -> DbResult<Option<Contact>> {
    repo::find_any(&hub.db, id).await
}

/// Changes tags and custom fields as `change` says. It is given what holds at that moment, so that two changes at once
/// both last.
///
/// # Errors
/// 404 when there is no such contact, 422 naming the value that is too long or too many.
pub async fn label(
    hub: &Hub,
    scope: &Scope,
    actor: &crate::team::Actor,
    id: &ContactId,
    change: impl FnOnce(&mut Labels) + Send,
) -> AppResult<Contact> {
    let mut tx = hub.db.begin().await?;
    let found = repo::labels(&mut tx, scope, id).await?;
    let mut labels = found.ok_or_else(|| AppError::not_found("contact"))?;
    change(&mut labels);
    let (tags, attributes) = (check_tags(labels.tags)?, check_attributes(labels.attributes)?);
    let (tags_json, attributes_json) = (json(&tags)?, json(&attributes)?);
    repo::set_labels(&mut tx, scope, id, &tags_json, &attributes_json, hub.now()).await?;
    let detail = serde_json::json!({ "tags": tags, "attributes": attributes.keys().collect::<Vec<_>>() });
    let subject = ("contact.labelled", id.as_str());
    crate::team::service::audit(&mut tx, hub, scope.tenant(), actor, subject, &detail).await?;
    tx.commit().await?;
    get(hub, scope, id).await
}

fn json(value: &impl serde::Serialize) -> AppResult<String> {
    serde_json::to_string(value).map_err(AppError::internal)
}

fn check_tags(tags: Vec<String>) -> AppResult<Vec<String>> {
    let mut set = BTreeSet::new();
    for (n, tag) in tags.into_iter().enumerate() {
        let tag = storable(tag.trim());
        if tag.is_empty() || tag.chars().count() > MAX_TAG {
            let detail = format!("a tag has 1 to {MAX_TAG} characters");
            return Err(AppError::invalid_field(&format!("tags[{n}]"), "bad_length", detail));
        }
        set.insert(tag);
    }
    if set.len() > MAX_TAGS {
        return Err(AppError::invalid_field("tags", "too_many", format!("at most {MAX_TAGS} tags")));
    }
    Ok(set.into_iter().collect())
}

fn check_attributes(attributes: BTreeMap<String, String>) -> AppResult<BTreeMap<String, String>> {
    if attributes.len() > MAX_ATTRIBUTES {
        let detail = format!("at most {MAX_ATTRIBUTES} custom fields");
        return Err(AppError::invalid(vec![FieldError::new("attributes", "too_many", detail)]));
    }
    let mut out = BTreeMap::new();
    for (name, value) in attributes {
        let field = format!("attributes.{name}");
        let name = storable(name.trim());
        if name.is_empty() || name.chars().count() > MAX_TAG {
            let detail = format!("a custom field's name has 1 to {MAX_TAG} characters");
            return Err(AppError::invalid_field(&field, "bad_length", detail));
        }
        if value.chars().count() > 1000 {
            return Err(AppError::invalid_field(
                &field,
                "too_long",
                "a custom field has at most 1,000 characters",
            ));
        }
        out.insert(name, storable(&value));
    }
    Ok(out)
}

pub use super::repo::Filter as ContactFilter;
