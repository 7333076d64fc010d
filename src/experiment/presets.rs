//! The embedded experiments.

/// An experiment that is part of the program, from the folder `experiments/` of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// What `widefield run` takes.
    pub name: &'static str,
    /// The TOML file.
    pub text: &'static str,
}

impl Preset {
    /// The title that the file gives itself.
    pub fn title(&self) -> &'static str {
        let title = |line: &'static str| line.strip_prefix("title = \"")?.strip_suffix('"');
        self.text.lines().find_map(title).unwrap_or(self.name)
    }
}

macro_rules! preset {
    ($name:literal) => {
        Preset {
            name: $name,
            text: include_str!(concat!("../../experiments/", $name, ".toml")),
        }
    };
}

/// All embedded experiments, in the order of `widefield list`.
pub fn presets() -> &'static [Preset] {
    &[
        preset!("quick"),
        preset!("margin-vs-width"),
        preset!("error-vs-samples"),
        preset!("error-vs-dimension"),
        preset!("interpolation"),
        preset!("teacher-student"),
        preset!("width-asymptotics"),
        preset!("xor"),
    ]
}
