//! The sending side: reads ahead, sends within the window and settles every transfer exactly once.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;
use vecmap::VecMap;

use super::error::Error;
use super::frame::{CHUNK_FRAME, Frame, Verdict};
use super::pace::Pace;
use super::{BLOCK, ChannelKind, FILE_SLOTS, LONGEST_INLINE, Meta, SLOTS};
use crate::time::Time;

/// How long after the last frame about a transfer the peer is asked for its state.
const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// How long the peer may stay silent while it owes an answer.
pub(super) const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// Blocks in memory: one is sent while the next is read.
const BLOCKS: usize = 2;
/// Bytes of short messages that may await their results.
const MESSAGE_WINDOW: u64 = 2 * LONGEST_INLINE as u64;
/// How often in a row a transfer may be resent without progress.
const MAX_RETRIES: u8 = 16;

/// The local number of a transfer. Numbers ascend in the order of the `sendData()` calls.
pub(super) type Number = u64;

/// The source of a transfer's content.
#[derive(Debug)]
pub(super) enum Body {
    /// In memory.
    Inline(Vec<u8>),
    /// Read block by block.
    Source,
}

/// Outputs of the sender, in order.
pub(super) enum Want {
    Send(ChannelKind, Vec<u8>),
    /// Read this many bytes from this offset, then call [`Outgoing::handle_read`].
    Read {
        number: Number,
        offset: u64,
        length: u64,
    },
    /// More bytes of the transfer were acknowledged.
    Progress(Number),
    /// The transfer ended. Holds the acknowledged bytes and the result.
    Settled(Number, Meta, u64, Result<(), Error>),
}

#[derive(Default)]
pub(super) struct Outgoing {
    /// Transfers that wait for a slot. Messages and files keep their order within each queue.
    messages: VecDeque<Queued>,
    files: VecDeque<Queued>,
    /// Transfers that have a slot.
    transfers: VecMap<Number, Transfer>,
    /// The last id that was used in each slot.
    last_ids: VecMap<u32, u32>,
    /// Blocks of all transfers: the first is being sent, the others are being read.
    blocks: VecDeque<Block>,
    /// The transfer of the last block that was read. The next transfer follows in round robin.
    last_turn: Number,
    pace: Pace,
}

/// A transfer that waits for a slot.
pub(super) struct Queued {
    pub(super) number: Number,
    pub(super) meta: Meta,
    pub(super) body: Body,
}

/// A transfer that has an id.
struct Transfer {
    meta: Meta,
    body: Body,
    id: u32,
    /// When the first OFFER was sent.
    offered_at: Option<Time>,
    /// Why the transfer was cancelled. A CANCEL was sent; the RESULT says whether it arrived in
    /// time.
    cancelled: Option<Error>,
    /// The offset of the next block to read.
    read: u64,
    sent: u64,
    /// The largest value `sent` ever had; a resend lowers `sent`.
    max_sent: u64,
    acknowledged: u64,
    retries: u8,
    ask_at: Time,
    /// The peer may not have received the OFFER; an ASK is pending.
    is_unconfirmed: bool,
}

struct Block {
    transfer: Number,
    offset: u64,
    length: u64,
    /// `None` while the block is being read.
    bytes: Option<Vec<u8>>,
}

/// Limits on sending.
pub(super) struct Room {
    /// Bytes of chunk content that the receiver allows in flight.
    pub(super) window: u64,
    /// Free space in the send buffer of the bulk channel.
    pub(super) buffer: usize,
}

impl Outgoing {
    pub(super) fn push(&mut self, queued: Queued) {
        match queued.body {
            Body::Inline(_) => self.messages.push_back(queued),
            Body::Source => self.files.push_back(queued),
        }
    }

    /// The description and the acknowledged bytes of a transfer.
    pub(super) fn progress(&self, number: Number) -> Option<(&Meta, u64)> {
        self.transfers.get(&number).map(|transfer| (&transfer.meta, transfer.acknowledged))
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let offered = self.transfers.values().filter(|transfer| transfer.offered_at.is_some());
        offered.map(|transfer| transfer.ask_at).min()
    }

