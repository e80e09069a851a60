//! Messages and files between two links: content, results and timing.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod pair;

use std::time::Duration;

use pair::{A, B, Faults, Pair, Source, hash, meta, sealed};
use videortc::data::Policy;
use videortc::data::frame::{Frame, Verdict};
use videortc::data::sdp::Support;
use videortc::data::{ChannelKind, Key, LONGEST_INLINE, LONGEST_TEXT, Link, Meta, Output};
use videortc::error::Code;

const MEGABYTE: u64 = 1 << 20;
/// The receiver's window, and the limit of the bulk channel's send buffer.
const WINDOW: u64 = 1024 * 1024;
const BUFFER: u64 = 256 * 1024;
/// The content of a full chunk.
const CHUNK: u64 = 65_535 - 17;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn plain_source(size: u64) -> Source {
    Source { seed: size, size, fails_at: None }
}

/// Sends a file of this size and checks that it arrives unchanged.
fn check_file(size: u64) {
    let mut pair = Pair::new();
    let number = pair.file(A, size);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    assert_eq!(pair.ends[A].sent[&number].0.transferred, size);
    let [delivery] = &pair.ends[B].delivered[..] else { panic!("once") };
    assert_eq!(delivery.meta, meta("application/octet-stream", size));
    assert_eq!(delivery.hash, hash(plain_source(size)));
    assert_eq!(pair.kept(B), 0);
}

/// The bytes of an attacker's frame.
fn frame(frame: &Frame<'_>) -> Vec<u8> {
    frame.encode()
}

fn hello(seen: bool) -> Vec<u8> {
    frame(&Frame::Hello { version: 1, seen, window: WINDOW.try_into().unwrap() })
}

// Delivery.

#[test]
fn delivers_a_short_text_in_one_trip_and_confirms_it_in_two() {
    let mut pair = Pair::new();
    let begin = pair.now;
    let number = pair.text(A, "How are you?");
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    let delivery = &pair.ends[B].delivered[0];
    assert_eq!(delivery.text.as_deref(), Some("How are you?"));
    assert_eq!(delivery.meta.kind, "text/plain");
    // Two hops of 5 ms per trip, and the time for the delivery.
    assert!(delivery.at - begin <= millis(12), "{:?}", delivery.at - begin);
    assert!(pair.now - begin <= millis(24), "{:?}", pair.now - begin);
}

#[test]
fn delivers_an_empty_text() {
    let mut pair = Pair::new();
    let number = pair.text(A, "");
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    assert_eq!(pair.ends[B].texts_delivered(), [""]);
}

#[test]
fn preserves_every_character_of_a_text() {
    let mut pair = Pair::new();
    let text = "Grüße, 世界, 👩‍👩‍👧 \u{0} \u{202e}\r\n";
    pair.text(A, text);
    pair.settle();
    assert_eq!(pair.ends[B].texts_delivered(), [text]);
}

#[test]
fn delivers_the_longest_text_of_one_message() {
    let mut pair = Pair::new();
    let text = "x".repeat(LONGEST_INLINE);
    // With the longest possible header.
    let number = pair.text_of(A, &"k".repeat(255), &text);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    assert_eq!(pair.ends[B].texts_delivered(), [text]);
}

#[test]
fn delivers_a_text_read_in_blocks_as_text() {
    let mut pair = Pair::new();
    let meta = Meta { is_text: true, ..meta("text/plain", 100_000) };
    pair.source(A, meta.clone(), plain_source(100_000));
    pair.settle();
    assert_eq!(pair.ends[B].delivered[0].meta, meta);
    assert_eq!(pair.ends[B].delivered[0].hash, hash(plain_source(100_000)));
}

#[test]
fn delivers_an_empty_file() {
    check_file(0);
}

#[test]
fn delivers_a_file_of_one_byte() {
    check_file(1);
}

#[test]
fn delivers_files_around_the_longest_message() {
    for size in [65_534, 65_535, 65_536, 65_537] {
        check_file(size);
    }
}

#[test]
fn delivers_files_around_chunk_ack_and_block_sizes() {
    for at in [32 * 1024, 64 * 1024, 128 * 1024, 512 * 1024] {
        for size in [at - 1, at, at + 1] {
            check_file(size);
        }
    }
}

#[test]
fn delivers_a_file_of_20_megabytes() {
    check_file(20 * MEGABYTE);
}

#[test]
fn delivers_a_hundred_files_at_once() {
    let mut pair = Pair::new();
    let sizes: Vec<u64> = (0..100).map(|n| n * 1777).collect();
    for (n, size) in sizes.iter().enumerate() {
        pair.file_of(A, &format!("kind/{n}"), *size);
    }
    pair.settle();
    assert!(pair.ends[A].sent.values().all(|(_, result, _)| result.is_ok()));
    assert_eq!(pair.ends[B].delivered.len(), 100);
    for delivery in &pair.ends[B].delivered {
        let n: usize = delivery.meta.kind.strip_prefix("kind/").unwrap().parse().unwrap();
        assert_eq!(delivery.hash, hash(plain_source(sizes[n])));
    }
}

#[test]
fn delivers_a_thousand_messages_in_order() {
    let mut pair = Pair::new();
    let texts: Vec<String> = (0..1000).map(|n| format!("{n}")).collect();
    for text in &texts {
        pair.text(A, text);
    }
    pair.settle();
    assert_eq!(pair.ends[B].texts_delivered(), texts);
}

#[test]
fn both_directions_are_independent() {
    let mut pair = Pair::new();
    for end in [A, B] {
        pair.file(end, 3 * MEGABYTE);
        pair.text(end, "meanwhile");
    }
    pair.settle();
    for end in [A, B] {
        assert!(pair.ends[end].sent.values().all(|(_, result, _)| result.is_ok()));
        assert_eq!(pair.ends[end].texts_delivered(), ["meanwhile"]);
        assert_eq!(pair.ends[end].delivered[1].hash, hash(plain_source(3 * MEGABYTE)));
    }
}

#[test]
fn preserves_name_and_type_of_a_file() {
    let mut pair = Pair::new();
    let meta = Meta { filename: Some("Übersicht 2.pdf".into()), ..meta("application/pdf", 9) };
    pair.source(A, meta.clone(), plain_source(9));
    pair.settle();
    assert_eq!(pair.ends[B].delivered[0].meta, meta);
}

// Latency and queues.

