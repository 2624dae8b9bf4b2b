//! `oplogue restore`

use oplogue_agent::wire;
use oplogue_domain::NamespaceSelection;
use oplogue_engine::failure::Refused;
use oplogue_engine::restore::{self, RestoreRequest};
use oplogue_engine::throttle::Limits;

use crate::args::RestoreArgs;
use crate::failure::{Exit, WrongUsage};
use crate::json::restore::RestoreJson;
use crate::output::{Output, remark};
use crate::{cancel, open, progress, text};

pub async fn run(args: RestoreArgs, output: Output) -> anyhow::Result<Exit> {
    let cancel = cancel::on_signal();
    let moment = args.moment.moment().ok_or_else(|| WrongUsage::new("one of --backup, --time, --before, --latest is needed"))?;
    let request = RestoreRequest {
        repository: open::repository(&args.storage)?,
        connection: open::connection(&args.connection, &cancel).await?,
        moment,
        selection: NamespaceSelection::from_patterns(args.ns),
        renames: args.rename,
        users_and_roles: args.users_and_roles,
        replica_set_mapping: args.replset_remapping,
        parallel: args.parallel,
        replay: args.fold.replay(),
        from_scratch: args.from_scratch,
        limits: Limits { bytes_per_second: args.max_bandwidth, lag_seconds_max: args.max_lag, ..Limits::default() },
    };
    let progress = progress::for_stderr();
    let prepared = restore::prepare(request, progress.clone(), cancel.clone()).await?;
    let plan = prepared.plan.clone();
    if args.plan {
        output.result(|| wire::plan(&plan), |style| text::plan::plan(&plan, style))?;
        return Ok(Exit::Done);
    }
    remark(&text::plan::plan(&plan, output.remark_style));
    if plan.overwrites() && !args.yes {
        let count = plan.drops.len();
        let what = if count == 1 { "a collection".to_owned() } else { format!("{count} collections") };
        let refused = Refused::new(format!("this restore drops {what} of the target, and --yes was not given; nothing was touched"));
        return Err(refused.advise("read the plan above; the same command with --yes carries it out").into());
    }
    let report = restore::carry_out(prepared, progress, cancel).await?;
    output.result(|| RestoreJson::new(&plan, &report), |style| text::restore::report(&plan, &report, style))?;
    Ok(Exit::Done)
}
