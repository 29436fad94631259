//! The list of contacts, and the contacts that the command palette finds.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;

use super::model::Contact;
use super::service::{self, ContactFilter};
use crate::accounts::Account;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::{AccountId, Id as _};
use crate::team::Viewer;
use crate::web::{NavEntry, Page, Ui};

/// The contacts' place in the rail.
pub const NAV: NavEntry =
    NavEntry { href: "/contacts", icon: "contact-round", label_key: "contacts-title", count: None };
/// Where the command palette finds contacts.
pub const SEARCH: &str = "/contacts/found";

/// Rows of one page.
const ROWS: i64 = 50;
/// Contacts in the command palette.
const FOUND: i64 = 8;
/// The value of `account` for all of them.
const ALL: &str = "all";

/// The pages of contacts.
pub fn routes() -> Router<Hub> {
    Router::new().route("/contacts", get(page)).route(SEARCH, get(found))
}

/// The query of the list's address.
#[derive(Debug, Default, Clone, Deserialize)]
struct Asked {
    q: Option<String>,
    account: Option<String>,
    tag: Option<String>,
    /// following or blocked.
    relation: Option<String>,
    after: Option<String>,
}

impl Asked {
    fn text(value: Option<&String>) -> Option<String> {
        value.map(|text| text.trim().chars().take(100).collect()).filter(|text: &String| !text.is_empty())
    }

    /// One row more than a page, to see whether there are more.
    fn filter(&self) -> ContactFilter {
        ContactFilter {
            account: self.account.as_deref().and_then(AccountId::parse),
            tag: Self::text(self.tag.as_ref()),
            following: match self.relation.as_deref() {
                Some("following") => Some(true),
                Some("blocked") => Some(false),
                _ => None,
            },
            q: Self::text(self.q.as_ref()),
            after: self.after.as_deref().and_then(|text| {
                let (at, id) = text.split_once('.')?;
                Some((Timestamp(at.parse().ok()?), id.to_owned()))
            }),
            limit: ROWS + 1,
        }
    }

    /// The address of the same list with one value changed; the first page of it.
    fn address(&self, name: &str, value: &str) -> String {
        let given =
            [("q", &self.q), ("account", &self.account), ("tag", &self.tag), ("relation", &self.relation)];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (known, kept) in given {
            let kept = kept.as_deref().filter(|_| known != name).unwrap_or_default();
            if !kept.is_empty() {
                query.append_pair(known, kept);
            }
        }
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        let query = query.finish();
        if query.is_empty() { "/contacts".to_owned() } else { format!("/contacts?{query}") }
    }
}

/// A contact as a row.
#[derive(Debug)]
struct Row {
    contact: Contact,
    name: String,
    account: Option<String>,
}

#[derive(Template)]
#[template(path = "contacts.html")]
struct ContactsPage {
    ui: Ui,
    asked: Asked,
    accounts: Vec<Account>,
    rows: Vec<Row>,
    next: Option<String>,
}

impl ContactsPage {
    fn q(&self) -> &str {
        self.asked.q.as_deref().unwrap_or_default()
    }

    fn tag(&self) -> &str {
        self.asked.tag.as_deref().unwrap_or_default()
    }

    fn account(&self) -> &str {
        self.asked.account.as_deref().unwrap_or_default()
    }

    fn relation(&self) -> &str {
        self.asked.relation.as_deref().unwrap_or_default()
    }

    fn is_narrowed(&self) -> bool {
        [self.q(), self.tag(), self.account(), self.relation()]
            .iter()
            .any(|value| !value.is_empty() && *value != ALL)
    }

    fn is_later_page(&self) -> bool {
        self.asked.after.is_some()
    }
}

#[derive(Template)]
#[template(path = "contacts_found_partial.html")]
struct FoundPartial {
    ui: Ui,
    rows: Vec<Row>,
}

async fn page(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Query(mut asked): Query<Asked>,
) -> AppResult<Page<ContactsPage>> {
    let scope = viewer.scope();
    // Where the address names no account, the one chosen in the account switcher.
    asked.account = match asked.account {
        None => crate::accounts::chosen(&hub, &scope, &ui).await?.map(|id| id.to_string()),
        Some(text) if text.is_empty() => Some(ALL.to_owned()),
        given => given,
    };
    let accounts = crate::accounts::service::list(&hub, &scope, None, 200).await?;
    let mut found = service::list(&hub, &scope, &asked.filter()).await?;
    let fits = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let is_more = found.len() > fits;
    found.truncate(fits);
    let place = found.last().filter(|_| is_more).map(|c| format!("{}.{}", c.created_at.millis(), c.id));
    let next = place.map(|place| asked.address("after", &place));
    let rows = rows(&ui, found, &accounts);
    Ok(Page(ContactsPage { ui, asked, accounts, rows, next }))
}

/// Contacts for the command palette.
async fn found(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> AppResult<Page<FoundPartial>> {
    let filter = ContactFilter { limit: FOUND, ..asked.filter() };
    let found = match &filter.q {
        Some(_) => service::list(&hub, &viewer.scope(), &filter).await?,
        None => Vec::new(),
    };
    Ok(Page(FoundPartial { rows: rows(&ui, found, &[]), ui }))
}

fn rows(ui: &Ui, found: Vec<Contact>, accounts: &[Account]) -> Vec<Row> {
    let names: HashMap<&str, &str> = match accounts {
        [] | [_] => HashMap::new(),
        all => all.iter().map(|a| (a.id.as_str(), a.display_name.as_str())).collect(),
    };
    found
        .into_iter()
        .map(|contact| Row {
            name: contact.display_name.clone().unwrap_or_else(|| ui.t("contacts-no-name")),
            account: names.get(contact.account_id.as_str()).map(|&name| name.to_owned()),
            contact,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_changes_one_value_and_begins_at_the_first_page() {
        let asked = Asked {
            q: Some("茶".into()),
            relation: Some("following".into()),
            after: Some("5.con_1".into()),
            ..Asked::default()
        };
        assert_eq!(asked.address("relation", "blocked"), "/contacts?q=%E8%8C%B6&relation=blocked");
        assert_eq!(asked.address("relation", ""), "/contacts?q=%E8%8C%B6");
        assert_eq!(asked.address("after", "7.x"), "/contacts?q=%E8%8C%B6&relation=following&after=7.x");
        let filter = asked.filter();
        assert_eq!((filter.following, filter.after), (Some(true), Some((Timestamp(5), "con_1".into()))));
    }
}
