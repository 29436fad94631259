//! `GET /usage` (CONTRACT section 1).

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Month, Usage, Used, Via};
use super::service;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::ids::AccountId;
use crate::web::api::{ApiResult, CanRead, Params, Problems};

/// The calls.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(get_usage))
}

/// All accounts' months.
#[derive(Debug, Serialize, ToSchema)]
struct UsageList {
    /// One for each account.
    items: Vec<UsageView>,
}

/// One account's month.
#[derive(Debug, Serialize, ToSchema)]
struct UsageView {
    /// The account.
    account_id: String,
    /// The month, `2026-11`, in Japan's time.
    month: String,
    /// What LINE said last; null before the first reading.
    line: Option<LineView>,
    /// What the hub sent in the month.
    used: ByKind,
    /// The same by origin: `agent`, `automation`, `campaign`, `api`, `proxy`, `system`.
    by_origin: BTreeMap<&'static str, ByKind>,
}

/// LINE's own figures, of the present month. They are approximate and late and hold what OA Manager sent.
#[derive(Debug, Serialize, ToSchema)]
struct LineView {
    /// Messages that the month may cost; null without a limit.
    quota: Option<i64>,
    /// Messages that it has cost.
    used: i64,
    /// When LINE said so.
    #[schema(value_type = String, format = DateTime)]
    read_at: Timestamp,
}

/// Calls, messages and cost by the way of sending. Only the cost counts against the quota.
#[derive(Debug, Default, Serialize, ToSchema)]
struct ByKind {
    /// Free answers.
    reply: Used,
    /// To one chat.
    push: Used,
    /// To many friends.
    multicast: Used,
    /// To every friend, or to those that LINE chose among them; what it cost is counted where the hub could know it.
    broadcast: Used,
}

impl ByKind {
    const fn add(&mut self, via: Via, used: Used) {
        match via {
            Via::Reply => self.reply.add(used),
            Via::Push => self.push.add(used),
            Via::Multicast => self.multicast.add(used),
            Via::Broadcast | Via::Narrowcast => self.broadcast.add(used),
        }
    }
}

impl UsageView {
    fn new(usage: &Usage, month: Month) -> Self {
        let mut view = Self {
            account_id: usage.account.to_string(),
            month: month.to_string(),
            line: usage.line.map(|line| LineView {
                quota: line.quota,
                used: line.used,
                read_at: line.read_at,
            }),
            used: ByKind::default(),
            by_origin: BTreeMap::new(),
        };
        for (via, origin, used) in &usage.ours {
            view.used.add(*via, *used);
            view.by_origin.entry(origin.as_str()).or_default().add(*via, *used);
        }
        view
    }
}

/// What each account sent and what it cost, beside LINE's own figures.
#[utoipa::path(get, path = "/usage", tag = "Usage",
    params(("month" = Option<String>, Query, description = "`2026-11`; the present month unless given"),
        ("account_id" = Option<String>, Query, description = "only this account")),
    responses((status = 200, body = UsageList), Problems))]
async fn get_usage(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<UsageList>> {
    let month = match params.text("month") {
        None => Month::of(hub.now()),
        Some(text) => Month::parse(text).ok_or_else(|| {
            AppError::invalid_field("month", "malformed", "a month is written like 2026-11")
        })?,
    };
    service::read_quotas(&hub, Some(caller.scope.tenant())).await?;
    let account: Option<AccountId> = params.id("account_id")?;
    let usages = service::usage(&hub, &caller.scope, month).await?;
    let wanted =
        usages.iter().filter(|usage| account.as_ref().is_none_or(|account| usage.account == *account));
    Ok(Json(UsageList { items: wanted.map(|usage| UsageView::new(usage, month)).collect() }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::Id as _;
    use crate::outbox::model::{Origin, Reading};

    #[test]
    fn a_month_is_told_by_kind_and_origin_beside_lines_figure() {
        let used = |calls, cost| Used { calls, messages: calls, cost };
        let usage = Usage {
            account: AccountId::parse("acc_01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap(),
            line: Some(Reading { quota: Some(200), used: 9, read_at: Timestamp(1_767_225_600_000) }),
            ours: vec![
                (Via::Push, Origin::Agent, used(1, 1)),
                (Via::Push, Origin::Api, used(2, 6)),
                (Via::Reply, Origin::Agent, used(3, 0)),
            ],
        };
        let view = serde_json::to_value(UsageView::new(&usage, Month::parse("2026-01").unwrap())).unwrap();
        assert_eq!(view["line"], json!({ "quota": 200, "used": 9, "read_at": "2026-01-01T00:00:00.000Z" }));
        assert_eq!(view["used"]["push"], json!({ "calls": 3, "messages": 3, "cost": 7 }));
        assert_eq!(view["used"]["reply"]["calls"], 3);
        assert_eq!(view["used"]["broadcast"], json!({ "calls": 0, "messages": 0, "cost": 0 }));
        assert_eq!(view["by_origin"]["agent"]["push"]["cost"], 1);
        assert_eq!((&view["month"], view["by_origin"].as_object().unwrap().len()), (&json!("2026-01"), 2));
    }
}
