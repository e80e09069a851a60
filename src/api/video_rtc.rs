//! A connection to a gateway: one session and its use cases.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;
use web_sys::{MediaDeviceInfo, RtcIceTransportPolicy};

use super::echo_test::{EchoOptions, EchoTest};
use super::events::Events;
use super::video_call::{CallOptions, VideoCall};
use crate::browser::console::Console;
use crate::browser::driver::Driver;
use crate::browser::echo_test::OnEvent as OnEchoEvent;
use crate::browser::event::{CallEvent, EchoEvent};
use crate::browser::options::{CallSetup, DeviceKind, EchoSetup, IceServers, Setup, Source};
use crate::browser::video_call::OnEvent;
use crate::browser::{devices, environment};
use crate::config::{GatewayConfig, Secret, ServerUrl, Token};
use crate::error::Error;
use crate::log::Level;

/// A connection to a Janus gateway. Clones share one connection. It ends when the last clone, use
/// case and call of it is dropped.
///
/// ```no_run
/// # async fn example() -> Result<(), videortc::Error> {
/// use futures::StreamExt;
/// use videortc::{CallEvent, CallOptions, VideoRtc};
///
/// let app = VideoRtc::new("https://example.com/janus")?;
/// let usecases = app.connect().await?;
/// let (call, mut events) = usecases.video_call(CallOptions::new()).await?;
/// call.register(Some("Tom")).await?;
/// while let Some(event) = events.next().await {
///     if let CallEvent::IncomingCall(_) = event {
///         call.accept().await?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VideoRtc(Rc<Session>);

/// The session at the gateway. Ended on drop.
pub(crate) struct Session {
    driver: Rc<Driver>,
    is_kept: Cell<bool>,
}

impl Session {
    pub(crate) fn driver(&self) -> &Rc<Driver> {
        &self.driver
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_kept.get() {
            drop(self.driver.command(|client, command, now| client.disconnect(command, now)));
        }
    }
}

impl VideoRtc {
    /// Creates a connection with default settings. Open it with [`Self::connect`].
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if `server` is not a gateway address.
    pub fn new(server: &str) -> Result<Self, Error> {
        Self::builder(server).build()
    }

    /// Creates a connection with other settings.
    pub fn builder(server: &str) -> Builder {
        Builder::new(server)
    }

    pub(crate) fn with_setup(setup: Setup) -> Self {
        Self(Rc::new(Session { driver: Driver::new(setup), is_kept: Cell::new(false) }))
    }

    /// Disables the end of the session on drop.
    #[cfg(feature = "js")]
    pub(crate) fn keep_alive(&self) {
        self.0.is_kept.set(true);
    }

    /// Creates a session on the first server that answers. While connected, returns the same use
    /// cases at once.
    pub fn connect(&self) -> impl Future<Output = Result<UseCases, Error>> + use<> {
        let ended = environment::check()
            .map(|()| self.0.driver.command(|client, command, now| client.connect(command, now)));
        let session = self.0.clone();
        async move {
            ended?.await.unwrap_or(Err(Error::Dropped))?;
            Ok(UseCases(session))
        }
    }

    /// Ends calls, frees names and devices, and stops polling. Takes at most 5 s, whatever the
    /// gateway does. Idempotent; [`Self::connect`] works again afterwards.
    pub fn disconnect(&self) -> impl Future<Output = ()> + use<> {
        let ended = self.0.driver.command(|client, command, now| client.disconnect(command, now));
        async move {
            // Disconnecting succeeds, whatever the gateway answers.
            let _ = ended.await;
        }
    }

    /// Lists cameras, microphones and speakers, of one kind or all. Without a permission, browsers
    /// leave labels and ids empty: `with_labels` opens the devices briefly first, which may prompt
    /// the user.
    pub async fn devices(
        kind: Option<DeviceKind>,
        with_labels: bool,
    ) -> Result<Vec<MediaDeviceInfo>, Error> {
        Ok(devices::list(kind, with_labels).await?)
    }

    /// Whether this browser and this page can make video calls.
    pub fn is_supported() -> bool {
        environment::check().is_ok() && devices::are_available()
    }
}

/// The use cases of a session.
#[derive(Clone)]
pub struct UseCases(Rc<Session>);

impl UseCases {
    /// Attaches to the gateway's video call plugin. Opens no device: devices open when a call
    /// starts or is accepted, and close when it ends.
    pub fn video_call(
        &self,
        options: CallOptions,
    ) -> impl Future<Output = Result<(VideoCall, Events), Error>> + use<> {
        let (events, on_event) = Events::new();
        let attaching = self.video_call_with(options, on_event);
        async move { Ok((attaching.await?, events)) }
    }

