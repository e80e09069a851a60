//! One peer connection on a virtual clock: its negotiations, its candidates and its media path.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::VecDeque;

use proptest::prelude::*;
use videortc::peer::{
    Connection, ConnectionId, ConnectionState, Error, Output, PeerCommand, PeerEvent, Step,
};
use videortc::signaling::{Candidate, Jsep, JsepKind};
use videortc::time::Time;

use ConnectionState::{Connected, Disconnected, Failed};

const ID: ConnectionId = ConnectionId(1);
const BATCH: u64 = 20;
const SECOND: u64 = 1000;

/// A connection, and what it wanted or reported since last asked.
struct End {
    connection: Connection,
    now: u64,
    told: Vec<String>,
}

impl End {
    fn new(connection: Connection) -> Self {
        let mut end = Self { connection, now: SECOND, told: Vec::new() };
        end.drain();
        end
    }

    /// A connection whose first offer is being made.
    fn offerer() -> Self {
        let mut end = Self::new(Connection::offer(ID));
        assert_eq!(end.told(), ["make the first offer"]);
        end
    }

    /// A connection whose first answer is being made.
    fn answerer() -> Self {
        let mut end = Self::new(Connection::answer(ID, "theirs".into(), Vec::new()));
        assert_eq!(end.told(), ["answer the first offer theirs"]);
        end
    }

    /// An offerer whose path is up, with media of the other end.
    fn established_offerer() -> Self {
        let mut end = Self::offerer();
        end.describe(JsepKind::Offer, "mine");
        end.carried();
        end.receive(Jsep::answer("theirs".into()));
        end.establish(true)
    }

    /// The same of an answerer.
    fn established_answerer() -> Self {
        let mut end = Self::answerer();
        end.describe(JsepKind::Answer, "mine");
        end.carried();
        end.establish(true)
    }

    fn establish(mut self, renegotiates: bool) -> Self {
        self.state(Connected);
        self.act(|connection, now| connection.handle_established(renegotiates, now));
        self.event(PeerEvent::RemoteMedia);
        // An answerer watches over the silence of the offerer for 5 s.
        self.run_for(6 * SECOND);
        self.told.clear();
        self
    }

    fn act(&mut self, act: impl FnOnce(&mut Connection, Time)) {
        act(&mut self.connection, Time::from_millis(self.now));
        self.drain();
    }

    fn event(&mut self, event: PeerEvent) {
        self.act(|connection, now| connection.handle_event(event, now));
    }

    fn describe(&mut self, kind: JsepKind, sdp: &str) {
        self.event(PeerEvent::Description(kind, Ok(sdp.into())));
    }

    fn fail_to_describe(&mut self, kind: JsepKind) {
        let error = Error::Failed { step: Step::Other, cause: "InvalidStateError".into() };
        self.event(PeerEvent::Description(kind, Err(error)));
    }

    fn candidate(&mut self) {
        self.event(PeerEvent::Candidate(found()));
    }

    fn end_candidates(&mut self) {
        self.event(PeerEvent::Candidate(Candidate::End));
    }

    fn state(&mut self, state: ConnectionState) {
        self.event(PeerEvent::State(state));
    }

    fn carried(&mut self) {
        self.act(|connection, _| connection.handle_carried());
    }

    fn not_carried(&mut self) {
        self.act(|connection, now| connection.handle_not_carried(now));
    }

    fn receive(&mut self, jsep: Jsep) {
        self.act(|connection, now| connection.handle_remote_description(jsep, now));
    }

    fn change_network(&mut self) {
        self.act(|connection, now| connection.handle_network_changed(now));
    }

