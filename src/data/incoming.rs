//! The receiving side: takes what comes in order, acknowledges it, refuses what is not wanted.
//!
//! It keeps no content, no timer and no more than [`SLOTS`] entries, whatever a sender does.

use vecmap::VecMap;

use super::frame::{Frame, Verdict};
use super::policy::clean_filename;
use super::{ACK_EVERY, LEAST_CHUNK, Meta, SLOTS};
use crate::data::Policy;

/// What the receiver wants done, in this order.
pub(super) enum Want {
    /// Send this.
    Answer(Frame<'static>),
    /// These bytes go at the end of what is kept for the transfer.
    Keep(u32, Vec<u8>),
    /// The transfer is whole: give it to the page, then say so by [`Incoming::handle_delivered`].
    Deliver(u32, Meta, Content),
    /// What is kept for the transfer is not wanted any more; for whom, and why.
    Drop(u32, Meta, u64, Verdict),
    /// A transfer was refused before anything of it was kept.
    Refused(Meta, Verdict),
    /// So much of the transfer is here.
    Progress(u32),
    /// A line for the log: the other side did something odd.
    Odd(&'static str),
}

/// The content of a transfer that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text that came in one message.
    Text(String),
    /// It is all kept.
    Kept,
}

#[derive(Default)]
pub(super) struct Incoming {
    slots: VecMap<u32, Slot>,
}

/// The newest transfer of a slot. What became of it is kept until the sender uses the slot again, which
/// says that it knows: so an offer that is repeated is answered, and never delivered twice.
struct Slot {
    id: u32,
    state: State,
}

enum State {
    Receiving {
        meta: Meta,
        received: u64,
        unacknowledged: u32,
        /// The sender was asked to go back, and has not done so yet.
        asked_again: bool,
    },
    Delivering {
        meta: Meta,
    },
    Ended(Verdict),
}

impl Incoming {
    /// A transfer that is being received, and how far.
    pub(super) fn progress(&self, id: u32) -> Option<(&Meta, u64)> {
        match &self.slot(id)?.state {
            State::Receiving { meta, received, .. } => Some((meta, *received)),
            State::Delivering { meta } => Some((meta, meta.size)),
            State::Ended(_) => None,
        }
    }

    pub(super) fn handle_offer(
        &mut self,
        id: u32,
        mut meta: Meta,
        content: &[u8],
        policy: &Policy,
        wants: &mut Vec<Want>,
    ) {
        if self.is_past(id) {
            return answer_past(id, wants);
        }
        if let Some(slot) = self.slot(id) {
            return answer_repeated(slot, wants);
        }
        self.abandon(slot_of(id), wants);
        meta.filename = meta.filename.as_deref().and_then(clean_filename);
        if let Err(verdict) = policy.judge(&meta) {
            wants.push(Want::Refused(meta, verdict));
            return self.end(id, verdict, wants);
        }
        let state = if content.len() as u64 != meta.size {
            let (received, unacknowledged, asked_again) = (0, 0, false);
            State::Receiving { meta, received, unacknowledged, asked_again }
        } else if !meta.is_text {
            if !content.is_empty() {
                wants.push(Want::Keep(id, content.to_vec()));
            }
            wants.push(Want::Deliver(id, meta.clone(), Content::Kept));
            State::Delivering { meta }
        } else if let Ok(text) = std::str::from_utf8(content) {
            wants.push(Want::Deliver(id, meta.clone(), Content::Text(text.to_owned())));
            State::Delivering { meta }
        } else {
            return self.end(id, Verdict::Malformed, wants);
        };
        // Last, so that they stand in the order in which they began.
        self.slots.remove(&slot_of(id));
        self.slots.insert(slot_of(id), Slot { id, state });
    }

    pub(super) fn handle_chunk(
        &mut self,
        id: u32,
        offset: u64,
        content: &[u8],
        wants: &mut Vec<Want>,
    ) {
        let Some(Slot { state, .. }) = self.slot_mut(id) else {
            return wants.push(Want::Odd("a chunk of an unknown transfer was dropped"));
        };
        let State::Receiving { meta, received, unacknowledged, asked_again } = state else {
            return;
        };
        let end = offset.saturating_add(content.len() as u64);
        // Crumbs would cost the page many times what they hold.
        let is_crumb = content.len() < LEAST_CHUNK && end < meta.size;
        if end > meta.size || is_crumb {
            return self.fail(id, Verdict::Malformed, wants);
        }
        if offset < *received {
            return wants.push(Want::Odd("a chunk that had come already was dropped"));
        }
        if offset > *received {
            // Once is enough: what is on its way meanwhile is no news.
            if !std::mem::replace(asked_again, true) {
                *unacknowledged = 0;
                wants.push(Want::Answer(Frame::Ack { id, received: *received, again: true }));
            }
            return wants.push(Want::Odd("a chunk is missing: asked for it again"));
        }
        *asked_again = false;
        *received = end;
        *unacknowledged = unacknowledged.saturating_add(content.len() as u32);
        let whole = end == meta.size;
        let acknowledge = *unacknowledged >= ACK_EVERY && !whole;
        if acknowledge {
            *unacknowledged = 0;
        }
        wants.push(Want::Keep(id, content.to_vec()));
        wants.push(Want::Progress(id));
        if acknowledge {
            wants.push(Want::Answer(Frame::Ack { id, received: end, again: false }));
        }
        if whole {
            let meta = meta.clone();
            *state = State::Delivering { meta: meta.clone() };
            wants.push(Want::Deliver(id, meta, Content::Kept));
        }
    }

