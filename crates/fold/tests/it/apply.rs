//! `apply::update` against real servers: byte for byte what they make of an update.
//!
//! Documents and updates are generated from a seed, sent in batches, and read back from the oplog and from the collection.

mod bench;
mod chance;
mod generate;
mod handmade;
mod paths;

oplogue_testkit::on_every_version!(
    an_entry_of_the_oplog_makes_the_document_the_server_has,
    an_entry_applied_to_a_later_document_makes_what_the_server_makes,
    handmade_entries_make_what_the_server_makes_or_are_refused,
);

mod the_buckets_of_a_time_series_become_what_the_server_has {
    use oplogue_testkit::Version;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn v5_0() {
        super::checks::the_buckets_of_a_time_series_become_what_the_server_has(Version::V5_0).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn v6_0() {
        super::checks::the_buckets_of_a_time_series_become_what_the_server_has(Version::V6_0).await;
    }
}

/// Seeds of one run. Add the one of a failure, or many, to look closer.
const SEEDS: [u64; 3] = [1, 2, 20_241_125];

mod checks {
    use std::collections::BTreeMap;

    use bson::{DateTime, RawDocument, RawDocumentBuf, doc};
    use oplogue_fold::apply::{ApplyError, update};
    use oplogue_testkit::Version;

    use super::bench::{Bench, Id, clean, id_of};
    use super::chance::Chance;
    use super::{SEEDS, generate, handmade};

    const DOCUMENTS: usize = 300;
    const ROUNDS: usize = 5;

    pub async fn an_entry_of_the_oplog_makes_the_document_the_server_has(version: Version) {
        let bench = Bench::new(version, "fold_entries").await;
        let mut compared = 0;
        for seed in SEEDS {
            let mut chance = Chance::new(seed);
            let collection = format!("c{seed}");
            let mut documents = bench.fill(&collection, generate::documents(&mut chance, DOCUMENTS)).await;
            for round in 0..ROUNDS {
                let entries = bench.update(&collection, updates(&mut chance, &documents, version)).await;
                let after = bench.documents(&collection).await;
                assert!(entries.len() > DOCUMENTS / 3, "most updates are accepted: {} of {DOCUMENTS}", entries.len());
                for (id, entry) in entries {
                    let before = documents.get(&id).unwrap_or_else(|| panic!("seed {seed}: an entry for a document that was there"));
                    compare(before, &entry, after.get(&id), &format!("{version}, seed {seed}, round {round}"));
                    compared += 1;
                }
                documents = after;
            }
        }
        assert!(compared > 1000, "{compared}");
    }

    pub async fn an_entry_applied_to_a_later_document_makes_what_the_server_makes(version: Version) {
        let bench = Bench::new(version, "fold_later").await;
        let (mut accepted, mut changed) = (0, 0);
        for seed in SEEDS {
            let mut chance = Chance::new(seed ^ 0x1A7E);
            let collection = format!("c{seed}");
            let mut documents = bench.fill(&collection, generate::documents(&mut chance, DOCUMENTS)).await;
            let mut log = Vec::new();
            for _ in 0..ROUNDS {
                log.extend(bench.update(&collection, updates(&mut chance, &documents, version)).await);
                documents = bench.documents(&collection).await;
            }
            let old_entries = by_rounds(log);
            for entries in old_entries {
                let (ok, different) = replay(&bench, &collection, &mut documents, entries, &format!("{version}, seed {seed}")).await;
                accepted += ok;
                changed += different;
            }
        }
        assert!(accepted > 1000 && changed > 300, "{accepted}, {changed}");
    }

    pub async fn handmade_entries_make_what_the_server_makes_or_are_refused(version: Version) {
        let bench = Bench::new(version, "fold_handmade").await;
        let (mut accepted, mut changed) = (0, 0);
        for seed in SEEDS {
            let mut chance = Chance::new(seed ^ 0x4A4D);
            let collection = format!("c{seed}");
            let mut documents = bench.fill(&collection, generate::documents(&mut chance, DOCUMENTS)).await;
            for _ in 0..ROUNDS {
                let entries = documents.values().map(|document| (id_of(document), handmade::entry(&mut chance, &clean(document), version)));
                let entries: Vec<_> = entries.collect();
                let (ok, different) = replay(&bench, &collection, &mut documents, entries, &format!("{version}, seed {seed}")).await;
                accepted += ok;
                changed += different;
            }
        }
        assert!(accepted > 1000 && changed > 300, "{accepted}, {changed}");
    }

