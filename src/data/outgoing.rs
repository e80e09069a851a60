//! The sending side: reads ahead, sends what the window allows, and settles every transfer once.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;
use vecmap::VecMap;

use super::error::Error;
use super::frame::{CHUNK_FRAME, Frame, Verdict};
use super::pace::Pace;
use super::{BLOCK, FILE_SLOTS, LONGEST_INLINE, Lane, Meta, SLOTS};
use crate::time::Time;

/// How long a transfer may be without news before the other side is asked.
const ASK: Duration = Duration::from_secs(5);
/// How long nothing at all may come from the other side while something is asked of it.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// How many blocks are read ahead of what is being sent: one is sent while the next is read.
const BLOCKS: usize = 2;
/// How many bytes of short messages may wait for their results.
const MESSAGE_WINDOW: u64 = 2 * LONGEST_INLINE as u64;
/// How often in a row a transfer may be sent again from a place without getting past it.
const MOST_RETRIES: u8 = 16;

/// Names a transfer in this side's own words, in the order of `sendData()`.
pub(super) type Number = u64;

/// Where the content of a transfer comes from.
#[derive(Debug)]
pub(super) enum Body {
    /// Here.
    Inline(Vec<u8>),
    /// It is read, a block at a time.
    Source,
}

/// What the sender wants done, in this order.
pub(super) enum Want {
    Send(Lane, Vec<u8>),
    /// Read so many bytes from there; then [`Outgoing::handle_read`].
    Read(Number, u64, u64),
    /// So much of the transfer has arrived.
    Progress(Number),
    /// The transfer ended; so much of it had arrived.
    Settled(Number, Meta, u64, Result<(), Error>),
}

#[derive(Default)]
pub(super) struct Outgoing {
    /// What waits for a slot. Messages keep their order, and so do files; neither waits for the other.
    messages: VecDeque<Queued>,
    files: VecDeque<Queued>,
    /// What has a slot.
    transfers: VecMap<Number, Transfer>,
    /// The last id that was used in each slot.
    last_ids: VecMap<u32, u32>,
    /// What is being read or sent, across all transfers: the first is sent, the others are read.
    blocks: VecDeque<Block>,
    /// Which transfer the last block was of; the next one's turn comes after it.
    last_turn: Number,
    pace: Pace,
}

/// A transfer that nothing was done about.
pub(super) struct Queued {
    pub(super) number: Number,
    pub(super) meta: Meta,
    pub(super) body: Body,
}

/// A transfer that has an id, and how far it is.
struct Transfer {
    meta: Meta,
    body: Body,
    id: u32,
    /// When the receiver was first told of it.
    offered_at: Option<Time>,
    /// Why it was taken back. The receiver was told; its result says whether it was in time.
    cancelled: Option<Error>,
    /// Where the next block begins.
    read: u64,
    sent: u64,
    /// The furthest that was ever sent.
    furthest: u64,
    acknowledged: u64,
    retries: u8,
    ask_at: Time,
    /// The other side may not have heard of it, and was asked.
    is_unheard: bool,
}

struct Block {
    transfer: Number,
    offset: u64,
    length: u64,
    /// Absent while it is being read.
    bytes: Option<Vec<u8>>,
}

/// How much may be sent now.
pub(super) struct Room {
    /// The bytes of chunks that the receiver lets be on their way.
    pub(super) window: u64,
    /// How many more bytes the bulk channel's own buffer takes.
    pub(super) buffer: usize,
}

impl Outgoing {
    pub(super) fn push(&mut self, queued: Queued) {
        match queued.body {
            Body::Inline(_) => self.messages.push_back(queued),
            Body::Source => self.files.push_back(queued),
        }
    }

    /// What is known of a transfer, and how much of it has arrived.
    pub(super) fn progress(&self, number: Number) -> Option<(&Meta, u64)> {
        self.transfers.get(&number).map(|transfer| (&transfer.meta, transfer.acknowledged))
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let offered = self.transfers.values().filter(|transfer| transfer.offered_at.is_some());
        offered.map(|transfer| transfer.ask_at).min()
    }

    /// A short message came: its result, and an answer, are not to wait behind files.
    pub(super) fn handle_message(&mut self, now: Time) {
        self.pace.handle_message(now);
    }

