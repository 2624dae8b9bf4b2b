//! Links that let somebody in once: the first administrator, and a user whose password is lost.
//!
//! While there are no users, each start of the server makes a new link and forgets the one before. A link for a lost password is made by
//! whoever may read the data directory (`oplogue admin reset-password`), and is good for a day. Using a link and what it brings about are one
//! transaction: a crash leaves the link usable, or used and done.

use jiff::{Timestamp, ToSpan};
use oplogue_api::session::FirstStart;
use oplogue_api::users::{Role, UserInput};
use oplogue_api::{ErrorCode, FieldError};
use rusqlite::{OptionalExtension, Transaction, params};

use super::audit::{self, Deed};
use super::sessions::SignedIn;
use super::tokens::hash;
use super::users::{instant_at, name_problem, passwords};
use super::{Actor, App, AppError};
use crate::ids;

const RESET_VALID_HOURS: i64 = 24;

/// What a link is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// To become the first administrator, under a name of one's choice.
    First,
    /// To give this user a new password.
    Reset { user: String },
}

impl App {
    /// A new code for the first administrator; `None` when there are users.
    pub fn first_code(&self) -> Result<Option<String>, AppError> {
        let now = self.clock.now();
        self.db.write(|tx| {
            tx.execute("DELETE FROM links WHERE user_id IS NULL", [])?;
            if tx.prepare_cached("SELECT 1 FROM users")?.exists([])? { Ok(None) } else { insert(tx, None, now, None).map(Some) }
        })
    }

    pub fn link(&self, code: &str) -> Result<Link, AppError> {
        let now = self.clock.now();
        self.db.read(|tx| find(tx, code, now))
    }

    /// Creates the first administrator, or gives a user a new password; and signs them in.
    ///
    /// The name counts only for the first administrator.
    pub async fn use_link(&self, input: FirstStart, from: &str) -> Result<SignedIn, AppError> {
        let link = self.link(&input.code)?;
        let (name, unfit) = match &link {
            Link::First => (input.name.clone(), name_problem(&input.name)),
            Link::Reset { user } => (user.clone(), None),
        };
        let problems: Vec<FieldError> = unfit.into_iter().chain(passwords::problem("password", &input.password, &name)).collect();
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        let password = passwords::hash(input.password).await?;
        let actor = Actor { name: name.clone(), role: Role::Administrator, from: from.to_owned() };
        let now = self.clock.now();
        self.db.write(|tx| {
            // Somebody may have been faster while the password was hashed.
            find(tx, &input.code, now)?;
            match &link {
                Link::First => {
                    tx.execute("DELETE FROM links WHERE user_id IS NULL", [])?;
                    let user = UserInput { name: name.clone(), role: Role::Administrator, password: None, disabled: false };
                    self.insert_user(tx, &actor, &user, &password)?;
                }
                Link::Reset { user } => self.reset_password(tx, &actor, user, &password)?,
            }
            self.begin_session_of(tx, &name, from)
        })
    }

    fn reset_password(&self, tx: &Transaction<'_>, actor: &Actor, user: &str, password: &str) -> Result<(), AppError> {
        tx.execute("DELETE FROM links WHERE user_id = (SELECT id FROM users WHERE name = ?1)", [user])?;
        tx.execute("DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE name = ?1)", [user])?;
        tx.execute("UPDATE users SET password = ?2, disabled = 0 WHERE name = ?1", params![user, password])?;
        self.audit(tx, actor, &Deed { action: "password.reset", object: user, detail: "by a one-time link; all sessions ended", ok: true })
    }
}

/// A code for a user whose password is lost. Needs only the database, so that it works while the server runs and while it does not.
///
/// # Errors
/// When there is no such user: who there is.
pub fn reset_code(tx: &Transaction<'_>, name: &str, now: Timestamp) -> Result<String, AppError> {
    let id: Option<String> = tx.query_row("SELECT id FROM users WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    let Some(id) = id else {
        let names: Vec<String> =
            tx.prepare("SELECT name FROM users ORDER BY name")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let hint = if names.is_empty() {
            "there are no users yet: the server prints a link when it starts".to_owned()
        } else {
            format!("users are: {}", names.join(", "))
        };
        return Err(AppError::not_found("user", name).hint(hint));
    };
    let deed = Deed { action: "password.link", object: name, detail: "one-time link made on the server's own machine", ok: true };
    audit::write(tx, now, &Actor::server("data directory"), &deed)?;
    insert(tx, Some(&id), now, Some(now + RESET_VALID_HOURS.hours()))
}

fn insert(tx: &Transaction<'_>, user_id: Option<&str>, now: Timestamp, expires_at: Option<Timestamp>) -> Result<String, AppError> {
    let code = ids::secret("");
    tx.prepare_cached("INSERT INTO links (hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        hash(&code),
        user_id,
        now.to_string(),
        expires_at.map(|at| at.to_string())
    ])?;
    Ok(code)
}

fn find(tx: &Transaction<'_>, code: &str, now: Timestamp) -> Result<Link, AppError> {
    let sql = "SELECT links.expires_at, users.name FROM links LEFT JOIN users ON users.id = links.user_id WHERE links.hash = ?1";
    let found =
        tx.prepare_cached(sql)?.query_row([hash(code)], |row| Ok((instant_at(row, 0)?, row.get::<_, Option<String>>(1)?))).optional()?;
    match found {
        Some((expires_at, user)) if expires_at.is_none_or(|at| now < at) => Ok(user.map_or(Link::First, |user| Link::Reset { user })),
        _ => Err(AppError::new(ErrorCode::NotFound, "this link was used already, is too old, or was never ours")
            .hint("restart the server for a new link while there are no users; `oplogue admin reset-password` makes one for a user")),
    }
}
