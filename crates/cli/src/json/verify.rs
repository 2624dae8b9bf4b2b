//! What reading everything back found.

use oplogue_domain::damage::{Loss, Standing};
use oplogue_engine::verify::{Finding, Tally, VerifyReport};
use serde::Serialize;

use super::time::{RangeJson, TimeJson};

#[derive(Serialize)]
pub struct VerifyJson {
    location: String,
    /// Nothing was found.
    whole: bool,
    /// What was read to its end: `everything`, or a share or number of the objects.
    sample: String,
    seed: u64,
    totals: TallyJson,
    backups: Vec<BackupJson>,
    slices: Vec<SlicesJson>,
    findings: Vec<FindingJson>,
    /// Not damage, and worth knowing.
    remarks: Vec<String>,
    /// Moments to which everything can be restored.
    restorable: Vec<RestorableJson>,
    /// Moments that could be restored without the damage.
    lost: Vec<RangeJson>,
}

#[derive(Serialize)]
struct TallyJson {
    objects: u64,
    read_to_the_end: u64,
    stored_bytes: u64,
    documents: u64,
}

impl From<Tally> for TallyJson {
    fn from(tally: Tally) -> Self {
        Self { objects: tally.objects, read_to_the_end: tally.read, stored_bytes: tally.stored_bytes, documents: tally.documents }
    }
}

#[derive(Serialize)]
struct BackupJson {
    name: String,
    /// `whole`, `partly` or `unusable`.
    standing: &'static str,
    /// Collections that cannot be restored from it, while all others can.
    damaged_namespaces: Vec<String>,
    #[serde(flatten)]
    tally: TallyJson,
}

#[derive(Serialize)]
struct SlicesJson {
    replica_set: String,
    /// Slices of which no record says what they must be.
    unrecorded: u64,
    #[serde(flatten)]
    tally: TallyJson,
}

#[derive(Serialize)]
struct FindingJson {
    object: String,
    /// `missing`, `size`, `content`, `metadata`, `record`, `entries`, `join`, `chain` or `hole`.
    kind: &'static str,
    what: String,
    /// What cannot be restored because of it: `nothing`, `backup`, `namespace` or `slice`.
    loss: &'static str,
}

#[derive(Serialize)]
struct RestorableJson {
    from: TimeJson,
    through: TimeJson,
    base: String,
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        let loss = match finding.loss {
            Loss::Nothing => "nothing",
            Loss::Backup { .. } => "backup",
            Loss::Namespace { .. } => "namespace",
            Loss::Slice { .. } | Loss::Gone(_) => "slice",
        };
        Self { object: finding.object.clone(), kind: finding.kind.as_str(), what: finding.what.clone(), loss }
    }
}

impl VerifyJson {
    pub fn new(report: &VerifyReport, location: &str) -> Self {
        let standing = |name| report.remaining.backups.iter().find(|(found, _)| found == name).map(|(_, standing)| standing);
        let backups = report.backups.iter().map(|backup| {
            let (standing, damaged) = match standing(&backup.name) {
                Some(Standing::Whole) => ("whole", Vec::new()),
                Some(Standing::Without(names)) => ("partly", names.iter().map(ToString::to_string).collect()),
                Some(Standing::Unusable) | None => ("unusable", Vec::new()),
            };
            BackupJson { name: backup.name.to_string(), standing, damaged_namespaces: damaged, tally: backup.tally.into() }
        });
        let slices = report.slices.iter().map(|slices| SlicesJson {
            replica_set: slices.replica_set.to_string(),
            unrecorded: slices.unrecorded,
            tally: slices.tally.into(),
        });
        let restorable = report.remaining.restorable.iter().map(|range| RestorableJson {
            from: range.from.into(),
            through: range.through.into(),
            base: range.base.to_string(),
        });
        Self {
            location: location.to_owned(),
            whole: report.is_whole(),
            sample: report.sample.to_string(),
            seed: report.seed,
            totals: report.totals().into(),
            backups: backups.collect(),
            slices: slices.collect(),
            findings: report.findings.iter().map(FindingJson::from).collect(),
            remarks: report.remarks.clone(),
            restorable: restorable.collect(),
            lost: report.remaining.lost.iter().copied().map(RangeJson::from).collect(),
        }
    }
}
