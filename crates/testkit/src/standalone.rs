//! A plain `mongod` that is not a member of any replica set: what the product must refuse.

use anyhow::Context;
use mongodb::Client;

use crate::Version;
use crate::downloads;
use crate::folder::{ServerFolder, tail};
use crate::ports::Port;
use crate::replica_set::connect;
use crate::wait::until;

/// A running standalone server; dropping it ends and removes everything.
#[derive(Debug)]
pub struct Standalone {
    port: Port,
    _folder: ServerFolder,
}

impl Standalone {
    /// Starts it and waits until it listens.
    pub async fn start(version: Version) -> anyhow::Result<Standalone> {
        let mongod = tokio::task::spawn_blocking(move || downloads::mongod(version)).await??;
        let folder = ServerFolder::new("standalone")?;
        let port = Port::reserve()?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data).context("creating the data folder")?;
        let arguments = crate::replica_set::common_arguments(&data.display().to_string(), port.number(), 0.25, None);
        folder.spawn("mongod", &mongod.program, &mongod.environment, &arguments)?;
        until("the standalone mongod to listen", || async {
            if let Some(end) = folder.ended("mongod") {
                return Ok(Some(Err(end)));
            }
            Ok(tokio::net::TcpStream::connect(port.address()).await.ok().map(|_| Ok(())))
        })
        .await?
        .map_err(|end| anyhow::anyhow!("mongod {version} {end}\n{}", tail(&folder.path().join("mongod.out"), 15)))?;
        Ok(Standalone { port, _folder: folder })
    }

    /// `mongodb://127.0.0.1:<port>/`.
    pub fn uri(&self) -> String {
        format!("mongodb://{}/", self.port.address())
    }

    /// A new client.
    pub async fn client(&self) -> anyhow::Result<Client> {
        connect(&self.uri()).await
    }
}
