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
    /// Train the networks of an experiment, and store results and figures in a run folder
    #[command(after_help = examples::RUN)]
    Run(RunArgs),
    /// Continue a run from its newest valid checkpoint, bit for bit as if it had not stopped
    #[command(after_help = examples::RESUME)]
    Resume(ResumeArgs),
    /// Run the published experiments, and judge on one page whether what their papers claim holds
    #[command(after_help = examples::REPRODUCE)]
    Reproduce(ReproduceArgs),
    /// List the embedded experiments
    #[command(after_help = examples::LIST)]
    List,
    /// Print the TOML of an experiment, with defaults and changes filled in
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Predict on new inputs with a trained network
    #[command(after_help = examples::PREDICT)]
    Predict(PredictArgs),
    /// Draw the figures of a run folder again, as SVG and PNG
    #[command(after_help = examples::PLOT)]
    Plot(PlotArgs),
    /// Write the page report.html of a run folder again
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// Make a movie of the particles and of the function that they represent, as GIF, APNG and MP4
    #[command(after_help = examples::MOVIE)]
    Movie(MovieArgs),
    /// Measure gaps between networks of different widths, and the noise between networks of one width
    #[command(after_help = examples::COMPARE)]
    Compare(CompareArgs),
    /// Compute bounds of the optimum, and how far a run is from it
    #[command(after_help = examples::CERTIFY)]
    Certify(CertifyArgs),
    /// Check every stage of an engine against the f64 reference, on this machine
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Measure the speed of training steps, and what this machine could do at best, in about ten seconds
    #[command(after_help = examples::BENCH)]
    Bench(BenchArgs),
    /// List the graphics adapters, and say what `--engine auto` takes
    #[command(after_help = examples::ADAPTERS)]
    Adapters,
    /// Print a script that completes commands and options in your shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual page of widefield, or of one command
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// A TOML file, or the name of an embedded experiment (see `widefield list`)
    pub experiment: String,
    /// Folder for the results [default: runs/NAME, or the first of runs/NAME-2, runs/NAME-3, … that
    /// does not exist yet]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Overwrite a run that is in the folder of --out already
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub pages: PageArgs,
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Use the smaller sizes in the experiment's section [quick]: seconds instead of minutes
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
    /// Do not check some predictions and steps in f64 during training (summary.json says whether they were
    /// checked)
    #[arg(long)]
    pub no_spot_check: bool,
}

#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// Names of published experiments (see `widefield list`) [default: all that make claims]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Use the smaller sizes in the section [quick] of each: minutes for all of them
    #[arg(long)]
    pub quick: bool,
    /// Folder for the results: a run folder per experiment, and reproduction.html
    #[arg(long, value_name = "DIR", default_value = "reproduction")]
    pub out: PathBuf,
    /// Overwrite runs that are in the folder of --out already
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub changes: ChangeArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// A run folder, as `widefield run` writes it
    pub dir: PathBuf,
    /// Train up to this step, instead of the experiment's flow.steps
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    pub steps: Option<u64>,
    #[command(flatten)]
    pub pages: PageArgs,
    #[command(flatten)]
    pub check: SpotCheckArgs,
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
    /// Print the smaller sizes in its section [quick]
    #[arg(long)]
    pub quick: bool,
}

