//! States that were written down one by one to make room, each found again by its key.
//!
//! In memory stay 16 bytes for each: the hash of its key, and where it lies. So the operations of a million documents need some tens of
//! megabytes, however large the documents are, and every document of the snapshot can still be answered where it stands in its order.
//! That two keys share a hash of 64 bits is told by the key that lies with the state.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

use crate::spill::{Block, Blocks, Spill, torn};
use crate::state::State;

/// Places and lengths are counted in these, so that both fit into one number.
const UNIT_BYTES: usize = 16;
const LENGTH_BITS: u32 = 24;
const PLACE_BITS: u32 = 36;
const MET: u64 = 1 << 63;
/// Bytes of an entry in its table, with the table's own byte.
const ENTRY_BYTES: usize = 17;

/// Where the state of one document lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(u64);

impl Entry {
    /// Both in units. `None`: too far, or too long.
    fn new(place: u64, length: u64) -> Option<Self> {
        (place < 1 << PLACE_BITS && length < 1 << LENGTH_BITS).then_some(Self(place << LENGTH_BITS | length))
    }

    fn place(self) -> u64 {
        (self.0 & !MET) >> LENGTH_BITS
    }

    fn bytes(self) -> usize {
        (self.0 & ((1 << LENGTH_BITS) - 1)) as usize * UNIT_BYTES
    }

    /// A document of the snapshot has met it: nothing of it comes with the rest.
    pub(crate) fn is_met(self) -> bool {
        self.0 & MET != 0
    }

    pub(crate) fn meet(&mut self) {
        self.0 |= MET;
    }
}

/// By the hashes of keys.
pub(crate) type ByHash<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// The states of a partition that were written down.
#[derive(Debug, Default)]
pub(crate) struct Index(ByHash<Entry>);

impl Index {
    pub(crate) fn holds(&self, hash: u64) -> bool {
        self.0.contains_key(&hash)
    }

    pub(crate) fn get(&self, hash: u64) -> Option<Entry> {
        self.0.get(&hash).copied()
    }

    pub(crate) fn get_mut(&mut self, hash: u64) -> Option<&mut Entry> {
        self.0.get_mut(&hash)
    }

    pub(crate) fn remove(&mut self, hash: u64) {
        self.0.remove(&hash);
    }

    /// False when there is another key with this hash.
    pub(crate) fn insert(&mut self, hash: u64, entry: Entry) -> bool {
        self.0.insert(hash, entry).is_none()
    }

    /// Bytes in memory: tables are at most seven eighths full.
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() / 7 * 8 * ENTRY_BYTES
    }

    /// Bytes in memory once `more` have come: tables double.
    pub(crate) fn bytes_with(&self, more: usize) -> usize {
        let (count, mut room) = (self.0.len() + more, self.0.capacity().max(7));
        while room < count {
            room *= 2;
        }
        room.div_ceil(7) * 8 * ENTRY_BYTES
    }

    /// All entries, in no order.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.0.into_values()
    }
}

/// Hashes are hashed already.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        // The highest bits are the same in all of a partition.
        self.0 = hash.rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// States in the order in which they were written. Every block holds whole ones.
#[derive(Debug, Default)]
pub(crate) struct Log {
    blocks: Blocks,
    /// The block that was read last by [`Log::read_on`].
    block: Option<usize>,
    read: Vec<u8>,
}

impl Log {
    /// Writes a state behind the others. It can be read once the log was [flushed](Log::flush).
    pub(crate) fn push(&mut self, key: &[u8], state: &State) -> io::Result<Entry> {
        let (begin, buffer) = (self.blocks.total_bytes(), &mut self.blocks.buffer);
        state.encode(key, buffer);
        buffer.resize(buffer.len().next_multiple_of(UNIT_BYTES), 0);
        let unit = UNIT_BYTES as u64;
        Entry::new(begin / unit, (self.blocks.total_bytes() - begin) / unit)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "what is to be folded of one collection is too large for a file"))
    }

    /// Writes a block once `block_bytes` are held.
    pub(crate) fn relieve(&mut self, block_bytes: usize, spill: &dyn Spill) -> io::Result<()> {
        self.blocks.relieve(block_bytes, spill)
    }

    pub(crate) fn flush(&mut self, spill: &dyn Spill) -> io::Result<()> {
        self.blocks.flush(spill)
    }

    /// Everything that was written.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.total_bytes()
    }

    /// Gives the memory back that reading took.
    pub(crate) fn forget_block(&mut self) {
        self.block = None;
        self.read = Vec::new();
    }

    /// The state at `entry` with its key.
    pub(crate) fn read(&mut self, entry: Entry, spill: &dyn Spill) -> io::Result<(&[u8], State)> {
        let (_, block, offset) = self.find(entry)?;
        self.block = None;
        self.read.resize(entry.bytes(), 0);
        spill.read(block.at + offset as u64, &mut self.read)?;
        State::decode(&self.read)
    }

    /// The same, for entries in their order: whole blocks are read.
    pub(crate) fn read_on(&mut self, entry: Entry, spill: &dyn Spill) -> io::Result<(&[u8], State)> {
        let (number, block, offset) = self.find(entry)?;
        if self.block != Some(number) {
            self.block = None;
            self.read.resize(block.bytes, 0);
            spill.read(block.at, &mut self.read)?;
            self.block = Some(number);
        }
        State::decode(self.read.get(offset..offset + entry.bytes()).ok_or_else(torn)?)
    }

    /// Its block with the block's number, and where in the block it begins.
    fn find(&self, entry: Entry) -> io::Result<(usize, Block, usize)> {
        let place = entry.place() * UNIT_BYTES as u64;
        let (number, block) = self.blocks.find(place).ok_or_else(torn)?;
        Ok((number, block, (place - block.start) as usize))
    }
}

