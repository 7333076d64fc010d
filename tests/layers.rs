//! The order of the modules, as given in `src/lib.rs`: imports go downward only, and modules of one
//! folder do not import each other in a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The source of each module without comments and tests, by its path.
type Modules = BTreeMap<Vec<String>, String>;
type Imports = BTreeSet<(Vec<String>, Vec<String>)>;

fn source(text: &str) -> String {
    let code = text.lines().map(|line| line.split("//").next().unwrap());
    let code: String = code.map(|line| format!("{line}\n")).collect();
    let tests = code.find("#[cfg(test)]\nmod tests {");
    code[..tests.unwrap_or(code.len())].to_owned()
}

fn read(dir: &Path, at: &[String], modules: &mut Modules) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem.ends_with("tests") || ["lib", "main"].contains(&&stem[..]) {
            continue;
        }
        let mut inside = at.to_vec();
        if path.is_dir() {
            inside.push(stem);
            read(&path, &inside, modules);
        } else {
            inside.extend((stem != "mod").then_some(stem));
            let text = std::fs::read_to_string(&path).unwrap();
            modules.insert(inside, source(&text));
        }
    }
}

fn modules() -> Modules {
    let mut modules = Modules::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read(&src, &[], &mut modules);
    modules
}

/// Every path of an import tree such as `a::{b, c::{d, e}}`.
fn paths(tree: &str) -> Vec<String> {
    let Some((before, inside)) = tree.split_once('{') else {
        return vec![tree.trim().to_owned()];
    };
    let inside = &inside[..inside.rfind('}').unwrap()];
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(paths)
        .map(|path| format!("{}{path}", before.trim()))
        .collect()
}

/// What the modules import from each other, by `use` and by paths from `crate`.
fn imports(modules: &Modules) -> Imports {
    let mut imports = Imports::new();
    for (module, source) in modules {
        let uses = source.match_indices("use ").filter(|(at, _)| {
            let line = source[..*at].rsplit('\n').next().unwrap().trim();
            line.is_empty() || line.starts_with("pub")
        });
        let uses = uses.flat_map(|(at, word)| {
            let tree = source[at + word.len()..].split(';').next().unwrap();
            paths(tree)
        });
        let direct = source.split("crate::").skip(1).map(|rest| {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
            format!("crate::{}", &rest[..end.unwrap_or(rest.len())])
        });
        for path in uses.chain(direct) {
            let mut parts = path.split("::").map(str::trim).peekable();
            let mut at = match parts.peek() {
                Some(&"crate") => Vec::new(),
                Some(&("super" | "self")) => module.clone(),
                _ => continue,
            };
            while let Some(part @ ("crate" | "super" | "self")) = parts.peek().copied() {
                parts.next();
                if part == "super" {
                    at.pop();
                }
            }
            for part in parts {
                let mut next = at.clone();
                next.push(part.to_owned());
                if !modules.contains_key(&next) {
                    break;
                }
                at = next;
            }
            if !at.is_empty() && at != *module {
                imports.insert((module.clone(), at));
            }
        }
    }
    imports
}

/// The order in `src/lib.rs`, the highest module first.
fn order() -> Vec<String> {
    let lib = include_str!("../src/lib.rs");
    let said = lib.split("Imports go downward only:").nth(1).unwrap();
    let said = said.split('.').next().unwrap().replace("//!", "");
    said.split('→').map(|name| name.trim().to_owned()).collect()
}

/// Imports of a module from one above it.
fn upward(imports: &Imports) -> Vec<String> {
    let order = order();
    let place = |module: &[String]| {
        let found = order.iter().position(|name| *name == module[0]);
        found.unwrap_or_else(|| panic!("{} is not in the order of src/lib.rs", module[0]))
    };
    let wrong = imports.iter().filter(|(from, to)| place(to) < place(from));
    wrong
        .map(|(from, to)| format!("{} imports {}", from.join("::"), to.join("::")))
        .collect()
}

/// Modules of one folder that import each other, directly or through other modules of it.
fn circles(imports: &Imports) -> Vec<String> {
    let mut folders: BTreeMap<&[String], BTreeSet<(&str, &str)>> = BTreeMap::new();
    for (from, to) in imports {
        let same = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        if let (Some(a), Some(b)) = (from.get(same), to.get(same)) {
            folders.entry(&from[..same]).or_default().insert((a, b));
        }
    }
    let mut found = Vec::new();
    for (folder, edges) in folders {
        let reaches = |from: &str, to: &str| {
            let (mut seen, mut left) = (BTreeSet::new(), vec![from.to_owned()]);
            while let Some(at) = left.pop() {
                for (_, next) in edges.iter().filter(|(a, _)| *a == at) {
                    if *next == to {
                        return true;
                    }
                    if seen.insert(next.to_string()) {
                        left.push(next.to_string());
                    }
                }
            }
            false
        };
        let round = edges.iter().filter(|(a, b)| reaches(b, a));
        found.extend(round.map(|(a, b)| format!("{}: {a} and {b}", folder.join("::"))));
    }
    found
}

fn planted(from: &[&str], line: &str) -> Imports {
    let mut modules = modules();
    let from: Vec<String> = from.iter().map(|name| (*name).to_owned()).collect();
    modules.get_mut(&from).unwrap().push_str(line);
    imports(&modules)
}

#[test]
fn imports_go_downward() {
    assert_eq!(upward(&imports(&modules())), [""; 0]);
    // The sabotage.
    let wrong = upward(&planted(
        &["engine", "step"],
        "use crate::{flow::train, data};\n",
    ));
    assert_eq!(wrong, ["engine::step imports flow"]);
    let wrong = upward(&planted(
        &["model", "run"],
        "fn f() { crate::observe::drift::g() }\n",
    ));
    assert_eq!(wrong, ["model::run imports observe::drift"]);
}

#[test]
fn no_modules_go_in_circles() {
    assert_eq!(circles(&imports(&modules())), [""; 0]);
    // The sabotage.
    let wrong = circles(&planted(
        &["engine", "gpu", "layout"],
        "use super::shape::Shape;\n",
    ));
    assert!(
        wrong.contains(&"engine::gpu: layout and shape".into()),
        "{wrong:?}"
    );
}
