//! The socket file of a server on this machine.
//!
//! An agent usually runs beside its member. There a socket file costs both sides about a fifth less than TCP does, and what the client
//! saves it does not take from the server. The server says where its file is; that the one who listens there is the same process as the one
//! who answered over TCP is checked, because a container or a tunnel can have an address of this machine, and not its files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bson::oid::ObjectId;
use bson::{RawBsonRef, RawDocument, rawdoc};
use mongodb::options::ServerAddress;
use tokio::net::UnixStream;

use super::{Wire, WireError, is_ok};

/// A server's socket file, and how to know the server by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketFile {
    pub(crate) path: PathBuf,
    process: i32,
    /// What the process calls itself in its greeting, from 4.4 on.
    name: Option<ObjectId>,
}

/// What was learned of servers on this machine. `Some(None)`: there is no file for us.
#[derive(Debug, Default)]
pub(crate) struct SocketFiles(Mutex<HashMap<ServerAddress, Option<SocketFile>>>);

impl SocketFiles {
    pub(crate) fn get(&self, address: &ServerAddress) -> Option<Option<SocketFile>> {
        self.0.lock().ok()?.get(address).cloned()
    }

    pub(crate) fn set(&self, address: &ServerAddress, file: Option<SocketFile>) {
        if let Ok(mut files) = self.0.lock() {
            files.insert(address.clone(), file);
        }
    }
}

impl SocketFile {
    /// Asks a server that was reached at `port` of this machine and `greeted`. `None`: it has no file for this port, or does not tell us
    /// (`getCmdLineOpts` and `serverStatus` are granted by the role `clusterMonitor`).
    pub(crate) async fn find(wire: &mut Wire, greeting: &RawDocument, port: u16) -> Result<Option<Self>, WireError> {
        let options = wire.run(&rawdoc! { "getCmdLineOpts": 1, "$db": "admin" }, None).await?;
        let Some(path) = path(&options, port) else { return Ok(None) };
        let status = rawdoc! { "serverStatus": 1, "metrics": 0, "locks": 0, "wiredTiger": 0, "tcmalloc": 0, "repl": 0, "$db": "admin" };
        let process = process(&wire.run(&status, None).await?);
        Ok(process.map(|process| Self { path, process, name: name(greeting) }))
    }

    /// Connects, if that process listens there. Who has a file of a server's name is not the server for that.
    pub(crate) async fn connect(&self) -> std::io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.path).await?;
        match stream.peer_cred()?.pid() {
            Some(process) if process == self.process => Ok(stream),
            other => Err(std::io::Error::other(format!("process {other:?} listens there, the server is {}", self.process))),
        }
    }

    /// Whether a greeting is from the same process.
    pub(crate) fn is_of(&self, greeting: &RawDocument) -> bool {
        self.name == name(greeting)
    }
}

/// Where the server's options, as `getCmdLineOpts` answers, put the socket file of `port`.
fn path(answer: &RawDocument, port: u16) -> Option<PathBuf> {
    if !is_ok(answer) {
        return None;
    }
    let net = answer.get_document("parsed").ok().and_then(|parsed| parsed.get_document("net").ok());
    // Another port than that of the address: something stands between, and was put there on purpose.
    let told = net.and_then(|net| net.get("port").ok().flatten()).and_then(number);
    if told.is_some_and(|told| told != i64::from(port)) {
        return None;
    }
    let sockets = net.and_then(|net| net.get_document("unixDomainSocket").ok());
    if sockets.and_then(|sockets| sockets.get_bool("enabled").ok()) == Some(false) {
        return None;
    }
    let folder = sockets.and_then(|sockets| sockets.get_str("pathPrefix").ok()).unwrap_or("/tmp");
    Path::new(folder).is_absolute().then(|| Path::new(folder).join(format!("mongodb-{port}.sock")))
}

fn process(status: &RawDocument) -> Option<i32> {
    let told = status.get("pid").ok().flatten().filter(|_| is_ok(status)).and_then(number);
    told.and_then(|told| i32::try_from(told).ok()).filter(|told| *told > 0)
}

fn name(greeting: &RawDocument) -> Option<ObjectId> {
    greeting.get_document("topologyVersion").ok()?.get_object_id("processId").ok()
}

fn number(value: RawBsonRef<'_>) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_the_servers_options_put_it() {
        let at = |net| path(&rawdoc! { "parsed": { "net": net }, "ok": 1.0 }, 27_017).map(|path| path.display().to_string());
        assert_eq!(at(rawdoc! {}).as_deref(), Some("/tmp/mongodb-27017.sock"));
        assert_eq!(at(rawdoc! { "port": 27_017 }).as_deref(), Some("/tmp/mongodb-27017.sock"));
        assert_eq!(at(rawdoc! { "unixDomainSocket": { "pathPrefix": "/run/db" } }).as_deref(), Some("/run/db/mongodb-27017.sock"));
        // Switched off; reached through another port; nowhere in particular; refused.
        assert_eq!(at(rawdoc! { "unixDomainSocket": { "enabled": false } }), None);
        assert_eq!(at(rawdoc! { "port": 27_018_i64 }), None);
        assert_eq!(at(rawdoc! { "unixDomainSocket": { "pathPrefix": "run" } }), None);
        assert_eq!(path(&rawdoc! { "ok": 0.0, "code": 13 }, 27_017), None);
        assert_eq!(path(&rawdoc! { "parsed": {}, "ok": 1.0 }, 7).as_deref(), Some(Path::new("/tmp/mongodb-7.sock")));
    }

    #[test]
    fn a_process_is_a_positive_number() {
        assert_eq!(process(&rawdoc! { "pid": 12_i64, "ok": 1.0 }), Some(12));
        assert_eq!(process(&rawdoc! { "pid": 12, "ok": 1.0 }), Some(12));
        for status in [
            rawdoc! { "pid": 12, "ok": 0.0 },
            rawdoc! { "ok": 1.0 },
            rawdoc! { "pid": 0, "ok": 1.0 },
            rawdoc! { "pid": i64::MAX, "ok": 1.0 },
        ] {
            assert_eq!(process(&status), None, "{status:?}");
        }
    }

    #[tokio::test]
    async fn only_the_process_that_the_server_is_may_listen() {
        let folder = std::env::temp_dir().join(format!("oplogue-socket-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("mongodb-1.sock");
        let _listener = tokio::net::UnixListener::bind(&path).expect("a free name");
        let ours = i32::try_from(std::process::id()).expect("small");
        let file = |process| SocketFile { path: path.clone(), process, name: None };
        assert!(file(ours).connect().await.is_ok());
        assert!(file(ours + 1).connect().await.is_err());
        std::fs::remove_dir_all(&folder).expect("ours");
    }
}
