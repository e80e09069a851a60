//! A command of the page that waits for a handle, or for a request to be sent with one.

use super::Command;

/// How many lost handles a command outlives.
const MOST_LOSSES: u8 = 5;

/// The command, and how many handles were lost while it waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) command: Command,
    losses: u8,
}

impl Waiting {
    pub(crate) fn new(command: Command) -> Self {
        Self { command, losses: 0 }
    }

    /// Counts a handle that was lost or refused. Returns whether that was the last one to wait for.
    pub(crate) fn lose(&mut self) -> bool {
        self.losses = self.losses.saturating_add(1);
        self.losses >= MOST_LOSSES
    }
}
