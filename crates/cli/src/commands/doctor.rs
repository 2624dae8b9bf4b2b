//! `oplogue doctor`

use oplogue_engine::doctor::{self, Level};
use oplogue_mongo::ConnectOptions;

use crate::args::{DoctorArgs, Secret};
use crate::failure::{Exit, WrongUsage};
use crate::json::doctor::FindingJson;
use crate::output::Output;
use crate::{open, text};

pub async fn run(args: DoctorArgs, output: Output) -> anyhow::Result<Exit> {
    let uri = args.uri.as_ref().map(Secret::reveal);
    let storage = args.storage.storage.as_ref().map(|_| open::storage(&args.storage)).transpose()?;
    if uri.is_none() && storage.is_none() {
        return Err(WrongUsage::new("nothing to examine: give --uri, --storage, or both").into());
    }
    let findings = doctor::examine(uri, &ConnectOptions::default(), storage.as_ref()).await;
    output.result(|| findings.iter().map(FindingJson::from).collect::<Vec<_>>(), |style| text::doctor::findings(&findings, style))?;
    let danger = findings.iter().any(|finding| finding.level == Level::Danger);
    Ok(if danger { Exit::Refused } else { Exit::Done })
}
