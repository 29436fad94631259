//! Connected accounts (a LINE Official Account first): connect, credentials, tokens, webhook, disconnect.
//!
//! Owns `accounts` and `account_secrets`.

mod memory;
pub mod service;

use axum::Router;

use crate::app::Hub;

pub use memory::{Accounts, Connected, Counted, Seen};

/// Pages and API of accounts.
pub fn routes() -> Router<Hub> {
    Router::new()
}
