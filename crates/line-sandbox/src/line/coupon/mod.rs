//! Coupons (PLATFORM 13): made once, never changed, only closed; people acquire and use them.

mod api;
mod check;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Inner;
use crate::ids::Ids;
use crate::line::error::LineError;

pub(crate) use check::check;

/// Valid coupons of one account at most (PLATFORM 13).
const VALID_KEPT: usize = 5_000;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/coupon", post(api::create).get(api::list))
        .route("/v2/bot/coupon/{coupon_id}", get(api::show))
        .route("/v2/bot/coupon/{coupon_id}/close", put(api::close))
}

/// The coupons of all accounts by channel ID, oldest first.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    accounts: BTreeMap<String, Vec<Coupon>>,
}

/// A coupon with who has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Coupon {
    id: String,
    /// The checked body of its creation, with the account's currency.
    object: Value,
    created_at: i64,
    /// Saved in OA Manager and not given out yet.
    draft: bool,
    closed: bool,
    tickets: BTreeMap<u64, Ticket>,
}

/// What became of a person's try to get a coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ticket {
    /// Acquired, and how often it was used.
    Won { at: i64, uses: u32 },
    /// The lottery was lost; it is drawn once per person.
    Lost,
}

/// LINE's states of a coupon; `Running` begins before its period does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Draft,
    Running,
    Closed,
}

impl Status {
    const ALL: [Self; 3] = [Self::Draft, Self::Running, Self::Closed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Running => "RUNNING",
            Self::Closed => "CLOSED",
        }
    }
}

impl State {
    /// An account's coupon.
    pub(crate) fn get(&self, channel: &str, id: &str) -> Option<&Coupon> {
        self.accounts.get(channel)?.iter().find(|coupon| coupon.id == id)
    }

    pub(crate) fn get_mut(&mut self, channel: &str, id: &str) -> Option<&mut Coupon> {
        self.accounts.get_mut(channel)?.iter_mut().find(|coupon| coupon.id == id)
    }

    /// Every coupon that a person has, with its channel.
    pub(crate) fn of_person(&self, person: u64) -> impl Iterator<Item = (&str, &Coupon, Ticket)> {
        self.accounts.iter().flat_map(move |(channel, coupons)| {
            let held = coupons.iter().filter_map(move |coupon| Some((coupon, *coupon.tickets.get(&person)?)));
            held.filter(|(_, ticket)| *ticket != Ticket::Lost)
                .map(move |(coupon, ticket)| (channel.as_str(), coupon, ticket))
        })
    }

    /// Makes a coupon of a checked body; refused when the account has 5,000 valid ones.
    pub(crate) fn create(
        &mut self,
        ids: &Ids,
        channel: &str,
        country: &str,
        body: &Value,
        draft: bool,
        now: i64,
    ) -> Result<String, LineError> {
        let coupons = self.accounts.entry(channel.to_owned()).or_default();
        if coupons.iter().filter(|coupon| coupon.status(now) == Status::Running).count() >= VALID_KEPT {
            return Err(LineError::property("", "You have too many coupons created."));
        }
        let id = ids.event_id(now);
        let object = check::stored(body, country);
        let tickets = BTreeMap::new();
        coupons.push(Coupon { id: id.clone(), object, created_at: now, draft, closed: false, tickets });
        Ok(id)
    }

    /// A coupon message needs a coupon of the account that is given out at present. LINE's text is not published.
    pub(crate) fn check_messages(
        &self,
        channel: &str,
        messages: &[Value],
        now: i64,
    ) -> Result<(), LineError> {
        for (index, message) in messages.iter().enumerate() {
            if message.get("type").and_then(Value::as_str) != Some("coupon") {
                continue;
            }
            let id = message.get("couponId").and_then(Value::as_str).unwrap_or_default();
            if self.get(channel, id).is_none_or(|coupon| coupon.status(now) != Status::Running) {
                return Err(LineError::property(&format!("messages[{index}].couponId"), "coupon not found"));
            }
        }
        Ok(())
    }
}

impl Coupon {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The status at `now` (ms).
    pub(crate) fn status(&self, now: i64) -> Status {
        if self.closed || self.seconds("endTimestamp") * 1_000 <= now {
            Status::Closed
        } else if self.draft {
            Status::Draft
        } else {
            Status::Running
        }
    }

    /// The coupon as `GET /v2/bot/coupon/{id}` shows it.
    pub(crate) fn describe(&self, now: i64) -> Value {
        let mut shown = Map::from_iter([("couponId".to_owned(), Value::from(self.id.as_str()))]);
        if let Value::Object(parts) = &self.object {
            shown.extend(parts.clone());
        }
        shown.insert("maxTicketPerUser".into(), json!(1));
        shown.insert("status".into(), self.status(now).name().into());
        shown.insert("createdTimestamp".into(), json!(self.created_at / 1_000));
        Value::Object(shown)
    }

    /// A person tries to get the coupon: once, while it is given out. `Err` says why it is not possible.
    pub(crate) fn acquire(&mut self, ids: &Ids, person: u64, now: i64) -> Result<Ticket, &'static str> {
        if self.status(now) != Status::Running {
            return Err("the coupon is not given out at present");
        }
        match self.tickets.get(&person) {
            Some(Ticket::Won { .. }) => return Err("the person has this coupon already"),
            Some(Ticket::Lost) => return Err("the person has lost this coupon's lottery"),
            None => {}
        }
        let condition = self.object.get("acquisitionCondition");
        let number = |name: &str| condition.and_then(|condition| condition.get(name)?.as_i64());
        let winners = self.tickets.values().filter(|ticket| **ticket != Ticket::Lost).count();
        let full = number("maxAcquireCount")
            .and_then(|most| usize::try_from(most).ok())
            .is_some_and(|most| winners >= most);
        let percent = number("lotteryProbability").and_then(|percent| u32::try_from(percent).ok());
        let lucky = percent.is_none_or(|percent| ids.chance(f64::from(percent) / 100.0));
        let ticket = if full || !lucky { Ticket::Lost } else { Ticket::Won { at: now, uses: 0 } };
        self.tickets.insert(person, ticket);
        Ok(ticket)
    }

    /// A person uses the coupon, within its period and as often as it allows. `Err` says why it is not possible.
    pub(crate) fn spend(&mut self, person: u64, now: i64) -> Result<Ticket, &'static str> {
        if self.status(now) == Status::Closed {
            return Err("the coupon has ended");
        }
        if self.seconds("startTimestamp") * 1_000 > now {
            return Err("the coupon's period has not begun");
        }
        let once = self.object.get("maxUseCountPerTicket").and_then(Value::as_i64) == Some(1);
        match self.tickets.get_mut(&person) {
            Some(Ticket::Won { uses, .. }) if once && *uses > 0 => Err("the coupon has been used"),
            Some(Ticket::Won { at, uses }) => {
                *uses += 1;
                Ok(Ticket::Won { at: *at, uses: *uses })
            }
            _ => Err("the person does not have this coupon"),
        }
    }

    fn seconds(&self, name: &str) -> i64 {
        self.object.get(name).and_then(Value::as_i64).unwrap_or_default()
    }
}
