//! What a batch costs: the time a backend is expected to spend on it.
//!
//! A cost is a slope times one *feature* of the batch plus an intercept. Which feature it is makes the
//! kind of model; for a transformer that pads to the longest sequence it is that length squared. Costs are
//! whole nanoseconds, so that shares of a cost can sum to it exactly. How coefficients are learned stands in
//! [`learner`], how a shared cost is divided in [`share`].

pub mod learner;
pub mod share;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::job::JobSpec;
use crate::limits::COST_COEFFICIENT_MAX;

/// Time of a backend, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(pub u64);

impl Cost {
    /// As the time that it is.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The nearest cost to so many nanoseconds; negative is zero, too many is the greatest there is.
    fn from_nanoseconds(nanoseconds: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as is wanted")]
        #[expect(clippy::cast_sign_loss, reason = "the cast saturates, as is wanted")]
        Self(nanoseconds.round() as u64)
    }
}

/// All that a cost model looks at: of a batch, or of a job as if it were a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchShape {
    /// Sequences.
    pub sequences: u64,
    /// Characters of all sequences.
    pub characters: u64,
    /// Characters of the longest sequence.
    pub longest: u32,
}

impl BatchShape {
    /// The job alone.
    #[must_use]
    pub fn of(spec: &JobSpec) -> Self {
        Self {
            sequences: u64::from(spec.sequences),
            characters: spec.characters,
            longest: spec.longest,
        }
    }

    /// Both together in one batch.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            sequences: self.sequences.saturating_add(other.sequences),
            characters: self.characters.saturating_add(other.characters),
            longest: self.longest.max(other.longest),
        }
    }
}

/// Which feature of a batch its cost grows with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CostKind {
    /// The square of its longest sequence: attention over padded sequences that are computed in parallel.
    #[default]
    Quadratic,
    /// All its characters: sequences one after the other, or packed without padding.
    Linear,
    /// The number of its sequences.
    Affine,
    /// Nothing.
    Constant,
}

impl CostKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Quadratic, Self::Linear, Self::Affine, Self::Constant];

    /// The name under which a user chooses it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quadratic => "quadratic",
            Self::Linear => "linear",
            Self::Affine => "affine",
            Self::Constant => "constant",
        }
    }

    /// Whether the feature of a batch is the sum of its members' features; otherwise it is the greatest.
    pub(crate) const fn is_additive(self) -> bool {
        matches!(self, Self::Linear | Self::Affine)
    }

    /// The feature's value.
    #[expect(clippy::cast_precision_loss, reason = "a cost is an estimate")]
    pub(crate) fn feature(self, shape: &BatchShape) -> f64 {
        match self {
            Self::Quadratic => f64::from(shape.longest) * f64::from(shape.longest),
            Self::Linear => shape.characters as f64,
            Self::Affine => shape.sequences as f64,
            Self::Constant => 0.0,
        }
    }
}

impl fmt::Display for CostKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that belongs to no cost model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown cost model, choose one of: quadratic, linear, affine, constant, auto")]
pub struct UnknownCostModel;

/// A user's choice of cost model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostChoice {
    /// This kind; its coefficients are given.
    Fixed(CostKind),
    /// Kind and coefficients are learned from the times that batches take.
    Auto,
}

impl FromStr for CostChoice {
    type Err = UnknownCostModel;

    fn from_str(name: &str) -> Result<Self, UnknownCostModel> {
        if name == "auto" {
            return Ok(Self::Auto);
        }
        let kind = CostKind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.map(Self::Fixed).ok_or(UnknownCostModel)
    }
}

/// What a batch is expected to cost on one backend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostModel {
    kind: CostKind,
    slope: f64,
    intercept: f64,
}

/// The classifier's default: the longest sequence squared, in microseconds.
impl Default for CostModel {
    fn default() -> Self {
        Self::new(CostKind::Quadratic, 1_000.0, 0.0)
    }
}

impl CostModel {
    /// `slope` nanoseconds per unit of the feature, and `intercept` nanoseconds per batch. A negative slope
    /// counts as none, for a batch never gets cheaper by what joins it; coefficients beyond
    /// [`COST_COEFFICIENT_MAX`] count as that.
    ///
    /// # Panics
    ///
    /// If a coefficient is not finite.
    #[must_use]
    pub fn new(kind: CostKind, slope: f64, intercept: f64) -> Self {
        assert!(slope.is_finite() && intercept.is_finite(), "coefficients are finite");
        Self {
            kind,
            slope: slope.clamp(0.0, COST_COEFFICIENT_MAX),
            intercept: intercept.clamp(-COST_COEFFICIENT_MAX, COST_COEFFICIENT_MAX),
        }
    }

    /// Which feature the cost grows with.
    #[must_use]
    pub const fn kind(&self) -> CostKind {
        self.kind
    }

    /// Nanoseconds per unit of the feature.
    #[must_use]
    pub const fn slope(&self) -> f64 {
        self.slope
    }

    /// Nanoseconds per batch, whatever is in it.
    #[must_use]
    pub const fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The job's own feature.
    pub(crate) fn feature_of(&self, spec: &JobSpec) -> f64 {
        self.kind.feature(&BatchShape::of(spec))
    }

    /// What a batch of this shape costs.
    #[must_use]
    pub fn cost(&self, shape: &BatchShape) -> Cost {
        Cost::from_nanoseconds(self.slope * self.kind.feature(shape) + self.intercept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: BatchShape = BatchShape { sequences: 3, characters: 70, longest: 40 };

    fn check(kind: CostKind, nanoseconds: u64) {
        assert_eq!(CostModel::new(kind, 2.0, 5.0).cost(&SHAPE), Cost(nanoseconds));
        assert_eq!(kind.name().parse(), Ok(CostChoice::Fixed(kind)));
    }

    #[test]
    fn each_kind_has_its_feature() {
        check(CostKind::Quadratic, 3_205);
        check(CostKind::Linear, 145);
        check(CostKind::Affine, 11);
        check(CostKind::Constant, 5);
    }

    #[test]
    fn the_default_is_the_classifiers() {
        let shape = BatchShape { sequences: 1, characters: 720, longest: 720 };
        assert_eq!(CostModel::default().cost(&shape).duration(), Duration::from_micros(518_400));
    }

    #[test]
    fn extremes_saturate() {
        let shape = BatchShape { sequences: 1, characters: u64::MAX, longest: u32::MAX };
        assert_eq!(CostModel::new(CostKind::Linear, 1e9, 0.0).cost(&shape), Cost(u64::MAX));
        assert_eq!(CostModel::new(CostKind::Linear, -1.0, -1.0).cost(&shape), Cost(0));
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!("auto".parse(), Ok(CostChoice::Auto));
        assert_eq!("cubic".parse::<CostChoice>(), Err(UnknownCostModel));
    }
}