    /// As [`Self::video_call`], with a callback for the events. It is called synchronously, before
    /// the future of the command that caused the event is ready. It may call any method.
    ///
    /// The callback must not own a `VideoCall`, `UseCases` or `VideoRtc`, only weak references: it
    /// lives as long as the call object, which would then never be dropped. It may also be called
    /// while the last clone is being dropped.
    pub fn video_call_with<F: Fn(CallEvent) + 'static>(
        &self,
        options: CallOptions,
        on_event: F,
    ) -> impl Future<Output = Result<VideoCall, Error>> + use<F> {
        self.attach(options.into_setup(), Rc::new(on_event))
    }

    pub(crate) fn attach(
        &self,
        setup: CallSetup,
        on_event: OnEvent,
    ) -> impl Future<Output = Result<VideoCall, Error>> + use<> {
        let session = self.0.clone();
        // Created as soon as it is attached: if the future was dropped, the object is dropped too,
        // and so closed.
        let made = move |id| VideoCall::new(session, id);
        let ended = self.0.driver.attach_video_call(setup, on_event, made);
        async move { ended.await.unwrap_or(Err(Error::Dropped)) }
    }

    /// Attaches to the gateway's echo test plugin. Opens no device before [`EchoTest::start`].
    pub fn echo_test(
        &self,
        options: EchoOptions,
    ) -> impl Future<Output = Result<(EchoTest, Events<EchoEvent>), Error>> + use<> {
        let (events, on_event) = Events::new();
        let attaching = self.attach_echo_test(options.into_setup(), Rc::new(on_event));
        async move { Ok((attaching.await?, events)) }
    }

    pub(crate) fn attach_echo_test(
        &self,
        setup: EchoSetup,
        on_event: OnEchoEvent,
    ) -> impl Future<Output = Result<EchoTest, Error>> + use<> {
        let session = self.0.clone();
        let made = move |id| EchoTest::new(session, id);
        let ended = self.0.driver.attach_echo_test(setup, on_event, made);
        async move { ended.await.unwrap_or(Err(Error::Dropped)) }
    }
}

/// The settings of a connection.
#[must_use]
pub struct Builder {
    servers: Vec<String>,
    ice_servers: Array,
    setup: Setup,
}

impl Builder {
    fn new(server: &str) -> Self {
        Self {
            servers: vec![server.to_owned()],
            ice_servers: Array::new(),
            setup: Setup::new(GatewayConfig::new(Vec::new())),
        }
    }

    /// Adds a server to try if the ones before it do not answer.
    pub fn server(mut self, fallback: &str) -> Self {
        self.servers.push(fallback.to_owned());
        self
    }

    /// Adds a STUN server, such as `stun:stun.example.com`.
    pub fn stun_server(self, url: &str) -> Self {
        self.ice_server(&[("urls", url)])
    }

    /// Adds a TURN server, such as `turn:turn.example.com`.
    pub fn turn_server(self, url: &str, user_name: &str, credential: &str) -> Self {
        self.ice_server(&[("urls", url), ("username", user_name), ("credential", credential)])
    }

    fn ice_server(self, fields: &[(&str, &str)]) -> Self {
        let server = Object::new();
        for (key, value) in fields {
            let _ = Reflect::set(&server, &JsValue::from_str(key), &JsValue::from_str(value));
        }
        self.ice_servers.push(&server);
        self
    }

    /// Requests the ICE servers, as an array of `RTCIceServer`, before each peer connection and
    /// each ICE restart.
    pub fn ice_servers_from(mut self, source: Source<Array>) -> Self {
        self.setup.ice_servers = IceServers::Asked(source);
        self
    }

    /// Uses relayed candidates only, which hides the page's addresses from the gateway. Needs a
    /// TURN server.
    pub fn relay_only(mut self) -> Self {
        self.setup.ice_transport_policy = Some(RtcIceTransportPolicy::Relay);
        self
    }

    /// Janus' `apisecret`, sent with every request.
    pub fn api_secret(mut self, secret: impl Into<String>) -> Self {
        self.setup.gateway.api_secret = Some(Secret::new(secret));
        self
    }

    /// Janus' `token`, sent with every request.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.setup.gateway.token = Token::Fixed(Secret::new(token));
        self
    }

    /// Requests the token when connecting, and again when the gateway rejects it.
    pub fn token_from(mut self, source: Source<String>) -> Self {
        self.setup.gateway.token = Token::Asked;
        self.setup.token = Some(source);
        self
    }

    /// Shown to the gateway's administrator as the `opaque_id` of every handle.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.setup.gateway.account = Some(account.into());
        self
    }

    /// How long a request may take until its final answer. Default 10 s.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.setup.gateway.request_timeout = limit;
        self
    }

    /// How long to retry an unreachable gateway before the session counts as lost. Default 120 s.
    pub fn retry_limit(mut self, limit: Duration) -> Self {
        self.setup.gateway.retry_limit = limit;
        self
    }

    /// The level of the console output; `None` for no output. Default: errors.
    pub fn log_level(mut self, level: Option<Level>) -> Self {
        self.setup.console = Console::new(level);
        self
    }

    /// Sends cookies to a gateway of another origin too.
    pub fn with_credentials(mut self) -> Self {
        self.setup.with_credentials = true;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, with the value and the reason.
    pub fn build(self) -> Result<VideoRtc, Error> {
        let Self { servers, ice_servers, mut setup } = self;
        let servers: Result<_, Error> = servers.iter().map(|url| ServerUrl::parse(url)).collect();
        setup.gateway.servers = servers?;
        if let IceServers::Fixed(fixed) = &mut setup.ice_servers {
            *fixed = ice_servers;
        }
        Ok(VideoRtc::with_setup(setup))
    }
}
