//! Values that people paste from LINE's console, as they arrive from mails, chats and spreadsheets, and what they look like in
//! the wrong field.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::accounts::model::check_channel_id;
use crate::error::FieldError;

/// What was pasted, as LINE wrote it: without blanks, line breaks and marks that nobody sees, and with the ASCII that a
/// CJK keyboard or a spreadsheet made wide (`１６５６`, `＠`) as ASCII again. Channel IDs, secrets, tokens, key IDs and LINE
/// IDs hold none of these (PLATFORM 3, 4), so nothing is lost. Every value from outside goes through here, from the API
/// and from pages alike.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !is_unseen(*c)).map(narrow).collect()
}

/// A channel's ID (PLATFORM 3: digits), or nothing: what was pasted into the wrong field may be the secret, so it is neither
/// kept nor shown again.
pub(in crate::accounts) fn id_or_nothing(text: &str) -> String {
    Some(clean(text)).filter(|text| check_channel_id(text).is_ok()).unwrap_or_default()
}

/// Marks without width: zero-width spaces and joiners, directions, the byte order mark, soft hyphens.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
    )
}

/// A full-width form of ASCII (U+FF01 to U+FF5E) as ASCII.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        other => other,
    }
}

/// What a value looks like that was pasted into the wrong field, by the forms of LINE's values (PLATFORM 3, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// Ten digits.
    ChannelId,
    /// 32 hexadecimal digits.
    Secret,
    /// `@` and letters.
    LineId,
    /// `U` and 32 hexadecimal digits.
    UserId,
    /// A JSON web token of LINE's login, which says who somebody is.
    IdToken,
    /// Any other JSON web token, or a text too long for a secret.
    Token,
}

impl Looks {
    /// What a clean value looks like; `None` when it has no form that is known.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let is_hex = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match text {
            id if id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_digit()) => Some(Self::ChannelId),
            secret if is_hex(secret) => Some(Self::Secret),
            id if id.starts_with('@') => Some(Self::LineId),
            id if id.strip_prefix('U').is_some_and(is_hex) => Some(Self::UserId),
            token if token.starts_with("eyJ") && token.split('.').count() == 3 => {
                Some(if is_identity(token) { Self::IdToken } else { Self::Token })
            }
            token if token.len() >= 100 && token.is_ascii() => Some(Self::Token),
            _ => None,
        }
    }

    /// The code of a refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ChannelId => "looks_like_channel_id",
            Self::Secret => "looks_like_secret",
            Self::LineId => "looks_like_line_id",
            Self::UserId => "looks_like_user_id",
            Self::IdToken => "looks_like_id_token",
            Self::Token => "looks_like_token",
        }
    }

    /// What it is called.
    const fn name(self) -> &'static str {
        match self {
            Self::ChannelId => "a channel ID",
            Self::Secret => "a channel secret",
            Self::LineId => "the LINE ID of an official account",
            Self::UserId => "a user ID",
            Self::IdToken => "an identity token of a login",
            Self::Token => "a channel access token",
        }
    }

    /// The refusal of a value in a field that asks for something else.
    pub(super) fn refuse(self, field: &'static str, wanted: &str) -> FieldError {
        FieldError::new(field, self.code(), format!("this looks like {}; {wanted}", self.name()))
    }
}

/// Whether a clean secret or token has the label with it under which LINE's console shows it (`Channel secret: f88b…`). No
/// secret or token of LINE's holds a colon, and a secret's 32 hexadecimal digits have nothing before them (PLATFORM 3, 4).
#[must_use]
pub fn has_label(text: &str) -> bool {
    const SECRET: usize = 32;
    let is_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    let label = text.len().checked_sub(SECRET).and_then(|at| text.as_bytes().split_at_checked(at));
    let before_secret = label.is_some_and(|(label, secret)| is_hex(secret) && !is_hex(label));
    let is_user_id = Looks::of(text) == Some(Looks::UserId);
    text.contains(':')
        || text.to_ascii_lowercase().starts_with("channelaccesstoken")
        || (before_secret && !is_user_id)
}

