//! Styles that distinguish the families of a figure: colour for one key of the grid, a numeric one if there
//! is any, and dashes, or panels, for all other keys.

use super::colour::{Colour, GREY, of_family};
use super::figure::{Dash, Figure, Sign};
use super::folder::Family;

/// Dashes that can be distinguished, in order of use.
const DASHES: [Dash; 3] = [Dash::Solid, Dash::Dashed, Dash::Dotted];
/// Largest number of colours that can be distinguished.
const COLOURS: usize = 8;
/// Largest number of lines of a panel.
const LINES: usize = 12;
/// Largest number of families whose spread is shown: more bands would hide each other.
const BANDS: usize = 3;

/// The families of a figure: all of them, or an evenly spaced selection.
#[derive(Debug, Clone, PartialEq)]
pub struct LineStyles<'a> {
    pub each: Vec<LineStyle<'a>>,
    /// Label and colour of each value of the coloured key, in order.
    colours: Vec<(String, Colour)>,
    /// Label of each dash, in the order of [`DASHES`].
    dash_labels: Vec<String>,
    /// Number of families of the folder.
    all: usize,
}

/// A family with its colour and dash.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineStyle<'a> {
    pub family: &'a Family,
    pub colour: Colour,
    pub dash: Dash,
}

impl<'a> LineStyles<'a> {
    pub fn new(families: &'a [Family]) -> Self {
        let key = coloured(families);
        let rest = |family: &Family| match &key {
            Some(key) => family.label_without(key),
            None => String::new(),
        };
        let dash_labels = spread(distinct(families, rest), DASHES.len());
        let hue = |family: &Family| match &key {
            Some(key) if dash_labels.len() > 1 => family.key_value(key),
            _ => family.label(),
        };
        let number = |family: &Family| key.as_ref().and_then(|key| family.number(key));
        let mut sorted: Vec<&Family> = families.iter().collect();
        sorted.sort_by(|a, b| {
            number(a)
                .partial_cmp(&number(b))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let hues = distinct(sorted.iter().copied(), hue);
        let hues = spread(hues, COLOURS.min(LINES / dash_labels.len().max(1)));
        let ordered = hues.len() > 2 && families.iter().all(|f| number(f).is_some());
        let count = hues.len();
        let colours = hues.into_iter().enumerate();
        let colours: Vec<(String, Colour)> = colours
            .map(|(k, label)| (label, of_family(k, count, ordered)))
            .collect();
        let style = |family: &'a Family| {
            let dash = dash_labels.iter().position(|m| *m == rest(family))?;
            let (_, colour) = colours.iter().find(|(label, _)| *label == hue(family))?;
            Some(LineStyle {
                family,
                colour: *colour,
                dash: DASHES[dash],
            })
        };
        LineStyles {
            each: sorted.into_iter().filter_map(style).collect(),
            all: families.len(),
            colours,
            dash_labels,
        }
    }

    /// The families split by dash, drawn solid, each part with its label: for figures that use dashes for
    /// something else. A single part without a label if colours distinguish all families.
    pub fn apart(&self) -> Vec<(Option<String>, LineStyles<'a>)> {
        if self.dash_labels.len() < 2 {
            return vec![(None, self.clone())];
        }
        let parts = self
            .dash_labels
            .iter()
            .zip(DASHES)
            .map(|(dash_label, dash)| {
                let own = self.each.iter().filter(|style| style.dash == dash);
                let solid = own.map(|style| LineStyle {
                    dash: Dash::Solid,
                    ..*style
                });
                let line_styles = LineStyles {
                    each: solid.collect(),
                    dash_labels: Vec::new(),
                    ..self.clone()
                };
                (Some(dash_label.clone()), line_styles)
            });
        parts.collect()
    }

    /// Whether there is only one style.
    pub fn is_single(&self) -> bool {
        self.all < 2
    }

    /// Whether the spread of each family can be shown.
    pub fn are_few(&self) -> bool {
        self.all <= BANDS
    }

    /// Adds colours and dashes to a figure's legend, if there are several.
    pub fn explain(&self, figure: &mut Figure) {
        if self.is_single() {
            return;
        }
        for (label, colour) in &self.colours {
            figure.enter(label, *colour, Sign::Line(Dash::Solid));
        }
        if self.dash_labels.len() > 1 {
            for (label, dash) in self.dash_labels.iter().zip(DASHES) {
                figure.enter(label, GREY, Sign::Line(dash));
            }
        }
    }

    /// A note if only some families are shown.
    pub fn some_of_all(&self) -> Option<String> {
        let (shown, all) = (self.each.len(), self.all);
        (shown < all).then(|| format!("{shown} of {all} combinations of parameters"))
    }
}

/// The key that colours stand for: one whose other keys have no more combinations than there are dashes,
/// preferably a numeric one, then the one with the most values.
fn coloured(families: &[Family]) -> Option<String> {
    let keys = families.first()?.parameters.iter().map(|(key, _)| key);
    let suits = |key: &&String| {
        let values = distinct(families, |f| f.key_value(key)).len();
        let others = distinct(families, |f| f.label_without(key)).len();
        let numeric = families.iter().all(|f| f.number(key).is_some());
        (values > 1, others <= DASHES.len(), numeric, values)
    };
    // `max_by_key` takes the last of several equally good keys; reversed, that is the first key.
    let best = keys.rev().max_by_key(suits)?;
    suits(&best).0.then(|| best.clone())
}

/// Labels of families without duplicates, in order of first occurrence.
pub fn distinct<'f>(
    families: impl IntoIterator<Item = &'f Family>,
    label: impl Fn(&Family) -> String,
) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for label in families.into_iter().map(label) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// At most `most` elements of a list, evenly spaced, the first and the last included.
pub fn spread<T: Clone>(list: Vec<T>, most: usize) -> Vec<T> {
    let count = list.len().min(most);
    let pick = |k: usize| list[k * (list.len() - 1) / (count - 1).max(1)].clone();
    match count {
        0 | 1 => list.into_iter().take(count).collect(),
        _ => (0..count).map(pick).collect(),
    }
}

