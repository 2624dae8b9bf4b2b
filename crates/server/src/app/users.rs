//! People who may sign in.
//!
//! One administrator who can sign in always remains: whoever would take the last one away is refused.

pub mod passwords;

use jiff::Timestamp;
use oplogue_api::FieldError;
use oplogue_api::users::{Role, User, UserInput};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::audit::Deed;
use super::{Actor, App, AppError};
use crate::ids;

const COLUMNS: &str = "id, name, role, disabled, created_at, last_sign_in";
const NAME_CHARACTERS_MAX: usize = 64;

impl App {
    pub fn users(&self, actor: &Actor) -> Result<Vec<User>, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(|tx| {
            let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM users ORDER BY name"))?;
            let users = statement.query_map([], from_row)?.collect::<Result<_, _>>()?;
            Ok(users)
        })
    }

    pub fn user(&self, actor: &Actor, id: &str) -> Result<User, AppError> {
        actor.must_be(Role::Viewer)?;
        self.db.read(|tx| find(tx, id))
    }

    pub async fn create_user(&self, actor: &Actor, input: UserInput) -> Result<User, AppError> {
        actor.must_be(Role::Administrator)?;
        let mut problems: Vec<FieldError> = name_problem(&input.name).into_iter().collect();
        match &input.password {
            None => problems.push(FieldError::new("password", "a new user needs a password")),
            Some(password) => problems.extend(passwords::problem("password", password, &input.name)),
        }
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        let hash = passwords::hash(input.password.clone().unwrap_or_default()).await?;
        self.db.write(|tx| self.insert_user(tx, actor, &input, &hash))
    }

    /// In the caller's transaction; `input` is valid but for its name being taken.
    pub(super) fn insert_user(&self, tx: &Transaction<'_>, actor: &Actor, input: &UserInput, hash: &str) -> Result<User, AppError> {
        name_is_free(tx, &input.name, None)?;
        let now = self.clock.now();
        let id = ids::new("usr", now);
        tx.prepare_cached("INSERT INTO users (id, name, role, password, disabled, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![id, input.name, input.role.as_str(), hash, input.disabled, now.to_string()])?;
        let user = find(tx, &id)?;
        self.audit(tx, actor, &Deed { action: "user.create", object: &user.name, detail: &said(&user), ok: true })?;
        Ok(user)
    }

    /// A new password signs the user out everywhere, and so does being disabled.
    pub async fn change_user(&self, actor: &Actor, id: &str, input: UserInput) -> Result<User, AppError> {
        actor.must_be(Role::Administrator)?;
        let before = self.db.read(|tx| find(tx, id))?;
        let mut problems: Vec<FieldError> = name_problem(&input.name).into_iter().collect();
        // An empty field of a form means that nothing was typed.
        let password = input.password.clone().filter(|password| !password.is_empty());
        problems.extend(password.as_ref().and_then(|password| passwords::problem("password", password, &input.name)));
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        let hash = match password {
            Some(password) => Some(passwords::hash(password).await?),
            None => None,
        };
        self.db.write(|tx| {
            name_is_free(tx, &input.name, Some(id))?;
            tx.prepare_cached("UPDATE users SET name = ?2, role = ?3, disabled = ?4, password = coalesce(?5, password) WHERE id = ?1")?
                .execute(params![id, input.name, input.role.as_str(), input.disabled, hash])?;
            somebody_can_administrate(tx, &before.name)?;
            if hash.is_some() || input.disabled {
                tx.prepare_cached("DELETE FROM sessions WHERE user_id = ?1")?.execute([id])?;
            }
            let user = find(tx, id)?;
            let password_too = if hash.is_some() { ", new password" } else { "" };
            let renamed = if before.name == user.name { String::new() } else { format!(", was {}", before.name) };
            let detail = format!("{}{renamed}{password_too}", said(&user));
            self.audit(tx, actor, &Deed { action: "user.change", object: &user.name, detail: &detail, ok: true })?;
            Ok(user)
        })
    }

    pub fn delete_user(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        actor.must_be(Role::Administrator)?;
        self.db.write(|tx| {
            let user = find(tx, id)?;
            tx.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id])?;
            somebody_can_administrate(tx, &user.name)?;
            self.audit(tx, actor, &Deed { action: "user.delete", object: &user.name, detail: &said(&user), ok: true })
        })
    }
}

fn said(user: &User) -> String {
    format!("{}{}", user.role.as_str(), if user.disabled { ", disabled" } else { "" })
}

fn find(tx: &Transaction<'_>, id: &str) -> Result<User, AppError> {
    let found = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE id = ?1"))?.query_row([id], from_row).optional()?;
    found.ok_or_else(|| AppError::not_found("user", id))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role_at(row, 2)?,
        disabled: row.get(3)?,
        created_at: instant_at(row, 4)?.unwrap_or_default(),
        last_sign_in: instant_at(row, 5)?,
    })
}

/// An unknown word in the database gives nobody more than reading.
pub(super) fn role_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Role> {
    let text: String = row.get(index)?;
    Ok(Role::ALL.into_iter().find(|role| role.as_str() == text).unwrap_or(Role::Viewer))
}

pub(super) fn instant_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    let text: Option<String> = row.get(index)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Without blanks, so that no name can look like `token ci` or `schedule nightly` in the audit log.
pub(super) fn name_problem(name: &str) -> Option<FieldError> {
    let fits = |letter: char| letter.is_alphanumeric() || "._-@+".contains(letter);
    let message = if name.is_empty() {
        "a user needs a name".to_owned()
    } else if name.chars().count() > NAME_CHARACTERS_MAX {
        format!("a name has at most {NAME_CHARACTERS_MAX} characters")
    } else if !name.chars().all(fits) {
        "a name has only letters, digits and . _ - @ +".to_owned()
    } else {
        return None;
    };
    Some(FieldError::new("name", message))
}

fn name_is_free(tx: &Transaction<'_>, name: &str, except: Option<&str>) -> Result<(), AppError> {
    let mut statement = tx.prepare_cached("SELECT 1 FROM users WHERE name = ?1 AND id IS NOT ?2")?;
    if !statement.exists(params![name, except])? {
        return Ok(());
    }
    let message = format!("there is already a user `{name}`");
    Err(AppError { fields: vec![FieldError::new("name", message.clone())], ..AppError::conflict(message) })
}

/// Asked after a change and before it is kept.
fn somebody_can_administrate(tx: &Transaction<'_>, name: &str) -> Result<(), AppError> {
    let mut statement = tx.prepare_cached("SELECT 1 FROM users WHERE role = ?1 AND NOT disabled")?;
    if statement.exists([Role::Administrator.as_str()])? {
        return Ok(());
    }
    Err(AppError::conflict(format!("{name} is the last administrator who can sign in")).hint("make somebody else administrator first"))
}
