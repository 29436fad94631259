//! What sends, through the outbox: LINE's own checks first, then the key's limit, then LINE's own answer.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use line_api::validate::{self, Rules};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::{ACCEPTED_REQUEST_ID, No, Result, json_answer};
use super::model::{Key, ProxyScope};
use super::pass::{LOOK, SOON, line, no_answer};
use super::repo;
use super::routes::Call;
use super::service::{self, RETRIES_KEPT};
use crate::app::Hub;
use crate::ids::SendId;
use crate::inbox::proxied::{self as inbox, Post};
use crate::inbox::service::Sent;
use crate::outbox::model::{End, Extras, Fault, KnownToken, Month, State, Target, TargetKind, Terms, Via};
use crate::outbox::proxied as outbox;
use crate::scope::Scope;

/// How long the caller waits for all of it at most (CONTRACT "Proxy").
const WAIT: Duration = Duration::from_secs(30);

/// Why a reply token is of no use any more.
const USED: &str = "it was used before, or another system was faster";
/// The same, after `reply_as_push`.
const PUSHED: &str = "it was used before: the answer went out as a push";

/// Sends what was asked for.
pub(super) async fn send(hub: &Hub, call: Call<'_>) -> Result<Response> {
    let by = Instant::now() + WAIT;
    let retry_key = retry_key(&call)?;
    let body = json_body(&call)?;
    match call.operation.id {
        "replyMessage" => Box::pin(reply(hub, call.key, &body, by)).await,
        "pushMessage" => Box::pin(push(hub, call.key, &body, retry_key.as_deref(), by)).await,
        _ => Box::pin(super::bulk::send(hub, &call, &body, retry_key.as_deref(), by)).await,
    }
}

/// What LINE is asked before anything is sent, within the call's one deadline.
pub(super) async fn within<T>(by: Instant, asked: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| No::broken("LINE did not answer the hub in time, and nothing was sent");
    tokio::time::timeout_at(by, asked).await.map_err(late)?
}

fn left(by: Instant) -> Duration {
    by.saturating_duration_since(Instant::now())
}

/// The caller's retry key: a UUID, on all sends but replies (PLATFORM 18).
fn retry_key(call: &Call<'_>) -> Result<Option<String>> {
    let Some(given) = call.headers.get("x-line-retry-key") else { return Ok(None) };
    if call.operation.id == "replyMessage" {
        return Err(No::new(400, "The retry key is not supported by this API", None));
    }
    let key =
        given.to_str().ok().filter(|key| key.len() == 36).and_then(|key| uuid::Uuid::parse_str(key).ok());
    let bad = || No::new(400, "The value for the 'X-Line-Retry-Key' header is invalid", None);
    key.map(|key| Some(key.hyphenated().to_string())).ok_or_else(bad)
}

fn json_body(call: &Call<'_>) -> Result<Value> {
    let unreadable = |line, column| {
        let message =
            format!("The request body could not be parsed as JSON (line: {line}, column: {column})");
        No::new(400, &message, None)
    };
    match serde_json::from_slice::<Value>(&call.body) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(unreadable(1, 1)),
        Err(error) => Err(unreadable(error.line(), error.column())),
    }
}

/// The messages, checked as LINE does, and what is asked for beside them.
pub(super) fn messages(hub: &Hub, body: &Value) -> Result<(Vec<Value>, Extras)> {
    let messages = body.get("messages").unwrap_or(&Value::Null);
    validate::messages_with(messages, Rules { loopback_http: hub.config.is_loopback() })?;
    let silent = match body.get("notificationDisabled") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(silent)) => *silent,
        Some(_) => return Err(No::property("notificationDisabled")),
    };
    let messages = messages.as_array().cloned().unwrap_or_default();
    Ok((messages, Extras { silent, units: Vec::new() }))
}

/// `customAggregationUnits`: at most one, of a set form (PLATFORM 7).
pub(super) fn units(body: &Value) -> Result<Vec<String>> {
    let units = match body.get("customAggregationUnits") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(units)) => units,
        Some(_) => return Err(No::property("customAggregationUnits")),
    };
    if units.len() > 1 {
        return Err(No::finding("customAggregationUnits", "Size must be between 0 and 1"));
    }
    let is_unit = |unit: &&str| {
        (1..=30).contains(&unit.len()) && unit.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let Some(unit) = units.first() else { return Ok(Vec::new()) };
    let unit = unit.as_str().filter(is_unit).ok_or_else(|| No::property("customAggregationUnits[0]"))?;
    Ok(vec![unit.to_owned()])
}

