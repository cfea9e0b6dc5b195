//! What it costs to hand a message to another core, by an engine's own means: there and back between two pinned
//! cores that sleep in between, the same between two that never sleep, and a stream of messages one way.
//!
//! Times are those that the engine tells its apps. Needs two CPUs.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringyard_runtime::affinity;
use ringyard_runtime::app::{App, Commands, CoreIndex, Event, Now, Time};
use ringyard_runtime::launch::{EngineChoice, EngineKind, Plan, launch};

/// Messages of a stream that are not acknowledged.
const WINDOW: u64 = 512;

/// Messages that are acknowledged together.
const ACKNOWLEDGED: u64 = 64;

const ASKING: CoreIndex = CoreIndex(0);
const ANSWERING: CoreIndex = CoreIndex(1);

/// What two cores do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    /// One message at a time, there and back; both sleep in between.
    Sleeping,
    /// The same, and neither sleeps.
    Awake,
    /// Many, one way; neither sleeps.
    Stream,
}

/// One end.
struct End {
    core: CoreIndex,
    exchange: Exchange,
    /// Messages to hand over.
    count: u64,
    sent: u64,
    /// Of the asking end: messages known to have come. Of the other: messages that came.
    come: u64,
    began: Time,
    done: Option<Sender<Duration>>,
}

impl End {
    fn send(&mut self, commands: &mut Commands<u64>) {
        let window = if self.exchange == Exchange::Stream { WINDOW } else { 1 };
        while self.sent < self.count && self.sent - self.come < window {
            self.sent += 1;
            commands.mail(ANSWERING, self.sent);
        }
    }

    fn came(&mut self, message: u64, now: Time, commands: &mut Commands<u64>) {
        if self.core == ANSWERING {
            self.come += 1;
            let is_due = self.exchange != Exchange::Stream
                || message == self.count
                || self.come.is_multiple_of(ACKNOWLEDGED);
            if is_due {
                commands.mail(ASKING, message);
            }
            return;
        }
        self.come = message;
        if message < self.count {
            self.send(commands);
        } else if let Some(done) = self.done.take() {
            // Whoever measures has gone only if it has failed, and then says so itself.
            let _ = done.send(now.since(self.began));
        }
    }
}

impl App for End {
    type Mail = u64;

    fn on_event(&mut self, now: Now, event: Event<'_, u64>, commands: &mut Commands<u64>) {
        match event {
            Event::Deadline if self.core == ASKING && self.sent == 0 => {
                self.began = now.time;
                self.send(commands);
            }
            Event::Mail { message, .. } => self.came(message, now.time, commands),
            Event::MailReturned { to, message } => commands.mail(to, message),
            Event::Drain => commands.finished(),
            _ => {}
        }
        if self.exchange != Exchange::Sleeping {
            commands.set_deadline(Some(Time::ZERO));
        }
    }
}

/// How long `count` messages take.
fn exchange(cpus: &[usize], exchange: Exchange, count: u64) -> Duration {
    let (done, is_done) = mpsc::channel();
    let plan = Plan {
        engine: EngineChoice::Exactly(EngineKind::Ring),
        cores: cpus.to_vec(),
        ..Plan::default()
    };
    let running = launch(plan, move |context| End {
        core: context.core,
        exchange,
        count,
        sent: 0,
        come: 0,
        began: Time::ZERO,
        done: Some(done.clone()),
    });
    let running = running.expect("two cores with a ring each");
    let took = is_done.recv().expect("the asking core tells");
    running.drain();
    running.wait().expect("both cores end");
    took
}

fn mailbox(criterion: &mut Criterion) {
    let cpus = affinity::allowed().unwrap_or_default();
    let [first, second, ..] = cpus.as_slice() else {
        eprintln!("mailbox: needs two CPUs; skipped");
        return;
    };
    let cpus = [*first, *second];
    let mut group = criterion.benchmark_group("mailbox");
    group.sample_size(10);
    for (name, kind) in [
        ("there and back, sleeping", Exchange::Sleeping),
        ("there and back, awake", Exchange::Awake),
        ("one way, 512 under way", Exchange::Stream),
    ] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| exchange(&cpus, kind, iterations));
        });
    }
    group.finish();
}

criterion_group!(benches, mailbox);
criterion_main!(benches);
