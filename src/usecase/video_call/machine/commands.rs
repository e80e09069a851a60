//! The page's commands.

use super::*;
use crate::usecase::video_call::TransferId;

impl VideoCall {
    /// Registers a name; a guest name if `wanted` is `None`.
    pub fn register(&mut self, command: Command, wanted: Option<UserName>, now: Time) {
        if !self.refuse_if_closed(command) {
            self.registration.register(command, wanted);
            self.drain_registration(now);
        }
    }

    /// Lists the registered names.
    pub fn list(&mut self, command: Command) {
        if self.refuse_if_closed(command) {
            return;
        }
        let waiting = Waiting::new(command);
        match self.recovery.is_detached() {
            true => self.recovery.keep_list(waiting),
            false => {
                self.request(Purpose::List(waiting), Request::List, None);
            }
        }
    }

    /// Changes the media that the gateway relays.
    pub fn set(&mut self, command: Command, settings: Settings) {
        if !self.refuse_if_closed(command) && !self.refuse_if_detached(command) {
            self.request(Purpose::Set(command, settings), Request::Set(settings), None);
        }
    }

    /// Calls `peer`. Accepts the call that rings here if it is by `peer`, or if `peer` is `None`.
    pub fn call(&mut self, command: Command, peer: Option<UserName>, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        if let Some(call) = &self.call {
            let rings = matches!(call.stage, Stage::RingingIn { .. } | Stage::AwaitingRedial);
            if rings && peer.as_ref().is_none_or(|peer| *peer == call.peer) {
                return self.accept(command, now);
            }
            let error = Misuse::InCall { peer: call.peer.clone() };
            return self.done(command, Err(error.into()));
        }
        let Some(peer) = peer else {
            return self.done(command, Err(Misuse::NobodyToCall.into()));
        };
        if self.refuse_if_detached(command) {
            return;
        }
        let Some(me) = self.registration.name() else {
            return self.done(command, Err(Misuse::NotRegistered.into()));
        };
        if *me == peer {
            self.event(Event::HangUp { peer, reason: reason::SELF.into() });
            return self.done(command, Err(Misuse::CallingSelf.into()));
        }
        let mut call = Call::new(peer, Stage::Offering, self.config.data.clone());
        call.command = Some(command);
        self.call = Some(call);
        self.offer(now);
    }

    /// Accepts the call that rings here.
    pub fn accept(&mut self, command: Command, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        let offer = match self.call.as_mut().map(|call| &mut call.stage) {
            Some(Stage::RingingIn { offer }) => Some(take(offer)),
            Some(Stage::AwaitingRedial) => None,
            _ => return self.done(command, Err(Misuse::NothingToAccept.into())),
        };
        if let Some(call) = &mut self.call {
            call.command = Some(command);
            // A redial of the caller is accepted at once. The deadline stays.
            call.stage = Stage::Yielding;
        }
        if let Some(offer) = offer {
            self.answer(offer, now);
        }
    }

    /// Hangs up, cancels or declines. Succeeds once the gateway has confirmed it or is out of
    /// reach.
    pub fn hang_up(&mut self, command: Command, reason: Option<&str>, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        let Some(call) = &self.call else {
            // A second hang-up ends with the first.
            if !self.teardown.is_hanging_up() || !self.teardown.wait_for(command) {
                self.done(command, Err(Misuse::NothingToHangUp.into()));
            }
            return;
        };
        let own = match call.stage {
            Stage::RingingIn { .. } | Stage::AwaitingRedial => reason::DECLINED,
            Stage::Up => reason::HUNG_UP,
            _ => reason::CANCELLED,
        };
        self.end(reason.unwrap_or(own), End::HangUp, now);
        if !self.teardown.wait_for(command) {
            self.done(command, Ok(()));
        }
    }

    /// Ends the call, then the object. Idempotent.
    pub fn close(&mut self, command: Command, now: Time) {
        match &mut self.life {
            Life::Closed => return self.done(command, Ok(())),
            Life::Closing(commands) | Life::Detaching(commands) => return commands.push(command),
            Life::Open => self.life = Life::Closing(vec![command]),
        }
        self.end(reason::HUNG_UP, End::CloseUsecase, now);
        self.detach_when_complete();
    }

    /// Sends a short text.
    pub fn send_text(&mut self, command: Command, meta: Meta, text: String, now: Time) {
        if !self.refuse_to_send(command) {
            self.with_transfers(|transfers| transfers.send_text(command, meta, text, now));
        }
    }

    /// Sends a source that the shell reads on request.
    pub fn send_source(&mut self, command: Command, meta: Meta, now: Time) {
        if !self.refuse_to_send(command) {
            self.with_transfers(|transfers| transfers.send_source(command, meta, now));
        }
    }

    /// Cancels an outgoing transfer, or rejects the rest of an incoming one.
    pub fn cancel_transfer(&mut self, id: TransferId, now: Time) {
        self.with_transfers(|transfers| transfers.cancel(id, now));
    }

    /// The bytes for [`transfers::Data::Read`], or the browser's error.
    pub fn handle_read(
        &mut self,
        command: Command,
        offset: u64,
        result: Result<Vec<u8>, String>,
        now: Time,
    ) {
        self.with_transfers(|transfers| transfers.handle_read(command, offset, result, now));
    }

    /// [`transfers::Data::Deliver`] is done, or was not possible.
    pub fn handle_delivered(&mut self, id: TransferId, is_kept: bool, now: Time) {
        self.with_transfers(|transfers| transfers.handle_delivered(id, is_kept, now));
    }

    fn refuse_to_send(&mut self, command: Command) -> bool {
        let error = match &self.call {
            _ if !self.is_open() => Closed::ByPage.into(),
            Some(_) => return false,
            None => Misuse::NothingToSendThrough.into(),
        };
        self.done(command, Err(error));
        true
    }

    /// Refuses commands that need a handle with our name, while the two are being restored.
    fn refuse_if_detached(&mut self, command: Command) -> bool {
        let is_detached = self.recovery.is_detached() || self.registration.is_reclaiming();
        if is_detached {
            self.done(command, Err(Misuse::Restoring.into()));
        }
        is_detached
    }

    fn refuse_if_closed(&mut self, command: Command) -> bool {
        let is_closed = !self.is_open();
        if is_closed {
            self.done(command, Err(Closed::ByPage.into()));
        }
        is_closed
    }
}
