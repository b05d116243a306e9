//! The rows of the result, as a table and as JSON.

use serde::Serialize;

use crate::samples::Samples;

/// Columns of the table.
const COLUMNS: usize = 9;

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
}

impl Wanted {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }
}

/// One figure, over all rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    part: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<u32>,
    name: String,
    unit: &'static str,
    median: f64,
    least: f64,
    greatest: f64,
    rounds: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<Wanted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_met: Option<bool>,
}

impl Row {
    /// A figure that was taken in several rounds.
    pub(crate) fn new(part: char, name: impl Into<String>, unit: &'static str, samples: &Samples) -> Self {
        let at = |share| samples.quantile(share).unwrap_or(f64::NAN);
        let (median, least, greatest) = (samples.median(), at(0.0), at(1.0));
        let rounds = samples.len();
        let (name, nodes) = (name.into(), Some(1));
        Self { part, nodes, name, unit, median, least, greatest, rounds, wanted: None, is_met: None }
    }

    /// The same of so many nodes, rather than of one; none when there are none.
    pub(crate) fn of_nodes(mut self, nodes: u32) -> Self {
        self.nodes = (nodes > 0).then_some(nodes);
        self
    }

    /// A figure that was taken once.
    pub(crate) fn once(part: char, name: impl Into<String>, unit: &'static str, figure: f64) -> Self {
        Self::new(part, name, unit, &[figure].into_iter().collect())
    }

    /// The same, with what it has to be.
    pub(crate) fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted = Some(wanted);
        self.is_met = Some(wanted.is_met(self.median));
        self
    }
}

/// All rows, and where they were taken.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    machine: String,
    store: String,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(store: &str) -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let machine =
            format!("{cores} cores, {} {}, {}", std::env::consts::OS, kernel.trim(), std::env::consts::ARCH);
        Self { machine, store: store.to_owned(), rows: Vec::new() }
    }

    /// Adds rows.
    pub(crate) fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }

    /// As one JSON object.
    pub(crate) fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// As one table.
    pub(crate) fn table(&self) -> String {
        let heads = ["", "nodes", "what", "median", "least", "greatest", "unit", "rounds", "wanted"];
        let mut lines = vec![heads.map(str::to_owned)];
        lines.extend(self.rows.iter().map(cells));
        let mut widths = [0; COLUMNS];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut table =
            format!("{}, {}, load generator and receiver on the same\n\n", self.store, self.machine);
        for line in lines {
            let cells = line.iter().zip(widths).enumerate().map(|(place, (cell, width))| {
                // Figures to the right, words to the left.
                if matches!(place, 1 | 3..=5 | 7) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            table.push('\n');
        }
        table
    }
}

fn cells(row: &Row) -> [String; COLUMNS] {
    let wanted = match (row.wanted, row.is_met) {
        (Some(Wanted::AtLeast(bound)), Some(met)) => format!("≥ {}: {}", figure(bound), word(met)),
        (Some(Wanted::AtMost(bound)), Some(met)) => format!("≤ {}: {}", figure(bound), word(met)),
        _ => String::new(),
    };
    let spread = |value| if row.rounds > 1 { figure(value) } else { String::new() };
    [
        row.part.to_string(),
        row.nodes.map_or_else(String::new, |nodes| nodes.to_string()),
        row.name.clone(),
        figure(row.median),
        spread(row.least),
        spread(row.greatest),
        row.unit.to_owned(),
        row.rounds.to_string(),
        wanted,
    ]
}

fn word(is_met: bool) -> &'static str {
    if is_met { "met" } else { "NOT MET" }
}

/// Three significant digits are all that a benchmark knows; thousands are set apart.
fn figure(value: f64) -> String {
    if value.is_nan() {
        return "–".to_owned();
    }
    let size = value.abs();
    if size < 10.0 {
        return format!("{value:.2}");
    }
    if size < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{size:.0}");
    let mut grouped = String::from(if value < 0.0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let shown = [0.254, 12.34, 123.4, 1234.5, 1_234_567.0, -218.0, f64::NAN].map(figure);
        assert_eq!(shown, ["0.25", "12.3", "123", "1,234", "1,234,567", "-218", "–"]);
    }

    #[test]
    fn a_wanted_figure_says_whether_it_is_met() {
        let samples: Samples = [0.2, 0.3, 0.4].into_iter().collect();
        let mut report = Report::new("SQLite");
        report.extend([
            Row::new('c', "ratio", "", &samples).wanted(Wanted::AtLeast(0.25)).of_nodes(3),
            Row::once('d', "p50", "ms", 9.0).wanted(Wanted::AtMost(5.0)),
        ]);
        let table = report.table();
        assert!(table.contains("≥ 0.25: met") && table.contains("≤ 5.00: NOT MET"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json["rows"][0]["wanted"]["at_least"], 0.25);
        assert_eq!(json["rows"][1]["is_met"], false);
        assert_eq!((&json["rows"][0]["nodes"], &json["rows"][1]["nodes"]), (&3.into(), &1.into()));
        assert_eq!(json["store"], "SQLite");
    }
}
