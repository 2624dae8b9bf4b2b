//! Templates: those built in, one for each condition, and those imported.

use oplogue_api::alerts::{AlertTemplate, Condition, Severity, TemplateImport};
use oplogue_api::users::Role;
use rusqlite::{OptionalExtension, Transaction, params};

use super::super::audit::Deed;
use super::super::stored::{json, json_at, word};
use super::import;
use crate::app::{Actor, App, AppError};

/// 31 days, as in PMM.
pub const SECONDS_MAX: f64 = 2_678_400.0;
const GIB: f64 = (1_u64 << 30) as f64;
/// Imported ones; more is a mistake.
const TEMPLATES_MAX: u32 = 500;

impl App {
    /// Built-in ones first, then by name.
    pub fn alert_templates(&self, actor: &Actor) -> Result<Vec<AlertTemplate>, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(all)
    }

    /// Adds all templates of a file, or none. One of the same name that was imported earlier is replaced.
    pub fn import_alert_templates(&self, actor: &Actor, input: &TemplateImport) -> Result<Vec<AlertTemplate>, AppError> {
        actor.must_be(Role::Administrator)?;
        let templates = import::templates(&input.yaml).map_err(|error| AppError::field("yaml", error.to_string()))?;
        let now = self.clock.now().to_string();
        self.db.write(|tx| {
            let sql = "INSERT INTO alert_templates (name, template, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET template = ?2";
            for template in &templates {
                if built_in().iter().any(|own| own.name == template.name) {
                    return Err(AppError::field("yaml", format!("`{}` is a template of the program itself: give yours another name", template.name)));
                }
                tx.prepare_cached(sql)?.execute(params![template.name, json(template), now])?;
                self.audit(tx, actor, &Deed { action: "alert_template.import", object: &template.name, detail: &word(template.condition), ok: true })?;
            }
            let count: u32 = tx.query_row("SELECT count(*) FROM alert_templates", [], |row| row.get(0))?;
            if count > TEMPLATES_MAX {
                return Err(AppError::conflict(format!("there would be {count} imported templates, and {TEMPLATES_MAX} is the limit")));
            }
            Ok(())
        })?;
        Ok(templates)
    }

    /// # Errors
    /// `conflict` while a rule uses it; one that is built in stays.
    pub fn delete_alert_template(&self, actor: &Actor, name: &str) -> Result<(), AppError> {
        actor.must_be(Role::Administrator)?;
        if built_in().iter().any(|own| own.name == name) {
            return Err(AppError::conflict(format!("`{name}` is a template of the program itself and cannot be deleted")));
        }
        self.db.write(|tx| {
            if let Some(rule) = super::rules::all(tx)?.into_iter().find(|rule| rule.input.template == name) {
                return Err(
                    AppError::conflict(format!("the rule `{}` is made from this template", rule.input.name)).hint("delete the rule first")
                );
            }
            if tx.prepare_cached("DELETE FROM alert_templates WHERE name = ?1")?.execute([name])? == 0 {
                return Err(AppError::not_found("alert template", name));
            }
            self.audit(tx, actor, &Deed { action: "alert_template.delete", object: name, detail: "", ok: true })
        })
    }
}

pub fn all(tx: &Transaction<'_>) -> Result<Vec<AlertTemplate>, AppError> {
    let mut templates = built_in();
    let mut statement = tx.prepare_cached("SELECT template FROM alert_templates ORDER BY name")?;
    let imported: Vec<AlertTemplate> = statement.query_map([], |row| json_at(row, 0))?.collect::<Result<_, _>>()?;
    templates.extend(imported);
    Ok(templates)
}

pub fn find(tx: &Transaction<'_>, name: &str) -> Result<Option<AlertTemplate>, AppError> {
    if let Some(own) = built_in().into_iter().find(|own| own.name == name) {
        return Ok(Some(own));
    }
    let mut statement = tx.prepare_cached("SELECT template FROM alert_templates WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| json_at(row, 0)).optional()?)
}

/// The template of a condition.
pub fn of(condition: Condition) -> AlertTemplate {
    let (summary, description, unit, (threshold, min, max), for_seconds, severity) = match condition {
        Condition::BackupFailed => (
            "Backup failed",
            "The last run of a backup job failed, after all its retries, and no later one succeeded. It ends by itself with the next run that succeeds.",
            "",
            (0.0, 0.0, 0.0),
            0,
            Severity::Error,
        ),
        Condition::RestorePointOld => (
            "No restorable moment newer than a limit",
            "The newest moment a cluster can be restored to is too old. With scheduled snapshots alone, the longest time between two runs is added to the limit. \
             While the storage cannot be read, the newest moment known grows older.",
            "seconds",
            (900.0, 30.0, SECONDS_MAX),
            60,
            Severity::Critical,
        ),
        Condition::SlicingStalled => (
            "Slicing stalled",
            "Continuous storing of the oplog was asked for, and nothing was stored for too long.",
            "seconds",
            (120.0, 15.0, SECONDS_MAX),
            60,
            Severity::Error,
        ),
        Condition::Gap => (
            "Gap in a timeline",
            "Oplog is missing on the storage, so the moments inside cannot be restored. It counts as long as the gap is newer than the limit; 0: for ever.",
            "seconds",
            (86_400.0, 0.0, SECONDS_MAX),
            0,
            Severity::Warning,
        ),
        Condition::OplogWindowShort => (
            "Oplog window short",
            "If slicing stood still from now on, the server would soon discard oplog that is not stored: make the oplog larger. \
             It is judged once the server discards entries at all.",
            "seconds",
            (3_600.0, 60.0, SECONDS_MAX),
            300,
            Severity::Warning,
        ),
        Condition::AgentDown => {
            ("Agent down", "An agent was not heard of for too long.", "seconds", (60.0, 15.0, SECONDS_MAX), 60, Severity::Error)
        }
        Condition::StorageUnreachable => {
            ("Storage unreachable", "The server or an agent cannot use a location.", "", (0.0, 0.0, 0.0), 60, Severity::Critical)
        }
        Condition::VerifyFailed => {
            ("Damage found", "Something on a storage was read back and is damaged or missing.", "", (0.0, 0.0, 0.0), 0, Severity::Critical)
        }
        Condition::StorageGrowth => (
            "Storage growth",
            "A location grew by more than the limit within a day.",
            "bytes",
            (100.0 * GIB, GIB / 1024.0, 1024.0 * 1024.0 * GIB),
            0,
            Severity::Warning,
        ),
    };
    AlertTemplate {
        name: word(condition),
        summary: summary.to_owned(),
        description: description.to_owned(),
        condition,
        unit: unit.to_owned(),
        threshold,
        threshold_min: min,
        threshold_max: max,
        for_seconds,
        severity,
        imported: false,
    }
}

pub const CONDITIONS: [Condition; 9] = [
    Condition::BackupFailed,
    Condition::RestorePointOld,
    Condition::SlicingStalled,
    Condition::Gap,
    Condition::OplogWindowShort,
    Condition::AgentDown,
    Condition::StorageUnreachable,
    Condition::VerifyFailed,
    Condition::StorageGrowth,
];

pub fn built_in() -> Vec<AlertTemplate> {
    CONDITIONS.into_iter().map(of).collect()
}
