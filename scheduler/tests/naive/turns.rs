//! Whose turn it is, in the plainest way.

use std::cmp::Reverse;

use ringyard_scheduler::cost::{BatchShape, CostModel};
use ringyard_scheduler::{CustomerTerms, FairRule, Job, StrategyKind};
use ringyard_time::Time;

use super::Settings;

/// Customers that the tests know, by id.
pub(crate) const CUSTOMERS: usize = 4;

/// Tiers that the tests use.
const TIERS: usize = 3;

/// What a job costs alone.
pub(crate) fn cost(job: &Job) -> u64 {
    CostModel::default().cost(&BatchShape::of(&job.spec)).0
}

fn customer(job: &Job) -> usize {
    job.spec.customer.0 as usize
}

fn has_jobs(queued: &[Job], id: usize) -> bool {
    queued.iter().any(|job| customer(job) == id)
}

fn oldest_of(queued: &[Job], id: usize) -> Job {
    *queued.iter().find(|job| customer(job) == id).expect("a customer in turn has jobs")
}

/// What a strategy remembers of its own; everything else it finds out by looking at all that is queued.
#[derive(Clone)]
pub(crate) enum Turns {
    Keyed(StrategyKind),
    RoundRobin(Vec<usize>),
    Deficit(Deficit),
    Virtual(Virtual),
    Tiers(Box<Tiers>),
}

impl Turns {
    pub(crate) fn new(kind: StrategyKind, settings: &Settings) -> Self {
        match kind {
            StrategyKind::Fair if settings.fair == FairRule::Deficit => {
                Self::Deficit(Deficit::default())
            }
            StrategyKind::Fair | StrategyKind::RoundRobin => Self::RoundRobin(Vec::new()),
            StrategyKind::Wfq | StrategyKind::Vtc => Self::Virtual(Virtual {
                lifts_to_least: kind == StrategyKind::Vtc,
                ..Virtual::default()
            }),
            StrategyKind::Tiers => Self::Tiers(Box::default()),
            kind => Self::Keyed(kind),
        }
    }

    /// A job is about to be queued.
    pub(crate) fn arrives(&mut self, queued: &[Job], job: &Job, settings: &Settings) {
        let joins = !has_jobs(queued, customer(job));
        match self {
            Self::Keyed(_) => {}
            Self::RoundRobin(ring) => ring.extend(joins.then_some(customer(job))),
            Self::Deficit(deficit) => deficit.arrives(queued.is_empty(), joins, job),
            Self::Virtual(turns) => turns.arrives(queued, joins, job),
            Self::Tiers(tiers) => {
                let tier = tier_of(settings.terms[customer(job)]);
                let empty =
                    !queued.iter().any(|job| tier_of(settings.terms[customer(job)]) == tier);
                tiers.tiers[tier].arrives(empty, joins, job);
            }
        }
    }

    pub(crate) fn next(&mut self, queued: &[Job], now: Time, settings: &Settings) -> Option<Job> {
        queued.first()?;
        match self {
            Self::Keyed(kind) => least_key(*kind, queued, now, settings),
            Self::RoundRobin(ring) => Some(oldest_of(queued, ring[0])),
            Self::Deficit(deficit) => Some(deficit.next(queued, settings)),
            Self::Virtual(turns) => Some(oldest_of(queued, turns.least(queued))),
            Self::Tiers(tiers) => Some(tiers.next(queued, settings)),
        }
    }

    /// A job has left the queue because it is served by turn.
    pub(crate) fn served(&mut self, queued: &[Job], job: &Job, settings: &Settings) {
        let id = customer(job);
        match self {
            Self::Keyed(_) => {}
            Self::RoundRobin(ring) => {
                ring.remove(0);
                ring.extend(has_jobs(queued, id).then_some(id));
            }
            Self::Deficit(deficit) => {
                deficit.balance[id] -= i128::from(cost(job));
                deficit.left(queued, id);
            }
            Self::Virtual(turns) => {
                turns.last_served = turns.tag[id];
                turns.tag[id] += cost(job) / u64::from(settings.terms[id].weight);
                turns.touch(id);
                turns.left(queued, id);
            }
            Self::Tiers(tiers) => tiers.served(queued, job, settings),
        }
    }

