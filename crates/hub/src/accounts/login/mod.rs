//! LINE Login and LIFF of an account: the Login channel, its one LIFF app, and the tests that tell whether it all works.
//!
//! Owns `login_channels` and `login_tests`. Promises: a Login channel is taken only after LINE accepted it; the hub finds,
//! makes and repairs its LIFF app by API and never makes two for one account; nobody is
//! believed to be a person without an identity token of LINE's, verified by the way it came; user IDs that a page sends
//! count for nothing. What LINE does not report (the linked account, the share switch) is a dated tick, and where a login
//! gives a hint about it, the hint is shown beside it.
//!
//! | file | holds |
//! | --- | --- |
//! | `model.rs` | the rows and the findings of a test, and the rules that need neither LINE nor a database |
//! | `service.rs` | saving the channel, switches and ticks; what other parts may ask |
//! | `liff.rs` | the LIFF app: read, find, make, repair, clean up |
//! | `flow.rs` | a login from the first address to the verified person |
//! | `run.rs` | tests of login and LIFF, and what each found |
//! | `pages.rs`, `door.rs`, `api.rs` | the operator's pages, the public addresses, what programs see |

pub mod api;
mod door;
mod flow;
mod liff;
mod model;
pub(super) mod pages;
pub(crate) mod repo;
mod run;
pub mod service;
mod test_pages;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;

use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::ids::{AccountId, TenantId};

pub use door::routes;
pub use model::{LiffFault, LoginChannel, ProviderMatch};
pub(crate) use repo::STATEMENTS;

/// Knows the people of an account from what came in; a later slice does, `wiring` says which.
pub trait KnowsPeople: Send + Sync + std::fmt::Debug {
    /// Whether the account has met the person with this user ID, by a message or by being added as a friend.
    fn knows<'a>(
        &'a self,
        hub: &'a Hub,
        tenant: &'a TenantId,
        account: &'a AccountId,
        user_id: &'a str,
    ) -> BoxFuture<'a, DbResult<bool>>;
}

/// Finds who wrote a test's code; a later slice keeps what came in, `wiring` says which.
pub trait WhoWrote: Send + Sync + std::fmt::Debug {
    /// The user ID of the person who wrote exactly this text to the account, in a chat of their own, since a moment; `None`
    /// while nobody did.
    fn who_wrote<'a>(
        &'a self,
        hub: &'a Hub,
        whose: (&'a TenantId, &'a AccountId),
        code: &'a str,
        since: Timestamp,
    ) -> BoxFuture<'a, DbResult<Option<String>>>;
}

/// Forgets the Login channel's secret when the account is disconnected, as that of the account itself.
#[derive(Debug)]
pub struct ForgetSecrets;

impl super::AccountListener for ForgetSecrets {
    fn disconnected<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, DbResult<()>> {
        Box::pin(service::forget_secret(hub, id))
    }
}
