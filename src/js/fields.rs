//! Reads the known keys of a page's object, each once, and checks their values by a [`Table`].

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use super::values::{self, is_absent, is_plain, shown};
use crate::browser::console::{self, Console};
use crate::browser::thrown;
use crate::data::{LARGEST, is_kind};
use crate::error::Error;
use crate::log::excerpt;
use crate::table::{self, Field, Kind, LONGEST_SIDE, Table};

/// Warns the developer of the page, unless the page switched all output off.
pub(super) fn warn(console: Console, line: &str) {
    if !console.is_silent() {
        console::warn_always(line);
    }
}

/// The known keys of an object that have a value.
pub(super) struct Fields(Vec<(&'static str, JsValue)>);

impl Fields {
    /// Reads an object. Warns about unknown keys, which are mostly typing errors.
    pub(super) fn read(table: &Table, object: &JsValue, console: Console) -> Result<Self, Error> {
        let name = table.name;
        if is_absent(object) {
            return Ok(Self(Vec::new()));
        }
        if !is_plain(object) {
            return Err(wrong(name, "an object", object));
        }
        let keys = Reflect::own_keys(object)
            .map_err(|thrown| because(&format!("{name} threw when its keys were read"), &thrown))?;
        let mut values = Vec::new();
        for field in table.fields {
            let value = get(object, name, field.name)?;
            if !is_absent(&value) {
                let path = format!("{name}.{}", field.name);
                values.push((field.name, fitting(&path, &value, &field.kind)?));
            }
        }
        for key in keys.iter().filter_map(|key| key.as_string()) {
            match table.fields.iter().find(|field| field.name == key) {
                None => warn(
                    console,
                    &format!("{name}.{} is not known here and has no effect", excerpt(&key)),
                ),
                Some(Field { kind: Kind::Later(why), .. }) => {
                    warn(console, &format!("{name}.{key} has no effect yet: {why}"));
                }
                Some(_) => {}
            }
        }
        Ok(Self(values))
    }

    pub(super) fn value(&self, field: &Field) -> Option<&JsValue> {
        self.0.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value)
    }

    /// The value of a key; `undefined` if it is absent.
    pub(super) fn object(&self, field: &Field) -> JsValue {
        self.value(field).cloned().unwrap_or_default()
    }

    pub(super) fn text(&self, field: &Field) -> Option<String> {
        self.value(field)?.as_string()
    }

    pub(super) fn flag(&self, field: &Field) -> Option<bool> {
        self.value(field)?.as_bool()
    }

    pub(super) fn number(&self, field: &Field) -> Option<f64> {
        self.value(field)?.as_f64()
    }
}

/// Reads a key. A getter or a proxy may throw.
pub(super) fn get(object: &JsValue, name: &str, key: &str) -> Result<JsValue, Error> {
    Reflect::get(object, &key.into())
        .map_err(|thrown| because(&format!("{name}.{key} threw when it was read"), &thrown))
}

/// Reads an array item by item. It uses indexes, since a page may have replaced the iterator.
pub(super) fn items(
    list: &JsValue,
    name: &str,
) -> Result<impl Iterator<Item = (String, Result<JsValue, Error>)> + use<>, Error> {
    let length = get(list, name, "length")?.as_f64().unwrap_or_default();
    let (list, name) = (list.clone(), name.to_owned());
    Ok((0..length as u32).map(move |i| {
        let path = format!("{name}[{i}]");
        let item = Reflect::get_u32(&list, i)
            .map_err(|thrown| because(&format!("{path} threw when it was read"), &thrown));
        (path, item)
    }))
}

/// Checks a value.
pub(super) fn fitting(name: &str, value: &JsValue, kind: &Kind) -> Result<JsValue, Error> {
    if fits(value, kind) { Ok(value.clone()) } else { Err(wrong(name, &kind.wanted(), value)) }
}

/// Checks an argument that may be absent.
pub(super) fn optional(name: &str, value: &JsValue, kind: &Kind) -> Result<Option<JsValue>, Error> {
    if is_absent(value) { Ok(None) } else { fitting(name, value, kind).map(Some) }
}

fn fits(value: &JsValue, kind: &Kind) -> bool {
    match kind {
        Kind::Text => value.is_string(),
        Kind::Credential => value.is_string() || value.is_function(),
        Kind::Flag => value.as_bool().is_some(),
        Kind::Function => value.is_function(),
        Kind::Object => is_plain(value),
        Kind::Word(words) => value.as_string().is_some_and(|word| words.contains(&word.as_str())),
        Kind::Number { least, most, .. } => {
            value.as_f64().is_some_and(|n| (f64::from(*least)..=f64::from(*most)).contains(&n))
        }
        Kind::Size => {
            value.as_f64().is_some_and(|n| n.fract() == 0.0 && (0.0..=LARGEST as f64).contains(&n))
        }
        Kind::Types => types(value).is_some(),
        Kind::Resolution => resolution(value).is_some(),
        Kind::Place => value.is_string() || values::element(value).is_some() || is_jquery(value),
        Kind::Video => values::video(value).is_some(),
        Kind::Signal => values::signal(value).is_some(),
        Kind::Later(_) => true,
    }
}

/// Reads an array of types.
pub(super) fn types(value: &JsValue) -> Option<Vec<String>> {
    if !values::is_list(value) {
        return None;
    }
    let items = items(value, "").ok()?;
    items.map(|(_, item)| item.ok()?.as_string().filter(|kind| is_kind(kind))).collect()
}

/// Reads a resolution: `"640x480"`, a word, or `{ width, height }`.
pub(super) fn resolution(value: &JsValue) -> Option<(u32, u32)> {
    if let Some(text) = value.as_string() {
        return table::resolution(&text);
    }
    let side = |key| {
        let side = values::property(value, key)?.as_f64()?;
        let fits = side.fract() == 0.0 && (1.0..=f64::from(LONGEST_SIDE)).contains(&side);
        fits.then_some(side as u32)
    };
    Some((side("width")?, side("height")?))
}

/// Recognizes a jQuery object of any version.
fn is_jquery(value: &JsValue) -> bool {
    values::property(value, "jquery").is_some_and(|version| version.is_string())
}

pub(super) fn wrong(name: &str, wanted: &str, got: &JsValue) -> Error {
    Error::invalid_argument(format!("{name} must be {wanted}, but is {}", shown(got)))
}

/// The error for an exception that the page's code threw.
pub(super) fn because(message: &str, thrown: &JsValue) -> Error {
    Error::unreadable_argument(message, thrown::words(thrown))
}
