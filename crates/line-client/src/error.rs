//! What can come of a call, told apart by what the caller has to do next.

use std::sync::Arc;
use std::time::Duration;

use line_api::api::ErrorBody;

/// Why a call gave no result.
///
/// `Display` is one lower-case line with the status and LINE's own summary; it never holds a token, an address or
/// the text of a message. `details` of a refusal are in [`body`](Self::body) and may quote what was sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LineError {
    /// LINE refused for good: the same request will be refused again (400, 403, 404, 410, 413, 415, 422, 423 …).
    #[error("refused by line with status {status}{}", said(.body))]
    Refused {
        /// HTTP status.
        status: u16,
        /// LINE's words; empty where the answer was not LINE's JSON.
        body: ErrorBody,
        /// LINE's ID of the request (`x-line-request-id`), by which LINE's support finds it.
        request_id: Option<String>,
    },
    /// 429 for speed: nothing was done; send the same again later.
    #[error("slowed down by line{}", said(.body))]
    Wait {
        /// How long, where the answer says so. LINE has not been seen to (PLATFORM 5): bring a schedule.
        retry_after: Option<Duration>,
        /// LINE's words.
        body: ErrorBody,
        /// LINE's ID of the request.
        request_id: Option<String>,
    },
    /// 429 for the month's quota: used up, or reserved by a broadcast that is running (PLATFORM 22). Nothing was sent.
    #[error("the month's quota at line is used up or reserved")]
    QuotaUsedUp {
        /// LINE's words.
        body: ErrorBody,
        /// LINE's ID of the request.
        request_id: Option<String>,
    },
    /// The outcome is open: LINE may have done what was asked, or not. A push is repeated with the same body and key.
    #[error("outcome unknown: {cause}")]
    Unknown {
        /// What was seen.
        cause: Cause,
        /// LINE's ID of the request, where an answer began.
        request_id: Option<String>,
    },
    /// Certainly not done: the request never left, because LINE was not reached or no token was to be had.
    #[error("not sent: {cause}")]
    NotSent {
        /// What was seen.
        cause: Cause,
        /// LINE's ID of the token request, where that one was answered.
        request_id: Option<String>,
    },
    /// LINE does not take the credentials: no token for this ID and secret, or 401 with a token issued for this very call.
    #[error("credentials not accepted by line{}", said(.body))]
    Credentials {
        /// HTTP status; `None` where the token holds characters that no header can carry, so LINE was not asked.
        status: Option<u16>,
        /// LINE's words.
        body: ErrorBody,
        /// LINE's ID of the request.
        request_id: Option<String>,
    },
}

/// What was seen when no usable answer came.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// Time ran out.
    #[error("no answer in time")]
    Timeout,
    /// The network or TLS failed; the source says how, without the address.
    #[error("connection failed")]
    Connection(#[source] Arc<reqwest::Error>),
    /// A server error (5xx, 408), which says nothing about what was done.
    #[error("status {status}{}", said(.body))]
    Status {
        /// HTTP status.
        status: u16,
        /// LINE's words.
        body: ErrorBody,
    },
    /// A success whose body is not what LINE describes.
    #[error("answer not understood")]
    Unreadable,
    /// The request cannot be written: a retry key or an address with characters that HTTP forbids.
    #[error("request cannot be written")]
    Request,
}

impl LineError {
    /// Whether LINE said that the reply token is used, expired or not one of its own (PLATFORM 7, 17). LINE says the
    /// same of all three. A malformed token gets another text and is not meant here.
    #[must_use]
    pub fn is_invalid_reply_token(&self) -> bool {
        matches!(self, Self::Refused { status: 400, body, .. } if body.message.trim().eq_ignore_ascii_case("invalid reply token"))
    }

    /// Whether LINE said that the channel's 30 places for v2.1 tokens are all taken (PLATFORM 4.1). They come free as
    /// tokens end or are revoked.
    #[must_use]
    pub fn is_out_of_token_places(&self) -> bool {
        matches!(self, Self::Refused { body, .. } | Self::Credentials { body, .. }
            if body.message.to_ascii_lowercase().contains("maximum number of access tokens"))
    }

    /// Whether the very same request may succeed later without anybody changing anything. A used-up month is not
    /// transient: it asks for a person, a plan or the next month.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Wait { .. } => true,
            Self::Unknown { cause, .. } | Self::NotSent { cause, .. } => !matches!(cause, Cause::Request),
            Self::Refused { .. } | Self::QuotaUsedUp { .. } | Self::Credentials { .. } => false,
        }
    }

    /// LINE's ID of the request, where an answer came.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Refused { request_id, .. }
            | Self::Wait { request_id, .. }
            | Self::QuotaUsedUp { request_id, .. }
            | Self::Unknown { request_id, .. }
            | Self::NotSent { request_id, .. }
            | Self::Credentials { request_id, .. } => request_id.as_deref(),
        }
    }

    /// The HTTP status, where an answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Wait { .. } | Self::QuotaUsedUp { .. } => Some(429),
            Self::Credentials { status, .. } => *status,
            Self::Unknown { cause, .. } | Self::NotSent { cause, .. } => match cause {
                Cause::Status { status, .. } => Some(*status),
                Cause::Timeout | Cause::Connection(_) | Cause::Unreadable | Cause::Request => None,
            },
        }
    }

    /// LINE's words, where an answer came.
    #[must_use]
    pub fn body(&self) -> Option<&ErrorBody> {
        match self {
            Self::Refused { body, .. }
            | Self::Wait { body, .. }
            | Self::QuotaUsedUp { body, .. }
            | Self::Credentials { body, .. }
            | Self::Unknown { cause: Cause::Status { body, .. }, .. }
            | Self::NotSent { cause: Cause::Status { body, .. }, .. } => Some(body),
            Self::Unknown { .. } | Self::NotSent { .. } => None,
        }
    }
}

/// `: ` and LINE's summary, cut to a line's length; nothing where LINE said nothing.
fn said(body: &ErrorBody) -> String {
    let text: String = body.message.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

/// Why no client could be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An endpoint is not an `http` or `https` address.
    #[error("not an http address: {0}")]
    Endpoint(url::Url),
    /// TLS or the connection pool could not be set up.
    #[error("http client could not be set up")]
    Client(#[from] reqwest::Error),
}
