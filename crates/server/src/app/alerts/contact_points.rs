//! Ways to be told. Secrets are sealed, never given back, and never sent to another place than the one they were given for.

use jiff::Timestamp;
use oplogue_api::FieldError;
use oplogue_api::alerts::{
    Condition, ContactKind, ContactPoint, ContactPointInput, ContactSecrets, ContactSettings, Severity, TestDelivery,
};
use oplogue_api::users::Role;
use oplogue_notify::{DeliveryError, Notification, NotifiedAlert, Status, email};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::super::audit::Deed;
use super::super::stored::{instant_at, json, json_at, word, word_at};
use super::rules;
use crate::app::{Actor, App, AppError};
use crate::ids;

const COLUMNS: &str = "id, name, kind, settings, secrets IS NOT NULL, created_at";
const CONTACT_POINTS_MAX: u32 = 200;
const RECIPIENTS_MAX: usize = 50;
const TEXT_BYTES_MAX: usize = 4_096;

/// Where to deliver.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub kind: ContactKind,
    pub settings: ContactSettings,
    pub secrets: ContactSecrets,
}

impl App {
    pub fn contact_points(&self, actor: &Actor) -> Result<Vec<ContactPoint>, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(|tx| {
            let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM contact_points ORDER BY name"))?;
            let points = statement.query_map([], from_row)?.collect::<Result<_, _>>()?;
            Ok(points)
        })
    }

    pub fn contact_point(&self, actor: &Actor, id: &str) -> Result<ContactPoint, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(|tx| find(tx, id))
    }

    pub fn create_contact_point(&self, actor: &Actor, input: &ContactPointInput) -> Result<ContactPoint, AppError> {
        actor.must_be(Role::Administrator)?;
        let now = self.clock.now();
        let id = ids::new("con", now);
        let secrets = filled(input.secrets.clone());
        check(input, &secrets)?;
        let sealed = self.seal_secrets(&id, &secrets);
        self.db.write(|tx| {
            name_is_free(tx, &input.name, None)?;
            let count: u32 = tx.query_row("SELECT count(*) FROM contact_points", [], |row| row.get(0))?;
            if count >= CONTACT_POINTS_MAX {
                return Err(AppError::conflict(format!("there are {count} contact points, and that is the limit")));
            }
            tx.prepare_cached(
                "INSERT INTO contact_points (id, name, kind, settings, secrets, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![id, input.name, word(input.kind), json(&input.settings), sealed, now.to_string()])?;
            self.audit(tx, actor, &Deed { action: "contact_point.create", object: &input.name, detail: &word(input.kind), ok: true })?;
            find(tx, &id)
        })
    }

    /// Secrets that are not given stay, as long as they go where they went before.
    pub fn change_contact_point(&self, actor: &Actor, id: &str, input: &ContactPointInput) -> Result<ContactPoint, AppError> {
        actor.must_be(Role::Administrator)?;
        let now = self.clock.now();
        let before = self.delivery_target(id)?.ok_or_else(|| AppError::not_found("contact point", id))?;
        let secrets = kept(input, &before)?;
        check(input, &secrets)?;
        let sealed = self.seal_secrets(id, &secrets);
        self.db.write(|tx| {
            find(tx, id)?;
            name_is_free(tx, &input.name, Some(id))?;
            tx.prepare_cached("UPDATE contact_points SET name = ?2, kind = ?3, settings = ?4, secrets = ?5 WHERE id = ?1")?.execute(params![
                id,
                input.name,
                word(input.kind),
                json(&input.settings),
                sealed
            ])?;
            // What could not be delivered may be now.
            tx.prepare_cached("UPDATE alert_deliveries SET state = 'queued', attempts = 0, next_at = ?2 WHERE contact_point_id = ?1 AND state <> 'delivered' \
                 AND alert_id IN (SELECT id FROM alerts WHERE state = 'firing')")?
                .execute(params![id, now.to_string()])?;
            self.audit(tx, actor, &Deed { action: "contact_point.change", object: &input.name, detail: &word(input.kind), ok: true })?;
            find(tx, id)
        })
    }

    /// # Errors
    /// `conflict` while a rule tells it.
    pub fn delete_contact_point(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        actor.must_be(Role::Administrator)?;
        self.db.write(|tx| {
            let point = find(tx, id)?;
            if let Some(rule) = rules::all(tx)?.into_iter().find(|rule| rule.input.contact_points.iter().any(|told| told == id)) {
                return Err(AppError::conflict(format!("the rule `{}` tells it", rule.input.name)).hint("take it out of the rule first"));
            }
            tx.prepare_cached("DELETE FROM contact_points WHERE id = ?1")?.execute([id])?;
            tx.prepare_cached(
                "UPDATE alert_deliveries SET state = 'given_up', next_at = NULL, error = 'the contact point was deleted' WHERE contact_point_id = ?1 AND state = 'queued'",
            )?
            .execute([id])?;
            tx.prepare_cached("UPDATE alert_deliveries SET next_at = NULL WHERE contact_point_id = ?1")?.execute([id])?;
            self.audit(tx, actor, &Deed { action: "contact_point.delete", object: &point.name, detail: &word(point.kind), ok: true })
        })
    }

    /// Sends something that says it is a test, now and once.
    pub async fn test_contact_point(&self, actor: &Actor, id: &str) -> Result<TestDelivery, AppError> {
        actor.must_be(Role::Administrator)?;
        let target = self.delivery_target(id)?.ok_or_else(|| AppError::not_found("contact point", id))?;
        let alert_id = ids::new("test", self.clock.now());
        let mut result = self.deliver_to(&target, &self.test_notification(&target, &alert_id, Status::Firing)).await;
        // These two remember: what was opened is closed again.
        if result.is_ok() && matches!(target.kind, ContactKind::Pagerduty | ContactKind::Alertmanager) {
            result = self.deliver_to(&target, &self.test_notification(&target, &alert_id, Status::Resolved)).await;
        }
        let error = result.err().map(|error| error.to_string());
        let detail = error.clone().unwrap_or_else(|| "delivered".to_owned());
        let deed = Deed { action: "contact_point.test", object: &target.name, detail: &detail, ok: error.is_none() };
        self.db.write(|tx| self.audit(tx, actor, &deed))?;
        Ok(TestDelivery { ok: error.is_none(), error })
    }

    fn test_notification(&self, target: &Target, alert_id: &str, status: Status) -> Notification {
        let now = self.clock.now();
        let alert = NotifiedAlert {
            id: alert_id.to_owned(),
            rule: "Test".to_owned(),
            condition: Condition::BackupFailed,
            severity: Severity::Info,
            summary: "This is a test from Oplogue: alerts of its rules arrive here. Nothing is wrong.".to_owned(),
            subject: "test".to_owned(),
            cluster: None,
            service: None,
            link: oplogue_pages::urls::CONTACT_POINTS.to_owned(),
            since: now,
            resolved_at: (status == Status::Resolved).then_some(now),
        };
        self.notification(target, status, vec![alert], now)
    }

    pub(super) fn notification(&self, target: &Target, status: Status, alerts: Vec<NotifiedAlert>, at: Timestamp) -> Notification {
        let server_url = crate::serve::url(&self.config, self.config.listen);
        Notification { status, receiver: target.name.clone(), server_url, at, alerts }
    }

    pub(super) async fn deliver_to(&self, target: &Target, notification: &Notification) -> Result<(), DeliveryError> {
        let courier = match self.alert_memory.courier.get() {
            Some(courier) => courier.clone(),
            None => {
                let courier = oplogue_notify::Courier::new()?;
                self.alert_memory.courier.get_or_init(|| courier).clone()
            }
        };
        courier.deliver(target.kind, &target.settings, &target.secrets, notification).await
    }

    pub(super) fn delivery_target(&self, id: &str) -> Result<Option<Target>, AppError> {
        let found = self.db.read(|tx| {
            let mut statement = tx.prepare_cached("SELECT name, kind, settings, secrets FROM contact_points WHERE id = ?1")?;
            let from_row = |row: &Row<'_>| Ok((row.get(0)?, word_at(row, 1)?, json_at(row, 2)?, row.get::<_, Option<Vec<u8>>>(3)?));
            Ok::<_, AppError>(statement.query_row([id], from_row).optional()?)
        })?;
        let Some((name, kind, settings, sealed)) = found else { return Ok(None) };
        let secrets = match sealed {
            Some(sealed) => serde_json::from_slice(&self.vault.unseal(&belongs_to(id), &sealed)?).map_err(AppError::internal)?,
            None => ContactSecrets::default(),
        };
        Ok(Some(Target { name, kind, settings, secrets }))
    }

    fn seal_secrets(&self, id: &str, secrets: &ContactSecrets) -> Option<Vec<u8>> {
        (*secrets != ContactSecrets::default()).then(|| self.vault.seal(&belongs_to(id), json(secrets).as_bytes()))
    }
}

