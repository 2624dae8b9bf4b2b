//! `oplogue slice`

use std::hash::{BuildHasher, Hasher, RandomState};

use oplogue_engine::compact;
use oplogue_engine::slice::{self, SliceEvent, SliceRequest};

use crate::args::SliceArgs;
use crate::failure::Exit;
use crate::json::slicing::SliceEventJson;
use crate::output::{Output, remark};
use crate::{cancel, open, text};

pub async fn run(args: SliceArgs, output: Output) -> anyhow::Result<Exit> {
    let cancel = cancel::on_signal();
    let request = SliceRequest {
        repository: open::repository(&args.storage)?,
        connection: open::connection(&args.connection, &cancel).await?,
        compression: args.compression,
        span: args.span,
        bytes_max: args.slice_size,
        holder: holder(),
        lease_ttl: args.lease,
        wait_for_lease: args.wait,
        until: args.until,
    };
    let stop = cancel.clone();
    let tell = move |event: SliceEvent| {
        let told = output.line(|| SliceEventJson::from(&event), |style| text::slicing::event(&event, style));
        if let Err(error) = told {
            // Nobody would ever hear of what happens from here on.
            remark(&format!("oplogue: {error:#}"));
            stop.cancel();
        }
    };
    if args.compact {
        compact::beside_slicing(request, &tell, cancel).await?;
    } else {
        slice::run(request, &tell, cancel).await?;
    }
    Ok(Exit::Done)
}

/// Who asks for the lease: host and process for people, and a random part, because containers share host names and process ids.
fn holder() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let host = read("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty()).unwrap_or_else(|| "unnamed-host".to_owned());
    // The standard library seeds this from the operating system.
    let random = RandomState::new().build_hasher().finish();
    format!("{host}:{}:{random:016x}", std::process::id())
}
