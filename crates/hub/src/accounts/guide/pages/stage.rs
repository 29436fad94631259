//! The stages in LINE's consoles: create the account, enable the Messaging API. Each step is told, drawn and ticked.

use askama::Template;
use axum::extract::{Form, Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::model::{Progress, ProviderKind, Stage, Step, Tick};
use super::super::service::{self, Company};
use super::{Frame, StepView, address, business, country_words, parse};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;
use crate::web::{FormState, Page, Ui};

/// Where a LINE Business ID signs up and goes on to the form of a new account (developers.line.biz, "Get started with the
/// Messaging API").
const SIGN_UP: &str =
    "https://account.line.biz/signup?redirectUri=https://entry.line.biz/form/entry/unverified";
/// The same for one who has a Business ID.
const ENTRY: &str = "https://entry.line.biz/form/entry/unverified";
/// LINE Official Account Manager.
const MANAGER: &str = "https://manager.line.biz/";

#[derive(Template)]
#[template(path = "guide_create.html")]
struct CreatePage {
    ui: Ui,
    frame: Frame,
    company: Company,
    /// The key of the value for country or region.
    country: &'static str,
    /// LINE's business pages of the market.
    business: &'static str,
    sign_in: StepView,
    form: StepView,
    later: StepView,
    next: String,
}

#[derive(Template)]
#[template(path = "guide_enable.html")]
struct EnablePage {
    ui: Ui,
    frame: Frame,
    root: String,
    company: Company,
    provider: String,
    kind: ProviderKind,
    agreed: Option<Tick>,
    enable: StepView,
    choose: StepView,
    policy: StepView,
    in_use: StepView,
    form: FormState,
    next: String,
}

/// Goes on where it was left.
pub(in crate::accounts::guide) async fn resume(
    State(hub): State<Hub>,
    viewer: Viewer,
    UrlPath(id): UrlPath<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let progress = service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    Ok(Redirect::to(&current(&progress)).into_response())
}

/// The address of the stage whose turn it is.
fn current(progress: &Progress) -> String {
    format!("{}/{}", address(&progress.setup.id), progress.current().as_str())
}

/// Creating the account.
pub(in crate::accounts::guide) async fn create(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    UrlPath(id): UrlPath<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let progress = service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let company = service::company(&hub, &viewer.tenant.id).await?;
    let page = CreatePage {
        ui,
        frame: Frame::of(&progress, Stage::Create).with_video(&company),
        country: country_words(company.country),
        business: business(company.country),
        company,
        sign_in: StepView::new(&progress, Step::SignIn),
        form: StepView::new(&progress, Step::Form),
        later: StepView::new(&progress, Step::Later),
        next: format!("{}/stages/create", address(&progress.setup.id)),
    };
    Ok(Page(page).into_response())
}

/// Enabling the Messaging API.
pub(in crate::accounts::guide) async fn enable(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    UrlPath(id): UrlPath<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let progress = service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    Ok(Page(EnablePage::load(&hub, ui, &viewer, &progress, FormState::new()).await?).into_response())
}

impl EnablePage {
    async fn load(
        hub: &Hub,
        ui: Ui,
        viewer: &Viewer,
        progress: &Progress,
        form: FormState,
    ) -> AppResult<Self> {
        let company = service::company(hub, &viewer.tenant.id).await?;
        let root = address(&progress.setup.id);
        Ok(Self {
            ui,
            frame: Frame::of(progress, Stage::Enable).with_video(&company),
            provider: progress.setup.provider.clone().unwrap_or_else(|| company.name.clone()),
            company,
            kind: progress.setup.provider_kind(),
            agreed: progress.tick(Step::Agree).cloned(),
            enable: StepView::new(progress, Step::Enable),
            choose: StepView::new(progress, Step::Provider),
            policy: StepView::new(progress, Step::Policy),
            in_use: StepView::new(progress, Step::InUse),
            form,
            next: format!("{root}/stages/enable"),
            root,
        })
    }
}

/// What the form before the irreversible click sends.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct Agree {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    kind: String,
}

/// Notes that the person knows what cannot be taken back; only then the link to LINE is given.
pub(in crate::accounts::guide) async fn agree(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    UrlPath(id): UrlPath<String>,
    Form(form): Form<Agree>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&id)?;
    let kind = ProviderKind::parse(&form.kind).unwrap_or(ProviderKind::New);
    let scope = viewer.scope();
    match service::agree(&hub, (&scope, &viewer.actor()), &id, &form.provider, kind).await {
        Ok(()) => Ok(Redirect::to(&format!("{}/enable#step-enable", address(&id))).into_response()),
        Err(error) if !error.fields.is_empty() => {
            let progress = service::get(&hub, &scope, &id).await?;
            let state = FormState::new().wrong("provider", "guide-provider-required");
            let page = EnablePage::load(&hub, ui, &viewer, &progress, state).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(EnablePage { kind, ..page })).into_response())
        }
        Err(error) => Err(error),
    }
}

/// What a step's box sends.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct TickForm {
    #[serde(default)]
    on: String,
}

/// Ticks a step, or takes the tick back.
pub(in crate::accounts::guide) async fn tick(
    State(hub): State<Hub>,
    viewer: Viewer,
    UrlPath((id, step)): UrlPath<(String, String)>,
    Form(form): Form<TickForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&id)?;
    let step = Step::parse(&step).ok_or_else(|| AppError::not_found("step"))?;
    service::tick(&hub, (&viewer.scope(), &viewer.actor()), &id, step, form.on == "1").await?;
    let stage = if Stage::Create.steps().contains(&step) { Stage::Create } else { Stage::Enable };
    let place = format!("{}/{}#step-{}", address(&id), stage.as_str(), step.as_str());
    Ok(Redirect::to(&place).into_response())
}

/// Ticks what is left of a stage, and goes on.
pub(in crate::accounts::guide) async fn tick_stage(
    State(hub): State<Hub>,
    viewer: Viewer,
    UrlPath((id, stage)): UrlPath<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&id)?;
    let stage = Stage::parse(&stage).ok_or_else(|| AppError::not_found("stage"))?;
    match service::tick_stage(&hub, (&viewer.scope(), &viewer.actor()), &id, stage).await {
        Err(error) if error.code == "not_agreed" => {
            return Ok(Redirect::to(&format!("{}/enable#step-agree", address(&id))).into_response());
        }
        result => result?,
    }
    let progress = service::get(&hub, &viewer.scope(), &id).await?;
    Ok(Redirect::to(&current(&progress)).into_response())
}
