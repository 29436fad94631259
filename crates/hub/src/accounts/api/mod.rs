//! `/api/v1/me` and `/api/v1/accounts`.

mod change;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use line_client::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::guide;
use crate::accounts::login::api::LoginView;
use crate::accounts::model::{
    Account, Attention, Environment, GroupChats, Market, OaKind, Owner, Plan, SenderName, Status, Tick,
};
use crate::accounts::pasted;
use crate::accounts::plan::{self, Ticked};
use crate::accounts::replies::{self, Owners, word};
use crate::accounts::service::{self, CleanUp, CleanedUp, NewAccount};
use crate::accounts::settings;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::LogAndIgnore as _;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, Id as _, SigningKeyId};
use crate::web::api::{
    Anyone, ApiResult, AsksLine, Caller, CanManage, CanRead, Ident, Input, Items, NoBody, PageParams, Paged,
    Params, Problems,
};

/// The calls of accounts.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(get_me))
        .routes(routes!(list_accounts, connect_account))
        .routes(routes!(get_account, change::change_account, disconnect_account))
        .routes(routes!(test_account_webhook))
        .merge(crate::accounts::doctor::api::routes())
}

/// Whose key it is.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    /// The tenant.
    tenant: TenantView,
    /// The key's name.
    name: String,
    /// `read`, `send`, `manage`.
    scopes: Vec<&'static str>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
struct TenantView {
    /// `ten_…`
    id: String,
    /// Its name.
    name: String,
}

/// Whose key this is, and what it may be used for.
#[utoipa::path(get, path = "/me", tag = "Key", responses((status = 200, body = Me), Problems))]
async fn get_me(Anyone(caller): Anyone) -> Json<Me> {
    let tenant = TenantView { id: caller.scope.tenant().to_string(), name: caller.tenant_name };
    Json(Me { tenant, name: caller.name, scopes: caller.scopes.names() })
}

/// A connected account.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::accounts) struct AccountView {
    /// `acc_…`; stays when the same channel is connected again.
    id: String,
    /// `line`.
    messenger: String,
    /// The Messaging API channel's ID.
    channel_id: String,
    /// The official account's name.
    display_name: String,
    /// The basic ID, with `@`.
    basic_id: String,
    /// The premium ID, with `@`, where one was bought.
    premium_id: Option<String>,
    /// The official account's picture.
    picture_url: Option<String>,
    /// LINE's response mode: `chat` or `bot`.
    chat_mode: String,
    /// The address for LINE's events; null when disconnected.
    webhook_url: Option<String>,
    /// What LINE said of its webhook setting.
    webhook: WebhookView,
    /// How the account is.
    status: Status,
    /// What is to be done, when `status` is `attention`.
    attention: Option<Attention>,
    /// Live or test.
    environment: Environment,
    /// When events last came in.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_event_at: Option<Timestamp>,
    /// When it was first connected.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who connected it first.
    connected_by: Option<String>,
    /// The name that colleagues read in place of `display_name`.
    display_label: Option<String>,
    /// The kind that a person named.
    kind: Option<OaKind>,
    /// Whether LINE gives the list of followers, which it does to verified and premium accounts only; null when LINE was
    /// not yet asked.
    lists_followers: Option<bool>,
    /// The country it was opened for, as far as a person named one.
    market: Option<Market>,
    /// Whether groups and rooms are shown. Hidden ones are journaled and relayed, and stay out of sight.
    group_chats: GroupChats,
    /// Whose name friends read above an agent's answer.
    sender_name: SenderName,
    /// LINE's word for who marks messages as read: `auto` or `manual`.
    mark_as_read_mode: String,
    /// Where people answer: only here (`a`), or in LINE's chat as well (`b`).
    plan: Plan,
    /// Who gives automatic answers. The hub stays silent where it is not `hub`.
    owners: OwnersView,
    /// What a person saw at LINE, with the date.
    ticks: Vec<TickView>,
    /// Who owns the reply tokens of events that come in now: `hub`, or the id of a destination.
    reply_owner: String,
    /// Other owners by type of event.
    reply_owners: BTreeMap<String, String>,
    /// LINE Login and LIFF.
    login: LoginView,
}

/// Who gives which automatic answers.
#[derive(Debug, Serialize, ToSchema)]
struct OwnersView {
    /// To somebody who became a friend.
    greeting: Owner,
    /// To a word that a rule knows.
    keyword: Owner,
    /// Outside the hours in which people answer.
    away: Owner,
    /// To everything else.
    bot: Owner,
}

/// A dated tick.
#[derive(Debug, Serialize, ToSchema)]
struct TickView {
    /// Which.
    tick: Tick,
    /// When it was set.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// By whom.
    by: String,
    /// Whether it is older than 90 days, and to be looked at again.
    stale: bool,
}

