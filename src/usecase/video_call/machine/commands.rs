//! The page's commands: what is refused at once, and what is set going.

use super::*;

impl VideoCall {
    /// Takes a name; without one, a guest name is made up.
    pub fn register(&mut self, command: Command, wanted: Option<UserName>) {
        if self.refuse_if_closed(command) {
            return;
        }
        let error = match &self.name {
            Name::Held(name) if wanted.as_ref().is_none_or(|wanted| wanted == name) => {
                let name = name.clone();
                self.event(Event::Registered { name: name.clone(), is_registered: true });
                return self.done(command, Ok(Reply::Name(name)));
            }
            Name::Held(name) => Some(Misuse::AlreadyRegistered { name: name.clone() }),
            // It is being taken again, and that is all that is wanted.
            Name::Asked { name, command: None, .. }
                if wanted.as_ref().is_none_or(|wanted| wanted == name) =>
            {
                if let Name::Asked { command: waiting, .. } = &mut self.name {
                    *waiting = Some(Waiting::new(command));
                }
                return;
            }
            Name::Asked { name, .. } => Some(Misuse::Registering { name: name.clone() }),
            Name::None => None,
        };
        if let Some(error) = error {
            return self.done(command, Err(error.into()));
        }
        let guests_left = if wanted.is_some() { 0 } else { MOST_GUEST_NAMES };
        let name = wanted.unwrap_or_else(|| guest_name((self.random)()));
        self.ask_for_name(name, Some(Waiting::new(command)), guests_left);
    }

    pub(super) fn ask_for_name(
        &mut self,
        name: UserName,
        command: Option<Waiting>,
        guests_left: u8,
    ) {
        let body = Request::register(&name);
        self.name = Name::Asked { name, command, guests_left, again: None };
        // Without a handle, the next one asks.
        if !self.healing.detached {
            self.request(Purpose::Register, body, None);
        }
    }

    /// Asks for everybody's names.
    pub fn list(&mut self, command: Command) {
        if self.refuse_if_closed(command) {
            return;
        }
        let waiting = Waiting::new(command);
        match self.healing.detached {
            true => self.healing.lists.push(waiting),
            false => {
                self.request(Purpose::List(waiting), Request::List, None);
            }
        }
    }

    /// Changes what the gateway relays.
    pub fn set(&mut self, command: Command, settings: Settings) {
        if !self.refuse_if_closed(command) && !self.refuse_if_detached(command) {
            self.request(Purpose::Set(command, settings), Request::Set(settings), None);
        }
    }

    /// Calls `peer`; while a call rings here, accepts it.
    pub fn call(&mut self, command: Command, peer: Option<UserName>, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        if let Some(call) = &self.call {
            let rings = matches!(call.stage, Stage::RingingIn { .. });
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
        let Name::Held(me) = &self.name else {
            return self.done(command, Err(Misuse::NotRegistered.into()));
        };
        if *me == peer {
            self.event(Event::HangUp { peer, reason: reason::SELF.into() });
            return self.done(command, Err(Misuse::CallingSelf.into()));
        }
        let mut call = Call::new(peer, Stage::Offering, now + DEVICES, self.config.data.clone());
        call.command = Some(command);
        self.call = Some(call);
        self.offer(now);
    }

    /// Accepts the call that rings here.
    pub fn accept(&mut self, command: Command, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        let Some(Call { stage: Stage::RingingIn { offer }, .. }) = &mut self.call else {
            return self.done(command, Err(Misuse::NothingToAccept.into()));
        };
        let offer = take(offer);
        if let Some(call) = &mut self.call {
            call.command = Some(command);
            if offer.is_empty() {
                call.stage = Stage::Yielding;
                return;
            }
        }
        self.answer(offer, now);
    }

    /// Hangs up, cancels or declines. Ends well once the gateway knows, or cannot be told.
    pub fn hang_up(&mut self, command: Command, words: Option<&str>, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        let Some(call) = &self.call else {
            // Said twice, it ends with the first.
            return match &mut self.teardown {
                Some(teardown) if teardown.request.is_some() => teardown.commands.push(command),
                _ => self.done(command, Err(Misuse::NothingToHangUp.into())),
            };
        };
        let own = match call.stage {
            Stage::RingingIn { .. } => reason::DECLINED,
            Stage::Up => reason::HUNG_UP,
            _ => reason::CANCELLED,
        };
        let words = words.unwrap_or(own);
        let error = End::HangUp.into();
        self.end(words, error, Farewell::HangUp(words), now);
        match &mut self.teardown {
            Some(teardown) => teardown.commands.push(command),
            None => self.done(command, Ok(Reply::Done)),
        }
    }

    /// Ends the call, and then the object.
    pub fn close(&mut self, command: Command, now: Time) {
        match &mut self.life {
            Life::Closed => return self.done(command, Ok(Reply::Done)),
            Life::Closing { commands, .. } => return commands.push(command),
            Life::Open => self.life = Life::Closing { commands: vec![command], detaching: false },
        }
        let error = End::CloseUsecase.into();
        self.end(reason::HUNG_UP, error, Farewell::HangUp(reason::HUNG_UP), now);
        self.detach_when_told();
    }

    /// Ends the call without detaching: the whole session is about to be ended.
    pub fn leave(&mut self, now: Time) {
        if matches!(self.life, Life::Open) {
            self.life = Life::Closing { commands: Vec::new(), detaching: true };
        }
        let error = End::Disconnect.into();
        self.end(reason::HUNG_UP, error, Farewell::HangUp(reason::HUNG_UP), now);
    }

    /// Whether it is at its end.
    pub fn is_closed(&self) -> bool {
        matches!(self.life, Life::Closed)
    }

    /// Whether the gateway still has to be heard on a hang-up of ours.
    pub fn is_leaving(&self) -> bool {
        self.teardown.as_ref().is_some_and(|teardown| teardown.request.is_some())
    }
}
