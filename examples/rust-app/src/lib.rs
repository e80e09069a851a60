//! A web app in Rust: one name, one call at a time. Open it in two tabs and call from one to the
//! other.
//!
//! The page's query is the gateway's address, such as `?https://example.com/janus`. Without a query,
//! it is `/janus` on the page's own origin.

#![cfg(target_family = "wasm")]

use futures::StreamExt;
use videortc::{CallEvent, CallOptions, Elements, Error, Events, VideoCall, VideoRtc};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, Element, Event, HtmlElement, HtmlInputElement};

#[cfg(feature = "own-allocator")]
#[global_allocator]
static ALLOCATOR: std::alloc::System = std::alloc::System;

#[wasm_bindgen(start)]
fn start() {
    let Some(page) = Page::find() else { return };
    spawn_local(async move {
        if let Err(error) = run(&page).await {
            page.say(&error.to_string());
        }
    });
}

async fn run(page: &Page) -> Result<(), Error> {
    let app = VideoRtc::new(&page.gateway)?;
    let usecases = app.connect().await?;
    let elements = Elements { videos: Some(page.videos.clone()), ..Elements::default() };
    let (call, events) = usecases.video_call(CallOptions::new().elements(elements)).await?;
    let name = call.register(None).await?;
    page.say(&format!("You are {name}."));
    let _listeners = page.listen(&call);
    page.follow(&call, events, &name).await;
    Ok(())
}

/// The elements of `index.html`.
#[derive(Clone)]
struct Page {
    gateway: String,
    status: Element,
    form: Element,
    peer: HtmlInputElement,
    hang_up: HtmlElement,
    videos: Element,
}

impl Page {
    fn find() -> Option<Self> {
        let window = web_sys::window()?;
        let document = window.document()?;
        let location = window.location();
        let gateway = match location.search().ok()?.strip_prefix('?') {
            Some(address) => address.to_owned(),
            None => format!("{}/janus", location.origin().ok()?),
        };
        Some(Self {
            gateway,
            status: find(&document, "[role=status]")?,
            form: find(&document, "form")?,
            peer: find(&document, "input")?.unchecked_into(),
            hang_up: find(&document, "#hang-up")?.unchecked_into(),
            videos: find(&document, "#videos")?,
        })
    }

    fn say(&self, text: &str) {
        self.status.set_text_content(Some(text));
    }

    /// Handles the form and the button. The listeners live as long as the returned closures.
    fn listen(&self, call: &VideoCall) -> [Closure<dyn Fn(Event)>; 2] {
        let (page, caller) = (self.clone(), call.clone());
        let submit = Closure::<dyn Fn(Event)>::new(move |event: Event| {
            event.prevent_default();
            let calling = caller.call(Some(&page.peer.value()));
            let page = page.clone();
            spawn_local(async move {
                if let Err(error) = calling.await {
                    page.say(&error.to_string());
                }
            });
        });
        let call = call.clone();
        let hang_up = Closure::<dyn Fn(Event)>::new(move |_| drop(call.hang_up(None)));
        for (element, event, closure) in
            [(&self.form, "submit", &submit), (self.hang_up.as_ref(), "click", &hang_up)]
        {
            let function = closure.as_ref().unchecked_ref();
            let _ = element.add_event_listener_with_callback(event, function);
        }
        [submit, hang_up]
    }

    /// Shows the events, and accepts every call.
    async fn follow(&self, call: &VideoCall, mut events: Events, name: &str) {
        while let Some(event) = events.next().await {
            let text = match event {
                CallEvent::IncomingCall(peer) => {
                    drop(call.accept());
                    format!("{peer} calls.")
                }
                CallEvent::Calling(peer) => format!("Calling {peer}…"),
                CallEvent::Accepted(peer) => format!("You are talking to {peer}."),
                CallEvent::HangUp { peer, reason } => {
                    format!("You are {name}. The call with {peer} is over: {reason}.")
                }
                CallEvent::Error(error) => error.to_string(),
                _ => continue,
            };
            self.hang_up.set_hidden(call.peer().is_none());
            self.say(&text);
        }
    }
}

fn find(document: &Document, selector: &str) -> Option<Element> {
    document.query_selector(selector).ok()?
}
