//! What cores say to one another.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ringyard_runtime::app::{CoreIndex, Event, Time};
use ringyard_runtime::plan::{EngineKind, Plan};

use crate::harness::{cpus, next, plan, start, wait_until};

fn plan_with_cores(engine: EngineKind, cores: usize) -> Plan {
    Plan { cores: cpus(cores), listen: Vec::new(), ..plan(engine) }
}

pub(crate) fn mail_between_cores_keeps_its_order_and_wakes_sleepers(engine: EngineKind) {
    pass_round(plan_with_cores(engine, 3));
}

pub(crate) fn cores_that_spin_before_they_sleep_miss_no_mail(engine: EngineKind) {
    let mut plan = plan_with_cores(engine, 3);
    // So short that cores are in all stages of going to sleep when their mail comes.
    plan.limits.spin = Duration::from_micros(10);
    pass_round(plan);
}

/// Three cores pass messages round.
fn pass_round(plan: Plan) {
    const ROUNDS: u64 = 3000;
    let (report, reports) = mpsc::channel();
    // Two at a time, so that every core sleeps again and again.
    let running = start(plan, move |context| {
        let report = report.clone();
        let own = context.core.0;
        let next_core = CoreIndex((own + 1) % 3);
        let previous_core = CoreIndex((own + 2) % 3);
        let mut expected = 0;
        move |_, event, commands| match event {
            Event::Deadline if own == 0 => {
                commands.mail(next_core, 0);
                commands.mail(next_core, 1);
            }
            Event::Mail { from, message } => {
                assert_eq!((from, message), (previous_core, expected));
                expected += 1;
                let message = if own == 0 { message + 2 } else { message };
                if message < ROUNDS {
                    commands.mail(next_core, message);
                } else {
                    report.send(message).unwrap();
                }
            }
            _ => {}
        }
    });
    assert_eq!((next(&reports), next(&reports)), (ROUNDS, ROUNDS + 1));
    let wakeups: u64 = running.counters().iter().map(|counters| counters.wakeups.get()).sum();
    assert!(wakeups > 0, "nobody ever slept");
}

pub(crate) fn mail_to_a_full_mailbox_returns_in_the_same_turn(engine: EngineKind) {
    const CAPACITY: u64 = 4;
    const SENT: u64 = 100;
    let mut plan = plan_with_cores(engine, 2);
    plan.limits.mailbox_messages = 4;
    let (report, reports) = mpsc::channel();
    // 0 at first, 1 once the second core stands still, 2 once the first has had its mail returned.
    let stage = Arc::new(AtomicU8::new(0));
    let running = start(plan, move |context| {
        let (report, stage) = (report.clone(), Arc::clone(&stage));
        let is_sender = context.core == CoreIndex(0);
        let mut sent_at = Time::ZERO;
        let mut expected = if is_sender { CAPACITY } else { 0 };
        move |now, event, commands| match event {
            Event::Deadline if is_sender => {
                wait_until("it stands still", || stage.load(Ordering::SeqCst) == 1);
                sent_at = now.time;
                (0..SENT).for_each(|message| commands.mail(CoreIndex(1), message));
            }
            Event::Deadline => {
                stage.store(1, Ordering::SeqCst);
                wait_until("mail is returned", || stage.load(Ordering::SeqCst) == 2);
            }
            Event::MailReturned { to, message } => {
                assert_eq!((to, message, now.time), (CoreIndex(1), expected, sent_at));
                expected += 1;
                if expected == SENT {
                    stage.store(2, Ordering::SeqCst);
                }
            }
            Event::Mail { message, .. } => {
                assert_eq!(message, expected);
                expected += 1;
                report.send(message).unwrap();
            }
            _ => {}
        }
    });
    let arrived: Vec<u64> = (0..CAPACITY).map(|_| next(&reports)).collect();
    assert_eq!(arrived, [0, 1, 2, 3]);
    assert_eq!(running.counters()[0].mail_returned.get(), SENT - CAPACITY);
}
