//! `oplogue agent`

use oplogue_agent::{AgentConfig, Rhythm};

use crate::args::{AgentArgs, MemberArgs, ServerArgs};
use crate::failure::Exit;
use crate::{cancel, open};

pub async fn run(args: AgentArgs) -> anyhow::Result<Exit> {
    let token = args.token.map(|token| token.reveal().to_owned());
    let config = config(args.member, &args.server, token)?;
    oplogue_agent::run(config, cancel::on_signal()).await?;
    Ok(Exit::Done)
}

/// The agent of `member`, which calls `server`.
pub fn config(member: MemberArgs, server: &ServerArgs, token: Option<String>) -> anyhow::Result<AgentConfig> {
    Ok(AgentConfig {
        uri: member.uri.reveal().to_owned(),
        server: server.server.clone(),
        trust: open::trust(server)?,
        token,
        cluster: member.cluster.filter(|label| !label.is_empty()),
        service_name: member.service_name.filter(|name| !name.is_empty()),
        data_dir: member.data_dir,
        rhythm: Rhythm::default(),
    })
}
