//! The class of an echo test.

use std::rc::Rc;
use std::time::Duration;

use js_sys::{Array, Object, Promise};
use wasm_bindgen::prelude::*;

use super::record::{Record, slow_link};
use super::{ToPage, promise, put, to_error};
use crate::api::{
    self, CandidatePair, DataReport, EchoEvent, EchoReport, MediaDirection, MediaReport,
};
use crate::table::echo_events;

/// The action object of one echo test.
#[wasm_bindgen]
pub struct EchoTest {
    test: api::EchoTest,
}

impl EchoTest {
    pub(super) fn new(test: api::EchoTest) -> Self {
        Self { test }
    }
}

#[wasm_bindgen]
impl EchoTest {
    /// Opens the devices and sends to the gateway. Resolves when the media is back.
    pub fn start(&self) -> Promise {
        promise(Ok(self.test.start()))
    }

    /// Ends the test. Resolves with its report.
    pub fn stop(&self) -> Promise {
        promise(Ok(self.test.stop()))
    }

    /// Ends the test and detaches. Idempotent.
    #[wasm_bindgen(js_name = closeUsecase)]
    pub fn close_usecase(&self) -> Promise {
        let closing = self.test.close();
        promise(Ok(async move {
            // An error means that the object was closed meanwhile.
            let _ = closing.await;
            Ok(())
        }))
    }
}

/// The function that passes the events of a test on to the page's listeners.
pub(super) fn listener(on_events: JsValue) -> Rc<dyn Fn(EchoEvent)> {
    let record = Record::new(on_events, &Array::new());
    Rc::new(move |event| {
        let (listener, value) = match event {
            EchoEvent::LocalStream(stream) => (echo_events::READY_LOCAL_STREAM, stream.into()),
            EchoEvent::RemoteStream(stream) => (echo_events::REMOTE_STREAM_READY, stream.into()),
            EchoEvent::SlowLink { media, is_uplink, lost } => {
                (echo_events::SLOW_LINK, slow_link(&media, is_uplink, lost).into())
            }
            EchoEvent::Error(error) => (echo_events::ERROR, to_error(&error)),
        };
        record.fire(&listener, &Array::of1(&value));
    })
}

impl ToPage for EchoReport {
    /// Durations are in milliseconds. Unknown values are absent.
    fn to_page(self) -> JsValue {
        let Self { duration, pair, data, audio, video } = self;
        let object = Object::new();
        put(&object, "duration", &millis(duration));
        if let Some(pair) = pair {
            put(&object, "network", &network(&pair));
        }
        put(&object, "data", &data_report(&data));
        for (key, media) in [("audio", audio), ("video", video)] {
            if media.sent.is_some() || media.received.is_some() {
                put(&object, key, &media_report(&media));
            }
        }
        object.into()
    }
}

fn network(pair: &CandidatePair) -> Object {
    let object = Object::new();
    let texts = [
        ("localCandidate", &pair.local_type),
        ("remoteCandidate", &pair.remote_type),
        ("protocol", &pair.protocol),
    ];
    for (key, text) in texts {
        put(&object, key, &text.into());
    }
    put_millis(&object, "roundTrip", pair.round_trip);
    object
}

fn data_report(data: &DataReport) -> Object {
    let object = Object::new();
    let counts = [("sent", data.sent), ("returned", data.returned), ("changed", data.changed)];
    for (key, count) in counts {
        put(&object, key, &count.into());
    }
    put_millis(&object, "roundTrip", data.round_trip);
    put_millis(&object, "shortest", data.shortest);
    put_millis(&object, "longest", data.longest);
    object
}

fn media_report(media: &MediaReport) -> Object {
    let object = Object::new();
    for (key, direction) in [("sent", media.sent), ("received", media.received)] {
        if let Some(direction) = direction {
            put(&object, key, &direction_report(&direction));
        }
    }
    object
}

fn direction_report(direction: &MediaDirection) -> Object {
    let object = Object::new();
    put(&object, "bitrate", &(direction.bitrate as f64).into());
    put(&object, "packets", &(direction.packets as f64).into());
    if let Some(loss) = direction.loss {
        put(&object, "loss", &loss.into());
    }
    put_millis(&object, "jitter", direction.jitter);
    object
}

fn put_millis(object: &Object, key: &str, duration: Option<Duration>) {
    if let Some(duration) = duration {
        put(object, key, &millis(duration));
    }
}

fn millis(duration: Duration) -> JsValue {
    // In whole microseconds: no digits that only the conversion makes.
    (duration.as_micros() as f64 / 1000.0).into()
}
