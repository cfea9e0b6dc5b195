//! The strategy study's little world against the whole proxy: the same requests at the same instants, over HTTP, through
//! the simulator's network to a classifier and back, wait as long as the study says.

use std::sync::mpsc;
use std::time::Duration;

use ringyard_bench::generator::Generator;
use ringyard_bench::generator::plan::{LanePlan, News, Pace, Plan};
use ringyard_bench::generator::schedule::Schedule;
use ringyard_bench::generator::script::{Answer, Client, Fate, Script, Times};
use ringyard_bench::outcome::ErrorKind;
use ringyard_bench::study_strategies::mix::{Arrival, Mix};
use ringyard_bench::study_strategies::queueing::{Play, play};
use ringyard_protocol::http1::{ClientCodec, Method, write_request};
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::Time;
use ringyard_scheduler::{CompositionKind, SchedulerConfig, StrategyKind};
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::proxy::{self, BackendTarget, CompositionChoice, CostSetting, ProxyConfig};
use ringyard_simulator::study::numeric::mean;
use ringyard_simulator::world::{HostPlan, World};

use crate::probe::instant_network;

const PORT: u16 = 80;
const JOBS: usize = 2_000;

/// More than ever wait at once where the queue is steady.
const CONNECTIONS: u32 = 1_000;

/// Longer than any run.
const LONG: Duration = Duration::from_secs(1_000);

/// Asks for texts of given lengths, one after the other, and keeps what became of each.
struct Asker {
    lengths: std::vec::IntoIter<u32>,
    latencies_ms: Vec<f64>,
}

impl Script for Asker {
    type Codec = ClientCodec;
    type Ticket = ();
    type Interval = Vec<f64>;

    fn codec(&mut self) -> ClientCodec {
        ClientCodec::new()
    }

    fn ask(&mut self, _client: Client, out: &mut Vec<u8>) {
        let length = self.lengths.next().expect("there are as many lengths as instants");
        let body = format!(r#"{{"sequences":["{}"]}}"#, "x".repeat(length as usize));
        write_request(out, Method::Post, "/proxy_classify", "proxy", &[], Some(body.as_bytes()));
    }

    fn pause(&mut self, _client: Client) -> Duration {
        Duration::ZERO
    }

    fn read(
        &mut self,
        codec: &mut ClientCodec,
        (): &(),
        input: &mut &[u8],
    ) -> Result<Option<Answer>, ErrorKind> {
        if codec.awaited() == 0 {
            codec.sent(Method::Post);
        }
        let response =
            codec.next(input, &HttpLimits::default()).map_err(|_| ErrorKind::Malformed)?;
        Ok(response.map(|response| Answer {
            status: response.status,
            verdict: Ok(()),
            keep_alive: response.keep_alive,
        }))
    }

    fn end(&mut self, _codec: &mut ClientCodec, (): &()) -> Option<Answer> {
        None
    }

    fn settled(&mut self, _client: Client, (): &(), times: Times, fate: Fate) {
        assert!(matches!(fate, Fate::Answered(Answer { status: 200, .. })), "{fate:?}");
        self.latencies_ms.push(times.latency().as_secs_f64() * 1e3);
    }

    fn unsent(&mut self, _lane: u16, _intended: Time, _over: Time) {
        unreachable!("all requests are sent");
    }

    fn connect_failed(&mut self, _lane: u16, kind: ErrorKind) {
        unreachable!("{kind:?}");
    }

    fn take_interval(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.latencies_ms)
    }
}

/// What the whole proxy makes of the first requests of a mix.
fn through_the_proxy(
    mix: &Mix,
    load: f64,
    strategy: StrategyKind,
    composition: CompositionKind,
) -> Vec<f64> {
    let arrivals: Vec<Arrival> = mix.arrivals(load, 1).take(JOBS).collect();
    let mut world = World::new(1, instant_network());
    let batch_sequences_max = mix.batch_sequences_max;
    let model = ClassifierConfig { items_max: batch_sequences_max, ..ClassifierConfig::default() };
    let backend = world.add_host(
        &HostPlan::new("classifier").listen(PORT),
        classifier::factory(classifier::front_default(), model, 1),
    );
    let target = BackendTarget {
        address: backend.address(PORT),
        host: "classifier".into(),
        path: "/classify".into(),
    };
    let config = ProxyConfig {
        strategy,
        composition: CompositionChoice::Fixed(composition),
        cost: CostSetting::Fixed(mix.cost_model().expect("the mix is ours")),
        linger: Some(Duration::ZERO),
        batch_sequences_max,
        deadline: LONG,
        queue_wait_max: LONG,
        ..ProxyConfig::new(vec![target])
    };
    let proxy = world.add_host(
        &HostPlan::new("proxy").listen(PORT),
        proxy::factory(proxy::front_default(), config, 1),
    );
    let instants = arrivals.iter().map(|arrival| arrival.at.since(Time::ZERO)).collect();
    let lengths: Vec<u32> = arrivals.iter().map(|arrival| arrival.spec.longest).collect();
    let pace = Pace::Open(Schedule::replay(instants, 0, 1));
    let plan = Plan {
        target: proxy.address(PORT),
        lanes: vec![LanePlan { seats: CONNECTIONS, depth: 1, pace }],
        duration: LONG,
        requests_max: Some(JOBS as u64),
        grace: LONG,
        timeout: LONG,
        connect_ramp: Duration::ZERO,
        interval: LONG,
    };
    let (sender, news) = mpsc::channel();
    world.add_host(&HostPlan::new("clients"), move |_| {
        let asker = Asker { lengths: lengths.clone().into_iter(), latencies_ms: Vec::new() };
        Generator::new(plan.clone(), asker, sender.clone())
    });
    let mut latencies = Vec::new();
    let is_over = world.run_until_done(Duration::from_secs(1), Time::ZERO + 2 * LONG, |_| {
        news.try_iter().any(|news| {
            let is_last = matches!(news, News::Finished { .. });
            let (News::Interval { figures, .. } | News::Finished { figures, .. }) = news;
            latencies.extend(figures);
            is_last
        })
    });
    assert!(is_over && latencies.len() == JOBS, "{}", latencies.len());
    latencies
}

/// What the study says of the same.
fn in_the_study(
    mix: &Mix,
    load: f64,
    strategy: StrategyKind,
    composition: CompositionKind,
) -> Vec<f64> {
    let linger = Some(Duration::ZERO);
    let config = SchedulerConfig { strategy, composition, linger, ..SchedulerConfig::default() };
    let record = play(&Play { mix, load, seed: 1, jobs: JOBS, config });
    record.latencies_ms.concat()
}

#[test]
fn the_study_says_what_the_whole_proxy_does() {
    let mix = &Mix::built_in()[0];
    for (strategy, composition, load) in [
        (StrategyKind::Fcfs, CompositionKind::Fill, 1.0),
        (StrategyKind::Fcfs, CompositionKind::Anchor, 2.0),
        (StrategyKind::Sjf, CompositionKind::Plan, 2.0),
        (StrategyKind::SjfAgeing, CompositionKind::Plan, 4.0),
    ] {
        let proxy = mean(&through_the_proxy(mix, load, strategy, composition));
        let study = mean(&in_the_study(mix, load, strategy, composition));
        // The study leaves out the first tenth, in which the queue fills.
        assert!((proxy / study - 1.0).abs() < 0.1, "{strategy} {composition}: {proxy}, {study}");
    }
}
