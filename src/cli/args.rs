//! The arguments and options of all commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{examples, terminal};
use crate::digits::parse_whole;
use crate::engine::select::{Choice, Selection, select};
use crate::error::Result;
use crate::experiment::{Changes, Form};
use crate::model::StateFormat;

/// A particle simulator of infinitely wide two-layer ReLU networks.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true, max_term_width = 100, after_help = examples::ALL)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train every run of an experiment
    #[command(after_help = examples::RUN)]
    Run(RunArgs),
    /// Go on from the newest good checkpoint, bit for bit as if never stopped
    #[command(after_help = examples::RESUME)]
    Resume(ResumeArgs),
    /// Run the published experiments and judge what their papers claim, on one page
    #[command(after_help = examples::REPRODUCE)]
    Reproduce(ReproduceArgs),
    /// The embedded experiments, a line each
    #[command(after_help = examples::LIST)]
    List,
    /// The resolved TOML of an experiment
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Predictions of a trained run on new inputs
    #[command(after_help = examples::PREDICT)]
    Predict(PredictArgs),
    /// Figures again, as SVG and PNG, from what a run folder holds
    #[command(after_help = examples::PLOT)]
    Plot(PlotArgs),
    /// The page report.html again, from what a run folder holds
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// A movie of particles beside the function that they make, as GIF, APNG and MP4
    #[command(after_help = examples::MOVIE)]
    Movie(MovieArgs),
    /// How wide is wide enough: gaps between networks of different widths, beside their noise
    #[command(after_help = examples::COMPARE)]
    Compare(CompareArgs),
    /// Bounds on the optimum, and how far a run is from it
    #[command(after_help = examples::CERTIFY)]
    Certify(CertifyArgs),
    /// Every stage of an engine against the f64 reference, on this machine
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Throughput on this machine against its own measured ceiling, in about ten seconds
    #[command(after_help = examples::BENCH)]
    Bench(BenchArgs),
    /// What wgpu sees, and which adapter `auto` would take
    #[command(after_help = examples::ADAPTERS)]
    Adapters,
    /// A script that completes commands and options in your shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// The manual page, of all or of one command
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// A TOML file, or the name of an embedded experiment (see `widefield list`)
    pub experiment: String,
    /// Folder for the results [default: runs/NAME, or the first free of NAME-2, NAME-3, …]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Overwrite a run that --out holds already
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub pages: PageArgs,
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// The sizes of the experiment's section [quick]: seconds instead of minutes
    #[arg(long)]
    pub quick: bool,
    #[command(flatten)]
    pub check: SpotCheckArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub struct SpotCheckArgs {
    /// Do not recompute some predictions and steps in f64 while running (recorded in summary.json)
    #[arg(long)]
    pub no_spot_check: bool,
}

#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// Names of published experiments (see `widefield list`) [default: all that claim something]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The quick form of each: minutes for all of them
    #[arg(long)]
    pub quick: bool,
    /// Folder for the results, one in it per experiment, and reproduction.html
    #[arg(long, value_name = "DIR", default_value = "reproduction")]
    pub out: PathBuf,
    /// Overwrite runs that --out holds already
    #[arg(long)]
    pub force: bool,
    /// To see verdicts change
    #[command(flatten)]
    pub changes: ChangeArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// A run folder
    pub dir: PathBuf,
    /// Train until this step instead of the experiment's flow.steps
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    pub steps: Option<u64>,
    #[command(flatten)]
    pub pages: PageArgs,
    #[command(flatten)]
    pub check: SpotCheckArgs,
    /// Another engine than the one that wrote the checkpoint (not bit for bit then)
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A TOML file, or the name of an embedded experiment
    pub experiment: String,
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Its quick form
    #[arg(long)]
    pub quick: bool,
}

#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Override a key of the experiment, such as network.width=4096 or flow.steps=1e5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Take a key out, as if the experiment did not give it, before any --set: flow.stop, grid.seed;
    /// or all of a section or claim: grid, expect (repeatable)
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
}

impl ChangeArgs {
    pub fn changes(&self) -> Changes<'_> {
        Changes {
            unset: &self.unset,
            sets: &self.sets,
        }
    }

    /// The options as on a command line, each with a leading space.
    pub fn words(&self) -> String {
        let unset = self.unset.iter().map(|key| format!(" --unset '{key}'"));
        let sets = self.sets.iter().map(|set| format!(" --set '{set}'"));
        unset.chain(sets).collect()
    }
}

/// A whole number on the command line: 100000 or 1e5.
fn whole<T: TryFrom<u64>>(text: &str) -> std::result::Result<T, String> {
    let found = parse_whole(text).and_then(|whole| T::try_from(whole).ok());
    found.ok_or_else(|| "give a whole number such as 100000 or 1e5".into())
}

/// The form that --quick asks for.
pub fn form(quick: bool) -> Form {
    match quick {
        true => Form::Quick,
        false => Form::Full,
    }
}

