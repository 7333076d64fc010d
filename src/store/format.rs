//! The bytes of a checkpoint: the safetensors format, written in a stream.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::{Deserialize, Serialize};

use super::Identity;
use super::digest;
use super::state_encoding::StateEncoding;
use crate::data::Standardization;
use crate::engine::{Clock, DualState, Precision};
use crate::observe::BestMargins;

/// The metadata of a checkpoint: everything that a reader needs to use the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetadata {
    /// Output scale α.
    pub scaling: f64,
    pub loss: String,
    pub seed: u64,
    pub version: String,
    pub engine: String,
    pub adapter: String,
    /// Sizes of the gpu engine's kernels.
    #[serde(default)]
    pub kernels: Option<String>,
    pub best: BestMargins,
    /// The standardisation of the inputs, for a standardised data file.
    pub standardization: Option<Standardization>,
    /// The identity of the run's states; older checkpoints have none.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// Names of the input columns, if the data file has any.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// Version of the format, in the header's `format`. The first version had neither this key nor a digest.
pub const FORMAT: u32 = 2;

/// The JSON header of a checkpoint: its tensors, and the metadata that a resume needs. The tensors follow
/// in the order accumulated, anchor_c, w, a, anchor_a, so that each is aligned.
pub fn header(
    state: &StateEncoding,
    clock: Clock,
    label: &RunMetadata,
    m: usize,
    d: usize,
    accumulated: &[f64],
    dual_state: Option<&DualState>,
) -> std::result::Result<String, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let json = |v: &dyn Fn() -> serde_json::Result<String>| v().map_err(|e| text(&e));
    let mut metadata = HashMap::from([
        ("format".into(), FORMAT.to_string()),
        (digest::KEY.into(), digest::BLANK.into()),
        ("scaling".into(), format!("{:?}", label.scaling)),
        ("loss".into(), label.loss.clone()),
        ("seed".into(), label.seed.to_string()),
        ("step".into(), clock.step.to_string()),
        ("time".into(), format!("{:?}", clock.time)),
        ("version".into(), label.version.clone()),
        ("exponent".into(), state.exponent.to_string()),
        ("lacking_exponent".into(), state.lacking.to_string()),
        ("train".into(), state.train.name().into()),
        ("label".into(), json(&|| serde_json::to_string(label))?),
    ]);
    let mut tensors = Vec::new();
    let mut end = 0;
    let mut tensor = |name: &str, shape: &[usize], precision| {
        let (dtype, size) = match precision {
            Precision::F32 => (Dtype::F32, 4),
            Precision::F64 => (Dtype::F64, 8),
        };
        let from = end;
        end += shape.iter().product::<usize>() * size;
        let info = TensorInfo {
            dtype,
            shape: shape.to_vec(),
            data_offsets: (from, end),
        };
        tensors.push((name.to_owned(), info));
    };
    tensor("accumulated", &[accumulated.len()], Precision::F64);
    if let Some(dual_state) = dual_state {
        tensor("anchor_c", &[dual_state.c.len()], Precision::F64);
    }
    tensor("w", &[m, d], state.precision);
    tensor("a", &[m], state.precision);
    if let Some(dual_state) = dual_state {
        tensor("anchor_a", &[m], Precision::F32);
        metadata.insert("anchor_scale".into(), format!("{:?}", dual_state.scale));
    }
    let metadata = Metadata::new(Some(metadata), tensors).map_err(|e| text(&e))?;
    let mut header = json(&|| serde_json::to_string(&metadata))?;
    // The format requires tensors to begin at a multiple of 8 bytes.
    header.extend(std::iter::repeat_n(
        ' ',
        header.len().next_multiple_of(8) - header.len(),
    ));
    Ok(header)
}

/// Bytes of one value.
pub fn size_of_value(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    }
}

/// Values as little-endian bytes.
pub fn encode(values: &[f64], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => values
            .iter()
            .flat_map(|v| (*v as f32).to_le_bytes())
            .collect(),
        Precision::F64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

/// Inverse of [`encode`].
pub fn decode(bytes: &[u8], precision: Precision) -> Vec<f64> {
    match precision {
        Precision::F32 => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f64::from(f32::from_le_bytes(*b)))
            .collect(),
        Precision::F64 => bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|b| f64::from_le_bytes(*b))
            .collect(),
    }
}

/// The layout of a checkpoint's tensors: w (m, d) and a (m) in one number format; if present, accumulated
/// (n) in f64, and of a dual state a (m) in f32 and c (n) in f64.
pub struct TensorLayout {
    pub precision: Precision,
    pub m: usize,
    pub d: usize,
}

impl TensorLayout {
    /// # Errors
    /// A tensor is missing, or has another type or shape.
    pub fn of(metadata: &Metadata, has_anchor: bool) -> std::result::Result<Self, String> {
        let find = |name: &str| metadata.info(name);
        let need = |name: &str| find(name).ok_or_else(|| format!("it has no `{name}`"));
        let w = need("w")?;
        let &[m, d] = w.shape.as_slice() else {
            return Err("w is not a matrix".into());
        };
        let precision = precision(w.dtype);
        let precision =
            precision.ok_or_else(|| format!("w holds numbers of type {:?}", w.dtype))?;
        let must = |name: &str, dtype: Dtype, length: Option<usize>| {
            let info = need(name)?;
            let fits = matches!(info.shape.as_slice(), [n] if length.is_none_or(|l| l == *n));
            match fits && info.dtype == dtype {
                true => Ok(info.shape[0]),
                false => Err(format!(
                    "`{name}` has shape {:?} and numbers of type {:?}",
                    info.shape, info.dtype
                )),
            }
        };
        must("a", w.dtype, Some(m))?;
        let n = match find("accumulated") {
            Some(_) => Some(must("accumulated", Dtype::F64, None)?),
            None => None,
        };
        if has_anchor {
            must("anchor_a", Dtype::F32, Some(m))?;
            must("anchor_c", Dtype::F64, n)?;
        }
        Ok(TensorLayout { precision, m, d })
    }
}

fn precision(dtype: Dtype) -> Option<Precision> {
    match dtype {
        Dtype::F32 => Some(Precision::F32),
        Dtype::F64 => Some(Precision::F64),
        _ => None,
    }
}
