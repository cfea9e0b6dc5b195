//! A customer of the proxy: an app that asks questions whose answers it knows.
//!
//! No two questions are alike, so an answer that was lost, doubled, put out of order or given to somebody
//! else is found by comparing bytes. What customers do wrong (leave while they wait, half-close, send a body
//! late, ask for what is not there) they do by chance, from a stream of their own.
//!
//! A customer only notes how its questions ended, in [`Tally`]; whether that is all right depends on what
//! else went on in the world, and is for the test to say. Wrong bytes are never right: it panics.

mod question;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ringyard_protocol::http1::ClientCodec;
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{App, Commands, ConnId, ConnectToken, Event, Now, Time};

use super::random::{Chance, Random, Span};
use question::{Manner, Question, Verdict};

pub use question::Answers;

/// The only token that a customer needs: it makes one attempt at a time.
const TOKEN: ConnectToken = ConnectToken(0);

/// How long a customer waits before it connects again.
const RECONNECT: Span = Span::milliseconds(1, 200);

/// How long a customer that reads late does not read.
pub const READS_LATE: Span = Span::milliseconds(0, 2_000);

/// What customers do besides asking well and waiting. Each is drawn for every burst of questions.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// That it leaves while it waits, by a close or a reset.
    pub leaves: Chance,
    /// That it closes its sending side when it has asked.
    pub half_closes: Chance,
    /// That it asks for the connection to be closed after the answer.
    pub asks_to_close: Chance,
    /// That it sends a body in chunks.
    pub chunks: Chance,
    /// That it sends the body some time after the head, having asked whether it may.
    pub sends_late: Chance,
    /// That it reads nothing for some time after it has asked.
    pub reads_late: Chance,
    /// That a question is not for classification at all.
    pub strays: Chance,
    /// That a question is to change the strategy.
    pub switches: Chance,
}

impl Habits {
    /// None but asking and waiting.
    pub const PLAIN: Self = Self {
        leaves: Chance::NEVER,
        half_closes: Chance::NEVER,
        asks_to_close: Chance::NEVER,
        chunks: Chance::NEVER,
        sends_late: Chance::NEVER,
        reads_late: Chance::NEVER,
        strays: Chance::NEVER,
        switches: Chance::NEVER,
    };
}

/// Whom a customer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Office {
    /// A proxy: its answers tell what time they took.
    Proxy,
    /// A classifier.
    Classifier,
}

/// What a customer is going to do.
#[derive(Clone, Debug)]
pub struct CustomerPlan {
    /// The server's address.
    pub server: SocketAddr,
    /// What the server is.
    pub office: Office,
    /// Tells this customer's questions from all others'.
    pub number: u32,
    /// How many questions it asks.
    pub questions: u32,
    /// How many it may ask before the first is answered.
    pub pipelined: RangeInclusive<u64>,
    /// How many sequences a question has.
    pub sequences: RangeInclusive<u64>,
    /// From the last answer to the next question.
    pub pause: Span,
    /// How long it waits for an answer before it leaves for good.
    pub patience: Duration,
    /// What the backends make of a sequence.
    pub answers: Answers,
    /// What else it does.
    pub habits: Habits,
}

/// How a customer's questions ended; each in exactly one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By the right answer.
    pub answered: u32,
    /// By 502: the backend failed.
    pub backend_failed: u32,
    /// By 503: too much to do.
    pub overloaded: u32,
    /// By 504: the deadline passed.
    pub too_slow: u32,
    /// By 504 before the deadline: it would pass.
    pub hopeless: u32,
    /// By 408: the question did not arrive in time.
    pub not_in_time: u32,
    /// Unanswered, because the connection failed or was closed from the other side.
    pub lost: u32,
    /// Unanswered, because patience ran out.
    pub given_up: u32,
    /// Unanswered, because the customer left.
    pub left: u32,
    /// The longest wait for an answer or a refusal.
    pub longest_wait: Duration,
    /// The shortest wait for a 504.
    pub shortest_too_slow: Option<Duration>,
    /// When a question last ended other than by its answer or by the customer's own doing.
    pub last_unanswered: Option<Time>,
}

impl Tally {
    /// How many questions have ended.
    #[must_use]
    pub fn ended(&self) -> u32 {
        let Self { answered, backend_failed, overloaded, too_slow, not_in_time, .. } = *self;
        let Self { hopeless, lost, given_up, left, .. } = *self;
        hopeless
            + answered
            + backend_failed
            + overloaded
            + too_slow
            + not_in_time
            + lost
            + given_up
            + left
    }

