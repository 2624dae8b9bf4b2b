//! `oplogue compact`

use oplogue_engine::compact::{self, CompactEvent, CompactRequest};

use crate::args::CompactArgs;
use crate::failure::Exit;
use crate::json::compact::CompactJson;
use crate::output::{Output, remark};
use crate::{cancel, open, text};

pub async fn run(args: CompactArgs, output: Output) -> anyhow::Result<Exit> {
    let cancel = cancel::on_signal();
    let request = CompactRequest {
        repository: open::repository(&args.storage)?,
        policies: vec![args.policy()],
        compression: args.compression,
        replica_set: None,
        now: super::prune::unix_seconds(),
    };
    if args.dry_run {
        let merges = compact::plan(&request).await?;
        output.result(|| CompactJson::planned(&merges), |_| text::compact::planned(&merges))?;
        return Ok(Exit::Done);
    }
    let tell = |event: CompactEvent| remark(&text::compact::event(&event));
    let report = compact::run(&request, &tell, &cancel).await?;
    output.result(|| CompactJson::done(&report), |_| text::compact::done(&report))?;
    match report.failed.first() {
        None => Ok(Exit::Done),
        Some((merge, why)) => anyhow::bail!("join {merge}: {why} (these slices stay as they are; {} in all)", report.failed.len()),
    }
}
