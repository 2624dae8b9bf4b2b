//! Says what a backup or a restore would need and does not have.
//!
//! Facts are fetched one by one; what each of them means is a pure function, so every verdict is tested without a server. The doctor
//! changes nothing but one small object on the storage, which it writes, reads, lists and deletes.

mod verdict;

use oplogue_mongo::{ConnectOptions, Connection, MongoError, Purpose};
use oplogue_storage::Storage;

pub use verdict::{Finding, Level};

/// Looks at what it is given: a URI, a storage, or both. Never fails; what cannot be found out is a finding.
pub async fn examine(uri: Option<&str>, options: &ConnectOptions, storage: Option<&Storage>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(uri) = uri {
        match Connection::open(uri, options).await {
            Ok(connection) => examine_server(&connection, &mut findings).await,
            Err(error) => findings.push(verdict::unreachable(&error)),
        }
    }
    if let Some(storage) = storage {
        findings.extend(verdict::storage(&storage.probe().await));
    }
    findings
}

async fn examine_server(connection: &Connection, findings: &mut Vec<Finding>) {
    match connection.replica_set().await {
        Ok(replica_set) => findings.extend(verdict::members(&replica_set)),
        Err(error) => findings.push(verdict::unknown("replica set", &error)),
    }
    match connection.versions().await {
        Ok(versions) => findings.push(verdict::version(&versions)),
        Err(error) => findings.push(verdict::unknown("version", &error)),
    }
    match window(connection).await {
        Ok((window_seconds, behind_seconds)) => findings.extend(verdict::oplog(window_seconds, behind_seconds)),
        Err(error) => findings.push(verdict::unknown("oplog", &error)),
    }
    match connection.clock().await {
        Ok(clock) => findings.push(verdict::clock(clock.skew_millis)),
        Err(error) => findings.push(verdict::unknown("clock", &error)),
    }
    for purpose in [Purpose::Backup, Purpose::Restore] {
        match connection.privileges(purpose).await {
            Ok(report) => findings.push(verdict::privileges(purpose, &report)),
            Err(error) => findings.push(verdict::unknown("privileges", &error)),
        }
    }
}

/// Seconds of oplog the server keeps, and seconds by which the majority is behind the newest entry.
async fn window(connection: &Connection) -> Result<(u32, u32), MongoError> {
    let primary = connection.primary();
    let (window, majority) = (primary.oplog_window().await?, primary.majority_time().await?);
    Ok((window.seconds(), window.newest.seconds_since(majority)))
}
