//! How long a member or a storage may be silent.
//!
//! A member that is frozen, or behind a network that swallows packets, keeps its connections open and never answers. The general limits of a connection
//! are minutes, because some commands work that long; what a slicer asks is answered at once, or in a second for a batch of the oplog. So it is
//! asked elsewhere after seconds, and the limit grows with every failure, because a member may also be only slow.

use std::time::Duration;

use oplogue_mongo::MongoError;

/// At first: hand-over to another member within ten seconds.
const FIRST: Duration = Duration::from_secs(6);
/// A batch's own limit.
const LONGEST: Duration = Duration::from_secs(300);

/// For storing a slice, which is small, or for listing a storage: theirs are the finer limits, where they have any. A mount that hangs has
/// none, and must not keep the slicer from telling how short the oplog gets.
pub const STORAGE: Patience = Patience(Duration::from_secs(300));

/// No answer in time. Another member may give one, or the same one later.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs_f32())]
pub struct Silent(Duration);

#[derive(Clone, Copy, Debug)]
pub struct Patience(Duration);

impl Patience {
    /// After so many failures in a row.
    pub fn after(failures: u32) -> Self {
        Self(FIRST.saturating_mul(1 << failures.min(8)).min(LONGEST))
    }

    pub async fn wait<T, E>(self, answer: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
    where
        anyhow::Error: From<E>,
    {
        match tokio::time::timeout(self.0, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Silent(self.0).into()),
        }
    }
}

/// True when the same may work later, or with another member, without anybody changing anything.
pub fn passes(error: &MongoError) -> bool {
    error.is_transient() || matches!(error, MongoError::NoMajority { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_member_is_given_up_after_seconds_and_later_each_time() {
        for (failures, seconds) in [(0, 6), (1, 12), (5, 192), (6, 300), (40, 300)] {
            assert_eq!(Patience::after(failures).0.as_secs(), seconds);
        }
    }

    #[tokio::test]
    async fn silence_is_an_error_and_an_answer_is_not() {
        let silence = Patience(Duration::from_millis(10)).wait(std::future::pending::<Result<(), MongoError>>()).await;
        assert!(silence.is_err_and(|error| error.is::<Silent>()));
        let answer = Patience::after(0).wait(std::future::ready(Ok::<_, MongoError>(7))).await;
        assert_eq!(answer.expect("it answered"), 7);
    }
}
