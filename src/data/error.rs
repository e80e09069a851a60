//! Errors of messages and files, grouped by who caused them.

/// Why a message or a file did not arrive or was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Caused by this page or the peer's page.
    /// Data is switched off on this side.
    #[error("data is switched off")]
    Disabled,
    /// Data is switched off at the peer.
    #[error("the peer has switched data off")]
    DisabledByPeer,
    /// The peer's description has no data section.
    #[error("the call has no data channel")]
    NoChannel,
    /// The peer accepts plain text only.
    #[error("the peer takes plain text only")]
    NotSupportedByPeer {
        /// The type of the content that was to be sent.
        kind: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The peer refuses this type.
    #[error("type \"{kind}\" refused by the peer")]
    TypeRefused {
        /// The type.
        kind: String,
    },
    /// The content is larger than the peer accepts.
    #[error("{size} bytes refused by the peer")]
    TooLargeForPeer {
        /// The size in bytes.
        size: u64,
    },
    /// The peer sent a type that this side does not allow.
    #[error("type \"{kind}\" not allowed")]
    TypeNotAllowed {
        /// The type, truncated.
        kind: String,
    },
    /// The peer sent content that is larger than this side allows.
    #[error("{size} bytes of \"{kind}\" are too large")]
    TooLarge {
        /// The type, truncated.
        kind: String,
        /// The size in bytes.
        size: u64,
    },
    /// This page cancelled the transfer.
    #[error("cancelled")]
    Cancelled,
    /// The peer's page cancelled the transfer.
    #[error("cancelled by the peer")]
    CancelledByPeer,
    /// The page's signal was aborted before anything was sent.
    #[error("aborted before it was sent")]
    Aborted,

    // Caused by the content.
    /// The source cannot be read.
    #[error("the source cannot be read: {cause}")]
    Unreadable {
        /// The browser's error message.
        cause: String,
    },
    /// The source no longer has the size that was announced.
    #[error("the source changed")]
    Changed,
    /// The browser could not store the received bytes.
    #[error("could not be kept")]
    NotKept,
    /// The peer's browser could not store the bytes.
    #[error("could not be kept by the peer")]
    NotKeptByPeer,

    // Caused by the peer or the connection.
    /// The peer violated the data protocol.
    #[error("the peer broke the data protocol")]
    PeerMisbehaved,
    /// The peer reports that this side violated the data protocol.
    #[error("not understood by the peer")]
    NotUnderstoodByPeer,
    /// The peer refused the transfer for an unknown reason.
    #[error("not taken by the peer")]
    NotTakenByPeer,
    /// The transfer was resent too often.
    #[error("damaged again and again")]
    Damaged,
    /// The peer announced the data protocol but never sent a HELLO.
    #[error("the peer has never said anything")]
    PeerNeverSpoke,
    /// The peer stopped responding. It may or may not have received the transfer.
    #[error("the peer says nothing any more")]
    PeerSilent,
    /// The data channel closed while the call continues.
    #[error("the data channel was closed")]
    ChannelClosed,
    /// The call ended before the transfer did.
    #[error("the call ended: {reason}")]
    CallEnded {
        /// The reason of the hang-up.
        reason: String,
    },
}
