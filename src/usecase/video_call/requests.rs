//! Requests to the plugin that are not known to have ended.

use vecmap::VecMap;

use super::error::Error;
use super::event::Settings;
use crate::signaling::Jsep;
use crate::usecase::{Command, RequestId, Waiting};

/// How often a request is repeated whose answers are lost, though the gateway is in reach.
pub(super) const MOST_REPEATS: u8 = 5;

/// What a request is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Register,
    List(Waiting),
    Set(Command, Settings),
    Dial,
    Accept,
    HangUp,
    /// A new offer or answer on the connection that is there.
    Renegotiate,
    /// Whether the gateway has us in a call.
    Query,
}

/// A request, with all that is needed to repeat it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) purpose: Purpose,
    pub(super) jsep: Option<Jsep>,
    /// How often it was sent before without an answer.
    repeats: u8,
}

impl Pending {
    /// A gateway that answers everything but this is not asked for ever.
    pub(super) fn may_be_repeated(&self) -> bool {
        self.repeats < MOST_REPEATS
    }

    pub(super) fn is_first(&self) -> bool {
        self.repeats == 0
    }
}

/// A request that the gateway may have done, or not, and why that is not known.
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
    /// Notes a request that is about to be sent.
    pub(super) fn open(&mut self, purpose: Purpose, jsep: Option<Jsep>) -> RequestId {
        self.insert(Pending { purpose, jsep, repeats: 0 })
    }

    /// Notes that a request is about to be sent again.
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

    /// An open request ended.
    pub(super) fn close(&mut self, id: RequestId) -> Option<Pending> {
        self.open.remove(&id)
    }

    /// Puts a request aside until it is known whether the gateway did it.
    pub(super) fn put_aside(&mut self, uncertain: Uncertain) {
        self.uncertain.push(uncertain);
    }

    /// Takes what was put aside, to look at each.
    pub(super) fn take_uncertain(&mut self) -> Vec<Uncertain> {
        std::mem::take(&mut self.uncertain)
    }

    pub(super) fn has_uncertain(&self) -> bool {
        !self.uncertain.is_empty()
    }

    /// The plugin does one request after the other: it has done all that were sent before one that is
    /// answered, and their answers are lost. Returns whether there were any.
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

    /// Forgets every request. Returns what they were for.
    pub(super) fn abandon(&mut self) -> Vec<Purpose> {
        let open = std::mem::take(&mut self.open).into_values().map(|pending| pending.purpose);
        let uncertain = self.take_uncertain().into_iter().map(|lost| lost.pending.purpose);
        open.chain(uncertain).collect()
    }
}
