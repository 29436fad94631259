//! A picture of a cup of tea, drawn here so that the demo carries no file.

use image::{ImageFormat, Rgb, RgbImage};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// The picture as PNG.
pub(super) fn tea() -> anyhow::Result<Vec<u8>> {
    let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb(colour(f64::from(x), f64::from(y))));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

fn colour(x: f64, y: f64) -> [u8; 3] {
    let within =
        |cx: f64, cy: f64, rx: f64, ry: f64| ((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2) <= 1.0;
    let steam = |cx: f64| y > 70.0 && y < 190.0 && (x - cx - 12.0 * (y / 18.0).sin()).abs() < 4.0;
    if within(320.0, 240.0, 122.0, 34.0) {
        return [176, 104, 44];
    }
    if within(320.0, 240.0, 140.0, 44.0) {
        return [250, 248, 243];
    }
    if y > 240.0 && within(320.0, 240.0, 140.0, 150.0) {
        return [236, 231, 220];
    }
    if within(470.0, 290.0, 46.0, 46.0) && !within(470.0, 290.0, 28.0, 28.0) {
        return [236, 231, 220];
    }
    if within(320.0, 400.0, 220.0, 26.0) {
        return [120, 78, 48];
    }
    if steam(285.0) || steam(355.0) {
        return [206, 221, 211];
    }
    if y > 380.0 { [92, 62, 42] } else { [64, 118, 92] }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_picture_is_a_png() {
        assert!(super::tea().unwrap().starts_with(b"\x89PNG"));
    }
}
