//! The one list of slices: their routes, statements, jobs, consumers and listeners, in the order in which they may call each other.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use utoipa_axum::router::OpenApiRouter;

use crate::app::Hub;
use crate::db::{DbResult, Set, Sql};
use crate::jobs::Registry;
use crate::journal::consumer::Consumer;
use crate::outbox::dispatch::Dispatcher;
use crate::web::{Figure, Limit, SettingsEntry, Shell};

/// All pages of the hub.
fn pages() -> Router<Hub> {
    Router::new()
        .merge(crate::web::routes())
        .merge(crate::live::routes())
        .merge(crate::jobs::routes())
        .merge(crate::journal::pages::routes())
        .merge(crate::team::routes())
        .merge(crate::alerts::pages::routes())
        .merge(crate::accounts::routes())
        .merge(crate::accounts::guide::routes())
        .merge(crate::accounts::login::routes())
        .merge(crate::contacts::pages::routes())
        .merge(crate::inbox::pages::routes())
        .merge(crate::inbox::attachments::routes())
        .merge(crate::relay::pages::routes())
        .merge(crate::relay::proxy::pages::routes())
}

/// The pages of the settings, in order.
fn settings() -> Vec<SettingsEntry> {
    let accounts = crate::accounts::SETTINGS.iter();
    accounts
        .chain(&crate::alerts::pages::SETTINGS)
        .chain(&crate::team::SETTINGS)
        .chain(&crate::journal::pages::SETTINGS)
        .chain(&crate::jobs::SETTINGS)
        .chain(std::iter::once(&crate::accounts::guide::HELP))
        .copied()
        .collect()
}

/// What is kept for how long, and how large it may be, for the page of the system.
fn limits() -> Vec<Limit> {
    use crate::{inbox, journal, outbox};
    let kept = |label_key, time| Limit { label_key, figure: Figure::For(time) };
    let size = |label_key, bytes| Limit { label_key, figure: Figure::Bytes(bytes) };
    vec![
        kept("team-system-requests", journal::cleanup::REQUESTS_KEPT),
        kept("team-system-events", journal::DEDUPE_KEPT),
        kept("team-system-sends", outbox::cleanup::KEPT),
        kept("team-system-unsent", inbox::sweep::UNSENT_KEPT),
        size("team-system-media", inbox::jobs::MAX_MEDIA),
        size("team-system-upload", u64::try_from(crate::web::api::MAX_FILE).unwrap_or(u64::MAX)),
    ]
}

/// What slices put into the frame of every page.
fn shell() -> Shell {
    Shell {
        nav: vec![crate::inbox::pages::NAV, crate::contacts::pages::NAV, crate::team::NAV],
        search: Some(crate::contacts::pages::SEARCH),
        settings: settings(),
        limits: limits(),
        switcher: Some(crate::accounts::SWITCHER),
        health: Some(crate::alerts::pages::BANNER),
        live: Some(crate::live::PATH),
    }
}

/// The calls of `/api/v1`.
fn api() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .merge(crate::team::company::api::routes())
        .merge(crate::alerts::api::routes())
        .merge(crate::accounts::api::routes())
        .merge(crate::accounts::settings::api::routes())
        .merge(crate::accounts::login::api::routes())
        .merge(crate::accounts::keys::api::routes())
        .merge(crate::accounts::guide::api::routes())
        .merge(crate::ingress::api::routes())
        .merge(crate::journal::api::routes())
        .merge(crate::contacts::api::routes())
        .merge(crate::outbox::api::routes())
        .merge(crate::inbox::api::routes())
        .merge(crate::inbox::attachments::api_routes())
        .merge(crate::relay::api::routes())
        .merge(crate::relay::proxy::api::routes())
}

/// What is served: the routes with all that stands around them.
pub fn router(hub: &Hub) -> Router {
    let sessions = from_fn_with_state(hub.clone(), crate::team::attach_session);
    let (calls, docs) = crate::web::api::routes(hub, api());
    let pages = crate::web::inside(pages().merge(docs), hub, shell()).layer(sessions);
    let watched = crate::web::outside(pages.merge(calls), hub);
    // The webhook door and LINE's own paths stand by themselves: nothing that pages need may slow them down.
    let doors = crate::ingress::routes().merge(crate::relay::proxy::routes());
    watched.merge(doors).with_state(hub.clone())
}

/// Reads what must be in memory before the first request.
///
/// # Errors
/// Those of the database.
pub async fn load(hub: &Hub) -> DbResult<()> {
    crate::accounts::service::load(hub).await
}

/// Who reads the journal.
#[must_use]
pub fn consumers(hub: &Hub) -> Vec<Arc<dyn Consumer>> {
    vec![Arc::new(crate::inbox::consumer::Inbox::new(hub.clone()))]
}

/// Up to where all that read the journal have read it, 0 when nobody has; what stands before it may be blanked.
///
/// # Errors
/// Those of the database.
pub async fn read_by_all(hub: &Hub) -> DbResult<i64> {
    let consumers =
        crate::journal::cursors::positions(&hub.db).await?.into_iter().map(|(_, position)| position);
    let relay = crate::relay::service::slowest(hub).await?;
    Ok(consumers.chain(relay).min().unwrap_or(0))
}

/// Up to where every destination got what stands in the journal, or has it listed; entries behind it are still needed.
///
/// # Errors
/// Those of the database.
pub async fn listed_by_all(hub: &Hub) -> DbResult<i64> {
    crate::relay::service::listed(hub).await
}

