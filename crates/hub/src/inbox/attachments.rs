//! Pictures that agents attach: made fit for LINE, kept, and shown at an address that nobody guesses and that lasts.
//!
//! Whatever comes in is decoded and drawn anew, so nothing of the file but its pixels goes out: no EXIF, no place, no
//! trick. LINE and the friends' phones load the picture from `/media/{key}` without signing in.

use std::io::Cursor;

use askama::Template;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::stream;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::content;
use super::repo::media;
use super::service;
use crate::app::Hub;
use crate::blobs::BlobKey;
use crate::db::Tx;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, ConversationId, TenantId};
use crate::team::Viewer;
use crate::text::storable;
use crate::web::api::{ApiResult, CanSend, Ident, MAX_BODY, MAX_FILE, Problems};
use crate::web::{Page, Ui};

/// The code of a picture that is not there.
pub(super) const UNKNOWN: &str = "unknown_picture";
/// The largest picture that is decoded, in pixels: a 50-megapixel camera's.
const MAX_PIXELS: u64 = 52_000_000;
/// The most memory one decoding may take, in bytes.
const MAX_MEMORY: u64 = 512 << 20;
/// The longer side of what is sent, in pixels.
const ORIGINAL_SIDE: u32 = 4096;
/// LINE's limit of the picture, in bytes (PLATFORM 19).
const ORIGINAL_BYTES: usize = 10_000_000;
/// The longer side of the preview, in pixels.
const PREVIEW_SIDE: u32 = 1024;
/// LINE's limit of the preview, in bytes (PLATFORM 19).
const PREVIEW_BYTES: usize = 1_000_000;
/// Pictures that are worked on at once; each may take [`MAX_MEMORY`].
static AT_WORK: Semaphore = Semaphore::const_new(2);

/// The public address of attachments.
pub fn routes() -> Router<Hub> {
    Router::new().route("/media/{key}", get(serve))
}

/// The API's way to attach.
pub fn api_routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(attach_by_api)).layer(DefaultBodyLimit::max(MAX_BODY))
}

/// A picture made fit for LINE.
struct Picture {
    bytes: Vec<u8>,
    content_type: &'static str,
}

/// A kept picture: its two public keys.
struct Attached {
    original: String,
    preview: String,
}

/// What is wrong with an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("not a picture that can be read; send a JPEG, PNG, WebP or GIF")]
    Unreadable,
    #[error("the picture has more than 52 million pixels")]
    TooLarge,
}

impl Unfit {
    const fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
        }
    }
}

/// Reads a picture of a friendly or hostile kind; gives what is sent and its preview.
fn prepare(bytes: &[u8]) -> Result<(Picture, Picture), Unfit> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Unfit::Unreadable)?;
    let format = reader.format().ok_or(Unfit::Unreadable)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| Unfit::Unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Unfit::TooLarge);
    }
    let orientation = decoder.orientation().map_err(|_| Unfit::Unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| Unfit::Unreadable)?;
    picture.apply_orientation(orientation);
    let picture = fitted(picture, ORIGINAL_SIDE);
    // A drawing or screenshot stays sharp as PNG, and so does what one can see through.
    let as_png = format == ImageFormat::Png || is_see_through(&picture);
    let preview = encode(fitted(picture.clone(), PREVIEW_SIDE), as_png, PREVIEW_BYTES)?;
    Ok((encode(picture, as_png, ORIGINAL_BYTES)?, preview))
}

fn fitted(picture: DynamicImage, side: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= side {
        return picture;
    }
    picture.resize(side, side, FilterType::Triangle)
}

fn is_see_through(picture: &DynamicImage) -> bool {
    picture.color().has_alpha()
        && picture.to_rgba8().pixels().any(|pixel| pixel.0.last().is_some_and(|a| *a < 250))
}

/// The picture in at most `max` bytes: PNG where wanted and small enough, else JPEG, smaller until it fits.
fn encode(mut picture: DynamicImage, as_png: bool, max: usize) -> Result<Picture, Unfit> {
    if as_png {
        let mut bytes = Vec::new();
        let eight_bit: DynamicImage =
            if picture.color().has_alpha() { picture.to_rgba8().into() } else { picture.to_rgb8().into() };
        eight_bit.write_with_encoder(PngEncoder::new(&mut bytes)).map_err(|_| Unfit::Unreadable)?;
        if bytes.len() <= max {
            return Ok(Picture { bytes, content_type: "image/png" });
        }
    }
    loop {
        let mut bytes = Vec::new();
        on_white(&picture)
            .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 86))
            .map_err(|_| Unfit::Unreadable)?;
        if bytes.len() <= max {
            return Ok(Picture { bytes, content_type: "image/jpeg" });
        }
        let side = picture.width().max(picture.height());
        if side < 64 {
            return Err(Unfit::TooLarge);
        }
        picture = fitted(picture, side / 4 * 3);
    }
}

