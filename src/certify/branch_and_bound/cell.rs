//! Cones whose walls are hyperplanes of samples.

use super::Cone;
use super::least_norm::{Column, shorten, sweep};
use super::unit_sum::{Best, UnitSum};
use crate::certify::input_matrix::{add, dot, norm};

/// Sizes of θ·u below which a sample counts as having one sign on a cone.
const ONE_SIGN: f64 = 1e-13;
/// Sweeps over the multipliers of a bound, and of the range of a sample.
const SWEEPS: usize = 40;
const RANGE_SWEEPS: usize = 4;
/// Steps of the exact solve, per dimension, for a cone without convex samples.
const EXACT_STEPS: usize = 20;
/// The range of a convex sample is computed if its chord may lie above it by this share of its part of the
/// distance between bound and target.
const NOTICEABLE: f64 = 0.1;
/// The bound is computed again with the new ranges if they lower its chords by this share of that distance.
const WORTHWHILE: f64 = 0.05;

/// A cone cut along the hyperplanes of convex samples. Its ranges and its bound are for the unit directions with
/// V > target on it.
#[derive(Clone)]
pub struct Cell {
    bound: f64,
    /// Number in `convex` of the sample along whose hyperplane to cut next.
    next: Option<usize>,
    /// Σ c_i u_i (d) of samples that are linear on the cone, with what that leaves out at most.
    linear: Vec<f64>,
    offset: f64,
    /// Samples of both signs on the cone.
    convex: Vec<Mixed>,
    concave: Vec<Mixed>,
    walls: Vec<Wall>,
}

/// A sample with low ≤ θ·u ≤ high, low < 0 < high.
#[derive(Debug, Clone, Copy)]
struct Mixed {
    row: u32,
    low: f64,
    high: f64,
    /// The slope t of a concave sample.
    t: f64,
}

/// side·u·θ ≥ 0 on the cone.
#[derive(Debug, Clone, Copy)]
struct Wall {
    row: u32,
    side: f64,
    multiplier: f64,
}

/// V(θ) ≤ constant + r·θ + error on the unit directions of a cone; `error` is of rounding.
struct UpperForm {
    constant: f64,
    r: Vec<f64>,
    error: f64,
}

/// The unit directions with axis·θ ≥ cos: where V may exceed the target.
struct Cap {
    axis: Vec<f64>,
    cos: f64,
}

impl Mixed {
    /// Slope of the chord of σ between low and high.
    fn slope(&self) -> f64 {
        self.high / (self.high - self.low)
    }

    /// Height of the chord at 0, where it is farthest above σ.
    fn height(&self) -> f64 {
        -self.low * self.slope()
    }

    fn has_both_signs(&self) -> bool {
        self.low < -ONE_SIGN && self.high > ONE_SIGN
    }
}

impl Cone for Cell {
    const BATCH: usize = 256;

    fn cover(sum: &UnitSum, target: f64, best: &mut Best) -> Vec<Self> {
        let (convex, concave) = sum.by_sign();
        let mixed = |row| Mixed {
            row,
            low: -1.0,
            high: 1.0,
            t: 0.5,
        };
        let mut all = Cell {
            // |V| ≤ Σ|c_i|
            bound: 1.0 + sum.resolution(),
            next: None,
            linear: vec![0.0; sum.d()],
            offset: 0.0,
            convex: convex.into_iter().map(mixed).collect(),
            concave: concave.into_iter().map(mixed).collect(),
            walls: Vec::new(),
        };
        all.tighten(sum, target, best);
        vec![all]
    }

    fn bound(&self) -> f64 {
        self.bound
    }

    fn cut(mut self, sum: &UnitSum, target: f64, best: &mut Best) -> Option<[Self; 2]> {
        let next = self.next.filter(|_| self.bound > sum.resolution())?;
        let mut other = self.clone();
        self.convex[next].low = 0.0;
        other.convex[next].high = 0.0;
        for (part, side) in [(&mut self, 1.0), (&mut other, -1.0)] {
            part.walls.push(Wall {
                row: part.convex[next].row,
                side,
                multiplier: 0.0,
            });
            part.tighten(sum, target, best);
        }
        Some([self, other])
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<Mixed>() * (self.convex.len() + self.concave.len())
            + size_of::<Wall>() * self.walls.len()
            + size_of::<f64>() * self.linear.len()
    }
}

