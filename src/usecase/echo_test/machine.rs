//! The echo test's state machine: an offer, the gateway's answer, and then the echo.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::PLUGIN;
use super::config::EchoConfig;
use super::error::{Error, Misuse};
use super::event::Event;
use super::message::{self, Request};
use super::probes::Probes;
use super::report::Report;
use crate::data::{ChannelEvent, ChannelKind, ChannelMessage};
use crate::log::Level;
use crate::peer::{self, Connection, ConnectionId, MediaPath, PeerCommand, PeerEvent, Stats};
use crate::signaling::{self, Answer, Doubt, Jsep, JsepKind, Notice};
use crate::time::{Time, earliest};
use crate::timer::TimerTable;
use crate::usecase::{
    self, Body, Closed, Command, HandleLoss, Output, Plugin, RequestId, SessionEnd,
};

/// The time limit for the user to grant the devices.
const DEVICES: Duration = Duration::from_secs(120);
/// How long `start()` waits for the gateway to be done with the test before.
const PATIENCE: Duration = Duration::from_secs(10);
/// The interval of the probes on the data channel.
const PROBE: Duration = Duration::from_millis(250);
/// The time limit for the browser to read its counters, and for the gateway to close a connection.
const LIMIT: Duration = Duration::from_secs(2);

/// One echo test object: at most one test at a time.
pub struct EchoTest {
    config: EchoConfig,
    random: Rc<dyn Fn() -> u64>,
    life: Life,
    state: State,
    has_handle: bool,
    last_request: u64,
    last_connection: u64,
    timers: TimerTable<Timer>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Life {
    Open,
    /// The handle is being detached, or the session ended.
    Detaching(Vec<Command>),
    Closed,
}

/// The state of the object.
///
/// | from | by | to |
/// | --- | --- | --- |
/// | Idle | `start()` | Running |
/// | Running | `stop()` and the counters, or a failure | Closing |
/// | Closing | the core's `hangup`, or another handle | Idle, or Running if `start()` waits |
#[derive(Debug)]
enum State {
    Idle,
    Running(Box<Run>),
    /// The gateway is closing its end of the connection, and takes no offer meanwhile. `next` is a
    /// `start()` that waits.
    Closing {
        next: Option<Command>,
    },
}

/// A running test.
#[derive(Debug)]
struct Run {
    connection: Connection,
    stage: Stage,
    offer: Offer,
    probes: Probes,
    /// The counters at the beginning of the echo, once the browser has reported them.
    first: Option<Stats>,
}

#[derive(Debug)]
enum Stage {
    /// `start()` waits for the echo.
    Starting(Command),
    /// The echo has been there since this time.
    Echoing { since: Time },
    /// `stop()` waits for the counters. `duration` is that of the echo.
    Stopping { commands: Vec<Command>, duration: Duration },
}

/// Whether the gateway has our offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    None,
    /// The answer is missing.
    Sent(RequestId),
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The devices, the connection or the echo are late. Set by `start()` and by the offer, stopped
    /// by the echo and by `stop()`.
    Start,
    /// Send the next probe. Set when the channel is open, stopped with the test.
    Probe,
    /// The media path has been lost for too long. Set by its loss, stopped by its return.
    Path,
    /// The counters are late. Set by `stop()`, stopped with the test.
    Measure,
    /// The gateway is late to close its end. Set at the end of a test, stopped by the core's
    /// `hangup`.
    Close,
}

