//! Rows for people, in columns.

use std::fmt;

/// The first row is the heading.
pub(crate) struct Table<const N: usize> {
    pub(crate) rows: Vec<[String; N]>,
    /// The columns whose texts may be cut to fit.
    pub(crate) may_cut: [bool; N],
    /// The width of a line in characters, if it must fit.
    pub(crate) width: Option<usize>,
}

/// Between two columns.
const GAP: usize = 2;

/// The least width of a cut column.
const NARROWEST: usize = 6;

impl<const N: usize> Table<N> {
    /// The width of each column: that of its longest text. The widest shrink until the line fits.
    fn widths(&self) -> [usize; N] {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let Some(available) = self.width else { return widths };
        let gaps = GAP.saturating_mul(N.saturating_sub(1));
        loop {
            let total = widths.iter().fold(gaps, |total, width| total.saturating_add(*width));
            let cut = widths.iter_mut().zip(self.may_cut).filter(|(width, may)| *may && **width > NARROWEST);
            match cut.map(|(width, _)| width).max() {
                Some(widest) if total > available => *widest = widest.saturating_sub(1),
                _ => return widths,
            }
        }
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| match cell.chars().count() > width {
                true => cell.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
                false => format!("{cell:<width$}"),
            });
            let line = cells.collect::<Vec<String>>().join(&" ".repeat(GAP));
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> String {
        let rows = [
            ["ID", "RESOURCE", "USES"],
            ["8HfHARHgklqBkZVI4l6MBTvSSvt98ppp6948s8Q7SOk", "space:9ueUeoZA6KXxNgzlvqmmrbzqE", "0/unlimited"],
            ["short", "-", "1/1"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned)).to_vec();
        Table { rows, may_cut: [true, true, false], width }.to_string()
    }

    #[test]
    fn a_pipe_gets_all_of_it() {
        let table = table(None);
        let expected =
            "8HfHARHgklqBkZVI4l6MBTvSSvt98ppp6948s8Q7SOk  space:9ueUeoZA6KXxNgzlvqmmrbzqE  0/unlimited";
        assert_eq!(table.lines().nth(1), Some(expected));
        assert!(table.lines().all(|line| !line.ends_with(' ')));
    }

    #[test]
    fn a_terminal_gets_what_fits() {
        for width in [40, 60, 80] {
            let table = table(Some(width));
            assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
            assert!(table.contains("  0/unlimited"), "{table}");
        }
        assert!(table(Some(80)).contains("space:9ueUeoZA6KXxNgzlvqmmrbzqE"), "the widest gives first");
        assert!(table(Some(1)).contains("8HfHA…  space…  0/unlimited"), "{}", table(Some(1)));
        assert_eq!(table(Some(200)), table(None));
    }
}
