//! `/api/v1/alerts` and `/api/v1/alert-settings`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::channels::{self, Changes, Channel, Settings, Tried};
use super::model::{Alert, Severity};
use super::service;
use super::words::say;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::secrets::Secret;
use crate::team::service as team;
use crate::web::api::{ApiResult, CanManage, CanRead, Input, PageParams, Paged, Params, Problems};
use crate::web::i18n::Language;

/// The calls of alerts.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list_alerts))
        .routes(routes!(get_alert_settings, change_alert_settings))
        .routes(routes!(test_alert_channel))
}

/// Something that is or was wrong.
#[derive(Debug, Serialize, ToSchema)]
struct AlertView {
    /// `alr_…`
    id: String,
    /// The account it is about; null for the hub as a whole.
    account_id: Option<String>,
    /// What it is: `webhook_off`, `credentials`, `quota_near`, …
    code: String,
    /// `failed`: something does not work now; `warning`: something will not.
    severity: Severity,
    /// What happened, in English.
    title: String,
    /// What to do, in English.
    fix: String,
    /// The values in these words.
    #[schema(value_type = Object)]
    args: Value,
    /// When it began, this time.
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// When it was last seen to be on.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// When it was over; null while it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// How often it has come back within a day after it was over.
    returns: i64,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let said = say(Language::En, &alert);
        Self {
            id: alert.id.to_string(),
            account_id: alert.account_id.map(|id| id.to_string()),
            code: alert.code,
            severity: alert.severity,
            title: said.title,
            fix: said.fix,
            args: serde_json::from_str(&alert.args).unwrap_or_default(),
            opened_at: alert.opened_at,
            last_seen_at: alert.last_seen_at,
            closed_at: alert.closed_at,
            returns: alert.returns,
        }
    }
}

/// What is or was wrong, the newest first; kept 90 days after it was over.
#[utoipa::path(get, path = "/alerts", tag = "Alerts",
    params(PageParams, ("state" = Option<String>, Query, description = "`open` or `closed`; both when left out")),
    responses((status = 200, body = Paged<AlertView>), Problems))]
async fn list_alerts(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<Paged<AlertView>>> {
    let open = match params.text("state") {
        None => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => {
            return Err(AppError::invalid_field("state", "unknown", "the state is open or closed"));
        }
    };
    let page = params.page()?;
    let below = page.after::<(Timestamp, String)>()?;
    let rows = service::list(&hub, &caller.scope, open, below, page.fetch()).await?;
    Ok(Json(page.wrap(rows, |row| (row.opened_at, row.id.to_string())).map(AlertView::from)))
}

/// Who is told of alerts. The pages always tell.
#[derive(Debug, Serialize, ToSchema)]
struct AlertSettingsView {
    /// Whether e-mail is sent.
    email_on: bool,
    /// To these addresses; empty: to all owners.
    email_to: Vec<String>,
    /// Whether the operator has set a mail server; without one no e-mail leaves.
    has_mail_server: bool,
    /// The language of mail to addresses that are no user's, and of the webhook's texts: `zh-Hant`, `en`, `ja`, `th`.
    language: &'static str,
    /// Whether notices are posted.
    webhook_on: bool,
    /// Where to.
    webhook_url: Option<String>,
    /// Whether there is a secret that signs them; it is shown only when it is made.
    has_webhook_secret: bool,
    /// The secret, where this call made it: `whsec_…`
    webhook_secret: Option<String>,
    /// When this was last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// By whom.
    updated_by: Option<String>,
}

impl AlertSettingsView {
    fn new(hub: &Hub, settings: Settings, webhook_secret: Option<String>) -> Self {
        Self {
            email_on: settings.email_on,
            email_to: settings.email_to,
            has_mail_server: hub.config.mail.is_some(),
            language: settings.language.tag(),
            webhook_on: settings.webhook_on,
            webhook_url: settings.webhook_url,
            has_webhook_secret: settings.has_secret,
            webhook_secret,
            updated_at: settings.updated_at,
            updated_by: settings.updated_by,
        }
    }
}

/// Who is told of alerts.
#[utoipa::path(get, path = "/alert-settings", tag = "Alerts", responses((status = 200, body = AlertSettingsView), Problems))]
async fn get_alert_settings(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
) -> ApiResult<Json<AlertSettingsView>> {
    let settings = channels::settings(&hub, caller.scope.tenant()).await?;
    Ok(Json(AlertSettingsView::new(&hub, settings, None)))
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AlertSettingsBody {
    /// Whether e-mail is sent.
    email_on: Option<bool>,
    /// To these addresses, at most 20; empty: to all owners.
    email_to: Option<Vec<String>>,
    /// `zh-Hant`, `en`, `ja` or `th`.
    language: Option<String>,
    /// Whether notices are posted.
    webhook_on: Option<bool>,
    /// A public https address; the empty text removes it and its secret.
    webhook_url: Option<String>,
    /// Makes a new secret, though there is one.
    #[serde(default)]
    new_webhook_secret: bool,
    /// Your own secret instead: `whsec_` and the base64 of 24 to 64 bytes. Needed with `Idempotency-Key`, because answers to
    /// such calls are kept, and a secret is not.
    #[schema(write_only)]
    webhook_secret: Option<String>,
}

/// Changes who is told. The webhook's secret is in the answer when this call made it, and never again.
///
/// Notices are `POST`ed as JSON: `type` (`alert.opened`, `alert.closed`, `alert.test`), `timestamp`, and `data` with `id`, `code`,
/// `severity`, `title`, `fix`, `args`, `account` (`id`, `name`, or null), `opened_at`, `closed_at`, `url`. The headers
/// `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of Standard Webhooks; a retry has the same
/// `webhook-id`. Any 2xx takes a notice; 410 ends it, and it is not tried again; everything else is tried again for some hours.
/// `alert.opened` comes once more with the same `data.id` each time it gets worse.
#[utoipa::path(put, path = "/alert-settings", tag = "Alerts", request_body = AlertSettingsBody,
    responses((status = 200, body = AlertSettingsView), Problems))]
