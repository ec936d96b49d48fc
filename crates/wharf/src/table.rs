//! Tables for a terminal: columns as wide as their widest cell, two blanks between them, and marks for what needs attention.

use std::io::IsTerminal as _;

/// Whether and how to mark text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Not at all: a file, a pipe, or a user who does not want it.
    Off,
    /// By the terminal's own red.
    Colour,
}

impl Marks {
    /// What suits standard output; `NO_COLOR` counts.
    pub(crate) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !unwanted {
            Self::Colour
        } else {
            Self::Off
        }
    }

    /// A text that needs attention. It may come from elsewhere: control characters do not reach the terminal.
    pub(crate) fn bad(self, text: &str) -> String {
        let text = plain(text);
        match self {
            Self::Off => text,
            Self::Colour => format!("\u{1b}[31m{text}\u{1b}[0m"),
        }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    is_bad: bool,
}

impl Cell {
    /// One that needs attention if that holds.
    pub(crate) fn bad_if(text: impl Into<String>, is_bad: bool) -> Self {
        Self {
            text: plain(&text.into()),
            is_bad,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::bad_if(text, false)
    }
}

/// Without what a terminal would act on.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect()
}

/// The lines of a table, each without blanks at its end. An empty cell is a dash.
pub(crate) fn render(header: &[&str], rows: &[Vec<Cell>], marks: Marks) -> Vec<String> {
    let width = |text: &str| text.chars().count();
    let shown = |cell: &Cell| {
        if cell.text.is_empty() {
            "-".to_owned()
        } else {
            cell.text.clone()
        }
    };
    let mut widths: Vec<usize> = header.iter().map(|text| width(text)).collect();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            if let Some(known) = widths.get_mut(at) {
                *known = (*known).max(width(&shown(cell)));
            }
        }
    }
    let line = |cells: Vec<(String, bool)>| {
        let last = cells.len().saturating_sub(1);
        let mut out = String::new();
        for (at, (text, is_bad)) in cells.into_iter().enumerate() {
            let missing = widths
                .get(at)
                .copied()
                .unwrap_or_default()
                .saturating_sub(width(&text));
            out.push_str(&if is_bad { marks.bad(&text) } else { text });
            if at < last {
                out.push_str(&" ".repeat(missing + 2));
            }
        }
        out.truncate(out.trim_end().len());
        out
    };
    let head = line(header.iter().map(|text| ((*text).to_owned(), false)).collect());
    let body = rows
        .iter()
        .map(|row| line(row.iter().map(|cell| (shown(cell), cell.is_bad)).collect()));
    std::iter::once(head).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec!["ä".into(), "RUNNING".into(), "x".into()],
            vec!["longer".into(), Cell::bad_if("FAILED", true), "".into()],
        ]
    }

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_text_ends() {
        assert_eq!(
            render(&["NAME", "STATE", "WORKER"], &rows(), Marks::Off),
            [
                "NAME    STATE    WORKER",
                "ä       RUNNING  x",
                "longer  FAILED   -",
            ]
        );
    }

    #[test]
    fn marks_do_not_count_as_width() {
        let lines = render(&["NAME", "STATE", "WORKER"], &rows(), Marks::Colour);
        assert_eq!(lines[2], "longer  \u{1b}[31mFAILED\u{1b}[0m   -");
    }

    #[test]
    fn what_a_terminal_would_act_on_does_not_reach_it() {
        let cell = Cell::from("a\u{1b}[2Jb\n");
        assert_eq!(cell.text, "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(Marks::Off.bad("x\ry"), "x\u{fffd}y");
    }
}
