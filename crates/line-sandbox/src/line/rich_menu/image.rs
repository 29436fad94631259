//! A menu's image: uploaded once, JPEG or PNG, of an allowed size (PLATFORM 10).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use line_api::limits;
use line_api::validate::rich_menu_size;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::Inner;
use crate::line::entry::Caller;
use crate::line::error::LineError;

/// The bytes of a JPEG or PNG.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) content_type: String,
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub(crate) bytes: Bytes,
}

impl Image {
    /// Reads what an upload holds. The refusals of bytes that are no picture and of too many bytes are not published.
    pub(crate) fn read(bytes: Bytes) -> Result<Self, LineError> {
        if bytes.len() > limits::RICH_MENU_IMAGE_BYTES {
            return Err(LineError::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body is too large"));
        }
        let wrong_size = || LineError::bad_request("The image size is not allowed for richmenu");
        let (content_type, width, height) = measure(&bytes).ok_or_else(wrong_size)?;
        if !rich_menu_size(width, height) {
            return Err(wrong_size());
        }
        Ok(Self { content_type: content_type.to_owned(), bytes })
    }
}

pub(super) async fn upload(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Value>, LineError> {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menu =
        world.rich_menus.settled(&caller.channel, now).get_mut(&id).ok_or_else(LineError::not_found)?;
    if menu.image.is_some() {
        return Err(LineError::bad_request("An image has already been uploaded to the richmenu"));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(essence.as_str(), "image/jpeg" | "image/png") {
        let message = format!("The content type, {kind}, is not supported");
        return Err(LineError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message));
    }
    menu.image = Some(Image::read(bytes)?);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(json!({})))
}

pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, LineError> {
    let now = inner.clock.now();
    let mut world = inner.world();
    let menus = world.rich_menus.settled(&caller.channel, now);
    let image = menus.get(&id).and_then(|menu| menu.image.as_ref()).ok_or_else(LineError::not_found)?;
    Ok(([(header::CONTENT_TYPE, image.content_type.clone())], image.bytes.clone()).into_response())
}

/// Kind, width and height of a picture by its own header, whatever its sender called it.
fn measure(bytes: &[u8]) -> Option<(&'static str, i64, i64)> {
    if let Some(png) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        // The first chunk: 4 bytes of length, `IHDR`, width, height.
        let side = |at: usize| Some(i64::from(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?)));
        return (png.get(4..8)? == b"IHDR").then_some(("image/png", side(8)?, side(12)?));
    }
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let (marker, after) = match rest {
            // Fill bytes may stand before a marker.
            [0xff, 0xff, ..] => {
                rest = rest.get(1..)?;
                continue;
            }
            [0xff, marker, after @ ..] => (*marker, after),
            _ => return None,
        };
        let pair = |at: usize| Some(u16::from_be_bytes(after.get(at..at + 2)?.try_into().ok()?));
        match marker {
            // A frame header (SOF): length, precision, height, width. C4, C8 and CC are other tables.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some(("image/jpeg", i64::from(pair(5)?), i64::from(pair(3)?)));
            }
            0x01 | 0xd0..=0xd7 => rest = after,
            _ => rest = after.get(usize::from(pair(0)?).max(2)..)?,
        }
    }
}

fn to_base64<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    /// PLATFORM 10: JPEG and PNG, measured by their own headers.
    #[test]
    fn pictures_are_measured() {
        assert_eq!(measure(&png(2500, 1686)), Some(("image/png", 2500, 1686)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04AB\xff\xff\xc4\0\x02\xff\xc2\0\x11\x08\x03\x4b\x09\xc4more";
        assert_eq!(measure(jpeg), Some(("image/jpeg", 2500, 843)));
        for odd in [
            &b"GIF89a"[..],
            b"",
            b"\xff\xd8",
            b"\xff\xd8\xff\xe0\xff\xff",
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIDAT",
        ] {
            assert_eq!(measure(odd), None, "{odd:?}");
        }
    }

    /// PLATFORM 10: at most 1 MB, width 800-2,500, height from 250, proportion from 1.45.
    #[test]
    fn only_allowed_sizes_are_taken() {
        assert!(Image::read(png(800, 270).into()).is_ok());
        for (width, height) in [(799, 270), (2501, 1000), (800, 249), (800, 560)] {
            assert!(Image::read(png(width, height).into()).is_err(), "{width}x{height}");
        }
        let mut large = png(800, 270);
        large.resize(limits::RICH_MENU_IMAGE_BYTES + 1, 0);
        assert!(Image::read(large.into()).is_err());
    }
}
