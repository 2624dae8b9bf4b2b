//! What was typed about a silence, and the way to the API's values.

use jiff::{SignedDuration, Timestamp};
use oplogue_api::FieldError;
use oplogue_api::alerts::SilenceInput;
use serde::Deserialize;

use crate::typed::{Reading, optional, zone};

/// Every field as typed. It ends at `until`, or after `hours` when that is blank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SilenceForm {
    pub rule_id: String,
    pub cluster: String,
    pub service: String,
    pub hours: String,
    /// UTC.
    pub until: String,
    pub comment: String,
}

impl SilenceForm {
    pub fn new() -> Self {
        Self { hours: "2".to_owned(), ..Self::default() }
    }

    pub fn to_input(&self, now: Timestamp) -> Result<SilenceInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let until = reading.instant("until", &self.until, &zone("UTC"));
        let hours = reading.optional_number("hours", &self.hours);
        let end = until.or_else(|| now.checked_add(SignedDuration::from_hours(i64::from(hours?))).ok());
        if end.is_none() && reading.is_good() {
            reading.wrong("hours", "Say how long, in hours, or until when.");
        } else if end.is_some_and(|end| end <= now) {
            reading.wrong("until", "Must lie in the future.");
        }
        let input = end.map(|until| SilenceInput {
            rule_id: optional(&self.rule_id),
            cluster: optional(&self.cluster),
            service: optional(&self.service),
            until,
            comment: self.comment.trim().to_owned(),
        });
        reading.done_with(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-25T10:00:00Z".parse().expect("RFC 3339")
    }

    #[test]
    fn it_ends_after_so_many_hours_or_at_a_moment() {
        let end = |form: SilenceForm| form.to_input(now()).map(|input| input.until.to_string());
        assert_eq!(end(SilenceForm::new()).as_deref(), Ok("2026-11-25T12:00:00Z"));
        assert_eq!(end(SilenceForm { until: "2026-11-26T00:00".into(), ..SilenceForm::new() }).as_deref(), Ok("2026-11-26T00:00:00Z"));
    }

    #[test]
    fn an_end_that_is_missing_past_or_unreadable_stands_beside_its_field() {
        let field = |form: SilenceForm| form.to_input(now()).expect_err("wrong").remove(0).field;
        assert_eq!(field(SilenceForm::default()), "hours");
        assert_eq!(field(SilenceForm { hours: "x".into(), ..SilenceForm::default() }), "hours");
        assert_eq!(field(SilenceForm { until: "2026-11-24T00:00".into(), ..SilenceForm::default() }), "until");
        assert_eq!(field(SilenceForm { until: "later".into(), ..SilenceForm::default() }), "until");
        assert_eq!(field(SilenceForm { hours: "4000000000".into(), ..SilenceForm::default() }), "hours");
    }
}
