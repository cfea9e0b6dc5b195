//! What a decision takes: a job pushed and popped with others queued, for every strategy and composition and for
//! queues that others use in its place; the same with jobs that come from other threads; and a plan over five hundred.

#![expect(clippy::disallowed_types, reason = "a heap behind a lock is one of those compared with")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use crossbeam_queue::ArrayQueue;
use crossbeam_skiplist::SkipMap;
use ringyard_bench::wall_clock::Stopwatch;
use ringyard_scheduler::{
    Batch, CompositionKind, CustomerId, FairRule, JobSpec, Scheduler, SchedulerConfig, Slot,
    StrategyKind,
};
use ringyard_time::Time;

const QUEUED: u32 = 10_000;

/// Jobs queued while one is pushed and popped.
const DEPTHS: [u32; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

/// Places of the bounded queue between the threads that produce and the one that owns a scheduler.
const HANDED_OVER: usize = 1_024;

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
        queue_jobs_max: 2_000_000,
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

/// A queue that holds jobs and gives the next, whatever that is.
trait Rival: Sync {
    /// An empty one.
    fn new() -> Self;
    /// Queues a job.
    fn push(&self, job: JobSpec);
    /// Takes the next, if there is one.
    fn pop(&self) -> Option<JobSpec>;
}

/// Shortest first behind a lock; among equals by arrival.
struct LockedHeap(Mutex<(BinaryHeap<Reverse<Keyed>>, u64)>);

/// A job by length, then by arrival.
#[derive(Clone, Copy)]
struct Keyed {
    key: (u32, u64),
    job: JobSpec,
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Keyed {}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl Rival for LockedHeap {
    fn new() -> Self {
        Self(Mutex::new((BinaryHeap::new(), 0)))
    }

    fn push(&self, job: JobSpec) {
        let mut guard = self.0.lock().expect("nobody panics with the lock");
        let (heap, arrived) = &mut *guard;
        *arrived += 1;
        heap.push(Reverse(Keyed { key: (job.longest, *arrived), job }));
    }

    fn pop(&self) -> Option<JobSpec> {
        let mut guard = self.0.lock().expect("nobody panics with the lock");
        guard.0.pop().map(|Reverse(keyed)| keyed.job)
    }
}

/// Shortest first without a lock.
struct Skips {
    map: SkipMap<(u32, u64), JobSpec>,
    arrived: AtomicU64,
}

impl Rival for Skips {
    fn new() -> Self {
        Self { map: SkipMap::new(), arrived: AtomicU64::new(0) }
    }

    fn push(&self, job: JobSpec) {
        let arrived = self.arrived.fetch_add(1, Ordering::Relaxed);
        self.map.insert((job.longest, arrived), job);
    }

    fn pop(&self) -> Option<JobSpec> {
        self.map.pop_front().map(|entry| *entry.value())
    }
}

/// First come, first served, without a lock.
struct Channel(crossbeam_channel::Sender<JobSpec>, crossbeam_channel::Receiver<JobSpec>);

impl Rival for Channel {
    fn new() -> Self {
        let (sender, receiver) = crossbeam_channel::unbounded();
        Self(sender, receiver)
    }

    fn push(&self, job: JobSpec) {
        self.0.send(job).expect("the other end is held too");
    }

    fn pop(&self) -> Option<JobSpec> {
        self.1.try_recv().ok()
    }
}

/// Pushes and pops a job at a time with so many queued; the figure is per job.
fn one_by_one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("push and pop one");
    group.throughput(Throughput::Elements(1));
    let one = Slot { sequences_max: 1 };
    for depth in DEPTHS {
        for strategy in StrategyKind::ALL {
            let mut random = Random(1);
            let jobs: Vec<_> = (0..depth).map(|_| random.job()).collect();
            let mut scheduler = scheduler(*strategy, CompositionKind::Fill, jobs);
            let (mut batch, mut now) = (Batch::default(), Time::ZERO);
            group.bench_function(BenchmarkId::new(strategy.name(), depth), |bencher| {
                bencher.iter(|| {
                    now += Duration::from_micros(1);
                    scheduler.push(random.job(), now).expect("there is room");
                    assert!(scheduler.pop_batch(now, &one, &mut batch));
                });
            });
        }
        rival::<LockedHeap>(&mut group, "heap behind a lock", depth);
        rival::<Skips>(&mut group, "skip list", depth);
        rival::<Channel>(&mut group, "channel", depth);
    }
    group.finish();
}

fn rival<R: Rival>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, depth: u32) {
    let mut random = Random(1);
    let queue = R::new();
    (0..depth).for_each(|_| queue.push(random.job()));
    group.bench_function(BenchmarkId::new(name, depth), |bencher| {
        bencher.iter(|| {
            queue.push(random.job());
            black_box(queue.pop()).expect("one was pushed");
        });
    });
}

/// Jobs from one or two other threads, with ten thousand queued; the figure is per job.
fn from_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jobs from other threads");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("scheduler behind a ring", threads), |bencher| {
            let mut random = Random(1);
            let jobs: Vec<_> = (0..QUEUED).map(|_| random.job()).collect();
            let mut scheduler = scheduler(StrategyKind::Sjf, CompositionKind::Fill, jobs);
            let (mut batch, mut now) = (Batch::default(), Time::ZERO);
            let one = Slot { sequences_max: 1 };
            let ring = ArrayQueue::new(HANDED_OVER);
            bencher.iter_custom(|count| {
                let push = |mut job| {
                    while let Err(back) = ring.push(job) {
                        job = back;
                        thread::yield_now();
                    }
                };
                produced(threads, count, push, || {
                    let Some(job) = ring.pop() else { return false };
                    now += Duration::from_micros(1);
                    scheduler.push(job, now).expect("there is room");
                    scheduler.pop_batch(now, &one, &mut batch)
                })
            });
        });
        rival_from_threads::<LockedHeap>(&mut group, "heap behind a lock", threads);
        rival_from_threads::<Skips>(&mut group, "skip list", threads);
        rival_from_threads::<Channel>(&mut group, "channel", threads);
    }
    group.finish();
}

fn rival_from_threads<R: Rival>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    threads: u64,
) {
    let mut random = Random(1);
    let queue = R::new();
    (0..QUEUED).for_each(|_| queue.push(random.job()));
    group.bench_function(BenchmarkId::new(name, threads), |bencher| {
        bencher.iter_custom(|count| {
            let come = AtomicU64::new(0);
            let push = |job| {
                queue.push(job);
                come.fetch_add(1, Ordering::Release);
            };
            let mut gone = 0;
            produced(threads, count, push, || {
                let is_there = gone < come.load(Ordering::Acquire);
                gone += u64::from(is_there);
                is_there && queue.pop().is_some()
            })
        });
    });
}

/// How long it takes until `count` jobs that `threads` threads push have been taken by this one.
fn produced(
    threads: u64,
    count: u64,
    push: impl Fn(JobSpec) + Sync,
    mut take: impl FnMut() -> bool,
) -> Duration {
    thread::scope(|scope| {
        let began = Stopwatch::start();
        for thread in 0..threads {
            let push = &push;
            let share = count / threads + u64::from(thread < count % threads);
            scope.spawn(move || {
                let mut random = Random(thread);
                (0..share).for_each(|_| push(random.job()));
            });
        }
        let mut taken = 0;
        while taken < count {
            if take() {
                taken += 1;
            } else {
                thread::yield_now();
            }
        }
        began.elapsed()
    })
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

criterion_group!(benches, one_by_one, from_threads, push_and_pop, plan);
criterion_main!(benches);
