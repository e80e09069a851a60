//! The pictures: video elements in the page, put there by us or given by the page.

use std::cell::RefCell;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, HtmlVideoElement, MediaStream};

use super::object::{get, set};

/// Which of the two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picture {
    Local,
    Remote,
}

impl Picture {
    fn class(self) -> &'static str {
        match self {
            Self::Local => "is-local-video",
            Self::Remote => "is-remote-video",
        }
    }
}

const CLASS: &str = "videortc-video";

/// Where the pictures go.
#[derive(Default)]
pub(crate) struct View {
    /// Gets an element of ours for each picture that has none below.
    pub(crate) container: Option<Element>,
    pub(crate) local: Option<HtmlVideoElement>,
    pub(crate) remote: Option<HtmlVideoElement>,
    shown: RefCell<Vec<Shown>>,
}

struct Shown {
    picture: Picture,
    element: HtmlVideoElement,
    /// Made by us, and so to be taken out again.
    ours: bool,
}

impl View {
    pub(crate) fn new(
        container: Option<Element>,
        local: Option<HtmlVideoElement>,
        remote: Option<HtmlVideoElement>,
    ) -> Self {
        Self { container, local, remote, shown: RefCell::default() }
    }

    /// Shows a stream. A page that gave no place for it gets the stream by its event all the same.
    pub(crate) fn show(&self, picture: Picture, stream: &MediaStream) {
        let shown =
            self.shown.borrow().iter().find(|s| s.picture == picture).map(|s| s.element.clone());
        let Some(element) = shown.or_else(|| self.place(picture)) else { return };
        if get(&element, "srcObject") != *AsRef::<JsValue>::as_ref(stream) {
            set(&element, "srcObject", stream);
        }
        if let Ok(playing) = element.play() {
            // Refused where the page may not play sound yet; `autoplay` then does it later.
            spawn_local(async move {
                let _ = JsFuture::from(playing).await;
            });
        }
    }

    fn place(&self, picture: Picture) -> Option<HtmlVideoElement> {
        let given = match picture {
            Picture::Local => &self.local,
            Picture::Remote => &self.remote,
        };
        let (element, ours) = match given {
            Some(element) => (element.clone(), false),
            None => (self.make()?, true),
        };
        set(&element, "autoplay", &true.into());
        set(&element, "muted", &(picture == Picture::Local).into());
        // The attribute, since the property is spelled differently from browser to browser.
        let _ = element.set_attribute("playsinline", "");
        let _ = element.class_list().add_2(CLASS, picture.class());
        self.shown.borrow_mut().push(Shown { picture, element: element.clone(), ours });
        Some(element)
    }

    fn make(&self) -> Option<HtmlVideoElement> {
        let container = self.container.as_ref()?;
        let element = container.owner_document()?.create_element("video").ok()?;
        container.append_child(&element).ok()?;
        Some(element.unchecked_into())
    }

    /// Takes the pictures away, and with them the elements that are ours.
    pub(crate) fn clear(&self) {
        for Shown { picture, element, ours } in self.shown.take() {
            set(&element, "srcObject", &JsValue::NULL);
            if ours {
                element.remove();
            } else {
                let _ = element.class_list().remove_2(CLASS, picture.class());
            }
        }
    }
}
