//! What a client brings back by itself, and what it says where it cannot: two pages on a virtual clock.

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

use videortc::usecase::Command;
use videortc::usecase::video_call::CallConfig;
use videortc::usecase::video_call::Event;
use videortc_gateway::Timing;
use world::{Loss, World};

const TOM: usize = 0;
const JACK: usize = 1;

const SECOND: Duration = Duration::from_secs(1);

fn idle() -> World {
    World::with(&["Tom", "Jack"])
}

/// A new call works from end to end.
fn assert_can_call(world: &mut World) {
    world.run_for(SECOND * 3);
    let call = world.call(TOM, "Jack");
    world.run_for(SECOND * 2);
    let accept = world.accept(JACK);
    world.run_for(SECOND * 2);
    assert_eq!((world.outcome(TOM, call), world.outcome(JACK, accept)), ("done", "done"));
}

#[test]
fn a_poll_that_fails_in_a_call_is_told_and_costs_nothing() {
    let mut world = World::in_call();
    world.pages[TOM].loss = Loss::NextPoll;
    world.run_for(SECOND * 60);
    assert_eq!(world.told(TOM), ["reconnecting GATEWAY_UNREACHABLE", "reconnected"]);
    assert_eq!(world.told(JACK), [""; 0]);
    let hang_up = world.hang_up(TOM);
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, hang_up), "done");
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
}

#[test]
fn an_offer_that_the_gateway_forgot_is_made_once_more() {
    let mut world = World::ringing();
    world.pages[JACK].loss = Loss::NextOffer;
    let accept = world.accept(JACK);
    world.run_for(SECOND * 3);
    assert_eq!(world.outcome(JACK, accept), "done");
    assert_eq!(world.told(TOM), ["accepted Jack"]);
    assert_eq!(world.told(JACK), ["accepted Tom"]);
}

#[test]
fn a_restarted_gateway_gets_the_same_names_again() {
    let mut world = idle();
    world.restart_gateway();
    world.run_for(SECOND * 5);
    for (page, name) in [(TOM, "registered Tom"), (JACK, "registered Jack")] {
        assert_eq!(world.told(page), ["reconnecting GATEWAY_PROTOCOL", name, "reconnected"]);
    }
    assert_can_call(&mut world);
}

/// Wherever it is cut: in the request for the session, for the handle, or for the name.
#[test]
fn a_second_cut_while_a_lost_session_is_made_anew_costs_nothing() {
    for after in (0..800).step_by(5).map(Duration::from_millis) {
        let mut world = idle();
        world.restart_gateway();
        world.run_for(after);
        world.pages[TOM].is_offline = true;
        world.run_for(SECOND * 15);
        world.pages[TOM].is_offline = false;
        world.online(TOM);
        world.run_for(SECOND * 100);
        let told = world.told(TOM);
        assert_eq!(told.first().unwrap().split(' ').next(), Some("reconnecting"), "{told:?}");
        assert_eq!(told.last().unwrap(), "reconnected", "after {after:?}: {told:?}");
        assert!(told.contains(&"registered Tom".into()), "after {after:?}: {told:?}");
        let failed =
            told.iter().any(|event| event.starts_with("error") || event.starts_with("refused"));
        assert!(!failed, "after {after:?}: {told:?}");
        assert_can_call(&mut world);
    }
}

#[test]
fn a_call_that_the_other_side_ended_meanwhile_is_over_before_all_is_well() {
    let mut world = World::in_call();
    world.drops_messages = true;
    world.pages[TOM].is_offline = true;
    world.run_for(SECOND);
    world.hang_up(JACK);
    world.run_for(SECOND * 4);
    world.pages[TOM].is_offline = false;
    world.online(TOM);
    world.run_for(SECOND * 5);
    assert_eq!(
        world.told(TOM),
        ["reconnecting GATEWAY_UNREACHABLE", "hang-up Jack: Connection lost", "reconnected"]
    );
}

