//! Tables: the product. The first column names the thing and is the link; numbers stand right; sort and filter live in the URL.
//!
//! ```ignore
//! let mut table = Table::new("Backups", &[Column::text("Name").sorted_by("name"), Column::number("Size")]).sort(&query, BACKUPS);
//! table.row(vec![html! { a href=(url) { (name) } }, number::size(bytes)]);
//! html! { (table) }
//! ```
//! On narrow screens each row becomes a small block with the columns' names beside the values.

use maud::{Markup, Render, html};

use super::icon::{Icon, icon};
use crate::urls::Query;

/// What stands over a column.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    label: &'a str,
    key: Option<&'a str>,
    class: Option<&'static str>,
    secondary: bool,
    /// The heading is for screen readers only.
    hidden: bool,
}

impl<'a> Column<'a> {
    pub const fn text(label: &'a str) -> Self {
        Self { label, key: None, class: None, secondary: false, hidden: false }
    }

    /// Right-aligned.
    pub const fn number(label: &'a str) -> Self {
        Self { label, key: None, class: Some("number"), secondary: false, hidden: false }
    }

    /// The last one, with the row's menu: see [`super::button::menu`].
    pub const fn actions() -> Self {
        Self { label: "Actions", key: None, class: Some("actions"), secondary: false, hidden: true }
    }

    /// Left out on middling screens, where space is scarce.
    #[must_use]
    pub const fn secondary(mut self) -> Self {
        self.secondary = true;
        self
    }

    /// Can be sorted by; the key stands in the query as `sort=key` or `sort=-key`.
    #[must_use]
    pub const fn sorted_by(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }
}

impl Column<'_> {
    fn classes(&self) -> Option<&'static str> {
        match (self.class, self.secondary) {
            (Some("number"), true) => Some("number secondary"),
            (None, true) => Some("secondary"),
            (class, _) => class,
        }
    }
}

/// A table with a caption for screen readers.
pub struct Table<'a> {
    caption: &'a str,
    columns: &'a [Column<'a>],
    sort: Option<(&'a Query, &'a str)>,
    rows: Vec<Markup>,
}

impl<'a> Table<'a> {
    pub fn new(caption: &'a str, columns: &'a [Column<'a>]) -> Self {
        Self { caption, columns, sort: None, rows: Vec::new() }
    }

    /// `query` is the page's, `path` its path: headings become links that sort.
    #[must_use]
    pub fn sort(mut self, query: &'a Query, path: &'a str) -> Self {
        self.sort = Some((query, path));
        self
    }

    /// One cell per column.
    pub fn row(&mut self, cells: Vec<Markup>) {
        self.add(cells, "", None);
    }

    /// Something that is switched off or gone: dimmed.
    pub fn dim_row(&mut self, cells: Vec<Markup>) {
        self.add(cells, "off", None);
    }

    /// With details that can be opened below the row.
    pub fn row_with_details(&mut self, cells: Vec<Markup>, dim: bool, details: Markup) {
        self.add(cells, if dim { "off" } else { "" }, Some(details));
    }

    fn add(&mut self, cells: Vec<Markup>, class: &str, details: Option<Markup>) {
        let row = html! {
            tr role="row" class=[(!class.is_empty()).then_some(class)] {
                @for (at, (cell, column)) in cells.iter().zip(self.columns).enumerate() {
                    @if at == 0 { th.first scope="row" role="rowheader" { (cell) } }
                    @else { td role="cell" class=[column.classes()] data-label=(column.label) { div.cell { (cell) } } }
                }
            }
            @if let Some(details) = details {
                tr.details role="row" {
                    td role="cell" colspan=(self.columns.len()) {
                        details { summary { (icon(Icon::Right)) span { "Details" } } (details) }
                    }
                }
            }
        };
        self.rows.push(row);
    }

    fn heading(&self, column: &Column<'_>) -> Markup {
        let class = column.classes();
        let (Some(key), Some((query, path))) = (column.key, self.sort) else {
            return html! {
                th scope="col" role="columnheader" class=[class] {
                    @if column.hidden { span.sr { (column.label) } } @else { (column.label) }
                }
            };
        };
        let now = query.get("sort");
        let up = now == Some(key);
        let down = now.and_then(|sort| sort.strip_prefix('-')) == Some(key);
        let next = if up { format!("-{key}") } else { key.to_owned() };
        let order = if up { Some("ascending") } else { down.then_some("descending") };
        html! {
            th scope="col" role="columnheader" class=[class] aria-sort=[order] {
                a.sort href=(query.clone().with("sort", next).without("after").on(path)) {
                    (column.label)
                    @if up { span.sort-mark aria-hidden="true" { "↑" } }
                    @if down { span.sort-mark aria-hidden="true" { "↓" } }
                }
            }
        }
    }
}

impl Render for Table<'_> {
    fn render(&self) -> Markup {
        html! {
            div.table-wrap {
                table role="table" {
                    caption.sr { (self.caption) }
                    thead role="rowgroup" { tr role="row" { @for column in self.columns { (self.heading(column)) } } }
                    tbody role="rowgroup" { @for row in &self.rows { (row) } }
                }
            }
        }
    }
}

/// The filters over a table: a form that is sent as a query. With JavaScript a changed select is sent by itself.
/// `inside` are fields (`Field…select`), `clear` where the list stands without filters, when one is set.
pub fn filters(path: &str, inside: Markup, clear: Option<&str>) -> Markup {
    html! {
        form.filters method="get" action=(path) role="search" data-filters="" {
            (inside)
            button.button.small type="submit" { "Filter" }
            @if let Some(clear) = clear { a.button.quiet.small href=(clear) { "Clear" } }
        }
    }
}

/// Below a table: how many are shown, and the rest.
pub fn more(shown: usize, next: Option<&str>) -> Markup {
    html! {
        div.more {
            span.dim { (super::number::plural(shown as u64, "entry", "entries")) @if next.is_some() { " shown" } }
            @if let Some(url) = next { a.button.small href=(url) { "Load more" } }
        }
    }
}
