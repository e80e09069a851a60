//! Takes secrets out of texts that people read: errors and log lines may quote what a gateway or a
//! proxy answered, and an answer may echo the request.

/// A text without a secret, however it is spelled. JSON stays JSON.
pub(super) fn without(text: &str, secret: &str) -> String {
    let mut text = text.replace(&percent_encode(secret), "…");
    // As it is, as a string of JSON, and as such a string that is quoted in another.
    let mut spelling = secret.to_owned();
    for _ in 0..3 {
        text = text.replace(&spelling, "…");
        let quoted = serde_json::to_string(&spelling).unwrap_or_default();
        let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        spelling = inner.unwrap_or(&quoted).to_owned();
    }
    text
}

/// A text as it stands in the query of a URL (RFC 3986, section 2.1).
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
