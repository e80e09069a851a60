//! An echo test: the gateway sends everything back.

use std::rc::Rc;
use std::time::Duration;

use web_sys::MediaStream;

use super::handle::Handle;
use super::pending::Pending;
use super::video_rtc::Session;
use crate::browser::echo_test as page;
use crate::browser::options::{EchoSetup, Elements, StreamOptions};
use crate::client::UseCaseId;
use crate::usecase::Reply;
use crate::usecase::echo_test::{self, Report};

/// The options of an echo test.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct EchoOptions(EchoSetup);

impl EchoOptions {
    /// The defaults: audio and video, no elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// The media to send, and their devices. Without audio and video, only data is tested.
    pub fn stream(mut self, stream: StreamOptions) -> Self {
        self.0.config.sends_media = stream.audio || stream.video;
        self.0.stream = stream;
        self
    }

    /// The elements that show the videos. Default: none; the events carry the streams.
    pub fn elements(mut self, elements: Elements) -> Self {
        self.0.elements = elements;
        self
    }

    /// Shown to the gateway's administrator as the `opaque_id`, in place of the connection's own
    /// account.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.0.config.account = Some(account.into());
        self
    }

    /// The time limit for the media to come back, once the devices are open, and for a lost
    /// connection to be restored. Default 30 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.0.config.connect_timeout = limit;
        self
    }

    pub(super) fn into_setup(self) -> EchoSetup {
        self.0
    }
}

/// An echo test object: one test at a time. Clones are the same object. Dropping the last one
/// closes it.
///
/// A command is under way when its method returns, whether or not the future is awaited.
///
/// ```no_run
/// # async fn example(usecases: videortc::UseCases) -> Result<(), videortc::Error> {
/// use videortc::EchoOptions;
///
/// let (test, _events) = usecases.echo_test(EchoOptions::new()).await?; test.start().await?;
/// gloo_timers::future::TimeoutFuture::new(5000).await; let report = test.stop().await?;
/// assert_eq!(report.data.changed, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EchoTest(Rc<Handle<echo_test::EchoTest>>);

impl EchoTest {
    pub(super) fn new(session: Rc<Session>, id: UseCaseId) -> Self {
        Self(Handle::new(session, id))
    }

    /// Dropping does not close the object any more.
    #[cfg(feature = "js")]
    pub(crate) fn keep_alive(&self) {
        self.0.keep_alive();
    }

    fn page(&self) -> Option<Rc<page::EchoTest>> {
        self.0.session().driver().echo_test(self.0.id())
    }

    /// The stream of this side, while a test has its devices open.
    pub fn local_stream(&self) -> Option<MediaStream> {
        self.page()?.media.local_stream()
    }

    /// The stream that comes back, during a test.
    pub fn remote_stream(&self) -> Option<MediaStream> {
        self.page()?.media.remote_stream()
    }

    /// Opens the devices and sends to the gateway. Ready when the first packet of one's own media
    /// is back.
    pub fn start(&self) -> Pending<()> {
        Pending::new(Ok(self.0.command(|test, command, now| test.start(command, now))), drop)
    }

    /// Ends the test. Returns its report.
    pub fn stop(&self) -> Pending<Report> {
        let ended = self.0.command(|test, command, now| test.stop(command, now));
        Pending::new(Ok(ended), |reply| match reply {
            Reply::EchoTest(report) => *report,
            _ => Report::default(),
        })
    }

    /// Ends the test and closes the object. Idempotent.
    pub fn close(&self) -> Pending<()> {
        Pending::new(Ok(self.0.close()), drop)
    }
}
