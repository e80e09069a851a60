//! Remote candidates that come before their connection.

use crate::signaling::Candidate;

/// The maximum of kept candidates, since a gateway decides how many it sends.
const MOST: usize = 64;

/// Remote candidates that wait for a connection. A gateway may send them before their offer.
#[derive(Default)]
pub struct EarlyCandidates(Vec<Candidate>);

impl EarlyCandidates {
    /// Keeps candidates, up to the maximum.
    pub fn keep(&mut self, candidates: Vec<Candidate>) {
        let room = MOST.saturating_sub(self.0.len());
        self.0.extend(candidates.into_iter().take(room));
    }

    /// Takes the kept candidates.
    pub fn take(&mut self) -> Vec<Candidate> {
        std::mem::take(&mut self.0)
    }
}
