//! Amounts as people read them: three digits and the unit that suits.

/// Milliseconds with the unit that suits them and three digits.
#[must_use]
pub fn duration(milliseconds: f64) -> String {
    let (value, unit) = match milliseconds {
        ms if ms <= 0.0 => return "0".to_owned(),
        ms if ms < 1e-3 => (ms * 1e6, "ns"),
        ms if ms < 1.0 => (ms * 1e3, "µs"),
        ms if ms < 1e3 => (ms, "ms"),
        ms => (ms / 1e3, "s"),
    };
    let decimals = match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// Bytes with the unit that suits them.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        let check = |milliseconds, expected: &str| assert_eq!(duration(milliseconds), expected);
        check(0.0, "0");
        check(0.000_5, "500 ns");
        check(0.012_34, "12.3 µs");
        check(1.234, "1.23 ms");
        check(123.4, "123 ms");
        check(12_345.0, "12.3 s");
    }

    #[test]
    fn byte_counts_have_the_unit_that_suits_them() {
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
    }
}