async fn reply(hub: &Hub, key: &Key, body: &Value, by: Instant) -> Result<Response> {
    let token = match body.get("replyToken") {
        Some(Value::String(token)) if !token.is_empty() && !token.contains('\0') => token,
        _ => return Err(No::property("replyToken")),
    };
    let (messages, extras) = messages(hub, body)?;
    let Some(known) = soon(hub, key, token).await? else {
        return Err(No::reply_token("no event of this account brought this token"));
    };
    let reason = match &known {
        known if known.owner.is_empty() => {
            "replies to this event are the hub's: the account's settings say who answers"
        }
        known if known.owner != key.destination.as_str() => {
            "replies to this event belong to somebody else: the account's settings say who answers"
        }
        // A reply once begun never becomes a push (ARCHITECTURE 1.5): this may be a repeat of it.
        known if known.is_claimed => return Err(No::reply_token(USED)),
        known if hub.now() >= known.usable_until => "it came too long ago",
        _ => return Box::pin(by_token(hub, key, (token, &known), (messages, extras), by)).await,
    };
    if !key.reply_as_push || !key.may(ProxyScope::Push) {
        return Err(No::reply_token(reason));
    }
    // Once for each token, since an event may come again.
    let once = service::converted(token);
    let failed = match before(hub, key, &once, by).await? {
        Before::Nothing => None,
        Before::Failed(send) => Some(send),
        Before::Sent(_) => return Err(No::reply_token(PUSHED)),
    };
    let target = chat(hub, key, &known).await?;
    let pushed = paid(hub, key, target, (messages, extras), Some((&once, failed.as_ref())), by);
    match Box::pin(pushed).await? {
        Paid::Told(end) => {
            let mut response = told(end)?.into_response();
            response.headers_mut().insert("x-trunkline-sent-as", HeaderValue::from_static("push"));
            Ok(response)
        }
        Paid::Twin => Err(No::reply_token(PUSHED)),
    }
}

/// The token as the hub knows it, once its event is processed: a bot may be faster than the inbox.
async fn soon(hub: &Hub, key: &Key, token: &str) -> Result<Option<KnownToken>> {
    let mut looked = Duration::ZERO;
    loop {
        let known = outbox::token(&hub.db, &key.tenant, &key.account, token).await?;
        if known.is_some() || looked >= SOON {
            return Ok(known);
        }
        tokio::time::sleep(LOOK).await;
        looked += LOOK;
    }
}

async fn chat(hub: &Hub, key: &Key, known: &KnownToken) -> Result<Target> {
    let scope = Scope::tenant_wide(key.tenant.clone());
    Ok(inbox::chat(hub, &scope, &known.conversation).await?)
}

/// Answers with the token.
async fn by_token(
    hub: &Hub,
    key: &Key,
    (token, known): (&str, &KnownToken),
    (messages, extras): (Vec<Value>, Extras),
    by: Instant,
) -> Result<Response> {
    let post = Post {
        tenant: &key.tenant,
        account: &key.account,
        target: chat(hub, key, known).await?,
        sender: (key.destination.as_str(), &key.name),
        messages,
        terms: Terms::FREE,
        extras,
        token: Some((token, known.usable_until)),
    };
    let mut tx = hub.db.begin().await?;
    if !repo::touch(&mut tx, key, hub.now()).await? {
        return Err(gone());
    }
    let Some(posted) = inbox::post(&mut tx, hub, post).await? else { return Err(No::reply_token(USED)) };
    tx.commit().await?;
    inbox::announce(hub, &key.tenant, &key.account, &posted);
    let Some(end) = outbox::wait(hub, &posted.send, left(by), &Sent).await? else { return Err(open()) };
    if end.state == State::Failed && end.refusal.is_none() && end.fault == Some(Fault::PaidSendRefused) {
        return Err(No::reply_token("LINE no longer takes it"));
    }
    told(end)
}

