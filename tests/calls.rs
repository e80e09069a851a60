//! How calls begin and end, between two clients on a virtual clock.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod world;

use std::time::Duration;

use videortc::signaling::{Candidate, Notice};
use videortc::usecase::Plugin;
use videortc::usecase::video_call::CallConfig;
use videortc::usecase::video_call::reason;
use videortc_gateway::Timing;
use world::{Loss, World};

const TOM: usize = 0;
const JACK: usize = 1;
const ANN: usize = 2;

const SECOND: Duration = Duration::from_secs(1);

fn assert_nothing_is_left(world: &World) {
    for page in &world.pages {
        assert_eq!(page.open, []);
        assert_eq!(page.connections, []);
        assert!(!page.devices);
    }
}

#[test]
fn completes_a_call() {
    let mut world = World::in_call();
    let hang_up = world.hang_up(TOM);
    world.run_for(SECOND * 2);
    assert_eq!(world.outcome(TOM, hang_up), "done");
    assert_eq!(world.told(TOM), ["hang-up Jack: Hung up"]);
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
    assert_nothing_is_left(&world);
}

#[test]
fn hanging_up_twice_ends_the_call_once() {
    let mut world = World::in_call();
    let first = world.hang_up(TOM);
    let second = world.hang_up(TOM);
    assert_eq!([world.outcome(TOM, first), world.outcome(TOM, second)], ["open", "open"]);
    world.run_for(Duration::from_millis(30));
    // The gateway has confirmed the hang-up, although it is still cleaning up.
    assert_eq!([world.outcome(TOM, first), world.outcome(TOM, second)], ["done", "done"]);
    let late = world.hang_up(TOM);
    assert_eq!(world.outcome(TOM, late), "NO_CALL");
    world.run_for(SECOND * 2);
    assert_eq!(world.told(TOM), ["hang-up Jack: Hung up"]);
}

#[test]
fn call_accepts_the_incoming_call() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    let accept = world.call(JACK, "Tom");
    world.run_for(SECOND);
    assert_eq!(world.outcome(JACK, accept), "done");
    assert_eq!(world.pages[JACK].requests, ["accept"]);
}

#[test]
fn buffers_candidates_that_arrive_before_their_call() {
    let candidate = |number: u16| Candidate::Found {
        candidate: format!("candidate:{number} 1 udp 1 192.0.2.1 5000 typ host"),
        mid: None,
        line: Some(0),
    };
    let mut world = World::with(&["Tom", "Jack"]);
    world.act(JACK, |call, _, now| {
        call.handle_notice(Notice::Candidates(vec![candidate(1)]), now);
    });
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    world.accept(JACK);
    world.run_for(SECOND);
    assert_eq!(world.pages[JACK].candidates.first(), Some(&candidate(1)));
    // They do not belong to the next call, and neither do candidates that arrive late.
    world.hang_up(JACK);
    world.act(JACK, |call, _, now| {
        call.handle_notice(Notice::Candidates(vec![candidate(1), Candidate::End]), now);
    });
    world.run_for(SECOND * 2);
    world.pages[JACK].candidates.clear();
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    world.accept(JACK);
    world.run_for(SECOND);
    assert!(!world.pages[JACK].candidates.contains(&candidate(1)));
    assert!(world.told(JACK).iter().any(|event| event == "accepted Tom"));
}

#[test]
fn reports_a_decline_to_the_caller() {
    let mut world = World::with(&["Tom", "Jack"]);
    let call = world.call(TOM, "Jack");
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, call), "done");
    world.hang_up(JACK);
    world.run_for(SECOND * 2);
    assert_eq!(world.told(TOM), ["calling Jack", "hang-up Jack: Call declined"]);
    assert_eq!(world.told(JACK), ["incoming Tom", "hang-up Tom: Call declined"]);
    assert_nothing_is_left(&world);
}

#[test]
fn reports_a_cancellation_to_the_callee() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    world.hang_up(TOM);
    world.run_for(SECOND * 2);
    assert_eq!(world.told(TOM), ["calling Jack", "hang-up Jack: Cancelled"]);
    assert_eq!(world.told(JACK), ["incoming Tom", "hang-up Tom: Cancelled"]);
    assert_nothing_is_left(&world);
}

