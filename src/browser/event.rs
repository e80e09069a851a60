//! The events of a video call, with the browser's own values.

use web_sys::{Blob, MediaStream};

use crate::error::Error;
use crate::usecase::video_call::Settings;
use crate::usecase::video_call::TransferId;

/// An event of a video call.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// The gateway answered a `register`, or the name was registered again after a lost session.
    Registered {
        /// The name.
        name: String,
        /// Whether this object has the name now.
        is_registered: bool,
    },
    /// The side of this callee is ringing.
    Calling(String),
    /// This user is calling.
    IncomingCall(String),
    /// The call with this user was accepted, on either side.
    Accepted(String),
    /// The call ended, or was declined or refused. Fires exactly once per call.
    HangUp {
        /// The other side.
        peer: String,
        /// The reason, in words for the user.
        reason: String,
    },
    /// The gateway applied the settings.
    Set(Settings),
    /// The devices are open. Fires before the offer or answer is sent.
    LocalStream(MediaStream),
    /// The first packet of the other side's audio or video arrived.
    RemoteStream {
        /// All tracks of the peer; later ones are added.
        stream: MediaStream,
        /// The other side.
        peer: String,
    },
    /// Packets are being lost.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// Whether packets from this side are lost; otherwise packets to this side.
        is_uplink: bool,
        /// Packets lost since the last report.
        lost: u64,
    },
    /// The gateway or the media path was lost; the library is reconnecting.
    Reconnecting(Error),
    /// The connection is back, or the affected call has ended.
    Reconnected,
    /// An error that no command could report.
    Error(Error),
    /// A complete text arrived.
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
    /// A complete file or other binary content arrived.
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
    /// A transfer of either direction made progress or ended. Does not fire for texts of up to
    /// 64,000 bytes.
    Progress(TransferStatus),
    /// The peer has received an outgoing file completely.
    FileSent(TransferStatus),
    /// An outgoing file failed; its state holds the error.
    FileFailed(TransferStatus),
}

/// A snapshot of a transfer.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct TransferStatus {
    /// The id of the transfer, unique within its call.
    pub id: TransferId,
    /// The direction.
    pub direction: Direction,
    /// A MIME type, or any word that both sides know.
    pub kind: String,
    /// The file name as the receiver gets it.
    pub filename: Option<String>,
    /// The size in bytes; for text, of its UTF-8 form.
    pub size: u64,
    /// Bytes that the receiver has.
    pub transferred: u64,
    /// The state.
    pub state: TransferState,
    /// The other side.
    pub peer: Option<String>,
}

pub use crate::usecase::video_call::TransferState;

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this side to the peer.
    Outgoing,
    /// From the peer to this side.
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
