//! Columns that line up, without lines around them.

use unicode_width::UnicodeWidthStr;

/// A table of text. Figures stand at the right of their column.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

struct Column {
    title: &'static str,
    right: bool,
}

const SPACE: usize = 2;

impl Table {
    /// A title that ends with `>` belongs to a column of figures.
    pub fn new(titles: &[&'static str]) -> Self {
        let column = |title: &&'static str| match title.strip_suffix('>') {
            Some(title) => Column { title, right: true },
            None => Column { title, right: false },
        };
        Self { columns: titles.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row; what is missing at its end stays empty.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The whole table, each line indented by `indent` spaces and ended.
    pub fn render(&self, indent: usize) -> String {
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&titles).chain(&self.rows).collect();
        let width = |index: usize| lines.iter().filter_map(|line| line.get(index)).map(|cell| cell.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for line in lines {
            let mut rendered = " ".repeat(indent);
            for (index, column) in self.columns.iter().enumerate() {
                let cell = line.get(index).map_or("", String::as_str);
                let fill = " ".repeat(widths[index] - cell.width());
                let padded = if column.right { format!("{fill}{cell}") } else { format!("{cell}{fill}") };
                rendered.push_str(&padded);
                rendered.push_str(&" ".repeat(SPACE));
            }
            text.push_str(rendered.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_width_of_their_letters() {
        let mut table = Table::new(&["NAME", "SIZE>", "NOTE"]);
        table.row(["b".into(), "1.0 KiB".into(), String::new()]);
        table.row(["注文".into(), "7 B".into(), "new".into()]);
        assert_eq!(table.render(1), " NAME     SIZE  NOTE\n b     1.0 KiB\n 注文      7 B  new\n");
    }
}
