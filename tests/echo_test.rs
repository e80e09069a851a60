//! The echo test: a page, a scripted gateway and a model of the browser on a virtual clock.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod echo;

use std::time::Duration;

use echo::{DEVICES, Devices, Echo, Lab, Plugin, ROUND_TRIP, SECOND};
use proptest::prelude::*;
use videortc::data::ChannelEvent;
use videortc::peer::{CandidatePair, ConnectionState, MediaStats, PeerEvent, Stats, StreamStats};
use videortc::usecase::Command;
use videortc::usecase::echo_test::{Direction, EchoConfig};

const NOTHING: [&str; 0] = [];

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// From start to end.

#[test]
fn a_test_reports_what_came_back() {
    let mut lab = Lab::new();
    let start = lab.start();
    lab.run_for(149);
    assert_eq!(lab.outcome(start), "open");
    lab.run_for(1);
    assert_eq!(lab.outcome(start), "done");
    assert_eq!(lab.told(), ["media"]);
    lab.run_for(5 * SECOND);
    let stop = lab.stop();
    assert_eq!(lab.outcome(stop), "open", "the counters are read first");
    lab.run_for(10);
    let report = lab.report(stop);
    assert_eq!(report.duration, millis(5 * SECOND));
    // The channel opens 60 ms before the media is back.
    assert_eq!((report.data.sent, report.data.returned, report.data.changed), (21, 21, 0));
    assert_eq!(report.data.round_trip, Some(millis(ROUND_TRIP)));
    assert_eq!(report.data.shortest, report.data.longest);
    lab.assert_nothing_is_left();
    lab.run_for(60 * SECOND);
    assert_eq!(lab.told(), NOTHING);
    assert_eq!(lab.probes, 21);
}

#[test]
fn a_test_follows_another_on_the_same_handle() {
    let mut lab = Lab::echoing();
    lab.stop();
    lab.run_for(SECOND);
    lab.assert_can_test();
    assert_eq!(lab.offers[0], lab.offers[1]);
}

#[test]
fn a_start_at_once_after_stop_waits_for_the_hangup() {
    let mut lab = Lab::echoing();
    let stop = lab.stop();
    lab.run_for(5);
    assert_eq!(lab.outcome(stop), "done");
    let start = lab.start();
    assert_eq!(lab.opened, 1);
    lab.run_for(SECOND);
    assert_eq!(lab.outcome(start), "done");
    assert_eq!(lab.offers[0], lab.offers[1]);
}

#[test]
fn candidates_follow_the_offer() {
    let lab = Lab::echoing();
    assert_eq!((lab.offers.len(), lab.trickles), (1, 1));
}

#[test]
fn events_of_an_earlier_connection_are_ignored() {
    let mut lab = Lab::echoing();
    let old = lab.connection();
    lab.stop();
    lab.run_for(SECOND);
    lab.returns_media = false;
    let start = lab.start();
    lab.run_for(SECOND);
    lab.peer(old, PeerEvent::RemoteMedia);
    lab.peer(old, PeerEvent::State(ConnectionState::Failed));
    lab.channel(old, ChannelEvent::Closed);
    assert_eq!(lab.outcome(start), "open");
    assert_eq!(lab.told(), NOTHING);
}

// The report.

fn stream(bytes: u64, packets: u64, lost: Option<i64>, jitter: Option<u64>) -> Option<StreamStats> {
    Some(StreamStats { bytes, packets, lost, jitter: jitter.map(Duration::from_millis) })
}

fn sample(audio: [Option<StreamStats>; 2], video: [Option<StreamStats>; 2]) -> Stats {
    let media = |[sent, received]: [Option<StreamStats>; 2]| MediaStats { sent, received };
    Stats { pair: None, audio: media(audio), video: media(video) }
}

/// The directions of a test of so many seconds, with these counters at its begin and end.
fn measured(seconds: u64, samples: [Stats; 2]) -> [Option<Direction>; 4] {
    let mut lab = Lab::new();
    lab.samples.extend(samples);
    lab.start();
    lab.run_for(150 + seconds * SECOND);
    let stop = lab.stop();
    lab.run_for(10);
    let report = lab.report(stop);
    assert_eq!(report.duration, millis(seconds * SECOND));
    let (audio, video) = (report.audio, report.video);
    [audio.sent, audio.received, video.sent, video.received]
}

