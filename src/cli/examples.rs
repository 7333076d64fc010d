//! The examples below each command's help. A test parses every one of them.

/// Puts examples under a heading in clap's style; clap removes the escape codes where the output is not a
/// terminal.
macro_rules! examples {
    ($lines:literal) => {
        concat!("\x1b[1m\x1b[4mExamples:\x1b[0m\n", $lines)
    };
}

pub const ALL: &str = examples!(
    "  widefield run quick                       train an embedded experiment
  widefield certify runs/quick              how far is it from the optimum?
  widefield run my-experiment.toml          your own, written as `widefield show quick` prints one

`widefield COMMAND --help` has examples of each command."
);

pub const RUN: &str = examples!(
    "  widefield run quick
  widefield run xor --out results/xor --set network.width=4096
  widefield run quick --set 'grid.seed=[1,2,3,4,5]' --set flow.steps=1e5
  widefield run quick --unset grid.seed
  widefield run my-experiment.toml --engine gpu --adapter llvmpipe
  widefield run quick --json | jq '.runs[].margin_f1'"
);

pub const RESUME: &str = examples!(
    "  widefield resume runs/quick
  widefield resume runs/quick --steps 100000
  widefield resume runs/quick --engine cpu

By default the engine, adapter and kernels that wrote the checkpoint continue. With
others, results are not the same bit for bit."
);

pub const REPRODUCE: &str = examples!(
    "  widefield reproduce --quick
  widefield reproduce sparse-circle --out results
  widefield reproduce sparse-circle --quick --set risk.weight_decay=0.008
  widefield reproduce --quick --json | jq '.[].verdicts[] | select(.passed | not)'

The exit code is 1 if a claim does not hold. --set and --unset show which claims a
change of the experiments breaks."
);

pub const LIST: &str = examples!(
    "  widefield list
  widefield run quick"
);

pub const SHOW: &str = examples!(
    "  widefield show quick > my-experiment.toml
  widefield show xor --set network.width=4096"
);

pub const PREDICT: &str = examples!(
    "  widefield predict runs/quick --run 18 --data new.npy --out f.npy
  widefield predict runs/xor --polished --data new.csv"
);

pub const PLOT: &str = examples!(
    "  widefield plot runs/quick
  widefield certify runs/xor            draws them again too, with certified bounds"
);

pub const REPORT: &str = examples!(
    "  widefield report runs/quick
  widefield certify runs/xor            writes it again too, with certificates"
);

pub const MOVIE: &str = examples!(
    "  widefield movie runs/interpolation
  widefield movie runs/interpolation --run 3"
);

pub const COMPARE: &str = examples!(
    "  widefield run width-asymptotics && widefield compare runs/width-asymptotics
  widefield compare runs/narrow runs/wide --data new.npy
  widefield compare runs/width-asymptotics --json | jq '.variance[].exponent'"
);

pub const CERTIFY: &str = examples!(
    "  widefield certify runs/xor
  widefield certify runs/quick --run 18 --polish
  widefield certify runs/quick --run 18 --prove --seconds 300
  widefield certify runs/xor --json | jq '.[].relative_gap'

--engine, --adapter and --kernels choose what searches for directions where the data
are large: d > 3 and n·d > 32768."
);

pub const VERIFY: &str = examples!(
    "  widefield verify
  widefield verify --engine gpu --adapter llvmpipe
  widefield verify --engine gpu --adapter llvmpipe --kernels naive"
);

pub const BENCH: &str = examples!(
    "  widefield bench
  widefield bench --engine gpu --adapter llvmpipe
  widefield bench --json --case 100000,256,15 --case 1000000,256,3 | jq '.cases[].ms_per_step'"
);

pub const ADAPTERS: &str = examples!(
    "  widefield adapters
  widefield run quick --engine gpu --adapter NVIDIA"
);

pub const COMPLETIONS: &str = examples!(
    "  widefield completions bash > ~/.local/share/bash-completion/completions/widefield
  widefield completions zsh > ~/.zfunc/_widefield
  widefield completions fish > ~/.config/fish/completions/widefield.fish"
);

pub const MAN: &str = examples!(
    "  widefield man > widefield.1
  widefield man run > widefield-run.1
  widefield man --out ~/.local/share/man/man1"
);

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::args::Cli;

    /// The commands in a text of examples: each `widefield` of a pipe or chain is one.
    fn commands(text: &str) -> impl Iterator<Item = &str> {
        let lines = text.lines().filter(|line| line.starts_with("  widefield "));
        let parts = lines.flat_map(|line| line.split(['|', '>', '&']));
        parts
            .map(|part| part.split("   ").next().unwrap_or(part).trim())
            .filter(|part| part.starts_with("widefield "))
    }

    #[test]
    fn every_example_parses() {
        let all = Cli::command();
        for command in std::iter::once(&all).chain(all.get_subcommands()) {
            let name = command.get_name();
            let help = command.get_after_help().expect(name).to_string();
            assert!(commands(&help).count() > 0, "{name}: {help}");
            for example in commands(&help) {
                let words = example
                    .split_whitespace()
                    .map(|word| word.trim_matches('\''));
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }

    /// Pages of the documentation, with the commands in their code blocks.
    const PAGES: [(&str, &str); 4] = [
        ("README.md", include_str!("../../README.md")),
        ("experiments.md", include_str!("../../docs/experiments.md")),
        ("guide.md", include_str!("../../docs/guide.md")),
        ("trust.md", include_str!("../../docs/trust.md")),
    ];

    #[test]
    fn every_command_on_a_page_parses() {
        let mut count = 0;
        for (name, page) in PAGES {
            let set_off = page.lines().filter_map(|line| line.strip_prefix("    "));
            let typed = set_off.map(|line| line.strip_prefix("$ ").unwrap_or(line));
            let mut lines: String = typed.map(|line| format!("  {line}\n")).collect();
            if name == "README.md" {
                // In the table of tasks of this page, commands are inline code.
                let spans = page
                    .lines()
                    .flat_map(|line| line.split('`').skip(1).step_by(2));
                lines.extend(spans.map(|span| format!("  {span}\n")));
            }
            for command in commands(&lines) {
                let words = command.split_whitespace();
                let words = words.map(|word| word.trim_matches(['\'', '"']));
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{name}: {command}: {}", parsed.unwrap_err());
                count += 1;
            }
        }
        assert!(count > 30, "{count} commands were found");
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }
}
