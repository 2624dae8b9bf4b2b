//! Restoring by the plan, from the bytes, into a map.

use std::collections::BTreeSet;

use bson::RawDocumentBuf;
use oplogue_domain::{Catalog, Moment, NamespaceSelection, OplogSource, OplogTime, choose};

use super::bytes::entries_of;
use super::{Found, time_of};
use crate::oplog::State;
use crate::world::{World, rs0};

/// Some moments, the newest always among them.
pub fn plans_lead_where_they_say(found: &Found, catalog: &Catalog, can: &BTreeSet<OplogTime>, world: &mut World) -> Result<(), String> {
    let all: Vec<OplogTime> = can.iter().copied().collect();
    let Some(newest) = all.last().copied() else { return Ok(()) };
    for moment in [newest, world.dice.pick(&all), world.dice.pick(&all)] {
        let state = restored(found, catalog, moment)?;
        let truth = world.set.state_at(moment);
        if state != truth {
            return Err(format!("restored to {moment:?} it is {state:?}, and was {truth:?}"));
        }
        world.tallies.replayed += 1;
    }
    Ok(())
}

/// Plans again without each slice that turns out to be damaged, as a restore does.
fn restored(found: &Found, catalog: &Catalog, moment: OplogTime) -> Result<State, String> {
    let mut catalog = catalog.clone();
    loop {
        let choice = choose(&catalog, &Moment::At(moment), &NamespaceSelection::Everything)
            .map_err(|error| format!("{moment:?} can be restored, and there is no plan: {error}"))?;
        let mut state = State::new();
        if let Some(bytes) = found.objects.get(&format!("{}/rs0/shop.docs", choice.base)) {
            for document in entries_of("", bytes).ok_or("the documents of a backup cannot be read")? {
                put(&mut state, &document);
            }
        }
        let mut damaged = None;
        for piece in choice.parts.iter().flat_map(|part| &part.oplog) {
            let held = match &piece.source {
                OplogSource::BackupOplog { backup } => found.backups.get(backup.as_str()),
                OplogSource::Slice(slice) => found.slices.iter().find(|held| held.name == slice.object()),
            };
            let held = held.ok_or_else(|| format!("the plan reads {}, which is not there", piece.source))?;
            let Some(entries) = &held.entries else {
                damaged = Some(held.name.clone());
                break;
            };
            for entry in entries.iter().filter(|entry| piece.range.contains(time_of(entry))) {
                apply(&mut state, entry);
            }
        }
        match damaged {
            Some(object) => catalog = catalog.without_slice(&rs0(), &object, "it cannot be read"),
            None => return Ok(state),
        }
    }
}

fn apply(state: &mut State, entry: &RawDocumentBuf) {
    let document = entry.get_document("o").expect("an entry of the model").to_owned();
    match entry.get_str("op") {
        Ok("d") => drop(state.remove(&document.get_i32("_id").expect("a document of the model"))),
        _ => put(state, &document),
    }
}

fn put(state: &mut State, document: &RawDocumentBuf) {
    let key = document.get_i32("_id").expect("a document of the model");
    state.insert(key, document.get_i64("v").expect("a document of the model"));
}
