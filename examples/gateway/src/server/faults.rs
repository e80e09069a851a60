//! Faults on demand for tests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

/// A fault of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// This status with an empty body; the request is not looked at.
    Status(u16),
    /// Status 429 with a `Retry-After` of this many seconds; the request is not looked at.
    RetryAfter(u64),
    /// Status 200 with this body; the request is not looked at.
    Body(String),
    /// A proxy's error page: status 502 with HTML; the request is not looked at.
    Html502,
    /// Status 200 with an empty body; the request is not looked at.
    Empty,
    /// Status 200 with bytes that are no UTF-8; the request is not looked at.
    Garbage,
    /// Status 200 with the beginning of an array and then this many spaces; the request is not
    /// looked at.
    Huge(u64),
    /// The first half of the true answer, then the connection closes.
    HalfBody,
    /// The true answer: its head at once, and then a few bytes each time this long has passed.
    Drip(Duration),
    /// The request is done, but its answer never comes.
    Hang,
    /// Nothing is looked at and nothing answered until the faults are [cleared](Faults::clear),
    /// then all is as it should be: a gateway that was stopped and goes on.
    Stall,
    /// The connection closes without an answer; the request is not looked at.
    CloseConnection,
    /// All as it should be, this much later.
    Delay(Duration),
    /// A poll's events are lost: it is answered as if there had been none. A POST is not changed.
    DropEvents,
    /// Each of a poll's events comes twice in a row. A POST is not changed.
    RepeatEvents,
    /// A poll's events come once more, as the answer to the session's next poll. A POST is not
    /// changed.
    RepeatEventsLater,
    /// A poll is answered only with two events or more, in reverse order. A POST is not changed.
    ReverseEvents,
    /// The session in the path is destroyed first, as if its time were over.
    ForgetSession,
    /// All sessions are dropped first, as by a restart of the gateway, without notification.
    ForgetAll,
}

/// A cloneable handle to a server's faults. Initially there are none.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    set: Arc<Mutex<Set>>,
    cleared: Arc<Notify>,
    /// The user whose requests meet the faults set through this handle; everybody if `None`.
    user: Option<String>,
}

#[derive(Debug, Default)]
struct Set {
    posts: VecDeque<Rule<Fault>>,
    polls: VecDeque<Rule<Fault>>,
    all: Vec<Rule<Fault>>,
    /// Names of events whose next occurrence is dropped.
    lost: Vec<Rule<String>>,
    /// Events to repeat in the next poll of this session.
    again: Vec<(String, Vec<Value>)>,
}

/// A fault and its user: everybody if there is no user.
#[derive(Debug)]
struct Rule<T> {
    user: Option<String>,
    what: T,
}

impl Faults {
    /// A handle whose faults only apply to the user with this name, and wait for that user's
    /// request.
    #[must_use]
    pub fn of(&self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self.clone() }
    }

    /// The next POST meets this fault; several faults are met in order.
    pub fn next_post(&self, fault: Fault) {
        self.with(|set| set.posts.push_back(self.rule(fault)));
    }

    /// The next poll meets this fault; several faults are met in order.
    pub fn next_poll(&self, fault: Fault) {
        self.with(|set| set.polls.push_back(self.rule(fault)));
    }

    /// Every request meets this fault until [`clear`](Self::clear), unless a fault for the next one
    /// is pending.
    pub fn all(&self, fault: Fault) {
        self.with(|set| set.all.push(self.rule(fault)));
    }

    /// Drops the next event of this name: the plugin's event name ("accepted", "list", "error"), or
    /// else the core's word ("hangup", which is also a plugin event: whichever comes first).
    pub fn lose_event(&self, name: &str) {
        self.with(|set| set.lost.push(self.rule(name.to_owned())));
    }

    /// Removes all faults, for everybody.
    pub fn clear(&self) {
        self.with(|set| *set = Set::default());
        self.cleared.notify_waiters();
    }

    /// Whether no fault for a next request and no event drop is pending.
    #[must_use]
    pub fn are_met(&self) -> bool {
        self.with(|set| {
            set.posts.is_empty()
                && set.polls.is_empty()
                && set.lost.is_empty()
                && set.again.is_empty()
        })
    }

    pub(super) fn for_post(&self, user: Option<&str>) -> Option<Fault> {
        self.with(|set| take(&mut set.posts, user).or_else(|| set.lasting(user)))
    }

    pub(super) fn for_poll(&self, user: Option<&str>) -> Option<Fault> {
        self.with(|set| take(&mut set.polls, user).or_else(|| set.lasting(user)))
    }

    /// Whether this event is to be dropped. Consumes the request.
    pub(super) fn loses(&self, event: &Value, user: Option<&str>) -> bool {
        let name = event_name(event);
        self.with(|set| {
            let found = set.lost.iter().position(|rule| rule.what == name && rule.is_for(user));
            found.map(|index| set.lost.remove(index)).is_some()
        })
    }

    pub(super) fn say_again(&self, session: &str, events: Vec<Value>) {
        self.with(|set| set.again.push((session.to_owned(), events)));
    }

    pub(super) fn said_again(&self, session: &str) -> Option<Vec<Value>> {
        self.with(|set| {
            let found = set.again.iter().position(|(of, _)| of == session)?;
            Some(set.again.remove(found).1)
        })
    }

    /// Waits while this user's requests are held.
    pub(super) async fn while_stalled(&self, user: Option<&str>) {
        loop {
            let cleared = self.cleared.notified();
            if self.with(|set| set.lasting(user)) != Some(Fault::Stall) {
                return;
            }
            cleared.await;
        }
    }

    fn rule<T>(&self, what: T) -> Rule<T> {
        Rule { user: self.user.clone(), what }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Set) -> T) -> T {
        act(&mut self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Set {
    /// The fault that lasts, the newest if there are many.
    fn lasting(&self, user: Option<&str>) -> Option<Fault> {
        self.all.iter().rfind(|rule| rule.is_for(user)).map(|rule| rule.what.clone())
    }
}

impl<T> Rule<T> {
    fn is_for(&self, user: Option<&str>) -> bool {
        self.user.is_none() || self.user.as_deref() == user
    }
}

fn take(rules: &mut VecDeque<Rule<Fault>>, user: Option<&str>) -> Option<Fault> {
    let found = rules.iter().position(|rule| rule.is_for(user))?;
    rules.remove(found).map(|rule| rule.what)
}

fn event_name(event: &Value) -> &str {
    let core = event.get("janus").and_then(Value::as_str).unwrap_or_default();
    let Some(data) = event.pointer("/plugindata/data") else { return core };
    if data.get("error_code").is_some() {
        return "error";
    }
    data.pointer("/result/event").and_then(Value::as_str).unwrap_or("list")
}
