//! The errors of devices and peer connections.

/// Why a description could not be made, or media does not flow.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The user, the browser or the devices.
    /// The user or the browser refused the devices.
    #[error("permission denied: {cause}")]
    PermissionDenied {
        /// The browser's message.
        cause: String,
    },
    /// The user did not answer the permission prompt in time.
    #[error("permission not granted in time")]
    PermissionTimeout,
    /// There is no camera or no microphone.
    #[error("device not found: {cause}")]
    DeviceNotFound {
        /// The browser's message.
        cause: String,
    },
    /// No camera or microphone fits the constraints.
    #[error("no device fits: {cause}")]
    NoDeviceFits {
        /// The browser's message.
        cause: String,
    },
    /// The devices could not be started.
    #[error("device in use: {cause}")]
    DeviceInUse {
        /// The browser's message.
        cause: String,
    },
    /// The devices failed in another way.
    #[error("device error: {cause}")]
    DeviceError {
        /// The browser's message.
        cause: String,
    },
    /// The browser has no `mediaDevices`, mostly since the page is not a secure context.
    #[error("no access to devices")]
    NotSupported,
    /// No track of this kind is sent, so it cannot be muted.
    #[error("no {kind} is sent")]
    NotSent {
        /// `"audio"` or `"video"`.
        kind: &'static str,
    },

    /// The page's function for the ICE servers failed.
    #[error("no ICE servers: {cause}")]
    NoIceServers {
        /// Its exception, or the fault of its value.
        cause: String,
    },

    // The peer connection.
    /// A step of the negotiation failed in the browser.
    #[error("could not {step}: {cause}")]
    Failed {
        /// The step.
        step: Step,
        /// The browser's message.
        cause: String,
    },
    /// The connection was closed while it, or its devices, were being opened.
    #[error("closed")]
    Closed,
    /// ICE or DTLS was not established, or is lost for good.
    #[error("no media connection")]
    NotConnected,
    /// The media path is lost, and is being restored.
    #[error("media connection lost")]
    PathLost,
}

impl Error {
    /// Maps an exception of `getUserMedia` or `enumerateDevices` by its name (W3C Media Capture and
    /// Streams, section 10.2.1).
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

    /// The browser's message, if there is one.
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

    /// Whether the peer connection failed, and not a device.
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
