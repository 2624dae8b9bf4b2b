//! `oplogue admin`: what an administrator of the server does beside a mongod.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Secret;
use super::agent::{MemberArgs, ServerArgs};
use super::server::ResetPasswordArgs;

/// Add members to the server, list them, and take them out
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue admin add mongodb --uri mongodb://localhost:27017 --cluster shop --server https://backup.example.com --api-token TOKEN\n  \
    oplogue admin list --server https://backup.example.com --api-token TOKEN\n  \
    oplogue admin remove db1:27017 --server https://backup.example.com --api-token TOKEN")]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct AdminArgs {
    #[command(subcommand)]
    pub verb: AdminVerb,
}

#[derive(Debug, Subcommand)]
pub enum AdminVerb {
    Add(AddArgs),
    List(ListServicesArgs),
    Remove(RemoveArgs),
    ResetPassword(ResetPasswordArgs),
}

/// Add a member to the server
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue admin add mongodb --uri mongodb://localhost:27017 --cluster shop --server https://backup.example.com --api-token TOKEN")]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct AddArgs {
    #[command(subcommand)]
    pub what: AddWhat,
}

#[derive(Debug, Subcommand)]
pub enum AddWhat {
    Mongodb(AddMongodbArgs),
}

/// Add the mongod on this machine to the server
///
/// Looks at the member, enrols it under the cluster label, and stores the agent's credential where the agent will look for it. Then says
/// how to start the agent. The token is one of an administrator.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue admin add mongodb --uri mongodb://localhost:27017 --cluster shop --server https://backup.example.com --api-token TOKEN\n  \
    oplogue admin add mongodb --uri mongodb://localhost:27018 --cluster shop --service-name shop-2 --data-dir /var/lib/oplogue-agent-2 \
    --server https://backup.example.com --api-token TOKEN")]
pub struct AddMongodbArgs {
    #[command(flatten)]
    pub member: MemberArgs,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// List the members that the server knows
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue admin list --server https://backup.example.com --api-token TOKEN")]
pub struct ListServicesArgs {
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Take a member out of the server
///
/// What is on the storage stays. The credential of its agent is worth nothing from then on: stop the agent.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue admin remove db1:27017 --server https://backup.example.com --api-token TOKEN\n  \
    oplogue admin remove shop-2 --data-dir /var/lib/oplogue-agent-2 --server https://backup.example.com --api-token TOKEN")]
pub struct RemoveArgs {
    /// The service's name or id
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Also forget the agent's credential and journal in this folder
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    #[command(flatten)]
    pub access: AccessArgs,
}

/// The server, and who is asking.
#[derive(Debug, Args)]
pub struct AccessArgs {
    #[command(flatten)]
    pub server: ServerArgs,

    /// API token of an administrator
    ///
    /// Made on the page Settings. It can be seen in the process list: OPLOGUE_API_TOKEN keeps it out of there.
    #[arg(long, value_name = "TOKEN", help_heading = "Server")]
    pub api_token: Secret,
}
