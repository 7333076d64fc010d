//! Groups the runs of a folder into ensembles and families.

use std::path::Path;

use toml::Table;

use crate::error::{Error, Result};
use crate::experiment::{Experiment, Grid, load};
use crate::particles::init::DrawKey;
use crate::store::RunFolder;

/// An opened run folder with its runs.
pub struct OpenedFolder {
    pub folder: RunFolder,
    pub grid: Grid,
}

impl OpenedFolder {
    /// # Errors
    /// `dir` is no run folder, or no run in it was trained.
    pub fn new(dir: &Path) -> Result<Self> {
        let folder = RunFolder::open(dir)?;
        let grid = load(&folder.experiment().display().to_string(), &[])?;
        if !(0..grid.runs.len()).any(|k| folder.is_started(k)) {
            return Err(Error::input(
                dir.display().to_string(),
                "has no checkpoint: none of its runs was ever started",
                format!("widefield resume {}", dir.display()),
            ));
        }
        Ok(OpenedFolder { folder, grid })
    }

    /// All runs that were started, grouped into families; the ensembles of a family are in order of width.
    pub fn families(&self) -> Vec<WidthFamily<'_>> {
        let mut families: Vec<(Experiment, WidthFamily)> = Vec::new();
        let runs = self.grid.runs.iter().enumerate();
        for (k, run) in runs.filter(|(k, _)| self.folder.is_started(*k)) {
            let (e, key) = (&run.experiment, but_width_and_particles(&run.experiment));
            let found = families.iter().position(|(other, _)| *other == key);
            let at = found.unwrap_or_else(|| {
                let family = WidthFamily {
                    parameters: parameters(&run.parameters, e),
                    ensembles: Vec::new(),
                };
                families.push((key, family));
                families.len() - 1
            });
            let ensembles = &mut families[at].1.ensembles;
            let width = e.network.width;
            match ensembles.iter_mut().find(|of| of.width == width) {
                Some(ensemble) => ensemble.runs.push(k),
                None => ensembles.push(Ensemble {
                    from: self,
                    width,
                    runs: vec![k],
                }),
            }
        }
        let mut families: Vec<WidthFamily> = families.into_iter().map(|(_, f)| f).collect();
        for family in &mut families {
            family.ensembles.sort_by_key(|ensemble| ensemble.width);
        }
        families
    }
}

/// Runs that differ only in the width and the seed of the particles: they have the same data.
pub struct WidthFamily<'a> {
    /// The keys that distinguish the family from others of its folder: the grid's keys without width and
    /// seed.
    pub parameters: Table,
    pub ensembles: Vec<Ensemble<'a>>,
}

impl WidthFamily<'_> {
    /// Whether all keys that both grids sweep have the same values.
    pub fn agrees_with(&self, other: &WidthFamily) -> bool {
        let theirs = |key| other.parameters.get(key);
        let mut mine = self.parameters.iter();
        mine.all(|(key, value)| theirs(key).is_none_or(|their| their == value))
    }
}

/// Runs that differ only in the seed of the particles.
#[derive(Clone)]
pub struct Ensemble<'a> {
    pub from: &'a OpenedFolder,
    pub width: usize,
    /// Numbers of the runs.
    pub runs: Vec<usize>,
}

impl Ensemble<'_> {
    pub fn experiment(&self, run: usize) -> &Experiment {
        &self.from.grid.runs[run].experiment
    }

    /// The experiment of the first run; the others differ only in the seed.
    pub fn any(&self) -> &Experiment {
        self.experiment(self.runs[0])
    }
}

/// How the initial particles of two runs relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// No draw in common.
    Independent,
    /// The draws of the narrower run are the first draws of the wider run.
    Nested,
    /// The same draws.
    Same,
    /// Particles of some run came from a file.
    Unknown,
}

