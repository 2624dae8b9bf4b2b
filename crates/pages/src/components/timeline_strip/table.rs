//! The same as the drawing, as rows: for screen readers, for copying, and for those who like tables.

use maud::{Markup, html};

use super::{Strip, Window};
use crate::components::icon::{Icon, icon};
use crate::components::number::{duration_text, plural};
use crate::components::table::{Column, Table};
use crate::components::time::moment;
use crate::urls;

/// More rows than anybody reads; zooming in shows the others.
const ROWS_MAX: usize = 200;

const COLUMNS: &[Column<'_>] = &[
    Column::text("What"),
    Column::text("From"),
    Column::text("To"),
    Column::number("Length"),
    Column::text("About"),
    Column::text("Restore"),
];

pub(super) fn twin(strip: &Strip<'_>) -> Markup {
    let mut rows = rows(strip);
    let found = rows.len();
    rows.sort_by_key(|(second, _)| *second);
    rows.truncate(ROWS_MAX);
    let mut table = Table::new("What the timeline shows", COLUMNS);
    for (_, cells) in rows {
        table.row(cells);
    }
    html! {
        details.twin {
            summary { (icon(Icon::Right)) span { "As a table" } span.dim { (plural(found as u64, "row", "rows")) } }
            (table)
            @if found > ROWS_MAX { p.hint { "The first " (ROWS_MAX) " are shown; zoom in to see the others." } }
        }
    }
}

/// Rows with the second they begin at.
fn rows(strip: &Strip<'_>) -> Vec<(u32, Vec<Markup>)> {
    let (timeline, Window { from, to }) = (strip.timeline, strip.window);
    let inside = |begin: u32, end: u32| end >= from && begin <= to;
    let length = |begin: u32, end: u32| html! { (duration_text(u64::from(end.saturating_sub(begin)))) };
    let restore = |moment: String| match &strip.restore {
        Some(query) => html! { a href=(query.clone().with("moment", moment).on(urls::RESTORE)) { "Restore to its end" } },
        None => html! {},
    };
    let mut rows = Vec::new();
    for range in
        timeline.restorable.iter().filter(|range| range.from.time() < range.through.time() && inside(range.from.t, range.through.t))
    {
        let about =
            html! { "from " code { (range.base) } @if !range.newer_bases.is_empty() { ", or from " (range.newer_bases.len()) " newer" } };
        let end = format!("{},{}", range.through.t, range.through.i);
        rows.push((
            range.from.t,
            vec![
                html! { "Restorable" },
                moment(&range.from),
                moment(&range.through),
                length(range.from.t, range.through.t),
                about,
                restore(end),
            ],
        ));
    }
    for set in &timeline.replica_sets {
        for gap in set.gaps.iter().filter(|gap| inside(gap.range.after.t, gap.range.through.t)) {
            let (after, through) = (&gap.range.after, &gap.range.through);
            let about = html! { (gap.replica_set) ": " (gap.reason) };
            rows.push((after.t, vec![html! { "Gap" }, moment(after), moment(through), length(after.t, through.t), about, html! {}]));
        }
        for range in set.unreached.iter().filter(|range| inside(range.after.t, range.through.t)) {
            let about = html! { (set.name) ": no backup leads to it" };
            rows.push((
                range.after.t,
                vec![
                    html! { "Oplog only" },
                    moment(&range.after),
                    moment(&range.through),
                    length(range.after.t, range.through.t),
                    about,
                    html! {},
                ],
            ));
        }
    }
    for backup in timeline.backups.iter().filter(|backup| inside(backup.restores_to.t, backup.restores_to.t)) {
        let about = html! { a href=(urls::backup(&backup.id)) { (backup.name) } @if !backup.usable { ", cannot be used" } };
        let to = match &strip.restore {
            Some(query) if backup.usable => {
                html! { a href=(query.clone().with("backup", &backup.name).on(urls::RESTORE)) { "Restore it" } }
            }
            _ => html! {},
        };
        rows.push((
            backup.restores_to.t,
            vec![html! { "Backup" }, moment(&backup.restores_to), moment(&backup.restores_to), html! {}, about, to],
        ));
    }
    rows
}
