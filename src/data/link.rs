//! The data of one call: the HELLO exchange and both directions.

use std::collections::VecDeque;
use std::time::Duration;

use super::error::Error;
use super::frame::{Broken, Frame, Verdict};
use super::incoming::{self, Content, Incoming};
use super::outgoing::{self, Body, Outgoing, Queued, Room};
use super::policy::is_kind;
use super::sdp::Support;
use super::{ChannelKind, LONGEST_MESSAGE, Meta, VERSION, WINDOW};
use crate::data::Policy;
use crate::log::{Level, excerpt};
use crate::time::Time;

/// An unanswered HELLO is repeated after this time. The interval doubles each time, up to
/// [`MAX_HELLO_INTERVAL`].
const HELLO_INTERVAL: Duration = Duration::from_millis(50);
const MAX_HELLO_INTERVAL: Duration = Duration::from_secs(3);
/// Bytes to keep in the bulk channel's send buffer: enough to keep the channel busy, few enough
/// that a new transfer does not wait long.
const BUFFER: usize = 256 * 1024;
/// The shortest interval between progress events of a transfer.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// Plain texts to keep until the call is up.
const MAX_EARLY: usize = 64;

/// How many unseen HELLOs trigger questions: more than two minutes of repetitions.
const MAX_UNSEEN_HELLOS: u8 = 50;

/// The longest reason that a BYE may carry, in bytes.
const MAX_REASON: usize = 200;

/// Warnings per call about what the peer sends.
const MAX_PEER_WARNINGS: u32 = 1000;

/// Identifies a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A transfer that this side sends. Numbers ascend in sending order.
    Outgoing(u64),
    /// A transfer that the peer sends, by the peer's id.
    Incoming(u32),
}

/// The state of a transfer for the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which transfer.
    pub key: Key,
    /// Its description.
    pub meta: Meta,
    /// Bytes that the receiver has.
    pub transferred: u64,
}

/// Commands and events of the link. Drain them after every input.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this frame.
    Send(ChannelKind, Vec<u8>),
    /// Send this text to a peer that accepts plain text only.
    SendText(String),
    /// Read bytes from the source of an outgoing transfer, then call [`Link::handle_read`].
    Read {
        /// The number of [`Key::Outgoing`].
        number: u64,
        /// The position of the first byte.
        offset: u64,
        /// Bytes to read.
        length: u64,
    },
    /// Append these bytes to the stored content of an incoming transfer.
    Keep(u32, Vec<u8>),
    /// An incoming transfer is complete: deliver it, then call [`Link::handle_delivered`].
    Deliver(Report, Content),
    /// A text message from a peer, outside of the protocol.
    PlainText(String),
    /// A binary message from a peer that does not speak the protocol.
    PlainBytes(Vec<u8>),
    /// A transfer made progress.
    Progress(Report),
    /// An outgoing transfer ended with this result.
    Sent(Report, Result<(), Error>),
    /// An incoming transfer failed: discard its stored content.
    Lost(Report, Error),
    /// An incoming transfer or message was refused before any content was stored.
    Refused(Error),
    /// A line for the log.
    Log(Level, String),
}

/// The data of one call, from the first `sendData()` to the end of the call.
#[derive(Default)]
pub struct Link {
    policy: Policy,
    phase: Phase,
    support: Option<Support>,
    messages_open: bool,
    bulk_open: bool,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Free space in the send buffer of the bulk channel.
    room: usize,
    /// When the last frame of the peer arrived.
    heard: Time,
    /// When each transfer's progress was last reported to the page.
    progress_reported: Vec<(Key, Time)>,
    /// Messages that arrived before the call was up.
    early: VecDeque<Output>,
    /// Warnings so far about what the peer sends.
    peer_warnings: u32,
    /// HELLOs in which the peer said that it has not received ours.
    unseen_hellos: u8,
    /// The reason of the peer's BYE.
    bye: Option<String>,
    last_number: u64,
    outputs: VecDeque<Output>,
}

#[derive(Default)]
enum Phase {
    /// The call is not up, or its channels are not open.
    #[default]
    Waiting,
    /// The peer announced the protocol; its HELLO has not arrived yet.
    Hello { again_at: Time, pause: Duration },
    /// The HELLO of the peer has arrived.
    Ready { window: u64 },
    /// The peer accepts plain text only.
    Plain,
    /// Nothing can be sent any more, for this reason.
    Closed(Error),
}

impl Link {
    /// Creates the link of a call that is not up yet. Transfers are queued until it is.
    pub fn new(policy: Policy) -> Self {
        let phase = if policy.enabled { Phase::Waiting } else { Phase::Closed(Error::Disabled) };
        Self { policy, phase, room: BUFFER, ..Self::default() }
    }

