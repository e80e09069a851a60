//! The arguments of a video call's methods.

use js_sys::{Array, Function, JsString, Reflect, RegExp, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob};

use super::Checked;
use super::fields::{Fields, because, optional, wrong};
use super::values::{self, is_absent, shown};
use crate::api::{Content, Outgoing};
use crate::browser::console::Console;
use crate::data::{LONGEST_INLINE, is_kind};
use crate::error::Error;
use crate::table::{self, HIGHEST_BITRATE, Kind, QUALITIES, sending};
use crate::usecase::video_call::Settings;

/// Checks the type of a user name. The call checks the name itself.
pub(super) fn user_name(value: &JsValue) -> Checked<Option<String>> {
    let Some(name) = text_or_event("the user name", value)? else { return Ok(None) };
    // Conversion to UTF-8 would turn a lone surrogate into U+FFFD, and so make another name.
    if name.dyn_ref::<JsString>().is_some_and(|name| !name.is_valid_utf16()) {
        return Err(Error::invalid_argument(format!(
            "the user name must be whole characters, but {} holds half a surrogate pair",
            shown(&name)
        )));
    }
    Ok(name.as_string())
}

pub(super) fn reason(value: &JsValue) -> Checked<Option<String>> {
    Ok(text_or_event("the reason", value)?.and_then(|reason| reason.as_string()))
}

/// An optional text. A method that is an event handler (`button.onclick = action.hangUp`) receives
/// the event as its argument, which counts as absent.
fn text_or_event(name: &str, value: &JsValue) -> Checked<Option<JsValue>> {
    if values::is_event(value) { Ok(None) } else { optional(name, value, &Kind::Text) }
}

pub(super) fn settings(audio: &JsValue, video: &JsValue, quality: &JsValue) -> Checked<Settings> {
    let flag = |name, value| {
        Ok::<_, Error>(optional(name, value, &Kind::Flag)?.and_then(|flag| flag.as_bool()))
    };
    Ok(Settings {
        audio: flag("audio", audio)?,
        video: flag("video", video)?,
        bitrate: bitrate(quality)?,
    })
}

/// The bitrate limit in bits per second, from a number or a word.
fn bitrate(quality: &JsValue) -> Checked<Option<u32>> {
    if is_absent(quality) {
        return Ok(None);
    }
    let word = quality.as_string();
    let word = QUALITIES.into_iter().find(|(known, _)| word.as_deref() == Some(known));
    let number = quality.as_f64().filter(|bits| (0.0..=f64::from(HIGHEST_BITRATE)).contains(bits));
    match (word, number) {
        (Some((_, bits)), _) => Ok(Some(bits)),
        (None, Some(bits)) => Ok(Some(bits as u32)),
        (None, None) => Err(wrong("quality", &table::wanted_quality(), quality)),
    }
}

/// The filter and the order of `getPeers()`.
pub(super) struct Selection {
    filter: Filter,
    /// `None` keeps the gateway's order.
    is_descending: Option<bool>,
}

enum Filter {
    All,
    Part(String),
    Expression(RegExp),
    Function(Function),
}

#[wasm_bindgen]
extern "C" {
    type Text;
    #[wasm_bindgen(method, catch)]
    fn search(this: &Text, expression: &RegExp) -> Result<f64, JsValue>;
}

pub(super) fn selection(filter: &JsValue, order: &JsValue) -> Checked<Selection> {
    let filter = if is_absent(filter) || values::is_event(filter) {
        Filter::All
    } else if let Some(part) = filter.as_string() {
        Filter::Part(part)
    } else if values::is_expression(filter) {
        Filter::Expression(filter.clone().unchecked_into())
    } else if let Some(function) = values::function(filter) {
        Filter::Function(function)
    } else {
        return Err(wrong("filter", "a string, a RegExp or a function", filter));
    };
    let is_descending = match order.as_string().as_deref() {
        _ if is_absent(order) => None,
        Some("asc") => Some(false),
        Some("desc") => Some(true),
        _ => return Err(wrong("order", "\"asc\" or \"desc\"", order)),
    };
    Ok(Selection { filter, is_descending })
}

