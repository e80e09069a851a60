//! HTTP over a plain socket: one request per connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 0 where the connection closed without an answer.
    pub(crate) status: u16,
    /// The lines of the head that matter to a browser, in alphabetical order.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// Sends a request and reads the answer. `limit` is the longest silence.
pub(crate) fn exchange(
    port: u16,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
    limit: Duration,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(limit))?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // A connection that was reset after the answer, or instead of one.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error),
    }
    Ok(parse(&String::from_utf8_lossy(&answer)))
}

fn parse(answer: &str) -> Answer {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Answer { status: 0, headers: Vec::new(), body: String::new() };
    };
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
    let chunked = headers.iter().any(|line| line.starts_with("transfer-encoding: chunked"));
    headers.retain(|line| {
        line.starts_with("access-control-")
            || line.starts_with("content-type")
            || line.starts_with("location")
    });
    headers.sort();
    Answer { status, headers, body: if chunked { joined(body) } else { body.to_owned() } }
}

fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        body.push_str(&rest[..size]);
        chunks = rest[size..].trim_start_matches("\r\n");
    }
    body
}
