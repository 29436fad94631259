//! Which conversations the list shows: what the address says, as a filter of the database and as a rule for one row.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::ids::{AccountId, Id as _};
use crate::inbox::model::{Conversation, Kind, State};
use crate::inbox::service::Filter;
use crate::text::searchable;

/// Rows in one page of the list.
pub(super) const ROWS: i64 = 40;

/// The query of the inbox's addresses, as it comes.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct Query {
    filter: Option<String>,
    pub(super) account: Option<String>,
    q: Option<String>,
    after: Option<String>,
    /// `person`: on a narrow screen the contact panel is in front.
    pub(super) view: Option<String>,
    /// For rows: the conversations asked for, by commas.
    pub(super) ids: Option<String>,
    /// The conversation that is open beside the list.
    pub(super) open: Option<String>,
}

/// A tab of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tab {
    /// Nobody has closed or put them off.
    #[default]
    Open,
    /// The last word is the other side's (S4-37).
    Unanswered,
    /// With messages that nobody has looked at.
    Unread,
    /// The reader's own.
    Mine,
    /// Groups and rooms.
    Groups,
    /// Put off.
    Snoozed,
    /// Done.
    Closed,
}

impl Tab {
    pub(super) const ALL: [Self; 7] =
        [Self::Open, Self::Unanswered, Self::Unread, Self::Mine, Self::Groups, Self::Snoozed, Self::Closed];

    /// As in the address.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unanswered => "unanswered",
            Self::Unread => "unread",
            Self::Mine => "mine",
            Self::Groups => "groups",
            Self::Snoozed => "snoozed",
            Self::Closed => "closed",
        }
    }

    /// The key of its name.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Open => "inbox-tab-open",
            Self::Unanswered => "inbox-tab-unanswered",
            Self::Unread => "inbox-tab-unread",
            Self::Mine => "inbox-tab-mine",
            Self::Groups => "inbox-tab-groups",
            Self::Snoozed => "inbox-tab-snoozed",
            Self::Closed => "inbox-tab-closed",
        }
    }
}

/// What the reader has chosen to see.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    pub(super) tab: Tab,
    pub(super) account: Option<AccountId>,
    /// All accounts were asked for, whatever is chosen in the account switcher.
    pub(super) all: bool,
    pub(super) q: String,
    pub(super) after: Option<(Timestamp, String)>,
}

impl From<&Query> for Choice {
    /// What makes no sense is as if it were not there: an address is often typed or old.
    fn from(query: &Query) -> Self {
        let word = query.filter.as_deref().unwrap_or_default();
        Self {
            tab: Tab::ALL.into_iter().find(|tab| tab.word() == word).unwrap_or_default(),
            account: query.account.as_deref().and_then(AccountId::parse),
            all: matches!(query.account.as_deref(), Some("" | "all")),
            q: query.q.as_deref().unwrap_or_default().trim().chars().take(100).collect(),
            after: query.after.as_deref().and_then(read_place),
        }
    }
}

impl Choice {
    /// The filter of the database; one row more than a page, to see whether there are more.
    pub(super) fn filter(&self, me: &str) -> Filter {
        let open = Some(State::Open);
        let base = Filter {
            account: self.account.clone(),
            q: Some(self.q.clone()).filter(|q| !q.is_empty()),
            after: self.after.clone(),
            limit: ROWS + 1,
            ..Filter::default()
        };
        match self.tab {
            Tab::Open => Filter { state: open, ..base },
            Tab::Unanswered => Filter { state: open, unanswered: Some(true), ..base },
            Tab::Unread => Filter { unread: true, ..base },
            Tab::Mine => Filter { state: open, assignee: Some(me.to_owned()), ..base },
            Tab::Groups => Filter { kind: Some(Kind::Group), ..base },
            Tab::Snoozed => Filter { state: Some(State::Snoozed), ..base },
            Tab::Closed => Filter { state: Some(State::Closed), ..base },
        }
    }

    /// Whether a conversation that has just changed belongs into the list; says the same as [`Choice::filter`].
    pub(super) fn takes(&self, c: &Conversation, me: &str) -> bool {
        let is_open = c.state == State::Open;
        let in_tab = match self.tab {
            Tab::Open => is_open,
            Tab::Unanswered => is_open && c.unanswered_since.is_some(),
            Tab::Unread => c.unread_count > 0,
            Tab::Mine => is_open && c.assignee.as_ref().is_some_and(|(id, _)| id == me),
            Tab::Groups => c.kind != Kind::User,
            Tab::Snoozed => c.state == State::Snoozed,
            Tab::Closed => c.state == State::Closed,
        };
        let name = match &c.contact {
            Some(contact) => contact.display_name.as_deref(),
            None => c.title.as_deref(),
        };
        in_tab
            && !c.hidden
            && self.account.as_ref().is_none_or(|account| *account == c.account_id)
            && (self.q.is_empty() || name.is_some_and(|name| searchable(name).contains(&searchable(&self.q))))
    }

