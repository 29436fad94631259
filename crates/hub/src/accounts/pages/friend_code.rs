//! The QR code by which friends add an account, to be looked at and to be downloaded (S2-22).

use std::io::Cursor;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use image::{ExtendedColorType, ImageEncoder as _};
use qrcode::{Color, QrCode};

use super::parse;
use crate::accounts::service;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;

/// Pixels of a module in the downloaded picture: sharp on a poster of hand size.
const SCALE: usize = 24;
/// The quiet zone that readers need, in modules.
const QUIET: usize = 4;

/// The code of a link as SVG without a declaration, for a page.
pub(super) fn drawing(link: &str) -> AppResult<String> {
    let code = QrCode::new(link).map_err(AppError::internal)?;
    let code = code.render::<qrcode::render::svg::Color<'_>>().quiet_zone(false).build();
    Ok(code.find("<svg").and_then(|at| code.get(at..)).unwrap_or_default().to_owned())
}

/// The code as a file of its own, by its ending: `svg` or `png`.
pub(in crate::accounts) async fn download(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path((id, ending)): Path<(String, String)>,
) -> AppResult<Response> {
    let account = service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let code = QrCode::new(account.friend_link()).map_err(AppError::internal)?;
    let (kind, bytes) = match ending.as_str() {
        "svg" => {
            let drawn = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(600, 600).build();
            ("image/svg+xml", drawn.into_bytes())
        }
        "png" => ("image/png", png(&code)?),
        _ => return Err(AppError::not_found("file")),
    };
    let name: String =
        account.line_id().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect();
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}-friend-add.{ending}\"")),
    ];
    Ok((headers, bytes).into_response())
}

fn png(code: &QrCode) -> AppResult<Vec<u8>> {
    let side = (code.width() + 2 * QUIET) * SCALE;
    let modules = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let (column, row) = ((x / SCALE).checked_sub(QUIET)?, (y / SCALE).checked_sub(QUIET)?);
        let place = (column < code.width()).then_some(row * code.width() + column)?;
        modules.get(place).map(|color| *color == Color::Dark)
    };
    let pixels: Vec<u8> = (0..side * side)
        .map(|at| if is_dark(at % side, at / side).unwrap_or(false) { 0 } else { 255 })
        .collect();
    let mut file = Cursor::new(Vec::new());
    let side = u32::try_from(side).map_err(AppError::internal)?;
    image::codecs::png::PngEncoder::new(&mut file)
        .write_image(&pixels, side, side, ExtendedColorType::L8)
        .map_err(AppError::internal)?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_downloaded_picture_holds_the_code_and_its_quiet_zone() {
        // S2-22
        let code = QrCode::new("https://line.me/R/ti/p/%40216ruabc").unwrap();
        let picture = image::load_from_memory(&png(&code).unwrap()).unwrap().to_luma8();
        let side = u32::try_from((code.width() + 2 * QUIET) * SCALE).unwrap();
        assert_eq!((picture.width(), picture.height()), (side, side));
        let edge = u32::try_from(QUIET * SCALE).unwrap();
        assert_eq!((picture.get_pixel(edge - 1, edge).0, picture.get_pixel(edge, edge).0), ([255], [0]));
        assert!(drawing("https://line.me").unwrap().starts_with("<svg"));
    }
}
