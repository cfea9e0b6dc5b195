//! Why a policy chose what it chose, in a form a person can read and a test can match.
//!
//! A policy notes its [`Reason`] in a few words of memory as it decides, so explaining costs nothing until
//! somebody asks; the text is made only then.

use std::fmt;

/// The ground of one choice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Reason {
    /// No choice was made yet.
    #[default]
    NothingChosen,
    /// The policy always takes the first channel.
    First,
    /// Every channel was equally likely, by design.
    Uniform,
    /// Every channel was equally likely because none had usable data.
    NoData,
    /// It was this channel's turn.
    NextInTurn,
    /// It had the lowest score of those considered.
    Lowest {
        /// The score.
        score: f64,
        /// How many channels were compared.
        considered: usize,
    },
    /// It won a draw by weight.
    Weighted {
        /// Its weight.
        weight: f64,
        /// The sum of all weights.
        total: f64,
    },
    /// It ranked best among the cold channels.
    Cold {
        /// Its health.
        health: f64,
        /// The health up to which a channel is cold.
        cutoff: f64,
        /// Its rank.
        rank: f64,
    },
    /// Every channel was hot and it was the least hot.
    LeastHot {
        /// Its health.
        health: f64,
        /// The health up to which a channel would have been cold.
        cutoff: f64,
    },
    /// The request's key maps to it.
    Hashed {
        /// Steps walked past channels that could not take it.
        skipped: usize,
    },
    /// It had announced itself idle.
    Idle,
    /// Its probe answered first.
    FirstAnswer,
}

/// A choice and its ground.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Explanation {
    /// The chosen channel, if a choice was made.
    pub channel: Option<usize>,
    /// Why.
    pub reason: Reason,
}

impl Explanation {
    pub(crate) const fn new(channel: usize, reason: Reason) -> Self {
        Self { channel: Some(channel), reason }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingChosen => formatter.write_str("nothing was chosen yet"),
            Self::First => formatter.write_str("always the first"),
            Self::Uniform => formatter.write_str("a uniform draw"),
            Self::NoData => formatter.write_str("a uniform draw, as no channel had data"),
            Self::NextInTurn => formatter.write_str("next in turn"),
            Self::Lowest { score, considered } => {
                write!(formatter, "lowest score {score:.4} of {considered}")
            }
            Self::Weighted { weight, total } => {
                write!(formatter, "drawn with weight {weight:.4} of {total:.4}")
            }
            Self::Cold { health, cutoff, rank } => {
                write!(formatter, "cold ({health:.4} <= {cutoff:.4}) with the best rank {rank:.4}")
            }
            Self::LeastHot { health, cutoff } => {
                write!(formatter, "least hot ({health:.4}), as all exceed {cutoff:.4}")
            }
            Self::Hashed { skipped } => write!(formatter, "the key's place, {skipped} skipped"),
            Self::Idle => formatter.write_str("announced idle"),
            Self::FirstAnswer => formatter.write_str("its probe answered first"),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.channel {
            Some(channel) => write!(formatter, "channel {channel}: {}", self.reason),
            None => self.reason.fmt(formatter),
        }
    }
}
