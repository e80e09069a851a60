//! The receiving side: accepts chunks in order, acknowledges them and refuses unwanted transfers.
//!
//! It stores no content, needs no timer and holds at most [`SLOTS`] entries, whatever the sender
//! does.

use vecmap::VecMap;

use super::frame::{Frame, Verdict};
use super::policy::clean_filename;
use super::{ACK_EVERY, MIN_CHUNK, Meta, SLOTS};
use crate::data::Policy;

/// Outputs of the receiver, in order.
pub(super) enum Want {
    /// Send this frame.
    Answer(Frame<'static>),
    /// Append these bytes to the stored content of the transfer.
    Keep(u32, Vec<u8>),
    /// The transfer is complete: deliver it to the page, then call [`Incoming::handle_delivered`].
    Deliver(u32, Meta, Content),
    /// The transfer failed: discard its stored content. Holds the received bytes and the verdict.
    Drop(u32, Meta, u64, Verdict),
    /// A transfer was refused before any content was stored.
    Refused(Meta, Verdict),
    /// More bytes of the transfer have arrived.
    Progress(u32),
    /// A log line about unexpected behaviour of the peer.
    Log(&'static str),
}

/// The content of a complete transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text that arrived in one message.
    Text(String),
    /// All content is stored (see [`Output::Keep`](super::Output::Keep)).
    Kept,
}

#[derive(Default)]
pub(super) struct Incoming {
    slots: VecMap<u32, Slot>,
}

/// The newest transfer of a slot. Its outcome is kept until the sender reuses the slot, which
/// implies that the sender knows the outcome. So a repeated OFFER is answered but never delivered
/// twice.
struct Slot {
    id: u32,
    state: State,
}

enum State {
    Receiving {
        meta: Meta,
        received: u64,
        unacknowledged: u32,
        /// A resend was requested and has not begun yet.
        resend_requested: bool,
    },
    Delivering {
        meta: Meta,
    },
    Ended(Verdict),
}

impl Incoming {
    /// The description and the received bytes of an open transfer.
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
        if self.is_slot_reused(id) {
            return reject_reused_slot(id, wants);
        }
        if let Some(slot) = self.slot(id) {
            return repeat_answer(slot, wants);
        }
        self.abandon(slot_of(id), wants);
        meta.filename = meta.filename.as_deref().and_then(clean_filename);
        if let Err(verdict) = policy.judge(&meta) {
            wants.push(Want::Refused(meta, verdict));
            return self.end(id, verdict, wants);
        }
        let state = if content.len() as u64 != meta.size {
            let (received, unacknowledged, resend_requested) = (0, 0, false);
            State::Receiving { meta, received, unacknowledged, resend_requested }
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
        // Reinserted, so that the slots keep the order in which their transfers began.
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
            return wants.push(Want::Log("a chunk of an unknown transfer was dropped"));
        };
        let State::Receiving { meta, received, unacknowledged, resend_requested } = state else {
            return;
        };
        let end = offset.saturating_add(content.len() as u64);
        // The overhead of tiny chunks would be many times their content.
        let is_undersized = content.len() < MIN_CHUNK && end < meta.size;
        if end > meta.size || is_undersized {
            return self.fail(id, Verdict::Malformed, wants);
        }
        if offset < *received {
            return wants.push(Want::Log("a chunk that had come already was dropped"));
        }
        if offset > *received {
            // Requested once only: later chunks that were already in flight show the same gap.
            if !std::mem::replace(resend_requested, true) {
                *unacknowledged = 0;
                wants.push(Want::Answer(Frame::Ack { id, received: *received, again: true }));
            }
            return wants.push(Want::Log("a chunk is missing: asked for it again"));
        }
        *resend_requested = false;
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
        if self.is_slot_reused(id) {
            return reject_reused_slot(id, wants);
        }
        match self.slot_mut(id) {
            Some(Slot { state: State::Receiving { received, resend_requested, .. }, .. }) => {
                // The channel is ordered, so everything sent before the ASK has arrived or is lost.
                let again = *received < sent;
                *resend_requested = again;
                wants.push(Want::Answer(Frame::Ack { id, received: *received, again }));
            }
            Some(slot) => repeat_answer(slot, wants),
            None => wants.push(Want::Answer(Frame::Unknown { id })),
        }
    }

    pub(super) fn handle_cancel(&mut self, id: u32, wants: &mut Vec<Want>) {
        if self.is_slot_reused(id) {
            return reject_reused_slot(id, wants);
        }
        match self.slot(id) {
            Some(Slot { state: State::Receiving { .. }, .. }) => {
                self.fail(id, Verdict::CancelledBySender, wants);
            }
            // Too late: the transfer is complete or has ended.
            Some(slot) => repeat_answer(slot, wants),
            // The OFFER may still arrive; it must not start the transfer.
            None => {
                self.abandon(slot_of(id), wants);
                self.end(id, Verdict::CancelledBySender, wants);
            }
        }
    }

    /// The page has the content, or it could not be stored.
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

    /// The page cancels a transfer. Does nothing once the transfer is complete.
    pub(super) fn cancel(&mut self, id: u32, wants: &mut Vec<Want>) {
        if let Some(Slot { state: State::Receiving { .. }, .. }) = self.slot(id) {
            self.fail(id, Verdict::CancelledByReceiver, wants);
        }
    }

    /// Fails every incomplete transfer when the link ends.
    pub(super) fn close(&mut self, wants: &mut Vec<Want>) {
        for slot in std::mem::take(&mut self.slots).into_values() {
            if let State::Receiving { meta, received, .. } = slot.state {
                wants.push(Want::Drop(slot.id, meta, received, Verdict::Other));
            }
        }
    }

    /// Ends a transfer that may have stored content.
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

    /// The sender reused the slot for another transfer: fails the one that was open in it.
    fn abandon(&mut self, slot: u32, wants: &mut Vec<Want>) {
        if let Some(Slot { id, state: State::Receiving { meta, received, .. } }) =
            self.slots.remove(&slot)
        {
            wants.push(Want::Log("a transfer was left in the middle for another in its slot"));
            wants.push(Want::Drop(id, meta, received, Verdict::Malformed));
        }
    }

    /// Whether the sender has reused the slot of the transfer.
    fn is_slot_reused(&self, id: u32) -> bool {
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

/// Repeats the latest answer about a transfer.
fn repeat_answer(slot: &Slot, wants: &mut Vec<Want>) {
    let id = slot.id;
    match &slot.state {
        State::Receiving { received, .. } => {
            wants.push(Want::Answer(Frame::Ack { id, received: *received, again: false }));
        }
        // The result follows after delivery.
        State::Delivering { .. } => {}
        State::Ended(verdict) => wants.push(Want::Answer(Frame::Result { id, verdict: *verdict })),
    }
}

/// A sender may reuse a slot only once it knows how the previous transfer ended. One that still
/// asks about the previous transfer has violated the protocol.
fn reject_reused_slot(id: u32, wants: &mut Vec<Want>) {
    wants.push(Want::Log("a question came about a transfer whose slot was used again"));
    wants.push(Want::Answer(Frame::Result { id, verdict: Verdict::Malformed }));
}
