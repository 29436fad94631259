//! One attempt of a unit: its bytes, its signature, its headers, its call.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ulid::Ulid;

use super::deliver::{self, Call, Made};
use super::model::Destination;
use super::repo::UnitRow;
use super::service::{identity, open_secret, standard_identity};
use super::unit::{Parcel, Tags, Unit};
use crate::accounts::Connected;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::contacts;
use crate::db::{DbError, DbResult};
use crate::ids::DeliveryId;
use crate::ingress;
use crate::journal::Room;
use crate::secrets::Secret;
use crate::webhooks;

/// The secrets by which one destination's calls are signed.
#[derive(Debug)]
pub(super) struct Signer {
    own: Option<Secret>,
    /// Those of the second signature, and until when each signs; the present one first.
    standard: Vec<(Secret, Option<Timestamp>)>,
}

impl Signer {
    /// Opens a destination's secrets.
    pub(super) fn open(hub: &Hub, destination: &Destination) -> DbResult<Self> {
        let id = &destination.id;
        let own = destination.secret.as_deref();
        let own = own.map(|sealed| open_secret(hub, id, &identity(id), sealed)).transpose()?;
        let mut standard = Vec::new();
        if let Some(of) = &destination.standard {
            let open = |sealed: &str| open_secret(hub, id, &standard_identity(id), sealed);
            standard.push((open(&of.secret)?, None));
            if let Some((sealed, until)) = &of.before {
                standard.push((open(sealed)?, Some(*until)));
            }
        }
        Ok(Self { own, standard })
    }

    /// The signature of a body: by the destination's own secret, where it has one, else as LINE would make it.
    pub(super) fn sign(&self, account: &Connected, body: &[u8]) -> String {
        let own = self.own.as_ref();
        own.map_or_else(|| account.sign(body), |secret| line_api::signature::sign(secret.expose(), body))
    }

    /// The headers of the second signature; none where the destination has none.
    pub(super) fn standard(&self, id: &str, now: Timestamp, body: &[u8]) -> HeaderMap {
        let seconds = now.millis() / 1000;
        let usable = self.standard.iter().filter(|(_, until)| until.is_none_or(|until| now < until));
        let made: Vec<_> =
            usable.filter_map(|(secret, _)| webhooks::sign(secret, id, seconds, body)).collect();
        if made.is_empty() {
            return HeaderMap::new();
        }
        headers([
            (deliver::WEBHOOK_ID, id.to_owned()),
            (deliver::WEBHOOK_TIMESTAMP, seconds.to_string()),
            (deliver::WEBHOOK_SIGNATURE, made.join(" ")),
        ])
    }
}

/// Why no call was made.
pub(super) enum NotMade {
    Expired,
    /// Nothing in it is for the destination, with why.
    Nothing(&'static str),
    Database(DbError),
}

/// Why nothing of a unit is sent that passed the filter before.
pub(super) const FILTERED: &str = "the filter lets nothing of it pass any more";
/// The same, where its events were taken back.
pub(super) const TAKEN_BACK: &str = "its sender took it back";

/// Makes the call of a unit, reading it again where it is not at hand.
pub(super) async fn make(
    hub: &Hub,
    destination: &Destination,
    account: &Arc<Connected>,
    signer: &Signer,
    row: &UnitRow,
    parcel: Option<(Parcel, Arc<Unit>)>,
) -> Result<(Made, Arc<Unit>), NotMade> {
    let (parcel, unit) = match parcel {
        Some(found) => found,
        None => read(hub, destination, account, row).await?,
    };
    let is_whole = matches!(parcel, Parcel::Whole(_));
    let body = match parcel {
        Parcel::Nothing if unit.is_blank() => return Err(NotMade::Nothing(TAKEN_BACK)),
        Parcel::Nothing => return Err(NotMade::Nothing(FILTERED)),
        Parcel::Expired => return Err(NotMade::Expired),
        Parcel::Whole(body) | Parcel::Rebuilt(body) => body,
    };
    // LINE's own, bit for bit, as long as LINE signed with the present channel secret; else it would fit nothing.
    let signature = match signer.own {
        None if is_whole => unit.signature(account),
        _ => signer.sign(account, &body),
    };
    let mut headers = headers([
        (deliver::SIGNATURE, signature),
        (deliver::DELIVERY, row.id.to_string()),
        (deliver::ATTEMPT, (row.attempts + 1).to_string()),
        (deliver::RECEIVED, unit.request.received_at.to_jiff().to_string()),
        (ingress::VIA, ingress::own_name(hub)),
    ]);
    headers.extend(signer.standard(row.id.as_str(), hub.now(), &body));
    let call = Call { url: destination.url.clone(), headers, body, timeout: destination.timeout() };
    Ok((deliver::call(hub, call).await, unit))
}

/// A unit that has only a row, as the journal has it.
async fn read(
    hub: &Hub,
    destination: &Destination,
    account: &Connected,
    row: &UnitRow,
) -> Result<(Parcel, Arc<Unit>), NotMade> {
    // A row may stand for many requests that are gone: the first tells.
    let room = Room { events: 2, bytes: 0 };
    let found = hub.journal.requests(row.first - 1, row.last, room).await.map_err(NotMade::Database)?;
    let request = found.items.into_iter().next().filter(|request| request.account_id == account.id.as_str());
    let unit = Unit::new(request.ok_or(NotMade::Expired)?);
    let tags = tags(hub, destination, &unit).await.map_err(NotMade::Database)?;
    Ok((unit.parcel(&destination.filter, &account.bot_user_id, &tags), unit))
}

/// The tags of a unit's people, where the filter asks for them.
pub(super) async fn tags(hub: &Hub, destination: &Destination, unit: &Unit) -> DbResult<Tags> {
    if destination.filter.tags.is_none() {
        return Ok(Tags::new());
    }
    contacts::service::tags_of(hub, (&destination.tenant, &destination.account), &unit.people()).await
}

/// A value that is no header value is left out; none of ours can be one but a signature that was never LINE's.
pub(super) fn headers<const N: usize>(pairs: [(HeaderName, String); N]) -> HeaderMap {
    pairs.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))).collect()
}

/// The unit's name at its destination: the same after every restart.
pub(super) fn delivery_id(received_at: Timestamp, first: i64) -> DeliveryId {
    let ms = u64::try_from(received_at.millis()).unwrap_or(0);
    let ulid = Ulid::from_parts(ms, u128::try_from(first).unwrap_or(0));
    DeliveryId::from_ulid(ulid)
}
