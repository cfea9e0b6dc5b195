//! Findings as text: columns that line up, first for all customers together, then for each.

use std::fmt::Write as _;

use crate::estimate::Estimate;
use crate::statistics::Summary;
use crate::study::StudySummary;

/// Lays out rows under a heading. The first column stands left, the others right.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![columns.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If it has not as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.rows[0].len(), "a row has a cell for each column");
        self.rows.push(cells);
    }

    /// The table, each line ended.
    #[must_use]
    pub fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = width - cell.chars().count();
                let (before, after) = if column == 0 { (0, padding) } else { (padding + 2, 0) };
                let _ = write!(line, "{:before$}{cell}{:after$}", "", "");
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if index == 0 {
                let total = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
                text.push_str(&"─".repeat(total));
                text.push('\n');
            }
        }
        text
    }
}

/// The comparison in one table: a row for each strategy, with mean and median of each customer.
#[must_use]
pub fn comparison(summary: &StudySummary) -> String {
    let names = summary.strategies.first().map_or(&[][..], |first| &first.customers);
    let mut columns: Vec<String> =
        ["strategy", "requests", "mean ms", "median", "sd", "min", "max"].map(Into::into).into();
    for customer in names {
        columns.push(format!("{} mean", customer.customer));
        columns.push(format!("{} median", customer.customer));
    }
    let mut table = Table::new(columns);
    for run in &summary.strategies {
        let Summary { count, mean_ms, median_ms, sd_ms, min_ms, max_ms, .. } = run.latency;
        let mut cells = vec![run.strategy.clone(), count.to_string()];
        cells.extend([mean_ms, median_ms, sd_ms, min_ms, max_ms].map(figure));
        for customer in &run.customers {
            cells.push(figure(customer.latency.mean_ms));
            cells.push(figure(customer.latency.median_ms));
        }
        table.row(cells);
    }
    table.render()
}

/// Every figure, for each strategy and each of its customers.
#[must_use]
pub fn details(summary: &StudySummary) -> String {
    let mut table = Table::new([
        "strategy",
        "customer",
        "requests",
        "wait ms",
        "+-",
        "mean",
        "+-",
        "median",
        "sd",
        "min",
        "max",
        "p90",
        "p99",
        "p99.9",
        "req/s",
        "errors",
        "slowdown",
        "fairness",
        "batch fill",
    ]);
    for run in &summary.strategies {
        let mut cells = vec![run.strategy.clone(), "all".to_owned()];
        cells.extend(figures(&run.latency, [run.wait_ms, run.mean_ms], run.throughput_per_second));
        cells.extend([run.errors.total().to_string(), String::new()]);
        cells.push(format!("{:.3}", run.fairness));
        cells.push(run.batch_fill.map_or("-".to_owned(), figure));
        table.row(cells);
        for customer in &run.customers {
            let mut cells = vec![String::new(), customer.customer.clone()];
            let throughput = customer.throughput_per_second;
            let means = [customer.wait_ms, customer.mean_ms];
            cells.extend(figures(&customer.latency, means, throughput));
            cells.extend([customer.errors.total().to_string(), figure(customer.mean_slowdown)]);
            cells.extend([String::new(), customer.batch_fill.map_or("-".to_owned(), figure)]);
            table.row(cells);
        }
    }
    table.render()
}

/// Count, wait, latencies and throughput.
fn figures(latency: &Summary, [wait, mean]: [Option<Estimate>; 2], throughput: f64) -> Vec<String> {
    let Summary { count, mean_ms, median_ms, sd_ms, min_ms, max_ms, p90_ms, p99_ms, p999_ms } =
        *latency;
    let mut cells = vec![count.to_string()];
    let half =
        |mean: Option<Estimate>| mean.map_or("-".to_owned(), |mean| figure(mean.half_width()));
    cells.push(wait.map_or("-".to_owned(), |wait| figure(wait.value)));
    cells.extend([half(wait), figure(mean_ms), half(mean)]);
    cells.extend(
        [median_ms, sd_ms, min_ms, max_ms, p90_ms, p99_ms, p999_ms, throughput].map(figure),
    );
    cells
}

/// Everything, as it stands in `summary.txt`.
#[must_use]
pub fn full(summary: &StudySummary) -> String {
    let mut text = format!(
        "{}\nworkload {}, {} s under each strategy, seed {}\n\n",
        summary.title, summary.workload, summary.seconds_per_strategy, summary.seed
    );
    text.push_str(&comparison(summary));
    text.push('\n');
    text.push_str(&details(summary));
    text.push_str(LEGEND);
    for run in &summary.strategies {
        if run.errors.total() > 0 {
            let _ = write!(text, "\nerrors under {}: {}", run.strategy, run.errors.describe());
        }
    }
    text.push('\n');
    text
}

const LEGEND: &str = "
Latencies are of requests answered well, from sending (in an open loop: from the instant at which they were due)
to the whole answer. +- is half the 95 % confidence interval of the mean.
wait: latency beyond the time that the request would take the backend alone.
slowdown: latency over that time, mean over requests.
fairness: Jain's index over the customers' slowdowns; 1 means that all wait alike for what they ask.
batch fill: sequences in a batch on average; of a customer, in those that its requests were served in, if the proxy
explains itself (--explain).
";

/// A number for a table: two decimals.
fn figure(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::ErrorKind;
    use crate::report::picture::example;

    #[test]
    fn columns_line_up_by_characters() {
        let mut table = Table::new(["näme", "x"]);
        table.row(vec!["a".into(), "1.00".into()]);
        table.row(vec!["much longer".into(), "22.00".into()]);
        let expected = "\
näme             x
──────────────────
a             1.00
much longer  22.00
";
        assert_eq!(table.render(), expected);
    }

    #[test]
    fn the_comparison_has_the_columns_of_the_contract() {
        let (summary, _) = example::study();
        let text = comparison(&summary);
        let heading: Vec<&str> = text.lines().next().unwrap().split("  ").map(str::trim).collect();
        let columns: Vec<&str> = heading.into_iter().filter(|column| !column.is_empty()).collect();
        assert_eq!(
            columns,
            [
                "strategy", "requests", "mean ms", "median", "sd", "min", "max", "A mean",
                "A median", "B mean", "B median"
            ]
        );
        assert_eq!(text.lines().count(), 2 + summary.strategies.len());
    }

    #[test]
    fn errors_are_told_by_kind() {
        let (mut summary, _) = example::study();
        assert!(!full(&summary).contains("errors under"));
        summary.strategies[0].errors.add(ErrorKind::Timeout, 3);
        assert!(full(&summary).contains("errors under fcfs: 3 × timed out"));
    }
}
