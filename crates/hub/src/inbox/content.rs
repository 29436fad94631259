//! Serving what friends sent: harmless in an agent's browser, whole or in part.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::service;
use crate::app::Hub;
use crate::blobs::{BlobError, BlobKey, Part};
use crate::error::{AppError, AppResult};
use crate::ids::MessageId;
use crate::scope::Scope;

/// Types that a browser may show; everything else is an attachment (ARCHITECTURE section 7).
const SHOWN: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "video/mp4",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
];

/// Whether a browser may show this type.
#[must_use]
pub fn is_shown(content_type: &str) -> bool {
    SHOWN.contains(&content_type)
}

/// The media of a message within the scope.
///
/// # Errors
/// 404 when there is none, 409 `not_ready` while it is being fetched, 410 `gone`, 416 for a range outside.
pub async fn serve(hub: &Hub, scope: &Scope, id: &MessageId, headers: &HeaderMap) -> AppResult<Response> {
    let message = service::message(hub, scope, id).await?;
    let media = message.media.ok_or_else(|| AppError::not_found("media"))?;
    let key = match media.state.as_str() {
        "kept" => {
            media.blob_key.as_deref().and_then(BlobKey::parse).ok_or_else(|| AppError::not_found("media"))?
        }
        "waiting" => {
            return Err(AppError::conflict("not_ready", "the media is still being fetched from LINE"));
        }
        "gone" => return Err(AppError::new(StatusCode::GONE, "gone", "the friend took the message back")),
        _ => return Err(AppError::not_found("media")),
    };
    let content_type = media.content_type.as_deref().unwrap_or("application/octet-stream");
    blob(hub, &key, content_type, media.file_name.as_deref(), "private, max-age=3600", headers).await
}

/// A blob with the headers that keep it harmless.
///
/// # Errors
/// 404 when it is not there, 416 for a range outside.
pub async fn blob(
    hub: &Hub,
    key: &BlobKey,
    content_type: &str,
    file_name: Option<&str>,
    cache: &'static str,
    headers: &HeaderMap,
) -> AppResult<Response> {
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let part = asked.and_then(range);
    let reading = hub.blobs.get(key, part.unwrap_or(Part::Whole)).await.map_err(|error| match error {
        BlobError::NotFound => AppError::not_found("media"),
        BlobError::Range(size) => {
            let detail = format!("the media has {size} bytes");
            AppError::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", detail)
        }
        other => AppError::internal(other),
    })?;
    let shown = is_shown(content_type);
    let length = reading.range.end.saturating_sub(reading.range.start);
    let mut response = Response::new(Body::from_stream(reading.body));
    let out = response.headers_mut();
    let text = |value: String| HeaderValue::from_str(&value).map_err(AppError::internal);
    out.insert(
        CONTENT_TYPE,
        text(if shown { content_type.to_owned() } else { "application/octet-stream".to_owned() })?,
    );
    out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    out.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    out.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let kind = if shown { "inline" } else { "attachment" };
    let disposition = file_name.map_or_else(
        || kind.to_owned(),
        |name| format!("{kind}; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC)),
    );
    out.insert(CONTENT_DISPOSITION, text(disposition)?);
    if part.is_some() {
        let last = reading.range.end.saturating_sub(1);
        out.insert(CONTENT_RANGE, text(format!("bytes {}-{last}/{}", reading.range.start, reading.size))?);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// One range of bytes; several, or anything odd, means the whole.
fn range(text: &str) -> Option<Part> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", last) => last.parse().ok().map(Part::Last),
        (first, "") => first.parse().ok().map(Part::From),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Part::Bytes(first, last))
        }
    }
}
