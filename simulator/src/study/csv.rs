//! Runs as comma-separated values: one row a run, the algorithm first and then the thirteen figures.
//!
//! Names and figures hold no commas or quotes, so the format needs neither; a file with either is refused.

use std::fmt::Write as _;

use super::summary::{METRICS, Summary};

/// A named run.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRun {
    /// The scenario's name.
    pub algorithm: String,
    /// Its figures.
    pub summary: Summary,
}

/// A file of runs that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// The header lacks a column.
    #[error("line 1: there is no column `{0}`")]
    MissingColumn(String),
    /// A row has another number of cells than the header.
    #[error("line {line}: {cells} cells where the header has {columns}")]
    Ragged {
        /// The line, from one.
        line: usize,
        /// Cells found.
        cells: usize,
        /// Cells expected.
        columns: usize,
    },
    /// A cell is not a number.
    #[error("line {line}: column `{column}`: `{text}` is not a number")]
    NotANumber {
        /// The line, from one.
        line: usize,
        /// The column's name.
        column: String,
        /// What stands there.
        text: String,
    },
}

/// The runs as text, header included. A figure that does not exist is an empty cell.
#[must_use]
pub fn write_runs<'a>(runs: impl IntoIterator<Item = (&'a str, &'a Summary)>) -> String {
    let mut text = format!("algorithm,{}\n", METRICS.join(","));
    for (algorithm, summary) in runs {
        text.push_str(algorithm);
        for value in summary.values {
            text.push(',');
            if !value.is_nan() {
                // The debug form is the shortest that reads back as the same number.
                let _ = write!(text, "{value:?}");
            }
        }
        text.push('\n');
    }
    text
}

/// Reads runs from `text`. Columns are found by name; further ones are ignored.
///
/// # Errors
/// If a column is missing or a cell is not a number, naming the line.
pub fn read_runs(text: &str) -> Result<Vec<NamedRun>, CsvError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().enumerate();
    let header: Vec<&str> =
        lines.next().map_or_else(Vec::new, |(_, line)| line.split(',').map(str::trim).collect());
    let column = |name: &str| {
        let at = header.iter().position(|column| *column == name);
        at.ok_or_else(|| CsvError::MissingColumn(name.to_owned()))
    };
    let algorithm_at = column("algorithm")?;
    let mut metric_at = [0; METRICS.len()];
    for (at, name) in metric_at.iter_mut().zip(METRICS) {
        *at = column(name)?;
    }
    let mut runs = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let line_number = index + 1;
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() != header.len() {
            let (cells, columns) = (cells.len(), header.len());
            return Err(CsvError::Ragged { line: line_number, cells, columns });
        }
        let mut values = [f64::NAN; METRICS.len()];
        for ((value, at), name) in values.iter_mut().zip(metric_at).zip(METRICS) {
            if !cells[at].is_empty() {
                *value = cells[at].parse().map_err(|_| CsvError::NotANumber {
                    line: line_number,
                    column: name.to_owned(),
                    text: cells[at].to_owned(),
                })?;
            }
        }
        let algorithm = cells[algorithm_at].to_owned();
        runs.push(NamedRun { algorithm, summary: Summary { values } });
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_survive_a_round_trip() {
        let mut values = [1.0 / 3.0; METRICS.len()];
        values[2] = 11.0;
        values[8] = f64::NAN;
        let text = write_runs([("Random", &Summary { values })]);
        assert!(text.lines().nth(1).unwrap().contains(",11.0,"), "{text}");
        let back = read_runs(&text).unwrap();
        assert_eq!(back[0].algorithm, "Random");
        assert_eq!(back[0].summary.values[..8], values[..8]);
        assert!(back[0].summary.values[8].is_nan());
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_line() {
        let missing = read_runs("algorithm,mean_latency\n").unwrap_err();
        assert_eq!(missing, CsvError::MissingColumn("stdev_latency".to_owned()));
        let good = write_runs([("A", &Summary { values: [1.0; METRICS.len()] })]);
        let ragged = read_runs(&format!("{good}B,1\n")).unwrap_err();
        assert_eq!(ragged, CsvError::Ragged { line: 3, cells: 2, columns: 14 });
        let wrong = read_runs(&good.replacen("1.0", "fast", 1)).unwrap_err();
        assert!(wrong.to_string().starts_with("line 2: column `mean_latency`: `fast`"), "{wrong}");
    }
}
