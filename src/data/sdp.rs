//! Data support in offers and answers.
//!
//! A custom attribute in the data section announces this protocol. Receivers ignore unknown
//! attributes (RFC 8866, section 5.13), and the gateway passes them on. So each side knows before
//! the channel opens whether the peer speaks the protocol, and a stock janus.js peer never receives
//! a frame that it would display as text.

/// The attribute of the data section. Its value is the highest version, or 0 if data is off.
const ATTRIBUTE: &str = "a=x-videortc-data:";

/// The data support of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// The data section is absent or rejected.
    None,
    /// The peer has switched data off.
    Off,
    /// A data channel without this protocol. It carries plain text.
    Plain,
    /// The peer speaks the protocol up to this version.
    Version(u8),
}

/// Appends the attribute with `version` to the data section. Version 0 announces that data is off.
pub fn announce(sdp: &str, version: u8) -> String {
    if support(sdp) == Support::None {
        return sdp.to_owned();
    }
    let attribute = format!("{ATTRIBUTE}{version}\r\n");
    let mut out = String::with_capacity(sdp.len().saturating_add(attribute.len()));
    let mut in_data = false;
    for line in sdp.lines() {
        if line.starts_with("m=") {
            if in_data {
                out.push_str(&attribute);
            }
            in_data = is_data(line);
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    if in_data {
        out.push_str(&attribute);
    }
    out
}

fn is_data(line: &str) -> bool {
    line.starts_with("m=application ") && line.contains("SCTP")
}

/// Reads the data support from the peer's description.
pub fn support(sdp: &str) -> Support {
    let mut lines = sdp.lines().map(str::trim_end).skip_while(|line| !is_data(line));
    let Some(head) = lines.next() else { return Support::None };
    // Port 0 rejects the section unless it is bundle-only (RFC 9143, section 6). Firefox offers it
    // so under the policy "max-bundle".
    let (mut is_refused, mut version) = (head.starts_with("m=application 0 "), None);
    for line in lines.take_while(|line| !line.starts_with("m=")) {
        is_refused &= line != "a=bundle-only";
        version = version.or_else(|| line.strip_prefix(ATTRIBUTE));
    }
    if is_refused {
        return Support::None;
    }
    match version.map(|version| version.trim().parse::<u8>()) {
        None => Support::Plain,
        Some(Ok(0)) => Support::Off,
        Some(Ok(version)) => Support::Version(version),
        // A number too large for `u8` is a later version.
        Some(Err(_)) => Support::Version(u8::MAX),
    }
}
