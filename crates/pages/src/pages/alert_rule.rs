//! Create or edit an alert rule.

mod form;

use maud::{Markup, html};
use oplogue_api::alerts::{AlertTemplate, ContactPoint};
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

pub use self::form::AlertRuleForm;
use crate::components::button::Button;
use crate::components::field::{self, Choice, Field};
use crate::components::notice;
use crate::pages::backups::choices;
use crate::{Frame, layout, urls};

pub struct Page {
    /// The rule that is changed; `None` creates one.
    pub id: Option<String>,
    pub form: AlertRuleForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
    pub templates: Vec<AlertTemplate>,
    pub contact_points: Vec<ContactPoint>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let title = if page.id.is_some() { "Edit alert rule" } else { "Create alert rule" };
    let main = html! {
        (layout::crumbs(&[("Alert rules", urls::ALERT_RULES)]))
        (layout::header(title, html! {}, html! {}))
        (whole_form(frame, page))
    };
    layout::page(frame, title, main)
}

fn whole_form(frame: &Frame, page: &Page) -> Markup {
    let form = &page.form;
    let errors = &page.errors;
    let template = page.templates.iter().find(|template| template.name == form.template);
    let severities =
        choices(&[("", "As the template says"), ("info", "Info"), ("warning", "Warning"), ("error", "Error"), ("critical", "Critical")]);
    field::form_for(
        frame,
        Role::Administrator,
        frame.path_only(),
        html! {
            (field::default_button("action", "save"))
            (field::summary(errors))
            @if let Some(failure) = &page.failure { (notice::refused("The rule was not saved", failure)) }
            div #rule {
                (field::group("What is watched", "", html! {
                    (template_choice(frame, page))
                    (Field::new("name", "Name").value(&form.name).errors(errors).required().text())
                    (threshold(page, template))
                    (Field::new("for_seconds", "Lasting").value(&form.for_seconds).errors(errors).unit("seconds")
                        .placeholder(&template.map(|template| template.for_seconds.to_string()).unwrap_or_default())
                        .hint("It fires when it has been so for this long. Empty: as the template says.").number(0, 2_678_400))
                    (Field::new("severity", "Severity").value(&form.severity).errors(errors).select(&severities))
                }))
                (field::group("About", "Empty fields mean everything.", html! {
                    (Field::new("clusters", "Clusters").value(&form.clusters).errors(errors).hint("One label a line.").textarea(3))
                    (Field::new("services", "Services").value(&form.services).errors(errors).hint("One name a line.").textarea(3))
                }))
                (field::group("Who is told", "", html! {
                    @if page.contact_points.is_empty() {
                        p.dim { "There is no contact point yet, so alerts are shown here only." }
                        (Button::link(urls::CONTACT_POINT_NEW, "Add contact point").small().needs(frame, Role::Administrator))
                    } @else {
                        (field::set("contact_points", "Contact points", errors, html! {
                            @for point in &page.contact_points { (contact_point(form, point)) }
                        }))
                        p.hint { "With none, alerts are shown here only." }
                    }
                    (Field::new("enabled", "Enabled").value(&form.enabled).errors(errors).checkbox())
                }))
            }
            (field::buttons(html! {
                (Button::submit_as(if page.id.is_some() { "Save" } else { "Create" }, "action", "save").primary().needs(frame, Role::Administrator))
                (Button::link(urls::ALERT_RULES, "Cancel").quiet())
            }))
        },
    )
}

fn template_choice(frame: &Frame, page: &Page) -> Markup {
    let mut templates = choices(&[("", "Choose a template")]);
    templates.extend(page.templates.iter().map(|template| Choice::new(&template.name, &template.summary)));
    let chosen = page.templates.iter().find(|template| template.name == page.form.template);
    html! {
        div.with-button {
            (Field::new("template", "Template").value(&page.form.template).errors(&page.errors).required()
                .hint(chosen.map_or("", |template| template.description.as_str())).select(&templates))
            button.button.small type="submit" name="action" value="fill_in" hx-post=(frame.path_only()) hx-trigger="click, change from:#field-template"
                hx-target="#rule" hx-select="#rule" hx-swap="morph:outerHTML" { span { "Fill in" } }
        }
    }
}

fn threshold(page: &Page, template: Option<&AlertTemplate>) -> Markup {
    // Without a template nobody knows whether there is a limit.
    let Some(template) = template else {
        return html! { (Field::new("threshold", "Limit").value(&page.form.threshold).errors(&page.errors).hint("In the template's unit.").text()) };
    };
    if template.unit.is_empty() {
        return html! { input type="hidden" name="threshold" value=""; };
    }
    let hint = format!("{} to {}. Empty: {}, as the template says.", template.threshold_min, template.threshold_max, template.threshold);
    html! { (Field::new("threshold", "Limit").value(&page.form.threshold).errors(&page.errors).unit(&template.unit).hint(&hint).text()) }
}

fn contact_point(form: &AlertRuleForm, point: &ContactPoint) -> Markup {
    let name = format!("contact_points.{}", point.id);
    let value = if form.has_contact_point(&point.id) { "true" } else { "" };
    html! { (Field::new(&name, &point.name).value(value).checkbox()) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |form| Page {
        id: None,
        form,
        errors: Vec::new(),
        failure: None,
        templates: world::alert_templates(),
        contact_points: world::contact_points(),
    };
    let filled = || {
        let mut form = AlertRuleForm::new();
        form.fill_in(&world::alert_templates()[1]);
        form
    };
    let edit = |at: usize| {
        let rule = world::alert_rules().remove(at);
        Page { id: Some(rule.id.clone()), ..page(AlertRuleForm::from_rule(&rule)) }
    };
    let wrong = AlertRuleForm { threshold: "5".into(), clusters: "shpo".into(), ..filled() };
    let errors = vec![
        FieldError::new("threshold", "Must be 30 to 604800."),
        FieldError::new("clusters", "There is no cluster “shpo”."),
        FieldError::new("name", "An alert rule with this name already exists."),
    ];
    vec![
        ("empty", Page { contact_points: Vec::new(), ..page(AlertRuleForm::new()) }),
        ("filled-in", page(filled())),
        ("edit", edit(0)),
        ("wrong", Page { errors, ..page(wrong) }),
        ("long-names", edit(1)),
        ("viewer-forbidden", page(AlertRuleForm::new())),
    ]
}
