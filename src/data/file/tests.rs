//! Each format, and each way in which a file can be invalid.

use std::io::Write;
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;

use super::*;
use crate::data;

/// A folder with files, for experiments that read them.
struct ExperimentFolder {
    dir: tempfile::TempDir,
}

impl ExperimentFolder {
    fn new() -> Self {
        ExperimentFolder {
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

    /// Expects an error that contains all of these texts.
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
    let folder = ExperimentFolder::new();
    let y = npy(&[2], C, &[1_i64, -1]);
    let same = |x: Vec<u8>| {
        folder.put("data.npz", &npz(&[("X", x), ("y", y.clone())]));
        let train = folder
            .load("path = \"data.npz\"", "logistic")
            .unwrap()
            .train;
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
    let folder = ExperimentFolder::new();
    folder.put("X.npy", &npy(&[2, 2], C, &[0.0, 7.0, 4.0, 7.0]));
    folder.put("y.npy", &npy(&[2], C, &[0.5, 1.5]));
    folder.put("T.npy", &npy(&[1, 2], C, &[6.0, 8.0]));
    folder.put("t.npy", &npy(&[1], C, &[2.0]));
    let split = folder
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
    let folder = ExperimentFolder::new();
    folder.put("d.csv", b"u, label ,v\n1,1,2\n3,-1,4\n");
    let train = folder
        .load("path = \"d.csv\"\ntarget = \"label\"", "softmin")
        .unwrap()
        .train;
    assert_eq!(train.x, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(train.y, [1.0, -1.0]);
    let path = folder.dir.path().join("d.csv");
    let inputs = read_inputs(&path, Some("label")).unwrap();
    assert_eq!((inputs.columns, inputs.values.len()), (2, 4));
}

#[test]
fn idx_plain_and_gzip() {
    let folder = ExperimentFolder::new();
    let images = idx(&[3, 1, 2], &[0, 255, 51, 0, 255, 255]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&images).unwrap();
    folder.put("train-images-idx3-ubyte", &images);
    folder.put("train-images-idx3-ubyte.gz", &gzip.finish().unwrap());
    folder.put("train-labels-idx1-ubyte", &idx(&[3], &[3, 5, 8]));
    for name in ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"] {
        let data = format!(
            "path = \"{name}\"\ntargets_path = \"train-labels-idx1-ubyte\"\nclasses = [3, 8]"
        );
        let train = folder.load(&data, "logistic").unwrap().train;
        assert_eq!(train.x, [0.0, 1.0, 1.0, 1.0]);
        assert_eq!(train.y, [-1.0, 1.0]);
        folder.refuses(
            &data.replace("[3, 8]", "[3, 4]"),
            "logistic",
            &[name, "no sample of class 4"],
        );
    }
}

#[test]
fn what_can_be_wrong() {
    let folder = ExperimentFolder::new();
    let x = npy(&[2, 1], C, &[1.0, 2.0]);
    let with = |x: &[u8], y: &[u8]| {
        folder.put("data.npz", &npz(&[("X", x.to_vec()), ("y", y.to_vec())]));
    };
    let path = "path = \"data.npz\"";
    folder.refuses(
        "path = \"none.npz\"",
        "square",
        &["none.npz", "check the path"],
    );
    folder.put("data.npz", &npz(&[("x", x.clone())]));
    folder.refuses(path, "square", &["data.npz", "no array X", "it has: x"]);
    with(&x, &npy(&[2], C, &[0.0, 1.0]));
    folder.refuses(
        path,
        "logistic",
        &["row 0", "is 0", "2 * y.astype(\"f4\") - 1"],
    );
    assert!(folder.load(path, "square").is_ok());
    with(&x, &npy(&[3], C, &[1.0, 1.0, 1.0]));
    folder.refuses(path, "square", &["2 inputs, and there are 3 targets"]);
    with(&npy(&[2], C, &[1.0, 2.0]), &npy(&[2], C, &[1.0, 1.0]));
    folder.refuses(path, "square", &["array X has the shape [2]", "(n, d)"]);
    with(&npy(&[0, 2], C, &[0.0; 0]), &npy(&[0], C, &[0.0; 0]));
    folder.refuses(path, "square", &["no samples"]);
    with(
        &npy(&[2, 2], C, &[1.0, 2.0, 3.0, f64::NAN]),
        &npy(&[2], C, &[1.0, 1.0]),
    );
    folder.refuses(path, "square", &["row 1, column 1", "NaN"]);
    with(&x, &npy(&[2], C, &[1.0, f64::INFINITY]));
    folder.refuses(path, "square", &["target in row 1", "inf"]);
    with(&npy(&[1, 1], C, &[1e300]), &npy(&[1], C, &[1.0]));
    folder.refuses(path, "square", &["single precision", "rescale"]);
    with(&x, &npy(&[2], C, &[1.0, 2.0]));
    folder.refuses(&format!("{path}\nn = 3"), "square", &["has 2 samples", "3"]);
    folder.put("data.npz", b"not a zip file");
    folder.refuses(path, "square", &["data.npz"]);

    let csv = "path = \"d.csv\"\ntarget = \"y\"";
    folder.put("d.csv", b"x,y\n1,1\n2\n");
    folder.refuses(csv, "square", &["d.csv:3", "has 1 values"]);
    folder.put("d.csv", b"x,y\n1,1\ntwo,1\n");
    folder.refuses(csv, "square", &["d.csv:3", "`two` in column `x`"]);
    folder.put("d.csv", b"input,yy\n1,1\n");
    folder.refuses(csv, "square", &["no column `y`", "did you mean `yy`"]);
    folder.put("d.csv", b"x,y\n");
    folder.refuses(csv, "square", &["no samples"]);

    let pair = "path = \"i-idx3-ubyte\"\ntargets_path = \"l-idx1-ubyte\"";
    folder.put("l-idx1-ubyte", &idx(&[1], &[1]));
    let good = idx(&[1, 1, 2], &[1, 2]);
    folder.put("i-idx3-ubyte", &good[..good.len() - 1]);
    folder.refuses(pair, "square", &["[1, 1, 2], 2 values", "holds fewer"]);
    folder.put("i-idx3-ubyte", b"\x01\x02\x03\x04");
    folder.refuses(pair, "square", &["does not begin like an idx file"]);
}

#[test]
fn initial_particles_must_fit() {
    let folder = ExperimentFolder::new();
    let (w, a) = (npy(&[2, 1], C, &[1.0, 2.0]), npy(&[2], C, &[0.1, -1.0]));
    let path: &Path = &folder.put("init.npz", &npz(&[("w", w), ("a", a)]));
    let p = crate::particles::read(path, 2, 1).unwrap();
    assert_eq!(p.w, [1.0, 2.0]);
    assert_eq!(p.a, [f64::from(0.1_f32), -1.0]);
    let error = crate::particles::read(path, 3, 1).unwrap_err();
    assert!(error.to_string().contains("needs w (3, 1)"), "{error}");
}

/// The exponent of stored weights is applied, if f32 can hold the result.
#[test]
fn the_exponent_of_initial_particles_counts() {
    let folder = ExperimentFolder::new();
    let read = |exponent: Vec<u8>, a: f64| {
        let (w, a) = (npy(&[2, 1], C, &[1.0, 2.0]), npy(&[2], C, &[a, -1.0]));
        let file = npz(&[("w", w), ("a", a), ("exponent", exponent)]);
        crate::particles::read(&folder.put("init.npz", &file), 2, 1)
    };
    let of = |exponent: i64| npy(&[], C, &[exponent]);
    let p = read(of(3), 0.5).unwrap();
    assert_eq!((p.w, p.a), (vec![8.0, 16.0], vec![4.0, -8.0]));
    assert_eq!(read(of(0), 0.5).unwrap().w, [1.0, 2.0]);
    let refuses = |of: Result<crate::particles::Particles>, text: &str| {
        let error = of.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    refuses(read(of(970), 0.5), "1e0 · 2^970, its exponent, in row 0");
    refuses(read(of(i64::MAX / 2048), 0.5), "beyond single precision");
    refuses(
        read(of(-2000), 0.5),
        "below the normal numbers of single precision",
    );
    refuses(read(of(i64::MAX), 0.5), "2^53");
    refuses(read(npy(&[2], C, &[1_i64, 2]), 0.5), "not one whole number");
    refuses(read(of(0), 1e-46), "the output weight 1e-46 in row 0");
    refuses(read(of(0), 1e39), "beyond single precision");
    // A decayed weight, denormal in f32, is accepted beside normal ones.
    let decayed = f64::from(f32::MIN_POSITIVE) / 4.0;
    assert_eq!(read(of(0), decayed).unwrap().a[0], decayed);
    let (w, a) = (npy(&[1, 1], C, &[decayed]), npy(&[1], C, &[1.0]));
    let file = folder.put("init.npz", &npz(&[("w", w), ("a", a)]));
    refuses(crate::particles::read(&file, 1, 1), "the input weight");
}

#[test]
fn numbers_that_single_precision_would_change() {
    let folder = ExperimentFolder::new();
    let csv = "path = \"d.csv\"\ntarget = \"y\"";
    let remedy = "standardize = true";
    folder.put("d.csv", b"x,y\n1e-46,1\n-1e-46,-1\n");
    let wanted = ["d.csv", "1e-46 in row 0", "make it 0", remedy];
    folder.refuses(csv, "softmin", &wanted);
    folder.put("d.csv", b"x,y\n1e-42,1\n-1e-42,-1\n");
    let wanted = ["1e-42 in row 0", "take digits", remedy];
    folder.refuses(csv, "softmin", &wanted);
    // The remedy works at any scale: the squares of some of these values are out of f64's range.
    for scale in ["1e-46", "1e-42", "1e-300", "1e300"] {
        let rows = format!("x,y\n{scale},1\n-{scale},-1\n");
        folder.put("d.csv", rows.as_bytes());
        let split = folder.load(&format!("{csv}\nstandardize = true"), "softmin");
        assert_eq!(split.unwrap().train.x, [1.0, -1.0], "{scale}");
    }
    folder.put("d.csv", b"x,y\n1,1e-46\n2,1e-40\n");
    folder.refuses(csv, "square", &["the target 1e-46 in row 0"]);
    // These are f32 already, but a GPU flushes them to 0.
    let x = npy(&[2, 1], C, &[1e-42_f32, 1.0]);
    folder.put(
        "data.npz",
        &npz(&[("X", x), ("y", npy(&[2], C, &[1.0, -1.0]))]),
    );
    folder.refuses(
        "path = \"data.npz\"",
        "softmin",
        &["in row 0", "take digits"],
    );
}

/// γ1 of these rows, with a bias, is 1/√2 once they are standardised.
#[test]
fn rows_that_single_precision_merges_can_be_standardised() {
    let folder = ExperimentFolder::new();
    folder.put("d.csv", b"x,y\n1000,1\n1000.00001,-1\n");
    let csv = "path = \"d.csv\"\ntarget = \"y\"\nbias = true";
    let merged = folder.load(csv, "softmin").unwrap().train;
    assert_eq!(merged.row(0), merged.row(1));
    let apart = folder.load(&format!("{csv}\nstandardize = true"), "softmin");
    let apart = apart.unwrap().train;
    let close = |row: &[f32], x: f32| (row[0] - x).abs() < 1e-6 && row[1] == 1.0;
    assert!(close(apart.row(0), -1.0) && close(apart.row(1), 1.0));
}

#[test]
fn lines_of_a_csv_file_are_counted_as_editors_do() {
    let folder = ExperimentFolder::new();
    let csv = "path = \"d.csv\"\ntarget = \"y\"";
    for (text, place) in [
        (
            "a,b,y\r\n1,0,1\r\n0,,-1\r\n",
            "d.csv:3: column `b` is empty",
        ),
        (
            "\u{feff}a,b,y\n1,0,1\n0,,-1\n",
            "d.csv:3: column `b` is empty",
        ),
        ("a,b,y\r1,0,1\r0,,-1\r", "d.csv:3: column `b` is empty"),
        (
            "\n\na,b,y\n\n1,0,1\n\n\n0,,-1\n",
            "d.csv:8: column `b` is empty",
        ),
        (
            "a,\"b\n(cm)\",y\r\n1,0,1\r\n0,z,-1",
            "d.csv:4: `z` in column `b\n(cm)`",
        ),
        (
            "a,b,y\r\n1,0,1\r\n0,-1\r\n",
            "d.csv:3: has 2 values, the lines before 3",
        ),
        ("a,b,y\n\"1\n\",0,1\n0,-1\n", "d.csv:4: has 2 values"),
    ] {
        folder.put("d.csv", text.as_bytes());
        folder.refuses(csv, "square", &[place]);
    }
    folder.put("d.csv", b"a,y\r\n1,2\r\n\xff,3\r\n");
    folder.refuses(csv, "square", &["d.csv:3: is not UTF-8 text"]);
    folder.put("d.csv", "\u{feff}a,y\n1,2\n".as_bytes());
    assert!(
        folder
            .load("path = \"d.csv\"\ntarget = \"a\"", "square")
            .is_ok()
    );
}

#[test]
fn columns_of_a_csv_file_are_distinguished_by_name() {
    let folder = ExperimentFolder::new();
    let csv = "path = \"d.csv\"\ntarget = \"y\"";
    folder.put("d.csv", b"a,y, y\n1,1,0.5\n2,-1,-0.5\n");
    let wanted = [
        "columns 1 and 2 (counted from 0) are both named `y`",
        "rename",
    ];
    folder.refuses(csv, "square", &wanted);
    folder.put("d.csv", b"a,a,y\n1,1,0.5\n");
    folder.refuses(csv, "square", &["columns 0 and 1"]);
    for text in ["1,0,1\n0,1,-1\n", "1.5,-2\n0,1\n"] {
        folder.put("d.csv", text.as_bytes());
        folder.refuses(csv, "square", &["d.csv:1", "names of the columns belong"]);
        let error = folder
            .load(&csv.replace("\"y\"", "\"2\""), "square")
            .unwrap_err();
        assert!(!error.to_string().contains("did you mean"), "{error}");
    }
    // pandas names the columns of an array like this.
    folder.put("d.csv", b"0,1,2\n5,6,1\n");
    let train = folder
        .load("path = \"d.csv\"\ntarget = \"2\"", "square")
        .unwrap()
        .train;
    assert_eq!((train.x, train.y), (vec![5.0, 6.0], vec![1.0]));
}

#[test]
fn columns_of_test_samples_and_new_inputs_are_matched_by_name() {
    let folder = ExperimentFolder::new();
    folder.put("d.csv", b"a,b,y\n1,2,1\n3,4,-1\n");
    folder.put("t.csv", b"y,b,a\n1,20,10\n");
    let csv = "path = \"d.csv\"\ntarget = \"y\"\ntest_path = \"t.csv\"";
    let split = folder.load(csv, "softmin").unwrap();
    assert_eq!(split.test.unwrap().x, [10.0, 20.0]);
    assert_eq!(split.columns, ["a", "b"]);
    folder.put("t.csv", b"y,b,c,e\n1,20,10,5\n");
    let wanted = [
        "t.csv: lacks the columns a, and has, beyond those of the training data, c, e",
        "any order: a, b",
    ];
    folder.refuses(csv, "softmin", &wanted);
    folder.put("t.csv", b"1,20\n2,30\n");
    let path = folder.dir.path().join("t.csv");
    let table = read_inputs(&path, Some("y")).unwrap();
    assert!(in_columns(&path, table, &split.columns).is_err());
    // If one side has no names, columns are matched by position.
    let unnamed = Matrix::unnamed(2, vec![1.0, 2.0]);
    let taken = in_columns(&path, unnamed.clone(), &split.columns).unwrap();
    assert_eq!(taken, unnamed);
}

#[test]
fn images_and_labels_belong_together() {
    let folder = ExperimentFolder::new();
    folder.put("i-idx3-ubyte", &idx(&[6, 1, 1], &[1; 6]));
    folder.put("l-idx1-ubyte", &idx(&[5], &[3, 8, 3, 8, 3]));
    let pair = "path = \"i-idx3-ubyte\"\ntargets_path = \"l-idx1-ubyte\"";
    let wanted = [
        "i-idx3-ubyte: has 6 inputs, and there are 5 targets in",
        "l-idx1-ubyte",
    ];
    folder.refuses(&format!("{pair}\nclasses = [3, 8]"), "softmin", &wanted);
    folder.refuses(pair, "square", &wanted);
    // A wrong label is reported with the name of the label file.
    folder.put("l-idx1-ubyte", &idx(&[6], &[1, 1, 1, 7, 1, 1]));
    folder.refuses(
        pair,
        "softmin",
        &["l-idx1-ubyte: the label in row 3", "is 7"],
    );
    folder.put("X.npy", &npy(&[1, 1], C, &[1.0]));
    folder.put("y.npy", &npy(&[1], C, &[f64::NAN]));
    let pair = "path = \"X.npy\"\ntargets_path = \"y.npy\"";
    folder.refuses(pair, "square", &["y.npy: target in row 0"]);
}

#[test]
fn labels_of_other_types_have_a_remedy_that_works() {
    let folder = ExperimentFolder::new();
    folder.put("X.npy", &npy(&[2, 1], C, &[true, false]));
    let pair = "path = \"X.npy\"\ntargets_path = \"y.npy\"";
    let remedy = "2 * y.astype(\"f4\") - 1";
    for y in [
        npy(&[2], C, &[false, true]),
        npy(&[2], C, &[0_u8, 1]),
        npy(&[2], C, &[0.0_f64, 1.0]),
    ] {
        folder.put("y.npy", &y);
        folder.refuses(pair, "softmin", &["y.npy: the label in row 0", remedy]);
        // As numeric targets they are accepted.
        let train = folder.load(pair, "square").unwrap().train;
        assert_eq!((train.x, train.y), (vec![1.0, 0.0], vec![0.0, 1.0]));
    }
    // The labels that the remedy produces are accepted.
    folder.put("y.npy", &npy(&[2], C, &[-1.0_f32, 1.0]));
    assert_eq!(folder.load(pair, "softmin").unwrap().train.y, [-1.0, 1.0]);
    folder.put("d.csv", b"x,y\n1,0\n2,1\n");
    let csv = "path = \"d.csv\"\ntarget = \"y\"";
    folder.refuses(csv, "softmin", &["write -1 for 0"]);
}

/// An .npy with this header text, followed by zeros.
fn npy_text(header: &str, body: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + body, 0);
    bytes
}

#[test]
fn types_that_are_no_real_numbers_are_named() {
    let folder = ExperimentFolder::new();
    folder.put("y.npy", &npy(&[1], C, &[1.0]));
    let pair = "path = \"X.npy\"\ntargets_path = \"y.npy\"";
    for (descr, size, wanted) in [
        ("'<c16'", 16, "complex numbers"),
        ("'|O'", 100, "Python objects"),
        ("'<U3'", 12, "text"),
        ("'<M8[s]'", 8, "times"),
        ("[('a', '<f8'), ('b', '<i4', (2,))]", 16, "records"),
    ] {
        let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1, 1), }}\n");
        folder.put("X.npy", &npy_text(&header, size));
        folder.refuses(pair, "square", &["X.npy: the array has the type", wanted]);
    }
    let beyond = "whole numbers beyond 2^53 would be rounded";
    let big = (1_i64 << 53) + 1;
    folder.put("X.npy", &npy(&[1, 1], C, &[big]));
    folder.refuses(pair, "square", &["9007199254740993", beyond, "subtract"]);
    folder.put("X.npy", &npy(&[1, 1], C, &[u64::MAX]));
    folder.refuses(pair, "square", &["18446744073709551615", beyond]);
    folder.put("X.npy", &npy(&[1, 1], C, &[big - 1]));
    assert!(folder.load(pair, "square").is_ok());
    folder.put("d.csv", b"x,y\n1,2\n9007199254740993,1\n");
    let csv = "path = \"d.csv\"\ntarget = \"y\"";
    folder.refuses(csv, "square", &["d.csv:3", "column `x`", beyond]);
    folder.put("d.csv", b"x,y\n9007199254740992,2\n1e30,1\n");
    assert!(folder.load(csv, "square").is_ok());
}

