//! A whole hub for tests: fresh databases, a local LINE on loopback, the hub served on loopback, and people who speak HTTP.
//!
//! ```no_run
//! # async fn test() {
//! use testkit::{Engine, TestHub};
//! let Some(hub) = TestHub::new().engine(Engine::Sqlite).start().await else { return };
//! let account = hub.connect_account().await;
//! let friend = hub.line_user("林小晴").await;
//! friend.follows(&account).await;
//! friend.says(&account, "你好").await;
//! hub.settle().await;
//! let seen = hub.api().get("/conversations").await;
//! hub.close().await;
//! # }
//! ```
//!
//! Nothing runs by itself: [`TestHub::settle`] does what waits, to the end. With [`Builder::with_loops`] the hub's own loops
//! run instead, for what is about time and wakes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod actors;
mod clock;
mod mail;
mod receiver;
mod world;

pub use actors::{Answer, Api, Browser, LineUser};
pub use clock::SteppedClock;
pub use hub::db::testing::Engine;
pub use mail::{MailServer, Mailed, Manner};
pub use receiver::{Received, Receiver};
pub use world::{Account, Builder, TestHub};
