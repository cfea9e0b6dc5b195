//! The world of the study: one backend, one queue, and time that jumps from event to event.
//!
//! The scheduler is asked whenever the backend is free, as a proxy's would be; a batch takes exactly what it costs.
//! Every request is answered: after the last one has come the queue runs empty.

use ringyard_scheduler::cost::BatchShape;
use ringyard_scheduler::{Batch, CustomerId, CustomerTerms, Scheduler, SchedulerConfig, Slot};
use ringyard_time::Time;

use super::mix::Mix;
use crate::statistics::milliseconds;

/// One of so many requests, the first ones, only fills the queue and is not counted.
const WARM_UP_PART: usize = 10;

/// What to play.
#[derive(Clone, Debug)]
pub struct Play<'a> {
    /// What comes.
    pub mix: &'a Mix,
    /// As which multiple of the mix's rates.
    pub load: f64,
    /// What every random choice follows from.
    pub seed: u64,
    /// Requests in all.
    pub jobs: usize,
    /// The scheduler's settings; cost model and bound of the queue are set to what the mix needs.
    pub config: SchedulerConfig,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// From arrival to answer, in milliseconds, by class; in the order of the answers.
    pub latencies_ms: Vec<Vec<f64>>,
    /// By customer: the sum of latency over the time alone, and over how many requests it runs.
    pub slowdowns: Vec<(f64, u64)>,
    /// Counted requests that were answered after their deadline.
    pub late: u64,
    /// Requests of the whole run, counted or not.
    pub jobs: u64,
    /// Batches of the whole run.
    pub batches: u64,
    /// When the last request came.
    pub last_arrival: Time,
    /// When the last answer went.
    pub end: Time,
    /// How long the backend was at work until then, in nanoseconds.
    pub busy_nanoseconds: u64,
}

impl Record {
    /// How much longer the queue took to run empty than requests came, relative to that. Small where the backend can keep
    /// up; a backend with twice its load ends at 1.
    #[must_use]
    pub fn overrun(&self) -> f64 {
        let excess = self.end.since(self.last_arrival);
        excess.as_secs_f64() / self.last_arrival.since(Time::ZERO).as_secs_f64().max(1e-9)
    }
}

/// Plays a mix against one backend.
#[must_use]
pub fn play(play: &Play<'_>) -> Record {
    let mut world = World::new(play);
    let slot = Slot { sequences_max: play.mix.batch_sequences_max };
    let mut arrivals = play.mix.arrivals(play.load, play.seed).take(play.jobs).peekable();
    let mut batch = Batch::default();
    let mut now = Time::ZERO;
    loop {
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.at <= now) {
            let mut spec = arrival.spec;
            spec.tag = world.classes.len() as u64;
            world.scheduler.push(spec, arrival.at).expect("the queue has room for all requests");
            world.classes.push(arrival.class);
            world.record.last_arrival = arrival.at;
        }
        if world.scheduler.pop_batch(now, &slot, &mut batch) {
            now += batch.cost.duration();
            world.answered(now, &batch);
            continue;
        }
        let next =
            [arrivals.peek().map(|arrival| arrival.at), world.scheduler.next_deadline(&slot)];
        match next.into_iter().flatten().min() {
            Some(next) => now = next,
            None => return world.record,
        }
    }
}

/// The scheduler and what is known of its jobs.
struct World {
    scheduler: Scheduler,
    cost_model: ringyard_scheduler::cost::CostModel,
    /// The class of each job, by its tag, which counts jobs as they come.
    classes: Vec<usize>,
    warm_up: u64,
    record: Record,
}

impl World {
    fn new(play: &Play<'_>) -> Self {
        let cost_model = play.mix.cost_model().expect("the mix was checked");
        let config =
            SchedulerConfig { cost_model, queue_jobs_max: play.jobs, ..play.config.clone() };
        let mut scheduler = Scheduler::new(config);
        for (index, customer) in (0..).zip(&play.mix.customers) {
            let terms = CustomerTerms::new(customer.weight, customer.tier);
            scheduler.set_customer(CustomerId(index), terms, Time::ZERO);
        }
        Self {
            scheduler,
            cost_model,
            classes: Vec::with_capacity(play.jobs),
            warm_up: (play.jobs / WARM_UP_PART) as u64,
            record: Record {
                latencies_ms: vec![Vec::new(); play.mix.classes().count()],
                slowdowns: vec![(0.0, 0); play.mix.customers.len()],
                late: 0,
                jobs: 0,
                batches: 0,
                last_arrival: Time::ZERO,
                end: Time::ZERO,
                busy_nanoseconds: 0,
            },
        }
    }

