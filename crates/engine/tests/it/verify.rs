//! What `verify` finds: a matrix of damage, object kind by object kind, on a repository of ours and on those of PBM. No server is needed.

mod bed;
mod flows;
mod matrix;

use std::sync::Arc;

use oplogue_engine::progress::Silent;
use oplogue_engine::verify::{self, Sample, VerifyReport, VerifyRequest};
use oplogue_repository::Repository;
use oplogue_storage::Storage;
use tokio_util::sync::CancellationToken;

pub type Checked = anyhow::Result<()>;

pub async fn verified(storage: Storage) -> anyhow::Result<VerifyReport> {
    verified_with(storage, Sample::Everything, &[]).await
}

pub async fn verified_with(storage: Storage, sample: Sample, backups: &[&str]) -> anyhow::Result<VerifyReport> {
    let backups = backups.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let request = VerifyRequest { repository: Repository::new(storage), backups, sample, seed: 7, parallel: 4 };
    verify::run(request, Arc::new(Silent), CancellationToken::new()).await
}

/// What was found, a line each.
pub fn told(report: &VerifyReport) -> String {
    let lines = report.findings.iter().map(|finding| format!("{} {}: {}", finding.kind, finding.object, finding.what));
    lines.collect::<Vec<_>>().join("\n")
}
