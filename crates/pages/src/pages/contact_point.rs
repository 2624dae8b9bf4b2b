//! Add or edit a contact point. Which fields are seen follows from the kind by the style sheet alone.

mod form;

use maud::{Markup, html};
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

pub use self::form::ContactPointForm;
use crate::components::button::Button;
use crate::components::field::{self, Choice, Field};
use crate::components::notice;
use crate::pages::backups::choices;
use crate::{Frame, layout, urls};

pub struct Page {
    /// The point that is changed; `None` adds one.
    pub id: Option<String>,
    pub form: ContactPointForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
    pub has_secret: bool,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let title = if page.id.is_some() { "Edit contact point" } else { "Add contact point" };
    let main = html! {
        (layout::crumbs(&[("Contact points", urls::CONTACT_POINTS)]))
        (layout::header(title, html! {}, html! {}))
        div.narrow {
            (field::form_for(frame, Role::Administrator, frame.path_only(), html! {
                (field::default_button("action", "save"))
                (field::summary(&page.errors))
                @if let Some(failure) = &page.failure { (notice::refused("The contact point was not saved", failure)) }
                (fields(page))
                (field::buttons(html! {
                    (Button::submit_as(if page.id.is_some() { "Save" } else { "Add" }, "action", "save").primary().needs(frame, Role::Administrator))
                    (Button::link(urls::CONTACT_POINTS, "Cancel").quiet())
                }))
            }))
        }
    };
    layout::page(frame, title, main)
}

fn fields(page: &Page) -> Markup {
    let form = &page.form;
    let errors = &page.errors;
    let kinds = [
        Choice::new("email", "E-mail"),
        Choice::new("webhook", "Webhook").description("Our JSON, posted to a URL."),
        Choice::new("slack", "Slack"),
        Choice::new("pagerduty", "PagerDuty"),
        Choice::new("alertmanager", "Alertmanager").description("Prometheus Alertmanager's API, version 2."),
    ];
    let securities = choices(&[("starttls", "STARTTLS"), ("tls", "TLS"), ("none", "None")]);
    let locked = page.id.as_ref().map(|_| "Fixed. Add another contact point instead.");
    html! {
        (Field::new("name", "Name").value(&form.name).errors(errors).required().text())
        (Field::new("kind", "Type").value(&form.kind).errors(errors).locked(locked).cards(&kinds))
        div data-kind="email" {
            div.fields {
                (Field::new("settings.smtp", "SMTP server").value(&form.smtp).errors(errors).required().mono().placeholder("mail.example.org:587").text())
                (Field::new("settings.smtp_security", "Encryption").value(&form.smtp_security).errors(errors).required().select(&securities))
            }
            div.fields {
                (Field::new("settings.smtp_user", "User").value(&form.smtp_user).errors(errors).text())
                (Field::new("secrets.smtp_password", "Password").errors(errors).secret(page.has_secret))
            }
            (Field::new("settings.mail_from", "From").value(&form.mail_from).errors(errors).required().placeholder("oplogue@example.org").text())
            (Field::new("settings.mail_to", "To").value(&form.mail_to).errors(errors).required().hint("One address a line.").textarea(3))
        }
        div data-kind="webhook slack" {
            (Field::new("secrets.webhook_url", "URL").errors(errors).hint("Kept encrypted: whoever knows it can post.").secret(page.has_secret))
        }
        div data-kind="pagerduty" { (Field::new("secrets.routing_key", "Integration key").errors(errors).hint("Of an Events API v2 integration.").secret(page.has_secret)) }
        div data-kind="alertmanager" {
            (Field::new("settings.url", "URL").value(&form.url).errors(errors).required().mono().placeholder("https://alertmanager.example.org").text())
        }
        div data-kind="webhook alertmanager" {
            (Field::new("secrets.authorization", "Authorization header").errors(errors).placeholder("Bearer …").secret(page.has_secret))
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |form| Page { id: None, form, errors: Vec::new(), failure: None, has_secret: false };
    let kind = |kind: &str| page(ContactPointForm { kind: kind.into(), ..ContactPointForm::new() });
    let mail = world::contact_points().remove(0);
    let edit = Page { id: Some(mail.id.clone()), has_secret: true, ..page(ContactPointForm::from_contact_point(&mail)) };
    let wrong = ContactPointForm { smtp: "mail".into(), mail_to: "dba".into(), ..ContactPointForm::new() };
    let errors = vec![
        FieldError::new("name", "Must not be empty."),
        FieldError::new("settings.smtp", "Must be host:port."),
        FieldError::new("settings.mail_to", "“dba” is not an address."),
    ];
    vec![
        ("empty", page(ContactPointForm::new())),
        ("webhook", kind("webhook")),
        ("slack", kind("slack")),
        ("pagerduty", kind("pagerduty")),
        ("alertmanager", kind("alertmanager")),
        ("edit", edit),
        ("wrong", Page { errors, ..page(wrong) }),
        ("viewer-forbidden", page(ContactPointForm::new())),
    ]
}
