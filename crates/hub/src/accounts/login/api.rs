//! What programs see of an account's LINE Login, and the calls that begin a test and repair the LIFF app.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{
    Finding, Kind, LiffFault, LoginChannel, ProviderMatch, Run, State as FindingState, callback_url,
    liff_endpoint,
};
use super::{run, service};
use crate::accounts::model::Account;
use crate::accounts::service::Deadline;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::web::api::{ApiResult, AsksLine, CanManage, Ident, Input, Problems};
use crate::web::i18n::{Language, maybe_words};

/// The calls of login and LIFF.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(start_login_test)).routes(routes!(repair_liff_app))
}

/// LINE Login and LIFF of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginView {
    /// The Login channel's ID; null without one.
    channel_id: Option<String>,
    /// The address to be registered as callback in LINE Developers.
    callback_url: String,
    /// The callback address of before the hub's public address changed; to be replaced in LINE Developers.
    callback_before: Option<String>,
    /// The LIFF app; null without a Login channel.
    liff: Option<LiffView>,
    /// Whether members may share cards.
    share: bool,
    /// When a person confirmed that the share target picker is on at LINE.
    #[schema(value_type = Option<String>, format = DateTime)]
    share_ready_at: Option<Timestamp>,
    /// Whether logging in offers to add the account as a friend.
    add_friend: bool,
    /// When a person confirmed that this account is linked to the Login channel at LINE.
    #[schema(value_type = Option<String>, format = DateTime)]
    linked_at: Option<Timestamp>,
    /// Whether both channels belong to one provider, as far as logins have shown.
    provider_match: ProviderMatch,
    /// When a login showed it.
    #[schema(value_type = Option<String>, format = DateTime)]
    provider_checked_at: Option<Timestamp>,
    /// The last test of login or LIFF.
    last_test: Option<TestView>,
    /// When it was changed last.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// Who changed it.
    updated_by: Option<String>,
}

/// The LIFF app as LINE reported it last.
#[derive(Debug, Serialize, ToSchema)]
struct LiffView {
    /// Its ID; null when there is none.
    id: Option<String>,
    /// LINE's address of it.
    url: Option<String>,
    /// The Endpoint URL at LINE.
    endpoint: Option<String>,
    /// The Endpoint URL that it should have.
    wanted_endpoint: String,
    /// `compact`, `tall`, `full`.
    view: Option<String>,
    /// `normal`, `aggressive`, `none`.
    bot_prompt: Option<String>,
    /// What it asks of people.
    scopes: Vec<String>,
    /// LIFF apps that the Login channel holds.
    count: i64,
    /// The most that it can hold.
    limit: usize,
    /// Other LIFF apps that stand for this account too.
    twins: Vec<String>,
    /// When LINE was asked.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Timestamp>,
    /// What is wrong with it.
    fault: Option<LiffFault>,
}

/// A test of login or LIFF.
#[derive(Debug, Serialize, ToSchema)]
struct TestView {
    /// `lgt_…`
    id: String,
    /// What is tested.
    kind: Kind,
    /// `waiting` for somebody to come back from LINE, or `done`.
    state: &'static str,
    /// The most urgent state among the findings.
    outcome: FindingState,
    /// The address to open, on this machine or on a phone, while it waits.
    url: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// What the person who logged in is to write to the official account, while only that can show whether both channels
    /// belong to one provider; then `findings` tell it.
    code: Option<String>,
    /// What was found, in order.
    findings: Vec<FindingView>,
}

/// One thing that a test found.
#[derive(Debug, Serialize, ToSchema)]
struct FindingView {
    /// A short word for programs.
    code: &'static str,
    /// How it is to be taken.
    status: FindingState,
    /// What it is.
    title: String,
    /// What to do; null when nothing is to be done.
    fix: Option<String>,
    /// LINE's own words.
    said: Option<String>,
}

impl FindingView {
    fn new(finding: Finding) -> Self {
        let words = |part| maybe_words(Language::En, &format!("login-found-{}-{part}", finding.found.key()));
        Self {
            code: finding.found.as_str(),
            status: finding.found.state(),
            title: words("title").unwrap_or_default(),
            fix: words("fix"),
            said: finding.said,
        }
    }
}

/// The address that a test is walked from: by the hub to LINE's login, or LINE's own of the LIFF app.
pub(super) fn walk_url(config: &Config, row: &LoginChannel, run: &Run) -> Option<String> {
    if run.finished_at.is_some() {
        return None;
    }
    match run.kind() {
        Kind::Login => {
            let origin = config.public_url.as_str().trim_end_matches('/');
            Some(format!("{origin}/login/line/{}/start?run={}", run.account_id, run.id))
        }
        Kind::Liff => row.liff_url(config).map(|url| format!("{url}/test/{}", run.id)),
    }
}

impl TestView {
    fn new(config: &Config, row: &LoginChannel, run: &Run, now: Timestamp) -> Self {
        Self {
            id: run.id.to_string(),
            kind: run.kind(),
            state: if run.finished_at.is_some() { "done" } else { "waiting" },
            outcome: run.outcome(now),
            url: walk_url(config, row, run),
            code: run.awaited(&row.channel_id, now).map(|_| run.code()),
            started_at: run.started_at,
            finished_at: run.finished_at,
            findings: run.findings(now).into_iter().map(FindingView::new).collect(),
        }
    }
}