    /// The query of an address that keeps the choice; begins with `?`, or is empty for the first page of all that is open.
    pub(super) fn query(&self) -> String {
        self.query_of(self.tab)
    }

    /// The same for another tab.
    pub(super) fn query_of(&self, tab: Tab) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if tab != Tab::default() {
            query.append_pair("filter", tab.word());
        }
        if let Some(account) = &self.account {
            query.append_pair("account", account.as_str());
        } else if self.all {
            query.append_pair("account", "all");
        }
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// The address of the page after `place`.
    pub(super) fn more(&self, place: &str) -> String {
        let query = self.query();
        let sign = if query.is_empty() { '?' } else { '&' };
        format!("/inbox{query}{sign}after={place}")
    }
}

/// A place in a list, for an address: the time and the id.
pub(super) fn write_place(at: Timestamp, id: &str) -> String {
    format!("{}.{id}", at.millis())
}

/// Reads what [`write_place`] wrote.
pub(super) fn read_place(text: &str) -> Option<(Timestamp, String)> {
    let (at, id) = text.split_once('.')?;
    Some((Timestamp(at.parse().ok()?), id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Entropy;
    use crate::ids::{ConversationId, TenantId};

    fn conversation() -> Conversation {
        let entropy = Entropy::seeded(1);
        let at = Timestamp(1_767_225_600_000);
        Conversation {
            id: ConversationId::new(at, &entropy),
            tenant_id: TenantId::new(at, &entropy),
            account_id: AccountId::new(at, &entropy),
            messenger: "line".into(),
            kind: Kind::Group,
            external_id: "C1".into(),
            contact: None,
            title: Some("Weekend  Hikers".into()),
            picture_url: None,
            state: State::Open,
            snoozed_until: None,
            assignee: Some(("usr_me".into(), "Me".into())),
            unanswered_since: Some(at),
            unread_count: 2,
            last_message: None,
            activity_at: at,
            standby: false,
            left_at: None,
            hidden: false,
            free_until: None,
        }
    }

    fn choice(query: &str) -> Choice {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let mut read = Query::default();
        for (name, value) in pairs {
            let value = Some(value.into_owned());
            match &*name {
                "filter" => read.filter = value,
                "account" => read.account = value,
                "q" => read.q = value,
                _ => read.after = value,
            }
        }
        Choice::from(&read)
    }

    #[test]
    fn a_changed_conversation_stays_in_the_tabs_it_belongs_to() {
        // S4-37: "unanswered" is a filter, and a conversation leaves it when it is answered.
        let mut c = conversation();
        let tabs = |c: &Conversation| -> Vec<&str> {
            Tab::ALL
                .into_iter()
                .filter(|tab| Choice { tab: *tab, ..Choice::default() }.takes(c, "usr_me"))
                .map(Tab::word)
                .collect()
        };
        assert_eq!(tabs(&c), ["open", "unanswered", "unread", "mine", "groups"]);
        c.unanswered_since = None;
        c.unread_count = 0;
        assert_eq!(tabs(&c), ["open", "mine", "groups"]);
        c.state = State::Snoozed;
        assert_eq!(tabs(&c), ["groups", "snoozed"]);
        c.state = State::Closed;
        c.kind = Kind::User;
        assert_eq!(tabs(&c), ["closed"]);
    }

    #[test]
    fn search_and_account_narrow_a_tab() {
        let c = conversation();
        assert!(choice("q=weekend+HIKERS").takes(&c, ""));
        assert!(!choice("q=tea").takes(&c, ""));
        let account = c.account_id.as_str();
        assert!(choice(&format!("account={account}")).takes(&c, ""));
        let other = AccountId::new(Timestamp(5), &Entropy::seeded(9));
        assert!(!choice(&format!("account={other}")).takes(&c, ""));
    }

    #[test]
    fn an_address_keeps_the_choice_and_ignores_nonsense() {
        let chosen = choice("filter=unread&q=%E8%8C%B6+a%26b&account=nonsense&after=17.cnv_1");
        assert_eq!(chosen.query(), "?filter=unread&q=%E8%8C%B6+a%26b");
        assert_eq!(chosen.query_of(Tab::Open), "?q=%E8%8C%B6+a%26b");
        assert_eq!(chosen.after, Some((Timestamp(17), "cnv_1".to_owned())));
        assert_eq!(chosen.more("5.x"), "/inbox?filter=unread&q=%E8%8C%B6+a%26b&after=5.x");
        assert_eq!(choice("filter=zzz").query(), "");
        assert_eq!(choice("").more("5.x"), "/inbox?after=5.x");
        assert_eq!(read_place("nonsense"), None);
    }
}
