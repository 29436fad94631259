//! The outbox: its rules alone, its tables on both databases, and the whole way to a local LINE.

mod crash;
mod rules;
mod sandbox;
mod support;
mod tables;
