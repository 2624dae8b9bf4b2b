//! From what was typed into a form to values of the API, and back.
//!
//! A form's struct holds texts exactly as typed, so that a page can show them again beside what is wrong with them. The server decides
//! what is allowed; here a text only becomes a number, a moment, a list — or an error that stands beside its field.
//!
//! Browsers send a form as pairs of texts, and the decoder gives each name one value: no field appears twice. A list is a text area with
//! one value a line; a set is one checkbox per member, each with a name of its own (`days_mon`, `contact_points.<id>`).

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use oplogue_api::FieldError;

/// What a checkbox sends when it is on.
pub const ON: &str = "true";

/// Whether a checkbox was on.
pub fn checked(text: &str) -> bool {
    !matches!(text, "" | "false" | "off")
}

/// What a checkbox sends for a value.
pub fn check(on: bool) -> String {
    if on { ON.to_owned() } else { String::new() }
}

/// One value a line, or separated by commas; blank ones left out.
pub fn lines(text: &str) -> Vec<String> {
    text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A text, or nothing when blank.
pub fn optional(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number for a form: zero is blank where blank means the same.
pub fn number_or_blank(number: u32) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// The members of a set whose checkboxes, named `<prefix>.<member>`, were on.
pub fn members(rest: &BTreeMap<String, String>, prefix: &str) -> Vec<String> {
    rest.iter()
        .filter(|(_, value)| checked(value))
        .filter_map(|(name, _)| name.strip_prefix(prefix)?.strip_prefix('.'))
        .map(str::to_owned)
        .collect()
}

/// Reads texts and collects what is wrong with them.
#[derive(Debug, Default)]
pub struct Reading {
    errors: Vec<FieldError>,
}

impl Reading {
    pub fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    /// A whole number; `blank` when nothing was typed.
    pub fn number<N: FromStr + Copy>(&mut self, field: &str, text: &str, blank: N) -> N {
        let text = text.trim();
        if text.is_empty() {
            return blank;
        }
        text.parse().unwrap_or_else(|_| {
            self.wrong(field, format!("Must be a whole number that is not negative; “{text}” is not."));
            blank
        })
    }

    /// A whole number, or nothing.
    pub fn optional_number(&mut self, field: &str, text: &str) -> Option<u32> {
        let before = self.errors.len();
        let number = self.number(field, text, 0);
        (!text.trim().is_empty() && self.errors.len() == before).then_some(number)
    }

    /// A number that may have a fraction, or nothing.
    pub fn optional_decimal(&mut self, field: &str, text: &str) -> Option<f64> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            self.wrong(field, format!("Must be a number; “{text}” is not."));
        }
        number
    }

    /// An instant: RFC 3339, or date and time as a browser's picker sends it, in the given zone.
    pub fn instant(&mut self, field: &str, text: &str, zone: &TimeZone) -> Option<Timestamp> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let instant = text
            .parse::<Timestamp>()
            .ok()
            .or_else(|| text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp()));
        if instant.is_none() {
            self.wrong(field, format!("Must be a date and a time, like 2026-11-25T03:00; “{text}” is not."));
        }
        instant
    }

    /// One of the words a choice offers.
    pub fn choice<T: serde::de::DeserializeOwned>(&mut self, field: &str, text: &str) -> Option<T> {
        let choice = serde_json::from_value(serde_json::Value::String(text.to_owned())).ok();
        if choice.is_none() {
            self.wrong(field, if text.is_empty() { "Choose one.".to_owned() } else { format!("“{text}” is not one of the choices.") });
        }
        choice
    }

    /// Nothing was wrong so far.
    pub fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    /// The value, when nothing was wrong.
    pub fn done<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() { Ok(value) } else { Err(self.errors) }
    }

    /// The value, when there is one and nothing was wrong.
    pub fn done_with<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.errors),
        }
    }
}

/// The word the API has for a value of one of its enumerations.
pub fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// An instant as a browser's date and time picker wants it.
pub fn picker(instant: Timestamp, zone: &TimeZone) -> String {
    let zoned = Zoned::new(instant, zone.clone());
    let format = if zoned.second() == 0 { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S" };
    zoned.strftime(format).to_string()
}

/// The zone of a name; UTC when there is none of that name (the server says so beside the field).
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name.trim()).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_none_stands_beside_its_field() {
        let mut reading = Reading::default();
        assert_eq!(reading.number("retries", " 3 ", 2_u32), 3);
        assert_eq!(reading.number("retries", "", 2_u32), 2);
        reading.number("retries", "two", 2_u32);
        reading.number("retention.count", "-1", 2_u32);
        let errors = reading.done(()).expect_err("two are wrong");
        assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["retries", "retention.count"]);
        assert!(errors[0].message.contains("two"), "{}", errors[0].message);
    }

    #[test]
    fn a_blank_optional_number_is_none_and_zero_is_zero() {
        let mut reading = Reading::default();
        assert_eq!(reading.optional_number("slice_seconds", ""), None);
        assert_eq!(reading.optional_number("slice_seconds", "0"), Some(0));
        assert_eq!(reading.optional_number("slice_seconds", "x"), None);
        reading.done(()).expect_err("x is no number");
    }

    #[test]
    fn an_instant_is_read_in_the_chosen_zone_and_comes_back_as_typed() {
        let mut reading = Reading::default();
        let zone = zone("Europe/Berlin");
        let instant = reading.instant("start_at", "2026-11-25T03:00", &zone).expect("date and time");
        assert_eq!(instant.to_string(), "2026-11-25T02:00:00Z");
        assert_eq!(picker(instant, &zone), "2026-11-25T03:00");
        assert_eq!(reading.instant("start_at", "2026-11-25T02:00:00Z", &zone), Some(instant));
        assert_eq!(reading.instant("start_at", "", &zone), None);
        assert_eq!(reading.instant("start_at", "tomorrow", &zone), None);
        reading.done(()).expect_err("tomorrow is no date");
    }

    #[test]
    fn lists_are_lines_and_sets_are_checkboxes() {
        assert_eq!(lines("shop.orders\r\n\n shop.items ,logs.*"), ["shop.orders", "shop.items", "logs.*"]);
        let rest = BTreeMap::from([
            ("contact_points.c1".to_owned(), ON.to_owned()),
            ("contact_points.c2".to_owned(), String::new()),
            ("csrf".to_owned(), "x".to_owned()),
        ]);
        assert_eq!(members(&rest, "contact_points"), ["c1"]);
    }
}