impl Relation {
    pub fn of(a: &Experiment, b: &Experiment) -> Self {
        let key = |e: &Experiment| DrawKey::of(&e.init, e.network.width, e.seed);
        match (key(a), key(b)) {
            (Some(one), Some(other)) if one != other => Relation::Independent,
            (Some(_), Some(_)) if a.network.width == b.network.width => Relation::Same,
            (Some(_), Some(_)) => Relation::Nested,
            _ => Relation::Unknown,
        }
    }
}

/// The experiment without the width and the seed of the particles; `seed` is kept where the data are drawn
/// with it.
fn but_width_and_particles(e: &Experiment) -> Experiment {
    let mut e = e.clone();
    e.seed = e.data_seed().unwrap_or(0);
    e.init.seed = None;
    e.network.width = 0;
    e
}

fn parameters(grid: &Table, e: &Experiment) -> Table {
    let struck = |key: &str| match key {
        "network.width" | "init.seed" => true,
        "seed" => e.data_seed().is_none(),
        _ => false,
    };
    let kept = grid.iter().filter(|(key, _)| !struck(key));
    kept.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEACHER: &str = r#"
data.source = "teacher"
data.d = 3
network.width = 8
risk.loss = "square"
flow.steps = 1
flow.step = 0.5
"#;

    fn opened(text: &str) -> (tempfile::TempDir, OpenedFolder) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("experiment.toml"), text).unwrap();
        for k in 0..4 {
            std::fs::create_dir_all(dir.path().join(format!("runs/{k:03}"))).unwrap();
        }
        let opened = OpenedFolder::new(dir.path()).unwrap();
        (dir, opened)
    }

    fn shape(opened: &OpenedFolder) -> Vec<Vec<(usize, Vec<usize>)>> {
        let ensemble = |e: &Ensemble| (e.width, e.runs.clone());
        let families = opened.families();
        let each = families.iter().map(|f| f.ensembles.iter());
        each.map(|e| e.map(ensemble).collect()).collect()
    }

    #[test]
    fn the_seed_of_drawn_data_parts_families_and_that_of_particles_does_not() {
        let grid = |keys: &str| format!("{TEACHER}[grid]\n\"network.width\" = [16, 8]\n{keys}");
        let (_dir, of) = opened(&grid("seed = [1, 2]"));
        assert_eq!(
            shape(&of),
            [[(8, vec![2]), (16, vec![0])], [(8, vec![3]), (16, vec![1])]]
        );
        assert_eq!(of.families()[1].parameters["seed"].as_integer(), Some(2));
        let (_dir, of) = opened(&grid("\"init.seed\" = [1, 2]"));
        assert_eq!(shape(&of), [[(8, vec![2, 3]), (16, vec![0, 1])]]);
        assert!(of.families()[0].parameters.is_empty());
        let xor = grid("seed = [1, 2]").replace("teacher", "xor");
        let (_dir, of) = opened(&xor);
        assert_eq!(shape(&of), [[(8, vec![2, 3]), (16, vec![0, 1])]]);
    }

    #[test]
    fn relations_come_from_the_draws() {
        let (_dir, of) = opened(TEACHER);
        let base = &of.grid.runs[0].experiment;
        let with = |change: &dyn Fn(&mut Experiment)| {
            let mut e = base.clone();
            change(&mut e);
            e
        };
        let relation = |e: &Experiment| Relation::of(base, e);
        assert_eq!(relation(base), Relation::Same);
        assert_eq!(relation(&with(&|e| e.network.width = 9)), Relation::Nested);
        assert_eq!(relation(&with(&|e| e.seed = 9)), Relation::Independent);
        let other = with(&|e| e.init.seed = Some(9));
        assert_eq!(relation(&other), Relation::Independent);
        assert_eq!(relation(&with(&|e| e.init.seed = Some(1))), Relation::Same);
        let own = |e: &mut Experiment| e.init.widths = crate::experiment::Widths::Disjoint;
        let (a, b) = (
            with(&own),
            with(&|e| {
                own(e);
                e.network.width = 9;
            }),
        );
        assert_eq!(Relation::of(&a, &b), Relation::Independent);
    }
}
