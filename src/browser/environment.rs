//! Checks that the browser has the interfaces that calls need.

use js_sys::Reflect;

use crate::error::Error;

/// The globals that a call needs. `pkg-template/loading.js` repeats the list, since it must answer
/// before the module is loaded.
pub(crate) const NEEDED: [&str; 5] =
    ["RTCPeerConnection", "fetch", "AbortController", "crypto", "performance"];

fn is_missing(name: &str) -> bool {
    Reflect::get(&js_sys::global(), &name.into())
        .is_ok_and(|value| value.is_undefined() || value.is_null())
}

/// Fails with `NOT_SUPPORTED` if an interface is missing.
pub(crate) fn check() -> Result<(), Error> {
    let Some(name) = NEEDED.into_iter().find(|name| is_missing(name)) else { return Ok(()) };
    let place =
        if is_missing("document") { "this is no browser page, and" } else { "this browser" };
    let message = format!("{place} has no {name}: make calls in a current browser");
    Err(Error::not_supported(message))
}
