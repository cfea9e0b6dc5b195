//! What this system has to offer a server, and what stands in its way: asked without serving anything.
//!
//! [`examine`] reads what the system says of itself ([`facts`]), tries what of io_uring there is, and judges
//! ([`judgement`]). Judging is pure: the same facts give the same findings. `linux-only.md` has the same tables, and
//! a test compares them.

mod checks;
mod facts;
mod features;
mod judgement;
mod pauses;

pub use checks::Check;
pub use features::Feature;

use self::facts::Facts;

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and would work better otherwise.
    Warn,
    /// A server does not run as it should: the engine `ring` does not start, or hardly anybody can connect.
    Fail,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What was found, and what that means where it is not as it should be.
    pub found: String,
    /// The command or setting that mends it. None where all is well or nothing can be done from here.
    pub mend: Option<String>,
}

/// Looks at everything, which keeps the CPUs busy for a third of a second, for a server on `cpus`; on none named, for one that may use all CPUs of this process.
#[must_use]
pub fn examine(cpus: &[usize]) -> Vec<Finding> {
    judgement::judge(&Facts::read(cpus))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table of `document` that has `head` for its first row, cells without their quotes.
    fn table<'a>(document: &'a str, head: &str) -> Vec<Vec<&'a str>> {
        let lines = document.lines().skip_while(|line| *line != head).skip(2);
        let rows = lines.take_while(|line| line.starts_with('|'));
        rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
    }

    #[test]
    fn the_document_has_the_same_tables() {
        let document = include_str!("../../../linux-only.md");
        let features: Vec<Vec<String>> =
            table(document, "| feature of io_uring | since | what for | without it |")
                .iter()
                .map(|row| {
                    vec![row[0].replace('`', ""), row[1].into(), row[2].into(), row[3].into()]
                })
                .collect();
        let expected: Vec<Vec<String>> = Feature::ALL
            .iter()
            .map(|it| {
                [it.name(), it.since(), it.purpose(), it.without()].map(String::from).to_vec()
            })
            .collect();
        assert_eq!(features, expected);
        let checks: Vec<Vec<String>> = table(document, "| looked at | trouble | mended by |")
            .iter()
            .map(|row| vec![row[0].replace('`', ""), row[1].into(), row[2].replace('`', "")])
            .collect();
        let expected: Vec<Vec<String>> = Check::ALL
            .iter()
            .map(|it| [it.name(), it.trouble(), it.mend()].map(String::from).to_vec())
            .collect();
        assert_eq!(checks, expected);
    }

    #[test]
    fn this_system_is_examined_and_nothing_is_left_out() {
        let findings = examine(&[]);
        for check in Check::ALL {
            assert!(findings.iter().any(|finding| finding.name == check.name()), "{check:?}");
        }
        for finding in &findings {
            assert!(!finding.found.is_empty() && !finding.found.contains('\n'), "{finding:?}");
        }
    }
}
