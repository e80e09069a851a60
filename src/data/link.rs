//! One call's data: the greeting, both directions, and what each side of the channel is told.

use std::collections::VecDeque;
use std::time::Duration;

use super::error::Error;
use super::frame::{Broken, Frame, Verdict};
use super::incoming::{self, Content, Incoming};
use super::outgoing::{self, Body, Outgoing, Queued, Room};
use super::policy::is_kind;
use super::sdp::Support;
use super::{LONGEST_MESSAGE, Lane, Meta, VERSION, WINDOW};
use crate::data::Policy;
use crate::log::{Level, excerpt};
use crate::time::Time;

/// How soon an unanswered greeting is repeated; each time twice as late, up to the second.
const GREETING: Duration = Duration::from_millis(50);
const SLOWEST_GREETING: Duration = Duration::from_secs(3);
/// What the bulk channel's own buffer may hold: enough to keep it busy, and little to be stuck behind.
const BUFFER: usize = 256 * 1024;
/// How often the page is told of a transfer's progress, at most.
const PROGRESS: Duration = Duration::from_millis(100);
/// How many plain texts are kept for a call that is not up yet.
const MOST_EARLY: usize = 64;

/// How often the other side is believed to have heard nothing: more than two minutes of greetings.
const MOST_UNHEARD: u8 = 50;

/// The longest reason of an end that is told here, in bytes.
const LONGEST_REASON: usize = 200;

/// How often a call complains of what the other side sends.
const MOST_COMPLAINTS: u32 = 1000;

/// Names a transfer, in its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// One of ours, in the order in which they were sent.
    Outgoing(u64),
    /// One of the other side's.
    Incoming(u32),
}

/// A transfer as the page sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub key: Key,
    /// What it is.
    pub meta: Meta,
    /// How many bytes the receiver has.
    pub transferred: u64,
}

/// What the link wants or tells. Drain it after every input.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this frame.
    Send(Lane, Vec<u8>),
    /// Send this text to a peer that speaks no more.
    SendText(String),
    /// Read so many bytes of an outgoing transfer's source; then [`Link::handle_read`].
    Read {
        /// The number of [`Key::Outgoing`].
        number: u64,
        /// Where to begin.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Put this at the end of what is kept for an incoming transfer.
    Keep(u32, Vec<u8>),
    /// An incoming transfer is whole: give it to the page; then [`Link::handle_delivered`].
    Deliver(Report, Content),
    /// A plain text of a peer that speaks no more.
    PlainText(String),
    /// Plain bytes of a peer that speaks no more.
    PlainBytes(Vec<u8>),
    /// Bytes moved.
    Progress(Report),
    /// An outgoing transfer ended, as its command's result says.
    Sent(Report, Result<(), Error>),
    /// An incoming transfer ended without being whole: nothing more is kept of it.
    Lost(Report, Error),
    /// Something was refused before anything of it came.
    Refused(Error),
    /// A line for the log.
    Log(Level, String),
}

/// The data of one call, from its first wish to its end.
#[derive(Default)]
pub struct Link {
    policy: Policy,
    phase: Phase,
    support: Option<Support>,
    messages_open: bool,
    bulk_open: bool,
    outgoing: Outgoing,
    incoming: Incoming,
    /// How many more bytes the bulk channel's own buffer takes.
    room: usize,
    /// When anything last came from the other side.
    heard: Time,
    /// When the page was last told of each transfer's progress.
    told: Vec<(Key, Time)>,
    /// What came before the call was up.
    early: VecDeque<Output>,
    /// How much of what a stranger does wrong was told.
    complaints: u32,
    /// How often the other side said that it has heard nothing.
    unheard: u8,
    /// The other side has hung up, and why.
    bye: Option<String>,
    last_number: u64,
    outputs: VecDeque<Output>,
}

#[derive(Default)]
enum Phase {
    /// The call is not up, or its channels are not open.
    #[default]
    Waiting,
    /// The other side speaks the protocol, and has not been heard yet.
    Greeting { again_at: Time, pause: Duration },
    /// Both sides are ready.
    Ready { window: u64 },
    /// The other side takes plain text.
    Plain,
    /// Nothing can be sent, and why.
    Closed(Error),
}

