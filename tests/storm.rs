//! A gateway that answers anything at any time, for hours: no sequence of answers makes a client
//! send requests faster than its limits, and every command settles within its limit.

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
    /// The most requests per minute in any scenario.
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
    fn no_gateway_causes_a_request_storm(
        habits in habits(),
        acts in acts(),
        seed in any::<u64>(),
    ) {
        let mut storm = Storm::new(habits, seed);
        storm.play(&acts, 3_600_000);
        note(&storm);
    }

    #[test]
    fn no_gateway_that_refuses_tokens_causes_a_request_storm(
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
fn reports_two_gateways_behind_one_address() {
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
fn object_survives_a_session_lost_before_its_handle() {
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
fn gives_up_if_attaching_again_keeps_failing() {
    let mut storm = Storm::ready();
    storm.run_for(60_000);
    storm.habits[Kind::Attach as usize] = vec![(Way::Never, 0)];
    storm.happens(0);
    storm.run_for(LONGEST);
    let codes: Vec<_> = storm.errors.iter().map(Error::code).collect();
    assert_eq!(codes, [videortc::error::Code::GatewayTimeout]);
    assert!(storm.most < 30, "{} requests in a minute", storm.most);
}

/// A name that is repeatedly taken must not delay a list.
#[test]
fn list_fails_if_every_session_refuses_it() {
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
fn rate_limits_commands_in_a_loop_without_losing_any() {
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
fn retries_detaching_an_abandoned_handle_with_limits() {
    // Silence lasts for `requestTimeout`; a failed connection is detected immediately.
    for (way, expected) in [(Way::Never, 8..=13), (Way::Fails, 40..=100)] {
        let mut storm = Storm::ready();
        storm.run_for(60_000);
        storm.act(Act::Call);
        storm.run_for(500);
        storm.happens(10);
        storm.run_for(500);
        storm.act(Act::Path(ConnectionState::Connected));
        storm.act(Act::HangUp);
        // The core's `hangup` event never arrives, and neither does an answer to the detach that
        // follows.
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
fn page_hidden_while_leaving_reconnects_when_visible() {
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
fn does_not_share_a_handle_with_another_account() {
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
fn permanently_refused_polls_end_the_session() {
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
fn alternating_token_refusals_settle_commands_and_are_rate_limited() {
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
fn calls_without_an_offer_do_not_delay_leaving() {
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
fn closing_during_a_lost_session_ends_the_object_once() {
    let mut storm = Storm::ready();
    storm.happens(3);
    storm.run_for(100);
    storm.habits[Kind::Message as usize] = vec![(Way::Core(458), 2)];
    storm.act(Act::Close);
    storm.run_for(1000);
    assert_eq!((storm.calls.len(), storm.open.len()), (0, 0));
}

#[test]
fn closes_an_object_whose_handle_the_gateway_detached() {
    let mut storm = Storm::ready();
    storm.happens(2);
    storm.run_for(1000);
    assert_eq!((storm.calls.len(), storm.errors.len()), (0, 1));
    storm.happens(0);
    storm.run_for(20_000);
    assert_eq!(storm.turns[&Kind::Attach], 2, "one with each session");
}

#[test]
fn disconnecting_during_reattachment_reports_no_error() {
    let mut storm = Storm::ready();
    storm.habits[Kind::Attach as usize] = vec![(Way::Never, 0)];
    storm.happens(0);
    storm.run_for(100);
    storm.act(Act::Disconnect);
    storm.run_for(5000);
    assert_eq!((storm.open.len(), storm.calls.len(), storm.errors.len()), (0, 0, 0));
}
