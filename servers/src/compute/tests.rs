//! The serving core and its workers in one thread: virtual time, mail carried by hand, one step per millisecond.

use std::collections::VecDeque;

use ringyard_runtime::app::{Command, ConnId, Origin, Time};

use super::*;

const LINKS: u64 = 10;
const WORK: Duration = Duration::from_millis(10);

/// One serving core and some workers. A worker makes a step each millisecond, so a request takes ten.
struct World {
    apps: Vec<(ComputeServer, Commands<ComputeMail>)>,
    mail: VecDeque<(CoreIndex, CoreIndex, ComputeMail)>,
    now: Time,
    sent: Vec<String>,
    finished: usize,
}

impl World {
    fn new(policy: SheddingPolicy, workers: usize) -> Self {
        Self::with(policy, Departures::Heed, 1, workers)
    }

    fn with(policy: SheddingPolicy, departures: Departures, cores: usize, workers: usize) -> Self {
        let effort = Effort::new(LINKS, WORK);
        assert_eq!(effort.step, 1);
        let config = ComputeConfig { effort, workers, policy, deadline: None, departures };
        let make = factory(front_default(), config, cores, Arc::new(ComputeBoard::new(cores)));
        let threads = u16::try_from(cores + workers).unwrap();
        let app = |core| make(CoreContext::detached(CoreIndex(core), threads));
        let apps = (0..threads).map(|core| (app(core), Commands::default())).collect();
        let now = Time::ZERO + Duration::from_secs(1);
        Self { apps, mail: VecDeque::new(), now, sent: Vec::new(), finished: 0 }
    }

    fn tell(&mut self, core: usize, event: Event<'_, ComputeMail>) {
        let Self { apps, mail, sent, finished, now, .. } = self;
        let (app, commands) = &mut apps[core];
        app.on_event(Now { time: *now, unix_seconds: 1_700_000_000 }, event, commands);
        let from = CoreIndex(u16::try_from(core).unwrap());
        commands.take(|command, bytes| match command {
            Command::Send { conn, range } => {
                let slot = conn.slot as usize;
                sent.resize(sent.len().max(slot + 1), String::new());
                sent[slot].push_str(std::str::from_utf8(&bytes[range]).unwrap());
            }
            Command::Mail { to, message } => mail.push_back((from, to, message)),
            Command::Finished => *finished += 1,
            _ => {}
        });
    }

    /// One millisecond: all mail arrives, then every deadline that is due comes once.
    fn tick(&mut self) {
        while let Some((from, to, message)) = self.mail.pop_front() {
            self.tell(usize::from(to.0), Event::Mail { from, message });
        }
        for core in 0..self.apps.len() {
            if self.apps[core].1.take_due_deadline(self.now).is_some() {
                self.tell(core, Event::Deadline);
            }
        }
        self.now += Duration::from_millis(1);
    }

    fn run(&mut self, milliseconds: u32) {
        (0..milliseconds).for_each(|_| self.tick());
    }

    fn ask(&mut self, slot: u32, target: &str, headers: &str) -> ConnId {
        self.ask_core(0, slot, target, headers)
    }

    fn ask_core(&mut self, core: usize, slot: u32, target: &str, headers: &str) -> ConnId {
        let conn = ConnId { slot, generation: 0 };
        self.tell(core, Event::Opened { conn, origin: Origin::Accepted { listener: 0 } });
        let request = format!("GET {target} HTTP/1.1\r\nhost: test\r\n{headers}\r\n");
        self.tell(core, Event::Received { conn, bytes: request.as_bytes() });
        conn
    }

    fn status(&self, slot: usize) -> Option<u16> {
        Some(self.sent.get(slot)?.get(9..12)?.parse().unwrap())
    }

