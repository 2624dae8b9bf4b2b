//! What a retention policy would keep and delete, and why, before it does.

use maud::{Markup, html};
use oplogue_api::retention::{RetentionItem, RetentionItemKind, RetentionPolicy, RetentionPreview};
use oplogue_api::schedules::Schedule;
use oplogue_api::users::Role;

use crate::components::badge::{Badge, Tone, tag};
use crate::components::button::Button;
use crate::components::empty;
use crate::components::icon::{Icon, icon};
use crate::components::table::{Column, Table};
use crate::components::{code, notice, number, time};
use crate::{Frame, layout, urls};

/// Slices shown one by one; millions may be there.
pub const ITEMS_MAX: usize = 500;

pub struct Page {
    pub schedule: Schedule,
    pub preview: Result<RetentionPreview, String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let schedule = &page.schedule;
    let title = format!("Retention of {}", schedule.input.name);
    let edit = Button::link(&urls::at(urls::SCHEDULE_EDIT, &schedule.id), "Edit").icon(Icon::Edit).needs(frame, Role::Operator);
    let lead = html! { (policy_text(&schedule.input.retention)) ". It is applied after each backup that ends well." };
    let body = serde_json::to_string(&schedule.input.retention).unwrap_or_default();
    let main = html! {
        (layout::crumbs(&[("Scheduled backup jobs", urls::SCHEDULES), (&schedule.input.name, &urls::schedule(&schedule.id))]))
        (layout::header(&title, lead, html! { (edit) }))
        @match &page.preview {
            Ok(preview) => {
                @if preview.items.is_empty() {
                    (empty::empty(Icon::Backups, "Nothing to look at", "This job has no backups yet, so retention has nothing to keep or delete.", None))
                } @else {
                    (result(preview))
                }
            }
            Err(problem) => { (notice::failure("The storage cannot be read", problem, Some("Retention deletes nothing it cannot read; what is stored stays."))) }
        }
        (code::equivalents("", &code::curl(frame, "POST", &format!("/v1/schedules/{}/retention-preview", schedule.id), Some(&body))))
    };
    layout::page(frame, &title, main)
}

/// The rules in words.
pub(crate) fn policy_text(policy: &RetentionPolicy) -> String {
    if policy.keeps_everything() {
        return "Unlimited".to_owned();
    }
    let mut rules = Vec::new();
    let mut rule = |count: u32, one: &str, many: &str| {
        if count > 0 {
            rules.push(number::plural(u64::from(count), one, many));
        }
    };
    rule(policy.count, "backup", "backups");
    rule(policy.days, "day", "days");
    rule(policy.daily, "daily", "daily");
    rule(policy.weekly, "weekly", "weekly");
    rule(policy.monthly, "monthly", "monthly");
    rule(policy.yearly, "yearly", "yearly");
    if policy.window_hours > 0 {
        rules.push(format!("every moment of {}", number::duration_text(u64::from(policy.window_hours) * 3600)));
    }
    rules.join(", ")
}

/// The sum, what is lost, and every item with its reasons.
pub(crate) fn result(preview: &RetentionPreview) -> Markup {
    let going = preview.items.iter().filter(|item| !item.keep).count() as u64;
    let inside = html! {
        @if going == 0 {
            p { "Nothing is deleted now." }
        } @else {
            p {
                strong { (number::plural(going, "item", "items")) } " of " (number::count(preview.items.len() as u64)) " would be deleted now, "
                (number::size(preview.deleted_bytes)) " become free."
            }
        }
        @if preview.lost.is_empty() {
            p { "Every moment that can be restored now can still be restored." }
        } @else {
            (notice::notice(Tone::Attention, "These moments could not be restored any more", html! {
                ul.ranges { @for range in &preview.lost { li { (time::range(range)) } } }
            }))
        }
        @if let Some(oldest) = &preview.oldest_after { p { "The oldest restorable moment would be " (time::moment(oldest)) "." } }
        (items(&preview.items))
    };
    html! { div.result { (inside) } }
}

fn items(items: &[RetentionItem]) -> Markup {
    let columns = [Column::text("Item"), Column::text("Kind"), Column::text("What happens"), Column::text("Why"), Column::number("Size")];
    let mut table = Table::new("Everything retention looks at", &columns);
    for item in items.iter().take(ITEMS_MAX) {
        let verdict =
            if item.keep { Badge::new(Tone::Neutral, Icon::Check, "Keep") } else { Badge::new(Tone::Attention, Icon::Delete, "Delete") };
        table.row(vec![
            html! { code { (item.name) } @if let Some(replica_set) = &item.replica_set { " " span.dim { (replica_set) } } },
            tag(kind_word(item.kind)),
            html! { (verdict) },
            html! { @for reason in &item.reasons { div { (reason) } } },
            number::size(item.bytes),
        ]);
    }
    html! {
        (table)
        @if items.len() > ITEMS_MAX {
            p.dim { (icon(Icon::Info)) " The first " (number::count(ITEMS_MAX as u64)) " of " (number::count(items.len() as u64)) ". The command line and the REST API list all." }
        }
    }
}

const fn kind_word(kind: RetentionItemKind) -> &'static str {
    match kind {
        RetentionItemKind::Backup => "Backup",
        RetentionItemKind::Slice => "Slice",
        RetentionItemKind::Orphan => "Orphan",
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |preview| Page { schedule: world::schedules().remove(0), preview };
    let nothing = RetentionPreview { items: Vec::new(), lost: Vec::new(), deleted_bytes: 0, oldest_after: None };
    let kept =
        RetentionPreview { items: world::retention_preview().items.into_iter().filter(|item| item.keep).collect(), ..nothing.clone() };
    let item = world::retention_preview().items.remove(3);
    let many = RetentionPreview { items: vec![item; ITEMS_MAX + 1], ..world::retention_preview() };
    vec![
        ("empty", page(Ok(nothing))),
        ("keeps-all", page(Ok(kept))),
        ("deletes", page(Ok(world::retention_preview()))),
        ("many", page(Ok(many))),
        ("failed", page(Err("list s3-main below shop: 403 AccessDenied".into()))),
        ("long-names", Page { schedule: world::schedules().remove(5), preview: Ok(world::retention_preview()) }),
        ("viewer", page(Ok(world::retention_preview()))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_in_words() {
        assert_eq!(policy_text(&RetentionPolicy::default()), "Unlimited");
        assert_eq!(policy_text(&RetentionPolicy { count: 7, monthly: 12, ..Default::default() }), "7 backups, 12 monthly");
        assert_eq!(policy_text(&RetentionPolicy { window_hours: 336, ..Default::default() }), "every moment of 14 d");
    }
}
