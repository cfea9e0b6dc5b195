//! Mail between the cores of one host.

use std::time::Duration;

use ringyard_runtime::app::{Commands, CoreIndex, Event, Now};
use ringyard_simulator::world::{Faults, HostPlan, NetworkConfig, Random, Span, World};

use crate::toys::Toy;

const CORES: u16 = 3;
const MESSAGES: u32 = 500;

/// Sends every other core the numbers in their order, holding back what came back until its next deadline.
struct Counter {
    core: CoreIndex,
    next: [u32; CORES as usize],
    received: [u32; CORES as usize],
    returned: u32,
    /// What came back in this turn, by addressee: the numbers from here on are sent again.
    resend: [Option<u32>; CORES as usize],
}

fn count(counter: &mut Counter, now: Now, event: Event<'_, u32>, commands: &mut Commands<u32>) {
    match event {
        Event::Mail { from, message } => {
            let received = &mut counter.received[usize::from(from.0)];
            assert_eq!(message, *received, "from {from:?}");
            *received += 1;
        }
        Event::MailReturned { to, message } => {
            counter.returned += 1;
            counter.resend[usize::from(to.0)].get_or_insert(message);
        }
        Event::Deadline => {
            for to in (0..CORES).filter(|&to| to != counter.core.0) {
                let index = usize::from(to);
                let next = counter.resend[index].take().unwrap_or(counter.next[index]);
                let end = (next + 5).min(MESSAGES);
                (next..end).for_each(|message| commands.mail(CoreIndex(to), message));
                counter.next[index] = end;
            }
            commands.set_deadline(Some(now.time + Duration::from_micros(100)));
        }
        _ => panic!("unexpected {event:?}"),
    }
}

fn run(seed: u64, config: NetworkConfig) -> u32 {
    let mut world = World::new(seed, config);
    let host = world.add_host(&HostPlan::new("counters").cores(CORES), |context| {
        let counter = Counter {
            core: context.core,
            next: [0; CORES as usize],
            received: [0; CORES as usize],
            returned: 0,
            resend: [None; CORES as usize],
        };
        Toy::new(counter, count)
    });
    world.run_for(Duration::from_secs(10));
    let mut returned = 0;
    for core in 0..CORES {
        let counter = &world.app::<Toy<Counter, u32>>(host, CoreIndex(core)).state;
        for from in (0..CORES).filter(|&from| from != core) {
            assert_eq!(counter.received[usize::from(from)], MESSAGES, "seed {seed}: lost mail");
        }
        returned += counter.returned;
    }
    returned
}

#[test]
fn mail_arrives_once_and_in_order_or_comes_back_at_once() {
    let mut returned = 0;
    for seed in 0..20 {
        let faults = Faults::swarm(&mut Random::new(seed));
        returned += run(seed, faults.network);
    }
    assert!(returned > 0, "small mailboxes return mail");
}

#[test]
fn a_roomy_mailbox_returns_nothing() {
    let config = NetworkConfig {
        mailbox_messages: 4 * MESSAGES as usize,
        mail_delay: Span::microseconds(1, 500),
        ..NetworkConfig::default()
    };
    assert_eq!(run(3, config), 0);
}
