//! Scenarios with two pages, a faulty channel and an attacker, and the properties that must hold
//! afterwards. The property tests generate them at random; the fuzz target reads them from bytes.

use std::collections::BTreeSet;
use std::time::Duration;

use videortc::data::frame::{Frame, Verdict};
use videortc::data::{Key, LONGEST_INLINE, Meta};

use super::{Delivery, End, Faults, Pair, Source, hash, hash_of, meta, sealed};

/// One step of a scenario.
#[derive(Clone, Debug)]
pub enum Step {
    /// A page sends a text of this size.
    Text(usize, usize),
    /// A page sends a file of this size.
    File(usize, u64),
    /// A page sends a file that becomes unreadable at an offset.
    Unreadable(usize, u64, u64),
    /// A page cancels an outgoing transfer.
    Cancel(usize, usize),
    /// A page cancels an incoming transfer.
    Refuse(usize, usize),
    /// Time passes, in milliseconds.
    Wait(u64),
    /// From now on, messages are lost, repeated, delayed or damaged.
    Faults(Faults),
    /// Nothing gets through, until the next such step.
    Cut(bool),
    /// A page cannot store incoming content.
    Full(usize),
    /// The call ends for a page.
    Close(usize),
    /// A message arrives that the other page never sent.
    Stranger(usize, Vec<u8>),
}

/// Facts that excuse certain outcomes.
#[derive(Default)]
struct Excuses {
    is_closed: bool,
    is_faulty: bool,
    /// The ids in the attacker's frames: slots of incoming transfers, and ids of outgoing ones.
    slots: BTreeSet<(usize, u32)>,
    ids: BTreeSet<(usize, u32)>,
}

/// Plays a scenario and checks the outcome.
pub fn check(steps: &[Step], seed: u64) {
    let mut pair = Pair::new();
    pair.set_rates(4_000_000, 2_000_000);
    pair.set_seed(seed);
    let mut excuses = Excuses::default();
    for step in steps {
        take(&mut pair, step, &mut excuses);
    }
    // All faults stop.
    pair.faults = Faults::default();
    pair.is_cut = false;
    let hello = Frame::Hello { version: 1, seen: true, window: 1 << 20 }.encode();
    for end in [0, 1] {
        pair.inject(end, &hello);
    }
    pair.settle();
    pair.run_for(Duration::from_secs(10));
    for end in [0, 1] {
        check_end(&pair, end, &excuses);
    }
}

fn take(pair: &mut Pair, step: &Step, excuses: &mut Excuses) {
    match step {
        Step::Text(end, size) => {
            let number = next_number(&pair.ends[*end]);
            pair.text_of(*end, &kind(*end, number), &text(number, *size));
        }
        Step::File(end, size) => file(pair, *end, *size, None),
        Step::Unreadable(end, size, at) => file(pair, *end, *size, Some(*at)),
        Step::Cancel(end, nth) => {
            let numbers = &pair.ends[*end].numbers;
            if let Some(number) = numbers.get(nth % numbers.len().max(1)).copied() {
                pair.cancel(*end, Key::Outgoing(number));
            }
        }
        Step::Refuse(end, nth) => {
            let kept: Vec<u32> = pair.ends[*end].kept.keys().copied().collect();
            if let Some(id) = kept.get(nth % kept.len().max(1)).copied() {
                pair.cancel(*end, Key::Incoming(id));
            }
        }
        Step::Wait(millis) => pair.run_for(Duration::from_millis(*millis)),
        Step::Faults(faults) => {
            excuses.is_faulty |= *faults != Faults::default();
            pair.faults = *faults;
        }
        Step::Cut(is_cut) => {
            excuses.is_faulty |= is_cut;
            pair.is_cut = *is_cut;
        }
        Step::Full(end) => pair.ends[*end].is_full = true,
        Step::Close(end) => {
            excuses.is_closed = true;
            pair.close(*end);
        }
        Step::Stranger(end, message) => {
            excuses.hear(*end, message);
            pair.inject(*end, message);
        }
    }
}

