//! One look: what is known, what that changes, whom to tell. All of it is one transaction; when nothing changed, nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use oplogue_api::alerts::{AlertRule, AlertTemplate};
use oplogue_domain::alert::{self, Change, Facts, Finding, Silence, Standing, State, Step};
use rusqlite::{Row, Transaction, params};

use super::super::stored::{instant_at, maybe_instant_at, word};
use super::{rules, silences, templates, wire};
use crate::app::{App, AppError};
use crate::ids;

/// Resolved alerts kept.
const HISTORY_MAX: u32 = 10_000;
/// In one look; the rest follows at the next one.
const CHANGES_MAX: usize = 2_000;

/// A standing alert and its row.
struct Kept {
    id: String,
    standing: Standing,
}

impl App {
    /// Looks once. Tells how many alerts changed.
    ///
    /// A crash before the transaction leaves everything to the next look, one after it leaves the deliveries in the outbox.
    pub fn look_at_alerts(&self) -> Result<usize, AppError> {
        let now = self.clock.now();
        let facts = self.gather_facts(now)?;
        self.evaluate_alerts(&facts, now)
    }

    /// As [`App::look_at_alerts`], with facts from elsewhere.
    pub fn evaluate_alerts(&self, facts: &Facts, now: Timestamp) -> Result<usize, AppError> {
        let (rules, kept, silences, queued) = self
            .db
            .read(|tx| Ok::<_, AppError>((rules_with_templates(tx)?, kept(tx)?, silences::current(tx, now)?, queued_for_firing(tx)?)))?;
        let looked_at: Vec<_> =
            rules.iter().filter(|(rule, _)| rule.input.enabled).map(|(rule, template)| rules::rule(rule, template)).collect();
        let standing: Vec<Standing> = kept.iter().map(|kept| kept.standing.clone()).collect();
        let mut changes = alert::evaluate(&looked_at, facts, &standing, now);
        changes.truncate(CHANGES_MAX);
        let by_id: BTreeMap<&str, &(AlertRule, AlertTemplate)> = rules.iter().map(|rule| (rule.0.id.as_str(), rule)).collect();
        let after = applied(&kept, &changes, now);
        let to_tell = missing(&after, &by_id, &silences, &queued, now);
        if changes.is_empty() && to_tell.is_empty() {
            return Ok(0);
        }
        self.db.write(|tx| {
            for (change, kept) in changes.iter().zip(&after.changed) {
                write(tx, &kept.id, change, &by_id, now)?;
            }
            for (alert_id, contact_point) in &to_tell {
                queue_firing(tx, alert_id, contact_point, now)?;
            }
            Ok::<_, AppError>(())
        })?;
        for change in &changes {
            if matches!(change.step, Step::Fired | Step::Resolved) {
                tracing::info!(rule = %change.alert.rule_id, subject = %change.alert.subject, step = ?change.step, "alert changed state");
            }
        }
        self.alert_memory.deliver.notify_one();
        Ok(changes.len())
    }

    /// Forgets old history.
    pub(super) fn prune_alerts(&self, before: Timestamp) -> Result<(), AppError> {
        self.db.write(|tx| {
            tx.execute(
                "DELETE FROM alerts WHERE state = 'resolved' AND id IN \
                 (SELECT id FROM alerts WHERE state = 'resolved' ORDER BY id DESC LIMIT -1 OFFSET ?1)",
                [HISTORY_MAX],
            )?;
            tx.execute("DELETE FROM alert_silences WHERE until < ?1", [before.to_string()])?;
            tx.execute("DELETE FROM location_sizes WHERE at < ?1", [before.to_string()])?;
            Ok::<_, AppError>(())
        })
    }
}

/// A rule whose template is gone cannot be looked at; templates in use are not deleted.
fn rules_with_templates(tx: &Transaction<'_>) -> Result<Vec<(AlertRule, AlertTemplate)>, AppError> {
    let templates = templates::all(tx)?;
    let template = |rule: AlertRule| {
        let template = templates.iter().find(|template| template.name == rule.input.template)?.clone();
        Some((rule, template))
    };
    Ok(rules::all(tx)?.into_iter().filter_map(template).collect())
}

fn kept(tx: &Transaction<'_>) -> Result<Vec<Kept>, AppError> {
    let sql = "SELECT id, rule_id, subject, state, since, clear_since, name, summary, cluster, service, about FROM alerts WHERE state <> 'resolved'";
    let mut statement = tx.prepare_cached(sql)?;
    let from_row = |row: &Row<'_>| {
        let state: String = row.get(3)?;
        let standing = Standing {
            rule_id: row.get(1)?,
            subject: row.get(2)?,
            state: if state == "pending" { State::Pending } else { State::Firing },
            since: instant_at(row, 4)?,
            clear_since: maybe_instant_at(row, 5)?,
            finding: Finding {
                name: row.get(6)?,
                summary: row.get(7)?,
                cluster: row.get(8)?,
                service: row.get(9)?,
                about: wire::about_at(row, 10)?,
            },
        };
        Ok(Kept { id: row.get(0)?, standing })
    };
    Ok(statement.query_map([], from_row)?.collect::<Result<_, _>>()?)
}

