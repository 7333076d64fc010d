//! The flow_*.npz cases: trajectories computed independently in float64 (tests/oracle/README.md).

use std::path::PathBuf;
use std::sync::Arc;

use widefield::data::Dataset;
use widefield::engine::{Batch, Steps};
use widefield::experiment::{NamedVariant, Schedule};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat, Train};
use widefield::particles::Particles;

pub struct OracleFlow {
    pub name: String,
    pub batch: Batch,
    pub start: Particles,
    pub step: f64,
    pub schedule: Schedule,
    pub horizon_f64: u64,
    pub horizon_f32: u64,
    pub states: Vec<OracleState>,
}

/// The state that the oracle recorded after `step` updates.
pub struct OracleState {
    pub step: u64,
    pub particles: Particles,
    pub f: Vec<f64>,
    pub risk: f64,
    pub objective: f64,
    pub tv_norm: f64,
    pub param_norm: f64,
    pub margin_f1: f64,
    pub margin_param: f64,
    pub margin_f2: f64,
    /// Velocities at `particles`, and at `particles` rounded to f32.
    pub velocity: Particles,
    pub velocity_f32: Particles,
    pub scale_w: Vec<f64>,
    pub scale_a: Vec<f64>,
    pub near_kink: Vec<bool>,
}

/// Folder of the cases; WIDEFIELD_ORACLE names another one, with more cases.
pub fn folder() -> PathBuf {
    match std::env::var_os("WIDEFIELD_ORACLE") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle"),
    }
}

/// Paths of the cases of a kind, sorted.
pub fn paths(kind: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(kind) && name.ends_with(".npz")
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no {kind}*.npz in {:?}", folder());
    paths
}

/// An array of a .npz file as f64, with its shape.
pub fn array(path: &PathBuf, name: &str) -> (Vec<f64>, Vec<usize>) {
    let file = std::fs::File::open(path).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let entry = zip.by_name(&format!("{name}.npy")).unwrap();
    let npy = npyz::NpyFile::new(entry).unwrap();
    let shape = npy.shape().iter().map(|&s| s as usize).collect();
    let values = match npy.dtype().descr().as_str() {
        "'<i8'" => npy
            .into_vec::<i64>()
            .unwrap()
            .iter()
            .map(|&v| v as f64)
            .collect(),
        "'|b1'" => npy
            .into_vec::<bool>()
            .unwrap()
            .iter()
            .map(|&v| f64::from(u8::from(v)))
            .collect(),
        "'<f4'" => npy
            .into_vec::<f32>()
            .unwrap()
            .iter()
            .map(|&v| f64::from(v))
            .collect(),
        _ => npy.into_vec::<f64>().unwrap(),
    };
    (values, shape)
}

/// The JSON text of `parameters`: a numpy unicode scalar, UTF-32 behind the npy header.
fn parameters(path: &PathBuf) -> serde_json::Value {
    let file = std::fs::File::open(path).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_name("parameters.npy").unwrap(), &mut bytes).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text: String = bytes[header..]
        .chunks(4)
        .filter_map(|c| char::from_u32(u32::from_le_bytes(c.try_into().unwrap())))
        .collect();
    serde_json::from_str(text.trim_end_matches('\0')).unwrap()
}

fn named<T: NamedVariant>(name: &str) -> T {
    *T::ALL.iter().find(|choice| choice.name() == name).unwrap()
}

impl OracleFlow {
    pub fn load(path: &PathBuf) -> OracleFlow {
        let p = parameters(path);
        let values = |name: &str| array(path, name).0;
        let (x, shape) = array(path, "X");
        let (n, d) = (shape[0], shape[1]);
        let narrow = |v: Vec<f64>| v.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        let data = Dataset {
            d,
            x: narrow(x),
            y: narrow(values("y")),
        };
        let (w0, a0) = (values("w0"), values("a0"));
        let m = a0.len();
        let text = |key: &str| p[key].as_str().unwrap().to_owned();
        let loss = Loss::named(&text("loss")).unwrap();
        let train = named::<Train>(&text("train"));
        let schedule = match text("schedule").as_str() {
            "constant" => Schedule::Constant,
            "inverse-sqrt" => Schedule::InverseSqrt,
            other => panic!("schedule {other}"),
        };
        let run = Run {
            train,
            lambda: p["weight_decay"].as_f64().unwrap(),
            ..Run::simple(m, loss)
        };
        let steps = values("step_T");
        let column = |name: &str| values(name);
        let rows = |name: &str, width: usize| -> Vec<Vec<f64>> {
            values(name).chunks(width).map(<[f64]>::to_vec).collect()
        };
        let pairs = |w: &str, a: &str| -> Vec<Particles> {
            let (w, a) = (rows(w, m * d), rows(a, m));
            w.into_iter()
                .zip(a)
                .map(|(w, a)| Particles { d, w, a })
                .collect()
        };
        let (particles, velocity, velocity_f32) = (
            pairs("w_T", "a_T"),
            pairs("vel_w_T", "vel_a_T"),
            pairs("vel_w_T_f32", "vel_a_T_f32"),
        );
        let (f, scale_w, scale_a, near) = (
            rows("f_T", n),
            rows("vel_scale_w_T", m),
            rows("vel_scale_a_T", m),
            rows("near_kink_T", m),
        );
        let (risk, objective) = (column("risk_T"), column("objective_T"));
        let (tv, param) = (column("tv_norm_T"), column("param_norm_T"));
        let (f1, mp, f2) = (
            column("margin_f1_T"),
            column("margin_param_T"),
            column("margin_f2_T"),
        );
        let states = (0..steps.len())
            .map(|t| OracleState {
                step: steps[t] as u64,
                particles: particles[t].clone(),
                f: f[t].clone(),
                risk: risk[t],
                objective: objective[t],
                tv_norm: tv[t],
                param_norm: param[t],
                margin_f1: f1[t],
                margin_param: mp[t],
                margin_f2: f2[t],
                velocity: velocity[t].clone(),
                velocity_f32: velocity_f32[t].clone(),
                scale_w: scale_w[t].clone(),
                scale_a: scale_a[t].clone(),
                near_kink: near[t].iter().map(|&v| v != 0.0).collect(),
            })
            .collect();
        OracleFlow {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            batch: Batch {
                d,
                datasets: vec![Arc::new(data)],
                runs: vec![run],
                state: StateFormat::F32,
            },
            start: Particles { d, w: w0, a: a0 },
            step: p["step"].as_f64().unwrap(),
            schedule,
            horizon_f64: p["horizon_f64"].as_u64().unwrap(),
            horizon_f32: p["horizon_f32"].as_u64().unwrap(),
            states,
        }
    }

    /// Step sizes of updates from..to.
    pub fn steps(&self, from: u64, to: u64) -> Steps {
        Steps {
            eta: (from..to)
                .map(|k| self.schedule.step(self.step, k, to))
                .collect(),
            evaluate: vec![false; (to - from) as usize],
        }
    }
}
