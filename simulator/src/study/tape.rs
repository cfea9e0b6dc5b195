//! A recording of draws that a world can be run from, to compare two implementations draw by draw.
//!
//! `simulator/tape/README.md` documents the format: one draw a line, in the order they are made, by the kind of
//! library call. A [`Tape`] never fails in the middle of a run: it remembers the first draw that did not match
//! and answers with harmless values from there on, and [`Tape::finish`] tells.

use std::fmt::Write as _;

use ringyard_scheduler::balance::Random;

use super::draws::{Draws, Purpose};
use super::law::VARIANCE;

/// The first line of every tape.
pub const HEADER: &str = "ringyard-tape 1";

/// One recorded draw.
#[derive(Clone, Debug, PartialEq)]
pub enum Draw {
    /// `u VALUE`: a uniform number in [0, 1).
    Uniform(f64),
    /// `i BOUND INDEX`: an index below a bound.
    Index(usize, usize),
    /// `g SHAPE SCALE VALUE`: a gamma variable, before it is made a whole number.
    Gamma(f64, f64, f64),
    /// `w COUNT INDEX`: one weighted choice.
    Weighted(usize, usize),
    /// `p ORDER...`: a shuffle, as the old places in their new order.
    Permutation(Vec<u32>),
    /// `s BOUND INDEX...`: distinct indices.
    Sample(usize, Vec<u32>),
    /// `c BOUND INDEX...`: indices with replacement.
    Choices(usize, Vec<u32>),
}

impl Draw {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Uniform(_) => "a uniform number",
            Self::Index(..) => "an index",
            Self::Gamma(..) => "a gamma variable",
            Self::Weighted(..) => "a weighted choice",
            Self::Permutation(_) => "a permutation",
            Self::Sample(..) => "a sample",
            Self::Choices(..) => "choices",
        }
    }

    /// The draw as its line of a tape.
    pub fn write(&self, text: &mut String) {
        let _ = match self {
            Self::Uniform(value) => writeln!(text, "u {value:?}"),
            Self::Index(bound, index) => writeln!(text, "i {bound} {index}"),
            Self::Gamma(shape, scale, value) => writeln!(text, "g {shape:?} {scale:?} {value:?}"),
            Self::Weighted(count, index) => writeln!(text, "w {count} {index}"),
            Self::Permutation(order) => writeln!(text, "p {}", join(order)),
            Self::Sample(bound, picks) => writeln!(text, "s {bound} {}", join(picks)),
            Self::Choices(bound, picks) => writeln!(text, "c {bound} {}", join(picks)),
        };
    }
}

fn join(items: &[u32]) -> String {
    items.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// A tape that cannot be read, or does not fit the world it was played to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TapeError {
    /// The first line is not [`HEADER`].
    #[error("line 1: a tape starts with `{HEADER}`")]
    Header,
    /// A line is not a draw.
    #[error("line {line}: `{text}` is not a draw")]
    Syntax {
        /// The line, from one.
        line: usize,
        /// What it says.
        text: String,
    },
    /// The world made another draw than the tape has.
    #[error("line {line}: the world draws {wanted}, the tape has {found}")]
    Mismatch {
        /// The line, from one.
        line: usize,
        /// What the world draws.
        wanted: String,
        /// What the tape has.
        found: String,
    },
    /// The world goes on drawing after the end.
    #[error("the tape ends where the world draws {wanted}")]
    TooShort {
        /// What the world draws.
        wanted: String,
    },
    /// The world ended before the tape.
    #[error("line {line}: the world ended here, with {left} draws left on the tape")]
    TooLong {
        /// The line of the first draw left.
        line: usize,
        /// How many are left.
        left: usize,
    },
}

/// A recording being played.
#[derive(Clone, Debug)]
pub struct Tape {
    draws: Vec<(usize, Draw)>,
    next: usize,
    round_means: bool,
    largest_gamma: u32,
    failure: Option<TapeError>,
}

