//! The way back: LINE's own paths at the root of the hub's origin, for programs that were written for LINE.
//!
//! Owns `proxy_keys`, `proxy_retries`. A key stands where LINE's SDKs put the channel access token, and names a destination.
//! Promises:
//!
//! - what is not in [`table`] does not get through, and what is there only with the scope it asks for;
//! - what sends goes through the outbox, with LINE's own checks and answers, and stands in the conversation under the system's
//!   name; a retry key sends once, a reply token is used by the first who claims it;
//! - a key never spends more of the month's quota than it may;
//! - people, chats and contents are told only where the destination's filter passes them.

mod answer;
pub mod api;
mod bulk;
mod limits;
mod model;
pub mod pages;
mod pass;
mod repo;
mod routes;
mod send;
pub mod service;
pub mod table;

pub(super) use limits::Memory;
pub use model::{Key, ProxyScope};
pub(crate) use repo::STATEMENTS;
pub use routes::routes;
