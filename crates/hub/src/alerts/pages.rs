//! The page of alerts: what is wrong, who is told, what was.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::channels::{self, Changes, Channel, Settings, Tried};
use super::model::{Alert, Severity};
use super::service::{self, Told};
use super::words::{Said, say};
use crate::app::Hub;
use crate::error::AppResult;
use crate::ids::AlertId;
use crate::team::Viewer;
use crate::web::i18n::Language;
use crate::web::{Fields, FormState, Page, SettingsEntry, Ui, redirect_with_toast};

/// Where the page is.
const ADDRESS: &str = "/settings/alerts";
/// Where the banner of every page is.
pub const BANNER: &str = "/alerts/banner";
/// Alerts that were over, on the page.
const HISTORY: i64 = 50;

/// The page of the settings.
pub const SETTINGS: [SettingsEntry; 1] =
    [SettingsEntry { href: ADDRESS, icon: "bell", label_key: "alerts-title", owners_only: false }];

/// The page, its forms, and the banner.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route(ADDRESS, get(show).post(save))
        .route("/settings/alerts/test", post(test))
        .route(BANNER, get(banner))
}

/// An alert in the reader's words.
struct Row {
    alert: Alert,
    said: Said,
    told: Vec<Told>,
}

impl Row {
    fn new(ui: &Ui, alert: Alert, told: Vec<Told>) -> Self {
        Self { said: say(ui.language(), &alert), alert, told }
    }

    fn is_failed(&self) -> bool {
        self.alert.severity == Severity::Failed
    }

    /// Where it is explained and mended.
    fn link(&self) -> Option<String> {
        self.alert.page()
    }

    /// How many notices of this alert left.
    fn sent(&self) -> usize {
        self.told.iter().filter(|told| told.state == "sent").count()
    }

    /// The notices that have not left, with why.
    fn failures(&self) -> Vec<(&str, &str)> {
        let waiting = self.told.iter().filter(|told| told.state != "sent");
        waiting.filter_map(|told| Some((told.target.as_str(), told.error.as_deref()?))).collect()
    }
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    ui: Ui,
    is_owner: bool,
    open: Vec<Row>,
    past: Vec<Row>,
    settings: Settings,
    /// The mail server's sender; `None` when there is no server.
    sender: Option<String>,
    form: FormState,
    languages: [Language; 4],
    /// A new secret, shown this once.
    secret: Option<String>,
    tried: Option<(Channel, Tried)>,
    /// Whether a try was refused because there were too many.
    is_used_up: bool,
}

#[derive(Template)]
#[template(path = "alerts_banner.html")]
struct BannerPartial {
    ui: Ui,
    worst: Option<Row>,
    more: usize,
}

impl AlertsPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer) -> AppResult<Self> {
        let scope = viewer.scope();
        let open = service::open_alerts(hub, &scope).await?;
        let past = service::list(hub, &scope, Some(false), None, HISTORY).await?;
        let mut told: HashMap<AlertId, Vec<Told>> = HashMap::new();
        if viewer.is_owner() {
            for (alert, notice) in service::told(hub, &scope).await? {
                told.entry(alert).or_default().push(notice);
            }
        }
        let mut row = |alert: Alert| {
            let told = told.remove(&alert.id).unwrap_or_default();
            Row::new(&ui, alert, told)
        };
        let (open, past) =
            (open.into_iter().map(&mut row).collect(), past.into_iter().map(&mut row).collect());
        let settings = channels::settings(hub, &viewer.tenant.id).await?;
        let form = FormState::new()
            .with("email_to", settings.email_to.join("\n"))
            .with("webhook_url", settings.webhook_url.clone().unwrap_or_default());
        Ok(Self {
            is_owner: viewer.is_owner(),
            open,
            past,
            sender: hub.config.mail.as_ref().map(crate::mail::Mail::sender),
            settings,
            form,
            languages: Language::ALL,
            secret: None,
            tried: None,
            is_used_up: false,
            ui,
        })
    }

    fn has_secret(&self) -> bool {
        self.settings.has_secret
    }

    fn tried_email(&self) -> Option<&Tried> {
        self.tried.as_ref().filter(|(channel, _)| *channel == Channel::Email).map(|(_, tried)| tried)
    }

    fn tried_webhook(&self) -> Option<&Tried> {
        self.tried.as_ref().filter(|(channel, _)| *channel == Channel::Webhook).map(|(_, tried)| tried)
    }

    /// What came of a try, in words.
    fn outcome(&self, tried: &Tried) -> (&'static str, String, String) {
        match tried {
            Tried::Sent(to) => ("ok", self.ui.t1("alerts-test-sent", "to", to), String::new()),
            Tried::Failed { to, key, reason } => {
                let words = self.ui.t(&format!("alerts-failed-{key}"));
                ("danger", self.ui.t1("alerts-test-failed", "to", to), format!("{words} ({reason})"))
            }
        }
    }
}

