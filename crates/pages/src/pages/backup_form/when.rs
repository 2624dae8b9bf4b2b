//! When a schedule runs: the usual patterns as fields, everything else as a cron expression.
//!
//! A pattern is only a way to type: what is kept is the cron expression. A stored expression comes back as the pattern that makes
//! exactly it, or else as itself, so that editing a schedule never changes when it runs.

use oplogue_api::FieldError;
use serde::{Deserialize, Serialize};

use crate::typed::{Reading, check, checked};

/// The weekdays as cron knows them, with the names of their checkboxes and what people call them.
pub const DAYS: [(&str, &str, &str); 7] = [
    ("MON", "days_mon", "Monday"),
    ("TUE", "days_tue", "Tuesday"),
    ("WED", "days_wed", "Wednesday"),
    ("THU", "days_thu", "Thursday"),
    ("FRI", "days_fri", "Friday"),
    ("SAT", "days_sat", "Saturday"),
    ("SUN", "days_sun", "Sunday"),
];

/// Intervals that divide a day, so that the pattern is the same every day.
pub const EVERY_HOURS: [u32; 7] = [1, 2, 3, 4, 6, 8, 12];

/// The part of the form that says when, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WhenForm {
    /// `hours`, `day`, `week`, `month` or `cron`.
    pub pattern: String,
    /// hours: one of [`EVERY_HOURS`].
    pub every_hours: String,
    /// hours: minutes past the hour.
    pub minute: String,
    /// day, week, month: `03:00`.
    pub at: String,
    pub days_mon: String,
    pub days_tue: String,
    pub days_wed: String,
    pub days_thu: String,
    pub days_fri: String,
    pub days_sat: String,
    pub days_sun: String,
    /// month: 1 to 31, or `L` for the last.
    pub day_of_month: String,
    /// cron: the expression itself.
    pub cron: String,
}

impl WhenForm {
    /// What a new schedule begins with: every day at midnight.
    pub fn new() -> Self {
        Self::from_cron("0 0 * * *")
    }

    /// The fields of the pattern that makes exactly this expression. Those of the other patterns hold what they would begin with.
    pub fn from_cron(cron: &str) -> Self {
        let blank = Self {
            pattern: "cron".to_owned(),
            every_hours: "6".to_owned(),
            minute: "0".to_owned(),
            at: "00:00".to_owned(),
            days_sun: check(true),
            day_of_month: "1".to_owned(),
            cron: cron.trim().to_owned(),
            ..Self::default()
        };
        let fields = cron.split_whitespace().collect::<Vec<_>>();
        let [minute, hour, day, month, weekday] = fields[..] else { return blank };
        let (Some(minute), "*") = (below(minute, 60), month) else { return blank };
        let pattern = match (hour, day, weekday) {
            ("*", "*", "*") => {
                Self { pattern: "hours".to_owned(), every_hours: "1".to_owned(), minute: minute.to_string(), ..blank.clone() }
            }
            (hours, "*", "*") if hours.starts_with("*/") => {
                Self { pattern: "hours".to_owned(), every_hours: hours[2..].to_owned(), minute: minute.to_string(), ..blank.clone() }
            }
            (hour, day, weekday) => {
                let Some(hour) = below(hour, 24) else { return blank };
                let at = format!("{hour:02}:{minute:02}");
                match (day, weekday) {
                    ("*", "*") => Self { pattern: "day".to_owned(), at, ..blank.clone() },
                    ("*", weekday) => {
                        let mut week = Self { pattern: "week".to_owned(), at, days_sun: String::new(), ..blank.clone() };
                        for day in weekday.split(',') {
                            match week.day_mut(day) {
                                Some(field) => *field = check(true),
                                None => return blank,
                            }
                        }
                        week
                    }
                    (day, "*") => Self { pattern: "month".to_owned(), at, day_of_month: day.to_owned(), ..blank.clone() },
                    _ => return blank,
                }
            }
        };
        // The proof: the pattern makes the expression it came from, letter by letter but for spaces.
        if pattern.to_cron().is_ok_and(|made| made == fields.join(" ")) { pattern } else { blank }
    }

