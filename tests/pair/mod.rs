//! Two links connected by simulated channels, on a virtual clock. A test performs actions of the
//! pages, lets time pass, and checks their events.
//!
//! A channel has two hops with a queue each: from the browser to the gateway, and on to the other
//! browser. As in Janus, messages for a page whose channel is not open are dropped, and so are
//! empty messages and those above 65535 bytes. Both channels of a hop share its rate in turns.

// Each user of this module (tests, fuzz targets) uses a part of it.
#![allow(dead_code, unreachable_pub)]

pub mod codec;
pub mod story;

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::sync::OnceLock;
use std::time::Duration;

use videortc::data::Policy;
use videortc::data::frame::Frame;
use videortc::data::sdp::Support;
use videortc::data::{
    self, ChannelKind, Content, Key, LONGEST_MESSAGE, Link, Meta, Output, Report,
};
use videortc::error::Error;
use videortc::time::Time;

/// The two endpoints. Tests mostly send from the first to the second.
pub const A: usize = 0;
pub const B: usize = 1;

/// How long a page takes to read a block of a file, and to deliver content.
const READ: Duration = Duration::from_millis(2);
const DELIVER: Duration = Duration::from_millis(1);
/// The maximum of outputs per input, whoever sends it.
const MOST_OUTPUTS: usize = 200;

/// Faults of messages at the gateway, in parts per thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub lose: u64,
    pub repeat: u64,
    pub delay: u64,
    pub damage: u64,
}

/// A stand-in for a file: reproducible bytes, so that nothing has to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub seed: u64,
    /// The actual size.
    pub size: u64,
    /// Reading at or beyond this fails.
    pub fails_at: Option<u64>,
}

/// Content that was delivered to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: u32,
    pub meta: Meta,
    /// The text, if it was delivered as one.
    pub text: Option<String>,
    /// The hash of the bytes.
    pub hash: u64,
    pub at: Duration,
}

/// One page.
pub struct End {
    pub link: Link,
    sources: BTreeMap<u64, Source>,
    /// The numbers of all outgoing transfers.
    pub numbers: Vec<u64>,
    /// The result and end time of each.
    pub sent: BTreeMap<u64, (Report, Result<(), Error>, Duration)>,
    pub delivered: Vec<Delivery>,
    pub lost: Vec<(Report, Error)>,
    pub refused: Vec<Error>,
    /// Texts and bytes of a peer without the protocol.
    pub plain: Vec<String>,
    pub plain_bytes: Vec<Vec<u8>>,
    /// Texts for such a peer.
    pub texts: Vec<String>,
    pub progress: Vec<Report>,
    pub logs: Vec<String>,
    /// Blocks that are being read.
    pub reading: usize,
    pub most_reading: usize,
    /// The stored content of each incoming transfer, and pending deliveries.
    kept: BTreeMap<u32, (u64, DefaultHasher)>,
    pub most_kept: usize,
    handing: BTreeMap<u32, Delivery>,
    /// Storing fails from now on.
    pub is_full: bool,
    pub is_open: [bool; 2],
    /// Every sent frame by its kind; chunks by their bytes.
    pub frames: BTreeMap<&'static str, usize>,
    /// The ids of the offered transfers, by type.
    pub ids: BTreeMap<String, u32>,
    is_closed: bool,
    is_cut_off: bool,
}

/// One direction, or one hop of it.
struct Hop {
    queues: [VecDeque<Vec<u8>>; 2],
    /// Bytes per second.
    rate: u64,
    is_busy: bool,
    last: usize,
    most: usize,
}

enum Work {
    /// A message has passed a hop of the endpoint's direction; 0 is the hop to the gateway.
    Passed(usize, usize),
    /// A message reaches the gateway, separately if it was repeated or delayed.
    Gateway(usize, usize, Vec<u8>),
    /// A message reaches the other endpoint.
    Arrive(usize, usize, Vec<u8>),
    Read(usize, u64, u64, u64),
    Delivered(usize, u32),
}

