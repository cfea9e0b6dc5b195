//! One point in the simulator's world: the same server and the same clients, in virtual time.
//!
//! A worker there computes a digest per step instead of thousands, and [`Paced`] sees to it that a step takes as long
//! as it stands for. All else is what runs under an engine.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use ringyard_runtime::app::{App, Commands, Event, Now, Time};
use ringyard_servers::compute::{self, ComputeBoard, ComputeServer, Effort};
use ringyard_servers::limits::COMPUTE_STEP;
use ringyard_simulator::world::{HostPlan, NetworkConfig, Span, World};

use super::experiment::{Contender, Options, Pressure, Trial};
use crate::generator::Generator;
use crate::generator::plan::News;
use crate::load::figures::Figures;
use crate::load::http::HttpScript;
use crate::load::options::Work;
use crate::load::target::Target;

const PORT: u16 = 80;

/// How often the world is asked whether the clients are done.
const LOOK: Duration = Duration::from_millis(100);

/// As much work as takes so long at a digest a step.
pub(super) fn effort(work: Duration) -> Effort {
    let steps = work.as_nanos().div_ceil(COMPUTE_STEP.as_nanos()).max(1);
    Effort::new(u64::try_from(steps).unwrap_or(u64::MAX), work)
}

/// The loopback of a good machine.
fn loopback() -> NetworkConfig {
    NetworkConfig {
        latency: Span::microseconds(10, 20),
        jitter: Span::microseconds(0, 5),
        turn: Span::microseconds(2, 10),
        timer_slack: Span::microseconds(0, 10),
        ..NetworkConfig::default()
    }
}

/// Plays one point.
///
/// # Panics
///
/// If the generator does not come to its end, which would be a bug.
pub(super) fn play(
    options: &Options,
    effort: Effort,
    contender: Contender,
    pressure: Pressure,
) -> Trial {
    let mut world = World::new(options.seed, loopback());
    let board = Arc::new(ComputeBoard::new(1));
    let config = options.compute(contender, effort);
    let make = compute::factory(compute::front_default(), config, 1, Arc::clone(&board));
    let step = effort.work.mul_f64(effort.step as f64 / effort.links as f64);
    let plan = HostPlan::new("server").workers(1).listen(PORT);
    let server =
        world.add_host(&plan, move |context| Paced { app: make(context), step, due: None });
    let address = server.address(PORT);
    let url = format!("http://{address}/calculate?input=study");
    let target: Target = url.parse().expect("it is the address of a host of ours");
    let load = options.load(target, pressure);
    let (sender, news) = mpsc::channel();
    let clients = load.clone();
    world.add_host(&HostPlan::new("clients"), move |_| {
        let Work::Http(request) = clients.work.clone() else { unreachable!("the study asks HTTP") };
        let script = HttpScript::new(request, clients.is_open_loop(), 0, 1, clients.seed);
        Generator::new(clients.plan(address, 0), script, sender.clone())
    });
    let mut figures = Figures::default();
    let mut elapsed = None;
    let limit = Time::ZERO + options.duration + load.grace + load.timeout;
    let is_over = world.run_until_done(LOOK, limit, |_| {
        for news in news.try_iter() {
            let (News::Interval { figures: new, .. } | News::Finished { figures: new, .. }) = &news;
            figures.merge(new);
            if let News::Finished { vitals, .. } = news {
                elapsed = Some(vitals.elapsed);
            }
        }
        elapsed.is_some()
    });
    assert!(is_over, "the generator ends when its time is over");
    Trial { figures, elapsed: elapsed.unwrap_or_default(), totals: board.totals() }
}

/// An app whose work takes time: of a worker that wants to go on at once, each step takes as long as it stands for.
struct Paced {
    app: ComputeServer,
    step: Duration,
    /// When the step under way ends.
    due: Option<Time>,
}

impl App for Paced {
    type Mail = <ComputeServer as App>::Mail;

    fn on_event(
        &mut self,
        now: Now,
        event: Event<'_, Self::Mail>,
        commands: &mut Commands<Self::Mail>,
    ) {
        let ended = match event {
            Event::Deadline => self.due.take(),
            _ => None,
        };
        self.app.on_event(now, event, commands);
        if let ComputeServer::Serving(_) = self.app {
            return;
        }
        self.due = match (commands.deadline(), self.due) {
            (None, _) => None,
            (Some(_), Some(due)) => Some(due),
            // Measured from where the last step was to end, so that a driver's lateness does not add up.
            (Some(_), None) => Some(ended.unwrap_or(now.time) + self.step),
        };
        commands.set_deadline(self.due);
    }
}
