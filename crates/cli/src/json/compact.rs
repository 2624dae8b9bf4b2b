//! What `compact` decides and does.

use oplogue_domain::compact::Merge;
use oplogue_engine::compact::CompactReport;
use serde::Serialize;

use super::time::RangeJson;

#[derive(Serialize)]
pub struct CompactJson {
    /// What becomes one; empty once it is done.
    planned: Vec<MergeJson>,
    /// What was done; `null` with `--dry-run`.
    done: Option<DoneJson>,
}

#[derive(Serialize)]
struct MergeJson {
    replica_set: String,
    range: RangeJson,
    /// Slices that go.
    slices: Vec<String>,
    /// Their stored bytes.
    bytes: u64,
    /// The long slice is there already.
    is_there: bool,
}

#[derive(Serialize)]
struct DoneJson {
    /// The long slices.
    long: Vec<String>,
    /// Stored bytes of them.
    long_bytes: u64,
    /// Short slices that went.
    slices: usize,
    /// Their stored bytes.
    bytes: u64,
    failed: Vec<FailedJson>,
}

#[derive(Serialize)]
struct FailedJson {
    range: RangeJson,
    replica_set: String,
    why: String,
}

impl CompactJson {
    pub fn planned(merges: &[Merge]) -> Self {
        let merge = |merge: &Merge| MergeJson {
            replica_set: merge.replica_set.to_string(),
            range: merge.range.into(),
            slices: merge.replaces.iter().map(|slice| slice.object().into_owned()).collect(),
            bytes: merge.bytes(),
            is_there: merge.keeps.is_some(),
        };
        Self { planned: merges.iter().map(merge).collect(), done: None }
    }

    pub fn done(report: &CompactReport) -> Self {
        let failed = |(merge, why): &(Merge, String)| FailedJson {
            range: merge.range.into(),
            replica_set: merge.replica_set.to_string(),
            why: why.clone(),
        };
        let done = DoneJson {
            long: report.long.iter().map(|slice| slice.object().into_owned()).collect(),
            long_bytes: report.long.iter().map(|slice| slice.bytes).sum(),
            slices: report.slices,
            bytes: report.bytes,
            failed: report.failed.iter().map(failed).collect(),
        };
        Self { planned: Vec::new(), done: Some(done) }
    }
}