#[test]
fn arrays_are_as_long_as_they_say() {
    let folder = ExperimentFolder::new();
    folder.put("y.npy", &npy(&[2], C, &[1.0, 2.0]));
    let pair = "path = \"X.npy\"\ntargets_path = \"y.npy\"";
    let refuses = |bytes: &[u8], text: &str| {
        folder.put("X.npy", bytes);
        folder.refuses(pair, "square", &["X.npy", text]);
    };
    let whole = npy(&[2, 1], C, &[1.0, 2.0]);
    let follow = "announces 2 values of 8 bytes each, 16 bytes, and";
    refuses(
        &[whole.as_slice(), b"x"].concat(),
        &format!("{follow} 17 bytes follow"),
    );
    refuses(
        &whole[..whole.len() - 1],
        &format!("{follow} 15 bytes follow"),
    );
    refuses(
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff\x00\x00",
        "announces 4294967295 bytes",
    );
    refuses(b"\x93NUMPY", "too short");
    let shape =
        |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    refuses(
        &npy_text(&shape("(1000000000000, 1)"), 8),
        "8000000000000 bytes, and 8 bytes follow",
    );
    for beyond in [
        "(4294967296, 4294967296)",
        "(0, 9223372036854775807, 9223372036854775807)",
    ] {
        refuses(
            &npy_text(&shape(beyond), 0),
            "more values than 64 bits count",
        );
    }
    refuses(&npy_text(&shape("(-1, 2)"), 0), "64 bits");
    let deep = format!("{}{}", "(".repeat(5000), ",)".repeat(5000));
    refuses(&npy_text(&shape(&deep), 0), "not that of an .npy array");
    let long = [
        b"\x93NUMPY\x02\x00\x00\x00\x02\x00".as_slice(),
        &[b' '; 1 << 17],
    ]
    .concat();
    refuses(&long, "131072 bytes");
    #[cfg(unix)]
    {
        std::fs::remove_file(folder.dir.path().join("X.npy")).unwrap();
        std::fs::create_dir(folder.dir.path().join("X.npy")).unwrap();
        folder.refuses(pair, "square", &["X.npy: is not a file"]);
    }
}

