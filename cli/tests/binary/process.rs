//! A server of ours in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A server, killed when the test is over.
pub(crate) struct Process {
    child: Child,
    /// What it printed when it began to serve.
    pub(crate) line: String,
    pub(crate) address: SocketAddr,
    /// What it says on standard error, where that is listened to.
    errors: Option<BufReader<ChildStderr>>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::launch(arguments, Stdio::inherit())
    }

    /// As [`Process::start`]; [`Process::next_error`] has what it says on standard error.
    pub(crate) fn start_heard(arguments: &[&str]) -> Self {
        Self::launch(arguments, Stdio::piped())
    }

    fn launch(arguments: &[&str], errors: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ringyard"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("its output is piped");
        BufReader::new(out).read_line(&mut line).expect("it prints a line");
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("no address in {line:?}"));
        let errors = child.stderr.take().map(BufReader::new);
        Self { child, line, address, errors }
    }

    /// The next message on standard error, once it ends in `end`.
    pub(crate) fn next_error(&mut self, end: &str) -> String {
        let errors = self.errors.as_mut().expect("standard error is listened to");
        let mut message = String::new();
        while !message.trim_end().ends_with(end) {
            let count = errors.read_line(&mut message).expect("text");
            assert!(count > 0, "it ended after {message:?}");
        }
        message
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Memory that the process holds, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("the process is there");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
        line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a number")
    }

    /// CPU time that all threads of the process have had.
    pub(crate) fn cpu_time(&self) -> Duration {
        let path = format!("/proc/{}/task", self.child.id());
        fs::read_dir(path)
            .expect("the process is there")
            .map(|task| {
                let path = task.expect("a thread").path().join("schedstat");
                let text = fs::read_to_string(path).expect("a figure");
                let first = text.split(' ').next().and_then(|figure| figure.parse().ok());
                Duration::from_nanos(first.expect("nanoseconds"))
            })
            .sum()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("the process can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; that is what both calls then say.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
