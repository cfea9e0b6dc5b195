//! The operations that the engine gives to the kernel, one file for each opcode.
//!
//! A file says how its operation is submitted, what its completion means, and who owns what until then. Every
//! operation carries a [`Token`], by which its completion finds back to the connection that asked for it, and
//! only to that one.

pub(super) mod accept;
pub(super) mod cancel;
pub(super) mod close;
pub(super) mod connect;
pub(super) mod poll;
pub(super) mod receive;
pub(super) mod send;

use crate::app::ConnId;
use crate::limits::SLOT_BITS;

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Accepting on a listener.
    Accept,
    /// Receiving on a connection.
    Receive,
    /// Sending on a connection, with a completion in any case.
    Send,
    /// Sending on a connection, with a completion only if not everything went out at once.
    QuietSend,
    /// Connecting.
    Connect,
    /// Waiting for the core's bell.
    Bell,
    /// Something whose failure is of no consequence: a cancel that came too late.
    Cancel,
    /// Closing a descriptor.
    Close,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Accept,
        Self::Receive,
        Self::Send,
        Self::QuietSend,
        Self::Connect,
        Self::Bell,
        Self::Cancel,
        Self::Close,
    ];

    /// Whether the kernel always ends the operation with a completion. The others have no effect after the
    /// system call that submits them.
    pub(super) fn always_completes(self) -> bool {
        match self {
            Self::Accept | Self::Receive | Self::Send | Self::Connect | Self::Bell => true,
            Self::QuietSend | Self::Cancel | Self::Close => false,
        }
    }
}

/// What an operation carries through the kernel: its kind and whom it belongs to. The id is that of a
/// connection, of an attempt to connect, or of a listener (as a slot), each counted for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) id: ConnId,
}

const KIND_SHIFT: u32 = 32 + SLOT_BITS;

const _: () = assert!(KIND_SHIFT + 8 == u64::BITS, "kind, slot and generation fill the word");

impl Token {
    /// The word that the kernel carries.
    pub(super) fn word(self) -> u64 {
        debug_assert!(self.id.slot < 1 << SLOT_BITS);
        let Self { kind, id } = self;
        (kind as u64) << KIND_SHIFT | u64::from(id.slot) << 32 | u64::from(id.generation)
    }

    /// The inverse of [`word`](Self::word).
    #[expect(clippy::cast_possible_truncation, reason = "the fields are cut out of the word")]
    pub(super) fn from_word(word: u64) -> Option<Self> {
        let kind = *Kind::ALL.get((word >> KIND_SHIFT) as usize)?;
        let slot = (word >> 32) as u32 & ((1 << SLOT_BITS) - 1);
        Some(Self { kind, id: ConnId { slot, generation: word as u32 } })
    }
}

/// One completion, as the kernel gave it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) token: Token,
    /// Non-negative, or a negated error number.
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Completion {
    /// Whether the operation goes on and will complete again.
    pub(super) fn has_more(&self) -> bool {
        io_uring::cqueue::more(self.flags)
    }

    /// The result as a count, or the error number.
    pub(super) fn outcome(&self) -> Result<u32, i32> {
        u32::try_from(self.result).map_err(|_| -self.result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_kernel() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "the order of the list is that of the kinds");
            for slot in [0, 1, (1 << SLOT_BITS) - 1] {
                for generation in [0, 1, u32::MAX] {
                    let token = Token { kind, id: ConnId { slot, generation } };
                    assert_eq!(Token::from_word(token.word()), Some(token));
                }
            }
        }
        assert_eq!(Token::from_word(u64::MAX), None);
    }
}
