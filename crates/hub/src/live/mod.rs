//! Server-sent events: browsers learn at once that something changed, each only of what its user may see.
//!
//! A [`Notice`] carries a kind and ids, never content; the page fetches what it shows. It is published after the
//! commit of what it announces and may be lost: a browser that missed something is told `reset` and refetches. Owns no
//! table. The bus between nodes is a trait: in-process here, PostgreSQL NOTIFY for several nodes ([`bus`]).

pub mod bus;
mod pages;
mod repo;
mod subscription;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::response::sse::Event;
use futures_util::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::ids::{AccountId, ConversationId, TenantId, UserId};
use bus::{Bus, InProcess, Postgres};

pub use pages::PATH;
pub(crate) use repo::STATEMENTS;

/// Open streams of one user; a tab is one.
pub const STREAMS_PER_USER: usize = 20;

/// The kinds of notices. One that is not listed here is not heard.
pub const KINDS: &[&str] =
    &["message", "conversation", "delivery", "contact", "writing", "grants", "alert", "destination"];
/// What an agent may see has changed: never sent to a browser, but read again.
pub const GRANTS: &str = "grants";

/// What is told seldom is not told again for so long.
const SELDOM: Duration = Duration::from_secs(2);

/// Something has changed. Kinds and ids only: a notice may reach a process that must not know the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whose.
    pub tenant: TenantId,
    /// The account it belongs to; `None` is for everyone of the tenant.
    pub account: Option<AccountId>,
    /// One of [`KINDS`]; becomes the name of the browser's event.
    pub kind: &'static str,
    /// The id of what changed.
    pub id: String,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
}

/// What a viewer may see at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sees {
    /// Everything of the tenant.
    All,
    /// Only these accounts.
    Accounts(HashSet<AccountId>),
}

/// The user has too many streams open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many open streams")]
pub struct TooMany;

/// What browsers are told.
#[derive(Debug)]
pub struct Live {
    bus: Box<dyn Bus>,
    seats: Seats,
    stop: CancellationToken,
    /// What was told seldom, and when.
    told: Mutex<Vec<(Notice, Timestamp)>>,
}

impl Live {
    /// The bus that fits the database: in-process on SQLite, NOTIFY on PostgreSQL, whose two loops run in `tasks`. All
    /// streams end on `stop`. `node` is unique to this process.
    #[must_use]
    pub fn open(db: &Db, node: &str, stop: &CancellationToken, tasks: &TaskTracker) -> Self {
        let bus: Box<dyn Bus> = match db {
            Db::Sqlite { .. } => Box::new(InProcess::default()),
            Db::Postgres(pool) => Box::new(Postgres::open(pool, node, stop, tasks)),
        };
        Self { bus, seats: Seats::default(), stop: stop.clone(), told: Mutex::default() }
    }

    /// Tells the browsers that may know. Call it after the commit; it neither waits nor fails.
    pub fn publish(&self, notice: Notice) {
        self.bus.publish(notice);
    }

    /// The same for what would be told with every key that somebody presses: at most once in two seconds.
    pub fn publish_seldom(&self, notice: Notice, now: Timestamp) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(_, at)| now.since(*at) < SELDOM);
        if told.iter().any(|(before, _)| *before == notice) {
            return;
        }
        told.push((notice.clone(), now));
        drop(told);
        self.publish(notice);
    }

    /// The events for one browser of `user`, until the hub stops. `sees` says what the user may see: it is asked at the
    /// start, and then before events are sent (at most every 3 s, and at once after a notice of kind `grants`);
    /// `None` ends the stream (signed out). `resumed` is true when the browser was connected before: its first event
    /// is then a `reset`.
    ///
    /// # Errors
    /// [`TooMany`] beyond [`STREAMS_PER_USER`].
    pub fn subscribe<F, Fut>(
        &self,
        tenant: &TenantId,
        user: &UserId,
        resumed: bool,
        sees: F,
    ) -> Result<impl Stream<Item = Result<Event, Infallible>> + Send + use<F, Fut>, TooMany>
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = Option<Sees>> + Send + 'static,
    {
        let seat = self.seats.take(user)?;
        Ok(subscription::stream(self.bus.listen(), tenant.clone(), seat, self.stop.clone(), resumed, sees))
    }
}

/// The browsers' stream.
pub fn routes() -> Router<Hub> {
    pages::routes()
}

/// Counts the open streams of each user.
#[derive(Debug, Clone, Default)]
struct Seats(Arc<Mutex<HashMap<UserId, usize>>>);

/// One open stream; given back when dropped.
#[derive(Debug)]
struct Seat {
    seats: Seats,
    user: UserId,
}

impl Seats {
    fn take(&self, user: &UserId) -> Result<Seat, TooMany> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(user.clone()).or_default();
        if *count >= STREAMS_PER_USER {
            return Err(TooMany);
        }
        *count += 1;
        Ok(Seat { seats: self.clone(), user: user.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}
