//! The messages and files of one call: the data link, with its numbers translated to ids that are
//! valid outside of the call.

use std::collections::VecDeque;

use vecmap::VecMap;

use crate::config::UserName;
use crate::data::{
    self, ChannelEvent, ChannelMessage, Content, Key, Link, Meta, Policy, Report, sdp,
};
use crate::error::Error;
use crate::log::Level;
use crate::peer::ConnectionId;
use crate::time::Time;
use crate::usecase::Command;

/// Identifies a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransferId {
    /// The command that sends it.
    Outgoing(Command),
    /// The peer connection that it arrives on, and the sender's number there.
    Incoming(ConnectionId, u32),
}

/// A message or file under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// Its type, name and size.
    pub meta: Meta,
    /// The number of bytes that the receiver has.
    pub transferred: u64,
    /// Its state.
    pub state: TransferState,
}

/// The state of a transfer.
#[derive(Clone, Debug, PartialEq)]
pub enum TransferState {
    /// It is under way.
    Active,
    /// The receiver has all of it.
    Done,
    /// It failed.
    Failed(Error),
}

/// A step or a report of a message or file.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Read bytes of a command's source; they go to [`super::VideoCall::handle_read`].
    Read {
        /// The command that sends it.
        command: Command,
        /// The first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
    },
    /// Append these bytes to an incoming transfer.
    Keep(TransferId, Vec<u8>),
    /// Deliver a complete message or file to the page, then call
    /// [`super::VideoCall::handle_delivered`].
    Deliver(Transfer, UserName, Content),
    /// Deliver a text of a peer that does not use this library.
    PlainText(UserName, String),
    /// Deliver bytes of a peer that does not use this library.
    PlainBytes(UserName, Vec<u8>),
    /// A transfer made progress, or an incoming one failed. The command's result reports the end of
    /// an outgoing one.
    Changed(Transfer, UserName),
}

/// An output of the transfers.
#[derive(Debug)]
pub(super) enum Output {
    /// Send this on a data channel.
    Send(ConnectionId, ChannelMessage),
    /// A step or report of a transfer.
    Data(Data),
    /// A command of the page ended.
    Done(Command, Result<(), data::Error>),
    /// An error that no command waits for.
    Unawaited(data::Error),
    /// A line for the log.
    Log(Level, String),
}

/// The transfers of one call. Those that begin before the call is up wait here.
pub(super) struct Transfers {
    link: Link,
    peer: UserName,
    /// The connection whose channels are used.
    connection: Option<ConnectionId>,
    /// The page's commands, by the link's numbers.
    commands: VecMap<u64, Command>,
    outputs: VecDeque<Output>,
}

