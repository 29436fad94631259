//! Settings → Accounts.

mod answers;
mod copy;
mod disconnect;
mod friend_code;
pub(in crate::accounts) mod gone;
pub(in crate::accounts) mod head;
mod list;
mod public_url;
mod show;
mod switcher;

pub use switcher::{SWITCHER, chosen};

pub(crate) use head::{AccountHead, Tab};

use axum::Router;
use axum::routing::{get, post};

use super::model::{Account, Attention, Environment, Market, OaKind, Status};
use super::pasted::looks_words;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, Id as _};

/// Settings → Accounts.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route(SWITCHER, get(switcher::switcher))
        .route("/accounts/switch", post(switcher::switch))
        .route("/settings/accounts", get(list::list))
        .route("/settings/accounts/{id}", get(show::show))
        .route("/settings/accounts/{id}/check", post(show::check))
        .route("/settings/accounts/{id}/webhook-test", post(show::test))
        .route("/settings/accounts/{id}/settings", post(show::change))
        .route("/settings/accounts/{id}/answers", get(answers::show).post(answers::change))
        .route("/settings/accounts/{id}/answers/ticks", post(answers::tick))
        .route("/settings/accounts/{id}/answers/replies", post(answers::replies))
        .route("/settings/accounts/{id}/usage", get(show::usage))
        .route("/settings/accounts/{id}/friend-code/{ending}", get(friend_code::download))
        .route("/settings/accounts/{id}/copy", get(copy::show).post(copy::copy))
        .route("/settings/accounts/{id}/disconnect", get(disconnect::show).post(disconnect::submit))
        .route("/settings/accounts/{id}/disconnected", get(disconnect::report))
        .route("/settings/public-url", get(public_url::show).post(public_url::apply))
        .merge(super::doctor::pages::routes())
        .merge(super::doctor::walks::routes())
        .merge(super::keys::pages::routes())
        .merge(super::login::pages::routes())
}

/// The key of what is wrong with a field and what to do.
pub(in crate::accounts) fn field_words(field: &str, code: &str) -> &'static str {
    if let Some(words) = looks_words(code) {
        return words;
    }
    match (field, code) {
        ("channel_id", "required") => "accounts-channel-id-required",
        ("channel_id", "wrong_id") => "accounts-channel-id-wrong",
        ("channel_id", "suspended") => "keys-error-channel-id-suspended",
        ("channel_id", "not_messaging") => "accounts-channel-id-login",
        ("channel_id", _) => "accounts-channel-id-invalid",
        ("channel_secret", "required") => "accounts-channel-secret-required",
        ("channel_secret", "invalid") => "keys-error-channel-secret-invalid",
        ("channel_secret", "other_channel") => "accounts-channel-secret-other",
        ("channel_secret", _) => "accounts-channel-secret-wrong",
        ("access_token", "other_channel") => "accounts-access-token-other",
        ("access_token", "invalid") => "keys-error-access-token-invalid",
        ("access_token", "invalid_token") => "keys-error-access-token-invalid-token",
        ("access_token", "expired_token") => "keys-error-access-token-expired-token",
        ("access_token", "revoked_token") => "keys-error-access-token-revoked-token",
        ("access_token", _) => "accounts-access-token-wrong",
        ("line_id", _) => "accounts-line-id-other",
        ("kid", "invalid") => "keys-error-kid-invalid",
        ("kid", "unknown_kid") => "keys-error-kid-unknown-kid",
        ("kid", "other_channel") => "keys-error-kid-other-channel",
        ("kid", "other_key") => "keys-error-kid-other-key",
        ("kid", "clock") => "keys-error-kid-clock",
        ("kid", "no_places") => "keys-error-kid-no-places",
        ("kid" | "signing_key_id", "required") => "guide-kid-required",
        ("kid" | "signing_key_id", _) => "guide-kid-wrong",
        (_, "public_url") => "accounts-public-url",
        (_, "webhook_tests_used_up") => "doctor-tests-used-up",
        (_, "webhook_unreachable") => "accounts-webhook-unreachable",
        _ => "accounts-webhook-refused",
    }
}

impl Status {
    /// The key of its name.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Connected => "accounts-status-connected",
            Self::Attention => "accounts-status-attention",
            Self::Disconnected => "accounts-status-disconnected",
        }
    }

    /// The kind of its badge.
    pub(crate) const fn badge(self) -> &'static str {
        match self {
            Self::Connected => "ok",
            Self::Attention => "warning",
            Self::Disconnected => "neutral",
        }
    }
}

impl Attention {
    /// The key of what is the matter.
    pub(in crate::accounts) const fn words(self) -> &'static str {
        match self {
            Self::Connecting => "accounts-connecting",
            Self::WebhookOff => "accounts-webhook-off",
            Self::WebhookElsewhere => "accounts-webhook-elsewhere",
            Self::WebhookMissing => "accounts-webhook-missing",
            Self::Credentials => "accounts-credentials-refused",
        }
    }

    /// The key of what to do.
    pub(in crate::accounts) const fn fix(self) -> &'static str {
        match self {
            Self::Connecting => "accounts-connecting-fix",
            Self::WebhookOff => "accounts-webhook-off-fix",
            Self::WebhookElsewhere => "accounts-webhook-elsewhere-fix",
            Self::WebhookMissing => "accounts-webhook-missing-fix",
            Self::Credentials => "accounts-credentials-refused-fix",
        }
    }
}

impl Environment {
    /// The key of its name.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Live => "accounts-environment-live",
            Self::Test => "accounts-environment-test",
        }
    }
}

impl OaKind {
    /// The key of its name.
    pub(in crate::accounts) const fn words(self) -> &'static str {
        match self {
            Self::Unverified => "accounts-kind-unverified",
            Self::Verified => "accounts-kind-verified",
            Self::Premium => "accounts-kind-premium",
        }
    }
}

impl Market {
    /// The key of its name.
    pub(in crate::accounts) const fn words(self) -> &'static str {
        match self {
            Self::Tw => "accounts-market-tw",
            Self::Jp => "accounts-market-jp",
            Self::Th => "accounts-market-th",
            Self::Other => "accounts-market-other",
        }
    }
}

impl Account {
    /// LINE Developers' page of the channel.
    pub(in crate::accounts) fn console(&self, page: &str) -> String {
        format!("https://developers.line.biz/console/channel/{}/{page}", self.channel_id)
    }

    /// A page of the account in LINE Official Account Manager.
    pub(in crate::accounts) fn manager(&self, page: &str) -> String {
        format!("https://manager.line.biz/account/{}/{page}", self.basic_id)
    }

    /// LINE's page on plans and prices for the account's country; for others LINE's overview for developers.
    fn prices(&self) -> &'static str {
        match self.market() {
            Some(Market::Tw) => "https://tw.linebiz.com/service/account-solutions/line-official-account/",
            Some(Market::Jp) => "https://www.lycbiz.com/jp/service/line-official-account/plan/",
            Some(Market::Th) => "https://lineforbusiness.com/th/",
            Some(Market::Other) | None => "https://developers.line.biz/en/docs/messaging-api/pricing/",
        }
    }

    /// Its page here.
    pub(crate) fn page(&self) -> String {
        address(self.id.as_str())
    }
}

pub(super) fn parse(id: &str) -> AppResult<AccountId> {
    AccountId::parse(id).ok_or_else(|| AppError::not_found("account"))
}

fn address(id: &str) -> String {
    format!("/settings/accounts/{id}")
}
