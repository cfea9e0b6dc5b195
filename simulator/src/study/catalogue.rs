//! The scenarios that come with the program, compiled in.

use super::profile::Profile;
use super::scenario::{Scenario, ScenarioError, parse};

/// Revision 1's file: 46 scenarios.
const V1: &str = include_str!("../../scenarios/v1.toml");
/// Revision 2's file: 50 scenarios.
const V2: &str = include_str!("../../scenarios/v2.toml");

/// What the corrected profile has beside revision 1's scenarios.
const FIXED: &str = include_str!("../../scenarios/fixed.toml");

/// The sample runs.
const SAMPLE: &str = include_str!("../../scenarios/sample.toml");

/// The sample run of `profile` (the corrected profile takes revision 1's).
///
/// # Errors
/// Never in a build whose tests pass; the file is part of it.
pub fn samples(profile: Profile) -> Result<Scenario, ScenarioError> {
    let mut scenarios = parse("sample.toml", SAMPLE)?;
    let which = if profile == Profile::V2 { scenarios.len() - 1 } else { 0 };
    Ok(scenarios.swap_remove(which).under(profile))
}

/// The built-in scenarios of `profile`.
///
/// # Errors
/// Never in a build whose tests pass; the files are part of it.
pub fn built_in(profile: Profile) -> Result<Vec<Scenario>, ScenarioError> {
    match profile {
        Profile::V1 => parse("v1.toml", V1),
        Profile::V2 => parse("v2.toml", V2),
        Profile::Fixed => {
            let scenarios = parse("v1.toml", V1)?.into_iter();
            let corrected = scenarios.map(|scenario| scenario.under(Profile::Fixed));
            Ok(corrected.chain(parse("fixed.toml", FIXED)?).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_scenarios_are_complete() {
        let v1 = built_in(Profile::V1).unwrap();
        assert_eq!((v1.len(), built_in(Profile::V2).unwrap().len()), (46, 50));
        let requests: Vec<usize> = v1.iter().map(|scenario| scenario.world.requests()).collect();
        let count = |of: usize| requests.iter().filter(|requests| **requests == of).count();
        assert_eq!(count(79_333), 34);
        assert_eq!(count(39_667), 9);
        assert_eq!((count(61_451), count(55_227), count(28_890)), (1, 1, 1));
        assert!(v1.iter().all(|scenario| scenario.world.warm_period() == 30));
        assert_eq!(samples(Profile::V2).unwrap().name, "SampleV2");
        assert_eq!(samples(Profile::Fixed).unwrap().name, "SampleV1");
        let v2 = built_in(Profile::V2).unwrap();
        assert!(v2.iter().all(|scenario| scenario.world.warm_period() == 19));
        let fixed = built_in(Profile::Fixed).unwrap();
        assert!(fixed.iter().all(|scenario| scenario.world.profile == Profile::Fixed));
        let names: std::collections::BTreeSet<&str> =
            fixed.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!((fixed.len(), names.len()), (64, 64));
    }
}
