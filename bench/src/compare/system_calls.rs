//! System calls of a process while something goes on, as the kernel counts them.
//!
//! `perf stat` counts entries at a tracepoint, which slows nothing down noticeably. Where it is missing or not
//! permitted, a server's own counter on its metrics page must do, if it has one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::server::Server;

/// How long perf takes to attach itself.
const ATTACH: Duration = Duration::from_millis(150);

/// How often to ask perf to end.
const INTERRUPTS: u32 = 50;

/// How long it has to end before it is asked again.
const INTERRUPT_EVERY: Duration = Duration::from_millis(100);

/// How long to wait for a metrics page.
const ANSWER_MAX: Duration = Duration::from_secs(2);

const EVENT: &str = "raw_syscalls:sys_enter";
const COUNTER: &str = "ringyard_engine_system_calls_total";

/// The calls of `server` while `load` lasts, and the requests that it says were answered; `None` if nobody counts
/// calls.
pub(super) fn count<E>(
    server: &Server,
    load: impl FnOnce() -> Result<u64, E>,
) -> Result<Option<(u64, u64)>, E> {
    let pids: Vec<String> = server.pids().iter().map(u32::to_string).collect();
    let perf = Command::new("perf")
        .args(["stat", "-x,", "-e", EVENT, "-p", &pids.join(",")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let perf = perf.ok().and_then(|mut process| {
        thread::park_timeout(ATTACH);
        // It may have been refused, and be over already.
        matches!(process.try_wait(), Ok(None)).then_some(process)
    });
    // Perf, too, may be interrupted before it was ready, and then says nothing.
    let own_before = own_counter(server.address);
    let requests = load();
    let own_after = own_counter(server.address);
    let own = own_after.zip(own_before).map(|(after, before)| after.saturating_sub(before));
    let counted = perf.and_then(interrupt).and_then(|output| parse(&output));
    Ok(counted.or(own).zip(Some(requests?)))
}

/// Has perf report, and returns what it says; `None` if it does not within [`INTERRUPTS`]. An interrupt that comes
/// just before it goes to sleep is lost on it, so it gets several.
fn interrupt(mut process: Child) -> Option<String> {
    let pid = process.id().to_string();
    for _ in 0..INTERRUPTS {
        Command::new("kill").args(["-INT", &pid]).status().ok()?;
        thread::park_timeout(INTERRUPT_EVERY);
        if process.try_wait().ok()?.is_some() {
            let output = process.wait_with_output().ok()?;
            return Some(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    process.kill().ok()?;
    process.wait().ok()?;
    None
}

/// The count in `perf stat -x,`'s line for the event.
fn parse(output: &str) -> Option<u64> {
    let line = output.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.parse().ok()
}

/// The sum of all cores' counters.
fn own_counter(address: SocketAddr) -> Option<u64> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: ringyard\r\nconnection: close\r\n\r\n")
        .ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    sum(&page)
}

fn sum(page: &str) -> Option<u64> {
    let mut counts = page
        .lines()
        .filter(|line| line.starts_with(COUNTER))
        .filter_map(|line| line.split_whitespace().next_back()?.parse::<u64>().ok())
        .peekable();
    counts.peek()?;
    Some(counts.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfs_line_is_read() {
        assert_eq!(parse("29,,raw_syscalls:sys_enter,945208,100.00,,\n"), Some(29));
        assert_eq!(parse("<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
        assert_eq!(parse("event syntax error"), None);
    }

    #[test]
    fn the_counters_of_all_cores_are_added() {
        let page = "# TYPE ringyard_engine_system_calls_total counter\n\
                    ringyard_engine_system_calls_total{core=\"0\"} 3\n\
                    ringyard_engine_system_calls_total{core=\"1\"} 4\n";
        assert_eq!(sum(page), Some(7));
        assert_eq!(sum("other 3\n"), None);
    }
}
