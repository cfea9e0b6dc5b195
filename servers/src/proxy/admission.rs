//! How long a request would wait: what lies ahead of it, by what it costs, at the measured pace.
//!
//! What is queued is kept as sums of the features that costs are made of, not as a sum of costs: a cost model
//! that is being learned changes under the queue, and sums of features can be priced anew at any time. The
//! pace is the time that backends took for a batch over what its members would have cost one by one. So it
//! holds whatever batching saves and whatever the model is wrong about, and a change in the mix of lengths
//! does not look like a change of pace.

use std::time::Duration;

use ringyard_scheduler::cost::{BatchShape, CostKind, CostModel};

/// What part of the sums a batch leaves standing: the last ten batches or so count.
const MEMORY: f64 = 0.9;

/// What jobs amount to, whatever the cost model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) jobs: u64,
    sequences: u64,
    characters: u64,
    /// Of the longest sequence of each.
    squares: u128,
}

impl Load {
    pub(super) fn add(&mut self, shape: &BatchShape) {
        self.jobs += 1;
        self.sequences += shape.sequences;
        self.characters += shape.characters;
        self.squares += u128::from(shape.longest) * u128::from(shape.longest);
    }

    pub(super) fn remove(&mut self, shape: &BatchShape) {
        self.jobs -= 1;
        self.sequences -= shape.sequences;
        self.characters -= shape.characters;
        self.squares -= u128::from(shape.longest) * u128::from(shape.longest);
    }

    /// Both together.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            jobs: self.jobs + other.jobs,
            sequences: self.sequences + other.sequences,
            characters: self.characters + other.characters,
            squares: self.squares + other.squares,
        }
    }

    /// In the order of [`Sums`].
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn figures(&self) -> [f64; 4] {
        [self.jobs as f64, self.sequences as f64, self.characters as f64, self.squares as f64]
    }
}

/// Sums of jobs, sequences, characters and squares of lengths.
type Sums = [f64; 4];

/// Nanoseconds that the jobs of these sums would cost one by one.
fn price(sums: &Sums, model: &CostModel) -> f64 {
    let [jobs, sequences, characters, squares] = *sums;
    let feature = match model.kind() {
        CostKind::Quadratic => squares,
        CostKind::Linear => characters,
        CostKind::Affine => sequences,
        CostKind::Constant => 0.0,
    };
    model.slope() * feature + model.intercept() * jobs
}

/// The measured pace of the backends.
#[derive(Debug, Default)]
pub(super) struct Pace {
    busy_seconds: f64,
    served: Sums,
}

impl Pace {
    /// Takes note of a batch: how long the backend had it, and what its members amount to.
    pub(super) fn record(&mut self, duration: Duration, members: &Load) {
        self.busy_seconds = self.busy_seconds * MEMORY + duration.as_secs_f64();
        for (sum, figure) in self.served.iter_mut().zip(members.figures()) {
            *sum = *sum * MEMORY + figure;
        }
    }

    /// How long the backends need for `ahead` while `lanes` batches can be in flight. Zero before anything
    /// was measured.
    pub(super) fn predicted_wait(&self, ahead: &Load, model: &CostModel, lanes: usize) -> Duration {
        if self.served[0] <= 0.0 {
            return Duration::ZERO;
        }
        let figures = ahead.figures();
        let served = price(&self.served, model);
        // Without a price that tells jobs apart, all count alike.
        let ratio = if served > 0.0 {
            price(&figures, model).max(0.0) / served
        } else {
            figures[0] / self.served[0]
        };
        let lanes = f64::from(u32::try_from(lanes.max(1)).unwrap_or(u32::MAX));
        Duration::try_from_secs_f64(ratio * self.busy_seconds / lanes).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(jobs: u64, longest: u32) -> Load {
        let mut load = Load::default();
        let shape = BatchShape { sequences: 1, characters: u64::from(longest), longest };
        (0..jobs).for_each(|_| load.add(&shape));
        load
    }

    fn assert_near(one: Duration, other: Duration) {
        assert!(one.abs_diff(other) < other / 20, "{one:?} for {other:?}");
    }

    #[test]
    fn the_wait_is_the_work_ahead_over_the_lanes() {
        let model = CostModel::default();
        let mut pace = Pace::default();
        assert_eq!(pace.predicted_wait(&load(1000, 9), &model, 1), Duration::ZERO);
        for _ in 0..100 {
            pace.record(Duration::from_millis(50), &load(5, 9));
        }
        let wait = pace.predicted_wait(&load(100, 9), &model, 2);
        assert_near(wait, Duration::from_millis(500));
    }

    #[test]
    fn a_mix_of_other_lengths_is_priced_by_its_own() {
        let mut pace = Pace::default();
        let model = CostModel::new(CostKind::Quadratic, 123.0, 0.0);
        for _ in 0..100 {
            pace.record(Duration::from_millis(10), &load(4, 100));
        }
        let wait = pace.predicted_wait(&load(4, 1000), &model, 1);
        assert_near(wait, Duration::from_secs(1));
    }

    #[test]
    fn a_model_that_is_wrong_by_a_factor_changes_nothing() {
        let mut pace = Pace::default();
        pace.record(Duration::from_millis(30), &load(3, 10));
        for slope in [1.0, 1e3, 1e6] {
            let model = CostModel::new(CostKind::Quadratic, slope, 0.0);
            let wait = pace.predicted_wait(&load(10, 10), &model, 1);
            assert_near(wait, Duration::from_millis(100));
        }
        let free = CostModel::new(CostKind::Constant, 0.0, 0.0);
        let wait = pace.predicted_wait(&load(10, 99), &free, 1);
        assert_near(wait, Duration::from_millis(100));
    }
}
