//! Signing in with address and password, slowed down for whoever guesses.
//!
//! An address that does not exist is refused with the same words after the same work as a wrong password, and its
//! attempts are counted alike, so that nothing tells who works here. The network is asked first: once it must wait, its
//! attempts count against nobody's address, so that it cannot lock others out.

use std::net::IpAddr;
use std::time::Duration;

use super::access::hash;
use super::{model, password, repo, service};
use crate::app::Hub;
use crate::error::AppResult;

/// Attempts are counted in windows of this length.
pub(super) const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Attempts in a window after which an e-mail address must wait; getting in forgets them.
const EMAIL_ATTEMPTS: i64 = 10;
/// Failed attempts in a window after which a network address must wait; many people may share one.
const NETWORK_ATTEMPTS: i64 = 50;

/// How an attempt to sign in ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Signed in: the token for the cookie.
    In(String),
    /// The address is not known, the password is wrong, or the user is disabled; nobody learns which.
    Refused,
    /// Too many attempts.
    Wait,
}

/// Tries to sign in.
pub(super) async fn sign_in(hub: &Hub, email: &str, given: &str, from: Option<IpAddr>) -> AppResult<Outcome> {
    let email = model::email(email).unwrap_or_default();
    let by_email = hash(&format!("email {email}"));
    let by_network = from.map(|address| hash(&format!("network {}", network(address))));
    if !admit(hub, &by_email, by_network.as_deref()).await? {
        return Ok(Outcome::Wait);
    }
    let known = repo::credentials(&hub.db, &email).await?;
    let fits = password::verify(known.as_ref().map(|known| known.password_hash.clone()), given).await?;
    let (Some(known), true) = (known, fits) else { return Ok(Outcome::Refused) };
    let mut tx = hub.db.begin().await?;
    // The network first, as in `admit`: two transactions that take the same rows take them in the same order.
    if let Some(subject) = &by_network {
        repo::forget_attempt(&mut tx, subject).await?;
    }
    repo::forget_attempts(&mut tx, &by_email).await?;
    let session = service::add_session(&mut tx, hub, &known.tenant_id, &known.id).await?;
    tx.commit().await?;
    Ok(Outcome::In(session))
}

/// Whether an attempt may be made. It is counted before, so that many at once do not pass together.
async fn admit(hub: &Hub, by_email: &[u8], by_network: Option<&[u8]>) -> AppResult<bool> {
    let (now, since) = (hub.now(), hub.now().minus(WINDOW));
    let mut tx = hub.db.begin().await?;
    let of_network = match by_network {
        Some(subject) => repo::count_attempt(&mut tx, subject, now, since).await?,
        None => 0,
    };
    let may = of_network <= NETWORK_ATTEMPTS
        && repo::count_attempt(&mut tx, by_email, now, since).await? <= EMAIL_ATTEMPTS;
    tx.commit().await?;
    Ok(may)
}

/// An IPv6 customer has a whole /64; an IPv4 customer one address.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_network() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
