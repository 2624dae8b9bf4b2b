//! `oplogue status`

use oplogue_engine::status;
use tokio_util::sync::CancellationToken;

use crate::args::StatusArgs;
use crate::failure::Exit;
use crate::json::status::StatusJson;
use crate::output::Output;
use crate::{open, text};

pub async fn run(args: StatusArgs, output: Output) -> anyhow::Result<Exit> {
    let repository = open::repository(&args.storage)?;
    let connection = open::connection(&args.connection, &CancellationToken::new()).await?;
    let status = status::status(&connection, &repository).await?;
    output.result(|| StatusJson::from(&status), |style| text::status::status(&status, style))?;
    Ok(Exit::Done)
}