#[test]
fn cancelling_before_the_offer_sends_no_request() {
    let mut world = World::with(&["Tom", "Jack"]);
    let call = world.call(TOM, "Jack");
    world.hang_up(TOM);
    world.run_for(SECOND * 2);
    assert_eq!(world.outcome(TOM, call), "CALL_ENDED");
    assert_eq!(world.told(TOM), ["hang-up Jack: Cancelled"]);
    assert_eq!(world.pages[TOM].requests, [] as [&str; 0]);
    assert_nothing_is_left(&world);
}

#[test]
fn ends_an_unanswered_call() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.call(TOM, "Jack");
    world.run_for(SECOND * 70);
    assert_eq!(world.told(TOM), ["calling Jack", "hang-up Jack: No answer"]);
    assert_eq!(world.told(JACK), ["incoming Tom", "hang-up Tom: No answer"]);
    assert_nothing_is_left(&world);
}

#[test]
fn respects_the_ring_timeout() {
    let mut world = World::empty(Timing::like_janus(), 1);
    let config = CallConfig { ring_timeout: SECOND * 5, ..CallConfig::default() };
    for name in ["Tom", "Jack"] {
        let page = world.page(config.clone());
        world.register(page, name);
    }
    world.run_for(SECOND);
    world.call(TOM, "Jack");
    world.run_for(SECOND * 4);
    assert_eq!(world.told(TOM), ["registered Tom", "calling Jack"]);
    world.run_for(SECOND * 3);
    assert_eq!(world.told(TOM), ["hang-up Jack: No answer"]);
}

#[test]
fn reports_busy_and_declined_separately() {
    let mut world = World::with(&["Tom", "Jack", "Ann"]);
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    for _ in 0..2 {
        let call = world.call(ANN, "Jack");
        world.run_for(SECOND * 2);
        assert_eq!(world.outcome(ANN, call), "USER_BUSY");
        assert_eq!(world.told(ANN), ["hang-up Jack: User busy"]);
    }
    assert_eq!(world.pages[ANN].requests, ["call Jack", "call Jack"], "there was no call before");
    assert_eq!(world.told(JACK), ["incoming Tom"]);
}

#[test]
fn reports_an_unknown_user() {
    let mut world = World::with(&["Tom"]);
    for _ in 0..2 {
        let call = world.call(TOM, "Nobody");
        world.run_for(SECOND * 2);
        assert_eq!(world.outcome(TOM, call), "NO_SUCH_USER");
        assert_eq!(world.told(TOM), ["hang-up Nobody: No such user"]);
    }
    assert_eq!(world.pages[TOM].requests, ["call Nobody", "call Nobody"]);
    assert_nothing_is_left(&world);
}

#[test]
fn rejects_a_call_to_oneself_without_a_request() {
    let mut world = World::with(&["Tom"]);
    let call = world.call(TOM, "Tom");
    assert_eq!(world.outcome(TOM, call), "CALLING_SELF");
    assert_eq!(world.told(TOM), ["hang-up Tom: Calling yourself"]);
    assert_eq!(world.pages[TOM].requests, [] as [&str; 0]);
}

#[test]
fn rejects_a_second_call_without_a_request() {
    let mut world = World::with(&["Tom", "Jack", "Ann"]);
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    let second = world.call(TOM, "Ann");
    assert_eq!(world.outcome(TOM, second), "ALREADY_IN_CALL");
    let second = world.call(JACK, "Ann");
    assert_eq!(world.outcome(JACK, second), "ALREADY_IN_CALL");
    world.accept(JACK);
    world.run_for(SECOND);
    assert_eq!(world.told(TOM), ["calling Jack", "accepted Jack"]);
    assert_eq!(world.pages[TOM].requests, ["call Jack"]);
}

#[test]
fn rejects_a_call_without_registration_or_request() {
    let mut world = World::empty(Timing::like_janus(), 1);
    world.page(CallConfig::default());
    let call = world.call(TOM, "Jack");
    assert_eq!(world.outcome(TOM, call), "NOT_REGISTERED");
    assert_eq!(world.pages[TOM].requests, [] as [&str; 0]);
}

#[test]
fn rejects_accept_and_hang_up_without_a_call() {
    let mut world = World::with(&["Tom"]);
    let accept = world.accept(TOM);
    assert_eq!(world.outcome(TOM, accept), "NO_CALL");
    let hang_up = world.hang_up(TOM);
    assert_eq!(world.outcome(TOM, hang_up), "NO_CALL");
    let call = world.act(TOM, |call, command, now| call.call(command, None, now));
    assert_eq!(world.outcome(TOM, call), "INVALID_ARGUMENT");
}