/// LINE's webhook setting.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookView {
    /// The address at LINE; null when there is none or LINE was not yet asked.
    endpoint: Option<String>,
    /// "Use webhook"; null when LINE was not yet asked.
    active: Option<bool>,
    /// When LINE was asked.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Timestamp>,
}

impl AccountView {
    fn new(account: Account, ticks: Vec<Ticked>, login: LoginView, replies: Owners, hub: &Hub) -> Self {
        let now = hub.now();
        let tick = |ticked: Ticked| TickView {
            stale: ticked.is_stale(now),
            tick: ticked.tick,
            at: ticked.at,
            by: ticked.by,
        };
        Self {
            webhook_url: account.webhook_url(&hub.config),
            attention: account.attention(),
            kind: account.kind(),
            market: account.market(),
            owners: OwnersView {
                greeting: account.greeting_owner,
                keyword: account.keyword_owner,
                away: account.away_owner,
                bot: account.bot_owner,
            },
            ticks: ticks.into_iter().map(tick).collect(),
            login,
            reply_owner: word(replies.all.as_ref()).to_owned(),
            reply_owners: replies
                .by_type
                .into_iter()
                .map(|(kind, owner)| (kind, word(owner.as_ref()).to_owned()))
                .collect(),
            id: account.id.to_string(),
            messenger: account.messenger,
            channel_id: account.channel_id,
            display_name: account.display_name,
            basic_id: account.basic_id,
            premium_id: account.premium_id,
            picture_url: account.picture_url,
            chat_mode: account.chat_mode,
            webhook: WebhookView {
                endpoint: account.endpoint,
                active: account.endpoint_active,
                checked_at: account.checked_at,
            },
            status: account.status,
            environment: account.environment,
            last_event_at: account.last_event_at,
            created_at: account.created_at,
            connected_by: account.connected_by,
            display_label: account.display_label,
            lists_followers: account.lists_followers,
            group_chats: account.group_chats,
            sender_name: account.sender_name,
            mark_as_read_mode: account.mark_as_read_mode,
            plan: account.plan,
        }
    }

    /// An account with its ticks and its LINE Login.
    pub(in crate::accounts) async fn of(hub: &Hub, caller: &Caller, account: Account) -> ApiResult<Self> {
        let ticks = plan::ticks(hub, &caller.scope, &account.id).await?;
        let login = LoginView::of(hub, &caller.scope, &account).await?;
        let replies = replies::current(hub, &caller.scope, &account.id).await?;
        Ok(Self::new(account, ticks, login, replies, hub))
    }
}

/// The accounts of the tenant, oldest first.
#[utoipa::path(get, path = "/accounts", tag = "Accounts", params(PageParams),
    responses((status = 200, body = Paged<AccountView>), Problems))]
async fn list_accounts(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<Paged<AccountView>>> {
    let page = params.page()?;
    let rows = service::list(&hub, &caller.scope, page.after()?.as_ref(), page.fetch()).await?;
    let page = page.wrap(rows, |last| (last.created_at, last.id.clone()));
    let mut ticks = settings::all_ticks(&hub, &caller.scope).await?;
    let mut logins = LoginView::all(&hub, &caller.scope).await?;
    let mut replies = replies::all_current(&hub, &caller.scope).await?;
    Ok(Json(page.map(|account| {
        let login = logins.take(&hub, &account.id);
        let ticks = ticks.remove(&account.id).unwrap_or_default();
        let replies = replies.remove(&account.id).unwrap_or_default();
        AccountView::new(account, ticks, login, replies, &hub)
    })))
}

/// One account.
#[utoipa::path(get, path = "/accounts/{id}", tag = "Accounts", params(("id" = String, Path)),
    responses((status = 200, body = AccountView), Problems))]
async fn get_account(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<AccountId>,
) -> ApiResult<Json<AccountView>> {
    let account = service::get(&hub, &caller.scope, &id).await?;
    Ok(Json(AccountView::of(&hub, &caller, account).await?))
}

/// An account to connect.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccountBody {
    /// `line`.
    #[serde(default = "line")]
    #[schema(default = "line")]
    messenger: String,
    /// The Messaging API channel's ID.
    channel_id: String,
    /// Its secret.
    #[schema(write_only)]
    channel_secret: String,
    /// A long-lived token; without one the hub issues its own.
    #[schema(write_only)]
    access_token: Option<String>,
    /// A signing key (`sgk_…`) by which the hub issues its tokens in place of the secret.
    signing_key_id: Option<String>,
    /// LINE's name of that key's registered public part; may be left out where it is known.
    kid: Option<String>,
    /// The LINE ID that is expected, with or without `@`; another one is refused.
    line_id: Option<String>,
    /// Whether the hub sets the webhook address at LINE.
    #[serde(default = "yes")]
    #[schema(default = true)]
    set_webhook: bool,
    /// Whether another system's webhook address may be replaced.
    #[serde(default)]
    take_over: bool,
    /// Whether that system becomes the first destination: it gets LINE's exact requests from the first event on.
    #[serde(default)]
    pass_on: bool,
    /// With `pass_on`: whether it goes on using the free replies (`reply_owner`).
    #[serde(default)]
    keeps_replies: bool,
}

