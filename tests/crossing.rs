//! Two users call each other simultaneously: the calls become one call.

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

use videortc_gateway::{CloseTimer, Timing};
use world::World;

const TOM: usize = 0;
const JACK: usize = 1;
const ANN: usize = 2;

/// A gateway whose plugin thread is slow, so that both calls reach it.
fn lagging() -> Timing {
    Timing {
        plugin: Duration::from_millis(20)..=Duration::from_millis(20),
        close: CloseTimer::EverySecond,
        cleanup: Duration::from_millis(1)..=Duration::from_millis(1),
    }
}

fn assert_one_call(world: &mut World) {
    for (page, peer) in [(TOM, "Jack"), (JACK, "Tom")] {
        let told = world.told(page);
        let accepted = format!("accepted {peer}");
        assert_eq!(told.iter().filter(|event| **event == accepted).count(), 1, "{told:?}");
        assert!(!told.iter().any(|event| event.starts_with("hang-up")), "{told:?}");
        assert_eq!(world.pages[page].connections.len(), 1);
        assert_eq!(world.pages[page].open, []);
    }
}

#[test]
fn crossing_calls_become_one_call() {
    for timing in [Timing::default(), Timing::like_janus(), lagging()] {
        for skew in 0..80 {
            for first in [TOM, JACK] {
                let mut world = World::with_timing(&["Tom", "Jack"], timing.clone(), skew);
                let names = ["Tom", "Jack"];
                world.call(first, names[1 - first]);
                world.run_for(Duration::from_millis(skew));
                world.call(1 - first, names[first]);
                world.run_for(Duration::from_secs(12));
                // A late second call accepts the ringing one. Otherwise, the library has to resolve
                // the crossing.
                assert_one_call(&mut world);
            }
        }
    }
}

#[test]
fn reports_busy_to_a_third_caller_while_calls_cross() {
    let mut world = World::with(&["Tom", "Jack", "Ann"]);
    world.call(TOM, "Jack");
    world.run_for(Duration::from_millis(10));
    // Tom's devices are not open yet, so the gateway still considers him free.
    world.call(ANN, "Tom");
    world.run_for(Duration::from_secs(6));
    world.accept(JACK);
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.told(TOM), ["calling Jack", "accepted Jack"]);
    let told = world.told(ANN);
    assert_eq!(told.last().map(String::as_str), Some("hang-up Tom: User busy"), "{told:?}");
}
