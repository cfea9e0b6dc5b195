//! The yard: a proxy, its backends and its customers, and what must be true of them in the end.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringyard_runtime::app::{CoreIndex, Time};
use ringyard_runtime::counters::CoreContext;
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::front::{FrontConfig, Server};
use ringyard_servers::metrics::{ServerCounters, answer_board};
use ringyard_servers::proxy::{self, BackendTarget, Proxy, ProxyBoard, ProxyConfig, ProxyServer};
use ringyard_simulator::world::client::{Answers, Customer, CustomerPlan, Habits, Office, Tally};
use ringyard_simulator::world::{
    Action, Exit, HostId, HostPlan, NetworkConfig, Phase, Random, Span, World,
};

use crate::echo;

pub(crate) const FIRST: CoreIndex = CoreIndex(0);
const PROXY_PORT: u16 = 8000;
const BACKEND_PORT: u16 = 8001;

/// What the backends are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BackendKind {
    /// Real classifiers, with this factor on the model's time.
    Classifier { cost_scale: f64 },
    /// They send back what they are sent, after this long.
    Echo { delay: Duration },
}

/// A yard to be.
#[derive(Clone, Debug)]
pub(crate) struct YardPlan {
    pub(crate) seed: u64,
    pub(crate) network: NetworkConfig,
    pub(crate) backend: BackendKind,
    pub(crate) backends: usize,
    pub(crate) cores: u16,
    pub(crate) front: FrontConfig,
    /// Its backends are filled in.
    pub(crate) proxy: ProxyConfig,
}

impl YardPlan {
    /// One core, two fast classifiers, a good network.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            network: NetworkConfig::default(),
            backend: BackendKind::Classifier { cost_scale: 1.0 },
            backends: 2,
            cores: 1,
            front: proxy::front_default(),
            proxy: ProxyConfig::new(Vec::new()),
        }
    }

    pub(crate) fn build(mut self) -> Yard {
        let mut world = World::new(self.seed, self.network);
        let backends: Vec<HostId> = (0..self.backends)
            .map(|number| add_backend(&mut world, number, self.backend, &self.proxy))
            .collect();
        self.proxy.backends = backends
            .iter()
            .map(|backend| BackendTarget {
                address: backend.address(BACKEND_PORT),
                host: String::from("backend"),
                path: String::from("/classify"),
            })
            .collect();
        let ProxyConfig { backend_concurrency, backend_pipeline, .. } = self.proxy;
        let lines = backend_concurrency.div_ceil(backend_pipeline.min(backend_concurrency));
        let lanes = backends.len() * lines as usize;
        let config = Arc::new(self.proxy);
        let cores = usize::from(self.cores);
        let board = Rc::new(RefCell::new(Arc::new(ProxyBoard::new(cores))));
        let boards = Rc::clone(&board);
        let front = self.front;
        let answers = RefCell::new(answer_board(cores));
        let plan = HostPlan::new("proxy").cores(self.cores).listen(PROXY_PORT);
        let proxy = world.add_host(&plan, move |context: CoreContext| {
            if context.core == FIRST {
                // A new process: what the one before it showed is gone with it.
                boards.replace(Arc::new(ProxyBoard::new(cores)));
                answers.replace(answer_board(cores));
            }
            let counters = ServerCounters::new(&context, Arc::clone(&answers.borrow()));
            let board = Arc::clone(&boards.borrow());
            Server::new(front, counters, Proxy::new(Arc::clone(&config), context.core, board))
        });
        Yard {
            world,
            proxy,
            cores: self.cores,
            backend: self.backend,
            backends,
            lanes,
            customers: Vec::new(),
            board,
        }
    }
}

fn add_backend(world: &mut World, number: usize, kind: BackendKind, proxy: &ProxyConfig) -> HostId {
    let plan = HostPlan::new(format!("backend {number}")).listen(BACKEND_PORT);
    match kind {
        BackendKind::Classifier { cost_scale } => {
            let items_max = proxy.batch_sequences_max;
            let config = ClassifierConfig { cost_scale, items_max, ..ClassifierConfig::default() };
            world.add_host(&plan, classifier::factory(classifier::front_default(), config, 1))
        }
        BackendKind::Echo { delay } => {
            world.add_host(&plan, move |context| echo::make(&context, delay))
        }
    }
}

/// Proxy, backends and customers in one world.
pub(crate) struct Yard {
    pub(crate) world: World,
    pub(crate) proxy: HostId,
    cores: u16,
    backend: BackendKind,
    pub(crate) backends: Vec<HostId>,
    lanes: usize,
    pub(crate) customers: Vec<HostId>,
    board: Rc<RefCell<Arc<ProxyBoard>>>,
}

