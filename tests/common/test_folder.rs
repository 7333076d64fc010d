//! A folder in which tests run the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary folder in which a test runs the program.
pub struct TestFolder {
    pub dir: tempfile::TempDir,
}

impl TestFolder {
    pub fn new() -> Self {
        TestFolder {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_widefield"));
        command.current_dir(&self.dir).args(args.split_whitespace());
        command
    }

    pub fn run(&self, args: &str) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs, expects success, returns stdout.
    pub fn ok(&self, args: &str) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "{args}: {}", text(&out.stderr));
        text(&out.stdout)
    }

    /// Runs, expects this exit code, and these texts on stderr.
    pub fn fails(&self, args: &str, code: i32, texts: &[&str]) {
        let out = self.run(args);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{args}: {said}");
        assert!(!said.contains("panicked"), "{args}: {said}");
        for wanted in texts {
            assert!(said.contains(wanted), "{args}: no {wanted:?} in: {said}");
        }
    }

    /// Expects the exit code of a bad argument, and that nothing is written.
    pub fn refuses(&self, args: &str, texts: &[&str]) {
        let before = listing(self.dir.path());
        self.fails(args, 2, texts);
        assert_eq!(listing(self.dir.path()), before, "{args} wrote something");
    }

    pub fn summary(&self, dir: &str) -> serde_json::Value {
        let bytes = std::fs::read(self.path(dir).join("summary.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every path below a folder, sorted.
pub fn listing(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(listing(&path));
        }
        all.push(path);
    }
    all.sort();
    all
}