impl Transfers {
    pub(super) fn new(policy: Policy, peer: UserName) -> Self {
        Self {
            link: Link::new(policy),
            peer,
            connection: None,
            commands: VecMap::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        while self.outputs.is_empty() {
            let output = self.link.poll_output()?;
            self.translate(output);
        }
        self.outputs.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.link.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        self.link.handle_timeout(now);
    }

    /// Adds to our offer or answer that this side speaks the data protocol.
    pub(super) fn announce(&self, sdp: &str) -> String {
        sdp::announce(sdp, self.link.version())
    }

    // The page.

    /// Sends a short text.
    pub(super) fn send_text(&mut self, command: Command, meta: Meta, text: String, now: Time) {
        // Inserted first, since the result may come at once.
        self.commands.insert(self.link.next_number(), command);
        self.link.send_text(meta, text, now);
    }

    /// Sends a source that the shell reads on request.
    pub(super) fn send_source(&mut self, command: Command, meta: Meta, now: Time) {
        self.commands.insert(self.link.next_number(), command);
        self.link.send_source(meta, now);
    }

    /// Cancels an outgoing transfer, or rejects the rest of an incoming one.
    pub(super) fn cancel(&mut self, id: TransferId, now: Time) {
        let key = match id {
            TransferId::Outgoing(command) => self.number(command).map(Key::Outgoing),
            TransferId::Incoming(connection, id) => {
                (self.connection == Some(connection)).then_some(Key::Incoming(id))
            }
        };
        if let Some(key) = key {
            self.link.cancel(key, now);
        }
    }

    /// The bytes for [`Data::Read`], or the browser's error.
    pub(super) fn handle_read(
        &mut self,
        command: Command,
        offset: u64,
        result: Result<Vec<u8>, String>,
        now: Time,
    ) {
        if let Some(number) = self.number(command) {
            self.link.handle_read(number, offset, result, now);
        }
    }

    /// [`Data::Deliver`] is done, or was not possible.
    pub(super) fn handle_delivered(&mut self, id: TransferId, is_kept: bool, now: Time) {
        if let TransferId::Incoming(connection, id) = id
            && self.connection == Some(connection)
        {
            self.link.handle_delivered(id, is_kept, now);
        }
    }

    fn number(&self, command: Command) -> Option<u64> {
        let mut commands = self.commands.iter();
        commands.find(|(_, sending)| **sending == command).map(|(number, _)| *number)
    }

    // The call.

    /// The call has a new connection, with its own channels.
    pub(super) fn handle_connection(&mut self, connection: ConnectionId) {
        self.connection = Some(connection);
    }

    /// The call is up. `support` comes from the peer's description.
    pub(super) fn handle_up(&mut self, support: sdp::Support, now: Time) {
        self.link.handle_up(support, now);
    }

    /// The connection was removed.
    pub(super) fn handle_disconnected(&mut self) {
        self.link.handle_channels_gone();
        self.connection = None;
    }

    /// The channels are closed for good, so nothing can be sent any more.
    pub(super) fn handle_channels_lost(&mut self) {
        self.link.close(&data::Error::ChannelClosed);
    }

    /// The call ended for this reason. `bye` is the reason for the peer, if this side hangs up.
    pub(super) fn end(&mut self, reason: &str, bye: Option<&str>) {
        if let Some(reason) = bye {
            self.link.say_bye(reason);
        }
        // All transfers fail with the same error, since an event reports why the call ended.
        self.link.close(&data::Error::CallEnded { reason: reason.to_owned() });
    }

    // The channels.

    pub(super) fn handle_channel(&mut self, event: ChannelEvent, now: Time) {
        match event {
            ChannelEvent::Open(channel) => self.link.handle_open(channel, now),
            ChannelEvent::Closed => self.link.handle_channels_gone(),
            ChannelEvent::Binary(message) => self.link.handle_message(&message, now),
            ChannelEvent::Text(text) => self.link.handle_text(text),
            ChannelEvent::Buffered(bytes) => self.link.handle_buffered(bytes, now),
        }
    }

    /// Returns the reason of the peer's BYE, once.
    pub(super) fn take_bye(&mut self) -> Option<String> {
        self.link.take_bye()
    }

    fn translate(&mut self, output: data::Output) {
        let output = match output {
            data::Output::Send(channel, message) => {
                self.message(ChannelMessage::Binary(channel, message))
            }
            data::Output::SendText(text) => self.message(ChannelMessage::Text(text)),
            data::Output::Sent(Report { key: Key::Outgoing(number), .. }, result) => {
                self.commands.remove(&number).map(|command| Output::Done(command, result))
            }
            data::Output::Sent(..) => None,
            data::Output::Refused(error) => Some(Output::Unawaited(error)),
            data::Output::Log(level, line) => Some(Output::Log(level, line)),
            other => self.transfer(other).map(Output::Data),
        };
        self.outputs.extend(output);
    }

    /// Returns `None` without a connection, since there are no channels.
    fn message(&self, message: ChannelMessage) -> Option<Output> {
        self.connection.map(|connection| Output::Send(connection, message))
    }

    fn transfer(&self, output: data::Output) -> Option<Data> {
        let peer = self.peer.clone();
        Some(match output {
            data::Output::Read { number, offset, length } => {
                Data::Read { command: self.commands.get(&number).copied()?, offset, length }
            }
            data::Output::Keep(id, bytes) => {
                Data::Keep(TransferId::Incoming(self.connection?, id), bytes)
            }
            data::Output::Deliver(report, content) => {
                Data::Deliver(self.named(report, TransferState::Done)?, peer, content)
            }
            data::Output::PlainText(text) => Data::PlainText(peer, text),
            data::Output::PlainBytes(bytes) => Data::PlainBytes(peer, bytes),
            data::Output::Progress(report) => {
                Data::Changed(self.named(report, TransferState::Active)?, peer)
            }
            data::Output::Lost(report, error) => {
                Data::Changed(self.named(report, TransferState::Failed(error.into()))?, peer)
            }
            _ => return None,
        })
    }

    fn named(&self, report: Report, state: TransferState) -> Option<Transfer> {
        let Report { key, meta, transferred } = report;
        let id = match key {
            Key::Outgoing(number) => TransferId::Outgoing(self.commands.get(&number).copied()?),
            Key::Incoming(id) => TransferId::Incoming(self.connection?, id),
        };
        Some(Transfer { id, meta, transferred, state })
    }
}