impl EchoTest {
    /// A test object that has no handle yet.
    pub fn new(config: EchoConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            config,
            random,
            life: Life::Open,
            state: State::Idle,
            has_handle: false,
            last_request: 0,
            last_connection: 0,
            timers: TimerTable::default(),
            outputs: VecDeque::new(),
        }
    }

    // The page's commands.

    /// Opens the devices and sends to the gateway. Done when the echo begins.
    pub fn start(&mut self, command: Command, now: Time) {
        let is_open = self.is_open();
        let error = match &mut self.state {
            _ if !is_open => Closed::ByPage.into(),
            State::Running(_) | State::Closing { next: Some(_) } => Misuse::Running.into(),
            State::Closing { next } => {
                *next = Some(command);
                return self.timers.set(Timer::Start, now + PATIENCE);
            }
            State::Idle if !self.has_handle => Misuse::Restoring.into(),
            State::Idle => return self.begin(command, now),
        };
        self.fail_command(command, error);
    }

    /// Ends the test. Returns its [`Report`].
    pub fn stop(&mut self, command: Command, now: Time) {
        let is_open = self.is_open();
        let error = match &mut self.state {
            _ if !is_open => Closed::ByPage.into(),
            State::Running(run) => {
                let duration = match &mut run.stage {
                    Stage::Stopping { commands, .. } => return commands.push(command),
                    Stage::Starting(_) => Duration::ZERO,
                    Stage::Echoing { since } => now.since(*since),
                };
                let stage = Stage::Stopping { commands: vec![command], duration };
                let before = std::mem::replace(&mut run.stage, stage);
                run.connection.measure();
                if let Stage::Starting(start) = before {
                    run.first = Some(Stats::default());
                    self.fail_command(start, Error::Stopped);
                }
                self.timers.stop(Timer::Start);
                self.timers.set(Timer::Measure, now + LIMIT);
                return self.drain(now);
            }
            State::Closing { next } => match next.take() {
                Some(start) => {
                    self.timers.stop(Timer::Start);
                    self.fail_command(start, Error::Stopped);
                    return self.succeed(command, Report::default());
                }
                None => Misuse::NotRunning.into(),
            },
            State::Idle => Misuse::NotRunning.into(),
        };
        self.fail_command(command, error);
    }

    /// Ends the test, then the object. Idempotent.
    pub fn close(&mut self, command: Command, now: Time) {
        match &mut self.life {
            Life::Closed => return self.done(command),
            Life::Detaching(commands) => return commands.push(command),
            Life::Open => self.life = Life::Detaching(vec![command]),
        }
        self.end(&Error::Stopped, now);
        self.outputs.push_back(Output::Detach);
    }

    fn is_open(&self) -> bool {
        matches!(self.life, Life::Open)
    }

    // The test.

    fn begin(&mut self, command: Command, now: Time) {
        self.last_connection = self.last_connection.saturating_add(1);
        self.state = State::Running(Box::new(Run {
            connection: Connection::offer(ConnectionId(self.last_connection)),
            stage: Stage::Starting(command),
            offer: Offer::None,
            probes: Probes::default(),
            first: None,
        }));
        self.timers.set(Timer::Start, now + DEVICES);
        self.drain(now);
    }

    fn run(&mut self) -> Option<&mut Run> {
        match &mut self.state {
            State::Running(run) => Some(run),
            State::Idle | State::Closing { .. } => None,
        }
    }

    /// The running test, if its connection has this id.
    fn run_of(&mut self, id: ConnectionId) -> Option<&mut Run> {
        self.run().filter(|run| run.connection.id() == id)
    }

    /// Drains the connection.
    fn drain(&mut self, now: Time) {
        while let Some((id, output)) = self.poll_connection() {
            match output {
                peer::Output::Command(command) => self.outputs.push_back(Output::Peer(id, command)),
                peer::Output::Description(jsep) => self.offer(jsep, now),
                peer::Output::Candidates(candidates) => {
                    self.outputs.push_back(Output::Trickle(candidates));
                }
                peer::Output::Path(MediaPath::Lost) => {
                    self.timers.set(Timer::Path, now + self.config.connect_timeout);
                }
                peer::Output::Path(_) => self.timers.stop(Timer::Path),
                peer::Output::RemoteMedia if self.config.sends_media => self.handle_echo(now),
                peer::Output::RemoteMedia => {}
                peer::Output::Stats(stats) => self.handle_stats(*stats, now),
                peer::Output::Failed(error) => self.end(&error.into(), now),
                peer::Output::Log(level, line) => self.outputs.push_back(Output::Log(level, line)),
            }
        }
    }

    fn poll_connection(&mut self) -> Option<(ConnectionId, peer::Output)> {
        let connection = &mut self.run()?.connection;
        connection.poll_output().map(|output| (connection.id(), output))
    }

    /// Sends an offer. Candidates may follow the first offer at once, since the gateway keeps them.
    fn offer(&mut self, jsep: Jsep, now: Time) {
        self.last_request = self.last_request.saturating_add(1);
        let id = RequestId(self.last_request);
        let State::Running(run) = &mut self.state else { return };
        run.offer = Offer::Sent(id);
        let (body, jsep) = (Body::EchoTest(Request {}), Some(jsep));
        self.outputs.push_back(Output::Request { id, body, jsep });
        if let Stage::Starting(_) = run.stage {
            run.connection.handle_carried();
            self.timers.set(Timer::Start, now + self.config.connect_timeout);
        }
    }

    fn handle_offered(&mut self, answer: Result<Answer, signaling::Error>, now: Time) {
        let described = answer.map_err(Error::from).and_then(|answer| match answer {
            Answer::Plugin { data, jsep } => {
                message::read(&data)?;
                let is_answer = |jsep: &Jsep| jsep.kind == JsepKind::Answer;
                jsep.filter(is_answer).ok_or(Error::MissingAnswer)
            }
            _ => Err(Error::MissingAnswer),
        });
        let Some(run) = self.run() else { return };
        match described {
            Ok(answer) => {
                run.offer = Offer::Answered;
                // The answer also covers the offers that this one superseded.
                while run.connection.is_describing() {
                    run.connection.handle_carried();
                }
                run.connection.handle_remote_description(answer, now);
                run.connection.handle_established(true, now);
                self.drain(now);
            }
            Err(error) => {
                // The gateway keeps nothing of a refused first offer.
                if matches!(error, Error::Refused { .. }) && !run.connection.is_established() {
                    run.offer = Offer::None;
                }
                self.end(&error, now);
            }
        }
    }

    /// The echo begins: of the media or, if none is sent, of the data.
    fn handle_echo(&mut self, now: Time) {
        let Some(run) = self.run() else { return };
        let Stage::Starting(command) = run.stage else { return };
        run.stage = Stage::Echoing { since: now };
        run.connection.measure();
        self.timers.stop(Timer::Start);
        if self.config.sends_media {
            self.event(Event::RemoteMedia);
        }
        self.done(command);
        self.drain(now);
    }

    fn probe(&mut self, now: Time) {
        let random = self.random.clone();
        let Some(run) = self.run() else { return };
        let message = ChannelMessage::Binary(ChannelKind::Messages, run.probes.next(&*random, now));
        let id = run.connection.id();
        self.outputs.push_back(Output::Send(id, message));
        self.timers.set(Timer::Probe, now + PROBE);
    }

    fn handle_stats(&mut self, stats: Stats, now: Time) {
        let Some(run) = self.run() else { return };
        match run.stage {
            Stage::Starting(_) => {}
            // The browser answers in order, so the first counters may come after `stop()`.
            _ if run.first.is_none() => run.first = Some(stats),
            Stage::Echoing { .. } => {}
            Stage::Stopping { .. } => self.finish(stats, now),
        }
    }

    /// Ends the test with its report.
    fn finish(&mut self, last: Stats, now: Time) {
        let Some(run) = self.run() else { return };
        if let Stage::Stopping { commands, duration } = &mut run.stage {
            let commands = std::mem::take(commands);
            let first = run.first.take().unwrap_or_default();
            let report = Report::new(*duration, &first, last, run.probes.report());
            for command in commands {
                self.succeed(command, report.clone());
            }
        }
        self.hang_up(now);
    }

    /// Ends the running test for this reason, if there is one.
    fn end(&mut self, error: &Error, now: Time) {
        let is_open = self.is_open();
        let stage = match &mut self.state {
            State::Running(run) => &run.stage,
            State::Closing { next } => {
                if let Some(command) = next.take() {
                    self.timers.stop(Timer::Start);
                    self.fail_command(command, error.clone());
                }
                return;
            }
            State::Idle => return,
        };
        match stage {
            Stage::Starting(command) => {
                let command = *command;
                self.fail_command(command, error.clone());
            }
            Stage::Echoing { .. } if is_open => self.event(Event::Error(error.clone().into())),
            Stage::Echoing { .. } => {}
            // The measurements matter more than the reason.
            Stage::Stopping { .. } => return self.finish(Stats::default(), now),
        }
        self.hang_up(now);
    }

    /// Closes the connection. Its DTLS alert makes the gateway close its end.
    fn hang_up(&mut self, now: Time) {
        let State::Running(run) = std::mem::replace(&mut self.state, State::Idle) else { return };
        for timer in [Timer::Start, Timer::Probe, Timer::Path, Timer::Measure] {
            self.timers.stop(timer);
        }
        self.outputs.push_back(Output::Peer(run.connection.id(), PeerCommand::Close));
        self.outputs.push_back(Output::Release);
        // If the gateway has no offer, it has nothing to close.
        if !self.has_handle || run.offer == Offer::None {
            return;
        }
        self.state = State::Closing { next: None };
        match run.offer {
            // The gateway would open a new connection for an offer that arrives after the hang-up.
            Offer::Sent(_) if self.is_open() => self.reattach(),
            _ => self.timers.set(Timer::Close, now + LIMIT),
        }
    }

    /// The gateway is done with the last test.
    fn become_idle(&mut self, now: Time) {
        self.timers.stop(Timer::Close);
        if let State::Closing { next } = std::mem::replace(&mut self.state, State::Idle)
            && let Some(command) = next
        {
            self.begin(command, now);
        }
    }

    /// Attaches another handle, since the gateway does not close its end, or may do so at any time.
    fn reattach(&mut self) {
        self.has_handle = false;
        self.outputs.push_back(Output::Reattach);
    }

    /// The handle is lost, and the test with it.
    fn lose_handle(&mut self, error: &Error, now: Time) {
        self.has_handle = false;
        self.end(error, now);
        self.timers.stop(Timer::Close);
        self.state = State::Idle;
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(usecase::Event::EchoTest(event)));
    }

    fn done(&mut self, command: Command) {
        self.outputs.push_back(Output::Done(command, Ok(usecase::Reply::Done)));
    }

    fn succeed(&mut self, command: Command, report: Report) {
        let reply = usecase::Reply::EchoTest(Box::new(report));
        self.outputs.push_back(Output::Done(command, Ok(reply)));
    }

    fn fail_command(&mut self, command: Command, error: Error) {
        self.outputs.push_back(Output::Done(command, Err(error.into())));
    }
}