#[test]
fn figures_are_of_the_time_between_two_samples() {
    let first = sample(
        [stream(1000, 10, Some(1), Some(90)), stream(900, 9, Some(2), None)],
        [stream(100_000, 100, None, None), None],
    );
    let last = sample(
        [stream(21_000, 110, Some(11), Some(7)), stream(16_900, 84, Some(27), Some(3))],
        [stream(1_100_000, 1100, None, None), stream(500, 5, Some(0), None)],
    );
    let [audio_sent, audio_received, video_sent, video_received] = measured(4, [first, last]);
    let direction = |bitrate, packets, loss, jitter: Option<u64>| {
        Some(Direction { bitrate, packets, loss, jitter: jitter.map(Duration::from_millis) })
    };
    // Of 100 packets that were sent, 10 did not arrive.
    assert_eq!(audio_sent, direction(40_000, 100, Some(0.1), Some(7)));
    // Beside 75 packets that arrived, 25 did not.
    assert_eq!(audio_received, direction(32_000, 75, Some(0.25), Some(3)));
    assert_eq!(video_sent, direction(2_000_000, 1000, None, None));
    assert_eq!(video_received, direction(1000, 5, Some(0.0), None), "it began during the test");
}

#[test]
fn losses_are_never_negative_nor_more_than_all() {
    let first = sample(
        [stream(0, 0, Some(5), None), stream(0, 0, Some(-3), None)],
        [stream(0, 0, Some(0), None), stream(0, 0, Some(i64::MIN), None)],
    );
    let last = sample(
        [stream(0, 10, Some(2), None), stream(0, 10, Some(-8), None)],
        [stream(0, 10, Some(500), None), stream(u64::MAX, u64::MAX, Some(i64::MAX), None)],
    );
    let loss = measured(1, [first, last]).map(|direction| direction.unwrap().loss.unwrap());
    assert_eq!(loss[..3], [0.0, 0.0, 1.0]);
    assert!((0.0..=1.0).contains(&loss[3]));
}

#[test]
fn counters_that_go_back_count_as_nothing() {
    let first = sample([stream(1000, 10, Some(9), None), None], [None, None]);
    let last = sample([stream(10, 1, Some(0), None), None], [None, None]);
    let [sent, received, ..] = measured(1, [first, last]);
    assert_eq!(sent, Some(Direction { loss: Some(0.0), ..Direction::default() }));
    assert_eq!(received, None);
}

#[test]
fn a_test_of_no_duration_has_no_bit_rate() {
    let counters = || sample([stream(50_000, 50, Some(5), None), None], [None, None]);
    // One is stopped before the media is back, and one when it is.
    for pause in [140, 150] {
        let mut lab = Lab::new();
        lab.samples.extend([counters(), counters()]);
        lab.start();
        lab.run_for(pause);
        let stop = lab.stop();
        lab.run_for(10);
        let report = lab.report(stop);
        assert_eq!(report.duration, Duration::ZERO);
        assert_eq!(report.audio.sent.unwrap().bitrate, 0, "stopped after {pause} ms");
    }
}

#[test]
fn a_stop_before_the_first_sample_waits_for_both() {
    let mut lab = Lab::new();
    lab.samples.push_back(sample([stream(50_000, 50, Some(5), None), None], [None, None]));
    lab.samples.push_back(sample([stream(50_100, 51, Some(5), None), None], [None, None]));
    lab.start();
    lab.run_for(152);
    let stop = lab.stop();
    lab.run_for(10);
    let sent = lab.report(stop).audio.sent.unwrap();
    assert_eq!((sent.packets, sent.bitrate), (1, 400_000), "100 bytes in 2 ms");
}

#[test]
fn the_candidate_pair_is_that_at_the_end() {
    let mut lab = Lab::new();
    let pair = CandidatePair { local_type: "relay".into(), ..CandidatePair::default() };
    let last = Stats { pair: Some(pair.clone()), ..Stats::default() };
    lab.samples.extend([Stats::default(), last]);
    lab.start();
    lab.run_for(SECOND);
    let stop = lab.stop();
    lab.run_for(10);
    assert_eq!(lab.report(stop).pair, Some(pair));
}

#[test]
fn a_browser_that_never_counts_leaves_the_data() {
    let mut lab = Lab::new();
    lab.gives_stats = false;
    lab.start();
    lab.run_for(3 * SECOND);
    let stop = lab.stop();
    lab.run_for(2 * SECOND - 1);
    assert_eq!(lab.outcome(stop), "open");
    lab.run_for(1);
    let report = lab.report(stop);
    assert_eq!((report.audio.sent, report.duration), (None, millis(3 * SECOND - 150)));
    assert!(report.data.returned > 10);
    lab.assert_nothing_is_left();
}

// Data.

#[test]
fn a_test_of_data_alone_is_done_with_the_first_probe() {
    let mut lab = Lab::of_data();
    let start = lab.start();
    lab.run_for(90 + ROUND_TRIP);
    assert_eq!(lab.outcome(start), "done");
    assert_eq!(lab.told(), NOTHING, "there is no stream to tell of");
    lab.run_for(SECOND);
    let stop = lab.stop();
    lab.run_for(10);
    assert_eq!(lab.report(stop).data.returned, 5);
}

