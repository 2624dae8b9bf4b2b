//! Rules: a template with a threshold, whom it looks at, and who is told.

use oplogue_api::FieldError;
use oplogue_api::alerts::{AlertRule, AlertRuleInput, AlertTemplate};
use oplogue_api::users::Role;
use oplogue_domain::alert::Rule;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::super::audit::Deed;
use super::super::stored::{instant_at, json, json_at};
use super::{templates, wire};
use crate::app::{Actor, App, AppError};
use crate::ids;

const COLUMNS: &str = "id, input, created_at, (SELECT count(*) FROM alerts WHERE rule_id = alert_rules.id AND state = 'firing')";
const NAME_CHARACTERS_MAX: usize = 100;
const FOR_SECONDS_MAX: u32 = 2_678_400;
const FILTER_MAX: usize = 1_000;
/// Each is looked at every few seconds.
const RULES_MAX: u32 = 500;

impl App {
    pub fn alert_rules(&self, actor: &Actor) -> Result<Vec<AlertRule>, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(all)
    }

    pub fn alert_rule(&self, actor: &Actor, id: &str) -> Result<AlertRule, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(|tx| find(tx, id))
    }

    pub fn create_alert_rule(&self, actor: &Actor, input: &AlertRuleInput) -> Result<AlertRule, AppError> {
        actor.must_be(Role::Administrator)?;
        let now = self.clock.now();
        let id = ids::new("rul", now);
        self.db.write(|tx| {
            check(tx, input, None)?;
            let count: u32 = tx.query_row("SELECT count(*) FROM alert_rules", [], |row| row.get(0))?;
            if count >= RULES_MAX {
                return Err(AppError::conflict(format!("there are {count} rules, and that is the limit")));
            }
            tx.prepare_cached("INSERT INTO alert_rules (id, name, input, created_at) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                id,
                input.name,
                json(input),
                now.to_string()
            ])?;
            self.audit(tx, actor, &Deed { action: "alert_rule.create", object: &input.name, detail: &input.template, ok: true })?;
            find(tx, &id)
        })
    }

    /// Its alerts go on under the new settings at the next look.
    pub fn change_alert_rule(&self, actor: &Actor, id: &str, input: &AlertRuleInput) -> Result<AlertRule, AppError> {
        actor.must_be(Role::Administrator)?;
        self.db.write(|tx| {
            find(tx, id)?;
            check(tx, input, Some(id))?;
            tx.prepare_cached("UPDATE alert_rules SET name = ?2, input = ?3 WHERE id = ?1")?.execute(params![
                id,
                input.name,
                json(input)
            ])?;
            self.audit(tx, actor, &Deed { action: "alert_rule.change", object: &input.name, detail: &input.template, ok: true })?;
            find(tx, id)
        })
    }

    /// Its alerts are resolved at the next look, and who was told of them is told so.
    pub fn delete_alert_rule(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        actor.must_be(Role::Administrator)?;
        self.db.write(|tx| {
            let rule = find(tx, id)?;
            tx.prepare_cached("DELETE FROM alert_rules WHERE id = ?1")?.execute([id])?;
            self.audit(tx, actor, &Deed { action: "alert_rule.delete", object: &rule.input.name, detail: &rule.input.template, ok: true })
        })
    }
}

/// By name.
pub fn all(tx: &Transaction<'_>) -> Result<Vec<AlertRule>, AppError> {
    let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM alert_rules ORDER BY name"))?;
    let rules = statement.query_map([], from_row)?.collect::<Result<_, _>>()?;
    Ok(rules)
}

fn find(tx: &Transaction<'_>, id: &str) -> Result<AlertRule, AppError> {
    let found = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM alert_rules WHERE id = ?1"))?.query_row([id], from_row).optional()?;
    found.ok_or_else(|| AppError::not_found("alert rule", id))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AlertRule> {
    Ok(AlertRule { id: row.get(0)?, input: json_at(row, 1)?, created_at: instant_at(row, 2)?, firing: row.get(3)? })
}

/// The rule as it is looked at: what it does not say comes from its template.
pub fn rule(stored: &AlertRule, template: &AlertTemplate) -> Rule {
    Rule {
        id: stored.id.clone(),
        condition: wire::condition(template.condition),
        threshold: stored.input.threshold.unwrap_or(template.threshold),
        for_seconds: stored.input.for_seconds.unwrap_or(template.for_seconds),
        clusters: stored.input.clusters.clone(),
        services: stored.input.services.clone(),
    }
}

fn check(tx: &Transaction<'_>, input: &AlertRuleInput, except: Option<&str>) -> Result<(), AppError> {
    let mut problems: Vec<FieldError> = name_problem(&input.name).into_iter().collect();
    match templates::find(tx, &input.template)? {
        None => problems.push(FieldError::new("template", format!("there is no template `{}`", input.template))),
        Some(template) => problems.extend(threshold_problem(input, &template)),
    }
    if input.for_seconds.is_some_and(|seconds| seconds > FOR_SECONDS_MAX) {
        problems.push(FieldError::new("for_seconds", format!("at most {FOR_SECONDS_MAX} (31 days)")));
    }
    for (field, list) in [("clusters", &input.clusters), ("services", &input.services), ("contact_points", &input.contact_points)] {
        if list.len() > FILTER_MAX {
            problems.push(FieldError::new(field, format!("at most {FILTER_MAX}")));
        }
    }
    for id in input.contact_points.iter().take(FILTER_MAX) {
        if !tx.prepare_cached("SELECT 1 FROM contact_points WHERE id = ?1")?.exists([id])? {
            problems.push(FieldError::new("contact_points", format!("there is no contact point `{id}`")));
        }
    }
    if !problems.is_empty() {
        return Err(AppError::invalid(problems));
    }
    if tx.prepare_cached("SELECT 1 FROM alert_rules WHERE name = ?1 AND id IS NOT ?2")?.exists(params![input.name, except])? {
        let message = format!("there is already a rule `{}`", input.name);
        return Err(AppError { fields: vec![FieldError::new("name", message.clone())], ..AppError::conflict(message) });
    }
    Ok(())
}

pub(super) fn name_problem(name: &str) -> Option<FieldError> {
    let message = if name.trim().is_empty() {
        "a name is needed".to_owned()
    } else if name.chars().count() > NAME_CHARACTERS_MAX {
        format!("a name has at most {NAME_CHARACTERS_MAX} characters")
    } else if name.chars().any(char::is_control) || name.trim() != name {
        "a name has no control characters, and no blanks at its ends".to_owned()
    } else {
        return None;
    };
    Some(FieldError::new("name", message))
}

fn threshold_problem(input: &AlertRuleInput, template: &AlertTemplate) -> Option<FieldError> {
    let threshold = input.threshold?;
    if template.unit.is_empty() {
        // There is nothing to compare it with; forms may send a zero.
        return (threshold != 0.0).then(|| FieldError::new("threshold", "this template has no threshold"));
    }
    let fits = threshold.is_finite() && (template.threshold_min..=template.threshold_max).contains(&threshold);
    (!fits)
        .then(|| FieldError::new("threshold", format!("from {} to {} {}", template.threshold_min, template.threshold_max, template.unit)))
}
