//! One seed, one history.

use std::time::Duration;

use ringyard_runtime::app::Time;
use ringyard_simulator::world::{Chance, Faults, HostPlan, Random, World, timetable};

use crate::toys::{Echo, Streamer, StreamerPlan};

fn history(seed: u64, faults: &Faults) -> u64 {
    let mut random = Random::new(seed);
    let mut world = World::new(seed, faults.network.clone());
    let server = world.add_host(&HostPlan::new("echo").cores(2).listen(1), |_| Echo::default());
    let plan = StreamerPlan { sessions: 3, bytes_max: 50_000, quits: Chance::percent(1) };
    let clients: Vec<_> = (0..5)
        .map(|_| {
            let own = random.fork();
            world.add_host(&HostPlan::new("client"), move |_| {
                Streamer::new(server.address(1), plan, own.clone())
            })
        })
        .collect();
    let calm = Time::ZERO + Duration::from_secs(5);
    for (time, action) in timetable(&faults.hosts, &mut random, &[server], &clients, calm) {
        world.act_at(time, action);
    }
    world.run_for(Duration::from_secs(10));
    world.trace_hash()
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another() {
    let mut hashes: Vec<u64> = Vec::new();
    for seed in 0..20 {
        let faults = Faults::swarm(&mut Random::new(seed));
        let hash = history(seed, &faults);
        assert_eq!(hash, history(seed, &faults), "seed {seed}");
        hashes.push(hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20, "every seed has a history of its own");
}

#[test]
fn a_fault_more_makes_another_history() {
    let calm = Faults::none();
    let mut jittery = calm.clone();
    jittery.network.split = Chance::percent(50);
    assert_ne!(history(1, &calm), history(1, &jittery));
}