impl Tape {
    /// Reads a tape. With `round_means` it is one of revision 2, where a uniform number precedes every gamma.
    ///
    /// # Errors
    /// If a line is not a draw.
    pub fn parse(text: &str, round_means: bool) -> Result<Self, TapeError> {
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line.trim() != HEADER) {
            return Err(TapeError::Header);
        }
        let mut draws = Vec::new();
        for (index, line) in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Names of requests are drawn by the notebook and used for nothing.
            if words.first().is_none_or(|word| word.starts_with('#') || *word == "n") {
                continue;
            }
            let syntax = || TapeError::Syntax { line: index + 1, text: line.to_owned() };
            draws.push((index + 1, parse_draw(&words).ok_or_else(syntax)?));
        }
        let whole = |draw: &Draw| match draw {
            Draw::Gamma(_, scale, value) => whole_gamma(*value, *scale),
            _ => 0,
        };
        let largest_gamma = draws.iter().map(|(_, draw)| whole(draw)).max().unwrap_or(0).max(1);
        Ok(Self { draws, next: 0, round_means, largest_gamma, failure: None })
    }

    /// Whether everything fitted, to be asked after the run.
    ///
    /// # Errors
    /// The first draw that did not fit, or draws left over.
    pub fn finish(self) -> Result<(), TapeError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        match self.draws.get(self.next) {
            Some((line, _)) => {
                Err(TapeError::TooLong { line: *line, left: self.draws.len() - self.next })
            }
            None => Ok(()),
        }
    }

    /// The next draw if `accept` takes it; else remembers that the world wanted `wanted`.
    fn take<T>(&mut self, wanted: &str, accept: impl FnOnce(&Draw) -> Option<T>) -> Option<T> {
        if self.failure.is_some() {
            return None;
        }
        let wanted = || wanted.to_owned();
        let Some((line, draw)) = self.draws.get(self.next) else {
            self.failure = Some(TapeError::TooShort { wanted: wanted() });
            return None;
        };
        let taken = accept(draw);
        if taken.is_some() {
            self.next += 1;
        } else {
            let found = draw.kind().to_owned();
            self.failure = Some(TapeError::Mismatch { line: *line, wanted: wanted(), found });
        }
        taken
    }

    fn take_uniform(&mut self) -> f64 {
        let accept = |draw: &Draw| match draw {
            Draw::Uniform(value) => Some(*value),
            _ => None,
        };
        self.take("a uniform number", accept).unwrap_or(0.5)
    }

    fn take_index(&mut self, bound: usize) -> usize {
        let accept = |draw: &Draw| match draw {
            Draw::Index(of, index) if *of == bound => Some(*index),
            _ => None,
        };
        self.take(&format!("an index below {bound}"), accept).unwrap_or(0)
    }
}

fn parse_draw(words: &[&str]) -> Option<Draw> {
    let (kind, words) = words.split_first()?;
    let whole = |at: usize| words.get(at)?.parse::<usize>().ok();
    let number = |at: usize| words.get(at)?.parse::<f64>().ok().filter(|value| value.is_finite());
    let list = |from: usize| -> Option<Vec<u32>> {
        words.get(from..)?.iter().map(|word| word.parse().ok()).collect()
    };
    let below = |bound: usize, picks: &[u32]| picks.iter().all(|pick| (*pick as usize) < bound);
    match *kind {
        "u" if words.len() == 1 => Some(Draw::Uniform(number(0)?)),
        "i" if words.len() == 2 => {
            Some(Draw::Index(whole(0)?, whole(1)?)).filter(|_| whole(1) < whole(0))
        }
        "w" if words.len() == 2 => {
            Some(Draw::Weighted(whole(0)?, whole(1)?)).filter(|_| whole(1) < whole(0))
        }
        "g" if words.len() == 3 => {
            let (shape, scale, value) = (number(0)?, number(1)?, number(2)?);
            (scale > 0.0 && value >= 0.0).then_some(Draw::Gamma(shape, scale, value))
        }
        "p" => {
            let order = list(0)?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            (0..)
                .zip(&sorted)
                .all(|(place, item)| place == *item)
                .then_some(Draw::Permutation(order))
        }
        "s" => {
            let (bound, picks) = (whole(0)?, list(1)?);
            below(bound, &picks).then_some(Draw::Sample(bound, picks))
        }
        "c" => {
            let (bound, picks) = (whole(0)?, list(1)?);
            below(bound, &picks).then_some(Draw::Choices(bound, picks))
        }
        _ => None,
    }
}

/// `floor(value / scale + 1)`.
#[expect(clippy::cast_possible_truncation, reason = "saturation is fine")]
fn whole_gamma(value: f64, scale: f64) -> u32 {
    (value / scale + 1.0).floor() as u32
}

impl Random for Tape {
    fn word(&mut self) -> u64 {
        // Every draw a world makes is a method of its own; a bare word has no line on a tape.
        self.take("a random word", |_| None).unwrap_or(0)
    }