/// Whether a JSON web token says who somebody is: LINE's login issued it (PLATFORM 23.3).
fn is_identity(token: &str) -> bool {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let text = |claims: &serde_json::Value, name| {
        claims.get(name).and_then(|value| value.as_str()).map(str::to_owned)
    };
    claims.is_some_and(|claims| {
        text(&claims, "iss").as_deref() == Some("https://access.line.me") && text(&claims, "sub").is_some()
    })
}

/// The key of the words for a refusal by what a value looks like; `None` for another code.
#[must_use]
pub fn looks_words(code: &str) -> Option<&'static str> {
    Some(match code {
        "swapped" => "accounts-looks-swapped",
        "with_label" => "accounts-looks-with-label",
        "looks_like_channel_id" => "accounts-looks-channel-id",
        "looks_like_secret" => "accounts-looks-secret",
        "looks_like_line_id" => "accounts-looks-line-id",
        "looks_like_user_id" => "accounts-looks-user-id",
        "looks_like_id_token" => "accounts-looks-id-token",
        "looks_like_token" => "accounts-looks-token",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // S0-22, S0-23, S0-24
    #[test]
    fn what_comes_with_pasting_goes() {
        for (pasted, meant) in [
            (" 1656000000\r\n", "1656000000"),
            ("\u{3000}１６５６０００００0\u{a0}", "1656000000"),
            ("\u{feff}8c570fa6\u{200b}dd201bb3", "8c570fa6dd201bb3"),
            ("eyJhbGci\n  OiJIUzI1\n", "eyJhbGciOiJIUzI1"),
            ("＠２１６ruABC", "@216ruABC"),
            ("", ""),
        ] {
            assert_eq!(clean(pasted), meant, "{pasted:?}");
        }
        // What no keyboard adds by itself stays, so that it is refused and not guessed at.
        assert_eq!(clean("a\u{0}b是"), "a\u{0}b是");
    }

    #[test]
    fn what_stands_in_the_wrong_field_is_recognised() {
        // S0-22, S0-23, S4-04, S4-05
        let jwt =
            |claims: &str| format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims));
        let identity =
            jwt(r#"{"iss":"https://access.line.me","sub":"U0123456789abcdef0123456789abcdef","aud":"1"}"#);
        for (text, looks) in [
            ("1656000000", Some(Looks::ChannelId)),
            ("8c570fa6dd201bb328f1c1eac23a96d8", Some(Looks::Secret)),
            ("@216ruabc", Some(Looks::LineId)),
            ("U8c570fa6dd201bb328f1c1eac23a96d8", Some(Looks::UserId)),
            (identity.as_str(), Some(Looks::IdToken)),
            (jwt(r#"{"iss":"another","sub":"1"}"#).as_str(), Some(Looks::Token)),
            ("A/".repeat(60).as_str(), Some(Looks::Token)),
            ("8c570fa6dd201bb328f1c1eac23a96", None),
            ("165600000", None),
            ("", None),
        ] {
            assert_eq!(Looks::of(text), looks, "{text}");
            assert!(looks.is_none_or(|looks| looks_words(looks.code()).is_some()));
        }
    }

    #[test]
    fn a_label_beside_a_secret_or_token_is_recognised() {
        let secret = "8c570fa6dd201bb328f1c1eac23a96d8";
        for label in
            ["Channel secret: ", "Channel secret\n", "secret=", "Channel secret：", "密碼", "secret\t"]
        {
            assert!(has_label(&clean(&format!("{label}{secret}"))), "{label}");
        }
        let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", "QUJD".repeat(30));
        assert!(has_label(&clean(&format!("Channel access token (long-lived) {token}"))));
        for value in [secret, &token, &format!("U{secret}"), &format!("0{secret}"), "A/b+c==", ""] {
            assert!(!has_label(value), "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_value_of_lines_survives_and_anything_is_clean_after_one_time(
            value in "[!-~]{1,80}", any in any::<String>(), junk in "[ \t\r\n\u{a0}\u{3000}\u{200b}\u{feff}]{0,4}",
        ) {
            prop_assert_eq!(clean(&value), value.clone());
            prop_assert_eq!(clean(&format!("{junk}{value}{junk}")), value.clone());
            let wide: String = value
                .chars()
                .map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap())
                .collect();
            prop_assert_eq!(clean(&wide), value);
            let once = clean(&any);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
