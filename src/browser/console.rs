//! The browser's console, as loud as the page wants it.

use wasm_bindgen::prelude::*;

use crate::log::Level;

/// What each line begins with.
const TAG: &str = "[videortc]";

// A page may have put something that throws in the console's place. Then nobody wants to read it.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, catch)]
    fn error(tag: &str, line: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = console, js_name = error, catch)]
    fn error_with(tag: &str, line: &str, thrown: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = console, catch)]
    fn warn(tag: &str, line: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = console, catch)]
    fn info(tag: &str, line: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = console, catch)]
    fn debug(tag: &str, line: &str) -> Result<(), JsValue>;
}

/// Writes lines up to a level; none without one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console(Option<Level>);

impl Default for Console {
    /// Errors alone.
    fn default() -> Self {
        Self(Some(Level::Error))
    }
}

impl Console {
    pub(crate) fn new(level: Option<Level>) -> Self {
        Self(level)
    }

    /// Whether the page wants no line at all.
    #[cfg(feature = "js")]
    pub(crate) fn is_silent(self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn write(self, level: Level, line: &str) {
        if self.0.is_none_or(|loudest| level > loudest) {
            return;
        }
        let _ = match level {
            Level::Error => error(TAG, line),
            Level::Warn => warn(TAG, line),
            Level::Info => info(TAG, line),
            Level::Debug | Level::Trace => debug(TAG, line),
        };
    }
}

/// Reports what code of the page threw. It is the page's own, so it is written at every level.
pub(crate) fn report(name: &str, thrown: &JsValue) {
    let _ = error_with(TAG, &format!("{name} threw"), thrown);
}

/// Warns of what the page got wrong before there is a connection to warn by.
#[cfg(feature = "js")]
pub(crate) fn warn_always(line: &str) {
    let _ = warn(TAG, line);
}
