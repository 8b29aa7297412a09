//! Writing for people and for machines at a terminal.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use crate::Failure;
use crate::failure::Doing;

/// Writes a line to standard output. A reader that has gone away, like `head`, is no failure.
pub(crate) fn say(line: impl Display) {
    is_read(line);
}

/// The same, and tells whether anybody reads: whoever is at the other end of a pipe may have gone.
pub(crate) fn is_read(line: impl Display) -> bool {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", printable(&line.to_string())).and_then(|()| stdout.flush()).is_ok()
}

/// Writes a line to standard error, beside what was asked for.
pub(crate) fn hint(line: impl Display) {
    let written = writeln!(std::io::stderr(), "{}", printable(&line.to_string()));
    drop(written);
}

/// Writes a value as JSON to standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).doing("the answer cannot be written as JSON")?;
    // JSON escapes control characters by itself.
    let written = writeln!(std::io::stdout(), "{text}");
    drop(written);
    Ok(())
}

/// Without control characters: names and errors come from outside, and must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// A table with left-aligned columns.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&name| name.to_owned()).collect()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        // A line break in a cell would break the table.
        self.rows.push(cells.into_iter().map(|cell| cell.replace(['\n', '\t'], " ")).collect());
    }

    pub(crate) fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            say(cells.join("  ").trim_end());
        }
    }
}
