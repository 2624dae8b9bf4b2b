//! Tokens for programs. The database knows only their hashes; a token is told once, when it is made.

use jiff::ToSpan;
use jiff::tz::TimeZone;
use oplogue_api::FieldError;
use oplogue_api::tokens::{ApiToken, ApiTokenInput, NewApiToken};
use oplogue_api::users::Role;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::audit::Deed;
use super::users::{instant_at, role_at};
use super::{Actor, App, AppError};
use crate::http::identity::{By, Identity, TOKEN_PREFIX};
use crate::ids;

const COLUMNS: &str = "id, name, role, prefix, created_by, created_at, expires_at, last_used_at";
const NAME_CHARACTERS_MAX: usize = 64;
const VALID_DAYS_MAX: u32 = 3650;
/// Enough to tell tokens apart, useless to whoever reads it.
const PREFIX_CHARACTERS: usize = TOKEN_PREFIX.len() + 6;
/// `last used` is told to the minute: not every request shall write.
const USE_NOTED_EVERY_SECONDS: i64 = 60;

impl App {
    pub fn tokens(&self, actor: &Actor) -> Result<Vec<ApiToken>, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(|tx| {
            let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens ORDER BY name"))?;
            let tokens = statement.query_map([], from_row)?.collect::<Result<_, _>>()?;
            Ok(tokens)
        })
    }

    pub fn create_token(&self, actor: &Actor, input: &ApiTokenInput) -> Result<NewApiToken, AppError> {
        actor.must_be(Role::Administrator)?;
        let problems = problems(input);
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        let now = self.clock.now();
        let expires_at = match input.valid_days {
            Some(days) => Some(now.to_zoned(TimeZone::UTC).checked_add(i64::from(days).days()).map_err(AppError::internal)?.timestamp()),
            None => None,
        };
        let token = ids::secret(TOKEN_PREFIX);
        let id = ids::new("tok", now);
        self.db.write(|tx| {
            if tx.prepare_cached("SELECT 1 FROM tokens WHERE name = ?1")?.exists([&input.name])? {
                let message = format!("there is already a token `{}`", input.name);
                return Err(AppError { fields: vec![FieldError::new("name", message.clone())], ..AppError::conflict(message) });
            }
            tx.prepare_cached(
                "INSERT INTO tokens (id, name, role, prefix, hash, created_by, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                id,
                input.name,
                input.role.as_str(),
                &token[..PREFIX_CHARACTERS],
                hash(&token),
                actor.name,
                now.to_string(),
                expires_at.map(|at| at.to_string())
            ])?;
            let until = expires_at.map_or_else(|| "does not expire".to_owned(), |at| format!("until {at}"));
            let detail = format!("{}, {until}", input.role.as_str());
            self.audit(tx, actor, &Deed { action: "token.create", object: &input.name, detail: &detail, ok: true })?;
            Ok(NewApiToken { token: token.clone(), details: find(tx, &id)? })
        })
    }

    pub fn delete_token(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        actor.must_be(Role::Administrator)?;
        self.db.write(|tx| {
            let token = find(tx, id)?;
            tx.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([id])?;
            self.audit(tx, actor, &Deed { action: "token.delete", object: &token.name, detail: token.role.as_str(), ok: true })
        })
    }

    /// Whose token this is; or why it is nobody's.
    pub fn identify_token(&self, token: &str, from: &str) -> Result<Result<Identity, &'static str>, AppError> {
        let now = self.clock.now();
        let found = self.db.read(|tx| {
            let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens WHERE hash = ?1"))?;
            Ok::<_, AppError>(statement.query_row([hash(token)], from_row).optional()?)
        })?;
        let Some(token) = found else { return Ok(Err("this token is not known (any more)")) };
        if token.expires_at.is_some_and(|at| at <= now) {
            return Ok(Err("this token has expired"));
        }
        let noted = token.last_used_at.is_some_and(|at| now.duration_since(at).as_secs().abs() < USE_NOTED_EVERY_SECONDS);
        if !noted {
            self.db.write(|tx| {
                tx.prepare_cached("UPDATE tokens SET last_used_at = ?2 WHERE id = ?1")?.execute(params![token.id, now.to_string()])?;
                Ok::<_, AppError>(())
            })?;
        }
        let actor = Actor { name: format!("token {}", token.name), role: token.role, from: from.to_owned() };
        Ok(Ok(Identity { actor, by: By::Token { id: token.id }, expires_at: token.expires_at }))
    }
}

fn problems(input: &ApiTokenInput) -> Vec<FieldError> {
    let mut problems = Vec::new();
    let name = input.name.as_str();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX || name.trim() != name || name.chars().any(char::is_control) {
        problems.push(FieldError::new(
            "name",
            format!("a token needs a name of at most {NAME_CHARACTERS_MAX} characters, without blanks around it"),
        ));
    }
    if input.valid_days.is_some_and(|days| days == 0 || days > VALID_DAYS_MAX) {
        problems.push(FieldError::new("valid_days", format!("a token is valid for 1 to {VALID_DAYS_MAX} days, or does not expire")));
    }
    problems
}

/// A token is 256 random bits: one pass of a fast hash is as good as many of a slow one.
pub(super) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

fn find(tx: &Transaction<'_>, id: &str) -> Result<ApiToken, AppError> {
    let found = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1"))?.query_row([id], from_row).optional()?;
    found.ok_or_else(|| AppError::not_found("token", id))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role_at(row, 2)?,
        prefix: row.get(3)?,
        created_by: row.get(4)?,
        created_at: instant_at(row, 5)?.unwrap_or_default(),
        expires_at: instant_at(row, 6)?,
        last_used_at: instant_at(row, 7)?,
    })
}
