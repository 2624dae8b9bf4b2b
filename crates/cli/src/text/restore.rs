//! A restore that was carried out.

use std::fmt::Write;

use oplogue_engine::restore::{RestorePlan, RestoreReport};

use super::words;
use crate::output::{Style, Table, Tone};

pub fn report(plan: &RestorePlan, report: &RestoreReport, style: Style) -> String {
    let mut text = format!("{} is restored to {}\n", plan.target_replica_set, words::moment(report.through));
    let seconds: f64 = report.steps.iter().map(|(_, seconds)| seconds).sum();
    let _ = writeln!(
        text,
        "  {} loaded, {} applied, {} in {}",
        words::counted(report.documents_loaded, "document", "documents"),
        words::counted(report.operations_applied, "oplog operation", "oplog operations"),
        words::counted(report.indexes as u64, "index", "indexes"),
        words::elapsed(seconds),
    );
    if report.operations_folded > 0 {
        let folded = words::counted(report.operations_folded, "operation was", "operations were");
        let spared = words::counted(report.documents_spared, "document that is gone by then was", "documents that are gone by then were");
        let _ = writeln!(text, "  {folded} folded into documents before they were sent; {spared} not sent");
    }
    if report.users_written + report.roles_written > 0 {
        let users = words::counted(report.users_written as u64, "user", "users");
        let _ = writeln!(text, "  {users}, {} written", words::counted(report.roles_written as u64, "role", "roles"));
    }
    if !report.proofs.is_empty() {
        let mut table = Table::new(&["FOUND AFTERWARDS", "DOCUMENTS>", "INDEXES>"]);
        for proof in &report.proofs {
            table.row([proof.target.to_string(), words::count(proof.documents), words::count(proof.indexes_found as u64)]);
        }
        text.push('\n');
        text.push_str(&table.render(2));
    }
    for note in &report.notes {
        let _ = writeln!(text, "  {}", style.paint(Tone::Caution, note));
    }
    text
}
