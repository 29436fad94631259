//! `POST /webhooks/line/{account_key}`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use line_api::webhook;

use crate::accounts::{self, Connected};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::ids::AccountId;
use crate::ingress::quarantine;
use crate::journal::{NewEvent, NewRequest};
use crate::text::cut;

/// A sender gives up after 2 s (PLATFORM 15); one that is this slow is not LINE.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// So much of a body over the limit is read and dropped, so that its sender gets to read the answer.
const DRAINED: usize = 8 << 20;
/// More events than LINE can fit into a body of 1 MiB (each has at least 200 bytes): elements without content, made to
/// hold up the one writer that all accounts share.
const EVENTS_MAX: usize = 5000;
/// LINE's longest `type` has 21 characters.
const KIND_LENGTH: usize = 64;
/// What stands as `type` of an element that has none.
const NO_KIND: &str = "unknown";

/// Why a request is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Signed, but not a JSON object with an `events` array; or the body broke off.
    Malformed,
    /// No signature, or one that fits no valid secret.
    Signature,
    /// No connected account has this address.
    Unknown,
    /// The body did not come in time.
    Slow,
    /// The body is over the limit.
    TooLarge,
    /// It is not known to be on disk.
    NotStored,
}

impl Refusal {
    const fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "400"),
            Self::Signature => (StatusCode::UNAUTHORIZED, "401"),
            Self::Unknown => (StatusCode::NOT_FOUND, "404"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "408"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "413"),
            Self::NotStored => (StatusCode::SERVICE_UNAVAILABLE, "503"),
        }
    }
}

/// Names the hub that relays a request; one that finds its own name here has been led back to itself.
pub const VIA: HeaderName = HeaderName::from_static("x-trunkline-hub");

/// This hub's name in [`VIA`].
#[must_use]
pub fn own_name(hub: &Hub) -> String {
    format!("{:016x}", hub.journal.epoch())
}

/// Takes in a webhook request of LINE.
pub(super) async fn receive(
    State(hub): State<Hub>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if headers.get(VIA).is_some_and(|name| name == own_name(&hub).as_str()) {
        tracing::warn!("a request that this hub relayed came back to it");
        let label = [(VIA, own_name(&hub))];
        return (StatusCode::LOOP_DETECTED, label, "{}").into_response();
    }
    let (status, label) = match take(&hub, &key, &headers, body).await {
        Ok(()) => (StatusCode::OK, "200"),
        Err(refusal) => refusal.status(),
    };
    metrics::counter!("trunkline_webhook_requests_total", "status" => label).increment(1);
    (status, [(CONTENT_TYPE, "application/json")], "{}").into_response()
}

async fn take(hub: &Hub, key: &str, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
    let account = match hub.accounts.by_key(key) {
        Some(account) => account,
        None => find(hub, key).await?,
    };
    let read = tokio::time::timeout(BODY_DEADLINE, read(body, hub.config.webhook_max));
    let body = read.await.unwrap_or(Err(Refusal::Slow)).inspect_err(|refusal| {
        if *refusal == Refusal::TooLarge {
            account.seen.oversized();
            tracing::warn!(account.id = %account.id, "webhook body over the limit refused");
        }
    })?;
    let now = hub.now();
    let signature = headers.get("x-line-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !account.verify(&body, signature, now) {
        doubt(hub, &account, &body, signature, now).await?;
    }
    let request = request(account.id.clone(), body, signature, now).map_err(|error| {
        tracing::warn!(account.id = %account.id, %error, "signed webhook body refused");
        Refusal::Malformed
    })?;
    if request.events.len() > EVENTS_MAX {
        account.seen.oversized();
        tracing::warn!(account.id = %account.id, "webhook body with too many events refused");
        return Err(Refusal::TooLarge);
    }
    if request.events.is_empty() {
        account.seen.verified(now);
        return Ok(());
    }
    hub.journal.append(request).await.map_err(|error| {
        tracing::error!(account.id = %account.id, %error, "webhook request not stored");
        Refusal::NotStored
    })?;
    account.seen.events(now);
    Ok(())
}

/// An address that this node does not know may have been connected at another.
async fn find(hub: &Hub, key: &str) -> Result<Arc<Connected>, Refusal> {
    match accounts::service::find_by_key(hub, key).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(Refusal::Unknown),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "webhook address could not be looked up"
            );
            Err(Refusal::NotStored)
        }
    }
}

/// A signature that does not fit: the secret may have been changed at another node, or at LINE. In the latter case
/// the body waits in quarantine for the new secret to be saved.
async fn doubt(
    hub: &Hub,
    account: &Connected,
    body: &Bytes,
    signature: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    let fresh = accounts::service::reread(hub, account).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "secrets could not be read again");
        Refusal::NotStored
    })?;
    if fresh.is_some_and(|fresh| fresh.verify(body, signature, now)) {
        return Ok(());
    }
    account.seen.bad_signature();
    tracing::warn!(account.id = %account.id, "webhook request with a wrong signature refused");
    quarantine::keep(hub, account, body, signature, now).await;
    Err(Refusal::Signature)
}

/// The whole body; a body in one piece is not copied.
async fn read(body: Body, max: usize) -> Result<Bytes, Refusal> {
    let mut left = max.saturating_add(DRAINED);
    let too_large = |size: u64| size > u64::try_from(max).unwrap_or(u64::MAX);
    let mut over = too_large(body.size_hint().lower());
    let mut stream = body.into_data_stream();
    let mut whole = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Refusal::Malformed)?;
        left = left.saturating_sub(piece.len());
        over = over || whole.len() + rest.len() + piece.len() > max;
        match (over, whole.is_empty()) {
            (true, _) if left == 0 => break,
            (true, _) => {}
            (false, true) => whole = piece,
            (false, false) => rest.extend_from_slice(&piece),
        }
    }
    if over {
        return Err(Refusal::TooLarge);
    }
    if rest.is_empty() {
        return Ok(whole);
    }
    let mut joined = BytesMut::with_capacity(whole.len() + rest.len());
    joined.extend_from_slice(&whole);
    joined.extend_from_slice(&rest);
    Ok(joined.freeze())
}

/// `type` as it is stored: no longer than any that LINE has.
fn kind(kind: Cow<'_, str>) -> String {
    if kind.len() <= KIND_LENGTH { kind.into_owned() } else { cut(&kind, KIND_LENGTH) }
}

/// Finds the events in a body. An element that is no event is kept like any other.
pub(super) fn request(
    account_id: AccountId,
    body: Bytes,
    signature: &str,
    received_at: Timestamp,
) -> Result<NewRequest, webhook::EnvelopeError> {
    let events = webhook::parse(&body)?
        .events
        .iter()
        .take(EVENTS_MAX + 1)
        .map(|event| {
            let head = event.head();
            NewEvent {
                start: event.start,
                len: event.raw.len(),
                webhook_event_id: head.id.map(Cow::into_owned),
                kind: head.kind.map_or_else(|| NO_KIND.to_owned(), kind),
                redelivered: head.is_redelivery,
                event_at: head.timestamp.map_or(received_at, Timestamp),
            }
        })
        .collect();
    Ok(NewRequest { account_id, body, signature: signature.to_owned(), received_at, events })
}