#[test]
fn a_test_of_data_alone_is_not_done_by_media_or_changed_data() {
    for echo in [Echo::Changed, Echo::Lost] {
        let mut lab = Lab::of_data();
        lab.echo = echo;
        let start = lab.start();
        lab.run_for(10 * SECOND);
        assert_eq!(lab.outcome(start), "open");
        lab.run_for(21 * SECOND);
        assert_eq!(lab.outcome(start), "MEDIA_FAILED");
        lab.assert_nothing_is_left();
    }
}

#[test]
fn changed_and_lost_probes_are_counted() {
    for (echo, changed) in [(Echo::Changed, 9), (Echo::Lost, 0)] {
        let mut lab = Lab::new();
        lab.echo = echo;
        lab.start();
        lab.run_for(90 + 2 * SECOND + 10);
        let stop = lab.stop();
        lab.run_for(10);
        let data = lab.report(stop).data;
        assert_eq!((data.sent, data.returned, data.changed), (9, 0, changed));
        assert_eq!((data.round_trip, data.shortest, data.longest), (None, None, None));
    }
}

#[test]
fn probes_that_come_later_than_64_others_count_as_lost() {
    let mut lab = Lab::new();
    lab.echo = Echo::Lost;
    lab.start();
    lab.run_for(90 + 100 * 250);
    let connection = lab.connection();
    for number in 1..=101u32 {
        let mut message = number.to_be_bytes().to_vec();
        message.push(0);
        lab.channel(connection, ChannelEvent::Binary(message));
    }
    let stop = lab.stop();
    lab.run_for(10);
    let data = lab.report(stop).data;
    assert_eq!((data.sent, data.changed), (101, 64));
}

#[test]
fn a_flood_of_data_from_the_gateway_counts_as_nothing() {
    let mut lab = Lab::echoing();
    let connection = lab.connection();
    for number in 0..50_000u32 {
        lab.channel(connection, ChannelEvent::Binary(number.to_be_bytes().to_vec()));
        lab.channel(connection, ChannelEvent::Binary(Vec::new()));
        lab.channel(connection, ChannelEvent::Text("Janus EchoTest here!".into()));
    }
    let stop = lab.stop();
    lab.run_for(10);
    let data = lab.report(stop).data;
    assert_eq!((data.sent, data.returned, data.changed), (4, 4, 0));
    assert_eq!(lab.told(), NOTHING);
}

#[test]
fn no_probe_is_sent_after_the_channel_closed_or_the_test_ended() {
    let mut lab = Lab::echoing();
    let connection = lab.connection();
    lab.channel(connection, ChannelEvent::Closed);
    lab.run_for(10 * SECOND);
    assert_eq!(lab.probes, 4);
    lab.stop();
    lab.run_for(10 * SECOND);
    assert_eq!(lab.probes, 4);
}

// Failures.

#[test]
fn a_refused_offer_rejects_and_another_start_works_at_once() {
    for code in [411, 413, 414] {
        let mut lab = Lab::new();
        lab.plugin = Plugin::Refuses(code);
        let start = lab.start();
        lab.run_for(SECOND);
        assert_eq!(lab.outcome(start), "GATEWAY_ERROR");
        lab.assert_nothing_is_left();
        lab.plugin = Plugin::Well;
        let start = lab.start();
        lab.run_for(150);
        assert_eq!(lab.outcome(start), "done");
        assert_eq!(lab.offers[0], lab.offers[1], "the handle is as good as before");
    }
}

#[test]
fn another_handle_follows_a_refused_restart() {
    let mut lab = Lab::echoing();
    lab.plugin = Plugin::Refuses(414);
    lab.cut_media();
    lab.online();
    lab.run_for(SECOND);
    assert_eq!(lab.told(), ["error GATEWAY_ERROR"]);
    lab.plugin = Plugin::Well;
    lab.assert_can_test();
    assert_eq!(lab.handles(), 1);
}

#[test]
fn an_answer_that_does_not_fit_rejects_and_another_start_works() {
    for (plugin, code) in [
        (Plugin::WithoutAnswer, "GATEWAY_PROTOCOL"),
        (Plugin::WithOffer, "GATEWAY_PROTOCOL"),
        (Plugin::Strangely, "GATEWAY_PROTOCOL"),
        (Plugin::RefusedByCore, "GATEWAY_ERROR"),
        (Plugin::Never, "GATEWAY_TIMEOUT"),
    ] {
        let mut lab = Lab::new();
        lab.plugin = plugin;
        let start = lab.start();
        lab.run_for(11 * SECOND);
        assert_eq!(lab.outcome(start), code, "{plugin:?}");
        lab.assert_nothing_is_left();
        assert_eq!(lab.told(), NOTHING);
        lab.plugin = Plugin::Well;
        lab.assert_can_test();
    }
}

