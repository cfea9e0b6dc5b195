//! The contract between drivers and apps, checked from between them.
//!
//! [`Checked`] is an app around an app. It holds every event against what the contract allows a driver to
//! say, and every command against what it allows an app to ask for, and panics at the first breach, naming
//! the side at fault. The simulated world puts it around each of its apps; under an engine it turns any
//! end-to-end test into a test of the engine's manners.

mod violation;
mod watch;

use ringyard_runtime::app::{App, Commands, CoreIndex, Event, Now};

pub use violation::Violation;
pub use watch::Watch;

/// An app whose driver, and which itself, is held to the contract.
#[derive(Debug)]
pub struct Checked<A: App> {
    app: A,
    watch: Watch,
    /// What the app left behind, until it has been looked at.
    commands: Commands<A::Mail>,
}

impl<A: App> Checked<A> {
    /// Watches over `app`, which runs on core `core` of `cores`.
    pub fn new(app: A, core: CoreIndex, cores: u16) -> Self {
        Self { app, watch: Watch::new(core, cores), commands: Commands::default() }
    }

    /// The app inside.
    pub fn app(&self) -> &A {
        &self.app
    }

    /// What is known of the two sides, for checks at the end of a test.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl<A: App> App for Checked<A> {
    type Mail = A::Mail;

    /// # Panics
    ///
    /// If the driver or the app breaks the contract.
    fn on_event(&mut self, now: Now, event: Event<'_, A::Mail>, commands: &mut Commands<A::Mail>) {
        let Self { app, watch, commands: inner } = self;
        let check = |result: Result<(), Violation>| {
            if let Err(violation) = result {
                panic!("at {}: {violation}", now.time);
            }
        };
        check(watch.event(now, &event, commands));
        inner.set_deadline(commands.deadline());
        app.on_event(now, event, inner);
        inner.take(|command, bytes| {
            check(watch.command(&command));
            watch::pass_on(command, bytes, commands);
        });
        check(watch.deadline_left(inner.deadline()));
        commands.set_deadline(inner.deadline());
    }
}