#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Override a key of the experiment, such as network.width=4096 or flow.steps=1e5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Remove a key, such as flow.stop or grid.seed, or all of grid or expect, as if the experiment did not
    /// give it. Done before any --set (repeatable)
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
    /// A run folder, as `widefield run` writes it
    pub dir: PathBuf,
    /// File of inputs: .npz with an array X (n, d), .npy (n, d), or .csv, whose columns are matched by name
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Number of the run in the experiment's grid, from 0
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub run: usize,
    /// Predict with the small network of `widefield certify --polish` instead of the trained one
    #[arg(long)]
    pub polished: bool,
    /// File for the predictions: .npy, .npz (array f) or .csv [default: standard output, as csv]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CertifyArgs {
    /// A run folder, as `widefield run` writes it
    pub dir: PathBuf,
    /// Number of the run in the experiment's grid, from 0 [default: all]
    #[arg(long, value_name = "K")]
    pub run: Option<usize>,
    /// Write the infinite-width optimum, too, as a small network: polished.npz
    #[arg(long)]
    pub polish: bool,
    /// Stop when the relative gap between the bounds of the optimum is no larger than this [default: 1e-6
    /// for d up to 3, 1e-4 beyond]
    #[arg(long, value_name = "GAP")]
    pub tolerance: Option<f64>,
    /// Number of directions to search from, where d > 3
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole::<usize>)]
    pub probes: usize,
    /// Prove the bound for all directions where d > 3, instead of only searching them
    #[arg(long)]
    pub prove: bool,
    /// With --prove: gap that a proof is to reach, as a share of the bound
    #[arg(long, value_name = "GAP", default_value_t = 1e-3, requires = "prove")]
    pub gap: f64,
    /// With --prove: seconds that the proof of each optimum may take
    #[arg(long, value_name = "S", default_value_t = 60.0, requires = "prove")]
    pub seconds: f64,
    #[command(flatten)]
    pub pages: PageArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub struct PlotArgs {
    /// A run folder, as `widefield run` writes it
    pub dir: PathBuf,
    /// Print only the paths of the figures, and errors
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run folder, as `widefield run` writes it
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct MovieArgs {
    /// A run folder, as `widefield run` writes it
    pub dir: PathBuf,
    /// Number of the run in the experiment's grid, from 0 [default: the widest; of several, the longest]
    #[arg(long, value_name = "K")]
    pub run: Option<usize>,
    /// Print only the paths of the movies, and errors
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A run folder; without DIR_B, every pair of widths in its grid is compared
    pub dir_a: PathBuf,
    /// Another run folder, to compare the first one with
    pub dir_b: Option<PathBuf>,
    /// Compare predictions on these inputs, too: .npz with an array X (n, d), .npy (n, d), or .csv, whose
    /// columns are matched by name
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Number of random directions of each sliced Wasserstein distance
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = whole::<u32>)]
    pub projections: u32,
    /// Write the values to STEM.csv and STEM.json, and no figures and page [default: compare.csv and
    /// compare.json in DIR_A; for two folders, compare-with-NAME.csv and .json in each]
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
    /// Time this case instead of the standard ones, however long it takes: width, samples, input
    /// dimension (repeatable)
    #[arg(long = "case", value_name = "M,N,D")]
    pub cases: Vec<String>,
    /// Number format of particles and inputs; only the gpu engine has f16
    #[arg(long, value_enum, default_value = "f32")]
    pub state: StateName,
    /// Print the measured values as JSON on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to complete in
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Print the page of this command [default: that of widefield itself]
    pub command: Option<String>,
    /// Write the pages of all commands into this folder, and print none
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
    /// The engine that computes; auto takes a discrete GPU if there is one, or else an integrated one, or
    /// else the cpu engine
    #[arg(long, value_enum)]
    pub engine: Option<EngineName>,
    /// The graphics adapter with this text in its name (see `widefield adapters`); a software adapter is
    /// used only when named
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
    /// Sizes of the gpu engine's kernels: "default", or those that the summary of a run records, to repeat
    /// the run bit for bit; or "naive" for short, slow kernels, the first thing to try where a new driver
    /// gives wrong results [default: measured once per adapter, driver and d, if the run is large]
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

    /// Whether an engine or adapter is asked for, rather than kernels alone or nothing.
    pub fn names_engine(&self) -> bool {
        self.engine.is_some() || self.adapter.is_some()
    }
}

#[derive(Debug, Args)]
pub struct VerbosityArgs {
    /// Print results and errors only: no progress, no messages
    #[arg(long)]
    pub quiet: bool,
    /// Print the summary as JSON on standard output, and nothing else there
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