fn line() -> String {
    "line".to_owned()
}

const fn yes() -> bool {
    true
}

/// Connects an account. 422 names the wrong value with LINE's own reason; 409 `account_held` when it is connected
/// already (with `account_id` where it is your own); 409 `webhook_elsewhere` with `current_endpoint` and `active` when LINE sends the events to another
/// system; 429 `webhook_tests_used_up` when the channel's webhook was tested too
/// often within an hour.
#[utoipa::path(post, path = "/accounts", tag = "Accounts", request_body = NewAccountBody,
    responses((status = 201, body = AccountView), AsksLine, Problems))]
async fn connect_account(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Input(body): Input<NewAccountBody>,
) -> ApiResult<(StatusCode, Json<AccountView>)> {
    if body.messenger != "line" {
        return Err(AppError::invalid_field("messenger", "unknown", "the only messenger is `line`"));
    }
    let new = NewAccount {
        channel_id: body.channel_id,
        channel_secret: Secret::from(body.channel_secret),
        access_token: body.access_token.map(Secret::from),
        signing_key: signing_key(body.signing_key_id.as_deref(), body.kid)?,
        line_id: body.line_id,
        set_webhook: body.set_webhook,
        take_over: body.take_over,
        pass_on: body.pass_on,
        keeps_replies: body.keeps_replies,
    };
    let account = service::connect(&hub, (&caller.scope, &caller.actor()), &new, &|_, _| {}).await?;
    let closed = guide::service::close(&hub, &caller.scope, &account.channel_id).await;
    closed.log_and_ignore("closing the set-ups of a channel that is connected");
    Ok((StatusCode::CREATED, Json(AccountView::of(&hub, &caller, account).await?)))
}

/// The signing key that was named, with its `kid`.
fn signing_key(id: Option<&str>, kid: Option<String>) -> AppResult<Option<(SigningKeyId, String)>> {
    let wrong = |code, detail| AppError::invalid_field("signing_key_id", code, detail);
    match (id, kid) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(wrong("required", "give the signing key that this kid belongs to")),
        (Some(id), kid) => {
            let id = SigningKeyId::parse(&pasted::clean(id));
            let id =
                id.ok_or_else(|| wrong("unknown", "there is no such key; make one by POST /signing-keys"))?;
            Ok(Some((id, kid.unwrap_or_default())))
        }
    }
}

/// Disconnects an account; its history stays. 204, or with `clean_up` 200 with what was done at LINE.
#[utoipa::path(delete, path = "/accounts/{id}", tag = "Accounts", params(("id" = String, Path),
    ("clean_up" = Option<String>, Query, description = "some of `rich_menus` (those made by API), `liff` (the hub's app), `webhook` (put the address back that \
    LINE had before connecting), with commas between")),
    responses((status = 204, description = "disconnected"), (status = 200, body = Items<CleanedUp>), Problems))]
async fn disconnect_account(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
    params: Params,
    _: NoBody,
) -> ApiResult<Response> {
    let clean_up = params.text("clean_up").map(clean_up).transpose()?;
    let steps = clean_up.clone().unwrap_or_default();
    let items = service::disconnect(&hub, (&caller.scope, &caller.actor()), &id, &steps).await?;
    Ok(match clean_up {
        Some(_) => Json(Items { items }).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

fn clean_up(text: &str) -> AppResult<Vec<CleanUp>> {
    let step = |word: &str| {
        CleanUp::parse(word).ok_or_else(|| {
            let detail = format!("`{word}` cannot be cleaned up; `rich_menus`, `liff` and `webhook` can");
            AppError::invalid_field("clean_up", "unknown", detail)
        })
    };
    text.split(',').map(step).collect()
}

/// What LINE's own test of the webhook said.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookTestView {
    /// Whether the hub answered 200.
    success: bool,
    /// The status LINE saw; zero or negative without an answer.
    status_code: i32,
    /// `OK`, `COULD_NOT_CONNECT`, `REQUEST_TIMEOUT`, `ERROR_STATUS_CODE`, `UNCLASSIFIED`.
    reason: String,
    /// More of it, in LINE's words.
    detail: String,
    /// When it ran.
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
}

/// Has LINE send an empty, signed webhook to the account's address.
#[utoipa::path(post, path = "/accounts/{id}/webhook-test", tag = "Accounts", params(("id" = String, Path)),
    responses((status = 200, body = WebhookTestView), AsksLine, Problems))]
async fn test_account_webhook(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
) -> ApiResult<Json<WebhookTestView>> {
    let test = service::test_webhook(&hub, &caller.scope, &id).await?;
    Ok(Json(WebhookTestView {
        success: test.success,
        status_code: test.status_code,
        reason: test.reason,
        detail: test.detail,
        checked_at: hub.now(),
    }))
}
