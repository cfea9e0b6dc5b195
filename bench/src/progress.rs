//! How a run is going, for whoever waits for it: a bar on a terminal, a line now and then elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressDisplay {
    /// A bar if standard error is a terminal, else lines.
    #[default]
    Auto,
    /// Nothing.
    Quiet,
}

/// Runs without a terminal are told of in this many lines.
const LINES_PER_RUN: u32 = 4;

/// The display of one run.
#[derive(Debug)]
pub struct Progress {
    name: String,
    total: Duration,
    surface: Surface,
}

#[derive(Debug)]
enum Surface {
    Bar(ProgressBar),
    Lines {
        told: u32,
    },
    /// Lines of a run whose end nobody knows: at one second, and whenever its time has doubled.
    EndlessLines {
        next: Duration,
    },
    None,
}

impl Progress {
    /// Begins to show a run called `name` that is to take `total`; zero if nobody knows how long.
    #[must_use]
    pub fn begin(name: &str, total: Duration, display: ProgressDisplay) -> Self {
        let surface = match display {
            ProgressDisplay::Quiet => Surface::None,
            ProgressDisplay::Auto => {
                let target = ProgressDrawTarget::stderr();
                if target.is_hidden() {
                    match total {
                        Duration::ZERO => Surface::EndlessLines { next: Duration::from_secs(1) },
                        _ => Surface::Lines { told: 0 },
                    }
                } else if total.is_zero() {
                    let bar = ProgressBar::with_draw_target(None, target);
                    let style =
                        ProgressStyle::with_template("{prefix:>8} {spinner} {elapsed} {msg}")
                            .expect("the template is valid; it is a constant");
                    Surface::Bar(bar.with_style(style).with_prefix(name.to_owned()))
                } else {
                    let bar = ProgressBar::with_draw_target(Some(milliseconds(total)), target);
                    let style = ProgressStyle::with_template("{prefix:>8} {bar:32} {msg}")
                        .expect("the template is valid; a test draws with it")
                        .progress_chars("━━─");
                    Surface::Bar(bar.with_style(style).with_prefix(name.to_owned()))
                }
            }
        };
        Self { name: name.to_owned(), total, surface }
    }

    /// Shows that the run has lasted for `elapsed`, and `message`.
    pub fn update(&mut self, elapsed: Duration, message: &str) {
        match &mut self.surface {
            Surface::Bar(bar) => {
                let end = if self.total.is_zero() { elapsed } else { self.total };
                bar.set_position(milliseconds(elapsed.min(end)));
                bar.set_message(message.to_owned());
            }
            Surface::Lines { told } => {
                if elapsed >= self.total * (*told + 1) / LINES_PER_RUN && *told + 1 < LINES_PER_RUN
                {
                    *told += 1;
                    eprintln!("{}: {} s, {message}", self.name, elapsed.as_secs());
                }
            }
            Surface::EndlessLines { next } => {
                if elapsed >= *next {
                    *next = elapsed * 2;
                    eprintln!("{}: {} s, {message}", self.name, elapsed.as_secs());
                }
            }
            Surface::None => {}
        }
    }

    /// Shows that the run is over, and leaves `message` standing.
    pub fn end(self, message: &str) {
        match self.surface {
            Surface::Bar(bar) => {
                bar.set_position(milliseconds(self.total));
                bar.abandon_with_message(message.to_owned());
            }
            Surface::Lines { .. } | Surface::EndlessLines { .. } => {
                eprintln!("{}: done, {message}", self.name)
            }
            Surface::None => {}
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_terminal_is_told_of_a_few_times() {
        let mut progress = Progress {
            name: "run".into(),
            total: Duration::from_secs(10),
            surface: Surface::Lines { told: 0 },
        };
        for second in 0..10 {
            progress.update(Duration::from_secs(second), "");
        }
        assert!(matches!(progress.surface, Surface::Lines { told: 3 }));
    }

    #[test]
    fn a_run_without_a_known_end_is_told_of_ever_more_rarely() {
        let surface = Surface::EndlessLines { next: Duration::from_secs(1) };
        let mut progress = Progress { name: "run".into(), total: Duration::ZERO, surface };
        for (second, next) in [(0, 1), (1, 2), (3, 6), (5, 6), (6, 12)] {
            progress.update(Duration::from_secs(second), "");
            let Surface::EndlessLines { next: planned } = progress.surface else { unreachable!() };
            assert_eq!(planned, Duration::from_secs(next));
        }
    }
}
