//! The files around the source describe the project correctly and agree with each other.

use std::process::Command;

use serde_json::Value;

const CARGO: &str = include_str!("../Cargo.toml");
const WORKFLOW: &str = include_str!("../.github/workflows/ci.yml");
const README: &str = include_str!("../README.md");
const CITATION: &str = include_str!("../CITATION.cff");

/// A value of the section [package].
fn of_package(key: &str) -> &'static str {
    let package = CARGO.split("\n[").next().unwrap();
    let mut lines = package.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    value
        .unwrap_or_else(|| panic!("no {key}"))
        .trim_matches('"')
}

/// Numbers of a version; missing ones are 0.
fn numbers(version: &str) -> [u64; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap());
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[test]
fn the_oldest_compiler_is_the_same_everywhere() {
    let oldest = of_package("rust-version");
    let named: Vec<&str> = WORKFLOW.split("cargo +").skip(1).collect();
    assert_eq!(named.len(), 1);
    assert!(named[0].starts_with(&format!("{oldest} ")), "{named:?}");
    assert!(WORKFLOW.contains(&format!("toolchain install {oldest} ")));
    assert!(README.contains(&format!("Rust {oldest} or later")));
}

/// No dependency needs a newer compiler than the crate declares.
#[test]
fn dependencies_keep_to_the_oldest_compiler() {
    // Those of other systems need not be on this machine.
    let compiler = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(compiler.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 10);
    let oldest = numbers(of_package("rust-version"));
    for package in packages {
        let needs = package["rust_version"].as_str().map_or([0; 3], numbers);
        assert!(needs <= oldest, "{} needs {needs:?}", package["name"]);
    }
}

#[test]
fn the_citation_is_of_this_version() {
    let version = of_package("version");
    assert_eq!(version, widefield::VERSION);
    assert!(CITATION.contains(&format!("\nversion: {version}\n")));
}
