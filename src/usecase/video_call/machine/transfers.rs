//! Messages and files: the page's commands and the channels' news to the call's link, and the link's
//! wishes to the shell.

use super::*;
use crate::data::{self, Key, Link, Report};

impl VideoCall {
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
        let error = match &mut self.call {
            Some(call) if matches!(self.life, Life::Open) => {
                // Before it is sent: what comes of it may come at once.
                call.sending.insert(call.link.next_number(), command);
                return self.with_link(send);
            }
            None if matches!(self.life, Life::Open) => Misuse::NothingToSendThrough,
            _ => Misuse::Closed,
        };
        self.done(command, Err(error.into()));
    }

    /// Who the other side of the call is, if there is a call.
    pub fn peer(&self) -> Option<&UserName> {
        self.call.as_ref().map(|call| &call.peer)
    }

    /// Takes back what a command sends, or refuses the rest of what is coming.
    pub fn cancel_transfer(&mut self, id: TransferId, now: Time) {
        let Some(call) = &self.call else { return };
        let key = match id {
            TransferId::Outgoing(command) => {
                let number = call.sending.iter().find(|(_, sending)| **sending == command);
                number.map(|(number, _)| Key::Outgoing(*number))
            }
            TransferId::Incoming(connection, id) => {
                (call.connection == Some(connection)).then_some(Key::Incoming(id))
            }
        };
        if let Some(key) = key {
            self.with_link(|link| link.cancel(key, now));
        }
    }

    /// A data channel of ours is open.
    pub fn handle_channel_open(
        &mut self,
        connection: ConnectionId,
        channel: ChannelKind,
        now: Time,
    ) {
        self.with_connection(connection, |link| link.handle_open(channel, now));
    }

    /// A data channel of ours closed. Mostly that is the end of the call, of which the gateway tells a moment
    /// later.
    pub fn handle_channel_closed(&mut self, connection: ConnectionId, now: Time) {
        if let Some(call) = self.call.as_mut().filter(|call| call.connection == Some(connection)) {
            call.link.handle_channels_gone();
            call.data_ends.get_or_insert(now + TEARDOWN);
        }
    }

    /// The call goes on without its data channel: nothing can be sent any more, and what was under way never
    /// ends well.
    pub(super) fn handle_data_timeout(&mut self, now: Time) {
        let due = self.call.as_mut().and_then(|call| call.data_ends.take_if(|due| *due <= now));
        if due.is_some() {
            self.with_link(|link| link.close(&data::Error::ChannelClosed));
        }
    }

    /// A binary message of the other side.
    pub fn handle_message(&mut self, connection: ConnectionId, message: &[u8], now: Time) {
        self.with_connection(connection, |link| link.handle_message(message, now));
        if let Some(words) = self.call.as_mut().and_then(|call| call.link.take_bye()) {
            self.handle_hang_up(words, Farewell::Hear, now);
        }
    }

    /// A text message of the other side.
    pub fn handle_text(&mut self, connection: ConnectionId, text: String) {
        self.with_connection(connection, |link| link.handle_text(text));
    }

    /// So many bytes are in the bulk channel's own buffer.
    pub fn handle_buffered(&mut self, connection: ConnectionId, bytes: usize, now: Time) {
        self.with_connection(connection, |link| link.handle_buffered(bytes, now));
    }

    /// The bytes that [`Data::Read`] asked for, or the browser's words on why there are none.
    pub fn handle_read(
        &mut self,
        command: Command,
        offset: u64,
        result: Result<Vec<u8>, String>,
        now: Time,
    ) {
        let sending = self.call.as_ref().map(|call| &call.sending);
        let number = sending.and_then(|all| all.iter().find(|(_, sending)| **sending == command));
        if let Some(number) = number.map(|(number, _)| *number) {
            self.with_link(|link| link.handle_read(number, offset, result, now));
        }
    }

    /// What [`Data::Deliver`] asked for is done, or was not possible.
    pub fn handle_delivered(&mut self, id: TransferId, kept: bool, now: Time) {
        if let TransferId::Incoming(connection, id) = id {
            self.with_connection(connection, |link| link.handle_delivered(id, kept, now));
        }
    }

    fn with_connection(&mut self, connection: ConnectionId, act: impl FnOnce(&mut Link)) {
        if self.call.as_ref().is_some_and(|call| call.connection == Some(connection)) {
            self.with_link(act);
        }
    }

    /// Does something with the call's link, and what the link wants done then.
    pub(super) fn with_link(&mut self, act: impl FnOnce(&mut Link)) {
        let Some(mut call) = self.call.take() else { return };
        act(&mut call.link);
        while let Some(output) = call.link.poll_output() {
            self.handle_link(&mut call, output);
        }
        self.call = Some(call);
    }

    fn handle_link(&mut self, call: &mut Call, output: data::Output) {
        let peer = call.peer.clone();
        let data = match (output, call.connection) {
            (data::Output::Send(channel, message), Some(connection)) => {
                Data::Send(connection, channel, message)
            }
            (data::Output::SendText(text), Some(connection)) => Data::SendText(connection, text),
            (data::Output::Read { number, offset, length }, _) => {
                let Some(command) = call.sending.get(&number).copied() else { return };
                Data::Read { command, offset, length }
            }
            (data::Output::Keep(id, bytes), Some(connection)) => {
                Data::Keep(TransferId::Incoming(connection, id), bytes)
            }
            (data::Output::Deliver(report, content), _) => {
                let Some(transfer) = named(call, report, TransferState::Done) else { return };
                Data::Deliver(transfer, peer, content)
            }
            (data::Output::PlainText(text), _) => Data::PlainText(peer, text),
            (data::Output::PlainBytes(bytes), _) => Data::PlainBytes(peer, bytes),
            (data::Output::Progress(report), _) => {
                let Some(transfer) = named(call, report, TransferState::Active) else { return };
                Data::Changed(transfer, peer)
            }
            (data::Output::Sent(report, result), _) => {
                return self.handle_sent(call, &report, result);
            }
            (data::Output::Lost(report, error), _) => {
                let state = TransferState::Failed(error.into());
                let Some(transfer) = named(call, report, state) else { return };
                Data::Changed(transfer, peer)
            }
            (data::Output::Refused(error), _) => return self.event(Event::Error(error.into())),
            (data::Output::Log(level, line), _) => return self.log(level, line),
            // Without a peer connection there are no channels.
            (_, None) => return,
        };
        self.outputs.push_back(Output::Data(data));
    }

    fn handle_sent(&mut self, call: &mut Call, report: &Report, result: Result<(), data::Error>) {
        if let Key::Outgoing(number) = report.key
            && let Some(command) = call.sending.remove(&number)
        {
            self.done(command, result.map(|()| Reply::Done).map_err(Error::from));
        }
    }
}

/// The report in the call's words, by which it is known outside.
fn named(call: &Call, report: Report, state: TransferState) -> Option<Transfer> {
    let Report { key, meta, transferred } = report;
    let id = match key {
        Key::Outgoing(number) => TransferId::Outgoing(call.sending.get(&number).copied()?),
        Key::Incoming(id) => TransferId::Incoming(call.connection?, id),
    };
    Some(Transfer { id, meta, transferred, state })
}
