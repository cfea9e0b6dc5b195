//! Requests that are not picked at once: those that may only go to a few channels, and those that wait for a race.

use ringyard_scheduler::balance::{Aggregate, Channels as _, Race, Random as _};

use super::record::Observer;
use super::requests::{NONE, Request};
use super::world::{Universe, index_u32};
use crate::study::draws::Draws;
use crate::study::policy::PickerConfig;

/// What a request that is not picked at once has going on.
#[derive(Debug)]
pub(super) struct Plan {
    /// The channels it may go to; for a race, in racing order.
    pub(super) channels: Vec<u32>,
    race: Option<Race>,
    /// Probes of the race still under way.
    racing: usize,
    decided: bool,
}

/// All plans, reusing those that are over.
#[derive(Debug, Default)]
pub(super) struct Plans {
    plans: Vec<Plan>,
    unused: Vec<u32>,
}

impl Plans {
    /// A plan without channels.
    pub(super) fn add(&mut self) -> u32 {
        let plan = Plan { channels: Vec::new(), race: None, racing: 0, decided: false };
        match self.unused.pop() {
            Some(index) => {
                let mut channels = std::mem::take(&mut self.plans[index as usize].channels);
                channels.clear();
                self.plans[index as usize] = Plan { channels, ..plan };
                index
            }
            None => {
                self.plans.push(plan);
                index_u32(self.plans.len() - 1)
            }
        }
    }

    pub(super) fn get(&self, plan: u32) -> &Plan {
        &self.plans[plan as usize]
    }

    pub(super) fn get_mut(&mut self, plan: u32) -> &mut Plan {
        &mut self.plans[plan as usize]
    }

    pub(super) fn free(&mut self, plan: u32) {
        self.unused.push(plan);
    }

    fn free_if_over(&mut self, plan: u32) {
        let entry = self.get(plan);
        if entry.decided && entry.racing == 0 {
            self.free(plan);
        }
    }
}

impl<D: Draws, O: Observer> Universe<'_, D, O> {
    /// Asks about a request that races: it starts on the first call, and is over when an answer wins.
    pub(super) fn poll_race(&mut self, client: usize, request: u32) -> Option<usize> {
        let mut plan = self.requests.get(request).plan;
        if plan == NONE {
            plan = self.plans.add();
            let channels = &mut self.plans.get_mut(plan).channels;
            channels.extend(0..index_u32(self.channels.per_client));
            self.requests.get_mut(request).plan = plan;
        }
        let entry = self.plans.get(plan);
        let Some(race) = entry.race else {
            self.start_race(client, plan);
            return None;
        };
        let winner = match race.winner() {
            Some(place) => entry.channels[place] as usize,
            None if race.is_over() => self.least_latency(client, &entry.channels),
            None => return None,
        };
        self.plans.get_mut(plan).decided = true;
        self.plans.free_if_over(plan);
        Some(winner)
    }

    /// The one of `channels` whose requests took least; who has had none counts as quickest.
    fn least_latency(&self, client: usize, channels: &[u32]) -> usize {
        let view = self.channels.view(client, &self.reports, &self.published);
        let latency = |channel: u32| view.latency(channel as usize, Aggregate::Mean).unwrap_or(0.0);
        let least = channels.iter().copied().min_by(|a, b| latency(*a).total_cmp(&latency(*b)));
        least.map_or(0, |channel| channel as usize)
    }

    fn start_race(&mut self, client: usize, plan: u32) {
        let count = self.plans.get(plan).channels.len();
        let mut order = std::mem::take(&mut self.scratch);
        let race = Race::start(count, self.draws.policy(), &mut order);
        let entry = self.plans.get_mut(plan);
        for place in &mut order {
            *place = entry.channels[*place as usize];
        }
        entry.race = Some(race);
        entry.racing = count;
        for (place, &channel) in (0_u16..).zip(&order) {
            let probe = self.requests.add(self.now);
            let entry = self.requests.get_mut(probe);
            entry.is_probe = true;
            entry.plan = plan;
            entry.place = place;
            self.send(client, channel as usize, probe);
        }
        std::mem::swap(&mut self.plans.get_mut(plan).channels, &mut order);
        self.scratch = order;
    }

    /// A probe of a race is back.
    pub(super) fn racer_home(&mut self, probe: &Request) {
        let wants_idle = self.scenario.picker == PickerConfig::FastestIdleProbe;
        let queued = self.reports[probe.report as usize].queued.latest;
        let plan = self.plans.get_mut(probe.plan);
        plan.racing -= 1;
        if let Some(race) = &mut plan.race {
            race.answer(usize::from(probe.place), !wants_idle || queued == 0.0);
        }
        self.plans.free_if_over(probe.plan);
    }

    /// Asks a policy that learns, and sends the probes it wants.
    pub(super) fn pick_live(&mut self, client: usize) -> usize {
        /// Requests have this many different keys.
        const KEYS: usize = 1 << 32;
        let now = self.instant();
        let key = self.draws.policy().below(KEYS) as u64;
        let mut targets = std::mem::take(&mut self.scratch);
        let view = self.channels.view(client, &self.reports, &self.published);
        let live = super::world::learner(&mut self.policies[client]);
        let channel = live.pick(&view, key, now, self.draws.policy());
        live.sent(channel);
        live.probes(&view, self.draws.policy(), &mut targets);
        self.send_probes(client, &targets);
        self.scratch = targets;
        channel
    }
}
