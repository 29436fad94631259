//! From the operator's settings to a running hub: the data folder, the databases and their tables, the state, the loops.
//!
//! [`open`] is enough for the command line's short acts, beside a hub that serves; [`start`] also locks the data folder,
//! reads what must be in memory and builds the routes. [`Running::spawn_loops`] sets the background to work.

use std::fs::{File, OpenOptions, TryLockError};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use line_client::{Endpoints, LineClient, WallClock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Accounts;
use crate::app::{Hub, Inner};
use crate::blobs::Blobs;
use crate::clock::{Clock, Entropy, SystemClock};
use crate::config::Config;
use crate::db::{self, Db, Set};
use crate::guard::Guard;
use crate::jobs::{self, Jobs};
use crate::journal::{self, Journal};
use crate::live::Live;
use crate::outbox::Outbox;
use crate::relay::Relay;
use crate::secrets::Keyring;
use crate::wiring;

/// What a hub is made of.
#[derive(Debug)]
pub struct Parts {
    /// The operator's settings.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Entropy,
    /// How the journal stores; anything but [`journal::Commit::Group`] is for measuring only.
    pub commit: journal::Commit,
}

impl Parts {
    /// The machine's clock and randomness.
    #[must_use]
    pub fn system(config: Config) -> Self {
        let (clock, entropy) = (Arc::new(SystemClock), Entropy::system());
        Self { config, clock, entropy, commit: journal::Commit::Group }
    }
}

/// Opens the hub's databases, making and migrating them where that is missing.
///
/// # Errors
/// The folder or a database cannot be used.
pub async fn databases(config: &Config) -> anyhow::Result<(Db, Db)> {
    make_folder(&config.data_dir)?;
    if let db::Url::Sqlite(dir) = &config.database {
        make_folder(dir)?;
    }
    let (hub, log) = tokio::join!(db::open(&config.database), db::open_journal(&config.database));
    let (hub, log) =
        (hub.context("the database cannot be opened")?, log.context("the journal cannot be opened")?);
    // One after the other: on PostgreSQL both sets wait for the same lock.
    db::migrate(Set::Hub, &hub).await.context("the database's tables cannot be brought up to date")?;
    db::migrate(Set::Journal, &log).await.context("the journal's tables cannot be brought up to date")?;
    Ok((hub, log))
}

/// Builds a hub's state without its loops.
///
/// # Errors
/// The folder, the databases or the master key cannot be used.
pub async fn open(parts: Parts) -> anyhow::Result<Hub> {
    let Parts { config, clock, entropy, commit } = parts;
    let (db, log) = databases(&config).await?;
    let keyring = Keyring::load(&config, &entropy)?;
    let epoch = i64::from_le_bytes(entropy.bytes()) & i64::MAX;
    let journal = Journal::open_with(log, epoch, commit).await.context("the journal cannot be opened")?;
    let endpoints = Endpoints {
        api: config.line.api.clone(),
        data: config.line.data.clone(),
        access: config.line.access.clone(),
    };
    let node = crate::ids::make("node_", clock.now(), &entropy);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let wall = Arc::clone(&clock);
    let wall: WallClock = Arc::new(move || u64::try_from(wall.now().millis() / 1_000).unwrap_or_default());
    Ok(Hub::new(Inner {
        blobs: Blobs::open(&config.data_dir).context("the folder for media cannot be used")?,
        live: Live::open(&db, &node, &stop, &tasks),
        line: LineClient::new(endpoints)?.with_wall_clock(wall),
        guard: Guard::new(),
        jobs: Jobs::default(),
        accounts: Accounts::default(),
        outbox: Outbox::default(),
        relay: Relay::default(),
        db,
        journal,
        clock,
        entropy,
        keyring,
        node,
        stop,
        tasks,
        config,
    }))
}

/// Reads what a hub keeps in memory, for a short act that needs the accounts.
///
/// # Errors
/// The database does not answer.
pub async fn load(hub: &Hub) -> anyhow::Result<()> {
    wiring::load(hub).await.context("the accounts cannot be read")
}

/// A hub that holds its data folder.
#[derive(Debug)]
pub struct Running {
    /// The state.
    pub hub: Hub,
    /// Everything that is served.
    pub router: Router,
    failed: watch::Sender<Option<&'static str>>,
    /// Kept open: the locks last as long as the process.
    _locks: Vec<File>,
}

/// Locks the data folder and makes a hub that is ready to serve.
///
/// # Errors
/// Another process serves the folder, or as [`open`].
pub async fn start(parts: Parts) -> anyhow::Result<Running> {
    let locks = lock(&parts.config)?;
    crate::web::metrics::install();
    let hub = open(parts).await?;
    load(&hub).await?;
    let router = wiring::router(&hub);
    Ok(Running { hub, router, failed: watch::Sender::new(None), _locks: locks })
}

impl Running {
    /// Sets the background to work: journal consumers, jobs, and the slices' own loops. Each is tracked on `hub.tasks`
    /// and ends after `hub.stop`; one that ends before stops the whole hub, which would otherwise only look alive.
    pub fn spawn_loops(&self) {
        let hub = &self.hub;
        for consumer in wiring::consumers(hub) {
            let name = consumer.name();
            let work = journal::consumer::run(reader(hub), consumer, hub.stop.clone());
            self.spawn(name, work.map(|()| Ok(())).boxed());
        }
        let registry = Arc::new(wiring::jobs());
        let work = jobs::run(hub.clone(), registry, hub.stop.clone());
        self.spawn("jobs", work.map(|end| end.map_err(anyhow::Error::from)).boxed());
        for (name, work) in wiring::loops(hub) {
            self.spawn(name, work);
        }
    }

    fn spawn(&self, name: &'static str, work: BoxFuture<'static, anyhow::Result<()>>) {
        let (stop, failed) = (self.hub.stop.clone(), self.failed.clone());
        self.hub.tasks.spawn(async move {
            let end = AssertUnwindSafe(work).catch_unwind().await;
            if stop.is_cancelled() {
                return;
            }
            match end {
                Ok(Ok(())) => tracing::error!(name, "a loop ended by itself; the hub stops"),
                Ok(Err(error)) => {
                    tracing::error!(name, error = format!("{error:#}"), "a loop failed; the hub stops");
                }
                Err(_) => tracing::error!(name, "a loop panicked; the hub stops"),
            }
            failed.send_replace(Some(name));
            stop.cancel();
        });
    }

    /// The loop that died, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&'static str> {
        *self.failed.borrow()
    }

    /// Ends the loops, waiting at most `grace`, and closes the databases. What was answered 200 is on disk already.
    pub async fn stop(self, grace: Duration) {
        let hub = &self.hub;
        hub.stop.cancel();
        hub.tasks.close();
        if tokio::time::timeout(grace, hub.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time; it goes on at the next start");
        }
        hub.journal.close().await;
        hub.db.close().await;
    }
}

/// What a consumer's loop needs of the hub.
#[must_use]
pub fn reader(hub: &Hub) -> journal::consumer::Reader {
    journal::consumer::Reader {
        journal: hub.journal.clone(),
        db: hub.db.clone(),
        clock: hub.clock.clone(),
        node: hub.node.clone(),
    }
}

/// Locks the data folder and, where it is another, the folder of the SQLite files.
fn lock(config: &Config) -> anyhow::Result<Vec<File>> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let database = match &config.database {
        db::Url::Sqlite(dir) => Some(dir),
        db::Url::Postgres(_) => None,
    };
    for folder in std::iter::once(&config.data_dir).chain(database) {
        make_folder(folder)?;
        let folder = folder.canonicalize().with_context(|| format!("{} cannot be used", folder.display()))?;
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.iter().map(|folder| lock_folder(folder)).collect()
}

fn lock_folder(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("serve.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another trunkline already serves {}; stop it first, or choose another data folder",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

/// Makes a folder that only its owner may enter; one that is there is left as it is.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("the data folder {} cannot be made", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_served_by_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock_folder(dir.path()).unwrap();
        let refused = lock_folder(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("another trunkline already serves"), "{refused}");
        drop(held);
        lock_folder(dir.path()).unwrap();
    }
}
