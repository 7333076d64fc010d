//! Each format, and each way in which a file can be wrong.

use std::io::Write;
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;

use super::*;
use crate::data;

/// A folder with files, and the experiment that names them.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn load(&self, data: &str, loss: &str) -> Result<Split> {
        let text = format!(
            "[data]\nsource = \"file\"\n{data}\n[network]\nwidth = 2\n[risk]\nloss = \"{loss}\"\n[flow]\nsteps = 1\nstep = 1.0\n"
        );
        let path = self.put("experiment.toml", text.as_bytes());
        let grid = crate::experiment::load(path.to_str().unwrap(), &[])?;
        let experiment = &grid.runs[0].experiment;
        data::load(&experiment.data, 1, experiment.risk.loss)
    }

    /// Fails, and says all of this.
    fn refuses(&self, data: &str, loss: &str, texts: &[&str]) {
        let error = self.load(data, loss).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "no {text:?} in: {error}");
        }
    }
}

fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], order: npyz::Order, values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .order(order)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn idx(shape: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|s| bytes.extend(s.to_be_bytes()));
    bytes.extend(body);
    bytes
}

const C: npyz::Order = npyz::Order::C;

#[test]
fn npz_in_any_format_and_order() {
    let bench = Bench::new();
    let y = npy(&[2], C, &[1_i64, -1]);
    let same = |x: Vec<u8>| {
        bench.put("data.npz", &npz(&[("X", x), ("y", y.clone())]));
        let train = bench.load("path = \"data.npz\"", "logistic").unwrap().train;
        assert_eq!(train.x, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((train.d, &train.y[..]), (3, &[1.0, -1.0][..]));
    };
    same(npy(&[2, 3], C, &[1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0]));
    same(npy(&[2, 3], C, &[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]));
    same(npy(&[2, 3], C, &[1_u8, 2, 3, 4, 5, 6]));
    same(npy(&[2, 3], npyz::Order::Fortran, &[1_i32, 4, 2, 5, 3, 6]));
}

#[test]
fn npy_pair_with_bias_standardised() {
    let bench = Bench::new();
    bench.put("X.npy", &npy(&[2, 2], C, &[0.0, 7.0, 4.0, 7.0]));
    bench.put("y.npy", &npy(&[2], C, &[0.5, 1.5]));
    bench.put("T.npy", &npy(&[1, 2], C, &[6.0, 8.0]));
    bench.put("t.npy", &npy(&[1], C, &[2.0]));
    let split = bench
        .load(
            "path = \"X.npy\"\ntargets_path = \"y.npy\"\nbias = true\nstandardize = true\ntest_path = \"T.npy\"\ntest_targets_path = \"t.npy\"",
            "square",
        )
        .unwrap();
    assert_eq!(split.train.x, [-1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
    assert_eq!(split.test.unwrap().x, [2.0, 1.0, 1.0]);
    let s = split.standardization.unwrap();
    assert_eq!((s.mean, s.scale), (vec![2.0, 7.0], vec![2.0, 1.0]));
}

#[test]
fn csv_by_column_name() {
    let bench = Bench::new();
    bench.put("d.csv", b"u, label ,v\n1,1,2\n3,-1,4\n");
    let train = bench
        .load("path = \"d.csv\"\ntarget = \"label\"", "softmin")
        .unwrap()
        .train;
    assert_eq!(train.x, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(train.y, [1.0, -1.0]);
    let path = bench.dir.path().join("d.csv");
    let inputs = read_inputs(&path, Some("label")).unwrap();
    assert_eq!((inputs.columns, inputs.values.len()), (2, 4));
}

#[test]
fn idx_plain_and_gzip() {
    let bench = Bench::new();
    let images = idx(&[3, 1, 2], &[0, 255, 51, 0, 255, 255]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&images).unwrap();
    bench.put("train-images-idx3-ubyte", &images);
    bench.put("train-images-idx3-ubyte.gz", &gzip.finish().unwrap());
    bench.put("train-labels-idx1-ubyte", &idx(&[3], &[3, 5, 8]));
    for name in ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"] {
        let data = format!(
            "path = \"{name}\"\ntargets_path = \"train-labels-idx1-ubyte\"\nclasses = [3, 8]"
        );
        let train = bench.load(&data, "logistic").unwrap().train;
        assert_eq!(train.x, [0.0, 1.0, 1.0, 1.0]);
        assert_eq!(train.y, [-1.0, 1.0]);
        bench.refuses(
            &data.replace("[3, 8]", "[3, 4]"),
            "logistic",
            &[name, "no sample of class 4"],
        );
    }
}

#[test]
fn what_can_be_wrong() {
    let bench = Bench::new();
    let x = npy(&[2, 1], C, &[1.0, 2.0]);
    let with = |x: &[u8], y: &[u8]| {
        bench.put("data.npz", &npz(&[("X", x.to_vec()), ("y", y.to_vec())]));
    };
    let path = "path = \"data.npz\"";
    bench.refuses(
        "path = \"none.npz\"",
        "square",
        &["none.npz", "check the path"],
    );
    bench.put("data.npz", &npz(&[("x", x.clone())]));
    bench.refuses(path, "square", &["data.npz", "no array X", "it has: x"]);
    with(&x, &npy(&[2], C, &[0.0, 1.0]));
    bench.refuses(path, "logistic", &["row 0", "is 0", "recode"]);
    assert!(bench.load(path, "square").is_ok());
    with(&x, &npy(&[3], C, &[1.0, 1.0, 1.0]));
    bench.refuses(path, "square", &["2 inputs and 3 targets"]);
    with(&npy(&[2], C, &[1.0, 2.0]), &npy(&[2], C, &[1.0, 1.0]));
    bench.refuses(path, "square", &["array X has the shape [2]", "(n, d)"]);
    with(&npy(&[0, 2], C, &[0.0; 0]), &npy(&[0], C, &[0.0; 0]));
    bench.refuses(path, "square", &["no samples"]);
    with(
        &npy(&[2, 2], C, &[1.0, 2.0, 3.0, f64::NAN]),
        &npy(&[2], C, &[1.0, 1.0]),
    );
    bench.refuses(path, "square", &["row 1, column 1", "NaN"]);
    with(&x, &npy(&[2], C, &[1.0, f64::INFINITY]));
    bench.refuses(path, "square", &["target in row 1", "inf"]);
    with(&npy(&[1, 1], C, &[1e300]), &npy(&[1], C, &[1.0]));
    bench.refuses(path, "square", &["single precision", "rescale"]);
    with(&x, &npy(&[2], C, &[1.0, 2.0]));
    bench.refuses(&format!("{path}\nn = 3"), "square", &["has 2 samples", "3"]);
    bench.put("data.npz", b"not a zip file");
    bench.refuses(path, "square", &["data.npz"]);

    let csv = "path = \"d.csv\"\ntarget = \"y\"";
    bench.put("d.csv", b"x,y\n1,1\n2\n");
    bench.refuses(csv, "square", &["d.csv:3", "has 1 values"]);
    bench.put("d.csv", b"x,y\n1,1\ntwo,1\n");
    bench.refuses(csv, "square", &["d.csv:3", "`two` in column `x`"]);
    bench.put("d.csv", b"input,yy\n1,1\n");
    bench.refuses(csv, "square", &["no column `y`", "did you mean `yy`"]);
    bench.put("d.csv", b"x,y\n");
    bench.refuses(csv, "square", &["no samples"]);

    let pair = "path = \"i-idx3-ubyte\"\ntargets_path = \"l-idx1-ubyte\"";
    bench.put("l-idx1-ubyte", &idx(&[1], &[1]));
    let good = idx(&[1, 1, 2], &[1, 2]);
    bench.put("i-idx3-ubyte", &good[..good.len() - 1]);
    bench.refuses(pair, "square", &["[1, 1, 2]", "holds 1 values"]);
    bench.put("i-idx3-ubyte", b"\x01\x02\x03\x04");
    bench.refuses(pair, "square", &["does not begin like an idx file"]);
}

#[test]
fn initial_particles_must_fit() {
    let bench = Bench::new();
    let (w, a) = (npy(&[2, 1], C, &[1.0, 2.0]), npy(&[2], C, &[0.1, -1.0]));
    let path: &Path = &bench.put("init.npz", &npz(&[("w", w), ("a", a)]));
    let p = data::read_particles(path, 2, 1).unwrap();
    assert_eq!(p.w, [1.0, 2.0]);
    assert_eq!(p.a, [f64::from(0.1_f32), -1.0]);
    let error = data::read_particles(path, 3, 1).unwrap_err();
    assert!(error.to_string().contains("needs w (3, 1)"), "{error}");
}
