//! What stands on top of every page of an account: name, picture, state, tabs.

use super::{address, parse};
use crate::accounts::model::{Account, Status};
use crate::accounts::service;
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;

/// A page of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// The three blocks of its settings.
    Overview,
    /// Who answers what.
    Answers,
    /// The checks.
    Doctor,
    /// The other systems that get its events (the relay's pages).
    Relay,
    /// A trial of LINE Login.
    LoginTest,
    /// Walks that find a fault.
    Help,
}

impl Tab {
    const ALL: [Self; 6] =
        [Self::Overview, Self::Answers, Self::Relay, Self::Doctor, Self::LoginTest, Self::Help];

    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Answers => "/answers",
            Self::Relay => "/relay",
            Self::Doctor => "/doctor",
            Self::LoginTest => "/login-test",
            Self::Help => "/help",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Overview => "accounts-tab-overview",
            Self::Answers => "accounts-tab-answers",
            Self::Relay => "accounts-tab-relay",
            Self::Doctor => "accounts-tab-doctor",
            Self::LoginTest => "accounts-tab-login-test",
            Self::Help => "accounts-tab-help",
        }
    }
}

/// The field `head` of a page that extends `account_page.html`, whose block `part` is the page's own.
#[derive(Debug, Clone)]
pub(crate) struct AccountHead {
    /// The account.
    pub(crate) account: Account,
    /// Which of its tabs the page belongs to.
    pub(crate) tab: Tab,
    /// Whether LINE still has another public address of the hub.
    pub(crate) has_moved: bool,
}

impl AccountHead {
    /// Reads the account for one of its pages.
    ///
    /// # Errors
    /// 404 when the reader may not see it.
    pub(crate) async fn load(hub: &Hub, viewer: &Viewer, id: &str, tab: Tab) -> AppResult<Self> {
        let account = service::get(hub, &viewer.scope(), &parse(id)?).await?;
        Ok(Self { has_moved: account.has_moved(hub), account, tab })
    }

    /// Address, key of its name, and whether it is the current one, of each tab.
    pub(crate) fn tabs(&self) -> Vec<(String, &'static str, bool)> {
        let page = address(self.account.id.as_str());
        let shown = |tab: &&Tab| {
            self.account.status != Status::Disconnected || matches!(tab, Tab::Overview | Tab::Answers)
        };
        let tab = |tab: &Tab| (format!("{page}{}", tab.path()), tab.words(), *tab == self.tab);
        Tab::ALL.iter().filter(shown).map(tab).collect()
    }
}