#[test]
fn message_overtakes_a_file() {
    let mut pair = Pair::new();
    pair.set_rates(1_000_000, 1_000_000);
    pair.file(A, 5 * MEGABYTE);
    pair.run_for(millis(1000));
    let begin = pair.now;
    let text = pair.text(A, "quick");
    pair.run_until(|pair| pair.outcome(A, text) != "open");
    // One chunk is ahead on each hop, plus a trip back; the file itself takes seconds.
    assert!(pair.now - begin < millis(200), "{:?}", pair.now - begin);
    // From then on, fewer bytes are ahead of the next one.
    pair.run_for(millis(1000));
    let begin = pair.now;
    let text = pair.text(A, "quicker");
    pair.run_until(|pair| pair.outcome(A, text) != "open");
    assert!(pair.now - begin < millis(120), "{:?}", pair.now - begin);
    pair.settle();
    assert!(pair.ends[A].sent.values().all(|(_, result, _)| result.is_ok()));
}

#[test]
fn two_files_share_the_bandwidth() {
    let mut pair = Pair::new();
    pair.set_rates(2_000_000, 2_000_000);
    let first = pair.file(A, 4 * MEGABYTE);
    let second = pair.file(A, 4 * MEGABYTE);
    pair.run_until(|pair| pair.transferred(A, first) >= 2 * MEGABYTE);
    assert!(pair.transferred(A, second) >= 3 * MEGABYTE / 2);
    pair.settle();
    let apart = pair.ended_at(A, second).abs_diff(pair.ended_at(A, first));
    assert!(apart < pair.ended_at(A, first) / 10, "{apart:?}");
}

#[test]
fn short_file_does_not_wait_for_a_long_one() {
    let mut pair = Pair::new();
    let long = pair.file(A, 20 * MEGABYTE);
    let short = pair.file(A, 1000);
    pair.run_until(|pair| pair.outcome(A, short) != "open");
    assert_eq!(pair.outcome(A, short), "ok");
    assert_eq!(pair.outcome(A, long), "open");
    assert!(pair.transferred(A, long) <= 2 * MEGABYTE);
}

#[test]
fn slow_receiver_slows_the_sender_without_filling_queues() {
    let mut pair = Pair::new();
    pair.set_rates(50_000_000, 300_000);
    for _ in 0..3 {
        pair.file(A, 2 * MEGABYTE);
    }
    pair.settle();
    assert!(pair.ends[A].sent.values().all(|(_, result, _)| result.is_ok()));
    assert!(pair.most_on_their_way[A] <= WINDOW, "{}", pair.most_on_their_way[A]);
    assert!(pair.most_on_their_way[A] > WINDOW / 2, "the window is used");
    // Less than the whole window, once the connection proves slow. Including the overhead of the
    // chunks:
    assert!(pair.most_at_gateway(B) as u64 <= WINDOW + 1024, "{}", pair.most_at_gateway(B));
}

#[test]
fn slow_uplink_respects_the_buffer_limit_of_the_channel() {
    let mut pair = Pair::new();
    pair.set_rates(300_000, 50_000_000);
    pair.file(A, 2 * MEGABYTE);
    pair.settle();
    // Apart from that, one chunk is on the wire.
    assert!(pair.most_on_their_way[A] <= BUFFER + CHUNK, "{}", pair.most_on_their_way[A]);
}

#[test]
fn cancelled_file_still_counts_against_the_window() {
    let mut pair = Pair::new();
    pair.set_rates(50_000_000, 300_000);
    for _ in 0..20 {
        let number = pair.file(A, 2 * MEGABYTE);
        pair.run_for(millis(7));
        pair.cancel(A, Key::Outgoing(number));
    }
    pair.settle();
    // The receiver's settled bytes are no longer in flight for the sender.
    assert!(pair.most_on_their_way[A] <= 2 * WINDOW, "{}", pair.most_on_their_way[A]);
}

#[test]
fn reads_at_most_two_blocks_ahead() {
    let mut pair = Pair::new();
    for _ in 0..10 {
        pair.file(A, MEGABYTE);
    }
    pair.settle();
    assert_eq!(pair.ends[A].most_reading, 2);
}

#[test]
fn idle_link_sends_nothing_and_has_no_timer() {
    let mut pair = Pair::new();
    pair.file(A, MEGABYTE);
    pair.settle();
    pair.run_for(millis(100));
    for end in [A, B] {
        assert_eq!(pair.ends[end].link.poll_timeout(), None);
        assert_eq!(pair.ends[end].frames("ask"), 0);
    }
}

// Cancellation.

/// Cancels a file on one side once it has progressed so far, and returns the results of both sides.
fn cancelled(canceller: usize, size: u64, when: impl Fn(&Pair) -> bool) -> Pair {
    let mut pair = Pair::new();
    pair.set_rates(1_000_000, 1_000_000);
    let number = pair.file_of(A, "the/file", size);
    pair.run_until(when);
    let key = match canceller {
        A => Key::Outgoing(number),
        _ => Key::Incoming(pair.ends[A].ids["the/file"]),
    };
    pair.cancel(canceller, key);
    pair.settle();
    pair.run_for(millis(5000));
    assert_eq!(pair.kept(B), 0);
    let arrived = pair.ends[B].delivered.len();
    assert_eq!(pair.outcome(A, number) == "ok", arrived == 1, "both sides agree");
    assert!(pair.ends[B].lost.len() + arrived <= 1);
    // The link still works.
    let next = pair.text(A, "next");
    pair.settle();
    assert_eq!(pair.outcome(A, next), "ok");
    pair
}

#[test]
fn sender_cancels_a_queued_transfer() {
    let mut pair = Pair::new();
    let numbers: Vec<u64> = (0..40).map(|_| pair.file(A, MEGABYTE)).collect();
    pair.cancel(A, Key::Outgoing(numbers[39]));
    assert_eq!(pair.outcome(A, numbers[39]), "TRANSFER_CANCELLED");
    let text = pair.text(A, "x");
    pair.settle();
    assert_eq!(pair.outcome(A, text), "ok");
    assert_eq!(pair.ends[B].delivered.len(), 40);
}

#[test]
fn sender_cancels_before_anything_was_sent() {
    let pair = cancelled(A, MEGABYTE, |_| true);
    assert_eq!(pair.outcome(A, 1), "TRANSFER_CANCELLED");
    assert_eq!(pair.ends[B].lost, []);
    assert_eq!(pair.ends[A].frames("cancel"), 0, "nobody had heard of it");
}

#[test]
fn cancellation_overtakes_the_offer() {
    let mut pair = Pair::new();
    pair.set_rates(1_000_000, 1_000_000);
    let first = pair.file(A, MEGABYTE);
    pair.run_for(millis(300));
    let second = pair.file_of(A, "the/file", MEGABYTE);
    pair.run_until(|pair| pair.ends[A].ids.contains_key("the/file"));
    pair.cancel(A, Key::Outgoing(second));
    pair.settle();
    pair.run_for(millis(1000));
    assert_eq!(pair.outcome(A, first), "ok");
    assert_eq!(pair.outcome(A, second), "TRANSFER_CANCELLED");
    assert_eq!(pair.ends[B].lost, [], "it never began there");
    assert_eq!((pair.kept(B), pair.ends[B].delivered.len()), (0, 1));
}

