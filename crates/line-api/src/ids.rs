//! LINE's identifiers (PLATFORM 3).
//!
//! The newtypes take any text: an event is never refused for an odd id, and LINE may change a form without
//! notice. The `is_…` functions are the strict forms, for whoever *makes* ids (the sandbox) or checks a
//! caller's input.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

/// The longest id kept from an event, in bytes. Every known form is far shorter; a longer text is treated as
/// absent, because a database refuses to index it.
pub const MAX_ID_BYTES: usize = 255;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident is $valid:path;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is, without a check.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as owned text.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }

            /// Tells whether the id has the form that LINE documents (PLATFORM 3).
            #[must_use]
            pub fn is_well_formed(&self) -> bool {
                $valid(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

ids! {
    /// A person, or the bot itself (`destination`): `U` and 32 hex digits; issued per provider.
    UserId is is_user_id;
    /// A group chat: `C` and 32 hex digits.
    GroupId is is_group_id;
    /// A multi-person chat: `R` and 32 hex digits.
    RoomId is is_room_id;
    /// A message: decimal digits, unique on the whole platform.
    MessageId is is_message_id;
    /// An event: a ULID, the same again on redelivery.
    WebhookEventId is is_ulid;
    /// A channel: ten digits.
    ChannelId is is_channel_id;
    /// A rich menu: `richmenu-` and 32 hex digits.
    RichMenuId is is_rich_menu_id;
    /// A rich menu's alias: 1–32 of `a-z0-9_-`.
    RichMenuAliasId is is_rich_menu_alias_id;
    /// A coupon: a ULID.
    CouponId is is_ulid;
    /// A LIFF app: the Login channel's id, `-`, and 8 letters or digits.
    LiffId is is_liff_id;
}

/// `U` and 32 lower-case hex digits, the pattern of `destination` in LINE's schema.
#[must_use]
pub fn is_user_id(text: &str) -> bool {
    text.strip_prefix('U').is_some_and(is_hex32)
}

/// `C` and 32 lower-case hex digits.
#[must_use]
pub fn is_group_id(text: &str) -> bool {
    text.strip_prefix('C').is_some_and(is_hex32)
}

/// `R` and 32 lower-case hex digits.
#[must_use]
pub fn is_room_id(text: &str) -> bool {
    text.strip_prefix('R').is_some_and(is_hex32)
}

/// Anything that a push may be addressed to: a user, group or room id.
#[must_use]
pub fn is_chat_id(text: &str) -> bool {
    is_user_id(text) || is_group_id(text) || is_room_id(text)
}

/// 1–20 decimal digits (18 today, shorter in LINE's older samples).
#[must_use]
pub fn is_message_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && is_digits(text)
}

/// A ULID: 26 characters of Crockford's base 32, of which the first is at most `7`.
#[must_use]
pub fn is_ulid(text: &str) -> bool {
    let crockford = |b: u8| b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(&b));
    text.len() == 26 && text.starts_with(|c| c <= '7') && text.bytes().all(crockford)
}

/// Ten decimal digits.
#[must_use]
pub fn is_channel_id(text: &str) -> bool {
    text.len() == 10 && is_digits(text)
}

/// `richmenu-` and 32 lower-case hex digits.
#[must_use]
pub fn is_rich_menu_id(text: &str) -> bool {
    text.strip_prefix("richmenu-").is_some_and(is_hex32)
}

/// 1–32 of `a-z0-9_-`.
#[must_use]
pub fn is_rich_menu_alias_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

/// A channel id, `-`, and 8 ASCII letters or digits.
#[must_use]
pub fn is_liff_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(channel, app)| {
        is_channel_id(channel) && app.len() == 8 && app.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

fn is_hex32(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 3, one line for each form.
    #[test]
    fn forms_of_platform_3() {
        let hex = "0123456789abcdef0123456789abcdef";
        assert!(is_user_id(&format!("U{hex}")));
        assert!(is_group_id(&format!("C{hex}")));
        assert!(is_room_id(&format!("R{hex}")));
        assert!(is_message_id("590000000000000001"));
        assert!(is_message_id("325708"));
        assert!(is_ulid("01KDV0Z0000000000000000000"));
        assert!(is_channel_id("1234567890"));
        assert!(is_rich_menu_id(&format!("richmenu-{hex}")));
        assert!(is_rich_menu_alias_id("menu_a-1"));
        assert!(is_liff_id("1234567890-AbcdEfgh"));
        for prefix in ["U", "C", "R"] {
            assert!(is_chat_id(&format!("{prefix}{hex}")));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let hex = "0123456789abcdef0123456789abcdef";
        for odd in
            ["", "U", hex, &format!("u{hex}"), &format!("U{hex}0"), &format!("U{}", hex.to_uppercase())]
        {
            assert!(!is_user_id(odd), "{odd}");
            assert!(!is_chat_id(odd), "{odd}");
        }
        assert!(!is_user_id(&format!("C{hex}")));
        assert!(!is_message_id("") && !is_message_id("12a") && !is_message_id(&"1".repeat(21)));
        assert!(!is_ulid("81KDV0Z0000000000000000000") && !is_ulid("01KDV0Z000000000000000000I"));
        assert!(!is_channel_id("123456789") && !is_channel_id("12345678901"));
        assert!(!is_rich_menu_alias_id("Menu") && !is_rich_menu_alias_id(&"a".repeat(33)));
        assert!(!is_liff_id("1234567890-Abc") && !is_liff_id("1234567890"));
    }

    #[test]
    fn an_odd_id_is_still_an_id() {
        let id: UserId = serde_json::from_str(r#""weird""#).unwrap();
        assert_eq!(id.as_str(), "weird");
        assert!(!id.is_well_formed());
    }
}