impl Cell {
    /// Lowers the bound, narrows the ranges of samples, and chooses the next cut.
    fn tighten(&mut self, sum: &UnitSum, target: f64, best: &mut Best) {
        self.next = None;
        self.move_linear(sum);
        let mut form = self.lower_bound(sum, target);
        if self.bound <= target {
            return;
        }
        if !self.convex.is_empty() && self.narrow(sum, target, &form) {
            form = self.lower_bound(sum, target);
            if self.bound <= target {
                return;
            }
        }
        let mut r = form.r;
        let size = norm(&r);
        if size > 0.0 {
            r.iter_mut().for_each(|r| *r /= size);
            best.try_direction(sum, &r);
        }
        // The sample whose chord is farthest above it at the maximiser of the bound.
        let excess = |sample: &Mixed| {
            let z = dot(&r, sum.row(sample.row));
            let chord = sample.slope() * (z - sample.low);
            sum.weight(sample.row) * (chord - z.max(0.0))
        };
        let excesses = self.convex.iter().map(excess).enumerate();
        self.next = excesses
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(at, _)| at);
    }

    /// Moves samples of one sign to the linear part. A concave sample stays bounded with any slope t, 0 and 1
    /// included.
    fn move_linear(&mut self, sum: &UnitSum) {
        let Cell {
            linear,
            offset,
            convex,
            concave,
            ..
        } = self;
        convex.retain(|sample| {
            let weight = sum.weight(sample.row);
            if sample.high <= ONE_SIGN {
                *offset += weight * sample.high.max(0.0);
            } else if sample.low >= -ONE_SIGN {
                add(linear, weight, sum.row(sample.row));
                *offset -= weight * sample.low.min(0.0);
            } else {
                return true;
            }
            false
        });
        concave.retain(|sample| {
            if sample.high > ONE_SIGN && sample.low >= -ONE_SIGN {
                add(linear, sum.weight(sample.row), sum.row(sample.row));
            }
            sample.has_both_signs()
        });
    }

    /// The form of the present multipliers and slopes.
    fn upper_form(&self, sum: &UnitSum) -> UpperForm {
        let (mut constant, mut r) = (self.offset, self.linear.clone());
        let mut size = 1.0;
        for sample in &self.convex {
            let weight = sum.weight(sample.row);
            add(&mut r, weight * sample.slope(), sum.row(sample.row));
            constant += weight * sample.height();
        }
        for sample in &self.concave {
            let weight = sum.weight(sample.row);
            add(&mut r, weight * sample.t, sum.row(sample.row));
        }
        for wall in &self.walls {
            add(&mut r, wall.side * wall.multiplier, sum.row(wall.row));
            size += wall.multiplier;
        }
        // Each term is in at most n + walls additions, those of the linear part included.
        let terms = (sum.n() + self.walls.len() + sum.d() + 16) as f64;
        UpperForm {
            constant,
            r,
            error: 4.0 * terms * f64::EPSILON * size,
        }
    }

    /// Lowers the bound over multipliers and slopes; the form that gives it.
    fn lower_bound(&mut self, sum: &UnitSum, target: f64) -> UpperForm {
        let UpperForm {
            constant,
            mut r,
            error,
        } = self.upper_form(sum);
        let enough = target - constant - error;
        let is_last = self.convex.is_empty();
        let walls = self.walls.iter().map(|wall| Column {
            a: sum.row(wall.row),
            sign: wall.side,
            y: wall.multiplier,
            most: f64::INFINITY,
        });
        let slopes = self.concave.iter().map(|sample| {
            let weight = -sum.weight(sample.row);
            Column {
                a: sum.row(sample.row),
                sign: -1.0,
                y: weight * sample.t,
                most: weight,
            }
        });
        let mut columns: Vec<Column> = walls.chain(slopes).collect();
        sweep(&mut r, &mut columns, enough, SWEEPS);
        if is_last && norm(&r) > enough {
            shorten(&mut r, &mut columns, EXACT_STEPS * sum.d());
        }
        let mut y = columns.into_iter().map(|column| column.y);
        let walls = self.walls.iter_mut().zip(&mut y);
        walls.for_each(|(wall, y)| wall.multiplier = y);
        for (sample, y) in self.concave.iter_mut().zip(y) {
            sample.t = (y / -sum.weight(sample.row)).min(1.0);
        }
        let form = self.upper_form(sum);
        let bound = (form.constant + norm(&form.r)) * (1.0 + 8.0 * f64::EPSILON) + form.error;
        self.bound = self.bound.min(bound);
        form
    }

    /// Narrows the ranges of samples to the part of the cone where V may exceed the target, and drops walls of no
    /// use; whether the bound is to be computed again, which then may be lower, or has no chord left.
    fn narrow(&mut self, sum: &UnitSum, target: f64, form: &UpperForm) -> bool {
        let size = norm(&form.r);
        let cos = (target - form.constant - form.error) / size - 1e-12;
        let cap = (cos > 0.0).then(|| Cap {
            axis: form.r.iter().map(|r| r / size).collect(),
            cos: cos.min(1.0),
        });
        let mut is_used: Vec<bool> = self.walls.iter().map(|w| w.multiplier > 0.0).collect();
        let open = self.bound - target;
        let noticeable = NOTICEABLE * open / self.convex.len() as f64;
        let mut gained = 0.0;
        let mut reach = Reach::new(sum, &self.walls, cap.as_ref());
        for sample in &mut self.convex {
            let weight = sum.weight(sample.row);
            let before = weight * sample.height();
            let u = sum.row(sample.row);
            reach.within_cap(sample, u);
            if sample.has_both_signs() && weight * sample.height() > noticeable {
                sample.high = sample.high.min(reach.within_cone(u, 1.0, &mut is_used));
                sample.low = sample.low.max(-reach.within_cone(u, -1.0, &mut is_used));
            }
            gained += before;
            if sample.has_both_signs() {
                gained -= weight * sample.height();
            }
        }
        for sample in &mut self.concave {
            let u = sum.row(sample.row);
            reach.within_cap(sample, u);
            // Only the side on which the maximiser is not can turn out empty.
            if sample.has_both_signs() {
                match sample.t < 0.5 {
                    true => sample.high = sample.high.min(reach.within_cone(u, 1.0, &mut is_used)),
                    false => sample.low = sample.low.max(-reach.within_cone(u, -1.0, &mut is_used)),
                }
            }
        }
        let mut is_used = is_used.into_iter();
        self.walls.retain(|_| is_used.next() == Some(true));
        self.move_linear(sum);
        gained > WORTHWHILE * open || self.convex.is_empty()
    }
}

