//! Listeners and tasks as owned values: dropping one takes it back.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{Event, EventTarget, MessageChannel};

/// A listener, which is removed when this is dropped.
pub(crate) struct Listener {
    target: EventTarget,
    event: &'static str,
    // `Fn`: an event that is dispatched inside its own listener would be refused otherwise.
    closure: Closure<dyn Fn(Event)>,
}

impl Listener {
    /// Listens. A target that refuses, as an object of the page's might, is never heard.
    pub(crate) fn new(
        target: &EventTarget,
        event: &'static str,
        act: impl Fn(Event) + 'static,
    ) -> Self {
        let closure = Closure::new(act);
        let _ = target.add_event_listener_with_callback(event, function(&closure));
        Self { target: target.clone(), event, closure }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let function = function(&self.closure);
        let _ = self.target.remove_event_listener_with_callback(self.event, function);
    }
}

fn function(closure: &Closure<dyn Fn(Event)>) -> &js_sys::Function {
    closure.as_ref().unchecked_ref()
}

/// Does something in a task of its own, soon. It comes by a message: timers stand still in a background tab.
/// Not done at all if this is dropped before.
pub(crate) struct Soon {
    channel: MessageChannel,
    _listener: Listener,
}

impl Soon {
    pub(crate) fn new(act: impl FnOnce() + 'static) -> Result<Self, JsValue> {
        let channel = MessageChannel::new()?;
        let act = Rc::new(RefCell::new(Some(act)));
        let listener = Listener::new(&channel.port1(), "message", move |_| {
            let act = act.borrow_mut().take();
            if let Some(act) = act {
                act();
            }
        });
        channel.port1().start();
        channel.port2().post_message(&JsValue::NULL)?;
        Ok(Self { channel, _listener: listener })
    }
}

impl Drop for Soon {
    fn drop(&mut self) {
        self.channel.port1().close();
    }
}