    /// A job has left the queue without its turn.
    pub(crate) fn left(&mut self, queued: &[Job], job: &Job, settings: &Settings) {
        let id = customer(job);
        match self {
            Self::Keyed(_) => {}
            Self::RoundRobin(ring) => ring.retain(|other| has_jobs(queued, *other)),
            Self::Deficit(deficit) => deficit.left(queued, id),
            Self::Virtual(turns) => turns.left(queued, id),
            Self::Tiers(tiers) => tiers.left(queued, id, settings),
        }
    }

    /// A job of a batch is charged its share in place of the advance.
    pub(crate) fn charged(
        &mut self,
        queued: &[Job],
        job: &Job,
        advance: u64,
        share: u64,
        settings: &Settings,
    ) {
        let id = customer(job);
        match self {
            Self::Keyed(_) | Self::RoundRobin(_) => {}
            Self::Deficit(deficit) => deficit.charged(queued, id, advance, share),
            Self::Virtual(turns) => {
                let weight = u64::from(settings.terms[id].weight);
                turns.tag[id] = (turns.tag[id] - advance / weight) + share / weight;
                turns.greatest = turns.greatest.max(turns.tag[id]);
            }
            Self::Tiers(tiers) => {
                tiers.tiers[tier_of(settings.terms[id])].charged(queued, id, advance, share);
            }
        }
    }
}

/// The job with the least key, of equals the oldest.
fn least_key(kind: StrategyKind, queued: &[Job], now: Time, settings: &Settings) -> Option<Job> {
    if kind == StrategyKind::SjfAgeing && now.since(queued[0].arrived) >= settings.ageing.wait_max {
        return queued.first().copied();
    }
    let key = |job: &Job| match kind {
        StrategyKind::Fcfs => 0.0,
        StrategyKind::Sjf => f64::from(job.spec.longest),
        StrategyKind::Wspt => cost(job) as f64 / f64::from(job.spec.weight),
        StrategyKind::Edf => job.spec.deadline.map_or(f64::INFINITY, |at| at.nanoseconds() as f64),
        StrategyKind::SjfAgeing => {
            cost(job) as f64 + settings.ageing.cost_per_wait * job.arrived.nanoseconds() as f64
        }
        other => unreachable!("no oracle for {other}"),
    };
    let mut sorted = queued.to_vec();
    sorted.sort_by(|one, other| key(one).total_cmp(&key(other)));
    sorted.first().copied()
}

/// Deficit round robin as the textbook has it.
#[derive(Clone, Default)]
pub(crate) struct Deficit {
    ring: Vec<usize>,
    balance: [i128; CUSTOMERS],
    in_turn: bool,
    quantum: u64,
}

impl Deficit {
    fn arrives(&mut self, empty: bool, joins: bool, job: &Job) {
        self.quantum = cost(job).max(if empty { 1 } else { self.quantum });
        self.ring.extend(joins.then_some(customer(job)));
    }

    fn next(&mut self, queued: &[Job], settings: &Settings) -> Job {
        loop {
            let id = self.ring[0];
            let head = oldest_of(queued, id);
            if !self.in_turn {
                self.in_turn = true;
                let weight = i128::from(settings.terms[id].weight);
                self.balance[id] += i128::from(self.quantum) * weight;
            }
            if self.balance[id] >= i128::from(cost(&head)) {
                return head;
            }
            self.in_turn = false;
            self.ring.rotate_left(1);
        }
    }

    fn left(&mut self, queued: &[Job], id: usize) {
        if !has_jobs(queued, id) {
            self.in_turn &= self.ring[0] != id;
            self.ring.retain(|other| *other != id);
            self.balance[id] = 0;
        }
    }

