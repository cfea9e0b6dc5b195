//! What the backends' connections tell the dispatcher: that they are there, have replied, or are gone.

use ringyard_protocol::http1::Response;
use ringyard_runtime::app::{Commands, ConnId, ConnectToken, Event, Now, Origin, Time};
use ringyard_runtime::slab::Key;

use super::explain::Explained;
use super::{Dispatcher, Flight};
use crate::proxy::lanes::Loss;
use crate::proxy::mail::{Failure, Outcome};
use crate::proxy::reply::{scan_results, write_items};
use crate::proxy::requests::Stage;

impl Dispatcher {
    /// Takes an event of a backend's connection; events of unknown connections are none of ours.
    pub(in crate::proxy) fn event<M>(
        &mut self,
        now: Now,
        event: Event<'_, M>,
        commands: &mut Commands<M>,
    ) {
        match event {
            Event::Opened { conn, origin: Origin::Connected { token } } => {
                self.opened(now.time, token, conn, commands);
            }
            Event::ConnectFailed { token, .. } => {
                self.lanes.connect_failed(now.time, token);
                self.show_lanes();
            }
            Event::Received { conn, bytes } => self.received(now.time, conn, bytes, commands),
            Event::PeerClosed { conn } => {
                if let Some(line) = self.lanes.of_conn(conn) {
                    self.peer_closed(now.time, line, conn, commands);
                }
            }
            Event::Failed { conn, error } => {
                if let Some(line) = self.lanes.of_conn(conn) {
                    self.line_lost(now.time, line, Loss::Failure, &error.to_string(), commands);
                }
            }
            _ => {}
        }
    }

    fn opened<M>(
        &mut self,
        now: Time,
        token: ConnectToken,
        conn: ConnId,
        commands: &mut Commands<M>,
    ) {
        if self.lanes.opened(now, token, conn, commands).is_some() {
            self.stirred = true;
            self.show_lanes();
        }
    }

    fn received<M>(
        &mut self,
        now: Time,
        conn: ConnId,
        mut bytes: &[u8],
        commands: &mut Commands<M>,
    ) {
        while let Some(line) = self.lanes.of_conn(conn) {
            // The codec is lent to the reply, which the rest of `self` has to act on.
            let mut codec = std::mem::take(self.lanes.codec_mut(line));
            let outcome = match codec.next(&mut bytes, &self.reply_limits) {
                Ok(None) => None,
                Ok(Some(reply)) => {
                    self.replied(now, line, &reply, commands);
                    Some(reply.keep_alive)
                }
                Err(error) => {
                    self.line_lost(now, line, Loss::Failure, &error.to_string(), commands);
                    commands.abort(conn);
                    return;
                }
            };
            *self.lanes.codec_mut(line) = codec;
            match outcome {
                None => return,
                Some(true) => self.lanes.proven(line),
                Some(false) => {
                    commands.close(conn);
                    self.line_ended(now, line);
                }
            }
        }
    }

    fn peer_closed<M>(&mut self, now: Time, line: usize, conn: ConnId, commands: &mut Commands<M>) {
        let mut codec = std::mem::take(self.lanes.codec_mut(line));
        // The end of the connection may be the end of a reply.
        match codec.end() {
            Ok(Some(reply)) => {
                self.replied(now, line, &reply, commands);
                self.line_ended(now, line);
            }
            Ok(None) | Err(_) => {
                let reason = "backend closed the connection";
                self.line_lost(now, line, Loss::Failure, reason, commands);
            }
        }
        commands.close(conn);
    }

    /// Hands the results of a reply to the members of its batch.
    fn replied<M>(
        &mut self,
        now: Time,
        line: usize,
        reply: &Response<'_>,
        commands: &mut Commands<M>,
    ) {
        let lane = self.lanes.carried(line).next().expect("the codec takes only what is awaited");
        let mut flight = std::mem::take(&mut self.flights[lane]);
        let mut items = std::mem::take(&mut self.items);
        let scanned = scan_results(reply, flight.sequences(), &mut items);
        let backend = self.lanes.backend_of(lane);
        let took = now.since(flight.dispatched);
        self.balancer.finished(now, backend, took, scanned.is_ok());
        if scanned.is_ok() {
            self.learn(now, lane, &flight);
        }
        // First of all, because a failed request may take with it what else its connection carries.
        self.lanes.release(now, lane);
        match scanned {
            Ok(()) => {
                let mut rest = items.as_slice();
                let explained = self.explained(now, &flight);
                for (position, (key, sequences)) in flight.members.drain(..).enumerate() {
                    let own;
                    (own, rest) = rest.split_at(sequences as usize);
                    if let Some(part) = self.requests.part_mut(key) {
                        part.text.clear();
                        write_items(reply.body, own, &mut part.text);
                        self.part_answered(now, key, explained.map(|told| told.to(position)));
                    }
                }
            }
            Err(reason) => self.fail_members(now, &mut flight, &reason, commands),
        }
        self.items = items;
        self.flights[lane] = flight;
        self.stirred = true;
    }

