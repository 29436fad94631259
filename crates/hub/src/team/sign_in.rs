//! Signing in with address and password, slowed down for whoever guesses.
//!
//! An address that does not exist is refused with the same words after the same work as a wrong password, and its
//! attempts are counted alike, so that nothing tells who works here.

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
    let attempts = count(hub, &by_email, by_network.as_deref()).await?;
    if attempts.0 > EMAIL_ATTEMPTS || attempts.1 > NETWORK_ATTEMPTS {
        return Ok(Outcome::Wait);
    }
    let known = repo::credentials(&hub.db, &email).await?;
    let fits = password::verify(known.as_ref().map(|known| known.password_hash.clone()), given).await?;
    let (Some(known), true) = (known, fits) else { return Ok(Outcome::Refused) };
    let mut tx = hub.db.begin().await?;
    repo::forget_attempts(&mut tx, &by_email).await?;
    if let Some(subject) = &by_network {
        repo::forget_attempt(&mut tx, subject).await?;
    }
    let session = service::add_session(&mut tx, hub, &known.tenant_id, &known.id).await?;
    tx.commit().await?;
    Ok(Outcome::In(session))
}

/// Counts an attempt before it is made, so that many at once do not pass together; gives the counts of this window.
async fn count(hub: &Hub, by_email: &[u8], by_network: Option<&[u8]>) -> AppResult<(i64, i64)> {
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    let of_email = repo::count_attempt(&mut tx, by_email, now, now.minus(WINDOW)).await?;
    let of_network = match by_network {
        Some(subject) => repo::count_attempt(&mut tx, subject, now, now.minus(WINDOW)).await?,
        None => 0,
    };
    tx.commit().await?;
    Ok((of_email, of_network))
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
