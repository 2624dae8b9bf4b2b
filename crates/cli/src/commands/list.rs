//! `oplogue list`

use oplogue_domain::timeline;

use crate::args::ListArgs;
use crate::failure::Exit;
use crate::json::catalog::CatalogJson;
use crate::output::Output;
use crate::{open, text};

pub async fn run(args: ListArgs, output: Output) -> anyhow::Result<Exit> {
    let repository = open::repository(&args.storage)?;
    let catalog = repository.catalog().await?;
    let timeline = timeline(&catalog);
    let location = repository.storage().location();
    output.result(|| CatalogJson::new(&catalog, &timeline), |style| text::catalog::list(&catalog, &timeline, &location, style))?;
    Ok(Exit::Done)
}
