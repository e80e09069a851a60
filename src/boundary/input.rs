//! What JavaScript hands over as text, read. It has checked all of it: what is not as expected is left out.

use std::time::Duration;

use crate::config::{CallConfig, GatewayConfig, Policy, Secret, ServerUrl};
use crate::error::{Code, Error};
use crate::json::Value;

/// What `new VideoRTC` was given.
pub(super) fn gateway(setup: &str) -> GatewayConfig {
    let setup = Value::parse(setup).unwrap_or(Value::Null);
    let text = |key: &str| setup.get(key).as_str().map(str::to_owned);
    let servers = texts(setup.get("servers")).unwrap_or_default();
    let mut gateway = GatewayConfig::new(servers.into_iter().map(ServerUrl::new).collect());
    gateway.api_secret = text("apiSecret").map(Secret::new);
    gateway.token = text("token").map(Secret::new);
    gateway.account = text("account");
    set_millis(&mut gateway.request_timeout, &setup, "requestTimeout");
    set_millis(&mut gateway.retry_limit, &setup, "retryLimit");
    if let Some(events) = setup.get("pollEvents").as_u64() {
        gateway.poll_events = events as u32;
    }
    gateway
}

/// What `videoCall()` was given.
pub(super) fn call(options: &str) -> CallConfig {
    let options = Value::parse(options).unwrap_or(Value::Null);
    let mut config = CallConfig::default();
    set_millis(&mut config.ring_timeout, &options, "ringTimeout");
    set_millis(&mut config.connect_timeout, &options, "connectTimeout");
    config.data = Policy {
        enabled: options.get("data").as_bool().unwrap_or(true),
        allowed: texts(options.get("allowedTypes")),
        max_size: options.get("maxSize").as_u64().unwrap_or(config.data.max_size),
    };
    config
}

fn set_millis(duration: &mut Duration, object: &Value, key: &str) {
    if let Some(millis) = object.get(key).as_u64() {
        *duration = Duration::from_millis(millis);
    }
}

fn texts(list: &Value) -> Option<Vec<String>> {
    let list = list.as_list()?;
    Some(list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
}

/// The code of an error of devices or peer connections.
pub(super) fn media_code(word: &str) -> Code {
    [Code::MediaFailed, Code::PermissionDenied, Code::DeviceNotFound, Code::DeviceInUse]
        .into_iter()
        .chain([Code::NotSupported])
        .find(|code| code.as_str() == word)
        .unwrap_or(Code::DeviceError)
}

/// Why a source gave no bytes.
pub(super) fn unreadable(cause: Option<String>) -> Error {
    let error = "the file could not be read: it may have been changed or removed";
    Error::new(Code::TransferFailed, error).with_cause(cause.unwrap_or_default())
}
