//! The page of an account's login tests: begins them, shows where to walk them and what they found.

use askama::Template;
use askama::filters::Safe;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::api::walk_url;
use super::door::can_open;
use super::model::{Finding, Kind, LoginChannel, Run, State as FindingState};
use super::pages::{address, parse};
use super::{run, service};
use crate::accounts::model::{Account, Status};
use crate::accounts::pages::gone::gone;
use crate::accounts::pages::{AccountHead, Tab};
use crate::accounts::service as accounts;
use crate::app::Hub;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::team::Viewer;
use crate::web::{Page, Ui};

impl FindingState {
    /// The kind of its badge and banner.
    const fn kind(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "danger",
            Self::Unknown => "unknown",
        }
    }

    /// The key of its name for a whole test.
    const fn outcome(self) -> &'static str {
        match self {
            Self::Ok => "login-outcome-ok",
            Self::Warning => "login-outcome-warning",
            Self::Failed => "login-outcome-failed",
            Self::Unknown => "login-outcome-unknown",
        }
    }

    /// The key of its name before a finding.
    pub(in crate::accounts) const fn words(self) -> &'static str {
        match self {
            Self::Ok => "login-state-ok",
            Self::Warning => "login-state-warning",
            Self::Failed => "login-state-failed",
            Self::Unknown => "login-state-unknown",
        }
    }
}

#[derive(Template)]
#[template(path = "account_login_test.html")]
struct TestPage {
    ui: Ui,
    head: AccountHead,
    tests: Tests,
}

#[derive(Template)]
#[template(path = "login_test_partial.html")]
struct TestPartial {
    ui: Ui,
    tests: Tests,
}

/// What the page of tests shows.
struct Tests {
    id: AccountId,
    row: Option<LoginChannel>,
    is_owner: bool,
    /// Where the person becomes a friend and writes.
    friend_link: String,
    login: Option<Walk>,
    liff: Option<Walk>,
}

/// A test, where to walk it, and what it found.
struct Walk {
    run: Run,
    findings: Vec<Finding>,
    outcome: FindingState,
    url: Option<String>,
    code: String,
    /// What is to be written to the account, while that is to show the provider.
    awaited: Option<String>,
}

impl Walk {
    fn new(hub: &Hub, row: &LoginChannel, run: Run) -> Self {
        let now = hub.now();
        let url = walk_url(&hub.config, row, &run);
        let code = url.as_deref().and_then(drawing).unwrap_or_default();
        let awaited = run.awaited(&row.channel_id, now).map(|_| run.code());
        Self { findings: run.findings(now), outcome: run.outcome(now), run, url, code, awaited }
    }

    /// The address as a QR code, which this hub drew.
    fn drawing(&self) -> Safe<&str> {
        Safe(&self.code)
    }

    fn is_waiting(&self) -> bool {
        self.run.finished_at.is_none()
    }
}

/// An address as a QR code, drawn as SVG.
fn drawing(url: &str) -> Option<String> {
    let code = qrcode::QrCode::new(url).ok()?;
    let code = code.render::<qrcode::render::svg::Color<'_>>().quiet_zone(false).build();
    // The declaration is for files of their own.
    code.find("<svg").and_then(|at| code.get(at..)).map(str::to_owned)
}

impl Tests {
    async fn load(hub: &Hub, viewer: &Viewer, account: &Account) -> AppResult<Self> {
        let (scope, id) = (viewer.scope(), account.id.clone());
        let row = service::get(hub, &scope, &id).await?;
        let walk = async |kind| -> AppResult<Option<Walk>> {
            let Some(row) = &row else { return Ok(None) };
            let run = service::last_test(hub, &scope, row, kind).await?;
            Ok(run.map(|run| Walk::new(hub, row, run)))
        };
        let (login, liff) = (walk(Kind::Login).await?, walk(Kind::Liff).await?);
        let friend_link = account.friend_link();
        Ok(Self { id, is_owner: viewer.is_owner(), friend_link, login, liff, row })
    }

    /// Whether the page asks again by itself.
    fn is_waiting(&self) -> bool {
        let open = |walk: &Walk| walk.is_waiting() || walk.awaited.is_some();
        [&self.login, &self.liff].into_iter().flatten().any(open)
    }

    /// The kinds with their last test, in order.
    fn kinds(&self) -> [(Kind, Option<&Walk>); 2] {
        [(Kind::Login, self.login.as_ref()), (Kind::Liff, self.liff.as_ref())]
    }

    /// Whether there is a channel whose secret is to be entered again first.
    fn lacks_secret(&self) -> bool {
        self.row.as_ref().is_some_and(|row| !row.has_secret())
    }

    fn can_start(&self, kind: Kind) -> bool {
        self.row.as_ref().is_some_and(|row| match kind {
            Kind::Login => row.has_secret(),
            Kind::Liff => can_open(row),
        })
    }
}

/// The tests of login and LIFF.
pub(super) async fn test(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let head = AccountHead::load(&hub, &viewer, &id, Tab::LoginTest).await?;
    if head.account.status == Status::Disconnected {
        return Ok(gone(ui, &viewer, head));
    }
    let tests = Tests::load(&hub, &viewer, &head.account).await?;
    Ok(Page(TestPage { ui, head, tests }).into_response())
}

/// The results, which the page asks for while somebody is at LINE.
pub(super) async fn result(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let account = accounts::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let tests = Tests::load(&hub, &viewer, &account).await?;
    Ok(Page(TestPartial { ui, tests }).into_response())
}

/// Which test to begin.
#[derive(Deserialize)]
pub(super) struct StartForm {
    kind: Kind,
}

/// Begins a test, and shows where to walk it.
pub(super) async fn start(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<StartForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&id)?;
    match run::start(&hub, (&viewer.scope(), &viewer.actor()), &id, form.kind).await {
        Ok(_) => {}
        // Without a Login channel the page says so itself.
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {}
        Err(error) => return Err(error),
    }
    Ok(Redirect::to(&format!("/settings/accounts/{id}/login-test")).into_response())
}

impl Tests {
    /// The block where a Login channel is saved.
    fn block(&self) -> String {
        address(self.id.as_str())
    }

    #[expect(clippy::unused_self, reason = "templates call methods of what they are given")]
    fn title(&self, ui: &Ui, finding: &Finding) -> String {
        ui.t(&format!("login-found-{}-title", finding.found.key()))
    }

    #[expect(clippy::unused_self, reason = "templates call methods of what they are given")]
    fn fix(&self, ui: &Ui, finding: &Finding) -> Option<String> {
        ui.maybe(&format!("login-found-{}-fix", finding.found.key()))
    }

    /// Where in LINE Developers it is put right.
    pub(in crate::accounts) fn console(&self, finding: &Finding) -> Option<String> {
        let page = finding.found.console()?;
        self.row.as_ref().map(|row| row.console(page))
    }

    /// Whether the hub can put it right.
    #[expect(clippy::unused_self, reason = "templates call methods of what they are given")]
    fn repairs(&self, finding: &Finding) -> bool {
        use super::model::Found::{LiffEndpoint, LiffMissing, LiffSettings};
        matches!(finding.found, LiffEndpoint | LiffMissing | LiffSettings)
    }
}

impl Walk {
    /// The kind of the badge of its outcome.
    pub(in crate::accounts) fn badge(&self) -> &'static str {
        match self.outcome {
            FindingState::Unknown => "neutral",
            outcome => outcome.kind(),
        }
    }
}