impl Yard {
    pub(crate) fn proxy_address(&self) -> SocketAddr {
        self.proxy.address(PROXY_PORT)
    }

    /// What customers have to expect.
    pub(crate) fn answers(&self) -> Answers {
        match self.backend {
            BackendKind::Classifier { .. } => Answers::Labels,
            BackendKind::Echo { .. } => Answers::Echoes,
        }
    }

    /// The plan of a customer with no bad habits: ten questions, one at a time.
    pub(crate) fn customer_plan(&self, answers: Answers) -> CustomerPlan {
        CustomerPlan {
            server: self.proxy_address(),
            office: Office::Proxy,
            number: u32::try_from(self.customers.len()).expect("a small number"),
            questions: 10,
            pipelined: 1..=1,
            sequences: 1..=5,
            pause: Span::milliseconds(0, 500),
            patience: Duration::from_secs(60),
            answers,
            habits: Habits::PLAIN,
        }
    }

    pub(crate) fn add_customer(&mut self, plan: CustomerPlan, random: Random) -> HostId {
        let host = HostPlan::new(format!("customer {}", plan.number));
        let id = self.world.add_host(&host, move |_| Customer::new(plan.clone(), random.clone()));
        self.customers.push(id);
        id
    }

    pub(crate) fn customer(&self, host: HostId) -> &Customer {
        self.world.app::<Customer>(host, FIRST)
    }

    /// How all customers' questions ended.
    pub(crate) fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for &host in &self.customers {
            sum.add(self.customer(host).tally());
        }
        sum
    }

    pub(crate) fn queued(&self) -> u64 {
        self.board.borrow().queued_requests()
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.board.borrow().batches_in_flight()
    }

    /// Client connections of the proxy, over all cores.
    pub(crate) fn client_connections(&self) -> usize {
        (0..self.cores)
            .map(|core| self.world.app::<ProxyServer>(self.proxy, CoreIndex(core)).connections())
            .sum()
    }

    /// Runs until every question has ended, which must be before `limit`.
    #[track_caller]
    pub(crate) fn run_to_the_end(&mut self, limit: Duration) {
        let customers = &self.customers;
        let limit = self.world.time() + limit;
        let done = self.world.run_until_done(Duration::from_millis(100), limit, |world| {
            customers.iter().all(|&host| world.app::<Customer>(host, FIRST).done())
        });
        let stuck: Vec<&Customer> = self
            .customers
            .iter()
            .map(|&host| self.customer(host))
            .filter(|customer| !customer.done())
            .take(1)
            .collect();
        assert!(done, "at {} questions are still open: {stuck:?}", self.world.time());
    }

    /// Asserts that nothing is left of what the customers asked for: no queue, no connection, no timer.
    #[track_caller]
    pub(crate) fn check_nothing_is_left(&mut self) {
        self.world.calm_down();
        // Past every time-out of the servers' own.
        self.world.run_for(Duration::from_secs(200));
        assert_eq!((self.queued(), self.in_flight()), (0, 0), "queued, in flight");
        assert_eq!(self.client_connections(), 0, "client connections of the proxy");
        assert_eq!(self.world.connections(self.proxy), self.lanes, "lanes to the backends");
        for &backend in &self.backends {
            let connections = self.world.connections(backend);
            assert!(connections <= self.lanes, "{connections} connections at a backend");
        }
        let turns = self.world.turns();
        self.world.run_for(Duration::from_secs(1_000));
        let turns = self.world.turns() - turns;
        // A lane is closed by its backend every 75 s and connected again.
        assert!(turns <= 200 * self.lanes as u64, "{turns} turns in 1,000 s of idleness");
    }

    /// Tells all servers to finish and asserts that they do, leaving nothing behind.
    #[track_caller]
    pub(crate) fn shut_down(&mut self) {
        let servers: Vec<HostId> =
            [self.proxy].into_iter().chain(self.backends.iter().copied()).collect();
        for &server in &servers {
            self.world.act(Action::Drain(server));
            self.world.run_for(Duration::from_secs(10));
            assert_eq!(self.world.phase(server), Phase::Exited(Exit::Finished));
        }
        assert_eq!(self.world.circuits(), 0, "circuits");
    }
}

/// A time of the world.
pub(crate) fn at_ms(milliseconds: u64) -> Time {
    Time::ZERO + Duration::from_millis(milliseconds)
}
