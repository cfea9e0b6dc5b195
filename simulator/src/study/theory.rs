//! What queueing theory says exactly, to hold the continuous-time world against.
//!
//! Work has mean 1 unless said otherwise, so rates are loads.

/// The probability that an arrival has to wait in M/M/c at load `rho` per server (Erlang C).
#[must_use]
pub fn erlang_c(servers: u32, rho: f64) -> f64 {
    let offered = f64::from(servers) * rho;
    // Erlang B by its recursion, which is stable; C follows from it.
    let blocking = (1..=servers)
        .fold(1.0, |blocking, k| offered * blocking / (f64::from(k) + offered * blocking));
    blocking / (1.0 - rho * (1.0 - blocking))
}

/// The mean wait in M/M/c.
#[must_use]
pub fn mmc_wait(servers: u32, rho: f64) -> f64 {
    erlang_c(servers, rho) / (f64::from(servers) * (1.0 - rho))
}

/// The mean wait in M/G/1, first come first served (Pollaczek-Khinchine).
#[must_use]
pub fn mg1_wait(arrival_rate: f64, mean: f64, second_moment: f64) -> f64 {
    arrival_rate * second_moment / (2.0 * (1.0 - arrival_rate * mean))
}

/// The fraction of servers with at least `level` requests under JSQ(d), for infinitely many servers.
#[must_use]
pub fn jsq_tail(load: f64, choices: u32, level: u32) -> f64 {
    if choices == 1 {
        return load.powf(f64::from(level));
    }
    let d = f64::from(choices);
    load.powf((d.powf(f64::from(level)) - 1.0) / (d - 1.0))
}

/// The mean time in the system under JSQ(d), for infinitely many servers.
#[must_use]
pub fn jsq_time(load: f64, choices: u32) -> f64 {
    if choices == 1 {
        return 1.0 / (1.0 - load);
    }
    // By Little's law the sum of the tails over the load; terms fall doubly exponentially.
    let terms = (1..64).map(|level| jsq_tail(load, choices, level));
    terms.take_while(|term| *term > 1e-18).sum::<f64>() / load
}

/// The mean time in the system of E_k/M/1: Erlang arrivals of `stages` stages at rate `load`, as round robin over
/// `stages` servers gives each.
#[must_use]
pub fn erlang_arrivals_time(stages: u32, load: f64) -> f64 {
    // The root in (0, 1) of sigma = (k load / (k load + 1 - sigma))^k, by iteration from below.
    let k = f64::from(stages);
    let step =
        |sigma: f64| (k * load / (k * load + 1.0 - sigma)).powi(i32::try_from(stages).unwrap_or(1));
    let sigma = (0..10_000).fold(0.0, |sigma, _| step(sigma));
    1.0 / (1.0 - sigma)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() < 2e-5 * expected.max(1e-3),
            "{actual} is not {expected}"
        );
    }

    #[test]
    fn erlang_c_gives_the_tabulated_values() {
        for (servers, rho, waiting, wait) in [
            (1, 0.7, 0.7, 2.33333),
            (2, 0.8, 0.711_111, 1.77778),
            (10, 0.8, 0.40918, 0.20459),
            (100, 0.8, 0.019_646_4, 0.000_982_321),
            (100, 0.9, 0.21694, 0.021_694),
            (100, 0.95, 0.506_457, 0.101_291),
            (100, 0.99, 0.882_768, 0.882_768),
        ] {
            close(erlang_c(servers, rho), waiting);
            close(mmc_wait(servers, rho), wait);
        }
    }

    #[test]
    fn jsq_gives_the_tabulated_values() {
        for (load, times) in [
            (0.5, [2.0, 1.26569, 1.12524, 1.03125]),
            (0.7, [3.33333, 1.61445, 1.35684, 1.16809]),
            (0.8, [5.0, 1.94736, 1.58089, 1.32892]),
            (0.9, [10.0, 2.61406, 2.02786, 1.63288]),
            (0.95, [20.0, 3.38305, 2.53513, 1.98877]),
            (0.99, [100.0, 5.432, 3.85785, 2.90168]),
        ] {
            for (choices, expected) in [1, 2, 3, 5].into_iter().zip(times) {
                close(jsq_time(load, choices), expected);
            }
        }
        for (level, expected) in
            [0.9, 0.729, 0.478_297, 0.205_891, 0.038_152].into_iter().enumerate()
        {
            close(jsq_tail(0.9, 2, u32::try_from(level).unwrap() + 1), expected);
        }
    }

    #[test]
    fn special_cases_meet() {
        close(mg1_wait(0.7, 1.0, 2.0), mmc_wait(1, 0.7));
        close(mg1_wait(0.7, 1.0, 1.0), mmc_wait(1, 0.7) / 2.0);
        close(erlang_arrivals_time(1, 0.7), 1.0 / 0.3);
    }
}
