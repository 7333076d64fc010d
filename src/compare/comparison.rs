//! Loads ensembles, measures their gaps and their variance, and collects notes for the reader.

use serde_json::{Map, Value};

use super::ensemble::{Ensemble, OpenedFolder, Relation, WidthFamily};
use super::gaps::{self, Runs};
use super::inputs::CommonInputs;
use super::network::{MOST_PARTICLES, NetworkSummary};
use super::report::{ComparisonReport, EnsembleReport, VarianceReport, WidthReport};
use super::{CompareOptions, PairReport, variance};
use crate::error::Result;
use crate::flow::{DatasetCache, TrainedRun};
use crate::particles::init::DrawKey;

/// The exponent that the theory predicts for the variance.
const THEORY: f64 = -1.0;

/// A comparison in progress.
pub struct Comparison<'a> {
    options: &'a CompareOptions,
    datasets: DatasetCache,
    report: ComparisonReport,
}

impl<'a> Comparison<'a> {
    pub fn new(options: &'a CompareOptions, opened: &[&OpenedFolder]) -> Self {
        let folders = opened.iter().map(|of| folder(of));
        let missing = opened.iter().filter_map(|of| {
            let missing = of.folder.never_started(of.grid.runs.len())?;
            let dir = folder(of);
            Some(format!(
                "in {dir} {missing}: `widefield resume {dir}` trains them"
            ))
        });
        Comparison {
            options,
            datasets: DatasetCache::default(),
            report: ComparisonReport {
                version: crate::VERSION,
                folders: folders.collect(),
                projections: options.projections,
                ensembles: Vec::new(),
                pairs: Vec::new(),
                variance: Vec::new(),
                notes: missing.collect(),
            },
        }
    }

    pub fn is_empty(&self) -> bool {
        self.report.pairs.is_empty()
    }

    pub fn finish(self) -> ComparisonReport {
        self.report
    }

