//! `ringyard doctor`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use ringyard_runtime::doctor::{self, Finding, Verdict};
use serde::Serialize;

use crate::serve::{CommandError, Cores, parse_cores};

/// Say what this system has to offer a server, what stands in its way, and what mends it.
///
/// One line for each thing looked at: the kernel and each feature of io_uring in use, what forbids it, limits, CPUs,
/// the network's settings. Nothing is changed and nothing is served. The exit status is 1 if anything fails.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ringyard doctor --cores 0-1\n\
linux-only.md says more about each line.")]
pub(crate) struct DoctorArgs {
    /// CPUs to serve on: `0`, `0,2-3`, or `all`. Without it: all that this process may use
    #[arg(long, value_name = "LIST", env = "RINGYARD_CORES", value_parser = parse_cores)]
    cores: Option<Cores>,

    /// Print JSON instead, for programs
    #[arg(long)]
    json: bool,
}

/// A finding as programs read it.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    verdict: &'static str,
    found: &'a str,
    mend: Option<&'a str>,
}

#[derive(Serialize)]
struct Report<'a> {
    verdict: &'static str,
    findings: Vec<Entry<'a>>,
}

pub(crate) fn run(arguments: &DoctorArgs) -> Result<ExitCode, CommandError> {
    let cpus = arguments.cores.as_ref().map_or(&[][..], |cores| &cores.0);
    let findings = doctor::examine(cpus);
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report(&findings))?)?;
    } else {
        write_lines(&findings, &mut out)?;
    }
    out.flush()?;
    let failed = worst(&findings) == Verdict::Fail;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
}

fn report(findings: &[Finding]) -> Report<'_> {
    Report { verdict: worst(findings).name(), findings: findings.iter().map(entry).collect() }
}

fn entry(finding: &Finding) -> Entry<'_> {
    let Finding { name, verdict, found, mend } = finding;
    Entry { name, verdict: verdict.name(), found, mend: mend.as_deref() }
}

fn write_lines(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    for Finding { name, verdict, found, mend } in findings {
        write!(out, "{:4}  {name:width$}  {found}", verdict.name())?;
        match mend {
            Some(mend) => writeln!(out, "; mended by: {mend}")?,
            None => writeln!(out)?,
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    writeln!(
        out,
        "{} ok, {} to be warned of, {} failed",
        count(Verdict::Ok),
        count(Verdict::Warn),
        count(Verdict::Fail)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(verdict: Verdict, mend: Option<&str>) -> Finding {
        let mend = mend.map(String::from);
        Finding { name: "clock", verdict, found: String::from("hpet"), mend }
    }

    #[test]
    fn a_finding_is_one_line_with_what_mends_it() {
        let findings = [finding(Verdict::Ok, None), finding(Verdict::Warn, Some("a better one"))];
        let mut out = Vec::new();
        write_lines(&findings, &mut out).unwrap();
        let expected = "ok    clock  hpet\n\
            warn  clock  hpet; mended by: a better one\n\
            1 ok, 1 to be warned of, 0 failed\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn the_worst_finding_decides() {
        let findings = [Verdict::Warn, Verdict::Ok, Verdict::Fail].map(|it| finding(it, None));
        assert_eq!(worst(&findings), Verdict::Fail);
        assert_eq!(worst(&findings[..2]), Verdict::Warn);
        assert_eq!(worst(&[]), Verdict::Ok);
        assert_eq!(report(&findings).verdict, "fail");
    }
}
