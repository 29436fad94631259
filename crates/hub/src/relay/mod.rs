//! The relay: every destination of an account gets LINE's requests, in the order of each chat, as LINE sent them.
//!
//! Owns `destinations`, `relay_units`, `relay_attempts`, `relay_counts`; the way back is [`proxy`]. A destination is a cursor on the journal
//! (ARCHITECTURE 1.4). Promises:
//!
//! - each request with a new event reaches each active destination whose filter passes it, at least once, or is listed as
//!   refused, skipped or expired; more than once only where the answer was lost or, after a kill, within one `flow::WINDOW`;
//! - a request waits for earlier unfinished ones that share one of its chats, and for nothing else;
//! - a healthy destination writes no row per event: its cursor, and what finished above it, move in one write per batch;
//! - a slow or broken destination holds back neither another one nor the webhook door.
//!
//! The data path, downhill: `feed` reads the journal once for all destinations, `unit` is what one destination gets of a
//! request, `flow` says whose turn it is, `attempt` signs and `deliver` calls, `model` reads the answer, `runner` binds
//! them, `writes` moves the cursor; `watch` starts the runners of this node, `expire` lists what the journal has lost. For people: `day`
//! counts, `shown` opens an attempt, `told` says in a line what was sent, `pages` draws.

mod alarm;
pub mod api;
mod attempt;
pub mod cleanup;
pub mod day;
mod deliver;
mod expire;
mod feed;
mod flow;
mod model;
pub mod naive;
pub mod pages;
pub mod proxy;
pub mod replay;
mod repo;
mod runner;
pub mod service;
pub mod shown;
pub mod told;
mod unit;
mod watch;
pub mod wishes;
mod writes;

pub use model::{Destination, Filter, Halt, NewSecrets, Signing, Standard, Standing, State};
pub use repo::{Attempt, Count, Parked};
pub(crate) use repo::{HISTORY, PLACES, STATEMENTS};
pub use service::Passed;
pub use watch::{Relay, run};
