//! Learning a backend's cost model from the times that its batches take.
//!
//! For every kind of model one recursive least-squares fit runs along; the kind whose predictions, made before
//! the answer was known, were best of late is the one in force. Old evidence is forgotten at a constant rate,
//! so a backend that changes is followed; but in no direction does the evidence for the present coefficients
//! fall below a floor. Without it, a day of equal batches would leave the slope so uncertain that a little
//! noise could throw it anywhere.

use super::{BatchShape, CostKind, CostModel};
use crate::limits::{
    COST_EVIDENCE_MIN, COST_FORGETTING, COST_OBSERVATIONS_MIN, COST_SWITCH_ADVANTAGE,
};
use std::time::Duration;

/// Learns what batches cost on one backend.
#[derive(Clone, Debug)]
pub struct CostLearner {
    /// One per kind, in the order of [`CostKind::ALL`].
    fits: [Fit; 4],
    /// Which of `fits` is in force.
    chosen: usize,
    observations: u64,
    predicted: f64,
    actual: f64,
}

impl CostLearner {
    /// Believes `initial` until told otherwise.
    #[must_use]
    pub fn new(initial: CostModel) -> Self {
        let fits = CostKind::ALL.map(|kind| Fit::new(kind, initial));
        let chosen = CostKind::ALL.iter().position(|kind| *kind == initial.kind);
        let chosen = chosen.expect("every kind is listed");
        Self { fits, chosen, observations: 0, predicted: 0.0, actual: 0.0 }
    }

    /// The model in force.
    #[must_use]
    pub fn model(&self) -> CostModel {
        self.fits[self.chosen].model()
    }

    /// Batches seen.
    #[must_use]
    pub fn observations(&self) -> u64 {
        self.observations
    }

    /// Predicted over actual time of the recent batches, each predicted before it was seen; 1 before the
    /// first.
    #[must_use]
    pub fn predicted_over_actual(&self) -> f64 {
        if self.actual > 0.0 { self.predicted / self.actual } else { 1.0 }
    }

    /// A batch of this shape took so long.
    pub fn observe(&mut self, shape: &BatchShape, took: Duration) {
        let took = took.as_secs_f64() * 1e9;
        self.observations += 1;
        self.predicted = COST_FORGETTING * self.predicted + self.fits[self.chosen].predict(shape);
        self.actual = COST_FORGETTING * self.actual + took;
        for fit in &mut self.fits {
            fit.observe(shape, took);
        }
        if self.observations < COST_OBSERVATIONS_MIN {
            return;
        }
        let error = |position: usize| self.fits[position].error;
        let best = (0..self.fits.len()).min_by(|a, b| error(*a).total_cmp(&error(*b)));
        let best = best.expect("there are kinds");
        if error(best) < COST_SWITCH_ADVANTAGE * error(self.chosen) {
            self.chosen = best;
        }
    }
}

/// Recursive least squares of a time over one feature and a constant.
#[derive(Clone, Debug)]
struct Fit {
    kind: CostKind,
    /// The greatest feature seen: the fit works on features divided by it, so that both directions of
    /// its evidence are of one magnitude.
    scale: f64,
    slope: f64,
    intercept: f64,
    evidence: Evidence,
    /// Squared relative errors of the predictions, recent ones counting most.
    error: f64,
}

/// A symmetric, positive definite 2 x 2 matrix: how much is known in which direction.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    slope: f64,
    cross: f64,
    intercept: f64,
}

impl Fit {
    /// Begins with the model if it is of this kind, and otherwise knowing nothing.
    fn new(kind: CostKind, initial: CostModel) -> Self {
        let known = kind == initial.kind;
        Self {
            kind,
            scale: 1.0,
            slope: if known { initial.slope } else { 0.0 },
            intercept: if known { initial.intercept } else { 0.0 },
            evidence: Evidence {
                slope: COST_EVIDENCE_MIN,
                cross: 0.0,
                intercept: COST_EVIDENCE_MIN,
            },
            error: 0.0,
        }
    }

    fn model(&self) -> CostModel {
        CostModel::new(self.kind, self.slope / self.scale, self.intercept)
    }

    fn predict(&self, shape: &BatchShape) -> f64 {
        let feature = self.kind.feature(shape) / self.scale;
        (self.slope.max(0.0) * feature + self.intercept).max(0.0)
    }

    fn observe(&mut self, shape: &BatchShape, took: f64) {
        let predicted = self.predict(shape);
        let relative = (predicted - took) / predicted.max(took).max(1.0);
        self.error = COST_FORGETTING * self.error + relative * relative;

        let feature = self.kind.feature(shape);
        if feature > self.scale {
            self.rescale(feature);
        }
        let feature = feature / self.scale;
        self.evidence.forget();
        self.evidence.add(feature);
        self.evidence.keep_above(COST_EVIDENCE_MIN);
        let (slope_gain, intercept_gain) = self.evidence.solve(feature);
        let error = took - (self.slope * feature + self.intercept);
        self.slope += slope_gain * error;
        self.intercept += intercept_gain * error;
    }

    /// Expresses the same knowledge in features divided by `scale`.
    fn rescale(&mut self, scale: f64) {
        let ratio = self.scale / scale;
        self.scale = scale;
        self.slope /= ratio;
        self.evidence.slope *= ratio * ratio;
        self.evidence.cross *= ratio;
    }
}

