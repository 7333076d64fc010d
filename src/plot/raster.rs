//! Converts SVG to pixels with resvg and an embedded font, so that pictures are the same on every machine.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use crate::error::{Error, Result};
use crate::store::write_atomically;

const FONT: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans.ttf");
/// Pixels per point of a PNG: 288 pixels per inch.
pub const PRINT: f64 = 4.0;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Pixels of a drawing.
pub struct Raster {
    pub width: u32,
    pub height: u32,
    /// Red, green, blue and alpha (always 255) of every pixel, row by row.
    pub rgba: Vec<u8>,
}

impl Raster {
    /// Red, green and blue only: pictures are opaque, on white.
    pub fn rgb(&self) -> Vec<u8> {
        let pixels = self.rgba.as_chunks::<4>().0.iter();
        pixels.flat_map(|&[r, g, b, _]| [r, g, b]).collect()
    }
}

/// Draws an SVG on white with `scale` pixels per point.
///
/// # Errors
/// The text is no SVG, or the picture has no extent.
pub fn raster(svg: &str, scale: f64) -> Result<Raster> {
    let options = Options {
        fontdb: FONTS.clone(),
        font_family: "DejaVu Sans".into(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(|e| failed(e.to_string()))?;
    // usvg's unit is the pixel of 1/96 inch.
    let zoom = (scale * 0.75) as f32;
    let size = tree.size().to_int_size().scale_by(zoom);
    let pixels = size.and_then(|size| Pixmap::new(size.width(), size.height()));
    let mut pixels = pixels.ok_or_else(|| failed("it has no extent".into()))?;
    pixels.fill(Color::WHITE);
    resvg::render(
        &tree,
        Transform::from_scale(zoom, zoom),
        &mut pixels.as_mut(),
    );
    Ok(Raster {
        width: pixels.width(),
        height: pixels.height(),
        rgba: pixels.take(),
    })
}

/// Writes a PNG with its resolution.
pub fn write_png(path: &Path, raster: &Raster) -> Result<()> {
    write_atomically(path, |out| {
        let at = |e: png::EncodingError| Error::writing(path, e.into());
        let mut encoder = png::Encoder::new(&mut *out, raster.width, raster.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let per_metre = (PRINT * 72.0 / 0.0254).round() as u32;
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: per_metre,
            yppu: per_metre,
            unit: png::Unit::Meter,
        }));
        let mut writer = encoder.write_header().map_err(at)?;
        writer.write_image_data(&raster.rgb()).map_err(at)?;
        writer.finish().map_err(at)?;
        out.flush().map_err(|e| Error::writing(path, e))
    })
}

fn failed(what: String) -> Error {
    Error::Figure {
        what: format!("a picture could not be made: {what}"),
        remedy: "the SVG beside it is whole; report this with it".into(),
    }
}
