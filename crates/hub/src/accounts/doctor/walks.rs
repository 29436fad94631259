//! The troubleshooter: three short walks, each through the checks in the order in which a person would look, ending in what
//! to do or in a text for a colleague (S1-19, S1-30, S1-39, S4-29, S4-43).

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::model::{Code, State as CheckState};
use super::repo::Kept;
use super::service;
use super::view::{Act, Item, LEFT, Looker};
use crate::accounts::model::Status;
use crate::accounts::pages::gone::gone;
use crate::accounts::pages::head::{AccountHead, Tab};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;
use crate::web::i18n::words;
use crate::web::{Page, Ui, moment_text};

/// The walks' pages.
pub(in crate::accounts) fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/{id}/help", get(choose))
        .route("/settings/accounts/{id}/help/{walk}", get(walk))
}

/// What somebody sees that should not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// No message arrives.
    Message,
    /// The channel is not listed in LINE Developers.
    Channel,
    /// Sign-in asks for no consent, or fails.
    Login,
}

/// What stands beside a walk's name.
struct Drawn {
    icon: &'static str,
}

impl Walk {
    const ALL: [Self; 3] = [Self::Message, Self::Channel, Self::Login];

    const fn path(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Channel => "channel",
            Self::Login => "login",
        }
    }

    const fn drawn(self) -> Drawn {
        match self {
            Self::Message => Drawn { icon: "message-circle-off" },
            Self::Channel => Drawn { icon: "eye-off" },
            Self::Login => Drawn { icon: "log-in" },
        }
    }

    fn parse(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|walk| walk.path() == path)
    }

    /// The checks, in the order in which one rules out the next: what is not set cannot be on, and what is off tests nothing.
    const fn codes(self) -> &'static [Code] {
        match self {
            Self::Message => &[
                Code::Endpoint,
                Code::UseWebhook,
                Code::Token,
                Code::WebhookTest,
                Code::PublicUrl,
                Code::Certificate,
                Code::Signature,
                Code::LastEvent,
                Code::Storage,
            ],
            Self::Channel => &[],
            Self::Login => &[Code::LoginChannel, Code::Liff, Code::ProviderMatch, Code::PublicUrl],
        }
    }
}

#[derive(Template)]
#[template(path = "doctor_help.html")]
struct ChoosePage {
    ui: Ui,
    head: AccountHead,
    /// Address, icon, and the keys of title and detail.
    walks: Vec<(String, &'static str, String, String)>,
}

async fn choose(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Help).await?;
    if head.account.status == Status::Disconnected {
        return Ok(gone(ui, &viewer, head));
    }
    let shown = |walk: Walk| {
        let stem = format!("doctor-walk-{}", walk.path());
        (
            format!("/settings/accounts/{}/help/{}", head.account.id, walk.path()),
            walk.drawn().icon,
            ui.t(&format!("{stem}-title")),
            ui.t(&format!("{stem}-detail")),
        )
    };
    let walks = Walk::ALL.into_iter().map(shown).collect();
    Ok(Page(ChoosePage { ui, head, walks }).into_response())
}

#[derive(Template)]
#[template(path = "doctor_walk.html")]
struct WalkPage {
    ui: Ui,
    head: AccountHead,
    title: String,
    /// Where the walk stopped: the first thing that is wrong.
    cause: Option<Item>,
    /// What is to be said where nothing was found; `None` for a walk that only a person can go.
    nothing: Option<String>,
    /// What was checked.
    steps: Vec<Item>,
    /// What a person does by hand: title, detail.
    by_hand: Vec<(String, String)>,
    /// For somebody else.
    letter: String,
    again: String,
    help: String,
    acts: Vec<Act>,
    read_at: Timestamp,
}

