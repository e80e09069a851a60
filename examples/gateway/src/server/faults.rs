//! Faults on demand: what a test tells the gateway to do wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One way to answer wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// This status with an empty body; the request is not looked at.
    Status(u16),
    /// Status 200 with this body; the request is not looked at.
    Body(String),
    /// A proxy's error page: status 502 with HTML; the request is not looked at.
    Html502,
    /// Status 200 with an empty body; the request is not looked at.
    Empty,
    /// The first half of the true answer, then the connection closes.
    HalfBody,
    /// The request is done, but its answer never comes.
    Hang,
    /// The connection closes without an answer; the request is not looked at.
    CloseConnection,
    /// All as it should be, this much later.
    Delay(Duration),
    /// A poll's events are lost: it is answered as if there had been none. A POST is not changed.
    DropEvents,
    /// The session in the path is destroyed first, as by a restart of the gateway.
    ForgetSession,
}

/// A cloneable handle to a server's faults. None is set at first.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    set: Arc<Mutex<Set>>,
}

#[derive(Debug, Default)]
struct Set {
    posts: VecDeque<Fault>,
    polls: VecDeque<Fault>,
    all: Option<Fault>,
}

impl Faults {
    /// The next POST that comes meets this fault; more than one are met in order.
    pub fn next_post(&self, fault: Fault) {
        self.with(|set| set.posts.push_back(fault));
    }

    /// The next poll that comes meets this fault; more than one are met in order.
    pub fn next_poll(&self, fault: Fault) {
        self.with(|set| set.polls.push_back(fault));
    }

    /// Every request meets this fault until [`clear`](Self::clear), unless a fault for the next is waiting.
    pub fn all(&self, fault: Fault) {
        self.with(|set| set.all = Some(fault));
    }

    /// From now on all is as it should be.
    pub fn clear(&self) {
        self.with(|set| *set = Set::default());
    }

    pub(super) fn for_post(&self) -> Option<Fault> {
        self.with(|set| set.posts.pop_front().or_else(|| set.all.clone()))
    }

    pub(super) fn for_poll(&self) -> Option<Fault> {
        self.with(|set| set.polls.pop_front().or_else(|| set.all.clone()))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Set) -> T) -> T {
        act(&mut self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
