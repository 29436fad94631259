//! The journal's SQL: its entries (the journal's database), and the cursors on it (the hub's database).

pub mod cursors;
pub(super) mod entries;
pub(super) mod requests;
