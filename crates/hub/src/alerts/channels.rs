//! Whom a tenant wants to be told, and how.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::notify::{Kind, Told};
use super::repo::{self, SettingsRow};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::error::{AppError, AppResult, FieldError};
use crate::guard::GuardError;
use crate::ids::{NoticeId, TenantId};
use crate::secrets::Secret;
use crate::team::{Actor, Role, Tenant, service as team};
use crate::web::i18n::Language;
use crate::webhooks;

/// Addresses that a tenant may name.
pub(super) const MAX_ADDRESSES: usize = 20;
/// Tries of a channel that a tenant has within this time, so that nobody sends mail by them.
const TESTS: i64 = 10;
pub(super) const TESTS_WITHIN: Duration = Duration::from_secs(3600);

/// What an operator does who wants e-mail.
const NO_MAIL_SERVER: &str =
    "the operator has set no mail server; set TRUNKLINE_SMTP_URL and TRUNKLINE_MAIL_FROM";

/// How notices leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By the operator's mail server.
    Email,
    /// A signed POST to an address of the tenant's.
    Webhook,
}

impl Channel {
    /// `email` or `webhook`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }

    /// Reads what [`Channel::as_str`] writes.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Email, Self::Webhook].into_iter().find(|channel| channel.as_str() == word)
    }
}

/// Whom a tenant wants to be told. The pages always tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether e-mail is sent, where the operator set a mail server.
    pub email_on: bool,
    /// To these addresses; empty: to all owners, each in their language.
    pub email_to: Vec<String>,
    /// The language of mail to addresses that are no owner's.
    pub language: Language,
    /// Whether notices are posted.
    pub webhook_on: bool,
    /// Where to.
    pub webhook_url: Option<String>,
    /// Whether there is a secret that signs them.
    pub has_secret: bool,
    /// When this was last changed.
    pub updated_at: Option<Timestamp>,
    /// By whom.
    pub updated_by: Option<String>,
}

impl Settings {
    fn of(row: Option<SettingsRow>) -> Self {
        let Some(row) = row else {
            return Self {
                email_on: true,
                email_to: Vec::new(),
                language: Language::ZhHant,
                webhook_on: false,
                webhook_url: None,
                has_secret: false,
                updated_at: None,
                updated_by: None,
            };
        };
        // A row that was only held says that nobody changed anything.
        let is_changed = !row.updated_by.is_empty();
        Self {
            email_on: row.email_on,
            email_to: serde_json::from_str(&row.email_to).unwrap_or_default(),
            language: Language::parse(&row.language).unwrap_or_default(),
            webhook_on: row.webhook_on,
            webhook_url: row.webhook_url,
            has_secret: row.webhook_secret.is_some(),
            updated_at: is_changed.then_some(row.updated_at),
            updated_by: is_changed.then_some(row.updated_by),
        }
    }
}

/// What is changed; `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// See [`Settings::email_on`].
    pub email_on: Option<bool>,
    /// See [`Settings::email_to`].
    pub email_to: Option<Vec<String>>,
    /// A language's tag.
    pub language: Option<String>,
    /// See [`Settings::webhook_on`].
    pub webhook_on: Option<bool>,
    /// See [`Settings::webhook_url`]; empty removes it.
    pub webhook_url: Option<String>,
    /// Whether the webhook gets a new secret, though it has one.
    pub new_secret: bool,
    /// The caller's own secret: `whsec_` and the base64 of 24 to 64 bytes.
    pub own_secret: Option<Secret>,
}

/// One recipient of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) channel: Channel,
    pub(super) to: String,
    pub(super) language: Language,
}

/// Whom a tenant wants to be told.
///
/// # Errors
/// Those of the database.
pub async fn settings(hub: &Hub, tenant: &TenantId) -> DbResult<Settings> {
    Ok(Settings::of(repo::settings(&hub.db, tenant).await?))
}

