//! How circuits come to be: requests to connect, their answers, and attempts given up.

use std::net::SocketAddr;
use std::time::Duration;

use ringyard_runtime::app::{ConnError, ConnectToken, Origin, Resource};
use ringyard_runtime::slab::Key;

use super::super::HostId;
use super::super::circuit::{Circuit, End, EndKey, Side, Stage, Wire};
use super::super::limits::{BACKLOG_MAX, CANCEL_DELAY_MAX, SYN_RETRY};
use super::super::pipe::Pipe;
use super::super::random::Span;
use super::{Attempt, Due, Network, Occurrence, Phase, Ready};

/// Doublings of the pause between two requests to connect.
const RETRY_DOUBLINGS_MAX: u32 = 6;

impl Network {
    /// An app of `core` wants a connection.
    pub(in super::super) fn connect(
        &mut self,
        core: usize,
        token: ConnectToken,
        address: SocketAddr,
    ) {
        let attempt = Attempt {
            core,
            token,
            address,
            started: self.time,
            tries: 0,
            unanswered: self.random.happens(self.config.connect_unanswered),
            refused: self.random.happens(self.config.connect_refused),
            result: None,
        };
        let key = self.attempts.insert(attempt);
        self.cores[core].attempts.push(key);
        let failed_locally = self.random.happens(self.config.connect_failed_locally);
        match self.host_at(address) {
            Some(host) if !failed_locally => {
                let latency = self.latency(self.host_of(core), host);
                self.after(latency, Occurrence::Syn { attempt: key });
            }
            host => {
                let error = match host {
                    Some(_) => ConnError::Exhausted(Resource::Ports),
                    None => ConnError::Unreachable,
                };
                self.after(Duration::ZERO, Occurrence::Answer { attempt: key, result: Err(error) });
            }
        }
    }

    /// An app of `core` gives an attempt up. What is already decided stays so.
    pub(in super::super) fn cancel_connect(&mut self, core: usize, token: ConnectToken) {
        let pending = self.cores[core].attempts.iter().copied().find(|&key| {
            self.attempts
                .get(key)
                .is_some_and(|attempt| attempt.token == token && attempt.result.is_none())
        });
        if let Some(attempt) = pending {
            let delay = self.random.duration(Span::between(Duration::ZERO, CANCEL_DELAY_MAX));
            self.after(delay, Occurrence::CancelDone { attempt });
        }
    }

    /// What has become of an attempt that is ready: its token, and the caller's end or why there is none.
    pub(in super::super) fn settle(
        &mut self,
        key: Key,
    ) -> Option<(ConnectToken, Result<EndKey, ConnError>)> {
        let attempt = self.attempts.remove(key)?;
        self.cores[attempt.core].attempts.retain(|&other| other != key);
        let result = attempt.result.expect("only decided attempts are ready");
        Some((attempt.token, result.map(|circuit| EndKey { circuit, side: Side::Caller })))
    }

    pub(super) fn on_syn(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if attempt.result.is_some() {
            return;
        }
        attempt.tries += 1;
        let Attempt { core, address, unanswered, refused, .. } = *attempt;
        let Some(host) = self.host_at(address) else { return };
        let caller = self.host_of(core);
        let machine = self.machine(host);
        let alive = match machine.phase {
            Phase::Off => return self.repeat_syn(key),
            Phase::Running | Phase::Frozen => true,
            Phase::Exited(_) => false,
        };
        if unanswered || self.partitioned_until(caller, host).is_some() {
            return self.repeat_syn(key);
        }
        let listener = machine.ports.iter().position(|&port| port == address.port());
        let latency = self.latency(caller, host);
        let Some(listener) = listener.filter(|_| alive && machine.accepting && !refused) else {
            let result = Err(ConnError::Refused);
            return self.after(latency, Occurrence::Answer { attempt: key, result });
        };
        let (first, listening) = (machine.cores.start, machine.listening);
        let callee = first + self.random.index(listening);
        if self.cores[callee].backlog >= BACKLOG_MAX {
            return self.repeat_syn(key);
        }
        let listener = u16::try_from(listener).expect("a host has few listeners");
        self.make_circuit(key, callee, Origin::Accepted { listener }, latency);
    }

    /// Nobody has answered: the caller's kernel asks again, or gives up.
    fn repeat_syn(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get(key) else { return };
        let delay = SYN_RETRY * 2_u32.pow((attempt.tries - 1).min(RETRY_DOUBLINGS_MAX));
        let limit = attempt.started + self.config.connect_timeout;
        if self.time + delay < limit {
            self.after(delay, Occurrence::Syn { attempt: key });
        } else {
            let result = Err(ConnError::TimedOut);
            let answer = Occurrence::Answer { attempt: key, result };
            self.agenda.push(limit.max(self.time), Due::Network(answer));
        }
    }

    fn make_circuit(&mut self, key: Key, callee: usize, origin: Origin, latency: Duration) {
        let Some(attempt) = self.attempts.get(key) else { return };
        let connected = Origin::Connected { token: attempt.token };
        let ends = [End::new(attempt.core, connected), End::new(callee, origin)];
        let wires = [self.make_wire(), self.make_wire()];
        let circuit = self.circuits.insert(Circuit::new(latency, ends, wires));
        self.cores[callee].backlog += 1;
        self.make_end_ready(EndKey { circuit, side: Side::Callee });
        let answered = self.arrival(EndKey { circuit, side: Side::Callee }, 0);
        let answer = Occurrence::Answer { attempt: key, result: Ok(circuit) };
        self.agenda.push(answered, Due::Network(answer));
        if self.random.happens(self.config.reset) {
            let delay = self.random.duration(self.config.reset_after);
            self.after(delay, Occurrence::Doom { circuit });
        }
    }

    fn make_wire(&mut self) -> Wire {
        let window = self.random.between(self.config.window_bytes.clone());
        Wire {
            pipe: Pipe::new(window, self.spare_buffers.pop().unwrap_or_default()),
            byte_nanoseconds: self.random.between(self.config.nanoseconds_per_byte.clone()),
            last_arrival: self.time,
        }
    }

    pub(super) fn on_answer(&mut self, key: Key, result: Result<Key, ConnError>) {
        if let Ok(circuit) = result
            && let Some(until) = self.cut_off(EndKey { circuit, side: Side::Caller })
        {
            return self.postpone(until, Occurrence::Answer { attempt: key, result });
        }
        if let Some(attempt) = self.attempts.get_mut(key)
            && attempt.result.is_none()
        {
            attempt.result = Some(result);
            let core = attempt.core;
            self.make_ready(core, Ready::Attempt(key));
        } else if let Ok(circuit) = result {
            self.destroy_end(EndKey { circuit, side: Side::Caller });
        }
    }

    pub(super) fn on_cancel_done(&mut self, key: Key) {
        self.on_answer(key, Err(ConnError::Cancelled));
    }

    /// Forgets the attempts of a core whose process is gone.
    pub(super) fn forget_attempts(&mut self, core: usize) {
        for key in std::mem::take(&mut self.cores[core].attempts) {
            self.attempts.remove(key);
        }
    }

    /// Attempts to connect of `host` that are not settled.
    pub(in super::super) fn attempt_count(&self, host: HostId) -> usize {
        self.cores_of(host).map(|core| self.cores[core].attempts.len()).sum()
    }

    /// The host at the other end, and whether `key`'s own stage says that it is alive there.
    pub(super) fn stage(&self, key: EndKey) -> Option<Stage> {
        Some(self.circuits.get(key.circuit)?.end(key.side).stage)
    }
}
