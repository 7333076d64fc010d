//! Width asymptotics, as the folder's comparison has them: the variance of the prediction between seeds
//! with its power law, and the gaps to the widest networks beside their noise floors.

use serde_json::{Map, Value};

use super::axis::Settled;
use super::colour::{Colour, GREY, LIGHT};
use super::curves::finish;
use super::figure::{Axis, Dash, Dot, Figure, Mark, Panel, Scale, Shape, Sign};
use super::folder::{Family, Folder, words};
use super::looks::{Look, Looks};
use super::predictor::extremes;
use crate::compare::{Compared, Law, Pair, Relation, Stored};

/// How fits and noise floors are told from what was measured.
const FIT: Dash = Dash::Dotted;
const FLOOR: Dash = Dash::Dashed;
/// Share of its colour that a bar has.
const SHADE: f64 = 0.5;
/// How far the guide stays below every variance.
const BELOW: f64 = 3.0;
/// From the least to the most of an axis of gaps, at least: what differs less is to look so.
const NARROW: f64 = 3.0;
/// Exponents that are listed, at most.
const LISTED: usize = 4;
/// The gaps that are shown, with their axes.
const GAPS: [(&str, &str); 2] = [
    ("prediction_rms", "RMS gap of f"),
    ("w2_directions", "sliced W₂ gap"),
];

/// Where the folder was compared and no run has gone on since.
pub fn widths(folder: &Folder) -> Option<Figure> {
    let stored = folder.comparison.as_ref()?;
    let (parameters, families): (Vec<_>, Vec<Family>) =
        families(folder, stored).into_iter().unzip();
    let looks = Looks::new(&families);
    let kin = |look: &Look| {
        let k = families.iter().position(|of| of == look.family)?;
        Some(Kin::new(stored, parameters[k], look))
    };
    let mut figure = Figure::new(
        "widths",
        "Variance of the prediction between seeds, and gaps to the widest networks, against the width",
    );
    let shown: Vec<Kin> = looks.each.iter().filter_map(kin).collect();
    let parts = looks.apart().into_iter().map(|(title, looks)| {
        looks.explain(&mut figure);
        (title, looks.each.iter().filter_map(kin).collect::<Vec<_>>())
    });
    let parts: Vec<(Option<String>, Vec<Kin>)> = parts.collect();
    for (title, part) in &parts {
        figure.panels.extend(variances(part, title));
    }
    // More panels than a page has room for would be none the clearer.
    let room = if parts.len() > 1 { 1 } else { GAPS.len() };
    for gap in &GAPS[..room] {
        for (title, part) in &parts {
            figure.panels.extend(gaps(part, *gap, title));
        }
    }
    explain(&shown, &mut figure);
    remark(folder, stored, &shown, &mut figure);
    finish(&looks, &mut figure);
    let mut widths: Vec<f64> = stored.ensembles.iter().map(|of| of.width as f64).collect();
    widths.sort_by(f64::total_cmp);
    widths.dedup();
    let x = Axis::new("", Scale::Log);
    let common = Settled::new(&x, widths.iter().copied(), 3);
    for panel in &mut figure.panels {
        panel.x.scale = Scale::Log;
        panel.x.range = Some((common.low, common.high));
        panel.x.ticks = Some(widths.clone());
    }
    (!figure.is_empty()).then_some(figure)
}

/// The families that were compared: runs that differ in the width and the seed of the particles alone.
fn families<'s>(folder: &Folder, stored: &'s Stored) -> Vec<(&'s Map<String, Value>, Family)> {
    let mut all: Vec<(&Map<String, Value>, Family)> = Vec::new();
    for Compared {
        parameters, runs, ..
    } in &stored.ensembles
    {
        if let Some((_, family)) = all.iter_mut().find(|(known, _)| *known == parameters) {
            family.runs.extend(runs);
            continue;
        }
        let first = runs.first().and_then(|&run| folder.grid.runs.get(run));
        let keys = first.into_iter().flat_map(|run| &run.parameters);
        let kept = keys.filter(|(key, _)| parameters.contains_key(*key));
        let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
        let family = Family {
            parameters: kept.collect(),
            runs: runs.clone(),
        };
        all.push((parameters, family));
    }
    all
}

/// What was found of one family.
struct Kin<'a> {
    label: String,
    colour: Colour,
    law: Option<&'a Law>,
    /// Its widest networks.
    widest: usize,
    /// Gaps to them, with the width of the others.
    gaps: Vec<(f64, &'a Pair)>,
}

impl<'a> Kin<'a> {
    fn new(stored: &'a Stored, parameters: &Map<String, Value>, look: &Look) -> Self {
        let own = |of: &&Compared| of.parameters == *parameters;
        let widest = stored.ensembles.iter().filter(own).map(|of| of.width);
        let widest = widest.max().unwrap_or(0);
        let width = |k: usize| stored.ensembles.get(k).filter(own).map(|of| of.width);
        let gaps = stored.pairs.iter().filter_map(|pair| {
            let (a, b) = (width(pair.a)?, width(pair.b)?);
            (a.max(b) == widest).then_some((a.min(b) as f64, pair))
        });
        // Inputs of the user's come last, and before them those of the test.
        let mut laws = stored.variance.iter();
        Kin {
            label: look.family.label(),
            colour: look.colour,
            law: laws.rfind(|law| law.parameters == *parameters),
            widest,
            gaps: gaps.collect(),
        }
    }

