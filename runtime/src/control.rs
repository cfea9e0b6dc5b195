//! What the outside tells all cores of a plan: to drain, or to stop; and what they count down together.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::app::CoreIndex;
use crate::bell::Bell;

const SERVE: u8 = 0;
const DRAIN: u8 = 1;
const STOP: u8 = 2;

/// Orders to all cores of a plan, and the bells by which they hear of them.
#[derive(Debug)]
pub(crate) struct Control {
    order: AtomicU8,
    /// Apps that have not said [`Commands::finished`](crate::app::Commands::finished).
    unfinished: AtomicUsize,
    bells: Box<[Bell]>,
}

impl Control {
    /// For `cores` cores that are to serve.
    pub(crate) fn new(cores: usize) -> io::Result<Self> {
        let bells = (0..cores).map(|_| Bell::new()).collect::<io::Result<_>>()?;
        Ok(Self { order: AtomicU8::new(SERVE), unfinished: AtomicUsize::new(cores), bells })
    }

    /// Orders all cores to drain, unless they are already to stop.
    pub(crate) fn drain(&self) {
        self.order.fetch_max(DRAIN, Ordering::AcqRel);
        self.ring_all();
    }

    /// Orders all cores to stop at once.
    pub(crate) fn stop(&self) {
        self.order.fetch_max(STOP, Ordering::AcqRel);
        self.ring_all();
    }

    /// Whether the order is to drain or to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.order.load(Ordering::Acquire) >= DRAIN
    }

    /// Whether the order is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.order.load(Ordering::Acquire) >= STOP
    }

    /// Notes that one app has finished. The last one wakes all cores.
    pub(crate) fn app_finished(&self) {
        if self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ring_all();
        }
    }

    /// Whether all apps have finished.
    pub(crate) fn all_finished(&self) -> bool {
        self.unfinished.load(Ordering::Acquire) == 0
    }

    /// The bell of `core`.
    pub(crate) fn bell(&self, core: CoreIndex) -> &Bell {
        &self.bells[usize::from(core.0)]
    }

    fn ring_all(&self) {
        for bell in &self.bells {
            bell.ring();
        }
    }
}
