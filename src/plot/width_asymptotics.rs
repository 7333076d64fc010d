//! Width asymptotics from the folder's comparison: the variance of the prediction over seeds with its power
//! law, and the gaps to the widest networks with their noise floors.

use super::axis::FittedAxis;
use super::colour::{Colour, GREY, LIGHT};
use super::compared_families::{ComparedFamily, families};
use super::figure::{Axis, Dash, DotShape, Figure, Mark, Panel, Scale, Sign};
use super::folder::{Family, Folder, words};
use super::line_styles::{LineStyle, LineStyles};
use super::over_steps::finish;
use super::predictor::extremes;
use crate::compare::{Relation, StoredComparison, StoredPair, StoredPowerLaw};

/// Dashes of fits and noise floors, which have the colours of the measurements.
const FIT: Dash = Dash::Dotted;
const FLOOR: Dash = Dash::Dashed;
/// Share of its colour that an error bar has; the rest is white.
const SHADE: f64 = 0.5;
/// Factor by which the 1/m guide line lies below every variance.
const BELOW: f64 = 3.0;
/// Least ratio of the limits of an axis of gaps, so that small differences look small.
const NARROW: f64 = 3.0;
/// Largest number of exponents that are listed.
const LISTED: usize = 4;
/// The gaps that are shown, with their axis labels.
const GAPS: [(&str, &str); 2] = [
    ("prediction_rms", "RMS gap of f"),
    ("w2_directions", "sliced W₂ gap"),
];