impl Plugin for EchoTest {
    fn name(&self) -> &'static str {
        PLUGIN
    }

    fn account(&self) -> Option<&str> {
        self.config.account.as_deref()
    }

    fn is_closed(&self) -> bool {
        matches!(self.life, Life::Closed)
    }

    fn is_leaving(&self) -> bool {
        false
    }

    fn is_flowing(&self) -> bool {
        match &self.state {
            State::Running(run) => run.connection.path() == MediaPath::Up,
            State::Idle | State::Closing { .. } => false,
        }
    }

    fn handle_attached(&mut self, now: Time) {
        self.has_handle = true;
        self.become_idle(now);
    }

    fn handle_detached(&mut self, now: Time) {
        if !self.is_closed() {
            self.handle_session_end(&Closed::ByGateway.into(), now);
        }
    }

    fn handle_session_lost(&mut self, _: HandleLoss, error: &signaling::Error, now: Time) {
        self.lose_handle(&error.clone().into(), now);
        // There is no handle to detach any more, so this ends the object.
        if let Life::Detaching(_) = self.life {
            self.outputs.push_back(Output::Detach);
        }
    }

    fn handle_session_end(&mut self, end: &SessionEnd, now: Time) {
        // Closed first, so that no event fires: the client or the notice reports this end.
        let life = std::mem::replace(&mut self.life, Life::Closed);
        self.lose_handle(&end.clone().into(), now);
        if let Life::Detaching(commands) = life {
            for command in commands {
                self.done(command);
            }
        }
    }

    fn handle_trouble(&mut self, _: &signaling::Error, _: Time) {}

    fn handle_restored(&mut self, _: Time) {}

    fn handle_doubt(&mut self, _: Doubt, _: Time) {}

    fn handle_network_changed(&mut self, now: Time) {
        if let Some(run) = self.run() {
            run.connection.handle_network_changed(now);
            self.drain(now);
        }
    }

    fn handle_answer(
        &mut self,
        id: RequestId,
        answer: Result<Answer, signaling::Error>,
        now: Time,
    ) {
        if let Some(run) = self.run()
            && run.offer == Offer::Sent(id)
        {
            self.handle_offered(answer, now);
        }
    }

    fn handle_notice(&mut self, notice: Notice, now: Time) {
        match notice {
            Notice::Candidates(candidates) => {
                if let Some(run) = self.run() {
                    run.connection.handle_remote_candidates(candidates);
                    self.drain(now);
                }
            }
            Notice::Hangup(reason) => {
                // Without a test, this is the hang-up that a waiting `start()` needs.
                if self.run().is_some() {
                    self.end(&Error::ByGateway { reason }, now);
                }
                if self.has_handle {
                    self.become_idle(now);
                }
            }
            Notice::Detached => {
                if self.is_open() {
                    self.event(Event::Error(Error::from(Closed::ByGateway).into()));
                }
                self.handle_detached(now);
            }
            // A report about a test that has ended.
            Notice::SlowLink { .. } if self.run().is_none() => {}
            Notice::SlowLink { media, uplink, lost } => {
                // The gateway's uplink is our downlink.
                self.event(Event::SlowLink { media, uplink: !uplink, lost });
            }
            Notice::IceFailed => {
                let line = "ICE failed at the gateway's end".to_owned();
                self.outputs.push_back(Output::Log(Level::Warn, line));
            }
            // The core reports the end, and the browser everything else.
            Notice::Event { .. } | Notice::WebrtcUp | Notice::Media => {}
        }
    }

    fn handle_peer(&mut self, id: ConnectionId, event: PeerEvent, now: Time) {
        if let Some(run) = self.run_of(id) {
            run.connection.handle_event(event, now);
            self.drain(now);
        }
    }

    fn handle_channel(&mut self, id: ConnectionId, event: ChannelEvent, now: Time) {
        let Some(run) = self.run_of(id) else { return };
        match event {
            ChannelEvent::Open(ChannelKind::Messages) => self.probe(now),
            ChannelEvent::Binary(message) => {
                let is_back = run.probes.handle(&message, now);
                if is_back && !self.config.sends_media {
                    self.handle_echo(now);
                }
            }
            ChannelEvent::Closed => self.timers.stop(Timer::Probe),
            ChannelEvent::Open(ChannelKind::Bulk)
            | ChannelEvent::Text(_)
            | ChannelEvent::Buffered(_) => {}
        }
    }

    fn leave(&mut self, now: Time) {
        if self.is_open() {
            self.life = Life::Detaching(Vec::new());
        }
        self.end(&Error::Stopped, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        if let Some(run) = self.run() {
            run.connection.handle_timeout(now);
            self.drain(now);
        }
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Start => self.handle_late_start(now),
                Timer::Probe => self.probe(now),
                Timer::Path => self.end(&Error::PathLost, now),
                Timer::Measure => self.finish(Stats::default(), now),
                Timer::Close if self.is_open() => self.reattach(),
                Timer::Close => {}
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let connection = match &self.state {
            State::Running(run) => run.connection.poll_timeout(),
            State::Idle | State::Closing { .. } => None,
        };
        earliest(self.timers.next(), connection)
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl EchoTest {
    /// The devices, the connection or the echo are late.
    fn handle_late_start(&mut self, now: Time) {
        let sends_media = self.config.sends_media;
        let Some(run) = self.run() else {
            // The gateway is not done with the test before, or there is no handle yet.
            return self.end(&Misuse::Restoring.into(), now);
        };
        let error = match (run.offer, run.connection.path()) {
            (Offer::None, _) => peer::Error::PermissionTimeout.into(),
            (_, MediaPath::Up) if sends_media => Error::NoMedia,
            (_, MediaPath::Up) => Error::NoData,
            _ => peer::Error::NotConnected.into(),
        };
        self.end(&error, now);
    }
}
