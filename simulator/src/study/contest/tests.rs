//! Contests: that files mean what they say, are refused where they do not, and that threads change nothing.

use super::*;

const SMALL: &str = r#"
[defaults]
clients = 2
work = { exponential = 0.05 }
servers = [{ count = 4, threads = 2, delay_seconds = 0.001 }]
warm_up_seconds = 1.0
measured_seconds = 4.0

[[world]]
name = "plain"
load = 0.6

[[world]]
name = "one fails"
rate = 60.0
work = { pareto = { mean = 0.04, exponent = 2.5 } }
arrivals = { modulated = { rates = [1.5, 0.5], dwell = [0.2, 0.2] } }
servers = [{ count = 3, threads = 2 }, { threads = 2, speed = 0.5, failing = { after_seconds = 0.001 } }]

[[policy]]
name = "random"
policy = "random"

[[policy]]
name = "two choices"
policy = { least_request = {} }

[[policy]]
name = "soonest"
policy = { soonest = { tau_seconds = 5.0 } }
"#;

#[test]
fn a_contest_of_ones_own_depends_on_no_thread() {
    let contest = parse("small.toml", SMALL).unwrap();
    assert_eq!((contest.arenas.len(), contest.entrants.len()), (2, 3));
    for arena in &contest.arenas {
        let alone = play(arena, &contest.entrants, 3, 2, 1);
        assert_eq!(alone, play(arena, &contest.entrants, 3, 2, 3));
        assert!(alone.iter().all(|standing| standing.figures().iter().all(|f| f.is_finite())));
    }
    let failing = play(&contest.arenas[1], &contest.entrants, 3, 2, 2);
    let errors: Vec<f64> = failing.iter().map(|standing| standing.figures()[4]).collect();
    assert!((errors[0] - 25.0).abs() < 8.0, "{errors:?}");
    assert!(errors[2] < errors[0] / 2.0, "{errors:?}");
}

#[test]
fn leaders_are_the_best_and_whoever_ties_with_it() {
    let standing = |mean: f64, p99: f64, spread: f64, errors: f64| Standing {
        runs: vec![[mean - 1.0, p99, spread, 0.0, errors], [mean + 1.0, p99, spread, 0.0, errors]],
    };
    let standings = [
        standing(10.0, 100.0, 0.5, 0.0),
        standing(10.05, 103.0, 0.7, 0.9),
        standing(10.2, 101.0, 0.2, 0.0),
        standing(1.0, 1.0, 0.0, 1.1),
    ];
    let [mean, p99, spread] = leaders(&standings);
    assert_eq!((mean, p99, spread), (vec![0, 1], vec![0, 2], vec![2]));
}

fn check_refused(from: &str, to: &str, line: usize, matter: &str) {
    assert!(SMALL.contains(from), "{from}");
    let error = parse("small.toml", &SMALL.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(error.contains(&format!("line {line}")) && error.contains(matter), "{error}");
}

#[test]
fn a_wrong_file_is_refused_with_its_line() {
    check_refused("load = 0.6", "load = 0.6\nrate = 1.0", 10, "either `load` or `rate`");
    check_refused("exponent = 2.5", "exponent = 0.5", 14, "exponents above 1");
    check_refused("dwell = [0.2, 0.2]", "dwell = [0.2]", 14, "as many states");
    check_refused("\"one fails\"", "\"plain\"", 14, "the name is taken");
    check_refused("policy = \"random\"", "policy = \"randon\"", 22, "randon");
    check_refused("{ least_request = {} }", "\"fastest_probe\"", 25, "tick worlds");
    check_refused("tau_seconds = 5.0", "tau_seconds = -5.0", 29, "tau_seconds is -5");
    check_refused("speed = 0.5", "sped = 0.5", 18, "sped");
}

#[test]
fn what_comes_with_the_program_is_well_formed() {
    let contest = built_in().unwrap();
    assert!(contest.arenas.len() >= 9 && contest.entrants.len() >= 12);
}
