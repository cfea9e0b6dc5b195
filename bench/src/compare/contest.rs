//! The windows: servers started once, and loaded in turn.
//!
//! In each round every entrant has one window, in an order drawn anew, so that nobody always follows the same
//! neighbour. Servers that do not have their turn do nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::case::Case;
use super::entrant::Entrant;
use super::finding::{CaseFinding, Seen, mib};
use super::server::{Server, ServerError};
use super::system_calls;
use super::window::{self, Place, Window};
use crate::load::compare::STRETCHES_MIN;
use crate::load::run::LoadError;
use crate::random::Random;
use crate::statistics::as_real;
use crate::wall_clock::Stopwatch;

/// The longest window: the hypervisor's moods last for about as long.
pub const WINDOW_MAX: Duration = Duration::from_secs(1);

/// The shortest: `/proc/stat` tells stolen time in steps of 10 ms.
pub const WINDOW_MIN: Duration = Duration::from_millis(100);

/// Rounds that windows are made short for.
const ROUNDS_WANTED: u32 = 16;

/// How often a window that was not quiet is taken again at once: a round counts for whoever was quiet in it.
const RETAKES_MAX: u32 = 3;

/// Rounds without which nothing can be said, however little time there is.
const ROUNDS_MIN: usize = STRETCHES_MIN;

/// How long a window takes beyond its length: making connections, warming up, ending.
const OVERHEAD: Duration = Duration::from_millis(50);

/// The part of a window's length that it lasts longer than it counts.
const WARM_UP_SHARE: f64 = 0.15;

/// How long system calls are counted for.
const COUNTING: Duration = Duration::from_millis(400);

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum ContestError {
    /// A server does not run.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The generator does not.
    #[error("cannot load {name}: {error}")]
    Load {
        /// Whom.
        name: String,
        /// Why.
        error: LoadError,
    },
}

/// Servers that run.
#[derive(Debug)]
pub struct Contest {
    place: Place,
    backend: Option<Server>,
    /// `None` for one that is not installed.
    servers: BTreeMap<Entrant, Option<Server>>,
    random: Random,
}

impl Contest {
    /// Nobody runs yet but `backend`, if proxies need one.
    ///
    /// # Errors
    ///
    /// [`ServerError`] if that does not.
    pub fn new(place: Place, backend: Option<&Entrant>) -> Result<Self, ServerError> {
        // Connections that are to stay idle are this process's.
        ringyard_runtime::descriptors::raise_limit();
        let backend = match backend {
            Some(entrant) => Server::start(entrant, place.server, None)?,
            None => None,
        };
        Ok(Self { place, backend, servers: BTreeMap::new(), random: Random::new(1) })
    }

    /// Plays `case` for about `budget`.
    ///
    /// # Errors
    ///
    /// [`ContestError`] if a server cannot be started or loaded. One that is not installed is left out.
    pub fn play(&mut self, case: &Case, budget: Duration) -> Result<CaseFinding, ContestError> {
        let began = Stopwatch::start();
        let mut remarks = Vec::new();
        let mut entrants = Vec::new();
        for entrant in &case.entrants {
            if self.start(entrant)? {
                entrants.push(entrant);
            } else {
                remarks.push(format!("{} is not installed: left out", entrant.name));
            }
        }
        let mut seen: Vec<Seen> = entrants.iter().map(|entrant| nothing_of(entrant)).collect();
        if case.counts_system_calls {
            for (entrant, seen) in entrants.iter().zip(&mut seen) {
                seen.system_calls_per_request = self.count_system_calls(case, entrant)?;
            }
        }
        let left = budget.saturating_sub(began.elapsed());
        let length = window_length(left, entrants.len());
        let mut round = Duration::ZERO;
        let mut rounds = 0;
        while rounds < ROUNDS_MIN || began.elapsed() + round <= budget {
            let round_began = Stopwatch::start();
            for index in order(entrants.len(), &mut self.random) {
                let mut window = self.window(case, entrants[index], length)?;
                for _ in 0..RETAKES_MAX {
                    if window.is_quiet() || began.elapsed() + round > budget {
                        break;
                    }
                    seen[index].retaken.push(window);
                    window = self.window(case, entrants[index], length)?;
                }
                seen[index].windows.push(window);
            }
            round = round_began.elapsed();
            rounds += 1;
        }
        for (entrant, seen) in entrants.iter().zip(&mut seen) {
            seen.resident_mib =
                self.server(entrant).map_or(0.0, |server| mib(server.resident_kib()));
        }
        remarks.extend(generator_bound(&seen, self.place));
        remarks.extend(errors(&seen));
        Ok(CaseFinding::of(case, length.as_secs_f64(), &seen, remarks))
    }

    /// Starts `entrant` unless it runs. Returns whether it does.
    fn start(&mut self, entrant: &Entrant) -> Result<bool, ServerError> {
        if let Some(server) = self.servers.get(entrant) {
            return Ok(server.is_some());
        }
        let backend: Option<SocketAddr> = self.backend.as_ref().map(|backend| backend.address);
        let server = Server::start(entrant, self.place.server, backend)?;
        let runs = server.is_some();
        self.servers.insert(entrant.clone(), server);
        Ok(runs)
    }