impl Excuses {
    fn hear(&mut self, end: usize, message: &[u8]) {
        match Frame::decode(message) {
            Ok(
                Frame::Offer { id, .. }
                | Frame::Chunk { id, .. }
                | Frame::Ask { id, .. }
                | Frame::Cancel { id },
            ) => drop(self.slots.insert((end, id % 64))),
            Ok(Frame::Ack { id, .. } | Frame::Result { id, .. } | Frame::Unknown { id }) => {
                self.ids.insert((end, id));
            }
            Ok(Frame::Hello { .. } | Frame::Bye { .. }) | Err(_) => {}
        }
    }
}

fn next_number(end: &End) -> u64 {
    end.numbers.last().map_or(1, |last| last + 1)
}

/// Every transfer has its own type.
fn kind(end: usize, number: u64) -> String {
    format!("{end}/{number}")
}

fn text(number: u64, size: usize) -> String {
    let mut text = number.to_string().repeat(size + 1);
    text.truncate(size);
    text
}

fn file(pair: &mut Pair, end: usize, size: u64, fails_at: Option<u64>) {
    let number = next_number(&pair.ends[end]);
    let source = Source { seed: number, size, fails_at };
    pair.source(end, meta(&kind(end, number), size), source);
}

/// All transfers of an endpoint have ended, with consistent results on both sides.
fn check_end(pair: &Pair, end: usize, excuses: &Excuses) {
    let (this, other) = (&pair.ends[end], &pair.ends[1 - end]);
    let mut is_silent = false;
    for number in &this.numbers {
        let kind = kind(end, *number);
        let id = this.ids.get(&kind).copied();
        let of_it = other
            .delivered
            .iter()
            .filter(|delivery| Some(delivery.id) == id && delivery.meta.kind == kind);
        let of_it: Vec<&Delivery> = of_it.collect();
        assert!(of_it.len() <= 1, "{kind} was delivered {} times", of_it.len());
        let (report, result, _) = &this.sent[number];
        let named = id.is_some_and(|id| {
            excuses.slots.contains(&(1 - end, id % 64)) || excuses.ids.contains(&(end, id))
        });
        if named {
            continue;
        }
        check_progress(this, Key::Outgoing(*number), report.transferred);
        if let Some(id) = id {
            let lost = other.lost.iter().filter(|(report, _)| report.key == Key::Incoming(id));
            assert!(lost.count() + of_it.len() <= 1, "{kind} ends once at its receiver");
            check_progress(other, Key::Incoming(id), report.meta.size);
        }
        match (result, of_it.first()) {
            (Ok(()), Some(delivery)) => {
                assert_eq!(report.transferred, report.meta.size);
                check_content(this, *number, delivery, &report.meta);
            }
            (Ok(()), None) => panic!("{kind} was said to have arrived, and has not"),
            (Err(error), Some(_)) => {
                let is_unknown = error.message().contains("says nothing any more");
                assert!(is_unknown || excuses.is_closed, "{kind} has arrived: {error:?}");
            }
            (Err(_), None) => {}
        }
        is_silent |=
            result.as_ref().is_err_and(|error| error.message().contains("nothing any more"));
    }
    let is_honest = excuses.slots.is_empty() && excuses.ids.is_empty();
    if is_honest && !is_silent && !excuses.is_closed {
        assert_eq!(pair.kept(1 - end), 0, "nothing is kept of what has ended");
    }
    if is_honest && !excuses.is_faulty {
        let texts = other.delivered.iter().filter(|delivery| delivery.text.is_some());
        assert!(
            texts.is_sorted_by_key(|delivery| delivery.meta.kind[2..].parse::<u64>().unwrap()),
            "texts come in order: {:?}",
            other.delivered
        );
        // Messages in flight and reads for an ended transfer complete later.
        let ended = this.sent.values().filter(|(_, result, _)| result.is_err()).count();
        let most = (1 + ended as u64) << 20;
        assert!(pair.most_on_their_way[end] <= most, "{}", pair.most_on_their_way[end]);
        assert!(this.most_reading <= 2 + 2 * ended, "{} are read at once", this.most_reading);
    }
    assert!(this.most_kept <= 64, "{} are kept", this.most_kept);
}

fn check_progress(end: &End, key: Key, most: u64) {
    let told = end.progress.iter().filter(|report| report.key == key);
    let told: Vec<u64> = told.map(|report| report.transferred).collect();
    assert!(told.is_sorted() && told.iter().all(|told| *told <= most), "{key:?}: {told:?}");
}

