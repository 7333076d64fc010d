//! Movies from snapshots, which are log-spaced in time: the particles beside the predictor, or beside the
//! risk where inputs have too many dimensions for a map or curve.

mod files;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::colour::{LIGHT, NEGATIVE, of_sign};
use super::figure::{Axis, Dash, Dot, DotShape, Figure, Mark, Panel, Scale, Sign};
use super::folder::Folder;
use super::input_plane::InputPlane;
use super::particle_cloud::{ParticleCloud, SnapshotSeries, thousands};
use super::particles::{panel, tails};
use super::predictor::{ShownRun, curves, ends, map};
use super::projection::{Particle, View, longest};
use super::raster::{Raster, raster};
use super::render::render;
use crate::data::Dataset;
use crate::error::{Error, Result};

/// Largest number of frames.
const FRAMES: usize = 60;
/// Width of a frame in pixels.
const WIDTH: f64 = 800.0;
/// If norms grow by more than this factor from the first to the last frame, each frame has its own unit of
/// length.
const GROWTH: f64 = 10.0;

/// The files of a movie.
#[derive(Debug, Clone, PartialEq)]
pub struct Movie {
    pub run: usize,
    pub frames: usize,
    /// The GIF, the APNG and, if ffmpeg is on the path, the MP4.
    pub paths: Vec<PathBuf>,
    /// Why there is no MP4, if there is none.
    pub no_mp4: Option<String>,
}

/// Makes DIR/figures/movie.gif, .apng and .mp4 of the widest run (the longest of these, and the first of
/// those), or movie-KKK of run K.
///
/// # Errors
/// `dir` is no run folder or has no run K, the run has fewer than two snapshots, or a file cannot be
/// written.
pub fn movie(dir: &Path, run: Option<usize>) -> Result<Movie> {
    let folder = Folder::open(dir)?;
    let count = folder.grid.runs.len();
    if let Some(run) = run.filter(|&run| run >= count) {
        return Err(Error::input(
            "--run",
            format!("there is no run {run}"),
            format!("{} has runs 0 to {}", dir.display(), count - 1),
        ));
    }
    let widest = (0..count).rev().max_by_key(|&k| {
        let of = folder.experiment(k);
        (of.network.width, of.flow.steps)
    });
    let chosen = run.or(widest).unwrap_or(0);
    let path = folder.place.run(chosen).join("snapshots.npz");
    let snapshots = SnapshotSeries::read(&path)?.filter(|snapshots| snapshots.len() > 1);
    let snapshots = snapshots.ok_or_else(|| {
        Error::input(
            path.display().to_string(),
            "holds no two snapshots to make a movie of",
            "run with output.snapshots of 2 or more, and to the end",
        )
    })?;
    let scene = Scene::new(&folder, chosen, &snapshots)?;
    let frames: Vec<Raster> = (scene.chosen().into_par_iter())
        .map(|s| scene.frame(s))
        .collect::<Result<_>>()?;
    let place = folder.place.figures();
    std::fs::create_dir_all(&place).map_err(|e| Error::writing(&place, e))?;
    let name = run.map_or("movie".to_owned(), |run| format!("movie-{run:03}"));
    let (gif, apng) = (
        place.join(format!("{name}.gif")),
        place.join(format!("{name}.apng")),
    );
    files::write_gif(&gif, &frames)?;
    files::write_apng(&apng, &frames)?;
    let mut paths = vec![gif, apng];
    let mp4 = place.join(format!("{name}.mp4"));
    let no_mp4 = files::write_mp4(&mp4, &frames).err();
    if no_mp4.is_none() {
        paths.push(mp4);
    } else if mp4.exists() {
        // An older MP4 might show another run than the new files.
        std::fs::remove_file(&mp4).map_err(|e| Error::writing(&mp4, e))?;
    }
    Ok(Movie {
        run: chosen,
        frames: frames.len(),
        paths,
        no_mp4,
    })
}

/// The data that all frames of a movie share.
struct Scene<'a> {
    folder: &'a Folder,
    run: usize,
    label: String,
    snapshots: &'a SnapshotSeries,
    /// The projection fitted to the last snapshot, used for all frames.
    view: View,
    /// Whether each frame has its own unit of length.
    growing: bool,
    data: Dataset,
    /// The plane of the inputs, and for curves the limits of the f axis.
    plane: Option<(InputPlane, (f64, f64))>,
}

impl<'a> Scene<'a> {
    fn new(folder: &'a Folder, run: usize, snapshots: &'a SnapshotSeries) -> Result<Self> {
        let last = snapshots.len() - 1;
        let of = |s: usize| points(snapshots, s);
        let mut view = View::new(&of(last));
        let units: Vec<f64> = (0..=last).map(|s| longest(&of(s))).collect();
        let low = units.iter().copied().fold(f64::INFINITY, f64::min);
        let high = units.iter().copied().fold(0.0, f64::max);
        let growing = high > GROWTH * low;
        view.unit = high;
        let data = folder.data(run)?;
        let labels = folder.experiment(run).risk.loss.is_classification();
        let families = folder.families.iter();
        let label = families
            .filter(|f| f.runs.contains(&run))
            .map(|f| f.label());
        let mut scene = Scene {
            folder,
            run,
            label: label.collect(),
            snapshots,
            view,
            growing,
            plane: InputPlane::of(&data, labels).map(|plane| (plane, (0.0, 1.0))),
            data,
        };
        if let Some((plane, range)) = &mut scene.plane {
            // The limits of f at the last snapshot are used for every frame.
            let cloud = ParticleCloud::of_snapshot(snapshots, last);
            let panel = curve(folder, run, *plane, &cloud, &scene.data);
            let values = panel.marks.iter().flat_map(Mark::places).map(|p| p.1);
            let (low, high) = ends(values.filter(|y| y.is_finite()));
            let room = 0.25 * (high - low);
            *range = (low - room, high + room);
        }
        Ok(scene)
    }

