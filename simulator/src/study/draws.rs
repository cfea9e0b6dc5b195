//! Where a simulated world's chance comes from.
//!
//! [`Draws`] names every draw the notebook's world makes, in the notebook's order. [`Keyed`] answers from one
//! counter-based stream per purpose, so a run is a pure function of (seed, scenario, run) whatever thread does
//! it; the tape (`tape`) answers from a recording.

use ringyard_scheduler::balance::{Philox, Random};

use super::law::{Laws, VARIANCE};

/// What a draw is for. Each purpose has its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Threads, processing times and delays of servers; mean delays of channels.
    World,
    /// Which servers a client connects to.
    Subset,
    /// When requests arrive, and at which client.
    Arrivals,
    /// Choices of policies, and how many probes they send.
    Policy,
    /// How long messages take.
    Legs,
    /// How long requests are processed.
    Service,
    /// When servers and channels reset.
    Resets,
}

/// The number of purposes.
const PURPOSES: usize = 7;

/// The draws of a tick world.
pub trait Draws {
    /// What policies draw from.
    type Policy: Random;

    /// The source that policies draw from.
    fn policy(&mut self) -> &mut Self::Policy;

    /// `randGamma(mean, variance)`.
    fn gamma(&mut self, purpose: Purpose, mean: f64, variance: f64) -> u32;

    /// `randGamma(halves / 2)` with the usual variance.
    fn half_gamma(&mut self, purpose: Purpose, halves: u32) -> u32;

    /// The largest value that `half_gamma` can give for the mean `halves / 2`.
    fn half_gamma_max(&mut self, halves: u32) -> u32;

    /// The largest value that `gamma` can give.
    fn gamma_max(&mut self, mean: f64, variance: f64) -> u32;

    /// Fills `into` with `picks` servers for a client, distinct or not.
    fn subset(&mut self, servers: usize, picks: usize, distinct: bool, into: &mut Vec<u32>);

    /// Adds up in `per_tick` how many of `requests` requests arrive on each tick.
    fn arrival_plan(&mut self, requests: usize, per_tick: &mut [u32]);

    /// How many requests arrive in one tick of a Poisson process.
    fn poisson(&mut self, mean: f64) -> u32;

    /// An exponential time of mean 1 between changes of an arrival process.
    fn exponential(&mut self) -> f64;

    /// The client that the next request arrives at.
    fn client(&mut self, clients: usize) -> usize;

    /// Whether entity number `entity` (servers, then channels) resets on tick `now`.
    fn resets(&mut self, entity: usize, now: u32, probability: f64) -> bool;

    /// A start phase below `count` for a policy that takes turns.
    fn phase(&mut self, count: usize) -> usize;
}

/// The identity of a run: everything that its randomness depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunKey<'a> {
    /// The seed of the whole study.
    pub seed: u64,
    /// The scenario's name.
    pub scenario: &'a str,
    /// The number of the run, from zero.
    pub run: u32,
}

impl RunKey<'_> {
    /// The stream for one purpose: the scenario's hash, the run and the purpose side by side.
    #[must_use]
    pub fn stream(&self, purpose: u8) -> Philox {
        const RUN_BITS: u32 = 24;
        assert!(self.run < 1 << RUN_BITS, "a study has fewer than 2^{RUN_BITS} runs per scenario");
        let scenario = u64::from(fnv_1a(self.scenario)) << 32;
        Philox::new(self.seed, scenario | u64::from(self.run) << 8 | u64::from(purpose))
    }
}

/// The 32-bit Fowler-Noll-Vo hash, which will not change with a compiler or a machine.
fn fnv_1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Draws from streams keyed by the run.
#[derive(Debug)]
pub struct Keyed<'l> {
    laws: &'l mut Laws,
    streams: [Philox; PURPOSES],
    round_means: bool,
    /// Per entity the next tick on which it resets; filled in the order of first questions.
    next_reset: Vec<u32>,
}

impl<'l> Keyed<'l> {
    /// The draws of run `key`. With `round_means` every gamma first rounds its mean at random (revision 2).
    pub fn new(laws: &'l mut Laws, key: &RunKey<'_>, round_means: bool) -> Self {
        let purposes = [
            Purpose::World,
            Purpose::Subset,
            Purpose::Arrivals,
            Purpose::Policy,
            Purpose::Legs,
            Purpose::Service,
            Purpose::Resets,
        ];
        let streams = purposes.map(|purpose| key.stream(purpose as u8));
        Self { laws, streams, round_means, next_reset: Vec::new() }
    }

    #[inline]
    fn stream(&mut self, purpose: Purpose) -> &mut Philox {
        &mut self.streams[purpose as usize]
    }

    /// Ticks until the next success of trials with `probability`, at least one.
    #[expect(clippy::cast_possible_truncation, reason = "saturation is what a rare reset needs")]
    fn gap(&mut self, probability: f64) -> u32 {
        if probability <= 0.0 {
            return u32::MAX;
        }
        if probability >= 1.0 {
            return 1;
        }
        // `1 - u` is in (0, 1], where the logarithm is finite.
        let u = 1.0 - self.stream(Purpose::Resets).uniform();
        ((u.ln() / (-probability).ln_1p()).floor() as u32).saturating_add(1)
    }
}

