//! What an engine promises to an app, as scenarios that run over every engine.
//!
//! Each scenario launches an app of a few lines, talks to it with the standard library's sockets, and looks
//! at what arrives on either side. Time limits only keep a hang from hanging the test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bytes;
mod connecting;
mod ending;
mod exhaustion;
mod harness;
mod mail;
mod refusal;
mod teardown;
mod time;

/// Runs each scenario, a function of the engine, once per engine.
macro_rules! scenarios {
    ($($module:ident: $($scenario:ident),+;)+) => {
        mod ring {
            $(mod $module {
                $(#[test] fn $scenario() { crate::harness::on_ring(crate::$module::$scenario); })+
            })+
        }
        mod tokio {
            $(mod $module {
                $(#[test] fn $scenario() { crate::$module::$scenario(ringyard_runtime::plan::EngineKind::Tokio); })+
            })+
        }
        #[cfg(feature = "peers")]
        mod monoio {
            $(mod $module {
                $(#[test] fn $scenario() { crate::$module::$scenario(ringyard_runtime::plan::EngineKind::Monoio); })+
            })+
        }
        #[cfg(feature = "peers")]
        mod glommio {
            $(mod $module {
                $(#[test] fn $scenario() { crate::$module::$scenario(ringyard_runtime::plan::EngineKind::Glommio); })+
            })+
        }
    };
}

scenarios! {
    bytes:
        large_data_is_echoed_however_it_is_cut,
        pipelined_requests_are_answered_in_order,
        many_connections_at_once_do_not_mix,
        a_paused_connection_stops_its_peer,
        a_slow_reader_congests_and_drains;
    teardown:
        a_client_that_half_closes_still_gets_its_answer,
        a_server_that_half_closes_still_hears_its_client,
        an_abort_is_seen_as_a_reset,
        a_close_does_not_lose_the_answer_to_a_peer_that_still_sends,
        a_closed_connection_whose_peer_stays_is_cut_off,
        a_reset_is_reported_once,
        no_id_is_used_twice;
    connecting:
        a_connect_opens_and_both_sides_speak,
        a_connect_to_nobody_is_refused,
        a_cancelled_connect_fails_as_cancelled,
        each_source_has_its_turn;
    mail:
        mail_between_cores_keeps_its_order_and_wakes_sleepers,
        cores_that_spin_before_they_sleep_miss_no_mail,
        workers_are_reached_by_mail_and_by_nobody_else,
        mail_to_a_full_mailbox_returns_in_the_same_turn;
    time:
        the_first_turn_ends_with_a_deadline,
        a_deadline_fires_once_and_not_before_its_time,
        a_deadline_at_now_ends_the_same_turn,
        a_core_that_never_sleeps_hears_everything,
        a_core_that_wakes_early_hears_everything;
    exhaustion:
        a_few_small_buffers_serve_many_connections,
        small_queues_serve_many_connections,
        connections_beyond_the_limit_wait_their_turn,
        descriptors_that_run_out_stop_nobody_else,
        a_thousand_connections_leave_nothing_behind;
    ending:
        a_drain_answers_what_is_in_flight,
        a_drain_hears_those_who_connected_before_it,
        a_drain_ends_at_its_limit_and_says_what_it_cut,
        a_drain_flushes_what_is_queued,
        dropping_the_handle_ends_at_once,
        a_panic_stops_all_cores_and_is_reported,
        signals_drain_and_then_stop;
}
