//! Numbers in sentences of alerts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `45 s`, `15 min`, `1 h 30 min`, `2 d`: at most two units, rounded down.
pub fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(first) = UNITS.iter().position(|(length, _)| seconds >= *length) else { return "0 s".to_owned() };
    let (length, unit) = UNITS[first];
    let mut text = format!("{} {unit}", seconds / length);
    if let Some((second_length, second_unit)) = UNITS.get(first + 1) {
        let rest = (seconds % length) / second_length;
        if rest > 0 {
            text.push_str(&format!(" {rest} {second_unit}"));
        }
    }
    text
}

/// `512 B`, `1.5 GiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `2026-11-25 19:32:07 UTC`
pub fn instant(at: Timestamp) -> String {
    let civil = at.to_zoned(TimeZone::UTC).datetime();
    let (date, time) = (civil.date(), civil.time());
    format!("{date} {:02}:{:02}:{:02} UTC", time.hour(), time.minute(), time.second())
}

/// `a`, `a and b`, `a, b and 7 more`.
pub fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (45, "45 s"),
            (60, "1 min"),
            (905, "15 min 5 s"),
            (5_400, "1 h 30 min"),
            (3_601, "1 h"),
            (172_800, "2 d"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (count, text) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (u64::MAX, "16384.0 PiB")] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_long_list_is_counted() {
        let names = |count: usize| (0..count).map(|index| format!("n{index}")).collect::<Vec<_>>();
        assert_eq!([list(&names(1)), list(&names(2)), list(&names(9))], ["n0", "n0 and n1", "n0, n1 and 7 more"]);
    }
}
