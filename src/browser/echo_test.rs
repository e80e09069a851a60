//! The page's side of one echo test object: its media, and its events in the types of the API.

use std::rc::Rc;

use web_sys::MediaStream;

use super::driver::Driver;
use super::event::EchoEvent;
use super::media::Media;
use super::options::EchoSetup;
use crate::client::UseCaseId;
use crate::usecase::echo_test::Event;

/// Receives the events of a test.
pub(crate) type OnEvent = Rc<dyn Fn(EchoEvent)>;

pub(crate) struct EchoTest {
    pub(crate) media: Rc<Media>,
    on_event: OnEvent,
}

impl EchoTest {
    pub(crate) fn new(
        id: UseCaseId,
        driver: &Rc<Driver>,
        setup: EchoSetup,
        on_event: OnEvent,
    ) -> Rc<Self> {
        let EchoSetup { stream, elements, .. } = setup;
        let sink = on_event.clone();
        let on_local = Box::new(move |stream: &MediaStream| {
            sink(EchoEvent::LocalStream(Clone::clone(stream)));
        });
        let media = Media::new(id, driver, (stream, true), elements, on_local);
        Rc::new(Self { media, on_event })
    }

    pub(crate) fn handle_event(&self, event: Event) {
        (self.on_event)(match event {
            Event::RemoteMedia => {
                let Some(stream) = self.media.remote_stream() else { return };
                EchoEvent::RemoteStream(stream)
            }
            Event::SlowLink { media, uplink, lost } => {
                EchoEvent::SlowLink { media, is_uplink: uplink, lost }
            }
            Event::Error(error) => EchoEvent::Error(error),
        });
    }
}