pub struct Pair {
    pub ends: [End; 2],
    pub now: Duration,
    work: BTreeMap<(Duration, u64), Work>,
    sequence: u64,
    hops: [[Hop; 2]; 2],
    /// The latency of a message in addition to the rates.
    pub latency: Duration,
    pub faults: Faults,
    /// Nothing gets through.
    pub is_cut: bool,
    /// Messages that the gateway dropped because they could not be delivered.
    pub dropped: usize,
    random: u64,
    /// The maximum of chunk bytes in flight, by sender.
    on_their_way: [u64; 2],
    pub most_on_their_way: [u64; 2],
}

impl Pair {
    /// Two pages in a call; both speak the protocol, and their channels are open.
    pub fn new() -> Self {
        let mut pair = Self::waiting([Policy::default(), Policy::default()]);
        pair.bring_up();
        pair
    }

    pub fn with_policies(policies: [Policy; 2]) -> Self {
        let mut pair = Self::waiting(policies);
        pair.bring_up();
        pair
    }

    /// Two pages whose call is not up.
    pub fn waiting(policies: [Policy; 2]) -> Self {
        Self {
            ends: policies.map(|policy| End::new(Link::new(policy))),
            now: Duration::ZERO,
            work: BTreeMap::new(),
            sequence: 0,
            hops: [[Hop::new(), Hop::new()], [Hop::new(), Hop::new()]],
            latency: Duration::from_millis(5),
            faults: Faults::default(),
            is_cut: false,
            dropped: 0,
            random: 1,
            on_their_way: [0; 2],
            most_on_their_way: [0; 2],
        }
    }

    pub fn set_seed(&mut self, seed: u64) {
        self.random = seed | 1;
    }

    /// The rates in bytes per second, to the gateway and from it.
    pub fn set_rates(&mut self, up: u64, down: u64) {
        for [to, from] in &mut self.hops {
            (to.rate, from.rate) = (up, down);
        }
    }

    /// The call is up, the channels are open, and the HELLOs are exchanged.
    fn bring_up(&mut self) {
        self.begin();
        self.run_for(Duration::from_millis(500));
    }

    /// The call is up and the channels are open on both sides, which start to send HELLOs.
    pub fn begin(&mut self) {
        for end in [A, B] {
            let support = self.support_of(1 - end);
            self.handle_up(end, support);
            self.open(end);
        }
    }

    fn support_of(&self, end: usize) -> Support {
        match self.ends[end].link.version() {
            0 => Support::Off,
            version => Support::Version(version),
        }
    }

    // Inputs from the call.

    pub fn handle_up(&mut self, end: usize, support: Support) {
        self.tell(end, |link, now| link.handle_up(support, now));
    }

    /// Opens both channels of an endpoint.
    pub fn open(&mut self, end: usize) {
        for (index, channel) in [ChannelKind::Messages, ChannelKind::Bulk].into_iter().enumerate() {
            self.ends[end].is_open[index] = true;
            self.tell(end, |link, now| link.handle_open(channel, now));
        }
    }

    /// Closes the channels of an endpoint; its call continues.
    pub fn lose_channels(&mut self, end: usize) {
        self.ends[end].is_open = [false; 2];
        self.ends[end].is_cut_off = true;
        self.tell(end, |link, _| link.handle_channels_gone());
    }

    pub fn close(&mut self, end: usize) {
        self.ends[end].is_closed = true;
        let error = data::Error::CallEnded { reason: "Hung up".into() };
        self.tell(end, |link, _| link.close(&error));
    }

    // Actions of the pages.

    pub fn text(&mut self, end: usize, text: &str) -> u64 {
        self.text_of(end, "text/plain", text)
    }

    pub fn text_of(&mut self, end: usize, kind: &str, text: &str) -> u64 {
        let mut number = 0;
        let (kind, size) = (kind.to_owned(), text.len() as u64);
        let meta = Meta { kind, filename: None, size, is_text: true };
        let text = text.to_owned();
        let numbers = self.ends[end].numbers.clone();
        self.ends[end].numbers.push(numbers.last().map_or(1, |last| last + 1));
        self.tell(end, |link, now| number = link.send_text(meta, text, now));
        assert_eq!(self.ends[end].numbers.last(), Some(&number));
        number
    }

