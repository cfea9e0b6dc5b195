//! Requests and answers: what is due goes out, what comes in is matched with what was asked.
//!
//! In a closed loop a seat asks as soon as it has room; in an open loop requests become due by the
//! lane's schedule and take the seat that was free for longest.

use std::cmp::Reverse;

use ringyard_runtime::app::{Commands, ConnId, Time};

use super::script::{Answer, Client, Fate, Script, Times};
use super::seats::{Link, UnderWay};
use super::{Generator, Lane, Phase, Timer};
use crate::outcome::ErrorKind;

impl<S: Script> Generator<S> {
    /// Lets an open seat ask for what it has room for.
    pub(super) fn serve(&mut self, seat: u32, now: Time, commands: &mut Commands<()>) {
        if !self.is_asking() {
            return;
        }
        let place = &mut self.seats[seat as usize];
        let lane = &mut self.lanes[usize::from(place.lane)];
        let places_free = place.places_free(lane.depth);
        if lane.schedule.is_none() {
            for _ in 0..places_free {
                self.ask(seat, now, now, commands);
                if !self.is_asking() {
                    return;
                }
            }
        } else if places_free > 0 {
            if !place.listed {
                place.listed = true;
                lane.free.push_back(seat);
            }
            let lane = usize::from(place.lane);
            self.send_due(lane, now, commands);
        }
    }

    /// Sends what is due by a lane's schedule before the run ends, as far as there are free seats.
    pub(super) fn send_due(&mut self, lane: usize, now: Time, commands: &mut Commands<()>) {
        while let Phase::Running { began, ends } = self.phase {
            let Lane { depth, schedule: Some(schedule), free } = &mut self.lanes[lane] else {
                return;
            };
            let Some(intended) = schedule.peek().map(|offset| began + offset) else { return };
            let Some(&seat) = free.front() else { return };
            if intended > now || intended >= ends {
                return;
            }
            let place = &mut self.seats[seat as usize];
            match place.places_free(*depth) {
                0 => {
                    place.listed = false;
                    free.pop_front();
                    continue;
                }
                1 => {
                    place.listed = false;
                    free.pop_front();
                }
                _ => free.rotate_left(1),
            }
            schedule.advance();
            self.ask(seat, intended, now, commands);
        }
    }

    /// Sends one request. The seat has a connection.
    pub(super) fn ask(
        &mut self,
        seat: u32,
        intended: Time,
        now: Time,
        commands: &mut Commands<()>,
    ) {
        let place = &mut self.seats[seat as usize];
        let Link::Open { conn, .. } = place.link else {
            unreachable!("only seats with a connection are asked")
        };
        let client = Client { lane: place.lane, seat };
        commands.send_with(conn, |out| {
            let before = out.len();
            let ticket = self.script.ask(client, out);
            self.vitals.bytes_sent += (out.len() - before) as u64;
            place.under_way.push_back(UnderWay { intended, sent: now, ticket });
        });
        self.vitals.asked += 1;
        self.vitals.in_flight += 1;
        if self.plan.requests_max.is_some_and(|most| self.vitals.asked >= most) {
            self.end_asking(now, commands);
        }
    }

    pub(super) fn received(
        &mut self,
        conn: ConnId,
        mut bytes: &[u8],
        now: Time,
        commands: &mut Commands<()>,
    ) {
        let Some(seat) = self.index.get(conn) else { return };
        self.vitals.bytes_received += bytes.len() as u64;
        let Some(began) = self.began() else {
            return self.give_up(seat, ErrorKind::Malformed, now, commands);
        };
        while !bytes.is_empty() {
            let place = &mut self.seats[seat as usize];
            let Link::Open { codec, .. } = &mut place.link else { return };
            let Some(oldest) = place.under_way.front() else {
                return self.give_up(seat, ErrorKind::Malformed, now, commands);
            };
            match self.script.read(codec, &oldest.ticket, &mut bytes) {
                Ok(None) => break,
                Ok(Some(answer)) => {
                    self.answered(seat, answer, began, now);
                    if !answer.keep_alive {
                        return self.hang_up(seat, now, commands);
                    }
                }
                Err(kind) => return self.give_up(seat, kind, now, commands),
            }
        }
        self.serve(seat, now, commands);
        self.finish_when_quiet(now, commands);
    }

    /// The oldest request of a seat has its answer.
    pub(super) fn answered(&mut self, seat: u32, answer: Answer, began: Time, now: Time) {
        let place = &mut self.seats[seat as usize];
        let request = place.under_way.pop_front().expect("the caller saw the oldest request");
        place.failures = 0;
        self.vitals.in_flight -= 1;
        let client = Client { lane: place.lane, seat };
        let UnderWay { intended, sent, ticket } = request;
        let times = Times { intended, sent, settled: now, run_began: began };
        self.script.settled(client, &ticket, times, Fate::Answered(answer));
        if self.lanes[usize::from(client.lane)].schedule.is_none() {
            let pause = self.script.pause(client);
            if !pause.is_zero() {
                self.seats[seat as usize].pausing += 1;
                self.timers.push(Reverse((now + pause, Timer::Ask { seat })));
            }
        }
    }

    pub(super) fn settle_all(&mut self, seat: u32, now: Time, fate: Fate) {
        let run_began = self.began().unwrap_or(now);
        let place = &mut self.seats[seat as usize];
        let client = Client { lane: place.lane, seat };
        for UnderWay { intended, sent, ticket } in place.under_way.drain(..) {
            let times = Times { intended, sent, settled: now, run_began };
            self.script.settled(client, &ticket, times, fate);
            self.vitals.in_flight -= 1;
        }
    }
}
