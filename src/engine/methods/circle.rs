//! d = 2: the circle of directions of a particle, cut where activation patterns change. Pure
//! geometry, for the short cuts of the engines.
//!
//! A sample x is active for the open half circle of directions w around x; its two ends are the
//! perpendiculars of x. The 2n ends, sorted once, cut the circle into arcs on which
//! G = Σ_i g_i 1[w·x_i > 0] x_i is constant. A step then costs O(m + n): each particle reads its
//! arc's G, and predictions come from sums of a_j w_j per arc.
//!
//! Sides are decided by products of two f32, which f64 holds exactly: a particle on the kink of a
//! sample is found to be there, and σ'(0) = 0 holds as in the direct kernels.

use std::cmp::Ordering;

use crate::data::Dataset;

/// The circle of directions, cut by one data set. A position is an arc (0..P), an end itself
/// (P..2P, in the order of the arcs that begin there), or 2P for a particle at the origin.
#[derive(Debug)]
pub(in crate::engine) struct Circle {
    /// Counterclockwise from the direction (1, 0), which may be an end itself. The opposite of every end is
    /// an end too, so the second half is the first half rotated by half a circle.
    pub ends: Vec<[f32; 2]>,
    /// In the order of their perpendicular axes.
    pub samples: Vec<Spanning>,
    /// Samples of the data set, those at the origin included.
    pub n: usize,
}

/// A sample that is not zero: active from end `enter` to end `leave`, both excluded.
#[derive(Debug)]
pub(in crate::engine) struct Spanning {
    /// Its place in the data set.
    pub index: usize,
    pub x: [f32; 2],
    pub enter: usize,
    pub leave: usize,
}

impl Spanning {
    /// Its end on the first half of the circle.
    pub fn axis(&self) -> usize {
        self.enter.min(self.leave)
    }

    /// Whether the sample becomes active at that end.
    pub fn enters_first(&self) -> bool {
        self.enter < self.leave
    }
}

/// u × v; its sign is exact for vectors of f32.
pub(in crate::engine) fn cross(u: [f32; 2], v: [f32; 2]) -> f64 {
    f64::from(u[0]) * f64::from(v[1]) - f64::from(u[1]) * f64::from(v[0])
}

/// Order by angle in [0, 2π).
pub(in crate::engine) fn by_angle(u: &[f32; 2], v: &[f32; 2]) -> Ordering {
    let lower = |u: &[f32; 2]| u[1] < 0.0 || (u[1] == 0.0 && u[0] < 0.0);
    lower(u).cmp(&lower(v)).then_with(|| {
        let side = cross(*u, *v);
        0.0_f64.partial_cmp(&side).unwrap_or(Ordering::Equal)
    })
}

/// The end at which a sample becomes active, counterclockwise; it becomes inactive at the opposite end.
pub(in crate::engine) fn entry(x: [f32; 2]) -> [f32; 2] {
    [x[1], -x[0]]
}

/// 1 − x/(|x| + |y|) for y ≥ 0 and 3 + x/(|x| + |y|) below: in [0, 4], it rises with the angle in
/// [0, 2π).
pub(in crate::engine) fn key([x, y]: [f32; 2]) -> f64 {
    let (x, y) = (f64::from(x), f64::from(y));
    let share = x / (x.abs() + y.abs());
    if y < 0.0 { 3.0 + share } else { 1.0 - share }
}

impl Circle {
    pub fn new(data: &Dataset) -> Self {
        let rows = data.x.chunks_exact(2).map(|x| [x[0], x[1]]).enumerate();
        let kept: Vec<(usize, [f32; 2])> = rows.filter(|(_, x)| *x != [0.0; 2]).collect();
        let leave = |x| entry(x).map(|v| -v);
        let both = kept.iter().flat_map(|&(_, x)| [entry(x), leave(x)]);
        let mut ends: Vec<[f32; 2]> = both.collect();
        ends.sort_by(by_angle);
        ends.dedup_by(|u, v| by_angle(u, v) == Ordering::Equal);
        let place = |end: [f32; 2]| ends.partition_point(|e| by_angle(e, &end) == Ordering::Less);
        let samples = kept.iter().map(|&(index, x)| Spanning {
            index,
            x,
            enter: place(entry(x)),
            leave: place(leave(x)),
        });
        let mut samples: Vec<Spanning> = samples.collect();
        samples.sort_by_key(Spanning::axis);
        Circle {
            samples,
            ends,
            n: data.n(),
        }
    }

    /// Number of positions, the origin included.
    pub fn positions(&self) -> usize {
        2 * self.ends.len() + 1
    }

    /// Number of arcs: the first positions.
    pub fn arcs(&self) -> usize {
        self.ends.len()
    }

    /// Position of a direction.
    pub fn locate(&self, w: [f32; 2]) -> usize {
        let ends = self.ends.len();
        if w == [0.0; 2] || ends == 0 {
            return 2 * ends;
        }
        let before = self
            .ends
            .partition_point(|e| by_angle(e, &w) != Ordering::Greater);
        let p = (before + ends - 1) % ends;
        if by_angle(&self.ends[p], &w) == Ordering::Equal {
            ends + p
        } else {
            p
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zero, duplicate, parallel and opposite samples, and sizes whose products overflow f32.
    #[test]
    fn samples_are_active_between_their_ends() {
        let x = [
            [1.0, 0.5],
            [0.0, 0.0],
            [-2.0, -1.0],
            [1.0, 0.5],
            [0.0, -1.0],
            [1e-40, 1e38],
            [-1e38, 1e-30],
            [2.0, 1.0000001],
        ];
        let data = Dataset {
            d: 2,
            x: x.concat(),
            y: vec![1.0; x.len()],
        };
        let circle = Circle::new(&data);
        let ends = circle.ends.len();
        assert_eq!((circle.n, circle.samples.len(), ends), (8, 7, 10));
        let sorted = circle.ends.windows(2).map(|e| by_angle(&e[0], &e[1]));
        assert!(sorted.into_iter().all(|order| order == Ordering::Less));
        for (p, e) in circle.ends.iter().enumerate() {
            let turned = circle.ends[(p + ends / 2) % ends];
            assert_eq!(cross(*e, turned), 0.0);
            assert_eq!(circle.locate(*e), ends + p);
        }
        for s in &circle.samples {
            let active = |p: usize| (p + ends - s.enter) % ends < ends / 2;
            for p in 0..ends {
                let (from, to) = (circle.ends[p], circle.ends[(p + 1) % ends]);
                // Normalised to equal size: otherwise the sum may round to one of them.
                let unit = |v: [f32; 2]| v.map(|c| c / v[0].abs().max(v[1].abs()));
                let (from, to) = (unit(from), unit(to));
                let w = [from[0] + to[0], from[1] + to[1]];
                if circle.locate(w) == p {
                    assert_eq!(cross(entry(s.x), w) > 0.0, active(p), "{s:?} on {p}");
                }
            }
        }
    }
}