    /// Adds a note, unless it is there already.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.report.notes.contains(&text) {
            self.report.notes.push(text);
        }
    }

    /// Compares these pairs of ensembles, given by their indices in the concatenated ensembles of all
    /// families. For a single family, also fits the power law of its variance.
    pub fn compare(&mut self, families: &[&WidthFamily], pairs: &[(usize, usize)]) -> Result<()> {
        let ensembles: Vec<Ensemble> = families
            .iter()
            .flat_map(|family| family.ensembles.iter().cloned())
            .collect();
        let data = self.options.data.as_deref();
        let inputs = CommonInputs::common(&ensembles, &mut self.datasets, data)?;
        let networks = self.load(&ensembles, &inputs)?;
        let inner: Vec<Vec<Runs>> = ensembles.iter().map(gaps::within).collect();
        let chosen: Vec<_> = pairs
            .iter()
            .map(|&(a, b)| gaps::between(&ensembles[a], &ensembles[b]))
            .collect();
        let crossing: Vec<_> = pairs
            .iter()
            .zip(&chosen)
            .map(|(&ends, (_, runs))| (ends, runs.clone()))
            .collect();
        let projections = self.options.projections;
        let gaps = gaps::gaps(&networks, &inputs, &crossing, &inner, projections);
        let places = self.place(families, &networks);
        for ((&(a, b), (relation, runs)), gaps) in pairs.iter().zip(&chosen).zip(gaps) {
            self.report.pairs.push(PairReport {
                a: places[a],
                b: places[b],
                relation: *relation,
                pairs: runs.len(),
                gaps,
            });
            self.remark_on_widths(&ensembles[a], &ensembles[b]);
        }
        for (ensemble, inner) in ensembles.iter().zip(&inner) {
            if inner.is_empty() {
                self.remark_on_floor(ensemble);
            }
        }
        if let [family] = families {
            self.fit(family, &networks, &inputs);
        }
        Ok(())
    }

    fn load(
        &mut self,
        ensembles: &[Ensemble],
        inputs: &CommonInputs,
    ) -> Result<Vec<Vec<NetworkSummary>>> {
        let mut all = Vec::new();
        for (ensemble, set) in ensembles.iter().zip(&inputs.of) {
            let OpenedFolder { folder, grid } = ensemble.from;
            let mut networks = Vec::new();
            for &run in &ensemble.runs {
                let trained = TrainedRun::open(folder, grid, run)?;
                let flow = &trained.experiment.flow;
                let step = trained.checkpoint.clock.step;
                if step < flow.steps && flow.stop.is_none() {
                    self.note(format!(
                        "run {run} of {} stands at step {step} of {}: it is compared as it is",
                        folder.dir().display(),
                        flow.steps
                    ));
                }
                networks.push(NetworkSummary::of(&trained, set.clone())?);
            }
            if networks.iter().any(|of| of.sampled) {
                self.note(format!(
                    "clouds of more than {MOST_PARTICLES} particles are represented by {MOST_PARTICLES} of them"
                ));
            }
            all.push(networks);
        }
        Ok(all)
    }

    /// Indices of these ensembles in the report; each ensemble is entered once.
    fn place(&mut self, families: &[&WidthFamily], networks: &[Vec<NetworkSummary>]) -> Vec<usize> {
        let each = families.iter();
        let each = each.flat_map(|family| family.ensembles.iter().map(move |e| (family, e)));
        let reports = each.zip(networks).map(|((family, ensemble), networks)| {
            let mass = |sign: usize| {
                let sum: f64 = networks.iter().map(|of| of.masses[sign]).sum();
                finite(sum / networks.len() as f64)
            };
            EnsembleReport {
                folder: folder(ensemble.from),
                parameters: parameters(family),
                width: ensemble.width,
                runs: ensemble.runs.clone(),
                steps: networks.iter().map(|of| of.step).collect(),
                times: networks.iter().map(|of| of.time).collect(),
                mass_plus: mass(0),
                mass_minus: mass(1),
            }
        });
        let known = &mut self.report.ensembles;
        reports
            .map(|report| {
                known.iter().position(|k| *k == report).unwrap_or_else(|| {
                    known.push(report);
                    known.len() - 1
                })
            })
            .collect()
    }

    fn remark_on_widths(&mut self, a: &Ensemble, b: &Ensemble) {
        if nested(a, b) {
            self.note(
                "widths are nested: under one seed, a run starts from the first particles of every wider \
                 run, so different widths are not independent. Gaps are between runs of different seeds \
                 where there are several; the variances of different widths rise and fall together. \
                 init.widths = \"disjoint\" makes widths independent",
            );
        }
    }

    fn remark_on_floor(&mut self, ensemble: &Ensemble) {
        let e = ensemble.any();
        let key = if e.data_seed().is_some() {
            "init.seed (seed draws the data too)"
        } else {
            "seed"
        };
        self.note(match DrawKey::of(&e.init, e.network.width, e.seed) {
            Some(_) => format!(
                "a noise floor is missing: no two runs of {} differ in the seed of the particles alone; \
                 sweep {key} for one",
                folder(ensemble.from)
            ),
            None => format!(
                "a noise floor is missing: the particles of {} come from a file",
                folder(ensemble.from)
            ),
        });
    }

    /// Fits the exponent of the variance of a family that has two or more seeds at two or more widths.
    fn fit(
        &mut self,
        family: &WidthFamily,
        networks: &[Vec<NetworkSummary>],
        inputs: &CommonInputs,
    ) {
        let seeds: Vec<Vec<&NetworkSummary>> = family
            .ensembles
            .iter()
            .zip(networks)
            .map(|(ensemble, networks)| independent(ensemble, networks))
            .collect();
        let count = seeds.iter().map(Vec::len).min().unwrap_or(0);
        if count < 2 || seeds.len() < 2 {
            return;
        }
        let widths: Vec<usize> = family.ensembles.iter().map(|of| of.width).collect();
        let mut pairs = family.ensembles.windows(2);
        let nested = pairs.any(|pair| nested(&pair[0], &pair[1]));
        for (part, (name, _)) in inputs.parts.iter().enumerate() {
            let f: Vec<Vec<&[f64]>> = seeds
                .iter()
                .map(|runs| runs.iter().take(count))
                .map(|runs| runs.map(|of| inputs.split(&of.f)[part]).collect())
                .collect();
            let law = variance::fit(&widths, &f, nested);
            let one = |w: usize| {
                let from = variance::fit(&widths[w..], &f[w..], nested);
                WidthReport {
                    width: widths[w],
                    variance: finite(variance::variance(&f[w])),
                    log_error: variance::log_error(&f[w]),
                    exponent_from: from.map(|law| law.exponent),
                    standard_error_from: from.and_then(|law| law.standard_error),
                }
            };
            let error = law.and_then(|law| law.standard_error);
            self.report.variance.push(VarianceReport {
                folder: folder(family.ensembles[0].from),
                parameters: parameters(family),
                inputs: name,
                seeds: count,
                widths: (0..widths.len()).map(one).collect(),
                exponent: law.map(|law| law.exponent),
                standard_error: error,
                theory: THEORY,
                deviation: law
                    .zip(error)
                    .and_then(|(law, error)| finite((law.exponent - THEORY) / error)),
                nested,
            });
        }
    }
}

/// The runs of an ensemble whose draws differ from those of its other runs.
fn independent<'n>(ensemble: &Ensemble, networks: &'n [NetworkSummary]) -> Vec<&'n NetworkSummary> {
    let mut keys: Vec<DrawKey> = Vec::new();
    let mut kept = Vec::new();
    for (&run, network) in ensemble.runs.iter().zip(networks) {
        let e = ensemble.experiment(run);
        let key = DrawKey::of(&e.init, e.network.width, e.seed);
        if let Some(key) = key.filter(|key| !keys.contains(key)) {
            keys.push(key);
            kept.push(network);
        }
    }
    kept
}

/// Whether a run of `a` shares draws with a run of `b` of another width.
fn nested(a: &Ensemble, b: &Ensemble) -> bool {
    let related = |i: usize, j: usize| Relation::of(a.experiment(i), b.experiment(j));
    let mut each = a.runs.iter();
    each.any(|&i| b.runs.iter().any(|&j| related(i, j) == Relation::Nested))
}

fn folder(of: &OpenedFolder) -> String {
    of.folder.dir().display().to_string()
}

fn parameters(family: &WidthFamily) -> Map<String, Value> {
    let each = family.parameters.iter();
    each.filter_map(|(key, value)| Some((key.clone(), serde_json::to_value(value).ok()?)))
        .collect()
}

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|v| v.is_finite())
}