#[test]
fn sender_cancels_in_the_middle() {
    let pair = cancelled(A, MEGABYTE, |pair| pair.transferred(A, 1) > MEGABYTE / 2);
    assert_eq!(pair.outcome(A, 1), "TRANSFER_CANCELLED");
    let [(report, error)] = &pair.ends[B].lost[..] else { panic!("told once") };
    assert_eq!(error.code(), Code::TransferCancelled);
    assert!(report.transferred > MEGABYTE / 2);
}

#[test]
fn sender_cancels_after_sending_everything_but_before_receipt() {
    let pair = cancelled(A, 100_000, |pair| pair.ends[A].frames("chunk") == 2);
    assert_eq!(pair.outcome(A, 1), "TRANSFER_CANCELLED");
    assert_eq!(pair.ends[B].lost.len(), 1);
}

#[test]
fn sender_cancels_too_late() {
    let pair = cancelled(A, 100_000, |pair| !pair.ends[B].delivered.is_empty());
    assert_eq!(pair.outcome(A, 1), "ok");
    assert_eq!(pair.ends[A].sent[&1].0.transferred, 100_000);
    assert_eq!(pair.ends[B].lost, []);
}

#[test]
fn sender_cancels_an_ended_transfer() {
    let pair = cancelled(A, 100_000, |pair| pair.outcome(A, 1) == "ok");
    assert_eq!(pair.ends[A].frames("cancel"), 0);
}

#[test]
fn receiver_cancels_in_the_middle() {
    let pair = cancelled(B, MEGABYTE, |pair| pair.transferred(A, 1) > MEGABYTE / 2);
    assert_eq!(pair.outcome(A, 1), "TRANSFER_CANCELLED");
    let [(_, error)] = &pair.ends[B].lost[..] else { panic!("told once") };
    assert_eq!(error.code(), Code::TransferCancelled);
    assert!(pair.ends[A].frames("chunk") < 32, "the rest is not sent");
}

#[test]
fn receiver_cancels_at_the_first_bytes() {
    let pair = cancelled(B, MEGABYTE, |pair| pair.kept(B) == 1);
    assert_eq!(pair.outcome(A, 1), "TRANSFER_CANCELLED");
}

#[test]
fn receiver_cancels_before_the_offer_arrives() {
    let pair = cancelled(B, MEGABYTE, |pair| pair.ends[A].frames("offer") == 1);
    assert_eq!(pair.outcome(A, 1), "ok", "what is not known cannot be cancelled");
}

#[test]
fn receiver_cancels_too_late() {
    let pair = cancelled(B, 100_000, |pair| !pair.ends[B].delivered.is_empty());
    assert_eq!(pair.outcome(A, 1), "ok");
}

#[test]
fn both_sides_cancel_simultaneously() {
    let mut pair = Pair::new();
    let number = pair.file_of(A, "the/file", 5 * MEGABYTE);
    pair.run_until(|pair| pair.transferred(A, number) > MEGABYTE);
    pair.cancel(A, Key::Outgoing(number));
    pair.cancel(B, Key::Incoming(pair.ends[A].ids["the/file"]));
    pair.settle();
    pair.run_for(millis(1000));
    assert_eq!(pair.outcome(A, number), "TRANSFER_CANCELLED");
    assert_eq!(pair.ends[B].lost.len(), 1);
}

#[test]
fn ignores_cancellation_of_an_unknown_transfer() {
    let mut pair = Pair::new();
    pair.cancel(A, Key::Outgoing(7));
    pair.cancel(A, Key::Incoming(7));
    assert_eq!(pair.ends[A].frames("cancel") + pair.ends[A].frames("result"), 0);
}

// Refusals.

/// The result of a transfer of a type, with these allowed types.
fn outcome_among(allowed: &[&str], kind: &str) -> String {
    let allowed = Some(allowed.iter().map(|kind| (*kind).to_owned()).collect());
    let policy = Policy { allowed, ..Policy::default() };
    let mut pair = Pair::with_policies([Policy::default(), policy]);
    let file = pair.file_of(A, kind, 100_000);
    let text = pair.text_of(A, kind, "text");
    pair.settle();
    assert_eq!(pair.outcome(A, file), pair.outcome(A, text));
    let refused = usize::from(pair.outcome(A, file) != "ok") * 2;
    assert_eq!(pair.ends[B].refused.len(), refused);
    assert_eq!(pair.ends[B].delivered.len(), 2 - refused);
    pair.outcome(A, file).to_owned()
}

#[test]
fn accepts_only_allowed_types() {
    const REFUSED: &str = "TYPE_NOT_ALLOWED";
    for (allowed, kind, outcome) in [
        (&["image/png"][..], "image/png", "ok"),
        (&["image/png"], "image/jpeg", REFUSED),
        (&["text/plain", "image/png"], "image/png", "ok"),
        (&[], "image/png", REFUSED),
        (&["image/*"], "image/png", "ok"),
        (&["image/*"], "imagery/png", REFUSED),
        (&["image/*"], "image", REFUSED),
        (&["*"], "anything at all", "ok"),
        (&["*/*"], "*/*", "ok"),
        (&["IMAGE/*"], "image/PNG", "ok"),
        (&["Image/Png"], "iMAGE/pNG", "ok"),
        (&["text/plain"], "text/plain; charset=utf-8", "ok"),
        (&["text/plain;charset=utf-8"], "text/plain", "ok"),
        (&["move"], "move", "ok"),
        (&["mov*"], "move", REFUSED),
        (&["é*"], "e", REFUSED),
    ] {
        assert_eq!(outcome_among(allowed, kind), outcome, "{kind} among {allowed:?}");
    }
}

#[test]
fn refuses_oversized_content_before_it_is_sent() {
    let policy = Policy { max_size: 1000, ..Policy::default() };
    let mut pair = Pair::with_policies([Policy::default(), policy]);
    let fits = pair.file(A, 1000);
    let large = pair.file(A, 100 * MEGABYTE);
    let text = pair.text(A, &"x".repeat(1001));
    pair.settle();
    assert_eq!(pair.outcome(A, fits), "ok");
    assert_eq!(pair.outcome(A, large), "TOO_LARGE");
    assert_eq!(pair.outcome(A, text), "TOO_LARGE");
    assert!(pair.ends[A].frames("chunk") < 20);
    assert!(pair.ends[B].refused.iter().all(|error| error.code() == Code::TooLarge));
    assert_eq!(pair.ends[B].refused.len(), 2);
}

