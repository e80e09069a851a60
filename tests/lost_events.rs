//! Events that Janus delivers into an abandoned poll, although no poll has failed: two pages on a
//! virtual clock.

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

mod world;

use std::time::Duration;

use videortc_gateway::Timing;
use world::World;

const TOM: usize = 0;
const JACK: usize = 1;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// The outcome of calls when all connections were cut.
#[derive(Debug, Default)]
struct Tally {
    tries: usize,
    /// It never rang on the other side.
    lost: usize,
    /// It rang on the other side after more than two seconds.
    late: usize,
    latest: Duration,
}

/// Pseudo-random numbers, equal in every run.
fn dice(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn tally(cut: &[usize], tries: u64) -> Tally {
    let mut tally = Tally::default();
    let mut seed = 7;
    for round in 0..tries {
        let mut world = World::with_timing(&["Tom", "Jack"], Timing::like_janus(), round);
        // Its candidates would reveal a lost call.
        world.keeps_candidates = true;
        world.run_for(MS * u32::try_from(dice(&mut seed, 30_000)).unwrap());
        for page in cut {
            // A new connection takes one round trip, and TLS two more.
            let back = 1 + dice(&mut seed, 60);
            world.cut_connections(*page, MS * u32::try_from(back).unwrap());
        }
        world.run_for(MS * u32::try_from(dice(&mut seed, 50)).unwrap());
        world.call(TOM, "Jack");
        let begin = world.now;
        tally.tries += 1;
        let mut rang = None;
        while rang.is_none() && world.now < begin + SECOND * 59 {
            world.run_for(MS * 100);
            let told = world.told(JACK);
            assert!(!told.iter().any(|event| event.starts_with("reconnecting")), "{told:?}");
            rang = told.iter().any(|event| event == "incoming Tom").then(|| world.now - begin);
        }
        match rang {
            None => tally.lost += 1,
            Some(after) => {
                tally.late += usize::from(after > SECOND * 2);
                tally.latest = tally.latest.max(after);
            }
        }
    }
    println!("cut {cut:?}: {tally:?}");
    tally
}

#[test]
fn call_arrives_after_both_sides_lost_their_connections() {
    let tally = tally(&[TOM, JACK], 400);
    assert!(tally.lost * 50 <= tally.tries, "{tally:?}");
}

/// The caller notices nothing here. The only sign is the callee's overdue poll, if the event came
/// before the repeated poll.
#[test]
fn call_arrives_after_the_callee_lost_its_connections() {
    let tally = tally(&[JACK], 400);
    assert!(tally.lost * 40 <= tally.tries, "{tally:?}");
}

#[test]
fn call_rings_after_the_caller_lost_its_connections() {
    let tally = tally(&[TOM], 200);
    assert_eq!(tally.lost, 0);
}

#[test]
fn recovers_an_acceptance_lost_in_a_dead_poll() {
    for back in [5, 50] {
        let mut world = World::ringing();
        world.run_for(SECOND * 3);
        world.cut_connections(TOM, MS * back);
        world.run_for(MS * 100);
        let accept = world.accept(JACK);
        world.run_for(SECOND * 5);
        assert_eq!(world.outcome(JACK, accept), "done");
        assert_eq!(world.told(TOM), ["accepted Jack"], "and nothing of trouble");
        assert_eq!(world.told(JACK), ["accepted Tom"]);
    }
}

#[test]
fn recovers_a_hang_up_lost_in_a_dead_poll() {
    let mut world = World::in_call();
    world.drops_messages = true;
    world.run_for(SECOND * 3);
    world.cut_connections(TOM, MS * 5);
    world.run_for(MS * 100);
    world.hang_up(JACK);
    world.run_for(SECOND * 5);
    let told = world.told(TOM);
    assert!(told.len() == 1 && told[0].starts_with("hang-up Jack"), "{told:?}");
}

/// The dead poll takes the event, and the only sign is that the live poll is overdue.
#[test]
fn recovers_a_missed_call_when_the_page_becomes_visible() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.keeps_candidates = true;
    world.run_for(SECOND * 10);
    world.cut_connections(JACK, MS * 500);
    world.call(TOM, "Jack");
    world.run_for(SECOND * 2);
    assert_eq!(world.told(JACK), [""; 0]);
    world.visible(JACK);
    world.run_for(SECOND * 3);
    assert_eq!(world.told(JACK), ["incoming Tom"]);
}

/// A recovery request has a cost, so there must be a reason for it.
#[test]
fn sends_no_extra_requests_while_idle() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.run_for(SECOND * 3600);
    assert_eq!(world.pages[TOM].requests, [""; 0]);
    assert_eq!(world.pages[JACK].requests, [""; 0]);
}

#[test]
fn candidates_without_a_call_trigger_recovery() {
    let mut world = World::with(&["Tom", "Jack"]);
    world.run_for(SECOND * 10);
    // The incoming call goes into the dead poll, its candidates into the live one.
    world.cut_connections(JACK, MS * 500);
    world.call(TOM, "Jack");
    world.run_for(SECOND * 4);
    assert_eq!(world.told(JACK), ["incoming Tom"]);
}

/// A third request would return the same result.
#[test]
fn oversized_list_fails_only_its_own_command() {
    let mut world = World::with(&["Tom", "Jack"]);
    let list = world.act(TOM, |call, command, _| call.list(command));
    for _ in 0..2 {
        world.pages[TOM].loss = world::Loss::NextPollTooLong;
        while matches!(world.pages[TOM].loss, world::Loss::NextPollTooLong) {
            world.run_for(MS);
        }
    }
    world.run_for(MS * 500);
    assert_eq!(world.outcome(TOM, list), "GATEWAY_PROTOCOL");
    world.run_for(SECOND * 30);
    let lists = world.pages[TOM].requests.iter().filter(|request| *request == "list").count();
    assert_eq!(lists, 2);
    assert_eq!(world.told(TOM), [""; 0]);
    let call = world.call(TOM, "Jack");
    world.run_for(SECOND);
    assert_eq!(world.outcome(TOM, call), "done");
}