/// Who was told already, or will be, of what fires now: alert and contact point.
fn queued_for_firing(tx: &Transaction<'_>) -> Result<BTreeSet<(String, String)>, AppError> {
    let sql = "SELECT alert_id, contact_point_id FROM alert_deliveries JOIN alerts ON alerts.id = alert_id WHERE alerts.state = 'firing' AND what = 'firing'";
    let mut statement = tx.prepare_cached(sql)?;
    Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

/// What stands after the changes.
struct After {
    /// One for each change, in order.
    changed: Vec<Kept>,
    unchanged: Vec<Kept>,
}

fn applied(kept: &[Kept], changes: &[Change], now: Timestamp) -> After {
    let key = |standing: &Standing| (standing.rule_id.clone(), standing.subject.clone());
    let ids: BTreeMap<_, _> = kept.iter().map(|kept| (key(&kept.standing), kept.id.clone())).collect();
    let changed: Vec<Kept> = changes
        .iter()
        .map(|change| {
            let id = ids.get(&key(&change.alert)).cloned().unwrap_or_else(|| ids::new("alt", now));
            Kept { id, standing: change.alert.clone() }
        })
        .collect();
    let touched: BTreeSet<&str> = changed.iter().map(|kept| kept.id.as_str()).collect();
    let unchanged = kept
        .iter()
        .filter(|kept| !touched.contains(kept.id.as_str()))
        .map(|kept| Kept { id: kept.id.clone(), standing: kept.standing.clone() })
        .collect();
    After { changed, unchanged }
}

/// Firing, not silenced, and a contact point of its rule does not know yet: a new alert, a silence that ended, a contact point that was added.
fn missing(
    after: &After,
    rules: &BTreeMap<&str, &(AlertRule, AlertTemplate)>,
    silences: &[Silence],
    queued: &BTreeSet<(String, String)>,
    now: Timestamp,
) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for Kept { id, standing } in after.changed.iter().chain(&after.unchanged) {
        let Some((rule, _)) = rules.get(standing.rule_id.as_str()) else { continue };
        let silenced = silences.iter().any(|silence| silence.covers(&standing.rule_id, &standing.finding, now));
        if standing.state != State::Firing || silenced {
            continue;
        }
        let points = rule.input.contact_points.iter().map(|point| (id.clone(), point.clone()));
        missing.extend(points.filter(|pair| !queued.contains(pair)));
    }
    missing
}

fn write(
    tx: &Transaction<'_>,
    id: &str,
    change: &Change,
    rules: &BTreeMap<&str, &(AlertRule, AlertTemplate)>,
    now: Timestamp,
) -> Result<(), AppError> {
    let alert = &change.alert;
    match change.step {
        Step::Dropped => {
            tx.prepare_cached("DELETE FROM alerts WHERE id = ?1")?.execute([id])?;
        }
        Step::Resolved => {
            tx.prepare_cached("UPDATE alerts SET state = 'resolved', resolved_at = ?2 WHERE id = ?1")?
                .execute(params![id, now.to_string()])?;
            // Whoever was told that it fires, or is about to be, is told that it ended; nothing of it is repeated any more.
            tx.prepare_cached(
                "INSERT OR IGNORE INTO alert_deliveries (alert_id, contact_point_id, contact_point, what, state, next_at, at) \
                 SELECT alert_id, contact_point_id, contact_point, 'resolved', 'queued', ?2, ?2 FROM alert_deliveries \
                 WHERE alert_id = ?1 AND what = 'firing' AND state <> 'given_up' ORDER BY id",
            )?
            .execute(params![id, now.to_string()])?;
            tx.prepare_cached(
                "UPDATE alert_deliveries SET next_at = NULL WHERE alert_id = ?1 AND what = 'firing' AND state = 'delivered'",
            )?
            .execute([id])?;
        }
        Step::Began | Step::Fired | Step::Retold => {
            let Some((rule, template)) = rules.get(alert.rule_id.as_str()) else { return Ok(()) };
            let severity = rule.input.severity.unwrap_or(template.severity);
            let state = if alert.state == State::Pending { "pending" } else { "firing" };
            let sql = "INSERT INTO alerts (id, rule_id, rule_name, condition, severity, state, subject, name, summary, cluster, service, about, since, clear_since) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (id) DO UPDATE SET rule_name = ?3, condition = ?4, \
                       severity = ?5, state = ?6, name = ?8, summary = ?9, cluster = ?10, service = ?11, about = ?12, clear_since = ?14";
            let finding = &alert.finding;
            tx.prepare_cached(sql)?.execute(params![
                id,
                alert.rule_id,
                rule.input.name,
                word(template.condition),
                word(severity),
                state,
                alert.subject,
                finding.name,
                finding.summary,
                finding.cluster,
                finding.service,
                wire::about_text(&finding.about),
                alert.since.to_string(),
                alert.clear_since.map(|at| at.to_string())
            ])?;
        }
    }
    Ok(())
}

/// A contact point that was deleted meanwhile is told nothing.
fn queue_firing(tx: &Transaction<'_>, alert_id: &str, contact_point_id: &str, now: Timestamp) -> Result<(), AppError> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO alert_deliveries (alert_id, contact_point_id, contact_point, what, state, next_at, at) \
         SELECT ?1, id, name, 'firing', 'queued', ?3, ?3 FROM contact_points WHERE id = ?2",
    )?
    .execute(params![alert_id, contact_point_id, now.to_string()])?;
    Ok(())
}