/// Upper bounds of ±u·θ on a cone and a cap.
struct Reach<'a> {
    sum: &'a UnitSum,
    walls: Vec<Wall>,
    cap: Option<&'a Cap>,
    w: Vec<f64>,
}

impl<'a> Reach<'a> {
    fn new(sum: &'a UnitSum, walls: &[Wall], cap: Option<&'a Cap>) -> Self {
        Reach {
            sum,
            walls: walls.to_vec(),
            cap,
            w: vec![0.0; sum.d()],
        }
    }

    /// Narrows the range of a sample of row u to the cap.
    fn within_cap(&self, sample: &mut Mixed, u: &[f64]) {
        let Some(cap) = self.cap else { return };
        let along = dot(&cap.axis, u);
        let error = 4.0 * (u.len() + 8) as f64 * f64::EPSILON;
        sample.high = sample.high.min(cap.most(along, 1.0) + error);
        sample.low = sample.low.max(-cap.most(-along, 1.0) - error);
    }

    /// max sign·u·θ ≤ |w| for w = sign·u + Σ_k μ_k b_k over the walls b_k·θ ≥ 0, with any μ ≥ 0; less on the cap.
    /// Marks the walls that were used.
    fn within_cone(&mut self, u: &[f64], sign: f64, is_used: &mut [bool]) -> f64 {
        let w = &mut self.w;
        w.iter_mut().zip(u).for_each(|(w, u)| *w = sign * u);
        self.walls.iter_mut().for_each(|wall| wall.multiplier = 0.0);
        let mut terms = (self.sum.d() + 8) as f64;
        let mut last = 1.0;
        for _ in 0..RANGE_SWEEPS {
            for wall in &mut self.walls {
                let b = self.sum.row(wall.row);
                let new = (wall.multiplier - wall.side * dot(w, b)).max(0.0);
                let change = new - wall.multiplier;
                if change != 0.0 {
                    wall.multiplier = new;
                    add(w, change * wall.side, b);
                    terms += 1.0 + change.abs();
                }
            }
            let now = dot(w, w);
            if now > 0.95 * last || now < ONE_SIGN * ONE_SIGN {
                break;
            }
            last = now;
        }
        let used = is_used.iter_mut().zip(&self.walls);
        used.for_each(|(is_used, wall)| *is_used |= wall.multiplier > 0.0);
        let size = norm(w);
        let most = match self.cap {
            Some(cap) => cap.most(dot(w, &cap.axis), size),
            None => size,
        };
        most + 4.0 * terms * f64::EPSILON
    }
}

