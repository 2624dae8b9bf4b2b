//! Sizes, durations, counts. Units stand in a lighter tone; figures have the same width.

use maud::{Markup, html};

const KIB: f64 = 1024.0;

/// `1.5 GiB`: GiB with one decimal, smaller ones in MiB, KiB and B.
pub fn size_text(bytes: u64) -> String {
    let (figure, unit) = size_parts(bytes);
    format!("{figure} {unit}")
}

pub fn size(bytes: u64) -> Markup {
    let (figure, unit) = size_parts(bytes);
    with_unit(&figure, unit)
}

fn size_parts(bytes: u64) -> (String, &'static str) {
    // Exact enough for people: a size never shows more than one decimal.
    let exact = bytes as f64;
    let step = |power: i32| exact / KIB.powi(power);
    match bytes {
        0..1_024 => (bytes.to_string(), "B"),
        1_024..1_048_524 => (format!("{:.0}", step(1)), "KiB"),
        1_048_524..10_485_760 => (format!("{:.1}", step(2)), "MiB"),
        10_485_760..1_073_217_536 => (format!("{:.0}", step(2)), "MiB"),
        1_073_217_536..1_099_511_627_776 => (format!("{:.1}", step(3)), "GiB"),
        _ => (format!("{:.1}", step(4)), "TiB"),
    }
}

fn with_unit(figure: &str, unit: &str) -> Markup {
    html! { span.quantity { (figure) " " span.unit { (unit) } } }
}

/// `3 m 12 s`, `2 h 5 m`, `4 d 6 h`, `12 s`. Two units at most.
pub fn duration_text(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut words = Vec::new();
    for (length, unit) in UNITS {
        let whole = rest / length;
        rest %= length;
        if whole > 0 {
            words.push(format!("{whole} {unit}"));
        } else if !words.is_empty() {
            break;
        }
        if words.len() == 2 {
            break;
        }
    }
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

pub fn duration(seconds: u64) -> Markup {
    html! { span.quantity { (duration_text(seconds)) } }
}

/// `12,345`
pub fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub fn count(count: u64) -> Markup {
    html! { span.quantity { (count_text(count)) } }
}

/// `1 backup`, `12 backups`
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", count_text(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_gib_with_one_decimal_and_smaller_units_below() {
        let texts = [0, 1_023, 1_024, 5 << 20, 300 << 20, 3 << 30, 5 << 40].map(size_text);
        assert_eq!(texts, ["0 B", "1023 B", "1 KiB", "5.0 MiB", "300 MiB", "3.0 GiB", "5.0 TiB"]);
        assert_eq!(size_text((1 << 30) - 1), "1.0 GiB");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!([0, 12, 192, 3_600, 7_503, 90_061].map(duration_text), ["0 s", "12 s", "3 m 12 s", "1 h", "2 h 5 m", "1 d 1 h"]);
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count_text), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(plural(1, "backup", "backups"), "1 backup");
    }
}