/// The figure, if the folder was compared and no run has gone on since.
pub fn widths(folder: &Folder) -> Option<Figure> {
    let stored = folder.comparison.as_ref()?;
    let (parameters, families): (Vec<_>, Vec<Family>) =
        families(folder, stored).into_iter().unzip();
    let line_styles = LineStyles::new(&families);
    let compared = |style: &LineStyle| {
        let k = families.iter().position(|of| of == style.family)?;
        Some(ComparedFamily::new(stored, parameters[k], style))
    };
    let mut figure = Figure::new(
        "widths",
        "Variance of the prediction between seeds, and gaps to the widest networks, against the width",
    );
    let shown: Vec<ComparedFamily> = line_styles.each.iter().filter_map(compared).collect();
    let parts = line_styles.apart().into_iter().map(|(title, line_styles)| {
        line_styles.explain(&mut figure);
        (
            title,
            line_styles
                .each
                .iter()
                .filter_map(compared)
                .collect::<Vec<_>>(),
        )
    });
    let parts: Vec<(Option<String>, Vec<ComparedFamily>)> = parts.collect();
    for (title, part) in &parts {
        figure.panels.extend(variances(part, title));
    }
    // More panels would not fit on a page.
    let room = if parts.len() > 1 { 1 } else { GAPS.len() };
    for gap in &GAPS[..room] {
        for (title, part) in &parts {
            figure.panels.extend(gaps(part, *gap, title));
        }
    }
    explain(&shown, &mut figure);
    remark(folder, stored, &shown, &mut figure);
    finish(&line_styles, &mut figure);
    let mut widths: Vec<f64> = stored.ensembles.iter().map(|of| of.width as f64).collect();
    widths.sort_by(f64::total_cmp);
    widths.dedup();
    let x = Axis::new("", Scale::Log);
    let common = FittedAxis::new(&x, widths.iter().copied(), 3);
    for panel in &mut figure.panels {
        panel.x.scale = Scale::Log;
        panel.x.range = Some((common.low, common.high));
        panel.x.ticks = Some(widths.clone());
    }
    (!figure.is_empty()).then_some(figure)
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

/// A panel of variances with errors, fitted power laws, and a guide line ∝ 1/m.
fn variances(part: &[ComparedFamily], title: &Option<String>) -> Option<Panel> {
    let mut panel = panel("variance of f", title);
    let all = || part.iter().flat_map(ComparedFamily::variances);
    let lowest = all().map(|(m, v, _)| m * v).fold(f64::INFINITY, f64::min) / BELOW;
    let guide = all().map(|(m, ..)| (m, lowest / m));
    let mut guide: Vec<(f64, f64)> = guide.collect();
    guide.sort_by(|a, b| a.0.total_cmp(&b.0));
    guide.dedup();
    if guide.is_empty() {
        return None;
    }
    for compared in part {
        let bars = compared.variances().filter_map(|(m, v, error)| {
            let factor = error?.exp();
            Some(vec![(m, v / factor), (m, v * factor)])
        });
        let shade = compared.colour.faded(SHADE);
        panel
            .marks
            .extend(bars.map(|bar| line(bar, shade, Dash::Solid)));
        let places = compared.variances().map(|(m, v, _)| (m, v));
        panel.marks.push(Mark::discs(places, compared.colour));
        let fit = compared.fit().map(|fit| line(fit, compared.colour, FIT));
        panel.marks.extend(fit);
    }
    panel.marks.push(line(guide, LIGHT, Dash::Solid));
    Some(panel)
}

/// A panel of gaps to the widest networks, with their noise floors.
fn gaps(
    part: &[ComparedFamily],
    (quantity, label): (&str, &str),
    title: &Option<String>,
) -> Option<Panel> {
    let mut panel = panel(label, title);
    for compared in part {
        let [gaps, floors] = compared.gaps(quantity);
        if !gaps.is_empty() {
            panel
                .marks
                .push(line(gaps.clone(), compared.colour, Dash::Solid));
            panel
                .marks
                .push(Mark::discs(gaps.into_iter(), compared.colour));
        }
        match floors.as_slice() {
            [] => {}
            // A floor at a single width is drawn as a line across the panel, as a line of one point would
            // be a dot.
            [(_, y)] => panel.marks.push(Mark::Rule {
                y: *y,
                colour: compared.colour,
                dash: FLOOR,
            }),
            _ => panel.marks.push(line(floors, compared.colour, FLOOR)),
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

/// Adds the marks to the legend.
fn explain(shown: &[ComparedFamily], figure: &mut Figure) {
    let any = |there: &dyn Fn(&ComparedFamily) -> bool| shown.iter().any(there);
    let scatter = any(&|compared| compared.variances().next().is_some());
    let floor = any(&|compared| {
        GAPS.iter()
            .any(|(gap, _)| !compared.gaps(gap)[1].is_empty())
    });
    let mut neutral = GREY;
    let mut fit = any(&|compared| compared.fit().is_some()).then(|| "fit".to_owned());
    if let [only] = shown {
        neutral = only.colour;
        fit = only.law.and_then(exponent);
        fit = fit.map(|exponent| format!("fit: exponent {exponent}"));
        if scatter || floor {
            figure.enter("measured", neutral, Sign::Dot(DotShape::Disc));
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

/// An exponent with its error, such as −1.01 ± 0.03.
fn exponent(law: &StoredPowerLaw) -> Option<String> {
    let error = law.standard_error;
    let error = error.map_or(String::new(), |error| format!(" ± {error:.2}"));
    Some(format!("{:.2}{error}", law.exponent?).replace('-', "−"))
}

/// Adds the exponents of several families to the note.
fn tell_exponents(shown: &[ComparedFamily], figure: &mut Figure) {
    let laws = shown
        .iter()
        .filter_map(|compared| Some((compared, compared.law?)));
    let found = laws.filter_map(|(compared, law)| Some((compared, law.exponent?, exponent(law)?)));
    let found: Vec<(&ComparedFamily, f64, String)> = found.collect();
    if shown.len() < 2 || found.is_empty() {
        return;
    }
    if found.len() <= LISTED {
        let each = found
            .iter()
            .map(|(compared, _, key_value)| format!("{key_value} ({})", compared.label));
        figure.remark(format!(
            "exponents: {}",
            each.collect::<Vec<_>>().join(", ")
        ));
        return;
    }
    let (low, high) = extremes(found.iter().map(|(_, s, _)| *s));
    figure.remark(format!("exponents from {low:.2} to {high:.2}").replace('-', "−"));
}

/// Adds what is needed to interpret the figure to its note.
fn remark(
    folder: &Folder,
    stored: &StoredComparison,
    shown: &[ComparedFamily],
    figure: &mut Figure,
) {
    let pairs = || shown.iter().flat_map(|compared| &compared.gaps);
    let rms = |(_, pair): &(f64, &StoredPair)| {
        let gap = pair.gaps.iter().rfind(|gap| gap.quantity == GAPS[0].0)?;
        gap.inputs.clone()
    };
    for inputs in pairs().filter_map(rms) {
        figure.remark(format!("f on {inputs} inputs"));
    }
    let laws = || shown.iter().filter_map(|compared| compared.law);
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
        .flat_map(ComparedFamily::variances)
        .any(|(.., error)| error.is_some())
    {
        figure.remark("bars: one standard error");
    }
    tell_exponents(shown, figure);
    let mut widest: Vec<usize> = shown.iter().map(|compared| compared.widest).collect();
    widest.dedup();
    figure.remark(match widest.as_slice() {
        [widest] => format!("gaps to m = {widest}"),
        _ => "gaps to the widest of each".into(),
    });
    let floors = GAPS
        .iter()
        .flat_map(|(gap, _)| shown.iter().map(|compared| compared.gaps(gap)));
    if floors.into_iter().all(|[_, floors]| floors.is_empty()) {
        figure.remark("a noise floor takes several seeds of the particles");
    }
    if figure.panels.iter().any(|panel| panel.y.label == GAPS[1].1) {
        figure.remark("W₂: of directions, weighted by mass");
    }
    let nested = |(_, pair): &(f64, &StoredPair)| pair.relation == Relation::Nested;
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