#[test]
fn a_gateway_that_restarts_in_a_call_ends_it_once() {
    let mut world = World::in_call();
    world.restart_gateway();
    world.run_for(SECOND * 5);
    let expected = |peer: &str, me: &str| {
        [
            "reconnecting GATEWAY_PROTOCOL".to_owned(),
            format!("hang-up {peer}: Session lost"),
            format!("registered {me}"),
            "reconnected".to_owned(),
        ]
    };
    assert_eq!(world.told(TOM), expected("Jack", "Tom"));
    assert_eq!(world.told(JACK), expected("Tom", "Jack"));
    assert_can_call(&mut world);
}

#[test]
fn a_connection_that_the_gateway_never_closes_costs_a_handle() {
    for (page, name) in [(TOM, "Tom"), (JACK, "Jack")] {
        let mut world = World::in_call();
        world.jam(name);
        world.hang_up(TOM);
        world.run_for(SECOND * 3);
        let again = ["reconnecting GATEWAY_ERROR", &format!("registered {name}"), "reconnected"];
        assert_eq!(world.told(page)[1..], again);
        assert_eq!(world.told(1 - page).len(), 1, "the hang-up");
        assert_can_call(&mut world);
    }
}

/// Tom hangs up, which the gateway never makes good, and calls again at once.
fn redialled_from_a_stuck_handle() -> (World, Command) {
    let mut world = World::in_call();
    world.jam("Tom");
    world.hang_up(TOM);
    let again = world.call(TOM, "Jack");
    (world, again)
}

#[test]
fn a_redial_waits_for_the_handle_that_takes_the_place_of_a_stuck_one() {
    let (mut world, again) = redialled_from_a_stuck_handle();
    world.run_for(SECOND * 4);
    assert_eq!(world.outcome(TOM, again), "done");
    world.accept(JACK);
    world.run_for(SECOND);
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up", "incoming Tom", "accepted Tom"]);
}

#[test]
fn a_redial_reaches_a_peer_whose_handle_is_stuck() {
    for pause in (0..2500).step_by(5) {
        let mut world = World::in_call();
        world.jam("Jack");
        world.hang_up(TOM);
        world.run_for(Duration::from_millis(pause));
        let again = world.call(TOM, "Jack");
        world.run_for(SECOND * 5);
        assert_eq!(world.outcome(TOM, again), "done", "after {pause} ms");
    }
}

#[test]
fn a_redial_waits_for_another_handle_where_the_gateway_was_out_of_reach() {
    for outage in (1000..6000).step_by(100) {
        let mut world = World::in_call();
        world.jam("Tom");
        world.pages[TOM].loss = Loss::NextPoll;
        world.hang_up(TOM);
        world.run_for(Duration::from_millis(5));
        world.pages[TOM].is_offline = true;
        let again = world.call(TOM, "Jack");
        world.run_for(Duration::from_millis(outage));
        world.pages[TOM].is_offline = false;
        world.run_for(SECOND * 30);
        assert_eq!(world.outcome(TOM, again), "done", "out of reach for {outage} ms");
        let told = world.told(TOM);
        let names = told.iter().filter(|event| *event == "registered Tom").count();
        assert_eq!(names, 1, "one handle is enough: {told:?}");
    }
}

#[test]
fn a_stuck_handle_that_cannot_be_told_keeps_the_name_no_longer_than_that() {
    for outage in [5, 10, 11, 15, 30] {
        let mut world = World::in_call();
        world.jam("Tom");
        world.hang_up(TOM);
        world.run_for(Duration::from_millis(1995));
        world.pages[TOM].is_offline = true;
        world.run_for(SECOND * outage);
        world.pages[TOM].is_offline = false;
        world.run_for(SECOND * 60);
        let told = world.told(TOM);
        assert_eq!(told[told.len() - 2..], ["registered Tom", "reconnected"], "{outage} s");
    }
}

