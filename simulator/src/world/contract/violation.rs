//! The ways to break the contract between a driver and an app.

use ringyard_runtime::app::{ConnId, ConnectToken, CoreIndex};
use ringyard_time::Time;

/// What a driver or an app did that the contract forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Time never goes back from one event to the next.
    #[error("driver: time went back, from {before} to {now}")]
    TimeWentBack {
        /// The event before.
        before: Time,
        /// This event.
        now: Time,
    },
    /// Each event's commands are carried out before the next event.
    #[error("driver: commands of the event before are still there")]
    CommandsNotCarriedOut,
    /// The deadline is the app's: the driver clears it when it fires, and else leaves it alone.
    #[error("driver: the deadline is {found:?} where the app left {left:?}")]
    DeadlineChanged {
        /// What the app had set.
        left: Option<Time>,
        /// What it finds.
        found: Option<Time>,
    },
    /// A deadline fires when its time has come.
    #[error("driver: Deadline at {now}, but it was set to {deadline:?}")]
    DeadlineNotDue {
        /// The event's time.
        now: Time,
        /// What was set.
        deadline: Option<Time>,
    },
    /// A connection's name is never used twice, and its generation counts who held the slot before.
    #[error("driver: {conn:?} opened, but its slot was held {held} times before")]
    NameReused {
        /// The name given.
        conn: ConnId,
        /// How many connections held the slot.
        held: u32,
    },
    /// A slot passes on only when its connection is gone.
    #[error("driver: {conn:?} opened, but its slot is held")]
    SlotHeld {
        /// The name given.
        conn: ConnId,
    },
    /// Outside its span an app hears nothing of a connection.
    #[error("driver: event for {conn:?}, which is not open")]
    NotOpen {
        /// The connection.
        conn: ConnId,
    },
    /// A receive brings at least one byte.
    #[error("driver: nothing received on {conn:?}")]
    NothingReceived {
        /// The connection.
        conn: ConnId,
    },
    /// After the peer's end of stream nothing more comes from it.
    #[error("driver: {conn:?} goes on after its peer has closed")]
    AfterPeerClosed {
        /// The connection.
        conn: ConnId,
    },
    /// Only what was already taken from the socket arrives while receiving is paused.
    #[error("driver: {bytes} bytes received on {conn:?} while it is paused")]
    ReceivedWhilePaused {
        /// The connection.
        conn: ConnId,
        /// How many since the pause.
        bytes: usize,
    },
    /// Congested is said once, when the queue grows past high water.
    #[error("driver: Congested for {conn:?}, which is congested already or has sent too little")]
    UnfoundedCongested {
        /// The connection.
        conn: ConnId,
    },
    /// Drained is said once, of a congested connection.
    #[error("driver: Drained for {conn:?}, which is not congested")]
    UnfoundedDrained {
        /// The connection.
        conn: ConnId,
    },
    /// An attempt to connect ends in exactly one event.
    #[error("driver: an outcome for {token:?}, which is not under way")]
    NoSuchAttempt {
        /// The attempt.
        token: ConnectToken,
    },
    /// Only the app cancels.
    #[error("driver: {token:?} cancelled, but nobody asked")]
    CancelledUnasked {
        /// The attempt.
        token: ConnectToken,
    },
    /// After Drain no more connections are accepted.
    #[error("driver: {conn:?} accepted after Drain")]
    AcceptedAfterDrain {
        /// The connection.
        conn: ConnId,
    },
    /// Drain comes once.
    #[error("driver: Drain twice")]
    DrainedTwice,
    /// Mail comes from another core of the plan.
    #[error("driver: mail from {from:?}")]
    StrangeSender {
        /// The sender.
        from: CoreIndex,
    },
    /// Mail is returned in the turn in which it was sent.
    #[error("driver: mail to {to:?} returned that was not sent in this turn")]
    ReturnedUnsent {
        /// The addressee.
        to: CoreIndex,
    },

    /// Commands name connections that exist or existed.
    #[error("app: command for {conn:?}, which never was")]
    NeverOpened {
        /// The connection.
        conn: ConnId,
    },
    /// After a half-close nothing is sent.
    #[error("app: send on {conn:?} after finishing it")]
    SendAfterFinish {
        /// The connection.
        conn: ConnId,
    },
    /// Congested means to hold back.
    #[error("app: {bytes} bytes sent on {conn:?} since it is congested")]
    SendWhileCongested {
        /// The connection.
        conn: ConnId,
        /// How many since.
        bytes: usize,
    },
    /// A token names one attempt at a time.
    #[error("app: connect with {token:?}, which is under way")]
    TokenInUse {
        /// The token.
        token: ConnectToken,
    },
    /// Mail goes to another core of the plan.
    #[error("app: mail to {to:?}")]
    StrangeAddressee {
        /// The addressee.
        to: CoreIndex,
    },
    /// Finished is said after Drain.
    #[error("app: Finished before Drain")]
    FinishedUnasked,
    /// Finished is final. An app may still act after it, on behalf of another core that has not finished.
    #[error("app: Finished twice")]
    FinishedTwice,
    /// A deadline that is always due is a busy loop.
    #[error("app: {count} deadlines in a row, each due at once")]
    Spinning {
        /// How many.
        count: u32,
    },
}
