//! The hub's ids: a prefix and a ULID, one type for each thing, so that they cannot be mixed up.

use ulid::Ulid;

use crate::clock::{Entropy, Timestamp};

/// What every id type can do.
pub trait Id: Sized {
    /// The text before the ULID, with its underscore.
    const PREFIX: &'static str;

    /// An id made of a moment and 80 random bits, greater than all ids made before it.
    fn new(at: Timestamp, entropy: &Entropy) -> Self;

    /// Reads an id: the prefix and 26 characters of a ULID.
    fn parse(text: &str) -> Option<Self>;
}

pub(crate) fn make(prefix: &str, at: Timestamp, entropy: &Entropy) -> String {
    format!("{prefix}{}", entropy.ulid(at))
}

pub(crate) fn is(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 26 && Ulid::from_string(rest).is_ok())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Id for $name {
            const PREFIX: &'static str = $prefix;

            fn new(at: Timestamp, entropy: &Entropy) -> Self {
                Self(make($prefix, at, entropy))
            }

            fn parse(text: &str) -> Option<Self> {
                is($prefix, text).then(|| Self(text.to_owned()))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&$name> for crate::db::Arg {
            fn from(id: &$name) -> Self {
                Self::Text(Some(id.0.clone()))
            }
        }

        impl From<Option<&$name>> for crate::db::Arg {
            fn from(id: Option<&$name>) -> Self {
                Self::Text(id.map(|id| id.0.clone()))
            }
        }
    )*};
}

ids! {
    /// A customer of the hub, whose data is apart from all others'.
    TenantId = "ten_";
    /// A person who works in the hub.
    UserId = "usr_";
    /// An API key (not the key itself).
    ApiKeyId = "key_";
    /// One line of the audit log.
    AuditId = "aud_";
    /// A connected account, a LINE Official Account first.
    AccountId = "acc_";
    /// A key pair by which a channel issues its own tokens.
    SigningKeyId = "sgk_";
    /// A guided set-up of an account.
    SetupId = "set_";
    /// A test of an account's login.
    LoginTestId = "lgt_";
    /// A person known to an account.
    ContactId = "con_";
    /// All messages with one person, group or room on one account.
    ConversationId = "cnv_";
    /// One message, either direction.
    MessageId = "msg_";
    /// One send that LINE sees as one call.
    SendId = "snd_";
    /// One alert: a condition while it lasts.
    AlertId = "alr_";
    /// One notice about an alert to one recipient.
    NoticeId = "ntc_";
    /// Another system that gets an account's events.
    DestinationId = "dst_";
    /// What a destination gets of one request of LINE, the same at every attempt.
    DeliveryId = "dlv_";
    /// One attempt of a delivery.
    AttemptId = "att_";
    /// One piece of background work.
    JobId = "job_";
}

impl DeliveryId {
    /// The id made of a given ULID.
    #[must_use]
    pub fn from_ulid(ulid: Ulid) -> Self {
        Self(format!("{}{ulid}", Self::PREFIX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_its_prefix_and_is_read_back() {
        let entropy = Entropy::seeded(1);
        let id = AccountId::new(Timestamp(1_767_225_600_000), &entropy);
        assert!(id.as_str().starts_with("acc_01"));
        assert_eq!(AccountId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(ContactId::parse(id.as_str()), None);
        assert_eq!(AccountId::parse("acc_x"), None);
    }
}
