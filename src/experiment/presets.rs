//! The embedded experiments.

/// An experiment that is part of the program, from the folder `experiments/` of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The name that `widefield run` accepts.
    pub name: &'static str,
    /// The TOML file.
    pub text: &'static str,
}

impl Preset {
    /// The title in the file.
    pub fn title(&self) -> &'static str {
        let title = |line: &'static str| line.strip_prefix("title = \"")?.strip_suffix('"');
        self.text.lines().find_map(title).unwrap_or(self.name)
    }

    /// The description in the file: the comment above its first section, one string per paragraph.
    pub fn about(&self) -> Vec<String> {
        let head = self.text.lines().take_while(|line| !line.starts_with('['));
        let lines: Vec<&str> = head
            .map(|line| line.strip_prefix('#').map_or("", str::trim))
            .collect();
        let paragraphs = lines
            .split(|line| line.is_empty())
            .map(|lines| lines.join(" "));
        paragraphs
            .filter(|paragraph| !paragraph.is_empty())
            .collect()
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
        preset!("xor"),
        preset!("classifiers"),
        preset!("error-vs-samples"),
        preset!("error-vs-dimension"),
        preset!("margin-vs-width"),
        preset!("dynamics"),
        preset!("lazy-to-adaptive"),
        preset!("output-only"),
        preset!("interpolation"),
        preset!("weight-decay"),
        preset!("sparse-circle"),
        preset!("plane"),
        preset!("teacher-student"),
        preset!("bad-initialisations"),
        preset!("lazy-training"),
        preset!("width-asymptotics"),
    ]
}
