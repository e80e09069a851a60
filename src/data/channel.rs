//! The messages and events between a use case and the browser's data channels.

use super::ChannelKind;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelMessage {
    /// Bytes, on one of the channels.
    Binary(ChannelKind, Vec<u8>),
    /// A text, on the channel for messages.
    Text(String),
}

/// Something that the browser reports.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelEvent {
    /// A channel of ours is open.
    Open(ChannelKind),
    /// A channel of ours closed.
    Closed,
    /// Bytes came.
    Binary(Vec<u8>),
    /// A text came.
    Text(String),
    /// So many bytes are in the bulk channel's own buffer.
    Buffered(usize),
}
