//! A server that is no Janus, for the question what the library says to that.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_TYPE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Result;

/// The answer of a [`StrangeGateway`] to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Status 200 and a web page, as a wrong path on a web server gives.
    Html,
    /// Status 200 and the first half of an answer.
    HalfJson,
    /// Status 200 and JSON that has nothing to do with Janus.
    OtherJson,
    /// Status 200 and a session id that JavaScript cannot tell from its neighbours.
    HugeId,
    /// Status 500 and an error page.
    ServerError,
    /// No answer at all, on an open connection.
    Nothing,
}

/// A web server that gives one [`Answer`] to every request, with the CORS headers of a Janus.
#[derive(Debug)]
pub struct StrangeGateway {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl StrangeGateway {
    /// Listens on a port of its own.
    pub async fn start(answer: Answer) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(move |body: String| speak(answer, body));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }

    /// Where a page looks for the gateway.
    pub fn url(&self) -> String {
        format!("http://{}/janus", self.address)
    }
}

impl Drop for StrangeGateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn speak(answer: Answer, request: String) -> Response {
    let transaction = serde_json::from_str::<serde_json::Value>(&request)
        .ok()
        .and_then(|json| json.get("transaction")?.as_str().map(str::to_owned))
        .unwrap_or_default();
    let success = |id: &str| {
        format!(r#"{{"janus":"success","transaction":"{transaction}","data":{{"id":{id}}}}}"#)
    };
    let html = "<!doctype html><title>Welcome</title><h1>It works</h1>".to_owned();
    match answer {
        Answer::Html => page(StatusCode::OK, "text/html", html),
        Answer::HalfJson => {
            let mut text = success("1234567890");
            text.truncate(text.len() / 2);
            page(StatusCode::OK, "application/json", text)
        }
        Answer::OtherJson => page(StatusCode::OK, "application/json", r#"{"ok":true}"#.to_owned()),
        // 2^53 + 1, which a double rounds to 2^53.
        Answer::HugeId => page(StatusCode::OK, "application/json", success("9007199254740993")),
        Answer::ServerError => page(StatusCode::INTERNAL_SERVER_ERROR, "text/html", html),
        Answer::Nothing => std::future::pending().await,
    }
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response {
    let header = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let mut headers = HeaderMap::from_iter([
        header(ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        header(ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        header(CONTENT_TYPE, kind),
    ]);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    (status, headers, Body::from(text)).into_response()
}
