//! HTTP by `fetch` (WHATWG Fetch), such that no request needs a CORS preflight: a text body goes out as
//! `text/plain`.

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
    /// A page may have put its own in the browser's place: in a window or a worker alike.
    #[wasm_bindgen(js_name = fetch, catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = navigator, js_name = sendBeacon, catch)]
    fn send_beacon(url: &str, body: &str) -> Result<bool, JsValue>;
}

/// An open request, which is aborted when this is dropped.
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

/// Makes the request. The future is never an error: a gateway that does not answer is an answer too.
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

/// Reads on for no longer than it takes to know that a body is too long.
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
    // As `TextDecoder` does, without a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sends what must go out even while the page is being left. Nothing comes back. A beacon says that it was
/// taken, and an extension may drop it all the same; a `fetch` that outlives its page gets through.
pub(crate) fn send_last(url: &str, body: &str, with_credentials: bool) {
    if !can_outlive() {
        let _ = send_beacon(url, body);
        return;
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&body.into());
    init.set_credentials(credentials(with_credentials));
    // web-sys does not have it yet (WHATWG Fetch, section 5.4, `keepalive`).
    let _ = Reflect::set(&init, &"keepalive".into(), &JsValue::TRUE);
    if let Ok(sent) = fetch(url, &init) {
        spawn_local(async move {
            let _ = JsFuture::from(Promise::resolve(&sent)).await;
        });
    }
}

/// Whether this browser's `fetch` can outlive its page. Firefox before 133 cannot.
fn can_outlive() -> bool {
    let request = Reflect::get(&js_sys::global(), &"Request".into());
    let prototype = request.and_then(|class| Reflect::get(&class, &"prototype".into()));
    prototype.is_ok_and(|prototype| {
        prototype.is_object() && Reflect::has(&prototype, &"keepalive".into()).unwrap_or_default()
    })
}
