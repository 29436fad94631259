//! The pages of the set-up and of the help.

mod connect;
mod finish;
mod help;
mod stage;
mod start;

pub(in crate::accounts) use start::Open;

use askama::filters::Safe;
use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::routing::{get, post};
use serde::Deserialize;

use super::model::{Has, Progress, ProviderKind, Stage, StageState, Tick, stages};
use super::service::{self, Company};
use crate::accounts::service::Step as Line;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{Id as _, SetupId};
use crate::team::Viewer;
use crate::team::company::Country;
use crate::web::Ui;

/// Settings → Accounts → add, and Settings → Help.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/new", get(start::new).post(connect::connect))
        .route("/settings/accounts/setups", post(start::begin))
        .route("/settings/accounts/setups/keys", post(connect::make_key))
        .route("/settings/accounts/setups/{id}", get(stage::resume))
        .route("/settings/accounts/setups/{id}/create", get(stage::create))
        .route("/settings/accounts/setups/{id}/enable", get(stage::enable))
        .route("/settings/accounts/setups/{id}/connect", get(connect::show))
        .route("/settings/accounts/setups/{id}/webhook", get(finish::show))
        .route("/settings/accounts/setups/{id}/message", get(finish::show))
        .route("/settings/accounts/setups/{id}/login", get(finish::login))
        .route("/settings/accounts/setups/{id}/live", get(finish::live))
        .route("/settings/accounts/setups/{id}/done", get(finish::done))
        .route("/settings/accounts/setups/{id}/agree", post(stage::agree))
        .route("/settings/accounts/setups/{id}/steps/{step}", post(stage::tick))
        .route("/settings/accounts/setups/{id}/stages/{stage}", post(stage::tick_stage))
        .route("/settings/accounts/setups/{id}/forget", post(start::forget))
        .route("/settings/help", get(help::show))
}

/// The list of stages beside every page of the set-up.
pub(super) struct Frame {
    stages: Vec<(Stage, StageState)>,
    at: Stage,
    /// The address of the set-up, once it is kept.
    root: Option<String>,
    /// Of the stage, the film that the operator gave.
    video: Option<String>,
}

impl Frame {
    /// Of a set-up that is kept.
    fn of(progress: &Progress, at: Stage) -> Self {
        let root = Some(address(&progress.setup.id));
        Self { stages: progress.states(), at, root, video: None }
    }

    /// Of one that begins at connecting, and of which nothing is kept yet.
    fn fresh(has: Has, failed: bool) -> Self {
        let state = |stage: &Stage| match stage {
            Stage::Connect if failed => (*stage, StageState::Failed),
            Stage::Connect => (*stage, StageState::Now),
            _ => (*stage, StageState::Locked),
        };
        Self { stages: stages(has).iter().map(state).collect(), at: Stage::Connect, root: None, video: None }
    }

    fn with_video(mut self, company: &Company) -> Self {
        self.video = company.video(self.at);
        self
    }

    /// Which stage this is, of how many.
    fn count(&self, ui: &Ui) -> String {
        let place = self.stages.iter().position(|(stage, _)| *stage == self.at).map_or(1, |at| at + 1);
        let whole = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        ui.t2("guide-count", ("at", whole(place)), ("of", whole(self.stages.len())))
    }

    /// Where a stage can be looked at; nowhere before its turn.
    fn href(&self, stage: &Stage, state: &StageState) -> Option<String> {
        let root = self.root.as_ref()?;
        (*state != StageState::Locked && *stage != self.at).then(|| format!("{root}/{}", stage.as_str()))
    }
}

impl Stage {
    /// The key of its name.
    const fn words(self) -> &'static str {
        match self {
            Self::Create => "guide-stage-create",
            Self::Enable => "guide-stage-enable",
            Self::Connect => "guide-stage-connect",
            Self::Webhook => "guide-stage-webhook",
            Self::Message => "guide-stage-message",
            Self::Login => "guide-stage-login",
        }
    }
}

impl StageState {
    /// The key of its name.
    const fn words(self) -> &'static str {
        match self {
            Self::Locked => "guide-state-todo",
            Self::Now => "guide-state-now",
            Self::Done => "guide-state-done",
            Self::Failed => "guide-state-failed",
        }
    }
}

