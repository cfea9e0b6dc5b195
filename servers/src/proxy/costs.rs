//! What batches cost on each backend, as set or as learned, and how well that is known.

use std::time::Duration;

use ringyard_scheduler::cost::learner::CostLearner;
use ringyard_scheduler::cost::{BatchShape, Cost, CostModel};
use ringyard_scheduler::limits::{COST_FORGETTING, COST_OBSERVATIONS_MIN};

use super::config::CostSetting;

/// What one backend's batches cost, or those of all together.
#[derive(Clone, Debug)]
pub(super) struct CostBook {
    model: CostModel,
    /// Unless the model is given.
    learner: Option<CostLearner>,
    /// Discounted sums of what batches were predicted to take and took, in seconds.
    predicted: f64,
    actual: f64,
    /// The longest sequence whose cost was ever observed.
    longest_seen: u32,
}

impl CostBook {
    fn new(setting: CostSetting) -> Self {
        let (model, learner) = match setting {
            CostSetting::Fixed(model) => (model, None),
            CostSetting::Learned(model) => (model, Some(CostLearner::new(model))),
        };
        Self { model, learner, predicted: 0.0, actual: 0.0, longest_seen: 0 }
    }

    /// The model in force.
    pub(super) fn model(&self) -> CostModel {
        self.model
    }

    /// Predicted over actual time of the last fifty batches or so, each predicted before it was sent.
    pub(super) fn predicted_over_actual(&self) -> f64 {
        if self.actual > 0.0 { self.predicted / self.actual } else { 1.0 }
    }

    /// What a batch of this shape costs, if that is known: given, or learned from batches not much shorter.
    /// A model says little of what lies far beyond all that it has seen, and what is refused for what it says
    /// would never prove it wrong.
    pub(super) fn known_cost(&self, shape: &BatchShape) -> Option<Cost> {
        let known = self.known_longest().is_some_and(|longest| shape.longest <= longest);
        known.then(|| self.model.cost(shape))
    }

    /// Up to which length costs are known; `None` where they are not.
    pub(super) fn known_longest(&self) -> Option<u32> {
        match &self.learner {
            None => Some(u32::MAX),
            Some(learner) => {
                let known = learner.observations() >= COST_OBSERVATIONS_MIN;
                known.then(|| self.longest_seen.saturating_mul(2))
            }
        }
    }

    fn observe(&mut self, shape: &BatchShape, predicted: Cost, took: Duration) {
        self.predicted = COST_FORGETTING * self.predicted + predicted.duration().as_secs_f64();
        self.actual = COST_FORGETTING * self.actual + took.as_secs_f64();
        self.longest_seen = self.longest_seen.max(shape.longest);
        if let Some(learner) = &mut self.learner {
            learner.observe(shape, took);
            self.model = learner.model();
        }
    }
}

/// The books of all backends.
#[derive(Debug)]
pub(super) struct Costs {
    backends: Vec<CostBook>,
    /// Of all batches, for requests of which nobody knows yet where they will go. None where there is only one
    /// backend, whose book says the same.
    common: Option<CostBook>,
}

impl Costs {
    pub(super) fn new(setting: CostSetting, backends: usize) -> Self {
        Self {
            backends: (0..backends).map(|_| CostBook::new(setting)).collect(),
            common: (backends != 1).then(|| CostBook::new(setting)),
        }
    }

    pub(super) fn backend(&self, backend: usize) -> &CostBook {
        &self.backends[backend]
    }

    pub(super) fn common(&self) -> &CostBook {
        self.common.as_ref().unwrap_or_else(|| &self.backends[0])
    }

    /// A batch took so long on a backend, which was predicted to cost `predicted`.
    pub(super) fn observe(
        &mut self,
        backend: usize,
        shape: &BatchShape,
        predicted: Cost,
        took: Duration,
    ) {
        self.backends[backend].observe(shape, predicted, took);
        if let Some(common) = &mut self.common {
            common.observe(shape, predicted, took);
        }
    }
}

#[cfg(test)]
mod tests {
    use ringyard_scheduler::cost::CostKind;

    use super::*;

    fn shape(longest: u32) -> BatchShape {
        BatchShape { sequences: 1, characters: u64::from(longest), longest }
    }

    fn observe(costs: &mut Costs, backend: usize, longest: u32, nanoseconds_per_square: u64) {
        let shape = shape(longest);
        let took = Duration::from_nanos(u64::from(longest).pow(2) * nanoseconds_per_square);
        let predicted = costs.backend(backend).model().cost(&shape);
        costs.observe(backend, &shape, predicted, took);
    }

    #[test]
    fn each_backend_has_a_book_of_its_own() {
        let mut costs = Costs::new(CostSetting::default(), 2);
        for round in 0..400 {
            observe(&mut costs, 0, 10 + round % 90, 2_000);
            observe(&mut costs, 1, 10 + round % 90, 8_000);
        }
        for (backend, slope) in [(0, 2_000.0), (1, 8_000.0)] {
            let book = costs.backend(backend);
            assert!((book.model().slope() / slope - 1.0).abs() < 0.05, "{:?}", book.model());
            assert!((book.predicted_over_actual() - 1.0).abs() < 0.05);
        }
    }

    #[test]
    fn nothing_is_known_of_what_is_far_longer_than_all_before() {
        let mut costs = Costs::new(CostSetting::default(), 1);
        assert_eq!(costs.common().known_cost(&shape(1)), None);
        for _ in 0..COST_OBSERVATIONS_MIN {
            observe(&mut costs, 0, 50, 1_000);
        }
        assert!(costs.common().known_cost(&shape(100)).is_some());
        assert_eq!(costs.common().known_cost(&shape(101)), None);
    }

    #[test]
    fn a_given_model_stays_and_its_error_shows() {
        let model = CostModel::new(CostKind::Quadratic, 1_000.0, 0.0);
        let mut costs = Costs::new(CostSetting::Fixed(model), 1);
        assert!(costs.common().known_cost(&shape(1_000_000)).is_some());
        for _ in 0..100 {
            observe(&mut costs, 0, 50, 4_000);
        }
        assert_eq!(costs.backend(0).model(), model);
        assert!((costs.backend(0).predicted_over_actual() - 0.25).abs() < 1e-9);
    }
}
