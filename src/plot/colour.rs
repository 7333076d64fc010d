//! Colours that can be distinguished with colour-blindness.

/// An opaque colour, so that pictures look the same on any background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

pub const BLACK: Colour = Colour(0, 0, 0);
pub const GREY: Colour = Colour(110, 110, 110);
pub const LIGHT: Colour = Colour(205, 205, 205);

/// Okabe & Ito, Color Universal Design (2008), without yellow, which is too light for lines on
/// white.
pub const OKABE_ITO: [Colour; 6] = [
    Colour(0, 114, 178),
    Colour(213, 94, 0),
    Colour(0, 158, 115),
    Colour(204, 121, 167),
    Colour(86, 180, 233),
    Colour(230, 159, 0),
];

/// Colours of the signs of an output weight or a class.
pub const POSITIVE: Colour = OKABE_ITO[1];
pub const NEGATIVE: Colour = OKABE_ITO[0];

/// The colour of the sign of a value.
pub fn of_sign(value: f64) -> Colour {
    if value < 0.0 { NEGATIVE } else { POSITIVE }
}

impl Colour {
    /// The colour mixed with white: `share` 1 is the colour, 0 is white.
    pub fn faded(self, share: f64) -> Colour {
        let white = Colour(255, 255, 255);
        white.towards(self, share)
    }

    fn towards(self, other: Colour, share: f64) -> Colour {
        let share = share.clamp(0.0, 1.0);
        let mix = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round();
        Colour(
            mix(self.0, other.0) as u8,
            mix(self.1, other.1) as u8,
            mix(self.2, other.2) as u8,
        )
    }
}

/// Colour k of `count`: those of Okabe and Ito for unordered or few items, otherwise a ramp from dark to
/// light for ordered ones (viridis, up to the lightness at which lines are still visible on white).
pub fn of_family(k: usize, count: usize, ordered: bool) -> Colour {
    if !ordered && count <= OKABE_ITO.len() {
        return OKABE_ITO[k % OKABE_ITO.len()];
    }
    const RAMP: [Colour; 5] = [
        Colour(68, 1, 84),
        Colour(64, 70, 136),
        Colour(39, 123, 142),
        Colour(34, 168, 132),
        Colour(115, 205, 86),
    ];
    let place = k as f64 / count.saturating_sub(1).max(1) as f64 * (RAMP.len() - 1) as f64;
    let below = (place as usize).min(RAMP.len() - 2);
    RAMP[below].towards(RAMP[below + 1], place - below as f64)
}

/// The diverging colour map from −1 (blue) over 0 (white) to 1 (vermilion).
pub fn diverging(value: f64) -> Colour {
    of_sign(value).faded(0.75 * value.abs())
}
