//! The sending side: reads ahead, sends what the window allows, and settles every transfer once.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use vecmap::VecMap;

use super::frame::{CHUNK_FRAME, Frame, Verdict};
use super::{BLOCK, CHUNK, FILE_SLOTS, LONGEST_INLINE, Lane, Meta, SLOTS};
use crate::error::{Code, Error};
use crate::time::{Time, earliest};

/// How long a transfer may be without news before the other side is asked.
const ASK: Duration = Duration::from_secs(5);
/// How long nothing at all may come from the other side while something is asked of it.
const SILENCE: Duration = Duration::from_secs(60);
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
}

/// A transfer that nothing was done about.
pub(super) struct Queued {
    pub(super) number: Number,
    pub(super) meta: Meta,
    pub(super) body: Body,
}

/// A transfer that has an id.
struct Transfer {
    meta: Meta,
    body: Body,
    stage: Stage,
}

enum Stage {
    Open(Open),
    /// The receiver was told; its result says whether it was in time.
    Cancelling {
        id: u32,
        error: Error,
        acknowledged: u64,
        ask_at: Time,
    },
}

/// How far a transfer is.
struct Open {
    id: u32,
    offered: bool,
    /// Where the next block begins.
    read: u64,
    sent: u64,
    /// The furthest that was ever sent.
    furthest: u64,
    acknowledged: u64,
    retries: u8,
    ask_at: Time,
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
        let transfer = self.transfers.get(&number)?;
        let acknowledged = match &transfer.stage {
            Stage::Open(open) => open.acknowledged,
            Stage::Cancelling { acknowledged, .. } => *acknowledged,
        };
        Some((&transfer.meta, acknowledged))
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.transfers.values().fold(None, |least, transfer| earliest(least, transfer.ask_at()))
    }

    /// Sends what can be sent.
    pub(super) fn pump(&mut self, room: &mut Room, now: Time, wants: &mut Vec<Want>) {
        self.open(now);
        self.send_messages(now, wants);
        self.send_blocks(room, now, wants);
        // Sending has made room to read on.
        self.read_ahead(wants);
    }

    /// Gives slots to those that wait for one, the longest first.
    fn open(&mut self, now: Time) {
        while self.files.front().is_some()
            && let Some(id) = self.free_id(0..FILE_SLOTS)
        {
            let next = self.files.pop_front();
            self.open_as(id, next, now);
        }
        while let Some(Queued { meta, .. }) = self.messages.front() {
            let waiting = self.message_bytes();
            if waiting > 0 && waiting.saturating_add(meta.size) > MESSAGE_WINDOW {
                return;
            }
            let Some(id) = self.free_id(FILE_SLOTS..SLOTS) else { return };
            let next = self.messages.pop_front();
            self.open_as(id, next, now);
        }
    }

    /// The next id of a slot that is free.
    fn free_id(&self, mut slots: Range<u32>) -> Option<u32> {
        let is_used =
            |slot: &u32| self.transfers.values().any(|transfer| transfer.id() % SLOTS == *slot);
        let slot = slots.find(|slot| !is_used(slot))?;
        match self.last_ids.get(&slot) {
            Some(last) => last.checked_add(SLOTS),
            None => Some(slot),
        }
    }

    fn open_as(&mut self, id: u32, queued: Option<Queued>, now: Time) {
        let Some(Queued { number, meta, body }) = queued else { return };
        let stage = Stage::Open(Open {
            id,
            offered: false,
            read: 0,
            sent: 0,
            furthest: 0,
            acknowledged: 0,
            retries: 0,
            ask_at: now + ASK,
        });
        self.last_ids.insert(id % SLOTS, id);
        self.transfers.insert(number, Transfer { meta, body, stage });
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
        for transfer in self.transfers.values_mut() {
            if let (Stage::Open(open), Body::Inline(content)) =
                (&mut transfer.stage, &transfer.body)
                && !open.offered
            {
                open.offered = true;
                open.furthest = transfer.meta.size;
                open.ask_at = now + ASK;
                wants.push(Want::Send(Lane::Messages, offer(open.id, &transfer.meta, content)));
            }
        }
    }

    /// Sends the blocks that are read, as far as the window and the channel's buffer allow.
    fn send_blocks(&mut self, room: &mut Room, now: Time, wants: &mut Vec<Want>) {
        while let Some(Block { transfer: number, offset, bytes: Some(bytes), .. }) =
            self.blocks.front()
        {
            let on_their_way = self.on_their_way();
            let Some(Transfer { meta, stage: Stage::Open(open), .. }) =
                self.transfers.get_mut(number)
            else {
                self.blocks.pop_front();
                continue;
            };
            let begin = usize::try_from(open.sent.saturating_sub(*offset)).unwrap_or(usize::MAX);
            let rest = bytes.get(begin..).unwrap_or_default();
            let content = rest.get(..CHUNK).unwrap_or(rest);
            if content.is_empty() {
                self.blocks.pop_front();
                continue;
            }
            let length = content.len() as u64;
            let message = content.len().saturating_add(CHUNK_FRAME);
            // However small the window: one chunk at a time always goes.
            let fits = on_their_way == 0 || on_their_way.saturating_add(length) <= room.window;
            if !fits || room.buffer < message {
                return;
            }
            if !open.offered {
                open.offered = true;
                wants.push(Want::Send(Lane::Bulk, offer(open.id, meta, &[])));
            }
            let chunk = Frame::Chunk { id: open.id, offset: open.sent, content };
            wants.push(Want::Send(Lane::Bulk, chunk.encode()));
            room.buffer = room.buffer.saturating_sub(message);
            open.sent = open.sent.saturating_add(length);
            open.furthest = open.furthest.max(open.sent);
            open.ask_at = now + ASK;
        }
    }

    /// The bytes of chunks that were sent and are not acknowledged.
    fn on_their_way(&self) -> u64 {
        self.sum(|transfer| match &transfer.stage {
            Stage::Open(open) => open.sent.saturating_sub(open.acknowledged),
            Stage::Cancelling { .. } => 0,
        })
    }

    /// Has the next blocks read, a block of each open transfer in turn.
    fn read_ahead(&mut self, wants: &mut Vec<Want>) {
        while self.blocks.len() < BLOCKS {
            let wants_more = |(number, transfer): (&Number, &Transfer)| match &transfer.stage {
                Stage::Open(open) if matches!(transfer.body, Body::Source) => {
                    (open.read < transfer.meta.size).then_some(*number)
                }
                _ => None,
            };
            // In the order of their numbers, and round.
            let turns = self.transfers.iter().filter_map(wants_more);
            let next = turns.min_by_key(|number| (*number <= self.last_turn, *number));
            let Some(number) = next else { return };
            let Some(Transfer { meta, stage: Stage::Open(open), .. }) =
                self.transfers.get_mut(&number)
            else {
                return;
            };
            self.last_turn = number;
            let (offset, length) = (open.read, BLOCK.min(meta.size.saturating_sub(open.read)));
            open.read = open.read.saturating_add(length);
            self.blocks.push_back(Block { transfer: number, offset, length, bytes: None });
            wants.push(Want::Read(number, offset, length));
        }
    }

    /// The bytes that were to be read, or why they cannot be.
    pub(super) fn handle_read(
        &mut self,
        number: Number,
        offset: u64,
        result: Result<Vec<u8>, Error>,
        now: Time,
        wants: &mut Vec<Want>,
    ) {
        let block =
            self.blocks.iter_mut().find(|block| block.transfer == number && block.offset == offset);
        let Some(block) = block.filter(|block| block.bytes.is_none()) else { return };
        match result {
            Ok(bytes) if bytes.len() as u64 == block.length => block.bytes = Some(bytes),
            Ok(_) => self.cancel(number, changed(), now, wants),
            Err(error) => self.cancel(number, error, now, wants),
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
        match &transfer.stage {
            Stage::Open(open) if open.offered => {
                let (id, acknowledged) = (open.id, open.acknowledged);
                wants.push(Want::Send(Lane::Messages, Frame::Cancel { id }.encode()));
                transfer.stage = Stage::Cancelling { id, error, acknowledged, ask_at: now + ASK };
            }
            Stage::Open(_) => self.settle(number, Err(error), wants),
            Stage::Cancelling { .. } => {}
        }
    }

    pub(super) fn handle_ack(
        &mut self,
        id: u32,
        received: u64,
        again: bool,
        now: Time,
        wants: &mut Vec<Want>,
    ) {
        let Some((number, open)) = self.open_by_id(id) else { return };
        // Nobody can have what was never sent.
        if received > open.furthest {
            return;
        }
        open.ask_at = now + ASK;
        if received > open.acknowledged {
            open.acknowledged = received;
            open.retries = 0;
            wants.push(Want::Progress(number));
        }
        if again || open.sent < open.acknowledged {
            self.go_back(number, now, wants);
        }
    }

    pub(super) fn handle_unknown(&mut self, id: u32, now: Time, wants: &mut Vec<Want>) {
        let Some((number, open)) = self.open_by_id(id) else { return };
        open.offered = false;
        open.acknowledged = 0;
        self.go_back(number, now, wants);
    }

    /// Sends a transfer again from what has arrived.
    fn go_back(&mut self, number: Number, now: Time, wants: &mut Vec<Want>) {
        self.blocks.retain(|block| block.transfer != number);
        let Some(Transfer { stage: Stage::Open(open), .. }) = self.transfers.get_mut(&number)
        else {
            return;
        };
        open.sent = open.acknowledged;
        open.read = open.acknowledged;
        open.retries = open.retries.saturating_add(1);
        if open.retries > MOST_RETRIES {
            let error =
                "it arrived damaged again and again: the connection or the other side is broken";
            self.cancel(number, Error::new(Code::TransferFailed, error), now, wants);
        }
    }

    pub(super) fn handle_result(&mut self, id: u32, verdict: Verdict, wants: &mut Vec<Want>) {
        let Some((number, transfer)) = self.transfers.iter().find(|(_, it)| it.id() == id) else {
            return;
        };
        let number = *number;
        let result = match (verdict, &transfer.stage) {
            (Verdict::Received, Stage::Open(open)) if open.furthest < transfer.meta.size => {
                Err(Error::new(
                    Code::TransferFailed,
                    "the other side says that it has more than was sent: it does not follow the protocol",
                ))
            }
            (Verdict::Received, _) => Ok(()),
            // Our own reason, where it was in time.
            (Verdict::CancelledBySender, Stage::Cancelling { error, .. }) => Err(error.clone()),
            (verdict, _) => Err(refused(verdict, &transfer.meta)),
        };
        if let (Ok(()), Some(Transfer { stage: Stage::Open(open), meta, .. })) =
            (&result, self.transfers.get_mut(&number))
        {
            open.acknowledged = meta.size;
        }
        self.settle(number, result, wants);
    }

    /// Asks after what has been quiet for too long; gives up if the other side, `heard` last, is gone.
    pub(super) fn handle_timeout(&mut self, heard: Time, now: Time, wants: &mut Vec<Want>) {
        let mut lost = Vec::new();
        for (number, transfer) in self.transfers.iter_mut() {
            if transfer.ask_at().is_none_or(|at| at > now) {
                continue;
            }
            if now.since(heard) >= SILENCE {
                lost.push(*number);
                continue;
            }
            match (&mut transfer.stage, &transfer.body) {
                (Stage::Open(open), body) => {
                    open.ask_at = now + ASK;
                    wants.push(match body {
                        // To offer it again asks the same.
                        Body::Inline(content) => {
                            Want::Send(Lane::Messages, offer(open.id, &transfer.meta, content))
                        }
                        Body::Source => {
                            let ask = Frame::Ask { id: open.id, sent: open.sent };
                            Want::Send(Lane::Bulk, ask.encode())
                        }
                    });
                }
                (Stage::Cancelling { id, ask_at, .. }, _) => {
                    *ask_at = now + ASK;
                    wants.push(Want::Send(Lane::Messages, Frame::Cancel { id: *id }.encode()));
                }
            }
        }
        for number in lost {
            let error = "the other side says nothing any more: it may or may not have received it";
            self.settle(number, Err(Error::new(Code::TransferFailed, error)), wants);
        }
    }

    /// Ends all that is left, in the order of `sendData()`.
    pub(super) fn close(&mut self, error: &Error, wants: &mut Vec<Want>) {
        let open = self.transfers.keys().copied();
        let queued = self.messages.iter().chain(&self.files).map(|queued| queued.number);
        let mut numbers: Vec<Number> = open.chain(queued).collect();
        numbers.sort_unstable();
        self.blocks.clear();
        for number in numbers {
            match self.transfers.get(&number) {
                Some(_) => self.settle(number, Err(error.clone()), wants),
                None => self.cancel(number, error.clone(), Time::default(), wants),
            }
        }
    }

    /// Takes out all that waits, in the order of `sendData()`.
    pub(super) fn take_queued(&mut self) -> Vec<Queued> {
        let mut all: Vec<Queued> = self.messages.drain(..).chain(self.files.drain(..)).collect();
        all.sort_unstable_by_key(|queued| queued.number);
        all
    }

    fn settle(&mut self, number: Number, result: Result<(), Error>, wants: &mut Vec<Want>) {
        self.blocks.retain(|block| block.transfer != number);
        let arrived = self.progress(number).map_or(0, |(_, arrived)| arrived);
        if let Some(transfer) = self.transfers.remove(&number) {
            wants.push(Want::Settled(number, transfer.meta, arrived, result));
        }
    }

    fn open_by_id(&mut self, id: u32) -> Option<(Number, &mut Open)> {
        self.transfers.iter_mut().find_map(|(number, transfer)| match &mut transfer.stage {
            Stage::Open(open) if open.id == id && open.offered => Some((*number, open)),
            _ => None,
        })
    }
}

