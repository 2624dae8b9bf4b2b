//! What an error of the S3 client means for us.
//!
//! Decided by the code in the server's answer (`<Code>NoSuchBucket</Code>`), else by the status, else by the kind of failure of the
//! connection. Only code, message and status get into our error: the whole answer may hold the key id and the string that was signed.

use std::error::Error;

use object_store::client::HttpError;

use crate::error::{Attempt, StorageError};

/// The meaning of `error`, which came when `attempt` was made on the object `key`.
pub(super) fn meaning(attempt: &Attempt, key: &str, error: &object_store::Error) -> StorageError {
    let chain = chain(error);
    // The longest one has the server's answer; the others repeat parts of it.
    let text = chain.iter().map(ToString::to_string).max_by_key(String::len).unwrap_or_default();
    let code = element(&text, "Code");
    let status = status(&text);
    let cause = match (code, element(&text, "Message").filter(|message| !message.is_empty()), status) {
        (Some(code), Some(message), _) => format!("{code}: {message}"),
        (Some(code), None, _) => code.to_owned(),
        (None, _, Some(status)) => format!("the server answered {status}"),
        (None, _, None) => chain.last().map(ToString::to_string).unwrap_or_default(),
    };
    let at = attempt.because(&cause);
    let not_found = |at| StorageError::NotFound { name: key.to_owned(), at };

    match code {
        Some("NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted") => return StorageError::MissingBucket { at },
        Some("NoSuchKey" | "BlobNotFound") => return not_found(at),
        Some("NoSuchUpload" | "PreconditionFailed" | "InvalidBlockList") => return StorageError::Changed { at },
        Some(
            "AccessDenied"
            | "AllAccessDisabled"
            | "AccountProblem"
            | "MethodNotAllowed"
            | "AuthorizationFailure"
            | "AuthorizationPermissionMismatch"
            | "InsufficientAccountPermissions"
            | "AccountIsDisabled"
            | "PublicAccessNotPermitted",
        ) => {
            return StorageError::Denied { at };
        }
        Some(
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "RequestTimeTooSkewed"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "AuthorizationHeaderMalformed"
            | "MissingSecurityHeader"
            | "InvalidSecurity"
            | "AuthenticationFailed"
            | "AuthenticationRequired"
            | "InvalidAuthenticationInfo"
            | "NoAuthenticationInformation",
        ) => return StorageError::BadCredentials { at },
        Some("QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull") => {
            return StorageError::NoSpace { at };
        }
        Some("KeyTooLongError" | "InvalidObjectName" | "InvalidURI" | "InvalidResourceName" | "OutOfRangeInput" | "InvalidUri") => {
            return StorageError::BadName { location: attempt.location.clone(), name: key.to_owned(), reason: cause };
        }
        Some(
            "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted" | "ServerBusy"
            | "OperationTimedOut",
        ) => {
            return StorageError::Unavailable { at };
        }
        _ => {}
    }
    match status {
        Some(404) => return not_found(at),
        Some(401) => return StorageError::BadCredentials { at },
        Some(403) => return StorageError::Denied { at },
        Some(507) => return StorageError::NoSpace { at },
        Some(408 | 429 | 500..=599) => return StorageError::Unavailable { at },
        Some(_) => return StorageError::Other { at },
        None => {}
    }
    if text.contains("invalid peer certificate") || cause.contains("invalid peer certificate") {
        return StorageError::BadCertificate { at };
    }
    // The address where machines in a cloud ask for their role's credentials; the last resort of the chain.
    if text.contains("169.254.169.254") {
        let cause = "no access key was given, none is in the environment, and this machine has no instance role";
        return StorageError::BadCredentials { at: attempt.because(cause) };
    }
    if text.contains("without LOCATION") {
        let cause = "the server sends us elsewhere: the bucket lies in another region; give its region in the storage URL";
        return StorageError::Other { at: attempt.because(cause) };
    }
    match error {
        object_store::Error::NotFound { .. } => not_found(at),
        object_store::Error::PermissionDenied { .. } => StorageError::Denied { at },
        object_store::Error::Unauthenticated { .. } => StorageError::BadCredentials { at },
        _ if chain.iter().any(|cause| cause.is::<HttpError>()) => StorageError::Unavailable { at },
        _ => StorageError::Other { at: attempt.because(text) },
    }
}

fn chain(error: &object_store::Error) -> Vec<&(dyn Error + 'static)> {
    let mut chain: Vec<&(dyn Error + 'static)> = vec![error];
    while let Some(cause) = chain.last().and_then(|cause| (*cause).source()) {
        chain.push(cause);
    }
    chain
}

/// The text of the first XML element of that name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = after.split_once(&format!("</{name}>"))?;
    Some(content)
}

/// The HTTP status in `object_store`'s message.
fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> StorageError {
        let error = object_store::Error::Generic { store: "S3", source: text.into() };
        meaning(&Attempt::new("s3://b", "read \"k\""), "k", &error)
    }

    fn answer(status: &str, code: &str) -> StorageError {
        of(&format!("Server returned non-2xx status code: {status}: <Error><Code>{code}</Code><Message>m</Message></Error>"))
    }

    #[test]
    fn codes_decide_before_the_status() {
        use StorageError as E;
        assert!(matches!(answer("404 Not Found", "NoSuchBucket"), E::MissingBucket { .. }));
        assert!(matches!(answer("404 Not Found", "NoSuchKey"), E::NotFound { name, .. } if name == "k"));
        assert!(matches!(answer("403 Forbidden", "SignatureDoesNotMatch"), E::BadCredentials { .. }));
        assert!(matches!(answer("403 Forbidden", "AccessDenied"), E::Denied { .. }));
        assert!(matches!(answer("403 Forbidden", "QuotaExceeded"), E::NoSpace { .. }));
        assert!(matches!(answer("503 Slow Down", "SlowDown"), E::Unavailable { .. }));
        assert!(matches!(answer("400 Bad Request", "KeyTooLongError"), E::BadName { .. }));
    }

    #[test]
    fn without_a_code_the_status_decides() {
        use StorageError as E;
        let answer = |status: &str| of(&format!("Server returned non-2xx status code: {status}: "));
        assert!(matches!(answer("404 Not Found"), E::NotFound { .. }));
        assert!(matches!(answer("403 Forbidden"), E::Denied { .. }));
        assert!(matches!(answer("502 Bad Gateway"), E::Unavailable { .. }));
        assert!(matches!(answer("507 Insufficient Storage"), E::NoSpace { .. }));
        assert!(matches!(answer("418 I'm a teapot"), E::Other { .. }));
    }

    #[test]
    fn the_signed_string_is_not_repeated() {
        let text = "status code: 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code><Message>wrong</Message>\
                    <AWSAccessKeyId>HIDDEN</AWSAccessKeyId><StringToSign>HIDDEN</StringToSign></Error>";
        let shown = of(text).to_string();
        assert!(shown.contains("SignatureDoesNotMatch: wrong") && !shown.contains("HIDDEN"), "{shown}");
    }
}