/// Changes it; gives it as it is then, and the webhook's secret where a new one was made, told only this once.
///
/// # Errors
/// 422 with every field that is wrong.
pub async fn change(
    hub: &Hub,
    tenant: &TenantId,
    changes: Changes,
    actor: &Actor,
) -> AppResult<(Settings, Option<String>)> {
    let mut tx = hub.db.begin().await?;
    let row = repo::hold_settings(&mut tx, tenant, &Settings::of(None), hub.now()).await?;
    let sealed = row.as_ref().and_then(|row| row.webhook_secret.clone());
    let before = Settings::of(row);
    let mut after = before.clone();
    let mut errors = Vec::new();
    after.email_on = changes.email_on.unwrap_or(before.email_on);
    if let Some(addresses) = changes.email_to {
        match checked(&addresses) {
            Ok(addresses) => after.email_to = addresses,
            Err(error) => errors.push(error),
        }
    }
    if let Some(tag) = changes.language {
        match Language::parse(&tag) {
            Some(language) => after.language = language,
            None => {
                let detail = "the language is zh-Hant, en, ja or th";
                errors.push(FieldError::new("language", "unknown", detail));
            }
        }
    }
    if let Some(address) = changes.webhook_url {
        let address = address.trim();
        after.webhook_url = (!address.is_empty()).then(|| address.to_owned());
        if let Some(error) = after.webhook_url.as_deref().and_then(|address| refusal(hub, address)) {
            errors.push(error);
        }
    }
    after.webhook_on = changes.webhook_on.unwrap_or(before.webhook_on);
    if after.webhook_on && after.webhook_url.is_none() {
        errors.push(FieldError::new(
            "webhook_url",
            "required",
            "give the address that notices are posted to",
        ));
    }
    if after.email_on && changes.email_on == Some(true) && hub.config.mail.is_none() {
        errors.push(FieldError::new("email_on", "no_mail_server", NO_MAIL_SERVER));
    }
    if changes.own_secret.as_ref().is_some_and(|secret| !webhooks::is_secret(secret.expose())) {
        let detail = "a secret is whsec_ and the base64 of 24 to 64 bytes";
        errors.push(FieldError::new("webhook_secret", "invalid", detail));
    }
    if !errors.is_empty() {
        return Err(AppError::invalid(errors));
    }
    let own = changes.own_secret.filter(|_| after.webhook_url.is_some());
    let needs_secret =
        own.is_none() && after.webhook_url.is_some() && (sealed.is_none() || changes.new_secret);
    let secret = needs_secret.then(|| webhooks::new_secret(&hub.entropy));
    let fresh = own.as_ref().or(secret.as_ref()).map(Secret::expose);
    let sealed = match fresh {
        Some(secret) => Some(hub.keyring.seal(&hub.entropy, &identity(tenant), secret)),
        None => sealed.filter(|_| after.webhook_url.is_some()),
    };
    after.has_secret = sealed.is_some();
    after.updated_at = Some(hub.now());
    after.updated_by = Some(actor.name().to_owned());
    let parts = [
        ("email", before.email_on != after.email_on),
        ("addresses", before.email_to != after.email_to),
        ("language", before.language != after.language),
        ("webhook", before.webhook_on != after.webhook_on || before.webhook_url != after.webhook_url),
        ("webhook_secret", fresh.is_some()),
    ];
    let changed: Vec<_> = parts.iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| *name).collect();
    let detail = json!({ "changed": changed });
    repo::set_settings(&mut tx, tenant, &after, sealed).await?;
    team::audit(&mut tx, hub, tenant, actor, ("alerts.settings_changed", tenant.as_str()), &detail).await?;
    tx.commit().await?;
    Ok((after, secret.map(|secret| secret.expose().to_owned())))
}

/// Addresses in one form, each once.
fn checked(addresses: &[String]) -> Result<Vec<String>, FieldError> {
    let mut found: Vec<String> = Vec::new();
    for address in addresses.iter().map(|address| address.trim()).filter(|address| !address.is_empty()) {
        let parsed: Result<lettre::Address, _> = address.parse();
        let Ok(parsed) = parsed else {
            let detail = format!("{} is not an e-mail address", crate::text::cut(address, 80));
            return Err(FieldError::new("email_to", "wrong", detail));
        };
        let address = parsed.to_string();
        if !found.iter().any(|other| other.eq_ignore_ascii_case(&address)) {
            found.push(address);
        }
    }
    if found.len() > MAX_ADDRESSES {
        let detail = format!("at most {MAX_ADDRESSES} addresses can be told");
        return Err(FieldError::new("email_to", "too_many", detail));
    }
    Ok(found)
}

/// Why the hub posts nothing to an address.
fn refusal(hub: &Hub, address: &str) -> Option<FieldError> {
    let wrong = |code, detail: String| Some(FieldError::new("webhook_url", code, detail));
    match hub.guard.check(address, &hub.config.allow_private_destinations) {
        Ok(_) => None,
        Err(GuardError::Forbidden) => wrong(
            "private",
            "the address leads into a network that is not public; give a public one".to_owned(),
        ),
        Err(error) => wrong("not_https", format!("{error}; give an address that begins with https://")),
    }
}

/// Everybody who is to be told now. Before a transaction, because it reads.
pub(super) async fn targets(hub: &Hub, tenant: &TenantId) -> DbResult<Vec<Target>> {
    let settings = settings(hub, tenant).await?;
    let mut targets = Vec::new();
    if settings.email_on && hub.config.mail.is_some() {
        let people = repo::people(&hub.db, tenant).await?;
        let language = |email: &str| {
            let person = people.iter().find(|(address, ..)| address.eq_ignore_ascii_case(email));
            person.and_then(|(.., tag)| Language::parse(tag.as_deref()?)).unwrap_or(settings.language)
        };
        let owners = people.iter().filter(|(_, role, _)| role == Role::Owner.name());
        let addresses: Vec<_> = if settings.email_to.is_empty() {
            owners.map(|(email, ..)| email.clone()).collect()
        } else {
            settings.email_to.clone()
        };
        targets.extend(addresses.into_iter().map(|to| Target {
            channel: Channel::Email,
            language: language(&to),
            to,
        }));
    }
    if let Some(address) = settings.webhook_url.filter(|_| settings.webhook_on) {
        targets.push(Target { channel: Channel::Webhook, to: address, language: settings.language });
    }
    Ok(targets)
}

