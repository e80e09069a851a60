//! Recovery of a client, and its errors if it cannot recover: two pages on a virtual clock.

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

/// Makes a new call from start to end.
fn assert_can_call(world: &mut World) {
    world.run_for(SECOND * 3);
    let call = world.call(TOM, "Jack");
    world.run_for(SECOND * 2);
    let accept = world.accept(JACK);
    world.run_for(SECOND * 2);
    assert_eq!((world.outcome(TOM, call), world.outcome(JACK, accept)), ("done", "done"));
}

#[test]
fn reports_a_failed_poll_and_keeps_the_call() {
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
fn redials_if_the_gateway_forgot_the_offer() {
    let mut world = World::ringing();
    world.pages[JACK].loss = Loss::NextOffer;
    let accept = world.accept(JACK);
    world.run_for(SECOND * 3);
    assert_eq!(world.outcome(JACK, accept), "done");
    assert_eq!(world.told(TOM), ["accepted Jack"]);
    assert_eq!(world.told(JACK), ["accepted Tom"]);
}

#[test]
fn registers_the_same_names_after_a_gateway_restart() {
    let mut world = idle();
    world.restart_gateway();
    world.run_for(SECOND * 5);
    for (page, name) in [(TOM, "registered Tom"), (JACK, "registered Jack")] {
        assert_eq!(world.told(page), ["reconnecting GATEWAY_PROTOCOL", name, "reconnected"]);
    }
    assert_can_call(&mut world);
}

/// Interrupts recovery at the request for the session, for the handle, or for the name.
#[test]
fn survives_a_second_interruption_during_recovery() {
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
fn reports_a_missed_hang_up_before_reconnected() {
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
fn gateway_restart_ends_the_call_once() {
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
fn replaces_a_wedged_handle() {
    for (page, name) in [(TOM, "Tom"), (JACK, "Jack")] {
        let mut world = World::in_call();
        world.wedge(name);
        world.hang_up(TOM);
        world.run_for(SECOND * 3);
        let again = ["reconnecting GATEWAY_ERROR", &format!("registered {name}"), "reconnected"];
        assert_eq!(world.told(page)[1..], again);
        assert_eq!(world.told(1 - page).len(), 1, "the hang-up");
        assert_can_call(&mut world);
    }
}

/// Tom hangs up, which wedges the gateway's handle, and redials immediately.
fn redialled_from_a_stuck_handle() -> (World, Command) {
    let mut world = World::in_call();
    world.wedge("Tom");
    world.hang_up(TOM);
    let again = world.call(TOM, "Jack");
    (world, again)
}

#[test]
fn redial_waits_for_the_replacement_of_a_wedged_handle() {
    let (mut world, again) = redialled_from_a_stuck_handle();
    world.run_for(SECOND * 4);
    assert_eq!(world.outcome(TOM, again), "done");
    world.accept(JACK);
    world.run_for(SECOND);
    assert_eq!(world.told(JACK), ["hang-up Tom: Hung up", "incoming Tom", "accepted Tom"]);
}

#[test]
fn redial_reaches_a_peer_with_a_wedged_handle() {
    for pause in (0..2500).step_by(5) {
        let mut world = World::in_call();
        world.wedge("Jack");
        world.hang_up(TOM);
        world.run_for(Duration::from_millis(pause));
        let again = world.call(TOM, "Jack");
        world.run_for(SECOND * 5);
        assert_eq!(world.outcome(TOM, again), "done", "after {pause} ms");
    }
}

#[test]
fn redial_waits_for_a_new_handle_after_an_unreachable_gateway() {
    for outage in (1000..6000).step_by(100) {
        let mut world = World::in_call();
        world.wedge("Tom");
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
fn wedged_handle_that_cannot_detach_does_not_hold_the_name() {
    for outage in [5, 10, 11, 15, 30] {
        let mut world = World::in_call();
        world.wedge("Tom");
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
fn replaces_a_wedged_handle_once_the_gateway_is_reachable() {
    let mut world = World::in_call();
    world.wedge("Tom");
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
fn redial_fails_if_the_name_was_taken_meanwhile() {
    let (mut world, again) = redialled_from_a_stuck_handle();
    let is_reconnecting = |event: &Event| matches!(event, Event::Reconnecting(_));
    while !world.pages[TOM].events.iter().any(is_reconnecting) {
        world.run_for(Duration::from_millis(1));
    }
    // The old handle is detached, and the new one has not registered yet.
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
fn registers_again_when_the_gateway_frees_the_name_of_a_dead_session() {
    let mut world = idle();
    // The last request of the page does not get through.
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
fn reports_a_name_that_another_user_took() {
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
fn leaving_the_page_ends_the_call_immediately() {
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
fn redials_a_call_that_the_callee_missed() {
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
fn recovers_a_missed_acceptance_silently() {
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
fn recovers_a_missed_hang_up() {
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
fn completes_a_request_whose_post_was_not_answered() {
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
fn queues_idempotent_commands_during_recovery_and_rejects_others() {
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
fn settles_everything_if_the_gateway_never_returns() {
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
fn flowing_media_keeps_the_call_beyond_the_retry_limit() {
    let mut world = World::in_call();
    // Its session stays alive at the gateway, since its requests arrive; the answers are lost.
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
fn restarts_ice_on_the_same_connection() {
    let mut world = World::in_call();
    world.cut_media(TOM);
    world.run_for(SECOND * 12);
    assert_eq!(world.told(TOM), ["reconnecting MEDIA_FAILED", "reconnected"]);
    assert_eq!(world.told(JACK), [""; 0]);
    assert_eq!(world.pages[TOM].connections.len(), 1);
}

#[test]
fn simultaneous_ice_restarts_recover_both_sides() {
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

/// The requests of a page, without the recovery requests.
fn asked(world: &mut World, page: usize) -> Vec<String> {
    let requests = std::mem::take(&mut world.pages[page].requests);
    requests.into_iter().filter(|request| request != "accept").collect()
}

/// A call that has been up for a while. The callee was not told that media flows, so it has asked.
fn settled() -> World {
    let mut world = World::in_call();
    world.run_for(SECOND * 15);
    asked(&mut world, TOM);
    asked(&mut world, JACK);
    world
}

/// Browsers fire the event also when their bandwidth estimate changes.
#[test]
fn network_change_does_not_restart_ice_while_media_flows() {
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
fn restarts_ice_after_a_network_change_before_the_browser_fails() {
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

/// A janus.js page may not handle a new offer.
#[test]
fn with_a_foreign_peer_restarts_ice_only_after_failure() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.pages[JACK].is_foreign = true;
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

/// The peer may send no media on purpose.
#[test]
fn foreign_peer_without_media_causes_no_ice_restart() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.pages[TOM].is_foreign = true;
    world.call(TOM, "Jack");
    world.run_for(SECOND);
    world.accept(JACK);
    world.run_for(SECOND);
    asked(&mut world, JACK);
    world.run_for(SECOND * 20);
    assert_eq!(asked(&mut world, JACK), [""; 0]);
}

/// The offer still describes the previous network.
#[test]
fn restarts_ice_after_acceptance_if_the_network_changed_while_ringing() {
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
fn rings_once_for_a_repeated_incoming_call() {
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
fn abandons_a_dead_poll() {
    let mut world = idle();
    // Requests get through, but their events go into an abandoned poll.
    world.pages[TOM].loss = Loss::PollsHang;
    let list = world.act(TOM, |call, command, _| call.list(command));
    world.run_for(Duration::from_millis(10_100));
    world.pages[TOM].loss = Loss::None;
    world.run_for(SECOND * 4);
    assert_eq!(world.outcome(TOM, list), "done");
    assert_eq!(world.told(TOM), ["reconnecting GATEWAY_TIMEOUT", "reconnected"]);
}

/// A firewall or a rate limiter answers in place of Janus.
#[test]
fn blocked_poll_does_not_end_the_call() {
    let mut world = World::in_call();
    world.pages[TOM].loss = Loss::NextPollForbidden;
    world.run_for(SECOND * 60);
    assert_eq!(world.told(TOM), ["reconnecting GATEWAY_PROTOCOL", "reconnected"]);
    assert_eq!(world.told(JACK), [""; 0]);
    let hang_up = world.hang_up(TOM);
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, hang_up), "done");
}

/// Only the start of a poll counts as activity for the gateway.
#[test]
fn sends_keepalives_if_polls_do_not_keep_the_session_alive() {
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
