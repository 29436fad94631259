//! `/api/v1/company`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Changes, Company, Country, Document};
use super::service;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::web::api::{ApiResult, CanManage, CanRead, Input, Problems};

/// The calls of the company.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(get_company, change_company))
}

/// What the tenant says about itself.
#[derive(Debug, Serialize, ToSchema)]
struct CompanyView {
    /// Its public name; the tenant's name until one is given.
    name: String,
    /// Its market; guessed by the time zone until one is given.
    country: Option<Country>,
    /// The zone in which its people see times: `Asia/Taipei`.
    time_zone: String,
    /// Its public site.
    site_url: Option<String>,
    /// Its own privacy policy.
    privacy_url: Option<String>,
    /// Its own terms of use.
    terms_url: Option<String>,
    /// The privacy policy that the hub shows for it.
    privacy_text: Option<String>,
    /// The terms of use that the hub shows for it.
    terms_text: Option<String>,
    /// The address of the privacy policy for LINE's forms: its own, else the hub's page.
    privacy_address: Option<String>,
    /// The same for the terms of use.
    terms_address: Option<String>,
    /// Where its people find help: https or mailto.
    support_url: Option<String>,
    /// Addresses of videos by stage of set-up: `account`, `messaging`, `login`, `done`.
    videos: BTreeMap<String, String>,
    /// When the service ends, where the operator set that.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// By whom.
    updated_by: Option<String>,
}

impl CompanyView {
    fn new(hub: &Hub, company: Company) -> Self {
        Self {
            privacy_address: company.address(&hub.config, Document::Privacy),
            terms_address: company.address(&hub.config, Document::Terms),
            name: company.name,
            country: company.country,
            time_zone: company.time_zone,
            site_url: company.site_url,
            privacy_url: company.privacy_url,
            terms_url: company.terms_url,
            privacy_text: company.privacy_text,
            terms_text: company.terms_text,
            support_url: company.support_url,
            videos: company.videos,
            expires_at: company.expires_at,
            updated_at: company.updated_at,
            updated_by: company.updated_by,
        }
    }
}

/// What the tenant says about itself.
#[utoipa::path(get, path = "/company", tag = "Company", responses((status = 200, body = CompanyView), Problems))]
async fn get_company(State(hub): State<Hub>, CanRead(caller): CanRead) -> ApiResult<Json<CompanyView>> {
    Ok(Json(CompanyView::new(&hub, service::company(&hub, caller.scope.tenant()).await?)))
}

/// What is to be changed: what is left out stays, an empty text removes a value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompanyBody {
    /// At most 100 characters.
    name: Option<String>,
    /// `TW`, `JP`, `TH` or `other`.
    country: Option<String>,
    /// A name of the IANA database: `Asia/Taipei`.
    time_zone: Option<String>,
    /// An https address.
    site_url: Option<String>,
    /// An https address.
    privacy_url: Option<String>,
    /// An https address.
    terms_url: Option<String>,
    /// Plain text, at most 50,000 characters.
    privacy_text: Option<String>,
    /// Plain text, at most 50,000 characters.
    terms_text: Option<String>,
    /// An https or mailto address.
    support_url: Option<String>,
    /// https addresses by stage: `account`, `messaging`, `login`, `done`; only those named are changed.
    videos: Option<BTreeMap<String, String>>,
}

/// Changes what the tenant says about itself.
#[utoipa::path(patch, path = "/company", tag = "Company", request_body = CompanyBody,
    responses((status = 200, body = CompanyView), Problems))]
async fn change_company(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Input(body): Input<CompanyBody>,
) -> ApiResult<Json<CompanyView>> {
    let changes = Changes {
        name: body.name,
        country: body.country,
        time_zone: body.time_zone,
        site_url: body.site_url,
        privacy_url: body.privacy_url,
        terms_url: body.terms_url,
        privacy_text: body.privacy_text,
        terms_text: body.terms_text,
        support_url: body.support_url,
        videos: body.videos,
    };
    let company = service::change(&hub, caller.scope.tenant(), changes, &caller.actor()).await?;
    Ok(Json(CompanyView::new(&hub, company)))
}
