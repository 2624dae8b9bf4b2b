//! `oplogue admin`

use anyhow::Context;
use oplogue_api::services::{EnrolmentRequest, Service};
use oplogue_engine::failure::Refused;

use crate::args::{AddMongodbArgs, AddWhat, AdminArgs, AdminVerb, ListServicesArgs, RemoveArgs};
use crate::failure::Exit;
use crate::json::services::AddedJson;
use crate::output::Output;
use crate::{open, text};

/// The token is used at once; should that go wrong, it shall not lie around for long.
const TOKEN_SECONDS: u32 = 300;

pub async fn run(args: AdminArgs, output: Output) -> anyhow::Result<Exit> {
    match args.verb {
        AdminVerb::Add(add) => match add.what {
            AddWhat::Mongodb(args) => add_mongodb(args, output).await,
        },
        AdminVerb::List(args) => list(args, output).await,
        AdminVerb::Remove(args) => remove(args, output).await,
        AdminVerb::ResetPassword(args) => super::server::reset_password(&args, output),
    }
}

async fn add_mongodb(args: AddMongodbArgs, output: Output) -> anyhow::Result<Exit> {
    let client = open::server(&args.access)?;
    // Asked before the server is: there should be no token for an agent that has one credential already.
    oplogue_agent::must_be_new(&args.member.data_dir)?;
    let mut config = super::agent::config(args.member, &args.access.server, None)?;
    let request = EnrolmentRequest { cluster: config.cluster.clone(), valid_seconds: Some(TOKEN_SECONDS) };
    let enrolment = client.enrolment(&request).await.map_err(oplogue_agent::told).context("ask the server for an enrolment")?;
    config.token = Some(enrolment.token);
    let identity = oplogue_agent::enrol_once(&config).await?;
    let trust = text::services::trust_words(&args.access.server);
    let data_dir = &config.data_dir;
    output.result(|| AddedJson::new(&identity, data_dir), |_| text::services::added(&identity, data_dir, &trust))?;
    Ok(Exit::Done)
}

async fn list(args: ListServicesArgs, output: Output) -> anyhow::Result<Exit> {
    let services = services(&open::server(&args.access)?).await?;
    output.result(|| &services, |style| text::services::list(&services, style))?;
    Ok(Exit::Done)
}

async fn remove(args: RemoveArgs, output: Output) -> anyhow::Result<Exit> {
    let client = open::server(&args.access)?;
    let services = services(&client).await?;
    let found = services.iter().find(|service| service.name == args.name || service.id == args.name);
    let service = found.ok_or_else(|| {
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        Refused::new(format!("the server knows no service `{}`", args.name)).advise(if names.is_empty() {
            "it knows none at all".to_owned()
        } else {
            format!("it knows {}", names.join(", "))
        })
    })?;
    client.delete_service(&service.id).await.map_err(oplogue_agent::told).with_context(|| format!("take `{}` out", service.name))?;
    if let Some(data_dir) = &args.data_dir
        && let Some(identity) = oplogue_agent::enrolled_as(data_dir)?
    {
        if identity.service_id != service.id {
            let reason = format!("{} holds the credential of `{}`, which was left alone", data_dir.display(), identity.service_name);
            return Err(Refused::new(reason).advise(format!("`{}` itself is taken out", service.name)).into());
        }
        oplogue_agent::forget(data_dir)?;
    }
    output.result(|| service, |_| format!("`{}` is taken out. What is on the storage stays; stop its agent.\n", service.name))?;
    Ok(Exit::Done)
}

async fn services(client: &oplogue_api::client::Client) -> anyhow::Result<Vec<Service>> {
    client.services().await.map_err(oplogue_agent::told).context("ask the server for its services")
}
