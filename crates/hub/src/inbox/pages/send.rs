//! What an answer costs, and sending it: once, however often it is asked for.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::id;
use super::talk::{TurnsPartial, page_of};
use crate::accounts::replies;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::ids::{ConversationId, MessageId};
use crate::inbox::attachments;
use crate::inbox::model::{Conversation, Kind};
use crate::inbox::service::{self, Answer};
use crate::outbox::model::{Origin, Terms};
use crate::scope::Scope;
use crate::team::Viewer;
use crate::text::storable;
use crate::web::{Page, Ui};

/// The longest key of an answer.
const ONCE_LENGTH: usize = 64;

#[derive(Template)]
#[template(path = "inbox_price_partial.html")]
pub(super) struct PricePartial {
    ui: Ui,
    /// In messages of the quota; `None` when LINE did not tell the number of members.
    cost: Option<i64>,
    free_until: Option<i64>,
    words: String,
    /// The question before a group is sent what is paid, and the button's words.
    ask: String,
    pay: String,
}

#[derive(Template)]
#[template(path = "inbox_refusal_partial.html")]
struct RefusalPartial {
    code: &'static str,
    words: String,
}

/// What an answer would cost now.
pub(super) async fn price(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
) -> AppResult<Page<PricePartial>> {
    let c = service::get(&hub, &viewer.scope(), &id(&text)?).await?;
    let price = crate::outbox::service::price(&hub, &c.account_id, &c.id, &service::target(&c)).await?;
    let free_until = price.free_until.map(Timestamp::millis);
    let cost = price.cost.unwrap_or(0);
    let owned = match &price.owned_by {
        Some(owner) => replies::systems(&hub, &viewer.scope(), &c.account_id)
            .await?
            .into_iter()
            .find(|system| system.id == *owner)
            .map(|system| ui.t2("inbox-price-owned", ("name", system.name), ("count", cost))),
        None => None,
    };
    let (words, ask) = match (price.free_until, price.cost, price.quota_left) {
        (Some(_), ..) => (ui.t("inbox-price-free"), String::new()),
        (None, None, _) => (ui.t("inbox-price-unknown"), String::new()),
        (None, Some(_), Some(left)) => {
            let told = |key| ui.t2(key, ("count", cost), ("left", left));
            (told("inbox-price-paid"), told("inbox-ask-paid"))
        }
        (None, Some(_), None) => {
            (ui.t1("inbox-price-paid-bare", "count", cost), ui.t1("inbox-ask-paid-bare", "count", cost))
        }
    };
    let words = owned.filter(|_| price.cost.is_some()).unwrap_or(words);
    let pay = ui.t1("inbox-pay", "count", cost);
    Ok(Page(PricePartial { cost: price.cost, free_until, words, ask, pay, ui }))
}

/// What the composer sends.
#[derive(Debug, Default, Deserialize)]
pub(super) struct SendForm {
    #[serde(default)]
    text: String,
    /// What [`attachments::attach_in_page`] answered, by commas.
    #[serde(default)]
    attachments: String,
    /// Made anew for each answer and the same for each try of it, so that a repeat sends nothing twice.
    #[serde(default)]
    once: String,
    /// Whether it may be paid; people: yes unless said otherwise, groups: only when the price was shown.
    allow_paid: Option<u8>,
    /// The price that was shown.
    max_cost: Option<i64>,
}

impl SendForm {
    fn terms(&self, kind: Kind) -> Terms {
        let allow_paid = self.allow_paid.map_or(kind == Kind::User, |given| given == 1);
        Terms { allow_paid, max_cost: self.max_cost.unwrap_or(1).max(0) }
    }

    /// The call's key, of this person only.
    fn once(&self, viewer: &Viewer) -> AppResult<Option<String>> {
        if self.once.len() > ONCE_LENGTH || !self.once.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(AppError::invalid_field("once", "invalid", "expected up to 64 letters and digits"));
        }
        Ok((!self.once.is_empty()).then(|| format!("{} {}", viewer.id, self.once)))
    }
}

