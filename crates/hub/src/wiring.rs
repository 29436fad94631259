//! The one list of slices: their routes, statements, jobs, consumers and listeners, in the order in which they may call each other.

use std::sync::Arc;

use axum::Router;
use futures_util::future::BoxFuture;

use crate::app::Hub;
use crate::db::{DbResult, Sql};
use crate::jobs::Registry;
use crate::journal::consumer::Consumer;

/// All routes of the hub.
pub fn routes() -> Router<Hub> {
    Router::new()
        .merge(crate::ingress::routes())
        .merge(crate::team::routes())
        .merge(crate::accounts::routes())
}

/// What is served: the routes with all that stands around them.
pub fn router(hub: &Hub) -> Router {
    routes().with_state(hub.clone())
}

/// Reads what must be in memory before the first request.
///
/// # Errors
/// Those of the database.
#[expect(clippy::unused_async, reason = "the slices are being put in")]
pub async fn load(_hub: &Hub) -> DbResult<()> {
    Ok(())
}

/// Who reads the journal.
#[must_use]
pub fn consumers(_hub: &Hub) -> Vec<Arc<dyn Consumer>> {
    Vec::new()
}

/// The kinds of background work.
#[must_use]
pub fn jobs() -> Registry {
    Registry::new()
}

/// The slices' own loops, by name; each runs until `hub.stop` and fails only when the hub must not go on.
#[must_use]
pub fn loops(_hub: &Hub) -> Vec<(&'static str, BoxFuture<'static, anyhow::Result<()>>)> {
    Vec::new()
}

/// Every statement of the hub with the database it runs on, for the test that prepares them all.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn statements() -> Vec<(crate::db::Set, &'static str, &'static [(&'static str, Sql)])> {
    use crate::db::Set;
    vec![
        (Set::Hub, "jobs", crate::jobs::STATEMENTS),
        (Set::Hub, "ingress", crate::ingress::STATEMENTS),
        (Set::Hub, "contacts", crate::contacts::STATEMENTS),
        (Set::Journal, "journal", crate::journal::STATEMENTS),
    ]
}
