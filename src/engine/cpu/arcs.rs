//! Forces and predictions of the exact short cut for d = 2, on the arcs of a [`Circle`].
//!
//! Running sums along the circle add a term where it enters and take it away where it leaves. They
//! are integers (fixed point, 112 bits below the largest term), so that what is taken away is what
//! was added: a neuron that no sample activates has a velocity of exactly 0, as in the direct kernels.

use super::unit::{Unit, carries, largest};
use crate::engine::circle::{Circle, Spanning, cross};

/// One arc: its two ends, counterclockwise, and G on it.
#[derive(Debug, Clone, Copy)]
pub struct Arc {
    pub g: [f32; 2],
    from: [f32; 2],
    to: [f32; 2],
}

/// Arcs on which [`Circle::follow`] looks before it searches them all.
const NEAR: usize = 8;

/// Running sums in the making, kept from step to step: fresh memory would cost more than the sums.
#[derive(Debug, Default, Clone)]
pub struct Work {
    entering: Vec<[i128; 2]>,
    leaving: Vec<[i128; 2]>,
    running: Vec<[i128; 2]>,
}

/// Bits of a sum of all terms.
const ROOM: i32 = 124;

/// Two terms as whole numbers of a unit.
fn pack(unit: &Unit, v: [f64; 2]) -> [i128; 2] {
    v.map(|v| unit.measure(v) as i128)
}

/// Two sums of terms. What was not finite has no sum; the run must notice.
fn unpack(unit: &Unit, v: [i128; 2]) -> [f64; 2] {
    if unit.lost {
        return [f64::NAN; 2];
    }
    v.map(|v| unit.value(v as f64))
}

fn add(u: [i128; 2], v: [i128; 2]) -> [i128; 2] {
    [u[0] + v[0], u[1] + v[1]]
}

fn sub(u: [i128; 2], v: [i128; 2]) -> [i128; 2] {
    [u[0] - v[0], u[1] - v[1]]
}

impl Circle {
    /// Fills in the arcs and ends with their G for a residual g (n).
    pub fn fill_table(&self, g: &[f64], table: &mut Vec<Arc>, work: &mut Work) {
        let ends = self.ends.len();
        let term = |s: &Spanning| s.x.map(|x| g[s.index] * f64::from(x));
        let room = ROOM - carries(2 * self.samples.len());
        let unit = Unit::new(largest(self.samples.iter().flat_map(term)), room);
        let Work {
            entering, leaving, ..
        } = work;
        for sums in [&mut *entering, &mut *leaving] {
            sums.clear();
            sums.resize(ends, [0; 2]);
        }
        // On the arc before the first end.
        let mut sum = [0; 2];
        for s in &self.samples {
            let term = pack(&unit, term(s));
            entering[s.enter] = add(entering[s.enter], term);
            leaving[s.leave] = add(leaving[s.leave], term);
            if s.enter > s.leave {
                sum = add(sum, term);
            }
        }
        let rounded = |sum| unpack(&unit, sum).map(|v| v as f32);
        let nowhere = Arc {
            g: [0.0; 2],
            from: [0.0; 2],
            to: [0.0; 2],
        };
        table.resize(self.positions(), nowhere);
        for p in 0..ends {
            let on_end = sub(sum, leaving[p]);
            sum = add(on_end, entering[p]);
            table[ends + p].g = rounded(on_end);
            table[p] = Arc {
                g: rounded(sum),
                from: self.ends[p],
                to: self.ends[(p + 1) % ends],
            };
        }
    }

    /// Whether a direction is still on an arc (never true for an end or the origin).
    #[inline(always)]
    pub fn is_on(arc: &Arc, w: [f32; 2]) -> bool {
        cross(arc.from, w) > 0.0 && cross(w, arc.to) > 0.0
    }

    /// Position of a direction that was at `last`: particles move little, so it is looked for on
    /// the next few arcs first.
    #[inline(always)]
    pub fn follow(&self, table: &[Arc], last: usize, w: [f32; 2]) -> usize {
        let ends = self.ends.len();
        if last < ends {
            let ahead = cross(w, table[last].to) <= 0.0;
            let mut position = last;
            for _ in 0..NEAR {
                position = match ahead {
                    true if position + 1 == ends => 0,
                    true => position + 1,
                    false if position == 0 => ends - 1,
                    false => position - 1,
                };
                if Circle::is_on(&table[position], w) {
                    return position;
                }
            }
        }
        self.locate(w)
    }

    /// Σ_j a_j σ(w_j·x_i) (n) from the sums of a_j w_j per position.
    pub fn predict(&self, sums: &[[f64; 2]], work: &mut Work) -> Vec<f64> {
        let ends = self.ends.len();
        let room = ROOM - carries(sums.len());
        let unit = Unit::new(largest(sums.iter().copied().flatten()), room);
        // Running sums along the circle: end 0, arc 0, end 1, arc 1, …
        let running = &mut work.running;
        running.clear();
        let mut total = [0; 2];
        running.push(total);
        for p in 0..ends {
            for position in [ends + p, p] {
                total = add(total, pack(&unit, sums[position]));
                running.push(total);
            }
        }
        let mut f = vec![0.0; self.n];
        for s in &self.samples {
            let inside = sub(running[2 * s.leave], running[2 * s.enter + 1]);
            let around = if s.enter > s.leave { total } else { [0; 2] };
            let sum = unpack(&unit, add(around, inside));
            let x = s.x.map(f64::from);
            f[s.index] = x[0] * sum[0] + x[1] * sum[1];
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
        let mut table = Vec::new();
        circle.fill_table(g, &mut table, &mut Work::default());
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
                        assert_eq!(circle.follow(&table, last, w), at, "{w:?} from {last}");
                    }
                    let want = plain(data, &g, w).map(|v| v as f32);
                    assert_eq!(table[at].g, want, "{w:?} at {at}");
                    let on_arc = at < circle.ends.len();
                    // An arc of half a circle is bounded by one line; both tests hold on it.
                    assert_eq!(Circle::is_on(&table[at], w), on_arc, "{w:?} at {at}");
                    ends += usize::from(!on_arc && w != [0.0; 2]);
                }
            }
            assert!(ends > 0);
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        let circle = Circle::new(&data(&[[1.0, 0.5], [-0.25, 1.0]]));
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(table(&circle, &[1.0, bad])[0].g[0].is_nan());
            let mut sums = vec![[0.0; 2]; circle.positions()];
            sums[1][0] = bad;
            assert!(circle.predict(&sums, &mut Work::default())[0].is_nan());
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
        assert_eq!(circle.predict(&sums, &mut Work::default()), want);
    }
}
