//! The findings for a person: a table for each mix and load, figures in milliseconds of the backend.

use std::fmt::Write as _;

use super::findings::{Figure, Findings, LoadFindings, MixFindings, StrategiesReport};
use crate::report::table::Table;

/// Classes that get columns of their own.
const CLASSES_SHOWN_MAX: usize = 3;

/// All tables.
#[must_use]
pub fn render(report: &StrategiesReport) -> String {
    let mut text = String::new();
    for mix in &report.mixes {
        for load in &mix.loads {
            let _ = writeln!(
                text,
                "{} at {} × ({:.1} requests/s; {})\n",
                mix.mix.name, load.load, load.requests_per_second, mix.mix.about
            );
            text.push_str(&table(mix, load).render());
            text.push('\n');
        }
    }
    let _ = writeln!(
        text,
        "Milliseconds from arrival to answer on one backend, virtual time; ± is half a 95 % interval over {} seeds of {} \
         requests\neach. Where the queue grows, the backend cannot keep up and figures depend on the length of the run.",
        report.seeds.len(),
        report.jobs
    );
    text
}

fn table(mix: &MixFindings, load: &LoadFindings) -> Table {
    let columns = Columns::of(mix);
    let mut heads: Vec<String> =
        ["strategy", "composition", "mean", "±", "p50", "p99", "±", "p99.9"].map(Into::into).into();
    for class in &columns.classes {
        heads.extend([format!("{class} mean"), format!("{class} p99"), "p99.9".into(), "±".into()]);
    }
    if columns.fairness {
        heads.push("fairness".into());
    }
    if columns.late {
        heads.push("late".into());
    }
    heads.extend(["fill", "busy", "queue"].map(Into::into));
    let mut table = Table::new(heads);
    load.findings.iter().for_each(|row| table.row(cells(row, &columns)));
    table
}

/// Which columns the table has beyond those that all have.
struct Columns {
    classes: Vec<String>,
    fairness: bool,
    late: bool,
}

impl Columns {
    fn of(mix: &MixFindings) -> Self {
        let classes: Vec<String> = mix.mix.classes().map(|(_, class)| class.name.clone()).collect();
        let shown = (2..=CLASSES_SHOWN_MAX).contains(&classes.len());
        Self {
            classes: if shown { classes } else { Vec::new() },
            fairness: mix.mix.customers.len() > 1,
            late: mix.mix.classes().any(|(_, class)| class.deadline_ms.is_some()),
        }
    }
}

fn cells(row: &Findings, columns: &Columns) -> Vec<String> {
    let all = &row.latency_ms;
    let mut cells = vec![row.strategy.clone(), row.composition.clone()];
    cells.extend([value(all.mean), half(all.mean), value(all.median)]);
    cells.extend([value(all.p99), half(all.p99), value(all.p999)]);
    for class in row.classes.iter().take(columns.classes.len()) {
        let latency = &class.latency_ms;
        cells.extend([value(latency.mean), value(latency.p99)]);
        cells.extend([value(latency.p999), half(latency.p999)]);
    }
    if columns.fairness {
        cells.push(format!("{:.3}", row.fairness.value));
    }
    if columns.late {
        cells.push(format!("{:.1} %", row.late.value * 100.0));
    }
    cells.push(format!("{:.2}", row.batch_fill.value));
    cells.push(format!("{:.0} %", row.utilisation.value * 100.0));
    cells.push(if row.grows() { "grows" } else { "steady" }.to_owned());
    cells
}

fn value(figure: Figure) -> String {
    format!("{:.0}", figure.value)
}

fn half(figure: Figure) -> String {
    let digits = usize::from(figure.half_width < 9.5);
    format!("{:.digits$}", figure.half_width)
}

#[cfg(test)]
mod tests {
    use super::super::experiment::{Options, run};
    use super::super::mix::Mix;
    use super::*;

    #[test]
    fn every_row_of_every_mix_has_its_place() {
        let options = Options { mixes: Mix::built_in(), jobs: 200, seeds: 2, ..Options::default() };
        let report = run(&options).unwrap();
        let text = render(&report);
        for heading in ["bimodal at 2 ×", "flood at 1 ×", "long p99", "fairness", "late", "grows"]
        {
            assert!(text.contains(heading), "{heading}: {text}");
        }
        let rows: usize =
            report.mixes.iter().flat_map(|mix| &mix.loads).map(|l| l.findings.len()).sum();
        let steady =
            text.lines().filter(|line| line.ends_with("steady") || line.ends_with("grows"));
        assert_eq!(steady.count(), rows);
    }
}
