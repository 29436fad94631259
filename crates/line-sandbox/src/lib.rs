//! A local LINE, as strict as LINE: the Messaging API, tokens, signed webhooks with redelivery, quota and rates, faults, and
//! virtual phones, in memory on one listener. Made for developing and testing without an account at LINE.
//!
//! - `line/`: LINE's own paths at the root, as PLATFORM 4–9 describe them.
//! - `control/`: `/sandbox/v1`, what LINE's consoles and people's phones do, and what happened (CONTRACT 2).
//! - `login/`, `liff/`: LINE Login and LIFF, their calls and their pages (PLATFORM 23, 24).
//! - `console/`: the pages of LINE's consoles; `manager` is what OA Manager answers by itself.
//! - `phone/`: the pages on which a person chats with an account.
//! - `world` is what exists and `messages` what was said, `acts` what people do, `events` and `webhook` how the account's server hears of it.
//!
//! - `disk` keeps it in a folder when asked, `scenario` sets it up from a file.
//!
//! Everything lives behind one lock that is never held across an await; time is `Clock`, ids are `Ids`. Nothing here knows the hub.

mod acts;
mod audiences;
mod clock;
mod console;
mod control;
mod disk;
mod events;
mod fading;
mod faults;
mod ids;
mod jwt;
mod liff;
mod line;
mod log;
mod login;
mod manager;
mod messages;
mod phone;
mod scenario;
mod sends;
mod traits;
mod webhook;
mod words;
mod world;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::ids::Ids;
use crate::log::Entry;
use crate::world::World;

pub use crate::scenario::{Made, MadeChannel, seed_of};

/// How a sandbox is made.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Decides every generated id: the same seed and the same acts give the same channel, user and group IDs.
    pub seed: u64,
    /// The origin under which the sandbox is reached, when that is not the listener's own address.
    pub public_url: Option<Url>,
}

/// A local LINE. Cheap to clone; all clones are the same sandbox.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
    /// Taken by the first [`Sandbox::serve`].
    disk: Arc<Mutex<Option<Disk>>>,
}

/// The state that handlers share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) clock: Arc<Clock>,
    pub(crate) ids: Ids,
    world: Mutex<World>,
    log: Mutex<VecDeque<Entry>>,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) http: Result<reqwest::Client, String>,
    /// Ends open event streams and hanging calls at shutdown.
    pub(crate) stop: CancellationToken,
    /// Something may have changed since the last save.
    pub(crate) touched: AtomicBool,
    /// Whether any fault is in force, so that calls need not look.
    pub(crate) faulty: AtomicBool,
    /// Whether the sandbox is kept on disk.
    pub(crate) keeps: bool,
    public_url: Option<Url>,
    address: OnceLock<SocketAddr>,
}

/// Tells the phones of some people that something they see changed.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The people concerned; empty means everyone.
    pub(crate) people: Vec<u64>,
}

impl Sandbox {
    /// An empty sandbox in memory; nothing is spawned before the first channel.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { inner: Arc::new(Inner::new(config, false)), disk: Arc::default() }
    }

    /// A sandbox that is kept in a folder: read from it now, saved into it while [`Sandbox::serve`] runs and at its end. A
    /// folder with a sandbox in it goes on with that one's seed.
    ///
    /// # Errors
    /// The folder cannot be used, another sandbox uses it, or what is in it cannot be read.
    pub fn open(config: Config, folder: &Path) -> io::Result<Self> {
        let inner = Inner::new(config, true);
        let disk = Disk::open(folder, &inner)?;
        Ok(Self { inner: Arc::new(inner), disk: Arc::new(Mutex::new(Some(disk))) })
    }

    /// Tells whether nothing has been made in it yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let world = self.inner.world();
        world.providers.is_empty() && world.people.is_empty()
    }

    /// LINE's paths at the root, `/sandbox/v1`, and the phone pages. Channels made through it need a Tokio runtime.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(control::routes(&self.inner))
            .merge(console::routes(&self.inner))
            .merge(phone::routes(&self.inner))
            .merge(login::page_routes(&self.inner))
            .merge(liff::page_routes(&self.inner))
            .merge(line::routes(&self.inner))
    }

    /// Serves until `shutdown` is done; then open event streams and hanging calls are released.
    ///
    /// # Errors
    /// What the listener reports.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        // Only the first listener counts; a sandbox has one origin.
        let _ = self.inner.address.set(listener.local_addr()?);
        self.inner.resume_narrowcasts();
        let stop = self.inner.stop.clone();
        let disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner).take();
        let keeper = disk.map(|disk| {
            self.inner.open_queues();
            let end = CancellationToken::new();
            (end.clone(), tokio::spawn(disk::keep(Arc::clone(&self.inner), disk, end)))
        });
        let listener = listener.tap_io(|stream| {
            // Without it small answers wait for the client's delayed acknowledgement.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "failed to set TCP_NODELAY");
            }
        });
        axum::serve(listener, self.router())
            .with_graceful_shutdown(async move {
                shutdown.await;
                stop.cancel();
            })
            .await?;
        if let Some((end, keeper)) = keeper {
            end.cancel();
            keeper.await.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// The origin clients use: the configured one, else the listener's; `None` before [`Sandbox::serve`] without either.
    #[must_use]
    pub fn base_url(&self) -> Option<Url> {
        self.inner.base_url()
    }

    /// Moves the sandbox's clock ahead, as `POST /sandbox/v1/clock` does.
    pub fn advance(&self, by: Duration) {
        self.inner.clock.advance(i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4));
    }
}

impl Inner {
    fn new(config: Config, keeps: bool) -> Self {
        Self {
            clock: Arc::default(),
            ids: Ids::new(config.seed),
            world: Mutex::default(),
            log: Mutex::default(),
            changes: broadcast::channel(1024).0,
            http: webhook::client(),
            stop: CancellationToken::new(),
            touched: AtomicBool::new(false),
            faulty: AtomicBool::new(false),
            keeps,
            public_url: config.public_url,
            address: OnceLock::new(),
        }
    }

    /// Gives the channels read from disk their queues.
    fn open_queues(self: &Arc<Self>) {
        for (id, channel) in &mut self.world().channels {
            if channel.outgoing.is_closed() {
                channel.outgoing = webhook::queue(self, id);
            }
        }
    }

    /// The world, locked, and to be saved. Never keep the guard across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.touched.store(true, Ordering::Relaxed);
        self.world_as_it_is()
    }

    /// The world, locked, for who only looks.
    pub(crate) fn world_as_it_is(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log of API calls, locked.
    pub(crate) fn log(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the phones of the given people (all when empty).
    pub(crate) fn changed(&self, people: Vec<u64>) {
        if self.changes.receiver_count() == 0 {
            return;
        }
        let _ = self.changes.send(Change { people });
    }

    pub(crate) fn base_url(&self) -> Option<Url> {
        self.public_url.clone().or_else(|| Url::parse(&format!("http://{}/", self.address.get()?)).ok())
    }
}
