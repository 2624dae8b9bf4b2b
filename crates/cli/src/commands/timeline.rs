//! `oplogue timeline`

use oplogue_domain::timeline;

use crate::args::TimelineArgs;
use crate::failure::Exit;
use crate::json::catalog::CatalogJson;
use crate::output::Output;
use crate::{open, text};

/// Where there is no terminal to ask.
const COLUMNS: u16 = 100;

pub async fn run(args: TimelineArgs, output: Output) -> anyhow::Result<Exit> {
    let repository = open::repository(&args.storage)?;
    let catalog = repository.catalog().await?;
    let timeline = timeline(&catalog);
    let width = args.width.or_else(terminal_width).unwrap_or(COLUMNS);
    output.result(|| CatalogJson::new(&catalog, &timeline), |style| text::strip::draw(&catalog, &timeline, usize::from(width), style))?;
    Ok(Exit::Done)
}

fn terminal_width() -> Option<u16> {
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns)
}
