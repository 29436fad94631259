//! The list of conversations, and the page that holds all three panes.

use std::collections::HashMap;

use askama::Template;
use askama::filters::Safe;
use axum::extract::{Path, Query as FromQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use line_view::Labels;

use super::choice::{Choice, Query, ROWS, Tab, write_place};
use super::talk::{self, Talk};
use super::{id, words};
use crate::accounts::{Account, Status};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::ids::{ContactId, ConversationId, Id};
use crate::inbox::model::{Conversation, Kind, State as ConversationState};
use crate::inbox::service::{self, Counts};
use crate::team::Viewer;
use crate::web::{Page, Ui};

/// Rows that the script may ask for at once.
const MAX_ROWS: usize = 50;

/// One row of the list (S4-36).
#[derive(Debug)]
pub(super) struct Row {
    id: String,
    href: String,
    contact: String,
    name: String,
    picture: Option<String>,
    is_group: bool,
    account: Option<String>,
    summary: String,
    /// The newest message is ours.
    ours: bool,
    /// The newest message where the friend wrote it, and how a screen reader is told.
    last: String,
    say: String,
    at: Timestamp,
    place: String,
    unanswered: bool,
    unread: i64,
    state: ConversationState,
    free_until: Option<i64>,
    assignee: Option<String>,
    blocked: bool,
    is_current: bool,
}

impl Row {
    fn is_closed(&self) -> bool {
        self.state == ConversationState::Closed
    }

    fn is_snoozed(&self) -> bool {
        self.state == ConversationState::Snoozed
    }
}

/// A tab with its number, where one is told.
#[derive(Debug)]
struct TabView {
    href: String,
    word: &'static str,
    name: String,
    count: Option<String>,
    is_current: bool,
}

/// The left pane.
#[derive(Debug)]
pub(super) struct List {
    tabs: Vec<TabView>,
    accounts: Vec<Account>,
    account: String,
    tab: &'static str,
    q: String,
    /// Unread messages of all accounts, for the title.
    unread: i64,
    rows: Vec<Row>,
    more: Option<String>,
    empty: Empty,
}

/// How the first friend finds an account.
#[derive(Debug, PartialEq, Eq)]
struct Invitation {
    account: String,
    link: String,
    /// The link as a QR code, drawn as SVG.
    code: String,
}

impl Invitation {
    fn to(account: &Account) -> AppResult<Self> {
        let link = account.friend_link();
        let code = qrcode::QrCode::new(&link).map_err(AppError::internal)?;
        let code = code.render::<qrcode::render::svg::Color<'_>>().quiet_zone(false).build();
        // The declaration is for files of their own.
        let code = code.find("<svg").and_then(|at| code.get(at..)).unwrap_or_default().to_owned();
        Ok(Self { account: account.display_name.clone(), link, code })
    }

    /// The code, which this hub drew.
    fn drawing(&self) -> Safe<&str> {
        Safe(&self.code)
    }

    /// The link as people read it.
    fn shown(&self) -> String {
        self.link.replace("%40", "@")
    }
}

/// Why the list is empty, which decides the first step offered.
#[derive(Debug, PartialEq, Eq)]
enum Empty {
    /// It is not.
    No,
    /// No account is connected.
    NoAccount,
    /// Nobody has written yet: the account's link for friends.
    NobodyYet(Invitation),
    /// Nothing fits the search.
    NoMatch,
    /// Nothing in this tab.
    Tab(Tab),
}

impl List {
    fn is_no_account(&self) -> bool {
        self.empty == Empty::NoAccount
    }

    fn is_no_match(&self) -> bool {
        self.empty == Empty::NoMatch
    }

    /// The account that waits for its first friend.
    fn nobody_yet(&self) -> Option<&Invitation> {
        match &self.empty {
            Empty::NobodyYet(invitation) => Some(invitation),
            _ => None,
        }
    }

    /// The key of the words for an empty tab.
    fn empty_tab(&self) -> Option<&'static str> {
        match self.empty {
            Empty::Tab(Tab::Unanswered | Tab::Unread) => Some("inbox-empty-all-answered"),
            Empty::Tab(Tab::Mine) => Some("inbox-empty-mine"),
            Empty::Tab(Tab::Groups) => Some("inbox-empty-groups"),
            Empty::Tab(Tab::Snoozed) => Some("inbox-empty-snoozed"),
            Empty::Tab(Tab::Closed) => Some("inbox-empty-closed"),
            Empty::Tab(Tab::Open) => Some("inbox-empty-open"),
            _ => None,
        }
    }
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    ui: Ui,
    list: List,
    talk: Option<Talk>,
    /// Which pane a narrow screen shows: list, talk or person.
    view: &'static str,
    /// The reader's id, by which their own notices are known.
    me: String,
    now: i64,
}

