//! Fifty customers, a proxy and two backends, in as many worlds as there are seeds, each with faults of its
//! own: every question ends once and as it may, and nothing is left.

use std::time::Duration;

use ringyard_scheduler::{CustomerTerms, StrategyKind};
use ringyard_servers::limits::{PIPELINED_REQUESTS_MAX, QUEUE_JOBS_MAX};
use ringyard_servers::proxy::{
    CompositionChoice, ConcurrencyRule, CustomerBook, Entitlement, Explain, ProxyConfig, Shedding,
    Splitting,
};
use ringyard_simulator::world::client::{CustomerPlan, Habits, Tally};
use ringyard_simulator::world::{Chance, Faults, NetworkConfig, Outages, Random, Span, timetable};

use crate::seeds::{self, Show};
use crate::yard::{BackendKind, Yard, YardPlan, at_ms};

const CUSTOMERS: u32 = 50;

/// Outages are over by then, and questions go on.
const CALM_MS: u64 = 12_000;

/// A world's settings, all drawn from its seed.
struct Setting {
    plan: YardPlan,
    faults: Faults,
    habits: Habits,
    /// Of each customer.
    questions: u32,
    pipelined: u64,
    sequences: u64,
    /// Whether outages befall the proxy as well as the backends.
    proxy_suffers: bool,
    random: Random,
}

fn small(random: &mut Random, range: std::ops::RangeInclusive<u64>) -> u32 {
    u32::try_from(random.between(range)).expect("a small number")
}

/// Draws whether requests are split, shed and explained, how much may be in flight and queued, and what customers may
/// have.
fn vary(proxy: &mut ProxyConfig, random: &mut Random) {
    if random.happens(Chance::percent(30)) {
        proxy.splitting = Splitting::Apart;
    }
    if random.happens(Chance::percent(30)) {
        proxy.shedding = Shedding::Codel;
    }
    if random.happens(Chance::percent(30)) {
        proxy.explain = Explain::Always { decisions_kept: small(random, 1..=50) };
    }
    let rules = [ConcurrencyRule::Fixed, ConcurrencyRule::Aimd, ConcurrencyRule::Gradient];
    proxy.concurrency_rule = rules[random.index(rules.len())];
    if random.happens(Chance::percent(20)) {
        proxy.queue_jobs_max = random.index(200) + 64;
    }
    if random.happens(Chance::percent(50)) {
        let customer = |random: &mut Random| Entitlement {
            terms: CustomerTerms::new(small(random, 1..=9), [0, 1, 2, 7][random.index(4)]),
            requests_max: random.happens(Chance::percent(20)).then(|| small(random, 1..=8)),
            bytes_max: random.happens(Chance::percent(20)).then_some(20_000),
            work_max: random.happens(Chance::percent(20)).then_some(Duration::from_millis(50)),
            ..Entitlement::default()
        };
        let names = (0..CUSTOMERS / 2).map(|number| format!("customer-{number}").into());
        let named = names.map(|name| (name, customer(random))).collect();
        proxy.customers = CustomerBook { named, ..CustomerBook::default() };
    }
}

/// Whether somebody may be refused because there is too much to do, or for a quota.
fn may_refuse(proxy: &ProxyConfig) -> bool {
    let held = |customer: &Entitlement| {
        (customer.requests_max, customer.bytes_max, customer.work_max) != (None, None, None)
    };
    proxy.queue_wait_max != Duration::MAX
        || proxy.queue_jobs_max < QUEUE_JOBS_MAX
        || proxy.shedding == Shedding::Codel
        || proxy.customers.named.values().any(held)
}

