//! HTTP by `fetch`, such that no request needs a CORS preflight.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, RequestCache, RequestCredentials, RequestInit, Response};

use super::failure;
use crate::proto::{HttpRequest, HttpResponse};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<js_sys::Promise, JsValue>;
}

/// Makes a request. A text body goes out as `text/plain`, which is what keeps the preflight away.
pub(super) async fn send(
    request: HttpRequest,
    abort: AbortController,
    with_credentials: bool,
) -> HttpResponse {
    let init = RequestInit::new();
    init.set_method(if request.body.is_some() { "POST" } else { "GET" });
    init.set_cache(RequestCache::NoStore);
    init.set_signal(Some(&abort.signal()));
    init.set_credentials(match with_credentials {
        true => RequestCredentials::Include,
        false => RequestCredentials::SameOrigin,
    });
    if let Some(body) = &request.body {
        init.set_body(&JsValue::from_str(body));
    }
    match exchange(&request.url, &init).await {
        Ok(response) => response,
        Err(thrown) => HttpResponse::Failed(failure::words(&thrown)),
    }
}

async fn exchange(url: &str, init: &RequestInit) -> Result<HttpResponse, JsValue> {
    let response: Response = JsFuture::from(fetch(url, init)?).await?.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    Ok(HttpResponse::Answered {
        status: response.status(),
        body: text.as_string().unwrap_or_default(),
    })
}
