//! A gateway that answers anything at any time, for hours: no sequence of answers makes a client ask more
//! often than its pauses allow, and every command ends within its limit.

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

mod any_gateway;

use std::cell::Cell;

use any_gateway::{Act, Kind, LONGEST, Storm, Way, acts, habits, well};
use proptest::prelude::*;
use serde_json::json;
use videortc::error::Error;
use videortc::peer::ConnectionState;
use videortc::usecase::video_call::Event;

thread_local! {
    /// The most requests in a minute that any story has seen.
    static RECORD: Cell<usize> = const { Cell::new(0) };
}

fn note(storm: &Storm) {
    if storm.most > RECORD.get() {
        RECORD.set(storm.most);
        println!("{} requests in a minute", storm.most);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        max_shrink_iters: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_gateway_makes_a_client_ask_without_a_pause_or_an_end(
        habits in habits(),
        acts in acts(),
        seed in any::<u64>(),
    ) {
        let mut storm = Storm::new(habits, seed);
        storm.play(&acts, 3_600_000);
        note(&storm);
    }

    #[test]
    fn nor_does_one_that_refuses_tokens(
        habits in habits(),
        acts in acts(),
        seed in any::<u64>(),
        delay in prop::sample::select(vec![0u64, 5, 3000, 9000]),
    ) {
        let mut storm = Storm::with_tokens(delay, habits, seed);
        storm.play(&acts, 1_800_000);
        note(&storm);
    }
}

#[test]
fn two_gateways_behind_one_address_are_told_within_the_limit() {
    for seed in 0..20 {
        let mut storm = Storm::new(well(), seed);
        storm.gateways = Some([Vec::new(), Vec::new()]);
        storm.play(&[], 600_000);
        assert!(storm.most < 250, "{} requests in a minute", storm.most);
        let told = storm
            .errors
            .iter()
            .any(|error| error.message().contains("two gateways behind one address"));
        assert!(told, "{:?}", storm.errors);
        println!("{} requests in the worst minute, {} in all", storm.most, storm.total);
    }
}

#[test]
fn a_session_that_is_lost_before_its_handle_costs_the_object_nothing() {
    let mut storm = Storm::new(well(), 1);
    let [well, unknown] = [Way::Well, Way::Core(458)].map(|way| (way, 2));
    // Turns are counted from one.
    storm.habits[Kind::Attach as usize] = vec![well, unknown, well];
    storm.act(Act::Connect);
    storm.run_for(3);
    storm.act(Act::VideoCall(false));
    storm.run_for(60_000);
    assert_eq!(storm.turns[&Kind::Create], 2);
    assert_eq!(storm.turns.get(&Kind::Register), Some(&1));
    assert!(
        storm.open.is_empty() && storm.errors.is_empty(),
        "{:?} {:?}",
        storm.open,
        storm.errors
    );
}

#[test]
fn a_handle_that_is_never_given_again_is_given_up_within_the_limit() {
    let mut storm = Storm::ready();
    storm.run_for(60_000);
    storm.habits[Kind::Attach as usize] = vec![(Way::Never, 0)];
    storm.happens(0);
    storm.run_for(LONGEST);
    let codes: Vec<_> = storm.errors.iter().map(Error::code).collect();
    assert_eq!(codes, [videortc::error::Code::GatewayTimeout]);
    assert!(storm.most < 30, "{} requests in a minute", storm.most);
}

/// A name that is taken again and again is not what a list waits for.
#[test]
fn a_list_that_every_session_refuses_ends_though_each_takes_the_name() {
    let mut storm = Storm::new(well(), 1);
    storm.habits[Kind::Keepalive as usize] = vec![(Way::Core(457), 1)];
    storm.habits[Kind::Register as usize] = vec![(Way::Never, 0), (Way::Well, 0)];
    storm.habits[Kind::Message as usize] = vec![(Way::Page(200), 0), (Way::Core(458), 2)];
    storm.habits[Kind::Query as usize] =
        vec![(Way::Event(0), 0), (Way::Page(200), 0), (Way::Well, 0)];
    storm.habits[Kind::Poll as usize] =
        vec![(Way::Core(403), 1), (Way::Page(200), 0), (Way::Event(5), 0)];
    storm.play(&[(0, Act::List), (80_000, Act::List), (90_000, Act::List)], 900_000);
}

#[test]
fn a_page_that_asks_in_a_loop_is_held_to_the_rate_and_loses_nothing() {
    let mut storm = Storm::ready();
    storm.run_for(60_000);
    let before = storm.total;
    for _ in 0..250 {
        storm.act(Act::List);
    }
    storm.run_for(3000);
    let posted = storm.turns[&Kind::Message];
    assert!((200..250).contains(&posted), "{posted} of 250 requests in 3 s");
    storm.run_for(7000);
    assert!(storm.open.is_empty() && storm.errors.is_empty(), "{:?}", storm.errors);
    assert!(storm.total - before >= 250);
}

#[test]
fn a_handle_that_was_given_up_is_detached_with_pauses_and_not_for_ever() {
    // Silence waits for `requestTimeout`; a line that fails says so at once.
    for (way, expected) in [(Way::Never, 8..=13), (Way::Fails, 40..=100)] {
        let mut storm = Storm::ready();
        storm.run_for(60_000);
        storm.act(Act::Call);
        storm.run_for(500);
        storm.happens(10);
        storm.run_for(500);
        storm.act(Act::Path(ConnectionState::Connected));
        storm.act(Act::HangUp);
        // The core's word that the connection is closed never comes; nor does an answer to the detach that follows.
        storm.habits[Kind::Other as usize] = vec![(way, 0)];
        let before = storm.turns.get(&Kind::Other).copied().unwrap_or_default();
        let attached = storm.turns[&Kind::Attach];
        storm.run_for(600_000);
        assert_eq!(storm.turns[&Kind::Attach], attached + 1, "the handle was given up");
        let tries = storm.turns[&Kind::Other] - before;
        assert!(expected.contains(&tries), "{way:?}: {tries} tries in `retryLimit`, 120 s");
        assert!(storm.open.is_empty() && storm.errors.is_empty(), "{:?}", storm.errors);
    }
}

#[test]
fn a_page_that_is_hidden_while_it_leaves_connects_again_when_it_is_seen() {
    let mut storm = Storm::ready();
    storm.act(Act::Disconnect);
    storm.act(Act::Connect);
    let sessions = storm.turns[&Kind::Create];
    storm.act(Act::Hide);
    storm.run_for(1000);
    assert_eq!(storm.turns[&Kind::Create], sessions, "a session of a page that nobody sees");
    storm.act(Act::Show);
    storm.run_for(1000);
    storm.act(Act::VideoCall(false));
    storm.run_for(1000);
    assert_eq!((storm.open.len(), storm.calls.len()), (0, 1));
}

#[test]
fn a_handle_with_an_account_is_nobody_elses() {
    let mut storm = Storm::ready();
    storm.act(Act::VideoCall(true));
    storm.run_for(1000);
    storm.habits[Kind::Attach as usize] = vec![(Way::Well, 500)];
    storm.happens(0);
    storm.run_for(100);
    storm.act_on(storm.calls[1], Act::Close);
    storm.run_for(5000);
    let before = storm.handles.len();
    storm.act(Act::VideoCall(false));
    storm.run_for(1000);
    assert_eq!(
        storm.handles[before..].iter().map(|(_, account)| account.as_str()).collect::<Vec<_>>(),
        [""]
    );
}

#[test]
fn polls_that_are_always_refused_end_the_session_whoever_gives_the_token() {
    for mut storm in [Storm::new(well(), 1), Storm::with_tokens(5, well(), 1)] {
        storm.begin();
        storm.habits[Kind::Poll as usize] = vec![(Way::Core(403), 2)];
        storm.announce(json!({ "janus": "keepalive" }));
        storm.run_for(LONGEST);
        let is_reconnecting = |(_, event): &&_| matches!(event, Event::Reconnecting(_));
        assert_eq!(storm.events.iter().filter(is_reconnecting).count(), 1);
        assert!(storm.calls.is_empty() && storm.tokens < 10, "{} tokens", storm.tokens);
    }
}

#[test]
fn a_token_that_is_taken_and_refused_in_turn_keeps_no_command_and_is_asked_for_with_pauses() {
    for delay in [5, 9000] {
        let mut storm = Storm::with_tokens(delay, well(), 1);
        storm.habits[Kind::Register as usize] = vec![(Way::Ack, 2)];
        storm.habits[Kind::Query as usize] = vec![(Way::Ack, 2)];
        storm.habits[Kind::Poll as usize] = vec![(Way::Nothing, 2), (Way::Core(403), 2)];
        storm.begin();
        storm.run_for(100_000);
        assert!(storm.open.is_empty(), "{:?}", storm.open);
        assert!(storm.tokens < 50, "{} tokens in 100 s", storm.tokens);
    }
}

#[test]
fn calls_without_an_offer_do_not_hold_up_who_leaves() {
    let mut storm = Storm::ready();
    storm.habits[Kind::Poll as usize] = vec![(Way::Event(4), 3)];
    storm.habits[Kind::Message as usize] = vec![(Way::Well, 5)];
    storm.happens(4);
    storm.run_for(500);
    storm.act(Act::Disconnect);
    storm.run_for(10_000);
    assert!(storm.open.is_empty(), "{:?}", storm.open);
}

#[test]
fn an_object_that_is_closed_while_its_session_is_lost_ends_once() {
    let mut storm = Storm::ready();
    storm.happens(3);
    storm.run_for(100);
    storm.habits[Kind::Message as usize] = vec![(Way::Core(458), 2)];
    storm.act(Act::Close);
    storm.run_for(1000);
    assert_eq!((storm.calls.len(), storm.open.len()), (0, 0));
}

#[test]
fn an_object_whose_handle_the_gateway_detached_is_told_so_and_ends() {
    let mut storm = Storm::ready();
    storm.happens(2);
    storm.run_for(1000);
    assert_eq!((storm.calls.len(), storm.errors.len()), (0, 1));
    storm.happens(0);
    storm.run_for(20_000);
    assert_eq!(storm.turns[&Kind::Attach], 2, "one with each session");
}

#[test]
fn who_disconnects_while_an_object_is_attached_anew_hears_no_error() {
    let mut storm = Storm::ready();
    storm.habits[Kind::Attach as usize] = vec![(Way::Never, 0)];
    storm.happens(0);
    storm.run_for(100);
    storm.act(Act::Disconnect);
    storm.run_for(5000);
    assert_eq!((storm.open.len(), storm.calls.len(), storm.errors.len()), (0, 0, 0));
}
