//! Members that the server knows.

use std::path::Path;

use oplogue_agent::Identity;
use oplogue_api::services::{AgentState, MemberRole, Service};

use crate::args::ServerArgs;
use crate::output::{Style, Table, Tone};

/// What was done, and what comes next.
pub fn added(identity: &Identity, data_dir: &Path, trust: &str) -> String {
    let cluster = match &identity.cluster {
        Some(label) => format!("cluster {label}"),
        None => "no cluster (backups need a label: give --cluster, or name it on the page Services)".to_owned(),
    };
    let place = match data_dir.to_str() {
        Some("/var/lib/oplogue-agent") => String::new(),
        _ => format!(" --data-dir {}", data_dir.display()),
    };
    format!(
        "`{}` is enrolled with {}, {cluster}.\nIts credential lies in {}. Start its agent, with the same --uri:\n  \
         systemctl enable --now oplogue-agent    # OPLOGUE_URI and OPLOGUE_SERVER stand in /etc/oplogue/agent.env\n  \
         oplogue agent --uri … --server {}{trust}{place}\n",
        identity.service_name,
        identity.server,
        data_dir.display(),
        identity.server,
    )
}

/// The options by which the same server is trusted again.
pub fn trust_words(server: &ServerArgs) -> String {
    match (&server.server_ca, &server.server_fingerprint) {
        (Some(file), _) => format!(" --server-ca {}", file.display()),
        (None, Some(fingerprint)) => format!(" --server-fingerprint {fingerprint}"),
        (None, None) => String::new(),
    }
}

pub fn list(services: &[Service], style: Style) -> String {
    if services.is_empty() {
        return "the server knows no services yet: `oplogue admin add mongodb` adds one\n".to_owned();
    }
    let mut table = Table::new(&["NAME", "CLUSTER", "REPLICA SET", "MEMBER", "ROLE", "VERSION", "AGENT"]);
    for service in services {
        table.row([
            service.name.clone(),
            service.cluster.clone().unwrap_or_else(|| "none".to_owned()),
            service.replica_set.clone(),
            service.member.clone(),
            role(service.role).to_owned(),
            service.mongodb_version.clone(),
            match service.agent.state {
                AgentState::Online => format!("online, {}", service.agent.version),
                AgentState::Offline => "offline".to_owned(),
            },
        ]);
    }
    let mut text = table.render(0);
    for (service, problem) in services.iter().filter_map(|service| Some((service, service.problem.as_ref()?))) {
        text.push_str(&style.paint(Tone::Caution, &format!("{}: {problem}", service.name)));
        text.push('\n');
    }
    text
}

const fn role(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Primary => "primary",
        MemberRole::Secondary => "secondary",
        MemberRole::Hidden => "hidden",
        MemberRole::Delayed => "delayed",
        MemberRole::Arbiter => "arbiter",
        MemberRole::Other => "other",
        MemberRole::Unknown => "unknown",
    }
}
