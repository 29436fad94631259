//! A hub for the tests of one part: fresh databases, a clock that stands still, repeatable randomness, no loops running.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use line_client::{Endpoints, LineClient};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::{Hub, Inner};
use crate::accounts::Accounts;
use crate::blobs::Blobs;
use crate::clock::{Clock, Entropy, TestClock, Timestamp};
use crate::config::{Config, LineHosts};
use crate::db::testing::{Engine, TestDb};
use crate::guard::Guard;
use crate::jobs::Jobs;
use crate::journal::Journal;
use crate::live::Live;
use crate::outbox::Outbox;
use crate::relay::Relay;
use crate::secrets::Keyring;

/// The moment at which a test's clock stands: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp(1_767_225_600_000);

/// A hub and what a test turns.
#[derive(Debug)]
pub struct TestHub {
    /// The hub.
    pub hub: Hub,
    /// Its clock.
    pub clock: Arc<TestClock>,
    db: TestDb,
}

impl TestHub {
    /// A hub whose LINE is at an address where nothing answers; `None` when there is no PostgreSQL to test on.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn new(engine: Engine) -> Option<Self> {
        Self::with_line(engine, "http://127.0.0.1:1").await
    }

    /// A hub whose LINE is at `line`: a sandbox, or a test's own server.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn with_line(engine: Engine, line: &str) -> Option<Self> {
        Self::served(engine, line, "https://hub.example").await
    }

    /// A hub that LINE at `line` reaches at `public_url`.
    ///
    /// # Panics
    /// When it cannot be made.
    #[expect(clippy::expect_used, reason = "a test without its hub has failed")]
    pub async fn served(engine: Engine, line: &str, public_url: &str) -> Option<Self> {
        let db = TestDb::new(engine).await?;
        let line = Url::parse(line).expect("LINE's address");
        let clock = Arc::new(TestClock::at(START));
        let config = config(db.dir(), db.url.clone(), &line, public_url);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let hub = Hub::new(Inner {
            blobs: Blobs::open(&config.data_dir).expect("the folder for media"),
            db: db.hub.clone(),
            journal: Journal::open(db.journal.clone(), 1).await.expect("the journal opens"),
            clock: clock.clone() as Arc<dyn Clock>,
            entropy: Entropy::seeded(1),
            keyring: Keyring::for_testing(),
            guard: Guard::new(),
            live: Live::open(&db.hub, "test", &stop, &tasks),
            jobs: Jobs::default(),
            line: LineClient::new(Endpoints::all_at(&line))
                .expect("a client for LINE")
                .with_wall_clock(wall(&clock)),
            accounts: Accounts::default(),
            outbox: Outbox::default(),
            relay: Relay::default(),
            node: "test".to_owned(),
            stop,
            tasks,
            config,
        });
        Some(Self { hub, clock, db })
    }

    /// The same databases under another process: a second node, or the hub after a restart.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn node(&self, node: &str) -> Hub {
        self.node_with(node, Keyring::for_testing()).await
    }

    /// As [`node`](Self::node), after the master key was rotated.
    ///
    /// # Panics
    /// When it cannot be made.
    #[cfg(test)]
    pub async fn rotated(&self, node: &str) -> Hub {
        self.node_with(node, Keyring::rotated_for_testing()).await
    }

    #[expect(clippy::expect_used, reason = "a test without its hub has failed")]
    async fn node_with(&self, node: &str, keyring: Keyring) -> Hub {
        let (config, hub) = (self.hub.config.clone(), &self.hub);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let seed =
            node.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Hub::new(Inner {
            blobs: hub.blobs.clone(),
            db: hub.db.clone(),
            journal: Journal::open(self.db.journal.clone(), 1).await.expect("the journal opens"),
            clock: self.clock.clone() as Arc<dyn Clock>,
            entropy: Entropy::seeded(seed),
            keyring,
            guard: Guard::new(),
            live: Live::open(&hub.db, node, &stop, &tasks),
            jobs: Jobs::default(),
            line: hub.line.clone(),
            accounts: Accounts::default(),
            outbox: Outbox::default(),
            relay: Relay::default(),
            node: node.to_owned(),
            stop,
            tasks,
            config,
        })
    }

    /// Stops what runs, closes the connections and drops the PostgreSQL database.
    pub async fn close(self) {
        self.hub.stop.cancel();
        self.hub.tasks.close();
        self.hub.tasks.wait().await;
        self.db.close().await;
    }
}

/// The test's clock as the client of LINE reads it.
fn wall(clock: &Arc<TestClock>) -> line_client::WallClock {
    let clock = Arc::clone(clock);
    Arc::new(move || u64::try_from(clock.now().millis() / 1_000).unwrap_or_default())
}

#[expect(clippy::expect_used, reason = "a test without its hub has failed")]
fn config(dir: &Path, database: crate::db::Url, line: &Url, public_url: &str) -> Config {
    Config {
        public_url: Url::parse(public_url).expect("the hub's address"),
        data_dir: dir.to_owned(),
        database,
        line: LineHosts::sandbox(line),
        master_key: None,
        master_key_file: None,
        webhook_max: 1024 * 1024,
        allow_private_destinations: crate::guard::Inside::All,
        destinations_max: 5,
        trusted_proxies: crate::web::Proxies::default(),
        mail: None,
        session_life: Duration::from_secs(3600),
    }
}
