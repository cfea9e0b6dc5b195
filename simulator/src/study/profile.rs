//! Which revision of the notebook a world follows, rule by rule.
//!
//! Every known quirk is one field of [`Rules`], so a profile is a list of decisions and not a fork of the
//! simulator. `v1` carries the published figures, `v2` is the later revision, `fixed` is what was meant.

use ringyard_scheduler::balance::{Unknown, Zero};
use serde::{Deserialize, Serialize};

/// A named set of [`Rules`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The revision that the published 46-scenario figures come from.
    #[default]
    V1,
    /// The later revision: rounded means, legs of exactly their length, throughput counted when dequeued.
    V2,
    /// Revision 1 with its quirks corrected.
    Fixed,
}

/// Where profiles differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// A leg of S ticks is counted down before it is tested, so that it takes S - 1 (else S).
    pub short_legs: bool,
    /// Gamma means are first rounded at random to whole numbers; a mean of zero draws zero.
    pub round_means: bool,
    /// Servers report the requests they dequeued in a tick instead of those that arrived.
    pub count_dequeued: bool,
    /// A client's servers are drawn without replacement.
    pub distinct_subset: bool,
    /// Channels to the same server share warmth, history and controller input.
    pub shared_identity: bool,
    /// Probes go to the idle channels instead of to any.
    pub probe_idle_only: bool,
    /// A probe warms its channel.
    pub probes_warm: bool,
    /// What a cost of zero means to weighted and hot/cold pickers.
    pub zero: Zero,
    /// What missing data means to least-cost pickers.
    pub unknown: Unknown,
    /// Hot/cold pickers break ties at random and remember healths even when they choose blindly.
    pub fair_hot_cold: bool,
    /// A channel keeps the newest state by when it was published, not by when it arrived.
    pub newest_state: bool,
    /// Expected latency is looked up at the current load instead of at the mean one.
    pub expect_at_current: bool,
    /// The world runs on until nothing is outstanding.
    pub drain: bool,
    /// Every completion is recorded, staged by when the request started.
    pub record_all: bool,
    /// Controllers' integrals and weights are bounded.
    pub bounded_pid: bool,
    /// A request demoted by a reset keeps its progress and its place.
    pub keep_progress: bool,
    /// Policies that take turns start at a random phase.
    pub random_phase: bool,
    /// A race that no answer is valid in goes to the channel of least latency, and a server with nothing queued
    /// counts as empty (else the run dies, so such a picker is refused).
    pub race_falls_back: bool,
    /// Costs that are moving averages use the world's weight (else always 0.2).
    pub one_ewma_weight: bool,
}

impl Profile {
    /// The rules of this profile.
    #[must_use]
    pub const fn rules(self) -> Rules {
        let v1 = Rules {
            short_legs: true,
            round_means: false,
            count_dequeued: false,
            distinct_subset: false,
            shared_identity: true,
            probe_idle_only: false,
            probes_warm: true,
            zero: Zero::NoData,
            unknown: Unknown::Best,
            fair_hot_cold: false,
            newest_state: false,
            expect_at_current: false,
            drain: false,
            record_all: false,
            bounded_pid: false,
            keep_progress: false,
            random_phase: false,
            race_falls_back: false,
            one_ewma_weight: false,
        };
        match self {
            Self::V1 => v1,
            Self::V2 => Rules { short_legs: false, round_means: true, count_dequeued: true, ..v1 },
            Self::Fixed => Rules {
                short_legs: true,
                round_means: false,
                count_dequeued: false,
                distinct_subset: true,
                shared_identity: false,
                probe_idle_only: true,
                probes_warm: true,
                zero: Zero::Best,
                unknown: Unknown::Best,
                fair_hot_cold: true,
                newest_state: true,
                expect_at_current: true,
                drain: true,
                record_all: true,
                bounded_pid: true,
                keep_progress: true,
                random_phase: true,
                race_falls_back: true,
                one_ewma_weight: true,
            },
        }
    }

    /// The name used in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Fixed => "fixed",
        }
    }
}
