//! What a signing key is, and what LINE's refusals of one mean.

use line_client::LineError;

use crate::clock::Timestamp;
use crate::error::{AppError, FieldError};
use crate::ids::SigningKeyId;

/// How far a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Made; its public part is not registered at LINE, or its `kid` is not known here yet.
    Waiting,
    /// Tokens are issued by it.
    Active,
    /// It was replaced, or tokens are issued in another way.
    Retired,
}

impl TryFrom<String> for KeyState {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        match word.as_str() {
            "waiting" => Ok(Self::Waiting),
            "active" => Ok(Self::Active),
            "retired" => Ok(Self::Retired),
            _ => Err(word),
        }
    }
}

/// A key pair as everybody may see it: without its private part.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SigningKey {
    /// Its id here; LINE's name for it is `kid`.
    pub id: SigningKeyId,
    /// The channel it is for.
    pub channel_id: String,
    /// LINE's name of the public key, once LINE issued a token by it.
    pub kid: Option<String>,
    /// What is registered at LINE, as JSON text.
    pub public_jwk: String,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it: a person's or an API key's name at that time.
    pub created_by: String,
    /// When LINE last proved it.
    pub activated_at: Option<Timestamp>,
    /// Who entered the `kid`.
    pub activated_by: Option<String>,
    /// When it was replaced.
    pub retired_at: Option<Timestamp>,
    /// Whether the private part is still here, so that it can be activated (again).
    pub is_usable: bool,
}

/// Whether a text can be LINE's name of a key. Its form is LINE's business (PLATFORM 4.2).
pub(super) fn check_kid(text: &str) -> Result<(), FieldError> {
    if text.is_empty() {
        let detail = "the kid is missing; copy what LINE Developers shows beside the registered public key (\"Basic settings\", \
            \"Assertion Signing Key\")";
        return Err(FieldError::new("kid", "required", detail));
    }
    if text.len() > 200 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "this is no kid; LINE Developers shows it beside the registered public key (\"Basic settings\", \
            \"Assertion Signing Key\")";
        return Err(FieldError::new("kid", "invalid", detail));
    }
    Ok(())
}

/// What it means that LINE issues no token by a key: 422 at `kid` with LINE's own words and the fix (PLATFORM 4.1).
/// `None`: it is not about the key.
pub(in crate::accounts) fn refusal(error: &LineError) -> Option<AppError> {
    let LineError::Credentials { body, .. } = error else { return None };
    let words = body.message.to_ascii_lowercase();
    let (code, advice) = if error.is_out_of_token_places() {
        (
            "no_places",
            "the channel's 30 places for tokens of this kind are taken; they come free when tokens end or are revoked, so \
             have the other system on this channel revoke what it does not use",
        )
    } else if words.contains("cannot find channel key") {
        (
            "unknown_kid",
            "no registered key has this kid; in LINE Developers, \"Basic settings\", \"Assertion Signing Key\", register \
             the public key and copy the kid that is shown beside it",
        )
    } else if words.contains("iss and clientid") {
        ("other_channel", "this kid is a key's of another channel; register the public key at this channel")
    } else if words.contains("signature") {
        ("other_key", "this kid is another key's; copy the one beside the public key of this very pair")
    } else if words.contains("exp") {
        ("clock", "the hub's clock differs from LINE's; set it by NTP")
    } else {
        ("refused", "check that the public key is registered at this channel, and copy its kid again")
    };
    Some(AppError::invalid_field("kid", code, format!("LINE says: {}; {advice}", body.message)))
}

#[cfg(test)]
mod tests {
    use line_client::ErrorBody;

    use super::*;

    // S3-24
    #[test]
    fn each_refusal_says_what_to_do() {
        // PLATFORM 4.1; the texts for a wrong signature and audience are the sandbox's.
        for (words, code) in [
            ("Cannot find channel key that satisfies the conditions", "unknown_kid"),
            ("iss and clientId of key do not match", "other_channel"),
            ("Invalid signature", "other_key"),
            ("Invalid exp", "clock"),
            ("The maximum number of access tokens has already been issued", "no_places"),
            ("something new", "refused"),
        ] {
            let body = ErrorBody { message: words.to_owned(), details: Vec::new() };
            let error = LineError::Credentials { status: Some(400), body, request_id: None };
            let told = refusal(&error).unwrap();
            assert_eq!((told.fields[0].field.as_str(), told.fields[0].code), ("kid", code));
            assert!(told.fields[0].detail.contains(words));
        }
        assert!(
            refusal(&LineError::NotSent { cause: line_client::Cause::Timeout, request_id: None }).is_none()
        );
    }

    #[test]
    fn a_kid_that_cannot_be_one_is_refused_before_line_is_asked() {
        assert!(check_kid("536e453c-aa93-4449-8e90-add2608783c6").is_ok());
        assert_eq!(check_kid("").unwrap_err().code, "required");
        assert_eq!(check_kid("鑰匙").unwrap_err().code, "invalid");
    }
}
