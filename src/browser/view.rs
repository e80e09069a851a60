//! The video elements: created here, or elements of the page.

use std::cell::RefCell;

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlVideoElement, MediaStream};

use super::console;
use super::options::Elements;
use super::registry::{Held, hold};
use super::throwing::{Player, throwing};

/// The CSS class of every shown video. `pkg-template/guard.js` removes the same class.
const CLASS: &str = "videortc-video";

/// The side that a video shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Local,
    Remote,
}

impl Side {
    fn class(self) -> &'static str {
        match self {
            Self::Local => "is-local-video",
            Self::Remote => "is-remote-video",
        }
    }
}

/// The videos of a call.
pub(crate) struct View {
    elements: Elements,
    local: RefCell<Option<Shown>>,
    remote: RefCell<Option<Shown>>,
}

/// A stream in an element. Removed on drop.
struct Shown {
    side: Side,
    element: HtmlVideoElement,
    /// Whether the element was created here and has to be removed.
    is_ours: bool,
    _held: Held,
}

impl View {
    pub(crate) fn new(elements: Elements) -> Self {
        Self { elements, local: RefCell::default(), remote: RefCell::default() }
    }

    /// Shows a stream. Does nothing if the page gave no element: it gets the stream by an event
    /// too.
    pub(crate) fn show(&self, side: Side, stream: &MediaStream) {
        if let Err(thrown) = self.try_show(side, stream) {
            console::report("the element for a video", &thrown);
        }
    }

    fn shown(&self, side: Side) -> &RefCell<Option<Shown>> {
        match side {
            Side::Local => &self.local,
            Side::Remote => &self.remote,
        }
    }

    fn try_show(&self, side: Side, stream: &MediaStream) -> Result<(), JsValue> {
        let shown = self.shown(side).borrow().as_ref().map(|shown| shown.element.clone());
        let element = match shown {
            Some(element) => element,
            None => match self.place(side)? {
                Some(element) => element,
                None => return Ok(()),
            },
        };
        if element.src_object().as_ref() != Some(stream) {
            element.set_src_object(Some(stream));
        }
        // Rejected while the autoplay policy forbids audio; `autoplay` starts it later.
        if let Ok(playing) = throwing::<Player>(&element).play()?.dyn_into::<Promise>() {
            spawn_local(async move {
                let _ = JsFuture::from(playing).await;
            });
        }
        Ok(())
    }

    /// The element for a stream; `None` if the page gave none.
    fn place(&self, side: Side) -> Result<Option<HtmlVideoElement>, JsValue> {
        let given = match side {
            Side::Local => &self.elements.local,
            Side::Remote => &self.elements.remote,
        };
        let (element, is_ours) = match given {
            Some(element) => (element.clone(), false),
            None => match self.make()? {
                Some(element) => (element, true),
                None => return Ok(None),
            },
        };
        let held = hold(&element, if is_ours { "remove" } else { "clear" });
        let shown = Shown { side, element: element.clone(), is_ours, _held: held };
        *self.shown(side).borrow_mut() = Some(shown);
        element.set_autoplay(true);
        element.set_muted(side == Side::Local);
        // By attribute, since browsers spell the property differently.
        element.set_attribute("playsinline", "")?;
        element.class_list().add_2(CLASS, side.class())?;
        Ok(Some(element))
    }

    fn make(&self) -> Result<Option<HtmlVideoElement>, JsValue> {
        let Some(videos) = &self.elements.videos else { return Ok(None) };
        let Some(document) = videos.owner_document() else { return Ok(None) };
        let element = document.create_element("video")?;
        videos.append_child(&element)?;
        Ok(Some(element.unchecked_into()))
    }

    /// Removes the videos and the created elements.
    pub(crate) fn clear(&self) {
        let shown = (self.local.take(), self.remote.take());
        drop(shown);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.element.set_src_object(None);
        if self.is_ours {
            self.element.remove();
        } else if let Err(thrown) = self.element.class_list().remove_2(CLASS, self.side.class()) {
            console::report("the element of a video", &thrown);
        }
    }
}
