//! The way out of a call: its one end for the page, and the teardown at the gateway.

use super::*;
use crate::data;

impl VideoCall {
    /// Ends the call for the page, once, and for the gateway as far as it needs to be told.
    pub(super) fn end(&mut self, words: &str, error: Error, farewell: Farewell<'_>, now: Time) {
        // Before its peer connection goes: what is on its way is named by that. Why the call ended is told
        // elsewhere; to what it carried, all ends are one.
        let over = data::Error::CallEnded { reason: words.to_owned() };
        self.with_link(|link| {
            if let Farewell::HangUp(words) = farewell {
                link.say_bye(words);
            }
            link.close(&over);
        });
        let is_refused = matches!(farewell, Farewell::Refused);
        self.put_down(farewell, now);
        let Some(call) = self.call.take() else { return };
        self.log(Level::Info, format!("the call with \"{}\" ended: {words}", call.peer));
        if !is_refused {
            self.last = Some((call.peer.clone(), now));
        }
        self.event(Event::HangUp { peer: call.peer, reason: words.to_owned() });
        // It takes the browser milliseconds, in which the page would not hear yet that the call is over.
        self.media(Media::Release);
        // With the call goes the care for its media.
        self.tell_trouble();
        if let Some(command) = call.command {
            self.done(command, Err(error));
        }
    }

    /// Takes the call's connection down, at both ends of it.
    pub(super) fn put_down(&mut self, farewell: Farewell<'_>, now: Time) {
        self.candidates = Batch::default();
        self.early_candidates.clear();
        let is_sending = self.is_sending_description();
        let Some(call) = &mut self.call else { return };
        let known = call.is_known_to_gateway();
        let is_told = call.doom.is_some();
        let doom = call.doom.take().unwrap_or_default();
        call.connected = false;
        call.flows = false;
        call.link.handle_channels_gone();
        call.data_ends = None;
        let connection = call.connection.take();
        let farewell = match farewell {
            _ if !known => Farewell::None,
            // Of a description that comes after the end, the gateway makes a new connection.
            Farewell::Await | Farewell::Hear if is_sending => Farewell::HangUp(reason::HUNG_UP),
            Farewell::Hear if is_told => Farewell::Await,
            farewell => farewell,
        };
        let linked = !matches!(farewell, Farewell::Refused);
        let request = match farewell {
            Farewell::None => {
                if let Some(connection) = connection {
                    self.media(Media::Close(connection));
                }
                return;
            }
            Farewell::Refused | Farewell::Await | Farewell::Hear => None,
            Farewell::HangUp(words) => {
                Some(self.request(Purpose::HangUp, Request::hang_up(words), None))
            }
        };
        // Its DTLS goodbye ends the call at the gateway, where the words are still to come.
        let keeps_connection = request.is_some() || matches!(farewell, Farewell::Hear);
        if !keeps_connection && let Some(connection) = connection {
            self.media(Media::Close(connection));
        }
        let old = self.teardown.take().unwrap_or_default();
        self.teardown = Some(Teardown {
            request: request.or(old.request),
            core: doom.core.is_none(),
            echo: linked && !doom.remote_gone,
            deadline: now + TEARDOWN,
            connection: connection.filter(|_| keeps_connection),
            commands: old.commands,
        });
        if let Some(connection) = old.connection {
            self.media(Media::Close(connection));
        }
        if !matches!(farewell, Farewell::Hear) {
            self.check_teardown(now);
        }
    }

    /// Tells the gateway that this call is not wanted, while another call is being prepared.
    pub(super) fn decline(&mut self, words: &str, now: Time) {
        // One hang-up under way is enough: it hits whatever call there is.
        if self.is_leaving() {
            return;
        }
        let id = self.request(Purpose::HangUp, Request::hang_up(words), None);
        let old = self.teardown.take().unwrap_or_default();
        self.teardown = Some(Teardown {
            request: Some(id),
            core: true,
            echo: true,
            deadline: now + TEARDOWN,
            ..old
        });
    }

    pub(super) fn check_teardown(&mut self, now: Time) {
        if let Some(teardown) = self.teardown.take_if(|t| t.request.is_none() && !t.core && !t.echo)
        {
            let took = TEARDOWN.saturating_sub(teardown.deadline.since(now));
            self.rest_until = now + took.clamp(LEAST_REST, MOST_REST);
            self.settle(teardown.connection, teardown.commands);
            self.dial_if_due(now);
        } else if let Some(teardown) = &mut self.teardown
            && teardown.request.is_none()
        {
            // The peer has been told: nothing depends on this peer connection any more.
            let (connection, commands) =
                (teardown.connection.take(), std::mem::take(&mut teardown.commands));
            self.settle(connection, commands);
        }
    }

    pub(super) fn handle_teardown_timeout(&mut self, now: Time) {
        let is_over = |teardown: &mut Teardown| teardown.deadline <= now;
        if self.teardown.as_mut().is_some_and(is_over) {
            // Nobody has told the gateway: the connection's goodbye will.
            self.handle_told(now);
        }
        if let Some(teardown) = self.teardown.take_if(is_over) {
            self.healing.stuck = teardown.core;
            self.settle(teardown.connection, teardown.commands);
            // Otherwise it may not know yet that there is something to close.
            if teardown.request.is_none() {
                self.give_up_stuck();
            }
        }
    }

    pub(super) fn settle(&mut self, connection: Option<ConnectionId>, commands: Vec<Command>) {
        if let Some(connection) = connection {
            self.media(Media::Close(connection));
        }
        for command in commands {
            self.done(command, Ok(Reply::Done));
        }
        self.detach_when_told();
    }

    pub(super) fn detach_when_told(&mut self) {
        let told = !self.is_leaving();
        if let Life::Closing { detaching, .. } = &mut self.life
            && told
            && !std::mem::replace(detaching, true)
        {
            self.outputs.push_back(Output::Detach);
        }
    }

    pub(super) fn become_closed(&mut self) {
        if let Life::Closing { commands, .. } = std::mem::replace(&mut self.life, Life::Closed) {
            for command in commands {
                self.done(command, Ok(Reply::Done));
            }
        }
    }

    pub(super) fn close_connection(&mut self) {
        self.candidates = Batch::default();
        if let Some(connection) = self.call.as_mut().and_then(|call| call.connection.take()) {
            self.media(Media::Close(connection));
        }
    }
}
