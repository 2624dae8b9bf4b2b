//! A backup: what was just written, and what lies there.

use std::fmt::Write;

use oplogue_domain::Backup;
use oplogue_engine::backup::BackupReport;

use super::catalog::{holds, written_by};
use super::words;
use crate::json::describe::CollectionJson;
use crate::output::{Style, Table, Tone};

/// After `oplogue backup`.
pub fn report(report: &BackupReport) -> String {
    let mut text = format!("backup {} of {} is complete\n", report.name, report.replica_set);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    line("restores to", words::moment(report.restores_to));
    line("read from", format!("{} ({})", report.node, report.node_reason));
    line(
        "holds",
        format!(
            "{}, {}, {}",
            words::counted(report.collections, "collection", "collections"),
            words::counted(report.documents, "document", "documents"),
            words::counted(report.oplog_entries, "oplog entry", "oplog entries"),
        ),
    );
    line("bytes", format!("{} of documents, {} stored", words::bytes(report.document_bytes), words::bytes(report.stored_bytes)));
    line("took", words::elapsed(report.seconds));
    for note in &report.notes {
        line("note", note.clone());
    }
    text
}

/// `oplogue describe`. `collections` are those of all replica sets.
pub fn describe(backup: &Backup, collections: &[CollectionJson], warnings: &[String], style: Style) -> String {
    let mut text = format!("backup {}\n", backup.name);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    if let Some(problem) = &backup.problem {
        line("problem", &style.paint(Tone::Bad, &problem.to_string()));
    }
    line("restores to", &words::moment(backup.consistent_at()));
    line("holds", &holds(&backup.selection));
    line("users, roles", if backup.users_and_roles { "yes" } else { "no" });
    line("size", &words::bytes(backup.bytes));
    line("compression", &backup.compression);
    let fcv = if backup.fcv.is_empty() { "unknown" } else { &backup.fcv };
    line("server", &format!("MongoDB {}, feature compatibility version {fcv}", backup.mongodb_version));
    line("written by", &format!("{} (format of PBM {})", written_by(backup), backup.pbm_version));
    let second = |seconds: u32| oplogue_domain::OplogTime::start_of_second(seconds).rfc3339();
    line("started", &second(backup.started));
    line("finished", &second(backup.finished));
    for snapshot in &backup.snapshots {
        let node = snapshot.node.as_deref().unwrap_or("a member not recorded");
        line(snapshot.replica_set.as_str(), &format!("oplog {}, read from {node}", snapshot.oplog));
    }
    for warning in warnings {
        line("attention", &style.paint(Tone::Caution, warning));
    }
    if !collections.is_empty() {
        text.push('\n');
        text.push_str(&table(collections));
    }
    text
}

fn table(collections: &[CollectionJson]) -> String {
    let mut table = Table::new(&["REPLICA SET", "NAMESPACE", "KIND", "DOCUMENTS>", "BYTES>", "INDEXES>"]);
    for collection in collections {
        table.row([
            collection.replica_set.clone(),
            collection.namespace.clone(),
            collection.kind.to_owned(),
            collection.documents.map_or("?".to_owned(), words::count),
            words::bytes(collection.bytes),
            words::count(collection.indexes.len() as u64),
        ]);
    }
    table.render(2)
}
