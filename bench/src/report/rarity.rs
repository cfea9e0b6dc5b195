//! The chart of how long requests took against how rare such a request is: each step to the right is ten times rarer.

use std::time::Duration;

use super::chart::{Chart, Marks, Scale, Series, Size};
use crate::statistics::{as_real, milliseconds};

/// The chart of what [`series`] makes.
#[must_use]
pub fn chart(series: Vec<Series>) -> Chart {
    Chart {
        size: Size::Wide,
        x_title: "one request in so many takes longer",
        x_scale: Scale::Logarithmic,
        x_reach: [0.0; 2],
        y_title: "milliseconds",
        y_scale: Scale::Logarithmic,
        y_reach: [0.0; 2],
        series,
    }
}

/// The line of what was `recorded`: nanoseconds and how often, the shortest first.
#[must_use]
pub fn series(name: &str, colour: usize, recorded: &[(u64, u64)]) -> Series {
    Series { name: name.to_owned(), colour, marks: Marks::Line, points: points(recorded) }
}

/// The share of requests that take longer than each latency, as one in so many, and the latency.
fn points(recorded: &[(u64, u64)]) -> Vec<(f64, f64)> {
    let total: u64 = recorded.iter().map(|(_, count)| count).sum();
    let mut below = 0;
    let mut points = Vec::new();
    for &(nanoseconds, count) in recorded {
        let rarity = as_real(total) / as_real(total - below);
        points.push((rarity, milliseconds(Duration::from_nanos(nanoseconds))));
        below += count;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rarity_rises_with_latency() {
        let points = points(&[(1_000_000, 90), (2_000_000, 9), (5_000_000, 1)]);
        let expected = [(1.0, 1.0), (10.0, 2.0), (100.0, 5.0)];
        for ((rarity, latency), expected) in points.into_iter().zip(expected) {
            assert!((rarity - expected.0).abs() < 1e-9 && (latency - expected.1).abs() < 1e-9);
        }
    }
}
