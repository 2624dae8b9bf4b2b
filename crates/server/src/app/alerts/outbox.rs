//! Tells people what the outbox holds.
//!
//! What is due for one contact point goes out together, so that a storage that is away makes one mail and not two hundred. A row is taken off only
//! after the receiver said yes: a crash in between delivers it again, under the same id. What cannot be delivered is tried again, more and more
//! rarely, for about a day.

use std::collections::BTreeMap;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use oplogue_api::alerts::ContactKind;
use oplogue_notify::alertmanager::REPEAT_SECONDS;
use oplogue_notify::{DeliveryError, NotifiedAlert, Status};
use rusqlite::{Row, params};

use super::super::stored::{instant_at, maybe_instant_at, word_at};
use super::{contact_points::Target, link, wire};
use crate::app::{App, AppError};

/// Looked at in one round.
const ROUND_MAX: u32 = 1_000;
/// Alerts told together.
const TOGETHER_MAX: usize = 50;
/// Receivers spoken to at the same time.
const AT_ONCE: usize = 8;
const ATTEMPTS_MAX: u32 = 150;
const FIRST_RETRY_SECONDS: i64 = 10;
const LAST_RETRY_SECONDS: i64 = 600;

struct Due {
    delivery_id: i64,
    contact_point_id: String,
    status: Status,
    attempts: u32,
    alert: NotifiedAlert,
}

impl App {
    /// Delivers what is due, each once. Tells how many deliveries were tried.
    pub async fn deliver_alerts(&self) -> Result<usize, AppError> {
        let now = self.clock.now();
        let due = self.due_deliveries(now)?;
        let count = due.len();
        let mut by_receiver: BTreeMap<String, Vec<Due>> = BTreeMap::new();
        for one in due {
            by_receiver.entry(one.contact_point_id.clone()).or_default().push(one);
        }
        futures::stream::iter(by_receiver)
            .for_each_concurrent(AT_ONCE, |(id, due)| async move {
                if let Err(error) = self.deliver_to_one(&id, due).await {
                    let cause = error.cause.as_ref().map_or_else(|| error.to_string(), |cause| format!("{cause:#}"));
                    tracing::error!(contact_point = %id, error = %cause, "alerts could not be delivered");
                }
            })
            .await;
        Ok(count)
    }

    async fn deliver_to_one(&self, id: &str, due: Vec<Due>) -> Result<(), AppError> {
        // Deleted since: its rows are not due any more.
        let Some(target) = self.delivery_target(id)? else { return Ok(()) };
        for status in [Status::Firing, Status::Resolved] {
            let of_status: Vec<&Due> = due.iter().filter(|due| due.status == status).collect();
            for together in of_status.chunks(TOGETHER_MAX) {
                let alerts = together.iter().map(|due| due.alert.clone()).collect();
                let notification = self.notification(&target, status, alerts, self.clock.now());
                let result = self.deliver_to(&target, &notification).await;
                self.note_delivery(&target, together, result.err().as_ref())?;
            }
        }
        Ok(())
    }

    fn due_deliveries(&self, now: Timestamp) -> Result<Vec<Due>, AppError> {
        // Nobody is told that something ended before they were told that it began.
        let sql = "SELECT d.id, d.contact_point_id, d.what, d.attempts, a.id, a.rule_name, a.condition, a.severity, a.summary, a.name, a.cluster, a.service, \
                   a.about, a.since, a.resolved_at FROM alert_deliveries d JOIN alerts a ON a.id = d.alert_id \
                   WHERE d.next_at IS NOT NULL AND d.next_at <= ?1 AND NOT (d.what = 'resolved' AND EXISTS (SELECT 1 FROM alert_deliveries f \
                   WHERE f.alert_id = d.alert_id AND f.contact_point_id = d.contact_point_id AND f.what = 'firing' AND f.state = 'queued')) \
                   ORDER BY d.id LIMIT ?2";
        self.db.read(|tx| {
            let mut statement = tx.prepare_cached(sql)?;
            let due = statement.query_map(params![now.to_string(), ROUND_MAX], due_from_row)?.collect::<Result<_, _>>()?;
            Ok(due)
        })
    }

    fn note_delivery(&self, target: &Target, together: &[&Due], error: Option<&DeliveryError>) -> Result<(), AppError> {
        let now = self.clock.now();
        let repeats = target.kind == ContactKind::Alertmanager;
        if let Some(error) = error {
            tracing::warn!(contact_point = %target.name, alerts = together.len(), %error, "alerts were not delivered");
        }
        self.db.write(|tx| {
            for due in together {
                let attempts = due.attempts.saturating_add(1);
                let (state, next_at) = match error {
                    None if repeats && due.status == Status::Firing => ("delivered", later(now, i64::from(REPEAT_SECONDS))),
                    None => ("delivered", None),
                    Some(_) if attempts >= ATTEMPTS_MAX => ("given_up", None),
                    Some(error) => ("queued", later(now, retry_seconds(attempts, error.is_retryable()))),
                };
                let next_at = next_at.map(|at| at.to_string());
                // The contact point may have been deleted, or the alert resolved, while we were speaking: what they wrote about what comes next stays.
                let sql = "UPDATE alert_deliveries SET attempts = CASE WHEN ?2 = 'delivered' THEN 0 ELSE ?3 END, at = ?4, error = ?5, state = ?2, \
                           next_at = CASE WHEN next_at IS NULL OR (?2 = 'delivered' AND (SELECT state FROM alerts WHERE id = alert_id) = 'resolved') THEN NULL ELSE ?6 END \
                           WHERE id = ?1";
                let told = error.map(ToString::to_string);
                tx.prepare_cached(sql)?.execute(params![due.delivery_id, state, attempts, now.to_string(), told, next_at])?;
            }
            Ok::<_, AppError>(())
        })
    }
}

fn later(now: Timestamp, seconds: i64) -> Option<Timestamp> {
    now.saturating_add(SignedDuration::from_secs(seconds)).ok()
}

/// After the `attempts`-th try. What is wrong with a contact point is not mended within seconds.
fn retry_seconds(attempts: u32, retryable: bool) -> i64 {
    if !retryable {
        return LAST_RETRY_SECONDS;
    }
    let doubled = FIRST_RETRY_SECONDS.saturating_mul(1_i64 << attempts.saturating_sub(1).min(20));
    doubled.min(LAST_RETRY_SECONDS)
}

fn due_from_row(row: &Row<'_>) -> rusqlite::Result<Due> {
    let what: String = row.get(2)?;
    Ok(Due {
        delivery_id: row.get(0)?,
        contact_point_id: row.get(1)?,
        status: if what == "resolved" { Status::Resolved } else { Status::Firing },
        attempts: row.get(3)?,
        alert: NotifiedAlert {
            id: row.get(4)?,
            rule: row.get(5)?,
            condition: word_at(row, 6)?,
            severity: word_at(row, 7)?,
            summary: row.get(8)?,
            subject: row.get(9)?,
            cluster: row.get(10)?,
            service: row.get(11)?,
            link: link(&wire::about_at(row, 12)?),
            since: instant_at(row, 13)?,
            resolved_at: maybe_instant_at(row, 14)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_more_and_more_rarely_and_end() {
        let seconds: Vec<i64> = (1..=8).map(|attempts| retry_seconds(attempts, true)).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!((retry_seconds(1, false), retry_seconds(u32::MAX, true)), (600, 600));
        let all: i64 = (1..ATTEMPTS_MAX).map(|attempts| retry_seconds(attempts, true)).sum();
        assert!((23 * 3_600..26 * 3_600).contains(&all), "{all} s");
    }
}
