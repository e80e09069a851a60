//! What a connection and a call are made with, checked: gateway, ICE servers, devices, elements.

use std::fmt;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::Array;
use web_sys::{Element, HtmlVideoElement, RtcBundlePolicy, RtcIceTransportPolicy};

use super::console::Console;
use crate::config::GatewayConfig;
use crate::usecase::echo_test::EchoConfig;
use crate::usecase::video_call::CallConfig;

/// Gives a credential each time it is asked, or says in words what went wrong.
pub type Source<T> = Rc<dyn Fn() -> LocalBoxFuture<'static, Result<T, String>>>;

/// What a connection is made with.
pub(crate) struct Setup {
    pub(crate) gateway: GatewayConfig,
    pub(crate) console: Console,
    /// Asked for the token, where that may expire.
    pub(crate) token: Option<Source<String>>,
    pub(crate) ice_servers: IceServers,
    pub(crate) ice_transport_policy: Option<RtcIceTransportPolicy>,
    /// Default `max-bundle`: the gateway bundles always (RFC 9143), and there is one transport less
    /// to gather for.
    pub(crate) bundle_policy: RtcBundlePolicy,
    /// Whether cookies go to a gateway of another origin.
    pub(crate) with_credentials: bool,
}

impl Setup {
    /// The defaults, for this gateway.
    pub(crate) fn new(gateway: GatewayConfig) -> Self {
        Self {
            gateway,
            console: Console::default(),
            token: None,
            ice_servers: IceServers::Fixed(Array::new()),
            ice_transport_policy: None,
            bundle_policy: RtcBundlePolicy::MaxBundle,
            with_credentials: false,
        }
    }
}

/// STUN and TURN servers, as an array of `RTCIceServer` (W3C WebRTC, section 4.2.2).
#[derive(Clone)]
pub(crate) enum IceServers {
    /// The same for every peer connection.
    Fixed(Array),
    /// Asked for before each peer connection, and before an ICE restart.
    Asked(Source<Array>),
}

/// What a call is made with.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSetup {
    pub(crate) config: CallConfig,
    pub(crate) stream: StreamOptions,
    pub(crate) elements: Elements,
}

/// What an echo test is made with.
#[derive(Clone, Debug, Default)]
pub(crate) struct EchoSetup {
    pub(crate) config: EchoConfig,
    pub(crate) stream: StreamOptions,
    pub(crate) elements: Elements,
}

/// What a call sends, and from which devices.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Open and send a microphone. Default true.
    pub audio: bool,
    /// Open and send a camera. Default true.
    pub video: bool,
    /// This microphone and no other, by its `deviceId`. Default: the browser's choice.
    pub audio_device: Option<String>,
    /// This camera and no other, by its `deviceId`. Default: the browser's choice.
    pub video_device: Option<String>,
    /// Width and height in pixels, as a wish.
    pub resolution: Option<(u32, u32)>,
    /// Frames per second, as a wish.
    pub frame_rate: Option<f64>,
    /// Echo cancellation, noise suppression and automatic gain. Default true.
    pub voice_processor: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            audio: true,
            video: true,
            audio_device: None,
            video_device: None,
            resolution: None,
            frame_rate: None,
            voice_processor: true,
        }
    }
}

/// Where the video goes: a container for elements made here, or elements of the page.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    /// A `<video>` is appended for each stream without an element of its own, and removed when the
    /// call ends.
    pub videos: Option<Element>,
    /// For this side's video; it is muted.
    pub local: Option<HtmlVideoElement>,
    /// For the other side's video.
    pub remote: Option<HtmlVideoElement>,
}

/// Which devices to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// Microphones.
    AudioInput,
    /// Cameras.
    VideoInput,
    /// Speakers.
    AudioOutput,
}

impl fmt::Debug for IceServers {
    /// Hides what is in them: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IceServers(…)")
    }
}