    fn answered(&mut self, now: Time, batch: &Batch) {
        let record = &mut self.record;
        record.batches += 1;
        record.jobs += batch.jobs.len() as u64;
        record.busy_nanoseconds += batch.cost.0;
        record.end = now;
        for job in batch.jobs.iter().filter(|job| job.spec.tag >= self.warm_up) {
            let class = self.classes[usize::try_from(job.spec.tag).expect("tags count jobs")];
            let latency_ms = milliseconds(now.since(job.arrived));
            record.latencies_ms[class].push(latency_ms);
            record.late += u64::from(job.spec.deadline.is_some_and(|deadline| deadline < now));
            let alone = self.cost_model.cost(&BatchShape::of(&job.spec)).duration();
            let (sum, count) = &mut record.slowdowns[job.spec.customer.0 as usize];
            *sum += latency_ms / milliseconds(alone).max(1e-6);
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringyard_scheduler::{CompositionKind, StrategyKind};
    use ringyard_simulator::study::numeric::{deviation, mean, student_95};

    use super::*;

    const JOBS: usize = 20_000;

    fn config(strategy: StrategyKind) -> SchedulerConfig {
        SchedulerConfig { strategy, linger: Some(Duration::ZERO), ..SchedulerConfig::default() }
    }

    /// Classes of one customer, each with its rate and its constant cost in milliseconds.
    fn constant_mix(batch: u32, classes: &[(f64, f64)]) -> Mix {
        let mut text =
            format!("name = \"m\"\nbatch_sequences_max = {batch}\n[[customers]]\nname = \"c\"\n");
        for (rate, cost_ms) in classes {
            let length = (cost_ms * 1e3).sqrt().round();
            text += &format!(
                "[[customers.classes]]\nname = \"k\"\nrequests_per_second = {rate}\nlength = {{ constant = {length} }}\n"
            );
        }
        Mix::from_toml(&text).unwrap()
    }

    /// The means of ten seeds bracket the law's figure with their 99.9 % interval (twice that of 95 %, about).
    #[track_caller]
    fn check_law(mix: &Mix, strategy: StrategyKind, class: usize, expected_ms: f64) {
        let run = |seed| {
            let config = config(strategy);
            let record = play(&Play { mix, load: 1.0, seed, jobs: JOBS, config });
            mean(&record.latencies_ms[class])
        };
        let means: Vec<f64> = (0..10).map(run).collect();
        let half = 2.0 * student_95(means.len()) * deviation(&means) / (means.len() as f64).sqrt();
        let found = mean(&means);
        assert!((found - expected_ms).abs() <= half, "{found} ± {half}, expected {expected_ms}");
        assert!(half < 0.1 * expected_ms, "{half} says nothing about {expected_ms}");
    }

    #[test]
    fn constant_costs_wait_as_in_m_d_1() {
        for rho in [0.3, 0.6, 0.8] {
            let mix = constant_mix(1, &[(rho * 100.0, 10.0)]);
            check_law(&mix, StrategyKind::Fcfs, 0, 10.0 + rho * 10.0 / (2.0 * (1.0 - rho)));
        }
    }

    /// Cobham's law of two priorities without preemption, which is what shortest-first is for two lengths.
    #[test]
    fn shortest_first_waits_as_in_cobhams_law() {
        let (short, long) = ((40.0, 10.0), (3.0, 90.0));
        let mix = constant_mix(1, &[short, long]);
        let costs = [short.1, long.1];
        let rho = [short.0 * costs[0] / 1e3, long.0 * costs[1] / 1e3];
        let residual = (short.0 * costs[0].powi(2) + long.0 * costs[1].powi(2)) / 2.0 / 1e3;
        let first = residual / (1.0 - rho[0]);
        let second = first / (1.0 - rho[0] - rho[1]);
        check_law(&mix, StrategyKind::Sjf, 0, costs[0] + first);
        check_law(&mix, StrategyKind::Sjf, 1, costs[1] + second);
    }

    #[test]
    fn every_request_is_answered_once_whatever_the_strategy() {
        for mix in Mix::built_in() {
            for strategy in StrategyKind::ALL {
                for composition in CompositionKind::ALL {
                    let config = SchedulerConfig { composition: *composition, ..config(*strategy) };
                    let record = play(&Play { mix: &mix, load: 2.0, seed: 1, jobs: 500, config });
                    let counted: usize = record.latencies_ms.iter().map(Vec::len).sum();
                    assert_eq!(counted, 450, "{strategy} {composition} {}", mix.name);
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_record() {
        let mix = &Mix::built_in()[0];
        let config =
            SchedulerConfig { composition: CompositionKind::Plan, ..config(StrategyKind::Sjf) };
        let run = |seed| play(&Play { mix, load: 2.0, seed, jobs: 2_000, config: config.clone() });
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    /// A backend with room for everybody who waits is as fast as the law of a batch server with infinite room: nobody
    /// waits for more than the rest of one batch, then for his own.
    #[test]
    fn with_room_for_all_nobody_waits_for_more_than_two_batches() {
        let mix = constant_mix(1_000, &[(500.0, 10.0)]);
        let run =
            Play { mix: &mix, load: 1.0, seed: 1, jobs: 5_000, config: config(StrategyKind::Fcfs) };
        let record = play(&run);
        assert!(record.latencies_ms[0].iter().all(|latency| (10.0..=20.0).contains(latency)));
        assert!(record.overrun() < 0.01);
    }

    #[test]
    fn a_linger_holds_an_incomplete_batch() {
        let mix = constant_mix(8, &[(1.0, 10.0)]);
        let held = SchedulerConfig {
            linger: Some(Duration::from_millis(50)),
            ..config(StrategyKind::Fcfs)
        };
        let record = play(&Play { mix: &mix, load: 1.0, seed: 1, jobs: 200, config: held });
        let least = record.latencies_ms[0].iter().copied().fold(f64::MAX, f64::min);
        assert!(record.latencies_ms[0].iter().any(|latency| *latency >= 60.0), "{least}");
    }
}