    fn charged(&mut self, queued: &[Job], id: usize, advance: u64, share: u64) {
        if has_jobs(queued, id) {
            self.balance[id] += i128::from(advance) - i128::from(share);
        }
    }
}

/// Start-time fair queueing and the virtual token counter.
#[derive(Clone, Default)]
pub(crate) struct Virtual {
    lifts_to_least: bool,
    tag: [u64; CUSTOMERS],
    since: [u64; CUSTOMERS],
    events: u64,
    last_served: u64,
    greatest: u64,
    last_left: usize,
}

impl Virtual {
    fn least(&self, queued: &[Job]) -> usize {
        let mut waiting: Vec<usize> = (0..CUSTOMERS).filter(|id| has_jobs(queued, *id)).collect();
        waiting.sort_by_key(|id| (self.tag[*id], self.since[*id]));
        waiting[0]
    }

    fn touch(&mut self, id: usize) {
        self.events += 1;
        self.since[id] = self.events;
    }

    fn arrives(&mut self, queued: &[Job], joins: bool, job: &Job) {
        if !joins {
            return;
        }
        if queued.is_empty() {
            self.last_served = self.greatest;
        }
        let floor = match (self.lifts_to_least, queued.is_empty()) {
            (true, true) => self.tag[self.last_left],
            (true, false) => self.tag[self.least(queued)],
            (false, _) => self.last_served,
        };
        let id = customer(job);
        self.tag[id] = self.tag[id].max(floor);
        self.touch(id);
    }

    fn left(&mut self, queued: &[Job], id: usize) {
        if !has_jobs(queued, id) {
            self.last_left = id;
        }
    }
}

fn tier_of(terms: CustomerTerms) -> usize {
    usize::from(terms.tier)
}

#[derive(Clone, Default)]
pub(crate) struct Tiers {
    tiers: [Deficit; TIERS],
    owed: [u64; TIERS],
}

impl Tiers {
    fn of(&self, queued: &[Job], tier: usize, settings: &Settings) -> Vec<Job> {
        let mut jobs = queued.to_vec();
        jobs.retain(|job| tier_of(settings.terms[customer(job)]) == tier);
        jobs
    }

    fn waiting(&self, queued: &[Job], settings: &Settings) -> Vec<usize> {
        (0..TIERS).filter(|tier| !self.of(queued, *tier, settings).is_empty()).collect()
    }

    fn next(&mut self, queued: &[Job], settings: &Settings) -> Job {
        let waiting = self.waiting(queued, settings);
        for tier in &waiting[1..] {
            let head = self.tiers[*tier].next(&self.of(queued, *tier, settings), settings);
            if self.owed[*tier] / 16 >= cost(&head) {
                return head;
            }
        }
        self.tiers[waiting[0]].next(&self.of(queued, waiting[0], settings), settings)
    }

    fn served(&mut self, queued: &[Job], job: &Job, settings: &Settings) {
        let tier = tier_of(settings.terms[customer(job)]);
        let mut before = queued.to_vec();
        before.push(*job);
        let mut waiting = self.waiting(&before, settings);
        waiting.sort_by_key(|other| Reverse(*other));
        if waiting.last() == Some(&tier) {
            for lower in &waiting[..waiting.len() - 1] {
                self.owed[*lower] += cost(job);
            }
        } else {
            self.owed[tier] = self.owed[tier].saturating_sub(16 * cost(job));
        }
        self.tiers[tier].balance[customer(job)] -= i128::from(cost(job));
        self.left(queued, customer(job), settings);
    }

    fn left(&mut self, queued: &[Job], id: usize, settings: &Settings) {
        let tier = tier_of(settings.terms[id]);
        self.tiers[tier].left(queued, id);
        if self.of(queued, tier, settings).is_empty() {
            self.owed[tier] = 0;
        }
    }
}
