//! `/api/v1/signing-keys`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{KeyState, SigningKey};
use super::service;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::ids::SigningKeyId;
use crate::web::api::{
    ApiResult, AsksLine, CanManage, CanRead, Ident, Input, PageParams, Paged, Params, Problems,
};

/// The calls of signing keys.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list_signing_keys, make_signing_key)).routes(routes!(
        get_signing_key,
        prove_signing_key,
        delete_signing_key
    ))
}

/// A key pair by which a channel issues its own tokens. Its private part never leaves the hub.
#[derive(Debug, Serialize, ToSchema)]
struct SigningKeyView {
    /// `sgk_…`
    id: String,
    /// The channel that it is for.
    channel_id: String,
    /// LINE's name of the public key; null until LINE issued a token by it.
    kid: Option<String>,
    /// What is registered in LINE Developers, "Basic settings", "Assertion Signing Key".
    #[schema(value_type = Object)]
    public_jwk: serde_json::Value,
    /// Waiting for its `kid`, active (tokens are issued by it), or retired.
    state: KeyState,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When LINE last issued a token to prove it.
    #[schema(value_type = Option<String>, format = DateTime)]
    activated_at: Option<Timestamp>,
    /// When it was replaced; its private part is removed a day later.
    #[schema(value_type = Option<String>, format = DateTime)]
    retired_at: Option<Timestamp>,
}

impl From<SigningKey> for SigningKeyView {
    fn from(key: SigningKey) -> Self {
        Self {
            id: key.id.to_string(),
            channel_id: key.channel_id,
            kid: key.kid,
            public_jwk: serde_json::from_str(&key.public_jwk).unwrap_or_default(),
            state: key.state,
            created_at: key.created_at,
            activated_at: key.activated_at,
            retired_at: key.retired_at,
        }
    }
}

/// The signing keys of the tenant, oldest first.
#[utoipa::path(get, path = "/signing-keys", tag = "Signing keys",
    params(PageParams, ("channel_id" = Option<String>, Query, description = "only this channel's")),
    responses((status = 200, body = Paged<SigningKeyView>), Problems))]
async fn list_signing_keys(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<Paged<SigningKeyView>>> {
    let (page, channel) = (params.page()?, params.text("channel_id"));
    let rows = service::list(&hub, &caller.scope, channel, page.after()?.as_ref(), page.fetch()).await?;
    Ok(Json(page.wrap(rows, |last| (last.created_at, last.id.clone())).map(SigningKeyView::from)))
}

/// A key pair to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSigningKeyBody {
    /// The channel that it is for, connected or not.
    channel_id: String,
}

/// Makes an RSA key pair of 2048 bits. Register `public_jwk` in LINE Developers, then give the `kid` that LINE shows.
#[utoipa::path(post, path = "/signing-keys", tag = "Signing keys", request_body = NewSigningKeyBody,
    responses((status = 201, body = SigningKeyView), Problems))]
async fn make_signing_key(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Input(body): Input<NewSigningKeyBody>,
) -> ApiResult<(StatusCode, Json<SigningKeyView>)> {
    let key = service::create(&hub, (&caller.scope, &caller.actor()), &body.channel_id).await?;
    Ok((StatusCode::CREATED, Json(key.into())))
}

/// One signing key.
#[utoipa::path(get, path = "/signing-keys/{id}", tag = "Signing keys", params(("id" = String, Path)),
    responses((status = 200, body = SigningKeyView), Problems))]
async fn get_signing_key(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<SigningKeyId>,
) -> ApiResult<Json<SigningKeyView>> {
    Ok(Json(service::get(&hub, &caller.scope, &id).await?.into()))
}

/// The `kid` of a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KidBody {
    /// What LINE Developers shows beside the registered public key.
    kid: String,
}

/// Proves a key by having LINE issue a token by it, and makes it the active one of its channel; the one before is retired.
/// 422 at `kid` with LINE's own reason where LINE refuses; then nothing has changed.
#[utoipa::path(patch, path = "/signing-keys/{id}", tag = "Signing keys", params(("id" = String, Path)),
    request_body = KidBody, responses((status = 200, body = SigningKeyView), AsksLine, Problems))]
async fn prove_signing_key(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<SigningKeyId>,
    Input(body): Input<KidBody>,
) -> ApiResult<Json<SigningKeyView>> {
    let key = service::prove(&hub, (&caller.scope, &caller.actor()), &id, &body.kid).await?;
    Ok(Json(key.into()))
}

/// Deletes a key that waits, or one of a channel that is not connected; 409 `key_not_waiting` for any other.
#[utoipa::path(delete, path = "/signing-keys/{id}", tag = "Signing keys", params(("id" = String, Path)),
    responses((status = 204, description = "deleted"), Problems))]
async fn delete_signing_key(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<SigningKeyId>,
) -> ApiResult<StatusCode> {
    service::delete(&hub, (&caller.scope, &caller.actor()), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