    /// Sends what can be sent.
    pub(super) fn pump(&mut self, room: &mut Room, now: Time, wants: &mut Vec<Want>) {
        self.open();
        self.send_messages(now, wants);
        self.send_blocks(room, now, wants);
        // Sending has made room to read on.
        self.read_ahead(wants);
    }

    /// Gives slots to those that wait for one, the longest first.
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

    /// The next id of a slot that is free.
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
            furthest: 0,
            acknowledged: 0,
            retries: 0,
            ask_at: Time::default(),
            is_unheard: false,
        };
        self.last_ids.insert(id % SLOTS, id);
        self.transfers.insert(number, transfer);
    }

    /// The bytes of short messages that wait for their results.
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
        // Those before them may have to be sent again first.
        if self.transfers.values().any(|transfer| transfer.is_unheard) {
            return;
        }
        for transfer in self.transfers.values_mut() {
            if matches!(transfer.body, Body::Inline(_)) && transfer.offered_at.is_none() {
                self.pace.handle_message(now);
                transfer.offer(now, wants);
            }
        }
    }

    /// Sends the blocks that are read, as far as the window and the channel's buffer allow.
    fn send_blocks(&mut self, room: &mut Room, now: Time, wants: &mut Vec<Want>) {
        while let Some(Block { transfer: number, offset, bytes: Some(bytes), .. }) =
            self.blocks.front()
        {
            let on_their_way = self.on_their_way();
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
            // However small the window: one chunk at a time always goes.
            let window = room.window.min(self.pace.window(now));
            let fits = on_their_way == 0 || on_their_way.saturating_add(length) <= window;
            if !fits || room.buffer < message {
                return;
            }
            if transfer.offered_at.is_none() {
                transfer.offer(now, wants);
            }
            let chunk = Frame::Chunk { id: transfer.id, offset: transfer.sent, content };
            wants.push(Want::Send(Lane::Bulk, chunk.encode()));
            room.buffer = room.buffer.saturating_sub(message);
            transfer.sent = transfer.sent.saturating_add(length);
            transfer.furthest = transfer.furthest.max(transfer.sent);
            transfer.ask_at = now + ASK;
            self.pace.handle_sent(*number, transfer.sent, now);
        }
    }

    /// The bytes of chunks that were sent and are not acknowledged.
    fn on_their_way(&self) -> u64 {
        self.sum(|transfer| transfer.sent.saturating_sub(transfer.acknowledged))
    }

    /// Has the next blocks read, a block of each open transfer in turn.
    fn read_ahead(&mut self, wants: &mut Vec<Want>) {
        while self.blocks.len() < BLOCKS {
            let wants_more = |(_, transfer): &(&Number, &Transfer)| {
                matches!(transfer.body, Body::Source)
                    && transfer.cancelled.is_none()
                    && transfer.read < transfer.meta.size
            };
            // In the order of their numbers, and round.
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
            wants.push(Want::Read(number, offset, length));
        }
    }

    /// The bytes that were to be read, or the browser's words on why they cannot be.
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

    /// Takes a transfer back. It ends when the receiver says how.
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
        wants.push(Want::Send(Lane::Messages, Frame::Cancel { id: transfer.id }.encode()));
        transfer.cancelled = Some(error);
        transfer.ask_at = now + ASK;
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
        // Nobody can have what was never sent; and what came whole has a result.
        let is_possible = match transfer.body {
            Body::Inline(_) => false,
            Body::Source => received <= transfer.furthest && received < transfer.meta.size,
        };
        if !is_possible {
            return self.cancel(number, Error::PeerMisbehaved, now, wants);
        }
        transfer.ask_at = now + ASK;
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
        // After an acknowledgement it is late; or the other side contradicts itself, and not for ever.
        if transfer.acknowledged == 0 {
            transfer.offer(now, wants);
        }
        self.go_back(number, now, wants);
    }

    /// The other side may not have heard anything yet: what was offered so far is asked after at once.
    pub(super) fn handle_unheard(&mut self, wants: &mut Vec<Want>) {
        for transfer in self.transfers.values_mut() {
            if transfer.offered_at.is_some() && transfer.acknowledged == 0 {
                // Messages wait for each other, and for no file.
                let is_message = matches!(transfer.body, Body::Inline(_));
                transfer.is_unheard = is_message && transfer.cancelled.is_none();
                wants.push(transfer.ask(0));
            }
        }
    }

    /// Sends a transfer again from what has arrived.
    fn go_back(&mut self, number: Number, now: Time, wants: &mut Vec<Want>) {
        self.blocks.retain(|block| block.transfer != number);
        self.pace.forget(number);
        let Some(transfer) = self.transfers.get_mut(&number) else { return };
        transfer.sent = transfer.acknowledged;
        transfer.read = transfer.acknowledged;
        transfer.retries = transfer.retries.saturating_add(1);
        if transfer.retries > MOST_RETRIES {
            self.cancel(number, Error::Damaged, now, wants);
        }
    }

    pub(super) fn handle_result(&mut self, id: u32, verdict: Verdict, wants: &mut Vec<Want>) {
        let is_meant = |transfer: &Transfer| transfer.offered_at.is_some() && transfer.id == id;
        let found = self.transfers.iter_mut().find(|(_, transfer)| is_meant(transfer));
        let Some((number, transfer)) = found else { return };
        let is_sent = match transfer.body {
            Body::Inline(_) => true,
            Body::Source => transfer.furthest == transfer.meta.size,
        };
        let result = match (verdict, &transfer.cancelled) {
            (Verdict::Received, _) if is_sent => Ok(()),
            // Our own reason, where it was in time.
            (Verdict::Received | Verdict::CancelledBySender, Some(error)) => Err(error.clone()),
            (Verdict::Received, None) => Err(Error::PeerMisbehaved),
            (verdict, _) => Err(refused(verdict, &transfer.meta)),
        };
        if result.is_ok() {
            transfer.acknowledged = transfer.meta.size;
        }
        let number = *number;
        self.settle(number, result, wants);
    }

    /// Asks after what has been quiet for too long; gives up if the other side, `heard` last, is gone.
    pub(super) fn handle_timeout(&mut self, heard: Time, now: Time, wants: &mut Vec<Want>) {
        // What was heard before there was anything to answer says nothing.
        let waits_since = self.transfers.values().filter_map(|transfer| transfer.offered_at).min();
        if waits_since.is_some_and(|since| now.since(since.max(heard)) >= SILENCE) {
            return self.close(&Error::PeerSilent, wants);
        }
        for transfer in self.transfers.values_mut() {
            if transfer.offered_at.is_none() || transfer.ask_at > now {
                continue;
            }
            wants.push(transfer.ask(transfer.sent));
            transfer.ask_at = now + ASK;
        }
    }

    /// Ends all that is left: what was begun first, then what waits, in the order of `sendData()`.
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

    /// Takes out all that waits, in the order of `sendData()`.
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
            transfer.is_unheard = false;
            (number, transfer)
        })
    }
}

impl Transfer {
    /// Tells the receiver of it: with its content, or before the first chunk.
    fn offer(&mut self, now: Time, wants: &mut Vec<Want>) {
        let content = match &self.body {
            Body::Inline(content) => content.as_slice(),
            Body::Source => &[],
        };
        let offer = Frame::Offer { id: self.id, meta: self.meta.clone(), content };
        wants.push(Want::Send(self.lane(), offer.encode()));
        self.offered_at.get_or_insert(now);
        self.ask_at = now + ASK;
    }

    /// Asks what the receiver has of it, where so much was sent; or takes it back once more.
    fn ask(&self, sent: u64) -> Want {
        let id = self.id;
        match self.cancelled {
            Some(_) => Want::Send(Lane::Messages, Frame::Cancel { id }.encode()),
            // On the lane of what it asks after, so that it comes after that.
            None => Want::Send(self.lane(), Frame::Ask { id, sent }.encode()),
        }
    }

    fn lane(&self) -> Lane {
        match self.body {
            Body::Inline(_) => Lane::Messages,
            Body::Source => Lane::Bulk,
        }
    }
}

/// What the receiver's verdict means for the sender.
fn refused(verdict: Verdict, meta: &Meta) -> Error {
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
