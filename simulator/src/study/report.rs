//! A study as one page: box plots, the score table, confidence intervals, and the pairs that are the same twice.
//!
//! The page holds everything it shows; it loads nothing.

use std::fmt::Write as _;

use super::csv::NamedRun;
use super::figure::{BoxRow, Chart, Content, FigureError, Scale};
use super::numeric::mean;
use super::scenario::Scenario;
use super::score::{Grading, OverRuns, SCORED, Scored, by_algorithm, score};
use super::summary::METRICS;

/// The figures that get a box plot: metric, title, scale.
const BOX_PLOTS: [(&str, &str, Scale); 6] = [
    ("mean_latency", "Mean latency (ticks)", Scale::Linear),
    ("stdev_latency", "Standard deviation of latency (ticks)", Scale::Linear),
    ("p99.0_latency", "99th percentile of latency (ticks)", Scale::Logarithmic),
    ("mean_utilization", "Mean utilisation (percent)", Scale::Linear),
    (
        "mean_stdev_utilization",
        "Spread of a server's utilisation over time (points)",
        Scale::Linear,
    ),
    ("stdev_utilization", "Spread of utilisation over servers (points)", Scale::Linear),
];

/// What a study came to, to be shown.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was run.
    pub scenarios: &'a [Scenario],
    /// The runs.
    pub runs: &'a [NamedRun],
    /// How scores are graded.
    pub grading: Grading,
    /// The seed.
    pub seed: u64,
    /// How fast it was, in words.
    pub speed: &'a str,
}

impl Report<'_> {
    /// The six box plots with file names for them.
    #[must_use]
    pub fn charts(&self) -> Vec<(String, Chart)> {
        let groups = by_algorithm(self.runs);
        BOX_PLOTS
            .iter()
            .map(|(metric, title, scale)| {
                let mut rows: Vec<BoxRow> = groups
                    .iter()
                    .map(|(name, runs)| BoxRow {
                        name: name.clone(),
                        values: runs.iter().map(|run| run.summary.get(metric)).collect(),
                    })
                    .collect();
                rows.sort_by(|a, b| mean(&b.values).total_cmp(&mean(&a.values)));
                let chart = Chart {
                    title: (*title).to_owned(),
                    x_label: (*title).to_owned(),
                    y_label: String::new(),
                    content: Content::Boxes(rows, *scale),
                };
                (format!("{metric}.png"), chart)
            })
            .collect()
    }

    /// The page.
    ///
    /// # Errors
    /// If a chart cannot be drawn.
    pub fn to_html(&self) -> Result<String, FigureError> {
        let table = score(self.runs, self.grading);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>Load-balancing study</title>\n\
             <style>{STYLE}</style></head><body>\n<h1>Load-balancing study</h1>\n\
             <p>{} scenarios, {} runs, seed {}. {}</p>\n",
            table.len(),
            self.runs.len(),
            self.seed,
            escaped(self.speed),
        );
        self.write_scores(&table, &mut page);
        self.write_pairs(&table, &mut page);
        write_intervals(&table, &mut page);
        page.push_str(
            "<h2>Runs</h2>\n<p>A thick bar spans the middle half of the runs, a thin one the middle 90 %; the large dot \
             is the median, the small ones are runs.</p>\n",
        );
        for (_, chart) in self.charts() {
            page.push_str(&chart.to_svg()?);
            page.push('\n');
        }
        page.push_str("</body></html>\n");
        Ok(page)
    }

    fn write_scores(&self, table: &[Scored], page: &mut String) {
        page.push_str(
            "<h2>Score</h2>\n<p>Graded by quantile among these scenarios is a reasonably bad run: mean plus one standard \
             deviation over the runs. A mark shows scenarios that are the same experiment twice.</p>\n<div class=\"wide\">\
             <table><tr><th>algorithm</th>",
        );
        for name in SCORED {
            let _ = write!(page, "<th>{}</th>", name.replace('_', " "));
        }
        page.push_str("<th>total</th></tr>\n");
        let pairs = self.pairs();
        for row in table {
            let mark = pairs.iter().position(|pair| pair.contains(&row.algorithm.as_str()));
            let mark = mark.map_or(String::new(), |pair| format!(" <b>A/A {}</b>", pair + 1));
            let _ = write!(page, "<tr><td>{}{mark}</td>", escaped(&row.algorithm));
            for grade in row.grades {
                let label = self.grading.label(grade);
                let _ = write!(page, "<td{}>{label}</td>", shade(grade, self.grading.best()));
            }
            let best = SCORED.map(|_| self.grading.best()).iter().sum();
            let _ = writeln!(page, "<td{}>{}</td></tr>", shade(row.total, best), row.total);
        }
        page.push_str("</table></div>\n");
    }

    /// Scenarios that differ in nothing but their name.
    fn pairs(&self) -> Vec<[&str; 2]> {
        let same = |a: &Scenario, b: &Scenario| {
            a.picker == b.picker
                && a.probes_per_request == b.probes_per_request
                && a.choose_from == b.choose_from
                && a.world == b.world
        };
        let mut pairs = Vec::new();
        for (index, first) in self.scenarios.iter().enumerate() {
            for second in &self.scenarios[index + 1..] {
                if same(first, second) {
                    pairs.push([first.name.as_str(), second.name.as_str()]);
                }
            }
        }
        pairs
    }

    fn write_pairs(&self, table: &[Scored], page: &mut String) {
        let pairs = self.pairs();
        if pairs.is_empty() {
            return;
        }
        page.push_str(
            "<h2>A/A pairs</h2>\n<p>What separates these is noise, so no smaller difference in this study means \
             anything.</p>\n<div class=\"wide\"><table><tr><th>pair</th><th>mean latency</th>\
             <th>difference in standard errors</th></tr>\n",
        );
        for (index, pair) in pairs.iter().enumerate() {
            let latency = |name: &str| {
                table.iter().find(|row| row.algorithm == name).map(|row| row.figures[0])
            };
            let [Some(first), Some(second)] = pair.map(latency) else { continue };
            let error = |figure: &OverRuns| figure.deviation.powi(2) / figure.runs as f64;
            let apart = (first.mean - second.mean) / (error(&first) + error(&second)).sqrt();
            let _ = writeln!(
                page,
                "<tr><td>A/A {}: {} and {}</td><td>{:.2} and {:.2}</td><td>{apart:.2}</td></tr>",
                index + 1,
                escaped(pair[0]),
                escaped(pair[1]),
                first.mean,
                second.mean,
            );
        }
        page.push_str("</table></div>\n");
    }
}