/// JPEG knows no transparency: what one sees through becomes white.
fn on_white(picture: &DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8().into();
    }
    let from = picture.to_rgba8();
    let mut onto = RgbImage::new(from.width(), from.height());
    for (to, from) in onto.pixels_mut().zip(from.pixels()) {
        let [r, g, b, a] = from.0;
        let mix = |c: u8| {
            let over = u16::from(c) * u16::from(a) + 255 * (255 - u16::from(a));
            u8::try_from(over / 255).unwrap_or(u8::MAX)
        };
        *to = Rgb([mix(r), mix(g), mix(b)]);
    }
    onto.into()
}

/// Takes a picture in for an account.
///
/// # Errors
/// 409 `no_public_address` where LINE could not load it, 422 for what is no picture or too large.
async fn attach(
    hub: &Hub,
    tenant: &TenantId,
    account: &AccountId,
    by: &str,
    bytes: Bytes,
) -> AppResult<Attached> {
    if !hub.config.is_reachable_by_line() {
        let detail =
            "LINE loads pictures from this hub, but only by https: give the hub a public https address first";
        return Err(AppError::conflict("no_public_address", detail));
    }
    let place = AT_WORK.acquire().await.map_err(AppError::internal)?;
    // The place goes with the work, which runs on when its caller has hung up.
    let work = move || {
        let _place = place;
        prepare(&bytes)
    };
    let prepared = tokio::task::spawn_blocking(work).await.map_err(AppError::internal)?;
    let (original, preview) =
        prepared.map_err(|unfit| AppError::invalid_field("file", unfit.code(), unfit.to_string()))?;
    let attached = Attached { original: hub.entropy.token(), preview: hub.entropy.token() };
    let mut kept = Vec::with_capacity(2);
    for (key, picture) in [(&attached.original, original), (&attached.preview, preview)] {
        let body = stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(picture.bytes))]);
        let max = u64::try_from(ORIGINAL_BYTES).unwrap_or(u64::MAX);
        let blob = hub.blobs.put(&hub.entropy, body, max).await.map_err(AppError::internal)?;
        kept.push((key, picture.content_type, blob));
    }
    let mut tx = hub.db.begin().await?;
    for (key, content_type, blob) in &kept {
        let row = media::Attachment {
            key,
            tenant,
            account,
            blob_key: blob.key.as_str(),
            content_type,
            size: i64::try_from(blob.size).unwrap_or(i64::MAX),
            created_by: by,
        };
        media::attach(&mut tx, &row, hub.now()).await?;
    }
    tx.commit().await?;
    Ok(attached)
}

fn address(hub: &Hub, key: &str) -> String {
    format!("{}/media/{key}", hub.config.public_url.as_str().trim_end_matches('/'))
}

/// LINE's message object for a picture that was attached, by the keys that the page was given.
///
/// # Errors
/// 422 when these are no such keys; whether there is such a picture is for [`mark_sent`].
pub(super) fn message(hub: &Hub, keys: &str) -> AppResult<Value> {
    let (original, preview) = keys.split_once('.').ok_or_else(|| unknown("attachments"))?;
    Ok(line_api::message::image(&address(hub, original), &address(hub, preview)))
}

fn unknown(field: &str) -> AppError {
    AppError::invalid_field(field, UNKNOWN, "the picture is not there for this account; attach it again")
}

/// Notes that messages which are being queued show pictures of this hub, so that they are kept.
///
/// # Errors
/// 422 naming the field: one is not there (any more), or was not attached to the conversation's own account.
pub(super) async fn mark_sent(
    tx: &mut Tx,
    hub: &Hub,
    (tenant, account): (&TenantId, &AccountId),
    messages: &[&Value],
) -> AppResult<()> {
    let mut found = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        keys_in(message, &address(hub, ""), &format!("messages[{n}]"), &mut found);
    }
    for (field, key) in found {
        if !media::mark_sent(tx, tenant, account, &storable(&key), hub.now()).await? {
            return Err(unknown(&field));
        }
    }
    Ok(())
}

