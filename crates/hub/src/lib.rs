//! The hub: engines that know no feature, and slices that own their tables, rules, pages and API.
//!
//! In reading order: a webhook comes in through [`ingress`], is kept by [`journal`], becomes [`contacts`] and
//! [`inbox`] conversations, and what is answered leaves through [`outbox`]. [`wiring`] is the one list of slices.

// A future that holds other calls' futures grows past a thread's stack: box what the lint names.
#![cfg_attr(not(test), warn(clippy::large_futures))]

pub mod app;
pub mod clock;
pub mod config;
pub mod error;
pub mod ids;
pub mod scope;
pub mod start;
pub mod text;
pub mod wiring;
pub(crate) mod words;

// Engines.
pub mod blobs;
pub mod db;
pub mod guard;
pub mod jobs;
pub mod journal;
pub mod live;
pub mod mail;
pub mod secrets;
pub mod web;
pub mod webhooks;

// Slices, each before those that may call it.
pub mod accounts;
pub mod alerts;
pub mod contacts;
pub mod inbox;
pub mod ingress;
pub mod outbox;
pub mod relay;
pub mod team;