#[test]
fn a_stuck_handle_is_given_up_once_the_gateway_is_in_reach_again() {
    let mut world = World::in_call();
    world.jam("Tom");
    world.pages[TOM].loss = Loss::NextPoll;
    world.hang_up(TOM);
    world.run_for(Duration::from_millis(5));
    world.pages[TOM].is_offline = true;
    world.run_for(SECOND * 5);
    world.pages[TOM].is_offline = false;
    world.run_for(SECOND * 20);
    let told = world.told(TOM);
    assert_eq!(told[1..], ["reconnecting GATEWAY_UNREACHABLE", "registered Tom", "reconnected"]);
    assert_can_call(&mut world);
}

#[test]
fn a_redial_whose_name_was_taken_meanwhile_ends() {
    let (mut world, again) = redialled_from_a_stuck_handle();
    let is_reconnecting = |event: &Event| matches!(event, Event::Reconnecting(_));
    while !world.pages[TOM].events.iter().any(is_reconnecting) {
        world.run_for(Duration::from_millis(1));
    }
    // The old handle has gone, and the new one has not asked yet.
    world.pages[TOM].is_offline = true;
    world.run_for(SECOND);
    let other = world.page(CallConfig::default());
    let register = world.register(other, "Tom");
    world.run_for(SECOND);
    assert_eq!(world.outcome(other, register), "done");
    world.pages[TOM].is_offline = false;
    world.run_for(SECOND * 120);
    assert_eq!(world.outcome(TOM, again), "USERNAME_TAKEN");
    assert!(world.told(TOM).contains(&"hang-up Jack: Connection lost".into()));
    assert_eq!(world.pages[TOM].connections, []);
}

#[test]
fn a_name_that_the_dead_session_holds_is_taken_when_the_gateway_lets_it_go() {
    let mut world = idle();
    // The word that the page is left does not get through.
    world.pages[TOM].is_offline = true;
    world.hide(TOM);
    world.pages[TOM].is_offline = false;
    world.show(TOM);
    world.run_for(SECOND * 20);
    assert_eq!(world.told(TOM), ["reconnecting SESSION_LOST"]);
    let register = world.register(TOM, "Tom");
    world.run_for(SECOND * 60);
    assert_eq!(world.told(TOM), ["registered Tom", "reconnected"]);
    assert_eq!(world.outcome(TOM, register), "done");
    assert_can_call(&mut world);
}

#[test]
fn a_name_that_somebody_else_took_meanwhile_is_told() {
    let mut world = idle();
    world.hide(TOM);
    world.run_for(SECOND);
    let other = world.page(CallConfig::default());
    let register = world.register(other, "Tom");
    world.run_for(SECOND);
    assert_eq!(world.outcome(other, register), "done", "a page that is left frees its name");
    world.show(TOM);
    world.run_for(SECOND * 120);
    assert_eq!(
        world.told(TOM),
        ["reconnecting SESSION_LOST", "refused Tom", "error USERNAME_TAKEN", "reconnected"]
    );
    let another = world.register(TOM, "Thomas");
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, another), "done");
}

#[test]
fn a_page_that_is_left_ends_its_call_at_once() {
    let mut world = World::in_call();
    world.hide(TOM);
    world.run_for(SECOND);
    assert_eq!(world.told(TOM), ["hang-up Jack: Hung up", "reconnecting SESSION_LOST"]);
    assert_eq!(world.told(JACK), ["hang-up Tom: The other side left"]);
    world.show(TOM);
    world.run_for(SECOND);
    assert_eq!(world.told(TOM), ["registered Tom", "reconnected"]);
    assert_can_call(&mut world);
}

#[test]
fn a_call_that_was_missed_comes_once_more() {
    let mut world = idle();
    world.pages[JACK].loss = Loss::NextPoll;
    let call = world.call(TOM, "Jack");
    world.run_for(SECOND * 5);
    assert_eq!(world.outcome(TOM, call), "done");
    assert_eq!(world.told(TOM), ["calling Jack"]);
    assert_eq!(
        world.told(JACK),
        ["reconnecting GATEWAY_UNREACHABLE", "reconnected", "incoming Tom"]
    );
    world.accept(JACK);
    world.run_for(SECOND * 2);
    assert_eq!(world.told(TOM), ["accepted Jack"]);
    assert_eq!(world.told(JACK), ["accepted Tom"]);
}