fn check_content(sender: &End, number: u64, delivery: &Delivery, meta: &Meta) {
    assert_eq!(delivery.meta, *meta);
    let hash = match sender.sources.get(&number) {
        Some(source) => hash(*source),
        None => hash_of(text(number, usize::try_from(meta.size).unwrap()).as_bytes()),
    };
    assert_eq!(delivery.hash, hash, "{} is not what was sent", meta.kind);
}

/// Decodes a scenario from bytes: each step is a letter and its parameters.
pub fn read(bytes: &[u8]) -> Vec<Step> {
    let mut input = Input(bytes);
    let mut steps = Vec::new();
    // Longer scenarios add no coverage and take long.
    while !input.0.is_empty() && steps.len() < 40 {
        let letter = input.u8();
        let end = usize::from(letter >> 7);
        steps.push(match letter & 15 {
            0 => Step::Text(end, usize::from(input.u16()) % (LONGEST_INLINE + 1)),
            1 => Step::File(end, u64::from(input.u16())),
            2 => Step::File(end, u64::from(input.u8()) * 640),
            3 => Step::Unreadable(end, 1 + u64::from(input.u16()) * 2, u64::from(input.u16()) * 2),
            4 => Step::Cancel(end, usize::from(input.u8())),
            5 => Step::Refuse(end, usize::from(input.u8())),
            6 => Step::Wait(u64::from(input.u8())),
            7 => Step::Wait(u64::from(input.u8()) * 100),
            8 => Step::Faults(Faults {
                lose: u64::from(input.u8()),
                repeat: u64::from(input.u8()),
                delay: u64::from(input.u8()),
                damage: u64::from(input.u8()),
            }),
            9 => Step::Cut(input.u8() & 1 != 0),
            10 => match input.u8() {
                255 => Step::Full(end),
                254 => Step::Close(end),
                millis => Step::Wait(u64::from(millis) * 10),
            },
            11 => {
                let length = usize::from(input.u8());
                Step::Stranger(end, input.take(length).to_vec())
            }
            12 => {
                let length = usize::from(input.u8());
                Step::Stranger(end, sealed(input.take(length)))
            }
            _ => Step::Stranger(end, stranger_of(&mut input)),
        });
    }
    steps
}

/// A frame of the attacker, with numbers from the same bytes.
fn stranger_of(input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.u8();
    let id = match input.u8() {
        255 => input.u32(),
        id => u32::from(id),
    };
    let number = match input.u8() {
        255 => u64::from(input.u32()) << 20,
        254 => u64::from(input.u32()),
        number => u64::from(number) * 2048,
    };
    stranger(kind, id, number, usize::from(input.u8()))
}

/// A well-formed frame with arbitrary content.
pub fn stranger(kind: u8, id: u32, number: u64, small: usize) -> Vec<u8> {
    let content = vec![b'x'; small];
    let frame = match kind % 10 {
        0 => Frame::Hello { version: 1, seen: small & 1 != 0, window: id },
        1 => {
            let is_text = small & 1 != 0;
            let size = content.len() as u64;
            let meta = Meta { is_text, ..meta("stranger", size) };
            Frame::Offer { id, meta, content: &content }
        }
        2 => {
            let filename = Some("x".repeat(small));
            let meta = Meta { filename, is_text: small & 1 != 0, ..meta("stranger", number) };
            Frame::Offer { id, meta, content: &[] }
        }
        3 => {
            let content = if content.is_empty() { &b"x"[..] } else { &content };
            Frame::Chunk { id, offset: number, content }
        }
        4 => Frame::Ask { id, sent: number },
        5 => Frame::Cancel { id },
        6 => Frame::Ack { id, received: number, again: false },
        7 => Frame::Ack { id, received: number, again: true },
        8 => {
            let verdicts = [
                Verdict::Received,
                Verdict::TypeRefused,
                Verdict::TooLarge,
                Verdict::CancelledByReceiver,
                Verdict::CancelledBySender,
                Verdict::NotKept,
                Verdict::Malformed,
                Verdict::Other,
            ];
            Frame::Result { id, verdict: verdicts[small % verdicts.len()] }
        }
        _ => Frame::Unknown { id },
    };
    frame.encode()
}

/// A reader of bytes; yields zeros after the end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }
}
