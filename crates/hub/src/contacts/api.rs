//! `/api/v1/contacts`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Also, Contact, Labels};
use super::service::{self, ContactFilter};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::ids::ContactId;
use crate::team::Actor;
use crate::web::api::{
    ApiResult, Caller, CanManage, CanRead, Ident, Input, PageParams, Paged, Params, Problems,
};

/// The calls of contacts.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list_contacts)).routes(routes!(get_contact, change_contact))
}

/// A person known to an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContactView {
    /// `con_…`
    id: String,
    /// The account that knows them.
    account_id: String,
    /// `line`.
    messenger: String,
    /// The messenger's id of the person.
    external_id: String,
    /// Null until the profile was fetched.
    display_name: Option<String>,
    /// Their picture at the messenger.
    picture_url: Option<String>,
    /// BCP 47.
    language: Option<String>,
    /// A friend now; null when not known.
    following: Option<bool>,
    /// When they blocked the account.
    #[schema(value_type = Option<String>, format = DateTime)]
    blocked_at: Option<Timestamp>,
    /// Labels.
    tags: Vec<String>,
    /// Custom fields.
    attributes: BTreeMap<String, String>,
    /// The same person as other accounts of the tenant know them: LINE gives one user ID for all channels of a provider.
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_person: Option<Vec<SamePersonView>>,
}

/// A contact of another account that is the same person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SamePersonView {
    /// `con_…`
    id: String,
    /// The account that knows them.
    account_id: String,
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.id.to_string(),
            account_id: contact.account_id.to_string(),
            messenger: contact.messenger,
            external_id: contact.external_id,
            display_name: contact.display_name,
            picture_url: contact.picture_url,
            language: contact.language,
            following: contact.following,
            blocked_at: contact.blocked_at,
            tags: contact.tags,
            attributes: contact.attributes,
            same_person: None,
        }
    }
}

/// The contacts of the tenant, newest first.
#[utoipa::path(get, path = "/contacts", tag = "Contacts", params(PageParams,
    ("account_id" = Option<String>, Query, description = "only of this account"),
    ("tag" = Option<String>, Query, description = "only with exactly this tag"),
    ("following" = Option<bool>, Query, description = "only friends, or only those who are none"),
    ("q" = Option<String>, Query, description = "part of the name")),
    responses((status = 200, body = Paged<ContactView>), Problems))]
async fn list_contacts(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<Paged<ContactView>>> {
    let page = params.page()?;
    let filter = ContactFilter {
        account: params.id("account_id")?,
        tag: params.text("tag").map(str::to_owned),
        following: params.flag("following")?,
        q: params.text("q").map(str::to_owned),
        after: page.after()?,
        limit: page.fetch(),
    };
    let rows = service::list(&hub, &caller.scope, &filter).await?;
    Ok(Json(page.wrap(rows, |last| (last.created_at, last.id.to_string())).map(ContactView::from)))
}

/// One contact.
#[utoipa::path(get, path = "/contacts/{id}", tag = "Contacts", params(("id" = String, Path)),
    responses((status = 200, body = ContactView), Problems))]
async fn get_contact(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<ContactId>,
) -> ApiResult<Json<ContactView>> {
    let contact = service::get(&hub, &caller.scope, &id).await?;
    whole(&hub, &caller, contact).await
}

/// A contact with the others that are the same person.
async fn whole(hub: &Hub, caller: &Caller, contact: Contact) -> ApiResult<Json<ContactView>> {
    let also = service::also(hub, &caller.scope, &contact).await?;
    let view =
        |also: Also| SamePersonView { id: also.id.to_string(), account_id: also.account_id.to_string() };
    let same_person = Some(also.into_iter().map(view).collect());
    Ok(Json(ContactView { same_person, ..contact.into() }))
}

/// Whole new values; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactChange {
    /// All tags from now on.
    tags: Option<Vec<String>>,
    /// All custom fields from now on.
    attributes: Option<BTreeMap<String, String>>,
}

/// Sets tags and custom fields.
#[utoipa::path(patch, path = "/contacts/{id}", tag = "Contacts", params(("id" = String, Path)),
    request_body = ContactChange, responses((status = 200, body = ContactView), Problems))]
async fn change_contact(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<ContactId>,
    Input(change): Input<ContactChange>,
) -> ApiResult<Json<ContactView>> {
    let actor = actor(&caller);
    let set = |labels: &mut Labels| {
        labels.tags = change.tags.unwrap_or(std::mem::take(&mut labels.tags));
        labels.attributes = change.attributes.unwrap_or(std::mem::take(&mut labels.attributes));
    };
    let contact = service::label(&hub, &caller.scope, &actor, &id, set).await?;
    whole(&hub, &caller, contact).await
}

fn actor(caller: &Caller) -> Actor {
    Actor::Key { id: caller.key.clone(), name: caller.name.clone() }
}
