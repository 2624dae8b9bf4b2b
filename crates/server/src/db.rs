//! The database: one SQLite file, one writer, readers beside it.
//!
//! A change is one transaction, synced to disk before it is acknowledged (`synchronous=FULL` in WAL mode): whatever the server says it did
//! is there after a crash, and whatever it was in the middle of is not. Rows are turned into values of the API where they are read; SQL
//! stands beside the functions that need it, in `app/`.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Context;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// In order; never edited once released. A database knows how many it has seen.
const MIGRATIONS: &[&str] = &[
    include_str!("db/migrations/0001_people.sql"),
    include_str!("db/migrations/0002_work.sql"),
    include_str!("db/migrations/0003_alerts.sql"),
];

/// Readers kept open; more are opened for a moment when all are busy.
const READERS_KEPT: usize = 4;

#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    path: std::path::PathBuf,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({})", self.0.path.display())
    }
}

impl Db {
    /// Opens the file, makes it if need be, and brings it up to date.
    ///
    /// # Errors
    /// When it was written by a newer version, or cannot be opened or changed.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let mut writer = connect(path)?;
        migrate(&mut writer).with_context(|| format!("bring {} up to date", path.display()))?;
        Ok(Self(Arc::new(Inner { writer: Mutex::new(writer), readers: Mutex::new(Vec::new()), path: path.to_owned() })))
    }

    /// Reads a consistent state. Never waits for a writer.
    pub fn read<T, E: From<rusqlite::Error>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let kept = lock(&self.0.readers).pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => connect_raw(&self.0.path)?,
        };
        let result = {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&transaction)
        };
        let mut readers = lock(&self.0.readers);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        result
    }

    /// One change: all of it is on disk when this returns `Ok`, none of it after an error. Others wait, so nothing slow belongs inside.
    pub fn write<T, E: From<rusqlite::Error>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut writer = lock(&self.0.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

/// A panic while holding the lock rolled its transaction back; the connection is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn connect(path: &Path) -> anyhow::Result<Connection> {
    connect_raw(path).with_context(|| format!("open the database {}", path.display()))
}

fn connect_raw(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> anyhow::Result<()> {
    let seen: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let seen = seen as usize;
    anyhow::ensure!(
        seen <= MIGRATIONS.len(),
        "it was written by a newer version of Oplogue (its format is {seen}, this program knows {}): install that version again",
        MIGRATIONS.len()
    );
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(seen) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql).with_context(|| format!("migration {}", index + 1))?;
        transaction.pragma_update(None, "user_version", (index + 1) as u32)?;
        transaction.commit()?;
    }
    Ok(())
}
