//! People: one row per account and messenger id, with a nullable person that joins rows later.
//!
//! Owns `contacts`. Promises: an event without a user makes no contact; following and blocked change only by newer acts,
//! and any newer act of a friend in the chat lifts a block; the profile is fetched by a job, never in the webhook's way;
//! somebody seen only in a group is a contact whose following is unknown.

pub mod api;
pub mod jobs;
pub mod model;
pub mod pages;
mod repo;
pub mod service;
#[cfg(test)]
mod tests;

pub(crate) use repo::STATEMENTS;
