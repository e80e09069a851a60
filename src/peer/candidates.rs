//! Remote candidates that came too early.

use crate::signaling::Candidate;

/// The most that are kept: a gateway decides how many it sends.
const MOST: usize = 64;

/// Remote candidates without a connection to give them to. A gateway may send them before the offer
/// that they belong to.
#[derive(Default)]
pub struct EarlyCandidates(Vec<Candidate>);

impl EarlyCandidates {
    /// Keeps candidates, as long as there is room.
    pub fn keep(&mut self, candidates: Vec<Candidate>) {
        let room = MOST.saturating_sub(self.0.len());
        self.0.extend(candidates.into_iter().take(room));
    }

    /// Takes what was kept.
    pub fn take(&mut self) -> Vec<Candidate> {
        std::mem::take(&mut self.0)
    }
}
