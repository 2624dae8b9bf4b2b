//! The thinnest client that can talk to a `mongod`: OP_MSG over plain TCP or a socket file, one thread per connection.
//!
//! Ceilings are measured with it: it decodes next to nothing, so what it reaches is what the server can give. It knows neither login
//! nor TLS nor compression, and is for the bench's own servers only.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use anyhow::Context;
use bson::{RawDocument, RawDocumentBuf, rawdoc};

const OP_MSG: i32 = 2013;
const HEADER_BYTES: usize = 16;
/// Flag of a reply: another one follows without being asked for.
const MORE_TO_COME: u32 = 1 << 1;
/// Flag of a request: the server may answer a `getMore` with all that is left, batch after batch.
const EXHAUST_ALLOWED: u32 = 1 << 16;
/// `maxMessageSizeBytes` of every server version.
pub const MESSAGE_BYTES_MAX: usize = 48_000_000;

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A connection to one server.
pub struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    reply: Vec<u8>,
}

impl Wire {
    /// `address` is `host:port`, or the path of a socket file.
    pub fn connect(address: &str) -> anyhow::Result<Wire> {
        let stream: Box<dyn Stream> = if address.starts_with('/') {
            Box::new(UnixStream::connect(address).with_context(|| format!("connect to {address}"))?)
        } else {
            let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
            stream.set_nodelay(true).context("set TCP_NODELAY")?;
            Box::new(stream)
        };
        Ok(Wire { stream: BufReader::with_capacity(64 << 10, stream), reply: Vec::new() })
    }

    /// Sends a command, `$db` included, and returns the reply if it is `ok` and reports no failed writes.
    pub fn run(&mut self, command: &RawDocument) -> anyhow::Result<&RawDocument> {
        self.send(&message(command, None, 0)?)
    }

    /// Sends a prebuilt message; see [`message`].
    pub fn send(&mut self, message: &[u8]) -> anyhow::Result<&RawDocument> {
        self.stream.get_mut().write_all(message).context("send a message")?;
        self.receive()?;
        checked(&self.reply)
    }

    /// Reads what a `find` returns to its end through an exhaust cursor. `take` is given the bytes of each batch's reply, which hold the
    /// documents as they are. Returns how many bytes came.
    pub fn exhaust(
        &mut self,
        database: &str,
        mut find: RawDocumentBuf,
        mut take: impl FnMut(&RawDocument) -> anyhow::Result<()>,
    ) -> anyhow::Result<u64> {
        find.append(bson::raw::cstr!("$db"), database);
        let collection = find.get_str("find").context("a `find` names its collection")?.to_owned();
        let first = self.run(&find)?;
        let id = first.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).context("the cursor of a `find`")?;
        take(first)?;
        let mut bytes = first.as_bytes().len() as u64;
        if id == 0 {
            return Ok(bytes);
        }
        let get_more = message(&rawdoc! { "getMore": id, "collection": collection, "$db": database }, None, EXHAUST_ALLOWED)?;
        self.stream.get_mut().write_all(&get_more).context("send a getMore")?;
        loop {
            let more = self.receive()? & MORE_TO_COME != 0;
            let reply = checked(&self.reply)?;
            take(reply)?;
            bytes += reply.as_bytes().len() as u64;
            if !more {
                let left = reply.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).context("the cursor of a `getMore`")?;
                anyhow::ensure!(left == 0, "the server ended an exhaust cursor early");
                return Ok(bytes);
            }
        }
    }

    /// Reads one reply into `self.reply` (its body document only) and returns its flags.
    fn receive(&mut self) -> anyhow::Result<u32> {
        let mut head = [0; HEADER_BYTES + 5];
        self.stream.read_exact(&mut head).context("read the head of a reply")?;
        let word = |at: usize| i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, kind) = (word(0) as usize, word(12));
        anyhow::ensure!(
            kind == OP_MSG && head[20] == 0,
            "the server answered with something else than one OP_MSG document (operation {kind})"
        );
        anyhow::ensure!((head.len()..=MESSAGE_BYTES_MAX).contains(&length), "a reply of {length} bytes");
        self.reply.resize(length - head.len(), 0);
        self.stream.read_exact(&mut self.reply).context("read a reply")?;
        Ok(word(16) as u32)
    }
}

