//! Selects the families of a grid that are shown where only a few fit: those at the extreme values of its
//! keys, so that neighbours differ in one key.

use super::folder::Family;
use super::line_styles::spread;

/// At most `most` families, in the order of the grid. Keys with text values come first, with as many of
/// their values as fit, then numeric keys with their smallest and largest values; a key that no longer fits
/// is fixed at its last value.
pub fn pick(families: &[Family], most: usize) -> Vec<&Family> {
    let keys = families.first().map_or(&[][..], |f| &f.parameters);
    let mut keys: Vec<(&str, Vec<&toml::Value>)> = keys
        .iter()
        .map(|(key, _)| (key.as_str(), values(families, key)))
        .filter(|(_, values)| values.len() > 1)
        .collect();
    let numeric = |key: &str| families.iter().all(|f| f.number(key).is_some());
    keys.sort_by_key(|(key, _)| numeric(key));
    let (several, mut room) = (keys.len() > 1, most);
    for (key, values) in &mut keys {
        // Two values of a numeric key leave room for another key.
        let share = if several && numeric(key) { 2 } else { most };
        let count = values.len().min(room).min(share);
        room /= count.max(1);
        let last = values.len() - 1;
        *values = match count {
            0 | 1 => vec![values[last]],
            _ => spread(values.clone(), count),
        };
    }
    let chosen = |family: &&Family| {
        keys.iter()
            .all(|(key, values)| values.iter().any(|value| family.value(key) == Some(value)))
    };
    families.iter().filter(chosen).take(most).collect()
}

/// The distinct values of a key: numbers in increasing order, text in the order of the grid.
fn values<'f>(families: &'f [Family], key: &str) -> Vec<&'f toml::Value> {
    let mut sorted: Vec<&Family> = families.iter().collect();
    let number = |family: &Family| family.number(key).unwrap_or(0.0);
    sorted.sort_by(|a, b| number(a).total_cmp(&number(b)));
    let mut values = Vec::new();
    for value in sorted.into_iter().filter_map(|family| family.value(key)) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::line_styles::tests::{grid, numbers, train};
    use super::*;

    fn picked(keys: &[(&str, Vec<toml::Value>)]) -> String {
        let families = grid(keys);
        let labels = pick(&families, 4).into_iter().map(Family::label);
        labels.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_is_shown_differs_in_one_key_at_a_time() {
        let losses = ["square", "logistic", "hinge"].map(toml::Value::from);
        let losses = ("risk.loss", losses.to_vec());
        let (n, d) = (("data.n", numbers(5)), ("data.d", numbers(3)));
        for (keys, wanted) in [
            (vec![n.clone()], "n = 10|n = 20|n = 30|n = 50"),
            (
                vec![train(), n.clone()],
                "both layers, n = 10|both layers, n = 50|output layer, n = 10|output layer, n = 50",
            ),
            (
                vec![n.clone(), d.clone()],
                "n = 10, d = 10|n = 10, d = 30|n = 50, d = 10|n = 50, d = 30",
            ),
            (
                vec![n.clone(), train(), d],
                "n = 10, both layers, d = 30|n = 10, output layer, d = 30|n = 50, both layers, d = 30|n = 50, output layer, d = 30",
            ),
            (
                vec![n, losses],
                "n = 50, square|n = 50, logistic|n = 50, hinge",
            ),
            (vec![train()], "both layers|output layer"),
            (vec![("data.n", numbers(1))], "n = 10"),
            (vec![], ""),
        ] {
            assert_eq!(picked(&keys), wanted);
        }
    }
}
