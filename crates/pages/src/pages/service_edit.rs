//! A service's name and cluster label.

use maud::{Markup, html};
use oplogue_api::services::Service;
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

use crate::components::badge::Tone;
use crate::components::button::Button;
use crate::components::field::{self, Field};
use crate::components::notice;
use crate::pages::services::ServiceForm;
use crate::{Frame, layout, urls};

pub struct Page {
    pub service: Service,
    pub form: ServiceForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
    /// Labels that are in use, to choose from.
    pub clusters: Vec<String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let clusters = page.clusters.iter().map(String::as_str).collect::<Vec<_>>();
    let main = html! {
        (layout::crumbs(&[("Services", urls::SERVICES), (&page.service.name, &urls::service(&page.service.id))]))
        (layout::header("Edit service", html! {}, html! {}))
        div.narrow {
            (field::form_for(frame, Role::Administrator, &urls::at(urls::SERVICE_EDIT, &page.service.id), html! {
                (field::summary(&page.errors))
                @if let Some(failure) = &page.failure { (notice::refused("The service was not changed", failure)) }
                (Field::new("name", "Name").value(&page.form.name).errors(&page.errors).required().text())
                (Field::new("cluster", "Cluster label").value(&page.form.cluster).errors(&page.errors).suggestions(&clusters)
                    .hint("The same for all members of the cluster. Backups need one: their folder on the storage has its name.").text())
                @if page.service.cluster.as_ref().is_some_and(|cluster| *cluster != page.form.cluster) {
                    (notice::notice(Tone::Attention, "Another label is another timeline", html! {
                        p { "Backups taken under the old label stay in its folder and stay restorable from there." }
                    }))
                }
                (field::buttons(html! {
                    (Button::submit("Save").primary().needs(frame, Role::Administrator))
                    (Button::link(&urls::service(&page.service.id), "Cancel").quiet())
                }))
            }))
        }
    };
    layout::page(frame, "Edit service", main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |at: usize| {
        let service = world::services().remove(at);
        Page {
            form: ServiceForm::from_service(&service),
            service,
            errors: Vec::new(),
            failure: None,
            clusters: vec!["shop".into(), "billing".into()],
        }
    };
    let wrong = ServiceForm { name: String::new(), cluster: "shop 2".into() };
    let errors = vec![
        FieldError::new("name", "Must not be empty."),
        FieldError::new("cluster", "Can contain only dots, colons, letters, digits, underscores and dashes."),
    ];
    vec![
        ("one", page(0)),
        ("no-cluster", page(4)),
        ("wrong", Page { form: wrong, errors, ..page(0) }),
        ("long-names", page(5)),
        ("viewer-forbidden", page(0)),
    ]
}