    /// A short message arrived. Its RESULT and a reply must not wait behind files.
    pub(super) fn handle_message(&mut self, now: Time) {
        self.pace.handle_message(now);
    }

    /// Sends everything that the limits allow.
    pub(super) fn pump(&mut self, room: &mut Room, now: Time, wants: &mut Vec<Want>) {
        self.open();
        self.send_messages(now, wants);
        self.send_blocks(room, now, wants);
        // After sending, since that frees blocks.
        self.read_ahead(wants);
    }

    /// Assigns free slots to queued transfers, oldest first.
    fn open(&mut self) {
        while self.files.front().is_some()
            && let Some(id) = self.free_id(0..FILE_SLOTS)
        {
            let next = self.files.pop_front();
            self.open_as(id, next);
        }
        while let Some(Queued { meta, .. }) = self.messages.front() {
            let waiting = self.message_bytes();
            if waiting > 0 && waiting.saturating_add(meta.size) > MESSAGE_WINDOW {
                return;
            }
            let Some(id) = self.free_id(FILE_SLOTS..SLOTS) else { return };
            let next = self.messages.pop_front();
            self.open_as(id, next);
        }
    }

    /// The next id of a free slot.
    fn free_id(&self, mut slots: Range<u32>) -> Option<u32> {
        let is_used =
            |slot: u32| self.transfers.values().any(|transfer| transfer.id % SLOTS == slot);
        slots.find_map(|slot| match self.last_ids.get(&slot) {
            _ if is_used(slot) => None,
            Some(last) => last.checked_add(SLOTS),
            None => Some(slot),
        })
    }

    fn open_as(&mut self, id: u32, queued: Option<Queued>) {
        let Some(Queued { number, meta, body }) = queued else { return };
        let transfer = Transfer {
            meta,
            body,
            id,
            offered_at: None,
            cancelled: None,
            read: 0,
            sent: 0,
            max_sent: 0,
            acknowledged: 0,
            retries: 0,
            ask_at: Time::default(),
            is_unconfirmed: false,
        };
        self.last_ids.insert(id % SLOTS, id);
        self.transfers.insert(number, transfer);
    }

    /// Bytes of short messages that await their results.
    fn message_bytes(&self) -> u64 {
        self.sum(|transfer| match transfer.body {
            Body::Inline(_) => transfer.meta.size,
            Body::Source => 0,
        })
    }

    fn sum(&self, of: impl Fn(&Transfer) -> u64) -> u64 {
        self.transfers.values().fold(0, |sum, transfer| sum.saturating_add(of(transfer)))
    }

    fn send_messages(&mut self, now: Time, wants: &mut Vec<Want>) {
        // Earlier messages may have to be resent first, to keep the order.
        if self.transfers.values().any(|transfer| transfer.is_unconfirmed) {
            return;
        }
        for transfer in self.transfers.values_mut() {
            if matches!(transfer.body, Body::Inline(_)) && transfer.offered_at.is_none() {
                self.pace.handle_message(now);
                transfer.offer(now, wants);
            }
        }
    }

    /// Sends blocks as far as the window and the channel's buffer allow.
    fn send_blocks(&mut self, room: &mut Room, now: Time, wants: &mut Vec<Want>) {
        while let Some(Block { transfer: number, offset, bytes: Some(bytes), .. }) =
            self.blocks.front()
        {
            let bytes_in_flight = self.bytes_in_flight();
            let Some(transfer) = self.transfers.get_mut(number) else {
                self.blocks.pop_front();
                continue;
            };
            let begin = transfer.sent.saturating_sub(*offset);
            let begin = usize::try_from(begin).unwrap_or(usize::MAX);
            let rest = bytes.get(begin..).unwrap_or_default();
            let content = rest.get(..self.pace.chunk(now)).unwrap_or(rest);
            if content.is_empty() {
                self.blocks.pop_front();
                continue;
            }
            let length = content.len() as u64;
            let message = content.len().saturating_add(CHUNK_FRAME);
            // One chunk is always allowed, however small the window.
            let window = room.window.min(self.pace.window(now));
            let fits = bytes_in_flight == 0 || bytes_in_flight.saturating_add(length) <= window;
            if !fits || room.buffer < message {
                return;
            }
            if transfer.offered_at.is_none() {
                transfer.offer(now, wants);
            }
            let chunk = Frame::Chunk { id: transfer.id, offset: transfer.sent, content };
            wants.push(Want::Send(ChannelKind::Bulk, chunk.encode()));
            room.buffer = room.buffer.saturating_sub(message);
            transfer.sent = transfer.sent.saturating_add(length);
            transfer.max_sent = transfer.max_sent.max(transfer.sent);
            transfer.ask_at = now + ASK_INTERVAL;
            self.pace.handle_sent(*number, transfer.sent, now);
        }
    }

