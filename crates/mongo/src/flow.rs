//! Whether a primary holds writes back because its secondaries cannot follow.

use bson::doc;

use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;

impl Connection {
    /// True while the primary's flow control holds writes back. False on servers that do not have it.
    ///
    /// # Errors
    /// [`MongoError::Unauthorized`] without the action `serverStatus` (role `clusterMonitor`).
    pub async fn writes_held_back(&self) -> Result<bool, MongoError> {
        const WHAT: &str = "ask the primary for its flow control";
        // Sections that cost something are left out.
        let command = doc! { "serverStatus": 1, "metrics": 0, "locks": 0, "wiredTiger": 0, "tcmalloc": 0, "repl": 0, "opLatencies": 0 };
        let status = self.primary().run_again(WHAT, "admin", command, Patience::Short).await?;
        Ok(status.get_document("flowControl").and_then(|flow| flow.get_bool("isLagged")).unwrap_or(false))
    }
}