    /// Sends a file of this size.
    pub fn file(&mut self, end: usize, size: u64) -> u64 {
        self.file_of(end, "application/octet-stream", size)
    }

    pub fn file_of(&mut self, end: usize, kind: &str, size: u64) -> u64 {
        self.source(end, meta(kind, size), Source { seed: size, size, fails_at: None })
    }

    pub fn source(&mut self, end: usize, meta: Meta, source: Source) -> u64 {
        let this = &mut self.ends[end];
        let number = this.numbers.last().map_or(1, |last| last + 1);
        this.numbers.push(number);
        this.sources.insert(number, source);
        let mut told = 0;
        self.tell(end, |link, now| told = link.send_source(meta, now));
        assert_eq!(told, number);
        number
    }

    pub fn cancel(&mut self, end: usize, key: Key) {
        self.tell(end, |link, now| link.cancel(key, now));
    }

    /// Injects a message that the other endpoint never sent.
    pub fn inject(&mut self, end: usize, message: &[u8]) {
        self.tell(end, |link, now| link.handle_message(message, now));
    }

    pub fn inject_text(&mut self, end: usize, text: &str) {
        let text = text.to_owned();
        self.tell(end, |link, _| link.handle_text(text));
    }

    /// Passes an input to the link and processes its outputs.
    pub fn tell(&mut self, end: usize, act: impl FnOnce(&mut Link, Time)) {
        let now = self.time();
        act(&mut self.ends[end].link, now);
        self.drain(end);
    }

    // Observations.

    /// The result of a transfer at its sender: `ok`, an error's code, or `open`.
    pub fn outcome(&self, end: usize, number: u64) -> &str {
        match self.ends[end].sent.get(&number) {
            None => "open",
            Some((_, Ok(()), _)) => "ok",
            Some((_, Err(error), _)) => error.code().as_str(),
        }
    }

    pub fn ended_at(&self, end: usize, number: u64) -> Duration {
        self.ends[end].sent[&number].2
    }

    /// The progress of a transfer as last reported to its sender.
    pub fn transferred(&self, end: usize, number: u64) -> u64 {
        let reports = self.ends[end].progress.iter().rev();
        let mut of_it = reports.filter(|report| report.key == Key::Outgoing(number));
        of_it.next().map_or(0, |report| report.transferred)
    }

    /// The number of incomplete transfers that an endpoint stores.
    pub fn kept(&self, end: usize) -> usize {
        self.ends[end].kept.len()
    }

    /// The maximum of queued message bytes at the gateway for an endpoint.
    pub fn most_at_gateway(&self, receiver: usize) -> usize {
        self.hops[1 - receiver][1].most
    }

    pub fn is_settled(&self) -> bool {
        self.ends.iter().all(|end| end.sent.len() == end.numbers.len())
    }

    // Passing time.

