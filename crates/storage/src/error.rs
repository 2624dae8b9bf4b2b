//! What can go wrong with a storage, in words that say what was attempted, where, and what to do next.
//!
//! Secrets never get in here: locations are built from bucket, prefix and endpoint only, and of an S3 answer only its code and
//! message are kept (the whole answer may contain the key id and the string that was signed).

use std::fmt;
use std::io;

/// What was attempted and where; part of every [`StorageError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The storage, for people: `file:///backups`, `s3://bucket/prefix (http://127.0.0.1:9000)`.
    pub location: String,
    /// The action with its object: `write "a/b"`, `list "pbmPitr"`.
    pub action: String,
    /// What the operating system or the server said; empty when there is nothing to add.
    pub cause: String,
}

impl Attempt {
    /// An attempt whose cause is not known yet.
    pub(crate) fn new(location: &str, action: impl Into<String>) -> Self {
        Self { location: location.to_owned(), action: action.into(), cause: String::new() }
    }

    /// The same attempt with what went wrong.
    pub(crate) fn because(&self, cause: impl fmt::Display) -> Box<Self> {
        Box::new(Self { cause: cause.to_string(), ..self.clone() })
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} in {}", self.action, self.location)?;
        if !self.cause.is_empty() {
            write!(f, ": {}", self.cause)?;
        }
        Ok(())
    }
}

/// Why a storage did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage answers, and has no object of this name.
    #[error("{at}: there is no such object; see what is there with a listing, or check the prefix of the storage URL")]
    NotFound {
        /// The name as given to the call, relative to the storage.
        name: String,
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// The bucket does not exist; buckets are never created by us.
    #[error("{at}: the bucket does not exist; create it, or correct the storage URL")]
    MissingBucket {
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// The storage knows who we are and refuses, or the filesystem does.
    #[error("{at}: not allowed; give this user the right to list, read, write and delete there")]
    Denied {
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// No credentials, or the storage does not accept them.
    #[error(
        "{at}: the credentials are missing or wrong; check access key and secret key (options or AWS_ACCESS_KEY_ID, \
         AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), service account or account key, and the clock of this machine"
    )]
    BadCredentials {
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// The storage could not be reached or kept failing, also after all retries. Trying later may help.
    #[error("{at}: the storage cannot be reached or keeps failing; check endpoint and network, then try again")]
    Unavailable {
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// The server's TLS certificate is not trusted, or TLS could not be agreed on.
    #[error(
        "{at}: the TLS certificate is not trusted; give the certificate authority's file as the CA file, or, only where nobody \
         can listen in, ask for insecure TLS"
    )]
    BadCertificate {
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// Disk or quota full.
    #[error("{at}: no space left; free some or enlarge the storage")]
    NoSpace {
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// The object changed, or became shorter, while it was being read or written.
    #[error("{at}: the object changed meanwhile; is something else writing to the same place?")]
    Changed {
        /// What was attempted.
        at: Box<Attempt>,
    },
    /// An encrypted object whose bytes are not those that were encrypted.
    #[error("{at}: the object is damaged; `oplogue verify` tells what can still be restored")]
    Damaged {
        /// The object, relative to the storage.
        name: String,
        /// What was attempted, and what is wrong.
        at: Box<Attempt>,
    },
    /// What lies there is encrypted otherwise than this view expects: with another key, or not at all.
    #[error("{at}")]
    Encryption {
        /// What was attempted, what is wrong, and what to do.
        at: Box<Attempt>,
    },
    /// The storage URL or its options cannot be used.
    #[error("the storage {url} cannot be used: {reason}")]
    BadUrl {
        /// The URL without what might be secret.
        url: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The storage cannot hold an object under exactly this name.
    #[error("{location} cannot hold an object named {name:?}: {reason}")]
    BadName {
        /// The storage.
        location: String,
        /// The name as given.
        name: String,
        /// The rule it breaks.
        reason: String,
    },
    /// Anything else; the cause says what.
    #[error("{at}")]
    Other {
        /// What was attempted.
        at: Box<Attempt>,
    },
}

impl StorageError {
    /// Is it merely that the object does not exist?
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// May the same call succeed later without anybody changing anything?
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The meaning of a filesystem's error. `name` is the object's, for `NotFound`.
    pub(crate) fn from_io(attempt: &Attempt, name: &str, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let at = attempt.because(error);
        match error.kind() {
            Kind::NotFound => Self::NotFound { name: name.to_owned(), at },
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Denied { at },
            Kind::StorageFull | Kind::QuotaExceeded => Self::NoSpace { at },
            Kind::InvalidFilename | Kind::IsADirectory | Kind::NotADirectory => Self::BadName {
                location: attempt.location.clone(),
                name: name.to_owned(),
                reason: format!("{error} (a file lies where a folder is needed, or a folder where the file should be)"),
            },
            Kind::StaleNetworkFileHandle | Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable => Self::Unavailable { at },
            _ => Self::Other { at },
        }
    }
}

impl From<StorageError> for io::Error {
    fn from(error: StorageError) -> Self {
        let kind = match &error {
            StorageError::NotFound { .. } => io::ErrorKind::NotFound,
            StorageError::Denied { .. } | StorageError::BadCredentials { .. } => io::ErrorKind::PermissionDenied,
            StorageError::NoSpace { .. } => io::ErrorKind::StorageFull,
            StorageError::Unavailable { .. } => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
