//! What an engine allocates for a request once it runs: nothing on `ring`.
//!
//! A test binary of its own, because it counts with its own allocator.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use ringyard_runtime::app::{App, Commands, Event, Now};
use ringyard_runtime::launch::launch;
use ringyard_runtime::limits::EngineLimits;
use ringyard_runtime::plan::{EngineChoice, EngineKind, Plan};
use ringyard_runtime::probe;

/// The system's allocator, counting the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is being torn down is not measured any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator")]
// SAFETY: all methods pass on to the system's allocator what they were promised.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests until everything has found its size.
const WARM_UP: usize = 2000;
/// Requests that are measured.
const MEASURED: usize = 4000;
const CLIENTS: usize = 16;
/// How often something may grow even so: when more completions come at once than ever before, which is the kernel's doing.
const GROWTHS_MAX: usize = 8;

/// Answers each request, and says what its thread allocated during those that are measured.
struct Measured {
    requests: usize,
    before: usize,
    report: mpsc::Sender<usize>,
}

impl App for Measured {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        if let Event::Received { conn, bytes } = event {
            commands.send(conn, bytes);
            commands.set_deadline(Some(now.time + Duration::from_secs(1)));
            self.requests += 1;
            if self.requests == WARM_UP {
                self.before = ALLOCATIONS.get();
            } else if self.requests == WARM_UP + MEASURED {
                self.report.send(ALLOCATIONS.get() - self.before).unwrap();
            }
        }
    }
}

/// What the engine allocates for [`MEASURED`] requests of several clients.
fn allocations(engine: EngineKind) -> usize {
    let (report, reports) = mpsc::channel();
    let plan = Plan {
        engine: EngineChoice::Exactly(engine),
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        ..Plan::default()
    };
    let make = move |_| Measured { requests: 0, before: 0, report: report.clone() };
    let running = launch(plan, make).unwrap();
    let connect = || TcpStream::connect(running.addresses()[0]).unwrap();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect()).collect();
    let request = [b'x'; 150];
    for _ in 0..(WARM_UP + MEASURED).div_ceil(CLIENTS) {
        for client in &mut clients {
            client.write_all(&request).unwrap();
        }
        for client in &mut clients {
            client.read_exact(&mut [0; 150]).unwrap();
        }
    }
    reports.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn the_ring_engine_allocates_nothing_for_a_request() {
    match probe::io_uring(&EngineLimits::default()) {
        Ok(()) => {
            let allocations = allocations(EngineKind::Ring);
            assert!(allocations <= GROWTHS_MAX, "{allocations} for {MEASURED} requests");
        }
        Err(reason) => eprintln!("not run: {reason}"),
    }
}

/// The queue of wakers takes a block for every 31 of them.
#[test]
fn the_tokio_engine_allocates_little_for_a_request() {
    let count = allocations(EngineKind::Tokio);
    assert!(count <= MEASURED / 10, "{count} allocations for {MEASURED} requests");
}
