//! The log: the browser's console, no louder than the page asked for.

use wasm_bindgen::prelude::*;

use crate::log::Level;

// A page may have put something that throws in the console's place: that must not get into the module.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = console, js_name = error)]
    fn write_error(prefix: &str, what: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_namespace = console, js_name = warn)]
    fn write_warn(prefix: &str, what: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_namespace = console, js_name = info)]
    fn write_info(prefix: &str, what: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_namespace = console, js_name = debug)]
    fn write_debug(prefix: &str, what: &JsValue) -> Result<(), JsValue>;
}

const PREFIX: &str = "[videortc]";

/// Writes log lines up to a level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    pub(crate) level: Option<Level>,
}

impl Console {
    /// Warns the page's author of a mistake in the page, at every level but `"none"`.
    pub(crate) fn warn_author(self, line: &str) {
        if self.level.is_some() {
            let _ = write_warn(PREFIX, &JsValue::from_str(line));
        }
    }

    pub(crate) fn write(self, level: Level, line: &str) {
        if self.level.is_none_or(|most| level > most) {
            return;
        }
        let line = JsValue::from_str(line);
        let _ = match level {
            Level::Error => write_error(PREFIX, &line),
            Level::Warn => write_warn(PREFIX, &line),
            Level::Info => write_info(PREFIX, &line),
            Level::Debug | Level::Trace => write_debug(PREFIX, &line),
        };
    }
}

/// Reports what a listener of the page threw: at any level, since it is the page's own error.
pub(crate) fn report_thrown(listener: &str, thrown: &JsValue) {
    let _ = write_error(&format!("{PREFIX} {listener} threw"), thrown);
}
