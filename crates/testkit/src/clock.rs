//! A clock that runs with the machine's and can be moved ahead: the sandbox's does the same, so both stay together.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hub::clock::{Clock, SystemClock, Timestamp};

/// The machine's time plus what a test added.
#[derive(Debug, Default)]
pub struct SteppedClock(AtomicI64);

impl SteppedClock {
    /// Moves the clock ahead.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().millis() + self.0.load(Ordering::SeqCst))
    }
}