    /// Takes note of what a batch took.
    fn learn(&mut self, now: Time, lane: usize, flight: &Flight) {
        let took = now.since(flight.dispatched);
        self.pace.record(took, &flight.load);
        self.lanes.observe(lane, flight.facts.predicted, took);
        let backend = self.lanes.backend_of(lane);
        self.costs.observe(backend, &flight.shape, flight.facts.predicted, took);
        self.board.show_costs(backend, self.costs.backend(backend));
    }

    /// A part has its results. With the last of them its request is answered, unless that is too late.
    fn part_answered(&mut self, now: Time, key: Key, explained: Option<Explained>) {
        if !self.requests.answered(key) {
            return;
        }
        let request = self.requests.part(key).expect("it was answered just now").request;
        let asked = *self.requests.get(request).expect("a part has its request");
        if asked.deadline() < now {
            let limit = asked.limit;
            self.board.owner.expired.add(1);
            self.announce(request, Outcome::Failed(Failure::TooSlow { limit }));
            self.remove(request);
            return;
        }
        let mut results = self.buffers.take();
        self.requests.write_results(request, &mut results);
        let explanation = explained.map(|told| told.of(asked.arrived));
        self.announce(request, Outcome::Results { results, explanation });
        self.remove(request);
    }

    /// The connection of a line is gone; the batches that it carried, if any, have failed.
    pub(super) fn line_lost<M>(
        &mut self,
        now: Time,
        line: usize,
        loss: Loss,
        reason: &str,
        commands: &mut Commands<M>,
    ) {
        let mut lanes = std::mem::take(&mut self.lost);
        self.lanes.lost(now, line, loss, |lane| lanes.push(lane));
        for &lane in &lanes {
            let backend = self.lanes.backend_of(lane);
            let took = now.since(self.flights[lane].dispatched);
            match loss {
                Loss::Failure => self.balancer.finished(now, backend, took, false),
                Loss::Orderly => self.balancer.abandoned(now, backend),
            }
        }
        for lane in lanes.drain(..) {
            let mut flight = std::mem::take(&mut self.flights[lane]);
            self.fail_members(now, &mut flight, reason, commands);
            self.flights[lane] = flight;
        }
        self.lost = lanes;
        self.show_lanes();
        self.stirred = true;
    }

    /// The connection of a line ends with the reply just taken. Batches sent after the one that was answered
    /// will not be begun (RFC 9112 section 9.6): they leave again.
    fn line_ended(&mut self, now: Time, line: usize) {
        let Self { lanes, flights, returned, requests, lost, balancer, .. } = self;
        lanes.lost(now, line, Loss::Orderly, |lane| lost.push(lane));
        for lane in lost.drain(..) {
            balancer.abandoned(now, lanes.backend_of(lane));
            let flight = std::mem::take(&mut flights[lane]);
            for (key, _) in &flight.members {
                if let Some(part) = requests.part_mut(*key) {
                    part.stage = Stage::Returned;
                }
            }
            returned.push_back(flight);
        }
        self.show_lanes();
        self.stirred = true;
    }

    /// Everybody whose request a batch answers has left. A connection that carries nothing else is closed, so
    /// that the backend need not go on; one that others await an answer on takes no more until it answers.
    pub(super) fn nobody_awaits<M>(&mut self, now: Time, lane: usize, commands: &mut Commands<M>) {
        let Some((line, conn)) = self.lanes.line_of(lane) else { return };
        if self.lanes.carried(line).any(|lane| self.flights[lane].awaited > 0) {
            self.lanes.shun(line);
            return;
        }
        commands.abort(conn);
        self.line_lost(now, line, Loss::Orderly, "nobody awaits the answer", commands);
    }

    pub(super) fn fail_members<M>(
        &mut self,
        now: Time,
        flight: &mut Flight,
        reason: &str,
        commands: &mut Commands<M>,
    ) {
        if !flight.members.is_empty() {
            self.board.owner.batches_failed.add(1);
        }
        // None of them is awaited from this batch any more, whatever becomes of the rest of its request.
        for (key, _) in &flight.members {
            if let Some(part) = self.requests.part_mut(*key) {
                part.stage = Stage::Answered;
            }
        }
        for (key, _) in flight.members.drain(..) {
            if let Some(part) = self.requests.part(key) {
                let request = part.request;
                self.announce(request, Outcome::Failed(Failure::Backend(reason.to_owned())));
                self.leave(now, request, commands);
            }
        }
    }
}