    /// Bytes of chunk content that were sent and not yet acknowledged.
    fn bytes_in_flight(&self) -> u64 {
        self.sum(|transfer| transfer.sent.saturating_sub(transfer.acknowledged))
    }

    /// Requests the next blocks, one of each open transfer in turn.
    fn read_ahead(&mut self, wants: &mut Vec<Want>) {
        while self.blocks.len() < BLOCKS {
            let wants_more = |(_, transfer): &(&Number, &Transfer)| {
                matches!(transfer.body, Body::Source)
                    && transfer.cancelled.is_none()
                    && transfer.read < transfer.meta.size
            };
            // Round robin, ascending from the last turn.
            let turns = self.transfers.iter().filter(wants_more).map(|(number, _)| *number);
            let next = turns.min_by_key(|number| (*number <= self.last_turn, *number));
            let Some((number, transfer)) =
                next.and_then(|number| Some((number, self.transfers.get_mut(&number)?)))
            else {
                return;
            };
            self.last_turn = number;
            let offset = transfer.read;
            let length = BLOCK.min(transfer.meta.size.saturating_sub(offset));
            transfer.read = offset.saturating_add(length);
            self.blocks.push_back(Block { transfer: number, offset, length, bytes: None });
            wants.push(Want::Read { number, offset, length });
        }
    }

    /// The bytes requested by [`Want::Read`], or the browser's error message.
    pub(super) fn handle_read(
        &mut self,
        number: Number,
        offset: u64,
        result: Result<Vec<u8>, String>,
        now: Time,
        wants: &mut Vec<Want>,
    ) {
        let block =
            self.blocks.iter_mut().find(|block| block.transfer == number && block.offset == offset);
        let Some(block) = block.filter(|block| block.bytes.is_none()) else { return };
        match result {
            Ok(bytes) if bytes.len() as u64 == block.length => block.bytes = Some(bytes),
            Ok(_) => self.cancel(number, Error::Changed, now, wants),
            Err(cause) => self.cancel(number, Error::Unreadable { cause }, now, wants),
        }
    }

    /// Cancels a transfer. Once offered, it ends when the receiver sends its RESULT.
    pub(super) fn cancel(
        &mut self,
        number: Number,
        error: Error,
        now: Time,
        wants: &mut Vec<Want>,
    ) {
        self.blocks.retain(|block| block.transfer != number);
        for queue in [&mut self.messages, &mut self.files] {
            if let Some(at) = queue.iter().position(|queued| queued.number == number)
                && let Some(Queued { meta, .. }) = queue.remove(at)
            {
                return wants.push(Want::Settled(number, meta, 0, Err(error)));
            }
        }
        let Some(transfer) = self.transfers.get_mut(&number) else { return };
        if transfer.cancelled.is_some() {
            return;
        }
        if transfer.offered_at.is_none() {
            return self.settle(number, Err(error), wants);
        }
        wants.push(Want::Send(ChannelKind::Messages, Frame::Cancel { id: transfer.id }.encode()));
        transfer.cancelled = Some(error);
        transfer.ask_at = now + ASK_INTERVAL;
    }

