//! The socket file of a server on this machine.
//!
//! An agent usually runs beside its member. There a socket file costs both sides about a fifth less than TCP does, and what the client
//! saves it does not take from the server. The server says where its file is. That whoever listens there is the one who answered over
//! TCP is checked before anything is told to him: a container or a tunnel can have an address of this machine, and not its files.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{RawBsonRef, RawDocument, rawdoc};
use mongodb::options::ServerAddress;
use tokio::net::UnixStream;
use tokio::sync::MutexGuard;

use super::{Wire, WireError, is_ok};

/// How long it is waited for what somebody else asks. It saves a question, no more.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// A server's socket file, and how to know the server by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketFile {
    pub(crate) path: PathBuf,
    process: i32,
    /// Who listens at the server's port.
    user: u32,
    /// What the process calls itself in its greeting, from 4.4 on.
    name: Option<ObjectId>,
}

/// What was learned of servers, once for each. `Some(None)`: there is no file for us.
#[derive(Debug, Default)]
pub(crate) struct SocketFiles {
    learned: Mutex<HashMap<ServerAddress, Option<SocketFile>>>,
    asking: tokio::sync::Mutex<()>,
}

impl SocketFiles {
    /// What is known of a server. When that is nothing, whoever gets the guard asks it; others wait here for that, but not for long.
    pub(crate) async fn known(&self, address: &ServerAddress) -> (Option<Option<SocketFile>>, Option<MutexGuard<'_, ()>>) {
        let known = self.get(address);
        if known.is_some() {
            return (known, None);
        }
        let asking = tokio::time::timeout(WAIT_MAX, self.asking.lock()).await.ok();
        let known = self.get(address);
        (known.clone(), asking.filter(|_| known.is_none()))
    }

    fn get(&self, address: &ServerAddress) -> Option<Option<SocketFile>> {
        self.learned.lock().ok()?.get(address).cloned()
    }

    pub(crate) fn set(&self, address: &ServerAddress, file: Option<SocketFile>) {
        if let Ok(mut files) = self.learned.lock() {
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
        let Some(process) = process(&wire.run(&status, None).await?) else { return Ok(None) };
        let users = tokio::task::spawn_blocking(move || {
            let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
            tables.iter().flat_map(|table| listeners(table, port)).collect::<Vec<u32>>()
        });
        Ok(only(&users.await.map_err(io::Error::other)?).map(|user| Self { path, process, user, name: name(greeting) }))
    }

    /// Connects, if that process listens there. Who has a file of a server's name is not the server for that. In another container the
    /// server may have another number than here, which somebody could wait for: so it must be the user, too, who listens at the port.
    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.path).await?;
        let listener = stream.peer_cred()?;
        if listener.pid() != Some(self.process) || listener.uid() != self.user {
            return Err(io::Error::other(format!(
                "{listener:?} listens there, the server is process {} of user {}",
                self.process, self.user
            )));
        }
        Ok(stream)
    }

    /// Whether a greeting is from the same process.
    pub(crate) fn is_of(&self, greeting: &RawDocument) -> bool {
        self.name == name(greeting)
    }
}

/// The users who listen at `port` of any address of this machine, by the kernel's table of connections.
fn listeners(table: &str, port: u16) -> impl Iterator<Item = u32> {
    table.lines().skip(1).filter_map(move |line| {
        let mut words = line.split_whitespace();
        let (_, local_port) = words.nth(1)?.rsplit_once(':')?;
        let state = words.nth(1)?;
        // 0A: it listens.
        let listens = state == "0A" && u16::from_str_radix(local_port, 16) == Ok(port);
        words.nth(3)?.parse().ok().filter(|_| listens)
    })
}

/// The user who all of them are.
fn only(users: &[u32]) -> Option<u32> {
    users.first().copied().filter(|first| users.iter().all(|user| user == first))
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

    #[test]
    fn who_listens_stands_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:6989 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 5 1 0 100 0 0 10 0\n\
            1: 0200007F:6989 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 6 1 0 100 0 0 10 0\n\
            2: 0100007F:6989 0100007F:D431 01 00000000:00000000 00:00000000 00000000   998        0 7 1 0 100 0 0 10 0\n\
            3: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8 1 0 100 0 0 10 0\n";
        assert_eq!(listeners(table, 27_017).collect::<Vec<_>>(), [999, 1000]);
        assert_eq!(listeners(table, 8080).collect::<Vec<_>>(), [0]);
        assert_eq!([only(&[]), only(&[999, 1000]), only(&[0, 0])], [None, None, Some(0)]);
        assert_eq!(listeners(table, 1).count() + listeners("", 1).count() + listeners("sl\n 0: x", 1).count(), 0);
    }

    #[tokio::test]
    async fn a_server_is_asked_by_one_at_a_time() {
        let files = SocketFiles::default();
        let address = ServerAddress::parse("db1:27017").expect("an address");
        let (known, asking) = files.known(&address).await;
        assert!(known.is_none() && asking.is_some());
        // The second waits until the first has learned something, and need not ask.
        let mut second = Box::pin(files.known(&address));
        assert!(futures::poll!(&mut second).is_pending());
        files.set(&address, None);
        drop(asking);
        let (known, asking) = second.await;
        assert!(known == Some(None) && asking.is_none());
        assert!(files.known(&address).await.1.is_none());
        // The first gives up, and the next asks.
        let other = ServerAddress::parse("db2:27017").expect("an address");
        drop(files.known(&other).await);
        let (known, asking) = files.known(&other).await;
        assert!(known.is_none() && asking.is_some());
    }

    #[tokio::test]
    async fn only_the_process_that_the_server_is_may_listen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mongodb-1.sock");
        let _listener = tokio::net::UnixListener::bind(&path).expect("a free name");
        let ours = i32::try_from(std::process::id()).expect("small");
        let us = UnixStream::connect(&path).await.expect("connected").peer_cred().expect("who listens").uid();
        let file = |process, user| SocketFile { path: path.clone(), process, user, name: None };
        assert!(file(ours, us).connect().await.is_ok());
        assert!(file(ours + 1, us).connect().await.is_err());
        assert!(file(ours, us + 1).connect().await.is_err());
    }
}