#[test]
fn refuses_a_text_too_long_for_a_string() {
    let mut pair = Pair::new();
    let size = LONGEST_TEXT + 1;
    let text = Meta { is_text: true, ..meta("text/plain", size) };
    let text = pair.source(A, text, plain_source(size));
    let file = pair.file(A, size);
    pair.settle();
    assert_eq!(pair.outcome(A, text), "TOO_LARGE");
    assert_eq!(pair.outcome(A, file), "ok");
}

#[test]
fn reports_storage_failure_to_the_sender() {
    let mut pair = Pair::new();
    pair.ends[B].is_full = true;
    let number = pair.file(A, 100_000);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    assert_eq!(pair.ends[B].delivered, []);
    assert_eq!(pair.ends[B].lost.len(), 1);
}

#[test]
fn storage_failure_in_the_middle_ends_the_transfer() {
    let mut pair = Pair::new();
    let number = pair.file_of(A, "the/file", 5 * MEGABYTE);
    pair.run_until(|pair| pair.transferred(A, number) > MEGABYTE);
    let id = pair.ends[A].ids["the/file"];
    pair.tell(B, |link, now| link.handle_delivered(id, false, now));
    pair.settle();
    assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    assert_eq!(pair.ends[B].lost.len(), 1);
    assert!(pair.ends[A].frames("chunk") < 160);
}

#[test]
fn file_names_have_no_paths_controls_or_direction_marks() {
    for (name, clean) in [
        ("photo.jpg", Some("photo.jpg")),
        ("../../etc/passwd", Some("passwd")),
        ("C:\\Windows\\system32\\cmd.exe", Some("cmd.exe")),
        ("/", None),
        ("..", None),
        ("", None),
        (" . ", None),
        (".bashrc", Some("bashrc")),
        ("a\u{0}b\n\u{7f}\u{9b}c", Some("abc")),
        ("photo\u{202e}gpj.exe", Some("photogpj.exe")),
        ("\u{2066}a\u{2069}\u{200f}\u{61c}\u{feff}.txt", Some("a.txt")),
        ("report.pdf. . ", Some("report.pdf")),
        ("Zusammenfassung – März.ods", Some("Zusammenfassung – März.ods")),
    ] {
        let mut pair = Pair::new();
        let meta = Meta { filename: Some(name.to_owned()), ..meta("x", 5) };
        pair.source(A, meta, plain_source(5));
        pair.settle();
        let delivery = &pair.ends[B].delivered[0];
        assert_eq!(delivery.meta.filename.as_deref(), clean, "{name:?}");
    }
}

#[test]
fn truncates_long_file_names_between_characters() {
    for name in ["x".repeat(300), "é".repeat(200), "世".repeat(100), "👧".repeat(70)] {
        let mut pair = Pair::new();
        let meta = Meta { filename: Some(name.clone()), ..meta("x", 5) };
        let number = pair.source(A, meta, plain_source(5));
        pair.settle();
        assert_eq!(pair.outcome(A, number), "ok");
        let came = pair.ends[B].delivered[0].meta.filename.clone().unwrap();
        assert!(came.len() > 250 && name.starts_with(&came), "{came}");
    }
}

// Failures.

#[test]
fn unreadable_file_cancels_the_transfer() {
    for fails_at in [0, 600_000] {
        let mut pair = Pair::new();
        let source = Source { fails_at: Some(fails_at), ..plain_source(MEGABYTE) };
        let number = pair.source(A, meta("x", MEGABYTE), source);
        pair.settle();
        pair.run_for(millis(1000));
        assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
        let error = pair.ends[A].sent[&number].1.clone().unwrap_err();
        assert_eq!(error.cause().as_deref(), Some("NotReadableError"));
        assert_eq!(pair.ends[B].lost.len(), usize::from(fails_at > 0));
        assert_eq!(pair.kept(B), 0);
    }
}

#[test]
fn shrunken_file_cancels_the_transfer() {
    let mut pair = Pair::new();
    let number = pair.source(A, meta("x", MEGABYTE), plain_source(600_000));
    pair.settle();
    assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    let error = pair.ends[A].sent[&number].1.clone().unwrap_err();
    assert!(error.message().contains("changed"), "{error:?}");
    assert_eq!(pair.ends[B].delivered, []);
}

#[test]
fn closing_the_link_settles_everything_once_and_in_order() {
    let mut pair = Pair::new();
    let number = pair.file(A, 50 * MEGABYTE);
    for _ in 0..60 {
        pair.file(A, MEGABYTE);
        pair.text(A, "text");
    }
    pair.file(B, 50 * MEGABYTE);
    pair.run_until(|pair| pair.transferred(A, number) > MEGABYTE);
    for end in [A, B] {
        pair.close(end);
        assert_eq!(pair.kept(end), 0, "nothing is kept of what did not come whole");
    }
    assert!(pair.is_settled());
    assert_eq!(pair.outcome(A, number), "CALL_ENDED");
    assert!(pair.ends[B].lost.iter().all(|(_, error)| error.code() == Code::CallEnded));
    assert!(!pair.ends[B].lost.is_empty());
    // Messages in flight, reads and deliveries reach a closed link.
    pair.run_for(Duration::from_secs(120));
    for end in [A, B] {
        assert_eq!(pair.ends[end].link.poll_timeout(), None);
    }
    let late = pair.text(A, "late");
    assert_eq!(pair.outcome(A, late), "CALL_ENDED");
}

#[test]
fn content_delivered_at_the_end_of_the_call_stays_delivered() {
    let mut pair = Pair::new();
    pair.file(A, 100_000);
    pair.run_until(|pair| pair.ends[B].progress.len() == 1);
    while pair.kept(B) == 1 {
        pair.run_for(millis(1));
    }
    pair.close(B);
    pair.run_for(millis(10));
    assert_eq!(pair.ends[B].delivered.len() + pair.ends[B].lost.len(), 1);
    assert_eq!(pair.ends[B].delivered.len(), 1);
}

#[test]
fn silence_fails_pending_transfers_after_a_minute() {
    let mut pair = Pair::new();
    pair.run_for(Duration::from_secs(600));
    pair.is_cut = true;
    let begin = pair.now;
    for _ in 0..100 {
        pair.file(A, 100_000);
        pair.text(A, "text");
    }
    pair.run_for(Duration::from_secs(59));
    assert!(pair.ends[A].sent.is_empty(), "an idle link is not a silent one");
    pair.settle();
    assert!(pair.now - begin <= Duration::from_secs(70), "{:?}", pair.now - begin);
    for number in pair.ends[A].numbers.clone() {
        assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    }
    // The connection may recover.
    pair.is_cut = false;
    let text = pair.text(A, "again");
    let file = pair.file(A, 100_000);
    pair.settle();
    assert_eq!(pair.outcome(A, text), "ok");
    assert_eq!(pair.outcome(A, file), "ok");
}

