//! Messages and files: the page's commands and the channels' news to the call's link, and the link's
//! wishes to the shell.

use super::*;
use crate::transfer::{self, Key, Link, Report};

impl Call {
    /// Sends a short text.
    pub fn send_text(&mut self, command: Command, meta: Meta, text: String, now: Time) {
        self.send(command, |link| {
            link.send_text(meta, text, now);
        });
    }

    /// Sends what the shell reads when it is told to.
    pub fn send_source(&mut self, command: Command, meta: Meta, now: Time) {
        self.send(command, |link| {
            link.send_source(meta, now);
        });
    }

    fn send(&mut self, command: Command, send: impl FnOnce(&mut Link)) {
        let error = match &mut self.talk {
            Some(talk) if matches!(self.life, Life::Open) => {
                // Before it is sent: what comes of it may come at once.
                talk.sending.insert(talk.link.next_number(), command);
                return self.with_link(send);
            }
            None if matches!(self.life, Life::Open) => Misuse::NothingToSendThrough,
            _ => Misuse::Closed,
        };
        self.done(command, Err(error.into()));
    }

    /// Who the other side of the call is, if there is a call.
    pub fn peer(&self) -> Option<&UserName> {
        self.talk.as_ref().map(|talk| &talk.peer)
    }

    /// Takes back what a command sends, or refuses the rest of what is coming.
    pub fn cancel_transfer(&mut self, id: TransferId, now: Time) {
        let Some(talk) = &self.talk else { return };
        let key = match id {
            TransferId::Outgoing(command) => {
                let number = talk.sending.iter().find(|(_, sending)| **sending == command);
                number.map(|(number, _)| Key::Outgoing(*number))
            }
            TransferId::Incoming(leg, id) => (talk.leg == Some(leg)).then_some(Key::Incoming(id)),
        };
        if let Some(key) = key {
            self.with_link(|link| link.cancel(key, now));
        }
    }

    /// A data channel of ours is open.
    pub fn handle_channel_open(&mut self, leg: LegId, lane: Lane, now: Time) {
        self.with_leg(leg, |link| link.handle_open(lane, now));
    }