/// Every address below `root` that LINE loads or a tap opens in a message, as the field's name and what follows the root.
fn keys_in(value: &Value, root: &str, field: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Array(all) => {
            for (n, value) in all.iter().enumerate() {
                keys_in(value, root, &format!("{field}[{n}]"), found);
            }
        }
        Value::Object(all) => {
            for (name, value) in all {
                let field = format!("{field}.{name}");
                // Also where a tap leads: it may be to the whole picture. Text that friends read is no address.
                let is_address =
                    ["url", "uri", "desktop", "linkUri"].contains(&name.as_str()) || name.ends_with("Url");
                match value.as_str().filter(|_| is_address).and_then(|text| text.strip_prefix(root)) {
                    Some(key) => found.push((field, key.to_owned())),
                    None => keys_in(value, root, &field, found),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The bytes of the field `file`.
async fn file(multipart: Result<Multipart, MultipartRejection>) -> AppResult<Bytes> {
    let malformed =
        || AppError::bad_request("bad_multipart", "expected a multipart form with the field \"file\"");
    let mut multipart = multipart.map_err(|_| malformed())?;
    while let Some(field) = multipart.next_field().await.map_err(|_| malformed())? {
        if field.name() == Some("file") {
            return match field.bytes().await {
                Ok(bytes) if bytes.len() <= MAX_FILE => Ok(bytes),
                Ok(_) => Err(too_heavy()),
                Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_heavy()),
                Err(_) => Err(malformed()),
            };
        }
    }
    Err(AppError::invalid_field("file", "required", "the field \"file\" is missing"))
}

fn too_heavy() -> AppError {
    AppError::invalid_field("file", "too_heavy", "the file is larger than 25 MB")
}

/// What the page gets for a picture.
#[derive(Debug, Serialize)]
struct Chip {
    /// For the form that sends it.
    keys: String,
    /// The preview, for the bubble that appears at once.
    preview: String,
}

#[derive(Template)]
#[template(path = "inbox_unfit_partial.html")]
struct UnfitPartial {
    words: String,
}

/// Attaches a picture in the composer.
pub(super) async fn attach_in_page(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(conversation): Path<String>,
    multipart: Result<Multipart, MultipartRejection>,
) -> AppResult<Response> {
    let id: ConversationId = super::pages::id(&conversation)?;
    let scope = viewer.scope();
    let conversation = service::get(&hub, &scope, &id).await?;
    let attached = async {
        let bytes = file(multipart).await?;
        attach(&hub, scope.tenant(), &conversation.account_id, viewer.id.as_str(), bytes).await
    };
    match attached.await {
        Ok(attached) => {
            let preview = format!("/media/{}", attached.preview);
            Ok(Json(Chip { keys: format!("{}.{}", attached.original, attached.preview), preview })
                .into_response())
        }
        Err(error) => {
            let field = error.fields.first().map(|field| field.code);
            let words = match (error.code, field) {
                ("no_public_address", _) => ui.t("inbox-attach-no-public-address"),
                (_, Some("too_large" | "too_heavy")) => ui.t("inbox-attach-too-large"),
                (_, Some(_)) => ui.t("inbox-attach-unreadable"),
                _ => return Err(error),
            };
            Ok((error.status, Page(UnfitPartial { words })).into_response())
        }
    }
}

/// A picture that can be sent as LINE's image message.
#[derive(Debug, Serialize, ToSchema)]
struct AttachmentView {
    /// For `originalContentUrl`.
    original_url: String,
    /// For `previewImageUrl`.
    preview_url: String,
}

/// A picture to be attached.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the multipart form")]
struct AttachmentForm {
    /// A JPEG, PNG, WebP or GIF of at most 25 MB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Makes a picture fit for LINE and keeps it at a public address; answers the two addresses of an image message in a
/// conversation of this account. What no message shows within 24 hours is removed.
#[utoipa::path(post, path = "/accounts/{id}/attachments", tag = "Inbox", params(("id" = String, Path)),
    request_body(content = AttachmentForm, content_type = "multipart/form-data"),
    responses((status = 201, body = AttachmentView), Problems))]
async fn attach_by_api(
    State(hub): State<Hub>,
    CanSend(caller): CanSend,
    Ident(id): Ident<AccountId>,
    multipart: Result<Multipart, MultipartRejection>,
) -> ApiResult<(StatusCode, Json<AttachmentView>)> {
    let account = crate::accounts::service::get(&hub, &caller.scope, &id).await?;
    let bytes = file(multipart).await?;
    let attached = attach(&hub, caller.scope.tenant(), &account.id, caller.key.as_str(), bytes).await?;
    let view = AttachmentView {
        original_url: address(&hub, &attached.original),
        preview_url: address(&hub, &attached.preview),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// A picture for LINE and for friends' phones.
async fn serve(State(hub): State<Hub>, Path(key): Path<String>, headers: HeaderMap) -> AppResult<Response> {
    let missing = || AppError::not_found("media");
    let (blob, content_type, _) = media::find_attachment(&hub.db, &key).await?.ok_or_else(missing)?;
    let blob = BlobKey::parse(&blob).ok_or_else(missing)?;
    let cache = "public, max-age=31536000, immutable";
    let mut response = content::blob(&hub, &blob, &content_type, None, cache, &headers).await?;
    // Pages of others, such as the phone page of a local LINE, show it too.
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    response.headers_mut().insert(policy, HeaderValue::from_static("cross-origin"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let byte = |n: u32| u8::try_from(n % 256).unwrap();
            Rgb([byte(x), byte(y), byte(x * y)])
        });
        picture.write_with_encoder(JpegEncoder::new(&mut bytes)).unwrap();
        bytes
    }

    /// Puts an EXIF block with an orientation and a camera's name behind the JPEG's start.
    fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
        tiff.extend(b"\x12\x01\x03\0\x01\0\0\0".iter().chain(&[orientation, 0, 0, 0]));
        tiff.extend(b"\x0f\x01\x02\0\x04\0\0\0SPY\0");
        tiff.extend([0, 0, 0, 0]);
        let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
        let (start, rest) = jpeg.split_at(2);
        [start, &[0xff, 0xe1], &length, b"Exif\0\0", &tiff, rest].concat()
    }

    fn size(picture: &Picture) -> (u32, u32) {
        let read = image::load_from_memory(&picture.bytes).unwrap();
        (read.width(), read.height())
    }

    #[test]
    fn a_photo_is_turned_upright_and_says_nothing_of_the_camera() {
        let photo = with_exif(&jpeg(40, 20), 6);
        assert!(photo.windows(3).any(|w| w == b"SPY"));
        let (original, preview) = prepare(&photo).unwrap();
        assert_eq!(size(&original), (20, 40));
        assert_eq!(size(&preview), (20, 40));
        assert_eq!(original.content_type, "image/jpeg");
        for bytes in [&original.bytes, &preview.bytes] {
            assert!(!bytes.windows(3).any(|w| w == b"SPY"));
            assert!(!bytes.windows(4).any(|w| w == b"Exif"));
        }
    }

    #[test]
    fn large_pictures_come_within_lines_limits() {
        // PLATFORM 19: at most 10 MB, the preview at most 1 MB.
        let (original, preview) = prepare(&jpeg(5000, 2500)).unwrap();
        assert_eq!(size(&original), (4096, 2048));
        let (width, height) = size(&preview);
        assert!(width <= 1024 && height <= 512, "{width}×{height}");
        assert!(original.bytes.len() <= ORIGINAL_BYTES && preview.bytes.len() <= PREVIEW_BYTES);
    }

    #[test]
    fn a_picture_one_sees_through_stays_png_unless_that_is_too_large() {
        let mut n = 1_u32;
        let noise = RgbaImage::from_fn(700, 700, |_, _| {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, d] = n.to_be_bytes();
            Rgba([a, b, c, d])
        });
        let mut bytes = Vec::new();
        noise.write_with_encoder(PngEncoder::new(&mut bytes)).unwrap();
        let (original, preview) = prepare(&bytes).unwrap();
        assert_eq!(original.content_type, "image/png");
        // Noise does not compress: 700 × 700 × 4 bytes are more than a preview may have.
        assert_eq!(preview.content_type, "image/jpeg");
        assert!(preview.bytes.len() <= PREVIEW_BYTES);
    }

    #[test]
    fn what_is_no_picture_or_a_bomb_is_refused() {
        assert_eq!(prepare(b"<svg onload=alert(1)>").err(), Some(Unfit::Unreadable));
        assert_eq!(prepare(b"").err(), Some(Unfit::Unreadable));
        assert_eq!(prepare(&jpeg(30, 30)[..200]).err(), Some(Unfit::Unreadable));
        // A PNG header that promises 60,000 × 60,000 pixels.
        let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x06\0\0\0".to_vec();
        bomb.extend([0; 16]);
        assert!(prepare(&bomb).is_err());
    }
}
