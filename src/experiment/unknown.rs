//! Unknown keys, with the known keys that may have been meant.

use super::fields::NAMES;
use super::value::{ValueError, nearest};

/// The keys of a section.
pub(super) fn keys_below(section: &str) -> Vec<&'static str> {
    let below = |key: &&&str| {
        key.strip_prefix(section)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    NAMES.iter().filter(below).copied().collect()
}

/// Whether a key is `name` or lies in the section `name`.
pub(super) fn is_within(key: &str, name: &str) -> bool {
    key.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The error for an unknown key, and the key that may be meant: one with a similar name in the same
/// section, or with the same or nearly the same name in another.
pub(super) fn unknown(name: &str) -> (ValueError, Option<String>) {
    let (section, last) = name.rsplit_once('.').unwrap_or(("", name));
    let all: Vec<_> = NAMES.iter().map(|key| last_part(key)).collect();
    let (siblings, allowed) = match section {
        "" => {
            let mut roots: Vec<_> = NAMES.iter().map(|key| first_part(key)).collect();
            roots.dedup();
            roots.extend(["grid", "expect", "quick"]);
            let allowed = format!("allowed here: {}", roots.join(", "));
            (roots, allowed)
        }
        _ => {
            let keys = keys_below(section).into_iter().map(last_part);
            let keys: Vec<_> = keys.collect();
            let allowed = format!("allowed in [{section}]: {}", keys.join(", "));
            (keys, allowed)
        }
    };
    let full = |part: &str| NAMES.iter().find(|key| last_part(key) == part);
    let sibling = nearest(last, &siblings).map(|near| match section {
        "" => near.to_owned(),
        _ => format!("{section}.{near}"),
    });
    let elsewhere = || {
        nearest(last, &all)
            .and_then(full)
            .map(|key| key.to_string())
    };
    let meant = sibling.or_else(elsewhere);
    let remedy = match &meant {
        Some(near) => format!("did you mean {near}? {allowed}"),
        None => allowed,
    };
    let what = "is not a key of an experiment".into();
    (ValueError { what, remedy }, meant)
}

fn first_part(key: &'static str) -> &'static str {
    key.split_once('.').map_or(key, |(section, _)| section)
}

fn last_part(key: &'static str) -> &'static str {
    key.split_once('.').map_or(key, |(_, last)| last)
}
