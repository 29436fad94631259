//! `/api/v1` of an account's settings: copying them, and the hub's public address at LINE.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::api::AccountView;
use crate::accounts::service::{self, Applied, Move};
use crate::accounts::settings;
use crate::app::Hub;
use crate::ids::AccountId;
use crate::web::api::{ApiResult, CanManage, Ident, Input, Items, Problems};

/// The calls.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(copy_account_settings))
        .routes(routes!(get_public_url))
        .routes(routes!(apply_public_url))
}

/// Which account to copy from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CopyFrom {
    /// An account of the same tenant.
    #[schema(value_type = String)]
    from: AccountId,
}

/// Copies settings from another account of the tenant: market, group chats, sender's name, plan and owners. Credentials,
/// ticks, label, kind and environment stay.
#[utoipa::path(post, path = "/accounts/{id}/copy-settings", tag = "Accounts", params(("id" = String, Path)),
    request_body = CopyFrom, responses((status = 200, body = AccountView), Problems))]
async fn copy_account_settings(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
    Input(body): Input<CopyFrom>,
) -> ApiResult<Json<AccountView>> {
    let account = settings::copy(&hub, (&caller.scope, &caller.actor()), &body.from, &id).await?;
    Ok(Json(AccountView::of(&hub, &caller, account).await?))
}

/// The hub's public address, and what still has another one at LINE.
#[derive(Debug, Serialize, ToSchema)]
struct PublicUrlView {
    /// The present address.
    public_url: String,
    /// What `POST /public-url/apply` would register anew.
    changes: Vec<Move>,
    /// What a person has to paste in LINE's console: the callback addresses of Login channels.
    by_hand: Vec<Move>,
}

/// The hub's public address, and what still has another one at LINE. Nothing is changed there before it is applied.
#[utoipa::path(get, path = "/public-url", tag = "Accounts",
    responses((status = 200, body = PublicUrlView), Problems))]
async fn get_public_url(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
) -> ApiResult<Json<PublicUrlView>> {
    let changes = service::public_url_moves(&hub, &caller.scope).await?;
    let by_hand = service::public_url_by_hand(&hub, &caller.scope).await?;
    Ok(Json(PublicUrlView { public_url: hub.config.origin(), changes, by_hand }))
}

/// Registers everything anew at LINE under the present public address, each webhook address after LINE's own test of it.
#[utoipa::path(post, path = "/public-url/apply", tag = "Accounts",
    responses((status = 200, body = Items<Applied>), Problems))]
async fn apply_public_url(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
) -> ApiResult<Json<Items<Applied>>> {
    let items = service::apply_public_url(&hub, (&caller.scope, &caller.actor())).await?;
    Ok(Json(Items { items }))
}
