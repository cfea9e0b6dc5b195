//! How connections begin and end, seen from both sides, and what outages of hosts do to them.

use std::time::Duration;

use ringyard_runtime::app::{ConnError, CoreIndex, SEND_QUEUE_HIGH_BYTES, Time};
use ringyard_simulator::world::{
    Action, Chance, Exit, HostId, HostPlan, NetworkConfig, Phase, World,
};

use crate::toys::{Do, Heard, Probe};

const PORT: u16 = 9;
const FIRST: CoreIndex = CoreIndex(0);

fn ms(milliseconds: u64) -> Time {
    Time::ZERO + Duration::from_millis(milliseconds)
}

struct Pair {
    world: World,
    server: HostId,
    client: HostId,
}

impl Pair {
    fn new(config: NetworkConfig, server: &[(u64, Do)], client: &[(u64, Do)]) -> Self {
        Self::seeded(1, config, server, client)
    }

    fn seeded(
        seed: u64,
        config: NetworkConfig,
        server_script: &[(u64, Do)],
        client_script: &[(u64, Do)],
    ) -> Self {
        let mut world = World::new(seed, config);
        let script = server_script.to_vec();
        let server = world
            .add_host(&HostPlan::new("server").listen(PORT), move |_| Probe::new(None, &script));
        let script = client_script.to_vec();
        let client = world.add_host(&HostPlan::new("client"), move |_| {
            Probe::new(Some(server.address(PORT)), &script)
        });
        Self { world, server, client }
    }

    fn heard_by(&self, host: HostId) -> Vec<Heard> {
        self.world.app::<Probe>(host, FIRST).list()
    }

    /// Runs the world and compares what both heard.
    #[track_caller]
    fn check(mut self, until: Time, server: &[Heard], client: &[Heard]) -> World {
        self.world.run_until(until);
        assert_eq!(self.heard_by(self.server), server, "heard by the server");
        assert_eq!(self.heard_by(self.client), client, "heard by the client");
        self.world
    }
}

fn calm() -> NetworkConfig {
    NetworkConfig::default()
}

#[test]
fn a_close_loses_nothing_and_both_sides_let_go() {
    let pair = Pair::new(
        calm(),
        &[(50, Do::Close)],
        &[(1, Do::Connect), (10, Do::Send(100_000)), (10, Do::Close)],
    );
    let server = [Heard::Opened, Heard::Received(100_000), Heard::PeerClosed];
    let world = pair.check(ms(100), &server, &[Heard::Opened]);
    assert_eq!(world.circuits(), 0);
}

#[test]
fn a_half_closed_connection_still_receives() {
    let pair = Pair::new(
        calm(),
        &[(20, Do::Send(500)), (30, Do::Close)],
        &[(1, Do::Connect), (10, Do::Send(5)), (10, Do::Finish), (50, Do::Close)],
    );
    let server = [Heard::Opened, Heard::Received(5), Heard::PeerClosed];
    let client = [Heard::Opened, Heard::Received(500), Heard::PeerClosed];
    let world = pair.check(ms(100), &server, &client);
    assert_eq!(world.circuits(), 0);
}

#[test]
fn an_abort_is_a_reset_at_the_other_side() {
    let pair = Pair::new(calm(), &[], &[(1, Do::Connect), (10, Do::Abort)]);
    let server = [Heard::Opened, Heard::Failed(ConnError::Reset)];
    let world = pair.check(ms(100), &server, &[Heard::Opened]);
    assert_eq!(world.circuits(), 0);
}

#[test]
fn a_closed_connection_that_its_peer_never_closes_is_let_go_after_the_linger_limit() {
    let pair = Pair::new(calm(), &[(4_000, Do::Send(1))], &[(1, Do::Connect), (10, Do::Close)]);
    let server = [Heard::Opened, Heard::PeerClosed, Heard::Failed(ConnError::Reset)];
    let world = pair.check(ms(5_000), &server, &[Heard::Opened]);
    assert_eq!(world.circuits(), 0);
}

#[test]
fn a_host_without_a_listener_refuses() {
    let mut world = World::new(1, calm());
    let server = world.add_host(&HostPlan::new("server"), |_| Probe::new(None, &[]));
    for (address, error) in [
        (server.address(PORT), ConnError::Refused),
        ("10.9.9.9:1".parse().unwrap(), ConnError::Unreachable),
    ] {
        let script = [(1, Do::Connect)];
        let client =
            world.add_host(&HostPlan::new("client"), move |_| Probe::new(Some(address), &script));
        world.run_for(Duration::from_secs(1));
        let heard = world.app::<Probe>(client, FIRST).list();
        assert_eq!(heard, [Heard::ConnectFailed(error)]);
    }
}

