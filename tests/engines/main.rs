//! One list of end-to-end scenarios, run over every engine.
//!
//! A scenario takes the engine as its argument and is listed once, below. Whatever can be shown without
//! sockets is shown elsewhere, in virtual time; what stands here is what an engine could get wrong.

mod classifier;
mod faults;
mod proxy;

/// Makes one test of each scenario on each engine.
macro_rules! scenarios {
    ($list:tt) => {
        mod ring {
            scenarios!(@tests Ring $list);
        }
        mod tokio {
            scenarios!(@tests Tokio $list);
        }
    };
    (@tests $kind:ident { $($module:ident: $($name:ident),+;)+ }) => {
        $(mod $module {
            $(#[test]
            fn $name() {
                crate::$module::$name(ringyard_runtime::launch::EngineKind::$kind);
            })+
        })+
    };
}

scenarios! {{
    classifier: contract, pipelining, closing, mutated_requests, slow_clients;
    proxy: contract, two_cores, integrity;
    faults: backend_killed, backend_frozen, drained_in_flight;
}}
