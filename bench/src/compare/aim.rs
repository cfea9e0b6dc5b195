//! What is aimed at, and whether it was reached.
//!
//! A figure is believed only as far as its interval goes: an aim within the interval is neither met nor missed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::finding::Spread;

/// A figure of one entrant, perhaps against another. Entrants are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Processor time per request, as a part of another's.
    CpuRatio {
        /// Whose.
        of: String,
        /// The other's.
        to: String,
    },
    /// Processor time per request above another's, in nanoseconds.
    CpuAbove {
        /// Whose.
        of: String,
        /// The other's.
        to: String,
    },
    /// Median latency, as a part of another's.
    MedianRatio {
        /// Whose.
        of: String,
        /// The other's.
        to: String,
    },
    /// System calls per request.
    SystemCalls {
        /// Whose.
        of: String,
    },
    /// Memory held, in MiB.
    ResidentMib {
        /// Whose.
        of: String,
    },
}

/// A figure and the most that it is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Aim {
    /// The figure.
    pub measure: Measure,
    /// The most that it is to be.
    pub most: f64,
    /// Whether it is met too where chance alone may explain that the figure is above.
    pub allows_noise: bool,
}

/// Whether an aim was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is within.
    Met,
    /// The whole interval is beyond.
    Missed,
    /// Part of it, or too little was measured.
    Unsure,
}

impl Aim {
    /// `measure` is to be `most` at most.
    #[must_use]
    pub fn at_most(most: f64, measure: Measure) -> Self {
        Self { measure, most, allows_noise: false }
    }

    /// `measure`, a ratio, is not to be above 1 by more than noise.
    #[must_use]
    pub fn no_worse(measure: Measure) -> Self {
        Self { measure, most: 1.0, allows_noise: true }
    }

    /// Judges what was found.
    #[must_use]
    pub fn judge(&self, found: Option<&Spread>) -> Verdict {
        let Some(Spread { low, high, .. }) = found else { return Verdict::Unsure };
        if *high <= self.most || (self.allows_noise && *low <= self.most) {
            Verdict::Met
        } else if *low > self.most {
            Verdict::Missed
        } else {
            Verdict::Unsure
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CpuRatio { of, to } => write!(formatter, "CPU of {of} / {to}"),
            Self::CpuAbove { of, to } => write!(formatter, "CPU of {of} above {to}, ns"),
            Self::MedianRatio { of, to } => write!(formatter, "p50 of {of} / {to}"),
            Self::SystemCalls { of } => write!(formatter, "system calls of {of}"),
            Self::ResidentMib { of } => write!(formatter, "memory of {of}, MiB"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Unsure => "unsure",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_within_the_interval_is_neither_met_nor_missed() {
        let measure = Measure::SystemCalls { of: "ring".into() };
        let strict = Aim::at_most(1.0, measure.clone());
        let lenient = Aim::no_worse(measure);
        let check = |low, high, expected: [Verdict; 2]| {
            let spread = Spread { median: f64::midpoint(low, high), low, high };
            assert_eq!([&strict, &lenient].map(|aim| aim.judge(Some(&spread))), expected);
        };
        check(0.8, 1.0, [Verdict::Met, Verdict::Met]);
        check(0.9, 1.1, [Verdict::Unsure, Verdict::Met]);
        check(1.01, 1.1, [Verdict::Missed, Verdict::Missed]);
        assert_eq!(lenient.judge(None), Verdict::Unsure);
    }
}