fn write_intervals(table: &[Scored], page: &mut String) {
    page.push_str(
        "<h2>Figures</h2>\n<p>Mean over the runs and its 95 % confidence interval.</p>\n<div class=\"wide\"><table><tr>\
         <th>algorithm</th><th>runs</th>",
    );
    const SHOWN: usize = 9;
    for name in &METRICS[..SHOWN] {
        let _ = write!(page, "<th>{}</th>", name.replace('_', " "));
    }
    page.push_str("</tr>\n");
    for row in table {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td>",
            escaped(&row.algorithm),
            row.figures[0].runs
        );
        for figure in &row.figures[..SHOWN] {
            let half = figure.half_interval();
            let half = if half.is_nan() { String::new() } else { format!(" ± {half:.2}") };
            let _ = write!(page, "<td>{:.2}{half}</td>", figure.mean);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

/// A cell's colours, the higher the bluer. They are opaque, so that they read the same on a light and a dark page.
fn shade(grade: u32, best: u32) -> String {
    const PALE: [f64; 3] = [247.0, 251.0, 255.0];
    const DEEP: [f64; 3] = [8.0, 48.0, 107.0];
    let share = (f64::from(grade) / f64::from(best)).clamp(0.0, 1.0).powi(2);
    let [red, green, blue]: [f64; 3] =
        std::array::from_fn(|part| PALE[part] + share * (DEEP[part] - PALE[part]));
    let text = if share > 0.4 { "#fff" } else { "#111" };
    format!(" style=\"background:rgb({red:.0},{green:.0},{blue:.0});color:{text}\"")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Charts are drawn dark on white; a dark page turns them round, keeping their hues.
const STYLE: &str = ":root{color-scheme:light dark;--page:#fff;--ink:#1c2430;--rule:#d8dde5}\
    @media(prefers-color-scheme:dark){:root{--page:#14181f;--ink:#dfe4ec;--rule:#39414e}\
    svg{filter:invert(1) hue-rotate(180deg)}}\
    body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;padding:0 1em;max-width:1180px;\
    background:var(--page);color:var(--ink)}\
    h1,h2{line-height:1.2;margin:1.6em 0 .4em}h1{margin-top:0}\
    .wide{overflow-x:auto}\
    table{border-collapse:collapse;margin:1em 0;font-size:12px;font-variant-numeric:tabular-nums}\
    td,th{padding:3px 8px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}\
    th{vertical-align:bottom}td:first-child,th:first-child{text-align:left}\
    svg{display:block;margin:1em 0;max-width:100%;height:auto;border-radius:6px}";

#[cfg(test)]
mod tests {
    use super::super::catalogue::built_in;
    use super::super::profile::Profile;
    use super::super::summary::Summary;
    use super::*;

    #[test]
    fn the_page_shows_every_scenario_and_marks_the_pairs() {
        let scenarios = built_in(Profile::V1).unwrap();
        let run = |(index, scenario): (usize, &Scenario)| NamedRun {
            algorithm: scenario.name.clone(),
            summary: Summary { values: [index as f64 + 1.0; 13] },
        };
        let runs: Vec<NamedRun> =
            scenarios.iter().enumerate().chain(scenarios.iter().enumerate()).map(run).collect();
        let report = Report {
            scenarios: &scenarios,
            runs: &runs,
            grading: Grading::Five,
            seed: 1,
            speed: "1 < 2",
        };
        assert_eq!(report.pairs().len(), 3);
        let page = report.to_html().unwrap();
        assert_eq!(page.matches("<svg").count(), 6);
        assert_eq!(page.matches("<b>A/A").count(), 6);
        assert!(page.contains("1 &lt; 2") && !page.contains("http-equiv"));
        for scenario in &scenarios {
            assert!(page.contains(&scenario.name), "{}", scenario.name);
        }
    }
}
