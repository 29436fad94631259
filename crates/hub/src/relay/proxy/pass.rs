//! Calls that go to LINE as they are, with the account's own token, where the destination may know the answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use line_api::webhook::{EventHead, SourceHead};
use line_client::{Foreign, Forwarded, LineError};
use serde_json::Value;

use super::answer::{No, Result};
use super::limits::{Kept, UnderWay};
use super::model::Key;
use super::routes::Call;
use super::service;
use super::table::About;
use crate::accounts;
use crate::app::Hub;
use crate::contacts::service as contacts;
use crate::inbox;
use crate::relay::unit::Tags;

/// How long an event may take to be processed before the proxy says that it knows nothing of it.
pub(super) const SOON: Duration = Duration::from_secs(3);
/// How often it looks meanwhile.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// The largest answer that is kept for others, in bytes.
const KEPT_MAX: usize = 64 << 10;

/// Passes a call on.
pub(super) async fn pass(hub: &Hub, call: Call<'_>, about: About, kept: u32) -> Result<Response> {
    let now = hub.now();
    let mut body = call.body.clone();
    let first = match about {
        About::Named(place) => {
            let read: Value = serde_json::from_slice(&body).unwrap_or_default();
            // LINE gets what was read here: a member that stands there twice is not one person here and another there.
            body = Bytes::from(read.to_string());
            let named = read.pointer(place).and_then(Value::as_str).map(str::to_owned);
            named.ok_or_else(|| No::property(&place.trim_start_matches('/').replace('/', ".")))?
        }
        _ => call.values.first().map(ToString::to_string).unwrap_or_default(),
    };
    if !may_know(hub, call.key, about, &first).await? {
        return Err(No::new(404, "Not found", Some("nothing of this was in an event of this destination")));
    }
    members(hub, &call).await?;
    let account = &call.key.account;
    // What is kept takes no query at LINE.
    let place = call.path.to_owned();
    if kept > 0
        && let Some(answer) = hub.relay.proxy.recall(account, &place, now)
    {
        return Ok(response(200, &answer.headers, Body::from(answer.body)));
    }
    let method = call.operation.method.parse().unwrap_or_default();
    let values: Vec<&str> = call.values.iter().map(AsRef::as_ref).collect();
    let content_type = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let foreign = Foreign {
        method,
        data_host: call.operation.data_host,
        path: call.operation.path,
        values: &values,
        query: call.query,
        content_type,
        body,
    };
    let answer = line(hub, call.key).await?.forward(foreign).await.map_err(|error| no_answer(&error))?;
    if answer.status == 401 {
        // The key is good; it is the hub's own token that LINE does not take, and that is no affair of this caller's.
        return Err(No::broken(
            "LINE does not accept the account's credentials; the hub's operator has to look",
        ));
    }
    if call.operation.is_change() && call.operation.method != "GET" && answer.status < 300 {
        service::note_change(hub, call.key, call.operation.id).await;
    }
    if kept == 0 || answer.status != 200 {
        return Ok(stream(answer, call.under_way));
    }
    let until = now.plus(Duration::from_secs(u64::from(kept)));
    keep(hub, (call.key, call.under_way), &place, answer, until).await
}

/// Reads a small answer, keeps it, and gives it.
async fn keep(
    hub: &Hub,
    (key, under_way): (&Key, UnderWay),
    place: &str,
    answer: Forwarded,
    until: crate::clock::Timestamp,
) -> Result<Response> {
    let (status, headers, mut rest) = (answer.status, answer.headers, answer.body);
    let mut read = BytesMut::new();
    while read.len() < KEPT_MAX
        && let Some(piece) = rest.next().await
    {
        read.extend_from_slice(&piece.map_err(|error| no_answer(&error))?);
    }
    let body: Bytes = read.freeze();
    if body.len() >= KEPT_MAX {
        let first = futures_util::stream::once(async { Ok::<_, LineError>(body) });
        return Ok(response(status, &headers, held(first.chain(rest), under_way)));
    }
    // The ID of the request is each call's own.
    let lasting: Vec<_> = headers.iter().filter(|(name, _)| *name == "content-type").cloned().collect();
    hub.relay.proxy.keep(&key.account, place, Kept { until, headers: lasting, body: body.clone() });
    Ok(response(status, &headers, Body::from(body)))
}

/// The account's calls.
pub(super) async fn line(hub: &Hub, key: &Key) -> Result<line_client::Account> {
    accounts::service::line(hub, &key.account).await.map_err(|error| {
        if error.status == StatusCode::NOT_FOUND {
            No::forbidden("the account is not connected to the hub any more")
        } else {
            error.into()
        }
    })
}

/// What it means to the caller that LINE gave no answer.
pub(super) fn no_answer(error: &LineError) -> No {
    match error {
        LineError::Credentials { .. } => {
            No::broken("LINE does not accept the account's credentials; the hub's operator has to look")
        }
        _ => No::broken("LINE did not answer the hub"),
    }
}

