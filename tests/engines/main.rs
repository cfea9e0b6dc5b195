//! One list of end-to-end scenarios, run over every engine.
//!
//! A scenario takes the engine as its argument and is listed once, below. Whatever can be shown without
//! sockets is shown elsewhere, in virtual time; what stands here is what an engine could get wrong.

mod classifier;
mod compute;
mod explain;
mod faults;
mod proxy;

use ringyard_runtime::launch::EngineKind;
use ringyard_tests::servers::Engine;

const RING: Engine = Engine::App(EngineKind::Ring);
const TOKIO: Engine = Engine::App(EngineKind::Tokio);
const MONOIO: Engine = Engine::App(EngineKind::Monoio);
const GLOMMIO: Engine = Engine::App(EngineKind::Glommio);
const BASELINE: Engine = Engine::Baseline;

/// Makes one test of each scenario on each engine; those of `apps` are not for the baseline.
macro_rules! scenarios {
    ({ every: $every:tt apps: $apps:tt }) => {
        scenarios!(@engine ring RING, $every $apps);
        scenarios!(@engine tokio TOKIO, $every $apps);
        scenarios!(@engine monoio MONOIO, $every $apps);
        scenarios!(@engine glommio GLOMMIO, $every $apps);
        scenarios!(@engine baseline BASELINE, $every {});
    };
    (@engine $engine:ident $value:ident, $({ $($module:ident: $($name:ident),+;)* })+) => {
        mod $engine {
            $($(mod $module {
                $(#[test]
                fn $name() {
                    crate::$module::$name(crate::$value);
                })+
            })*)+
        }
    };
}

scenarios! {{
    every: {
        classifier: contract, pipelining, closing, mutated_requests, slow_clients;
        proxy: contract, two_cores, integrity;
        faults: backend_killed, backend_frozen, drained_in_flight;
    }
    // What the baseline does not have.
    apps: {
        compute: contract, refusals_and_departures;
        explain: answers_and_decisions;
    }
}}