async fn push(hub: &Hub, key: &Key, body: &Value, retry_key: Option<&str>, by: Instant) -> Result<Response> {
    let to = match body.get("to") {
        Some(Value::String(to)) if !to.is_empty() => to,
        None | Some(Value::Null) => return Err(No::finding("to", "May not be empty")),
        Some(_) => return Err(No::property("to")),
    };
    let (messages, mut extras) = messages(hub, body)?;
    extras.units = units(body)?;
    let target = target(to).ok_or_else(|| No::property("to"))?;
    // Before the price and the limit: a repeat of what LINE accepted costs nothing.
    let failed = match retry_key {
        None => None,
        Some(retry_key) => match before(hub, key, retry_key, by).await? {
            Before::Nothing => None,
            Before::Failed(send) => Some(send),
            Before::Sent(end) => return Ok(accepted(end)),
        },
    };
    let known = inbox::knows(hub, &key.account, to).await?;
    if !known && !within(by, line_knows(hub, key, &target)).await? {
        let reason = "LINE tells the hub nothing of this chat, so that it has no place in the inbox";
        return Err(No::new(400, "Failed to send messages", Some(reason)));
    }
    let retry = retry_key.map(|retry_key| (retry_key, failed.as_ref()));
    match Box::pin(paid(hub, key, target, (messages, extras), retry, by)).await? {
        Paid::Told(end) => told(end),
        Paid::Twin => match before(hub, key, retry_key.unwrap_or_default(), by).await? {
            Before::Sent(end) => Ok(accepted(end)),
            Before::Failed(_) | Before::Nothing => Err(open()),
        },
    }
}

/// A chat by LINE's ID of it (PLATFORM 3).
fn target(id: &str) -> Option<Target> {
    let kind = match id.chars().next()? {
        'U' => TargetKind::User,
        'C' => TargetKind::Group,
        'R' => TargetKind::Room,
        _ => return None,
    };
    let is_id = id.len() == 33 && id.bytes().skip(1).all(|b| b.is_ascii_hexdigit());
    is_id.then(|| Target { kind, id: id.to_owned() })
}

/// Whether LINE knows the chat, which the hub has not met.
async fn line_knows(hub: &Hub, key: &Key, target: &Target) -> Result<bool> {
    let account = line(hub, key).await?;
    let found = match target.kind {
        TargetKind::User => account.profile(&target.id).await.map(|found| found.is_some()),
        TargetKind::Group => account.group_summary(&target.id).await.map(|found| found.is_some()),
        TargetKind::Room => account.room_member_count(&target.id).await.map(|found| found.is_some()),
    };
    match found {
        Err(line_client::LineError::Refused { .. }) => Ok(false),
        found => found.map_err(|error| no_answer(&error)),
    }
}

/// What a push to the chat costs: one, or the members of the group (PLATFORM 22).
async fn cost(hub: &Hub, key: &Key, target: &Target) -> Result<i64> {
    let members = match target.kind {
        TargetKind::User => return Ok(1),
        TargetKind::Group => line(hub, key).await?.group_member_count(&target.id).await,
        TargetKind::Room => line(hub, key).await?.room_member_count(&target.id).await,
    };
    let members = members.map_err(|error| no_answer(&error))?;
    let gone = || No::new(400, "Failed to send messages", Some("the account is not in this group or room"));
    members.map(|members| i64::try_from(members).unwrap_or(i64::MAX)).ok_or_else(gone)
}

/// What became of a push.
enum Paid {
    /// LINE's answer.
    Told(End),
    /// Another with the same retry key was a little earlier.
    Twin,
}

/// Queues a push within the key's limit and waits for LINE's answer.
async fn paid(
    hub: &Hub,
    key: &Key,
    target: Target,
    (messages, extras): (Vec<Value>, Extras),
    retry: Option<(&str, Option<&SendId>)>,
    by: Instant,
) -> Result<Paid> {
    let cost = within(by, cost(hub, key, &target)).await?;
    let post = Post {
        tenant: &key.tenant,
        account: &key.account,
        target,
        sender: (key.destination.as_str(), &key.name),
        messages,
        terms: Terms { allow_paid: true, max_cost: cost },
        extras,
        token: None,
    };
    let now = hub.now();
    let kept = now.minus(RETRIES_KEPT);
    let mut tx = hub.db.begin().await?;
    if !repo::touch(&mut tx, key, now).await? {
        return Err(gone());
    }
    if let Some((retry_key, failed)) = retry
        && let Some(twin) = repo::retry_held(&mut tx, key, retry_key, kept).await?
        && failed != Some(&twin)
    {
        return Ok(Paid::Twin);
    }
    if let Some(limit) = key.monthly_paid_limit {
        let (since, _) = Month::of(now).bounds();
        let spent = outbox::paid(&mut tx, &key.tenant, key.destination.as_str(), since).await?;
        if spent.saturating_add(cost) > limit {
            return Err(over(limit, spent, cost));
        }
    }
    let posted = inbox::post(&mut tx, hub, post).await?.ok_or_else(open)?;
    if let Some((retry_key, failed)) = retry
        && !repo::put_retry(&mut tx, key, (retry_key, &posted.send), failed, (now, kept)).await?
    {
        return Ok(Paid::Twin);
    }
    tx.commit().await?;
    inbox::announce(hub, &key.tenant, &key.account, &posted);
    outbox::wait(hub, &posted.send, left(by), &Sent).await?.map(Paid::Told).ok_or_else(open)
}

