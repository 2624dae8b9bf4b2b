//! Operations, a place to spill to, and a whole fold in one call.

use std::io;
use std::sync::{Arc, Mutex};

use bson::{Document, RawDocumentBuf, doc};
use oplogue_domain::{Namespace, OplogTime};
use oplogue_fold::{Fold, FoldError, Folded, Met, Order, Spill, Tally};
use oplogue_oplog::{CollectionId, Kind, Operation};

pub const COLLECTION: CollectionId = CollectionId(3);

/// A temporary file in memory.
#[derive(Default)]
pub struct Memory(Mutex<Vec<u8>>);

impl Memory {
    pub fn bytes(&self) -> usize {
        self.0.lock().expect("nobody panics while holding it").len()
    }
}

impl Spill for Memory {
    fn write(&self, block: &[u8]) -> io::Result<u64> {
        let mut all = self.0.lock().expect("nobody panics while holding it");
        let at = all.len() as u64;
        all.extend_from_slice(block);
        Ok(at)
    }

    fn read(&self, at: u64, block: &mut [u8]) -> io::Result<()> {
        let all = self.0.lock().expect("nobody panics while holding it");
        let at = usize::try_from(at).expect("it was given by `write`");
        block.copy_from_slice(all.get(at..at + block.len()).ok_or_else(|| io::Error::other("read past the end"))?);
        Ok(())
    }
}

pub fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).expect("a document of the test")
}

fn operation(kind: Kind, o: Document, o2: Option<Document>) -> Operation {
    Operation {
        time: OplogTime::new(1, 1),
        kind,
        namespace: Namespace::new("shop", "orders"),
        ui: None,
        o: raw(&o),
        o2: o2.as_ref().map(raw),
        upsert: None,
    }
}

pub fn insert(document: Document) -> Operation {
    operation(Kind::Insert, document, None)
}

pub fn update(id: impl Into<bson::Bson>, change: Document) -> Operation {
    operation(Kind::Update, change, Some(doc! { "_id": id.into() }))
}

pub fn delete(id: impl Into<bson::Bson>) -> Operation {
    operation(Kind::Delete, doc! { "_id": id.into() }, None)
}

/// Runs `operations` (each with whether it comes after the snapshot's own end) and then `documents` through a fold of one collection.
pub fn fold(
    memory_bytes: usize,
    order: Order,
    operations: &[(Operation, bool)],
    documents: &[RawDocumentBuf],
) -> Result<(Vec<RawDocumentBuf>, Tally, usize), String> {
    let spill = Arc::new(Memory::default());
    let mut fold = Fold::new(memory_bytes, Arc::clone(&spill) as Arc<dyn Spill>);
    fold.begin(COLLECTION, order);
    for (operation, late) in operations {
        fold.take(COLLECTION, operation, *late).map_err(|error| error.to_string())?;
    }
    let mut folded = fold.finish(1).map_err(|error| error.to_string())?.remove(&COLLECTION).expect("it was begun")?;
    let out = drain(&mut folded, documents).map_err(|error| error.to_string())?;
    Ok((out, folded.tally(), spill.bytes()))
}

pub fn drain(folded: &mut Folded, documents: &[RawDocumentBuf]) -> Result<Vec<RawDocumentBuf>, FoldError> {
    let mut out = Vec::new();
    let touched = folded.touched(documents.iter().map(|document| &**document));
    for (document, touched) in documents.iter().zip(touched) {
        let met = folded.meet(document)?;
        assert!(touched || met == Met::Kept, "what is not touched stays as it is: {document:?}");
        match met {
            Met::Kept => out.push(document.clone()),
            Met::Changed(document) => out.push(document),
            Met::Away => {}
        }
    }
    while let Some(rest) = folded.rest(1_000)? {
        assert!(!rest.is_empty());
        out.extend(rest);
    }
    Ok(out)
}
