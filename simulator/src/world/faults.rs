//! What may go wrong in a world, and how often.
//!
//! [`Faults::swarm`] is the one to use for many seeds. Worlds in which everything goes wrong at once all
//! fail in the same few ways: a connection that is always reset never fills its window. So each seed
//! switches on a part of the kinds of faults only, each at a strength of its own.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::random::{Chance, Random, Span};

/// How the virtual network, and the drivers at its edges, behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// One way between two hosts; each pair of hosts keeps what was drawn for it.
    pub latency: Span,
    /// Added to the latency of each segment. Order within a connection is kept all the same.
    pub jitter: Span,
    /// Bytes in flight or unread, for each direction of each connection.
    pub window_bytes: RangeInclusive<u64>,
    /// What a byte takes on the wire, for each direction of each connection.
    pub nanoseconds_per_byte: RangeInclusive<u64>,
    /// That bytes ready to be received are handed over only in part.
    pub split: Chance,
    /// That what remains after a piece waits for the next turn, where more may have joined it.
    pub defer: Chance,
    /// That an attempt to connect is refused though somebody listens.
    pub connect_refused: Chance,
    /// That an attempt to connect is never answered.
    pub connect_unanswered: Chance,
    /// That an attempt to connect fails at home, for want of ports or of a route.
    pub connect_failed_locally: Chance,
    /// How long a kernel repeats an unanswered attempt to connect.
    pub connect_timeout: Duration,
    /// That the network resets a connection some day.
    pub reset: Chance,
    /// How long after its beginning it does.
    pub reset_after: Span,
    /// That only one of the two ends is told of such a reset, until the other sends.
    pub reset_one_sided: Chance,
    /// That a reset destroys what had arrived and was not received yet.
    pub reset_loses_unread: Chance,
    /// That a driver notices a reset of a paused connection at once, not when it is used again.
    pub reset_noticed_while_paused: Chance,
    /// How long a kernel repeats what is not acknowledged before it gives a connection up.
    pub retransmission_limit: Duration,
    /// How long a driver that has sent all of a closed connection waits for its peer to close too.
    pub linger_limit: Duration,
    /// How long a closed connection may go without its peer taking a byte of what is still to be sent.
    pub flush_stall: Duration,
    /// How long a driver that was told to drain waits for its apps.
    pub drain_limit: Duration,
    /// What one turn of a driver's loop takes.
    pub turn: Span,
    /// How late a driver wakes for a deadline.
    pub timer_slack: Span,
    /// That a turn takes up only some of what is ready.
    pub partial_turn: Chance,
    /// From one core to another.
    pub mail_delay: Span,
    /// Messages that a core's mailbox holds.
    pub mailbox_messages: usize,
}

/// Outages of one kind: they come again and again, `pause` apart, and each takes `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outages {
    /// From the end of one to the beginning of the next.
    pub pause: Span,
    /// From its beginning to its end.
    pub length: Span,
}

/// What happens to hosts as a whole. See [`super::timetable()`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFaults {
    /// The process dies: its kernel closes or resets its connections.
    pub kill: Option<Outages>,
    /// The machine loses power: nobody is told.
    pub power_cut: Option<Outages>,
    /// The process stands still.
    pub freeze: Option<Outages>,
    /// The host cannot reach one of the others, nor be reached by it.
    pub partition: Option<Outages>,
}

/// All that goes wrong in one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// On the way between hosts.
    pub network: NetworkConfig,
    /// To hosts.
    pub hosts: HostFaults,
}

impl Default for NetworkConfig {
    /// A good local network between good drivers, where nothing goes wrong.
    fn default() -> Self {
        Self {
            latency: Span::microseconds(20, 60),
            jitter: Span::microseconds(0, 10),
            window_bytes: 65_536..=262_144,
            nanoseconds_per_byte: 0..=1,
            split: Chance::NEVER,
            defer: Chance::NEVER,
            connect_refused: Chance::NEVER,
            connect_unanswered: Chance::NEVER,
            connect_failed_locally: Chance::NEVER,
            connect_timeout: Duration::from_secs(130),
            reset: Chance::NEVER,
            reset_after: Span::milliseconds(0, 10_000),
            reset_one_sided: Chance::NEVER,
            reset_loses_unread: Chance::NEVER,
            reset_noticed_while_paused: Chance::ALWAYS,
            retransmission_limit: Duration::from_secs(900),
            linger_limit: Duration::from_secs(2),
            flush_stall: Duration::from_secs(30),
            drain_limit: Duration::from_secs(30),
            turn: Span::microseconds(5, 30),
            timer_slack: Span::microseconds(0, 60),
            partial_turn: Chance::NEVER,
            mail_delay: Span::microseconds(1, 5),
            mailbox_messages: 1024,
        }
    }
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self { network: NetworkConfig::default(), hosts: HostFaults::default() }
    }

    /// What a bad day in a data centre brings: streams cut anyhow, now and then a reset or a refusal.
    #[must_use]
    pub fn mild() -> Self {
        let mut faults = Self::none();
        faults.network.cut_streams(Chance::percent(20));
        faults.network.connect_refused = Chance::percent(1);
        faults.network.reset = Chance::percent(2);
        faults
    }

    /// Every kind of fault at once, each often.
    #[must_use]
    pub fn harsh() -> Self {
        let mut faults = Self::none();
        let mut random = Random::new(0);
        for kind in KINDS {
            kind(&mut faults, &mut random);
        }
        faults
    }

    /// A part of the kinds of faults, drawn from `random`, each at a strength drawn with it.
    #[must_use]
    pub fn swarm(random: &mut Random) -> Self {
        let mut faults = Self::none();
        let share = Chance::percent(u32::try_from(random.between(10..=60)).unwrap_or(60));
        for kind in KINDS {
            if random.happens(share) {
                kind(&mut faults, random);
            }
        }
        faults
    }

    /// The same without what destroys connections or hosts: whatever happens then, every request can be
    /// answered, only late.
    #[must_use]
    pub fn harmless(mut self) -> Self {
        self.network.do_no_harm();
        self.hosts = HostFaults::default();
        self
    }
}

