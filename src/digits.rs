//! Numbers as people read them.

/// A value with four significant digits.
pub fn digits(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        v if v.abs() >= 1e5 || v.abs() < 1e-3 => format!("{v:.3e}"),
        v => {
            let digits = 3 - v.abs().log10().floor() as i32;
            format!("{v:.*}", digits.max(0) as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits() {
        assert_eq!(digits(0.12479), "0.1248");
        assert_eq!(digits(1234.5), "1234");
        assert_eq!(digits(-1.5), "-1.500");
        assert_eq!(digits(1e17), "1.000e17");
        assert_eq!(digits(0.0), "0");
    }
}
