//! The replica set: its oplog, what a majority has of it, what it has forgotten, and the lease it keeps.

use std::collections::BTreeMap;

use bson::{RawDocumentBuf, Timestamp, rawdoc};
use oplogue_domain::{OplogRange, OplogTime};
use oplogue_format::compression::Compression;

use crate::dice::Dice;

/// What a document holds; a document that is not there is not in the map.
pub type State = BTreeMap<i32, i64>;

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub time: OplogTime,
    pub bytes: RawDocumentBuf,
    key: i32,
    /// `None`: the document is deleted.
    value: Option<i64>,
}

pub struct ReplicaSet {
    /// Every entry since the beginning. What is behind the majority may still be taken back.
    entries: Vec<Entry>,
    /// So many of them a majority has.
    majority: usize,
    /// So many of the oldest are forgotten.
    forgotten: usize,
    /// Entries that there is room for.
    room: usize,
    term: i32,
    written: i64,
    pub lease: Lease,
}

/// As kept by majority writes. `expires`: by the replica set's own calendar.
#[derive(Debug, Clone, Default)]
pub struct Lease {
    pub holder: Option<usize>,
    pub fence: u64,
    pub expires: u32,
    /// What was announced last, by whichever holder: the slice that it was about to store.
    pub announced: Option<(OplogRange, Compression)>,
}

impl ReplicaSet {
    pub fn new(room: usize) -> Self {
        Self { entries: Vec::new(), majority: 0, forgotten: 0, room, term: 1, written: 0, lease: Lease::default() }
    }

    /// Appends an entry at the primary, whose calendar says `now`.
    pub fn write(&mut self, now: u32, dice: &mut Dice) {
        let newest = self.entries.last().map_or(OplogTime::MIN, |entry| entry.time);
        // The oplog's time never goes back, whatever the calendar does.
        let time = if now > newest.seconds { OplogTime::new(now, 1) } else { OplogTime::new(newest.seconds, newest.ordinal + 1) };
        let key = i32::try_from(dice.between(0, 5)).expect("small");
        self.written += 1;
        let value = (!dice.percent(20)).then_some(self.written);
        let stamp = Timestamp { time: time.seconds, increment: time.ordinal };
        let bytes = match value {
            Some(value) => rawdoc! { "ts": stamp, "t": self.term, "op": "i", "ns": "shop.docs", "o": { "_id": key, "v": value } },
            None => rawdoc! { "ts": stamp, "t": self.term, "op": "d", "ns": "shop.docs", "o": { "_id": key } },
        };
        self.entries.push(Entry { time, bytes, key, value });
    }

    /// A majority gets some more of it, and the oldest is forgotten where room is short.
    pub fn replicate(&mut self, dice: &mut Dice) {
        let behind = u32::try_from(self.entries.len() - self.majority).expect("few");
        self.majority += if dice.percent(60) { behind } else { dice.between(0, behind) } as usize;
        self.forgotten = self.forgotten.max(self.entries.len().saturating_sub(self.room).min(self.majority.saturating_sub(1)));
    }

    /// Another primary, which may lack what no majority had. Says how many entries were taken back.
    pub fn elect(&mut self, dice: &mut Dice) -> usize {
        let behind = u32::try_from(self.entries.len() - self.majority).expect("few");
        let kept = self.majority + dice.between(0, behind) as usize;
        let taken_back = self.entries.len() - kept;
        self.entries.truncate(kept);
        self.term += 1;
        taken_back
    }

    /// What will always have been.
    pub fn truth(&self) -> &[Entry] {
        &self.entries[..self.majority]
    }

    /// The oldest entry that is still there.
    pub fn oldest(&self) -> OplogTime {
        self.entries.get(self.forgotten).map_or(OplogTime::MIN, |entry| entry.time)
    }

    /// The newest moment that a majority has.
    pub fn majority_time(&self) -> OplogTime {
        self.truth().last().map_or(OplogTime::MIN, |entry| entry.time)
    }

    /// Entries from `from` on, which comes first, through `through`. `None` when the entry at `from` is not there any more.
    pub fn read(&self, from: OplogTime, through: OplogTime) -> Option<Vec<RawDocumentBuf>> {
        let there = &self.entries[self.forgotten..];
        let first = there.iter().position(|entry| entry.time >= from)?;
        if there[first].time != from {
            return None;
        }
        Some(there[first..].iter().take_while(|entry| entry.time <= through).map(|entry| entry.bytes.clone()).collect())
    }

    /// The documents as they were at `moment`.
    pub fn state_at(&self, moment: OplogTime) -> State {
        let mut state = State::new();
        for entry in self.truth().iter().take_while(|entry| entry.time <= moment) {
            entry.apply(&mut state);
        }
        state
    }
}

impl Entry {
    fn apply(&self, state: &mut State) {
        match self.value {
            Some(value) => drop(state.insert(self.key, value)),
            None => drop(state.remove(&self.key)),
        }
    }
}

impl Lease {
    /// Asks for it. The fence when it was given.
    pub fn acquire(&mut self, who: usize, now: u32, ttl: u32) -> Option<u64> {
        if self.holder.is_some() && now < self.expires {
            return None;
        }
        self.fence += 1;
        (self.holder, self.expires) = (Some(who), now + ttl);
        Some(self.fence)
    }

    /// False when somebody else has it.
    pub fn renew(&mut self, fence: u64, now: u32, ttl: u32) -> bool {
        let ours = self.fence == fence && self.holder.is_some();
        if ours {
            self.expires = now + ttl;
        }
        ours
    }

    /// Says which slice will be stored next. False when somebody else has the lease: then it must not be stored.
    pub fn announce(&mut self, fence: u64, now: u32, ttl: u32, step: (OplogRange, Compression)) -> bool {
        let ours = self.renew(fence, now, ttl);
        if ours {
            self.announced = Some(step);
        }
        ours
    }
}