#[test]
fn refused_devices_reject_without_an_offer() {
    let mut lab = Lab::new();
    lab.devices = Devices::Refused;
    let start = lab.start();
    lab.run_for(DEVICES);
    assert_eq!(lab.outcome(start), "PERMISSION_DENIED");
    lab.assert_nothing_is_left();
    assert_eq!(lab.offers, [0; 0]);
    lab.devices = Devices::Granted;
    lab.assert_can_test();
}

#[test]
fn devices_that_are_never_granted_reject_after_120_s() {
    let mut lab = Lab::new();
    lab.devices = Devices::Unanswered;
    let start = lab.start();
    lab.run_for(120 * SECOND - 1);
    assert_eq!(lab.outcome(start), "open");
    lab.run_for(1);
    assert_eq!(lab.outcome(start), "PERMISSION_DENIED");
    lab.assert_nothing_is_left();
}

#[test]
fn no_echo_within_connect_timeout_rejects_with_its_sentence() {
    let connect_timeout = millis(7 * SECOND);
    let mut lab = Lab::with(EchoConfig { connect_timeout, ..EchoConfig::default() });
    lab.returns_media = false;
    let start = lab.start();
    lab.run_for(DEVICES + 7 * SECOND - 1);
    assert_eq!(lab.outcome(start), "open");
    lab.run_for(1);
    assert_eq!(lab.outcome(start), "MEDIA_FAILED");
    let error = lab.error(start);
    assert!(error.contains("the connection is up, but no media came back in time"), "{error}");
    lab.returns_media = true;
    lab.assert_can_test();
}

#[test]
fn data_that_never_comes_back_rejects_with_its_sentence() {
    let mut lab = Lab::with(EchoConfig { sends_media: false, ..EchoConfig::default() });
    lab.has_channel = false;
    let start = lab.start();
    lab.run_for(40 * SECOND);
    assert_eq!(lab.outcome(start), "MEDIA_FAILED");
    let error = lab.error(start);
    assert!(error.contains("the connection is up, but no data came back in time"), "{error}");
    lab.has_channel = true;
    lab.assert_can_test();
}

#[test]
fn ice_that_never_comes_up_rejects() {
    let mut lab = Lab::new();
    lab.is_walled_in = true;
    let start = lab.start();
    lab.run_for(DEVICES + 30 * SECOND);
    assert_eq!(lab.outcome(start), "MEDIA_FAILED");
    let error = lab.error(start);
    assert!(!error.contains("the connection is up"), "{error}");
    lab.assert_nothing_is_left();
    lab.is_walled_in = false;
    lab.assert_can_test();
}

#[test]
fn ice_that_fails_rejects_at_once() {
    let mut lab = Lab::new();
    lab.is_walled_in = true;
    let start = lab.start();
    lab.run_for(SECOND);
    let connection = lab.connection();
    lab.peer(connection, PeerEvent::State(ConnectionState::Failed));
    assert_eq!(lab.outcome(start), "MEDIA_FAILED");
    lab.assert_nothing_is_left();
}

#[test]
fn a_lost_path_is_restored_by_a_new_offer() {
    let mut lab = Lab::echoing();
    lab.cut_media();
    lab.run_for(15 * SECOND);
    assert_eq!((lab.offers.len(), lab.trickles), (2, 2));
    assert_eq!(lab.told(), NOTHING);
    lab.run_for(60 * SECOND);
    let stop = lab.stop();
    lab.run_for(10);
    assert_eq!(lab.report(stop).duration, millis(76 * SECOND - 150));
}

#[test]
fn a_path_lost_for_longer_than_connect_timeout_ends_the_test() {
    let mut lab = Lab::echoing();
    lab.is_walled_in = true;
    lab.cut_media();
    lab.run_for(30 * SECOND - 1);
    assert_eq!(lab.told(), NOTHING);
    lab.run_for(1);
    assert_eq!(lab.told(), ["error MEDIA_FAILED"]);
    lab.assert_nothing_is_left();
    let stop = lab.stop();
    assert_eq!(lab.outcome(stop), "NO_CALL");
    lab.is_walled_in = false;
    lab.assert_can_test();
}

/// The first offer of a restart gets no answer within 8 s, and the second does.
#[test]
fn candidates_follow_an_offer_that_supersedes_another() {
    let mut lab = Lab::echoing();
    lab.plugin = Plugin::Never;
    lab.cut_media();
    lab.online();
    lab.run_for(7 * SECOND);
    assert_eq!((lab.offers.len(), lab.trickles), (2, 1));
    lab.plugin = Plugin::Well;
    lab.run_for(8 * SECOND);
    assert_eq!(lab.told(), NOTHING);
    assert_eq!((lab.offers.len(), lab.trickles), (3, 2));
}