#[test]
fn an_unanswered_attempt_times_out_when_the_kernel_says_so() {
    let config = NetworkConfig {
        connect_unanswered: Chance::ALWAYS,
        connect_timeout: Duration::from_secs(20),
        ..calm()
    };
    let pair = Pair::new(config, &[], &[(1, Do::Connect)]);
    let host = pair.client;
    let client = [Heard::ConnectFailed(ConnError::TimedOut)];
    let world = pair.check(ms(30_000), &[], &client);
    let (time, _) = world.app::<Probe>(host, FIRST).heard[0];
    assert!(time > ms(20_000) && time < ms(20_100), "{time}");
}

#[test]
fn a_cancelled_attempt_ends_either_way_but_only_once() {
    let (mut opened, mut cancelled) = (0, 0);
    for seed in 0..100 {
        let script = [(1, Do::Connect), (1, Do::Cancel), (500, Do::Close)];
        let mut pair = Pair::seeded(seed, calm(), &[], &script);
        pair.world.run_until(ms(10_000));
        match pair.heard_by(pair.client)[..] {
            [Heard::Opened] => opened += 1,
            [Heard::ConnectFailed(ConnError::Cancelled)] => cancelled += 1,
            ref other => panic!("seed {seed}: {other:?}"),
        }
        let server = pair.heard_by(pair.server);
        assert!(
            matches!(
                server[..],
                [] | [Heard::Opened, Heard::PeerClosed | Heard::Failed(ConnError::Reset)]
            ),
            "seed {seed}: {server:?}"
        );
    }
    assert!(opened > 5 && cancelled > 5, "{opened} opened, {cancelled} cancelled");
}

#[test]
fn a_paused_receiver_fills_the_window_and_congests_the_sender() {
    let config = NetworkConfig { window_bytes: 10_000..=10_000, ..calm() };
    let total = SEND_QUEUE_HIGH_BYTES + 50_000;
    let mut pair = Pair::new(
        config,
        &[(5, Do::Pause), (500, Do::Resume)],
        &[(1, Do::Connect), (10, Do::Send(total))],
    );
    pair.world.run_until(ms(400));
    assert_eq!(pair.heard_by(pair.client), [Heard::Opened, Heard::Congested]);
    pair.world.run_until(ms(1_000));
    assert_eq!(pair.heard_by(pair.client), [Heard::Opened, Heard::Congested, Heard::Drained]);
    assert_eq!(pair.heard_by(pair.server), [Heard::Opened, Heard::Received(total)]);
}

#[test]
fn a_draining_host_accepts_nobody_and_ends_when_its_apps_have_finished() {
    let mut pair = Pair::new(
        calm(),
        &[(50, Do::Send(3)), (50, Do::Close), (80, Do::Finished)],
        &[(1, Do::Connect), (30, Do::Connect), (90, Do::Close)],
    );
    pair.world.act_at(ms(20), Action::Drain(pair.server));
    pair.world.run_until(ms(79));
    assert_eq!(pair.world.phase(pair.server), Phase::Running);
    pair.world.run_until(ms(200));
    assert_eq!(pair.world.phase(pair.server), Phase::Exited(Exit::Finished));
    assert_eq!(pair.heard_by(pair.server), [Heard::Opened, Heard::Drain]);
    let client = [
        Heard::Opened,
        Heard::ConnectFailed(ConnError::Refused),
        Heard::Received(3),
        Heard::PeerClosed,
    ];
    assert_eq!(pair.heard_by(pair.client), client);
    assert_eq!(pair.world.circuits(), 0);
}

#[test]
fn a_host_that_never_finishes_draining_is_ended() {
    let config = NetworkConfig { drain_limit: Duration::from_secs(4), ..calm() };
    let mut pair = Pair::new(config, &[], &[(1, Do::Connect)]);
    pair.world.act_at(ms(20), Action::Drain(pair.server));
    pair.world.run_until(ms(3_900));
    assert_eq!(pair.world.phase(pair.server), Phase::Running);
    pair.world.run_until(ms(4_100));
    assert_eq!(pair.world.phase(pair.server), Phase::Exited(Exit::Overdue));
    assert_eq!(pair.heard_by(pair.client), [Heard::Opened, Heard::PeerClosed]);
}

#[test]
fn a_killed_process_closes_its_connections_and_comes_back_new() {
    let mut pair =
        Pair::new(calm(), &[], &[(1, Do::Connect), (20, Do::Connect), (40, Do::Connect)]);
    pair.world.act_at(ms(10), Action::Kill(pair.server));
    pair.world.act_at(ms(30), Action::Boot(pair.server));
    pair.world.run_until(ms(50));
    let client =
        [Heard::Opened, Heard::PeerClosed, Heard::ConnectFailed(ConnError::Refused), Heard::Opened];
    assert_eq!(pair.heard_by(pair.client), client);
    assert_eq!(pair.heard_by(pair.server), [Heard::Opened], "only what the new app heard");
    assert_eq!(pair.world.boots(pair.server), 2);
}