    /// The cron expression that is meant.
    pub fn to_cron(&self) -> Result<String, Vec<FieldError>> {
        let mut reading = Reading::default();
        let cron = match self.pattern.as_str() {
            "hours" => {
                let every = reading.number("every_hours", &self.every_hours, 1_u32);
                if !EVERY_HOURS.contains(&every) {
                    reading.wrong("every_hours", "Must divide a day: 1, 2, 3, 4, 6, 8 or 12 hours.");
                }
                let minute = reading.number("minute", &self.minute, 0_u32);
                if minute > 59 {
                    reading.wrong("minute", "Must be 0 to 59.");
                }
                if every == 1 { format!("{minute} * * * *") } else { format!("{minute} */{every} * * *") }
            }
            "day" => format!("{} * * *", self.time(&mut reading)),
            "week" => {
                let time = self.time(&mut reading);
                let days = DAYS.iter().filter(|(_, field, _)| checked(self.day(field))).map(|(day, ..)| *day).collect::<Vec<_>>();
                if days.is_empty() {
                    reading.wrong("weekdays", "Choose at least one day.");
                }
                format!("{time} * * {}", days.join(","))
            }
            "month" => {
                let time = self.time(&mut reading);
                let day = self.day_of_month.trim();
                if day != "L" && !day.parse::<u32>().is_ok_and(|day| (1..=31).contains(&day)) {
                    reading
                        .wrong("day_of_month", "Must be 1 to 31. Months without that day are left out; L is the last day of every month.");
                }
                format!("{time} {day} * *")
            }
            _ => {
                let cron = self.cron.split_whitespace().collect::<Vec<_>>().join(" ");
                if cron.is_empty() {
                    reading.wrong("cron", "Type a cron expression, like 0 3 * * *, or choose one of the patterns.");
                }
                cron
            }
        };
        reading.done(cron)
    }

    /// Whether the checkbox of that name is on, as sent.
    pub fn day(&self, field: &str) -> &str {
        match field {
            "days_mon" => &self.days_mon,
            "days_tue" => &self.days_tue,
            "days_wed" => &self.days_wed,
            "days_thu" => &self.days_thu,
            "days_fri" => &self.days_fri,
            "days_sat" => &self.days_sat,
            "days_sun" => &self.days_sun,
            _ => "",
        }
    }

    fn day_mut(&mut self, day: &str) -> Option<&mut String> {
        Some(match day {
            "MON" => &mut self.days_mon,
            "TUE" => &mut self.days_tue,
            "WED" => &mut self.days_wed,
            "THU" => &mut self.days_thu,
            "FRI" => &mut self.days_fri,
            "SAT" => &mut self.days_sat,
            "SUN" => &mut self.days_sun,
            _ => return None,
        })
    }

    /// Minute and hour as cron has them.
    fn time(&self, reading: &mut Reading) -> String {
        let time = self.at.trim().split_once(':').and_then(|(hour, minute)| Some((below(hour, 24)?, below(minute, 60)?)));
        match time {
            Some((hour, minute)) => format!("{minute} {hour}"),
            None => {
                reading.wrong("at", "Must be a time of day, like 03:00.");
                String::new()
            }
        }
    }
}

fn below(text: &str, limit: u32) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| *number < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_expression_comes_back_as_the_pattern_that_makes_it() {
        for (cron, pattern) in [
            ("0 0 * * *", "day"),
            ("30 3 * * *", "day"),
            ("0 * * * *", "hours"),
            ("15 */6 * * *", "hours"),
            ("0 3 * * MON,THU", "week"),
            ("0 3 1 * *", "month"),
            ("0 3 L * *", "month"),
            // Not one of the patterns, or the same written differently: kept as typed.
            ("0 */5 * * *", "cron"),
            ("00 3 * * *", "cron"),
            ("0 3 * * 1", "cron"),
            ("0 3 * * THU,MON", "cron"),
            ("0 3 1 * MON", "cron"),
            ("0 3 * 1 *", "cron"),
            ("*/10 * * * * *", "cron"),
            ("@daily", "cron"),
        ] {
            let form = WhenForm::from_cron(cron);
            assert_eq!(form.pattern, pattern, "{cron}");
            assert_eq!(form.to_cron().expect(cron), cron);
        }
    }

    #[test]
    fn a_new_schedule_runs_every_day_at_midnight() {
        assert_eq!(WhenForm::new().to_cron().expect("a default is good"), "0 0 * * *");
    }

    #[test]
    fn what_makes_no_sense_stands_beside_its_field() {
        let wrong = |form: WhenForm| form.to_cron().expect_err("wrong").into_iter().map(|error| error.field).collect::<Vec<_>>();
        assert_eq!(
            wrong(WhenForm { pattern: "hours".into(), every_hours: "5".into(), minute: "75".into(), ..WhenForm::new() }),
            ["every_hours", "minute"]
        );
        assert_eq!(wrong(WhenForm { pattern: "day".into(), at: "24:00".into(), ..WhenForm::new() }), ["at"]);
        assert_eq!(wrong(WhenForm { pattern: "week".into(), days_sun: String::new(), ..WhenForm::new() }), ["weekdays"]);
        assert_eq!(wrong(WhenForm { pattern: "month".into(), day_of_month: "32".into(), ..WhenForm::new() }), ["day_of_month"]);
        assert_eq!(wrong(WhenForm { pattern: "cron".into(), cron: " ".into(), ..WhenForm::new() }), ["cron"]);
    }
}
