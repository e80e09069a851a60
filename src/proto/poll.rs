//! The long poll: one at a time, always one open, tried again with growing delays when it fails.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::backoff::Backoff;
use super::budget::Budget;
use super::session::HttpId;
use crate::time::Time;

/// The gateway answers a poll within 30 s; what is silent for longer is broken. Such a poll is
/// given up late and not casually: an event given to an aborted poll is lost.
const SILENCE: Duration = Duration::from_secs(45);

/// A poll that brings nothing new, and at once, is not repeated at once.
const LULL: Duration = Duration::from_millis(500);

/// How many polls may follow each other at once, and how often one may then. A gateway with much to say
/// puts several events into one answer meanwhile.
const BURST: u32 = 40;
const INTERVAL: Duration = Duration::from_millis(500);

/// The state of the poll.
pub(super) struct Poll {
    state: State,
    /// Since when it fails.
    failing: Option<Time>,
    backoff: Backoff,
    budget: Budget,
    /// What the last answer was, as a hash.
    last_answer: Option<u64>,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            state: State::Off,
            failing: None,
            backoff: Backoff::default(),
            budget: Budget::new(INTERVAL, BURST),
            last_answer: None,
        }
    }
}

#[derive(Default)]
enum State {
    #[default]
    Off,
    Waiting {
        http: HttpId,
        since: Time,
    },
    Paused {
        until: Time,
    },
}

impl Poll {
    pub(super) fn start(&mut self, http: HttpId, now: Time) {
        // `succeeded` and `failed` have waited for it.
        let _ = self.budget.take(now);
        self.state = State::Waiting { http, since: now };
    }

    /// Stops; what is under way is for the caller to abort.
    pub(super) fn stop(&mut self) -> Option<HttpId> {
        let under_way = self.http();
        self.state = State::Off;
        self.failing = None;
        self.last_answer = None;
        under_way
    }

    pub(super) fn http(&self) -> Option<HttpId> {
        match self.state {
            State::Waiting { http, .. } => Some(http),
            State::Off | State::Paused { .. } => None,
        }
    }

    /// Something came from the gateway. Says whether that is news.
    pub(super) fn heard(&mut self) -> bool {
        self.failing.take().is_some()
    }

    /// Since when the poll that is open waits.
    pub(super) fn waits_since(&self) -> Option<Time> {
        match self.state {
            State::Waiting { since, .. } => Some(since),
            State::Off | State::Paused { .. } => None,
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// There is a reason to believe that the next attempt works: no waiting.
    pub(super) fn hurry(&mut self, now: Time) {
        if let State::Paused { until } = &mut self.state {
            *until = now;
        }
        self.backoff = Backoff::default();
    }

    /// The poll was answered. The next one is due at once, unless this one was early, and empty or the same
    /// as the one before: a cache on the way (a service worker) would be asked in a loop.
    pub(super) fn succeeded(&mut self, brought_something: bool, body: &str, now: Time) {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let answer = Some(hasher.finish());
        let is_new = std::mem::replace(&mut self.last_answer, answer) != answer;
        let early = matches!(self.state, State::Waiting { since, .. } if now.since(since) < LULL);
        let pause = if early && !(brought_something && is_new) { LULL } else { Duration::ZERO };
        self.state = State::Paused { until: (now + pause).max(self.budget.due(now)) };
    }

    /// The poll failed. Says whether it may be tried again; `jitter` is random.
    pub(super) fn failed(&mut self, limit: Duration, jitter: u64, now: Time) -> bool {
        if now.since(*self.failing.get_or_insert(now)) >= limit {
            return false;
        }
        self.state = State::Paused { until: self.backoff.next(jitter, now) };
        true
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Off => None,
            State::Waiting { since, .. } => Some(since + SILENCE),
            State::Paused { until } => Some(until),
        }
    }
}
