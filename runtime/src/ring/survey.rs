//! What of io_uring this kernel has, each thing tried or asked for by itself.
//!
//! Not on the way to serving: an engine makes the ring that it needs and sees whether that works. This is for
//! people who want to know what is missing.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use io_uring::{Builder, IoUring, Probe, cqueue, squeue};

use super::buffers::Buffers;
use super::op::accept::{self, Times};
use super::op::{Completion, Kind, receive};
use super::queue::Queue;
use super::{NEEDED_OPERATIONS, failed};
use crate::app::{ConnId, CoreIndex};
use crate::counters::EngineCounters;
use crate::dispatcher::OwnCounters;
use crate::doctor::Feature;
use crate::limits::EngineLimits;
use crate::probe::Unavailable;

/// Entries of a ring that is only tried.
const ENTRIES: u32 = 8;

/// Buffers and bytes of each for a receive that is only tried.
const BUFFERS: (u16, u32) = (1, 64);

/// What this kernel has, in the order of [`Feature::ALL`]; an error where no ring can be made at all.
pub(crate) fn survey(limits: &EngineLimits) -> Result<Vec<Feature>, Unavailable> {
    let failed = |call| failed(limits, call);
    let ring = IoUring::new(ENTRIES).map_err(failed("io_uring_setup"))?;
    let mut probe = Probe::new();
    let has_operations = ring.submitter().register_probe(&mut probe).is_ok()
        && NEEDED_OPERATIONS.into_iter().all(|code| probe.is_supported(code));
    let parameters = ring.params();
    let (has_ext_arg, has_min_timeout) =
        (parameters.is_feature_ext_arg(), parameters.is_feature_min_timeout());
    let (has_no_drop, has_no_iowait) =
        (parameters.is_feature_nodrop(), parameters.is_feature_no_iowait());
    let has_skip_success = parameters.is_feature_skip_cqe_on_success();
    // A kernel that cannot wait with a limit is older than all that is left to try.
    let tried = if has_ext_arg {
        try_operations(ring).map_err(failed("io_uring_enter"))?
    } else {
        Tried::default()
    };
    let has = |feature: &Feature| match feature {
        Feature::Operations => has_operations,
        Feature::NoDrop => has_no_drop,
        Feature::ExtArg => has_ext_arg,
        Feature::SkipSuccess => has_skip_success,
        Feature::SubmitAll => takes(Builder::setup_submit_all),
        Feature::AcceptMulti => tried.accept_multi,
        Feature::ProvidedBuffers => tried.provided_buffers,
        Feature::CancelAll => tried.cancel_all,
        Feature::SingleIssuer => takes(Builder::setup_single_issuer),
        Feature::ReceiveMulti => tried.receive_multi,
        Feature::DeferTaskrun => {
            takes(|builder| builder.setup_single_issuer().setup_defer_taskrun())
        }
        Feature::TaskrunFlag => takes(|builder| builder.setup_coop_taskrun().setup_taskrun_flag()),
        Feature::MinTimeout => has_min_timeout,
        Feature::NoIowait => has_no_iowait,
    };
    Ok(Feature::ALL.into_iter().filter(has).collect())
}

type RingBuilder = Builder<squeue::Entry, cqueue::Entry>;

/// Whether a ring can be made with what `ask` asks for.
fn takes(ask: impl FnOnce(&mut RingBuilder) -> &mut RingBuilder) -> bool {
    let mut builder = IoUring::builder();
    ask(&mut builder).build(ENTRIES).is_ok()
}

/// What can only be found out by doing it.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    accept_multi: bool,
    receive_multi: bool,
    provided_buffers: bool,
    cancel_all: bool,
}

/// Begins what goes on until it is cancelled, and cancels it. A kernel that does not know it calls it invalid.
fn try_operations(ring: IoUring) -> io::Result<Tried> {
    let counters = Arc::new([EngineCounters::default()]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (socket, _peer) = UnixStream::pair()?;
    let mut buffers = Buffers::new(&ring, BUFFERS.0, BUFFERS.1).ok();
    let mut queue = Queue::new(ring, OwnCounters::new(counters, CoreIndex(0)));
    accept::submit(&mut queue, listener.as_fd(), 0, Times::Always);
    if let Some(buffers) = &mut buffers {
        buffers.lend();
        receive::submit(&mut queue, socket.as_fd(), ConnId { slot: 0, generation: 0 });
    }
    let mut completions = Vec::new();
    if queue.shut_down(&mut completions)
        && let Some(buffers) = &mut buffers
    {
        buffers.take_back();
    }
    let knows = |kind| {
        let of_kind = |completion: &&Completion| completion.token.kind == kind;
        completions.iter().find(of_kind).is_some_and(|found| found.result != -libc::EINVAL)
    };
    let tried = Tried {
        accept_multi: knows(Kind::Accept),
        receive_multi: knows(Kind::Receive),
        provided_buffers: buffers.is_some(),
        cancel_all: knows(Kind::Cancel),
    };
    for completion in completions.iter().filter(|found| found.token.kind == Kind::Accept) {
        // Nobody was told the port, but somebody may have guessed it: the descriptor is closed by dropping it.
        drop(accept::complete(completion));
    }
    Ok(tried)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_on_which_the_engine_starts_has_all_that_it_needs() {
        let limits = EngineLimits::default();
        let starts = crate::probe::io_uring(&limits).is_ok();
        let found = survey(&limits).unwrap_or_default();
        let has_all = Feature::ALL
            .into_iter()
            .filter(|feature| feature.is_needed())
            .all(|feature| found.contains(&feature));
        assert_eq!(has_all, starts, "{found:?}");
    }
}