/// The kinds of background work.
#[must_use]
pub fn jobs() -> Registry {
    use crate::{accounts, alerts, contacts, inbox, journal, outbox, relay};
    Registry::new()
        .every(journal::cleanup::EVERY, journal::cleanup::run)
        .add(alerts::jobs::send)
        .add(alerts::jobs::settle)
        .every(alerts::jobs::EVERY, alerts::jobs::forget)
        .every(accounts::doctor::jobs::EVERY, accounts::doctor::jobs::run)
        .add(accounts::service::run_end)
        .add(contacts::jobs::run)
        .every(outbox::jobs::EVERY, outbox::jobs::read_quotas)
        .every(outbox::jobs::EVERY, outbox::jobs::delete_tokens)
        .every(outbox::cleanup::EVERY, outbox::cleanup::run)
        .add(inbox::jobs::run_media)
        .add(inbox::jobs::run_group)
        .add(inbox::jobs::run_blank)
        .add(inbox::jobs::run_delete_blob)
        .every(inbox::sweep::EVERY, inbox::sweep::run)
        .every(relay::cleanup::EVERY, relay::cleanup::run)
}

/// The outbox's dispatcher, with those who hear how sends end.
#[must_use]
pub fn dispatcher(hub: &Hub) -> Dispatcher {
    Dispatcher::new(hub, vec![Arc::new(crate::inbox::service::Sent)])
}

/// The slices' own loops, by name; each runs until `hub.stop` and fails only when the hub must not go on.
#[must_use]
pub fn loops(hub: &Hub) -> Vec<(&'static str, BoxFuture<'static, anyhow::Result<()>>)> {
    vec![
        ("outbox", Box::pin(dispatcher(hub).run(hub.stop.clone()).map(Ok))),
        ("sessions", Box::pin(crate::team::watch(hub.clone()))),
        ("accounts", Box::pin(crate::accounts::watch(hub.clone()))),
        ("quarantine", Box::pin(crate::ingress::watch(hub.clone()))),
        ("idempotency keys", Box::pin(crate::web::api::watch(hub.clone()))),
        ("relay", Box::pin(crate::relay::run(hub.clone()))),
        ("snoozes", Box::pin(crate::inbox::service::watch_snoozes(hub.clone()))),
    ]
}

/// The statements of one file, by name.
pub type Statements = &'static [(&'static str, Sql)];

/// Every statement of the hub with the database it runs on, for the test that prepares them all.
#[must_use]
pub fn statements() -> Vec<(Set, &'static str, Statements)> {
    vec![
        (Set::Hub, "jobs", crate::jobs::STATEMENTS),
        (Set::Hub, "live", crate::live::STATEMENTS),
        (Set::Hub, "web::api", crate::web::api::STATEMENTS),
        (Set::Hub, "team", crate::team::STATEMENTS),
        (Set::Hub, "team::company", crate::team::company::repo::STATEMENTS),
        (Set::Hub, "alerts", crate::alerts::STATEMENTS),
        (Set::Hub, "accounts", crate::accounts::STATEMENTS),
        (Set::Hub, "accounts settings", crate::accounts::SETTINGS_STATEMENTS),
        (Set::Hub, "accounts replies", crate::accounts::replies::STATEMENTS),
        (Set::Hub, "accounts::login", crate::accounts::login::STATEMENTS),
        (Set::Hub, "accounts::keys", crate::accounts::keys::STATEMENTS),
        (Set::Hub, "accounts guide", crate::accounts::guide::STATEMENTS),
        (Set::Hub, "accounts::doctor", crate::accounts::doctor::STATEMENTS),
        (Set::Hub, "ingress", crate::ingress::STATEMENTS),
        (Set::Hub, "contacts", crate::contacts::STATEMENTS),
        (Set::Hub, "outbox", crate::outbox::STATEMENTS),
        (Set::Hub, "outbox again", crate::outbox::AGAIN),
        (Set::Hub, "outbox tokens", crate::outbox::TOKENS),
        (Set::Hub, "outbox bulk", crate::outbox::BULK),
        (Set::Hub, "outbox costs", crate::outbox::COSTS),
        (Set::Hub, "outbox once", crate::outbox::ONCE),
        (Set::Hub, "outbox forget", crate::outbox::FORGET),
        (Set::Hub, "inbox reading", crate::inbox::READING),
        (Set::Hub, "inbox writing", crate::inbox::WRITING),
        (Set::Hub, "inbox media", crate::inbox::MEDIA),
        (Set::Hub, "relay", crate::relay::STATEMENTS),
        (Set::Hub, "relay::proxy", crate::relay::proxy::STATEMENTS),
        (Set::Hub, "relay history", crate::relay::HISTORY),
        (Set::Hub, "relay places", crate::relay::PLACES),
        (Set::Hub, "journal cursors", crate::journal::CURSORS),
        (Set::Journal, "journal", crate::journal::STATEMENTS),
        (Set::Journal, "journal requests", crate::journal::REQUESTS),
    ]
}

/// Who hears of connected and disconnected accounts, in order.
pub const ACCOUNT_LISTENERS: &[&dyn crate::accounts::AccountListener] =
    &[&crate::accounts::doctor::Rounds, &crate::ingress::Quarantine, &crate::accounts::login::ForgetSecrets];

/// Who knows the people of an account from what came in.
pub const KNOWS_PEOPLE: &dyn crate::accounts::login::KnowsPeople = &crate::contacts::Met;

/// Who finds the writer of a test login's code.
pub const WHO_WROTE: &dyn crate::accounts::login::WhoWrote = &crate::inbox::Came;

/// Who tells what came in, for the end of the set-up.
pub const ARRIVALS: &dyn crate::accounts::guide::Arrivals = &crate::inbox::Came;

/// Who knows the systems to which an account's events are passed on.
pub const SYSTEMS: &dyn crate::accounts::replies::Systems = &crate::relay::Passed;
