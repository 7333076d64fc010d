//! Numbers formatted and parsed for people.

/// A value with four significant digits.
pub fn digits(value: f64) -> String {
    significant(value, 4)
}

/// A value with this many significant digits.
pub fn significant(value: f64, figures: usize) -> String {
    match value {
        0.0 => "0".into(),
        v if v.abs() >= 1e5 || v.abs() < 1e-3 => format!("{v:.*e}", figures - 1),
        v => {
            let digits = figures as i32 - 1 - v.abs().log10().floor() as i32;
            format!("{v:.*}", digits.max(0) as usize)
        }
    }
}

/// A value in the form that people type, with up to six significant digits: `0.03`, `1e18`.
pub fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    match rounded.abs() {
        0.0 => "0".into(),
        size if (1e-4..1e6).contains(&size) => format!("{rounded}"),
        _ => format!("{rounded:e}"),
    }
}

/// A float as a whole number, 0 or more, such as 1e5. `None` for other values, and from 2⁵³ on,
/// where floats skip whole numbers.
pub fn whole_number(value: f64) -> Option<u64> {
    let exact = (0.0..9_007_199_254_740_992.0).contains(&value) && value.fract() == 0.0;
    exact.then_some(value as u64)
}

/// Parses a whole number, 0 or more, written as `100000` or `1e5`.
pub fn parse_whole(text: &str) -> Option<u64> {
    let float = || whole_number(text.parse().ok()?);
    text.parse().ok().or_else(float)
}

/// A count with its noun: `1 run`, `21 runs`.
pub fn counted(count: u64, name: &str) -> String {
    match count {
        1 => format!("1 {name}"),
        _ => format!("{count} {name}s"),
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
        assert_eq!(significant(0.25, 9), "0.250000000");
        assert_eq!(significant(2.5e-26, 9), "2.50000000e-26");
    }

    #[test]
    fn typed_numbers_are_short() {
        let typed = [0.3 / 10.0, 1e18, 5e-7, -299_999.0, 0.0, 0.25].map(short);
        assert_eq!(typed, ["0.03", "1e18", "5e-7", "-299999", "0", "0.25"]);
    }

    #[test]
    fn whole_numbers_have_two_spellings() {
        for (text, whole) in [
            ("0", Some(0)),
            ("100000", Some(100_000)),
            ("1e5", Some(100_000)),
            ("2.5e3", Some(2500)),
            ("18446744073709551615", Some(u64::MAX)),
            ("1e15", Some(1_000_000_000_000_000)),
            ("1e16", None),
            ("1.5", None),
            ("1e-1", None),
            ("-1", None),
            ("-1e3", None),
            ("nan", None),
            ("inf", None),
            ("1e400", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(parse_whole(text), whole, "{text}");
        }
    }

    #[test]
    fn no_zero_has_a_sign() {
        assert_eq!(digits(-0.0), "0");
        assert_eq!(significant(-0.0, 9), "0");
    }

    #[test]
    fn one_run_is_no_runs() {
        let runs = [0, 1, 2].map(|count| counted(count, "run"));
        assert_eq!(runs, ["0 runs", "1 run", "2 runs"]);
    }
}