#[test]
fn an_acceptance_that_was_missed_is_made_good_without_the_pages_noticing() {
    let mut world = World::ringing();
    world.pages[TOM].loss = Loss::NextPoll;
    let accept = world.accept(JACK);
    world.run_for(SECOND * 10);
    assert_eq!(world.outcome(JACK, accept), "done");
    assert_eq!(
        world.told(TOM),
        ["reconnecting GATEWAY_UNREACHABLE", "accepted Jack", "reconnected"]
    );
    assert_eq!(world.told(JACK), ["accepted Tom"]);
    world.hang_up(JACK);
    world.run_for(SECOND * 3);
    assert_eq!(world.told(TOM), ["hang-up Jack: Hung up"]);
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
}

#[test]
fn a_hang_up_that_was_missed_ends_the_call_all_the_same() {
    let mut world = World::in_call();
    world.drops_messages = true;
    world.pages[TOM].loss = Loss::NextPoll;
    world.hang_up(JACK);
    world.run_for(SECOND * 5);
    assert_eq!(
        world.told(TOM),
        ["reconnecting GATEWAY_UNREACHABLE", "hang-up Jack: Connection lost", "reconnected"]
    );
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
    assert_can_call(&mut world);
}

#[test]
fn a_request_whose_post_is_not_answered_is_done_all_the_same() {
    let mut world = idle();
    world.pages[TOM].loss = Loss::NextPost;
    let call = world.call(TOM, "Jack");
    world.run_for(SECOND * 5);
    assert_eq!(world.outcome(TOM, call), "done");
    assert_eq!(world.told(TOM), ["calling Jack"]);
    assert_eq!(world.told(JACK), ["incoming Tom"]);
    world.pages[JACK].loss = Loss::NextPost;
    let accept = world.accept(JACK);
    world.run_for(SECOND * 5);
    assert_eq!(world.outcome(JACK, accept), "done");
    assert_eq!(world.told(TOM), ["accepted Jack"]);
    assert_eq!(world.told(JACK), ["accepted Tom"]);
    world.pages[TOM].loss = Loss::NextPost;
    let hang_up = world.hang_up(TOM);
    world.run_for(SECOND * 5);
    assert_eq!(world.outcome(TOM, hang_up), "done");
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up"]);
    world.pages[TOM].loss = Loss::NextPost;
    let list = world.act(TOM, |call, command, _| call.list(command));
    world.run_for(SECOND * 5);
    assert_eq!(world.outcome(TOM, list), "done");
}

#[test]
fn what_can_wait_for_the_next_session_waits_and_what_cannot_is_refused() {
    let mut world = idle();
    world.pages[TOM].is_offline = true;
    world.hide(TOM);
    world.show(TOM);
    world.run_for(SECOND);
    let list = world.act(TOM, |call, command, _| call.list(command));
    let call = world.call(TOM, "Jack");
    let connect = world.command(TOM, |client, command, now| client.connect(command, now));
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, call), "NOT_CONNECTED");
    assert_eq!((world.outcome(TOM, list), world.outcome(TOM, connect)), ("open", "open"));
    world.pages[TOM].is_offline = false;
    world.online(TOM);
    world.run_for(SECOND);
    assert_eq!((world.outcome(TOM, list), world.outcome(TOM, connect)), ("done", "done"));
}

#[test]
fn a_gateway_that_never_comes_back_is_given_up_and_everything_settles() {
    let mut world = idle();
    world.pages[TOM].is_offline = true;
    world.run_for(SECOND);
    let list = world.act(TOM, |call, command, _| call.list(command));
    world.run_for(SECOND * 300);
    assert_eq!(world.told(TOM), ["reconnecting GATEWAY_UNREACHABLE", "error SESSION_LOST"]);
    assert_eq!(world.outcome(TOM, list), "GATEWAY_UNREACHABLE");
    let call = world.call(TOM, "Jack");
    assert_eq!(world.outcome(TOM, call), "CLOSED");
}