impl NetworkConfig {
    /// Switches off what destroys connections or keeps them from coming to be.
    pub(super) fn do_no_harm(&mut self) {
        self.connect_refused = Chance::NEVER;
        self.connect_unanswered = Chance::NEVER;
        self.connect_failed_locally = Chance::NEVER;
        self.reset = Chance::NEVER;
    }

    fn cut_streams(&mut self, chance: Chance) {
        self.split = chance;
        self.defer = chance;
    }
}

/// One kind of fault: switches itself on at a strength of its own.
type Kind = fn(&mut Faults, &mut Random);

/// A chance between `low` and `high` percent.
fn percent(random: &mut Random, range: RangeInclusive<u64>) -> Chance {
    Chance::percent(u32::try_from(random.between(range)).expect("a percentage is small"))
}

/// All kinds, in an order that only decides which draws belong to which.
const KINDS: [Kind; 20] = [
    |faults, random| faults.network.cut_streams(percent(random, 5..=90)),
    |faults, random| {
        let slowest = random.between(1..=80);
        faults.network.latency = Span::milliseconds(0, slowest);
    },
    |faults, random| {
        let widest = random.between(100..=20_000);
        faults.network.jitter = Span::microseconds(0, widest);
    },
    |faults, random| {
        let widest = random.between(600..=8_192);
        faults.network.window_bytes = 512..=widest;
    },
    |faults, random| {
        let slowest = random.between(10..=2_000);
        faults.network.nanoseconds_per_byte = 0..=slowest;
    },
    |faults, random| faults.network.connect_refused = percent(random, 1..=30),
    |faults, random| {
        faults.network.connect_unanswered = percent(random, 1..=15);
        faults.network.connect_timeout = random.duration(Span::milliseconds(3_000, 130_000));
    },
    |faults, random| faults.network.connect_failed_locally = percent(random, 1..=15),
    |faults, random| {
        faults.network.reset = percent(random, 1..=40);
        let latest = random.between(10..=20_000);
        faults.network.reset_after = Span::milliseconds(0, latest);
    },
    |faults, random| faults.network.reset_one_sided = percent(random, 10..=100),
    |faults, random| faults.network.reset_loses_unread = percent(random, 10..=100),
    |faults, random| faults.network.reset_noticed_while_paused = percent(random, 0..=50),
    |faults, random| {
        let longest = random.between(100..=10_000);
        faults.network.turn = Span::microseconds(10, longest);
    },
    |faults, random| {
        let latest = random.between(100..=50_000);
        faults.network.timer_slack = Span::microseconds(0, latest);
    },
    |faults, random| faults.network.partial_turn = percent(random, 10..=80),
    |faults, random| {
        let slowest = random.between(10..=3_000);
        faults.network.mail_delay = Span::microseconds(1, slowest);
        faults.network.mailbox_messages =
            usize::try_from(random.between(1..=8)).expect("the bound is small");
    },
    |faults, random| faults.hosts.kill = Some(outages(random, 3_000)),
    |faults, random| faults.hosts.power_cut = Some(outages(random, 20_000)),
    |faults, random| faults.hosts.freeze = Some(outages(random, 8_000)),
    |faults, random| faults.hosts.partition = Some(outages(random, 15_000)),
];

/// Outages of up to `longest_ms` milliseconds.
fn outages(random: &mut Random, longest_ms: u64) -> Outages {
    let pause = random.between(500..=10_000);
    let length = random.between(10..=longest_ms);
    Outages { pause: Span::milliseconds(0, 2 * pause), length: Span::milliseconds(0, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harsh_faults_leave_nothing_as_it_is_without() {
        let (none, harsh) = (Faults::none(), Faults::harsh());
        assert_ne!(none.network.split, harsh.network.split);
        assert_ne!(none.network.reset, harsh.network.reset);
        let HostFaults { kill, power_cut, freeze, partition } = harsh.hosts;
        assert!([kill, power_cut, freeze, partition].iter().all(Option::is_some));
    }

    #[test]
    fn a_swarm_differs_from_seed_to_seed_and_covers_every_kind() {
        let swarm: Vec<_> = (0..100).map(|seed| Faults::swarm(&mut Random::new(seed))).collect();
        assert_eq!(swarm[0], Faults::swarm(&mut Random::new(0)));
        assert_ne!(swarm[0], swarm[1]);
        for (name, on) in [
            ("reset", (|faults| faults.network.reset != Chance::NEVER) as fn(&Faults) -> bool),
            ("kill", |faults| faults.hosts.kill.is_some()),
            ("freeze", |faults| faults.hosts.freeze.is_some()),
            ("small mailboxes", |faults| faults.network.mailbox_messages < 10),
        ] {
            let count = swarm.iter().filter(|faults| on(faults)).count();
            assert!((5..95).contains(&count), "{name}: in {count} of 100 worlds");
        }
    }

    #[test]
    fn harmless_faults_destroy_nothing() {
        let faults = Faults::harsh().harmless();
        assert_eq!(faults.hosts, HostFaults::default());
        assert_eq!(faults.network.reset, Chance::NEVER);
        assert_ne!(faults.network.split, Chance::NEVER);
    }
}
