//! Oplogs of real servers (4.2.6, 4.4.2, 5.0.4, 6.0.5) under every kind of DDL, with what listCollections and listIndexes said after each
//! step (`tests/entries/README.md`). The lineage must come to what the server had, also from a snapshot that is *ahead* of the oplog it
//! is brought forward with: that is what a fuzzy dump is.

use std::collections::BTreeMap;

use bson::{Bson, Document, RawDocumentBuf};
use oplogue_domain::OplogTime;
use oplogue_oplog::{CollectionKind, CollectionSpec, Lineage, Operation, Outcome, Transactions};

use crate::support::namespace;

struct Recording {
    entries: Vec<RawDocumentBuf>,
    listings: Vec<Listing>,
}

struct Listing {
    mark: String,
    at: OplogTime,
    specs: Vec<CollectionSpec>,
}

const VERSIONS: [&str; 4] = ["4.2.6", "4.4.2", "5.0.4", "6.0.5"];

fn documents(path: &str) -> Vec<RawDocumentBuf> {
    let bytes = std::fs::read(format!("{}/tests/entries/{path}", env!("CARGO_MANIFEST_DIR"))).expect("a recording of the project");
    let mut reader = bytes.as_slice();
    let mut documents = Vec::new();
    while !reader.is_empty() {
        documents.push(RawDocumentBuf::from_reader(&mut reader).expect("a document of the recording"));
    }
    documents
}

fn recording(version: &str) -> Recording {
    let listings = documents(&format!("{version}.listings.bson"));
    let listings = listings.iter().map(|raw| {
        let listing = Document::try_from(raw.as_ref()).expect("a listing");
        let at = listing.get_timestamp("at").expect("its time");
        let collections = listing.get_array("collections").expect("its collections");
        Listing {
            mark: listing.get_str("mark").expect("its mark").to_owned(),
            at: OplogTime::new(at.time, at.increment),
            specs: collections.iter().filter_map(Bson::as_document).map(spec).collect(),
        }
    });
    Recording { listings: listings.collect(), entries: documents(&format!("{version}.oplog.bson")) }
}

fn spec(listed: &Document) -> CollectionSpec {
    let kind = match listed.get_str("type") {
        Ok("view") => CollectionKind::View,
        Ok("timeseries") => CollectionKind::TimeSeries,
        _ => CollectionKind::Collection,
    };
    let uuid = match listed.get("uuid") {
        Some(Bson::Binary(binary)) => binary.bytes.as_slice().try_into().ok(),
        _ => None,
    };
    let indexes = listed.get_array("indexes").map(|indexes| indexes.iter().filter_map(Bson::as_document).cloned().collect());
    CollectionSpec {
        namespace: namespace(listed.get_str("ns").expect("its name")),
        kind,
        uuid: uuid.filter(|_| kind == CollectionKind::Collection),
        buckets_uuid: uuid.filter(|_| kind == CollectionKind::TimeSeries),
        options: listed.get_document("options").cloned().unwrap_or_default(),
        indexes: indexes.unwrap_or_default(),
        capped_last_id: None,
    }
}

fn operations(recording: &Recording, after: OplogTime, through: OplogTime) -> Vec<Operation> {
    let mut transactions = Transactions::new();
    let mut operations = Vec::new();
    for entry in &recording.entries {
        let time = oplogue_oplog::Entry::parse(entry).expect("a real entry").time;
        if time > after && time <= through {
            operations.extend(transactions.push(entry).expect("a real entry"));
        }
    }
    operations
}

fn outcome(specs: Vec<CollectionSpec>, operations: &[Operation]) -> Outcome {
    let mut lineage = Lineage::from_snapshot(specs);
    for operation in operations {
        lineage.push(operation).expect("a real operation");
    }
    lineage.outcome()
}

/// Sorted fields, and whole numbers of one type: versions and commands differ in both.
fn normal(value: &Bson) -> Bson {
    match value {
        Bson::Document(document) => {
            let sorted: BTreeMap<_, _> = document.iter().map(|(key, value)| (key.clone(), normal(value))).collect();
            Bson::Document(sorted.into_iter().collect())
        }
        Bson::Int32(number) => Bson::Double(f64::from(*number)),
        Bson::Int64(number) => Bson::Double(*number as f64),
        other => other.clone(),
    }
}

/// One line per collection, view and index.
fn lines(kind: CollectionKind, name: &str, uuid: Option<[u8; 16]>, indexes: &[Document], source_options: Option<&Document>) -> Vec<String> {
    let mut lines = vec![format!("{name} {kind:?} {}", uuid.map(hex::encode).unwrap_or_default())];
    lines.extend(indexes.iter().map(|index| {
        let mut index = index.clone();
        if kind == CollectionKind::TimeSeries {
            // listIndexes of 6.0.5 forgets it on measurements, though the index of the buckets is hidden.
            index.remove("hidden");
        }
        // The order of the fields in a key counts, that of the options does not.
        let key = index.get_document("key").map(ToString::to_string).unwrap_or_default();
        format!("{name} index {key} {}", normal(&Bson::Document(index)))
    }));
    if let Some(options) = source_options {
        lines.push(format!("{name} options {}", normal(&Bson::Document(options.clone()))));
    }
    lines
}

