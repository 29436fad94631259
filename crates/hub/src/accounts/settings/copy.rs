//! Copying settings from one account to another of the same tenant, such as from test to live (S2-07). What belongs to the
//! account itself stays behind: credentials, ticks, label, kind, environment.

use super::{Changes, change};
use crate::accounts::model::{Account, AnswerKind, GroupChats, Market, Owner, Plan, SenderName};
use crate::accounts::plan;
use crate::accounts::service::get;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::team::Actor;

/// A setting that copying changes, as keys of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// What it is called.
    pub setting: &'static str,
    /// How it is.
    pub before: &'static str,
    /// How it will be.
    pub after: &'static str,
}

/// What copying from one account to another changes, in the order of the pages.
#[must_use]
pub fn copied(from: &Account, to: &Account) -> Vec<Copied> {
    let market = |account: &Account| account.market().map_or("accounts-market-none", Market::words);
    let mut all = vec![
        Copied { setting: "accounts-market", before: market(to), after: market(from) },
        Copied {
            setting: "accounts-groups",
            before: groups(to.group_chats),
            after: groups(from.group_chats),
        },
        Copied {
            setting: "accounts-sender",
            before: sender(to.sender_name),
            after: sender(from.sender_name),
        },
        Copied { setting: "plan-choice", before: plan_words(to.plan), after: plan_words(from.plan) },
    ];
    all.extend(plan::owners(from).map(|(kind, after)| Copied {
        setting: kind_words(kind),
        before: owner_words(plan::owner(to, kind)),
        after: owner_words(after),
    }));
    all.retain(|change| change.before != change.after);
    all
}

/// Copies settings from one account to another, and notes who did.
///
/// # Errors
/// 404 when one of them is not in the scope; 422 at `from` when it is the same account; the database.
pub async fn copy(hub: &Hub, who: (&Scope, &Actor), from: &AccountId, to: &AccountId) -> AppResult<Account> {
    if from == to {
        let detail = "this is the account itself; name another one to copy from";
        return Err(AppError::invalid_field("from", "same_account", detail));
    }
    let from = get(hub, who.0, from).await?;
    let changes = Changes {
        market: Some(from.market()),
        group_chats: Some(from.group_chats),
        sender_name: Some(from.sender_name),
        plan: Some(from.plan),
        owners: plan::owners(&from).to_vec(),
        ..Changes::default()
    };
    change(hub, who, to, &changes).await
}

const fn groups(groups: GroupChats) -> &'static str {
    match groups {
        GroupChats::Shown => "accounts-groups-shown",
        GroupChats::Hidden => "accounts-groups-hidden",
    }
}

const fn sender(sender: SenderName) -> &'static str {
    match sender {
        SenderName::Account => "accounts-sender-account",
        SenderName::Agent => "accounts-sender-agent",
    }
}

const fn plan_words(plan: Plan) -> &'static str {
    match plan {
        Plan::A => "plan-a",
        Plan::B => "plan-b",
    }
}

const fn kind_words(kind: AnswerKind) -> &'static str {
    match kind {
        AnswerKind::Greeting => "plan-kind-greeting",
        AnswerKind::Keyword => "plan-kind-keyword",
        AnswerKind::Away => "plan-kind-away",
        AnswerKind::Bot => "plan-kind-bot",
    }
}

const fn owner_words(owner: Owner) -> &'static str {
    match owner {
        Owner::Hub => "plan-owner-hub",
        Owner::Line => "plan-owner-line",
        Owner::Nobody => "plan-owner-nobody",
    }
}