impl Evidence {
    /// Discounts what is known, in every direction alike.
    fn forget(&mut self) {
        self.slope *= COST_FORGETTING;
        self.cross *= COST_FORGETTING;
        self.intercept *= COST_FORGETTING;
    }

    /// Adds an observation in the direction of (feature, 1).
    fn add(&mut self, feature: f64) {
        self.slope += feature * feature;
        self.cross += feature;
        self.intercept += 1.0;
    }

    /// Raises the least eigenvalue to `least` by adding the same in every direction.
    fn keep_above(&mut self, least: f64) {
        let middle = f64::midpoint(self.slope, self.intercept);
        let radius = ((self.slope - self.intercept) / 2.0).hypot(self.cross);
        let missing = least - (middle - radius);
        if missing > 0.0 {
            self.slope += missing;
            self.intercept += missing;
        }
    }

    /// The product of the inverse and (feature, 1).
    fn solve(&self, feature: f64) -> (f64, f64) {
        let determinant = self.slope * self.intercept - self.cross * self.cross;
        (
            (self.intercept * feature - self.cross) / determinant,
            (self.slope - self.cross * feature) / determinant,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A little deterministic noise: uniform in -1..1.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX) * 2.0 - 1.0
        }

        fn shape(&mut self, shortest: f64, longest: f64) -> BatchShape {
            let length = shortest + (self.next() + 1.0) / 2.0 * (longest - shortest);
            let sequences = 1.0 + (self.next() + 1.0) * 4.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let (longest, sequences) = (length as u32, sequences as u64);
            BatchShape { sequences, characters: u64::from(longest) * sequences * 3 / 4, longest }
        }
    }

    fn observe(
        learner: &mut CostLearner,
        truth: CostModel,
        noise: &mut Noise,
        range: (f64, f64),
        relative: f64,
    ) {
        let shape = noise.shape(range.0, range.1);
        let took = truth.cost(&shape).duration().mul_f64(1.0 + relative * noise.next());
        learner.observe(&shape, took);
    }

    fn assert_close(model: CostModel, truth: CostModel, tolerance: f64) {
        for longest in [16, 100, 500] {
            let shape = BatchShape { sequences: 4, characters: 3 * u64::from(longest), longest };
            let ratio = model.cost(&shape).duration().as_secs_f64()
                / truth.cost(&shape).duration().as_secs_f64();
            assert!((ratio - 1.0).abs() < tolerance, "{model:?} for {truth:?}: {ratio}");
        }
    }

    /// Learns `truth` from noisy batches, starting from the default model.
    fn check(truth: CostModel) {
        let mut noise = Noise(1);
        let mut learner = CostLearner::new(CostModel::default());
        for _ in 0..300 {
            observe(&mut learner, truth, &mut noise, (10.0, 520.0), 0.02);
        }
        if truth.kind() != CostKind::Constant {
            // Every kind can stand in for a constant, by a slope of nearly nothing.
            assert_eq!(learner.model().kind(), truth.kind());
        }
        assert_close(learner.model(), truth, 0.1);
        assert!((learner.predicted_over_actual() - 1.0).abs() < 0.05);
    }

    #[test]
    fn every_kind_is_learned() {
        check(CostModel::new(CostKind::Quadratic, 400.0, 20e6));
        check(CostModel::new(CostKind::Linear, 50_000.0, 5e6));
        check(CostModel::new(CostKind::Affine, 3e6, 10e6));
        check(CostModel::new(CostKind::Constant, 0.0, 30e6));
    }

    #[test]
    fn a_backend_that_becomes_slower_is_followed() {
        let mut noise = Noise(2);
        let mut learner = CostLearner::new(CostModel::default());
        for slope in [500.0, 1_500.0] {
            let truth = CostModel::new(CostKind::Quadratic, slope, 8e6);
            for _ in 0..400 {
                observe(&mut learner, truth, &mut noise, (10.0, 520.0), 0.02);
            }
            assert_close(learner.model(), truth, 0.1);
        }
    }

    #[test]
    fn a_long_run_of_equal_batches_spoils_nothing() {
        let truth = CostModel::new(CostKind::Quadratic, 700.0, 8e6);
        let mut noise = Noise(3);
        let mut learner = CostLearner::new(CostModel::default());
        for _ in 0..200 {
            observe(&mut learner, truth, &mut noise, (10.0, 520.0), 0.02);
        }
        for _ in 0..20_000 {
            observe(&mut learner, truth, &mut noise, (100.0, 101.0), 0.05);
        }
        let shape = BatchShape { sequences: 4, characters: 1_500, longest: 500 };
        let [predicted, actual] = [learner.fits[0].model(), truth].map(|model| model.cost(&shape));
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = predicted.0 as f64 / actual.0 as f64;
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn nonsense_is_survived() {
        let mut learner = CostLearner::new(CostModel::default());
        for longest in [0, u32::MAX, 1, 0, 7] {
            for took in [Duration::ZERO, Duration::from_secs(u64::MAX / 1_000), Duration::ZERO] {
                let shape = BatchShape { sequences: u64::MAX, characters: u64::MAX, longest };
                learner.observe(&shape, took);
                let _ = learner.model().cost(&shape);
            }
        }
        assert!(learner.predicted_over_actual().is_finite());
    }
}
