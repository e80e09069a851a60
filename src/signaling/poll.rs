//! The long poll: one at a time, always one open, tried again with growing delays when it fails.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::backoff::Backoff;
use super::budget::Budget;
use super::session::HttpId;
use crate::time::{Time, earliest};

/// What is silent for so long is broken: a poll that was repeated on its way takes up to twice the gateway's
/// 30 s. Such a poll is given up late and not casually: an event given to an aborted poll is lost.
const SILENCE: Duration = Duration::from_secs(65);

/// A poll that brings nothing new, and at once, is not repeated at once.
const LULL: Duration = Duration::from_millis(500);

/// How many polls may follow each other at once, and how often one may then. A gateway with much to say
/// puts several events into one answer meanwhile.
const BURST: u32 = 40;
const INTERVAL: Duration = Duration::from_millis(500);

/// How long the gateway keeps a poll that has nothing to bring: Janus 1.1.2 for 30.00 to 30.03 s. That is
/// learned where it differs, as behind a slow connection or a proxy.
const TURN: Duration = Duration::from_secs(30);

/// How much later a poll may end that has not been repeated on the way: at first, and once the usual time is
/// known.
const SLACK: Duration = Duration::from_millis(1500);
const SMALL_SLACK: Duration = Duration::from_millis(250);

/// So many empty polls of the same length show the gateway's habit.
const HABIT: u8 = 3;

/// How long a poll that follows a refused one is open before it counts as taken.
const PROOF: Duration = Duration::from_millis(500);

/// A sign that an event went into a poll that nobody reads any more, though none has failed.
///
/// Browsers repeat a GET by themselves whose connection, used before, was closed before the first byte of the
/// answer. Janus does not notice, keeps both, and gives the next event to the older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// An event was lost: it woke this poll, and another poll took it.
    Lost,
    /// One may be lost: there was another poll, or an answer is missing.
    Possible,
}

/// The state of the poll.
pub(super) struct Poll {
    state: State,
    /// Since when it fails.
    failing: Option<Time>,
    /// It was not unanswered, but answered wrongly. Then the next one is to be open for a moment before all is
    /// well, and that is the case then.
    is_refused: bool,
    proof: Option<Time>,
    backoff: Backoff,
    budget: Budget,
    /// What the last answer was, as a hash.
    last_answer: Option<u64>,
    /// How long an empty poll usually takes, and whether that has been seen.
    turn: Duration,
    is_learned: bool,
    /// How long the last empty one took, and how many in a row took as long.
    last_turn: (Duration, u8),
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            state: State::Off,
            failing: None,
            is_refused: false,
            proof: None,
            backoff: Backoff::default(),
            budget: Budget::new(INTERVAL, BURST),
            last_answer: None,
            turn: TURN,
            is_learned: false,
            last_turn: (Duration::ZERO, 0),
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
        /// It should have been answered by now.
        is_overdue: bool,
    },
    Paused {
        until: Time,
    },
}

impl Poll {
    pub(super) fn start(&mut self, http: HttpId, now: Time) {
        // `succeeded` and `failed` have waited for it.
        let _ = self.budget.take(now);
        self.state = State::Waiting { http, since: now, is_overdue: false };
    }

    /// Stops; what is under way is for the caller to abort.
    pub(super) fn stop(&mut self) -> Option<HttpId> {
        let under_way = self.http();
        self.state = State::Off;
        (self.failing, self.proof) = (None, None);
        self.last_answer = None;
        under_way
    }

    /// The next one waits for a token. Nothing may be under way.
    pub(super) fn suspend(&mut self) {
        self.state = State::Off;
    }

    pub(super) fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
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

    /// The gateway is there. Says whether that is not enough, since polls are refused though it is.
    pub(super) fn prove(&mut self, now: Time) -> bool {
        let waits = self.is_refused && self.failing.is_some();
        if waits && self.http().is_some() {
            self.proof.get_or_insert(now + PROOF);
        }
        waits
    }

    /// Whether the poll has been open for long enough. Says so once.
    pub(super) fn is_proven(&mut self, now: Time) -> bool {
        self.proof.take_if(|due| *due <= now).is_some()
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

    /// Judges a poll that brought a `keepalive` and nothing else by the time that it took.
    pub(super) fn judge(&mut self, now: Time) -> Option<Doubt> {
        let State::Waiting { since, .. } = self.state else { return None };
        let took = now.since(since);
        let (last, times) = self.last_turn;
        let is_same = times > 0 && last.abs_diff(took) <= SMALL_SLACK;
        self.last_turn = (took, if is_same { times.saturating_add(1) } else { 1 });
        if self.last_turn.1 >= HABIT {
            (self.turn, self.is_learned) = (took, true);
            return None;
        }
        (took.saturating_add(SMALL_SLACK) < self.turn.min(TURN)).then_some(Doubt::Lost)
    }

    /// When a poll that began then should have been answered.
    fn overdue(&self, since: Time) -> Time {
        let slack = if self.is_learned && self.turn >= TURN { SMALL_SLACK } else { SLACK };
        since + self.turn.max(TURN) + slack
    }

    /// Whether the poll should have been answered, and has been repeated, perhaps, or is dead. Says so once.
    pub(super) fn is_overdue(&mut self, now: Time) -> bool {
        let State::Waiting { since, .. } = self.state else { return false };
        let due = self.overdue(since);
        match &mut self.state {
            State::Waiting { is_overdue, .. } if due <= now => !std::mem::replace(is_overdue, true),
            _ => false,
        }
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
    pub(super) fn failed(
        &mut self,
        is_refused: bool,
        limit: Duration,
        jitter: u64,
        now: Time,
    ) -> bool {
        (self.is_refused, self.proof) = (is_refused, None);
        if now.since(*self.failing.get_or_insert(now)) >= limit {
            return false;
        }
        self.state = State::Paused { until: self.backoff.next(jitter, now) };
        true
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let own = match self.state {
            State::Off => None,
            State::Waiting { since, is_overdue: true, .. } => Some(since + SILENCE),
            State::Waiting { since, .. } => Some(self.overdue(since).min(since + SILENCE)),
            State::Paused { until } => Some(until),
        };
        earliest(own, self.proof)
    }
}
