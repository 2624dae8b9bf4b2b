//! `oplogue server`, and `oplogue admin reset-password`

use oplogue_server::Ready;
use oplogue_server::config::ServerConfig;

use crate::args::{ResetPasswordArgs, ServeArgs};
use crate::cancel;
use crate::failure::Exit;
use crate::json::server::{LinkJson, ReadyJson};
use crate::output::{Output, remark};
use crate::text;

pub async fn run(args: ServeArgs, output: Output) -> anyhow::Result<Exit> {
    let cancel = cancel::on_signal();
    let stop = cancel.clone();
    let tell = move |ready: Ready| {
        let told = output.line(|| ReadyJson::from(&ready), |style| text::server::ready(&ready, style));
        if let Err(error) = told {
            // The link to the first administrator would be lost.
            remark(&format!("oplogue: {error:#}"));
            stop.cancel();
        }
    };
    oplogue_server::run(config(args), tell, cancel).await?;
    Ok(Exit::Done)
}

pub fn reset_password(args: &ResetPasswordArgs, output: Output) -> anyhow::Result<Exit> {
    let link = oplogue_server::recovery::reset_password_link(&args.data_dir, &args.name, args.public_url.as_deref())?;
    output.result(|| LinkJson { link: link.clone() }, |_| text::server::reset_link(&args.name, &link))?;
    Ok(Exit::Done)
}

fn config(args: ServeArgs) -> ServerConfig {
    ServerConfig {
        listen: args.listen,
        data_dir: args.data_dir,
        tls_certificate: args.tls_cert,
        tls_key: args.tls_key,
        tls_self_signed: args.tls_self_signed,
        insecure_http: args.insecure_http,
        public_url: args.public_url,
        key_file: args.key_file,
        metrics_open: args.metrics_open,
        refresh: args.refresh,
        clock_rate: args.clock_rate,
    }
}
