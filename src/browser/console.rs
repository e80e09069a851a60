//! Log output to the browser's console.

use wasm_bindgen::prelude::*;

use crate::log::Level;

/// The prefix of every line.
const TAG: &str = "[videortc]";

// A page may have replaced the console by one that throws. Such exceptions are ignored.
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

/// Writes lines up to a level; `None` writes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console(Option<Level>);

impl Default for Console {
    /// Errors only.
    fn default() -> Self {
        Self(Some(Level::Error))
    }
}

impl Console {
    pub(crate) fn new(level: Option<Level>) -> Self {
        Self(level)
    }

    /// Whether the page switched all output off.
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

/// Reports an exception of the page's code, at every level: it is a bug of the page.
pub(crate) fn report(name: &str, thrown: &JsValue) {
    let _ = error_with(TAG, &format!("{name} threw"), thrown);
}

/// Warns the developer of the page, whatever the level.
#[cfg(feature = "js")]
pub(crate) fn warn_always(line: &str) {
    let _ = warn(TAG, line);
}
