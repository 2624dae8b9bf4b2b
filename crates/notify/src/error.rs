//! Why a delivery did not work, without any secret in it.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Something is missing or wrong in the contact point: trying again does not help.
    #[error("{0}")]
    Settings(String),
    /// Nobody answered, or not in time.
    #[error("{0}")]
    Away(String),
    /// Answered, and not with a yes.
    #[error("the receiver answered {status}{}", if .text.is_empty() { String::new() } else { format!(": {}", .text) })]
    Refused { status: u16, text: String },
}

impl DeliveryError {
    /// The same may work later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Settings(_) => false,
            Self::Away(_) => true,
            // What a client did wrong stays wrong, but for "too slow" and "too many". SMTP's 4xx means "later", its 5xx "never", and both are told as
            // `Away` and `Settings` by `email`.
            Self::Refused { status, .. } => *status >= 500 || *status == 408 || *status == 429,
        }
    }
}