#[test]
fn interruption_of_half_a_minute_loses_nothing() {
    let mut pair = Pair::new();
    let file = pair.file(A, 5 * MEGABYTE);
    let text = pair.text(A, "text");
    pair.run_until(|pair| pair.transferred(A, file) > MEGABYTE);
    pair.is_cut = true;
    let late = pair.text(A, "late");
    pair.run_for(Duration::from_secs(30));
    pair.is_cut = false;
    pair.settle();
    for number in [file, text, late] {
        assert_eq!(pair.outcome(A, number), "ok");
    }
    assert_eq!(pair.ends[B].delivered.len(), 3);
}

#[test]
fn very_slow_link_does_not_count_as_silent() {
    let mut pair = Pair::new();
    pair.set_rates(6_000, 6_000);
    let number = pair.file(A, 400_000);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
}

#[test]
fn sends_long_texts_once_on_a_slow_link() {
    let mut pair = Pair::new();
    pair.set_rates(4_000, 4_000);
    for _ in 0..3 {
        pair.text(A, &"x".repeat(LONGEST_INLINE));
    }
    pair.settle();
    assert!(pair.ends[A].sent.values().all(|(_, result, _)| result.is_ok()));
    assert_eq!(pair.ends[A].frames("offer"), 3, "more would come faster than the link takes them");
}

#[test]
fn repeats_a_lost_cancellation() {
    let mut pair = Pair::new();
    let number = pair.file(A, 5 * MEGABYTE);
    pair.run_until(|pair| pair.transferred(A, number) > MEGABYTE);
    pair.is_cut = true;
    pair.cancel(A, Key::Outgoing(number));
    pair.run_for(millis(8000));
    pair.is_cut = false;
    pair.settle();
    assert_eq!(pair.outcome(A, number), "TRANSFER_CANCELLED");
    assert!(pair.now < Duration::from_secs(15));
    assert_eq!((pair.kept(B), pair.ends[B].lost.len()), (0, 1));
}

#[test]
fn damaged_frames_do_not_reach_the_page() {
    let mut pair = Pair::new();
    pair.faults = Faults { damage: 100, ..Faults::default() };
    let number = pair.file(A, 5 * MEGABYTE);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    assert_eq!(pair.ends[B].delivered[0].hash, hash(plain_source(5 * MEGABYTE)));
    assert!(pair.ends[B].logs.iter().any(|line| line.contains("damaged")));
}

#[test]
fn resends_lost_chunks_immediately() {
    let mut pair = Pair::new();
    let number = pair.file(A, 5 * MEGABYTE);
    pair.run_until(|pair| pair.transferred(A, number) > MEGABYTE);
    pair.is_cut = true;
    pair.run_for(millis(3));
    pair.is_cut = false;
    let begin = pair.now;
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    assert_eq!(pair.ends[A].frames("ask"), 0, "no need to wait for a timer");
    assert!(pair.now - begin < millis(1500));
}

#[test]
fn gives_up_if_the_same_chunk_is_always_damaged() {
    let mut pair = Pair::new();
    let number = pair.file_of(A, "the/file", 5 * MEGABYTE);
    pair.run_until(|pair| pair.ends[A].ids.contains_key("the/file"));
    let id = pair.ends[A].ids["the/file"];
    for _ in 0..17 {
        pair.inject(A, &frame(&Frame::Ack { id, received: 0, again: true }));
    }
    pair.settle();
    assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    pair.run_for(millis(1000));
    assert_eq!(pair.kept(B), 0);
}

// Progress.

#[test]
fn progress_is_monotonic_and_ends_at_the_size() {
    let mut pair = Pair::new();
    pair.set_rates(1_000_000, 1_000_000);
    let size = 2 * MEGABYTE;
    let number = pair.file(A, size);
    pair.settle();
    for end in [A, B] {
        let told: Vec<u64> =
            pair.ends[end].progress.iter().map(|report| report.transferred).collect();
        assert!(told.is_sorted() && told.iter().all(|told| (1..=size).contains(told)), "{told:?}");
        // More than two seconds, at ten reports per second.
        assert!((15..=30).contains(&told.len()), "{told:?}");
    }
    assert_eq!(pair.ends[A].sent[&number].0.transferred, size);
}

#[test]
fn progress_is_monotonic_despite_resends() {
    let mut pair = Pair::new();
    pair.set_rates(1_000_000, 1_000_000);
    pair.faults = Faults { lose: 50, repeat: 50, delay: 50, damage: 50 };
    let number = pair.file(A, 3 * MEGABYTE);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    for end in [A, B] {
        assert!(pair.ends[end].progress.is_sorted_by_key(|report| report.transferred));
    }
}

// Before the call is up, and without data.

#[test]
fn queues_transfers_until_the_call_is_up() {
    let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
    let text = pair.text(A, "early");
    let file = pair.file(A, 100_000);
    let empty = pair.file(A, 0);
    pair.run_for(Duration::from_secs(300));
    assert_eq!(pair.ends[A].sent.len(), 0);
    pair.handle_up(A, Support::Version(1));
    pair.open(A);
    pair.run_for(Duration::from_secs(55));
    assert_eq!(pair.ends[A].sent.len(), 0, "the other side is not there yet");
    assert!(pair.dropped > 10, "HELLOs are repeated");
    pair.handle_up(B, Support::Version(1));
    let begin = pair.now;
    pair.open(B);
    let back = pair.text(B, "from the one that came last");
    pair.settle();
    assert_eq!(pair.outcome(B, back), "ok");
    assert!(pair.now - begin < millis(100), "there is no need to wait for the next HELLO");
    for number in [text, file, empty] {
        assert_eq!(pair.outcome(A, number), "ok");
    }
}

#[test]
fn fails_transfers_after_a_minute_without_hello() {
    let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
    pair.handle_up(A, Support::Version(1));
    pair.open(A);
    let text = pair.text(A, "hello?");
    let file = pair.file(A, 100_000);
    pair.run_for(Duration::from_secs(59));
    assert_eq!(pair.ends[A].sent.len(), 0);
    pair.run_for(Duration::from_secs(5));
    let late = pair.text(A, "still nobody?");
    pair.run_for(Duration::from_secs(60));
    for number in [text, file, late] {
        assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    }
    // The HELLO arrives after all.
    pair.handle_up(B, Support::Version(1));
    pair.open(B);
    let heard = pair.text(A, "there you are");
    pair.settle();
    assert_eq!(pair.outcome(A, heard), "ok");
}

