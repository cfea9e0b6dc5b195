//! Batches on their way out: one request each, on a lane of a connection.

use ringyard_protocol::http1::{Method, write_request};
use ringyard_runtime::app::{Commands, Time};

use super::Dispatcher;
use crate::proxy::requests::Stage;

impl Dispatcher {
    /// Sends the batch whose flight has been filled in, on a lane that is free.
    pub(super) fn launch<M>(&mut self, now: Time, lane: usize, commands: &mut Commands<M>) {
        let flight = &mut self.flights[lane];
        flight.awaited = 0;
        flight.dispatched = now;
        self.body.clear();
        self.body.extend_from_slice(br#"{"sequences":["#);
        for (key, sequences) in &mut flight.members {
            let Some(part) = self.requests.part_mut(*key) else {
                // It has left since the batch was first sent, and keeps its place among the others.
                *sequences = 0;
                continue;
            };
            part.stage = Stage::InFlight { lane };
            if flight.awaited > 0 {
                self.body.push(b',');
            }
            self.body.extend_from_slice(&part.text);
            flight.awaited += 1;
        }
        self.body.extend_from_slice(b"]}");
        self.balancer.sent(now, self.lanes.backend_of(lane));
        let (conn, target) = self.lanes.occupy(lane);
        commands.send_with(conn, |out| {
            let json = [("content-type", "application/json")];
            write_request(out, Method::Post, &target.path, &target.host, &json, Some(&self.body));
        });
    }

    /// Sends the batches that were sent before and never begun, without those who have left meanwhile.
    pub(super) fn send_returned<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        while !self.returned.is_empty()
            && let Some(lane) = self.find_lane(now)
            && let Some(flight) = self.returned.pop_front()
        {
            if !flight.members.iter().any(|(key, _)| self.requests.part(*key).is_some()) {
                continue;
            }
            self.flights[lane] = flight;
            self.launch(now, lane, commands);
            self.board.owner.batches_returned.add(1);
        }
    }
}