    pub(super) fn handle_ask(&mut self, id: u32, sent: u64, wants: &mut Vec<Want>) {
        if self.is_past(id) {
            return answer_past(id, wants);
        }
        match self.slot_mut(id) {
            Some(Slot { state: State::Receiving { received, asked_again, .. }, .. }) => {
                // What was sent before the question comes before it.
                let again = *received < sent;
                *asked_again = again;
                wants.push(Want::Answer(Frame::Ack { id, received: *received, again }));
            }
            Some(slot) => answer_repeated(slot, wants),
            None => wants.push(Want::Answer(Frame::Unknown { id })),
        }
    }

    pub(super) fn handle_cancel(&mut self, id: u32, wants: &mut Vec<Want>) {
        if self.is_past(id) {
            return answer_past(id, wants);
        }
        match self.slot(id) {
            Some(Slot { state: State::Receiving { .. }, .. }) => {
                self.fail(id, Verdict::CancelledBySender, wants);
            }
            // Too late: it is whole, or ended otherwise.
            Some(slot) => answer_repeated(slot, wants),
            // Its offer may yet come.
            None => {
                self.abandon(slot_of(id), wants);
                self.end(id, Verdict::CancelledBySender, wants);
            }
        }
    }

    /// The page has it, or it could not be kept.
    pub(super) fn handle_delivered(&mut self, id: u32, kept: bool, wants: &mut Vec<Want>) {
        match self.slot(id) {
            Some(Slot { state: State::Delivering { .. }, .. }) if kept => {
                self.end(id, Verdict::Received, wants);
            }
            Some(Slot { state: State::Delivering { .. } | State::Receiving { .. }, .. }) => {
                self.fail(id, Verdict::NotKept, wants);
            }
            _ => {}
        }
    }

    /// The page does not want the rest of it. What is whole is not taken back.
    pub(super) fn cancel(&mut self, id: u32, wants: &mut Vec<Want>) {
        if let Some(Slot { state: State::Receiving { .. }, .. }) = self.slot(id) {
            self.fail(id, Verdict::CancelledByReceiver, wants);
        }
    }

    /// Every transfer that is not whole, at the end of the link.
    pub(super) fn close(&mut self, wants: &mut Vec<Want>) {
        for slot in std::mem::take(&mut self.slots).into_values() {
            if let State::Receiving { meta, received, .. } = slot.state {
                wants.push(Want::Drop(slot.id, meta, received, Verdict::Other));
            }
        }
    }

    /// Ends a transfer of which something may be kept.
    fn fail(&mut self, id: u32, verdict: Verdict, wants: &mut Vec<Want>) {
        if let Some((meta, received)) = self.progress(id) {
            wants.push(Want::Drop(id, meta.clone(), received, verdict));
        }
        self.end(id, verdict, wants);
    }

    fn end(&mut self, id: u32, verdict: Verdict, wants: &mut Vec<Want>) {
        self.slots.insert(slot_of(id), Slot { id, state: State::Ended(verdict) });
        wants.push(Want::Answer(Frame::Result { id, verdict }));
    }

    /// The sender uses the slot for something else: what was open in it never comes to its end.
    fn abandon(&mut self, slot: u32, wants: &mut Vec<Want>) {
        if let Some(Slot { id, state: State::Receiving { meta, received, .. } }) =
            self.slots.remove(&slot)
        {
            wants.push(Want::Odd("a transfer was left in the middle for another in its slot"));
            wants.push(Want::Drop(id, meta, received, Verdict::Malformed));
        }
    }

    /// Whether the sender has used the transfer's slot again.
    fn is_past(&self, id: u32) -> bool {
        self.slots.get(&slot_of(id)).is_some_and(|slot| slot.id > id)
    }

    fn slot(&self, id: u32) -> Option<&Slot> {
        self.slots.get(&slot_of(id)).filter(|slot| slot.id == id)
    }

    fn slot_mut(&mut self, id: u32) -> Option<&mut Slot> {
        self.slots.get_mut(&slot_of(id)).filter(|slot| slot.id == id)
    }
}

fn slot_of(id: u32) -> u32 {
    id % SLOTS
}

/// Says again what is known of a transfer.
fn answer_repeated(slot: &Slot, wants: &mut Vec<Want>) {
    let id = slot.id;
    match &slot.state {
        State::Receiving { received, .. } => {
            wants.push(Want::Answer(Frame::Ack { id, received: *received, again: false }));
        }
        // The result follows.
        State::Delivering { .. } => {}
        State::Ended(verdict) => wants.push(Want::Answer(Frame::Result { id, verdict: *verdict })),
    }
}

/// Whoever uses a slot again knows how its last transfer ended; or broke the protocol, and is told.
fn answer_past(id: u32, wants: &mut Vec<Want>) {
    wants.push(Want::Odd("a question came about a transfer whose slot was used again"));
    wants.push(Want::Answer(Frame::Result { id, verdict: Verdict::Malformed }));
}
