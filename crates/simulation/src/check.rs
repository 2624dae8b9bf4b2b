//! The promises, from outside: what lies on the storage against what the model knows to be true.
//!
//! - A slice holds what its name says: the entries of the true oplog, all of them, nothing else. So no two slices of one range differ.
//! - A record speaks of a slice that is there.
//! - Nobody cuts what another has cut, unless clocks lied or an upload outlived its slicer.
//! - The timeline says what the bytes say; what it once said can be restored is never lost, but by retention that was allowed to.
//! - A hole has a reason, and the reason is true.
//! - What `choose` plans for a moment replays to the state of that moment.

mod bytes;
mod replay;

use std::collections::{BTreeMap, BTreeSet};

use bson::RawDocumentBuf;
use bytes::{Named, entries_of, entry_time, name_of};
use oplogue_domain::{Catalog, GapReason, OplogRange, OplogTime, timeline};
use oplogue_repository::Repository;

use crate::oplog::ReplicaSet;
use crate::world::{World, rs0};

/// What the checker remembers from step to step.
#[derive(Default)]
pub struct Memory {
    /// Moments that were once said to be restorable.
    said: BTreeSet<OplogTime>,
    /// Moments of the backups that can be restored, as of the last look.
    bases: Vec<OplogTime>,
    /// Beginnings of gaps that were found to be told truly.
    gaps: BTreeSet<OplogTime>,
    /// Objects as last looked at, with what is in them.
    seen: BTreeMap<String, (::bytes::Bytes, Option<Vec<RawDocumentBuf>>)>,
    looks: u32,
}

impl Memory {
    fn see(&mut self, found: &Found) {
        self.bases = found.backups.values().map(|held| held.range.through).collect();
        self.bases.sort();
    }

    /// The moment of the oldest of the newest so many backups.
    pub fn oldest_of_newest(&self, count: usize) -> OplogTime {
        self.bases.iter().rev().nth(count.max(1) - 1).copied().unwrap_or(OplogTime::MIN)
    }
}

/// Looks which backups there are, between two checks. What is wrong otherwise the next check tells.
pub async fn see_backups(world: &mut World) {
    if let Ok(found) = look(world).await {
        world.memory.see(&found);
    }
}

/// Oplog on the storage.
pub struct Held {
    pub name: String,
    pub range: OplogRange,
    /// `None`: it cannot be read, or is not what was written.
    pub entries: Option<Vec<RawDocumentBuf>>,
}

/// Everything on the storage that matters.
#[derive(Default)]
pub struct Found {
    pub objects: BTreeMap<String, ::bytes::Bytes>,
    pub slices: Vec<Held>,
    /// Those that have everything they need, by name.
    pub backups: BTreeMap<String, Held>,
}

impl Found {
    fn covers(&self, moment: OplogTime) -> bool {
        self.slices.iter().chain(self.backups.values()).any(|held| held.entries.is_some() && held.range.contains(moment))
    }

    fn is_damaged(&self) -> bool {
        self.slices.iter().any(|held| held.entries.is_none())
    }
}

pub async fn check(world: &mut World) -> Result<(), String> {
    let found = look(world).await?;
    let catalog = Repository::new(world.storage.clone()).catalog().await.map_err(|error| format!("the catalog cannot be read: {error}"))?;
    records_speak_of_slices(&found, world)?;
    nobody_cuts_twice(&found, world)?;
    let can = restorable(&found, &world.set);
    the_timeline_is_true(&found, &catalog, &can, world)?;
    holes_have_reasons(&found, &catalog, world)?;
    world.memory.see(&found);
    world.memory.looks += 1;
    if world.memory.looks.is_multiple_of(3) {
        replay::plans_lead_where_they_say(&found, &catalog, &can, world)?;
    }
    Ok(())
}

/// Reads everything, and finds each slice to be true.
async fn look(world: &mut World) -> Result<Found, String> {
    let mut found = Found::default();
    for object in world.storage.list("").await.expect("memory can be listed") {
        let bytes = world.storage.get(&object.name).await.expect("memory can be read");
        found.objects.insert(object.name, bytes);
    }
    world.memory.seen.retain(|name, _| found.objects.contains_key(name));
    let mut oplogs = BTreeMap::new();
    for (name, bytes) in &found.objects {
        let Some(named) = name_of(name) else { continue };
        let range = match &named {
            Named::Slice(range) | Named::BackupOplog(_, range) => *range,
        };
        let seen = world.memory.seen.get(name).filter(|(as_seen, _)| as_seen == bytes);
        let entries = match seen {
            Some((_, entries)) => entries.clone(),
            None => {
                let entries = entries_of(name, bytes).filter(|entries| is_true(entries, range, &world.set));
                if entries.is_none() && !world.corrupted.contains(name) {
                    return Err(format!("{name} does not hold the oplog {range:?} as it was"));
                }
                world.memory.seen.insert(name.clone(), (bytes.clone(), entries.clone()));
                entries
            }
        };
        let held = Held { name: name.clone(), range, entries };
        match named {
            Named::Slice(_) => found.slices.push(held),
            Named::BackupOplog(backup, _) => drop(oplogs.insert(backup, held)),
        }
    }
    for (backup, held) in oplogs {
        let whole = [format!("{backup}.pbm.json"), format!("{backup}/rs0/metadata.json")];
        if whole.iter().all(|name| found.objects.contains_key(name)) {
            found.backups.insert(backup, held);
        }
    }
    Ok(found)
}