impl LoginView {
    fn new(hub: &Hub, account: &AccountId, row: Option<&LoginChannel>, run: Option<&Run>) -> Self {
        let config = &hub.config;
        let liff = |row: &LoginChannel| LiffView {
            id: row.liff_id.clone(),
            url: row.liff_url(config),
            endpoint: row.liff_endpoint.clone(),
            wanted_endpoint: liff_endpoint(config, account),
            view: row.liff_view.clone(),
            bot_prompt: row.liff_bot_prompt.clone(),
            scopes: row.scopes().into_iter().map(str::to_owned).collect(),
            count: row.liff_count,
            limit: line_client::MAX_LIFF_APPS,
            twins: row.twins().into_iter().map(str::to_owned).collect(),
            checked_at: row.liff_checked_at,
            fault: row.fault(),
        };
        Self {
            channel_id: row.map(|row| row.channel_id.clone()),
            callback_url: callback_url(config, account),
            callback_before: row.and_then(|row| row.callback_before(config)),
            liff: row.map(liff),
            share: row.is_some_and(|row| row.share),
            share_ready_at: row.and_then(|row| row.share_ready_at),
            add_friend: row.is_some_and(|row| row.add_friend),
            linked_at: row.and_then(|row| row.linked_at),
            provider_match: row.map_or(ProviderMatch::Unknown, LoginChannel::provider),
            provider_checked_at: row.and_then(|row| row.provider_checked_at),
            last_test: row.zip(run).map(|(row, run)| TestView::new(config, row, run, hub.now())),
            updated_at: row.map(|row| row.updated_at),
            updated_by: row.and_then(|row| row.updated_by.clone()),
        }
    }

    /// LINE Login of every account in the scope, to be taken by account.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn all(hub: &Hub, scope: &Scope) -> AppResult<LoginViews> {
        let (rows, runs) = service::list(hub, scope).await?;
        let mut views = HashMap::new();
        for row in rows {
            let run = runs.iter().find(|run| run.account_id == row.account_id);
            views.insert(row.account_id.clone(), Self::new(hub, &row.account_id, Some(&row), run));
        }
        Ok(LoginViews(views))
    }

    /// LINE Login of one account.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn of(hub: &Hub, scope: &Scope, account: &Account) -> AppResult<Self> {
        let row = service::get(hub, scope, &account.id).await?;
        let Some(before) = &row else { return Ok(Self::new(hub, &account.id, None, None)) };
        let mut runs = Vec::new();
        for kind in [Kind::Login, Kind::Liff] {
            runs.extend(service::last_test(hub, scope, before, kind).await?);
        }
        let run = runs.into_iter().max_by_key(|run| (run.started_at, run.id.clone()));
        // A test that was settled just now says something of the channel.
        let row = service::get(hub, scope, &account.id).await?;
        Ok(Self::new(hub, &account.id, row.as_ref(), run.as_ref()))
    }
}

/// LINE Login of several accounts.
#[derive(Debug)]
pub struct LoginViews(HashMap<AccountId, LoginView>);

impl LoginViews {
    /// Takes that of one account.
    #[must_use]
    pub fn take(&mut self, hub: &Hub, account: &AccountId) -> LoginView {
        self.0.remove(account).unwrap_or_else(|| LoginView::new(hub, account, None, None))
    }
}

/// Which test to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTest {
    /// `login` (LINE Login in a browser) or `liff` (the LIFF app in LINE).
    #[serde(default = "login")]
    #[schema(default = "login")]
    kind: Kind,
}

const fn login() -> Kind {
    Kind::Login
}

/// Begins a test of LINE Login or of the LIFF app. What can be told without a person is found at once; then `url` is to be
/// opened by a person, and `GET /accounts/{id}` tells under `login.last_test` what came of it.
#[utoipa::path(post, path = "/accounts/{id}/login-test", tag = "Accounts", params(("id" = String, Path)),
    request_body = NewTest, responses((status = 201, body = TestView), AsksLine, Problems))]
async fn start_login_test(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
    Input(body): Input<NewTest>,
) -> ApiResult<(StatusCode, Json<TestView>)> {
    let run = run::start(&hub, (&caller.scope, &caller.actor()), &id, body.kind).await?;
    let row = service::get(&hub, &caller.scope, &id).await?;
    let row = row.ok_or_else(|| crate::error::AppError::not_found("LINE Login channel"))?;
    Ok((StatusCode::CREATED, Json(TestView::new(&hub.config, &row, &run, hub.now()))))
}

/// Finds, makes or puts right the account's LIFF app at LINE. Others that stand for the account too are told, never
/// removed.
#[utoipa::path(post, path = "/accounts/{id}/liff-repair", tag = "Accounts", params(("id" = String, Path)),
    responses((status = 200, body = LoginView), AsksLine, Problems))]
async fn repair_liff_app(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
) -> ApiResult<Json<LoginView>> {
    service::repair(&hub, (&caller.scope, &caller.actor()), &id, Deadline::start()).await?;
    let account = crate::accounts::service::get(&hub, &caller.scope, &id).await?;
    Ok(Json(LoginView::of(&hub, &caller.scope, &account).await?))
}