impl Link {
    /// A link whose call is not up yet. What is sent waits.
    pub fn new(policy: Policy) -> Self {
        let phase = if policy.enabled { Phase::Waiting } else { Phase::Closed(Error::Disabled) };
        Self { policy, phase, room: BUFFER, ..Self::default() }
    }

    /// What to do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The moment by which [`Link::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Waiting if self.support.is_some() => Some(self.heard + outgoing::SILENCE),
            Phase::Greeting { again_at, .. } => Some(*again_at),
            Phase::Ready { .. } => self.outgoing.poll_timeout(),
            _ => None,
        }
    }

    /// The version to announce in an offer or answer; 0 where data is off.
    pub fn version(&self) -> u8 {
        if self.policy.enabled { VERSION } else { 0 }
    }

    // The page.

    /// Sends a short text. The result comes as [`Output::Sent`] under this number.
    pub fn send_text(&mut self, meta: Meta, text: String, now: Time) -> u64 {
        self.send(meta, Body::Inline(text.into_bytes()), now)
    }

    /// Sends what has to be read. The result comes as [`Output::Sent`] under this number.
    pub fn send_source(&mut self, meta: Meta, now: Time) -> u64 {
        let body = if meta.size == 0 { Body::Inline(Vec::new()) } else { Body::Source };
        self.send(meta, body, now)
    }

    /// The number that the next transfer will have.
    pub fn next_number(&self) -> u64 {
        self.last_number.saturating_add(1)
    }

    fn send(&mut self, meta: Meta, body: Body, now: Time) -> u64 {
        let number = self.next_number();
        self.last_number = number;
        debug_assert!(is_kind(&meta.kind), "the caller checks the type");
        let queued = Queued { number, meta, body };
        match &self.phase {
            Phase::Closed(error) => {
                let error = error.clone();
                self.sent(number, queued.meta, 0, Err(error));
            }
            Phase::Plain if self.messages_open => self.send_plain(queued),
            _ => {
                self.outgoing.push(queued);
                self.pump(now);
            }
        }
        number
    }

    /// Takes a transfer back, or refuses the rest of one that is coming.
    pub fn cancel(&mut self, key: Key, now: Time) {
        match key {
            Key::Outgoing(number) => {
                let mut wants = Vec::new();
                self.outgoing.cancel(number, Error::Cancelled, now, &mut wants);
                self.do_outgoing(wants, now);
            }
            Key::Incoming(id) => {
                let mut wants = Vec::new();
                self.incoming.cancel(id, &mut wants);
                self.do_incoming(wants, now);
            }
        }
        self.pump(now);
    }

    // The call.

    /// The call is up; this is what the other side's description said.
    pub fn handle_up(&mut self, support: Support, now: Time) {
        self.support = Some(support);
        self.outputs.append(&mut self.early);
        self.begin(now);
    }

    /// A channel of ours is open.
    pub fn handle_open(&mut self, lane: Lane, now: Time) {
        match lane {
            Lane::Messages => self.messages_open = true,
            Lane::Bulk => self.bulk_open = true,
        }
        self.begin(now);
    }

    /// A channel of ours closed, or the peer connection was given up: nothing more is sent, unless another has
    /// channels of its own.
    pub fn handle_channels_gone(&mut self) {
        self.messages_open = false;
        self.bulk_open = false;
    }

    /// Tells the other side that the call is over, if it listens. A long reason is left to the gateway.
    pub fn say_bye(&mut self, reason: &str) {
        if matches!(self.phase, Phase::Ready { .. }) && reason.len() <= LONGEST_REASON {
            self.frame(Lane::Messages, &Frame::Bye { reason: reason.to_owned() });
        }
    }

    /// Why the other side has hung up, once, if it said so.
    pub fn take_bye(&mut self) -> Option<String> {
        self.bye.take()
    }

    /// The call is over: what is left ends with this error.
    pub fn close(&mut self, error: &Error) {
        self.phase = Phase::Closed(error.clone());
        let mut wants = Vec::new();
        self.outgoing.close(error, &mut wants);
        self.do_outgoing(wants, Time::default());
        let mut wants = Vec::new();
        self.incoming.close(&mut wants);
        for want in wants {
            if let incoming::Want::Drop(id, meta, transferred, _) = want {
                let report = Report { key: Key::Incoming(id), meta, transferred };
                self.outputs.push_back(Output::Lost(report, error.clone()));
            }
        }
    }

    // The channels.

    /// A binary message.
    pub fn handle_message(&mut self, message: &[u8], now: Time) {
        if matches!(self.phase, Phase::Closed(_)) {
            return;
        }
        if matches!(self.support, Some(Support::Plain)) {
            return self.handle_plain("application/octet-stream", message.len(), || {
                Output::PlainBytes(message.to_vec())
            });
        }
        match Frame::decode(message) {
            Ok(frame) => self.handle_frame(frame, now),
            Err(broken) => self.complain(Output::Log(
                Level::Warn,
                match broken {
                    Broken::UnknownKind(kind) => {
                        format!("a frame of the unknown kind {kind} was dropped")
                    }
                    Broken::Checksum => "a frame that was damaged on its way was dropped".into(),
                    Broken::Length => "a frame that is too short or too long was dropped".into(),
                    Broken::Field => "a frame with an impossible value was dropped".into(),
                },
            )),
        }
        self.pump(now);
    }

    /// A text message: what janus.js sends.
    pub fn handle_text(&mut self, text: String) {
        if !matches!(self.phase, Phase::Closed(_)) {
            self.handle_plain("text/plain", text.len(), || Output::PlainText(text));
        }
    }

    /// The bytes that [`Output::Read`] asked for, or the browser's words on why there are none.
    pub fn handle_read(
        &mut self,
        number: u64,
        offset: u64,
        result: Result<Vec<u8>, String>,
        now: Time,
    ) {
        let mut wants = Vec::new();
        self.outgoing.handle_read(number, offset, result, now, &mut wants);
        self.do_outgoing(wants, now);
        self.pump(now);
    }

    /// What [`Output::Deliver`] asked for is done, or was not possible.
    pub fn handle_delivered(&mut self, id: u32, kept: bool, now: Time) {
        let mut wants = Vec::new();
        self.incoming.handle_delivered(id, kept, &mut wants);
        self.do_incoming(wants, now);
    }

    /// So many bytes are in the bulk channel's own buffer.
    pub fn handle_buffered(&mut self, bytes: usize, now: Time) {
        self.room = BUFFER.saturating_sub(bytes);
        self.pump(now);
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Greeting { again_at, pause } if *again_at <= now => {
                *pause = pause.saturating_mul(2).min(SLOWEST_GREETING);
                *again_at = now + *pause;
                self.greet(false);
            }
            Phase::Ready { .. } => {
                let mut wants = Vec::new();
                self.outgoing.handle_timeout(self.heard, now, &mut wants);
                self.do_outgoing(wants, now);
            }
            _ => {}
        }
        let waits = match self.phase {
            Phase::Waiting => self.support.is_some(),
            Phase::Greeting { .. } => true,
            _ => false,
        };
        if waits && now.since(self.heard) >= outgoing::SILENCE {
            // What is sent later has up to another minute.
            self.heard = now;
            let mut wants = Vec::new();
            self.outgoing.close(&Error::PeerNeverSpoke, &mut wants);
            self.do_outgoing(wants, now);
        }
    }

    /// Begins once the call is up and the channels are open.
    fn begin(&mut self, now: Time) {
        if !matches!(self.phase, Phase::Waiting) {
            return;
        }
        self.heard = now;
        match self.support {
            None => {}
            Some(Support::None) => self.close(&Error::NoChannel),
            Some(Support::Off) => self.close(&Error::DisabledByPeer),
            Some(Support::Plain) if self.messages_open => {
                self.phase = Phase::Plain;
                for queued in self.outgoing.take_queued() {
                    self.send_plain(queued);
                }
            }
            Some(Support::Version(_)) if self.messages_open && self.bulk_open => {
                self.phase = Phase::Greeting { again_at: now + GREETING, pause: GREETING };
                self.greet(false);
            }
            Some(Support::Plain | Support::Version(_)) => {}
        }
    }

    fn greet(&mut self, seen: bool) {
        self.frame(Lane::Messages, &Frame::Hello { version: VERSION, seen, window: WINDOW });
    }

    fn handle_frame(&mut self, frame: Frame<'_>, now: Time) {
        match self.phase {
            Phase::Ready { .. } => {}
            // What comes before a greeting is not the first that was sent: all of it will be sent again, in its order.
            Phase::Greeting { .. } if matches!(frame, Frame::Hello { .. }) => {}
            _ => return,
        }
        self.heard = now;
        let mut received = Vec::new();
        let mut sent = Vec::new();
        match frame {
            Frame::Hello { seen, window, .. } => {
                if !seen {
                    self.greet(true);
                    // One who says so for ever is not asked for ever.
                    if self.unheard < MOST_UNHEARD {
                        self.unheard = self.unheard.saturating_add(1);
                        self.outgoing.handle_unheard(&mut sent);
                    }
                }
                self.phase = Phase::Ready { window: window.into() };
            }
            Frame::Offer { id, meta, content } => {
                if !content.is_empty() {
                    self.outgoing.handle_message(now);
                }
                self.incoming.handle_offer(id, meta, content, &self.policy, &mut received);
            }
            Frame::Chunk { id, offset, content } => {
                self.incoming.handle_chunk(id, offset, content, &mut received);
            }
            Frame::Ask { id, sent } => self.incoming.handle_ask(id, sent, &mut received),
            Frame::Cancel { id } => self.incoming.handle_cancel(id, &mut received),
            Frame::Ack { id, received, again } => {
                self.outgoing.handle_ack(id, received, again, now, &mut sent);
            }
            Frame::Result { id, verdict } => self.outgoing.handle_result(id, verdict, &mut sent),
            Frame::Unknown { id } => self.outgoing.handle_unknown(id, now, &mut sent),
            Frame::Bye { reason } => self.bye = Some(reason),
        }
        self.do_incoming(received, now);
        self.do_outgoing(sent, now);
    }

    fn handle_plain(&mut self, kind: &str, size: usize, output: impl FnOnce() -> Output) {
        let meta = Meta { kind: kind.into(), filename: None, size: size as u64, is_text: true };
        if let Err(verdict) = self.policy.judge(&meta) {
            return self.complain(Output::Refused(dropped(&meta, verdict)));
        }
        match (&self.support, self.early.len()) {
            (Some(_), _) => self.outputs.push_back(output()),
            (None, ..MOST_EARLY) => self.early.push_back(output()),
            (None, _) => {
                let line = "a message before the call was up was dropped";
                self.complain(Output::Log(Level::Warn, line.into()));
            }
        }
    }

    /// Plain text is all that a peer without the protocol understands, and nobody says that it came.
    fn send_plain(&mut self, queued: Queued) {
        let Queued { number, meta, body } = queued;
        let text = match body {
            Body::Inline(bytes) if meta.is_text && !bytes.is_empty() => {
                String::from_utf8(bytes).ok()
            }
            _ => None,
        };
        let result = match text {
            Some(text) => {
                self.outputs.push_back(Output::SendText(text));
                Ok(())
            }
            None => Err(Error::NotSupportedByPeer { kind: meta.kind.clone(), size: meta.size }),
        };
        let transferred = if result.is_ok() { meta.size } else { 0 };
        self.sent(number, meta, transferred, result);
    }

    /// Sends what can be sent now.
    fn pump(&mut self, now: Time) {
        let Phase::Ready { window } = self.phase else { return };
        let mut room = Room { window, buffer: self.room };
        let mut wants = Vec::new();
        self.outgoing.pump(&mut room, now, &mut wants);
        self.room = room.buffer;
        self.do_outgoing(wants, now);
    }

    fn do_outgoing(&mut self, wants: Vec<outgoing::Want>, now: Time) {
        for want in wants {
            match want {
                outgoing::Want::Send(lane, message) => self.message(lane, message),
                outgoing::Want::Read(number, offset, length) => {
                    self.outputs.push_back(Output::Read { number, offset, length });
                }
                outgoing::Want::Progress(number) => {
                    if let Some((meta, transferred)) = self.outgoing.progress(number) {
                        let meta = meta.clone();
                        self.progress(
                            Report { key: Key::Outgoing(number), meta, transferred },
                            now,
                        );
                    }
                }
                outgoing::Want::Settled(number, meta, transferred, result) => {
                    self.sent(number, meta, transferred, result);
                }
            }
        }
    }

    fn do_incoming(&mut self, wants: Vec<incoming::Want>, now: Time) {
        for want in wants {
            match want {
                incoming::Want::Answer(frame) => self.frame(Lane::Messages, &frame),
                incoming::Want::Keep(id, bytes) => self.outputs.push_back(Output::Keep(id, bytes)),
                incoming::Want::Deliver(id, meta, content) => {
                    self.forget(Key::Incoming(id));
                    let transferred = meta.size;
                    let report = Report { key: Key::Incoming(id), meta, transferred };
                    self.outputs.push_back(Output::Deliver(report, content));
                }
                incoming::Want::Drop(id, meta, transferred, verdict) => {
                    self.forget(Key::Incoming(id));
                    let error = dropped(&meta, verdict);
                    let report = Report { key: Key::Incoming(id), meta, transferred };
                    self.outputs.push_back(Output::Lost(report, error));
                }
                incoming::Want::Refused(meta, verdict) => {
                    self.complain(Output::Refused(dropped(&meta, verdict)));
                }
                incoming::Want::Progress(id) => {
                    if let Some((meta, transferred)) = self.incoming.progress(id) {
                        let meta = meta.clone();
                        self.progress(Report { key: Key::Incoming(id), meta, transferred }, now);
                    }
                }
                incoming::Want::Odd(line) => self.log(Level::Debug, line.into()),
            }
        }
    }

    /// Tells the page, but not more often than it can look.
    fn progress(&mut self, report: Report, now: Time) {
        match self.told.iter_mut().find(|(key, _)| *key == report.key) {
            Some((_, told)) if now.since(*told) < PROGRESS => return,
            Some((_, told)) => *told = now,
            None => self.told.push((report.key, now)),
        }
        self.outputs.push_back(Output::Progress(report));
    }

    fn forget(&mut self, key: Key) {
        self.told.retain(|(told, _)| *told != key);
    }

    fn sent(&mut self, number: u64, meta: Meta, transferred: u64, result: Result<(), Error>) {
        let key = Key::Outgoing(number);
        self.forget(key);
        self.outputs.push_back(Output::Sent(Report { key, meta, transferred }, result));
    }

    fn frame(&mut self, lane: Lane, frame: &Frame<'_>) {
        self.message(lane, frame.encode());
    }

    fn message(&mut self, lane: Lane, message: Vec<u8>) {
        debug_assert!(message.len() <= LONGEST_MESSAGE);
        if self.messages_open {
            self.outputs.push_back(Output::Send(lane, message));
        }
    }

    /// Tells of what a stranger did wrong, but not for ever.
    fn complain(&mut self, output: Output) {
        self.complaints = self.complaints.saturating_add(1);
        if self.complaints <= MOST_COMPLAINTS {
            self.outputs.push_back(output);
        }
        if self.complaints == MOST_COMPLAINTS {
            let line = "the other side goes on doing what is dropped: no more is said of it";
            self.log(Level::Warn, line.into());
        }
    }

    fn log(&mut self, level: Level, line: String) {
        self.outputs.push_back(Output::Log(level, line));
    }
}

/// What our verdict on something that did not come whole means for the page.
fn dropped(meta: &Meta, verdict: Verdict) -> Error {
    let (kind, size) = (excerpt(&meta.kind), meta.size);
    match verdict {
        Verdict::TypeRefused => Error::TypeNotAllowed { kind },
        Verdict::TooLarge => Error::TooLarge { kind, size },
        Verdict::CancelledBySender => Error::CancelledByPeer,
        Verdict::CancelledByReceiver => Error::Cancelled,
        Verdict::NotKept => Error::NotKept,
        Verdict::Received | Verdict::Malformed | Verdict::Other => Error::PeerMisbehaved,
    }
}