/// The secret that signs a tenant's notices.
pub(super) async fn secret(hub: &Hub, tenant: &TenantId) -> AppResult<Option<Secret>> {
    let row = repo::settings(&hub.db, tenant).await?;
    let Some(sealed) = row.and_then(|row| row.webhook_secret) else { return Ok(None) };
    hub.keyring.open(&identity(tenant), &sealed).map(Some).map_err(AppError::internal)
}

/// The row and column that the sealed secret belongs to.
fn identity(tenant: &TenantId) -> String {
    format!("alert_settings/{tenant}/webhook_secret")
}

/// Seals every stored secret that was sealed by an older master key anew; gives how many.
///
/// # Errors
/// The database does not answer, or a secret does not open.
pub async fn reseal(hub: &Hub) -> AppResult<usize> {
    let mut count = 0;
    for (tenant, sealed) in repo::sealed(&hub.db).await? {
        if !hub.keyring.needs_reseal(&sealed) {
            continue;
        }
        let secret = hub.keyring.open(&identity(&tenant), &sealed).map_err(AppError::internal)?;
        let anew = hub.keyring.seal(&hub.entropy, &identity(&tenant), secret.expose());
        let mut tx = hub.db.begin().await?;
        repo::reseal(&mut tx, &tenant, &sealed, &anew).await?;
        tx.commit().await?;
        count += 1;
    }
    Ok(count)
}

/// How a try of a channel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The other side took it: this address.
    Sent(String),
    /// It did not leave.
    Failed {
        /// To this address.
        to: String,
        /// The end of the key of its words: `alerts-failed-…`.
        key: &'static str,
        /// What was said, in English.
        reason: String,
    },
}

/// Sends a notice that is only a try, now, while somebody waits: by e-mail to `own` (whoever asks) or, from a program, to
/// the first recipient; by webhook to the address in the settings, switched on or not.
///
/// # Errors
/// 409 `no_mail_server`, `no_recipient` or `no_webhook` when there is nothing to try; 429 `alert_tests_used_up` after ten
/// within an hour; those of the database.
pub async fn test(
    hub: &Hub,
    tenant: &Tenant,
    channel: Channel,
    own: Option<(&str, Language)>,
) -> AppResult<Tried> {
    let settings = settings(hub, &tenant.id).await?;
    let id: NoticeId = hub.id();
    let mut told = Told {
        id: id.as_str(),
        tenant: &tenant.id,
        kind: Kind::Test,
        alert: None,
        language: own.map_or(settings.language, |(_, language)| language),
        time_zone: &tenant.time_zone,
    };
    let (to, sent) = match channel {
        Channel::Email if hub.config.mail.is_none() => {
            return Err(AppError::conflict("no_mail_server", NO_MAIL_SERVER));
        }
        Channel::Email => {
            let to = match own {
                Some((own, _)) => own.to_owned(),
                None => {
                    let all = targets(hub, &tenant.id).await?;
                    let first = all.into_iter().find(|target| target.channel == Channel::Email);
                    let first = first.ok_or_else(|| {
                        AppError::conflict("no_recipient", "nobody is told by e-mail; switch it on first")
                    })?;
                    told.language = first.language;
                    first.to
                }
            };
            count_test(hub, &tenant.id, &id).await?;
            let sent = told.mail(hub, &to).await;
            (to, sent)
        }
        Channel::Webhook => {
            let none = || AppError::conflict("no_webhook", "there is no webhook address; save one first");
            let to = settings.webhook_url.ok_or_else(none)?;
            count_test(hub, &tenant.id, &id).await?;
            let sent = told.post(hub, &to).await;
            (to, sent)
        }
    };
    Ok(match sent {
        Ok(()) => Tried::Sent(to),
        Err(failed) => Tried::Failed { to, key: failed.key(), reason: failed.to_string() },
    })
}

/// Notes a try, unless there were too many within the hour.
async fn count_test(hub: &Hub, tenant: &TenantId, id: &NoticeId) -> AppResult<()> {
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    // One at a time.
    repo::hold_settings(&mut tx, tenant, &Settings::of(None), now).await?;
    if repo::count_tests(&mut tx, tenant, now.minus(TESTS_WITHIN)).await? >= TESTS {
        let detail = format!("the channels can be tried {TESTS} times within an hour; try again later");
        return Err(AppError::new(StatusCode::TOO_MANY_REQUESTS, "alert_tests_used_up", detail));
    }
    repo::add_test(&mut tx, id, tenant, now).await?;
    tx.commit().await?;
    Ok(())
}
