//! The checked options of connections and calls: gateway, ICE servers, devices, elements.

use std::fmt;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::Array;
use web_sys::{Element, HtmlVideoElement, RtcBundlePolicy, RtcIceTransportPolicy};

use super::console::Console;
use crate::config::GatewayConfig;
use crate::usecase::echo_test::EchoConfig;
use crate::usecase::video_call::CallConfig;

/// Supplies a credential on request. The error is a message.
pub type Source<T> = Rc<dyn Fn() -> LocalBoxFuture<'static, Result<T, String>>>;

/// The options of a connection.
pub(crate) struct Setup {
    pub(crate) gateway: GatewayConfig,
    pub(crate) console: Console,
    /// The source of the token, if the token may expire.
    pub(crate) token: Option<Source<String>>,
    pub(crate) ice_servers: IceServers,
    pub(crate) ice_transport_policy: Option<RtcIceTransportPolicy>,
    /// Default `max-bundle`: the gateway always bundles (RFC 9143), and the browser gathers
    /// candidates for one transport only.
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
    /// The same servers for every peer connection.
    Fixed(Array),
    /// Requested before each peer connection and before each ICE restart.
    Asked(Source<Array>),
}

/// The options of a call object.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSetup {
    pub(crate) config: CallConfig,
    pub(crate) stream: StreamOptions,
    pub(crate) elements: Elements,
}

/// The options of an echo test, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct EchoSetup {
    pub(crate) config: EchoConfig,
    pub(crate) stream: StreamOptions,
    pub(crate) elements: Elements,
}

/// The media that a call or test sends, and their devices.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Open and send a microphone. Default true.
    pub audio: bool,
    /// Open and send a camera. Default true.
    pub video: bool,
    /// The `deviceId` of the required microphone. Default: the browser's choice.
    pub audio_device: Option<String>,
    /// The `deviceId` of the required camera. Default: the browser's choice.
    pub video_device: Option<String>,
    /// The ideal width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// The ideal frame rate in frames per second.
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

/// The elements that show the videos: a container for created elements, or elements of the page.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    /// The container. A `<video>` is appended for each stream without an element of its own, and
    /// removed when the call ends.
    pub videos: Option<Element>,
    /// The element for the local video. It is muted.
    pub local: Option<HtmlVideoElement>,
    /// The element for the remote video.
    pub remote: Option<HtmlVideoElement>,
}

/// A kind of devices.
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
    /// Hides the content, which includes credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IceServers(…)")
    }
}
