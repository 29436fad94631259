//! Paid memberships (PLATFORM 9, membership): the plans of an account, who subscribes, and what the API tells of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::routing::get;
use axum::{Json, Router};
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Inner;
use crate::events::user_id;
use crate::ids::is_line_id;
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::line::paging::Page;
use crate::line::query::Query;

type Answer = Result<Json<Value>, LineError>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/membership/list", get(list))
        .route("/v2/bot/membership/subscription/{user_id}", get(subscription))
        .route("/v2/bot/membership/{membership_id}/users/ids", get(members))
}

/// The plans of all accounts by channel ID, oldest first.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    accounts: BTreeMap<String, Vec<Plan>>,
}

/// A membership plan with its subscribers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) benefits: Vec<String>,
    /// The monthly fee.
    pub(crate) price: f64,
    pub(crate) currency: String,
    pub(crate) member_limit: Option<u64>,
    pub(crate) in_app_purchase: bool,
    pub(crate) published: bool,
    members: BTreeMap<u64, Member>,
    /// How many numbers were given out.
    numbers: u64,
}

/// A person's subscription.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) number: u64,
    joined_at: i64,
    /// Months begun: 1 at first, one more at each renewal; a new subscription begins at 1 again.
    months: i32,
}

impl State {
    /// An account's plans, oldest first.
    pub(crate) fn plans(&self, channel: &str) -> &[Plan] {
        self.accounts.get(channel).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn plan_mut(&mut self, channel: &str, id: u64) -> Option<&mut Plan> {
        self.accounts.get_mut(channel)?.iter_mut().find(|plan| plan.id == id)
    }

    /// Adds a plan under an ID that no plan has yet.
    pub(crate) fn add(&mut self, channel: &str, plan: Plan) {
        self.accounts.entry(channel.to_owned()).or_default().push(plan);
    }

    /// Tells whether any account has a plan with this ID.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.accounts.values().flatten().any(|plan| plan.id == id)
    }
}

impl Plan {
    /// A plan without subscribers: title, monthly fee and its currency.
    pub(crate) fn new(id: u64, title: String, price: f64, currency: &str) -> Self {
        Self {
            id,
            title,
            description: String::new(),
            benefits: Vec::new(),
            price,
            currency: currency.to_owned(),
            member_limit: None,
            in_app_purchase: false,
            published: true,
            members: BTreeMap::new(),
            numbers: 0,
        }
    }

    /// A person subscribes at `now` (ms). `Err` says why it is not possible.
    pub(crate) fn join(&mut self, person: u64, now: i64) -> Result<Member, &'static str> {
        if self.members.contains_key(&person) {
            return Err("the person is a member already");
        }
        if self.member_limit.is_some_and(|limit| self.members.len() as u64 >= limit) {
            return Err("the plan has no place left");
        }
        self.numbers += 1;
        let member = Member { number: self.numbers, joined_at: now, months: 1 };
        self.members.insert(person, member);
        Ok(member)
    }

    /// A subscriber's next month begins.
    pub(crate) fn renew(&mut self, person: u64) -> Result<Member, &'static str> {
        let member = self.members.get_mut(&person).ok_or("the person is no member")?;
        member.months += 1;
        Ok(*member)
    }

    /// A subscriber ends the subscription.
    pub(crate) fn leave(&mut self, person: u64) -> Result<Member, &'static str> {
        self.members.remove(&person).ok_or("the person is no member")
    }

    /// The plan as every call shows it.
    fn describe(&self) -> Map<String, Value> {
        Map::from_iter([
            ("membershipId".to_owned(), json!(self.id)),
            ("title".to_owned(), json!(self.title)),
            ("description".to_owned(), json!(self.description)),
            ("benefits".to_owned(), json!(self.benefits)),
            ("price".to_owned(), json!(self.price)),
            ("currency".to_owned(), json!(self.currency)),
        ])
    }

    /// The plan as the list shows it.
    pub(crate) fn describe_whole(&self) -> Value {
        let mut shown = self.describe();
        shown.insert("memberCount".into(), json!(self.members.len()));
        shown.insert("memberLimit".into(), json!(self.member_limit));
        shown.insert("isInAppPurchase".into(), self.in_app_purchase.into());
        shown.insert("isPublished".into(), self.published.into());
        Value::Object(shown)
    }
}