    /// Adds what another customer has noted.
    pub fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.backend_failed += other.backend_failed;
        self.overloaded += other.overloaded;
        self.too_slow += other.too_slow;
        self.hopeless += other.hopeless;
        self.not_in_time += other.not_in_time;
        self.lost += other.lost;
        self.given_up += other.given_up;
        self.left += other.left;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.shortest_too_slow =
            [self.shortest_too_slow, other.shortest_too_slow].into_iter().flatten().min();
        self.last_unanswered = self.last_unanswered.max(other.last_unanswered);
    }
}

/// Where the connection stands.
#[derive(Debug)]
enum Line {
    Down { retry_at: Time },
    Connecting,
    Up(Box<Session>),
}

/// What a customer will do to its connection at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Close,
    Abort,
}

/// One connection and what is asked on it.
#[derive(Debug)]
struct Session {
    conn: ConnId,
    codec: ClientCodec,
    /// Asked and not answered, with when.
    asked: VecDeque<(Question, Time)>,
    ask_at: Time,
    /// The rest of a question that is sent late.
    held: Option<(Time, Vec<u8>)>,
    leave: Option<(Time, Leaving)>,
    /// When it reads again, while it does not.
    read_at: Option<Time>,
    half_closed: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Customer {
    plan: CustomerPlan,
    random: Random,
    line: Line,
    next: u32,
    tally: Tally,
    limits: HttpLimits,
    /// For the text of requests; kept for its capacity.
    buffer: Vec<u8>,
}

impl Customer {
    /// A customer that connects when it first hears of anything.
    #[must_use]
    pub fn new(plan: CustomerPlan, mut random: Random) -> Self {
        let start = random.duration(plan.pause);
        Self {
            plan,
            random,
            line: Line::Down { retry_at: Time::ZERO + start },
            next: 0,
            tally: Tally::default(),
            limits: HttpLimits::default(),
            buffer: Vec::new(),
        }
    }

    /// How its questions ended so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether all its questions have ended and its connection is closed.
    #[must_use]
    pub fn done(&self) -> bool {
        self.tally.ended() == self.plan.questions && !matches!(self.line, Line::Up(_))
    }

    fn session(&mut self) -> &mut Session {
        match &mut self.line {
            Line::Up(session) => session,
            line => panic!("an event of a connection while {line:?}"),
        }
    }

    /// The connection is no more; what was asked on it ends as `how` says.
    fn disconnected(&mut self, now: Now, how: fn(&mut Tally) -> &mut u32) {
        let retry_at = now.time + self.random.duration(RECONNECT);
        if let Line::Up(session) = std::mem::replace(&mut self.line, Line::Down { retry_at }) {
            let unanswered = u32::try_from(session.asked.len()).expect("a short pipeline");
            let left_before = self.tally.left;
            *how(&mut self.tally) += unanswered;
            if unanswered > 0 && self.tally.left == left_before {
                self.tally.last_unanswered = Some(now.time);
            }
        }
    }

    /// What a question that stays unanswered counts as when the other side ends the connection.
    fn ended_by_peer(&mut self, now: Now) {
        let own_doing = self.session().half_closed;
        self.disconnected(
            now,
            if own_doing { |tally| &mut tally.left } else { |tally| &mut tally.lost },
        );
    }

    fn received(&mut self, now: Now, mut bytes: &[u8], commands: &mut Commands<()>) {
        let Self { line, tally, limits, plan, .. } = self;
        let Line::Up(session) = line else { panic!("bytes without a connection") };
        loop {
            let response = match session.codec.next(&mut bytes, limits) {
                Ok(Some(response)) => response,
                Ok(None) => break,
                Err(error) => panic!("customer {}: {error}", plan.number),
            };
            let (question, asked_at) =
                session.asked.pop_front().expect("the codec knows what is awaited");
            let wait = now.time.since(asked_at);
            tally.longest_wait = tally.longest_wait.max(wait);
            let verdict = question.judge(&response);
            if verdict != Verdict::Right {
                tally.last_unanswered = Some(now.time);
            }
            match verdict {
                Verdict::Right => tally.answered += 1,
                Verdict::BackendFailed => tally.backend_failed += 1,
                Verdict::Overloaded => tally.overloaded += 1,
                Verdict::Hopeless => tally.hopeless += 1,
                Verdict::NotInTime => tally.not_in_time += 1,
                Verdict::TooSlow => {
                    tally.too_slow += 1;
                    let shortest = tally.shortest_too_slow.get_or_insert(wait);
                    *shortest = wait.min(*shortest);
                }
            }
            if session.asked.is_empty() {
                session.ask_at = now.time + self.random.duration(plan.pause);
            }
            if !response.keep_alive {
                commands.close(session.conn);
                return self.ended_by_peer(now);
            }
        }
    }

