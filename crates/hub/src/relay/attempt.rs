//! One attempt of a unit: its bytes, its signature, its headers, its call.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ulid::Ulid;

use super::deliver::{self, Call, Made};
use super::model::Destination;
use super::repo::UnitRow;
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

/// Why no call was made.
pub(super) enum NotMade {
    Expired,
    Nothing,
    Database(DbError),
}

/// Makes the call of a unit, reading it again where it is not at hand.
pub(super) async fn make(
    hub: &Hub,
    destination: &Destination,
    account: &Connected,
    secret: Option<&Secret>,
    row: &UnitRow,
    parcel: Option<(Parcel, Arc<Unit>)>,
) -> Result<(Made, Arc<Unit>), NotMade> {
    let (parcel, unit) = match parcel {
        Some(found) => found,
        None => read(hub, destination, account, row).await?,
    };
    let body = match parcel {
        Parcel::Nothing => return Err(NotMade::Nothing),
        Parcel::Expired => return Err(NotMade::Expired),
        Parcel::Whole(body) | Parcel::Rebuilt(body) => body,
    };
    // LINE's own, bit for bit, as long as LINE signed with the present channel secret; else it would fit nothing.
    let signature = sign(account, secret, &body);
    let headers = headers([
        (deliver::SIGNATURE, signature),
        (deliver::DELIVERY, row.id.to_string()),
        (deliver::ATTEMPT, (row.attempts + 1).to_string()),
        (deliver::RECEIVED, unit.request.received_at.to_jiff().to_string()),
        (ingress::VIA, ingress::own_name(hub)),
    ]);
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

/// The signature of a body: by the destination's own secret, where it has one, else as LINE would make it.
pub(super) fn sign(account: &Connected, secret: Option<&Secret>, body: &[u8]) -> String {
    secret.map_or_else(|| account.sign(body), |secret| line_api::signature::sign(secret.expose(), body))
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
