//! Alert templates: what rules are made from, and the import of PMM's.

use maud::{Markup, html};
use oplogue_api::alerts::AlertTemplate;
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};
use serde::Deserialize;

use crate::components::badge;
use crate::components::button::Button;
use crate::components::definitions::dash;
use crate::components::field::{self, Field};
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{notice, number};
use crate::pages::alert_rules::limit;
use crate::pages::alerts::alert_tabs;
use crate::urls::{self, Query};
use crate::{Frame, layout};

/// YAML as typed or pasted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TemplateImportForm {
    pub yaml: String,
}

impl TemplateImportForm {
    pub fn to_input(&self) -> Result<oplogue_api::alerts::TemplateImport, Vec<FieldError>> {
        Ok(oplogue_api::alerts::TemplateImport { yaml: self.yaml.clone() })
    }
}

pub struct Page {
    pub templates: Vec<AlertTemplate>,
    pub form: TemplateImportForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let main = html! {
        (layout::header("Alert templates", html! { "What rules are made from." }, html! {}))
        (alert_tabs(urls::ALERT_TEMPLATES))
        (rows(frame, &page.templates))
        (layout::section("Import", html! {}, import(frame, page)))
    };
    layout::page(frame, "Alert templates", main)
}

fn rows(frame: &Frame, templates: &[AlertTemplate]) -> Markup {
    let columns = [
        Column::text("Template"),
        Column::text("Fires when"),
        Column::text("Limit"),
        Column::text("Lasting"),
        Column::text("Severity"),
        Column::text("From"),
        Column::text("Actions"),
    ];
    let mut table = Table::new("Alert templates", &columns);
    for template in templates {
        let make = Query::new().with("template", &template.name).on(urls::ALERT_RULE_NEW);
        let delete = Button::post(frame, &urls::at(urls::ALERT_TEMPLATE_DELETE, &template.name), "Delete", &[]);
        table.row(vec![
            html! { (template.summary) span.sub { code { (template.name) } } },
            html! { (template.description) },
            limit(None, Some(template)),
            if template.for_seconds == 0 { dash() } else { number::duration(u64::from(template.for_seconds)) },
            html! { (badge::severity(template.severity)) },
            badge::tag(if template.imported { "Imported" } else { "Built in" }),
            html! {
                (Button::link(&make, "Create rule").small().about(&template.summary).needs(frame, Role::Administrator))
                @if template.imported { " " (delete.small().icon(Icon::Delete).about(&template.summary).needs(frame, Role::Administrator)) }
            },
        ]);
    }
    html! { (table) (table::more(templates.len(), None)) }
}

fn import(frame: &Frame, page: &Page) -> Markup {
    html! {
        div.narrow {
            (field::form_for(frame, Role::Administrator, urls::ALERT_TEMPLATES, html! {
                (field::summary(&page.errors))
                @if let Some(failure) = &page.failure { (notice::refused("Nothing was imported", failure)) }
                (Field::new("yaml", "YAML").value(&page.form.yaml).errors(&page.errors).required().mono()
                    .hint("In the shape of Percona Monitoring and Management's alert templates, where the expression is about one of the conditions above.").textarea(10))
                (field::buttons(html! { (Button::submit("Import").needs(frame, Role::Administrator)) }))
            }))
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = || Page { templates: world::alert_templates(), form: TemplateImportForm::default(), errors: Vec::new(), failure: None };
    let wrong = TemplateImportForm { yaml: "templates:\n  - name: mysql_down\n    expr: mysql_up == 0\n".into() };
    let errors = vec![FieldError::new("yaml", "Template mysql_down: the expression mysql_up == 0 is about nothing that is watched here.")];
    vec![("many", page()), ("wrong", Page { form: wrong, errors, ..page() }), ("viewer", page())]
}
