//! Moments in object names: `20261122234048-54`, UTC to the second, then the ordinal without padding.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use oplogue_domain::OplogTime;

fn civil(time: OplogTime) -> DateTime {
    time.timestamp().to_zoned(TimeZone::UTC).datetime()
}

/// `20261122`: the day, in UTC.
pub(crate) fn day(time: OplogTime) -> String {
    let civil = civil(time);
    format!("{:04}{:02}{:02}", civil.year(), civil.month(), civil.day())
}

/// `20261122234048-54`.
pub(crate) fn format(time: OplogTime) -> String {
    let civil = civil(time);
    format!("{}{:02}{:02}{:02}-{}", day(time), civil.hour(), civil.minute(), civil.second(), time.ordinal)
}

/// Reads what [`format`] writes; the ordinal may be missing and is 0 then.
pub(crate) fn parse(text: &str) -> Option<OplogTime> {
    let (calendar, ordinal) = text.split_once('-').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if calendar.len() != 14 || !digits(calendar) || !digits(ordinal) {
        return None;
    }
    let part = |from: usize, to: usize| calendar[from..to].parse::<i16>().ok();
    let small = |from, to| part(from, to).and_then(|number| i8::try_from(number).ok());
    // Checked by field: the library would take a 60th second for the 59th.
    let civil = DateTime::new(part(0, 4)?, small(4, 6)?, small(6, 8)?, small(8, 10)?, small(10, 12)?, small(12, 14)?, 0).ok()?;
    let seconds = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    Some(OplogTime::new(u32::try_from(seconds).ok()?, ordinal.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_the_second_in_utc_and_the_bare_ordinal() {
        let time = OplogTime::new(1_795_390_848, 54);
        assert_eq!(format(time), "20261122234048-54");
        assert_eq!(day(time), "20261122");
        assert_eq!(format(OplogTime::MAX), "21060207062815-4294967295");
    }

    #[test]
    fn a_missing_ordinal_is_zero_and_padding_is_read() {
        assert_eq!(parse("19700101000140"), Some(OplogTime::new(100, 0)));
        assert_eq!(parse("19700101000140-007"), Some(OplogTime::new(100, 7)));
    }

    #[test]
    fn what_is_no_stamp_is_not_read() {
        for text in [
            "",
            "-",
            "-1",
            "20261122",
            "20261122234048-",
            "20261122234048--1",
            "20261122234048-1-2",
            "20261122234060-1",
            "20261322234048-1",
            "20260230000000-1",
            "2026112223404x-1",
            "20261122234048-4294967296",
            "21060207062816-0",
            "19691231235959-0",
            "+0261122234048-1",
            "２0261122234048-1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_moment_comes_back(seconds: u32, ordinal: u32) {
            let time = OplogTime::new(seconds, ordinal);
            proptest::prop_assert_eq!(parse(&format(time)), Some(time));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            parse(&text);
        }
    }
}
