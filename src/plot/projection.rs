//! The projection in which particles are drawn as points, and its unit of length.

/// A particle as the point w √(|a|/|w|), whose squared length is the mass |a||w|.
#[derive(Debug, Clone)]
pub struct Particle {
    pub point: Vec<f64>,
    /// The output weight a.
    pub sign: f64,
}

impl Particle {
    pub fn new(w: &[f64], a: f64) -> Self {
        let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
        let factor = if norm > 0.0 {
            (a.abs() / norm).sqrt()
        } else {
            0.0
        };
        Particle {
            point: w.iter().map(|w| w * factor).collect(),
            sign: a,
        }
    }

    /// Square root of the mass.
    pub fn length(&self) -> f64 {
        self.point.iter().map(|v| v * v).sum::<f64>().sqrt()
    }
}

/// The projection of points, by their dimension.
#[derive(Debug, Clone)]
pub enum Projection {
    /// Both coordinates (d ≤ 2).
    InputPlane,
    /// The direction on the sphere (d = 3).
    Sphere,
    /// Coordinates along two orthonormal axes, and the shares of Σ |p|² along these.
    Axes([Vec<f64>; 2], [f64; 2]),
}

/// A projection, and the length of a point that is drawn at the end of an axis.
#[derive(Debug, Clone)]
pub struct View {
    pub projection: Projection,
    pub unit: f64,
}

impl View {
    /// The view that fits these particles.
    pub fn new(now: &[Particle]) -> Self {
        let projection = match now.first().map_or(0, |p| p.point.len()) {
            0..=2 => Projection::InputPlane,
            3 => Projection::Sphere,
            _ => {
                let (axes, shares) = principal(now);
                Projection::Axes(axes, shares)
            }
        };
        View {
            projection,
            unit: longest(now),
        }
    }
}

/// Length of the heaviest particle's point; 1 if there are no particles.
pub fn longest(now: &[Particle]) -> f64 {
    match now.iter().map(Particle::length).fold(0.0, f64::max) {
        most if most > 0.0 && most.is_finite() => most,
        _ => 1.0,
    }
}

/// The first two principal axes (about the origin), and the shares of Σ |p|² along these.
fn principal(now: &[Particle]) -> ([Vec<f64>; 2], [f64; 2]) {
    let d = now.first().map_or(0, |p| p.point.len());
    let total: f64 = now.iter().map(|p| p.length().powi(2)).sum();
    let mut axes: [Vec<f64>; 2] = [vec![0.0; d], vec![0.0; d]];
    let mut shares = [0.0; 2];
    for k in 0..2 {
        // A start vector that is unlikely to be orthogonal to a principal axis.
        let mut u: Vec<f64> = (0..d).map(|i| 1.0 + (i as f64 * 0.7548).fract()).collect();
        let mut size = 0.0;
        for _ in 0..100 {
            if k == 1 {
                let along: f64 = u.iter().zip(&axes[0]).map(|(u, v)| u * v).sum();
                u.iter_mut()
                    .zip(&axes[0])
                    .for_each(|(u, v)| *u -= along * v);
            }
            let length = u.iter().map(|v| v * v).sum::<f64>().sqrt();
            if length <= 0.0 || !length.is_finite() {
                break;
            }
            u.iter_mut().for_each(|v| *v /= length);
            let mut next = vec![0.0; d];
            size = 0.0;
            for p in now {
                let along: f64 = p.point.iter().zip(&u).map(|(p, u)| p * u).sum();
                size += along * along;
                next.iter_mut()
                    .zip(&p.point)
                    .for_each(|(n, p)| *n += along * p);
            }
            axes[k].clone_from(&u);
            u = next;
        }
        shares[k] = if total > 0.0 { size / total } else { 0.0 };
    }
    (axes, shares)
}