    fn metric(&mut self, name: &str) -> f64 {
        let slot = u32::try_from(self.sent.len()).unwrap();
        self.ask(slot, "/metrics", "");
        let page = &self.sent[slot as usize];
        let line = page.lines().find(|line| line.starts_with(name)).expect("the metric is there");
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

#[test]
fn a_request_is_answered_with_the_end_of_its_chain() {
    let mut world = World::new(SheddingPolicy::None, 1);
    world.ask(0, "/calculate?input=a%22b", "");
    world.run(15);
    let mut chain = chain::Chain::new(b"a\"b", LINKS);
    chain.advance(LINKS);
    let digest: String = chain.done().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let body = world.sent[0].split_once("\r\n\r\n").unwrap().1;
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["input"], "a\"b");
    assert_eq!(body["digest"], digest);
    assert_eq!(body["queue_ms"], 0.0);
    assert!((9.0..=12.0).contains(&body["work_ms"].as_f64().unwrap()), "{body}");
    assert_eq!(world.metric("ringyard_compute_work_seconds_total{outcome=\"answered\"}"), 0.01);
}

#[test]
fn beyond_the_policys_bound_requests_are_refused_and_health_is_not() {
    let mut world = World::new(SheddingPolicy::Queue(2), 1);
    for slot in 0..4 {
        world.ask(slot, "/calculate?input=x", "");
    }
    world.ask(4, "/healthz", "");
    let statuses: Vec<Option<u16>> = (0..5).map(|slot| world.status(slot)).collect();
    assert_eq!(statuses, [None, None, Some(503), Some(503), Some(200)]);
    assert!(world.sent[2].contains("retry-after: 1\r\n"), "{}", world.sent[2]);
    assert!(world.sent[2].ends_with("{\"detail\":\"Too many requests\"}"));
    world.run(30);
    assert_eq!([world.status(0), world.status(1)], [Some(200); 2]);
    assert_eq!(world.metric("ringyard_compute_refused_total{reason=\"queue_full\"}"), 2.0);
}

#[test]
fn what_is_asked_wrongly_is_told_so() {
    let mut world = World::new(SheddingPolicy::None, 1);
    world.ask(0, "/calculate", "");
    world.ask(1, "/calculate?input=x", "x-deadline-ms: soon\r\n");
    world.ask(2, "/calculate?input=x", "x-deadline-ms: +5\r\n");
    world.ask(3, "/calculates", "");
    let statuses: Vec<Option<u16>> = (0..4).map(|slot| world.status(slot)).collect();
    assert_eq!(statuses, [Some(422), Some(400), Some(400), Some(404)]);
}

#[test]
fn a_client_that_leaves_is_computed_for_one_more_step_at_most() {
    let mut world = World::new(SheddingPolicy::None, 1);
    let first = world.ask(0, "/calculate?input=x", "");
    let second = world.ask(1, "/calculate?input=y", "");
    world.ask(2, "/calculate?input=z", "");
    world.run(4);
    world.tell(0, Event::PeerClosed { conn: first });
    world.tell(0, Event::PeerClosed { conn: second });
    world.run(15);
    assert_eq!([world.status(0), world.status(1), world.status(2)], [None, None, Some(200)]);
    let wasted = world.metric("ringyard_compute_work_seconds_total{outcome=\"wasted\"}");
    assert!((0.003..=0.005).contains(&wasted), "{wasted}");
}

#[test]
fn a_passed_deadline_is_answered_and_frees_the_worker() {
    let mut world = World::new(SheddingPolicy::None, 1);
    world.ask(0, "/calculate?input=x", "x-deadline-ms: 5\r\n");
    world.ask(1, "/calculate?input=y", "x-deadline-ms: 3\r\n");
    world.ask(2, "/calculate?input=z", "");
    world.run(8);
    assert_eq!([world.status(0), world.status(1), world.status(2)], [Some(504), Some(504), None]);
    world.run(12);
    assert_eq!(world.status(2), Some(200));
    assert_eq!(world.metric("ringyard_compute_deadlines_missed_total"), 2.0);
}

#[test]
fn a_crowd_is_refused_at_the_door_and_the_worker_has_always_something_to_do() {
    let mut world = World::new(SheddingPolicy::CodelLifo, 1);
    for slot in 0..60 {
        world.ask(slot, "/calculate?input=x", "");
        let waits = world.status(slot as usize).is_none();
        world.run(2);
        assert!(waits || world.status(slot as usize) == Some(503), "refused at once or not");
    }
    world.run(60);
    let answered = (0..60).filter(|slot| world.status(*slot) == Some(200)).count();
    let refused = (0..60).filter(|slot| world.status(*slot) == Some(503)).count();
    assert_eq!(answered + refused, 60, "everybody has an answer");
    assert!((12..=14).contains(&answered), "{answered}");
    assert_eq!(world.metric("ringyard_compute_refused_total{reason=\"stale\"}"), 0.0);
    assert_eq!(world.metric("ringyard_compute_refused_total{reason=\"too_late\"}"), refused as f64);
}

#[test]
fn a_policy_holds_for_all_cores_together() {
    let mut world = World::with(SheddingPolicy::Queue(2), Departures::Heed, 3, 1);
    let conns: Vec<ConnId> =
        (0..3).map(|core| world.ask_core(core as usize, core, "/calculate?input=x", "")).collect();
    world.run(1);
    world.run(1);
    let statuses: Vec<Option<u16>> = (0..3).map(|slot| world.status(slot)).collect();
    assert_eq!(statuses, [None, None, Some(503)]);
    assert!(world.sent[2].contains("retry-after: 1\r\n"), "{}", world.sent[2]);
    world.tell(1, Event::PeerClosed { conn: conns[1] });
    world.run(1);
    world.ask_core(2, 3, "/calculate?input=y", "");
    world.run(25);
    assert_eq!([world.status(0), world.status(1), world.status(3)], [Some(200), None, Some(200)]);
    for core in 0..4 {
        world.tell(core, Event::Drain);
    }
    world.run(2);
    assert_eq!(world.finished, 4);
}

#[test]
fn a_request_that_does_not_reach_the_owner_is_refused() {
    let mut world = World::with(SheddingPolicy::None, Departures::Heed, 2, 1);
    world.ask_core(1, 0, "/calculate?input=x", "");
    let (_, to, message) = world.mail.pop_front().unwrap();
    world.tell(1, Event::MailReturned { to, message });
    assert_eq!(world.status(0), Some(503));
    assert_eq!(world.metric("ringyard_compute_refused_total{reason=\"mailbox\"}"), 1.0);
}

#[test]
fn departures_may_be_ignored_and_cost_what_they_cost_elsewhere() {
    let mut world = World::with(SheddingPolicy::None, Departures::Ignore, 1, 1);
    let conns: Vec<ConnId> = (0..2).map(|slot| world.ask(slot, "/calculate?input=x", "")).collect();
    world.ask(2, "/calculate?input=z", "");
    world.run(4);
    conns.into_iter().for_each(|conn| world.tell(0, Event::PeerClosed { conn }));
    world.run(20);
    assert_eq!(world.status(2), None, "the worker is busy for those who have left");
    world.run(12);
    assert_eq!(world.status(2), Some(200));
    let wasted = world.metric("ringyard_compute_work_seconds_total{outcome=\"wasted\"}");
    assert!((wasted - 0.02).abs() < 1e-9, "{wasted}");
    let after_leaving = world.metric("ringyard_compute_after_leaving_seconds_sum");
    assert!((0.015..=0.019).contains(&after_leaving), "{after_leaving}");
}

#[test]
fn mail_that_comes_back_goes_out_again() {
    let mut world = World::new(SheddingPolicy::None, 1);
    world.ask(0, "/calculate?input=x", "");
    for _ in 0..3 {
        let (from, to, message) = world.mail.pop_front().expect("the request or its answer");
        world.tell(usize::from(from.0), Event::MailReturned { to, message });
        let again = world.apps[usize::from(from.0)].1.deadline();
        let soon = world.now + Duration::from_millis(1);
        assert!(again.is_some_and(|deadline| deadline <= soon), "it is tried again");
        world.now = soon;
        world.tell(usize::from(from.0), Event::Deadline);
        if from == CoreIndex(0) {
            while world.mail.iter().all(|(from, ..)| *from == CoreIndex(0)) {
                world.tick();
            }
        }
    }
    world.run(3);
    assert_eq!(world.status(0), Some(200));
}

#[test]
fn several_workers_compute_at_once_and_all_finish_at_the_drain() {
    let mut world = World::new(SheddingPolicy::None, 3);
    for slot in 0..3 {
        world.ask(slot, "/calculate?input=x", "");
    }
    for core in 0..4 {
        world.tell(core, Event::Drain);
    }
    assert_eq!(world.finished, 3, "the workers have nothing of their own to finish");
    world.run(14);
    assert!((0..3).all(|slot| world.status(slot) == Some(200)));
    assert_eq!(world.finished, 4);
}
