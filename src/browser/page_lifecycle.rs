//! Events about the page during a session: visibility, navigation and network.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{ConnectionType, EventTarget, NetworkInformation, PageTransitionEvent};

use super::listener::Listener;

/// A change of the page's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageEvent {
    /// The network is back or has changed.
    Online,
    /// The page is visible again: timers may have been throttled.
    Visible,
    /// The page is being left and may come back.
    Hide,
    /// The page came back from the back/forward cache.
    Show,
}

/// Listens for page events until dropped.
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
        // Firefox on the desktop and Safari lack this interface. Chromium on the desktop does not
        // report the type, so only `online` reports a network change there.
        if let Ok(network) = window.navigator().connection()
            && network.is_object()
        {
            listeners.push(listen_to_network(network, tell));
        }
        Some(Self { _listeners: listeners })
    }
}

/// The event also fires when the browser's *estimate* of the speed changes. Only another type means
/// another network (Network Information API, section 6).
fn listen_to_network(network: NetworkInformation, tell: Rc<dyn Fn(PageEvent)>) -> Listener {
    let before: Cell<ConnectionType> = Cell::new(network.type_());
    let target: EventTarget = network.clone().into();
    Listener::new(&target, "change", move |_| {
        let now = network.type_();
        if before.replace(now) != now && now != ConnectionType::None {
            tell(PageEvent::Online);
        }
    })
}
