//! Splits one direction of an HTTP/1.1 connection into its messages, and classifies them.

use serde_json::Value;

/// A complete request or response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: String,
    /// Bytes on the wire, including head and framing.
    pub(crate) bytes: usize,
}

impl Message {
    pub(crate) fn is_request(&self) -> bool {
        !self.head.starts_with("HTTP/")
    }

    /// A CORS preflight (Fetch, section 4.8).
    pub(crate) fn is_preflight(&self) -> bool {
        self.head.starts_with("OPTIONS ")
    }

    /// A short description: "poll", "message: call", "event: accepted".
    pub(crate) fn kind(&self) -> String {
        if self.is_preflight() {
            return "preflight".to_owned();
        }
        if self.head.starts_with("GET ") {
            return "poll".to_owned();
        }
        let kinds: Vec<String> = match serde_json::from_str(&self.body) {
            Ok(Value::Array(all)) => all.iter().map(said).collect(),
            Ok(one) => vec![said(&one)],
            Err(_) => vec![self.head.lines().next().unwrap_or_default().to_owned()],
        };
        kinds.join(", ")
    }
}

/// The kind of an object of Janus' API.
fn said(message: &Value) -> String {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let result = &message["plugindata"]["data"];
    let detail = [&message["body"]["request"], &result["result"]["event"], &message["type"]]
        .into_iter()
        .find_map(word);
    let list = result["result"]["list"].is_array().then(|| "list".to_owned());
    let error = [&message["error"], &result["error_code"]]
        .into_iter()
        .find(|error| !error.is_null())
        .map(|error| format!("error {}", if error.is_object() { &error["code"] } else { error }));
    let count = message["candidates"].as_array().map(|all| format!("{} candidates", all.len()));
    let completed = (message["candidate"]["completed"] == true).then(|| "completed".to_owned());
    let jsep = word(&message["jsep"]["type"]).map(|kind| format!(" with {kind}"));
    let name = word(&message["janus"]).unwrap_or_else(|| "?".to_owned());
    let detail = detail.or(list).or(error).or(count).or(completed);
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{name}{detail}{}", jsep.unwrap_or_default())
}

/// Collects bytes and yields complete messages.
#[derive(Debug)]
pub(crate) struct Cutter {
    rest: Vec<u8>,
    /// The arrival time of the first remaining byte.
    since: f64,
    is_dated_by_its_end: bool,
}

impl Cutter {
    /// A request has the time of its first byte.
    pub(crate) fn requests() -> Self {
        Self { rest: Vec::new(), since: 0.0, is_dated_by_its_end: false }
    }

    /// A response has the time of its last byte.
    pub(crate) fn answers() -> Self {
        Self { is_dated_by_its_end: true, ..Self::requests() }
    }

    /// The messages that these bytes complete, with their times.
    pub(crate) fn cut(&mut self, bytes: &[u8], now: f64) -> Vec<(f64, Message)> {
        if self.rest.is_empty() || self.is_dated_by_its_end {
            self.since = now;
        }
        self.rest.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            messages.push((self.since, message));
            self.since = now;
        }
        messages
    }

    fn next(&mut self) -> Option<Message> {
        let head_ends = self.rest.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.rest[..head_ends]).into_owned();
        let (body, bytes) = if field(&head, "transfer-encoding") == Some("chunked") {
            chunks(&self.rest, head_ends)?
        } else {
            let length = field(&head, "content-length").and_then(|text| text.parse().ok());
            let end = head_ends + length.unwrap_or(0);
            (self.rest.get(head_ends..end)?.to_vec(), end)
        };
        self.rest.drain(..bytes);
        Some(Message { head, body: String::from_utf8_lossy(&body).into_owned(), bytes })
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Decodes a chunked body (RFC 9112, section 7.1), which Janus sends on persistent connections, and
/// finds its end. There are no trailers.
fn chunks(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    loop {
        let rest = bytes.get(at..)?;
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let start = line + 2;
        body.extend_from_slice(rest.get(start..start + size)?);
        rest.get(start + size..start + size + 2)?;
        at += start + size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_wherever_the_pieces_end() {
        let body = r#"{"janus":"message","body":{"request":"call"},"jsep":{"type":"offer"}}"#;
        let post =
            format!("POST /janus/1/2 HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let wire =
            format!("OPTIONS /janus/1/2 HTTP/1.1\r\n\r\n{post}GET /janus/1 HTTP/1.1\r\n\r\n");
        for size in [1, 7, wire.len()] {
            let mut cutter = Cutter::requests();
            let kinds: Vec<String> = wire
                .as_bytes()
                .chunks(size)
                .flat_map(|piece| cutter.cut(piece, 0.0))
                .map(|(_, message)| message.kind())
                .collect();
            assert_eq!(kinds, ["preflight", "message: call with offer", "poll"]);
        }
    }

    #[test]
    fn a_batch_of_events_names_each() {
        let body = r#"[{"janus":"ack"},{"janus":"event","plugindata":{"data":{"result":{"event":"calling"}}}}]"#;
        let answer =
            Message { head: "HTTP/1.1 200 OK\r\n\r\n".to_owned(), body: body.to_owned(), bytes: 0 };
        assert_eq!(answer.kind(), "ack, event: calling");
    }

    #[test]
    fn chunks_are_one_body() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                       9\r\n{\"janus\":\r\nD\r\n\"keepalive\"} \r\n0\r\n\r\n";
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"janus\":\"ack\"}";
        for size in [1, 5, 1000] {
            let mut cutter = Cutter::answers();
            let both = format!("{chunked}{plain}");
            let messages: Vec<(f64, Message)> =
                both.as_bytes().chunks(size).flat_map(|piece| cutter.cut(piece, 0.0)).collect();
            let kinds: Vec<String> = messages.iter().map(|(_, message)| message.kind()).collect();
            assert_eq!(kinds, ["keepalive", "ack"]);
            assert_eq!(messages[0].1.bytes, chunked.len());
        }
    }
}
