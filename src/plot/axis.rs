//! Axes fitted to the values: scale, limits, ticks and their labels.

use std::ops::Range;

use super::figure::{Axis, Scale};

/// Ratio of the largest to the smallest value above which an axis is logarithmic: a little more than a
/// decade.
pub const FAR: f64 = 12.0;
/// Bound of the limits of all axes, so that limits and lengths are finite: runs that diverge have values up
/// to the largest f64, and an axis extends beyond its outermost value.
const LARGEST: f64 = 1e280;
/// Margin beyond the outermost values, as a share of the axis.
const MARGIN: f64 = 0.04;
/// Largest number of decades that have a tick each.
const DECADES: usize = 24;

/// An axis with its scale, limits and ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedAxis {
    pub scale: Scale,
    /// Limits, as values.
    pub low: f64,
    pub high: f64,
    /// Value and label; the label is empty if it does not fit.
    pub ticks: Vec<(f64, String)>,
}

impl FittedAxis {
    /// Fits an axis to these values; `room` is the largest number of ticks with labels.
    pub fn new(axis: &Axis, values: impl Iterator<Item = f64>, room: usize) -> Self {
        let mut range = ValueRange::default();
        values.for_each(|v| range.add(v));
        if let Some(value) = axis.include {
            range.add(value);
        }
        if let Some((low, high)) = axis.range {
            (range.low, range.high) = (low, high);
        }
        let scale = range.scale(axis.scale);
        let (low, high) = match axis.range {
            Some(range) if range.0 < range.1 => range,
            _ => range.ends(scale),
        };
        let mut fitted = FittedAxis {
            scale,
            low,
            high,
            ticks: Vec::new(),
        };
        fitted.ticks = fitted.ticks_within(axis.ticks.as_deref(), room.max(3));
        if axis.mirrored {
            let words = fitted.ticks.iter_mut().map(|(_, word)| word);
            words.for_each(|word| *word = word.trim_start_matches('−').to_owned());
        }
        fitted
    }

    /// Position of a value between 0 and 1; values beyond the limits are clamped to them.
    pub fn place(&self, value: f64) -> f64 {
        let (low, high) = (self.unit(self.low), self.unit(self.high));
        ((self.unit(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn unit(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Asinh => value.asinh(),
            _ => value,
        }
    }

    fn ticks_within(&self, wanted: Option<&[f64]>, room: usize) -> Vec<(f64, String)> {
        let inside = |v: &f64| (self.low..=self.high).contains(v);
        if let Some(wanted) = wanted {
            let mut wanted: Vec<f64> = wanted.iter().copied().filter(inside).collect();
            wanted.sort_by(f64::total_cmp);
            wanted.dedup();
            if (1..=2 * room).contains(&wanted.len()) {
                return self.wanted(&wanted, room);
            }
        }
        match self.scale {
            Scale::Log => self.log_ticks(room),
            Scale::Asinh => self.asinh_ticks(room),
            _ => linear_ticks(self.low, self.high, room),
        }
    }

    /// Ticks at given values, with labels where these do not overlap.
    fn wanted(&self, wanted: &[f64], room: usize) -> Vec<(f64, String)> {
        let mut last = f64::NEG_INFINITY;
        let each = wanted.iter().zip(alike(wanted)).map(|(&v, word)| {
            let place = self.place(v);
            if place - last < 0.9 / room as f64 {
                return (v, String::new());
            }
            last = place;
            (v, word)
        });
        each.collect()
    }

    fn log_ticks(&self, room: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.low.log10(), self.high.log10());
        let (from, to) = ((low - 1e-9).ceil() as i32, (high + 1e-9).floor() as i32);
        let decades = (to - from + 1).max(0) as usize;
        if decades >= 3 || high - low > 2.2 {
            let stride = stride(from, to, room);
            let words = |k: i32| match k.rem_euclid(stride) {
                0 => power(k),
                _ => String::new(),
            };
            let ticks = (from..=to).map(|k| (10f64.powi(k), words(k)));
            // More ticks would merge into a black bar.
            let few = decades <= DECADES;
            return ticks.filter(|(_, word)| few || !word.is_empty()).collect();
        }
        let inside = |v: &f64| (self.low * (1.0 - 1e-9)..=self.high * (1.0 + 1e-9)).contains(v);
        for factors in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
            let each = (from - 1..=to).flat_map(|k| factors.iter().map(move |f| f * 10f64.powi(k)));
            let ticks: Vec<f64> = each.filter(inside).collect();
            if (2..=room).contains(&ticks.len()) {
                let words = alike(&ticks);
                return ticks.into_iter().zip(words).collect();
            }
        }
        linear_ticks(self.low, self.high, room)
    }

    fn asinh_ticks(&self, room: usize) -> Vec<(f64, String)> {
        let decade = |v: f64| v.abs().max(1.0).log10().floor() as i32;
        let most = decade(self.low).max(decade(self.high));
        let signs = usize::from(self.low < -1.0) + usize::from(self.high > 1.0);
        let stride = stride(1, most, room / signs.max(1));
        let mut ticks = vec![(0.0, "0".to_owned())];
        for k in (0..=most).filter(|k| k % stride == 0) {
            // On a long axis the labels of 1 and 0 would overlap.
            if k == 0 && most > 3 {
                continue;
            }
            let v = 10f64.powi(k);
            ticks.push((v, power(k)));
            ticks.push((-v, format!("−{}", power(k))));
        }
        ticks.retain(|(v, _)| (self.low..=self.high).contains(v));
        match ticks.len() {
            0 | 1 => linear_ticks(self.low, self.high, room),
            _ => ticks,
        }
    }
}

/// The range of an axis's values.
#[derive(Debug)]
struct ValueRange {
    low: f64,
    high: f64,
    /// The smallest positive value.
    least: f64,
}

impl Default for ValueRange {
    fn default() -> Self {
        ValueRange {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            least: f64::INFINITY,
        }
    }
}

impl ValueRange {
    fn add(&mut self, value: f64) {
        if value.is_finite() {
            let value = value.clamp(-LARGEST, LARGEST);
            self.low = self.low.min(value);
            self.high = self.high.max(value);
            if value > 0.0 {
                self.least = self.least.min(value.max(1.0 / LARGEST));
            }
        }
    }

