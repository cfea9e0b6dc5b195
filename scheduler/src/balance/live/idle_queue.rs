//! Join-idle-queue: servers announce that they are idle, requests go to who announced first.
//!
//! A channel is announced when an answer says that its server has nothing left ([`Load::in_flight`](super::Load) of
//! zero), or when this client has nothing under way there any more and the server says nothing about its load. A
//! request takes the oldest announcement; a channel that is used some other way loses its own. Without
//! announcements the fallback is fewest requests of two random choices. All channels start as announced, in random
//! order of first use.
//!
//! Source: Lu, Xie, Kliot, Geller, Larus, Greenberg, "Join-Idle-Queue", Performance Evaluation 68 (2011), with JIQ's
//! queue held by the client and a two-choice fallback instead of a uniform one.

use std::collections::VecDeque;

use super::Answer;
use super::least_request::LeastRequest;
use crate::balance::explain::{Explanation, Reason};
use crate::balance::random::{Random, index_u32};
use crate::balance::view::Channels;

/// A server that announced itself idle.
#[derive(Clone, Debug, Default)]
pub struct JoinIdleQueue {
    idle: VecDeque<u32>,
    under_way: Vec<u32>,
    fallback: LeastRequest,
    last: Explanation,
}

impl JoinIdleQueue {
    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        if self.under_way.len() < channels.count() {
            let mut fresh: Vec<u32> =
                (index_u32(self.under_way.len())..index_u32(channels.count())).collect();
            random.shuffle(&mut fresh);
            self.idle.extend(fresh);
            self.under_way.resize(channels.count(), 0);
        }
        let usable = |channel: &u32| {
            (*channel as usize) < channels.count() && channels.is_available(*channel as usize)
        };
        if let Some(place) = self.idle.iter().position(usable)
            && let Some(channel) = self.idle.remove(place)
        {
            self.last = Explanation::new(channel as usize, Reason::Idle);
            return channel as usize;
        }
        let channel = self.fallback.pick(channels, random);
        self.last = self.fallback.explain();
        channel
    }

    /// A request was sent on `channel`, which is not idle then.
    pub fn sent(&mut self, channel: usize) {
        self.idle.retain(|idle| *idle as usize != channel);
        if channel >= self.under_way.len() {
            self.under_way.resize(channel + 1, 0);
        }
        self.under_way[channel] += 1;
    }

    /// An answer came, perhaps with the news that the server is idle.
    pub fn finished(&mut self, channel: usize, answer: &Answer) {
        let Some(under_way) = self.under_way.get_mut(channel) else { return };
        *under_way = under_way.saturating_sub(1);
        let is_idle = answer.load.map_or(*under_way == 0, |load| load.in_flight == 0.0);
        if is_idle && answer.is_success && !self.idle.contains(&index_u32(channel)) {
            self.idle.push_back(index_u32(channel));
        }
    }

    /// A request on `channel` was given up; with nothing left there the channel is idle.
    pub fn abandoned(&mut self, channel: usize) {
        let Some(under_way) = self.under_way.get_mut(channel) else { return };
        *under_way = under_way.saturating_sub(1);
        if *under_way == 0 && !self.idle.contains(&index_u32(channel)) {
            self.idle.push_back(index_u32(channel));
        }
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}