    fn uniform(&mut self) -> f64 {
        self.take_uniform()
    }

    fn below(&mut self, bound: usize) -> usize {
        self.take_index(bound)
    }

    fn weighted(&mut self, weights: &[f64]) -> usize {
        let count = weights.len();
        let accept = |draw: &Draw| match draw {
            Draw::Weighted(of, index) if *of == count => Some(*index),
            _ => None,
        };
        self.take(&format!("a weighted choice of {count}"), accept).unwrap_or(0)
    }

    fn shuffle(&mut self, items: &mut [u32]) {
        let count = items.len();
        let accept = |draw: &Draw| match draw {
            Draw::Permutation(order) if order.len() == count => Some(order.clone()),
            _ => None,
        };
        if let Some(order) = self.take(&format!("a permutation of {count}"), accept) {
            let before = items.to_vec();
            for (item, place) in items.iter_mut().zip(order) {
                *item = before[place as usize];
            }
        }
    }

    fn sample(&mut self, count: usize, picks: usize, into: &mut Vec<u32>) {
        let accept = |draw: &Draw| match draw {
            Draw::Sample(of, drawn) if *of == count && drawn.len() == picks => Some(drawn.clone()),
            _ => None,
        };
        let drawn = self.take(&format!("a sample of {picks} of {count}"), accept);
        *into = drawn.unwrap_or_else(|| (0..).take(picks).collect());
    }

    fn choices(&mut self, count: usize, picks: usize, into: &mut Vec<u32>) {
        let accept = |draw: &Draw| match draw {
            Draw::Choices(of, drawn) if *of == count && drawn.len() == picks => Some(drawn.clone()),
            _ => None,
        };
        let drawn = self.take(&format!("{picks} choices of {count}"), accept);
        *into = drawn.unwrap_or_else(|| vec![0; picks]);
    }

    fn first_minimum(&mut self, scores: &[f64]) -> usize {
        let mut order: Vec<u32> = (0..).take(scores.len()).collect();
        self.shuffle(&mut order);
        let lowest = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let found = order.into_iter().find(|place| scores[*place as usize] == lowest);
        found.map_or(0, |place| place as usize)
    }
}

impl Draws for Tape {
    type Policy = Self;

    fn policy(&mut self) -> &mut Self {
        self
    }

    fn gamma(&mut self, _purpose: Purpose, mean: f64, variance: f64) -> u32 {
        let mean = if self.round_means { self.round(mean) } else { mean };
        if mean <= 0.0 {
            return 0;
        }
        let shape = (variance * mean - 1.0) / variance;
        let accept = |draw: &Draw| match draw {
            Draw::Gamma(of, scale, value) => {
                let fits = (of - shape).abs() < 1e-9 * shape.abs().max(1.0) && *scale == variance;
                fits.then(|| whole_gamma(*value, *scale))
            }
            _ => None,
        };
        let wanted = format!("a gamma variable of shape {shape} and scale {variance}");
        self.take(&wanted, accept).unwrap_or(1)
    }

    fn half_gamma(&mut self, purpose: Purpose, halves: u32) -> u32 {
        self.gamma(purpose, f64::from(halves) / 2.0, VARIANCE)
    }

    fn half_gamma_max(&mut self, _halves: u32) -> u32 {
        self.largest_gamma
    }

    fn gamma_max(&mut self, _mean: f64, _variance: f64) -> u32 {
        self.largest_gamma
    }

    fn subset(&mut self, servers: usize, picks: usize, distinct: bool, into: &mut Vec<u32>) {
        if distinct {
            self.sample(servers, picks, into);
        } else {
            self.choices(servers, picks, into);
        }
    }

    fn arrival_plan(&mut self, requests: usize, per_tick: &mut [u32]) {
        for _ in 0..requests {
            per_tick[self.take_index(per_tick.len())] += 1;
        }
    }

    fn poisson(&mut self, _mean: f64) -> u32 {
        self.take("a Poisson count, which tapes do not hold", |_| None).unwrap_or(0)
    }

    fn exponential(&mut self) -> f64 {
        self.take("an exponential time, which tapes do not hold", |_| None).unwrap_or(1.0)
    }

    fn client(&mut self, clients: usize) -> usize {
        self.take_index(clients)
    }

    fn resets(&mut self, _entity: usize, _now: u32, probability: f64) -> bool {
        self.take_uniform() < probability
    }

    fn phase(&mut self, count: usize) -> usize {
        self.take_index(count)
    }
}
