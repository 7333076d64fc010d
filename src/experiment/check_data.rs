//! The rules of `[data]`.

use super::Experiment;
use super::data::{DataSpec, FileForm, Source};
use super::given::GivenKeys;
use super::value::non_negative;

pub(super) fn check(e: &Experiment, given: &mut GivenKeys) {
    let data = &e.data;
    given.ensure(
        data.n != Some(0),
        &["data.n", "data.points"],
        "1 or more samples",
    );
    let (least, most) = match data.source {
        Source::Clusters => (3, usize::MAX),
        Source::Xor => (2, usize::MAX),
        Source::Teacher | Source::File => (1, usize::MAX),
        Source::Interpolation | Source::Circle => (2, 2),
    };
    let allowed = match data.source {
        Source::Clusters => "3 or more: the bias and the two coordinates of the clusters",
        Source::Xor => "2 or more: coordinates beyond the second are 0",
        Source::Interpolation => "2: the coordinate and the bias",
        Source::Circle => "2: the circle lies in the plane",
        Source::Teacher | Source::File => "1 or more",
    };
    let fits = data.d.is_none_or(|d| (least..=most).contains(&d));
    given.ensure(fits, &["data.d"], allowed);
    let informative = match data.d {
        Some(d) => format!("1 to {d}, the input dimension"),
        None => "1 or more, up to the input dimension".into(),
    };
    let most = data.d.unwrap_or(usize::MAX);
    let fits =
        data.informative.is_none_or(|k| (1..=most).contains(&k)) || given.is_invalid("data.d");
    given.ensure(fits, &["data.informative"], informative);
    given.ensure(
        data.k >= 2,
        &["data.k"],
        "2 or more, so that there are two classes",
    );
    given.ensure(
        data.teacher_width >= 1,
        &["data.teacher_width"],
        "1 or more neurons",
    );
    let noise = "a finite number, 0 or more";
    given.ensure(non_negative(data.noise), &["data.noise"], noise);
    match data.source {
        Source::Xor => given.ensure(data.n == Some(4), &["data.n"], "4, the samples of xor"),
        Source::Interpolation => points(data, given),
        Source::File => file(data, given),
        _ => (),
    }
}

fn points(data: &DataSpec, given: &mut GivenKeys) {
    let points = data.points.as_deref().unwrap_or_default();
    let held = |v: &f64| *v == 0.0 || (*v as f32).is_normal();
    let allowed =
        "finite coordinates that single precision holds: 0, or sizes from 1.2e-38 to 3.4e38";
    let all = points.iter().flatten().all(held);
    given.ensure(all, &["data.points"], allowed);
    let count = points.len();
    let allowed = format!("{count}, the number of points");
    let fits = data.n == Some(count) || given.is_invalid("data.points");
    given.ensure(fits, &["data.n"], allowed);
}

/// Each file format requires some keys and refuses those of the other formats.
fn file(data: &DataSpec, given: &mut GivenKeys) {
    let names = "a name that ends in .npz, .csv or .npy, or an idx file (idx or ubyte in its name)";
    given.require(
        "data.path",
        &format!("data.source = \"file\" reads {names}"),
    );
    let form = data.path.as_deref().and_then(FileForm::of);
    given.ensure(form.is_some(), &["data.path"], names);
    if form.is_none() {
        // Without a known format no further rule applies.
        return;
    }
    let pair = matches!(form, Some(FileForm::Npy | FileForm::Idx));
    if pair {
        let remedy = "inputs from .npy or idx files take their targets from a second file";
        given.require("data.targets_path", remedy);
        if data.test_path.is_some() {
            given.require("data.test_targets_path", remedy);
        }
        let orphan = data.test_targets_path.is_some() && data.test_path.is_none();
        let allowed = "with data.test_path, the inputs of these targets";
        given.ensure(!orphan, &["data.test_targets_path"], allowed);
    } else {
        let allowed = "with .npy and idx files; npz and csv hold their targets";
        given.ensure(data.targets_path.is_none(), &["data.targets_path"], allowed);
        given.ensure(
            data.test_targets_path.is_none(),
            &["data.test_targets_path"],
            allowed,
        );
    }
    if form == Some(FileForm::Csv) {
        given.require("data.target", "name the csv column of the targets");
    }
    let fits = data.target.is_none() || form == Some(FileForm::Csv);
    given.ensure(fits, &["data.target"], "with csv files only");
    let fits = data.classes.is_none() || form == Some(FileForm::Idx);
    given.ensure(fits, &["data.classes"], "with idx files only");
    let distinct = data.classes.is_none_or(|[minus, plus]| minus != plus);
    given.ensure(distinct, &["data.classes"], "two different classes");
    let same = |path: &std::path::PathBuf| FileForm::of(path) == form;
    let fits = data.test_path.as_ref().is_none_or(same);
    given.ensure(
        fits,
        &["data.test_path"],
        "a file of the same form as data.path",
    )
}