impl Cap {
    /// max w·θ over the cap, for w of a given length and component along the axis.
    fn most(&self, along: f64, size: f64) -> f64 {
        if along >= self.cos * size {
            return size;
        }
        let across = (size * size - along * along).max(0.0);
        along * self.cos + (across * (1.0 - self.cos * self.cos)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::branch_and_bound::tests::problem;
    use crate::certify::input_matrix::InputMatrix;
    use crate::random::{Draws, Stream};

    /// Bounds and ranges of many cells hold at the directions inside that they are for.
    #[test]
    fn ranges_hold_inside_the_cells() {
        let (mut inside, mut narrowed) = (0, 0);
        for (d, seed) in [(2, 0), (3, 1), (5, 2), (8, 3)] {
            let (data, q) = problem(seed, 14, d);
            let sum = UnitSum::new(&InputMatrix::new(&data), &q, 1.0);
            let directions: Vec<Vec<f64>> = (0..4000)
                .map(|k| {
                    let mut theta = vec![0.0; d];
                    Draws::new(seed, Stream::Probe, 1, k, 0).fill_sphere(&mut theta);
                    theta
                })
                .collect();
            let values = directions.iter().map(|theta| sum.value(theta));
            let target = 0.5 * values.fold(0.0, f64::max);
            let mut best = Best::default();
            let cover = Cell::cover(&sum, target, &mut best).into_iter();
            // Cells with the rows and sides of all their cuts.
            let mut cells: Vec<(Cell, Vec<(u32, f64)>)> = cover.map(|c| (c, vec![])).collect();
            for at in 0..200 {
                let Some((cell, cuts)) = cells.get(at).cloned() else {
                    break;
                };
                for theta in &directions {
                    let along = |row| dot(sum.row(row), theta);
                    let value = sum.value(theta);
                    if value <= target || cuts.iter().any(|&(row, side)| side * along(row) < 0.0) {
                        continue;
                    }
                    inside += 1;
                    assert!(value <= cell.bound, "d {d}, cell {at}");
                    for sample in &cell.convex {
                        let z = along(sample.row);
                        assert!(sample.low <= z && z <= sample.high, "d {d}, cell {at}");
                        narrowed += usize::from(sample.high < 0.9);
                    }
                }
                let row = cell.next.map(|next| cell.convex[next].row);
                let parts = cell.cut(&sum, target, &mut best).into_iter().flatten();
                for (part, (row, side)) in
                    parts.zip(row.into_iter().flat_map(|row| [(row, 1.0), (row, -1.0)]))
                {
                    let cuts = cuts.iter().copied().chain([(row, side)]);
                    cells.push((part, cuts.collect()));
                }
            }
        }
        assert!(inside > 1000 && narrowed > 1000, "{inside}, {narrowed}");
    }
}
