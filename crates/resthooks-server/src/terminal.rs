//! Colour where it is wanted, plain text elsewhere.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};

/// Whether the environment has nothing against colour (<https://no-color.org>).
pub(crate) fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
}

/// The colours in use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    /// What went well.
    Green,
    /// What did not.
    Red,
    /// What is on its way.
    Yellow,
    /// What names things.
    Bold,
    /// What matters less.
    Dim,
}

/// Standard output, and whether it is coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    coloured: bool,
}

impl Screen {
    /// Coloured when it is a terminal that wants it.
    pub(crate) fn stdout() -> Self {
        Self { coloured: std::io::stdout().is_terminal() && wants_colour() }
    }

    /// A text in a colour, for padding and printing.
    pub(crate) fn paint(self, colour: Colour, text: impl fmt::Display) -> String {
        let code = match colour {
            Colour::Green => "32",
            Colour::Red => "31",
            Colour::Yellow => "33",
            Colour::Bold => "1",
            Colour::Dim => "2",
        };
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// Prints a line. A reader that has gone away (`resthooks … | head`) is no reason to end.
pub(crate) fn line(text: impl fmt::Display) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        tracing::debug!(%error, "stdout can't be written");
    }
}

/// Rows as aligned columns, two spaces apart.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(
            aligned(&[row("ID", "NAME"), row("key_1", "größe"), row("k", "")]),
            ["ID     NAME", "key_1  größe", "k"]
        );
        assert!(aligned(&[]).is_empty());
    }
}