pub(super) fn over(limit: i64, spent: i64, cost: i64) -> No {
    No::monthly_limit(&format!(
        "the proxy key may spend {limit} messages of the quota a month; {spent} are spent or reserved, and this send \
         costs {cost}"
    ))
}

/// What became of an earlier send under a retry key.
enum Before {
    /// There was none.
    Nothing,
    /// It did not go out, which leaves the key free.
    Failed(SendId),
    /// LINE accepted it.
    Sent(End),
}

async fn before(hub: &Hub, key: &Key, retry_key: &str, by: Instant) -> Result<Before> {
    let since = hub.now().minus(RETRIES_KEPT);
    let Some(send) = repo::retry_of(&hub.db, key, retry_key, since).await? else {
        return Ok(Before::Nothing);
    };
    let end = outbox::wait(hub, &send, left(by), &Sent).await?.ok_or_else(open)?;
    match end.state {
        State::Sent => Ok(Before::Sent(end)),
        State::Failed => Ok(Before::Failed(send)),
        State::Queued | State::Sending | State::Unknown => Err(open()),
    }
}

/// The answer to a repeat of what LINE has accepted (PLATFORM 18).
fn accepted(end: End) -> Response {
    let mut body = json!({ "message": "The retry key is already accepted" });
    if let (Some(sent), Some(body)) = (sent_messages(&end), body.as_object_mut()) {
        body.insert("sentMessages".to_owned(), sent);
    }
    let mut response = json_answer(StatusCode::CONFLICT, &body, None);
    if let Some(id) = end.request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        response.headers_mut().insert(ACCEPTED_REQUEST_ID, id);
    }
    response
}

/// `sentMessages`; `None` where LINE's answer was lost.
fn sent_messages(end: &End) -> Option<Value> {
    let one = |(id, quote): &(Option<String>, Option<String>)| {
        let mut sent = json!({ "id": id.as_ref()? });
        if let (Some(quote), Some(sent)) = (quote, sent.as_object_mut()) {
            sent.insert("quoteToken".to_owned(), quote.as_str().into());
        }
        Some(sent)
    };
    end.messages.iter().map(one).collect::<Option<Vec<_>>>().map(Value::Array)
}

/// LINE's answer to a send that has come to its end.
fn told(end: End) -> Result<Response> {
    let words = end.detail.clone().unwrap_or_default();
    match (end.state, &end.refusal) {
        (State::Sent, _) => {
            let Some(sent) = sent_messages(&end) else {
                return Err(No::broken("LINE's answer was lost; the message was most likely delivered"));
            };
            let body = json!({ "sentMessages": sent });
            Ok(json_answer(StatusCode::OK, &body, end.request_id.as_deref()))
        }
        (State::Failed, Some((status, body))) => Err(No::of_line(*status, body.clone(), end.request_id)),
        (State::Failed, None) => Err(match end.fault {
            Some(Fault::PaidSendRefused) if end.via != Some(Via::Reply) => No::monthly_limit(&words),
            Some(Fault::QuotaExhausted) => No::monthly_limit(&words),
            Some(Fault::Disconnected) => No::forbidden(&words),
            Some(Fault::LineRefused) => No::new(400, "Failed to send messages", Some(&words)),
            _ => No::broken(&format!("nothing was sent: {words}")),
        }),
        _ => Err(open()),
    }
}

/// It may or may not have gone out.
pub(super) fn open() -> No {
    No::broken(
        "LINE's answer did not come in time; the hub goes on trying, and a repeat with the same retry key tells",
    )
}

/// The key ended while the call was under way.
pub(super) fn gone() -> No {
    No::new(
        401,
        "Authentication failed due to the following reason: invalid token. Confirm that the access token in the authorization header is valid.",
        None,
    )
}
