//! The hub's state, handed to every handler, job and loop; cheap to clone.

#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::sync::Arc;

use line_client::LineClient;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Accounts;
use crate::blobs::Blobs;
use crate::clock::{Clock, Entropy, Timestamp};
use crate::config::Config;
use crate::db::Db;
use crate::guard::Guard;
use crate::ids::Id;
use crate::jobs::Jobs;
use crate::journal::Journal;
use crate::live::Live;
use crate::outbox::Outbox;
use crate::relay::Relay;
use crate::secrets::Keyring;

/// Everything a part of the hub may need. Engines know no feature; of the slices only what lives in memory is here.
#[derive(Debug)]
pub struct Inner {
    /// The operator's settings.
    pub config: Config,
    /// The hub's tables.
    pub db: Db,
    /// The journal.
    pub journal: Journal,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Entropy,
    /// Encryption of secrets at rest.
    pub keyring: Keyring,
    /// Media on disk.
    pub blobs: Blobs,
    /// The client for addresses that others supply.
    pub guard: Guard,
    /// What browsers are told.
    pub live: Live,
    /// Background work.
    pub jobs: Jobs,
    /// LINE.
    pub line: LineClient,
    /// Connected accounts as ingress and the outbox need them: keys, secrets, clients.
    pub accounts: Accounts,
    /// The sending side's wake-up.
    pub outbox: Outbox,
    /// What passes events on to other systems has in memory.
    pub relay: Relay,
    /// Unique to this process.
    pub node: String,
    /// Asks all loops to end.
    pub stop: CancellationToken,
    /// The loops that run.
    pub tasks: TaskTracker,
}

/// A handle on [`Inner`].
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

impl std::ops::Deref for Hub {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Hub {
    /// Wraps the state.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A fresh id.
    #[must_use]
    pub fn id<T: Id>(&self) -> T {
        T::new(self.now(), &self.entropy)
    }
}
