//! The plainest script: asks `?`, takes `!` for an answer, and keeps every figure.

use std::cell::RefCell;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ringyard_bench::generator::Generator;
use ringyard_bench::generator::plan::{LanePlan, News, Pace, Plan, Vitals};
use ringyard_bench::generator::script::{Answer, Client, Fate, Script, Times};
use ringyard_bench::outcome::{ErrorCounts, ErrorKind};
use ringyard_bench::statistics::Tally;
use ringyard_runtime::app::Time;
use ringyard_simulator::world::{HostId, HostPlan, NetworkConfig, Span, World};

use crate::fake::{Fake, Habits, Law};

/// The port of the server under test.
const PORT: u16 = 80;

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) corrected: Tally,
    pub(crate) uncorrected: Tally,
    pub(crate) errors: ErrorCounts,
    pub(crate) connect_errors: ErrorCounts,
    pub(crate) unfinished: u64,
    pub(crate) unsent: u64,
    pub(crate) slip_max: Duration,
    pub(crate) intended: Vec<Time>,
}

#[derive(Debug, Default)]
pub(crate) struct Probe {
    figures: Figures,
    pause: Duration,
}

impl Script for Probe {
    type Codec = ();
    type Ticket = ();
    type Interval = Figures;

    fn codec(&mut self) {}

    fn ask(&mut self, _client: Client, out: &mut Vec<u8>) {
        out.push(b'?');
    }

    fn pause(&mut self, _client: Client) -> Duration {
        self.pause
    }

    fn read(
        &mut self,
        (): &mut (),
        (): &(),
        input: &mut &[u8],
    ) -> Result<Option<Answer>, ErrorKind> {
        let byte = input[0];
        *input = &input[1..];
        if byte == b'!' {
            Ok(Some(Answer { status: 0, verdict: Ok(()), keep_alive: true }))
        } else {
            Err(ErrorKind::Malformed)
        }
    }

    fn end(&mut self, (): &mut (), (): &()) -> Option<Answer> {
        None
    }

    fn settled(&mut self, _client: Client, (): &(), times: Times, fate: Fate) {
        self.figures.slip_max = self.figures.slip_max.max(times.slip());
        self.figures.intended.push(times.intended);
        match fate {
            Fate::Answered(_) => {
                self.figures.corrected.record(times.latency());
                self.figures.uncorrected.record(times.uncorrected_latency());
            }
            Fate::Failed(kind) => self.figures.errors.add(kind, 1),
            Fate::Unfinished => self.figures.unfinished += 1,
        }
    }

    fn unsent(&mut self, _lane: u16, _intended: Time, _over: Time) {
        self.figures.unsent += 1;
    }

    fn connect_failed(&mut self, _lane: u16, kind: ErrorKind) {
        self.figures.connect_errors.add(kind, 1);
    }

    fn take_interval(&mut self) -> Figures {
        std::mem::take(&mut self.figures)
    }
}

/// A world with a generator and a server of known law.
pub(crate) struct Trial {
    pub(crate) world: World,
    pub(crate) client: HostId,
    pub(crate) server: HostId,
    news: Receiver<News<Figures>>,
}

/// A network that takes no time, so that a law can be held against exact figures.
pub(crate) fn instant_network() -> NetworkConfig {
    NetworkConfig {
        latency: Span::ZERO,
        jitter: Span::ZERO,
        nanoseconds_per_byte: 0..=0,
        turn: Span::ZERO,
        timer_slack: Span::ZERO,
        ..NetworkConfig::default()
    }
}

/// A plan for one lane that runs for `seconds`, to be adapted.
pub(crate) fn plan(seats: u32, depth: u32, pace: Pace, seconds: u64) -> Plan {
    Plan {
        target: ([127, 0, 0, 1], PORT).into(),
        lanes: vec![LanePlan { seats, depth, pace }],
        duration: Duration::from_secs(seconds),
        requests_max: None,
        grace: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        connect_ramp: Duration::ZERO,
        interval: Duration::from_secs(1),
    }
}

impl Trial {
    pub(crate) fn new(plan: Plan, pause: Duration, law: Law, habits: Habits) -> Self {
        Self::on(instant_network(), plan, pause, law, habits)
    }

    pub(crate) fn on(
        network: NetworkConfig,
        plan: Plan,
        pause: Duration,
        law: Law,
        habits: Habits,
    ) -> Self {
        let mut world = World::new(1, network);
        let server =
            world.add_host(&HostPlan::new("server").listen(PORT), move |_| Fake::new(law, habits));
        let (sender, news) = mpsc::channel();
        let plan = RefCell::new(Plan { target: server.address(PORT), ..plan });
        let client = world.add_host(&HostPlan::new("client"), move |_| {
            let probe = Probe { pause, ..Probe::default() };
            Generator::new(plan.borrow().clone(), probe, sender.clone())
        });
        Self { world, client, server, news }
    }

    /// Runs until the generator says that it is over, and sums its figures up.
    pub(crate) fn finish(&mut self) -> (Figures, Vitals) {
        let mut sum = Figures::default();
        for _ in 0..100_000 {
            self.world.run_for(Duration::from_millis(100));
            for news in self.news.try_iter() {
                let (figures, last) = match news {
                    News::Interval { figures, .. } => (figures, None),
                    News::Finished { figures, vitals } => (figures, Some(vitals)),
                };
                add(&mut sum, figures);
                if let Some(vitals) = last {
                    return (sum, vitals);
                }
            }
        }
        panic!("the generator does not come to its end");
    }
}

fn add(sum: &mut Figures, figures: Figures) {
    sum.corrected.merge(&figures.corrected);
    sum.uncorrected.merge(&figures.uncorrected);
    sum.errors.merge(&figures.errors);
    sum.connect_errors.merge(&figures.connect_errors);
    sum.unfinished += figures.unfinished;
    sum.unsent += figures.unsent;
    sum.slip_max = sum.slip_max.max(figures.slip_max);
    sum.intended.extend(figures.intended);
}
