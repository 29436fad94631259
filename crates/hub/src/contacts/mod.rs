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

use futures_util::future::BoxFuture;

use crate::accounts::login::KnowsPeople;
use crate::app::Hub;
use crate::db::DbResult;
use crate::ids::{AccountId, TenantId};

pub(crate) use repo::STATEMENTS;

/// Tells logins whether an account has met a person.
#[derive(Debug)]
pub struct Met;

impl KnowsPeople for Met {
    fn knows<'a>(
        &'a self,
        hub: &'a Hub,
        tenant: &'a TenantId,
        account: &'a AccountId,
        user_id: &'a str,
    ) -> BoxFuture<'a, DbResult<bool>> {
        Box::pin(repo::knows(&hub.db, tenant, account, user_id))
    }
}