    /// A data channel of ours closed. Mostly that is the end of the call, of which the gateway tells a moment
    /// later.
    pub fn handle_channel_closed(&mut self, leg: LegId, now: Time) {
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.leg == Some(leg)) {
            talk.link.handle_channels_gone();
            talk.data_ends.get_or_insert(now + TEARDOWN);
        }
    }

    /// The call goes on without its data channel: nothing can be sent any more, and what was under way never
    /// ends well.
    pub(super) fn handle_data_timeout(&mut self, now: Time) {
        let due = self.talk.as_mut().and_then(|talk| talk.data_ends.take_if(|due| *due <= now));
        if due.is_some() {
            self.with_link(|link| link.close(&transfer::Error::ChannelClosed));
        }
    }

    /// A binary message of the other side.
    pub fn handle_message(&mut self, leg: LegId, message: &[u8], now: Time) {
        self.with_leg(leg, |link| link.handle_message(message, now));
        if let Some(words) = self.talk.as_mut().and_then(|talk| talk.link.take_bye()) {
            self.handle_hang_up(words, Farewell::Hear, now);
        }
    }

    /// A text message of the other side.
    pub fn handle_text(&mut self, leg: LegId, text: String) {
        self.with_leg(leg, |link| link.handle_text(text));
    }

    /// So many bytes are in the bulk channel's own buffer.
    pub fn handle_buffered(&mut self, leg: LegId, bytes: usize, now: Time) {
        self.with_leg(leg, |link| link.handle_buffered(bytes, now));
    }

    /// The bytes that [`Data::Read`] asked for, or the browser's words on why there are none.
    pub fn handle_read(
        &mut self,
        command: Command,
        offset: u64,
        result: Result<Vec<u8>, String>,
        now: Time,
    ) {
        let sending = self.talk.as_ref().map(|talk| &talk.sending);
        let number = sending.and_then(|all| all.iter().find(|(_, sending)| **sending == command));
        if let Some(number) = number.map(|(number, _)| *number) {
            self.with_link(|link| link.handle_read(number, offset, result, now));
        }
    }

    /// What [`Data::Deliver`] asked for is done, or was not possible.
    pub fn handle_delivered(&mut self, id: TransferId, kept: bool, now: Time) {
        if let TransferId::Incoming(leg, id) = id {
            self.with_leg(leg, |link| link.handle_delivered(id, kept, now));
        }
    }

    fn with_leg(&mut self, leg: LegId, act: impl FnOnce(&mut Link)) {
        if self.talk.as_ref().is_some_and(|talk| talk.leg == Some(leg)) {
            self.with_link(act);
        }
    }

    /// Does something with the conversation's link, and what the link wants done then.
    pub(super) fn with_link(&mut self, act: impl FnOnce(&mut Link)) {
        let Some(mut talk) = self.talk.take() else { return };
        act(&mut talk.link);
        while let Some(output) = talk.link.poll_output() {
            self.handle_link(&mut talk, output);
        }
        self.talk = Some(talk);
    }

    fn handle_link(&mut self, talk: &mut Talk, output: transfer::Output) {
        let peer = talk.peer.clone();
        let data = match (output, talk.leg) {
            (transfer::Output::Send(lane, message), Some(leg)) => Data::Send(leg, lane, message),
            (transfer::Output::SendText(text), Some(leg)) => Data::SendText(leg, text),
            (transfer::Output::Read { number, offset, length }, _) => {
                let Some(command) = talk.sending.get(&number).copied() else { return };
                Data::Read { command, offset, length }
            }
            (transfer::Output::Keep(id, bytes), Some(leg)) => {
                Data::Keep(TransferId::Incoming(leg, id), bytes)
            }
            (transfer::Output::Deliver(report, content), _) => {
                let Some(transfer) = named(talk, report, TransferState::Done) else { return };
                Data::Deliver(transfer, peer, content)
            }
            (transfer::Output::PlainText(text), _) => Data::PlainText(peer, text),
            (transfer::Output::PlainBytes(bytes), _) => Data::PlainBytes(peer, bytes),
            (transfer::Output::Progress(report), _) => {
                let Some(transfer) = named(talk, report, TransferState::Active) else { return };
                Data::Changed(transfer, peer)
            }
            (transfer::Output::Sent(report, result), _) => {
                return self.handle_sent(talk, &report, result);
            }
            (transfer::Output::Lost(report, error), _) => {
                let state = TransferState::Failed(error.into());
                let Some(transfer) = named(talk, report, state) else { return };
                Data::Changed(transfer, peer)
            }
            (transfer::Output::Refused(error), _) => return self.event(Event::Error(error.into())),
            (transfer::Output::Log(level, line), _) => return self.log(level, line),
            // Without a peer connection there are no channels.
            (_, None) => return,
        };
        self.outputs.push_back(Output::Data(data));
    }

    fn handle_sent(
        &mut self,
        talk: &mut Talk,
        report: &Report,
        result: Result<(), transfer::Error>,
    ) {
        if let Key::Outgoing(number) = report.key
            && let Some(command) = talk.sending.remove(&number)
        {
            self.done(command, result.map(|()| Reply::Done).map_err(Error::from));
        }
    }
}

/// The report in the call's words, by which it is known outside.
fn named(talk: &Talk, report: Report, state: TransferState) -> Option<Transfer> {
    let Report { key, meta, transferred } = report;
    let id = match key {
        Key::Outgoing(number) => TransferId::Outgoing(talk.sending.get(&number).copied()?),
        Key::Incoming(id) => TransferId::Incoming(talk.leg?, id),
    };
    Some(Transfer { id, meta, transferred, state })
}
