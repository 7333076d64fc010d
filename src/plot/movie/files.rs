//! Frames → GIF, APNG and, by ffmpeg, MP4.

use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use color_quant::NeuQuant;

use crate::error::{Error, Result};
use crate::plot::Raster;
use crate::store::write_atomically;

/// Frames per second, and seconds for which the last frame is shown.
const RATE: u16 = 8;
const HOLD: u16 = 2;
/// Number of colours of a GIF.
const COLOURS: usize = 256;

/// A GIF that loops forever, with one palette for all frames, so that nothing static flickers.
pub fn write_gif(path: &Path, frames: &[Raster]) -> Result<()> {
    let Some(first) = frames.first() else {
        return Ok(());
    };
    let (width, height) = (first.width as u16, first.height as u16);
    let palette = Palette::new(frames);
    let colours = palette.0.concat();
    write_atomically(path, |out| {
        let at = |e: gif::EncodingError| Error::writing(path, std::io::Error::other(e));
        let mut encoder = gif::Encoder::new(out, width, height, &colours).map_err(at)?;
        encoder.set_repeat(gif::Repeat::Infinite).map_err(at)?;
        // Drawings have few colours: the nearest palette entry is searched once for each.
        let mut known: HashMap<[u8; 4], u8> = HashMap::new();
        for (k, frame) in frames.iter().enumerate() {
            let pixels = frame.rgba.as_chunks::<4>().0;
            let mut index = |pixel: &[u8; 4]| {
                let found = known.entry(*pixel);
                *found.or_insert_with(|| palette.nearest(pixel))
            };
            let indices: Vec<u8> = pixels.iter().map(&mut index).collect();
            let mut image = gif::Frame::from_indexed_pixels(width, height, indices, None);
            image.delay = 100 / RATE;
            if k + 1 == frames.len() {
                image.delay = 100 * HOLD;
            }
            encoder.write_frame(&image).map_err(at)?;
        }
        Ok(())
    })
}

/// The palette of a GIF: red, green and blue of each colour.
struct Palette(Vec<[u8; 3]>);

impl Palette {
    /// From the first, middle and last frame: the most frequent colours unchanged, so that lines and dots
    /// keep theirs, and for the rest (mixtures at edges) the remaining entries are near their colours.
    fn new(frames: &[Raster]) -> Self {
        let last = frames.len().saturating_sub(1);
        let chosen = [0, last / 2, last].into_iter();
        let mut counts: HashMap<[u8; 4], usize> = HashMap::new();
        for pixel in chosen.flat_map(|k| frames[k].rgba.as_chunks::<4>().0) {
            *counts.entry(*pixel).or_default() += 1;
        }
        let mut all: Vec<([u8; 4], usize)> = counts.into_iter().collect();
        all.sort_by_key(|&(pixel, count)| (std::cmp::Reverse(count), pixel));
        let exact = if all.len() > COLOURS {
            COLOURS / 2
        } else {
            all.len()
        };
        let mut colours: Vec<[u8; 3]> = all[..exact]
            .iter()
            .map(|&([r, g, b, _], _)| [r, g, b])
            .collect();
        if all.len() > COLOURS {
            let rest: Vec<u8> = all[exact..].iter().flat_map(|(pixel, _)| *pixel).collect();
            let near = NeuQuant::new(3, COLOURS - exact, &rest).color_map_rgb();
            colours.extend_from_slice(near.as_chunks::<3>().0);
        }
        Palette(colours)
    }

    fn nearest(&self, pixel: &[u8; 4]) -> u8 {
        let distance = |colour: &[u8; 3]| -> u32 {
            let each = colour.iter().zip(pixel);
            each.map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum()
        };
        let each = self.0.iter().enumerate();
        let best = each.min_by_key(|(_, colour)| distance(colour));
        best.map_or(0, |(k, _)| k as u8)
    }
}

/// An APNG that loops forever, in full colour.
pub fn write_apng(path: &Path, frames: &[Raster]) -> Result<()> {
    let Some(first) = frames.first() else {
        return Ok(());
    };
    write_atomically(path, |out| {
        let at = |e: png::EncodingError| Error::writing(path, e.into());
        let mut encoder = png::Encoder::new(out, first.width, first.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_animated(frames.len() as u32, 0).map_err(at)?;
        encoder.set_frame_delay(1, RATE).map_err(at)?;
        let mut writer = encoder.write_header().map_err(at)?;
        for (k, frame) in frames.iter().enumerate() {
            if k + 1 == frames.len() {
                writer.set_frame_delay(HOLD, 1).map_err(at)?;
            }
            writer.write_image_data(&frame.rgb()).map_err(at)?;
        }
        writer.finish().map_err(at)
    })
}

/// An MP4 made by ffmpeg from raw frames; on failure the reason.
pub fn write_mp4(path: &Path, frames: &[Raster]) -> std::result::Result<(), String> {
    let Some(first) = frames.first() else {
        return Ok(());
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    // ffmpeg creates the file itself, with the usual permissions, in a temporary folder.
    let beside = tempfile::Builder::new()
        .prefix(".widefield-")
        .tempdir_in(folder);
    let beside = beside.map_err(|e| e.to_string())?;
    let made = beside.path().join("movie.mp4");
    let size = format!("{}x{}", first.width, first.height);
    let rate = RATE.to_string();
    let hold = format!(
        "tpad=stop_mode=clone:stop_duration={HOLD},pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white"
    );
    let mut ffmpeg = Command::new("ffmpeg")
        .args([
            "-y",
            "-loglevel",
            "error",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
        ])
        .args(["-s", &size, "-r", &rate, "-i", "-", "-vf", &hold])
        .args(["-pix_fmt", "yuv420p"])
        .arg(&made)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| match e.kind() {
            ErrorKind::NotFound => "ffmpeg is not on the path".to_owned(),
            _ => format!("ffmpeg could not be started: {e}"),
        })?;
    // If ffmpeg closes the pipe early, its own error message is reported below.
    let fed = ffmpeg.stdin.take().map(|mut pipe| {
        let mut each = frames.iter();
        each.try_for_each(|frame| pipe.write_all(&frame.rgb()))
    });
    let out = ffmpeg.wait_with_output().map_err(|e| e.to_string())?;
    if !out.status.success() || !matches!(fed, Some(Ok(()))) {
        let said = String::from_utf8_lossy(&out.stderr);
        return Err(match said.trim() {
            "" => format!("ffmpeg stopped at some frame, with {}", out.status),
            said => format!("ffmpeg failed: {said}"),
        });
    }
    std::fs::rename(&made, path).map_err(|e| format!("ffmpeg made no movie: {e}"))
}
