//! Whatever pages send and cancel, whatever a channel loses, and whatever an attacker sends: every
//! transfer ends once, both sides agree on the outcome, and memory stays bounded.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod pair;

use proptest::prelude::*;
use videortc::data::Meta;
use videortc::data::frame::{Frame, Verdict};

use pair::Faults;
use pair::story::{Step, check, read, stranger};

/// The length of a text; mostly short.
fn text_size() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0usize..50, 1 => 1_000usize..64_001, 1 => Just(64_000)]
}

/// Sizes around every boundary: a chunk, an acknowledgement, the longest message, a block.
fn file_size() -> impl Strategy<Value = u64> {
    let around = prop_oneof![
        Just(32 * 1024u64),
        Just(64 * 1024),
        Just(65_535),
        Just(96 * 1024),
        Just(128 * 1024),
    ];
    prop_oneof![
        2 => 0u64..3,
        3 => 3u64..100_000,
        4 => (around, 0u64..3).prop_map(|(at, more)| at + more - 1),
        1 => 100_000u64..300_000,
    ]
}

fn faults() -> impl Strategy<Value = Faults> {
    let rate = || prop_oneof![3 => Just(0u64), 2 => 1u64..100, 1 => 100u64..500];
    (rate(), rate(), rate(), rate()).prop_map(|(lose, repeat, delay, damage)| Faults {
        lose,
        repeat,
        delay,
        damage,
    })
}

/// Actions of honest pages on a good channel.
fn honest_step() -> impl Strategy<Value = Step> {
    let end = 0..2usize;
    prop_oneof![
        5 => (end.clone(), text_size()).prop_map(|(end, size)| Step::Text(end, size)),
        5 => (end.clone(), file_size()).prop_map(|(end, size)| Step::File(end, size)),
        1 => (end.clone(), 1u64..300_000, 0u64..300_000)
            .prop_map(|(end, size, at)| Step::Unreadable(end, size, at)),
        3 => (end.clone(), 0usize..40).prop_map(|(end, nth)| Step::Cancel(end, nth)),
        2 => (end, 0usize..40).prop_map(|(end, nth)| Step::Refuse(end, nth)),
        6 => prop_oneof![0u64..20, 0u64..500].prop_map(Step::Wait),
    ]
}

/// Faults and attacks.
fn step() -> impl Strategy<Value = Step> {
    let end = 0..2usize;
    prop_oneof![
        20 => honest_step(),
        4 => faults().prop_map(Step::Faults),
        1 => any::<bool>().prop_map(Step::Cut),
        1 => prop_oneof![4 => 0u64..20_000, 1 => Just(80_000)].prop_map(Step::Wait),
        1 => (end.clone(), 0u8..10).prop_map(|(end, rare)| match rare {
            0 => Step::Close(end),
            1 => Step::Full(end),
            _ => Step::Wait(5),
        }),
    ]
}

fn stranger_step() -> impl Strategy<Value = Step> {
    let bytes = prop::collection::vec(any::<u8>(), 0..80);
    let id = prop_oneof![6 => 0u32..3, 3 => 30u32..36, 3 => 0u32..300, 1 => any::<u32>()];
    let number = prop_oneof![2 => 0u64..70_000, 2 => (0u64..10).prop_map(|n| n * 32 * 1024), 1 => 0..1u64 << 53];
    let frame = (any::<u8>(), id, number, 0usize..200)
        .prop_map(|(kind, id, number, small)| stranger(kind, id, number, small));
    let body = bytes.clone().prop_map(|bytes| pair::sealed(&bytes));
    (0..2usize, prop_oneof![1 => bytes, 1 => body, 6 => frame])
        .prop_map(|(end, message)| Step::Stranger(end, message))
}

/// The number of cases, unless `PROPTEST_CASES` is larger.
fn config(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = wanted.unwrap_or(cases);
    ProptestConfig { cases, max_shrink_iters: 2000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn good_channel_delivers_everything_once_and_texts_in_order(
        steps in prop::collection::vec(honest_step(), 1..40),
        seed in any::<u64>(),
    ) {
        check(&steps, seed);
    }

    #[test]
    fn both_sides_agree_on_the_outcome_on_a_bad_channel(
        steps in prop::collection::vec(step(), 1..40),
        seed in any::<u64>(),
    ) {
        check(&steps, seed);
    }

    #[test]
    fn attacker_cannot_disturb_other_transfers(
        steps in prop::collection::vec(
            prop_oneof![1 => honest_step(), 1 => stranger_step()],
            1..60,
        ),
        seed in any::<u64>(),
    ) {
        check(&steps, seed);
    }
}

/// Replays the fuzzers' corpus, by file.
fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = format!("{}/tests/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} is empty");
    for file in files {
        // The last line before a failure names the file.
        println!("{}", file.display());
        check(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn frame_corpus_passes() {
    replay("frame", pair::codec::check);
}

#[test]
fn link_corpus_passes() {
    replay("link", |bytes| check(&read(bytes), 0));
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,20}/[a-z]{1,20}", "\\PC{1,60}"]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Received),
        Just(Verdict::TypeRefused),
        Just(Verdict::TooLarge),
        Just(Verdict::CancelledByReceiver),
        Just(Verdict::CancelledBySender),
        Just(Verdict::NotKept),
        Just(Verdict::Malformed),
        Just(Verdict::Other),
    ]
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn frame_round_trips(
        kind in 1u8..=9,
        id in any::<u32>(),
        number in 0..1u64 << 53,
        flags in any::<[bool; 2]>(),
        meta in (name(), prop::option::of(name())),
        verdict in verdict(),
        content in prop::collection::vec(any::<u8>(), 1..300),
    ) {
        let [flag, inline] = flags;
        let size = if inline { content.len() as u64 } else { number };
        let meta = Meta { kind: meta.0, filename: meta.1, size, is_text: flag };
        let frame = match kind {
            1 => Frame::Hello { version: 1, seen: flag, window: id },
            2 => Frame::Offer { id, meta, content: if inline { &content } else { &[] } },
            3 => Frame::Chunk { id, offset: number, content: &content },
            4 => Frame::Ask { id, sent: number },
            5 => Frame::Cancel { id },
            6 => Frame::Ack { id, received: number, again: flag },
            7 => Frame::Result { id, verdict },
            8 => Frame::Unknown { id },
            _ => Frame::Bye { reason: meta.kind },
        };
        let message = frame.encode();
        prop_assert_eq!(Frame::decode(&message), Ok(frame));
    }

    #[test]
    fn rejects_damaged_and_truncated_frames(
        content in prop::collection::vec(any::<u8>(), 1..300),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut message = Frame::Chunk { id: 5, offset: 7, content: &content }.encode();
        let at = at.index(message.len());
        prop_assert!(Frame::decode(&message[..at]).is_err());
        message[at] ^= 1 << bit;
        prop_assert!(Frame::decode(&message).is_err());
    }
}