#[test]
fn fails_transfers_after_a_minute_without_channels() {
    for support in [Support::Version(1), Support::Plain] {
        let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
        let early = pair.text(A, "early");
        pair.run_for(Duration::from_secs(300));
        pair.handle_up(A, support);
        pair.run_for(Duration::from_secs(59));
        assert_eq!(pair.ends[A].sent.len(), 0);
        pair.run_for(Duration::from_secs(2));
        assert_eq!(pair.outcome(A, early), "TRANSFER_FAILED");
    }
}

#[test]
fn queued_transfers_can_be_cancelled_and_end_with_the_call() {
    let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
    let text = pair.text(A, "early");
    let file = pair.file(A, 100_000);
    pair.cancel(A, Key::Outgoing(text));
    assert_eq!(pair.outcome(A, text), "TRANSFER_CANCELLED");
    pair.close(A);
    assert_eq!(pair.outcome(A, file), "CALL_ENDED");
}

#[test]
fn hello_exchange_works_in_any_order() {
    for order in 0..6 {
        let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
        let text = pair.text(A, "early");
        let steps = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][order];
        for step in steps {
            for end in [A, B] {
                match step {
                    0 => pair.handle_up(end, Support::Version(1)),
                    channel => {
                        pair.ends[end].is_open[channel - 1] = true;
                        let channel = [ChannelKind::Messages, ChannelKind::Bulk][channel - 1];
                        pair.tell(end, |link, now| link.handle_open(channel, now));
                    }
                }
                pair.run_for(millis(250));
            }
        }
        pair.settle();
        assert_eq!(pair.outcome(A, text), "ok");
    }
}

#[test]
fn frames_dropped_after_the_hello_are_resent_on_the_next() {
    // The gateway may deliver an endpoint's messages slightly before it delivers to the endpoint.
    let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
    let (text, file) = (pair.text(A, "early"), pair.file(A, 100_000));
    pair.begin();
    pair.ends[B].is_open = [false, false];
    pair.run_for(millis(40));
    assert!(pair.ends[A].frames("offer") > 0, "it was heard");
    assert_eq!(pair.ends[B].frames("result"), 0);
    pair.ends[B].is_open = [true, true];
    let begin = pair.now;
    // A message that gets through must not overtake the dropped ones.
    let next = pair.text(A, "next");
    pair.run_for(millis(30));
    let last = pair.text(A, "last");
    pair.settle();
    assert_eq!(pair.ends[B].texts_delivered(), ["early", "next", "last"]);
    for number in [text, file, next, last] {
        assert_eq!(pair.outcome(A, number), "ok");
        assert!(pair.ended_at(A, number) - begin < millis(500), "nobody waits for the question");
    }
}

#[test]
fn texts_arrive_in_order_whenever_the_gateway_starts_to_deliver() {
    for moment in 0..200 {
        let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
        pair.latency = millis(40);
        pair.set_rates(50_000, 20_000_000);
        let texts: Vec<_> = (0..8).map(|n| format!("{n}")).collect();
        for text in &texts {
            pair.text(A, text);
        }
        pair.begin();
        pair.ends[B].is_open = [false, false];
        pair.run_for(Duration::from_micros(1500) * moment);
        pair.ends[B].is_open = [true, true];
        pair.settle();
        assert_eq!(pair.ends[B].texts_delivered(), texts, "{moment}");
    }
}

#[test]
fn message_does_not_wait_for_unconfirmed_files() {
    let mut pair = Pair::new();
    pair.set_rates(30_000, 30_000);
    let files: Vec<_> = (0..8).map(|_| pair.file(A, 20_000)).collect();
    // They are in flight and unacknowledged.
    pair.run_for(millis(20));
    pair.inject(A, &hello(false));
    let text = pair.text(A, "now");
    pair.run_until(|pair| !pair.ends[B].texts_delivered().is_empty());
    assert!(pair.ends[B].delivered.len() < files.len(), "files came first");
    assert!(files.iter().any(|file| pair.outcome(A, *file) == "open"));
    pair.settle();
    assert_eq!(pair.outcome(A, text), "ok");
}

#[test]
fn endless_hellos_get_bounded_answers() {
    let mut pair = Pair::new();
    pair.is_cut = true;
    for n in 0..32 {
        pair.text(A, &format!("{n}"));
    }
    for _ in 0..1000 {
        pair.inject(A, &hello(false));
    }
    assert!(pair.ends[A].frames("ask") <= 50 * 32, "{}", pair.ends[A].frames("ask"));
}

#[test]
fn repeated_hellos_change_nothing() {
    let mut pair = Pair::new();
    let number = pair.file(A, 5 * MEGABYTE);
    for n in 0..200 {
        for end in [A, B] {
            let seen = n % 2 == 0;
            pair.inject(end, &hello(seen));
        }
        pair.run_for(millis(1));
    }
    let hellos = pair.ends[A].frames("hello");
    assert!(hellos <= 105, "one answer to each that was not seen: {hellos}");
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    assert!(pair.most_on_their_way[A] <= WINDOW);
}

#[test]
fn speaks_to_a_later_version() {
    let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
    pair.handle_up(A, Support::Version(9));
    pair.handle_up(B, Support::Version(1));
    pair.open(A);
    pair.open(B);
    let number = pair.text(A, "text");
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
}

#[test]
fn zero_window_slows_but_does_not_stop() {
    let mut pair = Pair::new();
    pair.inject(A, &frame(&Frame::Hello { version: 1, seen: true, window: 0 }));
    let begin = pair.most_on_their_way[A];
    let number = pair.file(A, 200_000);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
    assert_eq!(begin, 0);
    assert!(pair.most_on_their_way[A] <= CHUNK, "one chunk at a time");
}

#[test]
fn limits_a_huge_window() {
    let mut pair = Pair::new();
    pair.set_rates(500_000_000, 100_000);
    pair.inject(A, &frame(&Frame::Hello { version: 1, seen: true, window: u32::MAX }));
    pair.file(A, 20 * MEGABYTE);
    pair.run_for(millis(3000));
    assert!(pair.most_on_their_way[A] <= 4 * MEGABYTE, "{}", pair.most_on_their_way[A]);
}

