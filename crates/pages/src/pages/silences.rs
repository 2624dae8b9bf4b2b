//! Silences: alerts that are shown and not delivered for a while.

use maud::{Markup, html};
use oplogue_api::alerts::{AlertRule, Silence};
use oplogue_api::users::Role;

use crate::components::button::Button;
use crate::components::definitions::{dash, or_dash};
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::time;
use crate::pages::alerts::alert_tabs;
use crate::{Frame, layout, urls};

pub struct Page {
    pub silences: Vec<Silence>,
    pub rules: Vec<AlertRule>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let add = || Button::link(urls::SILENCE_NEW, "Add silence").icon(Icon::Plus).primary().needs(frame, Role::Operator);
    let main = html! {
        (layout::header("Silences", html! { "Alerts they cover are shown and not delivered." }, html! { (add()) }))
        (alert_tabs(urls::SILENCES))
        @if page.silences.is_empty() {
            (empty::empty(Icon::Silenced, "No silences", "Add one before planned work, so that nobody is called for what is expected.", Some(add())))
        } @else { (rows(frame, page)) }
    };
    layout::page(frame, "Silences", main)
}

fn rows(frame: &Frame, page: &Page) -> Markup {
    let columns = [
        Column::text("Covers"),
        Column::text("Until"),
        Column::text("Comment"),
        Column::text("Made by"),
        Column::text("Made"),
        Column::text("Actions"),
    ];
    let mut table = Table::new("Silences", &columns);
    for silence in &page.silences {
        let covers = covers(silence, &page.rules);
        let end = Button::post(frame, &urls::at(urls::SILENCE_DELETE, &silence.id), "End now", &[]).small();
        table.row(vec![
            html! { (covers) },
            html! { (time::absolute(frame, silence.input.until)) span.sub { (time::relative_text(frame.now, silence.input.until)) } },
            or_dash(&silence.input.comment),
            html! { (silence.created_by) },
            time::ago(frame, silence.created_at),
            html! { (end.about(&covers).needs(frame, Role::Operator)) },
        ]);
    }
    html! { (table) (table::more(page.silences.len(), None)) @if page.silences.is_empty() { (dash()) } }
}

fn covers(silence: &Silence, rules: &[AlertRule]) -> String {
    let input = &silence.input;
    let rule = input.rule_id.as_ref().map(|id| {
        let name = rules.iter().find(|rule| rule.id == *id).map_or(id.as_str(), |rule| rule.input.name.as_str());
        format!("rule “{name}”")
    });
    let cluster = input.cluster.as_ref().map(|cluster| format!("cluster {cluster}"));
    let service = input.service.as_ref().map(|service| format!("service {service}"));
    let all = [rule, cluster, service].into_iter().flatten().collect::<Vec<_>>();
    if all.is_empty() { "All alerts".to_owned() } else { crate::components::progress::sentence(&all.join(", ")) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    vec![
        ("empty", Page { silences: Vec::new(), rules: Vec::new() }),
        ("many", Page { silences: world::silences(), rules: world::alert_rules() }),
        ("viewer", Page { silences: world::silences(), rules: world::alert_rules() }),
    ]
}
