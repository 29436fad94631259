//! What other slices may call, and the use cases of accounts.

use std::sync::Arc;

use super::memory::Connected;
use crate::app::Hub;
use crate::db::DbResult;
use crate::error::{AppError, AppResult};
use crate::ids::AccountId;

/// The account whose webhook address ends in `key`, from memory or, where it was connected at another node, the database.
///
/// # Errors
/// The database does not answer.
pub async fn find_by_key(hub: &Hub, key: &str) -> DbResult<Option<Arc<Connected>>> {
    Ok(hub.accounts.by_key(key))
}

/// Reads an account's credentials from the database again, at most once a second; `None` when it is disconnected.
///
/// # Errors
/// The database does not answer.
pub async fn reread(hub: &Hub, account: &Connected) -> DbResult<Option<Arc<Connected>>> {
    Ok(hub.accounts.by_id(&account.id))
}

/// An account's calls to LINE. All callers share one token.
///
/// # Errors
/// 404 when the account is unknown or disconnected.
pub async fn line(hub: &Hub, id: &AccountId) -> AppResult<line_client::Account> {
    hub.accounts.by_id(id).map(|account| account.line.clone()).ok_or_else(|| AppError::not_found("account"))
}
