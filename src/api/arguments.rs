//! Reading what a page passes: the wrong type is named, with the value, and never a panic.

use js_sys::{Function, JsString, Number, Object, Reflect};
use wasm_bindgen::prelude::*;

use crate::browser::failure;
use crate::config::UserName;
use crate::error::{Error, excerpt};
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
    if value.dyn_ref::<JsString>().is_some_and(|name| !name.is_valid_utf16()) {
        return Err(Error::invalid(format!(
            "the user name must be whole characters, but {} holds half a surrogate pair",
            show(value)
        )));
    }
    text("the user name", value)?.as_deref().map(UserName::parse).transpose()
}

/// The fields of an options object, each read once and with its type checked.
pub(super) struct Fields<'a> {
    name: &'a str,
    object: Option<Object>,
}

impl<'a> Fields<'a> {
    /// Takes an object, or nothing; lists the keys that are not among `known`.
    pub(super) fn new(
        name: &'a str,
        value: &JsValue,
        known: &[&str],
    ) -> Result<(Self, Vec<String>), Error> {
        if is_absent(value) {
            return Ok((Self { name, object: None }, Vec::new()));
        }
        if !value.is_object() || js_sys::Array::is_array(value) || value.is_function() {
            return Err(wrong(name, "an object", value));
        }
        let object: Object = value.clone().unchecked_into();
        // A `Proxy` of the page may throw here.
        let keys = Reflect::own_keys(&object).map_err(|thrown| {
            Error::invalid(format!("{name} threw when its keys were read"))
                .with_cause(failure::words(&thrown))
        })?;
        let unknown = keys
            .iter()
            .filter_map(|key| key.as_string())
            .filter(|key| !known.contains(&key.as_str()))
            .map(|key| format!("{name}.{}", excerpt(&key)))
            .collect();
        Ok((Self { name, object: Some(object) }, unknown))
    }

    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    pub(super) fn value(&self, key: &str) -> Result<JsValue, Error> {
        let Some(object) = &self.object else { return Ok(JsValue::UNDEFINED) };
        Reflect::get(object, &key.into()).map_err(|thrown| {
            Error::invalid(format!("{} threw when it was read", self.path(key)))
                .with_cause(failure::words(&thrown))
        })
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Error> {
        text(&self.path(key), &self.value(key)?)
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        let value = self.value(key)?;
        match value.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None if is_absent(&value) => Ok(None),
            None => Err(wrong(&self.path(key), "true or false", &value)),
        }
    }

    /// A number from `least` to `most`; `unit` is for the message.
    pub(super) fn number(
        &self,
        key: &str,
        least: u32,
        most: u32,
        unit: &str,
    ) -> Result<Option<f64>, Error> {
        let value = self.value(key)?;
        match value.as_f64() {
            Some(number) if (f64::from(least)..=f64::from(most)).contains(&number) => {
                Ok(Some(number))
            }
            None if is_absent(&value) => Ok(None),
            _ => {
                let wanted = format!("a number of {unit} from {least} to {most}");
                Err(wrong(&self.path(key), &wanted, &value))
            }
        }
    }

    /// A number of bytes that a JavaScript number holds exactly.
    pub(super) fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let value = self.value(key)?;
        match value.as_f64() {
            Some(size) if size.fract() == 0.0 && (0.0..=LARGEST as f64).contains(&size) => {
                Ok(Some(size as u64))
            }
            None if is_absent(&value) => Ok(None),
            _ => Err(wrong(&self.path(key), "a whole number of bytes from 0 to 2^53 - 1", &value)),
        }
    }

    pub(super) fn one_of(&self, key: &str, words: &[&str]) -> Result<Option<String>, Error> {
        let value = self.value(key)?;
        match value.as_string() {
            Some(word) if words.contains(&word.as_str()) => Ok(Some(word)),
            None if is_absent(&value) => Ok(None),
            _ => {
                Err(wrong(&self.path(key), &format!("one of \"{}\"", words.join("\", \"")), &value))
            }
        }
    }

    /// Something of a browser class, or nothing.
    pub(super) fn instance<T: JsCast>(&self, key: &str, class: &str) -> Result<Option<T>, Error> {
        let value = self.value(key)?;
        if is_absent(&value) {
            return Ok(None);
        }
        value.dyn_into().map(Some).map_err(|value| wrong(&self.path(key), class, &value))
    }

    /// Checks that a key holds a function, or nothing.
    pub(super) fn check_function(&self, key: &str) -> Result<(), Error> {
        let value = self.value(key)?;
        match is_absent(&value) || value.is_instance_of::<Function>() {
            true => Ok(()),
            false => Err(wrong(&self.path(key), "a function", &value)),
        }
    }
}
