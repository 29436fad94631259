//! Connectings that wait for one word of a person: whether another system's address may be replaced. They are kept in
//! memory, so that the secret need not be typed again and never stands in a page.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::service::NewAccount;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::ids::UserId;

/// How long one waits.
const KEPT: Duration = Duration::from_secs(600);
/// How many wait at most; beyond that the secret is typed again.
const ROOM: usize = 100;

/// What waits, by an unguessable token in the page.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<HashMap<String, Waiting>>);

/// The address of another system, which LINE calls today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    pub(super) endpoint: String,
    /// Whether "Use webhook" is on for it.
    pub(super) active: bool,
}

impl Called {
    /// Reads it from the refusal `webhook_elsewhere`.
    pub(super) fn of(error: &AppError) -> Self {
        let extra = |name: &str| error.extra.get(name);
        Self {
            endpoint: extra("current_endpoint")
                .and_then(|value| value.as_str())
                .unwrap_or_default()
                .to_owned(),
            active: extra("active").and_then(serde_json::Value::as_bool).unwrap_or_default(),
        }
    }

    /// The name of its machine, or all of it where it has none.
    pub(super) fn host(&self) -> String {
        let host = url::Url::parse(&self.endpoint).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_else(|| self.endpoint.clone())
    }
}

#[derive(Debug)]
struct Waiting {
    user: UserId,
    until: Timestamp,
    new: NewAccount,
    called: Called,
}

impl Pending {
    /// Keeps what `user` gave, and what LINE calls today; `token` leads back to it.
    pub(super) fn put(&self, token: &str, user: UserId, (new, called): (NewAccount, Called), now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, waiting| now < waiting.until);
        if all.len() < ROOM {
            all.insert(token.to_owned(), Waiting { user, until: now.plus(KEPT), new, called });
        }
    }

    /// What LINE calls, for the user who is to decide; what was given stays.
    pub(super) fn called(&self, token: &str, user: &UserId, now: Timestamp) -> Option<Called> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.get(token).filter(|waiting| waiting.user == *user && now < waiting.until)?;
        Some(waiting.called.clone())
    }

    /// Takes what the same user gave before.
    pub(super) fn take(&self, token: &str, user: &UserId, now: Timestamp) -> Option<NewAccount> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.remove(token)?;
        (waiting.user == *user && now < waiting.until).then_some(waiting.new)
    }
}

#[cfg(test)]
mod tests {
    use line_client::Secret;

    use super::*;
    use crate::clock::Entropy;
    use crate::ids::Id;

    #[test]
    fn only_the_same_person_gets_it_back_once_and_in_time() {
        let (pending, entropy) = (Pending::default(), Entropy::seeded(1));
        let [one, other] = [1, 2].map(|n| UserId::new(Timestamp(n), &entropy));
        let called = Called { endpoint: "https://crm.example/hook".to_owned(), active: true };
        let new = || {
            (
                NewAccount {
                    channel_id: "1".to_owned(),
                    channel_secret: Secret::from("s"),
                    access_token: None,
                    signing_key: None,
                    line_id: None,
                    set_webhook: true,
                    take_over: false,
                    pass_on: false,
                    keeps_replies: false,
                },
                called.clone(),
            )
        };
        let now = Timestamp(1_000);
        pending.put("a", one.clone(), new(), now);
        assert!(pending.take("a", &other, now).is_none());
        assert!(pending.take("a", &one, now).is_none());
        pending.put("b", one.clone(), new(), now);
        assert!(pending.take("b", &one, now.plus(KEPT)).is_none());
        pending.put("c", one.clone(), new(), now);
        // Looking at it takes nothing away, and is for the same person.
        assert_eq!(pending.called("c", &other, now), None);
        assert_eq!(pending.called("c", &one, now).unwrap().host(), "crm.example");
        assert!(pending.take("c", &one, now).is_some());
    }
}