impl Draws for Keyed<'_> {
    type Policy = Philox;

    #[inline]
    fn policy(&mut self) -> &mut Philox {
        self.stream(Purpose::Policy)
    }

    #[expect(clippy::cast_possible_truncation, reason = "means are small positive numbers")]
    fn gamma(&mut self, purpose: Purpose, mean: f64, variance: f64) -> u32 {
        let stream = &mut self.streams[purpose as usize];
        if !self.round_means {
            return self.laws.any(mean, variance).draw(stream);
        }
        let mean = stream.round(mean);
        if mean <= 0.0 {
            0
        } else if variance == VARIANCE {
            self.laws.half(2 * mean as u32).draw(stream)
        } else {
            self.laws.any(mean, variance).draw(stream)
        }
    }

    #[inline]
    fn half_gamma(&mut self, purpose: Purpose, halves: u32) -> u32 {
        if self.round_means {
            return self.gamma(purpose, f64::from(halves) / 2.0, VARIANCE);
        }
        self.laws.half(halves).draw(&mut self.streams[purpose as usize])
    }

    fn half_gamma_max(&mut self, halves: u32) -> u32 {
        let halves = if self.round_means { (halves + 1) & !1 } else { halves };
        if halves == 0 { 0 } else { self.laws.half(halves).largest() }
    }

    fn gamma_max(&mut self, mean: f64, variance: f64) -> u32 {
        let mean = if self.round_means { mean.ceil() } else { mean };
        if mean <= 0.0 { 0 } else { self.laws.any(mean, variance).largest() }
    }

    fn subset(&mut self, servers: usize, picks: usize, distinct: bool, into: &mut Vec<u32>) {
        let stream = self.stream(Purpose::Subset);
        if distinct {
            stream.sample(servers, picks.min(servers), into);
        } else {
            stream.choices(servers, picks, into);
        }
    }

    fn arrival_plan(&mut self, requests: usize, per_tick: &mut [u32]) {
        let stream = self.stream(Purpose::Arrivals);
        for _ in 0..requests {
            per_tick[stream.below(per_tick.len())] += 1;
        }
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        let stream = self.stream(Purpose::Arrivals);
        // Counting exponential gaps is exact and linear in the answer, which is simulated one by one anyway.
        let mut count = 0;
        let mut time = -(1.0 - stream.uniform()).ln();
        while time < mean {
            count += 1;
            time -= (1.0 - stream.uniform()).ln();
        }
        count
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.stream(Purpose::Arrivals).uniform()).ln()
    }

    #[inline]
    fn client(&mut self, clients: usize) -> usize {
        self.stream(Purpose::Arrivals).below(clients)
    }

    #[inline]
    fn resets(&mut self, entity: usize, now: u32, probability: f64) -> bool {
        if entity >= self.next_reset.len() {
            while self.next_reset.len() <= entity {
                let gap = self.gap(probability);
                self.next_reset.push(now.saturating_add(gap - 1));
            }
        }
        if self.next_reset[entity] > now {
            return false;
        }
        self.next_reset[entity] = now.saturating_add(self.gap(probability));
        true
    }

    fn phase(&mut self, count: usize) -> usize {
        self.stream(Purpose::World).below(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_have_their_probability() {
        const ENTITIES: usize = 50;
        const TICKS: u32 = 4_000;
        let mut laws = Laws::default();
        let key = RunKey { seed: 1, scenario: "resets", run: 0 };
        let mut draws = Keyed::new(&mut laws, &key, false);
        let mut resets = 0_u32;
        for now in 0..TICKS {
            for entity in 0..ENTITIES {
                resets += u32::from(draws.resets(entity, now, 0.02));
            }
        }
        // 200,000 trials at 0.02: 4,000 expected, deviation 63.
        assert!((3_750..4_250).contains(&resets), "{resets}");
    }

    #[test]
    fn streams_differ_in_every_part_of_the_key() {
        let word =
            |seed, scenario, run, purpose| RunKey { seed, scenario, run }.stream(purpose).word();
        let base = word(1, "a", 0, 0);
        for other in
            [word(2, "a", 0, 0), word(1, "b", 0, 0), word(1, "a", 1, 0), word(1, "a", 0, 1)]
        {
            assert_ne!(base, other);
        }
        assert_eq!(base, word(1, "a", 0, 0));
    }

    #[test]
    fn poisson_counts_have_their_mean_and_variance() {
        let mut laws = Laws::default();
        let key = RunKey { seed: 3, scenario: "poisson", run: 0 };
        let mut draws = Keyed::new(&mut laws, &key, false);
        let counts: Vec<f64> = (0..20_000).map(|_| f64::from(draws.poisson(7.5))).collect();
        assert!((super::super::numeric::mean(&counts) - 7.5).abs() < 0.08);
        assert!((super::super::numeric::variance(&counts) - 7.5).abs() < 0.3);
    }
}
