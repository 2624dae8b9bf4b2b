//! Values with a unit or a bound: sizes, durations, counts.

use std::num::NonZeroU64;
use std::time::Duration;

/// Reads `16MiB`, `64M`, `1GiB`, `4096`. K, M, G, T are powers of 1,024 with or without `iB`; `kB`, `MB`, `GB`, `TB` are powers of 1,000.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let error = || format!("`{text}` is not a size: write a whole number and a unit, e.g. 16MiB, 500MB, 1GiB");
    let (number, unit) = split_number(text);
    let number: u64 = number.parse().map_err(|_| error())?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "ki" | "kib" => 1 << 10,
        "m" | "mi" | "mib" => 1 << 20,
        "g" | "gi" | "gib" => 1 << 30,
        "t" | "ti" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(error()),
    };
    number.checked_mul(factor).ok_or_else(error)
}

/// Reads a size of at least one byte, to be moved in a second.
pub fn parse_rate(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(parse_bytes(text)?).ok_or_else(|| "nothing per second would never end: leave the option out for no limit".to_owned())
}

/// Reads `500ms`, `10s`, `5m`, `1h`, `7d`. The unit is never left out: `10` could mean seconds or, to users of other tools, minutes.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is not a duration: write a whole number and a unit, e.g. 500ms, 10s, 5m, 1h");
    let (number, unit) = split_number(text);
    let number: u64 = number.parse().map_err(|_| error())?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(error()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(error)
}

/// Reads a count of at least 1.
pub fn parse_count(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(count) if count >= 1 => Ok(count),
        _ => Err(format!("`{text}` is not a count: write a whole number, at least 1")),
    }
}

fn split_number(text: &str) -> (&str, &str) {
    let trimmed = text.trim();
    let end = trimmed.find(|character: char| !character.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4096B", 4096),
            ("16MiB", 16 << 20),
            ("16 MiB", 16 << 20),
            ("16M", 16 << 20),
            ("16mi", 16 << 20),
            ("500MB", 500_000_000),
            ("1GiB", 1 << 30),
            ("2t", 2 << 40),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused_with_an_example() {
        for text in ["", "MiB", "1.5MiB", "-1", "16 apples", "99999999999999999999", "18446744073709551615k"] {
            let error = parse_bytes(text).expect_err(text);
            assert!(error.contains("16MiB"), "{error}");
        }
    }

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, milliseconds) in
            [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("5min", 300_000), ("1h", 3_600_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_an_example() {
        for text in ["", "10", "s", "1.5s", "-1s", "10 moons", "99999999999999999999s"] {
            let error = parse_duration(text).expect_err(text);
            assert!(error.contains("10s"), "{error}");
        }
    }
}
