//! Whatever users do and whatever gets lost: every command ends, every call ends once, nothing stays
//! open, and nothing is asked that the gateway forbids.

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

use proptest::prelude::*;
use videortc::config::CallConfig;
use videortc::event::Event;
use videortc_gateway::{CloseTimer, Timing};
use world::{Loss, World, short};

const NAMES: [&str; 3] = ["Tom", "Jack", "Ann"];

#[derive(Clone, Debug)]
enum Step {
    Call(usize, usize),
    Accept(usize),
    HangUp(usize),
    FailMedia(usize),
    RefuseDevices(usize, bool),
    Lose(usize, Loss),
    Close(usize),
    Disconnect(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let page = 0..NAMES.len();
    prop_oneof![
        6 => (page.clone(), page.clone()).prop_map(|(from, to)| Step::Call(from, to)),
        5 => page.clone().prop_map(Step::Accept),
        4 => page.clone().prop_map(Step::HangUp),
        1 => page.clone().prop_map(Step::FailMedia),
        1 => (page.clone(), any::<bool>()).prop_map(|(page, refuse)| Step::RefuseDevices(page, refuse)),
        2 => (page.clone(), prop_oneof![
            Just(Loss::NextPost),
            Just(Loss::NextPoll),
            Just(Loss::RepeatPoll),
        ]).prop_map(|(page, loss)| Step::Lose(page, loss)),
        1 => page.clone().prop_map(Step::Close),
        1 => page.prop_map(Step::Disconnect),
        8 => prop_oneof![0u64..60, 0u64..1500, Just(70_000)].prop_map(Step::Wait),
    ]
}

fn timing() -> impl Strategy<Value = Timing> {
    prop_oneof![
        Just(Timing::default()),
        Just(Timing::like_janus()),
        (0u64..40).prop_map(|lag| Timing {
            plugin: Duration::ZERO..=Duration::from_millis(lag),
            close: CloseTimer::EverySecond,
            cleanup: Duration::ZERO..=Duration::from_millis(1),
        }),
    ]
}

/// Counts the calls that a page was told of, and those it was told the end of.
#[derive(Default)]
struct Ledger {
    is_in_call: bool,
    ends: usize,
    history: Vec<String>,
}

impl Ledger {
    /// Events must tell of one call after the other, each with one end.
    fn read(&mut self, events: &[Event]) {
        for event in events {
            self.history.push(short(event));
            match event {
                Event::IncomingCall(_) => {
                    assert!(!self.is_in_call, "it rings during a call: {:?}", self.history);
                    self.is_in_call = true;
                }
                Event::Calling(_) | Event::Accepted(_) => self.is_in_call = true,
                Event::HangUp { .. } => {
                    self.ends += 1;
                    self.is_in_call = false;
                }
                _ => {}
            }
        }
    }
}

fn check(steps: Vec<Step>, timing: Timing, seed: u64) {
    let mut world = World::with_timing(&NAMES, timing, seed);
    let mut ledgers: [Ledger; 3] = Default::default();
    // A page whose object was closed gives no more commands.
    let mut gone = [false; 3];
    let mut attempts = [0; 3];
    for step in steps {
        match step {
            Step::Call(from, to) if !gone[from] => {
                let before = world.pages[from].events.len();
                let command = world.call(from, NAMES[to]);
                let accepted = world.pages[from].done.get(&command).is_none_or(Result::is_ok);
                let refused_with_end = world.pages[from].events.len() > before;
                let rings = ledgers[from].is_in_call;
                attempts[from] += usize::from((accepted && !rings) || refused_with_end);
            }
            Step::Accept(page) if !gone[page] => drop(world.accept(page)),
            Step::HangUp(page) if !gone[page] => drop(world.hang_up(page)),
            Step::FailMedia(page) => world.fail_media(page),
            Step::RefuseDevices(page, refuse) => world.pages[page].refuses_devices = refuse,
            Step::Lose(page, loss) => world.pages[page].loss = loss,
            Step::Close(page) if !gone[page] => {
                world.close(page);
                gone[page] = true;
            }
            Step::Disconnect(page) if !gone[page] => {
                world.disconnect(page);
                gone[page] = true;
            }
            Step::Wait(millis) => world.run_for(Duration::from_millis(millis)),
            _ => {}
        }
        read(&mut world, &mut ledgers);
    }
    // Every wait has a deadline: after the longest of them, only calls that are up remain.
    world.run_for(Duration::from_secs(400));
    read(&mut world, &mut ledgers);
    for (page, ledger) in ledgers.iter().enumerate() {
        assert_eq!(
            world.pages[page].open,
            [],
            "a command of page {page} never ended: {:?}",
            ledger.history
        );
        if !ledger.is_in_call {
            assert_eq!(world.pages[page].legs, [], "{:?}", ledger.history);
            assert!(!world.pages[page].devices, "{:?}", ledger.history);
        }
    }
    for page in 0..3 {
        world.disconnect(page);
    }
    world.run_for(Duration::from_secs(60));
    read(&mut world, &mut ledgers);
    for (page, ledger) in ledgers.iter().enumerate() {
        assert!(!ledger.is_in_call, "page {page} was not told the end: {:?}", ledger.history);
        let rang = ledger.history.iter().filter(|event| event.starts_with("incoming")).count();
        let calls = rang + attempts[page];
        assert_eq!(
            ledger.ends, calls,
            "one end for each call of page {page}: {:?}",
            ledger.history
        );
        assert_eq!(world.pages[page].open, []);
        assert_eq!(world.pages[page].legs, []);
        assert!(!world.pages[page].devices);
        for request in &world.pages[page].requests {
            assert_ne!(*request, format!("call {}", NAMES[page]), "nobody calls himself");
        }
    }
}

fn read(world: &mut World, ledgers: &mut [Ledger; 3]) {
    for (page, ledger) in ledgers.iter_mut().enumerate() {
        ledger.read(&std::mem::take(&mut world.pages[page].events));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_story_has_an_end(
        steps in prop::collection::vec(step(), 1..40),
        timing in timing(),
        seed in any::<u64>(),
    ) {
        check(steps, timing, seed);
    }
}

#[test]
fn an_attached_page_that_does_nothing_keeps_its_session() {
    let mut world = World::empty(Timing::like_janus(), 7);
    let page = world.page(CallConfig::default());
    world.run_for(Duration::from_secs(600));
    let register = world.register(page, "Tom");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.outcome(page, register), "done");
}
