//! `oplogue agent`

use oplogue_agent::{AgentConfig, Rhythm};
use oplogue_api::client::Client;

use crate::args::{AgentArgs, MemberArgs, ServerArgs};
use crate::failure::{Exit, WrongUsage};
use crate::{cancel, open};

pub async fn run(args: AgentArgs) -> anyhow::Result<Exit> {
    let token = args.token.map(|token| token.reveal().to_owned());
    let config = config(args.member, &args.server, token)?;
    oplogue_agent::run(config, cancel::on_signal()).await?;
    Ok(Exit::Done)
}

/// The agent of `member`, which calls `server`.
pub fn config(member: MemberArgs, server: &ServerArgs, token: Option<String>) -> anyhow::Result<AgentConfig> {
    let uri = member.uri.reveal();
    oplogue_agent::check_uri(uri)
        .map_err(|wrong| WrongUsage::new(wrong.advice.map_or(wrong.reason.clone(), |advice| format!("{}; {advice}", wrong.reason))))?;
    let trust = open::trust(server)?;
    Client::new(&server.server, &trust).map_err(|error| WrongUsage::new(format!("--server: {error}")))?;
    Ok(AgentConfig {
        uri: uri.to_owned(),
        server: server.server.clone(),
        trust,
        token,
        cluster: member.cluster.filter(|label| !label.is_empty()),
        service_name: member.service_name.filter(|name| !name.is_empty()),
        data_dir: member.data_dir,
        rhythm: Rhythm::default(),
    })
}
