//! An event listener that takes itself off when dropped.

use wasm_bindgen::prelude::*;
use web_sys::{Event, EventTarget};

/// A listener on a target, for as long as this value lives.
pub(super) struct Listener {
    target: EventTarget,
    name: &'static str,
    closure: Closure<dyn FnMut(Event)>,
}

impl Listener {
    pub(super) fn new(
        target: &EventTarget,
        name: &'static str,
        act: impl FnMut(Event) + 'static,
    ) -> Self {
        let closure = Closure::new(act);
        let function = closure.as_ref().unchecked_ref();
        // Fails only for a target that is none, and then there is nothing to hear.
        let _ = target.add_event_listener_with_callback(name, function);
        Self { target: target.clone(), name, closure }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let function = self.closure.as_ref().unchecked_ref();
        let _ = self.target.remove_event_listener_with_callback(self.name, function);
    }
}
