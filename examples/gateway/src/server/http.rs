//! The routes: the API as Janus' HTTP transport offers it, faults, and files.

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::time::sleep;
use tower_http::services::ServeDir;

use super::Fault;
use super::state::Shared;

pub(super) fn routes(
    shared: Arc<Shared>,
    base_path: &str,
    static_roots: &[(String, PathBuf)],
) -> Router {
    let base = base_path.trim_end_matches('/').to_owned();
    let api = Router::new()
        .route(&base, any(answer))
        .route(&format!("{base}/"), any(answer))
        .route(&format!("{base}/{{*rest}}"), any(answer))
        .with_state(Api { shared, base });
    static_roots.iter().fold(api, |routes, (path, folder)| match path.trim_matches('/') {
        "" => routes.fallback_service(ServeDir::new(folder)),
        path => routes.nest_service(&format!("/{path}"), ServeDir::new(folder)),
    })
}

#[derive(Debug, Clone)]
struct Api {
    shared: Arc<Shared>,
    base: String,
}

/// A request to the API. Whatever its `Content-Type` is.
async fn answer(
    State(api): State<Api>,
    method: Method,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().strip_prefix(&api.base).unwrap_or_default().to_owned();
    let query = query.unwrap_or_default();
    let work = async move {
        let response = match method {
            Method::POST => {
                let body = String::from_utf8_lossy(&body).into_owned();
                post(&api, &path, &body).await
            }
            Method::GET => get(&api, &path, &query).await,
            Method::OPTIONS => StatusCode::OK.into_response(),
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        };
        with_cors(response, &headers)
    };
    // In a task of its own: Janus does not notice that the reader of a poll has left, and loses the
    // events that come next.
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn post(api: &Api, path: &str, body: &str) -> Response {
    let fault = api.shared.faults.for_post();
    match before(api, path, fault.as_ref()).await {
        Some(response) => response,
        None => after(fault, to_http(api.shared.post(path, body))).await,
    }
}

async fn get(api: &Api, path: &str, query: &str) -> Response {
    let is_session = path.trim_matches('/').starts_with(|c: char| c.is_ascii_digit());
    if is_session && path.trim_matches('/').contains('/') {
        let session = path.trim_matches('/').split('/').next().unwrap_or_default();
        let location = format!("{}/{session}", api.base);
        return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    }
    let fault = if is_session { api.shared.faults.for_poll() } else { None };
    if let Some(response) = before(api, path, fault.as_ref()).await {
        return response;
    }
    let answer = api.shared.get(path, query).await;
    if fault == Some(Fault::DropEvents) && answer.status == 200 {
        let one_event = !answer.body.starts_with('[');
        return to_http(crate::Response::keepalive(if one_event { 1 } else { 2 }));
    }
    after(fault, to_http(answer)).await
}

/// The part of a fault that comes before the request is looked at, or instead of it.
async fn before(api: &Api, path: &str, fault: Option<&Fault>) -> Option<Response> {
    match fault? {
        Fault::Status(status) => {
            Some(StatusCode::from_u16(*status).unwrap_or_default().into_response())
        }
        Fault::Body(body) => Some(json_text(body.clone())),
        Fault::Html502 => {
            let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
            let kind = [(header::CONTENT_TYPE, "text/html")];
            Some((StatusCode::BAD_GATEWAY, kind, page).into_response())
        }
        Fault::Empty => Some(json_text(String::new())),
        Fault::CloseConnection => Some(broken_off("")),
        Fault::Delay(delay) => {
            sleep(*delay).await;
            None
        }
        Fault::ForgetSession => {
            let session = path.trim_start_matches('/').split('/').next().unwrap_or_default();
            let destroy = json!({ "janus": "destroy", "transaction": "forgotten" });
            api.shared.post(&format!("/{session}"), &destroy.to_string());
            None
        }
        Fault::Hang | Fault::HalfBody | Fault::DropEvents => None,
    }
}

/// The part of a fault that comes after the request was done.
async fn after(fault: Option<Fault>, response: Response) -> Response {
    match fault {
        Some(Fault::Hang) => pending().await,
        Some(Fault::HalfBody) => {
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            let text = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
            broken_off(text.get(..text.len() / 2).unwrap_or_default())
        }
        _ => response,
    }
}

/// An answer that ends with a lost connection.
fn broken_off(beginning: &str) -> Response {
    let beginning = (!beginning.is_empty()).then(|| Ok(Bytes::from(beginning.to_owned())));
    let end = stream::once(async {
        // The beginning goes out only if nothing else is to be done at once.
        sleep(Duration::from_millis(20)).await;
        Err(io::Error::other("a fault"))
    });
    Response::new(Body::from_stream(stream::iter(beginning).chain(end)))
}

fn to_http(answer: crate::Response) -> Response {
    if answer.status == 200 {
        return json_text(answer.body);
    }
    StatusCode::from_u16(answer.status).unwrap_or_default().into_response()
}

fn json_text(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Any origin may ask, and may send what it asks to send.
fn with_cors(mut response: Response, request: &HeaderMap) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    let echo: [(HeaderName, HeaderName); 2] = [
        (header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS),
    ];
    for (asked, allowed) in echo {
        if let Some(value) = request.get(asked) {
            headers.insert(allowed, value.clone());
        }
    }
    response
}
