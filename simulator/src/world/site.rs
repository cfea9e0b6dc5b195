//! A host's process: its apps, and the loop that drives them as an engine would.
//!
//! One turn of a core: take up what is ready, hand it to the app event by event, carry out after each event
//! what it asks for; then the deadline, if it has come; then flush. What an engine is free to do one way or
//! the other (order of events of different connections, when within the turn congestion is told, how much of
//! what is ready is taken up) is drawn, so that no app comes to rely on it.

use std::any::Any;
use std::collections::VecDeque;

use ringyard_runtime::app::{App, Command, Commands, CoreIndex, Event, Now, Origin};
use ringyard_runtime::counters::CoreContext;
use ringyard_time::Time;

use super::HostId;
use super::circuit::EndKey;
use super::contract::Checked;
use super::limits::{LETTERS_PER_TURN_MAX, PIECES_PER_TURN_MAX, RETURNED_PER_TURN_MAX};
use super::network::{Exit, Network, Ready, Step};
use super::random::Chance;

/// What the world asks of a host, whatever its apps say to one another.
pub(super) trait Process: Any {
    /// Replaces all apps by new ones.
    fn start(&mut self);

    /// Tells all apps to finish.
    fn drain(&mut self);

    /// Runs one turn of `core`, counted over all hosts.
    fn turn(&mut self, core: usize, network: &mut Network);
}

/// A coin.
const EVEN: Chance = Chance::percent(50);

/// A message on its way between two cores of one host.
struct Letter<M> {
    arrives: Time,
    from: CoreIndex,
    message: M,
}

/// One core's app.
struct Seat<A: App> {
    app: Checked<A>,
    commands: Commands<A::Mail>,
    /// Mail that came back and has not been handed over yet.
    returned: VecDeque<(CoreIndex, A::Mail)>,
    /// What was ready, while it is being taken up.
    ready: Vec<Ready>,
    drain_due: bool,
    /// When the driver last meant to fire which deadline.
    timer: Option<(Time, Time)>,
}

/// The apps of one host, and the mail between them.
pub(super) struct Site<A: App> {
    host: HostId,
    make: Box<dyn FnMut(CoreContext) -> A>,
    cores: u16,
    seats: Vec<Seat<A>>,
    /// By addressee.
    mailboxes: Vec<VecDeque<Letter<A::Mail>>>,
}

