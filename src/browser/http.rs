//! HTTP by `fetch` (WHATWG Fetch). A text body is sent as `text/plain`, so that no request needs a
//! CORS preflight.

use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortController, AbortSignal, ReadableStreamReadResult, RequestCache, RequestCredentials,
    RequestInit,
};

use super::registry::{Held, hold};
use super::throwing::{Answer, Readable};
use super::thrown;
use crate::signaling::{HttpRequest, HttpResponse, LONGEST_BODY};

#[wasm_bindgen]
extern "C" {
    /// Called by its global name, so that a page can replace it, in windows and workers alike.
    #[wasm_bindgen(js_name = fetch, catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = navigator, js_name = sendBeacon, catch)]
    fn send_beacon(url: &str, body: &str) -> Result<bool, JsValue>;
}

/// An open request. Aborted on drop.
pub(crate) struct Exchange {
    abort: AbortController,
    _held: Held,
}

impl Exchange {
    pub(crate) fn new() -> Result<Self, JsValue> {
        let abort = AbortController::new()?;
        let held = hold(&abort, "abort");
        Ok(Self { abort, _held: held })
    }

    pub(crate) fn signal(&self) -> AbortSignal {
        self.abort.signal()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

fn credentials(with_credentials: bool) -> RequestCredentials {
    if with_credentials { RequestCredentials::Include } else { RequestCredentials::SameOrigin }
}

/// Sends a request. Never fails: an unreachable gateway is a response too.
pub(crate) async fn send(
    request: HttpRequest,
    signal: AbortSignal,
    with_credentials: bool,
) -> HttpResponse {
    match exchange(&request, &signal, with_credentials).await {
        Ok(response) => response,
        Err(thrown) => HttpResponse::Failed(thrown::words(&thrown)),
    }
}

async fn exchange(
    request: &HttpRequest,
    signal: &AbortSignal,
    with_credentials: bool,
) -> Result<HttpResponse, JsValue> {
    let init = RequestInit::new();
    init.set_method(if request.body.is_some() { "POST" } else { "GET" });
    if let Some(body) = &request.body {
        init.set_body(&body.into());
    }
    init.set_signal(Some(signal));
    init.set_credentials(credentials(with_credentials));
    init.set_cache(RequestCache::NoStore);
    let response = JsFuture::from(Promise::resolve(&fetch(&request.url, &init)?)).await?;
    if !response.is_object() {
        return Err("fetch gave no response".into());
    }
    let response: &Answer = response.unchecked_ref();
    let (status, body) = (response.status()?, read_body(response.body()?).await?);
    Ok(match response.redirected()? {
        true => HttpResponse::Redirected { to: response.url()?, status, body },
        false => HttpResponse::Answered { status, body },
    })
}

/// Reads a body. Stops once it is too long.
async fn read_body(stream: Option<Readable>) -> Result<String, JsValue> {
    let mut bytes = Vec::new();
    let Some(stream) = stream else { return Ok(String::new()) };
    let reader = stream.get_reader()?;
    while bytes.len() <= LONGEST_BODY {
        let result: ReadableStreamReadResult =
            JsFuture::from(reader.read()).await?.unchecked_into();
        if result.get_done().unwrap_or(true) {
            return Ok(decoded(bytes));
        }
        let Ok(part) = result.get_value().dyn_into::<Uint8Array>() else { break };
        let before = bytes.len();
        bytes.resize(before.saturating_add(part.length() as usize), 0);
        if let Some(room) = bytes.get_mut(before..) {
            part.copy_to(room);
        }
    }
    let cancelled = reader.cancel();
    spawn_local(async move {
        let _ = JsFuture::from(cancelled).await;
    });
    Ok(decoded(bytes))
}

fn decoded(bytes: Vec<u8>) -> String {
    // Removes the byte order mark, as `TextDecoder` does.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sends a request that must succeed while the page is being closed. There is no response.
///
/// A `fetch` with `keepalive` is preferred: browser extensions may drop a beacon although the
/// browser accepted it.
pub(crate) fn send_last(url: &str, body: &str, with_credentials: bool) {
    if !has_keepalive() {
        let _ = send_beacon(url, body);
        return;
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&body.into());
    init.set_credentials(credentials(with_credentials));
    // web-sys lacks `keepalive` (WHATWG Fetch, section 5.4).
    let _ = Reflect::set(&init, &"keepalive".into(), &JsValue::TRUE);
    if let Ok(sent) = fetch(url, &init) {
        spawn_local(async move {
            let _ = JsFuture::from(Promise::resolve(&sent)).await;
        });
    }
}

/// Whether this browser supports `keepalive`. Firefox before 133 does not.
fn has_keepalive() -> bool {
    let request = Reflect::get(&js_sys::global(), &"Request".into());
    let prototype = request.and_then(|class| Reflect::get(&class, &"prototype".into()));
    prototype.is_ok_and(|prototype| {
        prototype.is_object() && Reflect::has(&prototype, &"keepalive".into()).unwrap_or_default()
    })
}
