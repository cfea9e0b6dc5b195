//! Objectives such as `p99<5ms,errors<0.1%`: read from text, and held against what was measured.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::report::LoadReport;

/// A list of objectives, all of which must be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo(Vec<Objective>);

/// One objective.
#[derive(Clone, Debug, PartialEq)]
enum Objective {
    /// A quantile of the corrected latency stays below a duration.
    Quantile { share: f64, below: Duration, text: String },
    /// The mean of the corrected latency does.
    Mean { below: Duration, text: String },
    /// The part of all requests that were not answered well stays below a bound.
    Errors { below: f64, text: String },
    /// Throughput stays above a rate.
    Rate { above: f64, text: String },
}

/// Why a text is no objective.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no objective; write for example p99<5ms, mean<1.5ms, errors<0.1% or rate>1000, with commas between"
)]
pub struct SloError(String);

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        text.split(',').map(|part| objective(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn objective(part: &str) -> Result<Objective, SloError> {
    let fail = || SloError(part.to_owned());
    let text = part.to_owned();
    if let Some((name, bound)) = part.split_once('>') {
        let above = bound.trim().parse::<f64>().ok().filter(|rate| rate.is_finite());
        return match (name.trim(), above) {
            ("rate", Some(above)) => Ok(Objective::Rate { above, text }),
            _ => Err(fail()),
        };
    }
    let (name, bound) = part.split_once('<').ok_or_else(fail)?;
    let (name, bound) = (name.trim(), bound.trim());
    match name {
        "errors" => {
            let percent = bound.strip_suffix('%').and_then(|number| number.trim().parse().ok());
            let share = percent.map(|percent: f64| percent / 100.0).or_else(|| bound.parse().ok());
            let below = share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(fail)?;
            Ok(Objective::Errors { below, text })
        }
        "mean" => Ok(Objective::Mean { below: duration(bound).ok_or_else(fail)?, text }),
        "max" => {
            Ok(Objective::Quantile { share: 1.0, below: duration(bound).ok_or_else(fail)?, text })
        }
        _ => {
            let percent = name.strip_prefix('p').and_then(|number| number.parse::<f64>().ok());
            let share = percent.filter(|percent| (0.0..=100.0).contains(percent));
            let share = share.ok_or_else(fail)? / 100.0;
            Ok(Objective::Quantile { share, below: duration(bound).ok_or_else(fail)?, text })
        }
    }
}

/// A duration with its unit: `100us`, `1.5ms`, `2s`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (number, unit) = text.split_at(end);
    let scale = match unit.trim() {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()
}

/// As it was written.
impl fmt::Display for Slo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.0.iter().map(Objective::text).collect();
        formatter.write_str(&texts.join(", "))
    }
}

impl Slo {
    /// The objectives that `report` misses, with what was measured.
    #[must_use]
    pub fn missed(&self, report: &LoadReport) -> Vec<String> {
        self.0.iter().filter_map(|objective| objective.missed(report)).collect()
    }
}

impl Objective {
    fn text(&self) -> &str {
        match self {
            Self::Quantile { text, .. }
            | Self::Mean { text, .. }
            | Self::Errors { text, .. }
            | Self::Rate { text, .. } => text,
        }
    }

    fn missed(&self, report: &LoadReport) -> Option<String> {
        let miss = |text: &str, found: String| Some(format!("{text}: it was {found}"));
        match self {
            Self::Quantile { share, below, text } => {
                let found = report.quantile(*share);
                (found >= *below).then(|| miss(text, format!("{found:?}")))?
            }
            Self::Mean { below, text } => {
                let found = Duration::from_secs_f64(report.latency.corrected.mean_ms / 1e3);
                (found >= *below).then(|| miss(text, format!("{found:?}")))?
            }
            Self::Errors { below, text } => {
                let found = report.error_rate;
                let too_many = found > *below || (found == *below && found > 0.0);
                too_many.then(|| miss(text, format!("{:.3} %", found * 100.0)))?
            }
            Self::Rate { above, text } => {
                let found = report.throughput_per_second;
                (found <= *above).then(|| miss(text, format!("{found:.1}/s")))?
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::example;

    #[test]
    fn durations_have_units() {
        let check = |text, expected| assert_eq!(duration(text), expected, "{text}");
        check("100us", Some(Duration::from_micros(100)));
        check("1.5ms", Some(Duration::from_micros(1_500)));
        check("2s", Some(Duration::from_secs(2)));
        check("2m", Some(Duration::from_secs(120)));
        check("2", None);
        check("ms", None);
        check("2 weeks", None);
    }

    #[test]
    fn objectives_are_read() {
        for text in
            ["p99<5ms", "p99.9 < 1s, errors<0.1%", "mean<1ms,max<2s", "rate>100", "errors<0.5"]
        {
            assert!(text.parse::<Slo>().is_ok(), "{text}");
        }
        for text in ["", "p99", "p101<5ms", "p99<5", "errors<200%", "rate<5", "foo<1ms", "p99>5ms"]
        {
            assert!(text.parse::<Slo>().is_err(), "{text}");
        }
    }

    #[test]
    fn objectives_are_shown_as_they_were_written() {
        let text = "p99 < 5ms, errors<0.1%";
        assert_eq!(text.parse::<Slo>().unwrap().to_string(), text);
    }

    #[test]
    fn what_is_missed_is_told_with_what_was_measured() {
        let mut report = example::report();
        report.error_rate = 0.002;
        let missed = |text: &str| text.parse::<Slo>().unwrap().missed(&report);
        assert_eq!(missed("p99<1h,mean<1h,errors<1%,rate>0.1"), Vec::<String>::new());
        assert_eq!(missed("errors<0.1%"), ["errors<0.1%: it was 0.200 %"]);
        assert_eq!(missed("p50<1ns, mean<1ns, max<1ns, rate>1e12").len(), 4);
    }

    #[test]
    fn no_error_at_all_keeps_an_objective_of_none() {
        let report = example::report();
        assert_eq!("errors<0%".parse::<Slo>().unwrap().missed(&report), Vec::<String>::new());
    }
}