#[derive(Debug, Args)]
pub struct PredictArgs {
    /// A run folder
    pub dir: PathBuf,
    /// Inputs: .npz with X, .npy (n, d), or .csv, whose columns are matched by name
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Number of the run, for an experiment with a grid
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub run: usize,
    /// The small network of `widefield certify --polish` instead of the trained one
    #[arg(long)]
    pub polished: bool,
    /// Where the predictions go: .npy, .npz (array f) or .csv [default: standard output, as csv]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CertifyArgs {
    /// A run folder
    pub dir: PathBuf,
    /// Number of the run, for an experiment with a grid [default: all]
    #[arg(long, value_name = "K")]
    pub run: Option<usize>,
    /// Solve on to the infinite-width optimum and write it as a small network, polished.npz
    #[arg(long)]
    pub polish: bool,
    /// Relative gap between the bounds of the optimum at which to stop [default: 1e-6 for d up to
    /// 3, 1e-4 beyond]
    #[arg(long, value_name = "GAP")]
    pub tolerance: Option<f64>,
    /// Directions to search where d > 3
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole::<usize>)]
    pub probes: usize,
    #[command(flatten)]
    pub pages: PageArgs,
    /// What searches where d > 3 and the data are large (n·d > 32768)
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub struct PlotArgs {
    /// A run folder
    pub dir: PathBuf,
    /// No messages: the paths of the figures and errors only
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run folder
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct MovieArgs {
    /// A run folder
    pub dir: PathBuf,
    /// Number of the run, for an experiment with a grid [default: the widest, of several the longest]
    #[arg(long, value_name = "K")]
    pub run: Option<usize>,
    /// No messages: the paths of the movies and errors only
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A run folder; alone, every pair of widths in its grid is compared
    pub dir_a: PathBuf,
    /// Another run folder
    pub dir_b: Option<PathBuf>,
    /// Predict on these inputs too: .npz with X, .npy (n, d), or .csv, matched by name
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Random directions of each sliced Wasserstein distance
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = whole::<u32>)]
    pub projections: u32,
    /// Where the values go instead, without figures and page: STEM.csv and STEM.json [default: compare
    /// in DIR_A; of two folders, compare-with-NAME in each]
    #[arg(long, value_name = "STEM")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub pages: PageArgs,
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Time this case instead of the standard ones, whatever it takes: width, samples, input
    /// dimension (repeatable)
    #[arg(long = "case", value_name = "M,N,D")]
    pub cases: Vec<String>,
    /// Format of particles and inputs; f16 on the gpu engine alone
    #[arg(long, value_enum, default_value = "f32")]
    pub state: StateName,
    /// The figures as JSON on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The page of this command [default: that of widefield itself]
    pub command: Option<String>,
    /// Write every page into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Default, Args)]
pub struct PageArgs {
    /// Draw no figures at the end, and write no report.html
    #[arg(long)]
    pub no_plots: bool,
    /// Write no report.html at the end
    #[arg(long)]
    pub no_report: bool,
}

#[derive(Debug, Args)]
pub struct EngineArgs {
    /// What computes: auto takes a discrete GPU, then an integrated one, then the cpu engine
    #[arg(long, value_enum)]
    pub engine: Option<EngineName>,
    /// A graphics adapter by (part of) its name; software adapters are used only when named
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
    /// Sizes of the gpu engine's kernels: "default", or as a run's summary records them, to repeat
    /// it bit for bit; "naive" for short, slow kernels, the first thing to try where results of a new driver
    /// are wrong [default: measured once per adapter, driver and d, if the run is large]
    #[arg(long, value_name = "KERNELS")]
    pub kernels: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum StateName {
    F32,
    F16,
}

impl StateName {
    pub fn format(self) -> StateFormat {
        match self {
            StateName::F32 => StateFormat::F32,
            StateName::F16 => StateFormat::F16,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum EngineName {
    Auto,
    Gpu,
    Cpu,
    Reference,
}

impl EngineArgs {
    pub fn choice(&self) -> Choice {
        match self.engine {
            None | Some(EngineName::Auto) => Choice::Auto,
            Some(EngineName::Gpu) => Choice::Gpu,
            Some(EngineName::Cpu) => Choice::Cpu,
            Some(EngineName::Reference) => Choice::Reference,
        }
    }

    pub fn select(&self) -> Result<Selection> {
        select(self.choice(), self.adapter.as_deref())?.with_kernels(self.kernels.as_deref())
    }

    pub fn is_default(&self) -> bool {
        self.engine.is_none() && self.adapter.is_none() && self.kernels.is_none()
    }
}

#[derive(Debug, Args)]
pub struct VerbosityArgs {
    /// No progress, no messages: results and errors only
    #[arg(long)]
    pub quiet: bool,
    /// The summary as JSON on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}

impl VerbosityArgs {
    /// A message on stderr, unless quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            terminal::say(text);
        }
    }
}
