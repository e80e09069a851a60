//! The log: the browser's console, no louder than the page asked for.

use js_sys::{Function, global};
use wasm_bindgen::prelude::*;

use super::object::get;
use crate::log::Level;

/// Writes to the console, by one of its methods. A page may have put something that throws in its place:
/// that must not get into the module.
fn write(method: &str, prefix: &str, what: &JsValue) {
    let console = get(&global(), "console");
    if let Some(write) = get(&console, method).dyn_ref::<Function>() {
        let _ = write.call2(&console, &prefix.into(), what);
    }
}

const PREFIX: &str = "[videortc]";

/// Writes log lines up to a level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    pub(crate) level: Option<Level>,
}

impl Console {
    pub(crate) fn write(self, level: Level, line: &str) {
        if self.level.is_none_or(|most| level > most) {
            return;
        }
        let method = match level {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug | Level::Trace => "debug",
        };
        write(method, PREFIX, &line.into());
    }
}

/// Reports what a listener of the page threw: at any level, since it is the page's own error.
pub(crate) fn report_thrown(listener: &str, thrown: &JsValue) {
    write("error", &format!("{PREFIX} {listener} threw"), thrown);
}
