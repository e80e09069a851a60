//! The state of the long poll: one at a time, always one open, tried again with growing delays when
//! it fails. It makes no request itself.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::Doubt;
use super::http::HttpId;
use crate::signaling::backoff::Backoff;
use crate::signaling::budget::Budget;
use crate::time::Time;
use crate::timer::TimerTable;

/// A poll that is silent for so long is broken: one that the browser repeated takes up to twice the
/// gateway's 30 s. It is given up late, since an event that goes into an aborted poll is lost.
const SILENCE: Duration = Duration::from_secs(65);

/// The pause after a poll that brings nothing new, and at once.
const LULL: Duration = Duration::from_millis(500);

/// How many polls may follow each other at once, and how often one may then. A gateway with much to
/// say puts several events into one answer meanwhile.
const BURST: u32 = 40;
const INTERVAL: Duration = Duration::from_millis(500);

/// How long the gateway keeps a poll that has nothing to bring: Janus 1.1.2 for 30.00 to 30.03 s.
/// Learned where it differs, as behind a slow connection or a proxy.
const TURN: Duration = Duration::from_secs(30);

/// How much later a poll may end that the browser has not repeated: at first, and once the usual
/// time is known.
const SLACK: Duration = Duration::from_millis(1500);
const SMALL_SLACK: Duration = Duration::from_millis(250);

/// So many empty polls of the same length show the gateway's habit.
const HABIT: u8 = 3;

/// How long a poll that follows a refused one must be open to count as accepted.
const PROOF: Duration = Duration::from_millis(500);

/// The poll's deadlines, in the order in which those that are due together fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The poll that follows a refused one has been open for long enough. Set by `handle_present`;
    /// stopped by any answer and any failure.
    Proof,
    /// The poll should have been answered by now. Set by `start`; stopped when the poll ends.
    Overdue,
    /// The poll is dead. Set by `start`; stopped when the poll ends.
    Silence,
    /// The next poll is due. Set when one ends, and moved by `hurry`; stopped by `start`, `suspend`
    /// and `stop`.
    Next,
}

/// The poll that is open, or the pause before the next one.
pub(super) struct Poll {
    state: State,
    health: Health,
    timers: TimerTable<Timer>,
    backoff: Backoff,
    budget: Budget,
    /// The last answer, as a hash.
    last_answer: Option<u64>,
    habit: Habit,
}

#[derive(Clone, Copy)]
enum State {
    Off,
    /// The next poll waits for a token.
    Suspended,
    Waiting {
        http: HttpId,
        since: Time,
    },
    /// [`Timer::Next`] begins the next one.
    Paused,
}

#[derive(Clone, Copy)]
enum Health {
    Good,
    /// Polls are not answered.
    Unanswered {
        since: Time,
    },
    /// Polls are answered wrongly. The next one must be open for a moment before all is well.
    Refused {
        since: Time,
    },
}

/// How a poll failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Unanswered,
    Refused,
}

/// How long empty polls take.
struct Habit {
    usual: Usual,
    /// How long the last empty poll took, and how many in a row took as long.
    streak: Option<(Duration, u8)>,
}

enum Usual {
    /// As Janus 1.1.2 keeps them.
    Assumed,
    Learned(Duration),
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            state: State::Off,
            health: Health::Good,
            timers: TimerTable::default(),
            backoff: Backoff::default(),
            budget: Budget::new(INTERVAL, BURST),
            last_answer: None,
            habit: Habit { usual: Usual::Assumed, streak: None },
        }
    }
}

impl Poll {
    /// A poll was begun.
    pub(super) fn start(&mut self, http: HttpId, now: Time) {
        // The pause has waited for it.
        let _ = self.budget.take(now);
        self.state = State::Waiting { http, since: now };
        self.timers.stop(Timer::Next);
        self.timers.set(Timer::Overdue, self.habit.overdue(now));
        self.timers.set(Timer::Silence, now + SILENCE);
    }

    /// Stops for good. Returns the poll that is open: the caller aborts it.
    pub(super) fn stop(&mut self) -> Option<HttpId> {
        let open = self.http();
        self.state = State::Off;
        self.health = Health::Good;
        self.timers = TimerTable::default();
        self.last_answer = None;
        open
    }

    /// The next poll waits for a token. None may be open.
    pub(super) fn suspend(&mut self) {
        self.end(State::Suspended);
    }

    fn end(&mut self, state: State) {
        self.state = state;
        for timer in [Timer::Overdue, Timer::Silence, Timer::Next] {
            self.timers.stop(timer);
        }
    }

    pub(super) fn is_suspended(&self) -> bool {
        matches!(self.state, State::Suspended)
    }

