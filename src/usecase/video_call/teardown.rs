//! The end of a call at the gateway, which takes longer than its end for the page. No call may be
//! sent before the gateway is done, since it would confuse the two.

use std::collections::VecDeque;
use std::mem::take;
use std::time::Duration;

use super::timer::{Timer, Timers};
use crate::config::UserName;
use crate::peer::ConnectionId;
use crate::time::Time;
use crate::usecase::{Command, RequestId};

/// The time limit for the gateway's reports that it has closed both media connections of a call.
pub(super) const LIMIT: Duration = Duration::from_secs(2);
/// Bounds of the pause before the next call, which is as long as the teardown took. Janus is not
/// done when it says so: a call that comes too early is lost, and can crash Janus.
const LEAST_REST: Duration = Duration::from_millis(50);
const MOST_REST: Duration = Duration::from_millis(250);
/// For this long after a call, its peer may seem busy or unknown only because the gateway is not
/// done with that call.
const RECENT_CALL: Duration = Duration::from_secs(4);

/// The missing steps of a teardown.
#[derive(Debug)]
pub(super) struct Closing {
    /// Our hang-up, which has no answer yet.
    pub(super) request: Option<RequestId>,
    /// The core's `hangup` is missing: the gateway has closed our media connection.
    pub(super) awaits_core: bool,
    /// The plugin's "Remote WebRTC hangup" is missing: the gateway has closed the peer's media
    /// connection. A call that is sent before it would be ended by it, without a reason.
    pub(super) awaits_remote: bool,
    /// Our connection. It is closed last: its DTLS alert must not overtake the hang-up and its
    /// reason.
    pub(super) connection: Option<ConnectionId>,
}

/// An output of the teardown.
#[derive(Debug)]
pub(super) enum Output {
    /// Close this connection.
    Close(ConnectionId),
    /// A command that waited for the gateway succeeded.
    Done(Command),
    /// The gateway is done: calls may be sent again after [`Timer::Rest`].
    Complete,
}

#[derive(Debug, Default)]
pub(super) struct Teardown {
    closing: Option<Closing>,
    /// When the gateway began to close.
    since: Time,
    /// Commands that wait for the gateway to confirm the hang-up.
    commands: Vec<Command>,
    /// The gateway did not close our connection of the last call, so the handle takes no other
    /// call.
    is_wedged: bool,
    /// The peer of the last call, and when it ended.
    last: Option<(UserName, Time)>,
    outputs: VecDeque<Output>,
}

impl Teardown {
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the gateway is done with the last call, as far as we know.
    pub(super) fn is_complete(&self) -> bool {
        self.closing.is_none()
    }

    /// Whether our hang-up has no answer yet.
    pub(super) fn is_hanging_up(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.request.is_some())
    }

    pub(super) fn is_wedged(&self) -> bool {
        self.is_wedged
    }

    /// Returns whether the handle is wedged, and forgets it.
    pub(super) fn take_wedged(&mut self) -> bool {
        take(&mut self.is_wedged)
    }

    /// Notes the peer of a call that has ended.
    pub(super) fn remember(&mut self, peer: UserName, now: Time) {
        self.last = Some((peer, now));
    }

    /// Whether the last call, which is not long ago, may explain why this peer seems busy or
    /// unknown.
    pub(super) fn may_explain_refusal(&self, peer: &UserName, now: Time) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|(last, at)| last == peer && now.since(*at) < RECENT_CALL)
    }

    /// Begins a teardown. One that is under way becomes part of it.
    pub(super) fn begin(&mut self, mut closing: Closing, timers: &mut Timers, now: Time) {
        if let Some(before) = self.closing.take() {
            closing.request = closing.request.or(before.request);
            self.close(before.connection);
        }
        self.closing = Some(closing);
        self.restart(timers, now);
    }

    /// Begins the teardown of a declined call, while another call is being prepared.
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

    /// Ends the command once the gateway has confirmed. Returns false if no teardown is under way.
    pub(super) fn wait_for(&mut self, command: Command) -> bool {
        let waits = self.closing.is_some();
        if waits {
            self.commands.push(command);
        }
        waits
    }

    /// A hang-up was answered. Returns whether the teardown waits for it.
    pub(super) fn handle_answer(&mut self, id: RequestId) -> bool {
        match &mut self.closing {
            Some(closing) if closing.request == Some(id) => {
                closing.request = None;
                true
            }
            _ => false,
        }
    }

    /// The core closed our media connection. Returns whether it is that of the last call.
    pub(super) fn handle_core_hangup(&mut self) -> bool {
        self.is_wedged = false;
        self.closing.as_mut().is_some_and(|closing| take(&mut closing.awaits_core))
    }

    /// The gateway closed the peer's media connection. Returns whether it is that of the last call.
    pub(super) fn handle_remote_gone(&mut self) -> bool {
        self.closing.as_mut().is_some_and(|closing| take(&mut closing.awaits_remote))
    }

    /// The peer's BYE came first. The gateway has now confirmed the end and begins to close, so the
    /// time limit starts here.
    pub(super) fn handle_confirmed(&mut self, timers: &mut Timers, now: Time) {
        let waits = |closing: &Closing| closing.request.is_none() && closing.connection.is_some();
        if self.closing.as_ref().is_some_and(waits) {
            self.restart(timers, now);
            self.check(timers, now);
        }
    }

    /// Ends the teardown if nothing is missing. Closes our connection once the gateway has the
    /// hang-up.
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

    /// The gateway is late. Returns whether the teardown has ended, with no hang-up open.
    pub(super) fn handle_timeout(&mut self, timers: &mut Timers, now: Time) -> bool {
        // The gateway did not confirm the peer's BYE. The DTLS alert of our connection will tell
        // it.
        self.handle_confirmed(timers, now);
        if timers.due(Timer::Teardown).is_some() {
            return false;
        }
        let Some(closing) = self.closing.take() else { return false };
        self.is_wedged = closing.awaits_core;
        self.settle(closing.connection);
        // If our hang-up has no answer, the gateway may not know yet that it has to close.
        closing.request.is_none()
    }

    /// The handle is lost, so the gateway reports nothing more.
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
