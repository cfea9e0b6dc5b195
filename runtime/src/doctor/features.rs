//! What of io_uring the engine `ring` uses, since when the kernel has it, and what it costs to lack it.
//!
//! One table, shown by [`examine`](super::examine) and printed in `linux-only.md`, which a test compares with it.

/// Something of io_uring that the engine `ring` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// The operations themselves.
    Operations,
    /// `IORING_FEAT_NODROP`.
    NoDrop,
    /// `IORING_ENTER_EXT_ARG`.
    ExtArg,
    /// `IOSQE_CQE_SKIP_SUCCESS`.
    SkipSuccess,
    /// `IORING_SETUP_SUBMIT_ALL`.
    SubmitAll,
    /// An accept that goes on.
    AcceptMulti,
    /// Receive buffers that the kernel chooses from a ring.
    ProvidedBuffers,
    /// A cancel that ends everything.
    CancelAll,
    /// `IORING_SETUP_SINGLE_ISSUER`.
    SingleIssuer,
    /// A receive that goes on.
    ReceiveMulti,
    /// `IORING_SETUP_DEFER_TASKRUN`.
    DeferTaskrun,
    /// `IORING_SETUP_TASKRUN_FLAG`.
    TaskrunFlag,
    /// A wait with a least and a greatest time.
    MinTimeout,
    /// `IORING_ENTER_NO_IOWAIT`.
    NoIowait,
}

/// One line of the table.
struct Row {
    feature: Feature,
    name: &'static str,
    since: &'static str,
    purpose: &'static str,
    without: &'static str,
}

/// What is said of a feature without which the engine does not start.
const NO_RING: &str = "no `ring`";

const fn needed(
    feature: Feature,
    name: &'static str,
    since: &'static str,
    purpose: &'static str,
) -> Row {
    Row { feature, name, since, purpose, without: NO_RING }
}

const TABLE: [Row; Feature::ALL.len()] = [
    needed(
        Feature::Operations,
        "accept, receive, send, connect, close, poll, cancel",
        "5.6",
        "all that happens on a connection goes through the ring",
    ),
    needed(
        Feature::NoDrop,
        "IORING_FEAT_NODROP",
        "5.5",
        "a completion queue that runs over loses nothing",
    ),
    needed(
        Feature::ExtArg,
        "IORING_ENTER_EXT_ARG",
        "5.11",
        "one call submits and waits with a timeout",
    ),
    needed(
        Feature::SkipSuccess,
        "IOSQE_CQE_SKIP_SUCCESS",
        "5.17",
        "answers that go out at once need no completion",
    ),
    needed(
        Feature::SubmitAll,
        "IORING_SETUP_SUBMIT_ALL",
        "5.18",
        "one bad submission does not hold up the others",
    ),
    needed(
        Feature::AcceptMulti,
        "multishot accept",
        "5.19",
        "one accept for all connections of a listener",
    ),
    needed(
        Feature::ProvidedBuffers,
        "rings of provided buffers",
        "5.19",
        "an idle connection holds no buffer",
    ),
    needed(Feature::CancelAll, "cancelling all operations at once", "5.19", "ending cleanly"),
    needed(
        Feature::SingleIssuer,
        "IORING_SETUP_SINGLE_ISSUER",
        "6.0",
        "one thread per ring, so the kernel locks less",
    ),
    needed(
        Feature::ReceiveMulti,
        "multishot receive",
        "6.0",
        "one receive for all bytes of a connection",
    ),
    needed(
        Feature::DeferTaskrun,
        "IORING_SETUP_DEFER_TASKRUN",
        "6.1",
        "the kernel's share of the work is done in our call, not in interruptions",
    ),
    Row {
        feature: Feature::TaskrunFlag,
        name: "IORING_SETUP_TASKRUN_FLAG",
        since: "5.19",
        purpose: "a core that looks for work before it sleeps sees without a system call that there is some",
        without: "no `ring` with `--spin`, nor for `ringyard load` in an open loop",
    },
    Row {
        feature: Feature::MinTimeout,
        name: "waiting for several completions with a minimum time",
        since: "6.12",
        purpose: "under load a core takes completions together instead of waking for each",
        without: "wakes for each: more system calls under load",
    },
    Row {
        feature: Feature::NoIowait,
        name: "IORING_ENTER_NO_IOWAIT",
        since: "6.15",
        purpose: "a waiting core counts as idle",
        without: "`top` may show an idle core as waiting for IO; it is idle",
    },
];

impl Feature {
    /// All of them: those without which the engine does not start, then the others, each in the order of the
    /// releases that brought them.
    pub const ALL: [Self; 14] = [
        Self::Operations,
        Self::NoDrop,
        Self::ExtArg,
        Self::SkipSuccess,
        Self::SubmitAll,
        Self::AcceptMulti,
        Self::ProvidedBuffers,
        Self::CancelAll,
        Self::SingleIssuer,
        Self::ReceiveMulti,
        Self::DeferTaskrun,
        Self::TaskrunFlag,
        Self::MinTimeout,
        Self::NoIowait,
    ];

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.feature == self).expect("each feature has its row")
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The first release of Linux to have it.
    #[must_use]
    pub fn since(self) -> &'static str {
        self.row().since
    }

    /// What the engine uses it for.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        self.row().purpose
    }

    /// What happens without it.
    #[must_use]
    pub fn without(self) -> &'static str {
        self.row().without
    }

    /// Whether the engine does not start without it.
    #[must_use]
    pub fn is_needed(self) -> bool {
        self.row().without == NO_RING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_has_its_row_and_the_needed_ones_come_first() {
        let needed: Vec<bool> = Feature::ALL.into_iter().map(Feature::is_needed).collect();
        assert!(needed.is_sorted_by(|earlier, later| earlier >= later), "{needed:?}");
    }
}