    /// (m, variance, standard error of its logarithm)
    fn variances(&self) -> impl Iterator<Item = (f64, f64, Option<f64>)> {
        let all = self.law.into_iter().flat_map(|law| &law.widths);
        let each = all.filter_map(|at| Some((at.width as f64, at.variance?, at.log_error)));
        each.filter(|(_, variance, _)| *variance > 0.0)
    }

    /// The power law: a line of least squares goes through the mean of its points.
    fn fit(&self) -> Option<Vec<(f64, f64)>> {
        let s = self.law?.exponent?;
        let (m, v): (Vec<f64>, Vec<f64>) = self.variances().map(|(m, v, _)| (m, v)).unzip();
        let mean = |of: &[f64]| of.iter().map(|v| v.ln()).sum::<f64>() / of.len() as f64;
        let (x, y) = (mean(&m), mean(&v));
        let at = |&m: &f64| (m, (y + s * (m.ln() - x)).exp());
        Some(m.iter().map(at).collect())
    }

    /// (m, gap) and (m, floor) of a quantity, as far as they are known.
    fn gaps(&self, quantity: &str) -> [Vec<(f64, f64)>; 2] {
        let found = self.gaps.iter().filter_map(|(m, pair)| {
            let gap = pair.gaps.iter().rfind(|gap| gap.quantity == quantity)?;
            Some((*m, gap))
        });
        let found: Vec<_> = found.collect();
        let positive = |(m, value): (f64, Option<f64>)| Some((m, value.filter(|v| *v > 0.0)?));
        let gaps = found.iter().map(|(m, gap)| (*m, gap.value));
        let floors = found.iter().map(|(m, gap)| (*m, gap.floor));
        [
            gaps.filter_map(positive).collect(),
            floors.filter_map(positive).collect(),
        ]
    }
}

fn panel(label: &str, title: &Option<String>) -> Panel {
    Panel {
        title: title.clone(),
        x: Axis::new(words("network.width"), Scale::Log),
        y: Axis::new(label, Scale::Log),
        ..Panel::default()
    }
}

fn line(points: Vec<(f64, f64)>, colour: Colour, dash: Dash) -> Mark {
    Mark::Line {
        points,
        colour,
        dash,
        width: 1.0,
    }
}

fn dots(places: impl Iterator<Item = (f64, f64)>, colour: Colour) -> Mark {
    let dot = |(x, y)| Dot {
        x,
        y,
        radius: 1.8,
        colour,
        shape: Shape::Disc,
    };
    Mark::Dots {
        dots: places.map(dot).collect(),
    }
}

/// Variances with their errors, their fits, and how 1/m would fall.
fn variances(part: &[Kin], title: &Option<String>) -> Option<Panel> {
    let mut panel = panel("variance of f", title);
    let all = || part.iter().flat_map(Kin::variances);
    let lowest = all().map(|(m, v, _)| m * v).fold(f64::INFINITY, f64::min) / BELOW;
    let guide = all().map(|(m, ..)| (m, lowest / m));
    let mut guide: Vec<(f64, f64)> = guide.collect();
    guide.sort_by(|a, b| a.0.total_cmp(&b.0));
    guide.dedup();
    if guide.is_empty() {
        return None;
    }
    panel.marks.push(line(guide, LIGHT, Dash::Solid));
    for kin in part {
        let bars = kin.variances().filter_map(|(m, v, error)| {
            let factor = error?.exp();
            Some(vec![(m, v / factor), (m, v * factor)])
        });
        let shade = kin.colour.faded(SHADE);
        panel
            .marks
            .extend(bars.map(|bar| line(bar, shade, Dash::Solid)));
        panel
            .marks
            .extend(kin.fit().map(|fit| line(fit, kin.colour, FIT)));
        let places = kin.variances().map(|(m, v, _)| (m, v));
        panel.marks.push(dots(places, kin.colour));
    }
    Some(panel)
}

/// Gaps to the widest networks, and their floors.
fn gaps(part: &[Kin], (quantity, label): (&str, &str), title: &Option<String>) -> Option<Panel> {
    let mut panel = panel(label, title);
    for kin in part {
        let [gaps, floors] = kin.gaps(quantity);
        match floors.as_slice() {
            [] => {}
            // A line of one point would be a dot.
            [(_, y)] => panel.marks.push(Mark::Rule {
                y: *y,
                colour: kin.colour,
                dash: FLOOR,
            }),
            _ => panel.marks.push(line(floors, kin.colour, FLOOR)),
        }
        if !gaps.is_empty() {
            panel
                .marks
                .push(line(gaps.clone(), kin.colour, Dash::Solid));
            panel.marks.push(dots(gaps.into_iter(), kin.colour));
        }
    }
    let places = panel.marks.iter().flat_map(Mark::places);
    let (low, high) = extremes(places.map(|(_, y)| y));
    if low > high {
        return None;
    }
    if high < NARROW * low {
        let room = (NARROW * low / high).sqrt();
        panel.y.range = Some((low / room, high * room));
    }
    Some(panel)
}