    /// The next output, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The time at which [`Link::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Waiting if self.support.is_some() => {
                Some(self.heard + outgoing::SILENCE_TIMEOUT)
            }
            Phase::Hello { again_at, .. } => Some(*again_at),
            Phase::Ready { .. } => self.outgoing.poll_timeout(),
            _ => None,
        }
    }

    /// The version to announce in an offer or answer; 0 if data is off.
    pub fn version(&self) -> u8 {
        if self.policy.enabled { VERSION } else { 0 }
    }

    // Inputs from the page.

    /// Sends a short text. The result comes as [`Output::Sent`] with the returned number.
    pub fn send_text(&mut self, meta: Meta, text: String, now: Time) -> u64 {
        self.send(meta, Body::Inline(text.into_bytes()), now)
    }

    /// Sends content that has to be read first. The result comes as [`Output::Sent`] with the
    /// returned number.
    pub fn send_source(&mut self, meta: Meta, now: Time) -> u64 {
        let body = if meta.size == 0 { Body::Inline(Vec::new()) } else { Body::Source };
        self.send(meta, body, now)
    }

    /// The number of the next outgoing transfer.
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

    /// Cancels an outgoing or incoming transfer.
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

    // Inputs from the call.

    /// The call is up; the peer's description announced `support`.
    pub fn handle_up(&mut self, support: Support, now: Time) {
        self.support = Some(support);
        self.outputs.append(&mut self.early);
        self.begin(now);
    }

    /// One of this side's channels opened.
    pub fn handle_open(&mut self, channel: ChannelKind, now: Time) {
        match channel {
            ChannelKind::Messages => self.messages_open = true,
            ChannelKind::Bulk => self.bulk_open = true,
        }
        self.begin(now);
    }

    /// A channel of this side closed, or its peer connection was replaced. Nothing more is sent
    /// until the channels of another connection open.
    pub fn handle_channels_gone(&mut self) {
        self.messages_open = false;
        self.bulk_open = false;
    }

    /// Sends BYE if the peer has sent its HELLO. A longer reason reaches the peer by the gateway
    /// only.
    pub fn say_bye(&mut self, reason: &str) {
        if matches!(self.phase, Phase::Ready { .. }) && reason.len() <= MAX_REASON {
            self.frame(ChannelKind::Messages, &Frame::Bye { reason: reason.to_owned() });
        }
    }

    /// The reason of the peer's BYE, if one arrived. Returned once.
    pub fn take_bye(&mut self) -> Option<String> {
        self.bye.take()
    }

    /// The call is over: fails all pending transfers with this error.
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

    // Inputs from the channels.

    /// A binary message arrived.
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
            Err(broken) => self.warn_about_peer(Output::Log(
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

    /// A text message arrived: plain text, as janus.js sends it.
    pub fn handle_text(&mut self, text: String) {
        if !matches!(self.phase, Phase::Closed(_)) {
            self.handle_plain("text/plain", text.len(), || Output::PlainText(text));
        }
    }

    /// The bytes requested by [`Output::Read`], or the browser's error message.
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

    /// The delivery requested by [`Output::Deliver`] succeeded, or the content could not be stored.
    pub fn handle_delivered(&mut self, id: u32, kept: bool, now: Time) {
        let mut wants = Vec::new();
        self.incoming.handle_delivered(id, kept, &mut wants);
        self.do_incoming(wants, now);
    }

    /// The send buffer of the bulk channel holds this many bytes.
    pub fn handle_buffered(&mut self, bytes: usize, now: Time) {
        self.room = BUFFER.saturating_sub(bytes);
        self.pump(now);
    }

    /// The time of [`Link::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Hello { again_at, pause } if *again_at <= now => {
                *pause = pause.saturating_mul(2).min(MAX_HELLO_INTERVAL);
                *again_at = now + *pause;
                self.send_hello(false);
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
            Phase::Hello { .. } => true,
            _ => false,
        };
        if waits && now.since(self.heard) >= outgoing::SILENCE_TIMEOUT {
            // Transfers that are sent later wait up to another minute.
            self.heard = now;
            let mut wants = Vec::new();
            self.outgoing.close(&Error::PeerNeverSpoke, &mut wants);
            self.do_outgoing(wants, now);
        }
    }

    /// Starts the protocol once the call is up and the channels are open.
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
                self.phase = Phase::Hello { again_at: now + HELLO_INTERVAL, pause: HELLO_INTERVAL };
                self.send_hello(false);
            }
            Some(Support::Plain | Support::Version(_)) => {}
        }
    }

    fn send_hello(&mut self, seen: bool) {
        self.frame(ChannelKind::Messages, &Frame::Hello { version: VERSION, seen, window: WINDOW });
    }

    fn handle_frame(&mut self, frame: Frame<'_>, now: Time) {
        match self.phase {
            Phase::Ready { .. } => {}
            // A frame before the HELLO is not the first one that was sent, so it is dropped. The
            // peer resends all of them in order.
            Phase::Hello { .. } if matches!(frame, Frame::Hello { .. }) => {}
            _ => return,
        }
        self.heard = now;
        let mut received = Vec::new();
        let mut sent = Vec::new();
        match frame {
            Frame::Hello { seen, window, .. } => {
                if !seen {
                    self.send_hello(true);
                    // Bounded, since a faulty peer may send `seen` 0 without end.
                    if self.unseen_hellos < MAX_UNSEEN_HELLOS {
                        self.unseen_hellos = self.unseen_hellos.saturating_add(1);
                        self.outgoing.handle_unseen_hello(&mut sent);
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
            return self.warn_about_peer(Output::Refused(receiver_error(&meta, verdict)));
        }
        match (&self.support, self.early.len()) {
            (Some(_), _) => self.outputs.push_back(output()),
            (None, ..MAX_EARLY) => self.early.push_back(output()),
            (None, _) => {
                let line = "a message before the call was up was dropped";
                self.warn_about_peer(Output::Log(Level::Warn, line.into()));
            }
        }
    }

    /// Sends to a peer without the protocol: text only, and it is never acknowledged.
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

    /// Sends everything that the limits allow.
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
                outgoing::Want::Send(channel, message) => self.message(channel, message),
                outgoing::Want::Read { number, offset, length } => {
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
                incoming::Want::Answer(frame) => self.frame(ChannelKind::Messages, &frame),
                incoming::Want::Keep(id, bytes) => self.outputs.push_back(Output::Keep(id, bytes)),
                incoming::Want::Deliver(id, meta, content) => {
                    self.forget(Key::Incoming(id));
                    let transferred = meta.size;
                    let report = Report { key: Key::Incoming(id), meta, transferred };
                    self.outputs.push_back(Output::Deliver(report, content));
                }
                incoming::Want::Drop(id, meta, transferred, verdict) => {
                    self.forget(Key::Incoming(id));
                    let error = receiver_error(&meta, verdict);
                    let report = Report { key: Key::Incoming(id), meta, transferred };
                    self.outputs.push_back(Output::Lost(report, error));
                }
                incoming::Want::Refused(meta, verdict) => {
                    self.warn_about_peer(Output::Refused(receiver_error(&meta, verdict)));
                }
                incoming::Want::Progress(id) => {
                    if let Some((meta, transferred)) = self.incoming.progress(id) {
                        let meta = meta.clone();
                        self.progress(Report { key: Key::Incoming(id), meta, transferred }, now);
                    }
                }
                incoming::Want::Log(line) => self.log(Level::Debug, line.into()),
            }
        }
    }

    /// Reports progress to the page, at most once per [`PROGRESS_INTERVAL`].
    fn progress(&mut self, report: Report, now: Time) {
        match self.progress_reported.iter_mut().find(|(key, _)| *key == report.key) {
            Some((_, reported)) if now.since(*reported) < PROGRESS_INTERVAL => return,
            Some((_, reported)) => *reported = now,
            None => self.progress_reported.push((report.key, now)),
        }
        self.outputs.push_back(Output::Progress(report));
    }

    fn forget(&mut self, key: Key) {
        self.progress_reported.retain(|(reported, _)| *reported != key);
    }

    fn sent(&mut self, number: u64, meta: Meta, transferred: u64, result: Result<(), Error>) {
        let key = Key::Outgoing(number);
        self.forget(key);
        self.outputs.push_back(Output::Sent(Report { key, meta, transferred }, result));
    }

    fn frame(&mut self, channel: ChannelKind, frame: &Frame<'_>) {
        self.message(channel, frame.encode());
    }

    fn message(&mut self, channel: ChannelKind, message: Vec<u8>) {
        debug_assert!(message.len() <= LONGEST_MESSAGE);
        if self.messages_open {
            self.outputs.push_back(Output::Send(channel, message));
        }
    }

    /// Reports what the peer did wrong, up to [`MAX_PEER_WARNINGS`] times.
    fn warn_about_peer(&mut self, output: Output) {
        self.peer_warnings = self.peer_warnings.saturating_add(1);
        if self.peer_warnings <= MAX_PEER_WARNINGS {
            self.outputs.push_back(output);
        }
        if self.peer_warnings == MAX_PEER_WARNINGS {
            let line = "the peer keeps sending invalid data: no further warnings are logged";
            self.log(Level::Warn, line.into());
        }
    }

    fn log(&mut self, level: Level, line: String) {
        self.outputs.push_back(Output::Log(level, line));
    }
}

/// The receiver's error for its own verdict on an incomplete transfer.
fn receiver_error(meta: &Meta, verdict: Verdict) -> Error {
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