fn stream(answer: Forwarded, under_way: UnderWay) -> Response {
    response(answer.status, &answer.headers, held(answer.body, under_way))
}

/// A body whose call is under way until it is read to its end, or nobody reads it any more.
fn held(
    body: impl Stream<Item = std::result::Result<Bytes, LineError>> + Send + 'static,
    under_way: UnderWay,
) -> Body {
    Body::from_stream(body.map(move |piece| (piece, &under_way).0))
}

fn response(status: u16, headers: &[(&'static str, String)], body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Whether a destination may know of this: what its filter passes, of what the account has met. An event that the destination has
/// already and the inbox has not yet is waited for.
async fn may_know(hub: &Hub, key: &Key, about: About, id: &str) -> Result<bool> {
    if about == About::Anything {
        return Ok(true);
    }
    let mut looked = Duration::ZERO;
    loop {
        match passes(hub, key, about, id).await? {
            Some(passes) => return Ok(passes),
            None if looked >= SOON => return Ok(false),
            None => {}
        }
        tokio::time::sleep(LOOK).await;
        looked += LOOK;
    }
}

/// A chat's members are people, too: one of them has to pass for themselves, and a list of all is for a destination that gets
/// everybody's events.
async fn members(hub: &Hub, call: &Call<'_>) -> Result<()> {
    let passes = match (call.operation.id, call.values.get(1)) {
        ("getGroupMemberProfile" | "getRoomMemberProfile", Some(person)) => {
            person_passes(hub, call.key, person).await?
        }
        ("getGroupMembersIds" | "getRoomMembersIds", _) => {
            call.key.filter.tags.is_none() && call.key.filter.share.is_none()
        }
        _ => true,
    };
    if passes {
        Ok(())
    } else {
        Err(No::new(404, "Not found", Some("the destination's filter does not pass it")))
    }
}

/// Whether the filter passes it; `None` when nobody has met it.
async fn passes(hub: &Hub, key: &Key, about: About, id: &str) -> Result<Option<bool>> {
    let kind = match about {
        About::Anything => return Ok(Some(true)),
        About::Person | About::Named(_) => {
            if !contacts::knows(hub, (&key.tenant, &key.account), id).await? {
                return Ok(None);
            }
            if !person_passes(hub, key, id).await? {
                return Ok(Some(false));
            }
            // Who is met in groups alone is a member there, and asked for as one.
            "user"
        }
        About::Chat => {
            if !inbox::proxied::knows(hub, &key.account, id).await? {
                return Ok(None);
            }
            if id.starts_with('C') { "group" } else { "room" }
        }
        About::Message => {
            let Some((kind, person)) = inbox::proxied::came(hub, &key.account, id).await? else {
                return Ok(None);
            };
            if let Some(person) = person
                && !person_passes(hub, key, &person).await?
            {
                return Ok(Some(false));
            }
            let has_messages =
                key.filter.events.as_ref().is_none_or(|events| events.iter().any(|event| event == "message"));
            if !has_messages {
                return Ok(Some(false));
            }
            kind
        }
    };
    let sources = key.filter.sources.as_ref();
    Ok(Some(sources.is_none_or(|sources| sources.iter().any(|source| source == kind))))
}

/// Whether the filter passes this person, wherever they were met.
async fn person_passes(hub: &Hub, key: &Key, person: &str) -> Result<bool> {
    let filter = crate::relay::Filter { events: None, sources: None, ..key.filter.clone() };
    let tags: Tags = if filter.tags.is_some() {
        contacts::tags_of(hub, (&key.tenant, &key.account), &[person.to_owned()]).await?
    } else {
        Tags::new()
    };
    let source = SourceHead { user_id: Some(person.into()), ..SourceHead::default() };
    Ok(filter.passes(&EventHead { source, ..EventHead::default() }, &tags))
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream as streams};

    use super::*;
    use crate::clock::{Entropy, Timestamp};
    use crate::ids::{DestinationId, Id as _};
    use crate::relay::proxy::limits::Memory;

    #[tokio::test]
    async fn a_download_is_under_way_until_it_is_read_or_given_up() {
        let memory = Memory::default();
        let key = DestinationId::new(Timestamp(1_000_000), &Entropy::seeded(1));
        let download = |calls: &mut Vec<Response>| {
            let Some(under_way) = memory.begin(&key) else { return false };
            let body = streams::once(async { Ok(Bytes::from_static(b"a")) }).boxed();
            calls.push(stream(Forwarded { status: 200, headers: Vec::new(), body }, under_way));
            true
        };
        let mut calls = Vec::new();
        while download(&mut calls) {}
        assert_eq!(calls.len(), 64);
        let read = calls.pop().unwrap().into_body();
        assert_eq!(axum::body::to_bytes(read, 10).await.unwrap(), "a");
        assert!(download(&mut calls) && !download(&mut calls));
        calls.truncate(62);
        assert!(download(&mut calls) && download(&mut calls) && !download(&mut calls));
    }
}