/// Sends what was written; answers the newest page of the transcript.
pub(super) async fn send(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    Form(form): Form<SendForm>,
) -> AppResult<Response> {
    let (id, scope): (ConversationId, _) = (id(&text)?, viewer.scope());
    let c = service::get(&hub, &scope, &id).await?;
    let mut messages = Vec::new();
    for key in form.attachments.split(',').filter(|key| !key.is_empty()) {
        match attachments::message(&hub, key) {
            Ok(message) => messages.push(message),
            Err(error) => return Ok(refused(&ui, &error)),
        }
    }
    let words = storable(&form.text.replace("\r\n", "\n"));
    if !words.trim().is_empty() {
        messages.push(line_api::message::text(words.trim_end()));
    }
    if messages.is_empty() {
        return Ok(refused(&ui, &AppError::invalid_field("text", "required", "write something first")));
    }
    let (terms, once) = (form.terms(c.kind), form.once(&viewer)?);
    let answer = Answer { messages, terms, origin: Origin::Agent, once };
    let queued = service::send(&hub, &scope, &viewer.actor(), &id, answer).await;
    shown(&hub, &ui, &scope, &c, queued).await
}

/// Sends a failed message, or one of unknown outcome, again; answers the newest page of the transcript.
pub(super) async fn send_again(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
    Form(form): Form<SendForm>,
) -> AppResult<Response> {
    let (message, scope): (MessageId, _) = (id(&text)?, viewer.scope());
    let before = service::message(&hub, &scope, &message).await?;
    let c = service::get(&hub, &scope, &before.conversation_id).await?;
    let queued = service::send_again(&hub, &scope, &viewer.actor(), &message, form.terms(c.kind), None).await;
    shown(&hub, &ui, &scope, &c, queued).await
}

/// What the page gets for a send: the newest page of the transcript, or the refusal in words.
async fn shown<T>(
    hub: &Hub,
    ui: &Ui,
    scope: &Scope,
    c: &Conversation,
    queued: AppResult<T>,
) -> AppResult<Response> {
    match queued {
        Err(error) if is_told(&error) => Ok(refused(ui, &error)),
        Err(error) => Err(error),
        Ok(_) if !ui.is_htmx() => Ok(Redirect::to(&format!("/inbox/{}", c.id)).into_response()),
        Ok(_) => {
            let transcript = page_of(hub, ui, scope, c, None).await?;
            Ok(Page(TurnsPartial { transcript }).into_response())
        }
    }
}

/// Refusals that have words of their own beside the composer.
pub(super) fn is_told(error: &AppError) -> bool {
    matches!(
        error.status,
        StatusCode::PAYMENT_REQUIRED
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::BAD_GATEWAY
    )
}

/// A refusal in words, in place.
pub(super) fn refused(ui: &Ui, error: &AppError) -> Response {
    let field = error.fields.first();
    let words = match (error.code, field) {
        ("paid_send_refused", _) => ui.t("inbox-refused-paid"),
        ("quota_exhausted", _) => ui.t("inbox-refused-quota"),
        ("disconnected", _) => ui.t("inbox-closed-disconnected"),
        ("blocked", _) => ui.t("inbox-closed-blocked"),
        ("standby", _) => ui.t("inbox-closed-standby"),
        ("groups_hidden", _) => ui.t("inbox-closed-hidden"),
        ("left", _) => ui.t("inbox-closed-left"),
        ("line_unavailable", _) => ui.t("inbox-refused-no-members"),
        ("idempotency_key_reused", _) => ui.t("inbox-refused-reused"),
        ("not_settled", _) => ui.t("inbox-refused-not-settled"),
        (_, Some(field)) if field.code == attachments::UNKNOWN => ui.t("inbox-refused-picture"),
        (_, Some(field)) if field.code == "required" => ui.t("inbox-refused-empty"),
        (_, Some(field)) if matches!(field.code, "bad_length" | "too_long" | "too_many") => {
            ui.t("inbox-refused-label")
        }
        (_, Some(field)) => ui.t1("inbox-refused-by-line", "detail", field.detail.as_str()),
        _ => ui.t1("inbox-refused-by-line", "detail", error.detail.as_str()),
    };
    (error.status, Page(RefusalPartial { code: error.code, words })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_not_paid_for_unless_the_price_was_shown() {
        let form = SendForm::default();
        assert_eq!(form.terms(Kind::User), Terms::ONE);
        assert!(!form.terms(Kind::Group).allow_paid);
        let shown = SendForm { allow_paid: Some(1), max_cost: Some(12), ..SendForm::default() };
        assert_eq!(shown.terms(Kind::Group), Terms { allow_paid: true, max_cost: 12 });
    }
}
