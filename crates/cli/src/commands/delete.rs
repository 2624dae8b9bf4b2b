//! `oplogue delete`

use oplogue_domain::OplogTime;
use oplogue_domain::retention::{deletable, deletion_of};
use oplogue_engine::failure::Refused;

use crate::args::DeleteArgs;
use crate::failure::Exit;
use crate::json::retention::DeletionJson;
use crate::output::{Output, remark};
use crate::{open, text};

pub async fn run(args: DeleteArgs, output: Output) -> anyhow::Result<Exit> {
    let repository = open::repository(&args.storage)?;
    let catalog = repository.catalog().await?;
    let refusal = deletable(&catalog, &args.name, OplogTime::MIN).err();
    let Some(backup) = catalog.backup(&args.name) else {
        let location = repository.storage().location();
        let refused = Refused::new(format!("there is no backup `{}` in {location}", args.name));
        return Err(refused.advise("`oplogue list` shows those that are there").into());
    };
    let listing = text::retention::deletion(backup, refusal.as_ref());
    if args.dry_run {
        output.result(|| DeletionJson::new(backup, refusal.as_ref(), None), |_| listing)?;
        return Ok(Exit::Done);
    }
    remark(listing.trim_end());
    match &refusal {
        Some(refusal) if refusal.is_a_loss() && !args.lose_range => {
            let refused = Refused::new(format!("{refusal}; nothing was deleted"));
            return Err(refused.advise("the same command with --lose-range deletes it all the same").into());
        }
        Some(refusal) if !refusal.is_a_loss() => return Err(Refused::new(format!("{refusal}; nothing was deleted")).into()),
        _ => {}
    }
    if !args.yes {
        let refused = Refused::new(format!("--yes was not given; nothing of backup {} was deleted", args.name));
        return Err(refused.advise("the same command with --yes deletes it").into());
    }
    let deleted = repository.delete(&deletion_of(&catalog, &args.name), super::prune::unix_seconds(), &|_, _| {}).await?;
    output.result(|| DeletionJson::new(backup, refusal.as_ref(), Some(deleted)), |_| text::retention::deleted(&deleted))?;
    Ok(Exit::Done)
}
