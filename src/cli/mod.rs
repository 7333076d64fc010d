//! The command line: one file per command, and this table of contents.

mod adapters;
mod bench;
mod certify;
mod compare;
mod list;
mod predict;
mod progress;
mod run;
mod show;
mod table;
mod verify;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::select::{Choice, Selection, select};
use crate::error::Result;

/// Parses the command line, runs the command, and turns its error into an exit code.
pub fn main() -> ExitCode {
    if std::env::var_os("NODEVICE_SELECT").is_none() {
        // Mesa's device-select layer looks for a display and complains where there is none; we
        // choose among adapters ourselves. SAFETY: no other thread is running yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("WIDEFIELD_LOG")
                .unwrap_or_else(|_| "widefield=info,error".into()),
        )
        .init();
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Resume(args) => run::resume(args),
        Command::List => list::list(),
        Command::Show(args) => show::show(&args),
        Command::Predict(args) => predict::predict(&args),
        Command::Compare(args) => compare::compare(args),
        Command::Certify(args) => certify::certify(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Adapters => adapters::adapters(),
    }
}

/// A particle simulator of infinitely wide two-layer ReLU networks.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train every run of an experiment
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Go on from the newest good checkpoint, bit for bit as if never stopped
    Resume(ResumeArgs),
    /// The embedded experiments, a line each
    List,
    /// The resolved TOML of an experiment
    Show(ShowArgs),
    /// Predictions of a trained run on new inputs
    Predict(PredictArgs),
    /// How wide is wide enough: gaps between networks of different widths, beside their noise
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArgs),
    /// Bounds on the optimum, and how far a run is from it
    #[command(after_help = CERTIFY_EXAMPLES)]
    Certify(CertifyArgs),
    /// Every stage of an engine against the f64 reference, on this machine
    Verify(VerifyArgs),
    /// Throughput on this machine against its own measured ceiling, in about ten seconds
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchArgs),
    /// What wgpu sees, and which adapter `auto` would take
    Adapters,
}

const RUN_EXAMPLES: &str = "Examples:
  widefield run quick
  widefield run xor --out results/xor --set network.width=4096
  widefield run my-experiment.toml --engine gpu --adapter llvmpipe
  widefield run quick --json | jq '.runs[].margin_f1'";

const COMPARE_EXAMPLES: &str = "Examples:
  widefield run width-asymptotics && widefield compare runs/width-asymptotics
  widefield compare runs/narrow runs/wide --data new.npy
  widefield compare runs/width-asymptotics --json | jq '.variance[].exponent'";

const BENCH_EXAMPLES: &str = "Examples:
  widefield bench
  widefield bench --engine gpu --adapter llvmpipe
  widefield bench --json --case 100000,256,15 --case 1000000,256,3 | jq '.cases[].ms_per_step'";

#[derive(Debug, Args)]
struct RunArgs {
    /// A TOML file, or the name of an embedded experiment (see `widefield list`)
    experiment: String,
    /// Folder for the results [default: runs/NAME, or the first free of NAME-2, NAME-3, …]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite a run that --out holds already
    #[arg(long)]
    force: bool,
    /// Override a key of the experiment, such as network.width=4096 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    talk: TalkArgs,
}

#[derive(Debug, Args)]
struct ResumeArgs {
    /// A run folder
    dir: PathBuf,
    /// Train until this step instead of the experiment's flow.steps
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Another engine than the one that wrote the checkpoint (not bit for bit then)
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    talk: TalkArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// A TOML file, or the name of an embedded experiment
    experiment: String,
    /// Override a key of the experiment (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

#[derive(Debug, Args)]
struct PredictArgs {
    /// A run folder
    dir: PathBuf,
    /// Inputs: .npz with X, .npy (n, d), or .csv
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Number of the run, for an experiment with a grid
    #[arg(long, value_name = "K", default_value_t = 0)]
    run: usize,
    /// The small network of `widefield certify --polish` instead of the trained one
    #[arg(long)]
    polished: bool,
    /// Where the predictions go: .npy, .npz (array f) or .csv [default: standard output, as csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const CERTIFY_EXAMPLES: &str = "Examples:
  widefield certify runs/xor
  widefield certify runs/quick --run 18 --polish
  widefield certify runs/xor --json | jq '.[].relative_gap'";

#[derive(Debug, Args)]
struct CertifyArgs {
    /// A run folder
    dir: PathBuf,
    /// Number of the run, for an experiment with a grid [default: all]
    #[arg(long, value_name = "K")]
    run: Option<usize>,
    /// Solve on to the infinite-width optimum and write it as a small network, polished.npz
    #[arg(long)]
    polish: bool,
    /// Relative gap between the bounds of the optimum at which to stop [default: 1e-6 for d up to
    /// 3, 1e-4 beyond]
    #[arg(long, value_name = "GAP")]
    tolerance: Option<f64>,
    /// Directions to search where d > 3
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    probes: usize,
    /// What searches where d > 3 and the data are large (n·d > 32768)
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    talk: TalkArgs,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// A run folder; alone, every pair of widths in its grid is compared
    dir_a: PathBuf,
    /// Another run folder
    dir_b: Option<PathBuf>,
    /// Predict on these inputs too: .npz with X, .npy (n, d), or .csv
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Random directions of each sliced Wasserstein distance
    #[arg(long, value_name = "N", default_value_t = 128)]
    projections: u32,
    /// Where the figures go: STEM.csv and STEM.json [default: DIR_A/compare]
    #[arg(long, value_name = "STEM")]
    out: Option<PathBuf>,
    /// The comparison as JSON on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Debug, Args)]
struct BenchArgs {
    /// Time this case instead of the standard ones, whatever it takes: width, samples, input
    /// dimension (repeatable)
    #[arg(long = "case", value_name = "M,N,D")]
    cases: Vec<String>,
    /// The figures as JSON on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Debug, Args)]
struct EngineArgs {
    /// What computes: auto takes a discrete GPU, then an integrated one, then the cpu engine
    #[arg(long, value_enum)]
    engine: Option<EngineName>,
    /// A graphics adapter by (part of) its name; software adapters are used only when named
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    /// Sizes of the gpu engine's kernels: "default", or as a run's summary records them, to repeat
    /// it bit for bit [default: measured once per adapter, driver and d, if the run is large]
    #[arg(long, value_name = "KERNELS")]
    kernels: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EngineName {
    Auto,
    Gpu,
    Cpu,
    Reference,
}

impl EngineArgs {
    fn choice(&self) -> Choice {
        match self.engine {
            None | Some(EngineName::Auto) => Choice::Auto,
            Some(EngineName::Gpu) => Choice::Gpu,
            Some(EngineName::Cpu) => Choice::Cpu,
            Some(EngineName::Reference) => Choice::Reference,
        }
    }

    fn select(&self) -> Result<Selection> {
        select(self.choice(), self.adapter.as_deref())?.with_kernels(self.kernels.as_deref())
    }

    fn is_default(&self) -> bool {
        self.engine.is_none() && self.adapter.is_none() && self.kernels.is_none()
    }
}

#[derive(Debug, Args)]
struct TalkArgs {
    /// No progress, no messages: results and errors only
    #[arg(long)]
    quiet: bool,
    /// The summary as JSON on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

impl TalkArgs {
    /// A message on stderr, unless quiet.
    fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}