#[test]
fn a_hangup_of_the_core_ends_the_test_and_start_works_at_once() {
    let mut lab = Lab::echoing();
    lab.hang_up("Close PC");
    lab.run_for(10);
    assert_eq!(lab.told(), ["error CALL_ENDED"]);
    lab.assert_nothing_is_left();
    let start = lab.start();
    lab.run_for(SECOND);
    assert_eq!(lab.outcome(start), "done");
    assert_eq!(lab.handles(), 1);
}

#[test]
fn another_handle_follows_a_hangup_that_crosses_an_offer() {
    let mut lab = Lab::echoing();
    lab.cut_media();
    lab.online();
    // The new offer is on its way, and the gateway will make a new connection of it.
    lab.run_for(6);
    lab.hang_up("Close PC");
    lab.run_for(SECOND);
    assert_eq!(lab.told(), ["error CALL_ENDED"]);
    lab.assert_can_test();
    assert_eq!((lab.offers[0] == lab.offers[1], lab.offers[1] == lab.offers[2]), (true, false));
    assert_eq!(lab.handles(), 1);
}

#[test]
fn another_handle_follows_if_the_core_never_hangs_up() {
    let mut lab = Lab::echoing();
    lab.hangs_up = false;
    let stop = lab.stop();
    lab.run_for(10);
    assert_eq!(lab.outcome(stop), "done");
    let start = lab.start();
    lab.run_for(2 * SECOND - 20);
    assert_eq!((lab.outcome(start), lab.opened), ("open", 1));
    lab.run_for(SECOND);
    assert_eq!(lab.outcome(start), "done");
    assert_ne!(lab.offers[0], lab.offers[1]);
    assert_eq!(lab.handles(), 1, "the old one is detached");
}

#[test]
fn a_start_waits_10_s_for_a_gateway_that_is_gone() {
    let mut lab = Lab::echoing();
    lab.is_offline = true;
    lab.stop();
    lab.run_for(10);
    let start = lab.start();
    lab.run_for(10 * SECOND - 1);
    assert_eq!(lab.outcome(start), "open");
    lab.run_for(1);
    assert_eq!(lab.outcome(start), "NOT_CONNECTED");
    lab.is_offline = false;
    lab.run_for(30 * SECOND);
    lab.assert_can_test();
}

#[test]
fn slow_links_are_reported_from_the_page_s_side_while_a_test_runs() {
    let mut lab = Lab::new();
    lab.slow_link("audio", true, 1);
    lab.run_for(10);
    assert_eq!(lab.told(), NOTHING, "no test runs yet");
    lab.start();
    lab.run_for(SECOND);
    lab.slow_link("video", true, 3);
    lab.slow_link("audio", false, 4);
    lab.run_for(50);
    assert_eq!(lab.told(), ["media", "slow video down 3", "slow audio up 4"]);
    lab.stop();
    lab.run_for(5);
    lab.slow_link("video", true, 5);
    lab.run_for(SECOND);
    assert_eq!(lab.told(), NOTHING, "no test runs any more");
}

// Commands in any state.

#[test]
fn a_second_start_is_refused_and_the_first_goes_on() {
    let mut lab = Lab::new();
    let first = lab.start();
    let second = lab.start();
    assert_eq!(lab.outcome(second), "ALREADY_IN_CALL");
    lab.run_for(SECOND);
    assert_eq!(lab.outcome(first), "done");
    let third = lab.start();
    assert_eq!(lab.outcome(third), "ALREADY_IN_CALL");
    lab.stop();
    lab.run_for(5);
    let [waiting, refused] = [lab.start(), lab.start()];
    assert_eq!(lab.outcome(refused), "ALREADY_IN_CALL");
    lab.run_for(SECOND);
    assert_eq!(lab.outcome(waiting), "done");
}

#[test]
fn a_stop_without_a_start_is_refused() {
    let mut lab = Lab::new();
    let stop = lab.stop();
    assert_eq!(lab.outcome(stop), "NO_CALL");
    lab.start();
    lab.run_for(SECOND);
    lab.stop();
    lab.run_for(5);
    let stop = lab.stop();
    assert_eq!(lab.outcome(stop), "NO_CALL");
}

#[test]
fn a_stop_while_starting_rejects_start_and_gives_a_report() {
    for pause in (0..150).step_by(3) {
        let mut lab = Lab::new();
        let start = lab.start();
        lab.run_for(pause);
        let stop = lab.stop();
        assert_eq!((lab.outcome(start), lab.outcome(stop)), ("CALL_ENDED", "open"));
        lab.run_for(10);
        assert_eq!(lab.report(stop).duration, Duration::ZERO, "after {pause} ms");
        lab.assert_nothing_is_left();
        assert_eq!(lab.told(), NOTHING);
        lab.assert_can_test();
    }
}

