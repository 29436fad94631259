//! `GET /api/v1/events`: the journal, and how far each consumer is with each event.

use std::collections::{BTreeMap, HashSet};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::journal::{Entry, Filter, cursors};
use crate::web::api::{ApiResult, CanRead, PageParams, Paged, Params, Problems};

/// The calls of the journal.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list_events))
}

/// An event that LINE sent.
#[derive(Debug, Serialize, ToSchema)]
struct EventView {
    /// `evt_…`
    id: String,
    /// The account whose webhook was called.
    account_id: String,
    /// When the hub received it.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// LINE's id of the event; null when LINE sent none.
    webhook_event_id: Option<String>,
    /// LINE's `type`; `unknown` for an element that is no event.
    r#type: String,
    /// Whether LINE said that it sends the event again.
    redelivered: bool,
    /// How far each consumer is with it.
    #[schema(example = json!({"inbox": "done"}))]
    consumers: BTreeMap<String, ConsumerState>,
}

/// How far a consumer is with an event: `pending`, it has not read it yet; `done`, it has processed it; `parked`, it could
/// not, and a person can look at it and have it tried again (`POST /events/{id}/replay`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ConsumerState {
    /// Not yet read.
    Pending,
    /// Processed.
    Done,
    /// It could not be processed; a person can look at it and try again.
    Parked,
}

/// The journal, oldest first, with how far each consumer is with each event: `pending`, `done` or `parked`.
#[utoipa::path(get, path = "/events", tag = "Events", params(PageParams,
    ("account_id" = Option<String>, Query, description = "only of this account"),
    ("webhook_event_id" = Option<String>, Query, description = "only the event with this id of LINE's"),
    ("type" = Option<String>, Query, description = "only of this type, such as `message`"),
    ("since" = Option<String>, Query, description = "only received at or after this time"),
    ("until" = Option<String>, Query, description = "only received before this time")),
    responses((status = 200, body = Paged<EventView>), Problems))]
async fn list_events(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<Paged<EventView>>> {
    let page = params.page()?;
    let wanted: Option<AccountId> = params.id("account_id")?;
    let mut accounts = accounts::service::ids(&hub, &caller.scope).await?;
    accounts.retain(|id| wanted.as_ref().is_none_or(|wanted| wanted.as_str() == id));
    let filter = Filter {
        accounts: &accounts,
        webhook_event_id: params.text("webhook_event_id"),
        kind: params.text("type"),
        since: params.time("since")?,
        until: params.time("until")?,
        after: page.after()?.unwrap_or(0),
        limit: page.fetch(),
    };
    let entries = hub.journal.list(&filter).await?;
    let states = Consumers::of(&hub, &entries).await?;
    Ok(Json(page.wrap(entries, |last| last.position).map(|entry| states.view(entry))))
}

/// Where the consumers stand, and what they could not process.
struct Consumers {
    positions: Vec<(String, i64)>,
    parked: HashSet<(String, i64)>,
}

impl Consumers {
    async fn of(hub: &Hub, entries: &[Entry]) -> AppResult<Self> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(Self { positions: Vec::new(), parked: HashSet::new() });
        };
        // The positions first: what is parked after them is then shown as pending, never as done.
        let positions = cursors::positions(&hub.db).await?;
        let parked = cursors::parked_between(&hub.db, first.position, last.position).await?;
        Ok(Self { positions, parked: parked.into_iter().collect() })
    }

    fn view(&self, entry: Entry) -> EventView {
        let state = |(name, position): &(String, i64)| {
            let state = match () {
                () if self.parked.contains(&(name.clone(), entry.position)) => ConsumerState::Parked,
                () if *position >= entry.position => ConsumerState::Done,
                () => ConsumerState::Pending,
            };
            (name.clone(), state)
        };
        EventView {
            id: entry.id(),
            consumers: self.positions.iter().map(state).collect(),
            account_id: entry.account_id,
            received_at: entry.received_at,
            webhook_event_id: entry.has_event_id.then_some(entry.dedupe_key),
            r#type: entry.kind,
            redelivered: entry.redelivered,
        }
    }
}
