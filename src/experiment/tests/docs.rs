//! docs/experiments.md lists the keys and values that the program accepts.

use std::collections::BTreeMap;

use super::super::fields::{NAMES, REQUIRED, read, template, visit};
use super::*;

const PAGE: &str = include_str!("../../../docs/experiments.md");

/// A row of the page's tables: what it states about one key.
struct KeyRow<'a> {
    values: &'a str,
    default: &'a str,
}

/// The rows of the tables of keys, by section and name.
fn rows() -> BTreeMap<String, KeyRow<'static>> {
    let mut section = String::new();
    let mut rows = BTreeMap::new();
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = match heading
                .strip_prefix("`[")
                .and_then(|h| h.strip_suffix("]`"))
            {
                Some(name) => format!("{name}."),
                None => String::new(),
            };
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [names, values, default, _] = cells[..] else {
            continue;
        };
        for name in names.split(", ").filter_map(in_ticks) {
            let known = rows.insert(format!("{section}{name}"), KeyRow { values, default });
            assert!(known.is_none(), "{section}{name} has two rows");
        }
    }
    rows
}

fn in_ticks(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

#[test]
fn every_key_has_a_row_with_its_default() {
    let rows = rows();
    visit(&mut template(), &mut |key, field| {
        let row = rows.get(key).unwrap_or_else(|| panic!("no row for {key}"));
        let stated = in_ticks(row.default);
        match (field.write(), key) {
            _ if REQUIRED.contains(&key) => assert_eq!(row.default, "required", "{key}"),
            (_, "title") => assert_eq!(row.default, "file name"),
            (Some(value), _) => assert_eq!(stated, Some(&*value.to_string()), "{key}"),
            (None, "data.n" | "data.d") => assert_eq!(row.default, "by source"),
            (None, "data.points") => assert_eq!(row.default, "four points"),
            (None, _) => assert_eq!(row.default, "none", "{key}"),
        }
    });
    for key in rows.keys() {
        let known = match key.strip_prefix("expect.") {
            Some(key) => ClaimCheck::KEYS.contains(&key),
            None => NAMES.contains(&key.as_str()),
        };
        assert!(known, "{key} is no key");
    }
    for key in ClaimCheck::KEYS {
        assert!(rows.contains_key(&format!("expect.{key}")), "{key}");
    }
}

#[test]
fn every_word_that_a_key_takes_is_in_its_row() {
    let rows = rows();
    for key in NAMES.iter().copied() {
        // Values that the page names are accepted.
        let words = rows[key].values.split('`').skip(1).step_by(2);
        for word in words.filter(|word| word.starts_with('"') || word.parse::<bool>().is_ok()) {
            let value = word.parse().unwrap();
            assert!(read(&mut template(), key, &value).is_ok(), "{key} = {word}");
        }
        // Values that the program accepts are on the page.
        let Err(wrong) = read(&mut template(), key, &Value::from("?")) else {
            continue;
        };
        let allowed = wrong.remedy.strip_prefix("allowed: ").unwrap_or_default();
        for word in allowed.split(", ") {
            let word = match word.strip_prefix("{ ") {
                Some(table) => format!("{{ {} =", table.split(' ').next().unwrap()),
                None if word.starts_with('"') || word.parse::<bool>().is_ok() => {
                    format!("`{word}`")
                }
                None => continue,
            };
            assert!(rows[key].values.contains(&word), "{key}: no {word}");
        }
    }
}

#[test]
fn every_quantity_is_on_the_page() {
    for quantity in QUANTITIES {
        assert!(PAGE.contains(&format!("`{quantity}`")), "{quantity}");
    }
}

#[test]
fn the_examples_on_the_page_load() {
    let blocks = PAGE.split("```toml\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|block| block.split("```").next().unwrap())
        .collect();
    let [experiment, claim] = blocks[..] else {
        panic!("{} examples", blocks.len());
    };
    let grid = load_text(&format!("{experiment}\n{claim}"), &[]).unwrap();
    assert_eq!((grid.runs.len(), grid.expect.len()), (2, 1));
}
