//! HTTP by `fetch`, such that no request needs a CORS preflight.

use js_sys::Object;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Response};

use super::failure;
use super::object::{get, set};
use crate::proto::{HttpRequest, HttpResponse};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &Object) -> Result<js_sys::Promise, JsValue>;
}

/// Makes a request. A text body goes out as `text/plain`, which is what keeps the preflight away.
pub(super) async fn send(
    request: HttpRequest,
    abort: AbortController,
    with_credentials: bool,
) -> HttpResponse {
    let init = Object::new();
    set(&init, "method", &if request.body.is_some() { "POST" } else { "GET" }.into());
    set(&init, "cache", &"no-store".into());
    set(&init, "signal", &get(&abort, "signal"));
    set(&init, "credentials", &if with_credentials { "include" } else { "same-origin" }.into());
    if let Some(body) = &request.body {
        set(&init, "body", &body.into());
    }
    match exchange(&request.url, &init).await {
        Ok(response) => response,
        Err(thrown) => HttpResponse::Failed(failure::words(&thrown)),
    }
}

async fn exchange(url: &str, init: &Object) -> Result<HttpResponse, JsValue> {
    let response: Response = JsFuture::from(fetch(url, init)?).await?.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    Ok(HttpResponse::Answered {
        status: response.status(),
        body: text.as_string().unwrap_or_default(),
    })
}
