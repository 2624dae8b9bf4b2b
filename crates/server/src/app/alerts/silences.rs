//! Silences: alerts they cover are shown and nobody is told.

use jiff::{SignedDuration, Timestamp};
use oplogue_api::FieldError;
use oplogue_api::alerts::{Silence, SilenceInput};
use oplogue_api::users::Role;
use oplogue_domain::alert;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::super::audit::Deed;
use super::super::stored::{instant_at, json, json_at};
use super::wire;
use crate::app::{Actor, App, AppError};
use crate::ids;

const COLUMNS: &str = "id, input, created_by, created_at";
const COMMENT_CHARACTERS_MAX: usize = 1_000;
/// A silence without an end is a forgotten rule.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Those that are over are listed for so long.
const SHOWN: SignedDuration = SignedDuration::from_hours(30 * 24);
const SILENCES_MAX: u32 = 1_000;

impl App {
    /// Those that last, and those that ended within the last 30 days; the latest end first.
    pub fn silences(&self, actor: &Actor) -> Result<Vec<Silence>, AppError> {
        actor.must_be(Role::Viewer)?;
        let from = self.clock.now().saturating_sub(SHOWN).unwrap_or(Timestamp::MIN).to_string();
        self.db.read(|tx| {
            let mut statement =
                tx.prepare_cached(&format!("SELECT {COLUMNS} FROM alert_silences WHERE until >= ?1 ORDER BY until DESC"))?;
            let silences = statement.query_map([from], from_row)?.collect::<Result<_, _>>()?;
            Ok(silences)
        })
    }

    pub fn create_silence(&self, actor: &Actor, input: &SilenceInput) -> Result<Silence, AppError> {
        actor.must_be(Role::Operator)?;
        let now = self.clock.now();
        let mut problems = Vec::new();
        if input.until <= now {
            problems.push(FieldError::new("until", "the end must lie in the future"));
        } else if input.until > now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX) {
            problems.push(FieldError::new("until", "at most a year from now"));
        }
        if input.comment.chars().count() > COMMENT_CHARACTERS_MAX {
            problems.push(FieldError::new("comment", format!("at most {COMMENT_CHARACTERS_MAX} characters")));
        }
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        // An empty choice of a form is no filter.
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let input = SilenceInput {
            rule_id: some(&input.rule_id),
            cluster: some(&input.cluster),
            service: some(&input.service),
            until: input.until,
            comment: input.comment.clone(),
        };
        let id = ids::new("sil", now);
        self.db.write(|tx| {
            if let Some(rule) = &input.rule_id
                && !tx.prepare_cached("SELECT 1 FROM alert_rules WHERE id = ?1")?.exists([rule])?
            {
                return Err(AppError::field("rule_id", format!("there is no alert rule `{rule}`")));
            }
            let count: u32 = tx.query_row("SELECT count(*) FROM alert_silences WHERE until >= ?1", [now.to_string()], |row| row.get(0))?;
            if count >= SILENCES_MAX {
                return Err(AppError::conflict(format!("there are {count} silences, and that is the limit")));
            }
            tx.prepare_cached("INSERT INTO alert_silences (id, input, until, created_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![id, json(&input), input.until.to_string(), actor.name, now.to_string()])?;
            let (object, detail) = (covers(&input), format!("until {}", input.until));
            self.audit(tx, actor, &Deed { action: "silence.create", object: &object, detail: &detail, ok: true })?;
            find(tx, &id)
        })
    }

    /// What it covers and still fires is told at the next look.
    pub fn delete_silence(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        actor.must_be(Role::Operator)?;
        self.db.write(|tx| {
            let silence = find(tx, id)?;
            tx.prepare_cached("DELETE FROM alert_silences WHERE id = ?1")?.execute([id])?;
            let (object, detail) = (covers(&silence.input), format!("would have lasted until {}", silence.input.until));
            self.audit(tx, actor, &Deed { action: "silence.delete", object: &object, detail: &detail, ok: true })
        })
    }
}

/// Those that last at `now`.
pub fn current(tx: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<Vec<alert::Silence>> {
    let mut statement = tx.prepare_cached("SELECT input FROM alert_silences")?;
    let all: Vec<SilenceInput> = statement.query_map([], |row| json_at(row, 0))?.collect::<Result<_, _>>()?;
    Ok(all.iter().filter(|silence| now < silence.until).map(wire::silence).collect())
}

fn covers(input: &SilenceInput) -> String {
    let parts = [("rule", &input.rule_id), ("cluster", &input.cluster), ("service", &input.service)];
    let told: Vec<String> = parts.iter().filter_map(|(what, value)| Some(format!("{what} {}", value.as_ref()?))).collect();
    if told.is_empty() { "everything".to_owned() } else { told.join(", ") }
}

fn find(tx: &Transaction<'_>, id: &str) -> Result<Silence, AppError> {
    let found = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM alert_silences WHERE id = ?1"))?.query_row([id], from_row).optional()?;
    found.ok_or_else(|| AppError::not_found("silence", id))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Silence> {
    Ok(Silence { id: row.get(0)?, input: json_at(row, 1)?, created_by: row.get(2)?, created_at: instant_at(row, 3)? })
}
