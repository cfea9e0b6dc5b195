//! What a decision takes: a job pushed and popped with ten thousand others queued, for every strategy and
//! composition, and a plan over five hundred.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringyard_scheduler::{
    Batch, CompositionKind, CustomerId, FairRule, JobSpec, Scheduler, SchedulerConfig, Slot,
    StrategyKind,
};
use ringyard_time::Time;

const QUEUED: u32 = 10_000;
const PLANNED: u32 = 512;
const SLOT: Slot = Slot { sequences_max: 32 };

/// A small generator (splitmix64), so that every run measures the same jobs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed >> 32) % u64::from(bound)).expect("below a bound of 32 bits")
    }

    /// Nine in ten short, one in ten long, of a hundred customers.
    fn job(&mut self) -> JobSpec {
        let long = self.below(10) == 0;
        let longest = if long { 256 + self.below(256) } else { 16 + self.below(48) };
        JobSpec::new(CustomerId(self.below(100)), 1, longest, 0)
    }
}

/// A scheduler with `jobs` jobs queued, which never holds a batch.
fn scheduler(
    strategy: StrategyKind,
    composition: CompositionKind,
    jobs: impl IntoIterator<Item = JobSpec>,
) -> Scheduler {
    let config = SchedulerConfig {
        strategy,
        composition,
        linger: Some(Duration::ZERO),
        // The other rule is measured as `rr`.
        fair: FairRule::Deficit,
        ..SchedulerConfig::default()
    };
    let mut scheduler = Scheduler::new(config);
    for job in jobs {
        scheduler.push(job, Time::ZERO).expect("there is room");
    }
    scheduler
}

/// Pops a batch and pushes as many jobs as left; the figure is per job.
fn push_and_pop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("push and pop at 10,000 queued");
    group.throughput(Throughput::Elements(u64::from(SLOT.sequences_max)));
    for composition in [CompositionKind::Fill, CompositionKind::Anchor] {
        for strategy in StrategyKind::ALL {
            let mut random = Random(1);
            let jobs: Vec<_> = (0..QUEUED).map(|_| random.job()).collect();
            let mut scheduler = scheduler(*strategy, composition, jobs);
            let mut batch = Batch::default();
            let mut owed = 0;
            let mut now = Time::ZERO;
            group.bench_function(BenchmarkId::new(composition.name(), strategy), |bencher| {
                // Some batches have fewer jobs than the slot takes: what counts is jobs, not batches.
                bencher.iter(|| {
                    owed += SLOT.sequences_max as usize;
                    while owed > 0 {
                        now += Duration::from_micros(1);
                        scheduler.pop_batch(now, &SLOT, &mut batch);
                        owed = owed.saturating_sub(batch.jobs.len());
                        for _ in 0..batch.jobs.len() {
                            scheduler.push(random.job(), now).expect("one has left");
                        }
                    }
                });
            });
        }
    }
    group.finish();
}

/// The first batch of a backlog: all of the plan.
fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan over 512 jobs");
    let [equal, unequal] = [&[1][..], &[1, 1, 2, 4][..]];
    for (name, weights, alike) in [
        ("equal weights", equal, false),
        ("unequal weights", unequal, false),
        ("equal weights, lengths alike", equal, true),
        ("unequal weights, lengths alike", unequal, true),
    ] {
        let mut random = Random(1);
        let jobs: Vec<_> = (0..PLANNED)
            .map(|position| {
                let weight = weights[position as usize % weights.len()];
                let mut job = random.job().with_weight(weight);
                if alike {
                    job.longest = 400 + random.below(112);
                }
                job
            })
            .collect();
        let mut batch = Batch::default();
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    // Planned once, so that its working memory is there, then changed.
                    let mut scheduler =
                        scheduler(StrategyKind::Sjf, CompositionKind::Plan, jobs.iter().copied());
                    scheduler.pop_batch(Time::ZERO, &SLOT, &mut Batch::default());
                    for job in jobs.iter().take(SLOT.sequences_max as usize) {
                        scheduler.push(*job, Time::ZERO).expect("there is room");
                    }
                    scheduler
                },
                |scheduler| black_box(scheduler.pop_batch(Time::ZERO, &SLOT, &mut batch)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(queue, push_and_pop, plan);
criterion_main!(queue);
