//! `[data]`: where samples come from.

use std::path::{Path, PathBuf};

use super::value::NamedVariant;

/// `[data]`. A key that the source does not use is an error when it is given; its field keeps the
/// default.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSpec {
    /// Required.
    pub source: Source,
    /// Number of training samples. Default 256 for clusters, teacher and circle. Fixed for xor (4)
    /// and interpolation (the number of points), where it may only repeat that number. file: the
    /// first n rows; `None`, the default, takes all.
    pub n: Option<usize>,
    /// Input dimension with the bias coordinate. Default 15 for clusters (at least 3) and teacher,
    /// 2 for xor (at least 2). Always 2 for interpolation and circle; `None` for file, which may
    /// not give it.
    pub d: Option<usize>,
    /// Size of the test set, 0 (the default) for none. clusters, teacher, circle.
    pub test: usize,
    /// clusters: clusters per side of the grid, k² in all. At least 2, default 3.
    pub k: usize,
    /// teacher, circle: number m0 of teacher neurons. Default 5.
    pub teacher_width: usize,
    /// teacher: distribution of the inputs. Default sphere.
    pub inputs: InputDistribution,
    /// teacher, circle: standard deviation of Gaussian noise on the targets. Default 0.
    pub noise: f64,
    /// interpolation: points (x, y); each becomes the input (x, 1). Default: (−1, −1),
    /// (−1/16, 1/2), (1/16, −1/2), (1, 1).
    pub points: Option<Vec<[f64; 2]>>,
    /// k: the targets depend on the first k coordinates alone (bias included), and metrics report
    /// the share of the features' mass in them; 1 to d. Default none. For clusters it is 3.
    pub informative: Option<usize>,
    /// file: .npz, .csv, an .npy of X, or an idx image file (see [`FileForm`]). Required there.
    /// Absolute after loading; in a file, relative to that file.
    pub path: Option<PathBuf>,
    /// file: the .npy of y, or the idx label file; required for these two forms.
    pub targets_path: Option<PathBuf>,
    /// file: the csv column of the targets; required for csv. Columns of test samples and of new
    /// inputs are matched by name.
    pub target: Option<String>,
    /// file (idx): the two classes to tell apart, labelled −1 and +1 in this order. Default: all
    /// classes, with their numbers as targets.
    pub classes: Option<[u8; 2]>,
    /// file: append the constant 1 to each input. Default false.
    pub bias: bool,
    /// file: centre each column and divide by its standard deviation (training statistics).
    /// Default false.
    pub standardize: bool,
    /// file: test samples in a file of the same form. Default none.
    pub test_path: Option<PathBuf>,
    /// file (npy, idx): targets of `test_path`, required with it.
    pub test_targets_path: Option<PathBuf>,
}

/// Where samples come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// k² clusters on a grid, labelled ±1 (Chizat & Bach 2020).
    Clusters,
    /// Targets of a network of m0 random neurons.
    Teacher,
    /// x = (±1, ±1)/√2, y = sign(x_1 x_2), zero-padded to d.
    Xor,
    /// Points on a line, with a bias coordinate.
    Interpolation,
    /// Inputs on the unit circle, targets of a teacher.
    Circle,
    /// A data file.
    File,
}

impl Source {
    /// Whether targets are labels ±1; `None` for a file, whose targets are known only once it is
    /// read.
    pub fn has_labels(self) -> Option<bool> {
        match self {
            Source::Clusters | Source::Xor => Some(true),
            Source::Teacher | Source::Interpolation | Source::Circle => Some(false),
            Source::File => None,
        }
    }
}

impl NamedVariant for Source {
    const ALL: &'static [Self] = &[
        Source::Clusters,
        Source::Teacher,
        Source::Xor,
        Source::Interpolation,
        Source::Circle,
        Source::File,
    ];

    fn name(self) -> &'static str {
        match self {
            Source::Clusters => "clusters",
            Source::Teacher => "teacher",
            Source::Xor => "xor",
            Source::Interpolation => "interpolation",
            Source::Circle => "circle",
            Source::File => "file",
        }
    }
}

/// Distribution of the teacher's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputDistribution {
    /// Uniform on the unit sphere.
    Sphere,
    /// N(0, I).
    Gaussian,
}

impl NamedVariant for InputDistribution {
    const ALL: &'static [Self] = &[InputDistribution::Sphere, InputDistribution::Gaussian];

    fn name(self) -> &'static str {
        match self {
            InputDistribution::Sphere => "sphere",
            InputDistribution::Gaussian => "gaussian",
        }
    }
}

/// The formats of a data file, recognised by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileForm {
    /// `*.npz`: arrays X (n, d) and y (n).
    Npz,
    /// `*.csv`: a header and rows; one column holds the targets.
    Csv,
    /// `*.npy`: X (n, d), and a second file y (n).
    Npy,
    /// A name with `idx` or `ubyte` in it, gzip (`.gz`) or not: MNIST's format, images and labels.
    Idx,
}

impl FileForm {
    /// The format of a file, from its name; `None` if the name matches no format.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "npz" => Some(FileForm::Npz),
            "csv" => Some(FileForm::Csv),
            "npy" => Some(FileForm::Npy),
            _ if name.contains("idx") || name.contains("ubyte") => Some(FileForm::Idx),
            _ => None,
        }
    }
}
