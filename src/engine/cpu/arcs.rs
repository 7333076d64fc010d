//! Forces and predictions of the exact short cut for d = 2, on the arcs of a [`Circle`].
//!
//! Running sums along the circle add a term where a sample becomes active and subtract it where it becomes
//! inactive. The terms are rounded to integers in two units, so that the same number is subtracted as was
//! added: a neuron that no sample activates has a velocity of exactly 0, as in the direct kernels.

use bytemuck::{Pod, Zeroable};
use pulp::Simd;

use super::fixed_point::{FixedPoint, carries, largest, nearest};
use crate::engine::methods::circle::{Circle, Spanning, cross, key};

/// One position on the circle: G, and the bounds of keys between which a direction is certainly there.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C, align(16))]
pub struct Arc {
    pub g: [f32; 2],
    pub from: f32,
    pub to: f32,
}

/// How much [`keys`] may be off: 2^-24 of the share for |x| + |y| and as much for the quotient, 2^-23
/// for the last sum, and 2^-23 for the bounds themselves.
const MARGIN: f64 = 1.0 / (1 << 21) as f64;

/// Range of |x| + |y| in which f32 keys are accurate: no component has lost digits.
const SIZES: [f32; 2] = [1e-30, 1e38];

/// [`key`] of directions in f32; NaN where f32 is not accurate.
#[inline(always)]
pub fn keys<S: Simd>(simd: S, x: S::f32s, y: S::f32s) -> S::f32s {
    let splat = |v: f32| simd.splat_f32s(v);
    let size = simd.add_f32s(simd.abs_f32s(x), simd.abs_f32s(y));
    let share = simd.div_f32s(x, size);
    let above = simd.sub_f32s(splat(1.0), share);
    let below = simd.add_f32s(splat(3.0), share);
    let key = simd.select_f32s(simd.less_than_f32s(y, splat(0.0)), below, above);
    let [least, most] = SIZES.map(splat);
    let known = simd.and_m32s(
        simd.less_than_f32s(least, size),
        simd.less_than_f32s(size, most),
    );
    simd.select_f32s(known, key, splat(f32::NAN))
}

/// Number of arcs that [`Circle::follow`] tries before it searches all of them.
const NEAR: usize = 8;

/// Two sums, each as a number of coarse units and a number of fine units.
type Whole = [f64; 4];

/// Bits of a sum of all terms in a unit, which f64 holds exactly.
const ROOM: i32 = 51;

/// A coarse unit for the terms of a sum, and a fine unit for the remainders: together they cover 2 · 51
/// bits below the largest term, less twice the bits for the number of terms.
#[derive(Debug)]
struct CoarseFineUnits {
    unit: FixedPoint,
    /// Fine units of a unit, and the inverse.
    up: f64,
    down: f64,
}

impl CoarseFineUnits {
    /// For this many terms with this largest absolute value (NaN if one is not finite).
    fn new(largest: f64, terms: usize) -> Self {
        let bits = ROOM - carries(terms);
        CoarseFineUnits {
            unit: FixedPoint::new(largest, bits),
            up: f64::from(bits).exp2(),
            down: f64::from(-bits).exp2(),
        }
    }

    /// Two terms.
    #[inline(always)]
    fn pack(&self, v: [f64; 2]) -> Whole {
        let v = v.map(|v| self.unit.measure(v));
        let whole = v.map(nearest);
        let rest = [0, 1].map(|k| nearest((v[k] - whole[k]) * self.up));
        [whole[0], whole[1], rest[0], rest[1]]
    }

    /// Two sums as f64. NaN if a term was not finite, so that the run detects the divergence.
    #[inline(always)]
    fn unpack(&self, v: Whole) -> [f64; 2] {
        if self.unit.lost {
            return [f64::NAN; 2];
        }
        [0, 1].map(|k| self.unit.value(v[k] + v[k + 2] * self.down))
    }
}

#[inline(always)]
fn add(u: Whole, v: Whole) -> Whole {
    [u[0] + v[0], u[1] + v[1], u[2] + v[2], u[3] + v[3]]
}

#[inline(always)]
fn sub(u: Whole, v: Whole) -> Whole {
    [u[0] - v[0], u[1] - v[1], u[2] - v[2], u[3] - v[3]]
}