    pub fn time(&self) -> Time {
        Time::from_millis(u64::try_from(self.now.as_millis()).unwrap())
    }

    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until a condition holds; at most an hour.
    pub fn run_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(3600);
        while !is_so(self) {
            assert!(self.step(end), "it never came to that: {:?}", self.ends[A].logs);
        }
    }

    /// Lets time pass until all transfers have ended.
    pub fn settle(&mut self) {
        self.run_until(Self::is_settled);
    }

    /// Performs the next work item, unless it is due after the end.
    fn step(&mut self, end: Duration) -> bool {
        let timers = self.ends.iter().filter_map(|end| end.link.poll_timeout());
        let timers = timers.map(|time| Duration::from_millis(time.as_millis()));
        let work = self.work.first_key_value().map(|((due, _), _)| *due);
        let Some(next) = timers.chain(work).min().filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        let now = self.time();
        for end in [A, B] {
            if self.ends[end].link.poll_timeout().is_some_and(|due| due <= now) {
                self.tell(end, |link, now| link.handle_timeout(now));
                let next = self.ends[end].link.poll_timeout();
                assert!(next.is_none_or(|next| next > now), "a timer that is due is done");
            }
        }
        while let Some(entry) = self.work.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let work = entry.remove();
            self.handle(work);
        }
        true
    }

    fn schedule(&mut self, delay: Duration, work: Work) {
        self.sequence += 1;
        self.work.insert((self.now + delay, self.sequence), work);
    }

    fn handle(&mut self, work: Work) {
        match work {
            Work::Passed(end, hop) => {
                let this = &mut self.hops[end][hop];
                this.is_busy = false;
                let channel = this.last;
                let message = this.queues[channel].pop_front().unwrap();
                let buffered: usize = this.queues[1].iter().map(Vec::len).sum();
                match hop {
                    0 => {
                        self.reach_gateway(end, channel, message);
                        self.tell(end, |link, now| link.handle_buffered(buffered, now));
                    }
                    _ => self.schedule(self.latency, Work::Arrive(1 - end, channel, message)),
                }
                self.pass(end, hop);
            }
            Work::Gateway(end, channel, message) => {
                if !self.ends[1 - end].is_open[channel] {
                    self.dropped += 1;
                    self.taken(end, &message);
                    return;
                }
                self.enqueue(end, 1, channel, message);
            }
            Work::Arrive(end, channel, message) => {
                self.taken(1 - end, &message);
                if !self.ends[end].is_closed && self.ends[end].is_open[channel] {
                    self.inject(end, &message);
                }
            }
            Work::Read(end, number, offset, length) => {
                let this = &mut self.ends[end];
                this.reading -= 1;
                let source = this.sources[&number];
                let result = match source.fails_at {
                    Some(at) if offset + length > at => Err("NotReadableError".to_owned()),
                    _ => Ok(bytes(source, offset, length)),
                };
                self.tell(end, |link, now| link.handle_read(number, offset, result, now));
            }
            Work::Delivered(end, id) => {
                let this = &mut self.ends[end];
                let kept = !this.is_full;
                if let Some(delivery) = this.handing.remove(&id)
                    && kept
                {
                    this.delivered.push(delivery);
                }
                self.tell(end, |link, now| link.handle_delivered(id, kept, now));
            }
        }
    }

    // The channels.

    fn enqueue(&mut self, end: usize, hop: usize, channel: usize, message: Vec<u8>) {
        let this = &mut self.hops[end][hop];
        this.queues[channel].push_back(message);
        this.most = this.most.max(this.queues.iter().flatten().map(Vec::len).sum());
        self.pass(end, hop);
    }

    /// Starts the next message of a hop, alternating between the channels.
    fn pass(&mut self, end: usize, hop: usize) {
        let this = &mut self.hops[end][hop];
        let channel = if this.queues[1 - this.last].is_empty() { this.last } else { 1 - this.last };
        if this.is_busy || this.queues[channel].is_empty() {
            return;
        }
        this.is_busy = true;
        this.last = channel;
        let bytes = u64::try_from(this.queues[channel][0].len()).unwrap();
        let takes = Duration::from_micros(bytes * 1_000_000 / this.rate);
        self.schedule(takes, Work::Passed(end, hop));
    }

    /// Applies the faults of the gateway.
    fn reach_gateway(&mut self, end: usize, channel: usize, mut message: Vec<u8>) {
        let Faults { lose, repeat, delay, damage } = self.faults;
        if self.is_cut || self.chance(lose) {
            return self.taken(end, &message);
        }
        if self.chance(repeat) {
            let late = Duration::from_millis(self.random() % 2000);
            self.on_their_way[end] += chunk_bytes(&message);
            self.schedule(late, Work::Gateway(end, channel, message.clone()));
        }
        if self.chance(damage) {
            self.taken(end, &message);
            let at = usize::try_from(self.random()).unwrap() % message.len();
            message[at] ^= 1 << (self.random() % 8);
        }
        let late = match self.chance(delay) {
            true => self.random() % 2000,
            false => 0,
        };
        self.schedule(
            self.latency + Duration::from_millis(late),
            Work::Gateway(end, channel, message),
        );
    }

    /// Chunks that only the receiver still holds.
    fn taken(&mut self, sender: usize, message: &[u8]) {
        let on_their_way = &mut self.on_their_way[sender];
        *on_their_way = on_their_way.saturating_sub(chunk_bytes(message));
    }

    fn chance(&mut self, of_thousand: u64) -> bool {
        of_thousand > 0 && self.random() % 1000 < of_thousand
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random)
    }

    /// Executes the outputs of a link, as the browser shell does.
    fn drain(&mut self, end: usize) {
        let mut count = 0;
        while let Some(output) = self.ends[end].link.poll_output() {
            count += 1;
            self.handle_output(end, output);
        }
        let this = &mut self.ends[end];
        // Closing may end every transfer at once.
        let most = if this.is_closed { usize::MAX } else { MOST_OUTPUTS + this.numbers.len() };
        assert!(count <= most, "{count} outputs at once");
        this.most_kept = this.most_kept.max(this.kept.len());
    }

    fn handle_output(&mut self, end: usize, output: Output) {
        let (now, is_closed) = (self.now, self.ends[end].is_closed);
        let this = &mut self.ends[end];
        match output {
            Output::Send(channel, message) => {
                assert!(!is_closed, "nothing is sent after the end");
                assert!(!this.is_cut_off, "nothing is sent on a channel that is closed");
                assert!(
                    (1..=LONGEST_MESSAGE).contains(&message.len()),
                    "the gateway would drop it"
                );
                let frame = Frame::decode(&message);
                if let Ok(Frame::Offer { id, meta, .. }) = &frame {
                    this.ids.insert(meta.kind.clone(), *id);
                }
                *this.frames.entry(name(&frame.unwrap())).or_default() += 1;
                self.on_their_way[end] += chunk_bytes(&message);
                self.most_on_their_way[end] =
                    self.most_on_their_way[end].max(self.on_their_way[end]);
                self.enqueue(end, 0, usize::from(channel == ChannelKind::Bulk), message);
            }
            Output::SendText(text) => this.texts.push(text),
            Output::Read { number, offset, length } => {
                let size = this.sources[&number].size;
                assert!(length > 0 && offset <= size.max(1 << 30), "{offset} of {size}");
                this.reading += 1;
                this.most_reading = this.most_reading.max(this.reading);
                self.schedule(READ, Work::Read(end, number, offset, length));
            }
            Output::Keep(id, bytes) => {
                assert!(!is_closed && !bytes.is_empty());
                let (size, hasher) = this.kept.entry(id).or_default();
                *size += u64::try_from(bytes.len()).unwrap();
                hasher.write(&bytes);
            }
            Output::Deliver(report, content) => {
                let Key::Incoming(id) = report.key else { panic!("{report:?}") };
                assert_eq!(report.transferred, report.meta.size);
                let (size, hasher) = this.kept.remove(&id).unwrap_or_default();
                let (text, hash) = match content {
                    Content::Kept => {
                        assert_eq!(size, report.meta.size, "all of it is kept");
                        (None, hasher.finish())
                    }
                    Content::Text(text) => {
                        assert_eq!(u64::try_from(text.len()).unwrap(), report.meta.size);
                        let hash = hash_of(text.as_bytes());
                        (Some(text), hash)
                    }
                };
                let delivery = Delivery { id, meta: report.meta, text, hash, at: now };
                this.handing.insert(id, delivery);
                self.schedule(DELIVER, Work::Delivered(end, id));
            }
            Output::PlainText(text) => this.plain.push(text),
            Output::PlainBytes(bytes) => this.plain_bytes.push(bytes),
            Output::Progress(report) => this.progress.push(report),
            Output::Sent(report, result) => {
                let Key::Outgoing(number) = report.key else { panic!("{report:?}") };
                assert!(this.numbers.contains(&number));
                let before = this.sent.insert(number, (report, result.map_err(Error::from), now));
                assert!(before.is_none(), "number {number} ended twice: {before:?}");
            }
            Output::Lost(report, error) => {
                let Key::Incoming(id) = report.key else { panic!("{report:?}") };
                this.kept.remove(&id);
                this.lost.push((report, error.into()));
            }
            Output::Refused(error) => this.refused.push(error.into()),
            Output::Log(_, line) => this.logs.push(line),
        }
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl End {
    fn new(link: Link) -> Self {
        Self {
            link,
            sources: BTreeMap::new(),
            numbers: Vec::new(),
            sent: BTreeMap::new(),
            delivered: Vec::new(),
            lost: Vec::new(),
            refused: Vec::new(),
            plain: Vec::new(),
            plain_bytes: Vec::new(),
            texts: Vec::new(),
            progress: Vec::new(),
            logs: Vec::new(),
            reading: 0,
            most_reading: 0,
            kept: BTreeMap::new(),
            most_kept: 0,
            handing: BTreeMap::new(),
            is_full: false,
            is_open: [false; 2],
            frames: BTreeMap::new(),
            ids: BTreeMap::new(),
            is_closed: false,
            is_cut_off: false,
        }
    }

    /// The delivered texts, in order.
    pub fn texts_delivered(&self) -> Vec<&str> {
        self.delivered.iter().filter_map(|delivery| delivery.text.as_deref()).collect()
    }

    /// The number of sent frames of a kind.
    pub fn frames(&self, kind: &str) -> usize {
        self.frames.get(kind).copied().unwrap_or_default()
    }
}

impl Hop {
    fn new() -> Self {
        Self { queues: Default::default(), rate: 20_000_000, is_busy: false, last: 0, most: 0 }
    }
}

/// Appends the checksum to a message: CRC-32, bit by bit.
pub fn sealed(body: &[u8]) -> Vec<u8> {
    let add = |sum: u32| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    let sum = body.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |s, _| add(s)));
    [body, &(!sum).to_be_bytes()].concat()
}