#[test]
fn a_call_whose_media_flows_outlives_the_limit() {
    let mut world = World::in_call();
    // Its session stays alive at the gateway, since requests arrive; the answers do not.
    for _ in 0..200 {
        world.pages[TOM].loss = Loss::NextPoll;
        world.run_for(SECOND * 2);
    }
    world.pages[TOM].loss = Loss::None;
    world.run_for(SECOND * 10);
    let told = world.told(TOM);
    assert!(told.iter().all(|event| event.starts_with("reconnect")), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("reconnected"));
}

#[test]
fn a_lost_media_path_is_mended_on_the_same_connection() {
    let mut world = World::in_call();
    world.cut_media(TOM);
    world.run_for(SECOND * 12);
    assert_eq!(world.told(TOM), ["reconnecting MEDIA_FAILED", "reconnected"]);
    assert_eq!(world.told(JACK), [""; 0]);
    assert_eq!(world.pages[TOM].connections.len(), 1);
}

#[test]
fn media_that_both_ends_mend_at_once_comes_back_at_both() {
    for lag in [0, 3, 7, 12] {
        let mut world = World::in_call();
        world.cut_media(TOM);
        world.run_for(Duration::from_millis(lag));
        world.cut_media(JACK);
        world.run_for(SECOND * 30);
        for page in [TOM, JACK] {
            let told = world.told(page);
            assert_eq!(told, ["reconnecting MEDIA_FAILED", "reconnected"], "{lag} ms");
        }
    }
}

/// The requests that a page has made, without the questions whether there is a call.
fn asked(world: &mut World, page: usize) -> Vec<String> {
    let requests = std::mem::take(&mut world.pages[page].requests);
    requests.into_iter().filter(|request| request != "accept").collect()
}

/// A call that has been up for a while. Nobody tells the callee that media flows, so it has asked for it.
fn settled() -> World {
    let mut world = World::in_call();
    world.run_for(SECOND * 15);
    asked(&mut world, TOM);
    asked(&mut world, JACK);
    world
}

/// Browsers say so as well when their estimate of the connection changes.
#[test]
fn a_path_that_flows_is_left_alone_when_the_network_may_have_changed() {
    for page in [TOM, JACK] {
        let mut world = settled();
        for _ in 0..10 {
            world.online(page);
            world.run_for(SECOND * 7);
        }
        assert_eq!(asked(&mut world, page), [""; 0]);
        assert_eq!(world.told(page), [""; 0]);
    }
}

#[test]
fn a_path_that_goes_with_the_network_is_mended_before_the_browser_gives_it_up() {
    for (page, pause) in [(TOM, SECOND), (JACK, SECOND * 3)] {
        for lost_first in [true, false] {
            let mut world = settled();
            if lost_first {
                world.cut_media(page);
                world.run_for(SECOND);
                assert_eq!(asked(&mut world, page), [""; 0]);
            }
            world.online(page);
            if !lost_first {
                world.run_for(SECOND * 5);
                assert_eq!(asked(&mut world, page), [""; 0]);
                world.cut_media(page);
            }
            world.run_for(pause);
            assert_eq!(asked(&mut world, page), ["set"], "lost first: {lost_first}");
            world.run_for(SECOND);
            assert_eq!(world.told(page), ["reconnecting MEDIA_FAILED", "reconnected"]);
        }
    }
}