#[test]
fn redials_immediately_after_a_hang_up() {
    for ender in [TOM, JACK] {
        let mut world = World::in_call();
        for _ in 0..10 {
            world.hang_up(ender);
            world.run_for(Duration::from_millis(20));
            let again = world.call(TOM, "Jack");
            world.run_for(SECOND * 3);
            assert_eq!(world.outcome(TOM, again), "done");
            world.accept(JACK);
            world.run_for(SECOND);
            assert_eq!(world.told(TOM), ["hang-up Jack: Hung up", "calling Jack", "accepted Jack"]);
            assert_eq!(world.told(JACK), ["hang-up Tom: Hung up", "incoming Tom", "accepted Tom"]);
            let page = &world.pages[TOM];
            let rest = page.called_at.saturating_sub(page.closed_at);
            // The core counts in whole milliseconds.
            assert!(rest > Duration::from_millis(49), "{rest:?} for the gateway to finish");
        }
    }
}

#[test]
fn accepts_a_call_back_immediately_after_a_hang_up() {
    let mut world = World::in_call();
    for _ in 0..10 {
        world.hang_up(TOM);
        world.run_for(Duration::from_millis(20));
        world.call(JACK, "Tom");
        world.run_for(SECOND * 3);
        world.accept(TOM);
        world.run_for(SECOND);
        assert_eq!(world.told(TOM), ["hang-up Jack: Hung up", "incoming Jack", "accepted Jack"]);
        world.hang_up(TOM);
        world.run_for(SECOND * 2);
        world.call(TOM, "Jack");
        world.run_for(SECOND * 3);
        world.accept(JACK);
        world.run_for(SECOND);
        world.told(TOM);
        world.told(JACK);
    }
}

/// Tom hangs up. Jack receives the BYE; the gateway has not received the hang-up.
fn heard_first() -> World {
    let mut world = World::in_call();
    world.act(TOM, |call, command, now| call.hang_up(command, Some("until tomorrow"), now));
    world.run_for(Duration::from_millis(3));
    assert_eq!(world.told(JACK), ["hang-up Tom: until tomorrow"]);
    assert_eq!(world.told(TOM), ["hang-up Jack: until tomorrow"]);
    assert!(!world.pages[JACK].devices && world.pages[JACK].connections.len() == 1);
    world
}

#[test]
fn reports_a_bye_before_the_gateway_and_only_once() {
    let mut world = heard_first();
    world.run_for(SECOND * 3);
    assert_eq!(world.told(JACK), Vec::<String>::new());
    assert_eq!(world.told(TOM), Vec::<String>::new());
    assert_nothing_is_left(&world);
    assert_eq!(world.pages[JACK].requests, ["accept"], "it is not hung up twice");
}

#[test]
fn keeps_the_connection_open_until_the_gateway_confirms_a_bye() {
    let mut world = heard_first();
    // The gateway waits up to a second for the connections to close before it allows another call.
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.pages[JACK].connections, []);
}

#[test]
fn any_bye_ends_the_call_once() {
    let long = "x".repeat(255);
    let words =
        ["videortc: once more", "videortc: crossing calls", "Remote WebRTC hangup", "", &long];
    for words in words {
        let mut world = World::in_call();
        world.say_bye(JACK, words);
        world.say_bye(JACK, "again");
        let told = if words.is_empty() { "Hung up" } else { words };
        assert_eq!(world.told(JACK), [format!("hang-up Tom: {told}")]);
        world.run_for(SECOND * 10);
        assert_eq!(world.told(JACK), Vec::<String>::new());
        assert_eq!(world.pages[JACK].requests, ["accept"], "it neither calls nor hangs up");
        assert_eq!(world.pages[JACK].connections, []);
    }
}

