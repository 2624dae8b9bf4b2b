//! `oplogue copy`

use std::path::Path;

use oplogue_engine::copy::{self, CopyRequest};
use oplogue_repository::Repository;

use crate::args::{CopyArgs, ReachArgs};
use crate::failure::{Exit, WrongUsage};
use crate::json::copy::CopyJson;
use crate::output::Output;
use crate::settings::UsageError;
use crate::{cancel, open, progress, settings, text};

pub async fn run(args: CopyArgs, output: Output) -> anyhow::Result<Exit> {
    let cancel = cancel::on_signal();
    let from = side(&args.reach, args.from_options.as_deref())?;
    let to = side(&args.reach, args.to_options.as_deref())?;
    let request = CopyRequest {
        from: Repository::new(open::folder_of(&args.from, "--from", &args.from_folder, "--from-folder", &from)?),
        to: Repository::new(open::folder_of(&args.to, "--to", &args.to_folder, "--to-folder", &to)?),
        backups: args.backup,
        slices: args.with_slices,
        parallel: usize::from(args.parallel),
    };
    let report = copy::run(request, progress::for_stderr(), cancel).await?;
    output.result(|| CopyJson::from(&report), |_| text::copy::report(&report))?;
    Ok(Exit::Done)
}

fn side(typed: &ReachArgs, path: Option<&Path>) -> Result<ReachArgs, WrongUsage> {
    settings::reach(typed, path).map_err(|error| match error {
        UsageError::Parser { error, .. } => WrongUsage::new(error.to_string().trim_end().to_owned()),
        UsageError::File { what, hint } => WrongUsage::new(hint.map_or(what.clone(), |hint| format!("{what}; {hint}"))),
    })
}