    fn scale(&self, asked: Scale) -> Scale {
        match asked {
            Scale::Log if self.high > 0.0 => Scale::Log,
            Scale::Auto if self.low >= 0.0 && self.high > FAR * self.least => Scale::Log,
            Scale::Auto if self.low < 0.0 && self.low.abs().max(self.high) > 1e3 => Scale::Asinh,
            Scale::Asinh if self.low.abs().max(self.high) > 10.0 => Scale::Asinh,
            _ => Scale::Linear,
        }
    }

    fn ends(&self, scale: Scale) -> (f64, f64) {
        if self.low > self.high {
            return (0.0, 1.0);
        }
        if scale == Scale::Log {
            let low = if self.low > 0.0 {
                self.low.max(1.0 / LARGEST)
            } else {
                self.least
            };
            let high = self.high.max(low);
            let span = (high / low).log10();
            let room = 10f64.powf(if span > 0.0 { MARGIN * span } else { 0.3 });
            return (low / room, high * room);
        }
        if scale == Scale::Asinh {
            let room = 1.0 + 10.0 * MARGIN;
            let out = |v: f64, sign: f64| {
                if v * sign > 0.0 {
                    v * room
                } else {
                    v + 0.3 * sign
                }
            };
            return (out(self.low, -1.0), out(self.high, 1.0));
        }
        let span = self.high - self.low;
        let size = self.low.abs().max(self.high.abs());
        if size == 0.0 {
            return (-MARGIN, 1.0);
        }
        // Values that differ only by rounding count as equal.
        if span <= 1e-9 * size {
            return (self.low - 0.1 * size, self.high + 0.1 * size);
        }
        (self.low - MARGIN * span, self.high + MARGIN * span)
    }
}

/// Decades from one label to the next: the smallest round number for which all labels fit.
fn stride(from: i32, to: i32, room: usize) -> i32 {
    let words = |stride: &i32| to.div_euclid(*stride) - (from - 1).div_euclid(*stride);
    let round = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 50, 60, 80];
    let mut all = round.into_iter().chain((2..).map(|k| 50 * k));
    let suits = |stride: &i32| words(stride) <= room.max(1) as i32;
    all.find(suits).unwrap_or(1)
}

/// Consistent labels of the values on one axis: if some need a power of ten, all but the one nearest to 1
/// have one.
fn alike(values: &[f64]) -> Vec<String> {
    let written = |v: f64| match v {
        0.0 => 0,
        v => exponent(v),
    };
    let far = values.iter().any(|&v| !PLAIN.contains(&written(v)));
    let near = if far { 0..2 } else { PLAIN };
    values.iter().map(|&v| decimal(v, near.clone())).collect()
}