impl Setting {
    fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut faults = Faults::swarm(&mut random);
        if random.happens(Chance::percent(25)) {
            faults = faults.harmless();
        }
        let mut plan = YardPlan::new(seed);
        plan.network = faults.network.clone();
        plan.cores = u16::try_from([1, 1, 2, 3][random.index(4)]).expect("a small number");
        plan.backend = match random.below(3) {
            0 => BackendKind::Classifier { cost_scale: 1.0 },
            1 => BackendKind::Classifier { cost_scale: 0.0 },
            _ => BackendKind::Echo { delay: random.duration(Span::microseconds(0, 20_000)) },
        };
        plan.proxy.backend_concurrency = small(&mut random, 1..=6);
        plan.proxy.backend_pipeline = small(&mut random, 1..=4);
        plan.proxy.strategy = StrategyKind::ALL[random.index(StrategyKind::ALL.len())];
        let compositions = CompositionChoice::ALL;
        plan.proxy.composition = compositions[random.index(compositions.len())];
        plan.proxy.deadline = Duration::from_secs([2, 10][random.index(2)]);
        vary(&mut plan.proxy, &mut random);
        if random.happens(Chance::percent(50)) {
            plan.proxy.queue_wait_max = Duration::MAX;
        }
        let mut sequences = 5;
        if random.happens(Chance::percent(30)) {
            // Wide requests have labels enough to tell every one of them from every other.
            sequences = 40;
            plan.proxy.request_sequences_max = small(&mut random, 40..=64);
            plan.proxy.batch_sequences_max = small(&mut random, 64..=100).min(64);
        }
        let mut habit = |highest: u64| match random.happens(Chance::percent(40)) {
            true => Chance::percent(u32::try_from(random.between(1..=highest)).unwrap_or(1)),
            false => Chance::NEVER,
        };
        let habits = Habits {
            leaves: habit(30),
            half_closes: habit(20),
            asks_to_close: habit(30),
            chunks: habit(100),
            sends_late: habit(30),
            reads_late: habit(30),
            strays: habit(30),
            switches: habit(10),
        };
        // Now and then more at once than the proxy takes up from one connection.
        let (deepest, questions) = [(6, 30), (6, 30), (6, 30), (200, 200)][random.index(4)];
        let pipelined = random.between(1..=deepest);
        let proxy_suffers = random.happens(Chance::percent(30));
        Self { plan, faults, habits, questions, pipelined, sequences, proxy_suffers, random }
    }

    fn build(&mut self) -> Yard {
        let mut yard = self.plan.clone().build();
        let answers = yard.answers();
        for _ in 0..CUSTOMERS {
            let plan = CustomerPlan {
                questions: self.questions,
                pipelined: 1..=self.pipelined,
                sequences: 1..=self.sequences,
                pause: Span::milliseconds(0, 3_000),
                habits: self.habits,
                ..yard.customer_plan(answers)
            };
            yard.add_customer(plan, self.random.fork());
        }
        let calm = at_ms(CALM_MS);
        let Self { faults: Faults { hosts, .. }, random, .. } = self;
        let mut table = timetable(hosts, random, &yard.backends, &[yard.proxy], calm);
        if self.proxy_suffers {
            table.extend(timetable(hosts, random, &[yard.proxy], &yard.customers, calm));
        }
        for (time, action) in table {
            yard.world.act_at(time, action);
        }
        yard
    }
}