    pub(super) fn handle_ack(
        &mut self,
        id: u32,
        received: u64,
        again: bool,
        now: Time,
        wants: &mut Vec<Want>,
    ) {
        let Some((number, transfer)) = self.open_by_id(id) else { return };
        // An ACK cannot exceed what was sent, and a complete transfer gets a RESULT instead.
        let is_possible = match transfer.body {
            Body::Inline(_) => false,
            Body::Source => received <= transfer.max_sent && received < transfer.meta.size,
        };
        if !is_possible {
            return self.cancel(number, Error::PeerMisbehaved, now, wants);
        }
        transfer.ask_at = now + ASK_INTERVAL;
        if received > transfer.acknowledged {
            transfer.acknowledged = received;
            transfer.retries = 0;
            wants.push(Want::Progress(number));
        }
        let is_behind = again || transfer.sent < transfer.acknowledged;
        self.pace.handle_arrived(number, received, now);
        if is_behind {
            self.go_back(number, now, wants);
        }
    }

    pub(super) fn handle_unknown(&mut self, id: u32, now: Time, wants: &mut Vec<Want>) {
        let Some((number, transfer)) = self.open_by_id(id) else { return };
        // An UNKNOWN after an ACK is late or contradicts it. Repeated contradictions use up the
        // retries.
        if transfer.acknowledged == 0 {
            transfer.offer(now, wants);
        }
        self.go_back(number, now, wants);
    }

    /// The peer may not have received anything yet: sends ASK for all unacknowledged transfers.
    pub(super) fn handle_unseen_hello(&mut self, wants: &mut Vec<Want>) {
        for transfer in self.transfers.values_mut() {
            if transfer.offered_at.is_some() && transfer.acknowledged == 0 {
                // Later messages wait for unconfirmed messages, but not for files.
                let is_message = matches!(transfer.body, Body::Inline(_));
                transfer.is_unconfirmed = is_message && transfer.cancelled.is_none();
                wants.push(transfer.ask(0));
            }
        }
    }

    /// Resends a transfer from the acknowledged position.
    fn go_back(&mut self, number: Number, now: Time, wants: &mut Vec<Want>) {
        self.blocks.retain(|block| block.transfer != number);
        self.pace.forget(number);
        let Some(transfer) = self.transfers.get_mut(&number) else { return };
        transfer.sent = transfer.acknowledged;
        transfer.read = transfer.acknowledged;
        transfer.retries = transfer.retries.saturating_add(1);
        if transfer.retries > MAX_RETRIES {
            self.cancel(number, Error::Damaged, now, wants);
        }
    }

    pub(super) fn handle_result(&mut self, id: u32, verdict: Verdict, wants: &mut Vec<Want>) {
        let is_meant = |transfer: &Transfer| transfer.offered_at.is_some() && transfer.id == id;
        let found = self.transfers.iter_mut().find(|(_, transfer)| is_meant(transfer));
        let Some((number, transfer)) = found else { return };
        let is_sent = match transfer.body {
            Body::Inline(_) => true,
            Body::Source => transfer.max_sent == transfer.meta.size,
        };
        let result = match (verdict, &transfer.cancelled) {
            (Verdict::Received, _) if is_sent => Ok(()),
            // Cancelled in time: report why this side cancelled.
            (Verdict::Received | Verdict::CancelledBySender, Some(error)) => Err(error.clone()),
            (Verdict::Received, None) => Err(Error::PeerMisbehaved),
            (verdict, _) => Err(sender_error(verdict, &transfer.meta)),
        };
        if result.is_ok() {
            transfer.acknowledged = transfer.meta.size;
        }
        let number = *number;
        self.settle(number, result, wants);
    }

    /// Sends ASK for transfers without recent frames. Fails all of them if the peer, last heard at
    /// `heard`, has been silent for too long.
    pub(super) fn handle_timeout(&mut self, heard: Time, now: Time, wants: &mut Vec<Want>) {
        // Silence counts only from the first unanswered OFFER.
        let waits_since = self.transfers.values().filter_map(|transfer| transfer.offered_at).min();
        if waits_since.is_some_and(|since| now.since(since.max(heard)) >= SILENCE_TIMEOUT) {
            return self.close(&Error::PeerSilent, wants);
        }
        for transfer in self.transfers.values_mut() {
            if transfer.offered_at.is_none() || transfer.ask_at > now {
                continue;
            }
            wants.push(transfer.ask(transfer.sent));
            transfer.ask_at = now + ASK_INTERVAL;
        }
    }

