//! Who did what, when, from where.

use rusqlite::{Transaction, params};

use super::{Actor, App, AppError};

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
        tx.prepare_cached("INSERT INTO audit (at, actor, action, object, detail, origin, ok) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(params![
            self.clock.now().to_string(),
            actor.name,
            deed.action,
            deed.object,
            deed.detail,
            actor.from,
            deed.ok
        ])?;
        Ok(())
    }
}