#[test]
fn redial_waits_for_a_slow_gateway_to_clean_up() {
    for seed in 0..30 {
        let mut world = World::with_timing(&["Tom", "Jack", "Ann"], Timing::like_janus(), seed);
        world.call(TOM, "Jack");
        world.run_for(SECOND);
        world.accept(JACK);
        world.run_for(SECOND);
        world.pages[TOM].is_offline = true;
        world.hang_up(TOM);
        world.run_for(Duration::from_millis(10));
        world.call(JACK, "Ann");
        world.run_for(Duration::from_millis(800));
        world.pages[TOM].is_offline = false;
        world.online(TOM);
        world.run_for(SECOND * 3);
        assert_eq!(world.pages[JACK].requests, ["accept", "call Ann"], "seed {seed}");
        assert_eq!(world.told(ANN), ["incoming Jack"], "seed {seed}");
    }
}

#[test]
fn both_sides_redial_before_the_gateway_confirms_the_hang_up() {
    for caller in [TOM, JACK] {
        let mut world = heard_first();
        let names = ["Tom", "Jack"];
        let callee = 1 - caller;
        world.call(caller, names[callee]);
        world.run_for(SECOND * 3);
        world.accept(callee);
        world.run_for(SECOND);
        let calling = format!("calling {}", names[callee]);
        assert_eq!(world.told(caller), [calling, format!("accepted {}", names[callee])]);
        let incoming = format!("incoming {}", names[caller]);
        assert_eq!(world.told(callee), [incoming, format!("accepted {}", names[caller])]);
    }
}

#[test]
fn closing_after_a_bye_leaves_nothing_open() {
    for (is_known, disconnect) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut world = World::in_call();
        world.pages[TOM].is_offline = !is_known;
        world.hang_up(TOM);
        world.run_for(Duration::from_millis(3));
        assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
        if disconnect {
            world.disconnect(JACK);
        } else {
            world.close(JACK);
        }
        world.run_for(SECOND * 3);
        assert!(world.pages[JACK].is_ended);
        assert_eq!(world.pages[JACK].connections, []);
    }
}

#[test]
fn closing_the_connection_ends_a_call_that_the_gateway_still_has() {
    let mut world = World::in_call();
    world.pages[TOM].is_offline = true;
    world.hang_up(TOM);
    world.run_for(SECOND);
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
    assert_eq!(world.pages[JACK].connections.len(), 1, "the gateway may still say why");
    world.run_for(SECOND * 2);
    assert_eq!(world.pages[JACK].connections, []);
}

#[test]
fn caller_without_devices_does_not_ring() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.pages[TOM].refuses_devices = true;
    let call = world.call(TOM, "Jack");
    world.run_for(SECOND * 3);
    assert_eq!(world.outcome(TOM, call), "PERMISSION_DENIED");
    assert_eq!(world.told(TOM), [format!("hang-up Jack: {}", reason::NO_DEVICE)]);
    assert_eq!(world.told(JACK), [] as [&str; 0]);
    assert_nothing_is_left(&world);
}

#[test]
fn callee_without_devices_declines() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.pages[JACK].refuses_devices = true;
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    let accept = world.accept(JACK);
    world.run_for(SECOND * 3);
    assert_eq!(world.outcome(JACK, accept), "PERMISSION_DENIED");
    let heard = format!("hang-up Jack: {}", reason::PEER_NO_DEVICE);
    assert_eq!(world.told(TOM), ["calling Jack".to_owned(), heard]);
    assert_nothing_is_left(&world);
}

#[test]
fn media_that_never_connects_ends_the_call_on_both_sides() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.pages[TOM].is_firewalled = true;
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    world.accept(JACK);
    world.run_for(SECOND * 40);
    let end = "hang-up Jack: Media connection failed";
    assert_eq!(world.told(TOM), ["calling Jack", "accepted Jack", end]);
    let end = "hang-up Tom: Media connection failed";
    assert_eq!(world.told(JACK), ["incoming Tom", "accepted Tom", end]);
    assert_nothing_is_left(&world);
}

#[test]
fn failed_media_ends_the_call_on_both_sides() {
    let mut world = World::in_call();
    world.pages[JACK].is_firewalled = true;
    world.fail_media(JACK);
    world.run_for(SECOND * 25);
    assert_eq!(world.told(TOM), [""; 0]);
    assert_eq!(world.told(JACK), ["reconnecting MEDIA_FAILED"]);
    world.run_for(SECOND * 10);
    assert_eq!(world.told(TOM), ["hang-up Jack: Media connection failed"]);
    assert_eq!(world.told(JACK), ["hang-up Tom: Media connection failed", "reconnected"]);
    assert_nothing_is_left(&world);
}

