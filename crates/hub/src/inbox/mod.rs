//! Conversations and their messages: what friends wrote, what was answered, and who has to answer next.
//!
//! Owns `conversations`, `messages`, `message_versions`, `unsent_messages`, `media`, `attachments`. Promises: every
//! event becomes at most one message, however often and in whatever order it comes; an edit is a version of its message
//! and may come first; an unsent message leaves a tombstone and nothing else; media is fetched soon, by a job, and kept; no
//! finished file stays that nothing refers to;
//! groups and rooms are conversations of their own.

pub mod api;
mod arrivals;
pub mod attachments;
pub mod consumer;
pub mod content;
pub mod jobs;
pub mod model;
pub mod pages;
pub mod proxied;
mod repo;
pub mod service;
pub mod sweep;
#[cfg(test)]
mod tests;

pub use arrivals::Came;
pub(crate) use repo::{MEDIA, READING, WRITING};
