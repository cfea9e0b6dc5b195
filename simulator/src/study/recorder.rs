//! Draws as another source makes them, written down as a tape.
//!
//! Keyed streams do not draw everything the notebook draws (a reset is one geometric gap, a tie is broken without
//! a shuffle), so some lines are an equivalent draw and not the actual one: played back, they give the same run.

use ringyard_scheduler::balance::Random;

use super::draws::{Draws, Purpose};
use super::law::VARIANCE;
use super::tape::{Draw, HEADER};

/// A uniform number that makes no probability below one true.
const NEVER: f64 = 0.999_999_999;

/// Passes draws through and writes them down.
#[derive(Debug)]
pub struct Recorder<D> {
    inner: D,
    text: String,
}

impl<D: Draws> Recorder<D> {
    /// Records what `inner` draws. Means must not be rounded at random (revision 1 or corrected).
    pub fn new(inner: D) -> Self {
        Self { inner, text: format!("{HEADER}\n") }
    }

    /// The tape.
    #[must_use]
    pub fn into_tape(self) -> String {
        self.text
    }

    fn note(&mut self, draw: &Draw) {
        draw.write(&mut self.text);
    }

    fn note_gamma(&mut self, mean: f64, variance: f64, drawn: u32) {
        let value = (f64::from(drawn) - 0.5) * variance;
        self.note(&Draw::Gamma((variance * mean - 1.0) / variance, variance, value));
    }
}

impl<D: Draws> Random for Recorder<D> {
    fn word(&mut self) -> u64 {
        unreachable!("every draw of a policy is a method of its own")
    }

    fn uniform(&mut self) -> f64 {
        let value = self.inner.policy().uniform();
        self.note(&Draw::Uniform(value));
        value
    }

    fn below(&mut self, bound: usize) -> usize {
        let index = self.inner.policy().below(bound);
        self.note(&Draw::Index(bound, index));
        index
    }

    fn weighted(&mut self, weights: &[f64]) -> usize {
        let index = self.inner.policy().weighted(weights);
        self.note(&Draw::Weighted(weights.len(), index));
        index
    }

    fn shuffle(&mut self, items: &mut [u32]) {
        let before = items.to_vec();
        let mut order: Vec<u32> = (0..).take(items.len()).collect();
        self.inner.policy().shuffle(&mut order);
        for (item, place) in items.iter_mut().zip(&order) {
            *item = before[*place as usize];
        }
        self.note(&Draw::Permutation(order));
    }

    fn sample(&mut self, count: usize, picks: usize, into: &mut Vec<u32>) {
        self.inner.policy().sample(count, picks, into);
        self.note(&Draw::Sample(count, into.clone()));
    }

    fn choices(&mut self, count: usize, picks: usize, into: &mut Vec<u32>) {
        self.inner.policy().choices(count, picks, into);
        self.note(&Draw::Choices(count, into.clone()));
    }

    fn first_minimum(&mut self, scores: &[f64]) -> usize {
        let index = self.inner.policy().first_minimum(scores);
        let mut order: Vec<u32> = (0..).take(scores.len()).collect();
        order.swap(0, index);
        self.note(&Draw::Permutation(order));
        index
    }
}

impl<D: Draws> Draws for Recorder<D> {
    type Policy = Self;

    fn policy(&mut self) -> &mut Self {
        self
    }

    fn gamma(&mut self, purpose: Purpose, mean: f64, variance: f64) -> u32 {
        let drawn = self.inner.gamma(purpose, mean, variance);
        self.note_gamma(mean, variance, drawn);
        drawn
    }

    fn half_gamma(&mut self, purpose: Purpose, halves: u32) -> u32 {
        let drawn = self.inner.half_gamma(purpose, halves);
        self.note_gamma(f64::from(halves) / 2.0, VARIANCE, drawn);
        drawn
    }

    fn half_gamma_max(&mut self, halves: u32) -> u32 {
        self.inner.half_gamma_max(halves)
    }

    fn gamma_max(&mut self, mean: f64, variance: f64) -> u32 {
        self.inner.gamma_max(mean, variance)
    }

    fn subset(&mut self, servers: usize, picks: usize, distinct: bool, into: &mut Vec<u32>) {
        self.inner.subset(servers, picks, distinct, into);
        let drawn = into.clone();
        self.note(&if distinct {
            Draw::Sample(servers, drawn)
        } else {
            Draw::Choices(servers, drawn)
        });
    }

    fn arrival_plan(&mut self, requests: usize, per_tick: &mut [u32]) {
        let mut drawn = vec![0; per_tick.len()];
        self.inner.arrival_plan(requests, &mut drawn);
        for (tick, (total, count)) in per_tick.iter_mut().zip(drawn.iter().copied()).enumerate() {
            *total += count;
            for _ in 0..count {
                Draw::Index(drawn.len(), tick).write(&mut self.text);
            }
        }
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        self.inner.poisson(mean)
    }

    fn exponential(&mut self) -> f64 {
        self.inner.exponential()
    }

    fn client(&mut self, clients: usize) -> usize {
        let client = self.inner.client(clients);
        self.note(&Draw::Index(clients, client));
        client
    }

    fn resets(&mut self, entity: usize, now: u32, probability: f64) -> bool {
        let resets = self.inner.resets(entity, now, probability);
        self.note(&Draw::Uniform(if resets { 0.0 } else { NEVER }));
        resets
    }

    fn phase(&mut self, count: usize) -> usize {
        let phase = self.inner.phase(count);
        self.note(&Draw::Index(count, phase));
        phase
    }
}
