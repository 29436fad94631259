//! What a tenant says about itself: its name for LINE's forms, its market, its policies, its site and its help.

pub mod api;
mod model;
pub(super) mod pages;
pub(crate) mod repo;
mod service;

pub use model::{Changes, Company, Country, Document, STAGES};
pub use service::{change, company, hosted, set_expiry};
