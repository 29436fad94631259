//! The sending side: every message to LINE goes through here. Never twice, never lost, never a silent cost.
//!
//! Owns `reply_tokens`, `send_lanes`, `sends`, `deliveries`, `bulk_sends`, `once_keys`, `quota_readings`. A send is one call that LINE sees, with
//! one to five messages. Promises (ARCHITECTURE 1.5):
//!
//! - a call whose answer was lost may be repeated: what it queued is queued [`once`];
//! - what is queued is sent, or shown as failed or unknown; a conversation's sends keep their order;
//! - the request's exact bytes and its retry key are on disk before the first try;
//! - a reply is used while the conversation has a young, unspent token, each token by one send; else a push, but only
//!   where paying that much is allowed;
//! - a request that may have gone out is repeated as it is or left alone, never replaced by another.
//!
//! [`service`] is what other slices call; [`model`] holds the rules; [`dispatch`] carries them out.

pub mod api;
pub mod bulk;
pub mod cleanup;
pub mod dispatch;
pub mod jobs;
pub mod line;
pub mod model;
pub mod once;
mod places;
pub mod proxied;
mod repo;
pub mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, broadcast};

use crate::db::{DbResult, Tx};
use crate::ids::SendId;
use model::SettledMessage;

pub(crate) use repo::{AGAIN, BULK, COSTS, FORGET, ONCE, STATEMENTS, TOKENS};

/// Ends that a slow listener may be behind by before it looks for itself.
const ENDS_AHEAD: usize = 1_024;

/// The dispatcher's wake-up, and its word to those who wait for a send's end.
#[derive(Debug, Clone)]
pub struct Outbox {
    wake: Arc<Notify>,
    ended: broadcast::Sender<SendId>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { wake: Arc::default(), ended: broadcast::Sender::new(ENDS_AHEAD) }
    }
}

impl Outbox {
    /// Tells the dispatcher that something was queued; to be called after the commit. Without it the send starts a
    /// second later.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Tells those who wait that a send has come to its end; after the commit.
    fn tell(&self, send: &SendId) {
        // Nobody waits for most sends.
        _ = self.ended.send(send.clone());
    }

    async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// Who wants to know, in the same transaction, how sends end: the inbox. Listed in `wiring.rs`.
pub trait SendListener: Send + Sync + std::fmt::Debug {
    /// Messages of one send have come to their end.
    fn settled<'a>(&'a self, tx: &'a mut Tx, messages: &'a [SettledMessage]) -> BoxFuture<'a, DbResult<()>>;
}
