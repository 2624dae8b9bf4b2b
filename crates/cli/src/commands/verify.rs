//! `oplogue verify`

use jiff::Timestamp;
use oplogue_engine::verify::{self, Sample, VerifyRequest};

use crate::args::VerifyArgs;
use crate::failure::Exit;
use crate::json::verify::VerifyJson;
use crate::output::Output;
use crate::{cancel, open, progress, text};

pub async fn run(args: VerifyArgs, output: Output) -> anyhow::Result<Exit> {
    let cancel = cancel::on_signal();
    let request = VerifyRequest {
        repository: open::repository(&args.storage)?,
        backups: args.backup,
        sample: args.sample.unwrap_or(Sample::Everything),
        seed: args.seed.unwrap_or_else(|| Timestamp::now().as_second().unsigned_abs()),
        parallel: usize::from(args.parallel),
    };
    let location = request.repository.storage().location();
    let report = verify::run(request, progress::for_stderr(), cancel).await?;
    output.result(|| VerifyJson::new(&report, &location), |style| text::verify::report(&report, &location, style))?;
    Ok(if report.is_whole() { Exit::Done } else { Exit::Failed })
}
