//! Signing in, and staying so.
//!
//! A session is a random secret in a cookie; the database knows its SHA-256 only. It ends after [`IDLE_HOURS`] without a request and at
//! the latest after [`ABSOLUTE_DAYS`]. Its CSRF token is derived from the secret, so that it need not be stored either.
//!
//! Who signs in learns only that name or password is wrong, and waits as long for an unknown name as for a wrong password.

pub mod limits;

use jiff::{Timestamp, ToSpan};
use oplogue_api::ErrorCode;
use oplogue_api::session::SignIn;
use oplogue_api::users::PasswordChange;
use oplogue_api::users::Role;
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::audit::Deed;
use super::tokens::hash;
use super::users::{instant_at, passwords, role_at};
use super::{Actor, App, AppError};
use crate::http::identity::{By, Identity};
use crate::ids;

pub const IDLE_HOURS: i64 = 12;
pub const ABSOLUTE_DAYS: i64 = 7;
/// Of one user: the oldest ends when there is one more.
const SESSIONS_MAX: u32 = 50;
/// The last request is remembered to the minute: not every request shall write.
const SEEN_EVERY_SECONDS: i64 = 60;

/// A new session. The secret is told only now.
#[derive(Clone)]
pub struct SignedIn {
    pub secret: String,
    pub identity: Identity,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedIn({})", self.identity.actor.name)
    }
}

struct Account {
    id: String,
    name: String,
    role: Role,
    disabled: bool,
    password: String,
}

impl App {
    pub async fn sign_in(&self, input: SignIn, from: &str) -> Result<SignedIn, AppError> {
        self.take_try(from, &input.name)?;
        let account = self.db.read(|tx| account(tx, &input.name))?;
        let stored = account.as_ref().map(|account| account.password.clone());
        let right = passwords::is_right(input.password, stored).await?;
        match account {
            Some(account) if right && !account.disabled => {
                self.sign_ins().clear(from, &input.name);
                self.db.write(|tx| self.begin_session(tx, &account, from))
            }
            known => Err(self.not_signed_in(known.as_ref(), right, from)?),
        }
    }

    fn take_try(&self, from: &str, name: &str) -> Result<(), AppError> {
        let taken = self.sign_ins().take(from, name, self.clock.now());
        taken.map_err(|seconds| AppError {
            retry_after_seconds: Some(seconds),
            ..AppError::new(ErrorCode::TooMany, format!("too many tries to sign in; the next one is possible in {seconds} s"))
        })
    }

    fn sign_ins(&self) -> std::sync::MutexGuard<'_, limits::Limits> {
        self.sign_in_limits.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn not_signed_in(&self, account: Option<&Account>, right: bool, from: &str) -> Result<AppError, AppError> {
        let (detail, message) = match account {
            Some(account) if right && account.disabled => ("disabled", "this user is disabled; an administrator can enable it"),
            Some(_) => ("wrong password", "name or password is wrong"),
            None => ("no such user", "name or password is wrong"),
        };
        // What is no user's name may be a password that slipped into the wrong field.
        let object = account.map_or("(unknown)", |account| account.name.as_str());
        let actor = Actor { name: object.to_owned(), role: Role::Viewer, from: from.to_owned() };
        self.db.write(|tx| self.audit(tx, &actor, &Deed { action: "session.sign_in", object, detail, ok: false }))?;
        Ok(AppError::new(ErrorCode::Unauthenticated, message))
    }

    fn begin_session(&self, tx: &Transaction<'_>, account: &Account, from: &str) -> Result<SignedIn, AppError> {
        let now = self.clock.now();
        let secret = ids::secret("");
        tx.prepare_cached("INSERT INTO sessions (hash, user_id, created_at, last_seen_at, origin) VALUES (?1, ?2, ?3, ?3, ?4)")?
            .execute(params![hash(&secret), account.id, now.to_string(), from])?;
        tx.prepare_cached(
            "DELETE FROM sessions WHERE user_id = ?1 AND hash NOT IN (SELECT hash FROM sessions WHERE user_id = ?1 ORDER BY created_at DESC, hash LIMIT ?2)",
        )?
        .execute(params![account.id, SESSIONS_MAX])?;
        tx.prepare_cached("UPDATE users SET last_sign_in = ?2 WHERE id = ?1")?.execute(params![account.id, now.to_string()])?;
        let identity = identity(&secret, account, now, from);
        self.audit(tx, &identity.actor, &Deed { action: "session.sign_in", object: &account.name, detail: "", ok: true })?;
        Ok(SignedIn { secret, identity })
    }

    /// Begins a session for somebody who has just proven to be allowed by other means than their password.
    pub(super) fn begin_session_of(&self, tx: &Transaction<'_>, name: &str, from: &str) -> Result<SignedIn, AppError> {
        let account = account(tx, name)?.ok_or_else(|| AppError::not_found("user", name))?;
        self.begin_session(tx, &account, from)
    }

    pub fn sign_out(&self, identity: &Identity) -> Result<(), AppError> {
        let By::Session { id, .. } = &identity.by else {
            return Err(AppError::new(ErrorCode::BadRequest, "a token is not signed in: delete it instead"));
        };
        self.db.write(|tx| {
            tx.prepare_cached("DELETE FROM sessions WHERE hash = ?1")?.execute([hex::decode(id).unwrap_or_default()])?;
            self.audit(tx, &identity.actor, &Deed { action: "session.sign_out", object: &identity.actor.name, detail: "", ok: true })
        })
    }

