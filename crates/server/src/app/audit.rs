//! Who did what, when, from where.

use jiff::Timestamp;
use oplogue_api::Page;
use oplogue_api::audit::AuditEntry;
use oplogue_api::users::Role;
use rusqlite::{Row, Transaction, params};

use super::users::instant_at;
use super::{Actor, App, AppError};

pub const LIMIT_MAX: u32 = 1000;
pub const LIMIT_DEFAULT: u32 = 100;

/// What one audit entry says.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    /// `schedule.create`
    pub action: &'a str,
    /// What it was done to, as people call it.
    pub object: &'a str,
    /// Without secrets.
    pub detail: &'a str,
    pub ok: bool,
}

impl App {
    /// Writes an entry, in the transaction of the change itself.
    pub fn audit(&self, tx: &Transaction<'_>, actor: &Actor, deed: &Deed<'_>) -> Result<(), AppError> {
        write(tx, self.clock.now(), actor, deed)
    }

    /// Newest first; `after` is where the part before ended.
    pub fn audit_log(&self, actor: &Actor, after: Option<u64>, limit: u32) -> Result<Page<AuditEntry>, AppError> {
        actor.must_be(Role::Viewer)?;
        let limit = limit.clamp(1, LIMIT_MAX);
        let below = after.and_then(|id| i64::try_from(id).ok()).unwrap_or(i64::MAX);
        let mut items: Vec<AuditEntry> = self.db.read(|tx| {
            let sql = "SELECT id, at, actor, action, object, detail, origin, ok FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
            let mut statement = tx.prepare_cached(sql)?;
            let rows = statement.query_map(params![below, limit + 1], from_row)?;
            Ok::<_, AppError>(rows.collect::<Result<_, _>>()?)
        })?;
        // One more than asked for tells whether there is more.
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = if more { items.last().map(|entry| entry.id.to_string()) } else { None };
        Ok(Page { items, next })
    }
}

/// As [`App::audit`], for who has only the database.
pub(super) fn write(tx: &Transaction<'_>, now: Timestamp, actor: &Actor, deed: &Deed<'_>) -> Result<(), AppError> {
    tx.prepare_cached("INSERT INTO audit (at, actor, action, object, detail, origin, ok) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![now.to_string(), actor.name, deed.action, deed.object, deed.detail, actor.from, deed.ok])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        at: instant_at(row, 1)?.unwrap_or_default(),
        actor: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        detail: row.get(5)?,
        from: row.get(6)?,
        ok: row.get(7)?,
    })
}