impl Has {
    /// The key of what the owner has.
    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "guide-has-nothing",
            Self::Account => "guide-has-account",
            Self::Api => "guide-has-api",
            Self::Login => "guide-has-login",
        }
    }
}

impl ProviderKind {
    /// The key of what to do about the Provider.
    const fn words(self) -> &'static str {
        match self {
            Self::New => "guide-provider-new",
            Self::Existing => "guide-provider-existing",
            Self::Login => "guide-provider-login",
        }
    }
}

/// The key of the value that LINE's form wants for country or region.
const fn country_words(country: Country) -> &'static str {
    match country {
        Country::Taiwan => "guide-market-taiwan",
        Country::Japan => "guide-market-japan",
        Country::Thailand => "guide-market-thailand",
        Country::Other => "guide-market-other",
    }
}

/// LINE's page about Official Accounts for a market (developers.line.biz, "Using LINE Official Accounts").
const fn business(country: Country) -> &'static str {
    match country {
        Country::Taiwan => "https://tw.linebiz.com/",
        Country::Japan => "https://www.lycbiz.com/jp/",
        Country::Thailand => "https://lineforbusiness.com/th/",
        Country::Other => "https://www.linebiz.com/",
    }
}

impl Line {
    /// The key of its name.
    const fn words(self) -> &'static str {
        match self {
            Self::Credentials => "accounts-step-credentials",
            Self::Bot => "accounts-step-bot",
            Self::Free => "accounts-step-free",
            Self::Saved => "accounts-step-saved",
            Self::Tested => "accounts-step-tested",
            Self::WebhookSet => "accounts-step-webhook-set",
        }
    }
}

/// A step that a person ticks.
pub(super) struct StepView {
    key: &'static str,
    tick: Option<Tick>,
    action: String,
}

impl StepView {
    fn new(progress: &Progress, step: super::model::Step) -> Self {
        let action = format!("{}/steps/{}", address(&progress.setup.id), step.as_str());
        Self { key: step.as_str(), tick: progress.tick(step).cloned(), action }
    }
}

/// A link as a QR code.
pub(super) struct Code(String);

impl Code {
    fn new(link: &str) -> AppResult<Self> {
        let code = qrcode::QrCode::new(link).map_err(AppError::internal)?;
        let code = code.render::<qrcode::render::svg::Color<'_>>().quiet_zone(false).build();
        // The declaration is for files of their own.
        Ok(Self(code.find("<svg").and_then(|at| code.get(at..)).unwrap_or_default().to_owned()))
    }

    /// The drawing, which this hub made.
    fn drawing(&self) -> Safe<&str> {
        Safe(&self.0)
    }
}

/// An owner in front of a set-up that is kept: what every page of one is asked with. Others are refused before anything is
/// looked up.
pub(super) struct AtSetup {
    hub: Hub,
    viewer: Viewer,
    id: SetupId,
}

/// The part of the address that names the set-up.
#[derive(Deserialize)]
struct InAddress {
    id: String,
}

impl FromRequestParts<Hub> for AtSetup {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> AppResult<Self> {
        let viewer = Viewer::from_request_parts(parts, hub).await?;
        viewer.require_owner()?;
        let address = Path::<InAddress>::from_request_parts(parts, hub).await.ok();
        let id = address.and_then(|Path(address)| SetupId::parse(&address.id));
        let id = id.ok_or_else(|| AppError::not_found("set-up"))?;
        Ok(Self { hub: hub.clone(), viewer, id })
    }
}

impl AtSetup {
    /// The set-up as it is.
    async fn progress(&self) -> AppResult<Progress> {
        service::get(&self.hub, &self.viewer.scope(), &self.id).await
    }

    /// The tenant's company.
    async fn company(&self) -> AppResult<Company> {
        service::company(&self.hub, &self.viewer.tenant.id).await
    }

    /// The address of a page of it.
    fn address(&self, below: &str) -> String {
        format!("{}{below}", address(&self.id))
    }
}

fn address(id: &SetupId) -> String {
    format!("/settings/accounts/setups/{id}")
}
