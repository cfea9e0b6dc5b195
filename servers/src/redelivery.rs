//! Mail that found its addressee's mailbox full and has to arrive all the same: it is kept, and sent again a little
//! later, in the order in which it came back.
//!
//! Which mail is worth that is for its sender to say: a request is better refused than sent late.

use ringyard_runtime::app::{Commands, CoreIndex, Time};

use crate::limits::MAIL_RETRY;

/// Messages that came back, and when to send them again.
#[derive(Debug)]
pub(crate) struct Redelivery<M> {
    kept: Vec<(CoreIndex, M)>,
    /// Set while anything is kept.
    due: Option<Time>,
}

impl<M> Default for Redelivery<M> {
    fn default() -> Self {
        Self { kept: Vec::new(), due: None }
    }
}

impl<M> Redelivery<M> {
    /// Keeps a message that came back. It goes out again [`MAIL_RETRY`] after the first of those that are kept came, so
    /// that no stream of further ones puts it off.
    pub(crate) fn keep(&mut self, now: Time, to: CoreIndex, message: M) {
        self.kept.push((to, message));
        self.due.get_or_insert(now + MAIL_RETRY);
    }

    /// When [`Redelivery::send_due`] has something to do.
    pub(crate) fn due(&self) -> Option<Time> {
        self.due
    }

    /// Sends everything again, if it is time.
    pub(crate) fn send_due(&mut self, now: Time, commands: &mut Commands<M>) {
        if self.due.take_if(|due| *due <= now).is_some() {
            for (to, message) in self.kept.drain(..) {
                commands.mail(to, message);
            }
        }
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringyard_runtime::app::Command;

    use super::*;

    /// What is sent at a time in microseconds.
    fn sent(redelivery: &mut Redelivery<char>, at_us: u64) -> Vec<(u16, char)> {
        let mut commands = Commands::default();
        redelivery.send_due(time(at_us), &mut commands);
        let mut sent = Vec::new();
        commands.take(|command, _| match command {
            Command::Mail { to, message } => sent.push((to.0, message)),
            other => panic!("{other:?}"),
        });
        sent
    }

    fn time(at_us: u64) -> Time {
        Time::ZERO + Duration::from_micros(at_us)
    }

    #[test]
    fn what_came_back_goes_out_again_in_its_order() {
        let mut redelivery = Redelivery::default();
        assert_eq!((redelivery.due(), sent(&mut redelivery, 5_000)), (None, vec![]));
        redelivery.keep(time(100), CoreIndex(2), 'a');
        redelivery.keep(time(900), CoreIndex(1), 'b');
        assert!(!redelivery.is_empty());
        assert_eq!(redelivery.due(), Some(time(1_100)), "the first decides");
        assert_eq!(sent(&mut redelivery, 1_099), []);
        assert_eq!(sent(&mut redelivery, 1_100), [(2, 'a'), (1, 'b')]);
        assert_eq!((redelivery.is_empty(), redelivery.due()), (true, None));
    }

    #[test]
    fn what_comes_back_again_waits_again() {
        let mut redelivery = Redelivery::default();
        redelivery.keep(time(0), CoreIndex(0), 'a');
        assert_eq!(sent(&mut redelivery, 1_000), [(0, 'a')]);
        redelivery.keep(time(1_500), CoreIndex(0), 'a');
        assert_eq!(sent(&mut redelivery, 2_499), []);
        assert_eq!(sent(&mut redelivery, 2_500), [(0, 'a')]);
    }
}
