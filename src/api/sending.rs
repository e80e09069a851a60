//! What `sendData()` was given, read and checked.

use js_sys::{ArrayBuffer, Function, JsString, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob};

use super::arguments::{Fields, is_absent, show, text, wrong};
use crate::browser::console::Console;
use crate::browser::failure;
use crate::browser::file::blob_of;
use crate::browser::transfers::{Sending, Source};
use crate::error::Error;
use crate::transfer::{LONGEST_INLINE, LONGEST_TEXT, clean_filename, is_kind};

const SIGNAL: &str = "an AbortSignal";

pub(super) fn sending(
    console: Console,
    kind: &JsValue,
    data: &JsValue,
    optional: &JsValue,
) -> Result<Sending, Error> {
    let Some(kind) = kind.as_string().filter(|kind| is_kind(kind)) else {
        let wanted =
            "a text such as \"text/plain\", of 1 to 255 bytes and without control characters";
        return Err(wrong("the type", wanted, kind));
    };
    let content = content(data)?;
    let (filename, on_progress, signal) = options(console, optional)?;
    // A file brings its name along; `File` is told by having one, since one of another frame is as good.
    let filename = filename.or_else(|| data.dyn_ref::<web_sys::File>().map(web_sys::File::name));
    // As the other side would: so both see the same name, and it fits into its field.
    let filename = filename.as_deref().and_then(clean_filename);
    Ok(Sending { kind, content, filename, on_progress, signal })
}

fn content(data: &JsValue) -> Result<Source, Error> {
    if let Some(text) = data.dyn_ref::<JsString>() {
        // In UTF-8 it is at least as long.
        if text.length() as usize <= LONGEST_INLINE {
            let text = String::from(text);
            if text.len() <= LONGEST_INLINE {
                return Ok(Source::Text(text));
            }
        }
        let blob = blob(data)?;
        let size = blob.size() as u64;
        if size > LONGEST_TEXT {
            return Err(Error::invalid(format!(
                "data is a string of {size} bytes, and at most {LONGEST_TEXT} can be sent as a string: send a \
                 Blob instead",
            )));
        }
        return Ok(Source::Blob(blob, true));
    }
    // What can still change, a buffer of the page, is copied here and now.
    let is_bytes = data.is_instance_of::<ArrayBuffer>() || ArrayBuffer::is_view(data);
    match data.dyn_ref::<Blob>().filter(|blob| is_genuine(blob, "size")) {
        Some(blob) => Ok(Source::Blob(blob.clone(), false)),
        None if is_bytes => Ok(Source::Blob(blob(data)?, false)),
        None => {
            let wanted = "a string, a Blob, a File, an ArrayBuffer or a view of one";
            Err(Error::invalid(format!("data must be {wanted}, but is {}", show(data))))
        }
    }
}

fn blob(data: &JsValue) -> Result<Blob, Error> {
    blob_of(data).map_err(|thrown| {
        Error::invalid("the browser cannot read data").with_cause(failure::words(&thrown))
    })
}

type Options = (Option<String>, Option<Function>, Option<AbortSignal>);

/// A file name, or `{ filename, onProgress, signal }`.
fn options(console: Console, optional: &JsValue) -> Result<Options, Error> {
    if optional.is_string() {
        return Ok((text("the file name", optional)?, None, None));
    }
    if !is_absent(optional) && !optional.is_object() {
        let wanted = "a file name or { filename, onProgress, signal }";
        return Err(wrong("optional", wanted, optional));
    }
    let known = ["filename", "onProgress", "signal"];
    let fields = Fields::new(console, "optional", optional, &known);
    let signal: Option<AbortSignal> = fields.instance("signal", SIGNAL);
    let options = (fields.text("filename"), fields.instance("onProgress", "a function"));
    fields.done()?;
    if let Some(signal) = signal.as_ref().filter(|signal| !is_genuine(signal, "aborted")) {
        return Err(wrong("optional.signal", SIGNAL, signal));
    }
    Ok((options.0, options.1, signal))
}

/// Whether an object of a browser class is one. What only has its prototype throws when it is read, and
/// that must not happen in the middle of our own work.
fn is_genuine(object: &JsValue, key: &str) -> bool {
    Reflect::get(object, &key.into()).is_ok()
}
