//! A command of the page that needs a handle, and waits if there is none.

use super::Command;

/// A command fails when it loses this many handles.
const MOST_LOSSES: u8 = 5;

/// A command and the number of handles that were lost while it waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) command: Command,
    losses: u8,
}

impl Waiting {
    pub(crate) fn new(command: Command) -> Self {
        Self { command, losses: 0 }
    }

    /// Counts a lost handle. Returns whether the command has failed by it.
    pub(crate) fn lose(&mut self) -> bool {
        self.losses = self.losses.saturating_add(1);
        self.losses >= MOST_LOSSES
    }
}