impl Circle {
    /// All positions, with G = 0. For an end, or the origin, no key is certain.
    pub fn table(&self) -> Vec<Arc> {
        let nowhere = Arc {
            g: [0.0; 2],
            from: 4.0,
            to: 0.0,
        };
        let mut table = vec![nowhere; self.positions()];
        for (p, arc) in table[..self.arcs()].iter_mut().enumerate() {
            // The last arc may extend beyond the direction (1, 0), where keys start again at 0.
            let to = self.ends.get(p + 1).map_or(5.0, |&end| key(end));
            arc.from = (key(self.ends[p]) + MARGIN) as f32;
            arc.to = (to - MARGIN) as f32;
        }
        table
    }

    /// Samples that share an axis, axis by axis.
    fn axes(&self) -> impl Iterator<Item = &[Spanning]> {
        self.samples.chunk_by(|s, t| s.axis() == t.axis())
    }

    /// Fills in G of the arcs and ends for a residual g (n).
    pub fn fill_table(&self, g: &[f64], table: &mut [Arc]) {
        let ends = self.ends.len();
        let term = |s: &Spanning| s.x.map(|x| g[s.index] * f64::from(x));
        let units = CoarseFineUnits::new(
            largest(self.samples.iter().flat_map(term)),
            2 * self.samples.len(),
        );
        let rounded = |sum| units.unpack(sum).map(|v| v as f32);
        // On the arc before the first end.
        let mut sum = Whole::default();
        for s in self.samples.iter().filter(|s| !s.enters_first()) {
            sum = add(sum, units.pack(term(s)));
        }
        let mut place = 0;
        for enters in [true, false] {
            for samples in self.axes() {
                let mut on_end = sum;
                for s in samples {
                    let term = units.pack(term(s));
                    if s.enters_first() == enters {
                        sum = add(sum, term);
                    } else {
                        sum = sub(sum, term);
                        on_end = sub(on_end, term);
                    }
                }
                table[ends + place].g = rounded(on_end);
                table[place].g = rounded(sum);
                place += 1;
            }
        }
    }

    /// Whether a direction is on an arc (never true for an end or the origin).
    #[inline(always)]
    pub fn is_on(&self, position: usize, w: [f32; 2]) -> bool {
        let Some(&from) = self.ends.get(position) else {
            return false;
        };
        let to = self.ends[(position + 1) % self.ends.len()];
        cross(from, w) > 0.0 && cross(w, to) > 0.0
    }

    /// Position of a direction that was at `last`: particles move little, so this arc and the next few are
    /// tried first.
    pub fn follow(&self, last: usize, w: [f32; 2]) -> usize {
        let ends = self.ends.len();
        if last < ends {
            let ahead = cross(w, self.ends[(last + 1) % ends]) <= 0.0;
            let mut position = last;
            for _ in 0..=NEAR {
                if self.is_on(position, w) {
                    return position;
                }
                position = match ahead {
                    true if position + 1 == ends => 0,
                    true => position + 1,
                    false if position == 0 => ends - 1,
                    false => position - 1,
                };
            }
        }
        self.locate(w)
    }

