//! How a notice reaches the browsers of this node and of all others.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{KINDS, Notice, repo};
use crate::ids::{AccountId, ConversationId, TenantId};

/// Notices that a slow browser may be behind; then it is told to refetch.
pub(super) const CAPACITY: usize = 1024;
/// PostgreSQL refuses a payload of 8,000 bytes and more.
const PAYLOAD_MAX: usize = 7900;
/// The wait after trouble with the database.
const TROUBLE: Duration = Duration::from_secs(1);

/// What a listener hears.
#[derive(Debug, Clone)]
pub enum Signal {
    /// Something has changed.
    Notice(Arc<Notice>),
    /// Something may have been missed.
    Reset,
}

/// A way to all browsers. Publishing neither waits nor fails; what is lost is followed by a [`Signal::Reset`].
pub trait Bus: fmt::Debug + Send + Sync {
    /// Sends a notice to every listener of every node.
    fn publish(&self, notice: Notice);

    /// Hears what is published from now on, on any node.
    fn listen(&self) -> broadcast::Receiver<Signal>;
}

/// One process.
#[derive(Debug)]
pub struct InProcess(broadcast::Sender<Signal>);

impl Default for InProcess {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Bus for InProcess {
    fn publish(&self, notice: Notice) {
        // Nobody listening is no error.
        drop(self.0.send(Signal::Notice(Arc::new(notice))));
    }

    fn listen(&self) -> broadcast::Receiver<Signal> {
        self.0.subscribe()
    }
}

/// Several nodes on one PostgreSQL: NOTIFY and LISTEN. This node's listeners hear its notices at once.
#[derive(Debug)]
pub struct Postgres {
    here: InProcess,
    out: mpsc::Sender<Notice>,
    lost: Arc<AtomicBool>,
}

impl Postgres {
    /// Starts the two loops in `tasks`; they end on `stop`. The listening one keeps one connection of the pool.
    #[must_use]
    pub fn open(pool: &PgPool, node: &str, stop: &CancellationToken, tasks: &TaskTracker) -> Self {
        let here = InProcess::default();
        let (out, waiting) = mpsc::channel(CAPACITY);
        let lost = Arc::new(AtomicBool::new(false));
        let speaker = speak(pool.clone(), node.to_owned(), waiting, lost.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(speaker));
        let listener = listen(pool.clone(), node.to_owned(), here.0.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(listener));
        Self { here, out, lost }
    }
}

impl Bus for Postgres {
    fn publish(&self, notice: Notice) {
        if self.out.try_send(notice.clone()).is_err() {
            self.lost.store(true, Ordering::Relaxed);
        }
        self.here.publish(notice);
    }

    fn listen(&self) -> broadcast::Receiver<Signal> {
        self.here.listen()
    }
}

/// What travels between nodes.
#[derive(Serialize, Deserialize)]
struct Message<'a> {
    node: &'a str,
    #[serde(default)]
    reset: bool,
    notices: Vec<Wire>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    tenant: TenantId,
    account: Option<AccountId>,
    kind: String,
    id: String,
    conversation: Option<ConversationId>,
}

impl From<Notice> for Wire {
    fn from(notice: Notice) -> Self {
        let Notice { tenant, account, kind, id, conversation } = notice;
        Self { tenant, account, kind: kind.to_owned(), id, conversation }
    }
}

impl Wire {
    /// `None` for a kind that only a newer node knows.
    fn notice(self) -> Option<Notice> {
        let Self { tenant, account, kind, id, conversation } = self;
        let kind = KINDS.iter().find(|known| **known == kind)?;
        Some(Notice { tenant, account, kind, id, conversation })
    }
}

async fn speak(pool: PgPool, node: String, mut waiting: mpsc::Receiver<Notice>, lost: Arc<AtomicBool>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, 100).await > 0 {
        for payload in payloads(&node, batch.drain(..), lost.swap(false, Ordering::Relaxed)) {
            while let Err(error) = repo::notify(&pool, &payload).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "notices to other nodes wait");
                tokio::time::sleep(TROUBLE).await;
            }
        }
    }
}

/// Packs notices into payloads that PostgreSQL takes; one that is too large by itself becomes a reset.
fn payloads(node: &str, notices: impl Iterator<Item = Notice>, lost: bool) -> Vec<String> {
    let text = |message: &Message<'_>| serde_json::to_string(message).unwrap_or_default();
    let mut payloads = Vec::new();
    let mut message = Message { node, reset: lost, notices: Vec::new() };
    for notice in notices {
        message.notices.push(notice.into());
        if text(&message).len() <= PAYLOAD_MAX {
            continue;
        }
        let last = message.notices.pop();
        payloads.push(text(&message));
        message = Message { node, reset: false, notices: last.into_iter().collect() };
        if text(&message).len() > PAYLOAD_MAX {
            message = Message { node, reset: true, notices: Vec::new() };
        }
    }
    payloads.push(text(&message));
    payloads
}