#[test]
fn reports_data_disabled_locally() {
    let off = Policy { enabled: false, ..Policy::default() };
    let mut pair = Pair::with_policies([off, Policy::default()]);
    for number in [pair.text(A, "text"), pair.file(A, 5), pair.text(B, "text"), pair.file(B, 5)] {
        let end = usize::from(pair.ends[A].sent.len() == 2 && pair.ends[B].numbers.len() == 2);
        for end in [A, end] {
            assert_eq!(pair.outcome(end, number), "DATA_DISABLED");
        }
    }
    assert!(pair.is_settled());
    let here = pair.ends[A].sent[&1].1.clone().unwrap_err().message();
    let there = pair.ends[B].sent[&1].1.clone().unwrap_err().message();
    assert!(here.contains("options"), "{here}");
    assert!(there.contains("other side"), "{there}");
    pair.inject_text(A, "from a peer that does not care");
    assert_eq!(pair.ends[A].plain, [""; 0]);
}

#[test]
fn fails_queued_transfers_if_the_peer_has_no_data() {
    for support in [Support::None, Support::Off] {
        let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
        let number = pair.text(A, "early");
        pair.handle_up(A, support);
        assert_eq!(pair.outcome(A, number), "DATA_DISABLED");
        let late = pair.file(A, 5);
        assert_eq!(pair.outcome(A, late), "DATA_DISABLED");
    }
}

#[test]
fn sends_nothing_after_the_channels_closed() {
    let mut pair = Pair::new();
    let file = pair.file(A, 10_000_000);
    pair.run_for(Duration::from_millis(50));
    pair.lose_channels(A);
    let text = pair.text(A, "too late");
    pair.cancel(A, Key::Outgoing(file));
    // Later frames request answers, and silence causes questions.
    pair.run_for(Duration::from_secs(30));
    pair.tell(A, |link, _| link.say_bye("Hung up"));
    pair.close(A);
    assert_eq!([pair.outcome(A, file), pair.outcome(A, text)], ["CALL_ENDED"; 2]);
}

// Peers without the protocol.

/// A page in a call with a janus.js page.
fn with_plain_peer(policy: Policy) -> Pair {
    let mut pair = Pair::waiting([policy, Policy::default()]);
    pair.handle_up(A, Support::Plain);
    pair.tell(A, |link, now| link.handle_open(ChannelKind::Messages, now));
    pair
}

#[test]
fn sends_plain_strings_to_a_plain_peer() {
    let mut pair = with_plain_peer(Policy::default());
    let number = pair.text(A, "Hello");
    let longest = pair.text(A, &"x".repeat(LONGEST_INLINE));
    assert_eq!(pair.outcome(A, number), "ok");
    assert_eq!(pair.outcome(A, longest), "ok");
    assert_eq!(pair.ends[A].texts[0], "Hello");
    assert_eq!(pair.ends[A].frames.len(), 0, "it would show a frame as text");
}

#[test]
fn rejects_other_content_for_a_plain_peer() {
    let mut pair = with_plain_peer(Policy::default());
    let long = Meta { is_text: true, ..meta("text/plain", 65_000) };
    for number in [
        pair.text(A, ""),
        pair.file(A, 0),
        pair.file(A, 5),
        pair.source(A, long, plain_source(65_000)),
    ] {
        assert_eq!(pair.outcome(A, number), "NOT_SUPPORTED_BY_PEER");
    }
    assert_eq!(pair.ends[A].texts, [""; 0]);
}

#[test]
fn sends_queued_texts_to_a_plain_peer_in_order() {
    let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
    pair.text(A, "one");
    let file = pair.file(A, 5);
    pair.text(A, "two");
    pair.handle_up(A, Support::Plain);
    assert_eq!(pair.ends[A].sent.len(), 0);
    pair.tell(A, |link, now| link.handle_open(ChannelKind::Messages, now));
    assert_eq!(pair.ends[A].texts, ["one", "two"]);
    assert_eq!(pair.outcome(A, file), "NOT_SUPPORTED_BY_PEER");
    assert!(pair.is_settled());
}

#[test]
fn does_not_report_success_for_a_plain_peer_with_a_closed_channel() {
    let mut pair = with_plain_peer(Policy::default());
    pair.lose_channels(A);
    let number = pair.text(A, "too late");
    assert_eq!(pair.ends[A].texts, [""; 0]);
    pair.close(A);
    assert_eq!(pair.outcome(A, number), "CALL_ENDED");
}

#[test]
fn delivers_text_and_bytes_of_a_plain_peer() {
    let mut pair = with_plain_peer(Policy::default());
    pair.inject_text(A, "Hi");
    pair.inject(A, &[1, 2, 3]);
    assert_eq!(pair.ends[A].plain, ["Hi"]);
    assert_eq!(pair.ends[A].plain_bytes, [[1, 2, 3]]);
}

#[test]
fn applies_the_policy_to_a_plain_peer() {
    let allowed = Some(vec!["text/plain".to_owned()]);
    let mut pair = with_plain_peer(Policy { allowed, max_size: 5, enabled: true });
    pair.inject_text(A, "short");
    pair.inject_text(A, "longer");
    pair.inject(A, &[1, 2, 3]);
    assert_eq!(pair.ends[A].plain, ["short"]);
    assert_eq!(pair.ends[A].plain_bytes, [[0; 0]; 0]);
    let codes: Vec<Code> = pair.ends[A].refused.iter().map(|error| error.code()).collect();
    assert_eq!(codes, [Code::TooLarge, Code::TypeNotAllowed]);
}

#[test]
fn buffers_plain_text_until_the_call_is_up() {
    let mut pair = Pair::waiting([Policy::default(), Policy::default()]);
    for n in 0..100 {
        pair.inject_text(A, &n.to_string());
    }
    assert_eq!(pair.ends[A].plain, [""; 0]);
    pair.handle_up(A, Support::Plain);
    let kept: Vec<String> = (0..64).map(|n| n.to_string()).collect();
    assert_eq!(pair.ends[A].plain, kept, "the first of them, and in order");
    pair.inject_text(A, "next");
    assert_eq!(pair.ends[A].plain.len(), 65);
}

#[test]
fn delivers_plain_text_between_protocol_peers() {
    let mut pair = Pair::new();
    pair.inject_text(B, "typed into another tool");
    assert_eq!(pair.ends[B].plain, ["typed into another tool"]);
}

// Attacks.

#[test]
fn delivers_a_repeated_offer_once() {
    let mut pair = Pair::new();
    let meta = Meta { is_text: true, ..meta("text/plain", 2) };
    let offer = frame(&Frame::Offer { id: 32, meta, content: b"Hi" });
    for _ in 0..3 {
        pair.inject(B, &offer);
        pair.run_for(millis(10));
    }
    assert_eq!(pair.ends[B].texts_delivered(), ["Hi"]);
    assert_eq!(pair.ends[B].frames("result"), 3, "each time it is told the same");
}

