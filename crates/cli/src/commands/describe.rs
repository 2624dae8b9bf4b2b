//! `oplogue describe`

use anyhow::Context;
use oplogue_engine::failure::Refused;

use crate::args::DescribeArgs;
use crate::failure::Exit;
use crate::json::describe::{CollectionJson, DescribeJson};
use crate::output::Output;
use crate::{open, text};

pub async fn run(args: DescribeArgs, output: Output) -> anyhow::Result<Exit> {
    let repository = open::repository(&args.storage)?;
    let catalog = repository.catalog().await?;
    let backup = catalog.backup(&args.name).ok_or_else(|| {
        let location = repository.storage().location();
        Refused::new(format!("there is no backup `{}` in {location}", args.name)).advise("`oplogue list` shows those that are there")
    })?;
    let (mut collections, mut warnings) = (Vec::new(), Vec::new());
    // Of a backup that cannot be restored, what its listing says is all that can be told.
    if backup.problem.is_none() {
        for snapshot in &backup.snapshots {
            let name = &snapshot.replica_set;
            let contents =
                repository.snapshot(backup, name).await.with_context(|| format!("read what backup {} holds of {name}", backup.name))?;
            warnings.extend(contents.warnings);
            collections.extend(contents.collections.iter().map(|found| CollectionJson::new(name, found)));
        }
    }
    output.result(
        || DescribeJson::new(backup, collections.clone(), warnings.clone()),
        |style| text::backup::describe(backup, &collections, &warnings, style),
    )?;
    Ok(Exit::Done)
}
