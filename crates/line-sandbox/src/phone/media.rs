//! The bytes of what people sent, for the phones that show them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::Inner;

/// A message's content. It came from a person, so it may not act as a page of ours. Players need byte ranges.
pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let content = {
        let world = inner.world();
        world.messages.find(&id).filter(|message| !message.unsent).and_then(|message| message.content.clone())
    };
    let Some(content) = content else { return StatusCode::NOT_FOUND.into_response() };
    let policy = [
        (header::CONTENT_TYPE, content.content_type.clone()),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let length = content.bytes.len();
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    match range.and_then(|range| byte_range(range, length)) {
        Some((from, to)) => {
            let slice = content.bytes.slice(from..to);
            let shown = [(header::CONTENT_RANGE, format!("bytes {from}-{}/{length}", to - 1))];
            (StatusCode::PARTIAL_CONTENT, policy, shown, slice).into_response()
        }
        None => (policy, content.bytes).into_response(),
    }
}

/// The image of a rich menu. Each page address is a new menu, so it may be kept.
pub(super) async fn show_rich_menu(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Response {
    let image = inner.world().rich_menus.image(&id).cloned();
    let Some(image) = image else { return StatusCode::NOT_FOUND.into_response() };
    let policy = [
        (header::CONTENT_TYPE, image.content_type),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable".to_owned()),
    ];
    (policy, image.bytes).into_response()
}

/// The one range of a `Range` header as a half-open interval; `None` when there is no such part.
fn byte_range(header: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from.is_empty(), to.is_empty()) {
        (false, true) => (from.parse().ok()?, length),
        (false, false) => (from.parse().ok()?, to.parse::<usize>().ok()?.saturating_add(1).min(length)),
        (true, false) => (length.saturating_sub(to.parse().ok()?), length),
        (true, true) => return None,
    };
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(byte_range("bytes=0-", 10), Some((0, 10)));
        assert_eq!(byte_range("bytes=2-3", 10), Some((2, 4)));
        assert_eq!(byte_range("bytes=-4", 10), Some((6, 10)));
        assert_eq!(byte_range("bytes=5-99", 10), Some((5, 10)));
        assert_eq!(byte_range("bytes=10-", 10), None);
        assert_eq!(byte_range("bytes=0-1,4-5", 10), None);
    }
}
