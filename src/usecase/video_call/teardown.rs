//! The end of a call at the gateway, which takes longer than that for the page. No call may be sent
//! before the gateway is done: it would take the one for the other.

use std::collections::VecDeque;
use std::mem::take;
use std::time::Duration;

use super::timer::{Timer, Timers};
use crate::config::UserName;
use crate::peer::ConnectionId;
use crate::time::Time;
use crate::usecase::{Command, RequestId};

/// How long the gateway may take to report that it is done with a call.
pub(super) const LIMIT: Duration = Duration::from_secs(2);
/// How long the next call is held back once the gateway reported that it is done: as long as that took,
/// within these bounds. It is not done when it says so, and a call that comes too early is lost, and can
/// bring Janus down.
const LEAST_REST: Duration = Duration::from_millis(50);
const MOST_REST: Duration = Duration::from_millis(250);
/// How long after a call its peer may be busy or missing only because the gateway is not done with it.
const AFTERGLOW: Duration = Duration::from_secs(4);

/// What the gateway still has to do.
#[derive(Debug)]
pub(super) struct Closing {
    /// Our hang-up waits for its answer.
    pub(super) request: Option<RequestId>,
    /// The core's own `hangup` is to come: the gateway closed this end's connection.
    pub(super) awaits_core: bool,
    /// The plugin's "Remote WebRTC hangup" is to come: the gateway closed the other end's connection. It
    /// would take a call with it that was sent before, without a reason.
    pub(super) awaits_remote: bool,
    /// Closed last: its DTLS goodbye must not reach the gateway before the hang-up and its reason.
    pub(super) connection: Option<ConnectionId>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    /// Close this connection.
    Close(ConnectionId),
    /// A command that waited for the gateway ended well.
    Done(Command),
    /// The gateway is done: calls may be sent again, after a rest.
    Complete,
}

#[derive(Debug, Default)]
pub(super) struct Teardown {
    closing: Option<Closing>,
    /// Since when the gateway closes.
    since: Time,
    /// Commands that wait for the gateway to know.
    commands: Vec<Command>,
    /// The gateway never closed the connection of the last call, and its handle takes no other call.
    is_wedged: bool,
    /// With whom the last call was, and when it ended.
    last: Option<(UserName, Time)>,
    outputs: VecDeque<Output>,
}

impl Teardown {
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the gateway is done with the last call, as far as is known.
    pub(super) fn is_complete(&self) -> bool {
        self.closing.is_none()
    }

    /// Whether the gateway still has to hear of our hang-up.
    pub(super) fn is_leaving(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.request.is_some())
    }

    pub(super) fn is_wedged(&self) -> bool {
        self.is_wedged
    }

    /// The handle is about to be given up, or not to be minded.
    pub(super) fn take_wedged(&mut self) -> bool {
        take(&mut self.is_wedged)
    }

    /// Notes with whom the call was that has ended.
    pub(super) fn remember(&mut self, peer: UserName, now: Time) {
        self.last = Some((peer, now));
    }

    /// Whether the last call was with this peer, a moment ago.
    pub(super) fn is_afterglow(&self, peer: &UserName, now: Time) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|(last, at)| last == peer && now.since(*at) < AFTERGLOW)
    }

    /// Begins. What was under way before is part of it.
    pub(super) fn begin(&mut self, mut closing: Closing, timers: &mut Timers, now: Time) {
        if let Some(before) = self.closing.take() {
            closing.request = closing.request.or(before.request);
            self.close(before.connection);
        }
        self.closing = Some(closing);
        self.restart(timers, now);
    }

    /// A call is declined while another is being prepared.
    pub(super) fn decline(&mut self, request: RequestId, timers: &mut Timers, now: Time) {
        let connection = self.closing.take().and_then(|before| before.connection);
        self.closing = Some(Closing {
            request: Some(request),
            awaits_core: true,
            awaits_remote: true,
            connection,
        });
        self.restart(timers, now);
    }

    /// The command ends when the gateway knows. Returns false where it knows already.
    pub(super) fn wait_for(&mut self, command: Command) -> bool {
        let waits = self.closing.is_some();
        if waits {
            self.commands.push(command);
        }
        waits
    }

    /// A hang-up was answered. Returns whether it was the one that is waited for.
    pub(super) fn handle_answer(&mut self, id: RequestId) -> bool {
        match &mut self.closing {
            Some(closing) if closing.request == Some(id) => {
                closing.request = None;
                true
            }
            _ => false,
        }
    }

    /// The core reports the end of this end's connection. Returns whether it is that of the last call.
    pub(super) fn handle_core_hangup(&mut self) -> bool {
        self.is_wedged = false;
        self.closing.as_mut().is_some_and(|closing| take(&mut closing.awaits_core))
    }

    /// The plugin reports the end of the other end's connection. Returns whether it is that of the last
    /// call.
    pub(super) fn handle_remote_gone(&mut self) -> bool {
        self.closing.as_mut().is_some_and(|closing| take(&mut closing.awaits_remote))
    }

    /// The peer reported the end first; now the gateway has confirmed it, and only begins to close.
    pub(super) fn handle_confirmed(&mut self, timers: &mut Timers, now: Time) {
        let waits = |closing: &Closing| closing.request.is_none() && closing.connection.is_some();
        if self.closing.as_ref().is_some_and(waits) {
            self.restart(timers, now);
            self.check(timers, now);
        }
    }

    /// Ends it if nothing is missing. Once the peer has been told, nothing depends on the connection.
    pub(super) fn check(&mut self, timers: &mut Timers, now: Time) {
        let Some(closing) = &mut self.closing else { return };
        if closing.request.is_some() {
            return;
        }
        let connection = closing.connection.take();
        let is_complete = !closing.awaits_core && !closing.awaits_remote;
        if is_complete {
            self.closing = None;
            timers.stop(Timer::Teardown);
            timers.set(Timer::Rest, now + now.since(self.since).clamp(LEAST_REST, MOST_REST));
        }
        self.settle(connection);
        if is_complete {
            self.outputs.push_back(Output::Complete);
        }
    }

    /// The gateway is late. Returns whether it is waited for no longer.
    pub(super) fn handle_timeout(&mut self, timers: &mut Timers, now: Time) -> bool {
        // Nobody told the gateway: the connection's goodbye will.
        self.handle_confirmed(timers, now);
        if timers.due(Timer::Teardown).is_some() {
            return false;
        }
        let Some(closing) = self.closing.take() else { return false };
        self.is_wedged = closing.awaits_core;
        self.settle(closing.connection);
        // Otherwise it may not know yet that there is something to close.
        closing.request.is_none()
    }

    /// The handle is gone: there is nothing to wait for.
    pub(super) fn abandon(&mut self, timers: &mut Timers) {
        timers.stop(Timer::Teardown);
        self.is_wedged = false;
        if let Some(closing) = self.closing.take() {
            self.settle(closing.connection);
        }
    }

    fn restart(&mut self, timers: &mut Timers, now: Time) {
        self.since = now;
        timers.set(Timer::Teardown, now + LIMIT);
    }

    fn settle(&mut self, connection: Option<ConnectionId>) {
        self.close(connection);
        self.outputs.extend(take(&mut self.commands).into_iter().map(Output::Done));
    }

    fn close(&mut self, connection: Option<ConnectionId>) {
        self.outputs.extend(connection.map(Output::Close));
    }
}
