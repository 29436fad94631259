//! `/api/v1/accounts/{id}/doctor`, `/api/v1/accounts/{id}/webhook`, `/api/v1/system/doctor`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Kept;
use super::model::{Code, Finding, Reader, State as CheckState};
use super::service;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::ids::AccountId;
use crate::web::api::{ApiResult, AsksLine, CanManage, CanRead, Ident, Problems};

/// The doctor's calls.
pub(in crate::accounts) fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(get_doctor))
        .routes(routes!(put_account_webhook))
        .routes(routes!(get_system_doctor))
}

/// Every check, in a fixed order.
#[derive(Debug, Serialize, ToSchema)]
struct DoctorView {
    /// The checks.
    checks: Vec<CheckView>,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
struct CheckView {
    /// What is checked.
    code: Code,
    /// How it ended; what cannot be judged is `unknown`, never `failed`.
    status: CheckState,
    /// What was found, in a few words.
    title: String,
    /// What that means.
    detail: String,
    /// What to do; null where nothing is to be done.
    fix: Option<String>,
    /// When it was looked at: now, but of `webhook_test` its last run.
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
    /// Since when it is in this state, as far as the hub has looked.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// The last time that it failed, once that was over.
    last_failure: Option<GapView>,
}

/// A time in which a check failed.
#[derive(Debug, Serialize, ToSchema)]
struct GapView {
    /// When the hub first saw it fail.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When the hub saw it well again.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

impl CheckView {
    fn new(hub: &Hub, finding: &Finding) -> Self {
        let reader = Reader::program(hub.now());
        Self {
            code: finding.code,
            status: finding.state,
            title: finding.title(reader),
            detail: finding.detail(reader),
            fix: finding.fix(reader),
            checked_at: finding.checked_at,
            since: None,
            last_failure: None,
        }
    }

    fn kept(hub: &Hub, kept: &Kept) -> Self {
        let since = (kept.finding.state == kept.judged).then_some(kept.since);
        let last_failure = kept.gap.map(|(from, until)| GapView { from, until });
        Self { since, last_failure, ..Self::new(hub, &kept.finding) }
    }
}

impl DoctorView {
    fn new(hub: &Hub, checks: &[Kept]) -> Self {
        Self { checks: checks.iter().map(|kept| CheckView::kept(hub, kept)).collect() }
    }
}

/// Every check of an account, read now. A silent LINE is no error: its checks are `unknown` then.
#[utoipa::path(get, path = "/accounts/{id}/doctor", tag = "Accounts", params(("id" = String, Path)),
    responses((status = 200, body = DoctorView), Problems))]
async fn get_doctor(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<AccountId>,
) -> ApiResult<Json<DoctorView>> {
    let examined = service::examine_for(&hub, &caller.scope, &id).await?;
    Ok(Json(DoctorView::new(&hub, &examined.checks)))
}

/// Puts this hub's webhook address (back) at LINE, after LINE's own test reached it, and reads every check again.
#[utoipa::path(post, path = "/accounts/{id}/webhook", tag = "Accounts", params(("id" = String, Path)),
    responses((status = 200, body = DoctorView), AsksLine, Problems))]
async fn put_account_webhook(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
) -> ApiResult<Json<DoctorView>> {
    let examined = service::put_webhook(&hub, (&caller.scope, &caller.actor()), &id).await?;
    Ok(Json(DoctorView::new(&hub, &examined.checks)))
}

/// The checks of the machine: LINE's hosts, the public address, its certificate, the clock, the databases, the data folder.
#[utoipa::path(get, path = "/system/doctor", tag = "System",
    responses((status = 200, body = DoctorView), Problems))]
async fn get_system_doctor(
    State(hub): State<Hub>,
    CanManage(_caller): CanManage,
) -> ApiResult<Json<DoctorView>> {
    let checks = service::system(&hub).await.iter().map(|finding| CheckView::new(&hub, finding)).collect();
    Ok(Json(DoctorView { checks }))
}