impl Selection {
    pub(super) fn of(&self, names: Vec<String>) -> Checked<Vec<String>> {
        let mut some = Vec::new();
        for name in names {
            if self.filter.takes(&name)? {
                some.push(name);
            }
        }
        // By code point, which JavaScript's `sort()` does not do.
        if let Some(is_descending) = self.is_descending {
            some.sort_unstable();
            if is_descending {
                some.reverse();
            }
        }
        Ok(some)
    }
}

impl Filter {
    fn takes(&self, name: &str) -> Checked<bool> {
        match self {
            Self::All => Ok(true),
            Self::Part(part) => Ok(name.contains(part.as_str())),
            // `search` ignores the `lastIndex` of sticky and global expressions.
            Self::Expression(expression) => JsValue::from(name)
                .unchecked_ref::<Text>()
                .search(expression)
                .map(|at| at >= 0.0)
                .map_err(|thrown| because("the filter expression threw", &thrown)),
            Self::Function(function) => {
                Reflect::apply(function, &JsValue::UNDEFINED, &Array::of1(&name.into()))
                    .map(|taken| taken.is_truthy())
                    .map_err(|thrown| because("the filter function threw", &thrown))
            }
        }
    }
}

/// The checked arguments of `sendData()`.
pub(super) struct Sending {
    pub(super) outgoing: Outgoing,
    /// Whether the content is not a string.
    pub(super) is_file: bool,
    pub(super) on_progress: JsValue,
    pub(super) signal: Option<AbortSignal>,
}

pub(super) fn sending(
    kind: &JsValue,
    data: &JsValue,
    given: &JsValue,
    console: Console,
) -> Checked<Sending> {
    let text = kind.as_string().filter(|kind| is_kind(kind)).ok_or_else(|| {
        let wanted =
            "a text such as \"text/plain\", of 1 to 255 bytes and without control characters";
        wrong("the type", wanted, kind)
    })?;
    let (outgoing, is_file) = (Outgoing::new(text, content(data)?), !data.is_string());
    if let Some(name) = given.as_string() {
        let outgoing = outgoing.filename(name);
        return Ok(Sending { outgoing, is_file, on_progress: JsValue::UNDEFINED, signal: None });
    }
    if !is_absent(given) && !given.is_object() {
        return Err(wrong("optional", "a file name or { filename, onProgress, signal }", given));
    }
    let found = Fields::read(&sending::TABLE, given, console)?;
    let name = found.text(&sending::FILENAME).or_else(|| values::file_name(data));
    Ok(Sending {
        outgoing: match name {
            Some(name) => outgoing.filename(name),
            None => outgoing,
        },
        is_file,
        on_progress: found.object(&sending::ON_PROGRESS),
        signal: values::signal(&found.object(&sending::SIGNAL)),
    })
}

/// Short strings stay strings; everything else becomes a blob. A blob copies a buffer, which the
/// page may change later.
fn content(data: &JsValue) -> Checked<Content> {
    if let Some(text) = data.dyn_ref::<JsString>() {
        // UTF-8 has at least one byte for each UTF-16 unit: this skips the copy of a long text.
        let is_short = text.length() as usize <= LONGEST_INLINE;
        let short =
            is_short.then(|| String::from(text)).filter(|text| text.len() <= LONGEST_INLINE);
        return match short {
            Some(text) => Ok(Content::Text(text)),
            None => Blob::new_with_str_sequence(&Array::of1(data))
                .map(Content::TextBlob)
                .map_err(unreadable),
        };
    }
    if let Some(blob) = values::blob(data) {
        return Ok(Content::Blob(blob));
    }
    let Some(buffer) = values::buffer(data) else {
        let wanted = "a string, a Blob, a File, an ArrayBuffer or a view of one";
        return Err(wrong("data", wanted, data));
    };
    // A blob of a detached buffer would be empty; the constructor of a view throws.
    let class = Uint8Array::new_with_length(0).constructor();
    Reflect::construct(&class, &Array::of1(&buffer)).map_err(unreadable)?;
    Blob::new_with_buffer_source_sequence(&Array::of1(data)).map(Content::Blob).map_err(unreadable)
}

fn unreadable(thrown: JsValue) -> Error {
    because("the browser cannot read data", &thrown)
}

/// Checks `cOk` or `cKo`.
pub(super) fn callback(name: &str, value: &JsValue) -> Checked<()> {
    optional(name, value, &Kind::Function).map(drop)
}