    /// The snapshots that become frames.
    fn chosen(&self) -> Vec<usize> {
        let (all, count) = (self.snapshots.len(), self.snapshots.len().min(FRAMES));
        (0..count).map(|k| k * (all - 1) / (count - 1)).collect()
    }

    fn frame(&self, s: usize) -> Result<Raster> {
        let svg = render(&self.figure(s))?;
        // A frame is two columns of 241 points wide.
        raster(&svg, WIDTH / (2.0 * super::layout::WIDTH / 10.0))
    }

    fn figure(&self, s: usize) -> Figure {
        let mut figure = Figure::new("movie", "Particles beside the function that they make");
        (figure.wide, figure.columns) = (true, 2);
        let now = points(self.snapshots, s);
        let view = View {
            unit: if self.growing {
                longest(&now)
            } else {
                self.view.unit
            },
            ..self.view.clone()
        };
        let mut left = panel(&now, &tails(self.snapshots, s), &view);
        left.title = Some(format!(
            "step {}",
            thousands(self.snapshots.steps[s] as usize)
        ));
        let mut right = self.right(s);
        right.title = Some(match self.label.as_str() {
            "" => "f".to_owned(),
            label => label.to_owned(),
        });
        if self.plane.is_none() && self.label.is_empty() {
            right.title = Some("risk".to_owned());
        }
        right.height = 1.0;
        figure.panels = vec![left, right];
        figure.enter("a > 0", of_sign(1.0), Sign::Dot(DotShape::Disc));
        figure.enter("a < 0", of_sign(-1.0), Sign::Dot(DotShape::Disc));
        let width = self.folder.experiment(self.run).network.width;
        if width > self.snapshots.m {
            let all = thousands(width);
            figure.remark(format!(
                "{} of {all} particles, and the f of these",
                self.snapshots.m
            ));
        }
        if self.growing {
            figure.remark("as shares of each moment's heaviest particle");
        }
        figure
    }

    fn right(&self, s: usize) -> Panel {
        let Some((plane, range)) = self.plane else {
            return self.risk(self.snapshots.steps[s]);
        };
        let cloud = ParticleCloud::of_snapshot(self.snapshots, s);
        if plane.is_flat() {
            return map(self.folder, &shown(self.run, &cloud), plane, &self.data);
        }
        let mut panel = curve(self.folder, self.run, plane, &cloud, &self.data);
        panel.y.range = Some(range);
        for mark in &mut panel.marks {
            if let Mark::Line { points, .. } = mark {
                let outside = |y: f64| y < range.0 || y > range.1;
                let leaving = points.iter_mut().filter(|p| outside(p.1));
                leaving.for_each(|p| p.1 = f64::NAN);
            }
        }
        panel
    }

    /// A panel of the risk over all steps, with the part up to this step emphasised.
    fn risk(&self, step: u64) -> Panel {
        let column = |name| {
            self.folder
                .metrics
                .column(self.run, name)
                .unwrap_or_default()
        };
        let rows = column("step")
            .iter()
            .zip(column("risk"))
            .map(|(&k, &r)| (k, r));
        let all: Vec<(f64, f64)> = rows.filter(|(k, r)| *k > 0.0 && r.is_finite()).collect();
        let done: Vec<(f64, f64)> = all.iter().copied().filter(|p| p.0 <= step as f64).collect();
        let dot = done.last().map(|&(x, y)| Dot {
            x,
            y,
            radius: 2.4,
            colour: NEGATIVE,
            shape: DotShape::Rimmed,
        });
        let line = |points, colour| Mark::Line {
            points,
            colour,
            dash: Dash::Solid,
            width: 1.2,
        };
        Panel {
            x: Axis::new("step k", Scale::Auto),
            y: Axis::new("risk R(f)", Scale::Auto),
            marks: vec![
                line(all, LIGHT),
                line(done, NEGATIVE),
                Mark::Dots {
                    dots: dot.into_iter().collect(),
                },
            ],
            ..Panel::default()
        }
    }
}

fn points(snapshots: &SnapshotSeries, s: usize) -> Vec<Particle> {
    let each = (0..snapshots.m).map(|j| Particle::new(snapshots.w(s, j), snapshots.a(s, j)));
    each.collect()
}

fn shown(run: usize, cloud: &ParticleCloud) -> ShownRun<'_> {
    ShownRun {
        run,
        label: String::new(),
        colour: NEGATIVE,
        cloud,
    }
}

fn curve(
    folder: &Folder,
    run: usize,
    plane: InputPlane,
    cloud: &ParticleCloud,
    data: &Dataset,
) -> Panel {
    curves(folder, &shown(run, cloud), plane, data)
}
