//! Why a request is refused before any backend has worked on it. Each reason has a name, which the answer
//! tells and a counter counts under.

use std::time::Duration;

use ringyard_protocol::http1::Status;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// As many requests are queued as may be.
    QueueFull,
    /// As many bytes are queued as may be.
    BytesFull,
    /// The backends need longer for what is queued than anybody should wait.
    WaitTooLong,
    /// With what is queued before it, it would come too late.
    DeadlineTooNear,
    /// Even alone it takes longer than it may.
    NeverInTime,
    /// When its turn had come, it would have come too late.
    TooLate,
    /// It has waited while those who came later are served in time.
    Shed,
    /// However empty the queue, there is no room for it.
    NeverFits,
    /// Its customer has as many requests here as it may have.
    CustomerQueue,
    /// Its customer has as many bytes queued as it may have.
    CustomerBytes,
    /// The backends need longer for what its customer has queued than they may.
    CustomerWork,
    /// Its customer asks more often than it may.
    CustomerRate,
    /// Too many messages are under way between cores.
    Mailbox,
    /// No backend has been reached for longer than requests are made to wait.
    Unreachable,
}

impl Reason {
    /// Every reason.
    pub(super) const ALL: [Self; 14] = [
        Self::QueueFull,
        Self::BytesFull,
        Self::WaitTooLong,
        Self::DeadlineTooNear,
        Self::NeverInTime,
        Self::TooLate,
        Self::Shed,
        Self::NeverFits,
        Self::CustomerQueue,
        Self::CustomerBytes,
        Self::CustomerWork,
        Self::CustomerRate,
        Self::Mailbox,
        Self::Unreachable,
    ];

    /// The name that answers and metrics know it by.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::BytesFull => "bytes-full",
            Self::WaitTooLong => "wait-too-long",
            Self::DeadlineTooNear => "deadline-too-near",
            Self::NeverInTime => "never-in-time",
            Self::TooLate => "too-late",
            Self::Shed => "shed",
            Self::NeverFits => "never-fits",
            Self::CustomerQueue => "customer-queue",
            Self::CustomerBytes => "customer-bytes",
            Self::CustomerWork => "customer-work",
            Self::CustomerRate => "customer-rate",
            Self::Mailbox => "mailbox-full",
            Self::Unreachable => "unreachable",
        }
    }

    /// What it is answered with.
    pub(super) const fn status(self) -> Status {
        match self {
            Self::NeverInTime | Self::TooLate => Status::GATEWAY_TIMEOUT,
            Self::Unreachable => Status::BAD_GATEWAY,
            Self::NeverFits => Status::CONTENT_TOO_LARGE,
            Self::CustomerQueue | Self::CustomerBytes | Self::CustomerWork | Self::CustomerRate => {
                Status::TOO_MANY_REQUESTS
            }
            _ => Status::SERVICE_UNAVAILABLE,
        }
    }

    /// What a person is told.
    const fn detail(self) -> &'static str {
        match self {
            Self::QueueFull => "Overloaded: the queue is full; try again later",
            Self::BytesFull => {
                "Overloaded: the queue holds as many bytes as it may; try again later"
            }
            Self::WaitTooLong => "Overloaded: the wait would be too long; try again later",
            Self::DeadlineTooNear => {
                "Overloaded: there is no answering within the deadline; try again later"
            }
            Self::NeverInTime => {
                "Downstream service too slow: this takes longer than its deadline allows"
            }
            Self::TooLate => {
                "Downstream service too slow: no answer was to be had within the deadline any more"
            }
            Self::Shed => "Overloaded: waited too long in the queue; try again later",
            Self::NeverFits => {
                "This request is larger than the queue may ever hold; send fewer or shorter texts"
            }
            Self::CustomerBytes => {
                "This customer has as many bytes queued as it may; try again later"
            }
            Self::CustomerWork => {
                "This customer has as much work queued as it may; try again later"
            }
            Self::CustomerQueue => {
                "This customer has as many requests queued as it may; try again later"
            }
            Self::CustomerRate => "This customer asks more often than it may; try again later",
            Self::Mailbox => "Overloaded: too many requests between cores; try again later",
            Self::Unreachable => "Downstream service error: no backend can be reached",
        }
    }

    /// Whether coming back later would help, and when can be told.
    pub(super) const fn passes(self) -> bool {
        matches!(self.status(), Status::SERVICE_UNAVAILABLE | Status::TOO_MANY_REQUESTS)
    }

    /// Its place in [`Reason::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reason.detail())]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    /// When there is likely to be room, from now.
    pub(super) retry_after: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_and_a_name_of_its_own() {
        let mut names: Vec<_> = Reason::ALL.map(Reason::name).into();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }
}