async fn change_alert_settings(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Input(body): Input<AlertSettingsBody>,
) -> ApiResult<Json<AlertSettingsView>> {
    let tenant = caller.scope.tenant();
    if caller.once.is_some() && body.webhook_secret.is_none() {
        let has_secret = channels::settings(&hub, tenant).await?.has_secret;
        let is_made = body.new_webhook_secret || (!has_secret && body.webhook_url.is_some());
        if is_made {
            let detail = "with Idempotency-Key give your own secret: answers to such calls are kept";
            return Err(AppError::invalid_field("webhook_secret", "required", detail));
        }
    }
    let changes = Changes {
        email_on: body.email_on,
        email_to: body.email_to,
        language: body.language,
        webhook_on: body.webhook_on,
        webhook_url: body.webhook_url,
        new_secret: body.new_webhook_secret,
        own_secret: body.webhook_secret.map(Secret::from),
    };
    let (settings, secret) = channels::change(&hub, tenant, changes, &caller.actor()).await?;
    Ok(Json(AlertSettingsView::new(&hub, settings, secret)))
}

/// A channel to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AlertTestBody {
    /// `email` or `webhook`.
    channel: Channel,
}

/// How a try ended.
#[derive(Debug, Serialize, ToSchema)]
struct AlertTestView {
    /// Whether the other side took it.
    sent: bool,
    /// The recipient.
    to: String,
    /// Why not: `unreachable`, `silent`, `not-secure`, `login`, `refused`, `later`, `forbidden`, `no-answer`, `status`, …
    code: Option<&'static str>,
    /// The same in words.
    detail: Option<String>,
}

/// Sends a notice that is only a try and waits for the outcome: by e-mail to the first recipient, or to the webhook's address,
/// switched on or not. 409 `no_mail_server`, `no_recipient` or `no_webhook` when there is nothing to try; 429
/// `alert_tests_used_up` after ten tries within an hour, the page's among them.
#[utoipa::path(post, path = "/alert-settings/test", tag = "Alerts", request_body = AlertTestBody,
    responses((status = 200, body = AlertTestView), Problems))]
async fn test_alert_channel(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Input(body): Input<AlertTestBody>,
) -> ApiResult<Json<AlertTestView>> {
    let tenant = team::find_tenant(&hub, caller.scope.tenant().as_str()).await?;
    Ok(Json(match channels::test(&hub, &tenant, body.channel, None).await? {
        Tried::Sent(to) => AlertTestView { sent: true, to, code: None, detail: None },
        Tried::Failed { to, key, reason } => {
            AlertTestView { sent: false, to, code: Some(key), detail: Some(reason) }
        }
    }))
}