    fn server(&self, entrant: &Entrant) -> Option<&Server> {
        self.servers.get(entrant)?.as_ref()
    }

    fn window(
        &self,
        case: &Case,
        entrant: &Entrant,
        length: Duration,
    ) -> Result<Window, ContestError> {
        let server = self.server(entrant).expect("entrants that take part run");
        let load = (case.path.as_str(), case.shape);
        window::measure(server, load, self.place, length).map_err(|error| failed(entrant, error))
    }

    fn count_system_calls(
        &self,
        case: &Case,
        entrant: &Entrant,
    ) -> Result<Option<f64>, ContestError> {
        let server = self.server(entrant).expect("entrants that take part run");
        let load = (case.path.as_str(), case.shape);
        let count =
            system_calls::count(server, || window::answered(server, load, self.place, COUNTING));
        let count = count.map_err(|error| failed(entrant, error))?;
        Ok(count.map(|(calls, requests)| as_real(calls) / as_real(requests.max(1))))
    }
}

fn failed(entrant: &Entrant, error: LoadError) -> ContestError {
    ContestError::Load { name: entrant.name.clone(), error }
}

fn nothing_of(entrant: &Entrant) -> Seen {
    Seen {
        name: entrant.name.clone(),
        windows: Vec::new(),
        retaken: Vec::new(),
        system_calls_per_request: None,
        resident_mib: 0.0,
    }
}

/// How long windows of so many entrants can be for as many rounds as are wanted.
fn window_length(budget: Duration, entrants: usize) -> Duration {
    let windows = ROUNDS_WANTED * u32::try_from(entrants.max(1)).unwrap_or(u32::MAX);
    let each = (budget / windows).saturating_sub(OVERHEAD);
    each.div_f64(1.0 + WARM_UP_SHARE).clamp(WINDOW_MIN, WINDOW_MAX)
}

/// The numbers below `count` in a random order.
fn order(count: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let other = random.below(last as u64 + 1);
        order.swap(last, usize::try_from(other).expect("below a length"));
    }
    order
}

/// Says where the generator, not the server, was the bottleneck.
fn generator_bound(seen: &[Seen], place: Place) -> Option<String> {
    let bound = |seen: &Seen| {
        let quiet = seen.windows.iter().filter(|window| window.is_quiet());
        let (bound, all) = quiet.fold((0, 0), |(bound, all), window| {
            (bound + u32::from(window.is_generator_bound()), all + 1)
        });
        (bound > 0).then(|| format!("{} ({bound} of {all} windows)", seen.name))
    };
    let names: Vec<String> = seen.iter().filter_map(bound).collect();
    (!names.is_empty()).then(|| {
        format!(
            "GENERATOR-BOUND: {}. There the generator on CPU {}, not the server, was the bottleneck: requests/s \
             and latencies are the generator's; CPU per request is still the server's",
            names.join(", "),
            place.generator
        )
    })
}

fn errors(seen: &[Seen]) -> Option<String> {
    let failed = |seen: &Seen| {
        let errors = seen.errors();
        (errors > 0).then(|| format!("{} ({errors})", seen.name))
    };
    let names: Vec<String> = seen.iter().filter_map(failed).collect();
    (!names.is_empty()).then(|| format!("ERRORS: requests failed of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::finding::example::seen;
    use super::*;

    #[test]
    fn an_order_has_everybody_once() {
        let mut random = Random::new(2);
        let mut firsts = [0; 5];
        for _ in 0..200 {
            let mut drawn = order(5, &mut random);
            firsts[drawn[0]] += 1;
            drawn.sort_unstable();
            assert_eq!(drawn, [0, 1, 2, 3, 4]);
        }
        assert!(firsts.iter().all(|times| *times > 20), "{firsts:?}");
    }

    #[test]
    fn windows_are_as_long_as_the_budget_allows() {
        let at = |seconds, entrants| window_length(Duration::from_secs(seconds), entrants);
        assert_eq!(at(1, 7), WINDOW_MIN);
        assert_eq!(at(600, 7), WINDOW_MAX);
        let between = at(20, 7);
        assert!(between > WINDOW_MIN && between < WINDOW_MAX, "{between:?}");
        let lasts = (between.mul_f64(1.0 + WARM_UP_SHARE) + OVERHEAD) * ROUNDS_WANTED * 7;
        assert!(lasts <= Duration::from_millis(20_001), "{lasts:?}");
    }

    #[test]
    fn a_generator_that_sets_the_pace_is_named() {
        let place = Place { server: 0, generator: 1 };
        let mut entrant = seen("ring", 5.0, &mut Random::new(1));
        assert_eq!(generator_bound(std::slice::from_ref(&entrant), place), None);
        entrant.windows[3].generator_is_busy = true;
        let words = generator_bound(std::slice::from_ref(&entrant), place).unwrap();
        assert!(words.starts_with("GENERATOR-BOUND: ring (1 of 8 windows)"), "{words}");
        assert_eq!(errors(std::slice::from_ref(&entrant)), None);
        entrant.windows[0].errors = 3;
        assert!(errors(&[entrant]).unwrap().contains("ring (3)"));
    }
}