async fn walk(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path((id, name)): Path<(String, String)>,
) -> AppResult<Response> {
    let walk = Walk::parse(&name).ok_or_else(|| AppError::not_found("page"))?;
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Help).await?;
    if head.account.status == Status::Disconnected {
        return Ok(gone(ui, &viewer, head));
    }
    let checks = match walk.codes() {
        [] => Vec::new(),
        codes => {
            let examined = service::examine_thoroughly(&hub, &viewer.scope(), &head.account.id).await?;
            let kept = |code: &Code| examined.checks.iter().find(|kept| kept.finding.code == *code).cloned();
            codes.iter().filter_map(kept).collect()
        }
    };
    let account = &head.account;
    let looker = Looker { ui: &ui, now: hub.now(), is_owner: viewer.is_owner(), account: Some(account) };
    let cause = cause(&checks).map(|kept| looker.item(kept));
    let steps: Vec<Item> = checks.iter().map(|kept| looker.item(kept)).collect();
    let letter = letter(&looker, walk, cause.as_ref(), &steps);
    let page = format!("/settings/accounts/{}", account.id);
    let acts = match walk {
        Walk::Message => Vec::new(),
        Walk::Channel => vec![
            Act::Line("https://developers.line.biz/console/".to_owned(), "doctor-open-developers"),
            Act::Line(account.manager("setting"), "doctor-open-manager"),
        ],
        Walk::Login => vec![Act::Page(format!("{page}/login-test"), "doctor-walk-open-login-test")],
    };
    let said = |key: &str| (ui.t(key), ui.t(&format!("{key}-detail")));
    let by_hand = match walk {
        Walk::Message => Vec::new(),
        Walk::Channel => (1..=4).map(|n| said(&format!("doctor-walk-channel-{n}"))).collect(),
        Walk::Login => vec![said("doctor-walk-login-published"), said("doctor-walk-login-test")],
    };
    let nothing = match walk {
        Walk::Message => Some(ui.t("doctor-walk-message-none")),
        Walk::Login => Some(ui.t("doctor-walk-login-none")),
        Walk::Channel => None,
    };
    let page = WalkPage {
        title: ui.t(&format!("doctor-walk-{}-title", walk.path())),
        cause,
        nothing,
        steps,
        by_hand,
        letter,
        again: format!("{page}/help/{}", walk.path()),
        help: format!("{page}/help"),
        acts,
        read_at: hub.now(),
        ui,
        head,
    };
    Ok(Page(page).into_response())
}

/// Where a walk ends: at an address that was left to another system, else at the first check that failed; a warning counts where
/// nothing failed. What cannot be judged ends none.
fn cause(checks: &[Kept]) -> Option<&Kept> {
    let first = |state| checks.iter().find(|kept| kept.finding.state == state);
    let is_left =
        |kept: &&Kept| kept.finding.code == Code::Endpoint && kept.finding.variant.starts_with(LEFT);
    let left = checks.iter().find(is_left);
    left.or_else(|| first(CheckState::Failed)).or_else(|| first(CheckState::Warning))
}

/// What a colleague needs to know: which account, what was found, what to do. No secret has a place here.
fn letter(looker: &Looker<'_>, walk: Walk, cause: Option<&Item>, steps: &[Item]) -> String {
    let (Some(account), reader) = (looker.account, looker.reader()) else { return String::new() };
    let at = moment_text(reader.language, reader.zone, reader.now, reader.now);
    let arguments = [
        ("name", account.name().into()),
        ("id", account.line_id().into()),
        ("channel", account.channel_id.as_str().into()),
        ("at", at.into()),
    ];
    let mut lines = vec![words(reader.language, &format!("doctor-letter-{}", walk.path()), &arguments)];
    if let Some(cause) = cause {
        lines.push(format!("• {}: {}", cause.name, cause.title));
        lines.push(cause.detail.clone());
        lines.extend(cause.fix.clone());
    } else {
        lines.extend(steps.iter().map(|step| format!("• {}: {}", step.name, step.title)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::model::Finding;
    use super::*;
    use crate::app::testing::START;

    // S1-39
    #[test]
    fn a_walk_ends_at_the_first_thing_that_failed() {
        let kept = |code, state| Kept::after(None, Finding::new(code, state, "x", START));
        let found = |checks: &[Kept]| cause(checks).map(|kept| kept.finding.code);
        let (endpoint, switch, event) = (Code::Endpoint, Code::UseWebhook, Code::LastEvent);
        use CheckState::{Failed, Ok, Unknown, Warning};
        assert_eq!(found(&[kept(endpoint, Ok), kept(switch, Failed), kept(event, Failed)]), Some(switch));
        assert_eq!(found(&[kept(endpoint, Warning), kept(switch, Failed)]), Some(switch));
        assert_eq!(found(&[kept(endpoint, Ok), kept(event, Warning)]), Some(event));
        assert_eq!(found(&[kept(endpoint, Unknown), kept(event, Ok)]), None);
    }
}