    /// Asks the next questions, all in one go.
    fn ask(&mut self, now: Now, commands: &mut Commands<()>) {
        let Self { line, plan, random, next, buffer, .. } = self;
        let Line::Up(session) = line else { return };
        let Habits { leaves, half_closes, asks_to_close, sends_late, reads_late, .. } = plan.habits;
        let count = random.between(plan.pipelined.clone()).min(u64::from(plan.questions - *next));
        let last = Manner {
            closes: random.happens(asks_to_close),
            expects_continue: random.happens(sends_late),
        };
        buffer.clear();
        let mut last_body = 0;
        for index in 0..count {
            let manner = if index + 1 == count { last } else { Manner::default() };
            let (question, body) = Question::draw(plan, *next, manner, random, buffer);
            session.codec.sent(question.method());
            session.asked.push_back((question, now.time));
            last_body = body;
            *next += 1;
        }
        if last.expects_continue {
            let held = buffer.split_off(last_body);
            let delay = random.duration(Span::milliseconds(1, 400));
            session.held = Some((now.time + delay, held));
        } else if random.happens(half_closes) {
            session.half_closed = true;
        }
        commands.send(session.conn, buffer);
        if session.half_closed {
            commands.finish(session.conn);
        }
        if random.happens(reads_late) {
            session.read_at = Some(now.time + random.duration(READS_LATE));
            commands.pause(session.conn);
        }
        if random.happens(leaves) {
            let how = [Leaving::Close, Leaving::Abort][random.index(2)];
            let delay = random.duration(Span::milliseconds(0, 100));
            session.leave = Some((now.time + delay, how));
        }
    }

    /// Does what is due on an open connection.
    fn attend(&mut self, now: Now, commands: &mut Commands<()>) {
        let Self { line, plan, next, .. } = self;
        let Line::Up(session) = line else { return };
        let due = |time: Time| time <= now.time;
        if session.leave.is_some_and(|(time, _)| due(time)) && !session.asked.is_empty() {
            match session.leave {
                Some((_, Leaving::Abort)) => commands.abort(session.conn),
                _ => commands.close(session.conn),
            }
            return self.disconnected(now, |tally| &mut tally.left);
        }
        if session.read_at.take_if(|time| due(*time)).is_some() {
            commands.resume(session.conn);
        }
        if let Some(&(_, asked_at)) = session.asked.front() {
            if due(asked_at + plan.patience) {
                commands.abort(session.conn);
                return self.disconnected(now, |tally| &mut tally.given_up);
            }
            if let Some((_, rest)) = session.held.take_if(|(time, _)| due(*time)) {
                commands.send(session.conn, &rest);
            }
            return;
        }
        session.held = None;
        session.leave = None;
        if *next == plan.questions {
            commands.close(session.conn);
            self.disconnected(now, |tally| &mut tally.left);
        } else if session.half_closed {
            // All is answered; the server will close.
        } else if due(session.ask_at) {
            self.ask(now, commands);
        }
    }

    /// When there is something to attend to again.
    fn next_time(&self) -> Option<Time> {
        match &self.line {
            Line::Down { retry_at } => (self.next < self.plan.questions).then_some(*retry_at),
            Line::Connecting => None,
            Line::Up(session) => {
                let held = session.held.as_ref().map(|&(time, _)| time);
                let leave = session.leave.map(|(time, _)| time);
                let next = match session.asked.front() {
                    Some(&(_, asked_at)) => Some(asked_at + self.plan.patience),
                    None => (!session.half_closed).then_some(session.ask_at),
                };
                [held, leave, session.read_at, next].into_iter().flatten().min()
            }
        }
    }
}

impl App for Customer {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        match event {
            Event::Opened { conn, .. } => {
                self.line = Line::Up(Box::new(Session {
                    conn,
                    codec: ClientCodec::new(),
                    asked: VecDeque::new(),
                    ask_at: now.time,
                    held: None,
                    leave: None,
                    read_at: None,
                    half_closed: false,
                }));
            }
            Event::ConnectFailed { .. } => self.disconnected(now, |tally| &mut tally.lost),
            Event::Received { bytes, .. } => self.received(now, bytes, commands),
            Event::PeerClosed { conn } => {
                commands.close(conn);
                self.ended_by_peer(now);
            }
            Event::Failed { .. } => self.ended_by_peer(now),
            Event::Deadline
            | Event::Congested { .. }
            | Event::Drained { .. }
            | Event::Mail { .. }
            | Event::MailReturned { .. }
            | Event::Drain => {}
        }
        self.attend(now, commands);
        if let Line::Down { retry_at } = self.line
            && retry_at <= now.time
            && self.next < self.plan.questions
        {
            self.line = Line::Connecting;
            commands.connect(TOKEN, self.plan.server);
        }
        commands.set_deadline(self.next_time());
    }
}
