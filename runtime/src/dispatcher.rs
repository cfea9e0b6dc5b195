//! Hands events to the app and carries out the commands that each leaves behind: the contract's order, in
//! one place for every engine.
//!
//! Commands of one event can cause further events for the same app (a congested queue, a message returned).
//! They wait until all commands of the event are carried out and follow before anything else does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::app::{App, Command, Commands, ConnError, ConnId, ConnectToken, CoreIndex, Event};
use crate::control::Control;
use crate::counters::{CoreContext, EngineCounters};
use crate::lifecycle::Mark;
use crate::mailbox::Mailboxes;
use ringyard_time::{Now, Time};

/// What a dispatcher needs of the engine around it. Commands for a connection that the app no longer knows
/// are ignored.
pub(crate) trait Links {
    /// Whether the app knows `conn`.
    fn is_open(&self, conn: ConnId) -> bool;
    /// Queues bytes; says whether the queue grew past its mark.
    fn send(&mut self, conn: ConnId, bytes: &[u8]) -> Mark;
    /// Half-closes.
    fn finish(&mut self, conn: ConnId);
    /// Closes, flushing first.
    fn close(&mut self, conn: ConnId);
    /// Resets.
    fn abort(&mut self, conn: ConnId);
    /// Stops receiving, or receives again.
    fn set_paused(&mut self, conn: ConnId, paused: bool);
    /// Begins an attempt to connect. An error ends it at once.
    fn connect(&mut self, token: ConnectToken, address: SocketAddr) -> Result<(), ConnError>;
    /// Gives an attempt up, if it is still under way.
    fn cancel_connect(&mut self, token: ConnectToken);
}

/// What all cores of a plan share.
#[derive(Debug)]
pub(crate) struct Shared<M> {
    pub(crate) control: Arc<Control>,
    pub(crate) counters: Arc<[EngineCounters]>,
    pub(crate) mailboxes: Mailboxes<M>,
}

/// The counters of one core, for its own engine to write.
#[derive(Clone, Debug)]
pub(crate) struct OwnCounters {
    all: Arc<[EngineCounters]>,
    core: CoreIndex,
}

impl OwnCounters {
    /// Those of `core` among `all`.
    pub(crate) fn new(all: Arc<[EngineCounters]>, core: CoreIndex) -> Self {
        assert!(usize::from(core.0) < all.len(), "each core has its counters");
        Self { all, core }
    }
}

impl Deref for OwnCounters {
    type Target = EngineCounters;

    fn deref(&self) -> &EngineCounters {
        &self.all[usize::from(self.core.0)]
    }
}

/// One core's app and what stands between it and the engine.
pub(crate) struct Dispatcher<A: App> {
    app: A,
    commands: Commands<A::Mail>,
    aftermath: VecDeque<Aftermath<A::Mail>>,
    shared: Arc<Shared<A::Mail>>,
    core: CoreIndex,
    is_finished: bool,
}

/// An event that a command caused.
enum Aftermath<M> {
    Congested { conn: ConnId },
    ConnectFailed { token: ConnectToken, error: ConnError },
    MailReturned { to: CoreIndex, message: M },
}

impl<A: App> Dispatcher<A> {
    /// Makes the app of `core` with `make`.
    pub(crate) fn new(
        core: CoreIndex,
        shared: Arc<Shared<A::Mail>>,
        make: impl FnOnce(CoreContext) -> A,
    ) -> Self {
        let app = make(CoreContext { core, counters: Arc::clone(&shared.counters) });
        Self {
            app,
            commands: Commands::default(),
            aftermath: VecDeque::new(),
            shared,
            core,
            is_finished: false,
        }
    }

    /// Tells the app of `event` and does what it says.
    pub(crate) fn tell(&mut self, now: Now, event: Event<'_, A::Mail>, links: &mut impl Links) {
        self.app.on_event(now, event, &mut self.commands);
        self.carry_out(links);
        while let Some(aftermath) = self.aftermath.pop_front() {
            let event = match aftermath {
                Aftermath::Congested { conn } if !links.is_open(conn) => continue,
                Aftermath::Congested { conn } => Event::Congested { conn },
                Aftermath::ConnectFailed { token, error } => Event::ConnectFailed { token, error },
                Aftermath::MailReturned { to, message } => Event::MailReturned { to, message },
            };
            self.app.on_event(now, event, &mut self.commands);
            self.carry_out(links);
        }
    }

    /// Tells the app of up to `limit` messages from other cores.
    pub(crate) fn tell_mail(&mut self, now: Now, limit: usize, links: &mut impl Links) {
        for _ in 0..limit {
            let Some((from, message)) = self.shared.mailboxes.take(self.core) else { break };
            self.tell(now, Event::Mail { from, message }, links);
        }
    }

    /// Tells the app of its deadline if that has come, once.
    pub(crate) fn tell_deadline(&mut self, now: Now, links: &mut impl Links) {
        if self.commands.take_due_deadline(now.time).is_some() {
            self.tell(now, Event::Deadline, links);
        }
    }

    /// When the app wants to hear of time next.
    pub(crate) fn deadline(&self) -> Time {
        self.commands.deadline().unwrap_or(Time::FAR_FUTURE)
    }

    /// Whether the app has said that it is finished.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished
    }

    fn carry_out(&mut self, links: &mut impl Links) {
        let Self { commands, aftermath, shared, core, is_finished, .. } = self;
        commands.take(|command, bytes| match command {
            Command::Send { conn, range } => {
                if links.send(conn, &bytes[range]) == Mark::High {
                    aftermath.push_back(Aftermath::Congested { conn });
                }
            }
            Command::Finish { conn } => links.finish(conn),
            Command::Close { conn } => links.close(conn),
            Command::Abort { conn } => links.abort(conn),
            Command::Pause { conn } => links.set_paused(conn, true),
            Command::Resume { conn } => links.set_paused(conn, false),
            Command::Connect { token, address } => {
                if let Err(error) = links.connect(token, address) {
                    aftermath.push_back(Aftermath::ConnectFailed { token, error });
                }
            }
            Command::CancelConnect { token } => links.cancel_connect(token),
            Command::Mail { to, message } => {
                if let Err(message) = post(shared, *core, to, message) {
                    aftermath.push_back(Aftermath::MailReturned { to, message });
                }
            }
            Command::Finished => {
                if !std::mem::replace(is_finished, true) {
                    shared.control.app_finished();
                }
            }
        });
    }
}

fn post<M>(shared: &Shared<M>, from: CoreIndex, to: CoreIndex, message: M) -> Result<(), M> {
    assert_ne!(from, to, "an app mails itself nothing");
    let counters = &shared.counters[usize::from(from.0)];
    let ring = || {
        shared.control.bell(to).ring();
        counters.wakeups.add(1);
        counters.system_calls.add(1);
    };
    shared.mailboxes.post(from, to, message, ring).inspect_err(|_| counters.mail_returned.add(1))
}
