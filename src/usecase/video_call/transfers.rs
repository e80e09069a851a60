//! What goes between a call and the shell about messages and files.

use super::call::ConnectionId;
use super::machine::Command;
use crate::config::UserName;
use crate::data::{ChannelKind, Content, Meta};
use crate::error::Error;

/// Names a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransferId {
    /// By the command that sends it.
    Outgoing(Command),
    /// By the peer connection it comes through, and the sender's number there.
    Incoming(ConnectionId, u32),
}

impl TransferId {
    /// The name for those who only know numbers: the peer connection, 0 for what is sent, and its own.
    pub fn numbers(self) -> (u64, u64) {
        match self {
            Self::Outgoing(command) => (0, command.0),
            Self::Incoming(connection, id) => (connection.0, id.into()),
        }
    }

    /// The name behind [`TransferId::numbers`].
    pub fn of_numbers(connection: u64, number: u64) -> Self {
        match connection {
            0 => Self::Outgoing(Command(number)),
            connection => Self::Incoming(ConnectionId(connection), number as u32),
        }
    }
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

/// What to do with data channels, or what to tell the page of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Send this message on a channel.
    Send(ConnectionId, ChannelKind, Vec<u8>),
    /// Send this text on the channel for messages.
    SendText(ConnectionId, String),
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
    /// Bytes of a transfer moved, or an incoming one failed. That an outgoing one ended is told by its
    /// command's result.
    Changed(Transfer, UserName),
}
