//! What goes wrong with a database, sorted by what somebody has to do about it.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind};
use oplogue_domain::{Namespace, OplogTime};

/// Everything this crate's calls can fail with. Messages name what was attempted and what to do next, never a password.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MongoError {
    #[error("this is not a usable MongoDB URI: {reason}. Write mongodb://user:password@host:port,host:port/?replicaSet=name")]
    BadUri { reason: String },

    #[error("no MongoDB server answered at {}: {reason}", .hosts.join(", "))]
    Unreachable { hosts: Vec<String>, reason: String },

    #[error("replica set at {} has no primary at the moment: {reason}", .hosts.join(", "))]
    NoPrimary { hosts: Vec<String>, reason: String },

    #[error("{} refused the login{}: {reason}. Check the user's name, the password, and authSource", .hosts.join(", "), .user.as_ref().map(|user| format!(" of `{user}`")).unwrap_or_default())]
    AuthFailed { hosts: Vec<String>, user: Option<String>, reason: String },

    #[error("the TLS connection to {} failed: {reason}. Check tls=true, tlsCAFile and tlsCertificateKeyFile in the URI", .hosts.join(", "))]
    TlsFailed { hosts: Vec<String>, reason: String },

    #[error(
        "{host} is a standalone mongod without an oplog, so there is nothing to recover to: make it a replica set (of one member) with replication.replSetName and rs.initiate()"
    )]
    Standalone { host: String },

    #[error("{host} is a mongos: give the URI of a replica set (each shard, and the config servers, are one)")]
    Mongos { host: String },

    #[error("{host} was started for a replica set that has not been initiated yet: run rs.initiate() on it")]
    NotInitiated { host: String },

    #[error("the members are reached under another replica set name: {reason}")]
    OtherReplicaSet { reason: String },

    #[error("{host} runs a MongoDB this program cannot talk to: {reason}")]
    Unsupported { host: String, reason: String },

    #[error("not allowed to {what}: {reason}. The user needs {needed}")]
    Unauthorized { what: String, needed: String, reason: String },

    #[error("the oplog no longer holds {wanted}: the oldest entry of the server is {oldest}")]
    OplogRolledOver { wanted: OplogTime, oldest: OplogTime },

    #[error("collection `{namespace}` is gone")]
    Gone { namespace: Namespace },

    #[error("the lease `{purpose}` was lost: {reason}")]
    LeaseLost { purpose: String, reason: String },

    #[error("to {what}: no answer within {} s", .limit.as_secs_f32())]
    TimedOut { what: String, limit: Duration },

    #[error("the write reached the primary, but not a majority of the members: to {what}: {reason}")]
    NoMajority { what: String, reason: String },

    /// One operation of the oplog that the server refused; everything before it is applied.
    #[error("the server refused to apply operation {index} of a batch ({operation}): {reason} (code {code})")]
    ApplyFailed { index: usize, operation: String, code: i32, reason: String },

    /// Anything else the server answered with.
    #[error("failed to {what}: {reason} ({name}, code {code})")]
    Server { what: String, code: i32, name: String, reason: String },

    #[error("failed to {what}: the answer could not be understood: {reason}")]
    Answer { what: String, reason: String },

    #[error("failed to {what}: {reason}")]
    Driver { what: String, reason: String },
}

/// Codes after which the same command may succeed on another or a calmer server (server selection and retry specifications of
/// the drivers), and 246: the majority snapshot does not know a brand-new collection yet.
const TRANSIENT_CODES: [i32; 15] = [6, 7, 89, 91, 134, 189, 246, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436];

impl MongoError {
    /// True when trying again in a moment can help: an election, a restart, a broken connection.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoPrimary { .. } | Self::TimedOut { .. } => true,
            Self::Server { code, .. } => TRANSIENT_CODES.contains(code),
            _ => false,
        }
    }

    /// The server's error code, when it gave one.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Server { code, .. } | Self::ApplyFailed { code, .. } => Some(*code),
            Self::Unauthorized { .. } => Some(13),
            _ => None,
        }
    }

    pub(crate) fn has_code(&self, codes: &[i32]) -> bool {
        self.code().is_some_and(|code| codes.contains(&code))
    }

    pub(crate) fn answer(what: &str, reason: impl std::fmt::Display) -> Self {
        Self::Answer { what: what.to_owned(), reason: reason.to_string() }
    }
}

/// What is known about a connection when one of its calls fails.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorContext {
    pub(crate) hosts: Vec<String>,
    /// `name@database`.
    pub(crate) user: Option<String>,
    /// Texts that must never be printed.
    pub(crate) secrets: Vec<String>,
}