impl Member {
    fn describe(&self) -> Value {
        json!({
            "membershipNo": self.number,
            "joinedTime": self.joined_at / 1_000,
            "nextBillingDate": self.next_billing_date(),
            "totalSubscriptionMonths": self.months,
        })
    }

    /// The same day of the month after the months begun (UTC+9).
    fn next_billing_date(&self) -> String {
        let joined = Timestamp::from_millisecond(self.joined_at).unwrap_or_default();
        let date = jiff::tz::Offset::constant(9).to_datetime(joined).date();
        date.saturating_add(self.months.months()).to_string()
    }
}

async fn list(Shared(inner): Shared<Arc<Inner>>, caller: Caller) -> Answer {
    let world = inner.world();
    let plans = world.memberships.plans(&caller.channel);
    if plans.is_empty() {
        return Err(LineError::missing("Membership plan not found"));
    }
    Ok(Json(json!({ "memberships": plans.iter().map(Plan::describe_whole).collect::<Vec<_>>() })))
}

/// What a person subscribes to.
async fn subscription(
    Shared(inner): Shared<Arc<Inner>>,
    caller: Caller,
    Path(user_id): Path<String>,
) -> Answer {
    if !is_line_id(&user_id, 'U') {
        return Err(LineError::invalid_parameter("userId"));
    }
    let world = inner.world();
    let provider = &world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?.provider;
    let person = world.person_by_id(provider, &user_id).ok_or_else(LineError::not_found)?;
    let plans = world.memberships.plans(&caller.channel).iter();
    let subscriptions: Vec<Value> = plans
        .filter_map(|plan| Some((plan, plan.members.get(&person)?)))
        .map(|(plan, member)| json!({ "membership": plan.describe(), "user": member.describe() }))
        .collect();
    if subscriptions.is_empty() {
        return Err(LineError::not_found());
    }
    Ok(Json(json!({ "subscriptions": subscriptions })))
}

/// The subscribers of a plan who are friends, by their member numbers.
async fn members(
    Shared(inner): Shared<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    let now = inner.clock.now();
    let world = inner.world();
    let plans = world.memberships.plans(&caller.channel).iter();
    let plan = plans.into_iter().find(|plan| plan.id.to_string() == id);
    let plan = plan.ok_or_else(|| LineError::missing("Membership ID is not found"))?;
    let name = format!("members/{}/{id}", caller.channel);
    let page = Page::read((query.get("start"), query.get("limit")), &name, (300, 1_000), now)?;
    let mut members: Vec<(u64, u64)> = plan
        .members
        .iter()
        .filter(|(person, _)| world.bond(&caller.channel, **person).following)
        .map(|(person, member)| (member.number, *person))
        .collect();
    members.sort_unstable();
    let next = page.next(&name, members.len(), now);
    let shown = members.into_iter().skip(page.from).take(page.limit);
    let ids: Vec<String> = shown.filter_map(|(_, person)| user_id(&world, &caller.channel, person)).collect();
    let mut answer = Map::from_iter([("userIds".to_owned(), json!(ids))]);
    if let Some(next) = next {
        answer.insert("next".into(), next.into());
    }
    Ok(Json(Value::Object(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 9: the next payment is due a month after the months begun, in UTC+9.
    #[test]
    fn months_are_billed_on_the_same_day() {
        // 2024-01-31 00:30 in Tokyo.
        let mut plan = Plan::new(1, "Tea".into(), 500.0, "JPY");
        let member = plan.join(7, 1_706_628_600_000).unwrap();
        assert_eq!(member.next_billing_date(), "2024-02-29");
        let member = plan.renew(7).unwrap();
        assert_eq!((member.next_billing_date().as_str(), member.months), ("2024-03-31", 2));
        plan.leave(7).unwrap();
        assert!(plan.renew(7).is_err());
        let member = plan.join(7, 1_706_628_600_000).unwrap();
        assert_eq!((member.number, member.months), (2, 1));
    }
}