    /// Σ_j a_j σ(w_j·x_i) (n) from the sums of a_j w_j per position, of which the last may be missing
    /// where they are 0.
    pub fn predict(&self, sums: &[[f64; 2]]) -> Vec<f64> {
        let ends = self.ends.len();
        let half = ends / 2;
        let units = CoarseFineUnits::new(largest(sums.iter().copied().flatten()), self.positions());
        let at = |position: usize| {
            let sum = sums.get(position);
            sum.map_or(Whole::default(), |&sum| units.pack(sum))
        };
        let (on_arc, on_end) = (at, |p: usize| at(ends + p));
        // Over the open half circles from an end to its opposite, and back.
        let (mut ahead, mut back) = (Whole::default(), Whole::default());
        for p in 0..half {
            ahead = add(ahead, on_arc(p));
            back = add(back, on_arc(half + p));
            if p > 0 {
                ahead = add(ahead, on_end(p));
                back = add(back, on_end(half + p));
            }
        }
        let mut f = vec![0.0; self.n];
        for (p, samples) in self.axes().enumerate() {
            if p > 0 {
                let (passed, met) = (on_arc(p - 1), on_arc(half + p - 1));
                ahead = sub(add(sub(ahead, passed), met), on_end(p));
                back = sub(add(sub(back, met), passed), on_end(half + p));
                ahead = add(ahead, on_end(half + p - 1));
                back = add(back, on_end(p - 1));
            }
            for s in samples {
                let sum = units.unpack(if s.enters_first() { ahead } else { back });
                f[s.index] = f64::from(s.x[0]) * sum[0] + f64::from(s.x[1]) * sum[1];
            }
        }
        f
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    fn data(points: &[[f32; 2]]) -> Dataset {
        Dataset {
            d: 2,
            x: points.concat(),
            y: vec![1.0; points.len()],
        }
    }

    /// G by definition.
    fn plain(data: &Dataset, g: &[f64], w: [f32; 2]) -> [f64; 2] {
        let mut sum = [0.0; 2];
        for (i, g) in g.iter().enumerate() {
            let x = data.row(i);
            let z = f64::from(w[0]) * f64::from(x[0]) + f64::from(w[1]) * f64::from(x[1]);
            if z > 0.0 {
                (0..2).for_each(|k| sum[k] += g * f64::from(x[k]));
            }
        }
        sum
    }

    fn table(circle: &Circle, g: &[f64]) -> Vec<Arc> {
        let mut table = circle.table();
        circle.fill_table(g, &mut table);
        table
    }

    /// Directions on arcs, on ends and at the origin, with zero, doubled and opposite samples.
    #[test]
    fn every_position_has_the_g_of_its_definition() {
        let sets = [
            data(&[[1.0, 0.0]]),
            data(&[[0.0, 0.0]]),
            data(&[[1.0, 1.0], [1.0, 1.0], [-2.0, -2.0], [0.0, 0.0]]),
            data(&[
                [1.0, 0.5],
                [-0.25, 1.0],
                [0.0, -1.0],
                [3.0, 1.0],
                [0.5, 0.25],
            ]),
        ];
        for data in &sets {
            let circle = Circle::new(data);
            let g: Vec<f64> = (0..data.n()).map(|i| 1.0 + i as f64).collect();
            let table = table(&circle, &g);
            let mut ends = 0;
            for u in -8..=8_i32 {
                for v in -8..=8_i32 {
                    let w = [u as f32, v as f32];
                    let at = circle.locate(w);
                    for last in 0..circle.positions() {
                        assert_eq!(circle.follow(last, w), at, "{w:?} from {last}");
                    }
                    let want = plain(data, &g, w).map(|v| v as f32);
                    assert_eq!(table[at].g, want, "{w:?} at {at}");
                    let on_arc = at < circle.ends.len();
                    // An arc of half a circle is bounded by one line; both tests hold on it.
                    assert_eq!(circle.is_on(at, w), on_arc, "{w:?} at {at}");
                    ends += usize::from(!on_arc && w != [0.0; 2]);
                }
            }
            assert!(ends > 0);
        }
    }

    /// Where a large residual is not active, a residual 10⁻¹⁵ times as large keeps all its digits.
    #[test]
    fn a_large_term_leaves_no_trace() {
        let data = data(&[[1.0, 0.5], [-0.25, 1.0], [-1.0, 0.125]]);
        let circle = Circle::new(&data);
        let g = [1.0, 1e-15, 3e-15];
        let table = table(&circle, &g);
        let w = [-1.0, 1.0];
        let want = plain(&data, &g, w).map(|v| v as f32);
        assert!(want[0].abs() < 1e-14);
        assert_eq!(table[circle.locate(w)].g, want);
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        let circle = Circle::new(&data(&[[1.0, 0.5], [-0.25, 1.0]]));
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(table(&circle, &[1.0, bad])[0].g[0].is_nan());
            let mut sums = vec![[0.0; 2]; circle.positions()];
            sums[1][0] = bad;
            assert!(circle.predict(&sums)[0].is_nan());
        }
    }

    #[test]
    fn predictions_are_sums_over_active_particles() {
        let data = data(&[[1.0, 0.5], [-0.25, 1.0], [0.0, -1.0], [0.0, 0.0]]);
        let circle = Circle::new(&data);
        let mut sums = vec![[0.0; 2]; circle.positions()];
        let mut want = vec![0.0; data.n()];
        for (u, v, a) in [
            (1, 2, 3.0),
            (-1, 2, -1.0),
            (2, -4, 0.5),
            (0, 0, 9.0),
            (1, -2, 2.0),
        ] {
            let w = [u as f32, v as f32];
            let at = circle.locate(w);
            sums[at][0] += a * f64::from(w[0]);
            sums[at][1] += a * f64::from(w[1]);
            for (i, want) in want.iter_mut().enumerate() {
                let x = data.row(i);
                *want += a * f64::from(w[0] * x[0] + w[1] * x[1]).max(0.0);
            }
        }
        assert_eq!(circle.predict(&sums), want);
    }
}
