//! `oplogue backup`

use oplogue_domain::NamespaceSelection;
use oplogue_engine::backup::{self, BackupRequest};
use oplogue_engine::throttle::Limits;

use crate::args::BackupArgs;
use crate::failure::Exit;
use crate::json::backup::BackupReportJson;
use crate::output::Output;
use crate::{cancel, open, progress, text};

pub async fn run(args: BackupArgs, output: Output) -> anyhow::Result<Exit> {
    let cancel = cancel::on_signal();
    let request = BackupRequest {
        repository: open::repository(&args.storage)?,
        connection: open::connection(&args.connection, &cancel).await?,
        name: args.name,
        selection: NamespaceSelection::from_patterns(args.ns),
        users_and_roles: args.users_and_roles,
        compression: args.compression,
        parallel: args.parallel,
        part_bytes: args.part_size,
        limits: Limits { bytes_per_second: args.max_bandwidth, documents_per_second: args.max_documents, lag_seconds_max: args.max_lag },
    };
    let report = backup::run(request, progress::for_stderr(), cancel).await?;
    output.result(|| BackupReportJson::from(&report), |_| text::backup::report(&report))?;
    Ok(Exit::Done)
}
