//! Which replica set.

use clap::Args;

use super::Secret;

#[derive(Debug, Args)]
pub struct ConnectionArgs {
    /// Connection string of the replica set
    ///
    /// Any member will do; the others are found from it. Standalone servers and mongos routers are refused. A password in it can
    /// be seen in the process list: OPLOGUE_URI or a configuration file keeps it out of there.
    #[arg(long, value_name = "URI", required = true, help_heading = "Connection")]
    pub uri: Option<Secret>,
}

impl ConnectionArgs {
    /// The connection string as given.
    pub fn uri(&self) -> &str {
        self.uri.as_ref().map_or("", Secret::reveal)
    }
}