#[test]
fn a_million_open_transfers_reuse_the_slots() {
    let mut link = Link::new(Policy::default());
    let now = videortc::time::Time::default();
    link.handle_up(Support::Version(1), now);
    link.handle_open(ChannelKind::Messages, now);
    link.handle_open(ChannelKind::Bulk, now);
    link.handle_message(&hello(true), now);
    let (mut kept, mut lost) = (0, 0);
    for id in 0..100_000 {
        let offer = Frame::Offer { id, meta: meta("x", 10_000), content: &[] };
        link.handle_message(&frame(&offer), now);
        link.handle_message(&frame(&Frame::Chunk { id, offset: 0, content: &[1; 4096] }), now);
        while let Some(output) = link.poll_output() {
            match output {
                Output::Keep(..) => kept += 1,
                Output::Lost(..) => lost += 1,
                _ => {}
            }
        }
        assert!(kept - lost <= 64);
    }
    assert_eq!(kept, 100_000);
}

#[test]
fn rejects_an_ack_for_bytes_that_were_never_sent() {
    for result in [false, true] {
        let mut pair = Pair::new();
        pair.set_rates(1_000_000, 1_000_000);
        let number = pair.file_of(A, "the/file", 5 * MEGABYTE);
        pair.run_until(|pair| pair.ends[A].ids.contains_key("the/file"));
        let id = pair.ends[A].ids["the/file"];
        let said = if result {
            Frame::Result { id, verdict: Verdict::Received }
        } else {
            Frame::Ack { id, received: 4 * MEGABYTE, again: false }
        };
        pair.inject(A, &frame(&said));
        assert!(pair.transferred(A, number) < MEGABYTE);
        pair.settle();
        assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    }
}

#[test]
fn gives_up_on_a_contradicting_receiver() {
    let mut pair = Pair::new();
    pair.is_cut = true;
    let number = pair.file_of(A, "the/file", 100_000);
    pair.run_until(|pair| pair.ends[A].frames("chunk") == 2);
    let id = pair.ends[A].ids["the/file"];
    pair.run_for(millis(1000));
    // The peer does not know the transfer, and says so from then on.
    pair.inject(A, &frame(&Frame::Ack { id, received: 32 * 1024, again: false }));
    pair.is_cut = false;
    pair.settle();
    assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    assert!(pair.now < Duration::from_secs(120), "{:?}", pair.now);
}

#[test]
fn drops_a_result_for_a_transfer_not_yet_offered() {
    let mut pair = Pair::new();
    let number = pair.file(A, MEGABYTE);
    for id in 0..64 {
        pair.inject(A, &frame(&Frame::Result { id, verdict: Verdict::Received }));
    }
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
}

#[test]
fn impossible_answer_ends_the_transfer() {
    let mut pair = Pair::new();
    // The receiver takes both for longer transfers, which never complete.
    for id in [0, 32] {
        let offer = Frame::Offer { id, meta: meta("x", 200_000), content: &[] };
        pair.inject(B, &frame(&offer));
    }
    let file = pair.file(A, 100_000);
    let text = pair.text(A, "text");
    pair.settle();
    assert_eq!(pair.outcome(A, file), "TRANSFER_FAILED");
    assert_eq!(pair.outcome(A, text), "TRANSFER_FAILED");
    assert_eq!(pair.kept(B), 0);
}

#[test]
fn answers_an_ask_about_a_reused_slot() {
    let mut pair = Pair::new();
    let offer = Frame::Offer { id: 64, meta: meta("x", 5), content: &[] };
    pair.inject(B, &frame(&offer));
    let number = pair.file(A, 100_000);
    pair.settle();
    assert_eq!(pair.outcome(A, number), "TRANSFER_FAILED");
    assert!(pair.now < Duration::from_secs(20), "a peer that speaks is told: {:?}", pair.now);
}

#[test]
fn refuses_a_transfer_that_exceeds_its_size() {
    let mut pair = Pair::new();
    let offer = Frame::Offer { id: 0, meta: meta("x", 5), content: &[] };
    pair.inject(B, &frame(&offer));
    pair.inject(B, &frame(&Frame::Chunk { id: 0, offset: 0, content: b"123456" }));
    assert_eq!(pair.ends[B].frames("result"), 1);
    assert_eq!(pair.ends[B].lost.len(), 1);
    pair.run_for(millis(100));
    assert_eq!(pair.ends[B].delivered, []);
}

#[test]
fn refuses_invalid_utf8_text() {
    let mut pair = Pair::new();
    let meta = Meta { is_text: true, ..meta("text/plain", 2) };
    pair.inject(B, &frame(&Frame::Offer { id: 32, meta, content: &[0xc3, 0x28] }));
    pair.run_for(millis(100));
    assert_eq!(pair.ends[B].frames("result"), 1);
    assert_eq!(pair.ends[B].delivered, []);
}

#[test]
fn drops_and_logs_invalid_frames() {
    let mut pair = Pair::new();
    for (message, says) in [
        (&[][..], "too short"),
        (&[1, 2, 3], "too short"),
        (&[0; 100], "damaged"),
        (&sealed(&[99, 1, 2, 3]), "unknown kind 99"),
    ] {
        pair.ends[B].logs.clear();
        pair.inject(B, message);
        assert!(pair.ends[B].logs[0].contains(says), "{:?}", pair.ends[B].logs);
    }
    let number = pair.text(A, "and on it goes");
    pair.settle();
    assert_eq!(pair.outcome(A, number), "ok");
}

#[test]
fn limits_warnings_about_a_peer() {
    let mut pair = Pair::with_policies([
        Policy { allowed: Some(vec!["text/plain".into()]), ..Policy::default() },
        Policy::default(),
    ]);
    for n in 0..1000 {
        pair.inject(A, &[9, n as u8]);
        pair.text_of(B, "text/html", "refused");
    }
    pair.settle();
    let told = pair.ends[A].refused.len() + pair.ends[A].logs.len();
    assert!((1000..1010).contains(&told), "{told}");
    // Each still reaches the peer.
    assert_eq!(pair.ends[B].sent.len(), 1000);
}

#[test]
fn aborts_on_undersized_chunks() {
    let mut pair = Pair::new();
    let offer = Frame::Offer { id: 0, meta: meta("x", 10_000), content: &[] };
    pair.inject(B, &frame(&offer));
    pair.inject(B, &frame(&Frame::Chunk { id: 0, offset: 0, content: &[1; 5000] }));
    pair.inject(B, &frame(&Frame::Chunk { id: 0, offset: 5000, content: &[1; 4095] }));
    let [(report, error)] = &pair.ends[B].lost[..] else { panic!("told once") };
    assert_eq!((report.transferred, error.code()), (5000, Code::TransferFailed));
}