#[test]
fn two_stops_at_once_get_the_same_report() {
    let mut lab = Lab::echoing();
    let [first, second] = [lab.stop(), lab.stop()];
    lab.run_for(10);
    assert_eq!(lab.report(first), lab.report(second));
    assert!(lab.report(first).data.sent > 0);
}

#[test]
fn a_stop_while_start_waits_for_the_hangup_rejects_start() {
    let mut lab = Lab::echoing();
    lab.stop();
    lab.run_for(5);
    let start = lab.start();
    let stop = lab.stop();
    assert_eq!((lab.outcome(start), lab.outcome(stop)), ("CALL_ENDED", "done"));
    lab.run_for(SECOND);
    assert_eq!(lab.opened, 1);
    lab.assert_can_test();
}

/// Something that brings a new lab into a state; gives the commands that are open there.
type Bring = fn(&mut Lab) -> Vec<Command>;

/// Every state of a test.
const STATES: [(&str, Bring); 11] = [
    ("idle", |_| Vec::new()),
    ("opening devices", |lab| started(lab, 10)),
    ("offering", |lab| started(lab, DEVICES + 2)),
    ("connecting", |lab| {
        lab.returns_media = false;
        started(lab, 60)
    }),
    ("up without an echo", |lab| {
        lab.returns_media = false;
        started(lab, 100)
    }),
    ("echoing", |lab| started(lab, 500)),
    ("restoring the path", |lab| {
        started(lab, 500);
        lab.is_walled_in = true;
        lab.cut_media();
        lab.run_for(11 * SECOND);
        Vec::new()
    }),
    ("stopping", |lab| {
        lab.gives_stats = false;
        started(lab, 500);
        vec![lab.stop(), lab.stop()]
    }),
    ("closing", |lab| {
        lab.hangs_up = false;
        stopped(lab, 10)
    }),
    ("closing with a start that waits", |lab| {
        lab.hangs_up = false;
        stopped(lab, 10);
        vec![lab.start()]
    }),
    ("attaching anew", |lab| {
        lab.hangs_up = false;
        stopped(lab, 2 * SECOND + 5);
        vec![lab.start()]
    }),
];

fn started(lab: &mut Lab, pause: u64) -> Vec<Command> {
    let start = lab.start();
    lab.run_for(pause);
    lab.told();
    if lab.outcome(start) == "open" { vec![start] } else { Vec::new() }
}

fn stopped(lab: &mut Lab, pause: u64) -> Vec<Command> {
    started(lab, 500);
    lab.stop();
    lab.run_for(pause);
    Vec::new()
}

/// The gateway and the browser do what they should again.
fn recover(lab: &mut Lab) {
    (lab.plugin, lab.devices, lab.echo) = (Plugin::Well, Devices::Granted, Echo::Unchanged);
    (lab.hangs_up, lab.detaches, lab.gives_stats, lab.returns_media) = (true, true, true, true);
    (lab.is_walled_in, lab.is_offline) = (false, false);
}

fn is_echoing(state: &str) -> bool {
    matches!(state, "echoing" | "restoring the path")
}

#[test]
fn close_usecase_ends_the_object_in_every_state() {
    for (state, bring) in STATES {
        let mut lab = Lab::new();
        let open = bring(&mut lab);
        let [first, second] = [lab.close(), lab.close()];
        for command in open {
            let is_stop = state == "stopping";
            assert_eq!(lab.outcome(command), if is_stop { "done" } else { "CALL_ENDED" });
        }
        lab.run_for(SECOND);
        // Without a handle, there is nothing to wait for.
        let late = if state == "attaching anew" { "CLOSED" } else { "done" };
        assert_eq!([lab.outcome(first), lab.outcome(second)], ["done", late], "{state}");
        assert!(lab.is_ended, "{state}");
        assert_eq!(lab.told(), NOTHING, "{state}");
        let late = [lab.close(), lab.start(), lab.stop()];
        assert_eq!(late.map(|command| lab.outcome(command)), ["CLOSED", "CLOSED", "CLOSED"]);
        lab.run_for(60 * SECOND);
        assert_eq!((lab.handles(), lab.open.len()), (0, 0), "{state}");
    }
}

#[test]
fn close_usecase_waits_for_a_slow_gateway_without_another_handle() {
    for (state, bring) in STATES {
        let mut lab = Lab::new();
        bring(&mut lab);
        let handles = lab.handles();
        lab.detaches = false;
        let close = lab.close();
        lab.run_for(9 * SECOND);
        let before = if state == "attaching anew" { 2 } else { 1 };
        assert!(lab.handles() <= before && handles <= before, "{state}: {}", lab.handles());
        lab.run_for(60 * SECOND);
        assert_eq!(lab.outcome(close), "done", "{state}");
        assert!(lab.is_ended, "{state}");
    }
}