    /// The poll that is open.
    pub(super) fn http(&self) -> Option<HttpId> {
        match self.state {
            State::Waiting { http, .. } => Some(http),
            State::Off | State::Suspended | State::Paused => None,
        }
    }

    /// Since when the poll that is open waits.
    pub(super) fn waits_since(&self) -> Option<Time> {
        match self.state {
            State::Waiting { since, .. } => Some(since),
            State::Off | State::Suspended | State::Paused => None,
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        !matches!(self.health, Health::Good)
    }

    /// Something came from the gateway. Says whether that ends a failure.
    pub(super) fn recover(&mut self) -> bool {
        let was_failing = self.is_failing();
        self.health = Health::Good;
        self.timers.stop(Timer::Proof);
        was_failing
    }

    /// The gateway is there and knows the session. Says whether that ends a failure: if polls are
    /// refused nevertheless, the next one has to be open for a moment.
    pub(super) fn handle_present(&mut self, now: Time) -> bool {
        if !matches!(self.health, Health::Refused { .. }) {
            return self.recover();
        }
        if self.http().is_some() {
            self.timers.set_once(Timer::Proof, now + PROOF);
        }
        false
    }

    /// There is a reason to believe that the next attempt succeeds: it does not wait.
    pub(super) fn hurry(&mut self, now: Time) {
        if matches!(self.state, State::Paused) {
            self.timers.set(Timer::Next, now);
        }
        self.backoff = Backoff::default();
    }

    /// Judges a poll that brought a `keepalive` and nothing else by the time that it took.
    pub(super) fn judge(&mut self, now: Time) -> Option<Doubt> {
        let took = now.since(self.waits_since()?);
        self.habit.is_robbed(took).then_some(Doubt::Lost)
    }

    /// The poll was answered. The next one is due at once, unless this one was early, and empty or
    /// the same as the one before: a cache on the way (a service worker) would be asked in a loop.
    pub(super) fn handle_answered(&mut self, brought_something: bool, body: &str, now: Time) {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let answer = Some(hasher.finish());
        let is_new = std::mem::replace(&mut self.last_answer, answer) != answer;
        let is_early = self.waits_since().is_some_and(|since| now.since(since) < LULL);
        let pause = if is_early && !(brought_something && is_new) { LULL } else { Duration::ZERO };
        self.end(State::Paused);
        self.timers.set(Timer::Next, (now + pause).max(self.budget.due(now)));
    }

    /// The poll failed. Says whether to try again, which ends after `limit`; `jitter` is random.
    pub(super) fn handle_failed(
        &mut self,
        failure: Failure,
        limit: Duration,
        jitter: u64,
        now: Time,
    ) -> bool {
        let since = match self.health {
            Health::Good => now,
            Health::Unanswered { since } | Health::Refused { since } => since,
        };
        self.health = match failure {
            Failure::Unanswered => Health::Unanswered { since },
            Failure::Refused => Health::Refused { since },
        };
        self.timers.stop(Timer::Proof);
        if now.since(since) >= limit {
            return false;
        }
        self.end(State::Paused);
        self.timers.set(Timer::Next, self.backoff.next(jitter, now));
        true
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Stops a timer that is due, and returns it. To be called until there is none.
    pub(super) fn pop_expired(&mut self, now: Time) -> Option<Timer> {
        self.timers.pop_expired(now)
    }

    /// Whether the next poll is due. Says so once.
    pub(super) fn pop_next(&mut self, now: Time) -> bool {
        let is_due = self.timers.due(Timer::Next).is_some_and(|due| due <= now);
        if is_due {
            self.timers.stop(Timer::Next);
        }
        is_due
    }
}

impl Habit {
    fn usual(&self) -> Duration {
        match self.usual {
            Usual::Assumed => TURN,
            Usual::Learned(usual) => usual,
        }
    }

    /// When a poll that begins then should have been answered.
    fn overdue(&self, begun: Time) -> Time {
        let slack = match self.usual {
            Usual::Learned(usual) if usual >= TURN => SMALL_SLACK,
            Usual::Learned(_) | Usual::Assumed => SLACK,
        };
        begun + self.usual().max(TURN) + slack
    }

    /// Whether an empty poll was so short that another one took the event that woke it.
    fn is_robbed(&mut self, took: Duration) -> bool {
        let times = match self.streak {
            Some((last, times)) if last.abs_diff(took) <= SMALL_SLACK => times.saturating_add(1),
            _ => 1,
        };
        self.streak = Some((took, times));
        if times >= HABIT {
            self.usual = Usual::Learned(took);
            return false;
        }
        took.saturating_add(SMALL_SLACK) < self.usual().min(TURN)
    }
}