/// In the order in which they were written.
pub(crate) fn in_order(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_unstable_by_key(|entry| entry.place());
    entries
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::state::Known;

    #[derive(Default)]
    struct Memory(Mutex<Vec<u8>>);

    impl Spill for Memory {
        fn write(&self, block: &[u8]) -> io::Result<u64> {
            let mut all = self.0.lock().expect("one thread");
            // Others write into the same file.
            all.extend_from_slice(b"other");
            let at = all.len() as u64;
            all.extend_from_slice(block);
            Ok(at)
        }

        fn read(&self, at: u64, block: &mut [u8]) -> io::Result<()> {
            let all = self.0.lock().expect("one thread");
            block.copy_from_slice(&all[at as usize..][..block.len()]);
            Ok(())
        }
    }

    #[test]
    fn an_entry_holds_its_place_its_length_and_whether_it_was_met() {
        for (place, length) in [(0, 0), (1, 2), ((1 << PLACE_BITS) - 1, (1 << LENGTH_BITS) - 1)] {
            let mut entry = Entry::new(place, length).expect("it fits");
            assert!(!entry.is_met());
            entry.meet();
            assert_eq!((entry.place(), entry.bytes(), entry.is_met()), (place, length as usize * UNIT_BYTES, true));
        }
        assert_eq!((Entry::new(1 << PLACE_BITS, 0), Entry::new(0, 1 << LENGTH_BITS)), (None, None));
    }

    #[test]
    fn states_come_back_each_by_itself_and_one_after_the_other() {
        let (spill, mut log, mut index) = (Memory::default(), Log::default(), Index::default());
        let known = |n: u64| match n % 4 {
            0 => Known::Gone,
            1 => Known::Changes(vec![vec![1; n as usize].into(), Box::default(), vec![2; 3].into()]),
            2 => Known::Changes(Vec::new()),
            _ => Known::Whole(vec![3; n as usize * 7].into()),
        };
        let state = |n: u64| State { known: known(n), late: n as u32 * 3, place: n << 40 };
        for n in 0..200_u64 {
            let entry = log.push(&n.to_be_bytes(), &state(n)).expect("it fits");
            assert!(index.insert(n, entry));
            log.relieve(1_000, &spill).expect("it is in memory");
        }
        log.flush(&spill).expect("it is in memory");
        assert!(log.find(index.get(199).expect("it was written")).expect("it is there").0 >= 10 && index.bytes() >= 200 * ENTRY_BYTES);
        assert!(!index.insert(7, index.get(8).expect("it was written")), "a hash that is there already is told");
        for n in (0..200_u64).rev() {
            let (key, found) = log.read(index.get(n).expect("it was written"), &spill).expect("it is in memory");
            let expected = if n == 7 { 8 } else { n };
            assert_eq!((key, found), (u64::to_be_bytes(expected).as_slice(), state(expected)));
        }
        index.remove(7);
        let others: Vec<u64> = (0..200).filter(|n| *n != 7).collect();
        let entries = in_order(index.into_entries());
        assert_eq!(entries.len(), others.len());
        for (entry, n) in entries.into_iter().zip(others) {
            let (key, found) = log.read_on(entry, &spill).expect("it is in memory");
            assert_eq!((key, found), (n.to_be_bytes().as_slice(), state(n)));
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_told() {
        let (spill, mut log) = (Memory::default(), Log::default());
        let entry = log.push(b"key", &State { known: Known::Whole(vec![5; 40].into()), late: 0, place: 1 }).expect("it fits");
        log.flush(&spill).expect("it is in memory");
        for at in 0..32 {
            let before = std::mem::replace(&mut spill.0.lock().expect("one thread")[5 + at], 0xff);
            // Any answer but a panic; most are errors.
            drop(log.read(entry, &spill).map(|(key, _)| key.len()));
            spill.0.lock().expect("one thread")[5 + at] = before;
        }
        assert!(log.read(entry, &spill).is_ok());
    }
}
