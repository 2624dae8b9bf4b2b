//! A restore plan, for somebody who is about to say yes to it.

use std::fmt::Write;

use oplogue_engine::restore::RestorePlan;

use super::words;
use crate::output::{Style, Table, Tone};

/// Source and target, what is read, what appears, what disappears, what is lost, what to know.
pub fn plan(plan: &RestorePlan, style: Style) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<13} {value}");
    };
    line("state of", words::moment(plan.through));
    line("from backup", format!("{} of {} (MongoDB {})", plan.base, plan.source_replica_set, plan.base_mongodb_version));
    line("into", format!("{} at {} (MongoDB {})", plan.target_replica_set, plan.target_host, plan.target_mongodb_version));
    line(
        "reads",
        format!(
            "{} stored: {} of documents, {} from {}",
            words::bytes(plan.read_bytes),
            words::bytes(plan.document_bytes()),
            words::counted(plan.operations, "oplog operation", "oplog operations"),
            words::counted(plan.oplog.len() as u64, "piece", "pieces"),
        ),
    );
    if let Some((users, roles)) = plan.users_and_roles.filter(|counts| *counts != (0, 0)) {
        line("brings", format!("{}, {}", words::counted(users, "user", "users"), words::counted(roles, "role", "roles")));
    }
    line("takes about", words::seconds(plan.seconds_estimate));
    line("later writes", later_writes(plan));
    for base in &plan.passed_over {
        line("passed over", base.clone());
    }
    for warning in &plan.warnings {
        line("attention", style.paint(Tone::Caution, warning));
    }
    text.push_str(&creates(plan));
    text.push_str(&drops(plan, style));
    text
}

fn later_writes(plan: &RestorePlan) -> String {
    let after = plan.writes_after;
    let mut text = match (after.counted, after.complete) {
        (0, true) => format!("none to these collections (stored through {})", after.newest),
        (counted, complete) => {
            let least = if complete { "" } else { "at least " };
            let writes = words::counted(counted, "write", "writes");
            format!("{least}{writes} to these collections will not be there (stored through {})", after.newest)
        }
    };
    if plan.unfinished_transactions > 0 {
        let transactions = words::counted(plan.unfinished_transactions as u64, "transaction", "transactions");
        let _ = write!(text, "; {transactions} had not committed");
    }
    text
}

fn creates(plan: &RestorePlan) -> String {
    if plan.collections.is_empty() && plan.views.is_empty() {
        return "\ncreates nothing\n".to_owned();
    }
    let mut table = Table::new(&["CREATES", "DOCUMENTS LOADED>", "BYTES>", "WRITES APPLIED>", "INDEXES>", ""]);
    for collection in &plan.collections {
        let mut remarks = Vec::new();
        if collection.target != collection.namespace {
            remarks.push(format!("was {}", collection.namespace));
        }
        match &collection.loaded_from {
            None => remarks.push("created after the backup".to_owned()),
            Some(source) if *source != collection.namespace => remarks.push(format!("called {source} in the backup")),
            Some(_) => {}
        }
        if collection.time_series {
            remarks.push("time series, counted in buckets".to_owned());
        }
        if let Some(why) = &collection.replayed_because {
            remarks.push(format!("the server applies its writes, because {why}"));
        }
        table.row([
            collection.target.to_string(),
            words::count(collection.documents),
            words::bytes(collection.document_bytes),
            words::count(collection.writes),
            words::count(collection.indexes as u64),
            remarks.join(", "),
        ]);
    }
    for view in &plan.views {
        let was = if view.target == view.namespace { "view".to_owned() } else { format!("view, was {}", view.namespace) };
        let empty = String::new;
        table.row([view.target.to_string(), empty(), empty(), empty(), empty(), was]);
    }
    format!("\n{}", table.render(2))
}

fn drops(plan: &RestorePlan, style: Style) -> String {
    if plan.drops.is_empty() {
        return "\ndrops nothing\n".to_owned();
    }
    let mut table = Table::new(&["DROPS", "DOCUMENTS NOW>", "BYTES NOW>", ""]);
    for drop in &plan.drops {
        let fate = if drop.replaced { "replaced".to_owned() } else { style.paint(Tone::Bad, "gone afterwards") };
        table.row([drop.namespace.to_string(), words::count(drop.documents), words::bytes(drop.bytes), fate]);
    }
    format!("\n{}", table.render(2))
}