/// The documents of a batch, `firstBatch` or `nextBatch`.
pub fn documents(reply: &RawDocument) -> anyhow::Result<impl Iterator<Item = anyhow::Result<&RawDocument>>> {
    let cursor = reply.get_document("cursor").context("a cursor")?;
    let batch = cursor.get_array("nextBatch").or_else(|_| cursor.get_array("firstBatch")).context("a batch")?;
    Ok(batch.into_iter().map(|element| element?.as_document().context("a batch holds documents")))
}

/// A complete OP_MSG with `command` as its body, and with `documents` (complete BSON, one after another) as the sequence of that
/// name, if given. Without a checksum.
pub fn message(command: &RawDocument, documents: Option<(&str, &[u8])>, flags: u32) -> anyhow::Result<Vec<u8>> {
    let body = command.as_bytes();
    let sequence = documents.map_or(0, |(name, bytes)| 1 + 4 + name.len() + 1 + bytes.len());
    let length = HEADER_BYTES + 4 + 1 + body.len() + sequence;
    anyhow::ensure!(length <= MESSAGE_BYTES_MAX, "a message of {length} bytes is more than a server takes");
    let mut message = Vec::with_capacity(length);
    for word in [length as i32, 1, 0, OP_MSG] {
        message.extend_from_slice(&word.to_le_bytes());
    }
    message.extend_from_slice(&flags.to_le_bytes());
    message.push(0);
    message.extend_from_slice(body);
    if let Some((name, bytes)) = documents {
        message.push(1);
        message.extend_from_slice(&((4 + name.len() + 1 + bytes.len()) as i32).to_le_bytes());
        message.extend_from_slice(name.as_bytes());
        message.push(0);
        message.extend_from_slice(bytes);
    }
    Ok(message)
}

fn checked(reply: &[u8]) -> anyhow::Result<&RawDocument> {
    let reply = RawDocument::from_bytes(reply).context("a reply is not BSON")?;
    let ok = match reply.get("ok").context("a reply without `ok`")? {
        Some(value) => value.as_f64().or_else(|| value.as_i32().map(f64::from)).unwrap_or(0.0),
        None => 0.0,
    };
    let failed = ok != 1.0 || reply.get("writeErrors").ok().flatten().is_some();
    anyhow::ensure!(!failed, "the server refused a command: {reply:?}");
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_laid_out_as_the_protocol_says() {
        let command = rawdoc! { "ping": 1 };
        let plain = message(&command, None, EXHAUST_ALLOWED).expect("small");
        assert_eq!(plain[..4], (plain.len() as i32).to_le_bytes());
        assert_eq!(plain[12..16], 2013_i32.to_le_bytes());
        assert_eq!(plain[16..21], [0, 0, 1, 0, 0]);
        assert_eq!(&plain[21..], command.as_bytes());

        let with = message(&command, Some(("documents", &[5, 0, 0, 0, 0])), 0).expect("small");
        let section = &with[21 + command.as_bytes().len()..];
        assert_eq!(section[0], 1);
        assert_eq!(section[1..5], (section.len() as i32 - 1).to_le_bytes());
        assert_eq!(&section[5..15], b"documents\0");
        assert_eq!(section[15..], [5, 0, 0, 0, 0]);
    }

    #[test]
    fn a_refused_command_is_an_error() {
        for reply in [rawdoc! { "ok": 0.0, "errmsg": "no" }, rawdoc! { "ok": 1.0, "writeErrors": [{ "code": 11000 }] }, rawdoc! { "n": 1 }]
        {
            assert!(checked(reply.as_bytes()).is_err(), "{reply:?}");
        }
        assert!(checked(rawdoc! { "ok": 1.0 }.as_bytes()).is_ok());
    }
}
