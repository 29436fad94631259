//! `/api/v1` of proxy keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Before, Key, ProxyScope};
use super::service::{self, Wanted};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::ids::DestinationId;
use crate::web::api::{ApiResult, CanManage, CanRead, Ident, Input, Problems};

/// The calls.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(get_proxy_key, make_proxy_key, change_proxy_key, revoke_proxy_key))
}

/// A destination's key to LINE through the hub.
#[derive(Debug, Serialize, ToSchema)]
struct ProxyKeyView {
    /// The destination.
    destination_id: String,
    /// The key, where this call made it. It stands where LINE's SDKs put the channel access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Its last four characters.
    hint: String,
    /// What it may do.
    scopes: Vec<ProxyScope>,
    /// What its paid sends may cost in LINE's month, in messages of the quota; null for no limit of the hub's.
    monthly_paid_limit: Option<i64>,
    /// Whether a reply that cannot be one goes out as a paid push, within the limit.
    reply_as_push: bool,
    /// What its paid sends have cost in this month of LINE's, or may yet.
    paid_this_month: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was used last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// The key that this one took the place of, while it still works; null without one.
    before: Option<BeforeView>,
}

/// A key that was replaced; it works for 24 hours beside the new one, with the same scopes and limit.
#[derive(Debug, Serialize, ToSchema)]
struct BeforeView {
    /// Its last four characters.
    hint: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    works_until: Timestamp,
    /// When it was used last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<Before> for BeforeView {
    fn from(of: Before) -> Self {
        Self { hint: of.hint, works_until: of.until, last_used_at: of.last_used_at }
    }
}

impl ProxyKeyView {
    fn new(of: Key, paid_this_month: i64, key: Option<String>) -> Self {
        Self {
            destination_id: of.destination.to_string(),
            key,
            hint: of.hint,
            scopes: of.scopes,
            monthly_paid_limit: of.monthly_paid_limit,
            reply_as_push: of.reply_as_push,
            paid_this_month,
            created_at: of.created_at,
            last_used_at: of.last_used_at,
            before: of.before.map(BeforeView::from),
        }
    }
}

/// What a key is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProxyKeyInput {
    /// What it may do; `reply` and `read` when left out.
    scopes: Option<Vec<ProxyScope>>,
    /// What its paid sends may cost in LINE's month; 0 when left out, null for no limit of the hub's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    monthly_paid_limit: Option<Option<i64>>,
    /// Whether a reply that cannot be one goes out as a paid push.
    #[serde(default)]
    reply_as_push: bool,
}

/// What is to be changed of a key; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProxyKeyChange {
    /// What it may do.
    scopes: Option<Vec<ProxyScope>>,
    /// What its paid sends may cost in LINE's month; null for no limit of the hub's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    monthly_paid_limit: Option<Option<i64>>,
    /// Whether a reply that cannot be one goes out as a paid push.
    reply_as_push: Option<bool>,
    /// Ends the key that this one took the place of, at once.
    #[serde(default)]
    end_before: bool,
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(input).map(Some)
}

/// A destination's proxy key, without the key itself.
#[utoipa::path(get, path = "/destinations/{id}/proxy-key", tag = "Relay", params(("id" = String, Path)),
    responses((status = 200, body = ProxyKeyView), Problems))]
async fn get_proxy_key(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<DestinationId>,
) -> ApiResult<Json<ProxyKeyView>> {
    let (key, paid) = service::get(&hub, &caller.scope, &id).await?;
    Ok(Json(ProxyKeyView::new(key, paid, None)))
}

/// Makes a destination's proxy key and shows it once; the one before it works for 24 hours more, with the new one's scopes and
/// limit, unless `PATCH` with `end_before` ends it. With the key, a program written for LINE's
/// Messaging API calls this hub in LINE's place: the hub's address as base URL, the key as channel access token.
#[utoipa::path(post, path = "/destinations/{id}/proxy-key", tag = "Relay", params(("id" = String, Path)),
    request_body = ProxyKeyInput, responses((status = 201, body = ProxyKeyView), Problems))]
async fn make_proxy_key(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
    Input(body): Input<ProxyKeyInput>,
) -> ApiResult<(StatusCode, Json<ProxyKeyView>)> {
    let wanted = Wanted {
        scopes: body.scopes.unwrap_or_else(|| vec![ProxyScope::Reply, ProxyScope::Read]),
        monthly_paid_limit: body.monthly_paid_limit.unwrap_or(Some(0)),
        reply_as_push: body.reply_as_push,
    };
    let (key, plain) = service::make(&hub, (&caller.scope, &caller.actor()), &id, wanted).await?;
    let paid = service::paid_this_month(&hub, &key).await?;
    let view = ProxyKeyView::new(key, paid, Some(plain.expose().to_owned()));
    Ok((StatusCode::CREATED, Json(view)))
}

/// Changes what a destination's proxy key may do and spend; the key stays the same.
#[utoipa::path(patch, path = "/destinations/{id}/proxy-key", tag = "Relay", params(("id" = String, Path)),
    request_body = ProxyKeyChange, responses((status = 200, body = ProxyKeyView), Problems))]
async fn change_proxy_key(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
    Input(body): Input<ProxyKeyChange>,
) -> ApiResult<Json<ProxyKeyView>> {
    let who = (&caller.scope, &caller.actor());
    let (before, _) = service::get(&hub, who.0, &id).await?;
    if body.scopes.is_some() || body.monthly_paid_limit.is_some() || body.reply_as_push.is_some() {
        let now = Wanted::from(&before);
        let wanted = Wanted {
            scopes: body.scopes.unwrap_or(now.scopes),
            monthly_paid_limit: body.monthly_paid_limit.unwrap_or(now.monthly_paid_limit),
            reply_as_push: body.reply_as_push.unwrap_or(now.reply_as_push),
        };
        service::change(&hub, who, &id, wanted).await?;
    }
    if body.end_before {
        service::end_before(&hub, who, &id).await?;
    }
    let (key, paid) = service::get(&hub, who.0, &id).await?;
    Ok(Json(ProxyKeyView::new(key, paid, None)))
}

/// Ends a destination's proxy key at once, and the one before it.
#[utoipa::path(delete, path = "/destinations/{id}/proxy-key", tag = "Relay", params(("id" = String, Path)),
    responses((status = 204), Problems))]
async fn revoke_proxy_key(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
) -> ApiResult<StatusCode> {
    service::revoke(&hub, (&caller.scope, &caller.actor()), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
