//! What cores say to one another.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ringyard_runtime::app::{CoreIndex, Event, Time};
use ringyard_runtime::launch::launch_with_workers;
use ringyard_runtime::plan::{EngineKind, Plan};

use crate::harness::{
    ask, connect, cpus, next, plan, scripted, start, wait_until, wait_until_idle,
};

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

pub(crate) fn workers_are_reached_by_mail_and_by_nobody_else(engine: EngineKind) {
    const CLIENTS: u8 = 12;
    let plan = Plan { cores: cpus(2), ..plan(engine) };
    let workers = [None, Some(cpus(1)[0]), None];
    let (report, reports) = mpsc::channel();
    // A serving core has one of the three workers double the byte that its client sends.
    let running = launch_with_workers(plan, &workers, move |context| {
        assert_eq!(context.cores(), 5);
        let report = report.clone();
        let own = context.core;
        let mut clients = HashMap::new();
        scripted(move |_, event: Event<'_, u64>, commands| match event {
            Event::Received { conn, bytes } => {
                let number = bytes[0];
                clients.insert(u64::from(number) * 2, conn);
                commands.mail(CoreIndex(2 + u16::from(number % 3)), u64::from(number));
            }
            Event::Mail { from, message } if own.0 >= 2 => {
                report.send(own).unwrap();
                commands.mail(from, message * 2);
            }
            Event::Mail { message, .. } => {
                commands.send(clients[&message], &[u8::try_from(message).unwrap()]);
            }
            Event::PeerClosed { conn } => commands.close(conn),
            Event::Drain => commands.finished(),
            _ => {}
        })
    });
    let running = running.unwrap();
    for number in 1..=CLIENTS {
        assert_eq!(ask(&mut connect(&running), &[number], 1), [number * 2]);
    }
    let heard: HashSet<CoreIndex> = (0..CLIENTS).map(|_| next(&reports)).collect();
    assert_eq!(heard, [2, 3, 4].map(CoreIndex).into());
    let accepted: Vec<u64> =
        running.counters().iter().map(|counters| counters.accepted.get()).collect();
    assert_eq!(accepted[2..], [0, 0, 0]);
    assert_eq!(accepted.iter().sum::<u64>(), u64::from(CLIENTS));
    wait_until_idle(&running);
    running.drain();
    assert!(running.wait().unwrap().is_clean());
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