/// Asserts that nothing happened to the questions that the world's settings do not explain.
fn check(tally: &Tally, setting: &Setting) {
    let Setting { plan, faults, habits, .. } = setting;
    let Faults { network, hosts } = faults;
    let resets = network.reset != Chance::NEVER;
    let connects_fail =
        [network.connect_refused, network.connect_unanswered, network.connect_failed_locally]
            != [Chance::NEVER; 3];
    let outages = [hosts.kill, hosts.power_cut, hosts.partition].iter().any(Option::is_some);
    let at_once = u64::from(CUSTOMERS) * setting.pipelined;
    let small_mailboxes = plan.cores > 1 && (network.mailbox_messages as u64) < at_once;
    let only_if = |count: u32, explained: bool, what: &str| {
        assert!(count == 0 || explained, "{count} questions {what} without a reason: {tally:?}");
    };
    only_if(tally.backend_failed, resets || connects_fail || outages, "got 502");
    // A request whose sequences go apart fills as many places in the queue.
    let places = match plan.proxy.splitting {
        Splitting::Apart => setting.sequences,
        Splitting::Together => 1,
    };
    let taken_up = u64::from(CUSTOMERS) * setting.pipelined.min(PIPELINED_REQUESTS_MAX as u64);
    let small_queue = (plan.proxy.queue_jobs_max as u64) < taken_up * places;
    let may_refuse = may_refuse(&plan.proxy) || small_mailboxes || small_queue;
    only_if(tally.overloaded, may_refuse, "got 429 or 503");
    let suffers = |outage: Option<Outages>| setting.proxy_suffers && outage.is_some();
    let [killed, cut, frozen, cut_off] =
        [hosts.kill, hosts.power_cut, hosts.freeze, hosts.partition].map(suffers);
    only_if(tally.not_in_time, frozen || cut_off, "got 408");
    only_if(tally.lost, resets || killed || cut || frozen || cut_off, "were lost");
    let one_sided = resets && network.reset_one_sided != Chance::NEVER;
    only_if(tally.given_up, one_sided || cut, "were never answered");
    let leaves = [habits.leaves, habits.half_closes] != [Chance::NEVER; 2];
    only_if(tally.left, leaves, "were left");
    if let Some(wait) = tally.shortest_too_slow {
        assert!(wait >= plan.proxy.deadline, "a 504 after {wait:?}, before the deadline");
    }
    let narrow = NetworkConfig::default().window_bytes != network.window_bytes;
    // The proxy's deadline counts from when the whole question has reached it.
    let on_the_way = Duration::from_secs(match (narrow, frozen || cut_off) {
        (false, false) => 1,
        (true, false) => 30,
        (_, true) => 60,
    });
    let read_late = match habits.reads_late {
        Chance::NEVER => Duration::ZERO,
        _ => Duration::from_secs(2),
    };
    // What the proxy does not take up from a pipeline has its deadline only when it does.
    let rounds = setting.pipelined.div_ceil(PIPELINED_REQUESTS_MAX as u64);
    let rounds = u32::try_from(rounds).expect("a few times as deep as the proxy reads");
    let latest = rounds * plan.proxy.deadline + on_the_way + read_late;
    assert!(tally.longest_wait <= latest, "an answer only after {:?}", tally.longest_wait);
}

fn run(seed: u64, show: Show) -> u64 {
    let mut setting = Setting::draw(seed);
    let mut yard = setting.build();
    if show == Show::Everything {
        let Setting { plan, faults, habits, .. } = &setting;
        eprintln!("{faults:#?}\n{habits:#?}\n{:#?}", plan.proxy);
        yard.world.print_trace();
    }
    yard.run_to_the_end(Duration::from_secs(3_600));
    let tally = yard.tally();
    assert_eq!(tally.ended(), CUSTOMERS * setting.questions, "every question ends once: {tally:?}");
    check(&tally, &setting);
    yard.check_nothing_is_left();
    yard.shut_down();
    yard.world.trace_hash()
}

const PARTS: u64 = 5;

#[test]
fn swarm_0() {
    seeds::for_each(0, PARTS, |seed, show| {
        run(seed, show);
    });
}

#[test]
fn swarm_1() {
    seeds::for_each(1, PARTS, |seed, show| {
        run(seed, show);
    });
}

#[test]
fn swarm_2() {
    seeds::for_each(2, PARTS, |seed, show| {
        run(seed, show);
    });
}

#[test]
fn swarm_3() {
    seeds::for_each(3, PARTS, |seed, show| {
        run(seed, show);
    });
}

#[test]
fn swarm_4() {
    seeds::for_each(4, PARTS, |seed, show| {
        run(seed, show);
    });
}

#[test]
fn a_seed_has_one_history() {
    for seed in 0..8 {
        assert_eq!(run(seed, Show::Nothing), run(seed, Show::Nothing), "seed {seed}");
    }
}