#[test]
fn disconnect_ends_the_object_in_every_state() {
    for (state, bring) in STATES {
        let mut lab = Lab::new();
        bring(&mut lab);
        let disconnect = lab.disconnect();
        let start = lab.start();
        assert_eq!(lab.outcome(start), "CLOSED", "{state}");
        lab.run_for(SECOND);
        assert_eq!(lab.outcome(disconnect), "done", "{state}");
        assert!(lab.is_ended && lab.open.is_empty(), "{state}");
        assert_eq!(lab.told(), NOTHING, "{state}");
    }
}

#[test]
fn a_lost_session_ends_the_test_in_every_state() {
    for (state, bring) in STATES {
        let mut lab = Lab::new();
        let open = bring(&mut lab);
        lab.told();
        lab.forget_session();
        lab.run_for(10 * SECOND);
        for command in open {
            let expected = if state == "stopping" { "done" } else { "SESSION_LOST" };
            assert_eq!(lab.outcome(command), expected, "{state}");
        }
        let expected: &[&str] = if is_echoing(state) { &["error SESSION_LOST"] } else { &[] };
        assert_eq!(lab.told(), expected, "{state}");
        lab.assert_nothing_is_left();
        recover(&mut lab);
        lab.assert_can_test();
        assert_eq!(lab.handles(), 1, "{state}: of the new session");
    }
}

#[test]
fn a_start_without_a_session_is_refused() {
    let mut lab = Lab::new();
    lab.hide();
    let start = lab.start();
    assert_eq!(lab.outcome(start), "NOT_CONNECTED");
}

#[test]
fn a_hidden_page_ends_the_test_in_every_state() {
    for (state, bring) in STATES {
        let mut lab = Lab::new();
        let open = bring(&mut lab);
        lab.hide();
        for command in open {
            let expected = if state == "stopping" { "done" } else { "SESSION_LOST" };
            assert_eq!(lab.outcome(command), expected, "{state}");
        }
        let expected: &[&str] = if is_echoing(state) { &["error SESSION_LOST"] } else { &[] };
        assert_eq!(lab.told(), expected, "{state}");
        lab.assert_nothing_is_left();
        lab.run_for(60 * SECOND);
        lab.show();
        lab.run_for(SECOND);
        recover(&mut lab);
        lab.assert_can_test();
    }
}

#[test]
fn a_detached_handle_ends_the_object_with_one_error() {
    for (state, bring) in STATES {
        let mut lab = Lab::new();
        let open = bring(&mut lab);
        // There is no handle then.
        if state == "attaching anew" {
            continue;
        }
        lab.detach();
        lab.run_for(10);
        for command in open {
            let expected = if state == "stopping" { "done" } else { "CLOSED" };
            assert_eq!(lab.outcome(command), expected, "{state}");
        }
        assert_eq!(lab.told(), ["error CLOSED"], "{state}");
        assert!(lab.is_ended, "{state}");
    }
}

