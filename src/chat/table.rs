//! Tables: neutral, and drawn with characters for where nothing else draws them.

use std::borrow::Cow;

use super::text::visible;

/// Short cells in rows, each row with a cell for every column.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    /// Words stand to the left, numbers to the right.
    pub numbers: bool,
}

impl Column {
    pub fn words(name: &'static str) -> Self {
        Self { name, numbers: false }
    }

    pub fn numbers(name: &'static str) -> Self {
        Self { name, numbers: true }
    }
}

impl Table {
    /// As lines of fixed width, for where nothing draws a table.
    pub fn aligned(&self) -> String {
        let names = self.columns.iter().map(|column| Cow::Borrowed(column.name)).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect());
        let lines: Vec<Vec<Cow<'_, str>>> = std::iter::once(names).chain(rows).collect();
        let width = |place: usize| lines.iter().filter_map(|line| Some(line.get(place)?.chars().count())).max();
        let widths: Vec<usize> = (0..self.columns.len()).map(|place| width(place).unwrap_or_default()).collect();
        let line = |cells: &Vec<Cow<'_, str>>| {
            let cells = cells.iter().zip(&self.columns).zip(&widths).map(|((cell, column), width)| {
                if column.numbers { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_to_the_left_and_numbers_to_the_right() {
        let columns = vec![Column::numbers("Fired"), Column::words("Rule")];
        let rows = vec![vec!["12".into(), "é\n☑".into()], vec!["7".into(), "a rule".into()]];
        assert_eq!(Table { columns, rows }.aligned(), "Fired  Rule\n   12  é ☑\n    7  a rule");
    }
}