fn belongs_to(id: &str) -> String {
    format!("contact point {id}")
}

/// An empty field of a form means that nothing was typed.
fn filled(secrets: ContactSecrets) -> ContactSecrets {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    ContactSecrets {
        smtp_password: some(secrets.smtp_password),
        webhook_url: some(secrets.webhook_url),
        authorization: some(secrets.authorization),
        routing_key: some(secrets.routing_key),
    }
}

/// What is given wins, the rest stays, unless it would now be sent elsewhere: whoever may change an address must not get a password by it.
fn kept(input: &ContactPointInput, before: &Target) -> Result<ContactSecrets, AppError> {
    let given = filled(input.secrets.clone());
    if input.kind != before.kind {
        return Ok(given);
    }
    let stored = before.secrets.clone();
    let (old, new) = (&before.settings, &input.settings);
    let same_server = old.smtp == new.smtp && old.smtp_security == new.smtp_security && old.smtp_user == new.smtp_user;
    let same_url = old.url == new.url && (given.webhook_url.is_none() || given.webhook_url == stored.webhook_url);
    let moved = |field: &str, stored: &Option<String>, given: &Option<String>, same: bool| {
        (stored.is_some() && given.is_none() && !same).then(|| FieldError::new(field, "the address changed: give this again"))
    };
    let problems: Vec<FieldError> = [
        moved("smtp_password", &stored.smtp_password, &given.smtp_password, same_server),
        moved("authorization", &stored.authorization, &given.authorization, same_url),
        moved("routing_key", &stored.routing_key, &given.routing_key, same_url),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !problems.is_empty() {
        return Err(AppError::invalid(problems));
    }
    Ok(ContactSecrets {
        smtp_password: given.smtp_password.or(stored.smtp_password),
        webhook_url: given.webhook_url.or(stored.webhook_url),
        authorization: given.authorization.or(stored.authorization),
        routing_key: given.routing_key.or(stored.routing_key),
    })
}

/// `secrets` as they would be stored.
fn check(input: &ContactPointInput, secrets: &ContactSecrets) -> Result<(), AppError> {
    let mut problems: Vec<FieldError> = rules::name_problem(&input.name).into_iter().collect();
    match input.kind {
        ContactKind::Email => problems.extend(email_problems(&input.settings, secrets)),
        ContactKind::Webhook | ContactKind::Slack => {
            problems.extend(url_problem("webhook_url", secrets.webhook_url.as_deref().unwrap_or_default(), true));
        }
        ContactKind::Pagerduty => {
            problems.extend(secrets.routing_key.is_none().then(|| FieldError::new("routing_key", "the integration key is needed")));
            problems.extend(url_problem("url", &input.settings.url, false));
        }
        ContactKind::Alertmanager => problems.extend(url_problem("url", &input.settings.url, true)),
    }
    let texts = [&secrets.smtp_password, &secrets.webhook_url, &secrets.authorization, &secrets.routing_key];
    let names = ["smtp_password", "webhook_url", "authorization", "routing_key"];
    for (name, text) in names.into_iter().zip(texts) {
        if text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
            problems.push(FieldError::new(name, format!("at most {TEXT_BYTES_MAX} bytes")));
        }
    }
    if secrets.authorization.as_ref().is_some_and(|text| !text.chars().all(|letter| letter == ' ' || letter.is_ascii_graphic())) {
        problems.push(FieldError::new("authorization", "only printable ASCII characters, e.g. `Bearer …`"));
    }
    if problems.is_empty() { Ok(()) } else { Err(AppError::invalid(problems)) }
}