impl Transfer {
    fn id(&self) -> u32 {
        match &self.stage {
            Stage::Open(open) => open.id,
            Stage::Cancelling { id, .. } => *id,
        }
    }

    /// When to ask after it, if anything was sent of it.
    fn ask_at(&self) -> Option<Time> {
        match &self.stage {
            Stage::Open(open) => open.offered.then_some(open.ask_at),
            Stage::Cancelling { ask_at, .. } => Some(*ask_at),
        }
    }
}

fn offer(id: u32, meta: &Meta, content: &[u8]) -> Vec<u8> {
    Frame::Offer { id, meta: meta.clone(), content }.encode()
}

fn changed() -> Error {
    Error::new(Code::TransferFailed, "the file changed while it was sent: send it again")
}

fn refused(verdict: Verdict, meta: &Meta) -> Error {
    let Meta { kind, size, .. } = meta;
    match verdict {
        Verdict::TypeRefused => {
            let error =
                format!("the other side does not take the type \"{kind}\": see its allowedTypes");
            Error::new(Code::TypeNotAllowed, error)
        }
        Verdict::TooLarge => {
            let error = format!("{size} bytes are more than the other side takes: see its maxSize");
            Error::new(Code::TooLarge, error)
        }
        Verdict::CancelledByReceiver => {
            Error::new(Code::TransferCancelled, "the other side cancelled the transfer")
        }
        Verdict::CancelledBySender => {
            Error::new(Code::TransferCancelled, "the transfer was cancelled")
        }
        Verdict::NotKept => Error::new(Code::TransferFailed, "the other side could not keep it"),
        Verdict::Malformed => {
            Error::new(Code::TransferFailed, "the other side did not understand what it was sent")
        }
        Verdict::Received | Verdict::Other => {
            Error::new(Code::TransferFailed, "the other side did not take it")
        }
    }
}