#[test]
fn a_power_cut_is_silent_until_the_host_is_back() {
    for (boot, error, by) in
        [(true, ConnError::Reset, ms(33_000)), (false, ConnError::TimedOut, ms(111_000))]
    {
        let config = NetworkConfig { retransmission_limit: Duration::from_secs(100), ..calm() };
        let script = [(1, Do::Connect), (10_000, Do::Send(5))];
        let mut pair = Pair::new(config, &[], &script);
        pair.world.act_at(ms(10), Action::PowerCut(pair.server));
        if boot {
            pair.world.act_at(ms(30_000), Action::Boot(pair.server));
        }
        pair.world.run_until(ms(29_999));
        assert_eq!(pair.heard_by(pair.client), [Heard::Opened]);
        pair.world.run_until(by);
        assert_eq!(pair.heard_by(pair.client), [Heard::Opened, Heard::Failed(error)]);
        assert_eq!(pair.world.circuits(), 0);
    }
}

#[test]
fn a_frozen_host_hears_everything_afterwards() {
    let mut pair =
        Pair::new(calm(), &[], &[(1, Do::Connect), (20, Do::Send(9)), (30, Do::Connect)]);
    let length = Duration::from_secs(2);
    pair.world.act_at(ms(10), Action::Freeze { host: pair.server, length });
    pair.world.run_until(ms(2_009));
    assert_eq!(pair.heard_by(pair.server), [Heard::Opened]);
    assert_eq!(pair.heard_by(pair.client), [Heard::Opened, Heard::Opened], "the kernel is awake");
    pair.world.run_until(ms(2_100));
    let mut heard = pair.heard_by(pair.server);
    heard.sort_by_key(|heard| matches!(heard, Heard::Received(_)));
    assert_eq!(heard, [Heard::Opened, Heard::Opened, Heard::Received(9)]);
}

#[test]
fn a_partition_delays_and_then_lets_through() {
    let mut pair =
        Pair::new(calm(), &[], &[(1, Do::Connect), (20, Do::Send(9)), (30, Do::Connect)]);
    let length = Duration::from_secs(3);
    let hosts = [pair.client, pair.server];
    pair.world.act_at(ms(10), Action::Partition { hosts, length });
    pair.world.run_until(ms(3_000));
    assert_eq!(pair.heard_by(pair.server), [Heard::Opened]);
    assert_eq!(pair.heard_by(pair.client), [Heard::Opened]);
    pair.world.run_until(ms(8_000));
    let mut heard = pair.heard_by(pair.server);
    heard.sort_by_key(|heard| matches!(heard, Heard::Received(_)));
    assert_eq!(heard, [Heard::Opened, Heard::Opened, Heard::Received(9)]);
    assert_eq!(pair.heard_by(pair.client), [Heard::Opened, Heard::Opened]);
}

#[test]
fn the_network_may_reset_one_side_and_leave_the_other_in_the_dark() {
    let config = NetworkConfig {
        reset: Chance::ALWAYS,
        reset_after: ringyard_simulator::world::Span::milliseconds(10, 10),
        reset_one_sided: Chance::ALWAYS,
        ..calm()
    };
    let mut dark = 0;
    for seed in 0..20 {
        let script = [(1, Do::Connect), (100, Do::Send(1))];
        let mut pair = Pair::seeded(seed, config.clone(), &script[1..], &script);
        pair.world.run_until(ms(90));
        let failed = [pair.client, pair.server]
            .map(|host| pair.heard_by(host).contains(&Heard::Failed(ConnError::Reset)));
        assert_eq!(failed.iter().filter(|&&failed| failed).count(), 1, "seed {seed}");
        dark += u32::from(failed[0]);
        pair.world.run_until(ms(200));
        for host in [pair.client, pair.server] {
            let heard = pair.heard_by(host);
            assert_eq!(heard, [Heard::Opened, Heard::Failed(ConnError::Reset)], "seed {seed}");
        }
    }
    assert!((1..20).contains(&dark), "either side may be the one: {dark}");
}

#[test]
fn a_closed_connection_is_given_up_when_its_peer_takes_nothing_more() {
    let config = NetworkConfig { window_bytes: 10_000..=10_000, ..calm() };
    let close = [(1, Do::Connect), (10, Do::Send(100_000)), (10, Do::Close)];
    let slow: Vec<(u64, Do)> = (0..20)
        .flat_map(|second| [(second * 1_000, Do::Resume), (second * 1_000 + 1, Do::Pause)])
        .skip(1)
        .collect();
    let mut pair = Pair::new(config.clone(), &slow, &close);
    pair.world.run_until(ms(40_000));
    assert_eq!(pair.heard_by(pair.server)[..2], [Heard::Opened, Heard::Received(100_000)]);
    let mut pair = Pair::new(config, &[(5, Do::Pause), (70_000, Do::Resume)], &close);
    pair.world.run_until(ms(71_000));
    let heard = pair.heard_by(pair.server);
    assert_eq!(heard.last(), Some(&Heard::Failed(ConnError::Reset)), "{heard:?}");
    assert_eq!(pair.world.circuits(), 0);
}