/// Multiples of 1, 2 or 5 times a power of ten, at most `room` of them.
fn linear_ticks(low: f64, high: f64, room: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / room as f64;
    let mut decade = rough.log10().floor() as i32;
    let factor = rough / 10f64.powi(decade);
    let step = match factor {
        f if f <= 1.0 => 1.0,
        f if f <= 2.0 => 2.0,
        f if f <= 5.0 => 5.0,
        _ => 10.0,
    };
    let unit = step * 10f64.powi(decade);
    if step == 10.0 {
        decade += 1;
    }
    let size = low.abs().max(high.abs());
    let (from, to) = (
        (low / unit - 1e-6).ceil() as i64,
        (high / unit + 1e-6).floor() as i64,
    );
    let values = (from..=to).map(|k| k as f64 * unit);
    if !(1e-3..1e5).contains(&size) {
        let e = size.log10().floor() as i32;
        let digits = (e - decade).max(0) as usize;
        return values.map(|v| (v, scientific(v, e, digits))).collect();
    }
    let digits = (-decade).max(0) as usize;
    values
        .map(|v| (v, minus(format!("{v:.digits$}"))))
        .collect()
}

fn scientific(v: f64, e: i32, digits: usize) -> String {
    if v == 0.0 {
        return "0".into();
    }
    let mantissa = v / 10f64.powi(e);
    minus(format!("{mantissa:.digits$}·{}", power(e)))
}

/// The shortest decimal of a value: 0.05, 1000, 2·10⁶.
pub fn plain(v: f64) -> String {
    decimal(v, PLAIN)
}

/// Powers of ten for which values are written without one.
const PLAIN: Range<i32> = -3..5;

fn exponent(v: f64) -> i32 {
    (v.abs() * (1.0 + 1e-12)).log10().floor() as i32
}

/// The value with a power of ten, unless its exponent is in `near`.
fn decimal(v: f64, near: Range<i32>) -> String {
    if v == 0.0 {
        return "0".into();
    }
    let e = exponent(v);
    if near.contains(&e) {
        let rounded: f64 = format!("{v:.6e}").parse().unwrap_or(v);
        return minus(format!("{rounded}"));
    }
    let mantissa = v / 10f64.powi(e);
    let rounded: f64 = format!("{mantissa:.4}").parse().unwrap_or(mantissa);
    match rounded {
        1.0 => power(e),
        m => minus(format!("{m}·{}", power(e))),
    }
}

/// 10ᵏ
fn power(k: i32) -> String {
    match k {
        0 => "1".into(),
        1 => "10".into(),
        k => format!("10{}", superscript(k)),
    }
}

fn superscript(k: i32) -> String {
    let sign = |c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32(0x2070 + c as u32 - '0' as u32).unwrap_or(c),
    };
    k.to_string().chars().map(sign).collect()
}

