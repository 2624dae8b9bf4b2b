//! `oplogue prune`

use std::time::{Duration, SystemTime};

use anyhow::Context;
use jiff::Timestamp;
use oplogue_domain::retention::{SAFE_AGE_SECONDS, Scope, lost, retention};
use oplogue_engine::failure::Refused;

use crate::args::PruneArgs;
use crate::failure::Exit;
use crate::json::retention::PruneJson;
use crate::output::{Output, remark};
use crate::{open, text};

pub async fn run(args: PruneArgs, output: Output) -> anyhow::Result<Exit> {
    let policy = args.rules.policy();
    let repository = open::repository(&args.storage)?;
    let catalog = repository.catalog().await?;
    let now = unix_seconds();
    let verdicts = retention(&catalog, &policy, &Scope::everything(), now);
    let lost = lost(&catalog, &verdicts.after(&catalog));
    let orphans = repository.orphans(SystemTime::now(), Duration::from_secs(u64::from(SAFE_AGE_SECONDS))).await?;
    let deletions = verdicts.deletions();
    if args.dry_run {
        output.result(
            || PruneJson::new(&policy, &verdicts, &orphans, &lost, None),
            |style| text::retention::listing(&verdicts, &orphans, &lost, style),
        )?;
        return Ok(Exit::Done);
    }
    remark(text::retention::listing(&verdicts, &orphans, &lost, output.remark_style).trim_end());
    let nothing = deletions.is_empty() && orphans.is_empty();
    if !nothing && !args.yes {
        let refused = Refused::new("there is something to delete, and --yes was not given; nothing was touched");
        return Err(refused.advise("read the list above; the same command with --yes carries it out").into());
    }
    let mut deleted = repository.delete(&deletions, now, &|_, _| {}).await.context("delete what no rule keeps")?;
    let swept = repository.sweep(&orphans).await.context("sweep what was left behind")?;
    deleted.objects += swept.objects;
    deleted.bytes += swept.bytes;
    output.result(|| PruneJson::new(&policy, &verdicts, &orphans, &lost, Some(deleted)), |_| text::retention::deleted(&deleted))?;
    Ok(Exit::Done)
}

pub(super) fn unix_seconds() -> u32 {
    u32::try_from(Timestamp::now().as_second()).unwrap_or(u32::MAX)
}
