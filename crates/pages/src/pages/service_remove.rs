//! The page between "Remove" of a service and the deed.

use maud::{Markup, html};
use oplogue_api::services::Service;
use oplogue_api::users::Role;

use crate::components::code;
use crate::components::confirm::{self, Confirm};
use crate::{Frame, urls};

pub struct Page {
    pub service: Service,
    /// Names of the schedules that name it.
    pub schedules: Vec<String>,
    /// Why it cannot be removed now.
    pub refusal: Option<String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let service = &page.service;
    let role = frame.refusal(Role::Administrator);
    confirm::page(
        frame,
        &Confirm {
            title: "Remove service",
            question: &format!("Are you sure you want to remove the service “{}”?", service.name),
            details: html! {
                p { "Its agent's credential is withdrawn, and the agent stops slicing. The mongod is not touched, and no backup is deleted." }
                @if !page.schedules.is_empty() {
                    p { "Scheduled jobs that name it:" }
                    ul { @for name in &page.schedules { li { (name) } } }
                }
                (code::equivalents("", &code::curl(frame, "DELETE", &format!("/v1/services/{}", service.id), None)))
            },
            fields: html! {},
            action: &urls::at(urls::SERVICE_DELETE, &service.id),
            verb: "Remove",
            danger: true,
            refusal: role.as_deref().or(page.refusal.as_deref()),
            cancel: &urls::service(&service.id),
        },
    )
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |at: usize| Page { service: world::services().remove(at), schedules: Vec::new(), refusal: None };
    let schedules = vec!["nightly".to_owned(), world::long_name("schedule-")];
    vec![
        ("one", page(4)),
        ("used", Page { schedules, ..page(0) }),
        ("refused", Page { refusal: Some("A backup of it is running: Back up shop to s3-main. Cancel the job first.".into()), ..page(0) }),
        ("long-names", page(5)),
        ("viewer-forbidden", page(0)),
    ]
}