#[derive(Template)]
#[template(path = "inbox_list_partial.html")]
struct ListPartial {
    ui: Ui,
    list: List,
}

#[derive(Template)]
#[template(path = "inbox_rows_partial.html")]
pub(super) struct RowsPartial {
    ui: Ui,
    list: List,
}

#[derive(Template)]
#[template(path = "inbox_waiting_partial.html")]
pub(super) struct WaitingPartial {
    ui: Ui,
    count: i64,
}

/// What the address asks for; where it names no account, the one chosen in the account switcher.
async fn asked(hub: &Hub, ui: &Ui, viewer: &Viewer, query: &Query) -> AppResult<Choice> {
    let choice = Choice::from(query);
    if choice.account.is_some() || choice.all {
        return Ok(choice);
    }
    Ok(Choice { account: crate::accounts::chosen(hub, &viewer.scope(), ui).await?, ..choice })
}

/// The page without an open conversation.
pub(super) async fn page(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    FromQuery(query): FromQuery<Query>,
) -> AppResult<Response> {
    let choice = asked(&hub, &ui, &viewer, &query).await?;
    let list = load(&hub, &ui, &viewer, &choice, None).await?;
    Ok(Page(InboxPage {
        now: hub.now().millis(),
        me: viewer.id.to_string(),
        ui,
        list,
        talk: None,
        view: "list",
    })
    .into_response())
}

/// The page with an open conversation.
pub(super) async fn page_with(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(conversation): Path<String>,
    FromQuery(query): FromQuery<Query>,
) -> AppResult<Response> {
    let conversation: ConversationId = id(&conversation)?;
    let choice = asked(&hub, &ui, &viewer, &query).await?;
    let talk = talk::load(&hub, &ui, &viewer, &conversation, &choice.query()).await?;
    let list = load(&hub, &ui, &viewer, &choice, Some(&conversation)).await?;
    let view = if query.view.as_deref() == Some("person") { "person" } else { "talk" };
    Ok(Page(InboxPage {
        now: hub.now().millis(),
        me: viewer.id.to_string(),
        ui,
        list,
        talk: Some(talk),
        view,
    })
    .into_response())
}

/// The conversation with a contact, for links from elsewhere (S4-38).
pub(super) async fn with_contact(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(contact): Path<String>,
) -> AppResult<Redirect> {
    let contact: ContactId = id(&contact)?;
    let conversation = service::with_contact(&hub, &viewer.scope(), &contact).await?;
    Ok(Redirect::to(&format!("/inbox/{conversation}")))
}

/// The left pane anew: another tab, account or search; and pages after the first.
pub(super) async fn list(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    FromQuery(query): FromQuery<Query>,
) -> AppResult<Response> {
    let choice = asked(&hub, &ui, &viewer, &query).await?;
    let current = query.open.as_deref().and_then(<ConversationId as Id>::parse);
    let list = load(&hub, &ui, &viewer, &choice, current.as_ref()).await?;
    Ok(if choice.after.is_some() {
        Page(RowsPartial { ui, list }).into_response()
    } else {
        Page(ListPartial { ui, list }).into_response()
    })
}

/// Rows that have changed, with the numbers of the tabs; those that do not belong into this list are left out, but for
/// the one that is open: it goes when the reader does.
pub(super) async fn rows(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    FromQuery(query): FromQuery<Query>,
) -> AppResult<Page<RowsPartial>> {
    let choice = asked(&hub, &ui, &viewer, &query).await?;
    let (scope, me) = (viewer.scope(), viewer.id.as_str());
    let current = query.open.as_deref().and_then(<ConversationId as Id>::parse);
    let mut found = Vec::new();
    for text in query.ids.as_deref().unwrap_or_default().split(',').take(MAX_ROWS) {
        let Some(asked) = <ConversationId as Id>::parse(text) else { continue };
        match service::get(&hub, &scope, &asked).await {
            Ok(conversation) if choice.takes(&conversation, me) || current.as_ref() == Some(&asked) => {
                found.push(conversation);
            }
            Ok(_) => {}
            Err(error) if error.code == "not_found" => {}
            Err(error) => return Err(error),
        }
    }
    let list = assemble(&hub, &ui, &viewer, &choice, current.as_ref(), found).await?;
    Ok(Page(RowsPartial { ui, list }))
}

/// How many conversations wait for an answer; nothing when none does.
pub(super) async fn waiting(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
) -> AppResult<Page<WaitingPartial>> {
    let counts = service::counts(&hub, &viewer.scope()).await?;
    Ok(Page(WaitingPartial { ui, count: counts.iter().map(|c| c.unanswered).sum() }))
}

async fn load(
    hub: &Hub,
    ui: &Ui,
    viewer: &Viewer,
    choice: &Choice,
    current: Option<&ConversationId>,
) -> AppResult<List> {
    let found = service::list(hub, &viewer.scope(), &choice.filter(viewer.id.as_str())).await?;
    assemble(hub, ui, viewer, choice, current, found).await
}

