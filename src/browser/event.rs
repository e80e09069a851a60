//! What a video call tells the page, with the browser's own values in it.

use web_sys::{Blob, MediaStream};

use crate::error::Error;
use crate::usecase::video_call::Settings;
use crate::usecase::video_call::TransferId;

/// Something that happened in a video call.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// The answer to a `register` is there, or the name was taken again after a session was lost.
    Registered {
        /// The name.
        name: String,
        /// Whether this object holds it now.
        is_registered: bool,
    },
    /// The call rings at this user.
    Calling(String),
    /// This user calls.
    IncomingCall(String),
    /// The call with this user is up, at either end.
    Accepted(String),
    /// The call ended, was declined or was refused. Exactly once per call.
    HangUp {
        /// The other side.
        peer: String,
        /// Why, for a person.
        reason: String,
    },
    /// The gateway applied the settings.
    Set(Settings),
    /// The devices are open, before the call is sent or the answer is.
    LocalStream(MediaStream),
    /// The first packet of the other side's audio or video arrived.
    RemoteStream {
        /// All of its tracks; later ones join it.
        stream: MediaStream,
        /// The other side.
        peer: String,
    },
    /// Packets are being lost.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// Whether what this side sends gets lost; otherwise what it receives does.
        is_uplink: bool,
        /// Packets lost since the last report.
        lost: u64,
    },
    /// The gateway or the media path was lost, and is being brought back.
    Reconnecting(Error),
    /// It is back, or what was lost has ended with its call.
    Reconnected,
    /// Something that no command was there to report.
    Error(Error),
    /// A text arrived whole.
    Text {
        /// Its type, in the sender's words.
        kind: String,
        /// The text.
        text: String,
        /// The name that the sender gave it.
        filename: Option<String>,
        /// The other side.
        peer: String,
    },
    /// A file or anything else that is no text arrived whole.
    Data {
        /// Its type, in the sender's words.
        kind: String,
        /// The content.
        blob: Blob,
        /// The name that the sender gave it.
        filename: Option<String>,
        /// The other side.
        peer: String,
    },
    /// Bytes of a transfer moved, in either direction, or it ended. Not for texts of up to 64,000 bytes.
    Progress(TransferStatus),
    /// The other side has an outgoing file whole.
    FileSent(TransferStatus),
    /// An outgoing file did not get through; its state says why.
    FileFailed(TransferStatus),
}

/// A message or file on its way, as it stands at the moment.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct TransferStatus {
    /// Tells it from others of the same call.
    pub id: TransferId,
    /// Which way it goes.
    pub direction: Direction,
    /// A MIME type, or any word that both sides know.
    pub kind: String,
    /// The file name as it arrives.
    pub filename: Option<String>,
    /// Its size in bytes; of a text, in UTF-8.
    pub size: u64,
    /// How many bytes the receiver has.
    pub transferred: u64,
    /// How far it is.
    pub state: TransferState,
    /// The other side.
    pub peer: Option<String>,
}

pub use crate::usecase::video_call::TransferState;

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From here to the other side.
    Outgoing,
    /// From the other side to here.
    Incoming,
}

/// Something that happened in an echo test.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum EchoEvent {
    /// The devices are open.
    LocalStream(MediaStream),
    /// The first packet of one's own audio or video is back.
    RemoteStream(MediaStream),
    /// Packets are being lost.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// Whether what this side sends gets lost; otherwise what it receives does.
        is_uplink: bool,
        /// Packets lost since the last report.
        lost: u64,
    },
    /// The test ended without `stop`.
    Error(Error),
}