/// The description of a file of a type, without a name.
pub fn meta(kind: &str, size: u64) -> Meta {
    Meta { kind: kind.to_owned(), filename: None, size, is_text: false }
}

/// The hash of the readable content of a source.
pub fn hash(source: Source) -> u64 {
    let mut hasher = DefaultHasher::default();
    let mut offset = 0;
    while offset < source.size {
        let length = (source.size - offset).min(1 << 16);
        hasher.write(&bytes(source, offset, length));
        offset += length;
    }
    hasher.finish()
}

pub fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

/// The bytes of a source: a moving window over a ring of random bytes.
fn bytes(source: Source, offset: u64, length: u64) -> Vec<u8> {
    const CIRCLE: usize = 1_048_573;
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let circle = BYTES.get_or_init(|| {
        (0..CIRCLE as u64 / 8 + 1).flat_map(|n| mix(n).to_le_bytes()).take(CIRCLE).collect()
    });
    let end = source.size.min(offset + length);
    let mut at = ((source.seed.wrapping_mul(7919) + offset) % CIRCLE as u64) as usize;
    let mut left = end.saturating_sub(offset) as usize;
    let mut out = Vec::with_capacity(left);
    while left > 0 {
        let part = &circle[at..CIRCLE.min(at + left)];
        out.extend_from_slice(part);
        left -= part.len();
        at = 0;
    }
    out
}

fn mix(mut n: u64) -> u64 {
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The number of content bytes in a chunk; 0 for another frame.
fn chunk_bytes(message: &[u8]) -> u64 {
    const KIND: u8 = 3;
    const AROUND: usize = 17;
    match message.first() {
        Some(&KIND) => message.len().saturating_sub(AROUND) as u64,
        _ => 0,
    }
}

fn name(frame: &Frame<'_>) -> &'static str {
    match frame {
        Frame::Hello { .. } => "hello",
        Frame::Offer { .. } => "offer",
        Frame::Chunk { .. } => "chunk",
        Frame::Ask { .. } => "ask",
        Frame::Cancel { .. } => "cancel",
        Frame::Ack { .. } => "ack",
        Frame::Result { .. } => "result",
        Frame::Unknown { .. } => "unknown",
        Frame::Bye { .. } => "bye",
    }
}
