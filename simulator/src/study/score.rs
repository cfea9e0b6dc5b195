//! The published score: every algorithm gets one to five points for each of five figures.
//!
//! Scored is not the mean but a "reasonably bad run", mean plus one standard deviation over the runs, as an
//! operator lives with the bad days. Points are by quintile among the algorithms compared, so a score means
//! nothing outside its table.

use super::csv::NamedRun;
use super::numeric::{deviation, mean, quantile};
use super::summary::METRICS;

/// The figures that are scored, in the order of the table's columns.
pub const SCORED: [&str; 5] = [
    "mean_latency",
    "stdev_latency",
    "p99.0_latency",
    "mean_stdev_utilization",
    "stdev_utilization",
];

/// How finely figures are graded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Grading {
    /// Quintiles: 1 (very bad) to 5 (very good).
    #[default]
    Five,
    /// Septiles, as in revision 2: 1 (apocalyptic) to 7 (best).
    Seven,
}

impl Grading {
    /// The best grade.
    #[must_use]
    pub const fn best(self) -> u32 {
        match self {
            Self::Five => 5,
            Self::Seven => 7,
        }
    }

    /// What a grade is called.
    #[must_use]
    pub fn label(self, grade: u32) -> &'static str {
        const FIVE: [&str; 5] = ["very bad", "bad", "ok", "good", "very good"];
        const SEVEN: [&str; 7] =
            ["apocalyptic", "very bad", "bad", "negligible", "good", "very good", "best"];
        let labels: &[&str] = match self {
            Self::Five => &FIVE,
            Self::Seven => &SEVEN,
        };
        labels.get(grade as usize - 1).copied().unwrap_or("")
    }
}

/// One figure of an algorithm over its runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverRuns {
    /// The mean.
    pub mean: f64,
    /// The sample deviation; zero for a single run.
    pub deviation: f64,
    /// The largest value.
    pub worst: f64,
    /// The number of runs.
    pub runs: usize,
}

impl OverRuns {
    /// The figure over `values`.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let spread = deviation(values);
        Self {
            mean: mean(values),
            deviation: if spread.is_nan() { 0.0 } else { spread },
            worst: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            runs: values.len(),
        }
    }

    /// Mean plus one deviation.
    #[must_use]
    pub fn reasonably_bad(&self) -> f64 {
        self.mean + self.deviation
    }

    /// Half the width of a 95 % confidence interval of the mean.
    #[must_use]
    pub fn half_interval(&self) -> f64 {
        super::numeric::student_95(self.runs) * self.deviation / (self.runs as f64).sqrt()
    }
}

/// An algorithm with its figures and grades.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Its name.
    pub algorithm: String,
    /// All thirteen figures, in the order of [`METRICS`].
    pub figures: [OverRuns; METRICS.len()],
    /// The grades, in the order of [`SCORED`].
    pub grades: [u32; SCORED.len()],
    /// The sum of the grades.
    pub total: u32,
}

/// Groups runs by algorithm in order of first appearance.
#[must_use]
pub fn by_algorithm(runs: &[NamedRun]) -> Vec<(String, Vec<&NamedRun>)> {
    let mut groups: Vec<(String, Vec<&NamedRun>)> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|(name, _)| *name == run.algorithm) {
            Some((_, group)) => group.push(run),
            None => groups.push((run.algorithm.clone(), vec![run])),
        }
    }
    groups
}

/// Scores `runs`, best total first, equal totals in order of first appearance.
#[must_use]
pub fn score(runs: &[NamedRun], grading: Grading) -> Vec<Scored> {
    let mut table: Vec<Scored> = by_algorithm(runs)
        .into_iter()
        .map(|(algorithm, runs)| {
            let figures = std::array::from_fn(|metric| {
                let values: Vec<f64> = runs.iter().map(|run| run.summary.values[metric]).collect();
                OverRuns::of(&values)
            });
            Scored { algorithm, figures, grades: [0; SCORED.len()], total: 0 }
        })
        .collect();
    for (place, name) in SCORED.iter().enumerate() {
        let metric = METRICS.iter().position(|metric| metric == name).unwrap_or(0);
        let bad: Vec<f64> = table.iter().map(|row| row.figures[metric].reasonably_bad()).collect();
        for (row, grade) in table.iter_mut().zip(grades(&bad, grading)) {
            row.grades[place] = grade;
            row.total += grade;
        }
    }
    table.sort_by_key(|row| std::cmp::Reverse(row.total));
    table
}

/// Grades `values`, lowest best, by their quantiles. Bins are closed on the right.
fn grades(values: &[f64], grading: Grading) -> Vec<u32> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let bins = grading.best();
    let edges: Vec<f64> =
        (1..bins).map(|bin| quantile(&sorted, f64::from(bin) / f64::from(bins))).collect();
    let grade = |value: &f64| {
        let worse_than = (0..).zip(&edges).filter(|(_, edge)| *value > **edge).count();
        // What has no figure gets no credit.
        if value.is_nan() { 1 } else { bins - u32::try_from(worse_than).unwrap_or(bins - 1) }
    };
    values.iter().map(grade).collect()
}

#[cfg(test)]
mod tests {
    use super::super::csv::read_runs;
    use super::super::summary::Summary;
    use super::*;

    fn run(algorithm: &str, value: f64) -> NamedRun {
        NamedRun { algorithm: algorithm.to_owned(), summary: Summary { values: [value; 13] } }
    }

    #[test]
    fn bins_are_closed_on_the_right() {
        // With six values the 20 % quantile is the second lowest, which still belongs to the best bin.
        assert_eq!(grades(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Grading::Five), [5, 5, 4, 3, 2, 1]);
        assert_eq!(grades(&[7.0; 4], Grading::Five), [5; 4]);
        assert_eq!(
            grades(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], Grading::Seven),
            [7, 7, 6, 5, 4, 3, 2, 1]
        );
    }

    #[test]
    fn a_bad_day_counts() {
        let steady = [run("steady", 10.0), run("steady", 10.0)];
        let moody = [run("moody", 5.0), run("moody", 14.0)];
        let table = score(&[steady, moody].concat(), Grading::Five);
        assert_eq!(table[0].algorithm, "steady");
        assert!((table[1].figures[0].reasonably_bad() - 15.863_961).abs() < 1e-6);
    }

    #[test]
    fn the_reference_runs_have_their_published_means() {
        let runs = read_runs(include_str!("../../reference/v1_runs.csv")).unwrap();
        let table = score(&runs, Grading::Five);
        assert_eq!(table.len(), 23);
        let find = |name: &str| table.iter().find(|row| row.algorithm == name).unwrap();
        let check = |name: &str, runs: usize, mean: f64, deviation: f64| {
            let latency = find(name).figures[0];
            assert_eq!(latency.runs, runs);
            assert!((latency.mean - mean).abs() < 0.005, "{name}: {}", latency.mean);
            assert!((latency.deviation - deviation).abs() < 0.005, "{name}: {}", latency.deviation);
        };
        check("Random", 7, 16.66, 3.06);
        check("RoundRobin", 6, 19.81, 4.17);
        check("ClientMetricsHcl", 6, 8.82, 0.57);
        let spread = find("CheatPidControlledUtilization").figures[7];
        assert!((spread.mean - 10.71).abs() < 0.005, "{}", spread.mean);
    }
}
