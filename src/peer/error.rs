//! What devices and peer connections fail with.

/// Why a description could not be made, or media does not flow.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The user, the browser or the devices.
    /// The user or the browser refused the devices.
    #[error("permission denied: {cause}")]
    PermissionDenied {
        /// The browser's words.
        cause: String,
    },
    /// The user did not answer the browser's question in time.
    #[error("permission not granted in time")]
    PermissionTimeout,
    /// There is no camera or no microphone.
    #[error("device not found: {cause}")]
    DeviceNotFound {
        /// The browser's words.
        cause: String,
    },
    /// No camera or microphone fits the constraints.
    #[error("no device fits: {cause}")]
    NoDeviceFits {
        /// The browser's words.
        cause: String,
    },
    /// The devices could not be started.
    #[error("device in use: {cause}")]
    DeviceInUse {
        /// The browser's words.
        cause: String,
    },
    /// The devices failed in another way.
    #[error("device error: {cause}")]
    DeviceError {
        /// The browser's words.
        cause: String,
    },
    /// The page has no access to devices: it is not a secure context.
    #[error("no access to devices")]
    NotSupported,
    /// Nothing of this kind is being sent that could be muted.
    #[error("no {kind} is sent")]
    NotSent {
        /// `"audio"` or `"video"`.
        kind: &'static str,
    },

    /// The page's function gave no ICE servers.
    #[error("no ICE servers: {cause}")]
    NoIceServers {
        /// What it threw, or what is wrong with what it gave.
        cause: String,
    },

    // The peer connection.
    /// The browser could not take a step of the negotiation.
    #[error("could not {step}: {cause}")]
    Failed {
        /// Which step.
        step: Step,
        /// The browser's words.
        cause: String,
    },
    /// The call ended while its peer connection or its devices were being opened.
    #[error("closed")]
    Closed,
    /// ICE or DTLS did not come up, or is lost for good.
    #[error("no media connection")]
    NotConnected,
    /// Nothing comes through any more; the connection is being restored.
    #[error("media connection lost")]
    PathLost,
}

impl Error {
    /// What `getUserMedia` or `enumerateDevices` was rejected with (W3C Media Capture and Streams, section
    /// 10.2.1), by the name of the exception.
    pub fn from_exception(name: &str, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        match name {
            "NotAllowedError" | "SecurityError" => Self::PermissionDenied { cause },
            "NotFoundError" => Self::DeviceNotFound { cause },
            "OverconstrainedError" => Self::NoDeviceFits { cause },
            "NotReadableError" | "AbortError" => Self::DeviceInUse { cause },
            _ => Self::DeviceError { cause },
        }
    }

    /// The browser's words, where there are any.
    pub(crate) fn cause(&self) -> Option<&String> {
        match self {
            Self::PermissionDenied { cause }
            | Self::DeviceNotFound { cause }
            | Self::NoDeviceFits { cause }
            | Self::DeviceInUse { cause }
            | Self::DeviceError { cause }
            | Self::NoIceServers { cause }
            | Self::Failed { cause, .. } => Some(cause),
            Self::PermissionTimeout
            | Self::NotSupported
            | Self::NotSent { .. }
            | Self::Closed
            | Self::NotConnected
            | Self::PathLost => None,
        }
    }

    /// Whether it is the peer connection's, and not the devices'.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::NoIceServers { .. }
                | Self::Failed { .. }
                | Self::Closed
                | Self::NotConnected
                | Self::PathLost
        )
    }
}

/// A step of the negotiation that the browser may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// `new RTCPeerConnection()`.
    Open,
    /// Adding tracks, or `createOffer()`.
    Offer,
    /// Adding tracks, or `createAnswer()`.
    Answer,
    /// `setLocalDescription()`.
    ApplyLocal,
    /// `setRemoteDescription()`.
    ApplyRemote,
    /// Anything else.
    Other,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "make a peer connection",
            Self::Offer => "make an offer",
            Self::Answer => "make an answer",
            Self::ApplyLocal => "apply its own description",
            Self::ApplyRemote => "apply the other side's description",
            Self::Other => "make the media connection",
        })
    }
}