#[cfg(test)]
pub mod tests {
    use toml::Value;

    use super::*;

    /// A grid of these keys, without runs.
    pub fn grid(keys: &[(&str, Vec<Value>)]) -> Vec<Family> {
        let mut all: Vec<Vec<(String, Value)>> = vec![Vec::new()];
        for (key, values) in keys {
            let longer = all.iter().flat_map(|start| {
                let each = values.iter();
                each.map(move |v| [start.as_slice(), &[(key.to_string(), v.clone())]].concat())
            });
            all = longer.collect();
        }
        let family = |parameters| Family {
            parameters,
            runs: Vec::new(),
        };
        all.into_iter().map(family).collect()
    }

    pub fn numbers(count: i64) -> Vec<Value> {
        (1..=count).map(|k| Value::from(10 * k)).collect()
    }

    pub fn train() -> (&'static str, Vec<Value>) {
        ("network.train", vec!["both".into(), "output".into()])
    }

    fn explained(line_styles: &LineStyles) -> Vec<String> {
        let mut figure = Figure::new("f", "a figure");
        line_styles.explain(&mut figure);
        figure.legend.into_iter().map(|entry| entry.label).collect()
    }

    /// Whether all families have different styles, and no more colours and dashes than can be
    /// distinguished.
    fn are_distinct(line_styles: &LineStyles) -> bool {
        let each = line_styles.each.iter().enumerate();
        let mut pairs = each.flat_map(|(k, a)| line_styles.each[..k].iter().map(move |b| (a, b)));
        line_styles.each.len() <= LINES
            && pairs.all(|(a, b)| (a.colour, a.dash) != (b.colour, b.dash))
    }

    #[test]
    fn numbers_have_colours_and_words_dashes() {
        for keys in [
            [train(), ("data.n", numbers(5))],
            [("data.n", numbers(5)), train()],
        ] {
            let families = grid(&keys);
            let line_styles = LineStyles::new(&families);
            assert_eq!(line_styles.each.len(), 10);
            assert!(are_distinct(&line_styles));
            let legend = "n = 10|n = 20|n = 30|n = 40|n = 50|both layers|output layer";
            assert_eq!(explained(&line_styles).join("|"), legend);
            for style in &line_styles.each {
                let output = style.family.key_value("network.train") == "output layer";
                assert_eq!(style.dash == Dash::Dashed, output);
                // Equal n have equal colours.
                let n = style.family.number("data.n");
                let same = line_styles.each.iter().filter(|l| l.colour == style.colour);
                assert!(same.into_iter().all(|l| l.family.number("data.n") == n));
            }
            assert_eq!(line_styles.some_of_all(), None);
            let parts = line_styles.apart();
            let titles: Vec<&str> = parts.iter().filter_map(|(t, _)| t.as_deref()).collect();
            assert_eq!(titles, ["both layers", "output layer"]);
            for (_, part) in &parts {
                assert!(part.each.len() == 5 && are_distinct(part));
                assert!(part.each.iter().all(|style| style.dash == Dash::Solid));
                assert_eq!(explained(part).len(), 5);
            }
        }
    }

    #[test]
    fn what_cannot_be_distinguished_is_left_out_and_said() {
        for (keys, some) in [
            (vec![("data.n", numbers(9))], Some("8 of 9")),
            (
                vec![("data.n", numbers(7)), ("data.d", numbers(9))],
                Some("12 of 63"),
            ),
            (
                vec![train(), ("data.n", numbers(2)), ("data.d", numbers(9))],
                Some("12 of 36"),
            ),
            (vec![train()], None),
            (vec![("network.width", numbers(1))], None),
            (vec![], None),
        ] {
            let families = grid(&keys);
            let line_styles = LineStyles::new(&families);
            assert!(are_distinct(&line_styles), "{keys:?}");
            let key_value = some.map(|some| format!("{some} combinations of parameters"));
            assert_eq!(line_styles.some_of_all(), key_value, "{keys:?}");
            assert_eq!(line_styles.is_single(), families.len() == 1);
            assert_eq!(explained(&line_styles).is_empty(), families.len() == 1);
            assert!(
                line_styles
                    .each
                    .iter()
                    .any(|style| style.family == &families[0])
            );
        }
    }

    /// Six losses at two widths: there are too few dashes for the losses.
    #[test]
    fn words_of_many_kinds_have_colours() {
        let losses = ["square", "logistic", "exponential", "softmin", "hinge"];
        let losses = losses.iter().map(|&v| v.into()).collect();
        let families = grid(&[("network.width", numbers(2)), ("risk.loss", losses)]);
        let line_styles = LineStyles::new(&families);
        assert!(are_distinct(&line_styles));
        assert_eq!(line_styles.each.len(), 10);
        assert_eq!(explained(&line_styles)[5..], ["m = 10", "m = 20"]);
    }
}
