//! A run as files that other tools read: JSON, CSV, and the two formats of HdrHistogram's own tools.
//!
//! The percentile distribution (`.hgrm`) holds milliseconds, and the interval log (`.hlog`) nanoseconds with its
//! `Interval_Max` column in milliseconds, as those tools expect.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;

use crate::load::report::{Interval, LoadReport};
use crate::statistics::Tally;

/// Nanoseconds in the unit in which people read these files.
const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// The report as JSON; [`crate::load::report`] documents the fields.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn write_json(report: &LoadReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// The intervals as a table of comma-separated values.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn write_csv(intervals: &[Interval], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "end_s,length_s,answered,throughput_per_second,errors,mean_ms,p50_ms,p90_ms,p99_ms,p999_ms,max_ms,slip_p99_ms,bytes_received"
    )?;
    for interval in intervals {
        let Interval { end_s, length_s, answered, errors, mean_ms, p50_ms, .. } = interval;
        let Interval { p90_ms, p99_ms, p999_ms, max_ms, slip_p99_ms, bytes_received, .. } =
            interval;
        let rate = interval.throughput_per_second();
        writeln!(
            out,
            "{end_s},{length_s},{answered},{rate:.3},{errors},{mean_ms},{p50_ms},{p90_ms},{p99_ms},{p999_ms},{max_ms},{slip_p99_ms},{bytes_received}"
        )?;
    }
    Ok(())
}

/// The corrected latencies as a percentile distribution, as HdrHistogram's plotter reads it.
#[must_use]
pub fn percentile_distribution(report: &LoadReport) -> String {
    /// Steps from one halving of the distance to 100 % to the next.
    const STEPS_PER_HALVING: u32 = 5;
    let mut tally = Tally::new();
    for (nanoseconds, count) in &report.histogram {
        tally.record_many(Duration::from_nanos(*nanoseconds), *count);
    }
    let histogram = tally.histogram();
    let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    let mut total = 0;
    for step in histogram.iter_quantiles(STEPS_PER_HALVING) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / NANOSECONDS_PER_MILLISECOND;
        let share = step.quantile_iterated_to();
        let _ = write!(text, "{value:12.6} {share:14.12} {total:10}");
        let _ = match share {
            share if share < 1.0 => writeln!(text, " {:14.2}", 1.0 / (1.0 - share)),
            _ => writeln!(text),
        };
    }
    let summary = &report.latency.corrected;
    let _ = writeln!(
        text,
        "#[Mean    = {:12.6}, StdDeviation   = {:12.6}]\n#[Max     = {:12.6}, Total count    = {:12}]",
        summary.mean_ms, summary.sd_ms, summary.max_ms, summary.count
    );
    let _ =
        writeln!(text, "#[Buckets = {:12}, SubBuckets     = {:12}]", histogram.buckets(), 2 * 1024);
    text
}

/// One interval for the interval log.
#[derive(Debug)]
pub struct LogEntry {
    /// When it began, since the start of the run.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
    /// Its corrected latencies in nanoseconds.
    pub histogram: Histogram<u64>,
}

/// Writes an interval log as the entries come. Ends with them.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn write_interval_log(
    target: &str,
    started_unix_seconds: u64,
    entries: impl IntoIterator<Item = LogEntry>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let started = UNIX_EPOCH + Duration::from_secs(started_unix_seconds);
    let mut serializer = V2DeflateSerializer::new();
    let mut out = out;
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("ringyard load {target}, latencies in nanoseconds"))
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(NANOSECONDS_PER_MILLISECOND)
        .begin_log_with(&mut out, &mut serializer)?;
    for LogEntry { start, length, histogram } in entries {
        log.write_histogram(&histogram, start, length, None)
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry as Parsed};

    use super::*;
    use crate::load::report::example;

    #[test]
    fn the_csv_has_a_line_for_each_interval() {
        let report = example::report();
        let mut out = Vec::new();
        write_csv(&report.intervals, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1 + report.intervals.len());
        let columns = |line: &str| line.split(',').count();
        assert!(text.lines().all(|line| columns(line) == columns(text.lines().next().unwrap())));
        assert!(text.lines().nth(1).unwrap().starts_with("1,1,500,500.000,0,"));
    }

    #[test]
    fn the_percentile_distribution_rises_to_all_requests() {
        let report = example::report();
        let text = percentile_distribution(&report);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .take_while(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        assert!(rows.len() > 20);
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1]));
        let last = rows.last().unwrap();
        assert_eq!((last[1], last[2]), (1.0, 5_000.0));
        let error = last[0] / report.latency.corrected.max_ms - 1.0;
        assert!(error.abs() < 0.002, "{error}");
    }

    #[test]
    fn the_interval_log_is_read_back_by_the_library() {
        let mut tally = Tally::new();
        tally.record(Duration::from_millis(3));
        let entry = |second| LogEntry {
            start: Duration::from_secs(second),
            length: Duration::from_secs(1),
            histogram: tally.histogram().clone(),
        };
        let mut out = Vec::new();
        write_interval_log("t", 1_700_000_000, (0..3).map(entry), &mut out).unwrap();
        let mut starts = Vec::new();
        for line in IntervalLogIterator::new(&out) {
            if let Ok(Parsed::Interval(interval)) = line {
                starts.push(interval.start_timestamp().as_secs());
                assert!((interval.max() - 3.0).abs() < 0.01);
                let bytes = decode_base64(interval.encoded_histogram());
                let histogram: Histogram<u64> =
                    Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
                assert_eq!(histogram, *tally.histogram());
            }
        }
        assert_eq!(starts, [0, 1, 2]);
    }

    fn decode_base64(text: &str) -> Vec<u8> {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bytes = Vec::new();
        let (mut bits, mut count) = (0_u32, 0);
        for letter in text.bytes().filter(|letter| *letter != b'=') {
            let value = ALPHABET.iter().position(|known| *known == letter).unwrap();
            bits = bits << 6 | u32::try_from(value).unwrap();
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
            }
        }
        bytes
    }
}
