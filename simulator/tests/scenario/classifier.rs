//! Customers before a classifier, without a proxy between.

use std::time::Duration;

use ringyard_servers::classifier::{self, ClassifierConfig, ClassifierServer};
use ringyard_simulator::world::client::{Answers, Customer, CustomerPlan, Habits, Office, Tally};
use ringyard_simulator::world::{
    Action, Chance, Exit, Faults, HostId, HostPlan, Phase, Random, Span, World,
};

use crate::yard::FIRST;

const PORT: u16 = 8001;

struct Bench {
    world: World,
    server: HostId,
    customers: Vec<HostId>,
    /// Of all customers.
    questions: u32,
}

impl Bench {
    /// Ten customers; in some worlds they ask one question at a time, in others hundreds before the first
    /// answer, more than the server takes up.
    fn new(seed: u64, config: ClassifierConfig, habits: Habits) -> Self {
        let mut random = Random::new(seed);
        let faults = Faults::swarm(&mut random).harmless();
        let mut world = World::new(seed, faults.network);
        let plan = HostPlan::new("classifier").listen(PORT);
        let make = classifier::factory(classifier::front_default(), config, 1);
        let server = world.add_host(&plan, make);
        let (deepest, questions) = [(1, 30), (8, 60), (300, 1_000)][random.index(3)];
        let customers = (0..10)
            .map(|number| {
                let plan = CustomerPlan {
                    server: server.address(PORT),
                    office: Office::Classifier,
                    number,
                    questions,
                    pipelined: 1..=deepest,
                    sequences: 1..=5,
                    pause: Span::milliseconds(0, 300),
                    patience: Duration::from_secs(300),
                    answers: Answers::Labels,
                    habits,
                };
                let own = random.fork();
                let host = HostPlan::new(format!("customer {number}"));
                world.add_host(&host, move |_| Customer::new(plan.clone(), own.clone()))
            })
            .collect();
        Self { world, server, customers, questions: 10 * questions }
    }

    /// Runs until all questions have ended; nothing may be left then.
    #[track_caller]
    fn finish(mut self) -> Tally {
        let customers = &self.customers;
        let limit = self.world.time() + Duration::from_secs(3_600);
        let done = self.world.run_until_done(Duration::from_millis(100), limit, |world| {
            customers.iter().all(|&host| world.app::<Customer>(host, FIRST).done())
        });
        let mut tally = Tally::default();
        for &host in customers {
            tally.add(self.world.app::<Customer>(host, FIRST).tally());
        }
        assert!(done, "questions are still open: {tally:?}");
        assert_eq!(tally.ended(), self.questions, "every question ends once");
        self.world.run_for(Duration::from_secs(200));
        let server = self.world.app::<ClassifierServer>(self.server, FIRST);
        assert_eq!(server.connections(), 0);
        assert_eq!(self.world.circuits(), 0);
        self.world.act(Action::Drain(self.server));
        self.world.run_for(Duration::from_secs(1));
        assert_eq!(self.world.phase(self.server), Phase::Exited(Exit::Finished));
        tally
    }
}

#[test]
fn a_half_closed_client_gets_all_its_answers() {
    for seed in 0..60 {
        let habits = Habits { half_closes: Chance::percent(50), ..Habits::PLAIN };
        let tally = Bench::new(seed, ClassifierConfig::default(), habits).finish();
        assert_eq!(tally.answered, tally.ended(), "seed {seed}: {tally:?}");
    }
}

#[test]
fn whatever_clients_do_the_answers_are_right_and_in_order() {
    let habits = Habits {
        leaves: Chance::percent(10),
        half_closes: Chance::percent(20),
        asks_to_close: Chance::percent(20),
        chunks: Chance::percent(50),
        sends_late: Chance::percent(20),
        reads_late: Chance::percent(20),
        strays: Chance::percent(30),
        switches: Chance::NEVER,
    };
    for seed in 0..60 {
        let replicas = [None, Some(1), Some(3)][usize::try_from(seed % 3).expect("a small number")];
        let config = ClassifierConfig { replicas, ..ClassifierConfig::default() };
        let tally = Bench::new(seed, config, habits).finish();
        assert_eq!(tally.answered + tally.left, tally.ended(), "seed {seed}: {tally:?}");
    }
}