    /// Fails all transfers: the open ones, then the queued ones in the order of `sendData()`.
    pub(super) fn close(&mut self, error: &Error, wants: &mut Vec<Want>) {
        self.blocks.clear();
        for (number, transfer) in std::mem::take(&mut self.transfers) {
            let arrived = transfer.acknowledged;
            wants.push(Want::Settled(number, transfer.meta, arrived, Err(error.clone())));
        }
        for Queued { number, meta, .. } in self.take_queued() {
            wants.push(Want::Settled(number, meta, 0, Err(error.clone())));
        }
    }

    /// Removes all queued transfers, in the order of `sendData()`.
    pub(super) fn take_queued(&mut self) -> Vec<Queued> {
        let mut all = Vec::new();
        loop {
            let number = |queue: &VecDeque<Queued>| queue.front().map(|queued| queued.number);
            let next = match (number(&self.messages), number(&self.files)) {
                (Some(message), Some(file)) if message > file => &mut self.files,
                (None, _) => &mut self.files,
                (Some(_), _) => &mut self.messages,
            };
            match next.pop_front() {
                Some(queued) => all.push(queued),
                None => return all,
            }
        }
    }

    fn settle(&mut self, number: Number, result: Result<(), Error>, wants: &mut Vec<Want>) {
        self.blocks.retain(|block| block.transfer != number);
        self.pace.forget(number);
        let arrived = self.progress(number).map_or(0, |(_, arrived)| arrived);
        if let Some(transfer) = self.transfers.remove(&number) {
            wants.push(Want::Settled(number, transfer.meta, arrived, result));
        }
    }

    fn open_by_id(&mut self, id: u32) -> Option<(Number, &mut Transfer)> {
        let mut transfers = self.transfers.iter_mut().map(|(number, transfer)| (*number, transfer));
        let found = transfers.find(|(_, transfer)| {
            transfer.id == id && transfer.offered_at.is_some() && transfer.cancelled.is_none()
        });
        found.map(|(number, transfer)| {
            transfer.is_unconfirmed = false;
            (number, transfer)
        })
    }
}

impl Transfer {
    /// Sends the OFFER, with the content of a message or before the first chunk of a file.
    fn offer(&mut self, now: Time, wants: &mut Vec<Want>) {
        let content = match &self.body {
            Body::Inline(content) => content.as_slice(),
            Body::Source => &[],
        };
        let offer = Frame::Offer { id: self.id, meta: self.meta.clone(), content };
        wants.push(Want::Send(self.channel(), offer.encode()));
        self.offered_at.get_or_insert(now);
        self.ask_at = now + ASK_INTERVAL;
    }

    /// Asks for the state of the transfer after `sent` bytes, or repeats the CANCEL.
    fn ask(&self, sent: u64) -> Want {
        let id = self.id;
        match self.cancelled {
            Some(_) => Want::Send(ChannelKind::Messages, Frame::Cancel { id }.encode()),
            // On the transfer's channel, so that it arrives after the frames it asks about.
            None => Want::Send(self.channel(), Frame::Ask { id, sent }.encode()),
        }
    }

    fn channel(&self) -> ChannelKind {
        match self.body {
            Body::Inline(_) => ChannelKind::Messages,
            Body::Source => ChannelKind::Bulk,
        }
    }
}

/// The sender's error for a verdict of the receiver.
fn sender_error(verdict: Verdict, meta: &Meta) -> Error {
    match verdict {
        Verdict::TypeRefused => Error::TypeRefused { kind: meta.kind.clone() },
        Verdict::TooLarge => Error::TooLargeForPeer { size: meta.size },
        Verdict::CancelledByReceiver => Error::CancelledByPeer,
        Verdict::CancelledBySender => Error::Cancelled,
        Verdict::NotKept => Error::NotKeptByPeer,
        Verdict::Malformed => Error::NotUnderstoodByPeer,
        Verdict::Received | Verdict::Other => Error::NotTakenByPeer,
    }
}