async fn listen(pool: PgPool, node: String, here: broadcast::Sender<Signal>) {
    let mut first = true;
    loop {
        match PgListener::connect_with(&pool).await {
            Ok(listener) => {
                if let Err(error) = hear(listener, &node, &here, first).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "notices of other nodes are not heard"
                    );
                }
                first = false;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "notices of other nodes are not heard"
                );
            }
        }
        tokio::time::sleep(TROUBLE).await;
    }
}

async fn hear(
    mut listener: PgListener,
    node: &str,
    here: &broadcast::Sender<Signal>,
    first: bool,
) -> Result<(), sqlx::Error> {
    listener.listen(repo::CHANNEL).await?;
    if !first {
        drop(here.send(Signal::Reset));
    }
    loop {
        let Some(notification) = listener.try_recv().await? else {
            // The connection was lost and is there again; what was said in between was not heard.
            drop(here.send(Signal::Reset));
            continue;
        };
        let Ok(message) = serde_json::from_str::<Message<'_>>(notification.payload()) else {
            // A newer node speaks otherwise.
            drop(here.send(Signal::Reset));
            continue;
        };
        if message.node == node {
            continue;
        }
        if message.reset {
            drop(here.send(Signal::Reset));
        }
        for notice in message.notices.into_iter().filter_map(Wire::notice) {
            drop(here.send(Signal::Notice(Arc::new(notice))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Entropy, Timestamp};
    use crate::db::Db;
    use crate::db::testing::{Engine, TestDb};
    use crate::ids::Id as _;

    fn notice(id: &str) -> Notice {
        let entropy = Entropy::seeded(1);
        Notice {
            tenant: TenantId::new(Timestamp(1), &entropy),
            account: Some(AccountId::new(Timestamp(1), &entropy)),
            kind: "message",
            id: id.to_owned(),
            conversation: Some(ConversationId::new(Timestamp(1), &entropy)),
        }
    }

    async fn next(receiver: &mut broadcast::Receiver<Signal>) -> Option<Signal> {
        tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.ok()?.ok()
    }

    #[test]
    fn payloads_fit_and_lose_nothing() {
        let ids: Vec<String> = (0..100).map(|n| format!("msg_{n}")).collect();
        let payloads = payloads("node", ids.iter().map(|id| notice(id)), false);
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() <= PAYLOAD_MAX));
        let back: Vec<_> = payloads
            .iter()
            .flat_map(|payload| serde_json::from_str::<Message<'_>>(payload).unwrap().notices)
            .map(|wire| wire.notice().unwrap())
            .collect();
        assert_eq!(back, ids.iter().map(|id| notice(id)).collect::<Vec<_>>());
        let large = super::payloads("node", [notice(&"x".repeat(9000))].into_iter(), false);
        assert!(large.iter().all(|payload| payload.len() <= PAYLOAD_MAX));
        assert!(large.iter().any(|payload| payload.contains("\"reset\":true")));
    }

    #[tokio::test]
    async fn two_nodes_hear_each_other_once_and_survive_a_break() {
        let Some(test) = TestDb::new(Engine::Postgres).await else { return };
        let Db::Postgres(pool) = &test.hub else { return };
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (a, b) = (Postgres::open(pool, "a", &stop, &tasks), Postgres::open(pool, "b", &stop, &tasks));
        let (mut at_a, mut at_b) = (a.listen(), b.listen());
        // Until both listen.
        while repo::listeners(pool).await.unwrap() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        a.publish(notice("m1"));
        a.publish(notice("m2"));
        for id in ["m1", "m2"] {
            assert!(matches!(next(&mut at_b).await, Some(Signal::Notice(heard)) if *heard == notice(id)));
            assert!(matches!(next(&mut at_a).await, Some(Signal::Notice(heard)) if *heard == notice(id)));
        }
        b.publish(notice("m3"));
        assert!(matches!(next(&mut at_a).await, Some(Signal::Notice(heard)) if heard.id == "m3"));
        assert!(matches!(next(&mut at_b).await, Some(Signal::Notice(heard)) if heard.id == "m3"));
        assert!(at_a.try_recv().is_err() && at_b.try_recv().is_err(), "own notices are not doubled");
        // The connections break; both are told, and hear again.
        repo::break_listeners(pool).await.unwrap();
        assert!(matches!(next(&mut at_a).await, Some(Signal::Reset)));
        assert!(matches!(next(&mut at_b).await, Some(Signal::Reset)));
        a.publish(notice("m4"));
        assert!(matches!(next(&mut at_b).await, Some(Signal::Notice(heard)) if heard.id == "m4"));
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        test.close().await;
    }
}
