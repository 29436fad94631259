//! Pictures, videos, sounds and files that friends sent (PLATFORM 6).

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use line_api::api::Transcoding;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use crate::account::Account;
use crate::error::LineError;
use crate::transport::{Call, next_chunk};

/// A content, piece by piece as it comes. Ends with an error where the connection is lost or falls silent; what came
/// before is then incomplete and LINE cannot resume it.
pub type ContentStream = BoxStream<'static, Result<Bytes, LineError>>;

/// What LINE has of a message's content.
pub enum Content {
    /// Here it is.
    Ready {
        /// LINE's only statement of the format, such as `image/jpeg` (GOTCHAS G4).
        content_type: Option<String>,
        /// Bytes, where LINE says so.
        length: Option<u64>,
        /// The bytes.
        body: ContentStream,
    },
    /// 202: not yet, for large videos and sounds. Ask [`Account::content_transcoding`] until it is (GOTCHAS G1).
    NotReady,
    /// 410: the friend unsent the message.
    Gone,
    /// 404: no such message, or LINE has dropped its content.
    NotFound,
}

impl Account {
    /// A message's content.
    ///
    /// # Errors
    /// Any [`LineError`] but 404 and 410, which are results.
    pub async fn content(&self, message_id: &str) -> Result<Content, LineError> {
        self.fetch("/v2/bot/message/{messageId}/content", message_id).await
    }

    /// A smaller picture of an image or video.
    ///
    /// # Errors
    /// As [`content`](Self::content); 400 for a message that has no preview.
    pub async fn content_preview(&self, message_id: &str) -> Result<Content, LineError> {
        self.fetch("/v2/bot/message/{messageId}/content/preview", message_id).await
    }

    /// How far LINE is with a video or sound.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for other kinds, 404 and 410 as for the content.
    pub async fn content_transcoding(&self, message_id: &str) -> Result<Transcoding, LineError> {
        self.call(on_data_host("/v2/bot/message/{messageId}/content/transcoding", &[message_id]))
            .await?
            .json()
            .await
    }

    async fn fetch(&self, path: &'static str, message_id: &str) -> Result<Content, LineError> {
        let answer = self.call(on_data_host(path, &[message_id])).await?;
        match answer.status() {
            StatusCode::OK => {
                let content_type = answer.header(&CONTENT_TYPE).map(str::to_owned);
                let request_id = answer.request_id().map(str::to_owned);
                let response = answer.into_response();
                let length = response.content_length();
                let limit = self.client().content_timeout();
                let body = stream::try_unfold(response, move |mut response| {
                    let request_id = request_id.clone();
                    async move {
                        match next_chunk(&mut response, limit).await {
                            Ok(chunk) => Ok(chunk.map(|bytes| (bytes, response))),
                            Err(cause) => Err(LineError::Unknown { cause, request_id }),
                        }
                    }
                });
                Ok(Content::Ready { content_type, length, body: body.boxed() })
            }
            StatusCode::ACCEPTED => Ok(Content::NotReady),
            StatusCode::GONE => Ok(Content::Gone),
            StatusCode::NOT_FOUND => Ok(Content::NotFound),
            _ => Err(answer.refusal().await),
        }
    }
}

/// A GET on the host that serves contents (GOTCHAS G3).
fn on_data_host<'a>(path: &'static str, values: &'a [&'a str]) -> Call<'a> {
    Call { data_host: true, ..Call::get(path, values) }
}
