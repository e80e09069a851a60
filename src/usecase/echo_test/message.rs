//! The plugin's messages.

use serde::Serialize;
use serde_json::Value;

use super::error::Error;
use crate::log::excerpt;

/// A request to the plugin. It carries an offer, and all settings keep their defaults.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {}

/// Parses the plugin's answer.
pub(super) fn read(data: &Value) -> Result<(), Error> {
    let text = |key| data.get(key).and_then(Value::as_str).unwrap_or_default();
    if let Some(code) = data.get("error_code").and_then(Value::as_i64) {
        return Err(Error::Refused { code, reason: excerpt(text("error")) });
    }
    match text("result") {
        "ok" => Ok(()),
        other => Err(Error::UnexpectedAnswer { result: excerpt(other) }),
    }
}
