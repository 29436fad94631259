//! One account: how it is, and its settings.

use askama::Template;
use askama::filters::Safe;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use line_client::WebhookTest;
use serde::Deserialize;

use super::head::{AccountHead, Tab};
use super::{address, friend_code, parse};
use crate::accounts::login::LiffFault;
use crate::accounts::login::pages::LoginBlock;
use crate::accounts::model::{Account, Block, Environment, GroupChats, Market, OaKind, SenderName, Status};
use crate::accounts::service::{self, StepState, Usage};
use crate::accounts::settings::{self, Changed, Changes};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{FormState, Page, Ui, redirect_with_toast};

#[derive(Template)]
#[template(path = "account_show.html")]
struct AccountPage {
    ui: Ui,
    is_owner: bool,
    head: AccountHead,
    webhook_url: Option<String>,
    form: FormState,
    test: Option<Tested>,
    login: LoginBlock,
    changed_account: LastChange,
    changed_messaging: LastChange,
    /// What LINE tells of the kind, and since when the choice stands.
    kind_hint: String,
    /// The friend-add link as a QR code, drawn as SVG.
    code: String,
}

#[derive(Template)]
#[template(path = "account_usage_partial.html")]
struct UsagePartial {
    ui: Ui,
    account: Account,
    /// Whether LINE told the rest.
    is_known: bool,
    used: u64,
    is_limited: bool,
    limit: u64,
    /// From here on the meter is coloured.
    near: u64,
    /// Both numbers as the reader writes them.
    figures: String,
    at: Timestamp,
}

/// When a block was last changed, and by whom; before any change that is its connecting.
pub(in crate::accounts) struct LastChange {
    pub(in crate::accounts) at: Timestamp,
    pub(in crate::accounts) by: Option<String>,
}

impl LastChange {
    /// The last change of one block among those that are known.
    pub(in crate::accounts) fn of(account: &Account, changed: &[Changed], block: Block) -> Self {
        match changed.iter().find(|changed| changed.block == block) {
            Some(changed) => Self { at: changed.at, by: Some(changed.by.clone()) },
            None => Self { at: account.created_at, by: account.connected_by.clone() },
        }
    }
}

#[derive(Template)]
#[template(path = "account_test_partial.html")]
struct TestPartial {
    ui: Ui,
    test: Option<Tested>,
}

struct Tested {
    test: WebhookTest,
    at: Timestamp,
}

/// One account.
pub(in crate::accounts) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let page = AccountPage::load(&hub, ui, &viewer, &id, FormState::new()).await?;
    Ok(Page(page).into_response())
}

impl AccountPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer, id: &str, form: FormState) -> AppResult<Self> {
        let head = AccountHead::load(hub, viewer, id, Tab::Overview).await?;
        let account = &head.account;
        let changed = settings::blocks(hub, &viewer.scope(), &account.id).await?;
        Ok(Self {
            is_owner: viewer.is_owner(),
            login: LoginBlock::load(hub, viewer, account).await?,
            webhook_url: account.webhook_url(&hub.config),
            changed_account: LastChange::of(account, &changed, Block::Account),
            changed_messaging: LastChange::of(account, &changed, Block::Messaging),
            kind_hint: kind_hint(&ui, account),
            code: friend_code::drawing(&account.friend_link())?,
            head,
            ui,
            form,
            test: None,
        })
    }
}

impl AccountPage {
    /// The code, which this hub drew.
    fn drawing(&self) -> Safe<&str> {
        Safe(&self.code)
    }
}

/// This month's use, a fragment: LINE may take its time.
pub(in crate::accounts) async fn usage(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let account = service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let told = service::usage(&hub, &viewer.scope(), &account.id).await;
    let is_known = told.is_ok();
    let Usage { limit, used, at } = told.unwrap_or(Usage { limit: None, used: 0, at: hub.now() });
    let all = limit.map_or_else(|| ui.t("accounts-usage-none"), |limit| ui.number(limit));
    let figures = format!("{} / {all}", ui.number(used));
    let (is_limited, limit) = (limit.is_some(), limit.unwrap_or_default());
    let near = limit / 10 * 8;
    let page = UsagePartial { ui, account, is_known, used, is_limited, limit, near, figures, at };
    Ok(Page(page).into_response())
}

/// What LINE tells of an account's kind (it gives the list of followers to verified and premium ones only, PLATFORM 9),
/// and who chose what stands there.
fn kind_hint(ui: &Ui, account: &Account) -> String {
    let told = match account.lists_followers {
        Some(true) => "accounts-kind-told-verified",
        Some(false) => "accounts-kind-told-unverified",
        None => "accounts-kind-told-nothing",
    };
    let mut hint = ui.t(told);
    if let (Some(at), Some(by)) = (account.kind_at, &account.kind_by) {
        hint.push(' ');
        hint.push_str(&ui.t2("accounts-kind-chosen", ("day", ui.day(&at)), ("name", by.as_str())));
    }
    hint
}

/// What the form of the first block sends. An empty choice is "not said".
#[derive(Deserialize)]
pub(in crate::accounts) struct SettingsForm {
    #[serde(default)]
    display_label: String,
    environment: Environment,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    market: String,
    group_chats: GroupChats,
    sender_name: SenderName,
}

/// Changes what people decide about the account; only what differs is written and noted.
pub(in crate::accounts) async fn change(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<SettingsForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let account = service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let label = Some(form.display_label.trim().to_owned()).filter(|label| !label.is_empty());
    let (kind, market) = (OaKind::try_from(form.kind).ok(), Market::try_from(form.market).ok());
    let changes = Changes {
        environment: Some(form.environment).filter(|new| *new != account.environment),
        display_label: Some(label).filter(|new| *new != account.display_label),
        kind: Some(kind).filter(|new| *new != account.kind()),
        market: Some(market).filter(|new| *new != account.market()),
        group_chats: Some(form.group_chats).filter(|new| *new != account.group_chats),
        sender_name: Some(form.sender_name).filter(|new| *new != account.sender_name),
        ..Changes::default()
    };
    match settings::change(&hub, (&viewer.scope(), &viewer.actor()), &account.id, &changes).await {
        Ok(_) => Ok(redirect_with_toast(&hub.config, &address(&id), "accounts-toast-saved")),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let form = FormState::new().wrong("display_label", "accounts-label-too-long");
            let page = AccountPage::load(&hub, ui, &viewer, &id, form).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

/// Runs LINE's own test of the webhook.
pub(in crate::accounts) async fn test(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let test = service::test_webhook(&hub, &viewer.scope(), &parse(&id)?).await?;
    let test = Some(Tested { test, at: hub.now() });
    if ui.is_htmx() {
        return Ok(Page(TestPartial { ui, test }).into_response());
    }
    let page = AccountPage::load(&hub, ui, &viewer, &id, FormState::new()).await?;
    Ok(Page(AccountPage { test, ..page }).into_response())
}

/// Asks LINE again how the account is.
pub(in crate::accounts) async fn check(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let account = parse(&id)?;
    service::refresh(&hub, &viewer.scope(), &account).await?;
    settings::ask_kind(&hub, &viewer.scope(), &account).await?;
    Ok(redirect_with_toast(&hub.config, &address(&id), "accounts-toast-checked"))
}