impl ErrorContext {
    /// Sorts a driver's error. `what` continues "failed to …".
    pub(crate) fn sort(&self, what: &str, error: &Error) -> MongoError {
        let what = what.to_owned();
        let hosts = self.hosts.clone();
        match error.kind.as_ref() {
            ErrorKind::Authentication { message, .. } => self.sort_login(message),
            ErrorKind::Command(command) => self.sort_code(&what, command.code, &command.code_name, &command.message),
            ErrorKind::ServerSelection { message, .. } => self.sort_selection(message),
            ErrorKind::InvalidTlsConfig { message, .. } => MongoError::TlsFailed { hosts, reason: self.scrub(message) },
            ErrorKind::Io(io) => self.sort_network(&io.to_string()),
            ErrorKind::ConnectionPoolCleared { message, .. } => self.sort_network(message),
            ErrorKind::DnsResolve { message, .. } => MongoError::Unreachable { hosts, reason: self.scrub(message) },
            ErrorKind::IncompatibleServer { message, .. } => {
                MongoError::Unsupported { host: self.hosts.join(", "), reason: self.scrub(message) }
            }
            ErrorKind::InvalidResponse { message, .. } => MongoError::Answer { what, reason: self.scrub(message) },
            other => MongoError::Driver { what, reason: self.scrub(&other.to_string()) },
        }
    }

    /// Sorts an error the server put into its answer.
    pub(crate) fn sort_code(&self, what: &str, code: i32, name: &str, message: &str) -> MongoError {
        let reason = self.scrub(message);
        match code {
            13 => MongoError::Unauthorized { what: what.to_owned(), needed: needed(&reason), reason },
            // 8000 is a hosted service's way to say it.
            18 | 8000 => self.sort_login(&reason),
            _ => MongoError::Server { what: what.to_owned(), code, name: name.to_owned(), reason },
        }
    }

    fn sort_login(&self, message: &str) -> MongoError {
        let reason = self.scrub(message);
        if speaks_of_tls(&reason) {
            return MongoError::TlsFailed { hosts: self.hosts.clone(), reason };
        }
        MongoError::AuthFailed { hosts: self.hosts.clone(), user: self.user.clone(), reason }
    }

    pub(crate) fn sort_network(&self, message: &str) -> MongoError {
        let reason = self.scrub(message);
        let hosts = self.hosts.clone();
        if speaks_of_tls(&reason) { MongoError::TlsFailed { hosts, reason } } else { MongoError::Unreachable { hosts, reason } }
    }

    /// The driver's text holds its view of every server, with the error each one gave.
    fn sort_selection(&self, message: &str) -> MongoError {
        let hosts = self.hosts.clone();
        let text = self.scrub(message);
        let reason = short_selection(&text);
        if text.contains("reports wire version") || text.contains("requires wire version") {
            return MongoError::Unsupported { host: hosts.join(", "), reason };
        }
        if speaks_of_tls(&text) {
            return MongoError::TlsFailed { hosts, reason };
        }
        if text.contains("Type: RsSecondary") && !text.contains("Type: RsPrimary") {
            return MongoError::NoPrimary { hosts, reason };
        }
        if text.contains("Authentication") {
            return MongoError::AuthFailed { hosts, user: self.user.clone(), reason };
        }
        let closed = ["unexpected end of file", "unexpected eof", "connection reset", "early eof"];
        let reason = if closed.iter().any(|word| text.to_lowercase().contains(word)) {
            format!("{reason}. The server hung up at once: it may require TLS (tls=true in the URI)")
        } else {
            reason
        };
        MongoError::Unreachable { hosts, reason }
    }

    pub(crate) fn scrub(&self, text: &str) -> String {
        self.secrets.iter().filter(|secret| !secret.is_empty()).fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "****"))
    }
}

fn speaks_of_tls(text: &str) -> bool {
    let text = text.to_lowercase();
    let words = ["certificate", "tls", "handshake", "invalidcontenttype", "corrupt message", "unknownissuer", "unknown issuer", "ssl"];
    words.iter().any(|word| text.contains(word))
}

/// Cuts the errors of the servers out of the driver's long description of its topology.
fn short_selection(text: &str) -> String {
    let mut errors: Vec<String> = Vec::new();
    for part in text.split("Error: ").skip(1) {
        let mut error = part.split(" }").next().unwrap_or(part).trim().to_owned();
        if let Some((_, rest)) = error.split_once("Kind: ") {
            error = rest.split(", labels: ").next().unwrap_or(rest).to_owned();
        }
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    if errors.is_empty() { text.to_owned() } else { errors.join("; ") }
}

/// The privilege or role that most likely lacks, from the server's sentence ("not authorized on X to execute command { Y: …").
fn needed(reason: &str) -> String {
    let command = reason.split("execute command { ").nth(1).and_then(|rest| rest.split([':', ' ']).next()).unwrap_or("");
    let role = match command {
        "replSetGetStatus" | "replSetGetConfig" | "getParameter" | "serverStatus" => "the role `clusterMonitor`",
        "find" | "listDatabases" | "listCollections" | "listIndexes" | "collStats" | "aggregate" | "appendOplogNote" => "the role `backup`",
        "findAndModify" | "findandmodify" => "the right to write `config.oplogueLeases`",
        "applyOps" => "the role `root`, or the privileges of a restore",
        "" => "more rights",
        _ => "the roles `restore`, `dbAdminAnyDatabase` and `readWriteAnyDatabase`",
    };
    format!("{role}; `oplogue doctor` prints the exact commands")
}
