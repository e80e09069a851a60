//! The routes: the API as Janus' HTTP transport offers it, faults, and files.

use std::convert::Infallible;
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
use super::state::{Answer, Shared};

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

/// A request to the API, with any `Content-Type`.
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
    // In a separate task: like Janus, the server does not notice that the reader of a poll has
    // left, and loses the next events.
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn post(api: &Api, path: &str, body: &str) -> Response {
    let user = api.shared.user(path);
    let fault = api.shared.faults.for_post(user.as_deref());
    match before(api, path, fault.as_ref()).await {
        Some(response) => response,
        None => after(fault, to_http(api.shared.post(path, body))).await,
    }
}

async fn get(api: &Api, path: &str, query: &str) -> Response {
    let is_session = path.trim_matches('/').starts_with(|c: char| c.is_ascii_digit());
    if is_session && path.trim_matches('/').contains('/') {
        let location = format!("{}/{}", api.base, session_in(path));
        return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    }
    let user = api.shared.user(path);
    let fault = if is_session { api.shared.faults.for_poll(user.as_deref()) } else { None };
    if let Some(response) = before(api, path, fault.as_ref()).await {
        return response;
    }
    let answer = match api.shared.faults.said_again(session_in(path)) {
        Some(events) => Answer::Events { events, max_events: usize::MAX },
        None => {
            let answer = api.shared.get(path, query).await;
            other_events(api, path, query, fault.as_ref(), answer).await
        }
    };
    // A fault that started while this poll waited applies to it too.
    api.shared.faults.while_stalled(user.as_deref()).await;
    let response = match answer {
        Answer::Response(response) => response,
        Answer::Events { events, max_events } if events.is_empty() => {
            crate::Response::keepalive(max_events)
        }
        Answer::Events { events, max_events } => crate::Response::events(events, max_events),
    };
    after(fault, to_http(response)).await
}

/// The part of a fault that changes a poll's events.
async fn other_events(
    api: &Api,
    path: &str,
    query: &str,
    fault: Option<&Fault>,
    answer: Answer,
) -> Answer {
    let Answer::Events { mut events, max_events } = answer else { return answer };
    match fault {
        Some(Fault::DropEvents) => events.clear(),
        Some(Fault::RepeatEvents) => {
            events = events.into_iter().flat_map(|event| [event.clone(), event]).collect();
        }
        Some(Fault::RepeatEventsLater) if !events.is_empty() => {
            api.shared.faults.say_again(session_in(path), events.clone());
        }
        Some(Fault::ReverseEvents) => {
            while events.len() < 2 {
                match api.shared.get(path, query).await {
                    // It has timed out once: no poll is held forever.
                    Answer::Events { events: more, .. } if more.is_empty() => break,
                    Answer::Events { events: more, .. } => events.extend(more),
                    gone @ Answer::Response(_) => return gone,
                }
            }
            events.reverse();
        }
        _ => {}
    }
    Answer::Events { events, max_events }
}

/// The part of a fault that applies before the request is processed, or in place of it.
async fn before(api: &Api, path: &str, fault: Option<&Fault>) -> Option<Response> {
    match fault? {
        Fault::Status(status) => {
            Some(StatusCode::from_u16(*status).unwrap_or_default().into_response())
        }
        Fault::RetryAfter(seconds) => {
            let headers = [
                (header::RETRY_AFTER, seconds.to_string()),
                // Otherwise a page of another origin cannot read it.
                (header::ACCESS_CONTROL_EXPOSE_HEADERS, header::RETRY_AFTER.to_string()),
            ];
            Some((StatusCode::TOO_MANY_REQUESTS, headers).into_response())
        }
        Fault::Body(body) => Some(json_text(body.clone())),
        Fault::Html502 => {
            let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
            let kind = [(header::CONTENT_TYPE, "text/html")];
            Some((StatusCode::BAD_GATEWAY, kind, page).into_response())
        }
        Fault::Empty => Some(json_text(String::new())),
        Fault::Garbage => Some(GARBAGE.into_response()),
        Fault::Huge(spaces) => Some(huge(*spaces)),
        Fault::CloseConnection => Some(broken_off("")),
        Fault::Delay(delay) => {
            sleep(*delay).await;
            None
        }
        Fault::Stall => {
            let user = api.shared.user(path);
            api.shared.faults.while_stalled(user.as_deref()).await;
            None
        }
        Fault::ForgetSession => {
            let destroy = json!({ "janus": "destroy", "transaction": "forgotten" });
            api.shared.post(&format!("/{}", session_in(path)), &destroy.to_string());
            None
        }
        Fault::ForgetAll => {
            api.shared.restart();
            None
        }
        Fault::Hang
        | Fault::HalfBody
        | Fault::Drip(_)
        | Fault::DropEvents
        | Fault::RepeatEvents
        | Fault::RepeatEventsLater
        | Fault::ReverseEvents => None,
    }
}

/// The part of a fault that applies after the request was processed.
async fn after(fault: Option<Fault>, response: Response) -> Response {
    match fault {
        Some(Fault::Hang) => pending().await,
        Some(Fault::HalfBody) => {
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            let text = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
            broken_off(text.get(..text.len() / 2).unwrap_or_default())
        }
        Some(Fault::Drip(pause)) => {
            const DROP: usize = 16;
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            let body = body.unwrap_or_default();
            let drops: Vec<Bytes> = body.chunks(DROP).map(Bytes::copy_from_slice).collect();
            let dripping = stream::iter(drops).then(move |drop| async move {
                sleep(pause).await;
                Ok::<_, Infallible>(drop)
            });
            Response::new(Body::from_stream(dripping))
        }
        _ => response,
    }
}

fn session_in(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// Neither valid UTF-8 nor JSON.
const GARBAGE: &[u8] = b"\xff\xfe\x00\x80[{\"janus\xc3\x28\x1f\x8b\x08";

/// Generated while it is read, never completely in memory.
fn huge(spaces: u64) -> Response {
    const PIECE: &[u8] = &[b' '; 65536];
    let pieces = stream::unfold(spaces, |left| async move {
        let length = left.min(65536);
        let piece = PIECE.get(..usize::try_from(length).ok()?)?;
        (length > 0).then(|| (Ok::<_, Infallible>(Bytes::from_static(piece)), left - length))
    });
    let beginning = stream::iter([Ok(Bytes::from_static(b"["))]);
    Response::new(Body::from_stream(beginning.chain(pieces)))
}

/// An answer that ends with a lost connection.
fn broken_off(beginning: &str) -> Response {
    let beginning = (!beginning.is_empty()).then(|| Ok(Bytes::from(beginning.to_owned())));
    let end = stream::once(async {
        // The start is sent only if nothing else is ready.
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

/// Allows every origin, and every header that it asks for.
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
