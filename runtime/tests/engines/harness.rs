//! What all scenarios share: apps made of a closure, plans for loopback, clients that do not hang.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use ringyard_runtime::affinity;
use ringyard_runtime::app::{App, Commands, ConnId, Event, Now};
use ringyard_runtime::counters::CoreContext;
use ringyard_runtime::launch::launch;
use ringyard_runtime::limits::EngineLimits;
use ringyard_runtime::plan::{EngineChoice, EngineKind, Plan};
use ringyard_runtime::probe;
use ringyard_runtime::running::Running;

/// Longer than anything here takes; a test that reaches it hangs.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// What the apps of these tests mail one another.
pub(crate) type Note = u64;

/// An app that is one closure.
pub(crate) struct Scripted<F>(F);

impl<F: FnMut(Now, Event<'_, Note>, &mut Commands<Note>)> App for Scripted<F> {
    type Mail = Note;

    fn on_event(&mut self, now: Now, event: Event<'_, Note>, commands: &mut Commands<Note>) {
        (self.0)(now, event, commands);
    }
}

/// Makes an app of a closure.
pub(crate) fn scripted<F>(script: F) -> Scripted<F>
where
    F: FnMut(Now, Event<'_, Note>, &mut Commands<Note>),
{
    Scripted(script)
}

/// Runs a scenario on `ring`, or says why it cannot.
pub(crate) fn on_ring(scenario: fn(EngineKind)) {
    match probe::io_uring(&EngineLimits::default()) {
        Ok(()) => scenario(EngineKind::Ring),
        Err(reason) => eprintln!("not run: {reason}"),
    }
}

/// A plan for one unpinned core that listens on loopback.
pub(crate) fn plan(engine: EngineKind) -> Plan {
    Plan {
        engine: EngineChoice::Exactly(engine),
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        ..Plan::default()
    }
}

/// CPUs for `count` cores, the same one several times where there are too few.
pub(crate) fn cpus(count: usize) -> Vec<usize> {
    affinity::allowed().unwrap().into_iter().cycle().take(count).collect()
}

/// Launches an app per core, each a closure that `make` makes.
pub(crate) fn start<F>(
    plan: Plan,
    make: impl Fn(CoreContext) -> F + Send + Sync + 'static,
) -> Running
where
    F: FnMut(Now, Event<'_, Note>, &mut Commands<Note>) + 'static,
{
    launch(plan, move |context| scripted(make(context))).unwrap()
}

/// Launches an app that echoes, holds back its peer when it is congested, and drains when told.
pub(crate) fn start_echo(plan: Plan) -> Running {
    start(plan, |_| |_, event, commands| echo(event, commands))
}

/// What an echoing app does.
pub(crate) fn echo(event: Event<'_, Note>, commands: &mut Commands<Note>) {
    match event {
        Event::Received { conn, bytes } => commands.send(conn, bytes),
        Event::Congested { conn } => commands.pause(conn),
        Event::Drained { conn } => commands.resume(conn),
        Event::PeerClosed { conn } => commands.close(conn),
        Event::Drain => commands.finished(),
        _ => {}
    }
}

/// A client of `running` that gives up rather than hang.
pub(crate) fn connect(running: &Running) -> TcpStream {
    connect_to(running.addresses()[0])
}

/// A client of `address` that gives up rather than hang.
pub(crate) fn connect_to(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(HANG)).unwrap();
    client.set_write_timeout(Some(HANG)).unwrap();
    client
}

/// Sends `request` and reads an answer of `length` bytes.
pub(crate) fn ask(client: &mut TcpStream, request: &[u8], length: usize) -> Vec<u8> {
    client.write_all(request).unwrap();
    read(client, length)
}

/// Reads `length` bytes.
pub(crate) fn read(client: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut answer = vec![0; length];
    client.read_exact(&mut answer).unwrap();
    answer
}

/// Reads until the server ends the stream.
pub(crate) fn read_to_end(client: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    answer
}

/// Sends no more, and reads until the server ends the stream.
pub(crate) fn finish(client: &mut TcpStream) -> Vec<u8> {
    client.shutdown(Shutdown::Write).unwrap();
    read_to_end(client)
}

/// Waits until `is_so`; fails if it never is.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    const PAUSE: Duration = Duration::from_millis(5);
    let pauses = HANG.as_millis() / PAUSE.as_millis();
    for _ in 0..pauses {
        if is_so() {
            return;
        }
        pause(PAUSE);
    }
    panic!("never: {what}");
}

/// Lets time pass where there is nothing to wait for.
pub(crate) fn pause(time: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv_timeout(time);
}

/// Waits until no connection is open on any core.
pub(crate) fn wait_until_idle(running: &Running) {
    wait_until("all connections closed", || open_connections(running) == 0);
}

/// Connections open now.
pub(crate) fn open_connections(running: &Running) -> u64 {
    running.counters().iter().map(|counters| counters.connections.get()).sum()
}

/// The next message of an app to its test.
pub(crate) fn next<T>(receiver: &mpsc::Receiver<T>) -> T {
    receiver.recv_timeout(HANG).expect("the app says something")
}

/// Bytes that repeat only after a long while, so that any loss, repetition or mixture shows.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(step).collect()
}

/// Notes an event's connection, if it opens one.
pub(crate) fn opened(event: &Event<'_, Note>) -> Option<ConnId> {
    match event {
        Event::Opened { conn, .. } => Some(*conn),
        _ => None,
    }
}

/// For scenarios that change or look at what belongs to the whole process: runs the present test once more,
/// alone in a process of its own. Returns whether this is that process.
pub(crate) fn is_alone() -> bool {
    const ALONE: &str = "RINGYARD_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let thread = std::thread::current();
    let name = thread.name().expect("the test harness names its threads");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{name}: {}\n{output}", child.status);
    let passed = String::from_utf8_lossy(&child.stdout).contains("1 passed");
    assert!(passed, "{name} ran in a process of its own");
    false
}