impl<A: App + 'static> Site<A> {
    pub(super) fn new(
        host: HostId,
        cores: u16,
        make: impl FnMut(CoreContext) -> A + 'static,
    ) -> Self {
        let mut site = Self {
            host,
            make: Box::new(make),
            cores,
            seats: Vec::new(),
            mailboxes: (0..cores).map(|_| VecDeque::new()).collect(),
        };
        site.start();
        site
    }

    pub(super) fn checked(&self, core: CoreIndex) -> &Checked<A> {
        &self.seats[usize::from(core.0)].app
    }

    /// Hands `event` to the app of `seat`, and carries out what it asks for.
    fn deliver(&mut self, seat: usize, network: &mut Network, event: Event<'_, A::Mail>) {
        let now = network.now();
        let core = network.core_of(self.host, index(seat));
        let Seat { app, commands, .. } = &mut self.seats[seat];
        trace_event(network, core, &event);
        app.on_event(now, event, commands);
        self.carry_out(seat, core, network);
    }

    /// Hands the app of `seat` the next `count` bytes of `end`, where they lie.
    fn deliver_bytes(&mut self, seat: usize, network: &mut Network, end: EndKey, count: u64) {
        let now = network.now();
        let core = network.core_of(self.host, index(seat));
        let Some(conn) = network.conn_of(end) else { return };
        let Seat { app, commands, .. } = &mut self.seats[seat];
        network.trace_received(core, conn, end, count);
        let bytes = network.incoming(end, count);
        app.on_event(now, Event::Received { conn, bytes }, commands);
        network.consume(end, count);
        self.carry_out(seat, core, network);
    }

    fn carry_out(&mut self, seat: usize, core: usize, network: &mut Network) {
        let Self { seats, mailboxes, host, .. } = self;
        let Seat { commands, returned, .. } = &mut seats[seat];
        let Now { time, .. } = network.now();
        commands.take(|command, bytes| {
            let Network { trace, cores, .. } = network;
            trace.command(time, (core as u64, &cores[core].label), &command, bytes);
            match command {
                Command::Send { conn, range } => network.send(core, conn, &bytes[range]),
                Command::Finish { conn } => network.finish(core, conn),
                Command::Close { conn } => network.close(core, conn),
                Command::Abort { conn } => network.abort(core, conn),
                Command::Pause { conn } => network.pause(core, conn),
                Command::Resume { conn } => network.resume(core, conn),
                Command::Connect { token, address } => network.connect(core, token, address),
                Command::CancelConnect { token } => network.cancel_connect(core, token),
                Command::Mail { to, message } => {
                    let mailbox = &mut mailboxes[usize::from(to.0)];
                    if mailbox.len() >= network.config.mailbox_messages {
                        returned.push_back((to, message));
                        return;
                    }
                    let delay = network.random.duration(network.config.mail_delay);
                    let earliest = mailbox.back().map_or(Time::ZERO, |letter| letter.arrives);
                    let arrives = earliest.max(time + delay);
                    mailbox.push_back(Letter { arrives, from: index(seat), message });
                    let addressee = network.core_of(*host, to);
                    network.wake_at(addressee, arrives);
                }
                // The watch inside `Checked` remembers.
                Command::Finished => {}
            }
        });
    }

    /// Takes up everything that is ready, in an order of its own.
    fn take_up_ready(&mut self, seat: usize, network: &mut Network) {
        let core = network.core_of(self.host, index(seat));
        let mut ready = std::mem::take(&mut self.seats[seat].ready);
        std::mem::swap(&mut ready, &mut network.cores[core].ready);
        network.random.shuffle(&mut ready);
        if network.random.happens(network.config.partial_turn) && ready.len() > 1 {
            let count = network.random.index(ready.len());
            network.cores[core].ready.extend(ready.drain(count..));
        }
        for item in ready.drain(..) {
            match item {
                Ready::End(end) => self.serve_end(seat, end, network),
                Ready::Attempt(key) => match network.settle(key) {
                    Some((token, Ok(end))) => {
                        let conn = network.open(end);
                        let origin = Origin::Connected { token };
                        self.deliver(seat, network, Event::Opened { conn, origin });
                    }
                    Some((token, Err(error))) => {
                        self.deliver(seat, network, Event::ConnectFailed { token, error });
                    }
                    None => {}
                },
            }
        }
        self.seats[seat].ready = ready;
    }

    /// Tells the app what there is to tell about one connection.
    fn serve_end(&mut self, seat: usize, end: EndKey, network: &mut Network) {
        network.take_up(end);
        for _ in 0..PIECES_PER_TURN_MAX {
            match network.step(end) {
                Step::Opened { conn, origin } => {
                    self.deliver(seat, network, Event::Opened { conn, origin });
                }
                Step::Received { count } => {
                    self.deliver_bytes(seat, network, end, count);
                    if !network.goes_on(end) {
                        return;
                    }
                }
                Step::PeerClosed { conn } => {
                    self.deliver(seat, network, Event::PeerClosed { conn });
                }
                Step::Drained { conn } => {
                    self.deliver(seat, network, Event::Drained { conn });
                    // Some engines receive in the turn in which they are told to, some only in the next.
                    if network.random.happens(EVEN) {
                        return network.put_back(end);
                    }
                }
                Step::Failed { conn, error } => {
                    return self.deliver(seat, network, Event::Failed { conn, error });
                }
                Step::Nothing => return,
            }
        }
        network.put_back(end);
    }

    fn take_up_mail(&mut self, seat: usize, network: &mut Network) {
        for _ in 0..LETTERS_PER_TURN_MAX {
            let mailbox = &mut self.mailboxes[seat];
            if mailbox.front().is_none_or(|letter| letter.arrives > network.time) {
                return;
            }
            let Some(Letter { from, message, .. }) = mailbox.pop_front() else { return };
            self.deliver(seat, network, Event::Mail { from, message });
        }
    }

    fn tell_drain(&mut self, seat: usize, network: &mut Network) {
        if std::mem::take(&mut self.seats[seat].drain_due) {
            let core = network.core_of(self.host, index(seat));
            network.cores[core].draining = true;
            self.deliver(seat, network, Event::Drain);
        }
    }

    /// Tells the app what its own commands have brought about.
    fn tell_consequences(&mut self, seat: usize, network: &mut Network) {
        let core = network.core_of(self.host, index(seat));
        let mut returned_count = 0;
        loop {
            if let Some((to, message)) = self.seats[seat].returned.pop_front() {
                returned_count += 1;
                assert!(
                    returned_count <= RETURNED_PER_TURN_MAX,
                    "the app resends returned mail within the turn"
                );
                self.deliver(seat, network, Event::MailReturned { to, message });
            } else if let Some(end) = network.cores[core].congested.pop() {
                if let Some(conn) = network.take_congestion(end) {
                    self.deliver(seat, network, Event::Congested { conn });
                }
            } else {
                return;
            }
        }
    }

    /// Sees to it that the core turns again when it has to.
    fn arrange_next_turn(&mut self, seat: usize, core: usize, network: &mut Network) {
        if !network.cores[core].ready.is_empty() {
            network.wake_at(core, network.time);
        }
        if let Some(letter) = self.mailboxes[seat].front() {
            network.wake_at(core, letter.arrives);
        }
        let deadline = self.seats[seat].commands.deadline();
        let timer = &mut self.seats[seat].timer;
        match deadline {
            None => *timer = None,
            Some(deadline) => {
                // A driver keeps to the wake-up it has arranged for as long as the deadline stays.
                let wake = match *timer {
                    Some((for_deadline, wake)) if for_deadline == deadline => wake,
                    _ if deadline <= network.time => network.time,
                    _ => deadline + network.random.duration(network.config.timer_slack),
                };
                *timer = Some((deadline, wake));
                network.wake_at(core, wake);
            }
        }
    }

    /// Ends the process when all that it had to finish is finished.
    fn end_if_finished(&self, network: &mut Network) {
        let finished = self.seats.iter().all(|seat| seat.app.watch().finished());
        if finished && !network.has_unsent(self.host) {
            network.end_process(self.host, Exit::Finished);
        }
    }
}

