//! The messages and files of one call, by the names that they have outside of it.

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

/// Names a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransferId {
    /// By the command that sends it.
    Outgoing(Command),
    /// By the peer connection it comes through, and the sender's number there.
    Incoming(ConnectionId, u32),
}

/// A message or file on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// Its name.
    pub id: TransferId,
    /// What it is.
    pub meta: Meta,
    /// How many bytes the receiver has.
    pub transferred: u64,
    /// Where it stands.
    pub state: TransferState,
}

/// Where a transfer stands.
#[derive(Clone, Debug, PartialEq)]
pub enum TransferState {
    /// It goes on.
    Active,
    /// The receiver has it whole.
    Done,
    /// It will never be whole.
    Failed(Error),
}

/// What to do with a message or file, or what to report of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Read so many bytes of what a command sends; tell [`super::VideoCall::handle_read`].
    Read {
        /// The command that sends it.
        command: Command,
        /// Where to begin.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Put this at the end of what is kept for an incoming transfer.
    Keep(TransferId, Vec<u8>),
    /// Give the page a message or file that is whole; tell [`super::VideoCall::handle_delivered`].
    Deliver(Transfer, UserName, Content),
    /// Give the page a text of a peer that does not use this library.
    PlainText(UserName, String),
    /// Give the page bytes of a peer that does not use this library.
    PlainBytes(UserName, Vec<u8>),
    /// Bytes of a transfer moved, or an incoming one failed. The end of an outgoing one is reported by its
    /// command's result.
    Changed(Transfer, UserName),
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    /// Send this on a data channel.
    Send(ConnectionId, ChannelMessage),
    /// Do this with a transfer.
    Data(Data),
    /// A command of the page ended.
    Done(Command, Result<(), data::Error>),
    /// Nobody waits for this failure.
    Unasked(data::Error),
    /// A line for the log.
    Log(Level, String),
}

/// What is sent before the call is up waits here.
pub(super) struct Transfers {
    link: Link,
    peer: UserName,
    /// Whose channels are used, while there is a connection.
    connection: Option<ConnectionId>,
    /// The page's commands behind the link's numbers.
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

    /// An offer or answer of ours, which announces that this end speaks the data protocol.
    pub(super) fn announce(&self, sdp: &str) -> String {
        sdp::announce(sdp, self.link.version())
    }

    // The page.

    /// Sends a short text.
    pub(super) fn send_text(&mut self, command: Command, meta: Meta, text: String, now: Time) {
        // Noted before it is sent: its result may come at once.
        self.commands.insert(self.link.next_number(), command);
        self.link.send_text(meta, text, now);
    }

    /// Sends what has to be read.
    pub(super) fn send_source(&mut self, command: Command, meta: Meta, now: Time) {
        self.commands.insert(self.link.next_number(), command);
        self.link.send_source(meta, now);
    }

    /// Takes back what a command sends, or refuses the rest of what is coming.
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

    /// The bytes that [`Data::Read`] asked for, or the browser's reason why there are none.
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

    /// What [`Data::Deliver`] asked for is done, or was not possible.
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

    /// Another connection is being made, with channels of its own.
    pub(super) fn handle_connection(&mut self, connection: ConnectionId) {
        self.connection = Some(connection);
    }

    /// The call is up; this is what the peer's description said.
    pub(super) fn handle_up(&mut self, support: sdp::Support, now: Time) {
        self.link.handle_up(support, now);
    }

    /// The connection is given up.
    pub(super) fn handle_disconnected(&mut self) {
        self.link.handle_channels_gone();
        self.connection = None;
    }

    /// The channels are gone for good: nothing can be sent any more.
    pub(super) fn handle_channels_lost(&mut self) {
        self.link.close(&data::Error::ChannelClosed);
    }

    /// The call is over for this reason; `says_bye` has the peer told.
    pub(super) fn end(&mut self, reason: &str, says_bye: Option<&str>) {
        if let Some(reason) = says_bye {
            self.link.say_bye(reason);
        }
        // Why the call ended is reported elsewhere; to what it carried, all ends are one.
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

    /// The reason of the peer's hang-up, once, if it said that it hung up.
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
            data::Output::Refused(error) => Some(Output::Unasked(error)),
            data::Output::Log(level, line) => Some(Output::Log(level, line)),
            other => self.transfer(other).map(Output::Data),
        };
        self.outputs.extend(output);
    }

    /// Without a connection there are no channels.
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
