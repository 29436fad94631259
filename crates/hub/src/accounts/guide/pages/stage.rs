//! The stages in LINE's consoles: create the account, enable the Messaging API. Each step is told, drawn and ticked.

use askama::Template;
use axum::extract::{Form, Path as UrlPath};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::model::{Progress, ProviderKind, Stage, Step, Tick};
use super::super::service::{self, Company};
use super::{AtSetup, Frame, StepView, address, business, country_words};
use crate::error::{AppError, AppResult};
use crate::team::company::Country;
use crate::team::service::DEFAULT_TENANT;
use crate::web::{FormState, Page, Ui};

/// Where a LINE Business ID signs up and goes on to the form of a new account (developers.line.biz, "Get started with the
/// Messaging API").
const SIGN_UP: &str =
    "https://account.line.biz/signup?redirectUri=https://entry.line.biz/form/entry/unverified";
/// The same for one who has a Business ID.
const ENTRY: &str = "https://entry.line.biz/form/entry/unverified";
/// LINE Official Account Manager.
const MANAGER: &str = "https://manager.line.biz/";
/// The sign-in that leads there: what an owner sees who has agreed to LINE's terms before (S1-06).
const MANAGER_AGAIN: &str = "https://account.line.biz/login?redirectUri=https%3A%2F%2Fmanager.line.biz%2F";

#[derive(Template)]
#[template(path = "guide_create.html")]
struct CreatePage {
    ui: Ui,
    frame: Frame,
    company: Company,
    /// The key of the value for country or region, where LINE's form has one that is known here.
    country: Option<&'static str>,
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
    /// The Provider's name; none where the company has no name yet.
    provider: Option<String>,
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
pub(in crate::accounts::guide) async fn resume(setup: AtSetup) -> AppResult<Response> {
    let progress = setup.progress().await?;
    Ok(Redirect::to(&current(&progress)).into_response())
}

/// The address of the stage whose turn it is.
fn current(progress: &Progress) -> String {
    format!("{}/{}", address(&progress.setup.id), progress.current().as_str())
}

/// Creating the account.
pub(in crate::accounts::guide) async fn create(setup: AtSetup, ui: Ui) -> AppResult<Response> {
    let progress = setup.progress().await?;
    let company = setup.company().await?;
    let known = company.country.filter(|country| *country != Country::Other);
    let page = CreatePage {
        ui,
        frame: Frame::of(&progress, Stage::Create).with_video(&company),
        country: known.map(country_words),
        business: business(company.country.unwrap_or(Country::Other)),
        company,
        sign_in: StepView::new(&progress, Step::SignIn),
        form: StepView::new(&progress, Step::Form),
        later: StepView::new(&progress, Step::Later),
        next: setup.address("/stages/create"),
    };
    Ok(Page(page).into_response())
}

/// Enabling the Messaging API.
pub(in crate::accounts::guide) async fn enable(setup: AtSetup, ui: Ui) -> AppResult<Response> {
    let progress = setup.progress().await?;
    Ok(Page(EnablePage::load(&setup, ui, &progress, FormState::new()).await?).into_response())
}

impl EnablePage {
    async fn load(setup: &AtSetup, ui: Ui, progress: &Progress, form: FormState) -> AppResult<Self> {
        let company = setup.company().await?;
        Ok(Self {
            ui,
            frame: Frame::of(progress, Stage::Enable).with_video(&company),
            provider: agreed_provider(progress, &company).or_else(|| company.name.clone()),
            company,
            kind: progress.setup.provider_kind(),
            agreed: progress.tick(Step::Agree).cloned(),
            enable: StepView::new(progress, Step::Enable),
            choose: StepView::new(progress, Step::Provider),
            policy: StepView::new(progress, Step::Policy),
            in_use: StepView::new(progress, Step::InUse),
            form,
            next: setup.address("/stages/enable"),
            root: setup.address(""),
        })
    }
}

/// The Provider that was agreed to; not the name of the tenant of an empty hub, which nobody gave.
fn agreed_provider(progress: &Progress, company: &Company) -> Option<String> {
    let is_given = |name: &String| company.name.is_some() || name != DEFAULT_TENANT;
    progress.setup.provider.clone().filter(is_given)
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
    setup: AtSetup,
    ui: Ui,
    Form(form): Form<Agree>,
) -> AppResult<Response> {
    let kind = ProviderKind::parse(&form.kind).unwrap_or(ProviderKind::New);
    let AtSetup { hub, viewer, id } = &setup;
    match service::agree(hub, (&viewer.scope(), &viewer.actor()), id, &form.provider, kind).await {
        Ok(()) => Ok(Redirect::to(&setup.address("/enable#step-enable")).into_response()),
        Err(error) if !error.fields.is_empty() => {
            let state = FormState::new().wrong("provider", "guide-provider-required");
            let page = EnablePage::load(&setup, ui, &setup.progress().await?, state).await?;
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

/// The part of the address that names a step.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct StepInAddress {
    step: String,
}

/// Ticks a step, or takes the tick back.
pub(in crate::accounts::guide) async fn tick(
    setup: AtSetup,
    UrlPath(StepInAddress { step }): UrlPath<StepInAddress>,
    Form(form): Form<TickForm>,
) -> AppResult<Response> {
    let step = Step::parse(&step).ok_or_else(|| AppError::not_found("step"))?;
    let AtSetup { hub, viewer, id } = &setup;
    service::tick(hub, (&viewer.scope(), &viewer.actor()), id, step, form.on == "1").await?;
    let stage = if Stage::Create.steps().contains(&step) { Stage::Create } else { Stage::Enable };
    let place = format!("/{}#step-{}", stage.as_str(), step.as_str());
    Ok(Redirect::to(&setup.address(&place)).into_response())
}

/// The part of the address that names a stage.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct StageInAddress {
    stage: String,
}

/// Ticks what is left of a stage, and goes on.
pub(in crate::accounts::guide) async fn tick_stage(
    setup: AtSetup,
    UrlPath(StageInAddress { stage }): UrlPath<StageInAddress>,
) -> AppResult<Response> {
    let stage = Stage::parse(&stage).ok_or_else(|| AppError::not_found("stage"))?;
    let AtSetup { hub, viewer, id } = &setup;
    match service::tick_stage(hub, (&viewer.scope(), &viewer.actor()), id, stage).await {
        Err(error) if error.code == "not_agreed" => {
            return Ok(Redirect::to(&setup.address("/enable#step-agree")).into_response());
        }
        result => result?,
    }
    Ok(Redirect::to(&current(&setup.progress().await?)).into_response())
}
