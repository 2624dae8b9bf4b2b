//! Enrolling an agent: a one-time token and what to type beside the mongod.

use maud::{Markup, html};
use oplogue_api::services::Enrolment;
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

use crate::components::badge::Tone;
use crate::components::button::Button;
use crate::components::field::{self, Choice, Field};
use crate::components::{code, notice, time};
use crate::pages::services::EnrolForm;
use crate::{Frame, layout, urls};

pub struct Page {
    pub form: EnrolForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
    /// Labels that are in use, to choose from.
    pub clusters: Vec<String>,
    /// The token that was just made: shown this once.
    pub made: Option<Enrolment>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let main = html! {
        (layout::crumbs(&[("Services", urls::SERVICES)]))
        (layout::header("Enrol an agent", html! { "One beside each member of the replica set, on the same machine." }, html! {}))
        div.narrow {
            @if let Some(made) = &page.made { (instructions(frame, made)) }
            (form(frame, page))
        }
    };
    layout::page(frame, "Enrol an agent", main)
}

fn form(frame: &Frame, page: &Page) -> Markup {
    let clusters = page.clusters.iter().map(String::as_str).collect::<Vec<_>>();
    let validities = [("900", "15 minutes"), ("3600", "1 hour"), ("86400", "1 day"), ("604800", "7 days")]
        .map(|(value, label)| Choice::new(value, label));
    field::form_for(
        frame,
        Role::Administrator,
        urls::SERVICE_ENROL,
        html! {
            (field::summary(&page.errors))
            @if let Some(failure) = &page.failure { (notice::refused("No token was made", failure)) }
            (Field::new("cluster", "Cluster label").value(&page.form.cluster).errors(&page.errors).suggestions(&clusters).placeholder("mycluster")
                .hint("The same for all members of the cluster. It can be named on the command line too.").text())
            (Field::new("valid_seconds", "Token can be used for").value(&page.form.valid_seconds).errors(&page.errors).required().select(&validities))
            (field::buttons(html! {
                (Button::submit(if page.made.is_some() { "Make another token" } else { "Make a one-time token" }).primary().needs(frame, Role::Administrator))
                (Button::link(urls::SERVICES, "Cancel").quiet())
            }))
        },
    )
}

fn instructions(frame: &Frame, made: &Enrolment) -> Markup {
    notice::notice(
        Tone::Ok,
        "Type this beside the mongod",
        html! {
            p { "On the database's machine, with the package installed. It checks the connection, enrols the agent and starts it." }
            (code::command(&made.command))
            p { "The token can be used once, until " (time::absolute(frame, made.expires_at)) ". It is not shown again:" }
            p { (code::identifier(&made.token, "the token")) }
            p { "The service then appears under " a href=(urls::SERVICES) { "Services" } " within seconds." }
        },
    )
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = || Page { form: EnrolForm::new(), errors: Vec::new(), failure: None, clusters: vec!["shop".into()], made: None };
    let made = Enrolment {
        token: "ope_5f1d7a0c9e2b4d6f8a1c3e5b7d9f0a2c".into(),
        expires_at: world::ahead(3600),
        command: "oplogue agent --uri 'mongodb://USER:PASSWORD@127.0.0.1:27017' --cluster shop \\\n  --server https://backups.example.com:8480 --token enrol_5f1d7a0c9e2b4d6f8a1c3e5b7d9f0a2c".into(),
    };
    let errors = vec![FieldError::new("valid_seconds", "Must be 604800 at most.")];
    vec![
        ("empty", page()),
        ("made", Page { made: Some(made), ..page() }),
        ("wrong", Page { errors, ..page() }),
        ("viewer-forbidden", page()),
    ]
}