#[test]
fn vanished_page_ends_the_call_of_the_peer() {
    let mut world = World::in_call();
    world.pages[TOM].is_offline = true;
    world.pages[TOM].is_firewalled = true;
    world.cut_media(TOM);
    world.run_for(SECOND * 400);
    assert_eq!(world.told(JACK), ["hang-up Tom: The other side left"]);
    assert_eq!(
        world.told(TOM),
        [
            "reconnecting MEDIA_FAILED",
            "hang-up Jack: Media connection failed",
            "error SESSION_LOST"
        ]
    );
    assert_nothing_is_left(&world);
}

#[test]
fn reports_connection_lost_to_a_page_that_was_presumed_gone() {
    let mut world = World::in_call();
    world.pages[TOM].is_offline = true;
    world.run_for(SECOND * 100);
    assert_eq!(world.told(JACK), ["hang-up Tom: The other side left"]);
    assert_eq!(
        world.told(TOM),
        ["reconnecting GATEWAY_UNREACHABLE", "hang-up Jack: Connection lost"]
    );
}

#[test]
fn closing_during_a_call_frees_the_name() {
    let mut world = World::in_call();
    let close = world.close(TOM);
    world.run_for(SECOND * 3);
    assert_eq!(world.outcome(TOM, close), "done");
    assert_eq!(world.told(TOM), ["hang-up Jack: Hung up"]);
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
    let late = world.call(TOM, "Jack");
    assert_eq!(world.outcome(TOM, late), "CLOSED");
    world.attach(TOM, CallConfig::default());
    let register = world.register(TOM, "Tom");
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, register), "done");
}

#[test]
fn disconnecting_ends_the_call_and_allows_reconnecting() {
    let mut world = World::in_call();
    let disconnect = world.disconnect(TOM);
    let again = world.command(TOM, |client, command, now| client.connect(command, now));
    world.run_for(SECOND * 3);
    assert_eq!(world.outcome(TOM, disconnect), "done");
    assert_eq!(world.outcome(TOM, again), "done");
    assert_eq!(world.told(TOM), ["hang-up Jack: Hung up"]);
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
    world.attach(TOM, CallConfig::default());
    let register = world.register(TOM, "Tom");
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, register), "done");
}

#[test]
fn rejects_a_taken_name_and_accepts_another() {
    let mut world = World::with(&["Tom"]);
    let page = world.page(CallConfig::default());
    let taken = world.register(page, "Tom");
    world.run_for(SECOND);
    assert_eq!(world.outcome(page, taken), "USERNAME_TAKEN");
    let free = world.register(page, "Jack");
    world.run_for(SECOND);
    assert_eq!(world.outcome(page, free), "done");
    assert_eq!(world.told(page), ["refused Tom", "registered Jack"]);
    let second = world.register(page, "Jim");
    assert_eq!(world.outcome(page, second), "ALREADY_REGISTERED");
    let same = world.register(page, "Jack");
    assert_eq!(world.outcome(page, same), "done");
}

#[test]
fn retries_a_name_that_a_reloaded_page_still_holds() {
    let mut world = World::with(&["Tom"]);
    let page = world.page(CallConfig::default());
    let register = world.register(page, "Tom");
    world.run_for(Duration::from_millis(20));
    assert_eq!(world.outcome(page, register), "open", "it was refused, and that was not told");
    world.disconnect(TOM);
    world.run_for(SECOND);
    assert_eq!(world.outcome(page, register), "done");
    assert_eq!(world.told(page), ["registered Tom"]);
    assert_eq!(world.pages[page].requests, ["register Tom", "register Tom"]);
}

#[test]
fn generates_a_readable_guest_name() {
    let mut world = World::empty(Timing::like_janus(), 1);
    let page = world.page(CallConfig::default());
    let register = world.act(page, |call, command, now| call.register(command, None, now));
    world.run_for(SECOND);
    let name = world.name_of(page, register);
    assert_eq!(name.split('-').count(), 3, "{name}");
    assert_eq!(world.told(page), [format!("registered {name}")]);
}

#[test]
fn repeats_a_registration_whose_answer_was_lost() {
    let mut world = World::empty(Timing::like_janus(), 1);
    let page = world.page(CallConfig::default());
    world.pages[page].loss = Loss::NextPoll;
    let lost = world.register(page, "Tom");
    world.run_for(SECOND * 15);
    assert_eq!(world.outcome(page, lost), "done");
}