async fn assemble(
    hub: &Hub,
    ui: &Ui,
    viewer: &Viewer,
    choice: &Choice,
    current: Option<&ConversationId>,
    mut found: Vec<Conversation>,
) -> AppResult<List> {
    let scope = viewer.scope();
    let accounts = crate::accounts::service::list(hub, &scope, None, 200).await?;
    let counts = service::counts(hub, &scope).await?;
    let fits = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let is_more = found.len() > fits;
    found.truncate(fits);
    let more = found
        .last()
        .filter(|_| is_more)
        .map(|last| choice.more(&write_place(last.activity_at, last.id.as_str())));
    let connected: Vec<&Account> = accounts.iter().filter(|a| a.status != Status::Disconnected).collect();
    let empty = match connected.first() {
        _ if !found.is_empty() => Empty::No,
        _ if !choice.q.is_empty() => Empty::NoMatch,
        None => Empty::NoAccount,
        Some(account) if choice.tab == Tab::Open && is_untouched(hub, viewer, choice).await? => {
            let chosen = connected.iter().find(|a| Some(&a.id) == choice.account.as_ref()).unwrap_or(account);
            Empty::NobodyYet(Invitation::to(chosen)?)
        }
        Some(_) => Empty::Tab(choice.tab),
    };
    let labels = words::labels(ui);
    let names: HashMap<&str, &str> = match accounts.as_slice() {
        [_] => HashMap::new(),
        all => all.iter().map(|a| (a.id.as_str(), a.display_name.as_str())).collect(),
    };
    let query = choice.query();
    let rows = found
        .iter()
        .map(|c| Row {
            account: names.get(c.account_id.as_str()).map(|&name| name.to_owned()),
            is_current: current == Some(&c.id),
            ..row(ui, &labels, c, &query)
        })
        .collect();
    Ok(List {
        tabs: tabs(ui, choice, &counts),
        account: choice.account.as_ref().map_or_else(String::new, ToString::to_string),
        tab: choice.tab.word(),
        q: choice.q.clone(),
        unread: counts.iter().map(|c| c.unread).sum(),
        rows,
        more,
        empty,
        accounts,
    })
}

/// Whether there is no conversation at all, of the chosen account or of any.
async fn is_untouched(hub: &Hub, viewer: &Viewer, choice: &Choice) -> AppResult<bool> {
    let any = service::Filter { account: choice.account.clone(), limit: 1, ..Default::default() };
    Ok(service::list(hub, &viewer.scope(), &any).await?.is_empty())
}

fn tabs(ui: &Ui, choice: &Choice, counts: &[Counts]) -> Vec<TabView> {
    let account = choice.account.as_ref().map(crate::ids::AccountId::as_str);
    let chosen = || counts.iter().filter(|c| account.is_none_or(|account| account == c.account));
    Tab::ALL
        .into_iter()
        .map(|tab| {
            let count: i64 = match tab {
                Tab::Open => chosen().map(|c| c.open).sum(),
                Tab::Unanswered => chosen().map(|c| c.unanswered).sum(),
                Tab::Unread => chosen().map(|c| c.unread).sum(),
                _ => 0,
            };
            TabView {
                href: format!("/inbox{}", choice.query_of(tab)),
                word: tab.word(),
                name: ui.t(tab.key()),
                count: (count > 0).then(|| ui.number(count)),
                is_current: tab == choice.tab,
            }
        })
        .collect()
}

fn row(ui: &Ui, labels: &Labels, c: &Conversation, query: &str) -> Row {
    let (name, summary) = (words::title(ui, c), words::summary(ui, labels, c.last_message.as_ref()));
    Row {
        say: ui.t2("inbox-says", ("name", name.as_str()), ("text", summary.as_str())),
        id: c.id.to_string(),
        href: format!("/inbox/{}{query}", c.id),
        contact: c.contact.as_ref().map_or_else(String::new, |contact| contact.id.to_string()),
        name,
        picture: words::picture(c).map(str::to_owned),
        is_group: c.kind != Kind::User,
        account: None,
        summary,
        ours: c.last_message.as_ref().is_some_and(|last| !last.inbound),
        last: c
            .last_message
            .as_ref()
            .filter(|last| last.inbound)
            .map_or_else(String::new, |last| last.id.to_string()),
        at: c.activity_at,
        place: write_place(c.activity_at, c.id.as_str()),
        unanswered: c.unanswered_since.is_some(),
        unread: c.unread_count,
        state: c.state,
        free_until: c.free_until.map(Timestamp::millis),
        assignee: c.assignee.as_ref().map(|(_, name)| name.clone()),
        blocked: c.contact.as_ref().is_some_and(|contact| contact.blocked_at.is_some()),
        is_current: false,
    }
}
