//! Rows for people, in columns.

/// Between two columns.
const GAP: usize = 2;

/// The least width of a cut column.
const NARROWEST: usize = 6;

/// Writes rows in columns, the first row as the heading. Cuts the texts of the columns that `may_cut` names, the widest
/// first, until a line fits into this width in characters, if there is one.
pub(crate) fn table<const N: usize>(
    rows: &[[String; N]],
    may_cut: [bool; N],
    available: Option<usize>,
) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let gaps = GAP.saturating_mul(N.saturating_sub(1));
    while available.is_some_and(|available| {
        widths.iter().fold(gaps, |sum, width| sum.saturating_add(*width)) > available
    }) {
        let cut = widths.iter_mut().zip(may_cut).filter(|(width, may)| *may && **width > NARROWEST);
        let Some(widest) = cut.map(|(width, _)| width).max() else { break };
        *widest = widest.saturating_sub(1);
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| match cell.chars().count() > width {
            true => cell.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
            false => format!("{cell:<width$}"),
        });
        let line = cells.collect::<Vec<String>>().join(&" ".repeat(GAP));
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    fn table(width: Option<usize>) -> String {
        let rows = [
            ["ID", "RESOURCE", "USES"],
            ["8HfHARHgklqBkZVI4l6MBTvSSvt98ppp6948s8Q7SOk", "space:9ueUeoZA6KXxNgzlvqmmrbzqE", "0/unlimited"],
            ["short", "-", "1/1"],
        ];
        super::table(&rows.map(|row| row.map(str::to_owned)), [true, true, false], width)
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
