//! Listeners and tasks as owned values: dropping one removes it.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{Event, EventTarget, MessageChannel};

/// An event listener. Removed on drop.
pub(crate) struct Listener {
    target: EventTarget,
    event: &'static str,
    // `Fn`, since an event may be dispatched inside its own listener.
    closure: Closure<dyn Fn(Event)>,
}

impl Listener {
    /// Adds a listener. Does nothing if the target, which may be an object of the page, throws.
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

/// Runs a function soon, in a task of its own. Uses a message, since browsers throttle timers in
/// background tabs. Dropping it before cancels it.
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