    /// The user's own password. Ends every other session of theirs.
    pub async fn change_password(&self, identity: &Identity, change: PasswordChange) -> Result<(), AppError> {
        let By::Session { id, user_id, .. } = &identity.by else {
            return Err(AppError::forbidden("a token has no password: sign in to change yours"));
        };
        let actor = &identity.actor;
        self.take_try(&actor.from, &actor.name)?;
        let account = self.db.read(|tx| account(tx, &actor.name))?.ok_or_else(|| AppError::not_found("user", user_id))?;
        if !passwords::is_right(change.current, Some(account.password)).await? {
            let deed = Deed { action: "password.change", object: &actor.name, detail: "the current password was wrong", ok: false };
            self.db.write(|tx| self.audit(tx, actor, &deed))?;
            return Err(AppError::field("current", "this is not your current password"));
        }
        self.sign_ins().clear(&actor.from, &actor.name);
        if let Some(problem) = passwords::problem("new", &change.new, &actor.name) {
            return Err(AppError::invalid(vec![problem]));
        }
        let new = passwords::hash(change.new).await?;
        self.db.write(|tx| {
            tx.prepare_cached("UPDATE users SET password = ?2 WHERE id = ?1")?.execute(params![user_id, new])?;
            tx.prepare_cached("DELETE FROM sessions WHERE user_id = ?1 AND hash <> ?2")?
                .execute(params![user_id, hex::decode(id).unwrap_or_default()])?;
            self.audit(tx, actor, &Deed { action: "password.change", object: &actor.name, detail: "other sessions ended", ok: true })
        })
    }

    /// Whose session this is; or why it is nobody's.
    pub fn identify_session(&self, secret: &str, from: &str) -> Result<Result<Identity, &'static str>, AppError> {
        const OVER: &str = "your session is over: sign in again";
        let now = self.clock.now();
        let key = hash(secret);
        let found = self.db.read(|tx| session(tx, &key))?;
        let Some((account, created_at, last_seen_at)) = found else { return Ok(Err(OVER)) };
        if account.disabled || created_at + ABSOLUTE_DAYS.days_as_hours() <= now || last_seen_at + IDLE_HOURS.hours() <= now {
            return Ok(Err(OVER));
        }
        if now.duration_since(last_seen_at).as_secs().abs() >= SEEN_EVERY_SECONDS {
            self.db.write(|tx| {
                tx.prepare_cached("UPDATE sessions SET last_seen_at = ?2 WHERE hash = ?1")?.execute(params![key, now.to_string()])?;
                Ok::<_, AppError>(())
            })?;
        }
        Ok(Ok(identity(secret, &account, created_at, from)))
    }

    /// Forgets what is over: sessions, links, tokens a month after they expired, audit entries after two years.
    pub fn tidy_people(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let before = |hours: i64| (now - hours.hours()).to_string();
        self.db.write(|tx| {
            tx.execute(
                "DELETE FROM sessions WHERE created_at < ?1 OR last_seen_at < ?2",
                params![before(ABSOLUTE_DAYS * 24), before(IDLE_HOURS)],
            )?;
            tx.execute("DELETE FROM links WHERE expires_at < ?1", [before(0)])?;
            tx.execute("DELETE FROM tokens WHERE expires_at < ?1", [before(30 * 24)])?;
            tx.execute("DELETE FROM audit WHERE at < ?1", [before(2 * 365 * 24)])?;
            Ok(())
        })
    }
}

trait DaysAsHours {
    fn days_as_hours(self) -> jiff::Span;
}

impl DaysAsHours for i64 {
    /// Instants have no calendar to count days with.
    fn days_as_hours(self) -> jiff::Span {
        (self * 24).hours()
    }
}

fn identity(secret: &str, account: &Account, created_at: Timestamp, from: &str) -> Identity {
    Identity {
        actor: Actor { name: account.name.clone(), role: account.role, from: from.to_owned() },
        by: By::Session { id: hex::encode(hash(secret)), user_id: account.id.clone(), csrf_token: csrf_token(secret) },
        expires_at: Some(created_at + ABSOLUTE_DAYS.days_as_hours()),
    }
}

fn csrf_token(secret: &str) -> String {
    hex::encode(Sha256::new().chain_update(b"oplogue csrf\n").chain_update(secret.as_bytes()).finalize())
}

const ACCOUNT: &str = "users.id, users.name, users.role, users.disabled, users.password";

fn account_at(row: &rusqlite::Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account { id: row.get(0)?, name: row.get(1)?, role: role_at(row, 2)?, disabled: row.get(3)?, password: row.get(4)? })
}

fn account(tx: &Transaction<'_>, name: &str) -> Result<Option<Account>, AppError> {
    Ok(tx.prepare_cached(&format!("SELECT {ACCOUNT} FROM users WHERE name = ?1"))?.query_row([name], account_at).optional()?)
}

fn session(tx: &Transaction<'_>, key: &[u8]) -> Result<Option<(Account, Timestamp, Timestamp)>, AppError> {
    let sql = format!(
        "SELECT {ACCOUNT}, sessions.created_at, sessions.last_seen_at FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.hash = ?1"
    );
    let read =
        |row: &rusqlite::Row<'_>| Ok((account_at(row)?, instant_at(row, 5)?.unwrap_or_default(), instant_at(row, 6)?.unwrap_or_default()));
    Ok(tx.prepare_cached(&sql)?.query_row([key], read).optional()?)
}
