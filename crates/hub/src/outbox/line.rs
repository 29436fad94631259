//! LINE as the dispatcher sees it, and what LINE's answers mean to a send.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use line_client::{Cause, Consumption, LineError, Quota, Sent};

use super::model::{Outcome, Target, TargetKind};
use crate::accounts;
use crate::app::Hub;
use crate::error::AppResult;
use crate::ids::{AccountId, TenantId};

/// The longest text that is kept of LINE's words.
const MAX_WORDS: usize = 2_000;
/// The longest refusal that is kept whole, in bytes.
const MAX_REFUSAL: usize = 16 << 10;

/// One account's calls that the outbox makes. [`line_client::Account`] is the real one.
pub trait Line: Send + Sync + Debug {
    /// Sends a reply's bytes.
    fn reply(&self, body: Bytes) -> BoxFuture<'_, Result<Sent, LineError>>;
    /// Sends a push's bytes.
    fn push<'a>(&'a self, body: Bytes, retry_key: &'a str) -> BoxFuture<'a, Result<Sent, LineError>>;
    /// Counts the members of a group or room, the bot not among them; `None` when the bot is not in it.
    fn members<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<u64>, LineError>>;
    /// Reads the month's quota and what is used of it.
    fn quota(&self) -> BoxFuture<'_, Result<(Quota, Consumption), LineError>>;
}

impl Line for line_client::Account {
    fn reply(&self, body: Bytes) -> BoxFuture<'_, Result<Sent, LineError>> {
        self.reply_raw(body).boxed()
    }

    fn push<'a>(&'a self, body: Bytes, retry_key: &'a str) -> BoxFuture<'a, Result<Sent, LineError>> {
        self.push_raw(body, retry_key).boxed()
    }

    fn members<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<u64>, LineError>> {
        async {
            match target.kind {
                TargetKind::User => Ok(Some(1)),
                TargetKind::Group => self.group_member_count(&target.id).await,
                TargetKind::Room => self.room_member_count(&target.id).await,
            }
        }
        .boxed()
    }

    fn quota(&self) -> BoxFuture<'_, Result<(Quota, Consumption), LineError>> {
        async { tokio::try_join!(self.quota(), self.consumption()) }.boxed()
    }
}

/// Where the dispatcher finds an account's [`Line`]. The hub is the real one.
pub trait Lines: Send + Sync + Debug {
    /// The account's calls; `None` when it is not connected.
    fn line<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, AppResult<Option<Arc<dyn Line>>>>;
    /// Whose the account is; `None` when it is not connected.
    fn tenant(&self, account: &AccountId) -> Option<TenantId>;
    /// LINE did not take the account's credentials; returns at once.
    fn credentials_refused(&self, account: &AccountId);
}

impl Lines for Hub {
    fn line<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, AppResult<Option<Arc<dyn Line>>>> {
        async move {
            match accounts::service::line(self, account).await {
                Ok(line) => Ok(Some(Arc::new(line) as Arc<dyn Line>)),
                Err(error) if error.status == http::StatusCode::NOT_FOUND => Ok(None),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn tenant(&self, account: &AccountId) -> Option<TenantId> {
        self.accounts.by_id(account).map(|account| account.tenant.clone())
    }

    fn credentials_refused(&self, account: &AccountId) {
        let Some(account) = self.accounts.by_id(account) else { return };
        let hub = self.clone();
        // The check asks LINE itself and marks the account, so that a person sees it there as well.
        self.tasks.spawn(async move {
            if let Err(error) = accounts::service::check(&hub, &account).await {
                tracing::warn!(account = %account.id, detail = error.detail, "the account could not be checked");
            }
        });
    }
}

/// What an error of a reply or push means.
#[must_use]
pub fn outcome(error: &LineError) -> Outcome {
    match error {
        _ if error.is_invalid_reply_token() => Outcome::InvalidToken,
        LineError::Refused { status: 400, body, .. } if is_about_token(body) => Outcome::MalformedToken,
        LineError::Refused { status, .. } => Outcome::Refused(Some(*status)),
        LineError::Wait { retry_after, .. } => Outcome::Wait(*retry_after),
        LineError::QuotaUsedUp { .. } => Outcome::QuotaUsedUp,
        LineError::Unknown { cause: Cause::Request, .. }
        | LineError::NotSent { cause: Cause::Request, .. } => Outcome::Refused(None),
        LineError::Unknown { .. } => Outcome::Open,
        LineError::NotSent { .. } => Outcome::NotSent,
        LineError::Credentials { .. } => Outcome::Credentials,
    }
}

/// `The property, 'replyToken', in the request body is invalid (line: 1, column: 15)` (PLATFORM 5).
fn is_about_token(body: &line_client::ErrorBody) -> bool {
    body.message.contains("'replyToken'")
}

/// LINE's refusal as it came, for another system that waits for it: `[status, body]`; `None` where LINE did not refuse.
#[must_use]
pub fn refusal(error: &LineError) -> Option<String> {
    let is_refusal =
        matches!(error, LineError::Refused { .. } | LineError::QuotaUsedUp { .. } | LineError::Wait { .. });
    let (status, body) = (error.status()?, error.body()?);
    let text = serde_json::json!([status, body]).to_string();
    (is_refusal && text.len() <= MAX_REFUSAL).then_some(text)
}

/// LINE's words, details included, for the person who reads why a message failed; ours where LINE said nothing.
#[must_use]
pub fn words(error: &LineError) -> String {
    let mut text = match error.body() {
        Some(body) if !body.message.is_empty() => body.message.clone(),
        _ => error.to_string(),
    };
    for detail in error.body().map(|body| body.details.as_slice()).unwrap_or_default() {
        let said = [detail.property.as_deref(), detail.message.as_deref()];
        let said: Vec<&str> = said.into_iter().flatten().collect();
        text.push_str("; ");
        text.push_str(&said.join(": "));
    }
    text.chars().filter(|c| *c != '\0').take(MAX_WORDS).collect()
}
