//! What goes wrong with a call, sorted by what can be done about it.

use std::error::Error;

use crate::error::{ErrorBody, ErrorCode};

/// Every message names the call and the server, never a credential.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// What was configured cannot work; nobody was asked.
    #[error("{what} cannot be used: {reason}")]
    Unusable { what: String, reason: String },

    #[error("the server at {server} cannot be reached ({call}): {reason}")]
    Unreachable { call: String, server: String, reason: String },

    #[error("the server at {server} shows a certificate that is not trusted ({call}): {reason}")]
    NotTrusted { call: String, server: String, reason: String },

    #[error("the server at {server} did not answer in time ({call})")]
    TimedOut { call: String, server: String },

    /// The server said no, and why.
    #[error("the server at {server} refused {call}: {}", story(.body))]
    Refused { call: String, server: String, status: u16, body: Box<ErrorBody> },

    /// Whoever answers does not speak our language.
    #[error("what answers at {server} is not a server this program understands ({call}): {reason}")]
    Strange { call: String, server: String, reason: String },
}

impl ClientError {
    /// True when the same call may work later without anybody changing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Refused { body, .. } => {
                body.retryable || matches!(body.code, ErrorCode::TooMany | ErrorCode::Unavailable | ErrorCode::Internal)
            }
            Self::Unusable { .. } | Self::NotTrusted { .. } | Self::Strange { .. } => false,
        }
    }

    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { body, .. } => Some(body.code),
            _ => None,
        }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => body.hint.as_deref(),
            Self::NotTrusted { .. } => Some(
                "give the authority's certificate (--server-ca) or the SHA-256 fingerprint that the server told when it started (--server-fingerprint)",
            ),
            _ => None,
        }
    }
}

fn story(body: &ErrorBody) -> String {
    let fields = body.fields.iter().map(|field| format!("; {}: {}", field.field, field.message));
    fields.fold(body.message.clone(), |text, field| text + &field)
}

pub(super) fn sort(call: &str, server: &str, error: &reqwest::Error) -> ClientError {
    let (call, server) = (call.to_owned(), server.to_owned());
    if error.is_timeout() {
        return ClientError::TimedOut { call, server };
    }
    let reason = causes(error);
    let text = reason.to_lowercase();
    if ["certificate", "unknownissuer", "fingerprint"].iter().any(|word| text.contains(word)) {
        ClientError::NotTrusted { call, server, reason }
    } else {
        ClientError::Unreachable { call, server, reason }
    }
}

/// The causes alone: the outermost text only repeats the URL.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.ends_with(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}
