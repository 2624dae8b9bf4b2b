//! What was typed about an alert rule, and the way to the API's values and back.

use std::collections::BTreeMap;

use oplogue_api::FieldError;
use oplogue_api::alerts::{AlertRule, AlertRuleInput, AlertTemplate, Severity};
use serde::Deserialize;

use crate::typed::{ON, Reading, check, checked, lines, members, word};

/// Every field as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AlertRuleForm {
    pub name: String,
    pub template: String,
    pub threshold: String,
    pub for_seconds: String,
    pub severity: String,
    /// One a line.
    pub clusters: String,
    /// One a line.
    pub services: String,
    pub enabled: String,
    /// `save`, or `fill_in` for what the template proposes.
    pub action: String,
    /// `contact_points.<id>`: one checkbox each.
    #[serde(flatten)]
    pub rest: BTreeMap<String, String>,
}

impl AlertRuleForm {
    pub fn new() -> Self {
        Self { enabled: check(true), ..Self::default() }
    }

    pub fn wants_fill_in(&self) -> bool {
        self.action == "fill_in"
    }

    /// What a template proposes; the name too, while none was typed.
    pub fn fill_in(&mut self, template: &AlertTemplate) {
        self.template.clone_from(&template.name);
        self.threshold = if template.unit.is_empty() { String::new() } else { template.threshold.to_string() };
        self.for_seconds = template.for_seconds.to_string();
        self.severity = word(&template.severity);
        if self.name.trim().is_empty() {
            self.name.clone_from(&template.summary);
        }
    }

    pub fn has_contact_point(&self, id: &str) -> bool {
        self.rest.get(&format!("contact_points.{id}")).is_some_and(|value| checked(value))
    }

    pub fn to_input(&self) -> Result<AlertRuleInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let severity = if self.severity.is_empty() { None } else { reading.choice::<Severity>("severity", &self.severity) };
        let input = AlertRuleInput {
            name: self.name.trim().to_owned(),
            template: self.template.clone(),
            threshold: reading.optional_decimal("threshold", &self.threshold),
            for_seconds: reading.optional_number("for_seconds", &self.for_seconds),
            severity,
            clusters: lines(&self.clusters),
            services: lines(&self.services),
            contact_points: members(&self.rest, "contact_points"),
            enabled: checked(&self.enabled),
        };
        reading.done(input)
    }

    pub fn from_rule(rule: &AlertRule) -> Self {
        let input = &rule.input;
        Self {
            name: input.name.clone(),
            template: input.template.clone(),
            threshold: input.threshold.map(|threshold| threshold.to_string()).unwrap_or_default(),
            for_seconds: input.for_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
            severity: input.severity.as_ref().map(word).unwrap_or_default(),
            clusters: input.clusters.join("\n"),
            services: input.services.join("\n"),
            enabled: check(input.enabled),
            action: String::new(),
            rest: input.contact_points.iter().map(|id| (format!("contact_points.{id}"), ON.to_owned())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_edited_without_a_change_stays_the_same() {
        let input = AlertRuleInput {
            name: "Restore point old".into(),
            template: "restore_point_old".into(),
            threshold: Some(900.0),
            for_seconds: Some(60),
            severity: Some(Severity::Critical),
            clusters: vec!["shop".into()],
            services: vec!["shop-1".into(), "shop-2".into()],
            contact_points: vec!["contact-1".into(), "contact-2".into()],
            enabled: false,
        };
        let rule = AlertRule { id: "rule-1".into(), input: input.clone(), firing: 0, created_at: jiff::Timestamp::UNIX_EPOCH };
        assert_eq!(AlertRuleForm::from_rule(&rule).to_input().expect("it was valid"), input);
    }

    #[test]
    fn blank_fields_mean_what_the_template_says() {
        let input = AlertRuleForm { name: "x".into(), template: "gap".into(), ..AlertRuleForm::new() }.to_input().expect("valid");
        assert_eq!((input.threshold, input.for_seconds, input.severity), (None, None, None));
    }

    #[test]
    fn numbers_that_are_none_stand_beside_their_fields() {
        let form = AlertRuleForm { threshold: "a lot".into(), for_seconds: "-3".into(), severity: "dire".into(), ..AlertRuleForm::new() };
        let fields = form.to_input().expect_err("wrong").into_iter().map(|error| error.field).collect::<Vec<_>>();
        assert_eq!(fields, ["severity", "threshold", "for_seconds"]);
    }
}
