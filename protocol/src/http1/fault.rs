//! What can be wrong with a message, before it is known whose answer it becomes.
//!
//! The parsers serve both sides: the server turns a [`Fault`] into the refusal it answers with, the
//! client into an error about its peer.

use super::status::Status;

/// Why a message cannot be taken. Every detail is a clause about the message, lower case, no full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It breaks the grammar, or says two things about where it ends.
    Malformed(&'static str),
    /// It is well-formed and asks for what is not done here, as the status says; requests only.
    Unsupported(Status, &'static str),
    /// Its major version is above 1.
    Version,
    /// Its first line is longer than the limit.
    FirstLineTooLong,
    /// Its header lines are too long, too many or too much together.
    HeadTooLarge(&'static str),
    /// Its body is larger than the limit.
    BodyTooLarge,
}