    pub async fn the_buckets_of_a_time_series_become_what_the_server_has(version: Version) {
        let bench = Bench::new(version, "fold_buckets").await;
        let mut chance = Chance::new(7);
        bench.create_time_series("t").await;
        for minute in 0..60 {
            let measurement = |sensor: i32| {
                let mut measurement = doc! { "at": DateTime::from_millis(i64::from(minute) * 60_000), "sensor": sensor, "number": minute };
                measurement.extend(generate::fields(&mut chance, 2));
                measurement
            };
            bench.insert("t", (0..5).map(measurement).collect()).await;
        }
        let log = bench.log("system.buckets.t").await;
        let (mut buckets, mut updates): (BTreeMap<Id, RawDocumentBuf>, usize) = (BTreeMap::new(), 0);
        for (kind, id, entry) in log {
            if kind == "i" {
                buckets.insert(id, entry);
            } else {
                let after = update(&buckets[&id], &entry).unwrap_or_else(|error| panic!("{}: {error}", clean(&entry)));
                buckets.insert(id, after);
                updates += 1;
            }
        }
        assert!(updates > 100, "{updates}");
        assert!(buckets == bench.documents("system.buckets.t").await, "{version}");
    }

    /// Entries applied to documents by the server and by us: what it accepts we make the same, and what it refuses we do not know.
    async fn replay(
        bench: &Bench,
        collection: &str,
        documents: &mut BTreeMap<Id, RawDocumentBuf>,
        mut entries: Vec<(Id, RawDocumentBuf)>,
        place: &str,
    ) -> (usize, usize) {
        // An `_id` that became a number of another type still finds the document.
        entries.retain(|(id, _)| documents.contains_key(id));
        let refused = bench.apply(collection, &entries).await;
        let after = bench.documents(collection).await;
        let (mut accepted, mut changed) = (0, 0);
        for (at, (id, entry)) in entries.iter().enumerate() {
            let before = &documents[id];
            if let Some(reason) = refused.get(&at) {
                // 5.0 writes replacements that begin so and refuses to apply them, which 6.0 does.
                if begins_like_an_operator(entry) && entry.get("_id").is_ok_and(|id| id.is_some()) {
                    continue;
                }
                let result = update(before, entry);
                assert!(
                    matches!(result, Err(ApplyError::Unknown(_))),
                    "{place}: refused ({reason}), but {}",
                    told(before, entry, &result, None)
                );
            } else {
                compare(before, entry, after.get(id), place);
                accepted += 1;
                changed += usize::from(after.get(id) != Some(before));
            }
        }
        *documents = after;
        (accepted, changed)
    }

    fn begins_like_an_operator(entry: &RawDocument) -> bool {
        entry.iter_elements().next().is_some_and(|first| first.is_ok_and(|first| first.key().as_str().starts_with('$')))
    }

    fn compare(before: &RawDocument, entry: &RawDocument, after: Option<&RawDocumentBuf>, place: &str) {
        let result = update(before, entry);
        match (&result, after) {
            (Ok(made), Some(after)) if made.as_bytes() == after.as_bytes() => {}
            // The server took a number for the same as another of another type, and the document has a new `_id`.
            (Err(ApplyError::Unknown(reason)), None) if reason.contains("another _id") => {}
            _ => panic!("{place}: {}", told(before, entry, &result, after)),
        }
    }

    fn told(
        before: &RawDocument,
        entry: &RawDocument,
        result: &Result<RawDocumentBuf, ApplyError>,
        after: Option<&RawDocumentBuf>,
    ) -> String {
        let result = result.as_ref().map(|made| clean(made).to_string());
        let after = after.map(|after| clean(after).to_string());
        format!("{}\n changed by {}\n gave {result:?}\n and not {after:?}", clean(before), clean(entry))
    }

    fn updates(chance: &mut Chance, documents: &BTreeMap<Id, RawDocumentBuf>, version: Version) -> Vec<bson::Document> {
        documents.values().map(|document| generate::update(chance, &clean(document), version)).collect()
    }

    /// The entries of a log so that none has two for one document, in order.
    fn by_rounds(log: Vec<(Id, RawDocumentBuf)>) -> Vec<Vec<(Id, RawDocumentBuf)>> {
        let mut seen: BTreeMap<Id, usize> = BTreeMap::new();
        let mut rounds: Vec<Vec<(Id, RawDocumentBuf)>> = Vec::new();
        for (id, entry) in log {
            let round = seen.entry(id.clone()).or_default();
            if rounds.len() <= *round {
                rounds.push(Vec::new());
            }
            rounds[*round].push((id, entry));
            *round += 1;
        }
        rounds
    }
}
