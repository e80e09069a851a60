//! Whether the page is seen, stays, and has a network: what the browser says of it while there is a session.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{ConnectionType, EventTarget, NetworkInformation, PageTransitionEvent};

use super::listener::Listener;

/// What became of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageEvent {
    /// There is a network again, or another one.
    Online,
    /// It is seen again: timers may have slept.
    Visible,
    /// It is being left, and may come back.
    Hide,
    /// It came back from the back/forward cache.
    Show,
}

/// Listens until it is dropped.
pub(crate) struct PageLifecycle {
    _listeners: Vec<Listener>,
}

impl PageLifecycle {
    pub(crate) fn new(tell: Rc<dyn Fn(PageEvent)>) -> Option<Self> {
        let window = web_sys::window()?;
        let document = window.document()?;
        let on = |target: &EventTarget, event: &'static str, told: PageEvent| {
            let tell = tell.clone();
            Listener::new(target, event, move |_| tell(told))
        };
        let mut listeners = vec![
            on(&window, "online", PageEvent::Online),
            on(&window, "pagehide", PageEvent::Hide),
        ];
        let (told, seen) = (tell.clone(), document.clone());
        listeners.push(Listener::new(&document, "visibilitychange", move |_| {
            if !seen.hidden() {
                told(PageEvent::Visible);
            }
        }));
        let told = tell.clone();
        listeners.push(Listener::new(&window, "pageshow", move |event| {
            if event.unchecked_into::<PageTransitionEvent>().persisted() {
                told(PageEvent::Show);
            }
        }));
        // Not in Firefox on a desktop, and not in Safari. Chromium on a desktop does not tell the type: there only
        // `online` says that the network is another one.
        if let Ok(network) = window.navigator().connection()
            && network.is_object()
        {
            listeners.push(hear_network(network, tell));
        }
        Some(Self { _listeners: listeners })
    }
}

/// The event also comes whenever the browser's *estimate* of the speed moves: only another type is another
/// network (Network Information API, section 6).
fn hear_network(network: NetworkInformation, tell: Rc<dyn Fn(PageEvent)>) -> Listener {
    let before: Cell<ConnectionType> = Cell::new(network.type_());
    let target: EventTarget = network.clone().into();
    Listener::new(&target, "change", move |_| {
        let now = network.type_();
        if before.replace(now) != now && now != ConnectionType::None {
            tell(PageEvent::Online);
        }
    })
}