fn expected(listing: &Listing) -> Vec<String> {
    let mut all: Vec<_> = listing
        .specs
        .iter()
        .flat_map(|spec| {
            let options = (spec.kind != CollectionKind::Collection).then_some(&spec.options);
            lines(spec.kind, &spec.namespace.to_string(), spec.uuid.or(spec.buckets_uuid), &spec.indexes, options)
        })
        .collect();
    all.sort();
    all
}

fn actual(outcome: &Outcome) -> Vec<String> {
    let collections = outcome.collections.iter().flat_map(|survivor| {
        let options = (survivor.kind == CollectionKind::TimeSeries).then_some(&survivor.options);
        lines(survivor.kind, &survivor.namespace.to_string(), survivor.uuid, &survivor.indexes, options)
    });
    let views =
        outcome.views.iter().flat_map(|view| lines(CollectionKind::View, &view.namespace.to_string(), None, &[], Some(&view.options)));
    let mut all: Vec<_> = collections.chain(views).collect();
    all.sort();
    all
}

/// What `collMod` changes after creation: not compared between time series, because the commands are run on the target.
fn without_ttl(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| if line.contains("TimeSeries") || !line.contains(" options ") { line } else { strip(&line) }).collect()
}

fn strip(line: &str) -> String {
    match (line.find("\"expireAfterSeconds\""), line.contains("timeField")) {
        (Some(at), true) => {
            let rest = &line[at..];
            let end = rest.find(", ").map_or(rest.len(), |end| end + 2);
            format!("{}{}", &line[..at], &rest[end..])
        }
        _ => line.to_owned(),
    }
}

#[track_caller]
fn assert_same(context: &str, expected: &[String], actual: &[String]) {
    let missing: Vec<_> = expected.iter().filter(|line| !actual.contains(line)).collect();
    let extra: Vec<_> = actual.iter().filter(|line| !expected.contains(line)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{context}\nmissing: {missing:#?}\nextra: {extra:#?}");
}

#[test]
fn every_step_of_a_real_server_is_followed_from_an_empty_start() {
    for version in VERSIONS {
        let recording = recording(version);
        let begin = recording.listings[0].at;
        for listing in &recording.listings {
            let outcome = outcome(recording.listings[0].specs.clone(), &operations(&recording, begin, listing.at));
            assert_same(&format!("{version} after {}", listing.mark), &without_ttl(expected(listing)), &without_ttl(actual(&outcome)));
            assert!(outcome.strangers.is_empty(), "{version} after {}: {:?}", listing.mark, outcome.strangers);
        }
    }
}

#[test]
fn a_snapshot_ahead_of_its_oplog_comes_to_the_same_end() {
    for (offset, version) in VERSIONS.iter().enumerate() {
        let recording = recording(version);
        let last = recording.listings.last().expect("listings");
        let expected = without_ttl(expected(last));
        // All pairs pass; a part of them, another for each version, is enough to keep the tests quick.
        for begin in recording.listings.iter().skip(offset).step_by(9) {
            let operations = operations(&recording, begin.at, last.at);
            for snapshot in recording.listings.iter().skip(offset).step_by(2).filter(|snapshot| snapshot.at >= begin.at) {
                let outcome = outcome(snapshot.specs.clone(), &operations);
                let context = format!("{version}: oplog from {}, snapshot of {}", begin.mark, snapshot.mark);
                assert_same(&context, &expected, &without_ttl(actual(&outcome)));
                assert!(outcome.strangers.is_empty(), "{context}: {:?}", outcome.strangers);
            }
        }
    }
}

#[test]
fn a_snapshot_without_uuids_comes_to_the_same_end() {
    for version in VERSIONS {
        let recording = recording(version);
        let last = recording.listings.last().expect("listings");
        // A collection that nobody touched keeps no UUID; everything else must be equal.
        let without_uuid = |lines: Vec<String>| -> Vec<String> {
            lines
                .into_iter()
                .map(|line| if line.contains(" index ") { line } else { line.trim_end_matches(|c: char| c.is_ascii_hexdigit()).to_owned() })
                .collect()
        };
        let expected = without_uuid(without_ttl(expected(last)));
        for snapshot in &recording.listings {
            let mut specs = snapshot.specs.clone();
            for spec in &mut specs {
                (spec.uuid, spec.buckets_uuid) = (None, None);
            }
            let outcome = outcome(specs, &operations(&recording, snapshot.at, last.at));
            assert_same(&format!("{version} from {}", snapshot.mark), &expected, &without_uuid(without_ttl(actual(&outcome))));
        }
    }
}

#[test]
fn two_runs_give_the_same_ids() {
    let recording = recording("6.0.5");
    let last = recording.listings.last().expect("listings").at;
    for snapshot in recording.listings.iter().step_by(5) {
        let operations = operations(&recording, snapshot.at, last);
        let mut reversed = snapshot.specs.clone();
        reversed.reverse();
        assert_eq!(outcome(snapshot.specs.clone(), &operations), outcome(reversed, &operations), "{}", snapshot.mark);
    }
}
