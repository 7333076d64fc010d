//! Figures from a run folder: the content of the folder decides which figures apply, and no engine is
//! needed.
//!
//! `folder` reads the folder, `compared_families` its comparison; `line_styles` chooses styles for its
//! families, and `shown_families` selects a few of them; `curves`, `margins`, `final_values`,
//! `width_asymptotics`, `predictor`, `particles`, `histograms` and `first_variation` each make a
//! [`Figure`], which is only data; `axis` and `layout` compute limits, ticks and positions; `render` draws
//! the SVG, with the numbers of the figure from `values`; `raster` converts it to pixels, and [`movie`]
//! makes frames of these. There is one way of drawing: a PNG is made from the SVG of the same name.
//!
//! Figures are 85 mm wide, the column of a journal, with text of 7.5 points, in colours that can be
//! distinguished with colour-blindness. A note below the panels tells what is sampled or binned.

pub mod axis;
mod canvas;
mod colour;
mod compared_families;
mod curve;
mod curves;
pub mod figure;
mod final_values;
mod first_variation;
mod folder;
mod histograms;
mod input_plane;
pub mod layout;
mod line_styles;
mod margins;
mod movie;
mod over_steps;
mod particle_cloud;
mod particles;
mod predictor;
mod projection;
mod raster;
mod render;
mod shown_families;
mod values;
mod width_asymptotics;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use colour::Colour;
pub use figure::Figure;
pub use folder::Folder;
pub use movie::{Movie, movie};
use particle_cloud::{ParticleCloud, SnapshotSeries};
use predictor::ShownRun;
pub use raster::{Raster, raster};
pub use render::render;

use crate::error::{Error, Result};
use crate::store::write_atomically;

/// Largest number of runs whose particles and predictors are shown.
const RUNS: usize = 4;

/// Every figure that applies to the folder.
///
/// # Errors
/// A file of the folder is damaged, or data cannot be read again.
pub fn figures(folder: &Folder) -> Result<Vec<Figure>> {
    let mut figures = curves::curves(folder);
    figures.extend(final_values::against(folder));
    if let Some(note) = folder.divergence() {
        figures.iter_mut().for_each(|figure| figure.remark(&note));
    }
    figures.extend(width_asymptotics::widths(folder));
    let clouds = clouds(folder)?;
    let shown = clouds
        .iter()
        .enumerate()
        .map(|(k, (run, label, cloud))| ShownRun {
            run: *run,
            label: label.clone(),
            colour: colour::of_family(k, clouds.len(), false),
            cloud,
        });
    let shown: Vec<ShownRun> = shown.collect();
    let snapshots = shown
        .iter()
        .map(|of| SnapshotSeries::read(&folder.place.run(of.run).join("snapshots.npz")));
    let snapshots = snapshots.collect::<Result<Vec<_>>>()?;
    figures.extend(predictor::predictor(folder, &shown)?);
    if let Some(mut figure) = particles::particles(&shown, &snapshots) {
        let runs: Vec<usize> = shown.iter().map(|of| of.run).collect();
        folder.some_of_all(&runs, &mut figure);
        figures.push(figure);
    }
    if let (Some(last), Some(snapshots)) = (shown.last(), snapshots.last()) {
        let of_last = [
            histograms::histograms(last, snapshots.as_ref()),
            first_variation::variation(folder, last)?,
        ];
        figures.extend(of_last.into_iter().flatten().map(|mut figure| {
            folder.one_seed(&[last.run], &mut figure);
            figure
        }));
    }
    Ok(figures)
}

/// The particles of one run of each selected family.
fn clouds(folder: &Folder) -> Result<Vec<(usize, String, ParticleCloud)>> {
    let mut clouds = Vec::new();
    for family in shown_families::pick(&folder.families, RUNS) {
        if let Some((run, path)) = folder.particles(family) {
            clouds.push((run, family.label(), ParticleCloud::read(&path)?));
        }
    }
    Ok(clouds)
}

/// Draws every figure of a run folder into DIR/figures, as NAME.svg and NAME.png; returns the paths of the
/// SVGs. Older figures that no longer apply are removed.
///
/// # Errors
/// `dir` is no run folder, a file in it is damaged, or a file cannot be written.
pub fn draw(dir: &Path) -> Result<Vec<PathBuf>> {
    let folder = Folder::open(dir)?;
    let figures = figures(&folder)?;
    let place = folder.place.figures();
    std::fs::create_dir_all(&place).map_err(|e| Error::writing(&place, e))?;
    remove_outdated(&place, &figures)?;
    let paths = figures.iter().map(|figure| {
        let path = place.join(format!("{}.svg", figure.name));
        let svg = render(figure)?;
        write_atomically(&path, |out| {
            let written = out.write_all(svg.as_bytes());
            written.map_err(|e| Error::writing(&path, e))
        })?;
        raster::write_png(&path.with_extension("png"), &raster(&svg, raster::PRINT)?)?;
        Ok(path)
    });
    paths.collect()
}

/// Removes figures that are not among these.
fn remove_outdated(place: &Path, figures: &[Figure]) -> Result<()> {
    for entry in std::fs::read_dir(place)
        .map_err(|e| Error::reading(place, e))?
        .flatten()
    {
        let path = entry.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        let known = figures.iter().any(|figure| figure.name == stem);
        if matches!(extension, "svg" | "png") && !known {
            std::fs::remove_file(&path).map_err(|e| Error::writing(&path, e))?;
        }
    }
    Ok(())
}
