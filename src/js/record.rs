//! The page's listeners of one object, and the object's record for the loader's guard.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;

use super::{put, values};
use crate::browser::console;
use crate::browser::registry::{Held, hold};
use crate::table::Field;

pub(super) struct Record {
    /// The page's object, or `undefined`.
    events: JsValue,
    /// `{ events, peer, transfers }`, by which the guard tells the page of a breakdown.
    record: Object,
    _held: Held,
}

impl Record {
    /// `transfers` are the page's objects for the transfers under way.
    pub(super) fn new(events: JsValue, transfers: &JsValue) -> Self {
        let record = Object::new();
        put(&record, "events", &events);
        put(&record, "peer", &JsValue::UNDEFINED);
        put(&record, "transfers", transfers);
        let _held = hold(&record, "call");
        Self { events, record, _held }
    }

    /// Sets the peer.
    pub(super) fn note_peer(&self, peer: Option<String>) {
        put(&self.record, "peer", &peer.map_or(JsValue::UNDEFINED, Into::into));
    }

    /// Calls a listener as a method of the page's object. The page may replace it at any time, so
    /// it is looked up here.
    pub(super) fn fire(&self, listener: &Field, values: &Array) {
        if !self.events.is_object() {
            return;
        }
        let fired = Reflect::get(&self.events, &listener.name.into()).and_then(|found| {
            let Some(function) = values::function(&found) else { return Ok(JsValue::UNDEFINED) };
            Reflect::apply(&function, &self.events, values)
        });
        if let Err(thrown) = fired {
            console::report(listener.name, &thrown);
        }
    }
}

/// The argument of `onSlowLink`.
pub(super) fn slow_link(media: &str, is_uplink: bool, lost: u64) -> Object {
    let info = Object::new();
    put(&info, "media", &media.into());
    put(&info, "uplink", &is_uplink.into());
    put(&info, "lost", &(lost as f64).into());
    info
}
