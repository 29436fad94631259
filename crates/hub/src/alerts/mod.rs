//! Alerts: what is wrong with an account or the hub, shown on every page and told by e-mail and webhook.
//!
//! Owns `alerts`, `alert_notices`, `alert_settings` and `alert_tests`. Whoever checks something reports it each time, on or off
//! ([`service::report`]); an alert opens once, stays open while the condition lasts, and closes when it is over. Promises:
//! opening, getting worse and closing are told once to each recipient, through the `jobs` engine, so that a crash in between
//! loses nothing;
//! a retry carries the same `Message-ID` or `webhook-id`, by which the other side knows it again; a condition that comes and
//! goes does not flood anybody ([`model::settles`]).

pub mod api;
mod channels;
pub mod jobs;
mod model;
mod notify;
pub mod pages;
pub(crate) mod repo;
pub mod service;
#[cfg(test)]
mod tests;
mod words;

pub use channels::{Changes, Channel, Settings, Tried, change, reseal, settings, test};
pub use model::{Alert, Condition, RETURNS_WITHIN, Severity, settles};
pub(crate) use repo::STATEMENTS;
pub use words::{Said, say};