impl<A: App + 'static> Process for Site<A> {
    fn start(&mut self) {
        let contexts = CoreContext::detached(CoreIndex(0), self.cores);
        self.seats.clear();
        for core in (0..self.cores).map(CoreIndex) {
            let context = CoreContext { core, counters: contexts.counters.clone() };
            let app = (self.make)(context);
            self.seats.push(Seat {
                app: Checked::new(app, core, self.cores),
                commands: Commands::default(),
                returned: VecDeque::new(),
                ready: Vec::new(),
                drain_due: false,
                timer: None,
            });
        }
        self.mailboxes.iter_mut().for_each(VecDeque::clear);
    }

    fn drain(&mut self) {
        for seat in &mut self.seats {
            seat.drain_due = true;
        }
    }

    fn turn(&mut self, core: usize, network: &mut Network) {
        let seat = usize::from(network.cores[core].index.0);
        let cost = network.random.duration(network.config.turn);
        network.cores[core].busy_until = network.time + cost;
        if network.random.happens(EVEN) {
            self.tell_drain(seat, network);
        }
        let mail_first = network.random.happens(EVEN);
        if mail_first {
            self.take_up_mail(seat, network);
        }
        self.take_up_ready(seat, network);
        if !mail_first {
            self.take_up_mail(seat, network);
        }
        self.tell_drain(seat, network);
        self.tell_consequences(seat, network);
        if self.seats[seat].commands.take_due_deadline(network.time).is_some() {
            self.deliver(seat, network, Event::Deadline);
            self.tell_consequences(seat, network);
        }
        network.flush_core(core);
        self.arrange_next_turn(seat, core, network);
        self.end_if_finished(network);
    }
}

fn index(seat: usize) -> CoreIndex {
    CoreIndex(u16::try_from(seat).expect("a host has fewer than 2^16 cores"))
}

fn trace_event<M>(network: &mut Network, core: usize, event: &Event<'_, M>) {
    let Network { trace, cores, time, .. } = network;
    trace.event(*time, (core as u64, &cores[core].label), event);
}