/// Names what is drawn.
fn explain(shown: &[Kin], figure: &mut Figure) {
    let any = |there: &dyn Fn(&Kin) -> bool| shown.iter().any(there);
    let scatter = any(&|kin| kin.variances().next().is_some());
    let floor = any(&|kin| GAPS.iter().any(|(gap, _)| !kin.gaps(gap)[1].is_empty()));
    let mut neutral = GREY;
    let mut fit = any(&|kin| kin.fit().is_some()).then(|| "fit".to_owned());
    if let [only] = shown {
        neutral = only.colour;
        fit = only.law.and_then(exponent);
        fit = fit.map(|exponent| format!("fit: exponent {exponent}"));
        if scatter || floor {
            figure.enter("measured", neutral, Sign::Dot(Shape::Disc));
        }
    }
    if let Some(fit) = fit {
        figure.enter(fit, neutral, Sign::Line(FIT));
    }
    if scatter {
        figure.enter("∝ 1/m", LIGHT, Sign::Line(Dash::Solid));
    }
    if floor {
        figure.enter("noise floor", neutral, Sign::Line(FLOOR));
    }
}

/// −1.01 ± 0.03
fn exponent(law: &Law) -> Option<String> {
    let error = law.standard_error;
    let error = error.map_or(String::new(), |error| format!(" ± {error:.2}"));
    Some(format!("{:.2}{error}", law.exponent?).replace('-', "−"))
}

/// The exponents of several families.
fn tell_exponents(shown: &[Kin], figure: &mut Figure) {
    let laws = shown.iter().filter_map(|kin| Some((kin, kin.law?)));
    let found = laws.filter_map(|(kin, law)| Some((kin, law.exponent?, exponent(law)?)));
    let found: Vec<(&Kin, f64, String)> = found.collect();
    if shown.len() < 2 || found.is_empty() {
        return;
    }
    if found.len() <= LISTED {
        let each = found
            .iter()
            .map(|(kin, _, told)| format!("{told} ({})", kin.label));
        figure.remark(format!(
            "exponents: {}",
            each.collect::<Vec<_>>().join(", ")
        ));
        return;
    }
    let (low, high) = extremes(found.iter().map(|(_, s, _)| *s));
    figure.remark(format!("exponents from {low:.2} to {high:.2}").replace('-', "−"));
}

/// What must be known to read it.
fn remark(folder: &Folder, stored: &Stored, shown: &[Kin], figure: &mut Figure) {
    let pairs = || shown.iter().flat_map(|kin| &kin.gaps);
    let rms = |(_, pair): &(f64, &Pair)| {
        let gap = pair.gaps.iter().rfind(|gap| gap.quantity == GAPS[0].0)?;
        gap.inputs.clone()
    };
    for inputs in pairs().filter_map(rms) {
        figure.remark(format!("f on {inputs} inputs"));
    }
    let laws = || shown.iter().filter_map(|kin| kin.law);
    let seeds = laws().map(|law| law.seeds);
    match (seeds.clone().min(), seeds.max()) {
        (Some(least), Some(most)) if least < most => {
            figure.remark(format!("{least} to {most} seeds of the particles"));
        }
        (Some(seeds), _) => figure.remark(format!("{seeds} seeds of the particles")),
        _ => {}
    }
    if shown
        .iter()
        .flat_map(Kin::variances)
        .any(|(.., error)| error.is_some())
    {
        figure.remark("bars: one standard error");
    }
    tell_exponents(shown, figure);
    let mut widest: Vec<usize> = shown.iter().map(|kin| kin.widest).collect();
    widest.dedup();
    figure.remark(match widest.as_slice() {
        [widest] => format!("gaps to m = {widest}"),
        _ => "gaps to the widest of each".into(),
    });
    let floors = GAPS
        .iter()
        .flat_map(|(gap, _)| shown.iter().map(|kin| kin.gaps(gap)));
    if floors.into_iter().all(|[_, floors]| floors.is_empty()) {
        figure.remark("a noise floor takes several seeds of the particles");
    }
    let nested = |(_, pair): &(f64, &Pair)| pair.relation == Relation::Nested;
    if laws().any(|law| law.nested) || pairs().any(nested) {
        figure.remark("widths are nested: they share draws");
    }
    let runs = || {
        stored
            .ensembles
            .iter()
            .flat_map(|of| of.runs.iter().zip(&of.steps))
    };
    let ends: Vec<(usize, u64)> = runs().map(|(run, step)| (*run, *step)).collect();
    folder.ends_apart(&ends, figure);
    let all = folder.grid.runs.len();
    if ends.len() < all {
        figure.remark(format!("{} of {all} runs were compared", ends.len()));
    }
}
