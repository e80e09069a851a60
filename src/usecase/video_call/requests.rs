//! The requests to the plugin that have no known result.

use vecmap::VecMap;

use super::error::Error;
use super::event::Settings;
use crate::signaling::Jsep;
use crate::usecase::{Command, RequestId, Waiting};

/// The maximum of repetitions of a request whose answers are lost while the gateway is in reach.
pub(super) const MOST_REPEATS: u8 = 5;

/// The purpose of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Register,
    List(Waiting),
    Set(Command, Settings),
    Dial,
    Accept,
    HangUp,
    /// A new offer or answer for the existing connection.
    Renegotiate,
    /// The query whether the gateway has us in a call.
    Query,
}

/// A request, with everything that its repetition needs.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) purpose: Purpose,
    pub(super) jsep: Option<Jsep>,
    /// The number of earlier attempts, whose answers were lost.
    repeats: u8,
}

impl Pending {
    /// Whether another attempt is allowed. Without a limit, a gateway that answers everything but
    /// this request would receive it for ever.
    pub(super) fn may_be_repeated(&self) -> bool {
        self.repeats < MOST_REPEATS
    }

    pub(super) fn is_first(&self) -> bool {
        self.repeats == 0
    }
}

/// A request whose answer is lost, so that the gateway may have executed it or not.
#[derive(Debug)]
pub(super) struct Uncertain {
    pub(super) id: RequestId,
    pub(super) pending: Pending,
    pub(super) error: Error,
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    open: VecMap<RequestId, Pending>,
    uncertain: Vec<Uncertain>,
    last: u64,
}

impl Requests {
    /// Registers a request that is about to be sent.
    pub(super) fn open(&mut self, purpose: Purpose, jsep: Option<Jsep>) -> RequestId {
        self.insert(Pending { purpose, jsep, repeats: 0 })
    }

    /// Registers the repetition of a request.
    pub(super) fn reopen(&mut self, pending: &Pending) -> RequestId {
        let Pending { purpose, jsep, repeats } = pending;
        let repeats = repeats.saturating_add(1);
        self.insert(Pending { purpose: *purpose, jsep: jsep.clone(), repeats })
    }

    fn insert(&mut self, pending: Pending) -> RequestId {
        self.last = self.last.saturating_add(1);
        let id = RequestId(self.last);
        self.open.insert(id, pending);
        id
    }

    /// Removes a request that ended.
    pub(super) fn close(&mut self, id: RequestId) -> Option<Pending> {
        self.open.remove(&id)
    }

    /// Keeps a request until we know whether the gateway executed it.
    pub(super) fn put_aside(&mut self, uncertain: Uncertain) {
        self.uncertain.push(uncertain);
    }

    /// Takes the uncertain requests.
    pub(super) fn take_uncertain(&mut self) -> Vec<Uncertain> {
        std::mem::take(&mut self.uncertain)
    }

    pub(super) fn has_uncertain(&self) -> bool {
        !self.uncertain.is_empty()
    }

    /// The plugin executes a handle's requests in order. So every open request before an answered
    /// one has been executed, and its answer is lost. Returns whether there were any.
    pub(super) fn lose_answers_before(&mut self, answered: RequestId) -> bool {
        let (lost, open): (VecMap<_, _>, VecMap<_, _>) =
            std::mem::take(&mut self.open).into_iter().partition(|(id, _)| *id < answered);
        self.open = open;
        let has_lost = !lost.is_empty();
        for (id, pending) in lost {
            self.put_aside(Uncertain { id, pending, error: Error::AnswerLost });
        }
        has_lost
    }

    /// Forgets every request. Returns their purposes.
    pub(super) fn abandon(&mut self) -> Vec<Purpose> {
        let open = std::mem::take(&mut self.open).into_values().map(|pending| pending.purpose);
        let uncertain = self.take_uncertain().into_iter().map(|lost| lost.pending.purpose);
        open.chain(uncertain).collect()
    }
}