#[test]
fn archives_are_read_to_their_checksums() {
    let folder = ExperimentFolder::new();
    let path = "path = \"data.npz\"";
    let (x, y) = (npy(&[2, 1], C, &[1.0, 2.0]), npy(&[2], C, &[1.0, 2.0]));
    let good = npz(&[("X", x.clone()), ("y", y.clone())]);
    folder.put("data.npz", &good);
    assert!(folder.load(path, "square").is_ok());
    // Stored without compression, so that a bit of a value can be flipped.
    let stored = |x: &[u8]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        for (name, bytes) in [("X.npy", x), ("y.npy", &y)] {
            zip.start_file(name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let mut damaged = stored(&x);
    let at = damaged
        .windows(8)
        .position(|b| b == 2.0_f64.to_le_bytes())
        .unwrap();
    damaged[at] ^= 1;
    folder.put("data.npz", &damaged);
    folder.refuses(path, "square", &["data.npz", "array X", "checksum"]);
    // More bytes than the shape announces.
    folder.put("data.npz", &stored(&[x.as_slice(), b"more"].concat()));
    folder.refuses(path, "square", &["16 bytes, and 20 bytes follow"]);
    // A wrong size in the directory: 10^9 bytes announced for a few compressed ones.
    let mut lying = npz(&[("X", x), ("y", y)]);
    let entry = lying.windows(4).position(|b| b == b"PK\x01\x02").unwrap();
    lying[entry + 24..entry + 28].copy_from_slice(&1_000_000_000_u32.to_le_bytes());
    folder.put("data.npz", &lying);
    folder.refuses(
        path,
        "square",
        &["array X", "announces 1000000000 bytes, more than"],
    );
}

#[test]
fn compressed_images_are_no_larger_than_memory() {
    let folder = ExperimentFolder::new();
    let huge = |shape: &[u32], body: usize| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&idx(shape, &vec![0; body])).unwrap();
        folder.put("i-idx3-ubyte.gz", &gzip.finish().unwrap());
    };
    folder.put("l-idx1-ubyte", &idx(&[1], &[1]));
    let pair = "path = \"i-idx3-ubyte.gz\"\ntargets_path = \"l-idx1-ubyte\"";
    huge(&[u32::MAX, 1000, 1000], 10);
    folder.refuses(
        pair,
        "square",
        &["announces the shape [4294967295, 1000, 1000]"],
    );
    huge(&[1, 3, 4], 13);
    folder.refuses(pair, "square", &["[1, 3, 4], 12 values, and holds more"]);
}

/// Samples are checked to fit in memory before any is drawn.
#[test]
fn samples_that_memory_does_not_hold() {
    let folder = ExperimentFolder::new();
    let most = 4_000_000_000_u64;
    for (data, wanted) in [
        (
            format!("source = \"clusters\"\nn = {most}\nd = {most}"),
            "(64.0 EB)",
        ),
        (
            format!("source = \"clusters\"\nk = {most}"),
            "64000000000000016384 bytes",
        ),
        (
            format!("source = \"teacher\"\nd = {most}\ntest = {most}"),
            "(64.0 EB)",
        ),
        (
            format!("source = \"teacher\"\nd = {most}\nteacher_width = {most}"),
            "(128.0 EB)",
        ),
    ] {
        let text = format!(
            "[data]\n{data}\n[network]\nwidth = 2\n[risk]\nloss = \"square\"\n[flow]\nsteps = 1\nstep = 1.0\n"
        );
        let path = folder.put("experiment.toml", text.as_bytes());
        let grid = crate::experiment::load(path.to_str().unwrap(), &[]).unwrap();
        let experiment = &grid.runs[0].experiment;
        let error = data::load(&experiment.data, 1, experiment.risk.loss).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(wanted), "no {wanted} in {error}");
    }
}
