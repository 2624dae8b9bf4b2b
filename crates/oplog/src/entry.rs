//! A view of one oplog document, without copying it.
//!
//! The fields of `repl::OplogEntry` that matter to a restore. Others (`t`, `v`, `h`, `wall`, `stmtId`, `needsRetryImage`, `rid`,
//! `fromMigrate`, …) are about replication and retries on the source; none of them changes what the entry does to documents.

use bson::RawDocument;
use bson::raw::RawBsonRef;
use bson::spec::BinarySubtype;
use oplogue_domain::OplogTime;

use crate::{OplogError, Uuid};

/// The session of an entry: present on transactions and on retryable writes alike.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    pub lsid: &'a RawDocument,
    pub txn_number: i64,
}

/// One entry of the oplog.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub time: OplogTime,
    /// `i`, `u`, `d`, `c`, `n`, or what newer servers add.
    pub op: &'a str,
    /// `database.collection`; `database.$cmd` for commands; empty for no-ops.
    pub ns: &'a str,
    pub ui: Option<Uuid>,
    pub o: &'a RawDocument,
    pub o2: Option<&'a RawDocument>,
    /// `b`: on updates, insert the document if it is missing.
    pub upsert: Option<bool>,
    pub session: Option<Session<'a>>,
    /// The entry before this one in its transaction (or of its session, for retryable writes); `None` at a beginning.
    pub previous: Option<OplogTime>,
    /// 1: an `applyOps` that is several independent writes (8.0), not a transaction.
    pub multi_op_type: i32,
}

impl<'a> Entry<'a> {
    /// Reads the fields of an oplog document.
    pub fn parse(document: &'a RawDocument) -> Result<Self, OplogError> {
        Self::parse_at(document, None)
    }

    /// Reads an operation inside an `applyOps`, which has no time of its own.
    pub(crate) fn parse_inner(document: &'a RawDocument, time: OplogTime) -> Result<Self, OplogError> {
        Self::parse_at(document, Some(time))
    }

    /// `time`: that of the entry around it.
    fn parse_at(document: &'a RawDocument, time: Option<OplogTime>) -> Result<Self, OplogError> {
        // It may be one of the last fields: errors of those before it are told with it all the same.
        let wrong = |reason: String| OplogError::malformed(time.or_else(|| document.get_timestamp("ts").ok().map(oplog_time)), reason);
        let wrong_type = |field: &str| wrong(format!("`{field}` has the wrong type"));
        let (mut op, mut ns, mut ui, mut o, mut o2, mut ts) = (None, None, None, None, None, None);
        let (mut upsert, mut lsid, mut txn_number, mut previous, mut multi_op_type) = (None, None, None, None, 0);
        for element in document.iter() {
            let (key, value) = element.map_err(|error| wrong(error.to_string()))?;
            match (key.as_str(), value) {
                ("op", RawBsonRef::String(text)) => op = Some(text),
                ("ns", RawBsonRef::String(text)) => ns = Some(text),
                ("ui", value) => ui = Some(uuid(value).ok_or_else(|| wrong_type("ui"))?),
                ("o", RawBsonRef::Document(document)) => o = Some(document),
                ("o2", RawBsonRef::Document(document)) => o2 = Some(document),
                ("b", RawBsonRef::Boolean(flag)) => upsert = Some(flag),
                ("lsid", RawBsonRef::Document(document)) => lsid = Some(document),
                ("txnNumber", value) => txn_number = Some(integer(value).ok_or_else(|| wrong_type("txnNumber"))?),
                ("prevOpTime", value) => previous = optime(value).ok_or_else(|| wrong_type("prevOpTime"))?,
                ("multiOpType", value) => {
                    multi_op_type = integer(value).and_then(|n| i32::try_from(n).ok()).ok_or_else(|| wrong_type("multiOpType"))?;
                }
                ("ts", value) if time.is_none() && ts.is_none() => match value {
                    RawBsonRef::Timestamp(timestamp) => ts = Some(oplog_time(timestamp)),
                    _ => return Err(OplogError::malformed(None, "`ts` is not a timestamp")),
                },
                (field @ ("op" | "ns" | "o" | "o2" | "b" | "lsid"), _) => return Err(wrong_type(field)),
                _ => {}
            }
        }
        let time = time.or(ts).ok_or_else(|| OplogError::malformed(None, "it has no `ts`"))?;
        let missing = |field: &str| OplogError::malformed(time, format!("it has no `{field}`"));
        let session = match (lsid, txn_number) {
            (Some(lsid), Some(txn_number)) => Some(Session { lsid, txn_number }),
            _ => None,
        };
        Ok(Self {
            time,
            op: op.ok_or_else(|| missing("op"))?,
            ns: ns.ok_or_else(|| missing("ns"))?,
            ui,
            o: o.ok_or_else(|| missing("o"))?,
            o2,
            upsert,
            session,
            previous,
            multi_op_type,
        })
    }

    /// The name of a command (the first field of `o`) and its value; `None` for other entries and for an empty `o`.
    pub fn command(&self) -> Option<(&'a str, RawBsonRef<'a>)> {
        if self.op != "c" {
            return None;
        }
        let (key, value) = self.o.iter().next()?.ok()?;
        Some((key.as_str(), value))
    }

    /// True when `o` has `field` with a value that the server takes for true.
    pub(crate) fn flag(&self, field: &str) -> bool {
        match self.o.get(field) {
            Ok(Some(RawBsonRef::Boolean(flag))) => flag,
            Ok(Some(value)) => integer(value).is_some_and(|number| number != 0),
            _ => false,
        }
    }
}

fn oplog_time(timestamp: bson::Timestamp) -> OplogTime {
    OplogTime::new(timestamp.time, timestamp.increment)
}

pub(crate) fn uuid(value: RawBsonRef<'_>) -> Option<Uuid> {
    match value {
        RawBsonRef::Binary(binary) if binary.subtype == BinarySubtype::Uuid => binary.bytes.try_into().ok(),
        _ => None,
    }
}

pub(crate) fn integer(value: RawBsonRef<'_>) -> Option<i64> {
    match value {
        RawBsonRef::Int32(number) => Some(i64::from(number)),
        RawBsonRef::Int64(number) => Some(number),
        // Users' own applyOps may carry doubles.
        RawBsonRef::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(number as i64),
        _ => None,
    }
}

/// `{ts, t}`, or a bare timestamp as old servers wrote. `Some(None)` for the null optime that begins a transaction.
fn optime(value: RawBsonRef<'_>) -> Option<Option<OplogTime>> {
    let timestamp = match value {
        RawBsonRef::Timestamp(timestamp) => timestamp,
        RawBsonRef::Document(document) => document.get_timestamp("ts").ok()?,
        _ => return None,
    };
    let time = OplogTime::new(timestamp.time, timestamp.increment);
    Some((time != OplogTime::MIN).then_some(time))
}
