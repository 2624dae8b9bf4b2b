//! Rules, their state, and who is told.
//!
//! Every few seconds ([`run`]) what is known is gathered ([`gather`]), looked at ([`oplogue_domain::alert`]), and what changed is written in one
//! transaction together with whom to tell ([`evaluation`]). [`outbox`] then tells them, and goes on trying over restarts: a delivery is never lost;
//! after a crash it may be made twice, and carries an id by which it is recognised.

mod contact_points;
mod evaluation;
mod expression;
mod gather;
mod import;
pub(crate) mod known;
mod marks;
mod outbox;
mod rules;
mod run;
mod silences;
mod templates;
mod wire;

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use jiff::Timestamp;
use oplogue_api::Page;
use oplogue_api::alerts::{Alert, AlertState, Delivery};
use oplogue_api::users::Role;
use oplogue_domain::alert::{About, Silence};
use rusqlite::{Row, Transaction, params};

use super::stored::{instant_at, maybe_instant_at, word, word_at};
use super::{Actor, App, AppError};

pub use run::run;

pub const LIMIT_MAX: u32 = 500;
pub const LIMIT_DEFAULT: u32 = 100;

const COLUMNS: &str = "id, rule_id, rule_name, condition, severity, state, name, summary, cluster, service, about, since, resolved_at";

/// What alerts keep in memory between two looks.
#[derive(Debug, Default)]
pub struct Memory {
    courier: OnceLock<oplogue_notify::Courier>,
    /// There may be something to deliver.
    deliver: tokio::sync::Notify,
    /// Cron expression and time zone → the longest time between two runs.
    rhythms: Mutex<HashMap<(String, String), u32>>,
}

/// Which alerts are asked for.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    pub state: Option<AlertState>,
    pub cluster: Option<String>,
    pub rule_id: Option<String>,
    /// Where the part before ended.
    pub after: Option<String>,
}

impl App {
    /// Newest first: what stands, and what was.
    pub fn alerts(&self, actor: &Actor, filter: &AlertFilter, limit: u32) -> Result<Page<Alert>, AppError> {
        actor.must_be(Role::Viewer)?;
        let limit = limit.clamp(1, LIMIT_MAX);
        let now = self.clock.now();
        self.db.read(|tx| {
            let silences = silences::current(tx, now)?;
            let sql = format!(
                "SELECT {COLUMNS} FROM alerts WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR cluster = ?2) AND (?3 IS NULL OR rule_id = ?3) \
                 AND (?4 IS NULL OR id < ?4) ORDER BY id DESC LIMIT ?5"
            );
            let mut statement = tx.prepare_cached(&sql)?;
            let state = filter.state.map(word);
            let rows = statement.query_map(params![state, filter.cluster, filter.rule_id, filter.after, limit + 1], |row| from_row(row, &silences, now))?;
            let mut items: Vec<Alert> = rows.collect::<Result<_, _>>()?;
            let more = items.len() > limit as usize;
            items.truncate(limit as usize);
            for alert in &mut items {
                alert.deliveries = deliveries(tx, &alert.id)?;
            }
            let next = if more { items.last().map(|alert| alert.id.clone()) } else { None };
            Ok(Page { items, next })
        })
    }

    /// How many fire now, silenced ones included.
    pub fn firing_alerts(&self) -> Result<u32, AppError> {
        self.db.read(|tx| Ok(tx.prepare_cached("SELECT count(*) FROM alerts WHERE state = 'firing'")?.query_row([], |row| row.get(0))?))
    }
}

fn from_row(row: &Row<'_>, silences: &[Silence], now: Timestamp) -> rusqlite::Result<Alert> {
    let state = word_at(row, 5)?;
    let about = wire::about_at(row, 10)?;
    let mut alert = Alert {
        id: row.get(0)?,
        rule_id: row.get(1)?,
        rule_name: row.get(2)?,
        condition: word_at(row, 3)?,
        severity: word_at(row, 4)?,
        state,
        subject: row.get(6)?,
        summary: row.get(7)?,
        cluster: row.get(8)?,
        service: row.get(9)?,
        link: link(&about),
        since: instant_at(row, 11)?,
        resolved_at: maybe_instant_at(row, 12)?,
        silenced: false,
        deliveries: Vec::new(),
    };
    if state != AlertState::Resolved {
        let finding = wire::finding(&alert, about);
        alert.silenced = silences.iter().any(|silence| silence.covers(&alert.rule_id, &finding, now));
    }
    Ok(alert)
}

/// Where to look: a path of the pages.
fn link(about: &About) -> String {
    use oplogue_pages::urls;
    match about {
        About::Cluster(name) => urls::cluster(name),
        About::Service(id) => urls::service(id),
        About::Location(id) => urls::location(id),
        About::Job(id) => urls::job(id),
        About::Folder { location_id, folder } => urls::timeline(location_id, folder),
    }
}

fn deliveries(tx: &Transaction<'_>, alert_id: &str) -> Result<Vec<Delivery>, AppError> {
    let sql = "SELECT contact_point, what, at, state, error FROM alert_deliveries WHERE alert_id = ?1 ORDER BY id";
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map([alert_id], |row| {
        let (state, error): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        let error = match (state.as_str(), error) {
            ("delivered", _) => None,
            (_, Some(error)) => Some(error),
            (_, None) => Some("not delivered yet".to_owned()),
        };
        Ok(Delivery { contact_point: row.get(0)?, what: row.get(1)?, at: instant_at(row, 2)?, error })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
