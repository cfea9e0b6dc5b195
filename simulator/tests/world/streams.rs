//! Whatever the network does to a stream, what arrives is a beginning of what was sent, and connections that
//! are over leave nothing behind.

use std::time::Duration;

use ringyard_runtime::app::{CoreIndex, Time};
use ringyard_simulator::world::{
    Chance, Faults, HostId, HostPlan, NetworkConfig, Random, World, timetable,
};

use crate::toys::{Echo, Outcomes, Streamer, StreamerPlan};

const PORT: u16 = 7;
const FIRST: CoreIndex = CoreIndex(0);

struct Run {
    world: World,
    server: HostId,
    clients: Vec<HostId>,
}

impl Run {
    fn outcomes(&self) -> Vec<Outcomes> {
        self.clients
            .iter()
            .map(|&client| self.world.app::<Streamer>(client, FIRST).outcomes)
            .collect()
    }

    /// Runs until every session is over and every time-out has passed.
    fn finish(&mut self) {
        let clients = &self.clients;
        let limit = Time::ZERO + Duration::from_secs(7_200);
        let done = self.world.run_until_done(Duration::from_secs(1), limit, |world| {
            clients.iter().all(|&client| world.app::<Streamer>(client, FIRST).done())
        });
        assert!(done, "sessions are still under way after two hours: {:?}", self.outcomes());
        self.world.run_for(2 * Echo::PATIENCE);
        assert_eq!(self.world.connections(self.server), 0, "the server keeps connections");
        assert_eq!(self.world.circuits(), 0, "the network keeps circuits");
    }
}

fn set_up(seed: u64, faults: &Faults, plan: StreamerPlan) -> Run {
    let mut random = Random::new(seed ^ 0x5EED);
    let mut world = World::new(seed, faults.network.clone());
    let cores = u16::try_from(random.between(1..=3)).expect("a small number");
    let server_plan = HostPlan::new("echo").cores(cores).listen(PORT);
    let server = world.add_host(&server_plan, |_| Echo::default());
    let clients = (0..4)
        .map(|number| {
            let own = random.fork();
            world.add_host(&HostPlan::new(format!("client {number}")), move |_| {
                Streamer::new(server.address(PORT), plan, own.clone())
            })
        })
        .collect();
    Run { world, server, clients }
}

const PLAN: StreamerPlan = StreamerPlan { sessions: 3, bytes_max: 300_000, quits: Chance::NEVER };

#[test]
fn harmless_faults_leave_every_stream_whole() {
    for seed in 0..60 {
        let faults = Faults::swarm(&mut Random::new(seed)).harmless();
        let mut run = set_up(seed, &faults, PLAN);
        run.finish();
        for outcomes in run.outcomes() {
            let whole = Outcomes { whole: PLAN.sessions, ..Outcomes::default() };
            assert_eq!(Outcomes { congested: 0, ..outcomes }, whole, "seed {seed}");
        }
    }
}

#[test]
fn destructive_faults_cut_streams_short_but_never_spoil_them() {
    let mut seen = Outcomes::default();
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let faults = Faults::swarm(&mut random);
        let plan = StreamerPlan { sessions: 12, quits: Chance::percent(1), ..PLAN };
        let mut run = set_up(seed, &faults, plan);
        let calm = Time::ZERO + Duration::from_secs(20);
        let actions = timetable(&faults.hosts, &mut random, &[run.server], &run.clients, calm);
        for (time, action) in actions {
            run.world.act_at(time, action);
        }
        run.finish();
        for outcomes in run.outcomes() {
            let Outcomes { whole, cut_short, failed, not_connected, timed_out, quit, .. } =
                outcomes;
            let sum = whole + cut_short + failed + not_connected + timed_out + quit;
            assert_eq!(sum, plan.sessions, "seed {seed}: {outcomes:?}");
            seen.whole += whole;
            seen.cut_short += cut_short;
            seen.failed += failed;
            seen.not_connected += not_connected;
            seen.timed_out += timed_out;
            seen.quit += quit;
        }
    }
    // A time-out takes a peer that dies after the last byte but before the answer: rare, and not asked for.
    let Outcomes { whole, cut_short, failed, not_connected, quit, .. } = seen;
    for count in [whole, cut_short, failed, not_connected, quit] {
        assert!(count > 0, "some outcome never came: {seen:?}");
    }
}

#[test]
fn a_slow_reader_congests_its_writer_and_both_recover() {
    let faults = Faults {
        network: NetworkConfig { window_bytes: 4_096..=4_096, ..NetworkConfig::default() },
        ..Faults::none()
    };
    let plan = StreamerPlan { sessions: 2, bytes_max: 3_000_000, quits: Chance::NEVER };
    let mut run = set_up(1, &faults, plan);
    run.finish();
    let outcomes = run.outcomes();
    assert!(outcomes.iter().any(|outcomes| outcomes.congested > 0), "{outcomes:?}");
    assert!(outcomes.iter().all(|outcomes| outcomes.whole == plan.sessions), "{outcomes:?}");
    let cores = (0..1).map(CoreIndex);
    let congested: u32 = cores.map(|core| run.world.app::<Echo>(run.server, core).congested).sum();
    assert!(congested > 0, "an echo that is not read is congested");
}
