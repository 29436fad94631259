//! Calls that somebody else made, passed on with the account's own token.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};

use crate::account::Account;
use crate::content::ContentStream;
use crate::error::LineError;
use crate::transport::{Body, Call, next_chunk};

/// The headers of LINE's answers that mean something to a caller (PLATFORM 5).
static HEADERS_KEPT: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    RETRY_AFTER,
    HeaderName::from_static("x-line-request-id"),
    HeaderName::from_static("x-line-accepted-request-id"),
];

/// A call of somebody else.
#[derive(Debug, Clone)]
pub struct Foreign<'a> {
    /// The method.
    pub method: Method,
    /// Whether the host of contents serves it.
    pub data_host: bool,
    /// The path as LINE's schema writes it.
    pub path: &'static str,
    /// What stands for the braces, in order, not encoded.
    pub values: &'a [&'a str],
    /// The query as it came.
    pub query: Option<&'a str>,
    /// The body's type as it came.
    pub content_type: Option<&'a str>,
    /// The body as it came.
    pub body: Bytes,
}

/// LINE's answer, whatever it is.
pub struct Forwarded {
    /// The status.
    pub status: u16,
    /// Those of LINE's headers that mean something to the caller.
    pub headers: Vec<(&'static str, String)>,
    /// The body, piece by piece.
    pub body: ContentStream,
}

impl Account {
    /// Makes the call and gives the answer as it is, a refusal too.
    ///
    /// # Errors
    /// A [`LineError`] where LINE gave no answer, or no token.
    pub async fn forward(&self, foreign: Foreign<'_>) -> Result<Forwarded, LineError> {
        let call = Call {
            method: foreign.method,
            data_host: foreign.data_host,
            path: foreign.path,
            values: foreign.values,
            body: Body::Given {
                content_type: foreign.content_type,
                query: foreign.query,
                bytes: foreign.body,
            },
            retry_key: None,
        };
        let answer = self.call(call).await?;
        let status = answer.status().as_u16();
        let header = |name: &'static HeaderName| Some((name.as_str(), answer.header(name)?.to_owned()));
        let headers = HEADERS_KEPT.iter().filter_map(header).collect();
        let request_id = answer.request_id().map(str::to_owned);
        let limit = self.client().content_timeout();
        let body = stream::try_unfold(answer.into_response(), move |mut response| {
            let request_id = request_id.clone();
            async move {
                match next_chunk(&mut response, limit).await {
                    Ok(chunk) => Ok(chunk.map(|bytes| (bytes, response))),
                    Err(cause) => Err(LineError::Unknown { cause, request_id }),
                }
            }
        });
        Ok(Forwarded { status, headers, body: body.boxed() })
    }
}
