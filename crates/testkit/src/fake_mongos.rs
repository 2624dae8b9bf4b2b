//! Pretends to be `mongos`, which no package registry has: answers the handshake like one and refuses everything else.
//!
//! Speaks just the wire protocol a driver needs to find out whom it talks to: OP_MSG and, for the first handshake, OP_QUERY.

use anyhow::Context;
use bson::{Document, RawDocumentBuf, doc, oid::ObjectId, rawdoc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const OP_REPLY: i32 = 1;
const OP_QUERY: i32 = 2004;
const OP_MSG: i32 = 2013;

/// A listening fake; dropping it ends it.
#[derive(Debug)]
pub struct FakeMongos {
    address: String,
    task: JoinHandle<()>,
}

impl FakeMongos {
    /// Listens on a free loopback port.
    pub async fn start() -> anyhow::Result<FakeMongos> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening for the fake mongos")?;
        let address = listener.local_addr()?.to_string();
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // A client that goes away ends its own task only.
                tokio::spawn(async move { serve(connection).await.ok() });
            }
        });
        Ok(FakeMongos { address, task })
    }

    /// `mongodb://127.0.0.1:<port>/`.
    pub fn uri(&self) -> String {
        format!("mongodb://{}/", self.address)
    }
}

impl Drop for FakeMongos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream) -> anyhow::Result<()> {
    loop {
        let mut header = [0u8; 16];
        connection.read_exact(&mut header).await?;
        let [length, id, _, code] = [0, 4, 8, 12].map(|at| number(&header, at));
        let length = usize::try_from(length)?.checked_sub(16).context("a message shorter than its header")?;
        anyhow::ensure!(length <= 48_000_000, "a message over 48 MB");
        let mut body = vec![0u8; length];
        connection.read_exact(&mut body).await?;
        let reply = match code {
            // flags, then a section of kind 0: one document
            OP_MSG => {
                let command = RawDocumentBuf::from_bytes(document_at(&body, 5)?)?;
                message(OP_MSG, id, &[&0i32.to_le_bytes()[..], &[0], answer(&command)?.as_bytes()].concat())
            }
            // flags, full collection name, skip, limit, document
            OP_QUERY => {
                let end = body.iter().skip(4).position(|b| *b == 0).context("a query without a collection name")? + 4;
                let command = RawDocumentBuf::from_bytes(document_at(&body, end + 9)?)?;
                // flags, cursor id, starting from, number returned
                let head = [&8i32.to_le_bytes()[..], &0i64.to_le_bytes(), &0i32.to_le_bytes(), &1i32.to_le_bytes()].concat();
                message(OP_REPLY, id, &[&head[..], answer(&command)?.as_bytes()].concat())
            }
            other => anyhow::bail!("operation {other} is not spoken here"),
        };
        connection.write_all(&reply).await?;
    }
}

fn answer(command: &RawDocumentBuf) -> anyhow::Result<RawDocumentBuf> {
    let name = command.iter().next().context("an empty command")??.0.as_str().to_ascii_lowercase();
    Ok(match name.as_str() {
        "hello" | "ismaster" => RawDocumentBuf::try_from(&handshake())?,
        "ping" | "endsessions" => rawdoc! {"ok": 1.0},
        "buildinfo" => rawdoc! {"version": "6.0.5", "versionArray": [6, 0, 5, 0], "ok": 1.0},
        _ => {
            rawdoc! {"ok": 0.0, "errmsg": format!("no such command: '{name}' (this is a fake mongos)"), "code": 59, "codeName": "CommandNotFound"}
        }
    })
}

fn handshake() -> Document {
    doc! {
        "ismaster": true,
        "isWritablePrimary": true,
        "helloOk": true,
        "msg": "isdbgrid",
        "topologyVersion": {"processId": ObjectId::from_bytes([7; 12]), "counter": 0i64},
        "maxBsonObjectSize": 16_777_216,
        "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000,
        "logicalSessionTimeoutMinutes": 30,
        "minWireVersion": 0,
        "maxWireVersion": 17,
        "ok": 1.0,
    }
}

fn message(code: i32, to: i32, body: &[u8]) -> Vec<u8> {
    let length = 16 + body.len() as i32;
    [&length.to_le_bytes()[..], &1i32.to_le_bytes(), &to.to_le_bytes(), &code.to_le_bytes(), body].concat()
}

fn document_at(body: &[u8], at: usize) -> anyhow::Result<Vec<u8>> {
    let length = body.get(at..at + 4).map(|_| number(body, at)).context("a message without a document")?;
    let document = body.get(at..at + usize::try_from(length)?).context("a document that ends early")?;
    Ok(document.to_vec())
}

/// The little-endian number at a place that is known to lie inside.
fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
