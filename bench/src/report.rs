//! What a study leaves behind: a table for the terminal, and a directory with text, JSON, a picture and a page.
//!
//! The findings are made in [`study`](crate::study); here they are only shown.

pub mod html;
pub mod picture;
pub mod table;

pub mod chart;
pub mod page;
pub mod rarity;
pub mod rows;
pub mod units;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::analyze::words;
use crate::conductor::Study;
use picture::PictureError;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or directory cannot be written.
    #[error("cannot write {path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The picture cannot be drawn.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// Writes `summary.txt`, `summary.json`, `comparison.png` and `report.html` into `directory`, which is made if need be.
///
/// # Errors
///
/// [`ReportError`] names the file that could not be written.
pub fn write(directory: &Path, study: &Study) -> Result<(), ReportError> {
    let Study { summary, runs, .. } = study;
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |error| ReportError::Io { path, error }
    };
    let write = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        fs::write(&path, content).map_err(fail(&path))
    };
    fs::create_dir_all(directory).map_err(fail(directory))?;
    let text = format!("{}\n{}", table::full(summary), words::wrapped(summary));
    write("summary.txt", text.as_bytes())?;
    let mut document = serde_json::to_vec_pretty(summary).map_err(|error| ReportError::Io {
        path: directory.join("summary.json"),
        error: error.into(),
    })?;
    document.push(b'\n');
    write("summary.json", &document)?;
    write("report.html", html::render(study).as_bytes())?;
    picture::draw_png(&directory.join("comparison.png"), summary, runs)?;
    Ok(())
}

/// The name of a results directory for a run that began at `unix_seconds`: UTC, sorted by time.
#[must_use]
pub fn stamp(unix_seconds: u64) -> String {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}Z")
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Counted from the first of March of a year 0, so that the leap day ends the year: a month then begins
/// after `(153 m + 2) / 5` days, and 400 years have 146,097.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::StudySummary;

    fn study() -> Study {
        let (summary, runs) = picture::example::study();
        Study { summary, runs, left_under: "fcfs".into(), is_cut_short: false }
    }

    #[test]
    fn stamps_are_dates() {
        let check = |seconds, expected: &str| assert_eq!(stamp(seconds), expected);
        check(0, "1970-01-01T00-00-00Z");
        check(951_827_696, "2000-02-29T12-34-56Z");
        check(1_709_251_199, "2024-02-29T23-59-59Z");
        check(1_735_689_600, "2025-01-01T00-00-00Z");
        check(4_107_542_400, "2100-03-01T00-00-00Z");
    }

    #[test]
    fn a_report_is_complete_and_its_json_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("a").join("b");
        let study = study();
        write(&place, &study).unwrap();
        let json = fs::read(place.join("summary.json")).unwrap();
        assert_eq!(serde_json::from_slice::<StudySummary>(&json).unwrap(), study.summary);
        let text = fs::read_to_string(place.join("summary.txt")).unwrap();
        assert!(text.contains("beyond the time"), "{text}");
        assert!(fs::read_to_string(place.join("report.html")).unwrap().ends_with("</html>\n"));
        assert!(fs::read(place.join("comparison.png")).unwrap().starts_with(b"\x89PNG\r\n"));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = write(&file.path().join("x"), &study()).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.ends_with("(os error 20)"), "{error}");
    }
}
