//! The original workload played against the real classifier and proxy, a virtual minute in an instant.

use std::sync::mpsc;
use std::time::Duration;

use ringyard_bench::generator::Generator;
use ringyard_bench::generator::plan::{News, Plan};
use ringyard_bench::outcome::ErrorKind;
use ringyard_bench::player::Player;
use ringyard_bench::study::CustomerRecord;
use ringyard_bench::workload::Workload;
use ringyard_scheduler::StrategyKind;
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::proxy::{self, BackendTarget, ProxyConfig};
use ringyard_simulator::world::{Action, HostId, HostPlan, NetworkConfig, World};

pub(crate) const PROXY_PORT: u16 = 8000;
const CLASSIFIER_PORT: u16 = 8001;

/// Adds a classifier and a proxy before it, which it returns.
pub(crate) fn add_servers(world: &mut World) -> HostId {
    servers(world, StrategyKind::Fcfs).1
}

fn servers(world: &mut World, strategy: StrategyKind) -> (HostId, HostId) {
    let classifier = world.add_host(
        &HostPlan::new("classifier").listen(CLASSIFIER_PORT),
        classifier::factory(classifier::front_default(), ClassifierConfig::default(), 1),
    );
    let backend = BackendTarget {
        address: classifier.address(CLASSIFIER_PORT),
        host: "classifier".into(),
        path: "/classify".into(),
    };
    let config = ProxyConfig { strategy, ..ProxyConfig::new(vec![backend]) };
    let proxy = world.add_host(
        &HostPlan::new("proxy").listen(PROXY_PORT),
        proxy::factory(proxy::front_default(), config, 1),
    );
    (classifier, proxy)
}

/// Plays `workload` for `seconds`; `disturb` may do something to the classifier.
fn play(
    workload: &Workload,
    strategy: StrategyKind,
    seconds: u64,
    disturb: impl FnOnce(&mut World, HostId),
) -> Vec<CustomerRecord> {
    let mut world = World::new(1, NetworkConfig::default());
    let (classifier, proxy) = servers(&mut world, strategy);
    let (sender, news) = mpsc::channel();
    let plan = Plan {
        target: proxy.address(PROXY_PORT),
        lanes: Player::lanes(workload, 1),
        duration: Duration::from_secs(seconds),
        requests_max: None,
        grace: Duration::from_secs(30),
        timeout: Duration::from_secs(30),
        connect_ramp: Duration::ZERO,
        interval: Duration::from_secs(1),
    };
    let played = workload.clone();
    world.add_host(&HostPlan::new("clients"), move |_| {
        let player = Player::new(&played, 1, "proxy".into(), 1.0);
        Generator::new(plan.clone(), player, sender.clone())
    });
    disturb(&mut world, classifier);
    world.run_for(Duration::from_secs(seconds + 40));
    let mut sum = vec![CustomerRecord::default(); workload.customers.len()];
    let mut finished = false;
    for news in news.try_iter() {
        assert!(!finished, "nothing follows the last news");
        finished = matches!(news, News::Finished { .. });
        let (News::Interval { figures, .. } | News::Finished { figures, .. }) = news;
        sum.iter_mut().zip(&figures).for_each(|(sum, seen)| sum.merge(seen));
    }
    assert!(finished);
    sum
}

#[test]
fn the_original_customers_are_answered_right_under_every_strategy() {
    let means_ms = [StrategyKind::Fcfs, StrategyKind::Sjf, StrategyKind::Fair].map(|strategy| {
        let records = play(&Workload::original(), strategy, 120, |_, _| {});
        for record in &records {
            assert_eq!(record.errors.total(), 0, "{}", record.errors.describe());
            assert!(record.latencies.count() > 50);
            assert_eq!(record.points().len() as u64, record.latencies.count());
        }
        // B's long texts take 311 ms, its short ones 13 ms; nothing takes longer than two turns.
        let longest = records[1].latencies.quantile(1.0);
        assert!((311..700).contains(&longest.as_millis()), "{longest:?}");
        records[0].latencies.mean().as_secs_f64() * 1e3
    });
    let [fcfs, sjf, _] = means_ms;
    assert!(sjf < fcfs, "short requests gain by going first: {means_ms:?}");
}

#[test]
fn an_open_loop_asks_whether_it_is_answered_or_not() {
    let workload = Workload::from_toml(
        "name = 'open'\n[[customer]]\nname = 'C'\nsequences = { constant = 1 }\n\
         pace = { open = { rate_per_second = 50, arrivals = 'constant', clients = 100 } }\n\
         text = [{ body = 'x', times = { constant = 10 } }]\n",
    )
    .unwrap();
    let records = play(&workload, StrategyKind::Fcfs, 20, |_, _| {});
    assert_eq!(records[0].latencies.count(), 1_000);
    assert_eq!(records[0].errors.total(), 0);
}

#[test]
fn a_classifier_that_dies_shows_as_refusals() {
    let records = play(&Workload::original(), StrategyKind::Fair, 60, |world, classifier| {
        let kill_at = world.time() + Duration::from_secs(20);
        world.act_at(kill_at, Action::Kill(classifier));
        world.act_at(kill_at + Duration::from_secs(10), Action::Boot(classifier));
    });
    for record in &records {
        assert!(record.errors.refused > 0);
        assert_eq!(record.errors.total(), record.errors.of(ErrorKind::Refused));
        assert!(record.latencies.count() > 20);
    }
}