/// A page of janus.js may not know what to do about a new offer.
#[test]
fn with_a_stranger_only_a_path_that_is_lost_for_good_is_negotiated_anew() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.pages[JACK].is_stranger = true;
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    world.accept(JACK);
    world.run_for(SECOND * 15);
    asked(&mut world, TOM);
    world.online(TOM);
    world.run_for(SECOND * 2);
    world.cut_media(TOM);
    world.run_for(SECOND * 9);
    assert_eq!(asked(&mut world, TOM), [""; 0]);
    world.run_for(SECOND * 2);
    assert_eq!(asked(&mut world, TOM), ["set"]);
}

/// It may want to send nothing.
#[test]
fn a_stranger_that_sends_no_media_is_not_asked_for_it() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.pages[TOM].is_stranger = true;
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    world.accept(JACK);
    world.run_for(SECOND);
    asked(&mut world, JACK);
    world.run_for(SECOND * 20);
    assert_eq!(asked(&mut world, JACK), [""; 0]);
}

/// What was offered is of the network before.
#[test]
fn another_network_while_it_rings_is_negotiated_when_the_call_is_up() {
    let mut world = World::with_timing(&["Tom", "Jack"], Timing::like_janus(), 3);
    world.call(TOM, "Jack");
    world.run_for(SECOND * 3);
    world.online(TOM);
    world.pages[TOM].requests.clear();
    world.accept(JACK);
    world.run_for(SECOND * 3);
    assert_eq!(asked(&mut world, TOM), ["set"]);
    assert_eq!(world.pages[TOM].connections.len(), 1);
}

#[test]
fn a_call_told_twice_rings_once() {
    let mut world = World::with_timing(&["Tom", "Jack"], Timing::like_janus(), 3);
    world.pages[JACK].loss = Loss::RepeatPoll;
    world.call(TOM, "Jack");
    world.run_for(SECOND * 3);
    assert_eq!(world.told(JACK), ["incoming Tom"]);
    world.accept(JACK);
    world.run_for(SECOND);
    assert_eq!(world.told(JACK), ["accepted Tom"]);
}

#[test]
fn a_poll_that_is_dead_without_knowing_it_is_given_up() {
    let mut world = idle();
    // Requests get through, and their events go into a poll that nobody reads.
    world.pages[TOM].loss = Loss::PollsHang;
    let list = world.act(TOM, |call, command, _| call.list(command));
    world.run_for(Duration::from_millis(10_100));
    world.pages[TOM].loss = Loss::None;
    world.run_for(SECOND * 4);
    assert_eq!(world.outcome(TOM, list), "done");
    assert_eq!(world.told(TOM), ["reconnecting GATEWAY_TIMEOUT", "reconnected"]);
}

/// A firewall, or a limit of requests, is not Janus.
#[test]
fn a_page_that_forbids_a_poll_ends_no_call() {
    let mut world = World::in_call();
    world.pages[TOM].loss = Loss::NextPollForbidden;
    world.run_for(SECOND * 60);
    assert_eq!(world.told(TOM), ["reconnecting GATEWAY_PROTOCOL", "reconnected"]);
    assert_eq!(world.told(JACK), [""; 0]);
    let hang_up = world.hang_up(TOM);
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, hang_up), "done");
}

/// Only the beginning of a poll counts as a sign of life.
#[test]
fn a_gateway_that_forgets_polling_sessions_is_told_that_they_are_in_use() {
    for seconds in [5, 10, 29, 30, 31, 60] {
        let mut world = World::with_session_timeout(SECOND * seconds);
        let page = world.page(CallConfig::default());
        world.register(page, "Tom");
        world.run_for(SECOND * 1200);
        let told = world.told(page);
        let losses = told.iter().filter(|event| event.starts_with("reconnecting")).count();
        assert!(losses <= 1, "{seconds} s: {told:?}");
        assert_eq!(told.iter().filter(|event| event.starts_with("reconnected")).count(), losses);
        world.pages[page].asked = 0;
        world.run_for(SECOND * 60);
        let asked = world.pages[page].asked;
        let most = 3 + if seconds <= 35 && losses > 0 { 60 / (seconds / 2) } else { 0 };
        assert!(asked <= most as usize, "{seconds} s: {asked} requests in a minute");
    }
}