fn minus(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(scale: Scale, values: &[f64]) -> FittedAxis {
        FittedAxis::new(&Axis::new("", scale), values.iter().copied(), 5)
    }

    fn words(of: &FittedAxis) -> Vec<&str> {
        of.ticks.iter().map(|(_, word)| word.as_str()).collect()
    }

    #[test]
    fn scales_follow_the_values() {
        assert_eq!(fitted(Scale::Auto, &[1.0, 2.0]).scale, Scale::Linear);
        assert_eq!(fitted(Scale::Auto, &[1e-3, 2.0]).scale, Scale::Log);
        assert_eq!(fitted(Scale::Auto, &[0.0, 1e-3, 2.0]).scale, Scale::Log);
        assert_eq!(fitted(Scale::Auto, &[-1e17, 0.1]).scale, Scale::Asinh);
        assert_eq!(fitted(Scale::Log, &[-1.0, 0.0]).scale, Scale::Linear);
        assert_eq!(fitted(Scale::Auto, &[]).scale, Scale::Linear);
    }

    #[test]
    fn every_axis_has_an_extent_and_ticks() {
        let cases: [&[f64]; 12] = [
            &[1.0, f64::MAX],
            &[f64::MIN, f64::MAX],
            &[5e-324, 1.0],
            &[],
            &[0.0],
            &[3.0, 3.0],
            &[-2.0],
            &[1e-300],
            &[1e-9, 1e9],
            &[-1e17, 3.0],
            &[0.1, 0.1 + 1e-16],
            &[f64::NAN, 1.0, f64::INFINITY],
        ];
        for values in cases {
            for scale in [Scale::Auto, Scale::Linear, Scale::Log, Scale::Asinh] {
                let axis = fitted(scale, values);
                assert!(axis.low < axis.high, "{values:?} {axis:?}");
                assert!(axis.ticks.len() >= 2, "{values:?} {axis:?}");
                let said = axis.ticks.iter().filter(|(_, word)| !word.is_empty());
                assert!((1..=7).contains(&said.count()), "{values:?} {axis:?}");
                for &v in values.iter().filter(|v| v.is_finite()) {
                    assert!((0.0..=1.0).contains(&axis.place(v)), "{v} {axis:?}");
                }
            }
        }
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            words(&fitted(Scale::Linear, &[0.0, 1.0])),
            ["0.0", "0.5", "1.0"]
        );
        assert_eq!(
            words(&fitted(Scale::Log, &[1.0, 1e4])),
            ["1", "10", "10²", "10³", "10⁴"]
        );
        assert_eq!(words(&fitted(Scale::Log, &[2.0, 11.0])), ["2", "5", "10"]);
        // The labels of one axis have one format.
        assert_eq!(
            words(&fitted(Scale::Log, &[2e3, 2e5])),
            ["3·10³", "10⁴", "3·10⁴", "10⁵"]
        );
        // A long axis labels exactly those decades that do not overlap.
        assert_eq!(
            words(&fitted(Scale::Log, &[1.0, 1e138])),
            ["1", "10³⁰", "10⁶⁰", "10⁹⁰", "10¹²⁰"]
        );
        let asinh = fitted(Scale::Asinh, &[-1e17, 1e8]);
        assert_eq!(words(&asinh), ["0", "10⁶", "−10⁶", "−10¹²"]);
        assert_eq!(plain(2e6), "2·10⁶");
        assert_eq!(plain(-0.05), "−0.05");
        assert_eq!(plain(1024.0), "1024");
    }

    /// The number that a label denotes.
    fn read(word: &str) -> f64 {
        const RAISED: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹";
        let word = word.replace('−', "-");
        let raised = |c: char| c == '⁻' || RAISED.contains(c);
        let Some(start) = word.find(raised) else {
            return word.parse().unwrap();
        };
        let (base, power) = word.split_at(start);
        let power = power
            .chars()
            .map(|c| match RAISED.chars().position(|r| r == c) {
                Some(digit) => digit.to_string(),
                None => "-".to_owned(),
            });
        let power: i32 = power.collect::<String>().parse().unwrap();
        let factor = base.strip_suffix("10").unwrap().trim_end_matches('·');
        let factor: f64 = if factor.is_empty() {
            1.0
        } else {
            factor.parse().unwrap()
        };
        factor * 10f64.powi(power)
    }

    /// From less than a decade to three: every label equals its tick's value, and no two labels are the
    /// same.
    #[test]
    fn words_of_short_logarithmic_axes_are_their_values() {
        assert_eq!(
            ["−0.05", "10", "10⁻³", "2.5·10⁶", "1024"].map(read),
            [-0.05, 10.0, 1e-3, 2.5e6, 1024.0]
        );
        for k in 0..3000 {
            let low = 10f64.powf(f64::from(k % 60) / 5.0 - 6.0);
            let high = low * 10f64.powf(0.02 + f64::from(k / 60) * 0.06);
            let axis = fitted(Scale::Log, &[low, high]);
            assert_eq!(axis.scale, Scale::Log);
            let said: Vec<(f64, &str)> = (axis.ticks.iter())
                .filter(|(_, word)| !word.is_empty())
                .map(|(v, word)| (*v, word.as_str()))
                .collect();
            assert!((2..=6).contains(&said.len()), "{axis:?}");
            for (value, word) in &said {
                assert!((read(word) / value - 1.0).abs() < 1e-9, "{word}: {axis:?}");
            }
            let different = said.windows(2).all(|pair| pair[0].1 != pair[1].1);
            assert!(different, "{axis:?}");
        }
    }

    #[test]
    fn words_of_mirrored_axes_have_no_sign() {
        let axis = Axis {
            mirrored: true,
            ..Axis::new("share", Scale::Linear)
        };
        let axis = FittedAxis::new(&axis, [-0.4, 0.2].into_iter(), 5);
        assert_eq!(words(&axis), ["0.4", "0.2", "0.0", "0.2"]);
        assert_eq!(axis.ticks[0].0, -0.4);
    }
}
