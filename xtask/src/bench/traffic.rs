//! The writes that fill the oplog: inserts, updates the server logs as diffs, deletes, and transactions.
//!
//! Every write has an effect (an update changes a value, a delete finds its document), because what changes nothing is not logged.

use bson::oid::ObjectId;
use bson::raw::{CStr, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};

use super::ceilings::in_parallel;
use super::data::{COLLECTIONS, Collection, Random};
use super::wire::{Wire, message};

/// Entries of one round on one collection: inserts, updates, deletes, and transactions. As many documents go as come: what a restore over
/// these entries takes longer than the snapshot alone is then the oplog, and not that there is more data in the end.
const INSERTS: u64 = 350;
const UPDATES: u64 = 240;
const DELETES: u64 = INSERTS + TRANSACTIONS * TRANSACTION_OPERATIONS / 2;
const TRANSACTIONS: u64 = 10;
const ROUND: u64 = INSERTS + UPDATES + DELETES + TRANSACTIONS;
/// Operations of one transaction: half of them inserts, half updates.
const TRANSACTION_OPERATIONS: u64 = 10;
/// Documents of 10 KB are left out: a log consists of small writes.
const DOCUMENT_BYTES_MAX: usize = 1_000;

/// Writes at least `entries` oplog entries. Blocks.
pub fn write(address: &str, size_mb: u64, entries: u64) -> anyhow::Result<()> {
    let collections: Vec<&Collection> = COLLECTIONS.iter().filter(|collection| collection.document_bytes <= DOCUMENT_BYTES_MAX).collect();
    let rounds = entries.div_ceil(ROUND * collections.len() as u64);
    in_parallel(address, &collections, |wire, collection| {
        let mut writer = Writer::new(collection, size_mb);
        (0..rounds).try_for_each(|_| writer.round(wire))
    })?;
    Ok(())
}

struct Writer {
    collection: &'static Collection,
    random: Random,
    /// Documents with numbers from `oldest` to `next`, without the latter, exist.
    oldest: u64,
    next: u64,
    session: Binary,
    transaction: i64,
}

impl Writer {
    fn new(collection: &'static Collection, size_mb: u64) -> Writer {
        let seed = collection.name.bytes().fold(0, |seed, byte| seed << 8 ^ u64::from(byte));
        let mut random = Random::new(seed);
        let id = [random.next().to_le_bytes(), random.next().to_le_bytes()].concat();
        let session = Binary { subtype: BinarySubtype::Uuid, bytes: id };
        Writer { collection, random, oldest: 0, next: collection.documents(size_mb), session, transaction: 0 }
    }

    fn round(&mut self, wire: &mut Wire) -> anyhow::Result<()> {
        self.send(wire, cstr!("insert"), "documents", INSERTS, Self::insert)?;
        self.send(wire, cstr!("update"), "updates", UPDATES, Self::update)?;
        self.send(wire, cstr!("delete"), "deletes", DELETES, Self::delete)?;
        (0..TRANSACTIONS).try_for_each(|_| self.transaction(wire))
    }

    fn send(
        &mut self,
        wire: &mut Wire,
        command: &CStr,
        name: &str,
        count: u64,
        make: fn(&mut Self) -> RawDocumentBuf,
    ) -> anyhow::Result<()> {
        let documents: Vec<u8> = (0..count).flat_map(|_| make(self).into_bytes()).collect();
        let reply = wire.send(&message(&self.command(command), Some((name, &documents)), 0)?)?;
        affected_all(reply, count)
    }

    fn command(&self, name: &CStr) -> RawDocumentBuf {
        let mut command = RawDocumentBuf::new();
        command.append(name, self.collection.name);
        command.append(cstr!("$db"), self.collection.database);
        command
    }

    fn insert(&mut self) -> RawDocumentBuf {
        self.next += 1;
        self.collection.document(self.next - 1)
    }

    fn update(&mut self) -> RawDocumentBuf {
        let id = self.any();
        // Never the value it had: amounts are positive at first, and 53 random bits do not repeat.
        let amount = -((self.random.next() >> 11) as f64);
        let change = match self.random.next() % 3 {
            0 => rawdoc! { "$set": { "amount": amount } },
            1 => rawdoc! { "$set": { "amount": amount, "token": format!("{:016x}", self.random.next()) }, "$inc": { "changes": 1 } },
            _ => rawdoc! { "$set": { "last.amount": amount, "last.kind": 3 } },
        };
        rawdoc! { "q": { "_id": id }, "u": change }
    }

    fn delete(&mut self) -> RawDocumentBuf {
        let id = self.collection.id(self.oldest);
        self.oldest += 1;
        rawdoc! { "q": { "_id": id }, "limit": 1 }
    }

    /// The `_id` of some document that exists.
    fn any(&mut self) -> ObjectId {
        self.collection.id(self.oldest + self.random.next() % (self.next - self.oldest))
    }

    fn transaction(&mut self, wire: &mut Wire) -> anyhow::Result<()> {
        self.transaction += 1;
        let mut documents = RawArrayBuf::new();
        (0..TRANSACTION_OPERATIONS / 2).for_each(|_| documents.push(self.insert()));
        let mut insert = self.command(cstr!("insert"));
        insert.append(cstr!("documents"), documents);
        insert.append(cstr!("startTransaction"), true);
        wire.run(&self.within(insert))?;

        let mut updates = RawArrayBuf::new();
        (0..TRANSACTION_OPERATIONS / 2).for_each(|_| updates.push(self.update()));
        let mut update = self.command(cstr!("update"));
        update.append(cstr!("updates"), updates);
        wire.run(&self.within(update))?;
        wire.run(&self.within(rawdoc! { "commitTransaction": 1, "$db": "admin" }))?;
        Ok(())
    }

    fn within(&self, mut command: RawDocumentBuf) -> RawDocumentBuf {
        command.append(cstr!("lsid"), rawdoc! { "id": self.session.clone() });
        command.append(cstr!("txnNumber"), self.transaction);
        command.append(cstr!("autocommit"), false);
        command
    }
}

fn affected_all(reply: &RawDocument, count: u64) -> anyhow::Result<()> {
    let number = |name: &str| reply.get_i32(name).ok();
    let affected = number("nModified").or(number("n")).unwrap_or_default();
    anyhow::ensure!(affected as u64 == count, "{affected} of {count} writes had an effect");
    Ok(())
}