/// All entries of `range` and the one at its beginning, and no others.
fn is_true(entries: &[RawDocumentBuf], range: OplogRange, set: &ReplicaSet) -> bool {
    let truth = set.truth().iter().filter(|entry| range.contains(entry.time) || entry.time == range.after);
    truth.map(|entry| &entry.bytes).eq(entries.iter())
}

fn records_speak_of_slices(found: &Found, world: &World) -> Result<(), String> {
    for name in found.objects.keys().filter(|name| name.starts_with("oplogue/slices/")) {
        let stem = name.trim_start_matches("oplogue/slices/").trim_end_matches(".json");
        let slice = format!("pbmPitr/{stem}.oplog");
        let there = found.slices.iter().any(|held| held.name == slice || held.name.starts_with(&format!("{slice}.")));
        if !there && !world.excused.contains(name) {
            return Err(format!("{name} is the record of a slice that is not there"));
        }
    }
    Ok(())
}

fn nobody_cuts_twice(found: &Found, world: &World) -> Result<(), String> {
    if world.clocks_lie() {
        return Ok(());
    }
    let mut cut: Vec<&Held> = found.slices.iter().filter(|held| world.cut.contains(&held.name)).collect();
    cut.sort_by_key(|held| held.range);
    match cut.windows(2).find(|pair| pair[1].range.after < pair[0].range.through) {
        Some(pair) => Err(format!("two slicers have cut the same oplog: {} and {}", pair[0].name, pair[1].name)),
        None => Ok(()),
    }
}

/// The moments of true entries that can be restored, by the words of the rule.
fn restorable(found: &Found, set: &ReplicaSet) -> BTreeSet<OplogTime> {
    let mut can = BTreeSet::new();
    let mut reached = false;
    for entry in set.truth() {
        reached = found.backups.values().any(|held| held.range.through == entry.time) || (reached && found.covers(entry.time));
        if reached {
            can.insert(entry.time);
        }
    }
    can
}

fn the_timeline_is_true(found: &Found, catalog: &Catalog, can: &BTreeSet<OplogTime>, world: &mut World) -> Result<(), String> {
    let told = timeline(catalog);
    for entry in world.set.truth() {
        let (says, is) = (told.can_restore(entry.time), can.contains(&entry.time));
        // That a slice is damaged is seen when it is read.
        if says != is && !(says && found.is_damaged()) {
            return Err(format!("the timeline says of {:?} that it can be restored: {says}, and the bytes say {is}", entry.time));
        }
    }
    let allowed = world.allowed;
    world.memory.said.retain(|moment| allowed <= *moment);
    match world.memory.said.iter().find(|moment| !can.contains(moment)) {
        Some(lost) => Err(format!("{lost:?} was said to be restorable and is lost")),
        None => {
            world.memory.said.extend(can.iter().filter(|moment| allowed <= **moment));
            Ok(())
        }
    }
}

fn holes_have_reasons(found: &Found, catalog: &Catalog, world: &mut World) -> Result<(), String> {
    for gap in catalog.recorded_gaps.get(&rs0()).into_iter().flatten().filter(|gap| gap.reason == GapReason::OplogRolledOver) {
        if world.memory.gaps.insert(gap.range.after) && world.set.oldest() <= gap.range.after {
            return Err(format!("the gap {:?} is recorded, and the server still has its beginning", gap.range));
        }
    }
    if found.is_damaged() {
        return Ok(());
    }
    let told = timeline(catalog);
    let gaps = told.replica_set(&rs0()).map_or(&[][..], |told| &told.gaps);
    let newest = found.slices.iter().map(|held| held.range.after).max().unwrap_or(OplogTime::MIN);
    let mut before = None;
    for entry in world.set.truth() {
        if found.covers(entry.time) {
            before = Some(entry.time);
            continue;
        }
        // Beyond the newest slice nothing is a hole yet.
        let Some(before) = before.filter(|_| entry.time <= newest && world.allowed <= entry.time) else { continue };
        let Some(gap) = gaps.iter().find(|gap| gap.range.contains(entry.time)) else {
            return Err(format!("{:?} is missing and nobody says so", entry.time));
        };
        let by_slice = found.slices.iter().find(|held| held.range.through == before);
        if let Some(slice) = by_slice.filter(|slice| gap.reason == GapReason::NotSliced && !world.excused.contains(&slice.name)) {
            return Err(format!("{:?} is missing behind {}, and nobody says why", entry.time, slice.name));
        }
    }
    Ok(())
}

/// The time of an entry that was found to be true.
pub fn time_of(entry: &RawDocumentBuf) -> OplogTime {
    entry_time(entry.as_bytes()).expect("it was compared with one that has a time")
}