#[test]
fn a_gateway_out_of_reach_for_good_ends_the_object_with_one_error() {
    let mut lab = Lab::new();
    lab.start();
    lab.run_for(SECOND);
    lab.told();
    lab.is_offline = true;
    // While media flows, it is waited for.
    lab.run_for(600 * SECOND);
    assert_eq!(lab.told(), NOTHING);
    let stop = lab.stop();
    lab.run_for(10 * SECOND);
    assert!(lab.report(stop).duration > millis(600 * SECOND));
    lab.run_for(600 * SECOND);
    let told = lab.told();
    assert_eq!(told.last().unwrap(), "error SESSION_LOST", "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(lab.is_ended);
}

// Any story.

#[derive(Clone, Debug)]
enum Act {
    Start,
    Stop,
    Close,
    Disconnect,
    Wait(u64),
    Answer(Plugin),
    Devices(Devices),
    Echo(Echo),
    HangsUp(bool),
    Detaches(bool),
    GivesStats(bool),
    ReturnsMedia(bool),
    WallIn(bool),
    GoOffline(bool),
    CutMedia,
    State(ConnectionState),
    CloseChannel,
    Online,
    Hide,
    Show,
    HangUp,
    SlowLink,
    ForgetSession,
    Detach,
}

fn act() -> impl Strategy<Value = Act> {
    use Plugin::{Never, RefusedByCore, Refuses, Strangely, Well, WithOffer, WithoutAnswer};
    let plugin = prop::sample::select(vec![
        Well,
        Well,
        Refuses(413),
        Refuses(414),
        WithoutAnswer,
        WithOffer,
        Strangely,
        RefusedByCore,
        Never,
    ]);
    let devices =
        prop::sample::select(vec![Devices::Granted, Devices::Refused, Devices::Unanswered]);
    let echo = prop::sample::select(vec![Echo::Unchanged, Echo::Changed, Echo::Lost]);
    let state = prop::sample::select(vec![
        ConnectionState::Connected,
        ConnectionState::Disconnected,
        ConnectionState::Failed,
    ]);
    let mostly = || prop::bool::weighted(0.7);
    prop_oneof![
        8 => Just(Act::Start),
        6 => Just(Act::Stop),
        12 => prop_oneof![0u64..20, 0u64..200, 0u64..3000, 0u64..40_000].prop_map(Act::Wait),
        2 => plugin.prop_map(Act::Answer),
        1 => devices.prop_map(Act::Devices),
        1 => echo.prop_map(Act::Echo),
        1 => mostly().prop_map(Act::HangsUp),
        1 => mostly().prop_map(Act::Detaches),
        1 => mostly().prop_map(Act::GivesStats),
        1 => mostly().prop_map(Act::ReturnsMedia),
        1 => any::<bool>().prop_map(Act::WallIn),
        1 => any::<bool>().prop_map(Act::GoOffline),
        1 => Just(Act::CutMedia),
        1 => state.prop_map(Act::State),
        1 => Just(Act::CloseChannel),
        1 => Just(Act::Online),
        1 => Just(Act::Hide),
        2 => Just(Act::Show),
        1 => Just(Act::HangUp),
        1 => Just(Act::SlowLink),
        1 => Just(Act::ForgetSession),
        // These end the object.
        1 => prop_oneof![2 => Just(Act::Close), 1 => Just(Act::Disconnect), 1 => Just(Act::Detach)],
    ]
}

/// The lab asserts the invariants: each command ends once, commands of the core are for open
/// connections, a handle that has a connection gets no other, and nothing comes after the end.
fn play(acts: Vec<Act>, sends_media: bool) {
    let mut lab = Lab::with(EchoConfig { sends_media, ..EchoConfig::default() });
    // A hidden page runs no code.
    let mut is_hidden = false;
    // A handle that cannot be detached is given up after a while.
    let detaches =
        !acts.iter().any(|act| matches!(act, Act::Detaches(false) | Act::GoOffline(true)));
    let is_detached = acts.iter().any(|act| matches!(act, Act::Detach));
    for act in acts {
        match act {
            Act::Show => {
                is_hidden = false;
                lab.show();
            }
            Act::Wait(millis) => lab.run_for(millis),
            Act::Answer(plugin) => lab.plugin = plugin,
            Act::Devices(devices) => lab.devices = devices,
            Act::Echo(echo) => lab.echo = echo,
            Act::HangsUp(does) => lab.hangs_up = does,
            Act::Detaches(does) => lab.detaches = does,
            Act::GivesStats(does) => lab.gives_stats = does,
            Act::ReturnsMedia(does) => lab.returns_media = does,
            Act::WallIn(is) => lab.is_walled_in = is,
            Act::GoOffline(is) => lab.is_offline = is,
            Act::HangUp => lab.hang_up("Close PC"),
            Act::SlowLink => lab.slow_link("audio", true, 1),
            Act::ForgetSession => lab.forget_session(),
            Act::Detach => lab.detach(),
            _ if is_hidden => {}
            Act::Start => drop(lab.start()),
            Act::Stop => drop(lab.stop()),
            Act::Close => drop(lab.close()),
            Act::Disconnect => drop(lab.disconnect()),
            Act::CutMedia => lab.cut_media(),
            Act::State(state) => lab.peer(lab.connection(), PeerEvent::State(state)),
            Act::CloseChannel => lab.channel(lab.connection(), ChannelEvent::Closed),
            Act::Online => lab.online(),
            Act::Hide => {
                is_hidden = true;
                lab.hide();
            }
        }
    }
    lab.show();
    // Every wait has a deadline.
    lab.run_for(400 * SECOND);
    assert!(lab.open.is_empty(), "never ended: {:?}", lab.open);
    recover(&mut lab);
    lab.run_for(60 * SECOND);
    let stop = lab.stop();
    lab.run_for(10 * SECOND);
    assert_ne!(lab.outcome(stop), "open");
    lab.assert_nothing_is_left();
    if !lab.is_ended {
        if is_detached {
            // The event is lost: the first offer tells that the handle is gone.
            lab.start();
            lab.run_for(5 * SECOND);
            lab.stop();
            lab.run_for(SECOND);
        }
        lab.assert_can_test();
        lab.close();
        lab.run_for(10 * SECOND);
        assert!(lab.is_ended);
        assert!(!detaches || lab.handles() == 0, "no handle is forgotten");
    }
    lab.disconnect();
    lab.run_for(10 * SECOND);
    assert!(lab.open.is_empty(), "never ended: {:?}", lab.open);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        max_shrink_iters: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_story_settles(
        acts in prop::collection::vec(act(), 1..40),
        sends_media in prop::bool::weighted(0.8),
    ) {
        play(acts, sends_media);
    }
}