async fn show(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Page<AlertsPage>> {
    AlertsPage::load(&hub, ui, &viewer).await.map(Page)
}

async fn save(State(hub): State<Hub>, ui: Ui, viewer: Viewer, fields: Fields) -> AppResult<Response> {
    viewer.require_owner()?;
    let has = |name: &str| !fields.text(name).is_empty();
    let addresses = fields.text("email_to").split(['\n', '\r', ',', ';', '，', '、', ' ']);
    let addresses: Vec<String> = addresses.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let changes = Changes {
        // Without a mail server the form has no e-mail part.
        email_on: hub.config.mail.as_ref().map(|_| has("email_on")),
        email_to: hub.config.mail.as_ref().map(|_| addresses),
        language: Some(fields.text("language").to_owned()).filter(|tag| !tag.is_empty()),
        webhook_on: Some(has("webhook_on")),
        webhook_url: Some(fields.text("webhook_url").to_owned()),
        new_secret: has("new_secret"),
        own_secret: None,
    };
    match channels::change(&hub, &viewer.tenant.id, changes, &viewer.actor()).await {
        Ok((_, None)) => Ok(redirect_with_toast(&hub.config, ADDRESS, "alerts-toast-saved")),
        Ok((_, secret)) => {
            let page = AlertsPage { secret, ..AlertsPage::load(&hub, ui, &viewer).await? };
            Ok(Page(page).into_response())
        }
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let form = FormState::new()
                .with("email_to", fields.text("email_to"))
                .with("webhook_url", fields.text("webhook_url"))
                .refused("alerts-error", &error.fields);
            let mut page = AlertsPage { form, ..AlertsPage::load(&hub, ui, &viewer).await? };
            page.settings.email_on = has("email_on");
            page.settings.webhook_on = has("webhook_on");
            Ok((error.status, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

async fn test(State(hub): State<Hub>, ui: Ui, viewer: Viewer, fields: Fields) -> AppResult<Page<AlertsPage>> {
    viewer.require_owner()?;
    let channel = Channel::parse(fields.text("channel")).unwrap_or(Channel::Email);
    let own = (viewer.email.as_str(), ui.language());
    let tried = match channels::test(&hub, &viewer.tenant, channel, Some(own)).await {
        Ok(tried) => Some((channel, tried)),
        Err(error) if error.status == StatusCode::TOO_MANY_REQUESTS => None,
        Err(error) => return Err(error),
    };
    let is_used_up = tried.is_none();
    Ok(Page(AlertsPage { tried, is_used_up, ..AlertsPage::load(&hub, ui, &viewer).await? }))
}

/// The worst alert that the reader may see, and how many more there are; nothing when there is none.
async fn banner(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Page<BannerPartial>> {
    let open = service::open_alerts(&hub, &viewer.scope()).await?;
    let more = open.len().saturating_sub(1);
    let worst = open.into_iter().next().map(|alert| Row::new(&ui, alert, Vec::new()));
    Ok(Page(BannerPartial { ui, worst, more }))
}