    fn run_for(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(due) = self.connection.poll_timeout().map(Time::as_millis)
            && due <= end
        {
            assert!(due > self.now || due == end, "due at {due}, and it is {}", self.now);
            self.now = self.now.max(due);
            self.act(Connection::handle_timeout);
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.connection.poll_output() {
            self.told.extend(short(&output));
        }
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

fn found() -> Candidate {
    let candidate = "candidate:1 1 udp 1 192.0.2.1 5000 typ host".into();
    Candidate::Found { candidate, mid: None, line: Some(0) }
}

/// An output in a few words. Lines for the log have none.
fn short(output: &Output) -> Option<String> {
    Some(match output {
        Output::Command(command) => match command {
            PeerCommand::Offer => "make the first offer".into(),
            PeerCommand::Answer(sdp) => format!("answer the first offer {sdp}"),
            PeerCommand::AcceptAnswer(sdp) => format!("accept {sdp}"),
            PeerCommand::Restart => "restart".into(),
            PeerCommand::AnswerAgain(sdp) => format!("answer {sdp}"),
            PeerCommand::AddCandidates(candidates) => format!("add {}", candidates.len()),
            PeerCommand::Measure => "measure".into(),
            PeerCommand::Close => "close".into(),
        },
        Output::Description(Jsep { kind, sdp }) => format!("carry {} {sdp}", kind.as_str()),
        Output::Candidates(candidates) => format!("candidates {}", candidates.len()),
        Output::Path(path) => format!("path {path:?}"),
        Output::RemoteMedia => "media".into(),
        Output::Stats(_) => "stats".into(),
        Output::Failed(error) => format!("failed: {error}"),
        Output::Log(..) => return None,
    })
}

const NOTHING: [&str; 0] = [];

// Candidates.

#[test]
fn candidates_wait_until_their_description_is_made() {
    let mut end = End::offerer();
    end.candidate();
    end.end_candidates();
    end.run_for(SECOND);
    assert_eq!(end.told(), NOTHING);
    end.describe(JsepKind::Offer, "mine");
    assert_eq!(end.told(), ["carry offer mine"]);
}

#[test]
fn candidates_wait_until_their_description_is_carried() {
    let mut end = End::offerer();
    end.describe(JsepKind::Offer, "mine");
    end.candidate();
    end.end_candidates();
    end.run_for(SECOND);
    assert_eq!(end.told(), ["carry offer mine"]);
    end.carried();
    assert_eq!(end.told(), ["candidates 2"]);
}

#[test]
fn candidates_of_20_ms_leave_together() {
    let mut end = End::offerer();
    end.describe(JsepKind::Offer, "mine");
    end.carried();
    end.told();
    end.candidate();
    end.run_for(BATCH - 1);
    end.candidate();
    assert_eq!(end.told(), NOTHING);
    end.run_for(1);
    assert_eq!(end.told(), ["candidates 2"]);
    end.run_for(SECOND);
    assert_eq!(end.told(), NOTHING);
}

#[test]
fn end_of_candidates_leaves_at_once_with_the_batch() {
    let mut end = End::offerer();
    end.describe(JsepKind::Offer, "mine");
    end.carried();
    end.told();
    end.candidate();
    end.end_candidates();
    assert_eq!(end.told(), ["candidates 2"]);
    assert_eq!(end.connection.poll_timeout(), None);
}

#[test]
fn candidates_of_a_restart_wait_for_its_offer() {
    let mut end = End::established_offerer();
    end.candidate();
    end.state(Failed);
    end.run_for(BATCH);
    end.candidate();
    end.run_for(BATCH);
    assert_eq!(end.told(), ["path Lost", "restart"]);
    end.describe(JsepKind::Offer, "mine 2");
    end.candidate();
    end.run_for(BATCH);
    assert_eq!(end.told(), ["carry offer mine 2"]);
    end.carried();
    assert_eq!(end.told(), ["candidates 3"]);
}

#[test]
fn candidates_leave_after_a_restart_that_fails() {
    let mut end = End::established_offerer();
    end.state(Failed);
    end.candidate();
    end.told();
    end.fail_to_describe(JsepKind::Offer);
    assert_eq!(end.told(), ["candidates 1"]);
}

#[test]
fn two_uncarried_descriptions_hold_the_candidates_back() {
    let mut end = End::established_offerer();
    end.receive(Jsep::offer("theirs 2".into()));
    end.describe(JsepKind::Answer, "mine 2");
    end.state(Failed);
    end.run_for(3 * SECOND);
    end.describe(JsepKind::Offer, "mine 3");
    end.end_candidates();
    end.told();
    end.carried();
    assert_eq!(end.told(), NOTHING);
    assert!(end.connection.is_describing());
    end.carried();
    assert_eq!(end.told(), ["candidates 1"]);
    assert!(!end.connection.is_describing());
}

#[test]
fn remote_candidates_that_came_early_follow_the_offer() {
    let connection = Connection::answer(ID, "theirs".into(), vec![found(), Candidate::End]);
    let mut end = End::new(connection);
    assert_eq!(end.told(), ["answer the first offer theirs", "add 2"]);
    end.act(|connection, _| connection.handle_remote_candidates(vec![found()]));
    assert_eq!(end.told(), ["add 1"]);
}

// Offers that cross.

#[test]
fn answerer_answers_an_offer_that_crosses_one_being_made() {
    let mut end = End::established_answerer();
    end.state(Failed);
    end.run_for(2 * SECOND);
    assert_eq!(end.told(), ["path Lost", "restart"]);
    end.receive(Jsep::offer("theirs 2".into()));
    // The browser makes the own offer to its end first.
    end.describe(JsepKind::Offer, "late");
    assert_eq!(end.told(), ["answer theirs 2"]);
    end.describe(JsepKind::Answer, "mine 2");
    assert_eq!(end.told(), ["carry answer mine 2"]);
    end.carried();
    end.run_for(5 * SECOND - 1);
    assert_eq!(end.told(), NOTHING);
    end.run_for(1);
    assert_eq!(end.told(), ["restart"]);
}

#[test]
fn answerer_offers_again_after_a_crossing_offer_although_its_path_came_back() {
    let mut end = End::established_answerer();
    end.state(Failed);
    end.run_for(2 * SECOND);
    end.receive(Jsep::offer("theirs 2".into()));
    end.describe(JsepKind::Offer, "late");
    end.describe(JsepKind::Answer, "mine 2");
    end.carried();
    end.state(Connected);
    end.told();
    end.run_for(5 * SECOND);
    assert_eq!(end.told(), ["restart"]);
    end.describe(JsepKind::Offer, "mine 3");
    end.carried();
    end.receive(Jsep::answer("theirs 3".into()));
    end.run_for(60 * SECOND);
    assert_eq!(end.told(), ["carry offer mine 3", "accept theirs 3"]);
}

#[test]
fn answerer_takes_its_offer_back_that_waits_for_an_answer() {
    let mut end = End::established_answerer();
    end.state(Failed);
    end.run_for(2 * SECOND);
    end.describe(JsepKind::Offer, "mine 2");
    end.carried();
    end.told();
    end.receive(Jsep::offer("theirs 2".into()));
    assert_eq!(end.told(), ["answer theirs 2"]);
    // The other end ignored the offer; if not, its answer comes too late.
    end.receive(Jsep::answer("late".into()));
    end.describe(JsepKind::Answer, "mine 3");
    end.carried();
    end.run_for(5 * SECOND);
    assert_eq!(end.told(), ["carry answer mine 3", "restart"]);
}

#[test]
fn answerer_answers_although_its_own_offer_is_not_carried() {
    let mut end = End::established_answerer();
    end.state(Failed);
    end.run_for(2 * SECOND);
    end.describe(JsepKind::Offer, "mine 2");
    end.receive(Jsep::offer("theirs 2".into()));
    end.told();
    end.not_carried();
    assert_eq!(end.told(), NOTHING);
    end.describe(JsepKind::Answer, "mine 3");
    assert_eq!(end.told(), ["carry answer mine 3"]);
}

#[test]
fn the_last_of_two_offers_is_answered() {
    let mut end = End::established_answerer();
    end.receive(Jsep::offer("theirs 2".into()));
    end.receive(Jsep::offer("theirs 3".into()));
    assert_eq!(end.told(), ["answer theirs 2", "answer theirs 3"]);
    end.describe(JsepKind::Answer, "mine 2");
    assert_eq!(end.told(), NOTHING);
    end.describe(JsepKind::Answer, "mine 3");
    assert_eq!(end.told(), ["carry answer mine 3"]);
}

#[test]
fn offerer_ignores_an_offer_that_crosses_its_own() {
    let mut end = End::established_offerer();
    end.state(Failed);
    end.told();
    end.receive(Jsep::offer("theirs 2".into()));
    assert_eq!(end.told(), NOTHING);
    end.describe(JsepKind::Offer, "mine 2");
    end.receive(Jsep::offer("theirs 2".into()));
    assert_eq!(end.told(), ["carry offer mine 2"]);
    end.carried();
    end.receive(Jsep::answer("theirs 3".into()));
    assert_eq!(end.told(), ["accept theirs 3"]);
}

#[test]
fn offerer_answers_an_offer_that_crosses_nothing() {
    let mut end = End::established_offerer();
    end.receive(Jsep::offer("theirs 2".into()));
    end.describe(JsepKind::Answer, "mine 2");
    end.carried();
    end.run_for(60 * SECOND);
    assert_eq!(end.told(), ["answer theirs 2", "carry answer mine 2"]);
}

#[test]
fn an_answer_without_an_offer_is_ignored() {
    let mut end = End::established_offerer();
    end.receive(Jsep::answer("theirs 2".into()));
    assert_eq!(end.told(), NOTHING);
}

// The path.

#[test]
fn a_lost_path_restarts_at_once_at_the_offerer() {
    let mut end = End::established_offerer();
    end.state(Failed);
    assert_eq!(end.told(), ["path Lost", "restart"]);
}

#[test]
fn a_lost_path_restarts_two_seconds_later_at_the_answerer() {
    let mut end = End::established_answerer();
    end.state(Failed);
    end.run_for(2 * SECOND - 1);
    assert_eq!(end.told(), ["path Lost"]);
    end.run_for(1);
    assert_eq!(end.told(), ["restart"]);
}

#[test]
fn a_disconnected_path_is_lost_without_a_restart() {
    for mut end in [End::established_offerer(), End::established_answerer()] {
        end.state(Disconnected);
        end.run_for(60 * SECOND);
        assert_eq!(end.told(), ["path Lost"]);
        end.state(Connected);
        assert_eq!(end.told(), ["path Up"]);
    }
}

#[test]
fn a_disconnected_path_restarts_within_20_s_of_a_network_change() {
    for (pause, restarts) in [(0, true), (20 * SECOND, true), (20 * SECOND + 1, false)] {
        let mut end = End::established_offerer();
        end.change_network();
        end.run_for(pause);
        assert_eq!(end.told(), NOTHING, "a path that is up is left alone");
        end.state(Disconnected);
        let expected: &[&str] = if restarts { &["path Lost", "restart"] } else { &["path Lost"] };
        assert_eq!(end.told(), expected, "after {pause} ms");
    }
}

#[test]
fn a_network_change_restarts_a_disconnected_path() {
    let mut end = End::established_offerer();
    end.state(Disconnected);
    end.run_for(60 * SECOND);
    end.told();
    end.change_network();
    assert_eq!(end.told(), ["restart"]);
}

#[test]
fn a_network_change_does_not_restart_where_the_other_end_does_not_renegotiate() {
    let mut end = End::offerer();
    end.describe(JsepKind::Offer, "mine");
    end.carried();
    end.receive(Jsep::answer("theirs".into()));
    let mut end = end.establish(false);
    end.change_network();
    end.state(Disconnected);
    end.run_for(60 * SECOND);
    assert_eq!(end.told(), ["path Lost"]);
}

#[test]
fn a_network_change_before_the_first_answer_restarts_once_established() {
    let mut end = End::offerer();
    end.describe(JsepKind::Offer, "mine");
    end.carried();
    end.told();
    end.change_network();
    assert_eq!(end.told(), NOTHING);
    end.receive(Jsep::answer("theirs".into()));
    end.act(|connection, now| connection.handle_established(true, now));
    assert_eq!(end.told(), ["accept theirs", "restart"]);
}

#[test]
fn a_path_that_stays_lost_restarts_again() {
    for (mut end, pause) in [(End::established_offerer(), 3), (End::established_answerer(), 5)] {
        end.state(Failed);
        end.run_for(2 * SECOND);
        assert_eq!(end.told(), ["path Lost", "restart"]);
        end.describe(JsepKind::Offer, "mine 2");
        end.carried();
        end.receive(Jsep::answer("theirs 2".into()));
        end.run_for(pause * SECOND - 1);
        assert_eq!(end.told(), ["carry offer mine 2", "accept theirs 2"]);
        end.run_for(1);
        assert_eq!(end.told(), ["restart"]);
    }
}

#[test]
fn a_path_that_is_back_needs_no_other_restart() {
    let mut end = End::established_offerer();
    end.state(Failed);
    end.describe(JsepKind::Offer, "mine 2");
    end.carried();
    end.receive(Jsep::answer("theirs 2".into()));
    end.told();
    end.state(Connected);
    end.run_for(60 * SECOND);
    assert_eq!(end.told(), ["path Up"]);
    assert_eq!(end.connection.poll_timeout(), None);
}

#[test]
fn another_offer_follows_one_without_an_answer_for_8_s() {
    let mut end = End::established_offerer();
    end.state(Failed);
    end.describe(JsepKind::Offer, "mine 2");
    end.carried();
    end.told();
    end.run_for(8 * SECOND - 1);
    assert_eq!(end.told(), NOTHING);
    end.run_for(1);
    assert_eq!(end.told(), ["restart"]);
}

#[test]
fn no_other_offer_follows_if_the_path_is_back_meanwhile() {
    let mut end = End::established_offerer();
    end.state(Failed);
    end.describe(JsepKind::Offer, "mine 2");
    end.carried();
    end.state(Connected);
    end.told();
    end.run_for(60 * SECOND);
    assert_eq!(end.told(), NOTHING);
}

#[test]
fn another_offer_follows_one_that_is_not_carried() {
    for (mut end, pause) in [(End::established_offerer(), 3), (End::established_answerer(), 5)] {
        end.state(Failed);
        end.run_for(2 * SECOND);
        end.describe(JsepKind::Offer, "mine 2");
        end.told();
        end.not_carried();
        end.run_for(pause * SECOND - 1);
        assert_eq!(end.told(), NOTHING);
        end.run_for(1);
        assert_eq!(end.told(), ["restart"]);
    }
}

#[test]
fn another_offer_follows_one_that_cannot_be_made() {
    let mut end = End::established_offerer();
    end.state(Failed);
    end.told();
    end.fail_to_describe(JsepKind::Offer);
    assert_eq!(end.told(), NOTHING);
    end.run_for(3 * SECOND);
    assert_eq!(end.told(), ["restart"]);
}

#[test]
fn a_path_lost_while_an_answer_is_made_restarts_afterwards() {
    let mut end = End::established_offerer();
    end.receive(Jsep::offer("theirs 2".into()));
    end.state(Failed);
    end.describe(JsepKind::Answer, "mine 2");
    end.carried();
    assert_eq!(end.told(), ["answer theirs 2", "path Lost", "carry answer mine 2"]);
    end.run_for(3 * SECOND);
    assert_eq!(end.told(), ["restart"]);
}

#[test]
fn a_connection_that_fails_before_it_is_established_has_failed() {
    for mut end in [End::offerer(), End::answerer()] {
        end.state(Failed);
        assert_eq!(end.told(), ["failed: no media connection"]);
    }
}

#[test]
fn a_connection_that_fails_before_it_was_up_has_failed() {
    let mut end = End::offerer();
    end.describe(JsepKind::Offer, "mine");
    end.carried();
    end.receive(Jsep::answer("theirs".into()));
    end.act(|connection, now| connection.handle_established(true, now));
    end.told();
    end.state(Failed);
    assert_eq!(end.told(), ["failed: no media connection"]);
}

#[test]
fn a_first_description_that_cannot_be_made_has_failed() {
    for (mut end, kind) in [(End::offerer(), JsepKind::Offer), (End::answerer(), JsepKind::Answer)]
    {
        end.fail_to_describe(kind);
        assert_eq!(end.told(), ["failed: could not make the media connection: InvalidStateError"]);
    }
}

#[test]
fn a_path_that_flickers_before_it_is_established_comes_up_again() {
    let mut end = End::answerer();
    end.state(Connected);
    end.state(Disconnected);
    end.state(Connected);
    assert_eq!(end.told(), ["path Up", "path Up"]);
}

// Media.

/// An answerer whose path is up, without media of the other end.
fn silent_answerer(renegotiates: bool) -> End {
    let mut end = End::answerer();
    end.describe(JsepKind::Answer, "mine");
    end.carried();
    end.state(Connected);
    end.act(|connection, now| connection.handle_established(renegotiates, now));
    end.told();
    end
}

#[test]
fn answerer_offers_if_the_offerer_is_silent_for_5_s() {
    let mut end = silent_answerer(true);
    end.run_for(5 * SECOND - 1);
    assert_eq!(end.told(), NOTHING);
    end.run_for(1);
    assert_eq!(end.told(), ["restart"]);
}

#[test]
fn answerer_does_not_offer_if_media_comes_or_the_other_end_does_not_renegotiate() {
    let mut end = silent_answerer(true);
    end.run_for(4 * SECOND);
    end.event(PeerEvent::RemoteMedia);
    end.run_for(60 * SECOND);
    assert_eq!(end.told(), ["media"]);
    let mut end = silent_answerer(false);
    end.run_for(60 * SECOND);
    assert_eq!(end.told(), NOTHING);
}

#[test]
fn remote_media_is_reported_once() {
    let mut end = End::offerer();
    assert!(!end.connection.has_remote_media());
    end.event(PeerEvent::RemoteMedia);
    end.event(PeerEvent::RemoteMedia);
    assert_eq!(end.told(), ["media"]);
    assert!(end.connection.has_remote_media());
}

#[test]
fn counters_are_reported_when_they_are_asked_for() {
    let mut end = End::established_offerer();
    end.act(|connection, _| connection.measure());
    end.event(PeerEvent::Stats(Box::default()));
    assert_eq!(end.told(), ["measure", "stats"]);
}

// Any order.

#[derive(Clone, Debug)]
enum Input {
    Wait(u64),
    /// The browser finishes the description that it has made for longest.
    Describe(bool),
    /// The owner carries the oldest description, or fails to.
    Carry(bool),
    Establish(bool),
    Receive(JsepKind),
    ReceiveCandidates,
    Candidate(bool),
    State(ConnectionState),
    Media,
    ChangeNetwork,
    Measure,
    /// A description that nobody asked for.
    Stray(JsepKind, bool),
}

fn input() -> impl Strategy<Value = Input> {
    let kind = prop::sample::select(vec![JsepKind::Offer, JsepKind::Answer]);
    let state = prop::sample::select(vec![Connected, Disconnected, Failed]);
    prop_oneof![
        5 => prop_oneof![0u64..30, 0u64..3000, 0u64..30_000].prop_map(Input::Wait),
        5 => prop::bool::weighted(0.8).prop_map(Input::Describe),
        4 => prop::bool::weighted(0.8).prop_map(Input::Carry),
        1 => any::<bool>().prop_map(Input::Establish),
        4 => kind.clone().prop_map(Input::Receive),
        1 => Just(Input::ReceiveCandidates),
        3 => any::<bool>().prop_map(Input::Candidate),
        4 => state.prop_map(Input::State),
        1 => Just(Input::Media),
        2 => Just(Input::ChangeNetwork),
        1 => Just(Input::Measure),
        1 => (kind, any::<bool>()).prop_map(|(kind, is_ok)| Input::Stray(kind, is_ok)),
    ]
}

/// A connection with an exact browser and owner, who check what it wants.
struct Checked {
    connection: Connection,
    now: u64,
    /// The descriptions that the browser is making, in the order of their commands.
    making: VecDeque<JsepKind>,
    /// The one that it has finished just now, if nothing that was asked for later supersedes it.
    finished: Option<JsepKind>,
    uncarried: usize,
    media: usize,
    /// Whether the browser is exact: no description comes that nobody asked for.
    is_exact: bool,
}

impl Checked {
    fn new(connection: Connection, is_exact: bool) -> Self {
        let making = VecDeque::new();
        let (now, finished, uncarried, media) = (SECOND, None, 0, 0);
        let mut checked = Self { connection, now, making, finished, uncarried, media, is_exact };
        checked.drain();
        checked
    }

    fn input(&mut self, input: Input) {
        let now = Time::from_millis(self.now);
        let connection = &mut self.connection;
        match input {
            Input::Wait(millis) => return self.run_for(millis),
            Input::Describe(is_ok) => {
                let Some(kind) = self.making.pop_front() else { return };
                self.finished = Some(kind).filter(|_| is_ok && self.making.is_empty());
                connection.handle_event(described(kind, is_ok), now);
            }
            Input::Stray(kind, is_ok) if !self.is_exact => {
                connection.handle_event(described(kind, is_ok), now);
            }
            Input::Stray(..) => {}
            Input::Carry(is_carried) => {
                if self.uncarried > 0 || !self.is_exact {
                    self.uncarried = self.uncarried.saturating_sub(1);
                    match is_carried {
                        true => connection.handle_carried(),
                        false => connection.handle_not_carried(now),
                    }
                }
            }
            Input::Establish(renegotiates) => connection.handle_established(renegotiates, now),
            Input::Receive(kind) => {
                connection.handle_remote_description(Jsep { kind, sdp: "theirs".into() }, now);
            }
            Input::ReceiveCandidates => connection.handle_remote_candidates(vec![found()]),
            Input::Candidate(is_last) => {
                let candidate = if is_last { Candidate::End } else { found() };
                connection.handle_event(PeerEvent::Candidate(candidate), now);
            }
            Input::State(state) => connection.handle_event(PeerEvent::State(state), now),
            Input::Media => connection.handle_event(PeerEvent::RemoteMedia, now),
            Input::ChangeNetwork => connection.handle_network_changed(now),
            Input::Measure => connection.measure(),
        }
        self.drain();
    }

    /// Nothing but timers: candidates leave once, and negotiations wait for the browser or the other end.
    fn run_for(&mut self, millis: u64) {
        let end = self.now + millis;
        let mut timeouts = 0;
        while let Some(due) = self.connection.poll_timeout().map(Time::as_millis)
            && due <= end
        {
            timeouts += 1;
            assert!(timeouts <= 4, "busy at {}", self.now);
            self.now = self.now.max(due);
            self.connection.handle_timeout(Time::from_millis(self.now));
            self.drain();
            let next = self.connection.poll_timeout();
            assert!(next > Some(Time::from_millis(self.now)) || next.is_none(), "{next:?}");
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.connection.poll_output() {
            match output {
                Output::Command(command) => {
                    if command == PeerCommand::Restart && self.is_exact {
                        assert_eq!(self.making, [], "one description is made at a time");
                    }
                    self.making.extend(command.describes());
                }
                Output::Description(jsep) if self.is_exact => {
                    let finished = self.finished.take();
                    assert_eq!(finished, Some(jsep.kind), "it is made, and the last asked for");
                    self.uncarried += 1;
                }
                Output::Description(_) => self.uncarried += 1,
                Output::Candidates(candidates) => {
                    assert!(!candidates.is_empty());
                    assert!(self.uncarried == 0, "candidates wait for their description");
                }
                Output::RemoteMedia => self.media += 1,
                _ => {}
            }
        }
        assert_eq!(self.uncarried > 0, self.connection.is_describing());
        assert!(self.media <= 1, "media is reported once");
    }
}

fn described(kind: JsepKind, is_ok: bool) -> PeerEvent {
    let error = Error::Failed { step: Step::Other, cause: "InvalidStateError".into() };
    PeerEvent::Description(kind, if is_ok { Ok("mine".into()) } else { Err(error) })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        max_shrink_iters: 5000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_order_of_inputs_keeps_the_rules(
        inputs in prop::collection::vec(input(), 1..60),
        is_offerer in any::<bool>(),
        is_exact in prop::bool::weighted(0.8),
    ) {
        let connection = match is_offerer {
            true => Connection::offer(ID),
            false => Connection::answer(ID, "theirs".into(), vec![found()]),
        };
        let mut checked = Checked::new(connection, is_exact);
        for input in inputs {
            checked.input(input);
        }
        // Once everything is made and carried, no candidate waits for ever.
        checked.input(Input::Candidate(false));
        while is_exact && !checked.making.is_empty() || checked.uncarried > 0 {
            checked.input(Input::Describe(true));
            checked.input(Input::Carry(true));
        }
        checked.run_for(60_000);
    }
}