fn email_problems(settings: &ContactSettings, secrets: &ContactSecrets) -> Vec<FieldError> {
    let mut problems = Vec::new();
    let security = email::Security::parse(&settings.smtp_security);
    if security.is_none() {
        problems.push(FieldError::new("smtp_security", "none, starttls or tls"));
    }
    let security = security.unwrap_or(email::Security::StartTls);
    match email::server(&settings.smtp, security) {
        None => problems.push(FieldError::new("smtp", "HOST or HOST:PORT of the mail server")),
        Some((host, _)) if secrets.smtp_password.is_some() && !email::may_send_password(&host, security) => {
            problems.push(FieldError::new("smtp_security", "a password is sent only encrypted: starttls or tls"));
        }
        Some(_) => {}
    }
    if !email::is_address(&settings.mail_from) {
        problems.push(FieldError::new("mail_from", "an e-mail address, e.g. `Oplogue <oplogue@example.com>`"));
    }
    if settings.mail_to.is_empty() {
        problems.push(FieldError::new("mail_to", "at least one e-mail address"));
    } else if settings.mail_to.len() > RECIPIENTS_MAX {
        problems.push(FieldError::new("mail_to", format!("at most {RECIPIENTS_MAX} addresses")));
    } else if let Some(wrong) = settings.mail_to.iter().find(|to| !email::is_address(to)) {
        problems.push(FieldError::new("mail_to", format!("`{wrong}` is not an e-mail address")));
    }
    problems
}

fn url_problem(field: &str, text: &str, needed: bool) -> Option<FieldError> {
    if text.is_empty() {
        return needed.then(|| FieldError::new(field, "an address is needed"));
    }
    let fits =
        text.len() <= TEXT_BYTES_MAX && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    (!fits).then(|| FieldError::new(field, "a URL that begins with http:// or https://"))
}

fn name_is_free(tx: &Transaction<'_>, name: &str, except: Option<&str>) -> Result<(), AppError> {
    if !tx.prepare_cached("SELECT 1 FROM contact_points WHERE name = ?1 AND id IS NOT ?2")?.exists(params![name, except])? {
        return Ok(());
    }
    let message = format!("there is already a contact point `{name}`");
    Err(AppError { fields: vec![FieldError::new("name", message.clone())], ..AppError::conflict(message) })
}

fn find(tx: &Transaction<'_>, id: &str) -> Result<ContactPoint, AppError> {
    let found = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM contact_points WHERE id = ?1"))?.query_row([id], from_row).optional()?;
    found.ok_or_else(|| AppError::not_found("contact point", id))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ContactPoint> {
    Ok(ContactPoint {
        id: row.get(0)?,
        name: row.get(1)?,
        kind: word_at(row, 2)?,
        settings: json_at(row, 3)?,
        has_secret: row.get(4)?,
        created_at: instant_at(row, 5)?,
    })
}
