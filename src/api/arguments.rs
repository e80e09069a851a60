//! Reading what a page passes: the wrong type is named, with the value, and never a panic.

use std::cell::Cell;

use js_sys::{Number, Object, Reflect};
use wasm_bindgen::prelude::*;

use crate::browser::console::Console;
use crate::browser::failure;
use crate::config::UserName;
use crate::error::{Error, excerpt};
use crate::text::join;
use crate::transfer::LARGEST;

/// A short text for a value, for messages.
pub(super) fn show(value: &JsValue) -> String {
    if let Some(text) = value.as_string() {
        return format!("the string \"{}\"", excerpt(&text));
    }
    if let Some(number) = value.dyn_ref::<Number>() {
        let digits = number.to_string_with_radix(10).map(String::from);
        return format!("the number {}", digits.unwrap_or_default());
    }
    if value.is_null() || value.is_undefined() {
        return if value.is_null() { "null".into() } else { "undefined".into() };
    }
    if js_sys::Array::is_array(value) {
        return "an array".into();
    }
    match value.js_typeof().as_string().as_deref() {
        Some("boolean") => format!("the boolean {}", value.is_truthy()),
        Some("function") => "a function".into(),
        Some("symbol") => "a symbol".into(),
        Some("bigint") => "a bigint".into(),
        _ => "an object".into(),
    }
}

pub(super) fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

pub(super) fn wrong(what: &str, wanted: &str, got: &JsValue) -> Error {
    Error::invalid(format!("{what} must be {wanted}, but is {}", show(got)))
}

/// A string, or nothing.
pub(super) fn text(what: &str, value: &JsValue) -> Result<Option<String>, Error> {
    match value.as_string() {
        Some(text) => Ok(Some(text)),
        None if is_absent(value) => Ok(None),
        None => Err(wrong(what, "a string", value)),
    }
}

/// A user name, or nothing.
pub(super) fn user_name(value: &JsValue) -> Result<Option<UserName>, Error> {
    // On its way here half a surrogate pair becomes U+FFFD: another name than the page's.
    if value.as_string().is_some_and(|name| JsValue::from_str(&name) != *value) {
        return Err(Error::invalid(format!(
            "the user name must be whole characters, but {} holds half a surrogate pair",
            show(value)
        )));
    }
    text("the user name", value)?.as_deref().map(UserName::parse).transpose()
}

/// The fields of an options object, each read once and with its type checked. What is wrong first is kept
/// until the end: [`Fields::done`].
pub(super) struct Fields<'a> {
    name: &'a str,
    object: Option<Object>,
    failed: Cell<Option<Error>>,
}

impl<'a> Fields<'a> {
    /// Takes an object, or nothing; warns of keys that are not among `known`, most often typing errors.
    pub(super) fn new(console: Console, name: &'a str, value: &JsValue, known: &[&str]) -> Self {
        let mut fields = Self { name, object: None, failed: Cell::new(None) };
        if is_absent(value) {
            return fields;
        }
        if !value.is_object() || js_sys::Array::is_array(value) || value.is_function() {
            fields.fail(wrong(name, "an object", value));
            return fields;
        }
        let object: Object = value.clone().unchecked_into();
        // A `Proxy` of the page may throw here.
        match Reflect::own_keys(&object) {
            Ok(keys) => {
                for key in keys.iter().filter_map(|key| key.as_string()) {
                    if !known.contains(&key.as_str()) {
                        let path = fields.path(&excerpt(&key));
                        console.warn_author(&format!("{path} is not known here and has no effect"));
                    }
                }
            }
            Err(thrown) => fields.fail(
                Error::invalid(format!("{name} threw when its keys were read"))
                    .with_cause(failure::words(&thrown)),
            ),
        }
        fields.object = Some(object);
        fields
    }

    /// What was wrong first, if anything.
    pub(super) fn done(self) -> Result<(), Error> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn fail(&self, error: Error) {
        self.failed.set(Some(self.failed.take().unwrap_or(error)));
    }

    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    /// A field as it is.
    pub(super) fn value(&self, key: &str) -> JsValue {
        let Some(object) = &self.object else { return JsValue::UNDEFINED };
        Reflect::get(object, &key.into()).unwrap_or_else(|thrown| {
            self.fail(
                Error::invalid(format!("{} threw when it was read", self.path(key)))
                    .with_cause(failure::words(&thrown)),
            );
            JsValue::UNDEFINED
        })
    }

    /// A field as `convert` reads it, or nothing; `wanted` says in the message what it takes.
    pub(super) fn read<T>(
        &self,
        key: &str,
        wanted: &str,
        convert: impl FnOnce(&JsValue) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key);
        if is_absent(&value) {
            return None;
        }
        let converted = convert(&value);
        if converted.is_none() {
            self.fail(wrong(&self.path(key), wanted, &value));
        }
        converted
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.read(key, "a string", JsValue::as_string)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.read(key, "true or false", JsValue::as_bool)
    }

    /// A number from `least` to `most`; `unit` is for the message.
    pub(super) fn number(&self, key: &str, least: u32, most: u32, unit: &str) -> Option<f64> {
        let wanted = format!("a number of {unit} from {least} to {most}");
        let range = f64::from(least)..=f64::from(most);
        self.read(key, &wanted, |value| value.as_f64().filter(|number| range.contains(number)))
    }

    /// A number of bytes that a JavaScript number holds exactly.
    pub(super) fn size(&self, key: &str) -> Option<u64> {
        let is_size = |size: &f64| size.fract() == 0.0 && (0.0..=LARGEST as f64).contains(size);
        self.read(key, "a whole number of bytes from 0 to 2^53 - 1", |value| {
            value.as_f64().filter(is_size).map(|size| size as u64)
        })
    }

    pub(super) fn one_of(&self, key: &str, words: &[&str]) -> Option<String> {
        let wanted = format!("one of \"{}\"", join(words, "\", \""));
        self.read(key, &wanted, |value| {
            value.as_string().filter(|word| words.contains(&word.as_str()))
        })
    }

    /// Something of a browser class, or nothing.
    pub(super) fn instance<T: JsCast>(&self, key: &str, class: &str) -> Option<T> {
        self.read(key, class, |value| value.clone().dyn_into().ok())
    }

    /// Checks that a key holds a function, or nothing.
    pub(super) fn check_function(&self, key: &str) {
        self.read(key, "a function", |value| value.is_function().then_some(()));
    }
}
